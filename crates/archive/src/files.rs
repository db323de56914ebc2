//! Every file of an image as it is in the end, with the digest of its bytes, and what differs between two of them.

use std::collections::BTreeMap;

use palisade_image::entry::{Whiteout, whiteout};
use palisade_image::{Entry, EntryKind, FileSet, Layer, LayerReader, Want};
use serde::Serialize;
use sha2::{Digest as _, Sha256};

/// Files of one image that are listed. The largest images have a million; each costs some 150 bytes of memory.
pub const MOST_FILES: usize = 1_000_000;

/// What is known of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
struct File {
    kind: Kind,
    mode: u32,
    owner: (u64, u64),
    size: u64,
    /// Of its bytes, or of what a link leads to. Half of a SHA-256 is enough to tell two apart.
    digest: [u8; 16],
}

/// What a path is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Kind {
    File,
    Folder,
    Link,
    Special,
}

/// Reads the layers of one image, the lowest first.
#[derive(Default)]
pub struct FileList {
    files: FileSet<File>,
    current: Option<(String, File, Sha256)>,
    is_second_pass: bool,
    is_cut: bool,
}

impl FileList {
    /// Whether there are more files than are listed.
    pub fn is_cut(&self) -> bool {
        self.is_cut
    }

    fn hold(&mut self, path: &str, file: File) {
        if self.files.count() < MOST_FILES {
            self.files.hold(path, file);
        } else {
            self.is_cut = true;
        }
    }
}

impl LayerReader for FileList {
    fn begin_layer(&mut self, layer: &Layer) {
        self.is_second_pass = false;
        self.files.begin_layer(layer.reference.index);
    }

    fn again(&mut self) -> bool {
        // Whoever wants the layer once more, all of it was seen here.
        self.is_second_pass = true;
        false
    }

    fn end_layer(&mut self, _stored_bytes: u64, _bytes: u64) {}

    fn entry(&mut self, entry: &Entry<'_>) -> Want {
        self.current = None;
        if self.is_second_pass {
            return Want::Nothing;
        }
        match whiteout(entry.path) {
            Some(Whiteout::Path(path)) => self.files.remove(&path),
            Some(Whiteout::Below(path)) => self.files.hide_below(&path),
            Some(Whiteout::Other) => {}
            None => return self.content(entry),
        }
        Want::Nothing
    }

    fn bytes(&mut self, bytes: &[u8]) -> Want {
        match &mut self.current {
            Some((_, _, hash)) => {
                hash.update(bytes);
                Want::Bytes
            }
            None => Want::Nothing,
        }
    }

    fn end(&mut self, _whole: bool) {
        if let Some((path, mut file, hash)) = self.current.take() {
            file.digest = half(hash);
            self.hold(&path, file);
        }
    }
}

impl FileList {
    /// An entry that is no whiteout.
    fn content(&mut self, entry: &Entry<'_>) -> Want {
        let file =
            |kind, digest| File { kind, mode: entry.mode, owner: (entry.user, entry.group), size: entry.size, digest };
        match entry.kind {
            EntryKind::Folder => {
                self.files.folder(entry.path);
                self.hold(entry.path, file(Kind::Folder, [0; 16]));
                return Want::Nothing;
            }
            EntryKind::HardLink(target) if target == entry.path => return Want::Nothing,
            _ => self.files.replace(entry.path),
        }
        match entry.kind {
            EntryKind::File => {
                self.current = Some((entry.path.to_owned(), file(Kind::File, [0; 16]), Sha256::new()));
                return Want::Bytes;
            }
            EntryKind::HardLink(target) => {
                if self.files.count() < MOST_FILES && !self.files.link(entry.path, target) {
                    self.hold(entry.path, file(Kind::Special, half(Sha256::new_with_prefix(target))));
                }
            }
            EntryKind::Symlink(target) => {
                self.hold(entry.path, file(Kind::Link, half(Sha256::new_with_prefix(target))));
            }
            EntryKind::Special | EntryKind::Folder => self.hold(entry.path, file(Kind::Special, [0; 16])),
        }
        Want::Nothing
    }
}

fn half(hash: Sha256) -> [u8; 16] {
    let mut half = [0; 16];
    half.copy_from_slice(&hash.finalize()[..16]);
    half
}

/// A path that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FileChange {
    /// Where, from the root: `/etc/passwd`.
    pub path: String,
    /// How.
    pub change: Change,
    /// Bytes in the old image.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub old_size: Option<u64>,
    /// Bytes in the new one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub new_size: Option<u64>,
}

/// How a path differs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Change {
    /// It is in the new image alone.
    Added,
    /// It is in the old image alone.
    Removed,
    /// Its bytes, or where it leads, or what it is.
    Content,
    /// Its permissions or owner alone: `0644 0:0 to 4755 0:0`.
    Mode(String),
}

/// What differs between the files of two images, by path.
pub fn compare(old: FileList, new: FileList) -> Vec<FileChange> {
    let old: BTreeMap<Box<str>, File> = old.files.into_files().into_iter().map(|(path, it)| (path, it.fact)).collect();
    let mut changes = Vec::new();
    let mut add = |path: &str, change, old: Option<&File>, new: Option<&File>| {
        let size = |file: Option<&File>| file.filter(|file| file.kind == Kind::File).map(|file| file.size);
        changes.push(FileChange { path: format!("/{path}"), change, old_size: size(old), new_size: size(new) });
    };
    let new = new.files.into_files();
    for (path, was) in &old {
        match new.get(path).map(|it| &it.fact) {
            None => add(path, Change::Removed, Some(was), None),
            Some(now) if (was.kind, was.size, was.digest) != (now.kind, now.size, now.digest) => {
                add(path, Change::Content, Some(was), Some(now));
            }
            Some(now) if (was.mode, was.owner) != (now.mode, now.owner) => {
                let told = |it: &File| format!("{:04o} {}:{}", it.mode, it.owner.0, it.owner.1);
                add(path, Change::Mode(format!("{} to {}", told(was), told(now))), Some(was), Some(now));
            }
            Some(_) => {}
        }
    }
    for (path, now) in new.iter().filter(|(path, _)| !old.contains_key(*path)) {
        add(path, Change::Added, None, Some(&now.fact));
    }
    changes.sort_by(|a, b| a.path.cmp(&b.path));
    changes
}

/// Two who read the same layers.
pub struct Both<A, B> {
    /// The first.
    pub first: A,
    /// The other.
    pub second: B,
    wants: (Want, Want),
}

impl<A, B> Both<A, B> {
    /// Both of them, from the lowest layer on.
    pub fn new(first: A, second: B) -> Self {
        Self { first, second, wants: (Want::Nothing, Want::Nothing) }
    }

    fn wants(&self) -> Want {
        if self.wants == (Want::Nothing, Want::Nothing) { Want::Nothing } else { Want::Bytes }
    }
}

impl<A: LayerReader, B: LayerReader> LayerReader for Both<A, B> {
    fn begin_layer(&mut self, layer: &Layer) {
        self.first.begin_layer(layer);
        self.second.begin_layer(layer);
    }

    fn again(&mut self) -> bool {
        // Both are asked: each has to know that the layer has ended.
        let (first, second) = (self.first.again(), self.second.again());
        first || second
    }

    fn end_layer(&mut self, stored_bytes: u64, bytes: u64) {
        self.first.end_layer(stored_bytes, bytes);
        self.second.end_layer(stored_bytes, bytes);
    }

    fn entry(&mut self, entry: &Entry<'_>) -> Want {
        self.wants = (self.first.entry(entry), self.second.entry(entry));
        self.wants()
    }

    fn bytes(&mut self, bytes: &[u8]) -> Want {
        if self.wants.0 == Want::Bytes {
            self.wants.0 = self.first.bytes(bytes);
        }
        if self.wants.1 == Want::Bytes {
            self.wants.1 = self.second.bytes(bytes);
        }
        self.wants()
    }

    fn end(&mut self, whole: bool) {
        if self.wants.0 == Want::Bytes {
            self.first.end(whole);
        }
        if self.wants.1 == Want::Bytes {
            self.second.end(whole);
        }
        self.wants = (Want::Nothing, Want::Nothing);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `PATH MODE BYTES` for a file, `PATH/` for a folder, a whiteout, `PATH -> TARGET`, `PATH == TARGET`; `|` between layers.
    fn list(layers: &str) -> FileList {
        let mut files = FileList::default();
        for (index, layer) in layers.split('|').enumerate() {
            files.files.begin_layer(index as u32);
            for line in layer.split(',').map(str::trim).filter(|line| !line.is_empty()) {
                let (kind, path, mode, bytes) = match line.split_whitespace().collect::<Vec<_>>()[..] {
                    [path, "->", target] => (EntryKind::Symlink(target), path, 0o777, ""),
                    [path, "==", target] => (EntryKind::HardLink(target), path, 0, ""),
                    [path, mode, bytes] => (EntryKind::File, path, u32::from_str_radix(mode, 8).expect("octal"), bytes),
                    [path] if path.ends_with('/') => (EntryKind::Folder, path.trim_end_matches('/'), 0o755, ""),
                    [path] => (EntryKind::File, path, 0, ""),
                    _ => panic!("{line}"),
                };
                let size = bytes.len() as u64;
                if files.entry(&Entry { path, kind, size, mode, user: 0, group: 0 }) == Want::Bytes {
                    files.bytes(bytes.as_bytes());
                    files.end(true);
                }
            }
        }
        files
    }

    fn told(old: &str, new: &str) -> String {
        let changes = compare(list(old), list(new)).into_iter();
        changes.map(|it| format!("{} {:?}", it.path, it.change)).collect::<Vec<_>>().join("; ")
    }

    #[test]
    fn what_differs_is_told_by_what_is_there_in_the_end() {
        assert_eq!(told("a 644 x, d/", "a 644 x | d/, a 644 x"), "");
        assert_eq!(told("a 644 x", "a 644 y"), "/a Content");
        assert_eq!(told("a 644 x", "a 4755 x"), "/a Mode(\"0644 0:0 to 4755 0:0\")");
        assert_eq!(told("a 644 x, b 644 x", "b 644 x, a 644 x | .wh.a"), "/a Removed");
    }

    #[test]
    fn what_is_removed_hidden_or_linked_is_as_it_is_in_the_end() {
        assert_eq!(told("a 644 x", "a 644 x | .wh.a"), "/a Removed");
        assert_eq!(told("d/, d/a 644 x", "d/, d/a 644 x | d/.wh..wh..opq, d/b 644 y"), "/d/a Removed; /d/b Added");
        assert_eq!(told("a -> x", "a -> y"), "/a Content");
        assert_eq!(told("a 644 x, b 644 x", "a 644 x, b == a"), "");
        assert_eq!(told("a 644 x, b == a", "a 644 x, b == a | a 644 y"), "/a Content");
        assert_eq!(told("a/, a/b 644 x", "a 644 z"), "/a Content; /a/b Removed");
    }
}
