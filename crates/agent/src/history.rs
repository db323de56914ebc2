//! What was observed, as lines ready to send: a bounded ring that every client reads at its own pace.

use std::collections::VecDeque;

use serde::Serialize;

/// Bytes of lines that are kept; a record is some 700 bytes, so some 6,000 records.
const BYTES_MAX: usize = 4 << 20;

/// The newest lines. A line has a number that only grows.
#[derive(Debug, Default)]
pub(crate) struct History {
    lines: VecDeque<Box<str>>,
    bytes: usize,
    /// The number of the first line that is kept.
    first: u64,
    /// Where a line is written before its length is known; at most as long as the longest one.
    draft: Vec<u8>,
}

impl History {
    /// Keeps `record` as a line of JSON. False when it cannot be written as one.
    pub(crate) fn push_json(&mut self, record: &impl Serialize) -> bool {
        self.draft.clear();
        let written = serde_json::to_writer(&mut self.draft, record).is_ok();
        match std::str::from_utf8(&self.draft) {
            Ok(line) if written => {
                let line = line.into();
                self.push(line);
                true
            }
            _ => false,
        }
    }

    /// Keeps a line; the oldest ones make room.
    pub(crate) fn push(&mut self, line: Box<str>) {
        self.bytes += line.len();
        self.lines.push_back(line);
        while self.bytes > BYTES_MAX {
            let Some(oldest) = self.lines.pop_front() else { break };
            self.bytes -= oldest.len();
            self.first += 1;
        }
    }

    /// The number of the next line to come.
    pub(crate) fn end(&self) -> u64 {
        self.first + self.lines.len() as u64
    }

    /// The number of the oldest line that is kept.
    pub(crate) fn start(&self) -> u64 {
        self.first
    }

    /// The line of that number.
    pub(crate) fn line(&self, number: u64) -> Option<&str> {
        let index = usize::try_from(number.checked_sub(self.first)?).ok()?;
        self.lines.get(index).map(|line| &**line)
    }

    /// Lines that are kept.
    pub(crate) fn len(&self) -> usize {
        self.lines.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_lines_make_room_and_numbers_go_on() {
        let mut history = History::default();
        let line = "x".repeat(BYTES_MAX / 2 - 1);
        for _ in 0..3 {
            history.push(line.as_str().into());
        }
        assert_eq!((history.start(), history.end(), history.len()), (1, 3, 2));
        assert!(history.line(0).is_none());
        assert!(history.line(1).is_some());
        assert!(history.line(3).is_none());
    }
}
