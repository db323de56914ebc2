//! Tar archives as a stream: ustar, pax and GNU, from bytes that nobody vouches for.
//!
//! A reader of our own: the libraries hold long names and pax records in memory without a limit, or offer to unpack.
//! Source: POSIX.1-2008 pax, "tar(5)" of FreeBSD for the GNU forms.

use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};

use palisade_image::entry::{LONGEST_PATH, clean_path};
use palisade_image::{Entry, EntryKind, LayerReader, Want};

const BLOCK: usize = 512;

/// Bytes read at a time.
const BUFFER: usize = 128 << 10;

/// The longest record of names and attributes before an entry: extended attributes are some kilobytes.
const LONGEST_RECORD: u64 = 1 << 20;

/// Entries of one archive. The largest images have a million files.
pub const MOST_ENTRIES: u64 = 4_000_000;

/// What was noticed in an archive; the entries were handed to the reader.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Noticed {
    /// Entries whose path leads out of the root or is none: skipped.
    pub hostile_paths: u64,
    /// The first of them.
    pub first_hostile_path: Option<String>,
    /// Sparse files, whose bytes are not read.
    pub sparse_files: u64,
}

/// Why an archive ends before its end.
#[derive(Debug, thiserror::Error)]
pub enum TarError {
    /// The stream below fails: broken off, or damaged compression.
    #[error("the archive breaks off")]
    Io(#[from] io::Error),
    /// A header whose checksum is wrong: no tar, or damaged.
    #[error("not a tar archive, or a damaged one")]
    Header,
    /// A name or attribute of more bytes than are read.
    #[error("a record of names of {0} bytes; {LONGEST_RECORD} are read")]
    LongRecord(u64),
    /// Past [`MOST_ENTRIES`].
    #[error("more than {MOST_ENTRIES} entries")]
    Entries,
}

/// Reads all entries of an archive.
///
/// # Errors
/// When it breaks off, is damaged, or meets a limit; what came before was read, and what `noticed` holds stays true.
pub fn read(stream: impl Read, reader: &mut impl LayerReader, noticed: &mut Noticed) -> Result<(), TarError> {
    let mut stream = BufReader::with_capacity(BUFFER, stream);
    let mut extras = Extras::default();
    let mut entries = 0;
    while let Some(header) = next_header(&mut stream)? {
        match header.kind {
            Kind::Extra(extra) => {
                let bytes = read_record(&mut stream, header.size)?;
                extras.take(extra, &bytes);
                continue;
            }
            Kind::Sparse if header.is_extended => skip_sparse_maps(&mut stream)?,
            _ => {}
        }
        entries += 1;
        if entries > MOST_ENTRIES {
            return Err(TarError::Entries);
        }
        let named = Named::of(&header, std::mem::take(&mut extras));
        let want = match named.entry() {
            Some(entry) if named.is_sparse => {
                noticed.sparse_files += 1;
                // Its place is taken, its bytes are scattered.
                reader.entry(&Entry { kind: EntryKind::Special, ..entry })
            }
            Some(entry) if entry.path.is_empty() => Want::Nothing,
            Some(entry) => reader.entry(&entry),
            None => {
                noticed.hostile_paths += 1;
                noticed.first_hostile_path.get_or_insert_with(|| named.raw_path.chars().take(200).collect());
                Want::Nothing
            }
        };
        let is_wanted = want == Want::Bytes && matches!(named.kind, Kind::File) && !named.is_sparse;
        feed(&mut stream, named.stored_size(), is_wanted.then_some(&mut *reader))?;
    }
    Ok(())
}

/// Calls `visit` with each entry and where its bytes begin, until it returns false.
///
/// # Errors
/// When it is no tar, or cannot be read.
pub fn each_header<S: Read + Seek>(stream: &mut S, visit: &mut dyn FnMut(&Entry<'_>, u64) -> bool) -> io::Result<()> {
    let mut extras = Extras::default();
    let mut position = 0;
    for _ in 0..MOST_ENTRIES {
        stream.seek(SeekFrom::Start(position))?;
        let header = next_header(stream).map_err(io::Error::other)?;
        let Some(header) = header else { return Ok(()) };
        position += BLOCK as u64;
        if let Kind::Extra(extra) = header.kind {
            let bytes = read_record(stream, header.size).map_err(io::Error::other)?;
            extras.take(extra, &bytes);
            position = position.saturating_add(padded(header.size));
            continue;
        }
        let named = Named::of(&header, std::mem::take(&mut extras));
        if let Some(entry) = named.entry()
            && !visit(&entry, position)
        {
            return Ok(());
        }
        position = position.saturating_add(padded(named.stored_size()));
    }
    Ok(())
}

/// Passes or skips the bytes of an entry, and what fills its last block.
fn feed<R: LayerReader>(
    stream: &mut BufReader<impl Read>,
    size: u64,
    mut reader: Option<&mut R>,
) -> Result<(), TarError> {
    let mut left = size;
    while left > 0 {
        let bytes = stream.fill_buf();
        let bytes = match bytes {
            Ok(bytes) if !bytes.is_empty() => bytes,
            other => {
                if let Some(reader) = reader {
                    reader.end(false);
                }
                other?;
                return Err(TarError::Io(io::ErrorKind::UnexpectedEof.into()));
            }
        };
        let length = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
        if reader.as_mut().is_some_and(|reader| reader.bytes(&bytes[..length]) == Want::Nothing) {
            reader = None;
        }
        stream.consume(length);
        left -= length as u64;
    }
    if let Some(reader) = reader {
        reader.end(true);
    }
    skip(stream, padded(size) - size)
}

fn skip(stream: &mut impl Read, bytes: u64) -> Result<(), TarError> {
    match io::copy(&mut stream.take(bytes), &mut io::sink())? {
        skipped if skipped == bytes => Ok(()),
        _ => Err(TarError::Io(io::ErrorKind::UnexpectedEof.into())),
    }
}

fn padded(size: u64) -> u64 {
    size.saturating_add(BLOCK as u64 - 1) / BLOCK as u64 * BLOCK as u64
}

/// What a header says that an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    File,
    /// Of before ustar: a file, or a folder when its whole name ends with a slash.
    Old,
    Folder,
    Symlink,
    HardLink,
    Special,
    Sparse,
    /// Not an entry: it speaks of the next one, or of all.
    Extra(Extra),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Extra {
    LongPath,
    LongTarget,
    Pax,
    /// Of all entries that follow; nothing in it matters here.
    Other,
}

#[derive(Debug)]
struct Header {
    kind: Kind,
    path: Vec<u8>,
    target: Vec<u8>,
    size: u64,
    mode: u32,
    user: u64,
    group: u64,
    is_extended: bool,
}

/// `None` at the end of the archive.
fn next_header(stream: &mut impl Read) -> Result<Option<Header>, TarError> {
    let mut block = [0; BLOCK];
    match read_whole(stream, &mut block)? {
        // Some writers leave out the blocks of zeros at the end.
        0 => return Ok(None),
        BLOCK => {}
        _ => return Err(TarError::Io(io::ErrorKind::UnexpectedEof.into())),
    }
    if block.iter().all(|byte| *byte == 0) {
        return Ok(None);
    }
    if !has_right_checksum(&block) {
        return Err(TarError::Header);
    }
    let kind = match block[156] {
        b'0' | b'7' => Kind::File,
        0 => Kind::Old,
        b'1' => Kind::HardLink,
        b'2' => Kind::Symlink,
        b'5' => Kind::Folder,
        b'S' => Kind::Sparse,
        b'L' => Kind::Extra(Extra::LongPath),
        b'K' => Kind::Extra(Extra::LongTarget),
        b'x' | b'X' => Kind::Extra(Extra::Pax),
        b'g' | b'V' | b'N' => Kind::Extra(Extra::Other),
        _ => Kind::Special,
    };
    let mut path = text(&block[..100]).to_vec();
    if &block[257..263] == b"ustar\0" && block[345] != 0 {
        path = [text(&block[345..500]), b"/", &path].concat();
    }
    let small = |range: &[u8]| number(range).unwrap_or(0);
    Ok(Some(Header {
        kind,
        path,
        target: text(&block[157..257]).to_vec(),
        size: number(&block[124..136]).ok_or(TarError::Header)?,
        mode: (small(&block[100..108]) & 0o7777) as u32,
        user: small(&block[108..116]),
        group: small(&block[116..124]),
        is_extended: block[482] != 0,
    }))
}

/// The sum of all bytes, with blanks in the place of the sum; some old writers added signed ones.
fn has_right_checksum(block: &[u8; BLOCK]) -> bool {
    let bytes = || block.iter().enumerate().map(|(at, byte)| if (148..156).contains(&at) { b' ' } else { *byte });
    let unsigned: u64 = bytes().map(u64::from).sum();
    let signed: i64 = bytes().map(|byte| i64::from(byte as i8)).sum();
    let said = number(&block[148..156]);
    said == Some(unsigned) || said.and_then(|said| i64::try_from(said).ok()) == Some(signed)
}

fn text(field: &[u8]) -> &[u8] {
    &field[..field.iter().position(|byte| *byte == 0).unwrap_or(field.len())]
}

/// Octal digits between blanks, or a binary number whose first bit is set. `None` when it is neither, or negative.
fn number(field: &[u8]) -> Option<u64> {
    if field[0] & 0x80 != 0 {
        if field[0] & 0x40 != 0 {
            return None;
        }
        let bytes = std::iter::once(field[0] & 0x7f).chain(field[1..].iter().copied());
        return bytes.into_iter().try_fold(0u64, |sum, byte| Some(sum.checked_mul(256)? + u64::from(byte)));
    }
    let digits = field.iter().skip_while(|byte| **byte == b' ').take_while(|byte| !matches!(byte, 0 | b' '));
    digits.into_iter().try_fold(0u64, |sum, byte| match byte {
        b'0'..=b'7' => sum.checked_mul(8)?.checked_add(u64::from(byte - b'0')),
        _ => None,
    })
}

/// As many bytes as there are, up to the buffer's length.
fn read_whole(stream: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut length = 0;
    while length < buffer.len() {
        match stream.read(&mut buffer[length..]) {
            Ok(0) => break,
            Ok(more) => length += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(length)
}

fn read_record(stream: &mut impl Read, size: u64) -> Result<Vec<u8>, TarError> {
    if size > LONGEST_RECORD {
        return Err(TarError::LongRecord(size));
    }
    let mut bytes = vec![0; padded(size) as usize];
    if read_whole(stream, &mut bytes)? < bytes.len() {
        return Err(TarError::Io(io::ErrorKind::UnexpectedEof.into()));
    }
    bytes.truncate(size as usize);
    Ok(bytes)
}

/// The old GNU form continues its map in blocks of its own.
fn skip_sparse_maps(stream: &mut impl Read) -> Result<(), TarError> {
    const MOST_BLOCKS: usize = 100_000;
    let mut block = [0; BLOCK];
    for _ in 0..MOST_BLOCKS {
        if read_whole(stream, &mut block)? < BLOCK {
            return Err(TarError::Io(io::ErrorKind::UnexpectedEof.into()));
        }
        if block[504] == 0 {
            return Ok(());
        }
    }
    Err(TarError::Header)
}

/// What records before an entry say of it.
#[derive(Debug, Default)]
struct Extras {
    path: Option<Vec<u8>>,
    target: Option<Vec<u8>>,
    size: Option<u64>,
    is_sparse: bool,
}

impl Extras {
    fn take(&mut self, extra: Extra, bytes: &[u8]) {
        match extra {
            Extra::LongPath => self.path = Some(text(bytes).to_vec()),
            Extra::LongTarget => self.target = Some(text(bytes).to_vec()),
            Extra::Pax => self.take_pax(bytes),
            Extra::Other => {}
        }
    }

    /// Records of `LENGTH KEY=VALUE` and a line feed; the length counts itself.
    fn take_pax(&mut self, mut bytes: &[u8]) {
        while let Some(blank) = bytes.iter().position(|byte| *byte == b' ') {
            let length = std::str::from_utf8(&bytes[..blank]).ok().and_then(|text| text.parse::<usize>().ok());
            let Some(record) = length.filter(|it| *it > blank + 1).and_then(|it| bytes.get(blank + 1..it - 1)) else {
                return;
            };
            let Some(equals) = record.iter().position(|byte| *byte == b'=') else { return };
            let (key, value) = (&record[..equals], &record[equals + 1..]);
            match key {
                b"path" | b"GNU.sparse.name" => self.path = Some(value.to_vec()),
                b"linkpath" => self.target = Some(value.to_vec()),
                b"size" => self.size = std::str::from_utf8(value).ok().and_then(|text| text.parse().ok()),
                _ => {}
            }
            self.is_sparse |= key.starts_with(b"GNU.sparse.");
            bytes = &bytes[blank + 1 + record.len() + 1..];
        }
    }
}

/// An entry with its names as text.
struct Named {
    kind: Kind,
    path: Option<String>,
    raw_path: String,
    target: Option<String>,
    size: u64,
    mode: u32,
    user: u64,
    group: u64,
    is_sparse: bool,
}

impl Named {
    fn of(header: &Header, extras: Extras) -> Self {
        let raw_path = String::from_utf8_lossy(extras.path.as_deref().unwrap_or(&header.path)).into_owned();
        let kind = match header.kind {
            // Only now: of a long name the header has a part, which may end with a slash.
            Kind::Old if raw_path.ends_with('/') => Kind::Folder,
            Kind::Old => Kind::File,
            kind => kind,
        };
        let target = String::from_utf8_lossy(extras.target.as_deref().unwrap_or(&header.target)).into_owned();
        Self {
            path: clean_path(&raw_path),
            target: match header.kind {
                Kind::HardLink => clean_path(&target),
                _ => Some(target).filter(|target| target.len() <= LONGEST_PATH),
            },
            raw_path,
            kind,
            size: extras.size.unwrap_or(header.size),
            mode: header.mode,
            user: header.user,
            group: header.group,
            is_sparse: header.kind == Kind::Sparse || extras.is_sparse,
        }
    }

    /// Links, folders and devices have no bytes, whatever their size says; a hard link of some writers has.
    fn stored_size(&self) -> u64 {
        match self.kind {
            Kind::File | Kind::Old | Kind::Sparse => self.size,
            Kind::Folder | Kind::Symlink | Kind::HardLink | Kind::Special | Kind::Extra(_) => 0,
        }
    }

    fn entry(&self) -> Option<Entry<'_>> {
        let kind = match self.kind {
            Kind::File | Kind::Old | Kind::Sparse => EntryKind::File,
            Kind::Folder => EntryKind::Folder,
            Kind::Symlink => EntryKind::Symlink(self.target.as_deref()?),
            Kind::HardLink => EntryKind::HardLink(self.target.as_deref()?),
            Kind::Special | Kind::Extra(_) => EntryKind::Special,
        };
        let path = self.path.as_deref()?;
        Some(Entry { path, kind, size: self.stored_size(), mode: self.mode, user: self.user, group: self.group })
    }
}
