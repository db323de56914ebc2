//! A position in the text of a document, and the classes of characters that YAML 1.1 knows.

/// A place in the text: all counts from 0, in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Mark {
    pub(super) index: usize,
    pub(super) line: u32,
    pub(super) column: usize,
}

/// Reads a text from its start to its end. The text holds no NUL, so a NUL byte stands for the end.
#[derive(Debug)]
pub(super) struct Cursor<'t> {
    text: &'t str,
    at: usize,
    pub(super) mark: Mark,
}

impl<'t> Cursor<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Self { text, at: 0, mark: Mark { index: 0, line: 0, column: 0 } }
    }

    /// The byte `ahead` of the position, 0 behind the end.
    pub(super) fn byte(&self, ahead: usize) -> u8 {
        self.text.as_bytes().get(self.at + ahead).copied().unwrap_or(0)
    }

    /// The position in bytes, for [`Cursor::since`].
    pub(super) fn offset(&self) -> usize {
        self.at
    }

    /// The text between two positions in bytes.
    pub(super) fn slice(&self, start: usize, end: usize) -> &'t str {
        &self.text[start..end]
    }

    pub(super) fn is_end(&self) -> bool {
        self.at >= self.text.len()
    }

    pub(super) fn is_blank(&self, ahead: usize) -> bool {
        matches!(self.byte(ahead), b' ' | b'\t')
    }

    /// A line break of YAML 1.1: CR, LF, NEL, LS and PS.
    pub(super) fn is_break(&self, ahead: usize) -> bool {
        match self.byte(ahead) {
            b'\r' | b'\n' => true,
            0xc2 => self.byte(ahead + 1) == 0x85,
            0xe2 => self.byte(ahead + 1) == 0x80 && matches!(self.byte(ahead + 2), 0xa8 | 0xa9),
            _ => false,
        }
    }

    pub(super) fn is_break_or_end(&self, ahead: usize) -> bool {
        self.byte(ahead) == 0 || self.is_break(ahead)
    }

    pub(super) fn is_blank_or_end(&self, ahead: usize) -> bool {
        self.is_blank(ahead) || self.is_break_or_end(ahead)
    }

    /// A letter, digit, `_` or `-`: what names of anchors and handles are made of.
    pub(super) fn is_word(&self) -> bool {
        let byte = self.byte(0);
        byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-')
    }

    /// `---` or `...` at the start of a line.
    pub(super) fn is_document_marker(&self) -> bool {
        let byte = self.byte(0);
        self.mark.column == 0
            && matches!(byte, b'-' | b'.')
            && self.byte(1) == byte
            && self.byte(2) == byte
            && self.is_blank_or_end(3)
    }

    /// Goes one character on, which is no line break.
    pub(super) fn skip(&mut self) {
        self.at += self.width();
        self.mark.index += 1;
        self.mark.column += 1;
    }

    /// Goes `count` ASCII characters on, none of which is a line break.
    pub(super) fn skip_ascii(&mut self, count: usize) {
        self.at += count;
        self.mark.index += count;
        self.mark.column += count;
    }

    /// Goes over a line break, if there is one.
    pub(super) fn skip_line(&mut self) {
        if !self.is_break(0) {
            return;
        }
        let is_pair = self.byte(0) == b'\r' && self.byte(1) == b'\n';
        self.at += if is_pair { 2 } else { self.width() };
        self.mark.index += if is_pair { 2 } else { 1 };
        self.mark.column = 0;
        self.mark.line += 1;
    }

    /// Moves one character to `out`.
    pub(super) fn read(&mut self, out: &mut String) {
        let start = self.at;
        self.skip();
        out.push_str(&self.text[start..self.at]);
    }

    /// Moves a line break to `out`: LS and PS as they are, the others as LF.
    pub(super) fn read_line(&mut self, out: &mut String) {
        let start = self.at;
        self.skip_line();
        match self.at - start {
            0 => {}
            3 => out.push_str(&self.text[start..self.at]),
            _ => out.push('\n'),
        }
    }

    pub(super) fn skip_blanks(&mut self) {
        while self.is_blank(0) {
            self.skip();
        }
    }

    /// Goes to the end of the line when a comment stands here.
    pub(super) fn skip_comment(&mut self) {
        if self.byte(0) == b'#' {
            while !self.is_break_or_end(0) {
                self.skip();
            }
        }
    }

    fn width(&self) -> usize {
        match self.byte(0) {
            0 if self.is_end() => 0,
            0..=0x7f => 1,
            0xc0..=0xdf => 2,
            0xe0..=0xef => 3,
            _ => 4,
        }
    }
}
