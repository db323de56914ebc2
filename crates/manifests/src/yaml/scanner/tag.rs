//! `!tag`, `!!tag`, `!handle!tag` and `!<uri>`.

use super::Scanner;
use crate::yaml::build::SyntaxError;
use crate::yaml::cursor::Mark;
use crate::yaml::token::TokenKind;

impl<'t> Scanner<'t> {
    pub(super) fn scan_tag(&mut self) -> Result<TokenKind<'t>, SyntaxError> {
        let start = self.cursor.mark;
        let (handle, suffix) = if self.cursor.byte(1) == b'<' {
            self.cursor.skip_ascii(2);
            let suffix = self.scan_tag_uri("", start)?;
            if self.cursor.byte(0) != b'>' {
                return Err(self.bad_tag(start));
            }
            self.cursor.skip();
            (String::new(), suffix)
        } else {
            let handle = self.scan_tag_handle(start)?;
            if handle.len() > 1 && handle.ends_with('!') {
                let suffix = self.scan_tag_uri("", start)?;
                (handle, suffix)
            } else {
                // It was no handle: the rest of the tag follows. A lone `!` is a tag of its own.
                let suffix = self.scan_tag_uri(&handle, start)?;
                if suffix.is_empty() { (String::new(), "!".to_owned()) } else { ("!".to_owned(), suffix) }
            }
        };
        if !self.cursor.is_blank_or_end(0) {
            return Err(self.bad_tag(start));
        }
        Ok(TokenKind::Tag { handle, suffix })
    }

    pub(super) fn scan_tag_handle(&mut self, start: Mark) -> Result<String, SyntaxError> {
        if self.cursor.byte(0) != b'!' {
            return Err(self.bad_tag(start));
        }
        let mut handle = String::new();
        self.cursor.read(&mut handle);
        while self.cursor.is_word() {
            self.cursor.read(&mut handle);
        }
        if self.cursor.byte(0) == b'!' {
            self.cursor.read(&mut handle);
        }
        Ok(handle)
    }

    /// A URI behind `head`, whose `!` does not belong to it.
    pub(super) fn scan_tag_uri(&mut self, head: &str, start: Mark) -> Result<String, SyntaxError> {
        let mut uri: Vec<u8> = head.bytes().skip(1).collect();
        let mut is_given = !head.is_empty();
        loop {
            match self.cursor.byte(0) {
                b'%' => {
                    let digit = |byte: u8| char::from(byte).to_digit(16);
                    let (Some(high), Some(low)) = (digit(self.cursor.byte(1)), digit(self.cursor.byte(2))) else {
                        return Err(self.bad_tag(start));
                    };
                    uri.push((high << 4 | low) as u8);
                    self.cursor.skip_ascii(3);
                }
                byte if byte.is_ascii_alphanumeric() || b"_-;/?:@&=+$,.!~*'()[]".contains(&byte) => {
                    uri.push(byte);
                    self.cursor.skip();
                }
                _ => break,
            }
            is_given = true;
        }
        if !is_given {
            return Err(self.bad_tag(start));
        }
        String::from_utf8(uri).map_err(|_| self.bad_tag(start))
    }

    fn bad_tag(&self, start: Mark) -> SyntaxError {
        self.error(start, "`!` starts a tag, and this is none", Some("put the value in quotes when it is text"))
    }
}
