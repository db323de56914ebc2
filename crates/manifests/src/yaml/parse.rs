//! Parses one document: its parser's events go to a [`Builder`].
//!
//! The parser is a port of libyaml, as go-yaml v2 is: both take and refuse the same text, down to tabs.

use std::collections::HashMap;
use std::io::BufReader;

use libyaml_safer::{Error, Event, EventData, Mark, Parser};

use super::build::{Builder, Position, ScalarText, SyntaxError};
use super::json::parse_json;
use super::tree::Document;

/// How much text the parser holds as characters at a time.
const BUFFER_BYTES: usize = 16 << 10;

/// The documents in `text`, a chunk that starts on `first_line` of its file: one, or none when it holds only
/// comments, or several when it is a run of JSON objects without markers between them.
pub(crate) fn parse(text: &str, first_line: u32) -> Result<Vec<Document>, SyntaxError> {
    reject_control_characters(text, first_line)?;
    // As kubectl does: JSON when it is JSON (tabs, surrogate escapes), else YAML, which has flow mappings too.
    if text.trim_start().starts_with('{')
        && let Some(documents) = parse_json(text, first_line)
    {
        return Ok(documents);
    }
    // The parser wants a line end behind a block scalar.
    let ended;
    let text = if text.ends_with('\n') {
        text
    } else {
        ended = format!("{text}\n");
        &ended
    };
    let mut parser = Parser::new();
    parser.set_input(BufReader::with_capacity(BUFFER_BYTES, text.as_bytes()));
    let mut anchors = Anchors::default();
    let mut builder = Builder::new(text.len());
    // Marks count from 0.
    let position = |at: Mark| Position { line: first_line + at.line as u32, column: at.column as u32 + 1 };
    loop {
        let event = parser.parse().map_err(|error| syntax_error(&error, position))?;
        match event.data {
            EventData::StreamEnd => return Ok(Vec::new()),
            EventData::DocumentEnd { .. } => break,
            data => take(&mut builder, &mut anchors, data, position(event.start_mark))?,
        }
    }
    let Some(mut document) = builder.finish()? else { return Ok(Vec::new()) };
    document.trailing = match parser.parse() {
        Ok(Event { data: EventData::StreamEnd, .. }) => None,
        Ok(event) => Some(position(event.start_mark).line),
        Err(error) => Some(syntax_error(&error, position).line),
    };
    Ok(vec![document])
}

#[derive(Default)]
struct Anchors {
    numbers: HashMap<String, usize>,
    count: usize,
}

impl Anchors {
    /// The number of a definition; 0 stands for none. A later definition hides an earlier one of the same name.
    fn define(&mut self, anchor: Option<String>) -> usize {
        let Some(name) = anchor else { return 0 };
        self.count += 1;
        self.numbers.insert(name, self.count);
        self.count
    }
}

fn take(builder: &mut Builder, anchors: &mut Anchors, event: EventData, at: Position) -> Result<(), SyntaxError> {
    match event {
        EventData::Scalar { anchor, tag, value, plain_implicit, .. } => {
            builder.scalar(ScalarText { text: &value, is_plain: plain_implicit, tag }, anchors.define(anchor), at)
        }
        EventData::SequenceStart { anchor, .. } | EventData::MappingStart { anchor, .. } => {
            builder.start(anchors.define(anchor), at)
        }
        EventData::SequenceEnd => builder.end_sequence(),
        EventData::MappingEnd => builder.end_mapping(),
        EventData::Alias { anchor } => match anchors.numbers.get(&anchor) {
            Some(number) => builder.alias(*number, at),
            None => Err(SyntaxError::new(
                at,
                &format!("alias `*{anchor}` of an anchor that the document does not have"),
                Some("an anchor holds within its own document, from its own line on"),
            )),
        },
        _ => Ok(()),
    }
}

fn syntax_error(error: &Error, position: impl Fn(Mark) -> Position) -> SyntaxError {
    let at = error.problem_mark().map_or(Position { line: 0, column: 0 }, position);
    let problem = error.problem();
    let hint = problem.contains("tab").then_some("indent with spaces");
    let message = match error.context() {
        Some(context) => format!("{problem} {context}"),
        None => problem.to_owned(),
    };
    SyntaxError::new(at, &message, hint)
}

/// What the YAML reader of Go refuses in any place: control characters, and what is no character.
fn reject_control_characters(text: &str, first_line: u32) -> Result<(), SyntaxError> {
    let is_refused = |character: char| match character {
        '\t' | '\n' | '\r' | ' '..='~' | '\u{85}' => false,
        '\u{FFFE}' | '\u{FFFF}' => true,
        _ => character < '\u{A0}',
    };
    // The fast path: bytes that need a look are rare.
    if text.bytes().all(|byte| matches!(byte, b'\t' | b'\n' | b'\r' | b' '..=b'~')) {
        return Ok(());
    }
    let Some((at, character)) = text.char_indices().find(|&(_, character)| is_refused(character)) else {
        return Ok(());
    };
    let before = &text[..at];
    let line = first_line + before.bytes().filter(|&byte| byte == b'\n').count() as u32;
    let column = before.rsplit('\n').next().map_or(0, |line| line.chars().count() as u32) + 1;
    let message = format!("control character U+{:04X}", u32::from(character));
    Err(SyntaxError { line, column, message, hint: Some("remove it, or write it as an escape in double quotes") })
}
