//! The entries of a layer as they stream by, and who reads them.

use crate::catalogue::Layer;

/// What an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EntryKind<'a> {
    /// A regular file.
    File,
    /// A folder.
    Folder,
    /// A symbolic link, with its target as written.
    Symlink(&'a str),
    /// Another name of a file of this layer or of one below, by its path as an entry has it.
    HardLink(&'a str),
    /// A device, socket or pipe.
    Special,
}

/// An entry of a layer, without its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry<'a> {
    /// Relative to the root, without `.` and `..`: `usr/bin/env`. Of a whiteout the name as stored: `etc/.wh.passwd`.
    pub path: &'a str,
    /// What it is.
    pub kind: EntryKind<'a>,
    /// Bytes of a file.
    pub size: u64,
    /// Permissions with setuid, setgid and sticky bits.
    pub mode: u32,
    /// The owner.
    pub user: u64,
    /// The owning group.
    pub group: u64,
}

/// Whether somebody wants the bytes of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Want {
    /// Go on to the next entry.
    Nothing,
    /// The bytes, in order, as many at a time as there are.
    Bytes,
}

/// Who reads layers, the lowest first: told of each entry, and given the bytes of those that it wants.
pub trait LayerReader {
    /// The next layer, above those before. What is known only once it was read is not in `layer` yet.
    fn begin_layer(&mut self, layer: &Layer);

    /// Whether the layer has to be read once more, from its beginning: asked at its end, before [`Self::end_layer`]. A
    /// hard link may have the name that matters, of a file that passed before under a name that says nothing.
    fn again(&mut self) -> bool {
        false
    }

    /// The layer's end: bytes as they are stored, and uncompressed.
    fn end_layer(&mut self, stored_bytes: u64, bytes: u64);

    /// The next entry. Only of a [`EntryKind::File`] there are bytes.
    fn entry(&mut self, entry: &Entry<'_>) -> Want;

    /// The next bytes of the entry that was wanted.
    fn bytes(&mut self, bytes: &[u8]) -> Want;

    /// The entry's bytes have ended. `whole` is false when the layer broke off, or there are more than anybody reads.
    fn end(&mut self, whole: bool);
}

/// Nobody wants anything.
impl<R: LayerReader> LayerReader for Option<R> {
    fn begin_layer(&mut self, layer: &Layer) {
        if let Some(reader) = self {
            reader.begin_layer(layer);
        }
    }

    fn again(&mut self) -> bool {
        self.as_mut().is_some_and(LayerReader::again)
    }

    fn end_layer(&mut self, stored_bytes: u64, bytes: u64) {
        if let Some(reader) = self {
            reader.end_layer(stored_bytes, bytes);
        }
    }

    fn entry(&mut self, entry: &Entry<'_>) -> Want {
        self.as_mut().map_or(Want::Nothing, |reader| reader.entry(entry))
    }

    fn bytes(&mut self, bytes: &[u8]) -> Want {
        self.as_mut().map_or(Want::Nothing, |reader| reader.bytes(bytes))
    }

    fn end(&mut self, whole: bool) {
        if let Some(reader) = self {
            reader.end(whole);
        }
    }
}

/// What is before the name of a removed entry.
const WHITEOUT: &str = ".wh.";

/// The name of an entry that hides all that lower layers have in its folder.
const OPAQUE: &str = ".wh..wh..opq";

/// What the name of an entry does to the layers below.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Whiteout {
    /// Removes what lies at the path and below it.
    Path(String),
    /// Removes what lies below the folder; the empty path is the root.
    Below(String),
    /// Another of AUFS's own files, which is nobody's content.
    Other,
}

/// Reads a path as a whiteout; `None` when it is an entry like any other.
///
/// Source: OCI image specification, "Whiteouts".
pub fn whiteout(path: &str) -> Option<Whiteout> {
    let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
    if name == OPAQUE {
        return Some(Whiteout::Below(folder.to_owned()));
    }
    let removed = name.strip_prefix(WHITEOUT)?;
    if removed.starts_with(WHITEOUT) || removed.is_empty() {
        return Some(Whiteout::Other);
    }
    Some(Whiteout::Path(if folder.is_empty() { removed.to_owned() } else { format!("{folder}/{removed}") }))
}

/// The longest path that is read; Linux takes no longer one.
pub const LONGEST_PATH: usize = 4096;

/// A path as entries have it: relative, without `.`, without doubled slashes. `None` for one that leads out of the root,
/// names nothing, or is longer than any system takes.
pub fn clean_path(raw: &str) -> Option<String> {
    if raw.len() > LONGEST_PATH || raw.contains('\0') {
        return None;
    }
    let mut path = String::with_capacity(raw.len());
    for part in raw.split('/').filter(|part| !part.is_empty() && *part != ".") {
        if part == ".." {
            return None;
        }
        if !path.is_empty() {
            path.push('/');
        }
        path.push_str(part);
    }
    Some(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_stay_below_the_root() {
        assert_eq!(clean_path("./usr//lib/./x/").as_deref(), Some("usr/lib/x"));
        assert_eq!(clean_path("/etc/passwd").as_deref(), Some("etc/passwd"));
        assert_eq!(clean_path("./").as_deref(), Some(""));
        assert_eq!((clean_path("a/../../etc"), clean_path("..")), (None, None));
        assert_eq!(clean_path(&"x/".repeat(LONGEST_PATH)), None);
    }

    #[test]
    fn whiteouts_are_names() {
        assert_eq!(whiteout("etc/.wh.passwd"), Some(Whiteout::Path("etc/passwd".into())));
        assert_eq!(whiteout(".wh.etc"), Some(Whiteout::Path("etc".into())));
        assert_eq!(whiteout("var/lib/.wh..wh..opq"), Some(Whiteout::Below("var/lib".into())));
        assert_eq!(whiteout(".wh..wh..opq"), Some(Whiteout::Below(String::new())));
        assert_eq!(whiteout(".wh..wh.plnk"), Some(Whiteout::Other));
        assert_eq!(whiteout("etc/x.wh.y"), None);
    }
}
