//! Writers for findings: text, JSON, SARIF, JUnit and Markdown.
//!
//! Layer L2: it writes to what the caller gives it, and reads nothing.
//!
//! Invariant: the same report gives the same bytes. Invariant: no finding's text can break the form that it is written
//! in, whatever stands in the user's files and images.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod fingerprint;
mod json;
mod junit;
pub mod markdown;
mod sarif;
mod text;
mod wrap;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};

use palisade_model::finding::{Details, Finding, Rule, Severity};
use palisade_model::{Effect, Problem};

/// In which form a report is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Format {
    /// For people: a paragraph a finding, 80 columns wide.
    Text,
    /// For programs: versioned and stable.
    Json,
    /// SARIF 2.1.0, as code scanning takes it.
    Sarif,
    /// JUnit's XML, as CI servers show tests.
    Junit,
    /// For a comment on a pull request.
    Markdown,
}

/// What a command found, ready to be written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Report {
    /// The command as the user knows it: `palisade net lint`.
    command: String,
    /// The version of the program.
    version: String,
    /// Sorted by id; those of every finding are among them.
    rules: Vec<Rule>,
    /// The worst first, then by place.
    findings: Vec<Finding>,
    fail_on: Option<Severity>,
    /// Findings that make it fail whatever their severity.
    failing: BTreeSet<Finding>,
}

impl Report {
    /// A report of what `command` of the program's `version` found when it looked for `rules`.
    pub fn new(command: &str, version: &str, rules: Vec<Rule>, findings: Vec<Finding>) -> Self {
        let mut report = Self {
            command: command.into(),
            version: version.into(),
            rules,
            findings,
            fail_on: None,
            failing: BTreeSet::new(),
        };
        report.complete();
        report
    }

    /// The same report: open findings of this severity and worse make it fail.
    #[must_use]
    pub fn fail_on(mut self, severity: Severity) -> Self {
        self.fail_on = Some(severity);
        self
    }

    /// The same report: those of `findings` that are open make it fail, for a caller that has a rule of its own.
    #[must_use]
    pub fn failing(mut self, findings: impl IntoIterator<Item = Finding>) -> Self {
        self.failing.extend(findings);
        self
    }

    /// The same report, with problems of the input as findings.
    #[must_use]
    pub fn with_problems(mut self, problems: &[Problem]) -> Self {
        self.findings.extend(problems.iter().map(Finding::from));
        self.complete();
        self
    }

    /// The findings, the worst first.
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// Whether a finding is bad enough to fail: open, and of the severity that was asked for.
    pub fn fails(&self) -> bool {
        self.findings.iter().any(|finding| self.is_failure(finding))
    }

    /// Whether the input had problems that can change what was found.
    pub fn is_incomplete(&self) -> bool {
        self.findings.iter().any(|finding| match &finding.details {
            Some(Details::Problem(problem)) => problem.effect == Effect::MayChangeAnswers,
            Some(Details::Package(_) | Details::File(_) | Details::Score(_)) | None => false,
        })
    }

    /// Writes it to `output`.
    ///
    /// # Errors
    /// When `output` cannot be written.
    pub fn write(&self, format: Format, output: &mut impl Write) -> io::Result<()> {
        match format {
            Format::Text => output.write_all(text::render(self).as_bytes()),
            Format::Json => json::write(self, output),
            Format::Sarif => sarif::write(self, output),
            Format::Junit => output.write_all(junit::render(self).as_bytes()),
            Format::Markdown => output.write_all(markdown::render(self).as_bytes()),
        }
    }

    fn is_failure(&self, finding: &Finding) -> bool {
        let is_bad = self.fail_on.is_some_and(|least| finding.severity >= least);
        // A score sums up what other findings say.
        let is_score = matches!(finding.details, Some(Details::Score(_)));
        finding.is_open() && !is_score && (is_bad || self.failing.contains(finding))
    }

    fn complete(&mut self) {
        let by_place = |finding: &Finding| (std::cmp::Reverse(finding.severity), finding.place.clone());
        self.findings.sort_by(|a, b| by_place(a).cmp(&by_place(b)).then_with(|| a.cmp(b)));
        self.findings.dedup();
        self.rules.sort();
        self.rules.dedup_by(|a, b| a.id == b.id);
        for finding in &self.findings {
            if let Err(position) = self.rules.binary_search_by(|rule| rule.id.cmp(&finding.rule)) {
                // A problem's code is its rule: its name says what it is.
                let title = finding.rule.replace('-', " ");
                self.rules.insert(position, Rule::new(&finding.rule, finding.severity, &title, ""));
            }
        }
    }

    /// How many open findings of each severity, the worst first, and how many are suppressed: `2 high, 1 low`.
    fn counts(&self) -> String {
        let mut open: BTreeMap<std::cmp::Reverse<Severity>, usize> = BTreeMap::new();
        for finding in self.findings.iter().filter(|finding| finding.is_open()) {
            *open.entry(std::cmp::Reverse(finding.severity)).or_default() += 1;
        }
        let suppressed = self.findings.iter().filter(|finding| !finding.is_open()).count();
        let open = open.iter().map(|(severity, count)| format!("{count} {}", severity.0));
        let suppressed = (suppressed > 0).then(|| format!("{suppressed} suppressed"));
        open.chain(suppressed).collect::<Vec<_>>().join(", ")
    }

    /// `3 findings: 2 high, 1 low`, or `no findings`.
    fn summary(&self) -> String {
        match self.findings.len() {
            0 => "no findings".to_owned(),
            1 => format!("1 finding: {}", self.counts()),
            several => format!("{several} findings: {}", self.counts()),
        }
    }
}

/// What a finding is about, in a line: the subject and the part of it.
fn about(finding: &Finding) -> String {
    let subject = finding.subject.as_ref().map(ToString::to_string);
    let part = finding.part.as_deref().map(str::to_owned);
    subject.into_iter().chain(part).collect::<Vec<_>>().join(" ")
}
