//! A gzip file that is read at any place: forward by unpacking, backward by beginning again. Nothing is written to disk.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use flate2::bufread::MultiGzDecoder;

/// Bytes of the file that are read at a time.
const BUFFER: usize = 64 << 10;

/// An archive of more bytes than this, once unpacked, must not be more than [`MOST_RATIO`] times its file.
const FREE_BYTES: u64 = 4 << 30;

/// See [`FREE_BYTES`].
const MOST_RATIO: u64 = 100;

/// The bytes that a gzip file unpacks to.
pub struct Unpacked {
    path: PathBuf,
    stored: u64,
    decoder: MultiGzDecoder<BufReader<File>>,
    position: u64,
}

impl Unpacked {
    /// Begins at the beginning.
    ///
    /// # Errors
    /// When the file cannot be opened.
    pub fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let stored = file.metadata()?.len();
        let decoder = MultiGzDecoder::new(BufReader::with_capacity(BUFFER, file));
        Ok(Self { path: path.to_owned(), stored, decoder, position: 0 })
    }

    /// Whether a file begins as gzip does.
    pub fn is_gzip(path: &Path) -> bool {
        let mut head = [0; 2];
        File::open(path).and_then(|mut file| file.read_exact(&mut head)).is_ok() && head == [0x1f, 0x8b]
    }
}

impl Read for Unpacked {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.decoder.read(buffer)?;
        self.position += length as u64;
        if self.position > FREE_BYTES && self.position / MOST_RATIO > self.stored {
            return Err(io::Error::other(format!("it unpacks to more than {MOST_RATIO} times its size")));
        }
        Ok(length)
    }
}

impl Seek for Unpacked {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let SeekFrom::Start(place) = to else { return Err(io::ErrorKind::Unsupported.into()) };
        if place < self.position {
            *self = Self::open(&self.path)?;
        }
        let ahead = place - self.position;
        match io::copy(&mut self.take(ahead), &mut io::sink())? {
            skipped if skipped == ahead => Ok(place),
            _ => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }
}
