//! What Go's linker wrote into a program: the version of Go, and since 1.13 the modules.
//!
//! Source: Go's `debug/buildinfo` and `runtime/debug.ParseBuildInfo`, which tell the formats of 1.13 and of 1.18.

use crate::elf::{Elf, number};
use crate::go::{GoBinary, GoFunctions, GoModule};

const MAGIC: &[u8] = b"\xff Go buildinf:";

/// The header begins at a multiple of this.
const ALIGNMENT: usize = 16;

/// Modules of one program: kubernetes has some 250.
const MOST_MODULES: usize = 20_000;

/// The longest text of modules that is read; a line a module.
const LONGEST_TEXT: usize = 16 << 20;

/// What a program says of itself; `None` when there is no build information.
pub fn read_build_info(elf: &Elf<'_>) -> Option<GoBinary> {
    let data = find_header(elf)?;
    let (version, modules) = match data[15] & 2 != 0 {
        true => inline_texts(data)?,
        false => pointed_texts(elf, data)?,
    };
    let version = std::str::from_utf8(version).ok().filter(|version| !version.is_empty())?;
    let mut binary = parse_modules(without_sentinels(modules));
    binary.go_version = version.to_owned();
    Some(binary)
}

/// The bytes from the header on.
fn find_header<'a>(elf: &Elf<'a>) -> Option<&'a [u8]> {
    let named = elf.section(".go.buildinfo").and_then(|section| elf.section_bytes(section));
    let places = named.into_iter().chain(
        // Without section headers: the linker puts it at the beginning of the data, which is not always the first page.
        elf.segments.iter().filter(|it| it.writable && !it.executable).map(|segment| elf.segment_bytes(segment)),
    );
    places.into_iter().find_map(|bytes| {
        let mut from = 0;
        while let Some(at) = memchr::memmem::find(&bytes[from..], MAGIC) {
            if (from + at).is_multiple_of(ALIGNMENT) && bytes.len() - (from + at) >= 32 {
                return Some(&bytes[from + at..]);
            }
            from += at + 1;
        }
        None
    })
}

/// Since Go 1.18 both texts follow the header, each after its length.
fn inline_texts(data: &[u8]) -> Option<(&[u8], &[u8])> {
    let (version, rest) = text_with_length(&data[32..])?;
    let modules = text_with_length(rest).map_or(&[][..], |(text, _)| text);
    Some((version, modules))
}

fn text_with_length(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut length: u64 = 0;
    for (index, byte) in bytes.iter().take(10).enumerate() {
        length |= u64::from(byte & 0x7f).checked_shl(7 * index as u32)?;
        if byte & 0x80 == 0 {
            let length = usize::try_from(length).ok().filter(|length| *length <= LONGEST_TEXT)?;
            return bytes[index + 1..].split_at_checked(length);
        }
    }
    None
}

/// Before, the header points to two string headers.
fn pointed_texts<'a>(elf: &Elf<'a>, data: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let size = usize::from(data[14]);
    let big_endian = data[15] & 1 != 0;
    if size != 4 && size != 8 {
        return None;
    }
    let text = |at: usize| {
        let header = elf.memory(number(data.get(at..at + size)?, big_endian), 2 * size)?;
        let length = usize::try_from(number(&header[size..], big_endian)).ok()?;
        elf.memory(number(&header[..size], big_endian), Some(length).filter(|it| *it <= LONGEST_TEXT)?)
    };
    Some((text(16)?, text(16 + size).unwrap_or(&[])))
}

/// The text lies between two marks of 16 bytes, by which a program could be searched for it.
fn without_sentinels(text: &[u8]) -> &[u8] {
    match text.len() >= 33 && text[text.len() - 17] == b'\n' {
        true => &text[16..text.len() - 16],
        false => &[],
    }
}

/// Lines of `key<tab>value...`.
fn parse_modules(text: &[u8]) -> GoBinary {
    let mut binary = GoBinary {
        go_version: String::new(),
        path: String::new(),
        main: None,
        modules: Vec::new(),
        settings: Vec::new(),
        functions: GoFunctions::NotRead,
    };
    let mut last_is_main = false;
    for line in String::from_utf8_lossy(text).lines() {
        let fields: Vec<&str> = line.split('\t').collect();
        match fields.as_slice() {
            ["path", path] => binary.path = (*path).to_owned(),
            ["mod", path, rest @ ..] => {
                binary.main = Some(module(path, rest));
                last_is_main = true;
            }
            ["dep", path, rest @ ..] if binary.modules.len() < MOST_MODULES => {
                binary.modules.push(module(path, rest));
                last_is_main = false;
            }
            ["=>", path, rest @ ..] => {
                let replaced = if last_is_main { binary.main.as_mut() } else { binary.modules.last_mut() };
                if let Some(replaced) = replaced {
                    let by = module(path, rest);
                    *replaced = GoModule { replaces: Some(replaced.path.clone()), ..by };
                }
            }
            ["build", setting, ..] => {
                if let Some((key, value)) = setting.split_once('=') {
                    binary.settings.push((unquoted(key), unquoted(value)));
                }
            }
            _ => {}
        }
    }
    binary.modules.sort();
    binary
}

fn module(path: &str, rest: &[&str]) -> GoModule {
    GoModule { path: path.to_owned(), version: rest.first().copied().unwrap_or("").to_owned(), replaces: None }
}

/// A key or value with a space or quote in it is written as a Go string.
fn unquoted(text: &str) -> String {
    let Some(inner) = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')) else {
        return text.trim_matches('`').to_owned();
    };
    let mut plain = String::new();
    let mut characters = inner.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => match characters.next() {
                Some('n') => plain.push('\n'),
                Some('t') => plain.push('\t'),
                Some(other) => plain.push(other),
                None => {}
            },
            other => plain.push(other),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules_replaced_ones_and_settings_are_read() {
        let text = "path\texample.test/app/cmd/app\nmod\texample.test/app\t(devel)\t\n\
                    dep\tgolang.org/x/text\tv0.3.6\th1:x=\n\
                    dep\tgolang.org/x/net\tv0.1.0\n=>\texample.test/fork/net\tv0.2.0\th1:y=\n\
                    build\t-compiler=gc\nbuild\t-ldflags=\"-X main.version=v1.2.3 -s\"\n";
        let binary = parse_modules(text.as_bytes());
        assert_eq!(binary.path, "example.test/app/cmd/app");
        assert_eq!(binary.main.expect("a main module").version, "(devel)");
        let modules: Vec<_> = binary.modules.iter().map(|it| (it.path.as_str(), it.replaces.as_deref())).collect();
        assert_eq!(modules, [("example.test/fork/net", Some("golang.org/x/net")), ("golang.org/x/text", None)]);
        assert_eq!(binary.settings[1].1, "-X main.version=v1.2.3 -s");
    }

    #[test]
    fn a_length_past_the_end_is_no_text() {
        assert_eq!(text_with_length(b"\x03abcd"), Some((&b"abc"[..], &b"d"[..])));
        assert_eq!(text_with_length(b"\x09abc"), None);
        assert_eq!(text_with_length(&[0xff; 12]), None);
    }
}
