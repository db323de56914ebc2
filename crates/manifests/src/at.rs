//! A node together with the way to it, for messages such as `spec.ingress[0].ports[1].port`.

use std::fmt;

use crate::yaml::{Shape, Value};

/// A node of a document and its path from the object's root.
#[derive(Clone, Copy)]
pub(crate) struct At<'d, 'p> {
    pub(crate) value: Value<'d>,
    parent: Option<&'p At<'d, 'p>>,
    step: Step<'d>,
}

#[derive(Clone, Copy)]
enum Step<'d> {
    Root,
    Field(&'d str),
    Index(usize),
}

impl<'d, 'p> At<'d, 'p> {
    /// The root of an object.
    pub(crate) fn root(value: Value<'d>) -> Self {
        Self { value, parent: None, step: Step::Root }
    }

    /// Line in the file, from 1.
    pub(crate) fn line(&self) -> u32 {
        self.value.line()
    }

    /// The value under `name`, when it is there and not null: Kubernetes reads null as absent.
    pub(crate) fn field<'q>(&'q self, name: &'d str) -> Option<At<'d, 'q>>
    where
        'p: 'q,
    {
        let value = self.value.field(name).filter(|value| !value.is_null())?;
        Some(self.child(value, Step::Field(name)))
    }

    /// Every entry of a mapping, null ones too, with its key.
    pub(crate) fn fields<'q>(&'q self) -> impl Iterator<Item = (&'d str, At<'d, 'q>)>
    where
        'p: 'q,
    {
        self.value.fields().map(move |(name, _, value)| (name, self.child(value, Step::Field(name))))
    }

    /// The elements of a sequence.
    pub(crate) fn elements<'q>(&'q self) -> impl ExactSizeIterator<Item = At<'d, 'q>>
    where
        'p: 'q,
    {
        self.value.elements().enumerate().map(move |(index, value)| self.child(value, Step::Index(index)))
    }

    /// What `read` makes of the elements of the list under `name`; empty when the list is missing.
    pub(crate) fn list<T>(&self, name: &'d str, mut read: impl FnMut(&At<'d, '_>) -> T) -> Vec<T> {
        self.field(name).map(|list| list.elements().map(|element| read(&element)).collect()).unwrap_or_default()
    }

    /// The text under `name`.
    pub(crate) fn text(&self, name: &'d str) -> Option<&'d str> {
        self.field(name).and_then(|at| at.as_text())
    }

    /// The text under `name`, when it is not empty: most fields of Kubernetes read empty as absent.
    pub(crate) fn non_empty(&self, name: &'d str) -> Option<&'d str> {
        self.text(name).filter(|text| !text.is_empty())
    }

    /// The whole number under `name`.
    pub(crate) fn integer(&self, name: &'d str) -> Option<i64> {
        self.field(name).and_then(|at| at.as_integer())
    }

    /// The boolean under `name`.
    pub(crate) fn boolean(&self, name: &'d str) -> Option<bool> {
        match self.field(name)?.value.shape() {
            Shape::Bool(value) => Some(value),
            _ => None,
        }
    }

    pub(crate) fn as_text(&self) -> Option<&'d str> {
        match self.value.shape() {
            Shape::Text(text) => Some(text),
            _ => None,
        }
    }

    /// A number without a fraction, also when written as `80.0` or `1e3`: JSON does not keep the difference.
    pub(crate) fn as_integer(&self) -> Option<i64> {
        match self.value.shape() {
            Shape::Int(value) => Some(value),
            Shape::Float(value) => integer_of_float(value),
            _ => None,
        }
    }

    fn child<'q>(&'q self, value: Value<'d>, step: Step<'d>) -> At<'d, 'q>
    where
        'p: 'q,
    {
        At { value, parent: Some(self), step }
    }
}

fn integer_of_float(value: f64) -> Option<i64> {
    // Bounds that f64 holds exactly; 2^63 itself is out.
    let in_range = (-9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0).contains(&value);
    (in_range && value.fract() == 0.0).then_some(value as i64)
}

impl fmt::Display for At<'_, '_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(parent) = self.parent else { return Ok(()) };
        parent.fmt(out)?;
        match self.step {
            Step::Root => Ok(()),
            Step::Field(name) if matches!(parent.step, Step::Root) => out.write_str(name),
            Step::Field(name) => write!(out, ".{name}"),
            Step::Index(index) => write!(out, "[{index}]"),
        }
    }
}
