//! The search for secrets in the files of every layer, as far as a budget goes.

use std::fmt;

use memchr::memchr;

use crate::entry::{Entry, EntryKind};
use crate::file_set::FileSet;
use crate::secret::{Secret, find, line_of};

/// How much is searched.
pub struct Budget {
    /// Bytes of text, over all layers; nothing is searched with 0.
    pub bytes: u64,
    /// Whether there is no more time; it is asked now and then.
    pub is_over: Box<dyn FnMut() -> bool>,
}

impl fmt::Debug for Budget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Budget").field("bytes", &self.bytes).finish_non_exhaustive()
    }
}

/// Where a secret is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    pub secret: Secret,
    pub path: String,
    pub layer: u32,
    pub line: usize,
    /// Whether the file is still there in the final file system.
    pub is_visible: bool,
}

/// How far the search went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Searched {
    /// Bytes of text.
    pub bytes: u64,
    /// Text files that were not searched because the budget was spent.
    pub files_left_out: u64,
}

/// As much of a file is held at a time; a larger one is searched piece by piece.
const PIECE: usize = 1 << 20;

/// Bytes of a piece that are searched again with the next: the longest secret.
const OVERLAP: usize = 20 << 10;

/// Secrets that are told of one image.
const MOST_SECRETS: usize = 1000;

#[derive(Debug)]
pub struct Search {
    budget: Budget,
    pub searched: Searched,
    is_spent: bool,
    current: Option<String>,
    layer: u32,
    body: Vec<u8>,
    /// Lines of the file before `body`.
    lines: usize,
    places: Vec<Place>,
    /// Files with secrets, so that it is known which are there at the end.
    files: FileSet<()>,
}

impl Search {
    pub fn new(budget: Budget) -> Self {
        Self {
            budget,
            searched: Searched::default(),
            is_spent: false,
            current: None,
            layer: 0,
            body: Vec::new(),
            lines: 0,
            places: Vec::new(),
            files: FileSet::default(),
        }
    }

    pub fn begin_layer(&mut self, layer: u32) {
        self.layer = layer;
        self.files.begin_layer(layer);
    }

    pub fn files(&mut self) -> &mut FileSet<()> {
        &mut self.files
    }

    /// Whether the file is searched.
    pub fn begin(&mut self, entry: &Entry<'_>) -> bool {
        self.current = None;
        if entry.kind != EntryKind::File || entry.size == 0 || self.budget.bytes == 0 {
            return false;
        }
        self.is_spent |= self.searched.bytes >= self.budget.bytes || (self.budget.is_over)();
        self.current = Some(entry.path.to_owned());
        self.body.clear();
        self.lines = 0;
        true
    }

    /// Whether it goes on with this file.
    pub fn bytes(&mut self, bytes: &[u8]) -> bool {
        const HEAD: usize = 4096;
        if self.current.is_none() {
            return false;
        }
        // Programs, pictures and archives are not text; what has its table in a program is not looked for.
        if self.body.is_empty() && self.lines == 0 && memchr(0, &bytes[..bytes.len().min(HEAD)]).is_some() {
            self.current = None;
            return false;
        }
        if self.is_spent {
            self.searched.files_left_out += 1;
            self.current = None;
            return false;
        }
        self.searched.bytes += bytes.len() as u64;
        self.body.extend_from_slice(bytes);
        if self.body.len() >= PIECE {
            self.look();
            let kept = self.body.len().saturating_sub(OVERLAP);
            self.lines += line_of(&self.body, kept) - 1;
            self.body.drain(..kept);
        }
        true
    }

    pub fn end(&mut self) {
        self.look();
        self.current = None;
    }

    fn look(&mut self) {
        let Some(path) = &self.current else { return };
        for secret in find(&self.body) {
            let line = self.lines + line_of(&self.body, secret.at);
            let is_known = |it: &Place| it.path == *path && it.layer == self.layer && it.line == line;
            if self.places.len() >= MOST_SECRETS || self.places.iter().rev().take(64).any(is_known) {
                continue;
            }
            self.files.hold(path, ());
            self.places.push(Place { secret, path: path.clone(), layer: self.layer, line, is_visible: false });
        }
    }

    /// What was found, the lowest layer first.
    pub fn finish(self) -> (Vec<Place>, Searched) {
        let files = self.files.into_files();
        let mut places = self.places;
        for place in &mut places {
            place.is_visible = files.get(place.path.as_str()).is_some_and(|held| held.layer == place.layer);
        }
        (places, self.searched)
    }
}
