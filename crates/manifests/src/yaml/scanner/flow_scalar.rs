//! Quoted scalars.

use std::borrow::Cow;

use super::Scanner;
use crate::yaml::build::SyntaxError;
use crate::yaml::cursor::Mark;

impl<'t> Scanner<'t> {
    pub(super) fn scan_flow_scalar(&mut self, is_single: bool) -> Result<Cow<'t, str>, SyntaxError> {
        let start = self.cursor.mark;
        let quote = if is_single { b'\'' } else { b'"' };
        self.cursor.skip();
        if let Some(text) = self.scan_simple_quoted(quote) {
            return Ok(text.into());
        }
        let mut text = String::new();
        loop {
            if self.cursor.is_document_marker() {
                return Err(self.unclosed_quote(start, "a document marker"));
            }
            if self.cursor.is_end() {
                return Err(self.unclosed_quote(start, "the end of the document"));
            }
            let is_folded = self.scan_quoted_word(&mut text, quote)?;
            if self.cursor.byte(0) == quote {
                break;
            }
            self.scan_quoted_space(&mut text, is_folded);
        }
        self.cursor.skip();
        Ok(text.into())
    }

    /// A scalar that ends on its line and needs no change: the usual case, without a copy.
    fn scan_simple_quoted(&mut self, quote: u8) -> Option<&'t str> {
        let mut len = 0;
        loop {
            match self.cursor.byte(len) {
                byte if byte == quote => break,
                b'\\' if quote == b'"' => return None,
                b' '..=b'~' | b'\t' => len += 1,
                _ => return None,
            }
        }
        let is_doubled = quote == b'\'' && self.cursor.byte(len + 1) == b'\'';
        if is_doubled {
            return None;
        }
        let start = self.cursor.offset();
        self.cursor.skip_ascii(len + 1);
        Some(self.cursor.slice(start, start + len))
    }

    /// Characters up to a blank or the quote. True when an escaped line break ended them.
    fn scan_quoted_word(&mut self, text: &mut String, quote: u8) -> Result<bool, SyntaxError> {
        while !self.cursor.is_blank_or_end(0) {
            let byte = self.cursor.byte(0);
            if quote == b'\'' && byte == b'\'' && self.cursor.byte(1) == b'\'' {
                text.push('\'');
                self.cursor.skip_ascii(2);
            } else if byte == quote {
                break;
            } else if quote == b'"' && byte == b'\\' {
                if self.cursor.is_break(1) {
                    self.cursor.skip();
                    self.cursor.skip_line();
                    return Ok(true);
                }
                self.scan_escape(text)?;
            } else {
                self.cursor.read(text);
            }
        }
        Ok(false)
    }

    fn scan_escape(&mut self, text: &mut String) -> Result<(), SyntaxError> {
        let digits = match self.cursor.byte(1) {
            b'0' => return self.push_escape(text, '\0'),
            b'a' => return self.push_escape(text, '\u{7}'),
            b'b' => return self.push_escape(text, '\u{8}'),
            b't' | b'\t' => return self.push_escape(text, '\t'),
            b'n' => return self.push_escape(text, '\n'),
            b'v' => return self.push_escape(text, '\u{b}'),
            b'f' => return self.push_escape(text, '\u{c}'),
            b'r' => return self.push_escape(text, '\r'),
            b'e' => return self.push_escape(text, '\u{1b}'),
            byte @ (b' ' | b'"' | b'\'' | b'\\') => return self.push_escape(text, char::from(byte)),
            b'N' => return self.push_escape(text, '\u{85}'),
            b'_' => return self.push_escape(text, '\u{a0}'),
            b'L' => return self.push_escape(text, '\u{2028}'),
            b'P' => return self.push_escape(text, '\u{2029}'),
            b'x' => 2,
            b'u' => 4,
            b'U' => 8,
            _ => {
                let hint = "write `\\\\` for a backslash, or use single quotes";
                return Err(self.error(self.cursor.mark, "an escape that YAML does not know", Some(hint)));
            }
        };
        let mut value = 0u32;
        for ahead in 0..digits {
            let Some(digit) = char::from(self.cursor.byte(2 + ahead)).to_digit(16) else {
                return Err(self.error(
                    self.cursor.mark,
                    &format!("an escape needs {digits} hexadecimal digits"),
                    None,
                ));
            };
            value = value << 4 | digit;
        }
        let Some(character) = char::from_u32(value) else {
            return Err(self.error(self.cursor.mark, "an escape that is no character", None));
        };
        text.push(character);
        self.cursor.skip_ascii(2 + digits);
        Ok(())
    }

    fn push_escape(&mut self, text: &mut String, character: char) -> Result<(), SyntaxError> {
        text.push(character);
        self.cursor.skip_ascii(2);
        Ok(())
    }

    /// Blanks and line breaks between words: kept on one line, folded over several.
    fn scan_quoted_space(&mut self, text: &mut String, mut is_folded: bool) {
        let (mut blanks, mut leading_break, mut trailing_breaks) = (String::new(), String::new(), String::new());
        while self.cursor.is_blank(0) || self.cursor.is_break(0) {
            if self.cursor.is_blank(0) {
                if is_folded {
                    self.cursor.skip();
                } else {
                    self.cursor.read(&mut blanks);
                }
            } else if is_folded {
                self.cursor.read_line(&mut trailing_breaks);
            } else {
                blanks.clear();
                self.cursor.read_line(&mut leading_break);
                is_folded = true;
            }
        }
        if is_folded {
            fold(text, &leading_break, &trailing_breaks);
        } else {
            text.push_str(&blanks);
        }
    }

    fn unclosed_quote(&self, start: Mark, found: &str) -> SyntaxError {
        let message = format!("a quote that is not closed before {found}");
        self.error(start, &message, Some("add the closing quote"))
    }
}

/// One line break becomes a space, more become one less.
pub(super) fn fold(text: &mut String, leading_break: &str, trailing_breaks: &str) {
    if leading_break.starts_with('\n') {
        if trailing_breaks.is_empty() {
            text.push(' ');
        }
    } else {
        text.push_str(leading_break);
    }
    text.push_str(trailing_breaks);
}
