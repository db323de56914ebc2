//! What cannot be had on this machine, and what a test does then.

use std::fmt;

/// Something that a test asked for and cannot have: in words, with what to do about it.
#[derive(Debug, Clone)]
pub struct Unavailable {
    /// `cosign`.
    pub what: String,
    /// Of the tool that failed all that it said.
    pub why: String,
    /// A command to run, or where to get what is missing.
    pub hint: Option<&'static str>,
}

impl fmt::Display for Unavailable {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "{}: {}", self.what, self.why.trim_end())?;
        self.hint.map_or(Ok(()), |hint| write!(to, "\nhint: {hint}"))
    }
}

impl std::error::Error for Unavailable {}

/// Whether nothing may be skipped.
pub fn is_ci() -> bool {
    std::env::var_os("CI").is_some_and(|ci| ci == "true")
}

/// What could be had; else says SKIPPED and why.
///
/// # Panics
/// With CI=true instead of skipping.
#[track_caller]
pub fn or_skip<T>(had: Result<T, Unavailable>) -> Option<T> {
    match had {
        Ok(had) => Some(had),
        Err(unavailable) => {
            assert!(!is_ci(), "with CI=true this test must run: {unavailable}");
            println!("SKIPPED: {unavailable}");
            None
        }
    }
}
