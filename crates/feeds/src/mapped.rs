//! Files in memory without being read: exports and databases.

use std::fs::File;
use std::io;
use std::ops::Deref;
use std::path::Path;

use memmap2::Mmap;
use sha2::{Digest, Sha256};

/// A file's bytes.
#[derive(Debug)]
pub struct Mapped {
    bytes: Bytes,
}

#[derive(Debug)]
enum Bytes {
    File(Mmap),
    /// What never was a file, and empty files, which cannot be mapped.
    Memory(Vec<u8>),
}

impl Mapped {
    /// Maps a file.
    ///
    /// # Errors
    /// When it cannot be opened or mapped.
    pub fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        if file.metadata()?.len() == 0 {
            return Ok(Self::from(Vec::new()));
        }
        // SAFETY: the mapping is read-only and private to this value. Databases are written under another name and
        // renamed when whole, and never changed after, so nobody shortens what is mapped. An export that its owner
        // cuts while it is imported ends the program with SIGBUS and not with wrong data.
        let map = unsafe { Mmap::map(&file)? };
        Ok(Self { bytes: Bytes::File(map) })
    }
}

impl From<Vec<u8>> for Mapped {
    fn from(bytes: Vec<u8>) -> Self {
        Self { bytes: Bytes::Memory(bytes) }
    }
}

impl Deref for Mapped {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match &self.bytes {
            Bytes::File(map) => map,
            Bytes::Memory(bytes) => bytes,
        }
    }
}

/// The digest of bytes, in hexadecimal.
pub fn sha256(bytes: &[u8]) -> String {
    hexadecimal(&Sha256::digest(bytes))
}

pub(crate) fn hexadecimal(digest: &[u8]) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}
