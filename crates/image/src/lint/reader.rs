//! Takes the layers for the catalogue and for lint at once: an image is read once.

use std::collections::BTreeMap;

use palisade_model::Problem;

use super::files::{Files, Known};
use super::search::{Budget, Place, Search, Searched};
use crate::catalogue::{Catalogue, ImageConfig, Layer};
use crate::collector::Collector;
use crate::entry::{Entry, EntryKind, LayerReader, Want, Whiteout, whiteout};
use crate::file_set::Held;

/// What was seen of an image.
#[derive(Debug)]
pub struct Seen {
    /// Packages, layers, config.
    pub catalogue: Catalogue,
    /// Files that the rules speak of, by path.
    pub(super) files: BTreeMap<Box<str>, Held<Known>>,
    pub(super) secrets: Vec<Place>,
    /// How far secrets were looked for.
    pub searched: Searched,
    /// `/etc/passwd` of the final file system.
    pub(super) users: String,
}

/// Reads the layers of an image, the lowest first.
#[derive(Debug)]
pub struct LintReader {
    collector: Collector,
    collector_wants: bool,
    files: Files,
    search: Search,
    search_wants: bool,
    is_second_pass: bool,
    users: Option<Vec<u8>>,
    is_users: bool,
}

const USERS: &str = "etc/passwd";

/// A list of users is never longer.
const LONGEST_USERS: usize = 1 << 20;

impl LintReader {
    /// Begins an image.
    pub fn new(collector: Collector, budget: Budget) -> Self {
        Self {
            collector,
            collector_wants: false,
            files: Files::default(),
            search: Search::new(budget),
            search_wants: false,
            is_second_pass: false,
            users: None,
            is_users: false,
        }
    }

    /// All that was seen.
    pub fn finish(self, config: ImageConfig, mut problems: Vec<Problem>) -> Seen {
        if self.files.left_out > 0 {
            let message = format!("{} files past the limit were not looked at", self.files.left_out);
            problems.push(Problem::error("image-too-many-files", message));
        }
        let (secrets, searched) = self.search.finish();
        if searched.files_left_out > 0 {
            let message =
                format!("the budget was spent before {} text files were searched for secrets", searched.files_left_out);
            let hint = "give it more with --search-seconds and --search-megabytes";
            problems.push(Problem::error("image-search-ended", message).hint(hint));
        }
        Seen {
            catalogue: self.collector.finish(config, problems),
            files: self.files.into_files().collect(),
            secrets,
            searched,
            users: String::from_utf8_lossy(&self.users.unwrap_or_default()).into_owned(),
        }
    }

    /// What an entry does to the list of users, and to files with secrets.
    fn replace(&mut self, entry: &Entry<'_>) {
        let gone = match whiteout(entry.path) {
            Some(Whiteout::Path(path)) => {
                self.search.files().remove(&path);
                USERS == path || USERS.strip_prefix(&*path).is_some_and(|rest| rest.starts_with('/'))
            }
            Some(Whiteout::Below(path)) => {
                self.search.files().hide_below(&path);
                path.is_empty() || path == "etc"
            }
            Some(Whiteout::Other) => false,
            None if entry.kind == EntryKind::Folder => {
                self.search.files().folder(entry.path);
                false
            }
            None => {
                self.search.files().replace(entry.path);
                entry.path == USERS || entry.path == "etc"
            }
        };
        if gone {
            self.users = None;
        }
    }
}

impl LayerReader for LintReader {
    fn begin_layer(&mut self, layer: &Layer) {
        self.collector.begin_layer(layer);
        self.files.begin_layer(layer);
        self.search.begin_layer(layer.reference.index);
        self.is_second_pass = false;
    }

    fn again(&mut self) -> bool {
        self.is_second_pass = self.collector.again();
        self.is_second_pass
    }

    fn end_layer(&mut self, stored_bytes: u64, bytes: u64) {
        self.collector.end_layer(stored_bytes, bytes);
    }

    fn entry(&mut self, entry: &Entry<'_>) -> Want {
        self.collector_wants = self.collector.entry(entry) == Want::Bytes;
        (self.search_wants, self.is_users) = (false, false);
        if !self.is_second_pass {
            self.files.entry(entry);
            self.replace(entry);
            self.search_wants = whiteout(entry.path).is_none() && self.search.begin(entry);
            self.is_users = entry.path == USERS && entry.kind == EntryKind::File;
            if self.is_users {
                self.users = Some(Vec::new());
            }
        }
        if self.collector_wants || self.search_wants || self.is_users { Want::Bytes } else { Want::Nothing }
    }

    fn bytes(&mut self, bytes: &[u8]) -> Want {
        if self.collector_wants {
            self.collector_wants = self.collector.bytes(bytes) == Want::Bytes;
        }
        if self.search_wants {
            self.search_wants = self.search.bytes(bytes);
        }
        if self.is_users
            && let Some(users) = &mut self.users
        {
            let room = LONGEST_USERS.saturating_sub(users.len());
            users.extend_from_slice(&bytes[..bytes.len().min(room)]);
        }
        if self.collector_wants || self.search_wants || self.is_users { Want::Bytes } else { Want::Nothing }
    }

    fn end(&mut self, whole: bool) {
        if self.collector_wants {
            self.collector.end(whole);
        }
        if self.search_wants {
            self.search.end();
        }
    }
}
