//! Zip archives in memory: the central directory, and the members that somebody asks for.
//!
//! Source: APPNOTE.TXT of PKWARE, version 6.3.

use std::borrow::Cow;

/// An archive.
pub struct Archive<'a> {
    bytes: &'a [u8],
    directory: &'a [u8],
    /// What lies before the archive: a script that makes it a program. Offsets do not count it.
    shift: usize,
}

/// A file in an archive.
#[derive(Debug, Clone, Copy)]
pub struct Member<'a> {
    /// Its name.
    pub name: &'a str,
    method: u16,
    encrypted: bool,
    packed: u64,
    size: u64,
    offset: u64,
}

/// Members that are looked at: the largest archives have some 100,000.
const MOST_MEMBERS: usize = 500_000;

impl<'a> Archive<'a> {
    /// Finds the central directory at the end. `None` when there is none.
    pub fn open(bytes: &'a [u8]) -> Option<Self> {
        const END: usize = 22;
        const LONGEST_COMMENT: usize = 65_535;
        let tail = bytes.len().saturating_sub(END + LONGEST_COMMENT);
        let end = tail + memchr::memmem::rfind(&bytes[tail..], b"PK\x05\x06")?;
        let record = bytes.get(end..end.checked_add(END)?)?;
        // Past 65,535 members the count alone says that the numbers stand elsewhere: the sizes may still fit.
        let (size, offset, behind) = match (number(record, 10, 2)?, number(record, 12, 4)?, number(record, 16, 4)?) {
            (count, size, offset) if count < 0xffff && size < 0xffff_ffff && offset < 0xffff_ffff => {
                (size, offset, end)
            }
            _ => wide_end(bytes, end).or(Some((number(record, 12, 4)?, number(record, 16, 4)?, end)))?,
        };
        let (size, offset) = (usize::try_from(size).ok()?, usize::try_from(offset).ok()?);
        let start = behind.checked_sub(size)?;
        let shift = start.checked_sub(offset)?;
        Some(Self { bytes, directory: bytes.get(start..behind)?, shift })
    }

    /// The files in it, in the directory's order; a damaged directory ends it.
    pub fn members(&self) -> impl Iterator<Item = Member<'a>> + use<'a> {
        let mut rest = self.directory;
        let next = std::iter::from_fn(move || {
            let (member, after) = next_member(rest)?;
            rest = after;
            Some(member)
        });
        next.take(MOST_MEMBERS).filter(|member| !member.name.ends_with('/'))
    }

    /// The bytes of a member: `None` when it is encrypted, damaged, longer than `most` or than the budget.
    pub fn bytes(&self, member: &Member<'a>, most: usize, budget: &mut usize) -> Option<Cow<'a, [u8]>> {
        const LOCAL: usize = 30;
        let at = usize::try_from(member.offset).ok()?.checked_add(self.shift)?;
        let local = self.bytes.get(at..at.checked_add(LOCAL)?).filter(|it| it.starts_with(b"PK\x03\x04"))?;
        let skip = LOCAL + number(local, 26, 2)? as usize + number(local, 28, 2)? as usize;
        let start = at.checked_add(skip)?;
        let packed = self.bytes.get(start..start.checked_add(usize::try_from(member.packed).ok()?)?)?;
        let size = usize::try_from(member.size).ok().filter(|size| *size <= most)?;
        match (member.encrypted, member.method) {
            (false, 0) => Some(Cow::Borrowed(packed)),
            (false, 8) if size <= *budget => {
                *budget -= size;
                // What says that it is small and is not, is damaged.
                let bytes = miniz_oxide::inflate::decompress_to_vec_with_limit(packed, size.max(1)).ok()?;
                Some(Cow::Owned(bytes))
            }
            _ => None,
        }
    }

    /// The text of a member.
    pub fn text(&self, member: &Member<'a>, most: usize, budget: &mut usize) -> Option<String> {
        Some(String::from_utf8_lossy(&self.bytes(member, most, budget)?).into_owned())
    }
}

/// The size, place and end of the directory of an archive past four gigabytes or 65,535 members.
fn wide_end(bytes: &[u8], end: usize) -> Option<(u64, u64, usize)> {
    const LOCATOR: usize = 20;
    const RECORD: usize = 56;
    let locator = bytes.get(end.checked_sub(LOCATOR)?..end).filter(|it| it.starts_with(b"PK\x06\x07"))?;
    let at = usize::try_from(number(locator, 8, 8)?).ok()?;
    let record = bytes.get(at..at.checked_add(RECORD)?).filter(|it| it.starts_with(b"PK\x06\x06"))?;
    Some((number(record, 40, 8)?, number(record, 48, 8)?, at))
}

fn next_member(bytes: &[u8]) -> Option<(Member<'_>, &[u8])> {
    const HEADER: usize = 46;
    let (header, rest) = bytes.split_at_checked(HEADER).filter(|(it, _)| it.starts_with(b"PK\x01\x02"))?;
    let length = |at| number(header, at, 2).map(|length| length as usize);
    let (name, rest) = rest.split_at_checked(length(28)?)?;
    let (extra, rest) = rest.split_at_checked(length(30)?)?;
    let (_comment, rest) = rest.split_at_checked(length(32)?)?;
    let mut member = Member {
        name: std::str::from_utf8(name).unwrap_or(""),
        method: number(header, 10, 2)? as u16,
        encrypted: number(header, 8, 2)? & 1 != 0,
        packed: number(header, 20, 4)?,
        size: number(header, 24, 4)?,
        offset: number(header, 42, 4)?,
    };
    widen(&mut member, extra);
    Some((member, rest))
}

/// Numbers past four gigabytes stand in an extra field, those alone that do not fit.
fn widen(member: &mut Member<'_>, mut extra: &[u8]) {
    const WIDE: u64 = 1;
    while let (Some(id), Some(length)) = (number(extra, 0, 2), number(extra, 2, 2)) {
        let Some((field, rest)) = extra[4..].split_at_checked(length as usize) else { return };
        if id == WIDE {
            let mut at = 0;
            for value in [&mut member.size, &mut member.packed, &mut member.offset] {
                if *value == 0xffff_ffff {
                    let Some(wide) = number(field, at, 8) else { return };
                    *value = wide;
                    at += 8;
                }
            }
        }
        extra = rest;
    }
}

fn number(bytes: &[u8], at: usize, length: usize) -> Option<u64> {
    Some(crate::elf::number(bytes.get(at..at.checked_add(length)?)?, false))
}
