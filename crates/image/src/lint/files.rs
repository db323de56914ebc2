//! The files of the final file system that the rules speak of.

use crate::catalogue::Layer;
use crate::entry::{Entry, EntryKind, Whiteout, whiteout};
use crate::file_set::{FileSet, Held};

use super::kinds::kind_of;

/// What is known of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Known {
    pub size: u64,
    pub mode: u32,
    pub is_folder: bool,
}

/// Files that are held; past this the rest is left out and told.
const MOST_FILES: usize = 1_000_000;

const SETUID: u32 = 0o4000;
const SETGID: u32 = 0o2000;
const STICKY: u32 = 0o1000;
const WRITABLE_BY_ALL: u32 = 0o0002;

impl Known {
    pub fn has_another_users_rights(&self) -> bool {
        !self.is_folder && self.mode & (SETUID | SETGID) != 0
    }

    /// A sticky folder lets everybody write, but not each other's files: `/tmp`.
    pub fn is_writable_by_all(&self) -> bool {
        self.mode & WRITABLE_BY_ALL != 0 && !(self.is_folder && self.mode & STICKY != 0)
    }
}

/// Takes the entries of the layers.
#[derive(Debug, Default)]
pub struct Files {
    files: FileSet<Known>,
    pub left_out: u64,
}

impl Files {
    pub fn begin_layer(&mut self, layer: &Layer) {
        self.files.begin_layer(layer.reference.index);
    }

    pub fn entry(&mut self, entry: &Entry<'_>) {
        let path = entry.path;
        match whiteout(path) {
            Some(Whiteout::Path(path)) => return self.files.remove(&path),
            Some(Whiteout::Below(path)) => return self.files.hide_below(&path),
            Some(Whiteout::Other) => return,
            None => {}
        }
        let is_folder = entry.kind == EntryKind::Folder;
        match is_folder {
            true => self.files.folder(path),
            false => self.files.replace(path),
        }
        // The rights of a link say nothing, and a device is nobody's file.
        let mode = match entry.kind {
            EntryKind::File | EntryKind::HardLink(_) | EntryKind::Folder => entry.mode,
            EntryKind::Symlink(_) | EntryKind::Special => 0,
        };
        let known = Known { size: entry.size, mode, is_folder };
        let is_tool = !is_folder && kind_of(path).is_some();
        if !(is_tool || known.has_another_users_rights() || known.is_writable_by_all()) {
            return;
        }
        match self.files.count() < MOST_FILES {
            true => self.files.hold(path, known),
            false => self.left_out += 1,
        }
    }

    pub fn into_files(self) -> impl Iterator<Item = (Box<str>, Held<Known>)> {
        self.files.into_files().into_iter()
    }
}
