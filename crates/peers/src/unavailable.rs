//! What cannot be had on this machine, and what a test does then.

use std::fmt;
use std::os::unix::fs::MetadataExt as _;

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
    skip_where_allowed(had, is_ci())
}

/// Whether this is root, which the test needs; says SKIPPED where it is not.
///
/// # Panics
/// With CI=true instead of skipping.
#[track_caller]
pub fn is_root_or_skip() -> bool {
    let is_root = std::fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0);
    let root = is_root.then_some(()).ok_or_else(|| Unavailable {
        what: "root".to_owned(),
        why: "this test makes namespaces and cgroups".to_owned(),
        hint: Some("sudo -E make test"),
    });
    or_skip(root).is_some()
}

#[track_caller]
fn skip_where_allowed<T>(had: Result<T, Unavailable>, is_ci: bool) -> Option<T> {
    match had {
        Ok(had) => Some(had),
        Err(unavailable) => {
            assert!(!is_ci, "with CI=true this test must run: {unavailable}");
            println!("SKIPPED: {unavailable}");
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn with_ci_nothing_is_skipped() {
        let missing =
            || Err::<(), _>(Unavailable { what: "cosign".into(), why: "no Go\n".into(), hint: Some("install it") });
        assert_eq!(skip_where_allowed(Ok(1), true), Some(1));
        assert_eq!(skip_where_allowed(missing(), false), None);
        let panicked = std::panic::catch_unwind(|| skip_where_allowed(missing(), true)).expect_err("it fails");
        let said = panicked.downcast_ref::<String>().expect("a text");
        assert_eq!(said, "with CI=true this test must run: cosign: no Go\nhint: install it");
    }
}
