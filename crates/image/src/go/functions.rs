//! The names of a Go program's functions, from `pclntab`: a stripped program still has them.
//!
//! Since Go 1.16 the linker writes all names into one table, those of the functions that it linked and those of the
//! functions that the compiler inlined into them. So the table of names alone tells both, where the table of functions
//! lacks what was inlined, and the inline trees (`go:func.*`) of a stripped program can only be found by guessing.
//!
//! Source: `cmd/link/internal/ld/pcln.go` (`generateFuncnametab`, `walkFuncs`) and `internal/abi/symtab.go` of Go 1.26.

use std::fmt;
use std::sync::Arc;

use memchr::memmem;
use serde::{Serialize, Serializer};

use crate::elf::{Elf, number};
use crate::go::GoFunctions;

/// Reads the names of all functions that are linked into a Go program, inlined ones as well.
pub fn read_functions(elf: &Elf<'_>) -> GoFunctions {
    let unreadable = |why: &str| GoFunctions::Unreadable(why.to_owned());
    let Some(table) = find_table(elf) else {
        return unreadable("no table of functions in it: not Go's linker's, or packed");
    };
    let names = match Header::parse(table).map(|header| header.names(table)) {
        Some(Ok(names)) => names,
        Some(Err(why)) => return unreadable(why),
        None => return unreadable("its table of functions is cut off"),
    };
    // Every program has this one. Where it is missing, somebody has renamed what is linked.
    if !names.iter().any(|name| name == "runtime.main") {
        return unreadable("the names of its functions are obfuscated");
    }
    GoFunctions::Names(Arc::new(names))
}

/// Names of functions as the linker writes them: `net/http.(*Server).Serve`, `main.main.func1`.
///
/// One text and not a set: a large program has a hundred thousand.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct FunctionNames {
    /// Each name with a NUL behind it.
    text: Box<str>,
}

impl FunctionNames {
    /// All of them, in the linker's order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.text.split('\0').filter(|name| !name.is_empty())
    }
}

impl<'n> FromIterator<&'n str> for FunctionNames {
    fn from_iter<I: IntoIterator<Item = &'n str>>(names: I) -> Self {
        let text: String = names.into_iter().flat_map(|name| [name, "\0"]).collect();
        Self { text: text.into() }
    }
}

impl fmt::Debug for FunctionNames {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

impl Serialize for FunctionNames {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

/// Sections that hold the table; the second is that of position-independent programs.
const SECTIONS: &[&str] = &[".gopclntab", ".data.rel.ro.gopclntab"];

/// How a table begins, by the version of Go that wrote it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    /// Go 1.2 to 1.15: names lie between the descriptions of functions.
    Go12,
    /// Go 1.16 and 1.17.
    Go116,
    /// Go 1.18 and 1.19, and since 1.20 with another number in front: addresses count from the start of the code.
    Go118,
}

const FORMATS: &[(u32, Format)] = &[
    (0xffff_fffb, Format::Go12),
    (0xffff_fffa, Format::Go116),
    (0xffff_fff0, Format::Go118),
    (0xffff_fff1, Format::Go118),
];

/// The table to the end of what holds it: by its section, else by its first bytes.
fn find_table<'a>(elf: &Elf<'a>) -> Option<&'a [u8]> {
    SECTIONS
        .iter()
        .filter_map(|name| elf.section_bytes(elf.section(name)?))
        .find(|bytes| Header::parse(bytes).is_some())
        .or_else(|| {
            let segments = elf.segments.iter().filter(|segment| !segment.executable);
            segments.map(|segment| elf.segment_bytes(segment)).find_map(|bytes| search(elf.big_endian, bytes))
        })
}

fn search(big_endian: bool, bytes: &[u8]) -> Option<&[u8]> {
    FORMATS.iter().find_map(|(magic, _)| {
        let mut start = match big_endian {
            true => magic.to_be_bytes().to_vec(),
            false => magic.to_le_bytes().to_vec(),
        };
        start.extend([0, 0]);
        let mut found = memmem::find_iter(bytes, &start).map(|at| &bytes[at..]);
        // The same bytes can stand in a table of constants: debuggers are written in Go too.
        found.find(|table| Header::parse(table).is_some_and(|header| header.names(table).is_ok()))
    })
}

/// The beginning of a table.
struct Header {
    format: Format,
    /// How many functions it describes.
    functions: u64,
    /// Where the names begin, from the start of the table.
    names: u64,
    /// Where they end: the next table begins.
    names_end: u64,
}

impl Header {
    fn parse(table: &[u8]) -> Option<Self> {
        let start = table.get(..8)?;
        let (magic, big_endian) = [false, true].into_iter().find_map(|big_endian| {
            let magic = number(&start[..4], big_endian);
            FORMATS.iter().find(|(known, _)| u64::from(*known) == magic).map(|known| (known, big_endian))
        })?;
        let (0, 0, 1 | 2 | 4, size @ (4 | 8)) = (start[4], start[5], start[6], start[7]) else { return None };
        let word = |index: usize| {
            let at = 8 + index * usize::from(size);
            Some(number(table.get(at..at + usize::from(size))?, big_endian))
        };
        let format = magic.1;
        // nfunc, nfiles, (the start of the code,) names, units, ...
        let names = match format {
            Format::Go12 => return Some(Self { format, functions: word(0)?, names: 0, names_end: 0 }),
            Format::Go116 => 2,
            Format::Go118 => 3,
        };
        Some(Self { format, functions: word(0)?, names: word(names)?, names_end: word(names + 1)? })
    }

    fn names(&self, table: &[u8]) -> Result<FunctionNames, &'static str> {
        if self.format == Format::Go12 {
            return Err("built with Go 1.15 or older, whose table does not tell what was inlined");
        }
        let cut_off = "its table of functions is cut off";
        let (Ok(start), Ok(end)) = (usize::try_from(self.names), usize::try_from(self.names_end)) else {
            return Err(cut_off);
        };
        let bytes = table.get(start..end).ok_or(cut_off)?;
        let text = std::str::from_utf8(bytes).map_err(|_| "the names of its functions are no text")?;
        let names = FunctionNames { text: text.into() };
        let found = names.iter().count() as u64;
        // Every function has a name, and a few names serve two: an assembly function and its wrapper.
        if found == 0 || found < self.functions / 2 {
            return Err("its table of functions has fewer names than functions");
        }
        Ok(names)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::elf::Spans;

    /// A table of that format with these names, in 64 bits.
    fn table(magic: u32, code_start: bool, names: &[&str]) -> Vec<u8> {
        let text: String = names.iter().flat_map(|name| [*name, "\0"]).collect();
        let mut words = vec![names.len() as u64, 1];
        if code_start {
            words.push(0x40_1000);
        }
        let header = 8 + 8 * (words.len() as u64 + 5);
        words.extend([header, header + text.len() as u64, 0, 0, 0]);
        let mut table = magic.to_le_bytes().to_vec();
        table.extend([0, 0, 1, 8]);
        table.extend(words.iter().flat_map(|word| word.to_le_bytes()));
        table.extend(text.bytes());
        table.extend([0xff; 64]);
        table
    }

    fn read(table: &[u8]) -> Result<Vec<String>, &'static str> {
        let header = Header::parse(table).ok_or("no header")?;
        Ok(header.names(table)?.iter().map(str::to_owned).collect())
    }

    const NAMES: &[&str] = &["runtime.main", "main.main", "net/http.(*Server).Serve"];

    #[test]
    fn the_names_of_each_format_are_read() {
        for (magic, code_start) in [(0xffff_fffa, false), (0xffff_fff0, true), (0xffff_fff1, true)] {
            assert_eq!(read(&table(magic, code_start, NAMES)).expect("a whole table"), NAMES);
        }
        let old = table(0xffff_fffb, false, NAMES);
        assert_eq!(read(&old), Err("built with Go 1.15 or older, whose table does not tell what was inlined"));
    }

    #[test]
    fn a_table_without_a_section_is_found_by_its_first_bytes() {
        let mut bytes = vec![7; 333];
        // The number alone is no table.
        bytes.extend(0xffff_fff1_u32.to_le_bytes());
        bytes.extend([0, 0, 1, 8, 9, 9]);
        bytes.extend(table(0xffff_fff1, true, NAMES));
        let found = search(false, &bytes).expect("it is in there");
        assert_eq!(read(found).expect("a whole table"), NAMES);
    }

    #[test]
    fn broken_tables_are_refused_and_nothing_panics() {
        let whole = table(0xffff_fff1, true, NAMES);
        for length in 0..whole.len() {
            let _ = read(&whole[..length]);
        }
        for at in 0..whole.len() {
            for bit in 0..8 {
                let mut changed = whole.clone();
                changed[at] ^= 1 << bit;
                let _ = read(&changed);
                let _ = search(false, &changed);
            }
        }
        assert!(read(&whole[..60]).is_err());
    }

    #[test]
    fn a_program_that_is_not_gos_has_no_names() {
        let program = std::env::current_exe().and_then(std::fs::read).expect("the test runs from a file");
        let spans = Spans::whole(program);
        let elf = Elf::parse(&spans).expect("an ELF file");
        assert!(matches!(read_functions(&elf), GoFunctions::Unreadable(_)));
    }
}
