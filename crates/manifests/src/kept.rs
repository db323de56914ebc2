//! Contents of manifests between two loads.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::files::{ReadError, read_file};

/// The contents of the user's manifests as they were last read whole.
///
/// A program that writes a file shows it empty, and then half, until it closes it. Whoever loads again and again tells
/// here which files were closed or replaced; the others stand as they were read.
#[derive(Debug, Default)]
pub struct Kept {
    contents: BTreeMap<PathBuf, Arc<[u8]>>,
    /// Files that are being written for the first time.
    unfinished: BTreeSet<PathBuf>,
    used: BTreeSet<PathBuf>,
}

impl Kept {
    /// The file, or every file of the folder, is read anew by the next load.
    pub fn forget(&mut self, path: &Path) {
        self.contents.retain(|file, _| !file.starts_with(path));
        self.unfinished.retain(|file| !file.starts_with(path));
    }

    /// Everything is read anew by the next load.
    pub fn forget_all(&mut self) {
        *self = Self::default();
    }

    /// The file was made and is still written to: it is not there until [`Kept::forget`] tells that it was closed.
    pub fn is_unfinished(&mut self, path: PathBuf) {
        self.unfinished.insert(path);
    }

    /// Keeps what nobody would tell of when it changes for no longer than one load.
    pub fn retain(&mut self, is_watched: impl Fn(&Path) -> bool) {
        self.contents.retain(|file, _| is_watched(file));
    }

    /// The content of a file; `None` for one that is not there yet.
    pub(crate) fn read(&mut self, path: &Path) -> Result<Option<Arc<[u8]>>, ReadError> {
        self.used.insert(path.to_owned());
        if let Some(content) = self.contents.get(path) {
            return Ok(Some(content.clone()));
        }
        if self.unfinished.contains(path) {
            return Ok(None);
        }
        let content: Arc<[u8]> = read_file(path)?.into();
        self.contents.insert(path.to_owned(), content.clone());
        Ok(Some(content))
    }

    /// The end of a load: what it did not look at is gone.
    pub(crate) fn finish_load(&mut self) {
        let used = std::mem::take(&mut self.used);
        self.contents.retain(|path, _| used.contains(path));
        self.unfinished.retain(|path| used.contains(path));
    }
}
