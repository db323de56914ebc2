//! Which of two versions is the newer one, by the rules of the ecosystem that numbers them.

use std::cmp::Ordering;

mod apk;
mod dpkg;
mod gem;
mod maven;
mod number;
mod pep440;
mod rpm;
mod semver;

/// Whose rules order two versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VersionOrder {
    /// Debian and Ubuntu: `epoch:upstream-revision`, `~` before the end.
    Dpkg,
    /// RPM: `epoch:version-release`, `~` before and `^` after the end.
    Rpm,
    /// Alpine and its kin: `1.2.3b_rc1-r0`.
    Apk,
    /// Python: PEP 440.
    Pep440,
    /// Semantic versions as npm, Go, and the Rust crates registry use them.
    Semver,
    /// Ruby's `Gem::Version`.
    Gem,
    /// Maven's `ComparableVersion`.
    Maven,
}

/// A version that its ecosystem's rules cannot read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no version by the rules of its ecosystem")]
pub struct UnreadableVersion(pub String);

/// Longer than any version that is published. Without a limit a foreign record could make every comparison slow.
const LONGEST_VERSION: usize = 1024;

impl VersionOrder {
    /// How `a` stands to `b`.
    ///
    /// # Errors
    /// When one of them is no version by these rules.
    pub fn compare(self, a: &str, b: &str) -> Result<Ordering, UnreadableVersion> {
        for version in [a, b] {
            if version.len() > LONGEST_VERSION {
                return Err(UnreadableVersion(version.chars().take(40).collect::<String>() + "..."));
            }
        }
        match self {
            Self::Dpkg => dpkg::compare(a, b),
            Self::Rpm => rpm::compare(a, b),
            Self::Apk => apk::compare(a, b),
            Self::Pep440 => pep440::compare(a, b),
            Self::Semver => semver::compare(a, b),
            Self::Gem => gem::compare(a, b),
            Self::Maven => Ok(maven::compare(a, b)),
        }
    }
}
