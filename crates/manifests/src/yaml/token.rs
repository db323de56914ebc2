//! What the scanner hands to the parser.

use std::borrow::Cow;

use super::cursor::Mark;

#[derive(Debug)]
pub(super) struct Token<'t> {
    pub(super) kind: TokenKind<'t>,
    pub(super) start: Mark,
    pub(super) end: Mark,
}

#[derive(Debug)]
pub(super) enum TokenKind<'t> {
    StreamEnd,
    /// `%YAML`, with major and minor.
    VersionDirective(u32, u32),
    TagDirective {
        handle: String,
        prefix: String,
    },
    DocumentStart,
    DocumentEnd,
    BlockSequenceStart,
    BlockMappingStart,
    BlockEnd,
    FlowSequenceStart,
    FlowSequenceEnd,
    FlowMappingStart,
    FlowMappingEnd,
    BlockEntry,
    FlowEntry,
    Key,
    Value,
    Alias(&'t str),
    Anchor(&'t str),
    Tag {
        handle: String,
        suffix: String,
    },
    Scalar {
        text: Cow<'t, str>,
        is_plain: bool,
    },
}
