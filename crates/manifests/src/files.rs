//! Finds and reads files, within limits.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::yaml::MAX_FILE_BYTES;

/// Most manifest files of one folder; more is no set of manifests but a disk.
const MAX_FILES: usize = 100_000;

/// Deepest folder below a given one.
const MAX_FOLDER_DEPTH: usize = 64;

/// A file that was found below a folder, or why something there could not be looked at.
#[derive(Debug)]
pub(crate) enum Found {
    File(PathBuf),
    Unusable(PathBuf, String),
}

/// Why a file's content is not used.
#[derive(Debug)]
pub(crate) enum ReadError {
    TooLarge,
    Io(io::Error),
}

/// The manifest files below `folder`, in the order of their paths. Hidden ones are left out; links are followed,
/// but no folder is visited twice.
pub(crate) fn manifest_files(folder: &Path) -> Vec<Found> {
    let mut search = Search { found: Vec::new(), visited: BTreeSet::new(), is_full: false };
    search.visit(folder, 0);
    search.found
}

/// The content of the file at `path`, unless it is too large: then it is not read.
pub(crate) fn read_file(path: &Path) -> Result<Vec<u8>, ReadError> {
    let file = File::open(path).map_err(ReadError::Io)?;
    let len = file.metadata().map_err(ReadError::Io)?.len();
    if len > MAX_FILE_BYTES {
        return Err(ReadError::TooLarge);
    }
    read_all(file, len as usize)
}

/// Everything that `source` gives, up to the limit.
pub(crate) fn read_all(source: impl Read, expected: usize) -> Result<Vec<u8>, ReadError> {
    let mut bytes = Vec::with_capacity(expected);
    source.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes).map_err(ReadError::Io)?;
    if bytes.len() as u64 > MAX_FILE_BYTES { Err(ReadError::TooLarge) } else { Ok(bytes) }
}

/// The limit in words.
pub(crate) fn too_large() -> String {
    format!("larger than {} MiB, not read", MAX_FILE_BYTES >> 20)
}

struct Search {
    found: Vec<Found>,
    /// Device and inode of the folders on the way.
    visited: BTreeSet<(u64, u64)>,
    is_full: bool,
}

impl Search {
    fn visit(&mut self, folder: &Path, depth: usize) {
        if let Err(error) = self.visit_entries(folder, depth) {
            self.found.push(Found::Unusable(folder.to_owned(), error.to_string()));
        }
    }

    fn visit_entries(&mut self, folder: &Path, depth: usize) -> io::Result<()> {
        let metadata = fs::metadata(folder)?;
        if !self.visited.insert((metadata.dev(), metadata.ino())) {
            return Ok(());
        }
        if depth > MAX_FOLDER_DEPTH {
            return Err(io::Error::other(format!("deeper than {MAX_FOLDER_DEPTH} folders")));
        }
        let mut paths = Vec::new();
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            if !entry.file_name().as_encoded_bytes().starts_with(b".") {
                paths.push(entry.path());
            }
        }
        paths.sort();
        for path in paths {
            self.visit_path(path, depth);
        }
        Ok(())
    }

    fn visit_path(&mut self, path: PathBuf, depth: usize) {
        if self.is_full {
            return;
        }
        match fs::metadata(&path) {
            Ok(metadata) if metadata.is_dir() => self.visit(&path, depth + 1),
            // Sockets and pipes below a folder are no manifests, and reading one would wait for ever.
            Ok(metadata) if metadata.is_file() && is_manifest(&path) => self.push(path),
            Ok(_) => {}
            Err(_) if !is_manifest(&path) => {}
            Err(error) => self.found.push(Found::Unusable(path, error.to_string())),
        }
    }

    fn push(&mut self, path: PathBuf) {
        if self.found.len() >= MAX_FILES {
            self.is_full = true;
            self.found.push(Found::Unusable(path, format!("more than {MAX_FILES} files; the rest is not read")));
        } else {
            self.found.push(Found::File(path));
        }
    }
}

fn is_manifest(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml" || extension == "json")
}
