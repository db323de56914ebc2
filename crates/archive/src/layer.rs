//! One layer: decompressed, its digests checked, its entries handed on.

use std::io::{self, BufRead, BufReader, Read};

use flate2::bufread::MultiGzDecoder;
use palisade_image::{Layer, LayerReader};
use palisade_model::Problem;
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};

use crate::digest::Hashing;
use crate::tar::{self, Noticed};

/// Bytes of a compressed stream that are read at a time.
const BUFFER: usize = 64 << 10;

/// A layer of more bytes than this, once uncompressed, must not be more than [`MOST_RATIO`] times what is stored: files of
/// zeros are honest up to there, and a bomb is none.
const FREE_BYTES: u64 = 4 << 30;

/// See [`FREE_BYTES`]; text shrinks to a tenth at best.
const MOST_RATIO: u64 = 100;

/// No layer is read further than this.
const MOST_BYTES: u64 = 256 << 30;

/// Reads a stored layer, and says what is wrong with it. `layer` says which digests it should have; an empty one is not
/// compared.
///
/// The stream is opened by `open`, and once more where the reader asks for it.
pub fn read_layer<R: Read>(
    open: &dyn Fn() -> io::Result<R>,
    layer: &Layer,
    reader: &mut impl LayerReader,
) -> Vec<Problem> {
    let mut problems = Vec::new();
    let name = name(layer);
    reader.begin_layer(layer);
    let stored = match open() {
        Ok(stored) => stored,
        Err(error) => {
            // Its place is kept: what is above is not below it.
            reader.end_layer(0, 0);
            return vec![Problem::error(
                "image-layer-missing",
                format!("{name}: it cannot be opened: {}", chain(&error)),
            )];
        }
    };
    let mut stored = BufReader::with_capacity(BUFFER, Hashing::new(stored));
    let mut noticed = Noticed::default();
    let (outcome, diff_id, bytes) = read_unpacked(&mut stored, reader, &mut noticed);
    if let Err(error) = outcome {
        problems.push(Problem::error("image-layer-unreadable", format!("{name}: {}", chain(&error))));
    }
    // The rest of a stream that broke off is read for its digest alone.
    let drained = io::copy(&mut stored, &mut io::sink());
    let (digest, stored_bytes) = stored.into_inner().finish();
    if reader.again()
        && let Ok(stored) = open()
    {
        // What is wrong with it was told the first time.
        let mut stored = BufReader::with_capacity(BUFFER, Hashing::new(stored));
        let _ = read_unpacked(&mut stored, reader, &mut Noticed::default());
        reader.again();
    }
    reader.end_layer(stored_bytes, bytes);
    problems.extend(of_noticed(&noticed, &name));
    if let Err(error) = drained {
        let message = format!("{name}: it cannot be read to its end: {}", chain(&error));
        problems.push(Problem::error("image-layer-unreadable", message));
        return problems;
    }
    for (what, said, found) in
        [("digest", &layer.reference.digest, digest), ("diff id", &layer.reference.diff_id, diff_id)]
    {
        if !said.is_empty() && **said != *found && (what == "digest" || problems.is_empty()) {
            let message = format!("{name}: its {what} is {found}, not the one that the image names");
            problems.push(Problem::error("image-digest-differs", message));
        }
    }
    problems
}

/// How messages name a layer.
pub fn name(layer: &Layer) -> String {
    let reference = &layer.reference;
    let digest = if reference.digest.is_empty() { &reference.diff_id } else { &reference.digest };
    let short: String = digest.trim_start_matches("sha256:").chars().take(12).collect();
    format!("layer {} ({short})", reference.index)
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

/// The entries, the digest of what is unpacked, and how many bytes it has.
fn read_unpacked<R: Read>(
    stored: &mut BufReader<Hashing<R>>,
    reader: &mut impl LayerReader,
    noticed: &mut Noticed,
) -> (Result<(), tar::TarError>, String, u64) {
    let unpacked: Box<dyn Read + '_> = match compression(stored) {
        Ok(compression) => match compression {
            Compression::None => Box::new(stored),
            Compression::Gzip => Box::new(Bounded::new(MultiGzDecoder::new(Counting::new(stored)))),
            Compression::Zstd => Box::new(Bounded::new(ZstdFrames::new(Counting::new(stored)))),
        },
        Err(error) => return (Err(error.into()), String::new(), 0),
    };
    let mut unpacked = Hashing::new(unpacked);
    let mut outcome = tar::read(&mut unpacked, reader, noticed);
    // What follows the archive's end is part of the digest.
    let rest = io::copy(&mut (&mut unpacked).take(MOST_BYTES), &mut io::sink());
    if outcome.is_ok() {
        outcome = rest.map(drop).map_err(Into::into);
    }
    let (diff_id, bytes) = unpacked.finish();
    (outcome, diff_id, bytes)
}

fn of_noticed(noticed: &Noticed, name: &str) -> Vec<Problem> {
    let mut problems = Vec::new();
    if let Some(path) = &noticed.first_hostile_path {
        let count = noticed.hostile_paths;
        let message = format!("{name}: {count} entries have a path that leads out of the image, such as {path:?}");
        problems.push(Problem::warning("image-hostile-path", message));
    }
    if noticed.sparse_files > 0 {
        let message = format!("{name}: {} sparse files are not read", noticed.sparse_files);
        problems.push(Problem::error("image-sparse-file", message));
    }
    problems
}

enum Compression {
    None,
    Gzip,
    Zstd,
}

/// By the first bytes: media types have been wrong before.
fn compression(stored: &mut impl BufRead) -> io::Result<Compression> {
    const SKIPPABLE_ZSTD: &[u8] = &[0x2a, 0x4d, 0x18];
    Ok(match stored.fill_buf()? {
        [0x1f, 0x8b, ..] => Compression::Gzip,
        [0x28, 0xb5, 0x2f, 0xfd, ..] => Compression::Zstd,
        [first, rest @ ..] if first & 0xf0 == 0x50 && rest.starts_with(SKIPPABLE_ZSTD) => Compression::Zstd,
        _ => Compression::None,
    })
}

/// Counts what is consumed, so that an expansion can be told.
struct Counting<'a, R> {
    inner: &'a mut R,
    count: u64,
}

impl<'a, R> Counting<'a, R> {
    fn new(inner: &'a mut R) -> Self {
        Self { inner, count: 0 }
    }
}

impl<R: BufRead> Read for Counting<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.inner.read(buffer)?;
        self.count += length as u64;
        Ok(length)
    }
}

impl<R: BufRead> BufRead for Counting<'_, R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.inner.fill_buf()
    }

    fn consume(&mut self, length: usize) {
        self.count += length as u64;
        self.inner.consume(length);
    }
}

/// A decoder that tells how much it has taken in.
trait Decoder: Read {
    fn taken(&self) -> u64;
}

impl<R: BufRead> Decoder for MultiGzDecoder<Counting<'_, R>> {
    fn taken(&self) -> u64 {
        self.get_ref().count
    }
}

impl<R: BufRead> Decoder for ZstdFrames<Counting<'_, R>> {
    fn taken(&self) -> u64 {
        self.source.count
    }
}

/// Ends a stream that unpacks to too much.
struct Bounded<D> {
    decoder: D,
    given: u64,
}

impl<D> Bounded<D> {
    fn new(decoder: D) -> Self {
        Self { decoder, given: 0 }
    }
}

impl<D: Decoder> Read for Bounded<D> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.decoder.read(buffer)?;
        self.given += length as u64;
        let is_bomb = self.given > FREE_BYTES && self.given / MOST_RATIO > self.decoder.taken();
        if is_bomb || self.given > MOST_BYTES {
            return Err(io::Error::other(format!("it unpacks to more than {MOST_RATIO} times its size")));
        }
        Ok(length)
    }
}

/// Zstandard: frame after frame, those that are no data skipped.
struct ZstdFrames<R: BufRead> {
    source: R,
    frame: FrameDecoder,
    /// Whether a frame has begun and not ended.
    is_open: bool,
}

impl<R: BufRead> ZstdFrames<R> {
    fn new(source: R) -> Self {
        Self { source, frame: FrameDecoder::new(), is_open: false }
    }

    /// Begins the next frame of data; false when there is none.
    fn begin(&mut self) -> io::Result<bool> {
        use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
        while !self.source.fill_buf()?.is_empty() {
            match self.frame.init(&mut self.source) {
                Ok(()) => {
                    self.is_open = true;
                    return Ok(true);
                }
                Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame { length, .. })) => {
                    io::copy(&mut (&mut self.source).take(u64::from(length)), &mut io::sink())?;
                }
                Err(error) => return Err(io::Error::other(error.to_string())),
            }
        }
        Ok(false)
    }
}

impl<R: BufRead> Read for ZstdFrames<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            if !self.is_open && !self.begin()? {
                return Ok(0);
            }
            while self.frame.can_collect() < buffer.len() && !self.frame.is_finished() {
                let more = BlockDecodingStrategy::UptoBytes(buffer.len() - self.frame.can_collect());
                self.frame
                    .decode_blocks(&mut self.source, more)
                    .map_err(|error| io::Error::other(error.to_string()))?;
            }
            let length = self.frame.read(buffer)?;
            self.is_open = !self.frame.is_finished() || self.frame.can_collect() > 0;
            if length > 0 || buffer.is_empty() {
                return Ok(length);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives as many bytes as are asked for, and takes in one for each `ratio` of them.
    struct Expansion {
        ratio: u64,
        given: u64,
    }

    impl Read for Expansion {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.given += buffer.len() as u64;
            Ok(buffer.len())
        }
    }

    impl Decoder for Expansion {
        fn taken(&self) -> u64 {
            self.given / self.ratio
        }
    }

    /// How many bytes come out before the stream is ended, up to eight gigabytes.
    fn unpacked(ratio: u64) -> u64 {
        let mut bounded = Bounded::new(Expansion { ratio, given: 0 });
        let mut buffer = vec![0; 1 << 20];
        let mut count = 0;
        while count < 8 << 30 {
            match bounded.read(&mut buffer) {
                Ok(length) => count += length as u64,
                Err(_) => break,
            }
        }
        count
    }

    #[test]
    fn a_bomb_is_ended_and_a_large_file_of_zeros_is_not() {
        assert_eq!(unpacked(1000), FREE_BYTES);
        assert_eq!(unpacked(50), 8 << 30);
    }
}
