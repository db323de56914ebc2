//! Zip archives, as OSV exports come: the directory at the end, then one entry at a time.
//!
//! Source: PKWARE's APPNOTE 6.3.10, with the 64-bit extension, since an export of all ecosystems has more than 65,535
//! entries.

use std::io::Read;

use flate2::read::DeflateDecoder;

/// Why an archive cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BrokenArchive {
    /// There is no directory at its end.
    #[error("it is no zip archive, or cut off")]
    NoDirectory,
    /// The directory is not whole.
    #[error("its directory is broken")]
    Directory,
    /// It has more entries than any export.
    #[error("it has more than {MOST_ENTRIES} entries")]
    TooManyEntries,
}

/// Why an entry cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BrokenEntry {
    /// Its bytes are not where the directory says.
    #[error("its bytes are not in the archive")]
    OutOfBounds,
    /// Neither stored nor deflated, or encrypted.
    #[error("it is compressed in a way that is not read")]
    Method,
    /// It does not unpack, or to another length than the directory says.
    #[error("it does not unpack")]
    Data,
    /// It unpacks to more than any record.
    #[error("it unpacks to more than the limit")]
    TooLarge,
}

/// All ecosystems together had half a million records in 2025.
const MOST_ENTRIES: u64 = 10_000_000;

/// An entry of an archive.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    /// Its name, with folders.
    pub name: String,
    offset: u64,
    packed: u64,
    size: u64,
    method: u16,
    encrypted: bool,
}

/// Reads the directory of an archive; folders are left out.
///
/// # Errors
/// When it is not whole.
pub fn entries(archive: &[u8]) -> Result<Vec<Entry>, BrokenArchive> {
    let (mut at, count) = directory(archive).ok_or(BrokenArchive::NoDirectory)?;
    if count > MOST_ENTRIES {
        return Err(BrokenArchive::TooManyEntries);
    }
    let mut entries = Vec::new();
    for _ in 0..count {
        let (entry, next) = read_entry(archive, at).ok_or(BrokenArchive::Directory)?;
        at = next;
        if !entry.name.ends_with('/') {
            entries.push(entry);
        }
    }
    Ok(entries)
}

/// Unpacks an entry of at most `limit` bytes.
///
/// # Errors
/// When it does not unpack to what the directory says.
pub fn unpack(archive: &[u8], entry: &Entry, limit: usize) -> Result<Vec<u8>, BrokenEntry> {
    const LOCAL: &[u8] = b"PK\x03\x04";
    if entry.size > limit as u64 {
        return Err(BrokenEntry::TooLarge);
    }
    let header = slice(archive, entry.offset, 30).filter(|it| it.starts_with(LOCAL)).ok_or(BrokenEntry::OutOfBounds)?;
    // The local header has a name and extra fields of its own lengths.
    let skip = 30 + u64::from(short(header, 26)) + u64::from(short(header, 28));
    let start = entry.offset.checked_add(skip).ok_or(BrokenEntry::OutOfBounds)?;
    let packed = slice(archive, start, entry.packed).ok_or(BrokenEntry::OutOfBounds)?;
    let size = entry.size as usize;
    match entry.method {
        _ if entry.encrypted => Err(BrokenEntry::Method),
        0 if packed.len() == size => Ok(packed.to_vec()),
        0 => Err(BrokenEntry::Data),
        8 => {
            let mut bytes = Vec::with_capacity(size);
            // One byte more than promised shows that the promise was false.
            DeflateDecoder::new(packed).take(entry.size + 1).read_to_end(&mut bytes).map_err(|_| BrokenEntry::Data)?;
            if bytes.len() == size { Ok(bytes) } else { Err(BrokenEntry::Data) }
        }
        _ => Err(BrokenEntry::Method),
    }
}

/// Where the directory begins, and how many entries it has.
fn directory(archive: &[u8]) -> Option<(u64, u64)> {
    const END: &[u8] = b"PK\x05\x06";
    const END_SIZE: usize = 22;
    /// A comment of at most 65,535 bytes can stand behind it.
    const REACH: usize = END_SIZE + 0xffff;
    let last = archive.len().checked_sub(END_SIZE)?;
    let first = archive.len().saturating_sub(REACH);
    let at = (first..=last).rev().find(|at| archive[*at..].starts_with(END))?;
    let end = &archive[at..];
    let (count, offset) = (u64::from(short(end, 10)), u64::from(long(end, 16)));
    if count == 0xffff || offset == 0xffff_ffff {
        return wide_directory(archive, at).or(Some((offset, count)));
    }
    Some((offset, count))
}

/// The same from the 64-bit end, which a locator in front of the usual end leads to.
fn wide_directory(archive: &[u8], end: usize) -> Option<(u64, u64)> {
    const LOCATOR: &[u8] = b"PK\x06\x07";
    const WIDE_END: &[u8] = b"PK\x06\x06";
    let locator = archive.get(end.checked_sub(20)?..end)?;
    let wide = slice(archive, locator.starts_with(LOCATOR).then(|| quad(locator, 8))?, 56)?;
    wide.starts_with(WIDE_END).then(|| (quad(wide, 48), quad(wide, 32)))
}

fn read_entry(archive: &[u8], at: u64) -> Option<(Entry, u64)> {
    const CENTRAL: &[u8] = b"PK\x01\x02";
    const SIZE: u64 = 46;
    let header = slice(archive, at, SIZE).filter(|header| header.starts_with(CENTRAL))?;
    let [name, extra, comment] = [28, 30, 32].map(|at| u64::from(short(header, at)));
    let name_bytes = slice(archive, at + SIZE, name)?;
    let extra_bytes = slice(archive, at + SIZE + name, extra)?;
    let [packed, size] = [20, 24].map(|at| u64::from(long(header, at)));
    let mut entry = Entry {
        name: String::from_utf8_lossy(name_bytes).into_owned(),
        offset: u64::from(long(header, 42)),
        packed,
        size,
        method: short(header, 10),
        encrypted: short(header, 8) & 1 != 0,
    };
    widen(&mut entry, extra_bytes);
    Some((entry, at + SIZE + name + extra + comment))
}

/// Takes from the extra fields what does not fit into 32 bits.
fn widen(entry: &mut Entry, mut extra: &[u8]) {
    const WIDE: u16 = 1;
    while extra.len() >= 4 {
        let (kind, length) = (short(extra, 0), usize::from(short(extra, 2)));
        let Some(mut field) = extra.get(4..4 + length) else { return };
        if kind == WIDE {
            for value in [&mut entry.size, &mut entry.packed, &mut entry.offset] {
                if *value == 0xffff_ffff && field.len() >= 8 {
                    *value = quad(field, 0);
                    field = &field[8..];
                }
            }
        }
        extra = &extra[4 + length..];
    }
}

fn slice(bytes: &[u8], at: u64, length: u64) -> Option<&[u8]> {
    let at = usize::try_from(at).ok()?;
    bytes.get(at..at.checked_add(usize::try_from(length).ok()?)?)
}

fn short(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

fn long(bytes: &[u8], at: usize) -> u32 {
    u32::from(short(bytes, at)) | u32::from(short(bytes, at + 2)) << 16
}

fn quad(bytes: &[u8], at: usize) -> u64 {
    u64::from(long(bytes, at)) | u64::from(long(bytes, at + 4)) << 32
}

/// Writes an archive of stored entries, for the exports that are put together here.
#[derive(Debug, Default)]
pub struct Writer {
    bytes: Vec<u8>,
    directory: Vec<u8>,
    count: u64,
}

impl Writer {
    /// Adds an entry. Nothing here is larger than a record, and nothing checks the sum: it is left at zero.
    pub fn add(&mut self, name: &str, content: &[u8]) {
        let offset = self.bytes.len() as u64;
        let wide = |offset: u64| u32::try_from(offset).unwrap_or(u32::MAX);
        let size = content.len() as u32;
        let mut common = Vec::new();
        // Version 4.5, no flags, stored, no time, no sum.
        common.extend([45, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        common.extend(size.to_le_bytes());
        common.extend(size.to_le_bytes());
        common.extend((name.len() as u16).to_le_bytes());
        self.bytes.extend(b"PK\x03\x04");
        self.bytes.extend(&common);
        self.bytes.extend([0, 0]);
        self.bytes.extend(name.as_bytes());
        self.bytes.extend(content);
        self.directory.extend(b"PK\x01\x02\x2d\x00");
        self.directory.extend(&common);
        let extra: Vec<u8> = match u32::try_from(offset) {
            Ok(_) => Vec::new(),
            Err(_) => {
                [1_u16.to_le_bytes(), 8_u16.to_le_bytes()].concat().into_iter().chain(offset.to_le_bytes()).collect()
            }
        };
        self.directory.extend((extra.len() as u16).to_le_bytes());
        self.directory.extend([0; 10]);
        self.directory.extend(wide(offset).to_le_bytes());
        self.directory.extend(name.as_bytes());
        self.directory.extend(extra);
        self.count += 1;
    }

    /// The archive.
    pub fn finish(mut self) -> Vec<u8> {
        let (start, size) = (self.bytes.len() as u64, self.directory.len() as u64);
        self.bytes.append(&mut self.directory);
        let wide_end = self.bytes.len() as u64;
        self.bytes.extend(b"PK\x06\x06");
        self.bytes.extend(44_u64.to_le_bytes());
        self.bytes.extend([45, 0, 45, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        for number in [self.count, self.count, size, start] {
            self.bytes.extend(number.to_le_bytes());
        }
        self.bytes.extend(b"PK\x06\x07\0\0\0\0");
        self.bytes.extend(wide_end.to_le_bytes());
        self.bytes.extend(1_u32.to_le_bytes());
        self.bytes.extend(b"PK\x05\x06\0\0\0\0");
        let count = u16::try_from(self.count).unwrap_or(u16::MAX);
        self.bytes.extend(count.to_le_bytes());
        self.bytes.extend(count.to_le_bytes());
        self.bytes.extend(u32::try_from(size).unwrap_or(u32::MAX).to_le_bytes());
        self.bytes.extend(u32::try_from(start).unwrap_or(u32::MAX).to_le_bytes());
        self.bytes.extend([0, 0]);
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn archive() -> Vec<u8> {
        let mut writer = Writer::default();
        writer.add("a.json", b"{\"id\":\"a\"}");
        writer.add("b.json", b"");
        writer.finish()
    }

    #[test]
    fn what_was_written_is_read() {
        let archive = archive();
        let entries = entries(&archive).expect("an archive");
        assert_eq!(entries.iter().map(|it| &*it.name).collect::<Vec<_>>(), ["a.json", "b.json"]);
        assert_eq!(unpack(&archive, &entries[0], 100), Ok(b"{\"id\":\"a\"}".to_vec()));
        assert_eq!(unpack(&archive, &entries[0], 3), Err(BrokenEntry::TooLarge));
    }

    #[test]
    fn more_entries_than_sixteen_bits_are_read() {
        let mut writer = Writer::default();
        for number in 0..70_000 {
            writer.add(&number.to_string(), b"");
        }
        assert_eq!(entries(&writer.finish()).map(|entries| entries.len()), Ok(70_000));
    }

    #[test]
    fn another_tool_reads_what_was_written_and_writes_what_is_read() {
        let folder = std::env::temp_dir().join(format!("palisade-zip-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder");
        let (ours, theirs) = (folder.join("ours.zip"), folder.join("theirs.zip"));
        std::fs::File::create(&ours).and_then(|mut file| file.write_all(&archive())).expect("written");
        let script = "import sys, zipfile
ours = zipfile.ZipFile(sys.argv[1])
assert ours.namelist() == ['a.json', 'b.json'], ours.namelist()
with zipfile.ZipFile(sys.argv[2], 'w', zipfile.ZIP_DEFLATED) as theirs:
    theirs.writestr('c/d.json', 'x' * 100000)
    theirs.comment = b'a comment'";
        let run = std::process::Command::new("python3").args(["-c", script]).arg(&ours).arg(&theirs).output();
        if let Ok(output) = run {
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            let archive = std::fs::read(&theirs).expect("it was written");
            let entries = entries(&archive).expect("an archive");
            assert_eq!(unpack(&archive, &entries[0], 1 << 20).map(|bytes| bytes.len()), Ok(100_000));
            assert_eq!(unpack(&archive, &entries[0], 99_999), Err(BrokenEntry::TooLarge));
        } else {
            assert!(std::env::var_os("CI").is_none_or(|ci| ci != "true"), "with CI=true there must be Python");
            println!("SKIPPED: no Python on this machine");
        }
        std::fs::remove_dir_all(folder).expect("removed");
    }

    #[test]
    fn broken_archives_are_refused_and_nothing_panics() {
        let whole = archive();
        let ask = |bytes: &[u8]| {
            for entry in entries(bytes).unwrap_or_default() {
                let _ = unpack(bytes, &entry, 1 << 20);
            }
        };
        for length in 0..whole.len() {
            ask(&whole[..length]);
        }
        for at in 0..whole.len() {
            for bit in 0..8 {
                let mut changed = whole.clone();
                changed[at] ^= 1 << bit;
                ask(&changed);
            }
        }
    }
}
