//! Parses one document: its parser's events go to a [`Builder`].

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, ScanError};

use super::build::{Builder, Position, ScalarText, SyntaxError};
use super::json::parse_json;
use super::tree::Document;

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
    let mut builder = Builder::new(text.len());
    let position = |at: Marker| Position {
        line: first_line + (at.line() as u32).saturating_sub(1),
        column: at.col() as u32 + 1,
    };
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|error| syntax_error(&error, position(*error.marker())))?;
        take(&mut builder, event, position(span.start))?;
    }
    Ok(builder.finish().into_iter().collect())
}

fn take(builder: &mut Builder, event: Event<'_>, at: Position) -> Result<(), SyntaxError> {
    match event {
        Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentStart(_) | Event::DocumentEnd => Ok(()),
        _ if builder.is_complete() => {
            Err(SyntaxError::new(at, "expected the end of the document", Some("put a line `---` between two documents")))
        }
        Event::Alias(number) => builder.alias(number, at),
        Event::Scalar(text, style, anchor, tag) => {
            let tag = tag.map(|tag| format!("{}{}", tag.handle, tag.suffix));
            builder.scalar(ScalarText { text: &text, is_plain: style == ScalarStyle::Plain, tag }, anchor, at)
        }
        Event::SequenceStart(anchor, _) | Event::MappingStart(anchor, _) => builder.start(anchor, at),
        Event::SequenceEnd => builder.end_sequence(),
        Event::MappingEnd => builder.end_mapping(),
    }
}

fn syntax_error(error: &ScanError, at: Position) -> SyntaxError {
    let info = error.info();
    let hint = if info.contains("tab") {
        Some("indent with spaces")
    } else if info.contains("unknown anchor") {
        Some("an anchor holds within its own document only")
    } else {
        None
    };
    SyntaxError::new(at, info, hint)
}

/// What the YAML reader of Go refuses in any place: control characters, lone surrogates' neighbours, inner byte order marks.
fn reject_control_characters(text: &str, first_line: u32) -> Result<(), SyntaxError> {
    let is_refused = |character: char| match character {
        '\t' | '\n' | '\r' | ' '..='~' | '\u{85}' => false,
        '\u{FEFF}' | '\u{FFFE}' | '\u{FFFF}' => true,
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
