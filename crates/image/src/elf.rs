//! ELF files: sections, segments and what lies at an address, from bytes that nobody vouches for.

/// What of a file was kept: the ranges that matter, not the machine code of a large program.
#[derive(Debug, Default, Clone)]
pub struct Spans {
    /// (offset in the file, start in `bytes`), rising. A span ends where the next one starts in `bytes`.
    starts: Vec<(u64, usize)>,
    bytes: Vec<u8>,
}

impl Spans {
    /// A file that was kept whole.
    pub fn whole(bytes: Vec<u8>) -> Self {
        Self { starts: vec![(0, 0)], bytes }
    }

    /// Forgets all of it and keeps the memory.
    pub fn clear(&mut self) {
        self.starts.clear();
        self.bytes.clear();
    }

    /// Adds what lies at `offset`, which is not before the end of what was added last.
    pub fn push(&mut self, offset: u64, bytes: &[u8]) {
        let follows = self.starts.last().is_some_and(|(at, start)| at + (self.bytes.len() - start) as u64 == offset);
        if !follows {
            self.starts.push((offset, self.bytes.len()));
        }
        self.bytes.extend_from_slice(bytes);
    }

    /// How many bytes were kept.
    pub fn kept(&self) -> usize {
        self.bytes.len()
    }

    /// Everything that was kept, without its gaps: to search for a text.
    pub fn all(&self) -> &[u8] {
        &self.bytes
    }

    /// The bytes from `offset` to the end of their span, `length` at most.
    pub fn up_to(&self, offset: u64, length: usize) -> &[u8] {
        let next = self.starts.partition_point(|(at, _)| *at <= offset);
        let Some((at, start)) = next.checked_sub(1).map(|index| self.starts[index]) else { return &[] };
        let end = self.starts.get(next).map_or(self.bytes.len(), |(_, start)| *start);
        let span = &self.bytes[start..end];
        let Some(rest) = usize::try_from(offset - at).ok().and_then(|skip| span.get(skip..)) else { return &[] };
        &rest[..rest.len().min(length)]
    }

    /// `length` bytes at `offset`; `None` when not all of them were kept.
    pub fn at(&self, offset: u64, length: usize) -> Option<&[u8]> {
        Some(self.up_to(offset, length)).filter(|bytes| bytes.len() == length)
    }
}

/// A range of the file that is mapped into memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Segment {
    /// Where it lies in the file.
    pub offset: u64,
    /// Where it lies in memory.
    pub address: u64,
    /// Its bytes in the file.
    pub size: u64,
    /// Whether it can be run.
    pub executable: bool,
    /// Whether it can be written.
    pub writable: bool,
}

/// A named range of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section<'a> {
    /// `.gopclntab`.
    pub name: &'a str,
    /// Where it lies in memory; 0 when it is not loaded.
    pub address: u64,
    /// Where it lies in the file.
    pub offset: u64,
    /// Its size.
    pub size: u64,
}

/// An ELF file.
#[derive(Debug, Clone)]
pub struct Elf<'a> {
    spans: &'a Spans,
    /// Whether numbers are big-endian.
    pub big_endian: bool,
    /// 4 or 8.
    pub pointer_size: u8,
    /// `e_type`: 1 object, 2 program, 3 library or position-independent program, 4 core.
    pub kind: u16,
    /// The `PT_LOAD` segments, in the file's order.
    pub segments: Vec<Segment>,
    /// The sections; none when the table was stripped or not kept.
    pub sections: Vec<Section<'a>>,
    /// Whether it names an interpreter or needs libraries.
    pub is_dynamic: bool,
}

/// More sections or segments than this are read from no file: a kernel has some thousands of sections.
const MOST_HEADERS: usize = 65_535;

/// The longest name of a section that is read.
const LONGEST_NAME: usize = 64;

/// Where the executable code of a file lies, from its first bytes; nothing when they are not an ELF file's.
pub fn executable_ranges(head: &[u8]) -> Vec<(u64, u64)> {
    let spans = Spans::whole(head.to_vec());
    let Some(elf) = Elf::parse(&spans) else { return Vec::new() };
    elf.segments.iter().filter(|it| it.executable).map(|it| (it.offset, it.offset.saturating_add(it.size))).collect()
}

impl<'a> Elf<'a> {
    /// Reads the headers; `None` when it is no ELF file.
    pub fn parse(spans: &'a Spans) -> Option<Self> {
        let identity = spans.at(0, 16)?;
        let (pointer_size, big_endian) = match identity {
            [0x7f, b'E', b'L', b'F', class @ (1 | 2), order @ (1 | 2), ..] => (class * 4, *order == 2),
            _ => return None,
        };
        let mut elf = Self {
            spans,
            big_endian,
            pointer_size,
            kind: 0,
            segments: Vec::new(),
            sections: Vec::new(),
            is_dynamic: false,
        };
        elf.kind = elf.number(16, 2)? as u16;
        let wide = pointer_size == 8;
        let (program_headers, section_headers, counts) = match wide {
            true => (elf.number(32, 8)?, elf.number(40, 8)?, 54),
            false => (elf.number(28, 4)?, elf.number(32, 4)?, 42),
        };
        elf.read_segments(program_headers, elf.number(counts, 2)?, elf.number(counts + 2, 2)?);
        elf.read_sections(
            section_headers,
            elf.number(counts + 4, 2)?,
            elf.number(counts + 6, 2)?,
            elf.number(counts + 8, 2)?,
        );
        Some(elf)
    }

    fn read_segments(&mut self, table: u64, entry_size: u64, count: u64) {
        const LOAD: u64 = 1;
        const DYNAMIC: u64 = 2;
        let wide = self.pointer_size == 8;
        for index in 0..count.min(MOST_HEADERS as u64) {
            let Some(at) = index.checked_mul(entry_size).and_then(|skip| table.checked_add(skip)) else { return };
            let word = |offset: u64| self.number(at.checked_add(offset)?, if wide { 8 } else { 4 });
            let Some(kind) = self.number(at, 4) else { return };
            let fields = match wide {
                true => (self.number(at + 4, 4), word(8), word(16), word(32)),
                false => (word(24), word(4), word(8), word(16)),
            };
            let (Some(flags), Some(offset), Some(address), Some(size)) = fields else { return };
            self.is_dynamic |= kind == DYNAMIC;
            if kind == LOAD {
                let (executable, writable) = (flags & 1 != 0, flags & 2 != 0);
                self.segments.push(Segment { offset, address, size, executable, writable });
            }
        }
    }

    fn read_sections(&mut self, table: u64, entry_size: u64, count: u64, names: u64) {
        let Some(mut sections) = self.section_table(table, entry_size, count) else { return };
        // More than 65,279 sections: the first one tells how many, and where the names are.
        let names = match names {
            0xffff => self.number(table + if self.pointer_size == 8 { 40 } else { 24 }, 4).unwrap_or(0),
            names => names,
        };
        let Some(names) = usize::try_from(names).ok().and_then(|index| sections.get(index)).map(|(_, it)| it.offset)
        else {
            return;
        };
        for (name, section) in &mut sections {
            let bytes = names.checked_add(*name).map_or(&[][..], |at| self.spans.up_to(at, LONGEST_NAME));
            let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
            section.name = std::str::from_utf8(&bytes[..end]).unwrap_or("");
        }
        self.sections = sections.into_iter().map(|(_, section)| section).collect();
    }

    /// Each section with the place of its name; `None` when the table was not kept.
    fn section_table(&self, table: u64, entry_size: u64, count: u64) -> Option<Vec<(u64, Section<'a>)>> {
        let wide = self.pointer_size == 8;
        let word = |at: u64| self.number(at, if wide { 8 } else { 4 });
        let count = match count {
            0 if table > 0 => word(table.checked_add(if wide { 32 } else { 20 })?)?,
            count => count,
        };
        let mut sections = Vec::new();
        for index in 0..count.min(MOST_HEADERS as u64) {
            let at = table.checked_add(index.checked_mul(entry_size)?)?;
            let (address, offset, size) = match wide {
                true => (word(at.checked_add(16)?)?, word(at.checked_add(24)?)?, word(at.checked_add(32)?)?),
                false => (word(at.checked_add(12)?)?, word(at.checked_add(16)?)?, word(at.checked_add(20)?)?),
            };
            const NO_BITS: u64 = 8;
            let size = if self.number(at + 4, 4)? == NO_BITS { 0 } else { size };
            sections.push((self.number(at, 4)?, Section { name: "", address, offset, size }));
        }
        Some(sections)
    }

    /// The section of that name.
    pub fn section(&self, name: &str) -> Option<&Section<'a>> {
        self.sections.iter().find(|section| section.name == name)
    }

    /// The bytes of a section; `None` when they lie outside of the file or were not kept.
    pub fn section_bytes(&self, section: &Section<'_>) -> Option<&'a [u8]> {
        self.spans.at(section.offset, usize::try_from(section.size).ok()?)
    }

    /// The bytes of a segment, as many as were kept in one piece.
    pub fn segment_bytes(&self, segment: &Segment) -> &'a [u8] {
        self.spans.up_to(segment.offset, usize::try_from(segment.size).unwrap_or(usize::MAX))
    }

    /// `length` bytes at an address of the program's memory.
    pub fn memory(&self, address: u64, length: usize) -> Option<&'a [u8]> {
        let inside = |it: &&Segment| address >= it.address && address - it.address < it.size;
        let segment = self.segments.iter().find(inside)?;
        let skip = address - segment.address;
        if length as u64 > segment.size - skip {
            return None;
        }
        self.spans.at(segment.offset.checked_add(skip)?, length)
    }

    /// A pointer that lies in `bytes`.
    pub fn pointer(&self, bytes: &[u8]) -> Option<u64> {
        Some(number(bytes.get(..usize::from(self.pointer_size))?, self.big_endian))
    }

    /// What was kept of the file.
    pub fn spans(&self) -> &'a Spans {
        self.spans
    }

    fn number(&self, offset: u64, size: usize) -> Option<u64> {
        Some(number(self.spans.at(offset, size)?, self.big_endian))
    }
}

/// A number of up to eight bytes.
pub fn number(bytes: &[u8], big_endian: bool) -> u64 {
    let add = |sum: u64, byte: &u8| (sum << 8) | u64::from(*byte);
    match big_endian {
        true => bytes.iter().fold(0, add),
        false => bytes.iter().rev().fold(0, add),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_kept_cannot_be_read() {
        let mut spans = Spans::default();
        spans.push(0, b"abcd");
        spans.push(4, b"ef");
        spans.push(100, b"xyz");
        assert_eq!(spans.at(2, 4), Some(&b"cdef"[..]));
        assert_eq!(spans.at(2, 5), None);
        assert_eq!(spans.at(101, 2), Some(&b"yz"[..]));
        assert_eq!((spans.at(50, 1), spans.up_to(50, 1)), (None, &[][..]));
        assert_eq!(spans.up_to(4, 10), b"ef");
    }

    #[test]
    fn the_tests_own_program_has_its_sections() {
        let program = std::env::current_exe().and_then(std::fs::read).expect("the test runs from a file");
        let spans = Spans::whole(program);
        let elf = Elf::parse(&spans).expect("an ELF file");
        let text = elf.section(".text").expect("a program has code");
        assert!(elf.segments.iter().any(|it| it.executable && it.address <= text.address));
        assert_eq!(elf.section_bytes(text), elf.memory(text.address, text.size as usize));
        assert!(elf.is_dynamic && elf.section(".comment").is_some());
    }
}
