//! Contents of manifests between two loads.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::files::{ReadError, read_file};

/// The contents of the user's manifests as they were last read whole.
///
/// A program that writes a file shows it empty, and then half, until it closes it. Whoever loads again and again tells
/// here which files were closed or replaced; the others stand as they were read.
#[derive(Debug)]
pub struct Kept {
    contents: BTreeMap<PathBuf, Content>,
    /// Files that are being written: they stand as they were read whole, or are not there yet.
    unfinished: BTreeSet<PathBuf>,
    used: BTreeSet<PathBuf>,
    is_being_written: fn(&Path) -> bool,
    /// The next load takes files as they are.
    takes_halves: bool,
}

#[derive(Debug)]
struct Content {
    bytes: Arc<[u8]>,
    /// The file may have changed since.
    is_stale: bool,
}

impl Default for Kept {
    /// For somebody who cannot tell whether a file is being written.
    fn default() -> Self {
        Self::new(|_| false)
    }
}

impl Kept {
    /// Nothing is kept yet. `is_being_written` tells of a file whether somebody has it open for writing.
    pub fn new(is_being_written: fn(&Path) -> bool) -> Self {
        Self {
            contents: BTreeMap::new(),
            unfinished: BTreeSet::new(),
            used: BTreeSet::new(),
            is_being_written,
            takes_halves: false,
        }
    }

    /// The file, or every file of the folder, is read anew by the next load that finds it closed.
    pub fn forget(&mut self, path: &Path) {
        let changed = self.contents.iter_mut().filter(|(file, _)| file.starts_with(path));
        changed.for_each(|(_, content)| content.is_stale = true);
        self.unfinished.retain(|file| !file.starts_with(path));
    }

    /// Every file is read anew by the next load that finds it closed.
    pub fn forget_all(&mut self) {
        self.forget(Path::new(""));
    }

    /// The next load reads every file anew, also those that are being written: nobody waits for ever.
    pub fn take_halves(&mut self) {
        self.forget_all();
        self.takes_halves = true;
    }

    /// The file was made and is still written to: it is not there until [`Kept::forget`] tells that it was closed.
    pub fn is_unfinished(&mut self, path: PathBuf) {
        self.unfinished.insert(path);
    }

    /// The files that the last load did not read, because they are being written.
    pub fn unfinished(&self) -> impl Iterator<Item = &Path> {
        self.unfinished.iter().map(PathBuf::as_path)
    }

    /// Keeps what nobody would tell of when it changes for no longer than one load.
    pub fn retain(&mut self, is_watched: impl Fn(&Path) -> bool) {
        let unwatched = self.contents.iter_mut().filter(|(file, _)| !is_watched(file));
        unwatched.for_each(|(_, content)| content.is_stale = true);
    }

    /// The content of a file; `None` for one that is not there yet.
    pub(crate) fn read(&mut self, path: &Path) -> Result<Option<Arc<[u8]>>, ReadError> {
        self.used.insert(path.to_owned());
        if let Some(Content { bytes, is_stale: false }) = self.contents.get(path) {
            return Ok(Some(bytes.clone()));
        }
        if self.unfinished.contains(path) || (!self.takes_halves && (self.is_being_written)(path)) {
            self.unfinished.insert(path.to_owned());
            return Ok(self.contents.get(path).map(|content| content.bytes.clone()));
        }
        let bytes: Arc<[u8]> = read_file(path)?.into();
        self.contents.insert(path.to_owned(), Content { bytes: bytes.clone(), is_stale: false });
        Ok(Some(bytes))
    }

    /// The end of a load: what it did not look at is gone.
    pub(crate) fn finish_load(&mut self) {
        let used = std::mem::take(&mut self.used);
        self.contents.retain(|path, _| used.contains(path));
        self.unfinished.retain(|path| used.contains(path));
        self.takes_halves = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_somebody_keeps_open_stands_as_it_was_until_nobody_waits_any_longer() {
        let path = std::env::temp_dir().join(format!("palisade-kept-{}.yaml", std::process::id()));
        let write = |text: &str| std::fs::write(&path, text).expect("written");
        let read = |kept: &mut Kept| kept.read(&path).expect("read").map(|bytes| bytes.to_vec());
        write("old");
        let mut kept = Kept::default();
        assert_eq!(read(&mut kept).as_deref(), Some(&b"old"[..]));
        kept.finish_load();
        // Written and closed by one, and held open by another.
        kept.is_being_written = |_| true;
        write("new");
        kept.forget(&path);
        assert_eq!(read(&mut kept).as_deref(), Some(&b"old"[..]));
        kept.finish_load();
        assert_eq!(kept.unfinished().collect::<Vec<_>>(), [path.as_path()], "whoever loads is told to come again");
        kept.take_halves();
        assert_eq!(read(&mut kept).as_deref(), Some(&b"new"[..]));
        kept.finish_load();
        assert_eq!(kept.unfinished().next(), None);
        std::fs::remove_file(&path).expect("removed");
    }
}
