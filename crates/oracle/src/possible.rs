//! What follows from several ways that a decision may go.

use palisade_model::verdict::{Missing, Verdict};

/// How an end may come out, without the reason.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    Allowed,
    Denied,
    Undecided,
}

impl From<&Verdict> for Outcome {
    fn from(verdict: &Verdict) -> Self {
        match verdict {
            Verdict::Allow(_) => Outcome::Allowed,
            Verdict::Deny(_) => Outcome::Denied,
            Verdict::Undecided(_) => Outcome::Undecided,
        }
    }
}

/// `without` is the verdict when nothing holds of which it is not known whether it holds; each of
/// `with` is another that is possible, and the fact that would tell. When all come out alike that is
/// the answer; else the first fact that makes a difference is missing.
pub fn agreed(without: Verdict, with: impl IntoIterator<Item = (Outcome, Missing)>) -> Verdict {
    match with.into_iter().find(|(outcome, _)| *outcome != Outcome::from(&without)) {
        Some((_, missing)) => Verdict::Undecided(missing),
        None => without,
    }
}
