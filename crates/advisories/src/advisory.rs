//! An advisory: what is wrong with which versions of which packages.

use crate::version::VersionOrder;

/// One advisory, as far as matching and reporting need it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Advisory {
    /// Its own id: `GO-2023-1571`, `DEBIAN-CVE-2023-0286`.
    pub id: String,
    /// Other ids of the very same matter, sorted.
    pub aliases: Vec<String>,
    /// Ids of matters that it answers: a distribution's update names the CVEs that it mends. Sorted.
    pub covers: Vec<String>,
    /// One line.
    pub summary: String,
    /// RFC 3339, as it is written; empty when it is not said.
    pub published: String,
    /// The same.
    pub modified: String,
    /// When it was taken back.
    pub withdrawn: Option<String>,
    /// How bad it is: CVSS vectors, numbers, words.
    pub ratings: Vec<String>,
    /// What it is about.
    pub affected: Vec<Affected>,
}

/// A package of an advisory, and which versions of it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Affected {
    /// As OSV writes it: `PyPI`, `Debian:12`.
    pub ecosystem: String,
    /// As the ecosystem writes it.
    pub name: String,
    /// Ranges of versions; one is enough.
    pub ranges: Vec<Range>,
    /// Single versions.
    pub versions: Vec<String>,
    /// Go: where in the module it is.
    pub imports: Vec<Import>,
    /// How bad it is for this package.
    pub ratings: Vec<String>,
    /// It is no vulnerability, but a notice: `unmaintained`, `unsound`.
    pub notice: Option<String>,
    /// Ranges of commits, which no installed package can be held against.
    pub ranges_of_commits: u32,
}

/// A range of versions: what happened at which version.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Range {
    /// Whether it is in semantic versions, whatever the ecosystem's own order is.
    pub semantic: bool,
    /// In the order of the record.
    pub events: Vec<Event>,
}

/// What happened at a version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// It came in with this version; `0` is before every version.
    Introduced(String),
    /// It is mended in this version.
    Fixed(String),
    /// This is the last version that has it.
    LastAffected(String),
    /// The range ends before this version.
    Limit(String),
}

impl Event {
    /// The version at which it happened.
    pub fn version(&self) -> &str {
        match self {
            Self::Introduced(version) | Self::Fixed(version) | Self::LastAffected(version) | Self::Limit(version) => {
                version
            }
        }
    }
}

/// A package of a Go module that has the matter in it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Import {
    /// Its import path.
    pub path: String,
    /// Functions and methods: `Parse`, `Server.Serve`. All of the package when there are none.
    pub symbols: Vec<String>,
    /// Only on these systems; on all when there are none.
    pub systems: Vec<String>,
    /// Only on these architectures.
    pub architectures: Vec<String>,
}

/// The part of an OSV ecosystem before the release: `Debian` of `Debian:12`.
pub fn family(ecosystem: &str) -> &str {
    ecosystem.split_once(':').map_or(ecosystem, |(family, _)| family)
}

/// Whose rules order the versions of an OSV ecosystem; `None` for one that is not read.
///
/// Source: "Defined ecosystems" of the OSV schema.
pub fn order_of(ecosystem: &str) -> Option<VersionOrder> {
    Some(match family(ecosystem) {
        "Debian" | "Ubuntu" | "Echo" => VersionOrder::Dpkg,
        "Alpine" | "Wolfi" | "Chainguard" | "MinimOS" | "Alpaquita" | "BellSoft Hardened Containers" => {
            VersionOrder::Apk
        }
        "AlmaLinux" | "Rocky Linux" | "Red Hat" | "SUSE" | "openSUSE" | "openEuler" | "Mageia" | "Photon OS"
        | "Azure Linux" => VersionOrder::Rpm,
        "PyPI" => VersionOrder::Pep440,
        "npm" | "Go" | "crates.io" => VersionOrder::Semver,
        "RubyGems" => VersionOrder::Gem,
        "Maven" => VersionOrder::Maven,
        _ => return None,
    })
}

/// The one form of a name under which an ecosystem keeps a package.
pub fn normal_name(ecosystem: &str, name: &str) -> String {
    match ecosystem {
        // Source: PEP 503, "Normalized names".
        "PyPI" => {
            let mut normal = String::with_capacity(name.len());
            for letter in name.chars().map(|letter| letter.to_ascii_lowercase()) {
                match letter {
                    '-' | '_' | '.' if normal.ends_with('-') => {}
                    '-' | '_' | '.' => normal.push('-'),
                    other => normal.push(other),
                }
            }
            normal
        }
        _ => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn python_names_have_one_form() {
        for name in ["Jinja2", "jinja2"] {
            assert_eq!(normal_name("PyPI", name), "jinja2");
        }
        for name in ["ruamel.yaml", "ruamel_yaml", "Ruamel-.-Yaml"] {
            assert_eq!(normal_name("PyPI", name), "ruamel-yaml");
        }
        assert_eq!(normal_name("npm", "JSONStream"), "JSONStream");
    }
}
