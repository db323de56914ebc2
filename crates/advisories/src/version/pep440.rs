//! Python's order. Source: PEP 440, and its successor in the Python packaging user guide, "Version specifiers".

use std::cmp::Ordering;

use super::{UnreadableVersion, number};

pub fn compare(a: &str, b: &str) -> Result<Ordering, UnreadableVersion> {
    let (a, b) = (Version::parse(a)?, Version::parse(b)?);
    Ok(number::compare_text(&a.epoch, &b.epoch)
        .then_with(|| compare_release(&a.release, &b.release))
        .then_with(|| compare_stage(&a.stage(), &b.stage()))
        .then_with(|| compare_optional(&a.post, &b.post))
        .then_with(|| compare_dev(&a.dev, &b.dev))
        .then_with(|| compare_local(a.local.as_deref(), b.local.as_deref())))
}

#[derive(Debug)]
struct Version {
    epoch: String,
    release: Vec<String>,
    pre: Option<(Phase, String)>,
    post: Option<String>,
    dev: Option<String>,
    local: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    Alpha,
    Beta,
    Candidate,
}

/// Where a version stands around its release.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    /// `1.0.dev1`: before every pre-release of 1.0.
    Development,
    /// `1.0a1`
    Pre(Phase),
    /// `1.0` and `1.0.post1`
    Released,
}

impl Version {
    fn parse(text: &str) -> Result<Self, UnreadableVersion> {
        let lower = text.trim().to_ascii_lowercase();
        Reader { rest: lower.strip_prefix('v').unwrap_or(&lower) }
            .version()
            .ok_or_else(|| UnreadableVersion(text.to_owned()))
    }

    fn stage(&self) -> (Stage, &str) {
        match (&self.pre, &self.post, &self.dev) {
            (Some((phase, number)), _, _) => (Stage::Pre(*phase), number),
            (None, None, Some(_)) => (Stage::Development, ""),
            (None, _, _) => (Stage::Released, ""),
        }
    }
}

fn compare_release(a: &[String], b: &[String]) -> Ordering {
    (0..a.len().max(b.len()))
        .map(|at| number::compare_text(a.get(at).map_or("0", String::as_str), b.get(at).map_or("0", String::as_str)))
        .find(|order| *order != Ordering::Equal)
        .unwrap_or(Ordering::Equal)
}

fn compare_stage(a: &(Stage, &str), b: &(Stage, &str)) -> Ordering {
    a.0.cmp(&b.0).then_with(|| number::compare_text(a.1, b.1))
}

/// Without a post-release number comes first.
fn compare_optional(a: &Option<String>, b: &Option<String>) -> Ordering {
    match (a, b) {
        (Some(a), Some(b)) => number::compare_text(a, b),
        (a, b) => a.is_some().cmp(&b.is_some()),
    }
}

/// Without a development number comes last.
fn compare_dev(a: &Option<String>, b: &Option<String>) -> Ordering {
    match (a, b) {
        (Some(a), Some(b)) => number::compare_text(a, b),
        (a, b) => a.is_none().cmp(&b.is_none()),
    }
}

fn compare_local(a: Option<&str>, b: Option<&str>) -> Ordering {
    let (Some(a), Some(b)) = (a, b) else { return a.is_some().cmp(&b.is_some()) };
    let (mut a, mut b) = (a.split(['.', '-', '_']), b.split(['.', '-', '_']));
    loop {
        let order = match (a.next(), b.next()) {
            (None, None) => return Ordering::Equal,
            (None, Some(_)) => Ordering::Less,
            (Some(_), None) => Ordering::Greater,
            (Some(a), Some(b)) => match (number::is_number(a), number::is_number(b)) {
                (true, true) => number::compare_text(a, b),
                (true, false) => Ordering::Greater,
                (false, true) => Ordering::Less,
                (false, false) => a.cmp(b),
            },
        };
        if order != Ordering::Equal {
            return order;
        }
    }
}

/// Reads from the front what is left of a version.
struct Reader<'v> {
    rest: &'v str,
}

impl<'v> Reader<'v> {
    fn version(mut self) -> Option<Version> {
        let mut epoch = "0";
        let first = self.digits()?;
        let mut release = vec![first.to_owned()];
        if self.take("!") {
            epoch = first;
            release = vec![self.digits()?.to_owned()];
        }
        while let Some(next) = self.after(".") {
            release.push(next.to_owned());
        }
        let pre = self.pre();
        let post = self.post();
        let dev = self.labelled(&["dev"]).map(str::to_owned);
        let local = match self.rest.strip_prefix('+') {
            Some(local) if !local.is_empty() && local.split(['.', '-', '_']).all(is_local_part) => {
                Some(local.to_owned())
            }
            Some(_) => return None,
            None if self.rest.is_empty() => None,
            None => return None,
        };
        Some(Version { epoch: epoch.to_owned(), release, pre, post, dev, local })
    }

    fn pre(&mut self) -> Option<(Phase, String)> {
        const PHASES: &[(Phase, &[&str])] = &[
            (Phase::Alpha, &["alpha", "a"]),
            (Phase::Beta, &["beta", "b"]),
            (Phase::Candidate, &["preview", "pre", "rc", "c"]),
        ];
        PHASES.iter().find_map(|(phase, words)| self.labelled(words).map(|number| (*phase, number.to_owned())))
    }

    /// `.post1`, `-r1`, and the bare `-1`.
    fn post(&mut self) -> Option<String> {
        self.labelled(&["post", "rev", "r"]).or_else(|| self.after("-")).map(str::to_owned)
    }

    /// A separator or none, one of the words, and a number or none, which is 0.
    fn labelled(&mut self, words: &[&str]) -> Option<&'v str> {
        let before = self.rest;
        self.separator();
        for word in words {
            if self.take(word) {
                let after_word = self.rest;
                self.separator();
                return Some(self.digits().unwrap_or_else(|| {
                    self.rest = after_word;
                    "0"
                }));
            }
        }
        self.rest = before;
        None
    }

    fn separator(&mut self) {
        self.rest = self.rest.strip_prefix(['.', '-', '_']).unwrap_or(self.rest);
    }

    fn take(&mut self, word: &str) -> bool {
        let Some(rest) = self.rest.strip_prefix(word) else { return false };
        self.rest = rest;
        true
    }

    /// A number behind `mark`; nothing is taken unless both are there.
    fn after(&mut self, mark: &str) -> Option<&'v str> {
        let before = self.rest;
        let number = if self.take(mark) { self.digits() } else { None };
        if number.is_none() {
            self.rest = before;
        }
        number
    }

    fn digits(&mut self) -> Option<&'v str> {
        let length = number::digits(self.rest.as_bytes());
        let (digits, rest) = self.rest.split_at(length);
        self.rest = rest;
        (length > 0).then_some(digits)
    }
}

fn is_local_part(part: &str) -> bool {
    !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric())
}
