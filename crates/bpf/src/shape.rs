//! How a struct of the kernel programs is laid out, by the type information that the kernel keeps with them: so that what an
//! earlier build kept can be read by a later one, field by field.

use std::collections::BTreeMap;
use std::os::fd::{AsRawFd, OwnedFd};

use libbpf_rs::btf::types::{Enum, MemberAttr, Struct};
use libbpf_rs::btf::{Btf, HasSize};

use crate::error::{Error, Result};

/// Structs within structs; ours have one level.
const DEPTH_MAX: usize = 4;

/// The fields of a struct, those of inner structs by `outer.inner`. Padding is explicit, so that a field ends where the next
/// one begins.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Shape {
    size: usize,
    /// Offset and size by name.
    fields: BTreeMap<String, (usize, usize)>,
}

/// The types of one build's programs.
pub(crate) struct Types(Btf<'static>);

impl Types {
    /// Of a program that is in the kernel.
    pub(crate) fn of_program(program: &OwnedFd) -> Result<Self> {
        let mut info = libbpf_sys::bpf_prog_info::default();
        let mut length = size_of::<libbpf_sys::bpf_prog_info>() as u32;
        // SAFETY: an open descriptor, and a struct of the length that is told.
        let result = unsafe { libbpf_sys::bpf_prog_get_info_by_fd(program.as_raw_fd(), &mut info, &mut length) };
        if result != 0 {
            return Err(Error::path("look at", "a pinned program", std::io::Error::from_raw_os_error(-result)));
        }
        let types = Btf::from_prog_id(info.id);
        Ok(Self(types.map_err(|error| Error::kernel("read the types of", "a pinned program", error))?))
    }

    /// The shape of a struct, when this build has one of that name.
    pub(crate) fn shape(&self, name: &str) -> Option<Shape> {
        let found = self.0.type_by_name::<Struct<'_>>(name)?;
        let mut shape = Shape { size: found.size(), fields: BTreeMap::new() };
        self.add_fields(&mut shape, "", &found, 0, found.size(), DEPTH_MAX);
        Some(shape)
    }

    fn add_fields(&self, shape: &mut Shape, before: &str, of: &Struct<'_>, start: usize, end: usize, depth: usize) {
        let offset = |attributes: &MemberAttr| match attributes {
            MemberAttr::Normal { offset } | MemberAttr::BitField { offset, .. } => start + *offset as usize / 8,
        };
        let members: Vec<_> = of.iter().collect();
        for (index, member) in members.iter().enumerate() {
            let name = format!("{before}{}", member.name.unwrap_or_default().to_string_lossy());
            let begin = offset(&member.attr);
            let next = members.get(index + 1).map_or(end, |next| offset(&next.attr));
            match self.0.type_by_id::<Struct<'_>>(member.ty).filter(|_| depth > 0) {
                Some(inner) => self.add_fields(shape, &format!("{name}."), &inner, begin, next, depth - 1),
                None => {
                    shape.fields.insert(name, (begin, next - begin));
                }
            }
        }
    }

    /// The names of an enum's numbers.
    pub(crate) fn numbers(&self, name: &str) -> BTreeMap<String, i64> {
        let found = self.0.type_by_name::<Enum<'_>>(name);
        let named = |member: libbpf_rs::btf::types::EnumMember<'_>| {
            Some((member.name?.to_string_lossy().into_owned(), member.value))
        };
        found.iter().flat_map(|found| found.iter().filter_map(named).collect::<Vec<_>>()).collect()
    }
}

impl Shape {
    /// A number of that size.
    pub(crate) fn number(size: usize) -> Self {
        Self { size, fields: [(String::new(), (0, size))].into() }
    }

    /// `value`, which has the shape `from`, in this shape: fields of the same name and size, the others 0. `None` when it has
    /// not that shape, or when with `all` a field has no counterpart.
    pub(crate) fn convert(&self, from: &Self, value: &[u8], all: bool) -> Option<Vec<u8>> {
        if value.len() < from.size {
            return None;
        }
        let mut converted = vec![0; self.size];
        for (name, (offset, size)) in &self.fields {
            match from.fields.get(name) {
                Some((other, length)) if length == size => {
                    converted[*offset..offset + size].copy_from_slice(&value[*other..other + size]);
                }
                _ if all => return None,
                _ => {}
            }
        }
        Some(converted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(size: usize, fields: &[(&str, usize, usize)]) -> Shape {
        let fields = fields.iter().map(|(name, offset, size)| ((*name).to_string(), (*offset, *size)));
        Shape { size, fields: fields.collect() }
    }

    #[test]
    fn a_value_of_another_build_keeps_what_both_know() {
        let old = shape(8, &[("a", 0, 4), ("gone", 4, 2), ("b", 6, 2)]);
        let new = shape(12, &[("b", 0, 2), ("fresh", 2, 2), ("a", 4, 4), ("gone", 8, 4)]);
        let value = [1, 2, 3, 4, 5, 6, 7, 8];
        assert_eq!(new.convert(&old, &value, false), Some(vec![7, 8, 0, 0, 1, 2, 3, 4, 0, 0, 0, 0]));
        assert_eq!(new.convert(&old, &value, true), None, "a key must be known whole");
        assert_eq!(old.convert(&old, &value, true), Some(value.to_vec()));
        assert_eq!(old.convert(&old, &value[..7], true), None);
    }
}
