//! Reads a run of JSON values. YAML is nearly a superset: JSON's tabs and its escapes of surrogate pairs are not
//! in it, and `kubectl` takes them.

use super::build::{Builder, Position, ScalarText, SyntaxError};
use super::tree::Document;

/// The JSON values in `text`, or `None` when it is not JSON throughout.
pub(super) fn parse_json(text: &str, first_line: u32) -> Option<Vec<Document>> {
    let mut reader = Reader { bytes: text.as_bytes(), text, at: 0, line: first_line, line_start: 0 };
    let mut documents = Vec::new();
    reader.skip_space();
    while reader.at < reader.bytes.len() {
        let mut builder = Builder::new(0);
        reader.value(&mut builder)?;
        documents.push(builder.finish().ok()??);
        reader.skip_space();
    }
    Some(documents)
}

struct Reader<'t> {
    text: &'t str,
    bytes: &'t [u8],
    at: usize,
    line: u32,
    line_start: usize,
}

impl Reader<'_> {
    /// Reads one value. A loop with a stack of its own: depth must not cost call stack.
    fn value(&mut self, builder: &mut Builder) -> Option<()> {
        let mut open: Vec<Collection> = Vec::new();
        loop {
            self.skip_space();
            let position = self.position();
            match self.bytes.get(self.at)? {
                b'{' => {
                    self.at += 1;
                    ok(builder.start(0, position))?;
                    open.push(Collection::Object);
                    if self.next_is(b'}') {
                        self.close(builder, &mut open)?;
                    } else {
                        self.key(builder)?;
                        continue;
                    }
                }
                b'[' => {
                    self.at += 1;
                    ok(builder.start(0, position))?;
                    open.push(Collection::Array);
                    if self.next_is(b']') {
                        self.close(builder, &mut open)?;
                    } else {
                        continue;
                    }
                }
                b'"' => {
                    let text = self.string()?;
                    ok(builder.scalar(ScalarText { text: &text, is_plain: false, tag: None }, 0, position))?;
                }
                _ => {
                    let word = self.word()?;
                    ok(builder.scalar(ScalarText { text: word, is_plain: true, tag: None }, 0, position))?;
                }
            }
            // A value is complete: close what ends here, or go on to the next one.
            loop {
                let Some(collection) = open.last() else { return Some(()) };
                if self.next_is(b',') {
                    self.at += 1;
                    if matches!(collection, Collection::Object) {
                        self.skip_space();
                        self.key(builder)?;
                    }
                    break;
                }
                self.close(builder, &mut open)?;
            }
        }
    }

    fn close(&mut self, builder: &mut Builder, open: &mut Vec<Collection>) -> Option<()> {
        match open.pop()? {
            Collection::Object if self.next_is(b'}') => ok(builder.end_mapping())?,
            Collection::Array if self.next_is(b']') => ok(builder.end_sequence())?,
            Collection::Object | Collection::Array => return None,
        }
        self.at += 1;
        Some(())
    }

    fn key(&mut self, builder: &mut Builder) -> Option<()> {
        let position = self.position();
        let text = self.string()?;
        ok(builder.scalar(ScalarText { text: &text, is_plain: false, tag: None }, 0, position))?;
        if !self.next_is(b':') {
            return None;
        }
        self.at += 1;
        Some(())
    }

    /// `true`, `false`, `null` or a number, in JSON's own grammar: what YAML would read beyond it is not JSON.
    fn word(&mut self) -> Option<&str> {
        let rest = &self.text[self.at..];
        let end = rest
            .bytes()
            .position(|byte| !(byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.')))
            .unwrap_or(rest.len());
        let word = &rest[..end];
        if !matches!(word, "true" | "false" | "null") && !is_json_number(word) {
            return None;
        }
        self.at += end;
        Some(word)
    }

    fn string(&mut self) -> Option<std::borrow::Cow<'static, str>> {
        if self.bytes.get(self.at) != Some(&b'"') {
            return None;
        }
        self.at += 1;
        let mut out = String::new();
        loop {
            let start = self.at;
            while !matches!(self.bytes.get(self.at)?, b'"' | b'\\' | 0..=0x1f) {
                self.at += 1;
            }
            out.push_str(&self.text[start..self.at]);
            match self.bytes[self.at] {
                b'"' => {
                    self.at += 1;
                    return Some(out.into());
                }
                b'\\' => out.push(self.escape()?),
                _ => return None,
            }
        }
    }

    fn escape(&mut self) -> Option<char> {
        let letter = *self.bytes.get(self.at + 1)?;
        self.at += 2;
        Some(match letter {
            b'"' | b'\\' | b'/' => letter as char,
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let first = self.hex4()?;
                let is_pair = (0xd800..0xdc00).contains(&first) && self.bytes[self.at..].starts_with(b"\\u");
                if !is_pair {
                    // As in Go: half a pair is the replacement character.
                    return Some(char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER));
                }
                let before = self.at;
                self.at += 2;
                let second = self.hex4()?;
                if (0xdc00..0xe000).contains(&second) {
                    char::from_u32(0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00))?
                } else {
                    self.at = before;
                    char::REPLACEMENT_CHARACTER
                }
            }
            _ => return None,
        })
    }

    fn hex4(&mut self) -> Option<u32> {
        let digits = self.bytes.get(self.at..self.at + 4)?;
        if !digits.iter().all(u8::is_ascii_hexdigit) {
            return None;
        }
        let value = u32::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
        self.at += 4;
        Some(value)
    }

    fn next_is(&mut self, byte: u8) -> bool {
        self.skip_space();
        self.bytes.get(self.at) == Some(&byte)
    }

    fn skip_space(&mut self) {
        while let Some(byte @ (b' ' | b'\t' | b'\n' | b'\r')) = self.bytes.get(self.at) {
            self.at += 1;
            if *byte == b'\n' {
                self.line += 1;
                self.line_start = self.at;
            }
        }
    }

    /// The column is in bytes: counting characters would be quadratic in JSON without line breaks.
    fn position(&self) -> Position {
        Position { line: self.line, column: (self.at - self.line_start) as u32 + 1 }
    }
}

enum Collection {
    Object,
    Array,
}

/// What breaks a limit is left to the YAML parser, which then names the limit.
fn ok(result: Result<(), SyntaxError>) -> Option<()> {
    result.ok()
}

/// `-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?`
fn is_json_number(word: &str) -> bool {
    let unsigned = word.strip_prefix('-').unwrap_or(word);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent.strip_prefix(['+', '-']).unwrap_or(exponent))),
        None => (unsigned, None),
    };
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (mantissa, None),
    };
    let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_digits(whole)
        && (whole == "0" || !whole.starts_with('0'))
        && fraction.is_none_or(is_digits)
        && exponent.is_none_or(is_digits)
}
