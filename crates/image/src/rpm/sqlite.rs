//! Rows of a table in an SQLite file, read from memory: enough for a database that nobody else has open.
//!
//! A reader of our own, because the library would need a file or `unsafe`, and is asked here to read bytes of strangers.
//! Source: "Database File Format", sqlite.org/fileformat2.html.

use std::borrow::Cow;

/// Why it cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DatabaseError {
    /// Not one at all.
    #[error("not an SQLite database")]
    NotSqlite,
    /// No such table.
    #[error("no table of packages in the SQLite database")]
    NoTable,
    /// Pages that point nowhere or in circles.
    #[error("the SQLite database is damaged")]
    Damaged,
}

/// An SQLite file.
pub struct Database<'a> {
    bytes: &'a [u8],
    page_size: usize,
    /// Bytes of a page that are used.
    usable: usize,
}

/// Trees are never deeper: a page of 512 bytes has dozens of children.
const DEEPEST: usize = 20;

/// Columns of a row that are read.
const MOST_COLUMNS: usize = 32;

/// A row's values: `None` for what is neither text nor blob.
pub type Columns<'r> = Vec<Option<Cow<'r, [u8]>>>;

impl<'a> Database<'a> {
    /// Checks the header.
    ///
    /// # Errors
    /// When it is no SQLite file.
    pub fn open(bytes: &'a [u8]) -> Result<Self, DatabaseError> {
        let header = bytes.get(..100).filter(|header| header.starts_with(b"SQLite format 3\0"));
        let header = header.ok_or(DatabaseError::NotSqlite)?;
        let page_size = match u16::from_be_bytes([header[16], header[17]]) {
            1 => 65_536,
            size => usize::from(size),
        };
        let usable = page_size.saturating_sub(usize::from(header[20]));
        if !page_size.is_power_of_two() || page_size < 512 || usable < 480 {
            return Err(DatabaseError::NotSqlite);
        }
        Ok(Self { bytes, page_size, usable })
    }

    /// Calls `visit` with each row of a table.
    ///
    /// # Errors
    /// When there is no such table, or the file is damaged; the rows before that were visited.
    pub fn each_row(&self, table: &str, mut visit: impl FnMut(Columns<'_>)) -> Result<(), DatabaseError> {
        let mut root = None;
        let mut budget = Budget::of(self);
        self.walk(1, 0, &mut budget, &mut |payload| {
            // type, name, tbl_name, rootpage, sql
            if let (Some(b"table"), Some(name)) = (blob(payload, 0), blob(payload, 1))
                && name == table.as_bytes()
            {
                root = integer(payload, 3);
            }
        })?;
        let root = root.and_then(|root| usize::try_from(root).ok()).ok_or(DatabaseError::NoTable)?;
        self.walk(root, 0, &mut Budget::of(self), &mut |payload| visit(columns(payload)))
    }

    fn page(&self, number: usize) -> Option<&'a [u8]> {
        let start = number.checked_sub(1)?.checked_mul(self.page_size)?;
        self.bytes.get(start..start.checked_add(self.usable)?)
    }

    fn walk(
        &self,
        number: usize,
        depth: usize,
        budget: &mut Budget,
        visit: &mut dyn FnMut(&[u8]),
    ) -> Result<(), DatabaseError> {
        let page = self.page(number).filter(|_| depth < DEEPEST && budget.take()).ok_or(DatabaseError::Damaged)?;
        let header = if number == 1 { 100 } else { 0 };
        let cells = usize::from(short(page, header + 3)?);
        let (pointers, is_leaf) = match page[header] {
            0x05 => (header + 12, false),
            0x0d => (header + 8, true),
            _ => return Err(DatabaseError::Damaged),
        };
        for cell in 0..cells {
            let at = usize::from(short(page, pointers + 2 * cell)?);
            match is_leaf {
                true => visit(&self.payload(page, at, budget).ok_or(DatabaseError::Damaged)?),
                false => self.walk(long(page, at)?, depth + 1, budget, visit)?,
            }
        }
        match is_leaf {
            true => Ok(()),
            false => self.walk(long(page, header + 8)?, depth + 1, budget, visit),
        }
    }

    /// The bytes of a row: in its page, or there and in a chain of pages.
    fn payload(&self, page: &'a [u8], at: usize, budget: &mut Budget) -> Option<Cow<'a, [u8]>> {
        let (size, rest) = varint(page.get(at..)?)?;
        let (_row, rest) = varint(rest)?;
        let size = usize::try_from(size).ok().filter(|size| *size <= self.bytes.len())?;
        let most = self.usable - 35;
        if size <= most {
            return Some(Cow::Borrowed(rest.get(..size)?));
        }
        let least = (self.usable - 12) * 32 / 255 - 23;
        let spread = least + (size - least) % (self.usable - 4);
        let local = if spread <= most { spread } else { least };
        let mut payload = Vec::with_capacity(size);
        payload.extend_from_slice(rest.get(..local)?);
        let mut next = long(rest, local).ok()?;
        while payload.len() < size {
            let page = self.page(next).filter(|_| budget.take())?;
            let part = (size - payload.len()).min(self.usable - 4);
            payload.extend_from_slice(page.get(4..4 + part)?);
            next = long(page, 0).ok()?;
        }
        Some(Cow::Owned(payload))
    }
}

/// Pages that may still be looked at: each once, so that circles end.
struct Budget(usize);

impl Budget {
    fn of(database: &Database<'_>) -> Self {
        Self(database.bytes.len() / database.page_size + 1)
    }

    fn take(&mut self) -> bool {
        self.0 = self.0.saturating_sub(1);
        self.0 > 0
    }
}

fn short(bytes: &[u8], at: usize) -> Result<u16, DatabaseError> {
    let bytes = bytes.get(at..at + 2).ok_or(DatabaseError::Damaged)?;
    Ok(u16::from_be_bytes([bytes[0], bytes[1]]))
}

fn long(bytes: &[u8], at: usize) -> Result<usize, DatabaseError> {
    let bytes = bytes.get(at..at + 4).ok_or(DatabaseError::Damaged)?;
    Ok(u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]) as usize)
}

/// Seven bits a byte, the highest first; the ninth byte has eight.
fn varint(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut value = 0;
    for (index, byte) in bytes.iter().take(9).enumerate() {
        if index == 8 {
            return Some(((value << 8) | u64::from(*byte), &bytes[9..]));
        }
        value = (value << 7) | u64::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            return Some((value, &bytes[index + 1..]));
        }
    }
    None
}

/// The (type, bytes) of each column.
fn fields(payload: &[u8]) -> Vec<(u64, &[u8])> {
    let mut fields = Vec::new();
    let Some((length, _)) = varint(payload) else { return fields };
    let Some((header, mut body)) = usize::try_from(length).ok().and_then(|length| payload.split_at_checked(length))
    else {
        return fields;
    };
    let mut types = varint(header).map_or(&[][..], |(_, rest)| rest);
    while let Some((kind, rest)) = varint(types)
        && fields.len() < MOST_COLUMNS
    {
        let size = match kind {
            0 | 8 | 9 => 0,
            1..=4 => kind,
            5 => 6,
            6 | 7 => 8,
            10 | 11 => break,
            kind => (kind - 12) / 2,
        };
        let Some((value, after)) = usize::try_from(size).ok().and_then(|size| body.split_at_checked(size)) else {
            break;
        };
        fields.push((kind, value));
        (types, body) = (rest, after);
    }
    fields
}

fn blob(payload: &[u8], column: usize) -> Option<&[u8]> {
    fields(payload).get(column).filter(|(kind, _)| *kind >= 12).map(|(_, value)| *value)
}

fn integer(payload: &[u8], column: usize) -> Option<u64> {
    match *fields(payload).get(column)? {
        (8, _) => Some(0),
        (9, _) => Some(1),
        (1..=6, value) => Some(value.iter().fold(0, |sum, byte| (sum << 8) | u64::from(*byte))),
        _ => None,
    }
}

fn columns(payload: &[u8]) -> Columns<'_> {
    fields(payload).into_iter().map(|(kind, value)| (kind >= 12).then_some(Cow::Borrowed(value))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_any_length() {
        assert_eq!(varint(&[0x05, 0xff]), Some((5, &[0xff][..])));
        assert_eq!(varint(&[0x81, 0x00]), Some((128, &[][..])));
        assert_eq!(varint(&[0xff; 9]), Some((u64::MAX, &[][..])));
        assert_eq!(varint(&[0xff; 8]), None);
    }

    #[test]
    fn what_is_no_database_is_refused() {
        assert_eq!(Database::open(b"").err(), Some(DatabaseError::NotSqlite));
        assert_eq!(Database::open(&[0; 200]).err(), Some(DatabaseError::NotSqlite));
        let mut bytes = vec![0; 1024];
        bytes[..16].copy_from_slice(b"SQLite format 3\0");
        bytes[16] = 4;
        let database = Database::open(&bytes).expect("a header");
        assert_eq!(database.each_row("Packages", |_| ()), Err(DatabaseError::Damaged));
    }
}
