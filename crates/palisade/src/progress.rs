//! What goes on, for a person who waits: one line on standard error that is written over, and only on a terminal.

use std::cell::RefCell;
use std::io::{self, IsTerminal as _, Read, Write};
use std::rc::Rc;
use std::time::{Duration, Instant};

/// Nobody reads faster.
const INTERVAL: Duration = Duration::from_millis(100);

/// A line that is written over.
#[derive(Clone, Default)]
pub struct Progress(Option<Rc<RefCell<Line>>>);

struct Line {
    output: Box<dyn Write>,
    width: usize,
    stage: String,
    part: String,
    bytes: u64,
    total: u64,
    shown: Option<Instant>,
}

impl std::fmt::Debug for Progress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Progress").field(&self.0.is_some()).finish()
    }
}

impl Progress {
    /// On standard error, when a person sees it.
    pub fn of_stderr() -> Self {
        if io::stderr().is_terminal() { Self::to(Box::new(io::stderr())) } else { Self(None) }
    }

    fn to(output: Box<dyn Write>) -> Self {
        // A line that is longer than the terminal is wide cannot be written over.
        let width = 78;
        let (stage, part) = (String::new(), String::new());
        Self(Some(Rc::new(RefCell::new(Line { output, width, stage, part, bytes: 0, total: 0, shown: None }))))
    }

    /// What is done now.
    pub fn stage(&self, what: &str) {
        let Some(line) = &self.0 else { return };
        let mut line = line.borrow_mut();
        line.stage = what.to_owned();
        line.part.clear();
        line.show();
    }

    /// Counts what is read of a part of it, which has `total` bytes.
    pub fn reading<R: Read>(&self, part: &str, total: u64, inner: R) -> Counted<R> {
        if let Some(line) = &self.0 {
            let mut line = line.borrow_mut();
            (line.part, line.bytes, line.total) = (part.to_owned(), 0, total);
            line.show();
        }
        Counted { inner, progress: self.clone() }
    }

    /// Takes the line away, before anything else is written.
    pub fn clear(&self) {
        let Some(line) = &self.0 else { return };
        let mut line = line.borrow_mut();
        if line.shown.take().is_some() {
            let _ = write!(line.output, "\r\x1b[K").and_then(|()| line.output.flush());
        }
    }
}

impl Line {
    fn show(&mut self) {
        let now = Instant::now();
        if self.shown.is_some_and(|shown| now.duration_since(shown) < INTERVAL) {
            return;
        }
        self.shown = Some(now);
        let mut text = self.stage.clone();
        if !self.part.is_empty() {
            let mega = |bytes: u64| format!("{:.1}", bytes as f64 / 1e6);
            text += &format!(
                "{}{}: {} of {} MB",
                if text.is_empty() { "" } else { ", " },
                self.part,
                mega(self.bytes),
                mega(self.total)
            );
        }
        // Names come from manifests: nothing of them moves the cursor.
        let text: String = text.chars().filter(|it| !it.is_control()).take(self.width).collect();
        let _ = write!(self.output, "\r\x1b[K{text}").and_then(|()| self.output.flush());
    }
}

/// A stream that is counted.
pub struct Counted<R> {
    inner: R,
    progress: Progress,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.inner.read(buffer)?;
        if let Some(line) = &self.progress.0 {
            let mut line = line.borrow_mut();
            line.bytes += length as u64;
            line.show();
        }
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Shared(Rc<RefCell<Vec<u8>>>);

    impl Write for Shared {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.borrow_mut().extend(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn one_line_is_written_over_and_taken_away() {
        let written = Rc::new(RefCell::new(Vec::new()));
        let progress = Progress::to(Box::new(Shared(written.clone())));
        progress.clear();
        progress.stage("image 1 of 2: a\x1b[31mb");
        let mut counted = progress.reading("layer 1", 2_000_000, &[0; 10][..]);
        io::copy(&mut counted, &mut io::sink()).expect("memory can be read");
        progress.clear();
        progress.clear();
        let text = String::from_utf8(written.take()).expect("text");
        assert!(text.starts_with("\r\x1b[Kimage 1 of 2: a[31mb"), "{text:?}");
        assert!(text.ends_with("\r\x1b[K") && !text.contains('\n'), "{text:?}");
        assert_eq!(text.matches("image 1").count() + 1, text.matches("\x1b[K").count(), "{text:?}");
    }

    #[test]
    fn nobody_who_is_no_person_sees_any_of_it() {
        let progress = Progress::default();
        progress.stage("x");
        progress.clear();
        let mut text = String::new();
        progress.reading("y", 1, &b"z"[..]).read_to_string(&mut text).expect("memory can be read");
        assert_eq!(text, "z");
    }
}
