//! A finding: what a check has to say of something that could be read.
//!
//! A [`Problem`] says that input could not be used as written, and stands in an [`Outcome`](crate::Outcome) beside what
//! was made of it. A finding says that what was read is bad, and stands in a report. A report takes problems in as
//! findings, so that its reader has one list; nothing makes a problem of a finding.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;

use crate::object::{Name, ObjectRef};
use crate::place::Place;
use crate::problem::{Effect, Problem};

/// One thing that a check found.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// The [`Rule`] that it breaks.
    pub rule: Name,
    /// What it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<Subject>,
    /// Which part of the subject, in its own words: `ingress[0].from[1]`, or a file of an image. With rule and subject it
    /// tells this finding from others, also when lines move.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub part: Option<Name>,
    /// Where that stands in the user's files.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
    /// What is the matter: one line, lower case, no final period.
    pub message: String,
    /// Why that is so, or what follows from it; may be several sentences.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fix: Option<Fix>,
    /// Other places that have to do with it, in a defined order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub related: Vec<Related>,
    /// Somebody has decided to live with it: it is reported, and fails nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub suppression: Option<Suppression>,
    /// What else programs can read of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub details: Option<Details>,
}

/// How bad a finding is. The order is from harmless to worst; what is not rated comes first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Nobody has rated it: an advisory without a score.
    Unknown,
    /// Good to know; nothing to do.
    Info,
    /// Untidy: it changes nothing today.
    Low,
    /// What was written has no effect, or another one than it seems to have.
    Medium,
    /// Something is open that should be closed, or broken that should work.
    High,
    /// The same, and to be mended before anything else.
    Critical,
}

impl Severity {
    /// All of them, the most harmless first.
    pub const ALL: [Self; 6] = [Self::Unknown, Self::Info, Self::Low, Self::Medium, Self::High, Self::Critical];

    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Info => "info",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The text is no severity of [`Severity`].
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("unknown severity `{0}`, expected critical, high, medium, low, info or unknown")]
pub struct UnknownSeverity(pub String);

impl FromStr for Severity {
    type Err = UnknownSeverity;

    fn from_str(text: &str) -> Result<Self, UnknownSeverity> {
        Self::ALL
            .into_iter()
            .find(|severity| severity.as_str().eq_ignore_ascii_case(text))
            .ok_or_else(|| UnknownSeverity(text.to_owned()))
    }
}

/// What a finding is about.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Subject {
    /// An object of Kubernetes or Palisade.
    Object(ObjectRef),
    /// An image, as the user named it.
    Image(Name),
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Object(object) => write!(f, "{object}"),
            Self::Image(image) => write!(f, "image {image}"),
        }
    }
}

/// What to do about a finding.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Fix {
    /// One line: a field to change, or a command to run.
    pub text: String,
    /// The changed part, or a new object, in YAML, when it can be written down.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub yaml: Option<String>,
}

/// Another place that has to do with a finding.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Related {
    /// Where it is.
    pub place: Place,
    /// What is there: one line.
    pub message: String,
}

/// The decision to live with a finding.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Suppression {
    /// Where it was decided: an annotation, an ignore file, a VEX statement.
    pub by: String,
    /// Why, in the words of who decided.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// What programs can read of a finding, by the kind of check.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
#[serde(rename_all = "camelCase", tag = "kind")]
pub enum Details {
    /// It is a problem of the input.
    Problem(ProblemDetails),
    /// It is about a package in an image.
    Package(Box<PackageDetails>),
    /// It is about a file or a folder in an image.
    File(Box<FileDetails>),
    /// It sums an image up.
    Score(ScoreDetails),
}

/// What a problem of the input means for the answer.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ProblemDetails {
    /// Whether the report could be another one if the input were whole.
    pub effect: Effect,
}

/// A file or folder of an image.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FileDetails {
    /// Where it lies.
    pub path: Name,
    /// The digest of the layer that brought it; empty when it has none.
    pub layer: Name,
    /// Which layer that is, the lowest 0.
    pub layer_index: u32,
    /// The line that is meant.
    pub line: Option<usize>,
    /// How much smaller the image gets without it, when it can be removed.
    pub bytes: Option<u64>,
    /// Whether it is in the final file system: what a later layer removed can still be read in its own.
    pub is_visible: bool,
}

/// One number for an image.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ScoreDetails {
    /// From 0 to 100.
    pub score: u32,
    /// What can be removed: what it is, and how many bytes it has; the largest first.
    pub removable: Vec<Removable>,
}

/// Something that an image can do without.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Removable {
    /// A file, or a folder with all below.
    pub path: Name,
    /// The rule that found it.
    pub rule: Name,
    /// What is saved.
    pub bytes: u64,
}

/// A package of an image and what is known against it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PackageDetails {
    /// Its name.
    pub package: Name,
    /// The version that is installed.
    pub version: Name,
    /// Whose names and versions these are, as OSV writes it: `Debian:12`, `PyPI`.
    pub ecosystem: Name,
    /// The package URL.
    pub purl: Name,
    /// The advisory's own id, when an advisory speaks of it.
    pub advisory: Option<Name>,
    /// Other ids of the same matter, sorted.
    pub aliases: Vec<Name>,
    /// The file in the image that names the package.
    pub path: Option<Name>,
    /// The digest of the layer that brought it.
    pub layer: Option<Name>,
    /// Whether what is vulnerable is in the program; `None` when that cannot be told.
    pub reachable: Option<bool>,
    /// Versions in which it is mended, sorted.
    pub fixed_in: Vec<Name>,
}

/// What a check looks for: it stands in a report once, and its findings name it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Rule {
    /// In kebab case, and stable: people write it into settings and ignore files.
    pub id: Name,
    /// What it looks for: one line, lower case, no final period.
    pub title: Name,
    /// Why it matters and what to do, in Markdown.
    pub help: Name,
    /// How bad its findings are, unless one says otherwise.
    pub severity: Severity,
}

impl Rule {
    /// A rule; `help` is Markdown.
    pub fn new(id: &str, severity: Severity, title: &str, help: &str) -> Self {
        Self { id: id.into(), title: title.into(), help: help.into(), severity }
    }

    /// A finding of this rule, as bad as its findings are.
    pub fn finding(&self, message: impl Into<String>) -> Finding {
        Finding::new(&*self.id, self.severity, message)
    }
}

impl Finding {
    /// A finding of the rule `rule`.
    pub fn new(rule: impl Into<Name>, severity: Severity, message: impl Into<String>) -> Self {
        Self {
            severity,
            rule: rule.into(),
            subject: None,
            part: None,
            place: None,
            message: message.into(),
            reason: None,
            fix: None,
            related: Vec::new(),
            suppression: None,
            details: None,
        }
    }

    /// The same finding, at `place`.
    #[must_use]
    pub fn at(mut self, place: &Place) -> Self {
        self.place = Some(place.clone());
        self
    }

    /// The same finding, about `object`.
    #[must_use]
    pub fn of(mut self, object: &ObjectRef) -> Self {
        self.subject = Some(Subject::Object(object.clone()));
        self
    }

    /// The same finding, about `image`.
    #[must_use]
    pub fn of_image(mut self, image: impl Into<Name>) -> Self {
        self.subject = Some(Subject::Image(image.into()));
        self
    }

    /// The same finding, about this part of its subject.
    #[must_use]
    pub fn part(mut self, part: impl Into<Name>) -> Self {
        self.part = Some(part.into());
        self
    }

    /// The same finding, with why it is so.
    #[must_use]
    pub fn reason(mut self, reason: impl Into<String>) -> Self {
        self.reason = Some(reason.into());
        self
    }

    /// The same finding, with what to do.
    #[must_use]
    pub fn fix(mut self, text: impl Into<String>) -> Self {
        self.fix = Some(Fix { text: text.into(), yaml: None });
        self
    }

    /// The same finding, with what to do and what it then looks like.
    #[must_use]
    pub fn fix_with_yaml(mut self, text: impl Into<String>, yaml: impl Into<String>) -> Self {
        self.fix = Some(Fix { text: text.into(), yaml: Some(yaml.into()) });
        self
    }

    /// The same finding, with another place that has to do with it.
    #[must_use]
    pub fn related(mut self, place: &Place, message: impl Into<String>) -> Self {
        self.related.push(Related { place: place.clone(), message: message.into() });
        self
    }

    /// The same finding, with what programs can read of it.
    #[must_use]
    pub fn details(mut self, details: Details) -> Self {
        self.details = Some(details);
        self
    }

    /// Whether it counts: nobody has decided to live with it.
    pub fn is_open(&self) -> bool {
        self.suppression.is_none()
    }
}

impl From<&Problem> for Finding {
    /// What cannot be used as written is worse than most of what could be wrong with it.
    fn from(problem: &Problem) -> Self {
        let severity = match problem.effect {
            Effect::MayChangeAnswers => Severity::High,
            Effect::Harmless => Severity::Low,
        };
        Self {
            subject: problem.object.clone().map(Subject::Object),
            place: problem.place.clone(),
            fix: problem.hint.clone().map(|text| Fix { text, yaml: None }),
            details: Some(Details::Problem(ProblemDetails { effect: problem.effect })),
            ..Self::new(problem.code, severity, problem.message.clone())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_rated_is_below_everything() {
        assert!(Severity::ALL.is_sorted());
        for severity in Severity::ALL {
            assert_eq!(severity.as_str().parse(), Ok(severity));
        }
        assert_eq!("error".parse::<Severity>(), Err(UnknownSeverity("error".into())));
    }

    #[test]
    fn a_problem_becomes_a_finding_and_loses_nothing() {
        let place = Place::new("a.yaml", 3);
        let problem = Problem::error("yaml-syntax", "cannot read it").at(&place).hint("close the bracket");
        let finding = Finding::from(&problem);
        assert_eq!((&*finding.rule, finding.severity), ("yaml-syntax", Severity::High));
        assert_eq!(finding.place, Some(place));
        assert_eq!(finding.fix.map(|fix| fix.text), problem.hint);
        assert_eq!(finding.details, Some(Details::Problem(ProblemDetails { effect: Effect::MayChangeAnswers })));
    }
}
