//! `%YAML` and `%TAG`.

use super::Scanner;
use crate::yaml::build::SyntaxError;
use crate::yaml::cursor::Mark;
use crate::yaml::token::TokenKind;

impl<'t> Scanner<'t> {
    pub(super) fn scan_directive(&mut self) -> Result<TokenKind<'t>, SyntaxError> {
        let start = self.cursor.mark;
        self.cursor.skip();
        let name_start = self.cursor.offset();
        while self.cursor.is_word() {
            self.cursor.skip();
        }
        let name = self.cursor.slice(name_start, self.cursor.offset());
        if !self.cursor.is_blank_or_end(0) {
            return Err(self.bad_directive(start));
        }
        self.cursor.skip_blanks();
        let kind = match name {
            "YAML" => self.scan_version(start)?,
            "TAG" => self.scan_tag_directive(start)?,
            _ => return Err(self.bad_directive(start)),
        };
        self.cursor.skip_blanks();
        self.cursor.skip_comment();
        if !self.cursor.is_break_or_end(0) {
            return Err(self.bad_directive(start));
        }
        self.cursor.skip_line();
        Ok(kind)
    }

    fn scan_version(&mut self, start: Mark) -> Result<TokenKind<'t>, SyntaxError> {
        let major = self.scan_version_number(start)?;
        if self.cursor.byte(0) != b'.' {
            return Err(self.bad_directive(start));
        }
        self.cursor.skip();
        let minor = self.scan_version_number(start)?;
        Ok(TokenKind::VersionDirective(major, minor))
    }

    fn scan_version_number(&mut self, start: Mark) -> Result<u32, SyntaxError> {
        let (mut value, mut digits) = (0, 0);
        while let digit @ b'0'..=b'9' = self.cursor.byte(0) {
            digits += 1;
            if digits > 2 {
                return Err(self.bad_directive(start));
            }
            value = value * 10 + u32::from(digit - b'0');
            self.cursor.skip();
        }
        if digits == 0 { Err(self.bad_directive(start)) } else { Ok(value) }
    }

    fn scan_tag_directive(&mut self, start: Mark) -> Result<TokenKind<'t>, SyntaxError> {
        let handle = self.scan_tag_handle(start)?;
        let is_handle = handle == "!" || (handle.len() > 1 && handle.ends_with('!'));
        if !is_handle || !self.cursor.is_blank(0) {
            return Err(self.bad_directive(start));
        }
        self.cursor.skip_blanks();
        let prefix = self.scan_tag_uri("", start)?;
        if !self.cursor.is_blank_or_end(0) {
            return Err(self.bad_directive(start));
        }
        Ok(TokenKind::TagDirective { handle, prefix })
    }

    fn bad_directive(&self, start: Mark) -> SyntaxError {
        self.error(
            start,
            "`%` starts a directive, and this is none",
            Some("remove the line, or put the value in quotes"),
        )
    }
}
