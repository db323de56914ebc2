//! Why only one of two has something: the lines of `differences.txt`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// What only one of two has.
#[derive(Debug)]
pub struct Difference<'d> {
    /// `ours`, or the peer's name.
    pub who: &'d str,
    pub image: &'d str,
    pub ecosystem: &'d str,
    pub name: &'d str,
    pub version: &'d str,
    /// Of a finding, its ids.
    pub ids: &'d BTreeSet<String>,
}

/// Our bill: `NAME VERSION`, in small letters, and whether it is the distribution's.
pub type Bill = BTreeMap<String, bool>;

/// The reasons that were given, and which of them explained something.
pub struct Reasons {
    /// What is compared: `findings osv-scanner`.
    of: &'static str,
    reasons: Vec<Reason>,
    used: BTreeSet<usize>,
    unexplained: Vec<String>,
    images: BTreeSet<String>,
}

impl Reasons {
    pub fn of(of: &'static str) -> Self {
        let reasons = Reason::all().into_iter().filter(|reason| reason.of == of).collect();
        Self { of, reasons, used: BTreeSet::new(), unexplained: Vec::new(), images: BTreeSet::new() }
    }

    /// Lines of this image have to explain something from now on.
    pub fn image(&mut self, image: &str) {
        self.images.insert(image.to_owned());
    }

    pub fn explain(&mut self, difference: &Difference<'_>, bill: &Bill) {
        match self.reasons.iter().find(|reason| reason.explains(difference, bill)) {
            Some(reason) => drop(self.used.insert(reason.line)),
            None => self.unexplained.push(format!("{difference:?}")),
        }
    }

    /// Fails when something is not explained, or a line explains nothing.
    pub fn finish(&self) {
        assert!(self.unexplained.is_empty(), "{}: no reason in differences.txt for {:#?}", self.of, self.unexplained);
        let idle = |reason: &&Reason| self.images.contains(&reason.words[1]) && !self.used.contains(&reason.line);
        let idle: Vec<usize> = self.reasons.iter().filter(idle).map(|reason| reason.line).collect();
        assert!(idle.is_empty(), "lines of differences.txt that explain nothing any more: {idle:?}");
    }
}

struct Reason {
    of: String,
    line: usize,
    words: Vec<String>,
    why: String,
}

impl Reason {
    fn all() -> Vec<Self> {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers/differences.txt");
        let text = fs::read_to_string(path).expect("it stands beside the test");
        let (mut of, mut reasons) = (String::new(), Vec::new());
        for (at, line) in text.lines().enumerate() {
            if let Some(head) = line.strip_prefix('[').and_then(|it| it.strip_suffix(']')) {
                head.clone_into(&mut of);
            } else if !line.starts_with('#') && !line.trim().is_empty() {
                reasons.push(Self::parse(&of, at + 1, line));
            }
        }
        reasons
    }

    fn parse(of: &str, line: usize, text: &str) -> Self {
        let mut rest = text;
        let mut word = || {
            let (word, behind) =
                rest.split_once("  ").unwrap_or_else(|| panic!("line {line}: two blanks between words"));
            rest = behind.trim_start();
            word.to_owned()
        };
        let words = (0..5).map(|_| word()).collect();
        Self { of: of.to_owned(), line, words, why: rest.to_owned() }
    }

    fn explains(&self, it: &Difference<'_>, bill: &Bill) -> bool {
        let is = |at: usize, text: &str| self.words[at] == "*" || self.words[at] == text;
        let in_bill = || bill.get(&format!("{} {}", it.name.to_lowercase(), it.version));
        let holds = match self.why.split_once(": ") {
            Some(("owned", _)) => in_bill() == Some(&true),
            Some(("removed", _)) => in_bill().is_none(),
            Some(_) | None => true,
        };
        let of_id = self.words[4] == "*" || it.ids.contains(&self.words[4]);
        is(0, it.who) && is(1, it.image) && is(2, it.ecosystem) && is(3, it.name) && of_id && holds
    }
}
