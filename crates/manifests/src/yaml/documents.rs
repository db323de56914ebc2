//! Cuts a stream into its documents by the markers `---` and `...` at the start of a line.
//!
//! YAML itself ends every construct at such a line (a block scalar too), so the cut needs no parser, and what
//! is wrong inside one document cannot reach the next.

use memchr::memchr;

/// One document of a stream, as bytes, with the place where it starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Chunk<'a> {
    pub(crate) bytes: &'a [u8],
    /// Line of the file, from 1, on which `bytes` starts.
    pub(crate) first_line: u32,
}

/// The documents of `stream` that hold more than blank lines and comments, in order.
pub(crate) fn chunks(stream: &[u8]) -> Chunks<'_> {
    let stream = stream.strip_prefix(b"\xef\xbb\xbf").unwrap_or(stream);
    Chunks { rest: stream, line: 1 }
}

#[derive(Debug)]
pub(crate) struct Chunks<'a> {
    rest: &'a [u8],
    line: u32,
}

impl<'a> Iterator for Chunks<'a> {
    type Item = Chunk<'a>;

    fn next(&mut self) -> Option<Chunk<'a>> {
        while !self.rest.is_empty() {
            let (chunk, has_content) = self.cut();
            if has_content {
                return Some(chunk);
            }
        }
        None
    }
}

impl<'a> Chunks<'a> {
    fn cut(&mut self) -> (Chunk<'a>, bool) {
        let first_line = self.line;
        let (mut end, mut lines) = (0, 0);
        // Content so far, and whether all of it can still belong to the prolog of the next marker.
        let (mut has_content, mut has_directive) = (false, false);
        // Behind its marker a document has no directives any more: such a line is its content, and not the next one's.
        let mut is_begun = false;
        while end < self.rest.len() {
            let line_end = memchr(b'\n', &self.rest[end..]).map_or(self.rest.len(), |at| end + at + 1);
            let line = &self.rest[end..line_end];
            match LineKind::of(line) {
                // Comments before a marker are no prolog of it; directives are.
                LineKind::Start if has_content || (end > 0 && !has_directive) => break,
                LineKind::Start => {
                    is_begun = true;
                    has_content = has_directive || has_text_after_marker(line);
                }
                LineKind::End => {
                    end = line_end;
                    lines += 1;
                    break;
                }
                LineKind::Directive if !has_content && !is_begun => has_directive = true,
                LineKind::Blank => {}
                LineKind::Directive | LineKind::Content => has_content = true,
            }
            end = line_end;
            lines += 1;
        }
        let chunk = Chunk { bytes: &self.rest[..end], first_line };
        self.rest = &self.rest[end..];
        self.line += lines;
        (chunk, has_content || has_directive)
    }
}

enum LineKind {
    Start,
    End,
    Directive,
    Blank,
    Content,
}

impl LineKind {
    fn of(line: &[u8]) -> Self {
        let ends_word = |rest: &[u8]| rest.first().is_none_or(|byte| byte.is_ascii_whitespace());
        match line {
            [b'-', b'-', b'-', rest @ ..] if ends_word(rest) => Self::Start,
            [b'.', b'.', b'.', rest @ ..] if ends_word(rest) => Self::End,
            [b'%', ..] => Self::Directive,
            _ => match line.iter().find(|byte| !byte.is_ascii_whitespace()) {
                None | Some(b'#') => Self::Blank,
                Some(_) => Self::Content,
            },
        }
    }
}

fn has_text_after_marker(line: &[u8]) -> bool {
    line[3..].iter().find(|byte| !byte.is_ascii_whitespace()).is_some_and(|&byte| byte != b'#')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(stream: &str) -> Vec<(u32, &str)> {
        chunks(stream.as_bytes())
            .map(|chunk| (chunk.first_line, std::str::from_utf8(chunk.bytes).expect("cut at line ends")))
            .collect()
    }

    #[test]
    fn cuts_at_markers_and_keeps_lines() {
        assert_eq!(cut("a: 1\n---\nb: 2\n"), [(1, "a: 1\n"), (2, "---\nb: 2\n")]);
        assert_eq!(cut("a: 1\n...\nb: 2\n"), [(1, "a: 1\n...\n"), (3, "b: 2\n")]);
        assert_eq!(cut("--- {a: 1}\n--- # c\nb: 2"), [(1, "--- {a: 1}\n"), (2, "--- # c\nb: 2")]);
    }

    #[test]
    fn a_line_like_a_directive_behind_a_marker_does_not_spoil_the_next_document() {
        assert_eq!(cut("---\n%\n---\na: 1\n"), [(1, "---\n%\n"), (3, "---\na: 1\n")]);
        assert_eq!(cut("%YAML 1.1\n---\na: 1\n"), [(1, "%YAML 1.1\n---\na: 1\n")]);
    }

    #[test]
    fn blank_documents_are_dropped() {
        assert_eq!(cut("\n# Source: chart/a.yaml\n---\n---\n# x\n---\na: 1\n---\n"), [(6, "---\na: 1\n")]);
    }

    #[test]
    fn longer_dashes_and_indented_markers_are_content() {
        assert_eq!(cut("a: |\n  ---\n----\n"), [(1, "a: |\n  ---\n----\n")]);
    }

    #[test]
    fn directives_stay_with_their_document() {
        assert_eq!(cut("%YAML 1.1\n---\na: 1\n"), [(1, "%YAML 1.1\n---\na: 1\n")]);
    }

    #[test]
    fn carriage_returns_are_line_ends() {
        assert_eq!(cut("a: 1\r\n---\r\nb: 2\r\n"), [(1, "a: 1\r\n"), (2, "---\r\nb: 2\r\n")]);
    }
}
