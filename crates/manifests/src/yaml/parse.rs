//! Parses one chunk of a stream: as JSON when it is JSON, else as YAML.

use super::build::{Position, SyntaxError};
use super::json::parse_json;
use super::parser::parse_document;
use super::tree::Document;

/// The documents in `text`, a chunk that starts on `first_line` of its file: one, or none when it holds only
/// comments, or several when it is a run of JSON objects without markers between them.
pub(crate) fn parse(text: &str, first_line: u32) -> Result<Vec<Document>, SyntaxError> {
    reject_control_characters(text, first_line)?;
    // As kubectl does: JSON has tabs and escapes that YAML has not, and YAML has flow mappings that JSON has not.
    if text.trim_start().starts_with('{')
        && let Some(documents) = parse_json(text, first_line)
    {
        return Ok(documents);
    }
    Ok(parse_document(text, first_line)?.into_iter().collect())
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
    Err(SyntaxError::new(
        Position { line, column },
        &message,
        Some("remove it, or write it as an escape in double quotes"),
    ))
}
