//! Scalars without quotes.

use std::borrow::Cow;

use super::Scanner;
use super::flow_scalar::fold;
use crate::yaml::build::SyntaxError;

impl<'t> Scanner<'t> {
    pub(super) fn scan_plain_scalar(&mut self) -> Result<Cow<'t, str>, SyntaxError> {
        let indent = self.indent + 1;
        // Lines before the last one, folded; the last one as a slice.
        let mut folded = String::new();
        let (mut line_start, mut line_end) = (self.cursor.offset(), self.cursor.offset());
        let (mut leading_break, mut trailing_breaks) = (String::new(), String::new());
        let mut is_behind_break = false;
        loop {
            if self.cursor.is_document_marker() || self.cursor.byte(0) == b'#' {
                break;
            }
            while !self.cursor.is_blank_or_end(0) && !self.ends_plain() {
                if is_behind_break {
                    folded.push_str(self.cursor.slice(line_start, line_end));
                    fold(&mut folded, &leading_break, &trailing_breaks);
                    leading_break.clear();
                    trailing_breaks.clear();
                    line_start = self.cursor.offset();
                    is_behind_break = false;
                }
                self.cursor.skip();
                line_end = self.cursor.offset();
            }
            if !(self.cursor.is_blank(0) || self.cursor.is_break(0)) {
                break;
            }
            while self.cursor.is_blank(0) || self.cursor.is_break(0) {
                if self.cursor.is_blank(0) {
                    let is_indentation = is_behind_break && (self.cursor.mark.column as isize) < indent;
                    if is_indentation && self.cursor.byte(0) == b'\t' {
                        let hint = "indent with spaces: YAML allows no tabs there";
                        return Err(self.error(self.cursor.mark, "a tab in the indentation of a value", Some(hint)));
                    }
                    self.cursor.skip();
                } else if is_behind_break {
                    self.cursor.read_line(&mut trailing_breaks);
                } else {
                    self.cursor.read_line(&mut leading_break);
                    is_behind_break = true;
                }
            }
            if self.flow_level == 0 && (self.cursor.mark.column as isize) < indent {
                break;
            }
        }
        if is_behind_break {
            self.simple_key_allowed = true;
        }
        let last = self.cursor.slice(line_start, line_end);
        if folded.is_empty() {
            return Ok(last.into());
        }
        folded.push_str(last);
        Ok(folded.into())
    }

    /// An indicator that ends a plain scalar: `: `, and in flow collections their own.
    fn ends_plain(&self) -> bool {
        match self.cursor.byte(0) {
            b':' => self.cursor.is_blank_or_end(1),
            b',' | b'?' | b'[' | b']' | b'{' | b'}' => self.flow_level > 0,
            _ => false,
        }
    }
}
