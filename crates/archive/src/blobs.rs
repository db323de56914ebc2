//! Where blobs come from: a folder, an archive, a registry.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use crate::digest::is_sha256;
use crate::gzip::Unpacked;

/// Bytes by digest. Whoever reads them checks that they are what the digest says.
pub trait Blobs {
    /// Opens a manifest or an index.
    ///
    /// # Errors
    /// When there is none, or it cannot be opened.
    fn manifest(&self, digest: &str) -> io::Result<Box<dyn Read + '_>>;

    /// Opens a config or a layer, which has `size` bytes as its manifest says.
    ///
    /// # Errors
    /// When there is none, or it cannot be opened.
    fn blob(&self, digest: &str, size: u64) -> io::Result<Box<dyn Read + '_>>;
}

/// The blobs of an OCI layout in a folder.
#[derive(Debug, Clone)]
pub struct FolderBlobs {
    /// The folder that `index.json` lies in.
    pub folder: PathBuf,
}

impl Blobs for FolderBlobs {
    fn manifest(&self, digest: &str) -> io::Result<Box<dyn Read + '_>> {
        self.blob(digest, 0)
    }

    fn blob(&self, digest: &str, _size: u64) -> io::Result<Box<dyn Read + '_>> {
        let hex = hex_of(digest)?;
        let path = self.folder.join("blobs/sha256").join(hex);
        // A pipe or a device in the place of a blob would never end; a pipe waits where it is opened.
        match std::fs::metadata(&path)?.is_file() {
            true => Ok(Box::new(File::open(path)?)),
            false => Err(io::Error::other("not a regular file")),
        }
    }
}

/// The files of an archive, which may be a gzip file: where each one lies in it.
pub struct ArchiveFiles {
    path: PathBuf,
    files: BTreeMap<String, (u64, u64)>,
    /// Where a gzip file was left: what lies further on is had without beginning again.
    unpacked: Option<RefCell<Option<Unpacked>>>,
}

impl std::fmt::Debug for ArchiveFiles {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ArchiveFiles").field("path", &self.path).field("files", &self.files).finish_non_exhaustive()
    }
}

/// Files of an archive of images: a layer each, and a handful beside them.
const MOST_FILES: usize = 100_000;

/// Links from one layer of an old archive to another are followed so often.
const MOST_LINKS: usize = 8;

impl ArchiveFiles {
    /// Goes through the headers of the archive once.
    ///
    /// # Errors
    /// When it cannot be read, or is no tar.
    pub fn open(path: &Path) -> io::Result<Self> {
        let (mut files, mut links) = (BTreeMap::new(), BTreeMap::new());
        let mut visit = |entry: &palisade_image::Entry<'_>, offset| {
            match entry.kind {
                palisade_image::EntryKind::File => drop(files.insert(entry.path.to_owned(), (offset, entry.size))),
                palisade_image::EntryKind::Symlink(target) => {
                    drop(links.insert(entry.path.to_owned(), beside(entry.path, target)));
                }
                palisade_image::EntryKind::HardLink(target) => {
                    drop(links.insert(entry.path.to_owned(), target.to_owned()));
                }
                palisade_image::EntryKind::Folder | palisade_image::EntryKind::Special => {}
            }
            files.len() < MOST_FILES
        };
        let unpacked = match Unpacked::is_gzip(path) {
            true => {
                let mut unpacked = Unpacked::open(path)?;
                crate::tar::each_header(&mut unpacked, &mut visit)?;
                Some(RefCell::new(Some(unpacked)))
            }
            false => {
                crate::tar::each_header(&mut File::open(path)?, &mut visit)?;
                None
            }
        };
        for path in links.keys() {
            let mut target = path;
            for _ in 0..MOST_LINKS {
                let Some(next) = links.get(target) else { break };
                target = next;
            }
            if let Some(place) = files.get(target).copied() {
                files.insert(path.clone(), place);
            }
        }
        Ok(Self { path: path.to_owned(), files, unpacked })
    }

    /// Whether there is such a file.
    pub fn has(&self, name: &str) -> bool {
        self.files.contains_key(name)
    }

    /// Opens a file of it.
    ///
    /// # Errors
    /// When there is none.
    pub fn file(&self, name: &str) -> io::Result<Box<dyn Read + '_>> {
        let (offset, size) = self.files.get(name).copied().ok_or(io::ErrorKind::NotFound)?;
        let Some(place) = &self.unpacked else {
            let mut file = File::open(&self.path)?;
            file.seek(SeekFrom::Start(offset))?;
            return Ok(Box::new(file.take(size)));
        };
        let left = place.take();
        let mut unpacked = left.map_or_else(|| Unpacked::open(&self.path), Ok)?;
        unpacked.seek(SeekFrom::Start(offset))?;
        Ok(Box::new(Lent { unpacked: Some(unpacked), left: size, place }))
    }
}

/// A file of a gzip file; when it has been read, the place is given back.
struct Lent<'a> {
    unpacked: Option<Unpacked>,
    left: u64,
    place: &'a RefCell<Option<Unpacked>>,
}

impl Read for Lent<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        let Some(unpacked) = &mut self.unpacked else { return Ok(0) };
        let length = unpacked.read(&mut buffer[..most])?;
        self.left -= length as u64;
        Ok(length)
    }
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        self.place.replace(self.unpacked.take());
    }
}

impl Blobs for ArchiveFiles {
    fn manifest(&self, digest: &str) -> io::Result<Box<dyn Read + '_>> {
        self.blob(digest, 0)
    }

    fn blob(&self, digest: &str, _size: u64) -> io::Result<Box<dyn Read + '_>> {
        self.file(&format!("blobs/sha256/{}", hex_of(digest)?))
    }
}

/// What a relative link in an archive leads to: `a/layer.tar` with `../b/layer.tar` is `b/layer.tar`.
fn beside(path: &str, target: &str) -> String {
    let mut parts: Vec<&str> = path.split('/').collect();
    parts.pop();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

fn hex_of(digest: &str) -> io::Result<&str> {
    match digest.strip_prefix("sha256:") {
        Some(hex) if is_sha256(digest) => Ok(hex),
        _ => Err(io::Error::new(io::ErrorKind::InvalidInput, format!("`{digest}` is no sha256 digest"))),
    }
}
