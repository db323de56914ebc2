//! `|` and `>` scalars.

use super::Scanner;
use crate::yaml::build::SyntaxError;
use crate::yaml::cursor::Mark;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Chomping {
    Strip,
    Clip,
    Keep,
}

impl Scanner<'_> {
    pub(super) fn scan_block_scalar(&mut self, is_literal: bool) -> Result<String, SyntaxError> {
        let start = self.cursor.mark;
        self.cursor.skip();
        let (chomping, increment) = self.scan_block_header(start)?;
        let mut indent = match increment {
            0 => 0,
            increment => self.indent.max(0) as usize + increment,
        };
        let (mut text, mut leading_break, mut trailing_breaks) = (String::new(), String::new(), String::new());
        self.scan_block_breaks(&mut indent, &mut trailing_breaks)?;
        let mut leading_blank = false;
        while self.cursor.mark.column == indent && !self.cursor.is_end() {
            let trailing_blank = self.cursor.is_blank(0);
            if !is_literal && !leading_blank && !trailing_blank && leading_break.starts_with('\n') {
                if trailing_breaks.is_empty() {
                    text.push(' ');
                }
            } else {
                text.push_str(&leading_break);
            }
            leading_break.clear();
            text.push_str(&trailing_breaks);
            trailing_breaks.clear();
            leading_blank = trailing_blank;
            let line_start = self.cursor.offset();
            while !self.cursor.is_break_or_end(0) {
                self.cursor.skip();
            }
            text.push_str(self.cursor.slice(line_start, self.cursor.offset()));
            self.cursor.read_line(&mut leading_break);
            self.scan_block_breaks(&mut indent, &mut trailing_breaks)?;
        }
        if chomping != Chomping::Strip {
            text.push_str(&leading_break);
        }
        if chomping == Chomping::Keep {
            text.push_str(&trailing_breaks);
        }
        Ok(text)
    }

    /// The indicators behind `|` or `>` in either order, up to the end of the line.
    fn scan_block_header(&mut self, start: Mark) -> Result<(Chomping, usize), SyntaxError> {
        let (chomping, increment) = match self.scan_chomping() {
            Some(chomping) => (chomping, self.scan_increment(start)?),
            None => {
                let increment = self.scan_increment(start)?;
                let chomping = if increment > 0 { self.scan_chomping() } else { None };
                (chomping.unwrap_or(Chomping::Clip), increment)
            }
        };
        self.cursor.skip_blanks();
        self.cursor.skip_comment();
        if !self.cursor.is_break_or_end(0) {
            let hint = "put the value in quotes, or start the text on the next line";
            return Err(self.error(self.cursor.mark, "text behind `|` or `>`", Some(hint)));
        }
        self.cursor.skip_line();
        Ok((chomping, increment))
    }

    fn scan_chomping(&mut self) -> Option<Chomping> {
        let chomping = match self.cursor.byte(0) {
            b'+' => Chomping::Keep,
            b'-' => Chomping::Strip,
            _ => return None,
        };
        self.cursor.skip();
        Some(chomping)
    }

    fn scan_increment(&mut self, start: Mark) -> Result<usize, SyntaxError> {
        match self.cursor.byte(0) {
            b'0' => Err(self.error(start, "an indentation of 0 behind `|` or `>`", Some("use 1 to 9"))),
            digit @ b'1'..=b'9' => {
                self.cursor.skip();
                Ok(usize::from(digit - b'0'))
            }
            _ => Ok(0),
        }
    }

    /// Over indentation and empty lines; finds the indentation when it is not known yet.
    fn scan_block_breaks(&mut self, indent: &mut usize, breaks: &mut String) -> Result<(), SyntaxError> {
        let mut deepest = 0;
        loop {
            while (*indent == 0 || self.cursor.mark.column < *indent) && self.cursor.byte(0) == b' ' {
                self.cursor.skip();
            }
            deepest = deepest.max(self.cursor.mark.column);
            if (*indent == 0 || self.cursor.mark.column < *indent) && self.cursor.byte(0) == b'\t' {
                let hint = "indent with spaces: YAML allows no tabs there";
                return Err(self.error(self.cursor.mark, "a tab in the indentation of a block", Some(hint)));
            }
            if !self.cursor.is_break(0) {
                break;
            }
            self.cursor.read_line(breaks);
        }
        if *indent == 0 {
            *indent = deepest.max((self.indent + 1) as usize).max(1);
        }
        Ok(())
    }
}
