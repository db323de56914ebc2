//! From tokens to a document: the grammar, by recursive descent. The depth is the builder's limit.

use std::collections::HashMap;

use super::build::{Builder, Position, ScalarText, SyntaxError};
use super::cursor::Mark;
use super::scanner::Scanner;
use super::token::TokenKind;
use super::tree::Document;

/// The first document of `text`, if there is any, with the line where something behind it starts.
pub(super) fn parse_document(text: &str, first_line: u32) -> Result<Option<Document>, SyntaxError> {
    let mut parser = Parser {
        scanner: Scanner::new(text, first_line),
        builder: Builder::new(text.len()),
        anchors: Anchors::default(),
        tag_prefixes: HashMap::new(),
    };
    if !parser.document()? {
        return Ok(None);
    }
    let trailing = parser.trailing();
    let mut document = parser.builder.finish()?;
    if let Some(document) = &mut document {
        document.trailing = trailing;
    }
    Ok(document)
}

struct Parser<'t> {
    scanner: Scanner<'t>,
    builder: Builder,
    anchors: Anchors<'t>,
    tag_prefixes: HashMap<String, String>,
}

#[derive(Default)]
struct Anchors<'t> {
    numbers: HashMap<&'t str, usize>,
    count: usize,
}

impl<'t> Anchors<'t> {
    /// The number of a definition; 0 stands for none. A later definition hides an earlier one of the same name.
    fn define(&mut self, anchor: Option<&'t str>) -> usize {
        let Some(name) = anchor else { return 0 };
        self.count += 1;
        self.numbers.insert(name, self.count);
        self.count
    }
}

/// Where a node stands decides what it may be.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Context {
    Flow,
    Block,
    /// The value of a key, where a list may start at the key's own column.
    BlockOrIndentless,
}

impl<'t> Parser<'t> {
    /// Whether there was a document.
    fn document(&mut self) -> Result<bool, SyntaxError> {
        match self.scanner.peek()?.kind {
            TokenKind::StreamEnd => return Ok(false),
            TokenKind::VersionDirective(..) | TokenKind::TagDirective { .. } | TokenKind::DocumentStart => {
                self.directives()?;
                let token = self.scanner.next()?;
                if !matches!(token.kind, TokenKind::DocumentStart) {
                    return Err(self.error(token.start, "a directive without a document", Some("add a line `---`")));
                }
                self.document_content()?;
            }
            _ => {
                self.add_default_prefixes();
                self.node(Context::Block)?;
            }
        }
        if matches!(self.scanner.peek()?.kind, TokenKind::DocumentEnd) {
            self.scanner.next()?;
        }
        Ok(true)
    }

    fn document_content(&mut self) -> Result<(), SyntaxError> {
        let token = self.scanner.peek()?;
        let start = token.start;
        match token.kind {
            TokenKind::VersionDirective(..)
            | TokenKind::TagDirective { .. }
            | TokenKind::DocumentStart
            | TokenKind::DocumentEnd
            | TokenKind::StreamEnd => self.empty(start),
            _ => self.node(Context::Block),
        }
    }

    /// The line of what stands behind the document. kubectl does not look at it.
    fn trailing(&mut self) -> Option<u32> {
        loop {
            match self.scanner.peek() {
                Ok(token) => match token.kind {
                    TokenKind::StreamEnd => return None,
                    TokenKind::DocumentEnd => {}
                    _ => {
                        let start = token.start;
                        return Some(self.scanner.position(start).line);
                    }
                },
                Err(error) => return Some(error.line),
            }
            if let Err(error) = self.scanner.next() {
                return Some(error.line);
            }
        }
    }

    fn directives(&mut self) -> Result<(), SyntaxError> {
        let mut has_version = false;
        while matches!(self.scanner.peek()?.kind, TokenKind::VersionDirective(..) | TokenKind::TagDirective { .. }) {
            let token = self.scanner.next()?;
            match token.kind {
                TokenKind::VersionDirective(1, 1) if !has_version => has_version = true,
                TokenKind::VersionDirective(..) => {
                    return Err(self.error(token.start, "only `%YAML 1.1` is read", Some("remove the line")));
                }
                TokenKind::TagDirective { handle, prefix } => {
                    let known = self.tag_prefixes.insert(handle, prefix);
                    if known.is_some() {
                        return Err(self.error(token.start, "two `%TAG` of one handle", Some("remove one of them")));
                    }
                }
                _ => {}
            }
        }
        self.add_default_prefixes();
        Ok(())
    }

    fn add_default_prefixes(&mut self) {
        for (handle, prefix) in [("!", "!"), ("!!", "tag:yaml.org,2002:")] {
            self.tag_prefixes.entry(handle.to_owned()).or_insert_with(|| prefix.to_owned());
        }
    }

    fn node(&mut self, context: Context) -> Result<(), SyntaxError> {
        let token = self.scanner.peek()?;
        let start = token.start;
        if let TokenKind::Alias(name) = token.kind {
            self.scanner.next()?;
            return self.alias(name, start);
        }
        let (anchor, tag) = self.properties()?;
        let has_properties = anchor.is_some() || tag.is_some();
        let token = self.scanner.peek()?;
        let token_start = token.start;
        let at = self.scanner.position(start);
        let number = self.anchors.define(anchor);
        match self.scanner.peek()?.kind {
            TokenKind::BlockEntry if context == Context::BlockOrIndentless => {
                self.builder.start(number, at)?;
                self.indentless_sequence()
            }
            TokenKind::Scalar { .. } => self.scalar(tag, number, at),
            TokenKind::FlowSequenceStart => {
                self.builder.start(number, at)?;
                self.flow_sequence()
            }
            TokenKind::FlowMappingStart => {
                self.builder.start(number, at)?;
                self.flow_mapping()
            }
            TokenKind::BlockSequenceStart if context != Context::Flow => {
                self.builder.start(number, at)?;
                self.block_sequence()
            }
            TokenKind::BlockMappingStart if context != Context::Flow => {
                self.builder.start(number, at)?;
                self.block_mapping()
            }
            _ if has_properties => {
                self.builder.scalar(ScalarText { text: "", is_plain: tag.is_none(), tag }, number, at)
            }
            _ => Err(self.error(token_start, "a value is missing", None)),
        }
    }

    /// Anchor and tag in either order.
    fn properties(&mut self) -> Result<(Option<&'t str>, Option<String>), SyntaxError> {
        let (mut anchor, mut tag) = (None, None);
        for _ in 0..2 {
            match self.scanner.peek()?.kind {
                TokenKind::Anchor(_) if anchor.is_none() => {}
                TokenKind::Tag { .. } if tag.is_none() => {}
                _ => break,
            }
            let token = self.scanner.next()?;
            match token.kind {
                TokenKind::Anchor(name) => anchor = Some(name),
                TokenKind::Tag { handle, suffix } => tag = Some((handle, suffix, token.start)),
                _ => {}
            }
        }
        let tag = match tag {
            None => None,
            Some((handle, suffix, _)) if handle.is_empty() => Some(suffix),
            Some((handle, suffix, start)) => match self.tag_prefixes.get(&handle) {
                Some(prefix) => Some(format!("{prefix}{suffix}")),
                None => {
                    let message = format!("tag handle `{handle}` without a `%TAG`");
                    return Err(self.error(start, &message, Some("put the value in quotes when it is text")));
                }
            },
        };
        Ok((anchor, tag))
    }

    fn alias(&mut self, name: &str, start: Mark) -> Result<(), SyntaxError> {
        let at = self.scanner.position(start);
        match self.anchors.numbers.get(name) {
            Some(number) => self.builder.alias(*number, at),
            None => Err(SyntaxError::new(
                at,
                &format!("alias `*{name}` of an anchor that the document does not have"),
                Some("an anchor holds within its own document, from its own line on"),
            )),
        }
    }

    fn scalar(&mut self, tag: Option<String>, number: usize, at: Position) -> Result<(), SyntaxError> {
        let token = self.scanner.next()?;
        match token.kind {
            TokenKind::Scalar { text, is_plain } => {
                self.builder.scalar(ScalarText { text: &text, is_plain: is_plain && tag.is_none(), tag }, number, at)
            }
            _ => Ok(()),
        }
    }

    fn block_sequence(&mut self) -> Result<(), SyntaxError> {
        self.scanner.next()?;
        loop {
            let token = self.scanner.next()?;
            match token.kind {
                TokenKind::BlockEntry => match self.scanner.peek()?.kind {
                    TokenKind::BlockEntry | TokenKind::BlockEnd => self.empty(token.end)?,
                    _ => self.node(Context::Block)?,
                },
                TokenKind::BlockEnd => return self.builder.end_sequence(),
                _ => {
                    let hint = "correct the indentation, or start the entry with `-`";
                    return Err(self.error(token.start, "a list goes on without `-`", Some(hint)));
                }
            }
        }
    }

    fn indentless_sequence(&mut self) -> Result<(), SyntaxError> {
        while matches!(self.scanner.peek()?.kind, TokenKind::BlockEntry) {
            let token = self.scanner.next()?;
            match self.scanner.peek()?.kind {
                TokenKind::BlockEntry | TokenKind::Key | TokenKind::Value | TokenKind::BlockEnd => {
                    self.empty(token.end)?;
                }
                _ => self.node(Context::Block)?,
            }
        }
        self.builder.end_sequence()
    }

    fn block_mapping(&mut self) -> Result<(), SyntaxError> {
        self.scanner.next()?;
        loop {
            let token = self.scanner.next()?;
            match token.kind {
                TokenKind::Key => self.block_side(token.end)?,
                TokenKind::BlockEnd => return self.builder.end_mapping(),
                _ => {
                    let hint = "correct the indentation, or write it as `key: value`";
                    return Err(self.error(token.start, "a mapping goes on without a key", Some(hint)));
                }
            }
            let token = self.scanner.peek()?;
            let start = token.start;
            if matches!(token.kind, TokenKind::Value) {
                let token = self.scanner.next()?;
                self.block_side(token.end)?;
            } else {
                self.empty(start)?;
            }
        }
    }

    /// A key or a value of a block mapping, empty when the next one follows.
    fn block_side(&mut self, behind: Mark) -> Result<(), SyntaxError> {
        match self.scanner.peek()?.kind {
            TokenKind::Key | TokenKind::Value | TokenKind::BlockEnd => self.empty(behind),
            _ => self.node(Context::BlockOrIndentless),
        }
    }

    fn flow_sequence(&mut self) -> Result<(), SyntaxError> {
        let open = self.scanner.next()?.start;
        let mut is_first = true;
        loop {
            if !matches!(self.scanner.peek()?.kind, TokenKind::FlowSequenceEnd) && !is_first {
                self.flow_entry("]", open)?;
            }
            is_first = false;
            match self.scanner.peek()?.kind {
                TokenKind::FlowSequenceEnd => {
                    self.scanner.next()?;
                    return self.builder.end_sequence();
                }
                TokenKind::Key => self.flow_pair()?,
                _ => {
                    self.check_flow_goes_on("]", open)?;
                    self.node(Context::Flow)?;
                }
            }
        }
    }

    /// `[a: b]`: a mapping of one entry.
    fn flow_pair(&mut self) -> Result<(), SyntaxError> {
        let key = self.scanner.next()?;
        let at = self.scanner.position(key.start);
        self.builder.start(0, at)?;
        match self.scanner.peek()?.kind {
            TokenKind::Value | TokenKind::FlowEntry | TokenKind::FlowSequenceEnd => {
                // go-yaml takes the token here, whichever it is.
                let token = self.scanner.next()?;
                self.empty(token.end)?;
            }
            _ => self.node(Context::Flow)?,
        }
        let token = self.scanner.peek()?;
        let start = token.start;
        if matches!(token.kind, TokenKind::Value) {
            self.scanner.next()?;
            match self.scanner.peek()?.kind {
                TokenKind::FlowEntry | TokenKind::FlowSequenceEnd => self.empty(start)?,
                _ => self.node(Context::Flow)?,
            }
        } else {
            self.empty(start)?;
        }
        self.scanner.peek()?;
        self.builder.end_mapping()
    }

    fn flow_mapping(&mut self) -> Result<(), SyntaxError> {
        let open = self.scanner.next()?.start;
        let mut is_first = true;
        loop {
            if !matches!(self.scanner.peek()?.kind, TokenKind::FlowMappingEnd) && !is_first {
                self.flow_entry("}", open)?;
            }
            is_first = false;
            match self.scanner.peek()?.kind {
                TokenKind::FlowMappingEnd => {
                    self.scanner.next()?;
                    return self.builder.end_mapping();
                }
                TokenKind::Key => {
                    self.scanner.next()?;
                    self.flow_side()?;
                    self.flow_mapping_value()?;
                }
                _ => {
                    self.check_flow_goes_on("}", open)?;
                    self.node(Context::Flow)?;
                    let start = self.scanner.peek()?.start;
                    self.empty(start)?;
                }
            }
        }
    }

    fn flow_mapping_value(&mut self) -> Result<(), SyntaxError> {
        let token = self.scanner.peek()?;
        let start = token.start;
        if !matches!(token.kind, TokenKind::Value) {
            return self.empty(start);
        }
        self.scanner.next()?;
        match self.scanner.peek()?.kind {
            TokenKind::FlowEntry | TokenKind::FlowMappingEnd => self.empty(start),
            _ => self.node(Context::Flow),
        }
    }

    /// The key of a flow mapping, empty when its value follows.
    fn flow_side(&mut self) -> Result<(), SyntaxError> {
        let token = self.scanner.peek()?;
        let start = token.start;
        match token.kind {
            TokenKind::Value | TokenKind::FlowEntry | TokenKind::FlowMappingEnd => self.empty(start),
            _ => self.node(Context::Flow),
        }
    }

    fn flow_entry(&mut self, close: &str, open: Mark) -> Result<(), SyntaxError> {
        self.check_flow_goes_on(close, open)?;
        let token = self.scanner.next()?;
        if matches!(token.kind, TokenKind::FlowEntry) {
            return Ok(());
        }
        let line = self.scanner.position(open).line;
        let message = format!("expected `,` or `{close}` of the bracket that opens on line {line}");
        Err(self.error(token.start, &message, Some("close the bracket, or put the value in quotes")))
    }

    /// A bracket that is still open at the end of the document is reported where it opens.
    fn check_flow_goes_on(&mut self, close: &str, open: Mark) -> Result<(), SyntaxError> {
        match self.scanner.peek()?.kind {
            TokenKind::StreamEnd | TokenKind::DocumentStart | TokenKind::DocumentEnd => {
                let message = format!("a bracket that is not closed by `{close}`");
                Err(self.error(open, &message, Some("close the bracket, or put the value in quotes")))
            }
            _ => Ok(()),
        }
    }

    fn empty(&mut self, mark: Mark) -> Result<(), SyntaxError> {
        let at = self.scanner.position(mark);
        self.builder.scalar(ScalarText { text: "", is_plain: true, tag: None }, 0, at)
    }

    fn error(&self, mark: Mark, message: &str, hint: Option<&'static str>) -> SyntaxError {
        SyntaxError::new(self.scanner.position(mark), message, hint)
    }
}
