//! The header of an rpm package, as the database keeps it: an index of tags, then their values.
//!
//! Source: the rpm file format, "Header"; the database leaves out the magic before it.

/// The tags that are asked for.
pub mod tag {
    #![allow(missing_docs)]
    pub const NAME: u32 = 1000;
    pub const VERSION: u32 = 1001;
    pub const RELEASE: u32 = 1002;
    pub const EPOCH: u32 = 1003;
    pub const LICENCE: u32 = 1014;
    pub const ARCHITECTURE: u32 = 1022;
    pub const SOURCE_RPM: u32 = 1044;
    pub const FOLDER_INDEXES: u32 = 1116;
    pub const BASE_NAMES: u32 = 1117;
    pub const FOLDER_NAMES: u32 = 1118;
    pub const MODULE: u32 = 5096;
}

const INT32: u32 = 4;
const STRING: u32 = 6;
const STRING_ARRAY: u32 = 8;
const TRANSLATED: u32 = 9;

/// Bytes of an entry of the index: tag, type, offset, count.
const ENTRY: usize = 16;

/// Files of one package: kernel sources have some 100,000.
const MOST_FILES: usize = 1_000_000;

/// A header: slices of its bytes.
pub struct Header<'a> {
    index: &'a [u8],
    data: &'a [u8],
}

impl<'a> Header<'a> {
    /// `None` when index and data are not within `bytes`.
    pub fn parse(bytes: &'a [u8]) -> Option<Self> {
        let entries = usize::try_from(word(bytes, 0)?).ok()?;
        let length = usize::try_from(word(bytes, 4)?).ok()?;
        let (index, data) = bytes.get(8..)?.split_at_checked(entries.checked_mul(ENTRY)?)?;
        Some(Self { index, data: data.get(..length)? })
    }

    /// The type, count and values of a tag.
    fn find(&self, tag: u32) -> Option<(u32, usize, &'a [u8])> {
        let entry = self.index.chunks_exact(ENTRY).find(|entry| word(entry, 0) == Some(tag))?;
        let offset = usize::try_from(word(entry, 8)?).ok()?;
        let count = usize::try_from(word(entry, 12)?).ok()?;
        Some((word(entry, 4)?, count, self.data.get(offset..)?))
    }

    /// A text, or the first one of several.
    pub fn text(&self, tag: u32) -> Option<&'a str> {
        match self.find(tag)? {
            (STRING | STRING_ARRAY | TRANSLATED, 1.., values) => texts(values).next(),
            _ => None,
        }
    }

    /// A number.
    pub fn number(&self, tag: u32) -> Option<u32> {
        match self.find(tag)? {
            (INT32, 1.., values) => word(values, 0),
            _ => None,
        }
    }

    /// Calls `visit` with the path of each file.
    pub fn each_file(&self, mut visit: impl FnMut(&str)) {
        let Some((STRING_ARRAY, count, names)) = self.find(tag::BASE_NAMES) else { return };
        let Some((STRING_ARRAY, folder_count, folders)) = self.find(tag::FOLDER_NAMES) else { return };
        let Some((INT32, _, indexes)) = self.find(tag::FOLDER_INDEXES) else { return };
        let folders: Vec<&str> = texts(folders).take(folder_count.min(MOST_FILES)).collect();
        let mut path = String::new();
        for (file, name) in texts(names).take(count.min(MOST_FILES)).enumerate() {
            let folder = word(indexes, file * 4).and_then(|index| folders.get(index as usize));
            let Some(folder) = folder else { return };
            path.clear();
            path.push_str(folder);
            path.push_str(name);
            visit(&path);
        }
    }
}

/// Texts, each with a zero behind it.
fn texts(bytes: &[u8]) -> impl Iterator<Item = &str> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let end = memchr::memchr(0, rest)?;
        let text = &rest[..end];
        rest = &rest[end + 1..];
        Some(std::str::from_utf8(text).unwrap_or(""))
    })
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes = bytes.get(at..at.checked_add(4)?)?;
    Some(u32::from_be_bytes(bytes.try_into().expect("four bytes were asked for")))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A header of (tag, type, count, values).
    fn header(entries: &[(u32, u32, u32, &[u8])]) -> Vec<u8> {
        let (mut index, mut data) = (Vec::new(), Vec::new());
        for (tag, kind, count, values) in entries {
            for number in [*tag, *kind, data.len() as u32, *count] {
                index.extend(number.to_be_bytes());
            }
            data.extend_from_slice(values);
        }
        let mut bytes = (entries.len() as u32).to_be_bytes().to_vec();
        bytes.extend((data.len() as u32).to_be_bytes());
        bytes.extend(index);
        bytes.extend(data);
        bytes
    }

    #[test]
    fn texts_numbers_and_files() {
        let bytes = header(&[
            (tag::NAME, STRING, 1, b"bash\0"),
            (tag::EPOCH, INT32, 1, &[0, 0, 0, 7]),
            (tag::BASE_NAMES, STRING_ARRAY, 2, b"sh\0etc\0"),
            (tag::FOLDER_NAMES, STRING_ARRAY, 2, b"/bin/\0/\0"),
            (tag::FOLDER_INDEXES, INT32, 2, &[0, 0, 0, 0, 0, 0, 0, 1]),
        ]);
        let header = Header::parse(&bytes).expect("a header");
        assert_eq!((header.text(tag::NAME), header.number(tag::EPOCH)), (Some("bash"), Some(7)));
        assert_eq!((header.text(tag::EPOCH), header.text(tag::VERSION)), (None, None));
        let mut files = Vec::new();
        header.each_file(|path| files.push(path.to_owned()));
        assert_eq!(files, ["/bin/sh", "/etc"]);
    }

    #[test]
    fn lengths_past_the_end_are_no_header() {
        assert!(Header::parse(&[0xff; 64]).is_none());
        assert!(Header::parse(&[0, 0, 0, 0, 0, 0, 0, 1]).is_none());
        assert!(Header::parse(&[]).is_none());
    }
}
