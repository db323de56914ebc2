//! How values lie in the database's file: numbers in seven bits a byte, texts and lists with their length in front.

use crate::advisory::{Advisory, Affected, Event, Import, Range};

/// The file is not what was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the database is broken: it ends in the middle of a value, or was changed")]
pub struct Broken;

/// Writes values behind each other.
#[derive(Debug, Default)]
pub struct Encoder {
    /// What was written.
    pub bytes: Vec<u8>,
}

impl Encoder {
    pub fn number(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.bytes.push(number as u8 | 0x80);
            number >>= 7;
        }
        self.bytes.push(number as u8);
    }

    pub fn text(&mut self, text: &str) {
        self.number(text.len() as u64);
        self.bytes.extend_from_slice(text.as_bytes());
    }

    pub fn texts(&mut self, texts: &[String]) {
        self.list(texts, |encoder, text| encoder.text(text));
    }

    fn optional(&mut self, text: Option<&str>) {
        self.number(text.is_some().into());
        if let Some(text) = text {
            self.text(text);
        }
    }

    pub fn list<T>(&mut self, items: &[T], mut write: impl FnMut(&mut Self, &T)) {
        self.number(items.len() as u64);
        for item in items {
            write(self, item);
        }
    }

    /// An advisory without what it affects.
    pub fn advisory(&mut self, advisory: &Advisory) {
        self.text(&advisory.id);
        self.texts(&advisory.aliases);
        self.texts(&advisory.covers);
        self.text(&advisory.summary);
        self.text(&advisory.published);
        self.text(&advisory.modified);
        self.optional(advisory.withdrawn.as_deref());
        self.texts(&advisory.ratings);
    }

    pub fn affected(&mut self, affected: &Affected) {
        self.text(&affected.ecosystem);
        self.text(&affected.name);
        self.list(&affected.ranges, |encoder, range| {
            encoder.number(range.semantic.into());
            encoder.list(&range.events, |encoder, event| {
                encoder.number(match event {
                    Event::Introduced(_) => 0,
                    Event::Fixed(_) => 1,
                    Event::LastAffected(_) => 2,
                    Event::Limit(_) => 3,
                });
                encoder.text(event.version());
            });
        });
        self.texts(&affected.versions);
        self.list(&affected.imports, |encoder, import| {
            encoder.text(&import.path);
            encoder.texts(&import.symbols);
            encoder.texts(&import.systems);
            encoder.texts(&import.architectures);
        });
        self.texts(&affected.ratings);
        self.optional(affected.notice.as_deref());
        self.number(affected.ranges_of_commits.into());
    }
}

/// Reads values from the front of bytes that nobody vouches for.
#[derive(Debug, Clone, Copy)]
pub struct Decoder<'b> {
    rest: &'b [u8],
}

impl<'b> Decoder<'b> {
    pub fn new(bytes: &'b [u8]) -> Self {
        Self { rest: bytes }
    }

    pub fn number(&mut self) -> Result<u64, Broken> {
        let mut number = 0_u64;
        for shift in (0..64).step_by(7) {
            let (byte, rest) = self.rest.split_first().ok_or(Broken)?;
            self.rest = rest;
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(Broken)
    }

    pub fn text(&mut self) -> Result<&'b str, Broken> {
        let length = usize::try_from(self.number()?).map_err(|_| Broken)?;
        let (text, rest) = self.rest.split_at_checked(length).ok_or(Broken)?;
        self.rest = rest;
        std::str::from_utf8(text).map_err(|_| Broken)
    }

    pub fn texts(&mut self) -> Result<Vec<String>, Broken> {
        self.list(|decoder| decoder.text().map(str::to_owned))
    }

    fn optional(&mut self) -> Result<Option<String>, Broken> {
        Ok(match self.number()? {
            0 => None,
            _ => Some(self.text()?.to_owned()),
        })
    }

    pub fn list<T>(&mut self, mut read: impl FnMut(&mut Self) -> Result<T, Broken>) -> Result<Vec<T>, Broken> {
        let count = self.number()?;
        // Every item takes a byte at least: a longer list is a lie, and would reserve memory for it.
        if count > self.rest.len() as u64 {
            return Err(Broken);
        }
        (0..count).map(|_| read(self)).collect()
    }

    pub fn advisory(&mut self) -> Result<Advisory, Broken> {
        Ok(Advisory {
            id: self.text()?.to_owned(),
            aliases: self.texts()?,
            covers: self.texts()?,
            summary: self.text()?.to_owned(),
            published: self.text()?.to_owned(),
            modified: self.text()?.to_owned(),
            withdrawn: self.optional()?,
            ratings: self.texts()?,
            affected: Vec::new(),
        })
    }

    pub fn affected(&mut self) -> Result<Affected, Broken> {
        Ok(Affected {
            ecosystem: self.text()?.to_owned(),
            name: self.text()?.to_owned(),
            ranges: self
                .list(|decoder| Ok(Range { semantic: decoder.number()? != 0, events: decoder.list(Self::event)? }))?,
            versions: self.texts()?,
            imports: self.list(|decoder| {
                Ok(Import {
                    path: decoder.text()?.to_owned(),
                    symbols: decoder.texts()?,
                    systems: decoder.texts()?,
                    architectures: decoder.texts()?,
                })
            })?,
            ratings: self.texts()?,
            notice: self.optional()?,
            ranges_of_commits: u32::try_from(self.number()?).map_err(|_| Broken)?,
        })
    }

    fn event(&mut self) -> Result<Event, Broken> {
        let kind = self.number()?;
        let version = self.text()?.to_owned();
        Ok(match kind {
            0 => Event::Introduced(version),
            1 => Event::Fixed(version),
            2 => Event::LastAffected(version),
            3 => Event::Limit(version),
            _ => return Err(Broken),
        })
    }
}
