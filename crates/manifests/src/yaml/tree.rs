//! The tree of one document. Nodes stand in one vector and point into one text, so that a document of
//! millions of nodes costs a few allocations, and an alias costs none.

use super::scalar::Scalar;

/// One document, its nodes and the keys that it gives twice.
#[derive(Debug)]
pub(crate) struct Document {
    pub(super) text: String,
    pub(super) nodes: Vec<Node>,
    pub(super) elements: Vec<NodeId>,
    pub(super) fields: Vec<Field>,
    pub(super) root: NodeId,
    pub(super) duplicates: Vec<DuplicateKey>,
    pub(super) trailing: Option<u32>,
}

/// A key that a mapping gives twice. The last one counts, as with `kubectl`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DuplicateKey {
    pub(crate) key: String,
    pub(crate) first_line: u32,
    pub(crate) line: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NodeId(pub(super) u32);

#[derive(Debug)]
pub(super) struct Node {
    pub(super) line: u32,
    pub(super) column: u32,
    pub(super) kind: Kind,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    Scalar {
        text: Span,
        value: Scalar,
        merge: bool,
    },
    Sequence(Span),
    Mapping(Span),
    /// A collection whose end is not read yet. No finished document has one.
    Open,
}

/// A range of `Document::text`, `elements` or `fields`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) start: u32,
    pub(super) end: u32,
}

impl Span {
    fn range(self) -> std::ops::Range<usize> {
        self.start as usize..self.end as usize
    }
}

/// One entry of a mapping: its key as text, the place of the key, the value.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Field {
    pub(super) name: Span,
    pub(super) key: NodeId,
    pub(super) value: NodeId,
}

/// A node of a document.
#[derive(Clone, Copy)]
pub(crate) struct Value<'d> {
    document: &'d Document,
    id: NodeId,
}

/// What a node is.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Shape<'d> {
    Null,
    Bool(bool),
    Int(i64),
    /// Above `i64::MAX`.
    Uint(u64),
    Float(f64),
    Text(&'d str),
    Sequence,
    Mapping,
}

impl Document {
    /// The value at the top.
    pub(crate) fn root(&self) -> Value<'_> {
        Value { document: self, id: self.root }
    }

    /// Keys given twice, in the order of their second occurrence.
    pub(crate) fn duplicates(&self) -> &[DuplicateKey] {
        &self.duplicates
    }

    /// The line from which on the chunk holds something that is no part of the document. kubectl ignores it.
    pub(crate) fn trailing(&self) -> Option<u32> {
        self.trailing
    }

    pub(super) fn text(&self, span: Span) -> &str {
        &self.text[span.range()]
    }

    pub(super) fn elements(&self, span: Span) -> &[NodeId] {
        &self.elements[span.range()]
    }

    pub(super) fn fields(&self, span: Span) -> &[Field] {
        &self.fields[span.range()]
    }
}

impl<'d> Value<'d> {
    /// Line in the file, from 1.
    pub(crate) fn line(self) -> u32 {
        self.node().line
    }

    /// Column in characters, from 1.
    pub(crate) fn column(self) -> u32 {
        self.node().column
    }

    pub(crate) fn shape(self) -> Shape<'d> {
        match self.node().kind {
            Kind::Scalar { text, value, .. } => match value {
                Scalar::Null => Shape::Null,
                Scalar::Bool(value) => Shape::Bool(value),
                Scalar::Int(value) => Shape::Int(value),
                Scalar::Uint(value) => Shape::Uint(value),
                Scalar::Float(value) => Shape::Float(value),
                Scalar::Text => Shape::Text(self.document.text(text)),
            },
            Kind::Sequence(_) => Shape::Sequence,
            Kind::Mapping(_) => Shape::Mapping,
            Kind::Open => Shape::Null,
        }
    }

    pub(crate) fn is_null(self) -> bool {
        matches!(self.shape(), Shape::Null)
    }

    /// A scalar as it is written, without quotes; empty for collections.
    pub(crate) fn written(self) -> &'d str {
        match self.node().kind {
            Kind::Scalar { text, .. } => self.document.text(text),
            Kind::Sequence(_) | Kind::Mapping(_) | Kind::Open => "",
        }
    }

    /// The elements of a sequence; nothing for other nodes.
    pub(crate) fn elements(self) -> impl ExactSizeIterator<Item = Value<'d>> {
        let ids = match self.node().kind {
            Kind::Sequence(span) => self.document.elements(span),
            Kind::Scalar { .. } | Kind::Mapping(_) | Kind::Open => &[],
        };
        ids.iter().map(move |&id| Value { document: self.document, id })
    }

    /// The entries of a mapping as (key, node of the key, value); nothing for other nodes.
    pub(crate) fn fields(self) -> impl ExactSizeIterator<Item = (&'d str, Value<'d>, Value<'d>)> {
        let fields = match self.node().kind {
            Kind::Mapping(span) => self.document.fields(span),
            Kind::Scalar { .. } | Kind::Sequence(_) | Kind::Open => &[],
        };
        let at = move |id| Value { document: self.document, id };
        fields.iter().map(move |field| (self.document.text(field.name), at(field.key), at(field.value)))
    }

    /// The value under `name` in a mapping.
    pub(crate) fn field(self, name: &str) -> Option<Value<'d>> {
        self.fields().find(|(key, ..)| *key == name).map(|(.., value)| value)
    }

    fn node(self) -> &'d Node {
        &self.document.nodes[self.id.0 as usize]
    }
}

impl std::fmt::Debug for Value<'_> {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{}:{} {:?}", self.line(), self.column(), self.shape())
    }
}
