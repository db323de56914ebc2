//! A root folder, or a folder of sources, as one layer.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::Path;

use palisade_image::entry::clean_path;
use palisade_image::{Entry, EntryKind, Layer, LayerReader, LayerRef, Want};
use palisade_model::Problem;

/// Bytes read at a time.
const BUFFER: usize = 64 << 10;

/// Folders in folders, so deep and no deeper.
const DEEPEST: usize = 256;

/// Entries of one folder and all below; the largest systems have some millions.
const MOST_ENTRIES: u64 = 10_000_000;

/// Reads a folder and all below it on the same file system. Links are not followed.
///
/// # Errors
/// When the folder itself cannot be read; what cannot be read below is a problem.
pub fn read_folder(root: &Path, reader: &mut impl LayerReader) -> io::Result<Vec<Problem>> {
    let layer = Layer {
        reference: LayerRef { index: 0, diff_id: "".into(), digest: "".into() },
        media_type: String::new(),
        stored_bytes: 0,
        bytes: 0,
        entries: 0,
        whiteouts: 0,
        created_by: None,
    };
    reader.begin_layer(&layer);
    let device = fs::metadata(root)?.dev();
    let mut walk = Walk { root, reader, device, problems: Vec::new(), entries: 0, bytes: 0, buffer: vec![0; BUFFER] };
    walk.folder("", 0)?;
    let (problems, bytes) = (walk.problems, walk.bytes);
    reader.end_layer(bytes, bytes);
    Ok(problems)
}

struct Walk<'a, R> {
    root: &'a Path,
    reader: &'a mut R,
    device: u64,
    problems: Vec<Problem>,
    entries: u64,
    bytes: u64,
    buffer: Vec<u8>,
}

impl<R: LayerReader> Walk<'_, R> {
    fn folder(&mut self, path: &str, depth: usize) -> io::Result<()> {
        let mut names: Vec<_> =
            fs::read_dir(self.root.join(path))?.filter_map(Result::ok).map(|it| it.file_name()).collect();
        names.sort();
        for name in names {
            let name = name.to_string_lossy();
            let path = if path.is_empty() { name.into_owned() } else { format!("{path}/{name}") };
            self.entries += 1;
            if self.entries > MOST_ENTRIES || depth > DEEPEST {
                self.problem(&path, "there are too many files, or they lie too deep");
                return Ok(());
            }
            if let Err(error) = self.entry(&path, depth) {
                self.problem(&path, &error.to_string());
            }
        }
        Ok(())
    }

    fn entry(&mut self, path: &str, depth: usize) -> io::Result<()> {
        let whole = self.root.join(path);
        let found = fs::symlink_metadata(&whole)?;
        let kind = found.file_type();
        let target;
        let kind = if kind.is_dir() {
            EntryKind::Folder
        } else if kind.is_symlink() {
            target = fs::read_link(&whole)?.to_string_lossy().into_owned();
            EntryKind::Symlink(&target)
        } else if kind.is_file() {
            EntryKind::File
        } else {
            debug_assert!(kind.is_fifo() || kind.is_socket() || kind.is_char_device() || kind.is_block_device());
            EntryKind::Special
        };
        // A name of a whiteout is only a name here; nothing lies below that it could remove.
        if clean_path(path).is_none() {
            return Err(io::Error::other("its path is longer than is read"));
        }
        let size = if kind == EntryKind::File { found.len() } else { 0 };
        let (user, group) = (u64::from(found.uid()), u64::from(found.gid()));
        let want = self.reader.entry(&Entry { path, kind, size, mode: found.mode() & 0o7777, user, group });
        match kind {
            // What is mounted below is not of this folder: `/proc` has files without end.
            EntryKind::Folder if found.dev() == self.device && !path.ends_with(".git") => self.folder(path, depth + 1),
            EntryKind::File => {
                self.bytes += size;
                if want == Want::Bytes { self.file(&whole, size) } else { Ok(()) }
            }
            EntryKind::Folder | EntryKind::Symlink(_) | EntryKind::HardLink(_) | EntryKind::Special => Ok(()),
        }
    }

    fn file(&mut self, path: &Path, size: u64) -> io::Result<()> {
        // No more than it had when it was looked at: a file that grows has no end.
        let mut file = match File::open(path) {
            Ok(file) => file.take(size),
            Err(error) => {
                self.reader.end(false);
                return Err(error);
            }
        };
        loop {
            match file.read(&mut self.buffer) {
                Ok(0) => {
                    self.reader.end(true);
                    return Ok(());
                }
                Ok(length) if self.reader.bytes(&self.buffer[..length]) == Want::Nothing => return Ok(()),
                Ok(_) => {}
                Err(error) => {
                    self.reader.end(false);
                    return Err(error);
                }
            }
        }
    }

    fn problem(&mut self, path: &str, why: &str) {
        const MOST_PROBLEMS: usize = 100;
        if self.problems.len() < MOST_PROBLEMS {
            self.problems.push(Problem::error("image-file-unreadable", format!("`/{path}`: {why}")));
        }
    }
}
