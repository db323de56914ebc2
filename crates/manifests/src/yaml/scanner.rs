//! From text to tokens: indentation, simple keys and indicators.
//!
//! The grammar is that of libyaml in go-yaml v2's form, peculiarities included: what `kubectl` takes is taken, and
//! what it refuses is refused. Held against it by the tests in `goyaml.rs`.

mod block_scalar;
mod directive;
mod flow_scalar;
mod plain_scalar;
mod tag;

use std::collections::VecDeque;

use super::build::{Position, SyntaxError};
use super::cursor::{Cursor, Mark};
use super::token::{Token, TokenKind};

/// A simple key (one without `?`) ends within so many characters. Source: YAML 1.1, 7.3.3.
const SIMPLE_KEY_LENGTH: usize = 1024;

#[derive(Debug)]
pub(super) struct Scanner<'t> {
    cursor: Cursor<'t>,
    first_line: u32,
    queue: VecDeque<Token<'t>>,
    /// Tokens that have left the queue: the number of the one at its head.
    taken: usize,
    is_ended: bool,
    /// Column of the block collection that is open, -1 outside of all.
    indent: isize,
    indents: Vec<isize>,
    flow_level: usize,
    simple_key_allowed: bool,
    /// The last possible simple key of each flow level.
    simple_keys: Vec<SimpleKey>,
    /// (number of the token, flow level) of the keys that are still possible.
    keys_by_token: Vec<(usize, usize)>,
}

#[derive(Debug, Clone, Copy)]
struct SimpleKey {
    is_possible: bool,
    is_required: bool,
    token: usize,
    mark: Mark,
}

impl<'t> Scanner<'t> {
    pub(super) fn new(text: &'t str, first_line: u32) -> Self {
        let cursor = Cursor::new(text);
        let no_key = SimpleKey { is_possible: false, is_required: false, token: 0, mark: cursor.mark };
        Self {
            cursor,
            first_line,
            queue: VecDeque::new(),
            taken: 0,
            is_ended: false,
            indent: -1,
            indents: Vec::new(),
            flow_level: 0,
            simple_key_allowed: true,
            simple_keys: vec![no_key],
            keys_by_token: Vec::new(),
        }
    }

    /// The next token, which stays.
    pub(super) fn peek(&mut self) -> Result<&Token<'t>, SyntaxError> {
        self.fetch_more()?;
        Ok(self.queue.front().expect("fetch_more leaves a token in the queue"))
    }

    /// Takes the next token.
    pub(super) fn next(&mut self) -> Result<Token<'t>, SyntaxError> {
        self.fetch_more()?;
        // The token that goes cannot become a key any more.
        self.forget_key(self.taken);
        self.taken += 1;
        Ok(self.queue.pop_front().expect("fetch_more leaves a token in the queue"))
    }

    pub(super) fn position(&self, mark: Mark) -> Position {
        Position { line: self.first_line + mark.line, column: mark.column as u32 + 1 }
    }

    /// Fetches until the head of the queue cannot become a simple key any more.
    fn fetch_more(&mut self) -> Result<(), SyntaxError> {
        loop {
            if !self.queue.is_empty() {
                let head = self.taken;
                let Some(&(_, level)) = self.keys_by_token.iter().find(|(token, _)| *token == head) else {
                    return Ok(());
                };
                if !self.key_is_valid(level)? {
                    return Ok(());
                }
            }
            self.fetch_next()?;
        }
    }

    fn fetch_next(&mut self) -> Result<(), SyntaxError> {
        self.skip_to_next_token();
        self.unroll_indent(self.cursor.mark.column as isize);
        if self.cursor.is_end() || self.is_ended {
            return self.fetch_stream_end();
        }
        let byte = self.cursor.byte(0);
        if self.cursor.mark.column == 0 {
            if byte == b'%' {
                return self.fetch_directive();
            }
            if self.cursor.is_document_marker() {
                return self.fetch_document_marker(byte);
            }
        }
        let in_flow = self.flow_level > 0;
        let is_alone = self.cursor.is_blank_or_end(1);
        match byte {
            b'[' => self.fetch_flow_start(TokenKind::FlowSequenceStart),
            b'{' => self.fetch_flow_start(TokenKind::FlowMappingStart),
            b']' => self.fetch_flow_end(TokenKind::FlowSequenceEnd),
            b'}' => self.fetch_flow_end(TokenKind::FlowMappingEnd),
            b',' => self.fetch_flow_entry(),
            b'-' if is_alone => self.fetch_block_entry(),
            b'?' if in_flow || is_alone => self.fetch_key(),
            b':' if in_flow || is_alone => self.fetch_value(),
            b'*' | b'&' => self.fetch_anchor(byte),
            b'!' => self.fetch_tag(),
            b'|' | b'>' if !in_flow => self.fetch_block_scalar(byte == b'|'),
            b'\'' | b'"' => self.fetch_flow_scalar(byte == b'\''),
            b'-' => self.fetch_plain_scalar(),
            b'?' | b':' if !in_flow => self.fetch_plain_scalar(),
            b'#' | b'|' | b'>' | b'%' | b'@' | b'`' | b'?' | b':' | b' ' | b'\t' => self.no_token(byte),
            _ => self.fetch_plain_scalar(),
        }
    }

    fn no_token(&self, byte: u8) -> Result<(), SyntaxError> {
        let (message, hint) = if byte == b'\t' {
            ("a tab cannot stand here".to_owned(), "indent with spaces: YAML allows no tabs there")
        } else {
            (format!("`{}` cannot start a value", char::from(byte)), "put the value in quotes")
        };
        Err(self.error(self.cursor.mark, &message, Some(hint)))
    }

    /// Over blanks, comments and line breaks. A tab is a blank only where no simple key may start.
    fn skip_to_next_token(&mut self) {
        loop {
            while self.cursor.byte(0) == b' '
                || (self.cursor.byte(0) == b'\t' && (self.flow_level > 0 || !self.simple_key_allowed))
            {
                self.cursor.skip();
            }
            self.cursor.skip_comment();
            if !self.cursor.is_break(0) {
                return;
            }
            self.cursor.skip_line();
            if self.flow_level == 0 {
                self.simple_key_allowed = true;
            }
        }
    }

    fn fetch_stream_end(&mut self) -> Result<(), SyntaxError> {
        if self.cursor.mark.column != 0 {
            self.cursor.mark.column = 0;
            self.cursor.mark.line += 1;
        }
        self.unroll_indent(-1);
        self.remove_simple_key()?;
        self.simple_key_allowed = false;
        self.is_ended = true;
        self.push(TokenKind::StreamEnd, self.cursor.mark);
        Ok(())
    }

    fn fetch_directive(&mut self) -> Result<(), SyntaxError> {
        self.unroll_indent(-1);
        self.remove_simple_key()?;
        self.simple_key_allowed = false;
        let start = self.cursor.mark;
        let kind = self.scan_directive()?;
        self.push(kind, start);
        Ok(())
    }

    fn fetch_document_marker(&mut self, byte: u8) -> Result<(), SyntaxError> {
        self.unroll_indent(-1);
        self.remove_simple_key()?;
        self.simple_key_allowed = false;
        let start = self.cursor.mark;
        self.cursor.skip_ascii(3);
        self.push(if byte == b'-' { TokenKind::DocumentStart } else { TokenKind::DocumentEnd }, start);
        Ok(())
    }

    fn fetch_flow_start(&mut self, kind: TokenKind<'t>) -> Result<(), SyntaxError> {
        self.save_simple_key()?;
        let no_key =
            SimpleKey { is_possible: false, is_required: false, token: self.next_number(), mark: self.cursor.mark };
        self.simple_keys.push(no_key);
        self.flow_level += 1;
        self.simple_key_allowed = true;
        self.push_indicator(kind);
        Ok(())
    }

    fn fetch_flow_end(&mut self, kind: TokenKind<'t>) -> Result<(), SyntaxError> {
        self.remove_simple_key()?;
        if self.flow_level > 0 {
            self.flow_level -= 1;
            if let Some(key) = self.simple_keys.pop() {
                // As in go-yaml: without a key inside, this is the number of the collection itself.
                self.forget_key(key.token);
            }
        }
        self.simple_key_allowed = false;
        self.push_indicator(kind);
        Ok(())
    }

    fn fetch_flow_entry(&mut self) -> Result<(), SyntaxError> {
        self.remove_simple_key()?;
        self.simple_key_allowed = true;
        self.push_indicator(TokenKind::FlowEntry);
        Ok(())
    }

    fn fetch_block_entry(&mut self) -> Result<(), SyntaxError> {
        if self.flow_level == 0 {
            if !self.simple_key_allowed {
                let hint = "start the list on a line of its own";
                return Err(self.error(self.cursor.mark, "a list entry cannot stand here", Some(hint)));
            }
            self.roll_indent(self.cursor.mark.column as isize, None, TokenKind::BlockSequenceStart, self.cursor.mark);
        }
        self.remove_simple_key()?;
        self.simple_key_allowed = true;
        self.push_indicator(TokenKind::BlockEntry);
        Ok(())
    }

    fn fetch_key(&mut self) -> Result<(), SyntaxError> {
        if self.flow_level == 0 {
            if !self.simple_key_allowed {
                return Err(self.error(self.cursor.mark, "a key cannot stand here", None));
            }
            self.roll_indent(self.cursor.mark.column as isize, None, TokenKind::BlockMappingStart, self.cursor.mark);
        }
        self.remove_simple_key()?;
        self.simple_key_allowed = self.flow_level == 0;
        self.push_indicator(TokenKind::Key);
        Ok(())
    }

    fn fetch_value(&mut self) -> Result<(), SyntaxError> {
        let level = self.simple_keys.len() - 1;
        if self.key_is_valid(level)? {
            let key = self.simple_keys[level];
            self.insert(Some(key.token), TokenKind::Key, key.mark);
            self.roll_indent(key.mark.column as isize, Some(key.token), TokenKind::BlockMappingStart, key.mark);
            self.simple_keys[level].is_possible = false;
            self.forget_key(key.token);
            self.simple_key_allowed = false;
        } else {
            if self.flow_level == 0 {
                if !self.simple_key_allowed {
                    let hint = "put the value in quotes, or the inner key on a line of its own";
                    return Err(self.error(self.cursor.mark, "a second `:` cannot stand here", Some(hint)));
                }
                let column = self.cursor.mark.column as isize;
                self.roll_indent(column, None, TokenKind::BlockMappingStart, self.cursor.mark);
            }
            self.simple_key_allowed = self.flow_level == 0;
        }
        self.push_indicator(TokenKind::Value);
        Ok(())
    }

    fn fetch_anchor(&mut self, indicator: u8) -> Result<(), SyntaxError> {
        self.save_simple_key()?;
        self.simple_key_allowed = false;
        let start = self.cursor.mark;
        self.cursor.skip();
        let name_start = self.cursor.offset();
        while self.cursor.is_word() {
            self.cursor.skip();
        }
        let name = self.cursor.slice(name_start, self.cursor.offset());
        let ends_well = self.cursor.is_blank_or_end(0)
            || matches!(self.cursor.byte(0), b'?' | b':' | b',' | b']' | b'}' | b'%' | b'@' | b'`');
        if name.is_empty() || !ends_well {
            let message = format!("`{}` is followed by no name", char::from(indicator));
            return Err(self.error(start, &message, Some("put the value in quotes when it is text")));
        }
        self.push(if indicator == b'*' { TokenKind::Alias(name) } else { TokenKind::Anchor(name) }, start);
        Ok(())
    }

    fn fetch_tag(&mut self) -> Result<(), SyntaxError> {
        self.save_simple_key()?;
        self.simple_key_allowed = false;
        let start = self.cursor.mark;
        let kind = self.scan_tag()?;
        self.push(kind, start);
        Ok(())
    }

    fn fetch_block_scalar(&mut self, is_literal: bool) -> Result<(), SyntaxError> {
        self.remove_simple_key()?;
        self.simple_key_allowed = true;
        let start = self.cursor.mark;
        let text = self.scan_block_scalar(is_literal)?;
        self.push(TokenKind::Scalar { text: text.into(), is_plain: false }, start);
        Ok(())
    }

    fn fetch_flow_scalar(&mut self, is_single: bool) -> Result<(), SyntaxError> {
        self.save_simple_key()?;
        self.simple_key_allowed = false;
        let start = self.cursor.mark;
        let text = self.scan_flow_scalar(is_single)?;
        self.push(TokenKind::Scalar { text, is_plain: false }, start);
        Ok(())
    }

    fn fetch_plain_scalar(&mut self) -> Result<(), SyntaxError> {
        self.save_simple_key()?;
        self.simple_key_allowed = false;
        let start = self.cursor.mark;
        let text = self.scan_plain_scalar()?;
        self.push(TokenKind::Scalar { text, is_plain: true }, start);
        Ok(())
    }

    fn next_number(&self) -> usize {
        self.taken + self.queue.len()
    }

    /// Whether the key of `level` may still be one; a required one that is not is an error.
    fn key_is_valid(&mut self, level: usize) -> Result<bool, SyntaxError> {
        let key = self.simple_keys[level];
        if !key.is_possible {
            return Ok(false);
        }
        let is_over =
            key.mark.line < self.cursor.mark.line || key.mark.index + SIMPLE_KEY_LENGTH < self.cursor.mark.index;
        if is_over && key.is_required {
            return Err(self.missing_colon(key));
        }
        self.simple_keys[level].is_possible = !is_over;
        Ok(!is_over)
    }

    fn save_simple_key(&mut self) -> Result<(), SyntaxError> {
        if !self.simple_key_allowed {
            return Ok(());
        }
        let mark = self.cursor.mark;
        let is_required = self.flow_level == 0 && self.indent == mark.column as isize;
        let key = SimpleKey { is_possible: true, is_required, token: self.next_number(), mark };
        self.remove_simple_key()?;
        let level = self.simple_keys.len() - 1;
        self.simple_keys[level] = key;
        self.forget_key(key.token);
        self.keys_by_token.push((key.token, level));
        Ok(())
    }

    fn remove_simple_key(&mut self) -> Result<(), SyntaxError> {
        let level = self.simple_keys.len() - 1;
        let key = self.simple_keys[level];
        if key.is_possible {
            if key.is_required {
                return Err(self.missing_colon(key));
            }
            self.simple_keys[level].is_possible = false;
            self.forget_key(key.token);
        }
        Ok(())
    }

    fn forget_key(&mut self, token: usize) {
        self.keys_by_token.retain(|(known, _)| *known != token);
    }

    fn missing_colon(&self, key: SimpleKey) -> SyntaxError {
        self.error(key.mark, "a key without `:`", Some("add `:` and a value, or correct the indentation"))
    }

    /// Opens a block collection at `column`, its start before the token `number`, or at the end.
    fn roll_indent(&mut self, column: isize, number: Option<usize>, kind: TokenKind<'t>, mark: Mark) {
        if self.flow_level > 0 || self.indent >= column {
            return;
        }
        self.indents.push(self.indent);
        self.indent = column;
        self.insert(number, kind, mark);
    }

    /// Closes the block collections that are indented deeper than `column`.
    fn unroll_indent(&mut self, column: isize) {
        if self.flow_level > 0 {
            return;
        }
        while self.indent > column {
            self.push(TokenKind::BlockEnd, self.cursor.mark);
            self.indent = self.indents.pop().unwrap_or(-1);
        }
    }

    fn push_indicator(&mut self, kind: TokenKind<'t>) {
        let start = self.cursor.mark;
        self.cursor.skip();
        self.push(kind, start);
    }

    fn push(&mut self, kind: TokenKind<'t>, start: Mark) {
        self.queue.push_back(Token { kind, start, end: self.cursor.mark });
    }

    /// Inserts before the token `number`; at the end when that one is taken already.
    fn insert(&mut self, number: Option<usize>, kind: TokenKind<'t>, mark: Mark) {
        let token = Token { kind, start: mark, end: mark };
        match number.and_then(|number| number.checked_sub(self.taken)) {
            Some(at) if at < self.queue.len() => self.queue.insert(at, token),
            Some(_) | None => self.queue.push_back(token),
        }
    }

    fn error(&self, mark: Mark, message: &str, hint: Option<&'static str>) -> SyntaxError {
        SyntaxError::new(self.position(mark), message, hint)
    }
}
