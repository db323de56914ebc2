//! A command that could not do its work: the chain of causes, then what to do about it.

use std::error::Error;
use std::fmt;
use std::io;

use palisade_model::problem::one_line;

use crate::exit::ExitStatus;

/// Something that the reader can do: a command to run, or a field to change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hint {
    /// Run this.
    Run(String),
    /// Change this.
    Change(String),
}

impl fmt::Display for Hint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Run(command) => write!(f, "{command}"),
            Self::Change(what) => write!(f, "{what}"),
        }
    }
}

/// The first of `names`, as many as fit on a line or two: for a hint that says who is there.
pub fn listed<'n>(names: impl IntoIterator<Item = &'n str>) -> String {
    const SHOWN: usize = 12;
    let mut names: Vec<&str> = names.into_iter().take(SHOWN + 1).collect();
    let more = if names.len() > SHOWN { ", ..." } else { "" };
    names.truncate(SHOWN);
    names.join(", ") + more
}

/// Why a command could not do its work.
#[derive(Debug)]
pub struct Failure {
    cause: Cause,
    hints: Vec<Hint>,
}

#[derive(Debug)]
enum Cause {
    Error(Box<dyn Error + Send + Sync>),
    /// Who reads our output went away: no failure of ours, and nobody is there to be told.
    ReaderGone,
}

/// What could not be done, and why.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
struct Context {
    message: String,
    source: Box<dyn Error + Send + Sync>,
}

impl Failure {
    /// A failure with `error` and the causes below it.
    pub fn new(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { cause: Cause::Error(error.into()), hints: Vec::new() }
    }

    /// The same failure as the cause of a larger one.
    #[must_use]
    pub fn context(self, message: String) -> Self {
        match self.cause {
            Cause::Error(source) => {
                Self { cause: Cause::Error(Box::new(Context { message, source })), hints: self.hints }
            }
            Cause::ReaderGone => self,
        }
    }

    /// The same failure, with something to do about it.
    #[must_use]
    pub fn hint(mut self, hint: Hint) -> Self {
        self.hints.push(hint);
        self
    }

    /// What went wrong and why, on one line.
    pub fn message(&self) -> String {
        let Cause::Error(error) = &self.cause else { return String::new() };
        let mut text = error.to_string();
        let mut cause = error.source();
        while let Some(error) = cause {
            text = format!("{text}: {error}");
            cause = error.source();
        }
        text
    }

    /// The exit status that it ends the program with.
    pub fn status(&self) -> ExitStatus {
        match self.cause {
            Cause::Error(_) => ExitStatus::Unusable,
            Cause::ReaderGone => ExitStatus::Clean,
        }
    }
}

impl From<io::Error> for Failure {
    /// For writing to standard output, the one IO that needs no words of its own.
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self { cause: Cause::ReaderGone, hints: Vec::new() },
            _ => Self::new(error),
        }
    }
}

impl fmt::Display for Failure {
    /// The chain, a blank line, then the hints; nothing when the reader is gone.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Cause::Error(error) = &self.cause else { return Ok(()) };
        writeln!(f, "error: {}", harmless(error.to_string()))?;
        let mut cause = error.source();
        while let Some(error) = cause {
            writeln!(f, "  caused by: {}", harmless(error.to_string()))?;
            cause = error.source();
        }
        if !self.hints.is_empty() {
            writeln!(f)?;
        }
        for hint in &self.hints {
            writeln!(f, "hint: {}", harmless(hint.to_string()))?;
        }
        Ok(())
    }
}

/// In lines of its own, as logs of other programs have them, but nothing in it steers a terminal.
fn harmless(text: String) -> String {
    let lines: Vec<String> = text.split('\n').map(|line| one_line(line.to_owned())).collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("cannot list NetworkPolicies in namespace `pay`")]
    struct Outer(#[source] Inner);

    #[derive(Debug, thiserror::Error)]
    #[error("forbidden")]
    struct Inner;

    #[test]
    fn the_chain_comes_first_then_the_hints() {
        let failure = Failure::new(Outer(Inner)).hint(Hint::Run("kubectl auth can-i --list".into()));
        expect_test::expect![[r#"
            error: cannot list NetworkPolicies in namespace `pay`
              caused by: forbidden

            hint: kubectl auth can-i --list
        "#]]
        .assert_eq(&failure.to_string());
    }

    #[test]
    fn a_reader_that_went_away_is_no_failure() {
        let failure = Failure::from(io::Error::from(io::ErrorKind::BrokenPipe));
        assert_eq!((failure.status(), failure.to_string()), (ExitStatus::Clean, String::new()));
    }
}
