//! A package: what it is, where it lies, and how that is known.

use std::fmt;
use std::sync::Arc;

use serde::{Serialize, Serializer};

use crate::go::GoBinary;

/// Whose package it is: decides the order of versions, and which advisories speak of it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Ecosystem {
    /// Of Debian, Ubuntu and their children.
    Dpkg(Release),
    /// Of Alpine, Wolfi, Chainguard.
    Apk(Release),
    /// Of Red Hat's and SUSE's families.
    Rpm(Release),
    /// Python.
    PyPi,
    /// Node.
    Npm,
    /// Ruby.
    RubyGems,
    /// Go modules, and the standard library as `stdlib`.
    Go,
    /// Rust.
    CratesIo,
    /// Java; the name is `group:artifact`.
    Maven,
}

impl Ecosystem {
    /// The type of its purl: `deb`, `apk`, `rpm`, `pypi`, `npm`, `gem`, `golang`, `cargo`, `maven`.
    pub fn purl_type(&self) -> &'static str {
        match self {
            Self::Dpkg(_) => "deb",
            Self::Apk(_) => "apk",
            Self::Rpm(_) => "rpm",
            Self::PyPi => "pypi",
            Self::Npm => "npm",
            Self::RubyGems => "gem",
            Self::Go => "golang",
            Self::CratesIo => "cargo",
            Self::Maven => "maven",
        }
    }

    /// The distribution's release, for a package of a distribution.
    pub fn release(&self) -> Option<&Release> {
        match self {
            Self::Dpkg(release) | Self::Apk(release) | Self::Rpm(release) => Some(release),
            Self::PyPi | Self::Npm | Self::RubyGems | Self::Go | Self::CratesIo | Self::Maven => None,
        }
    }
}

impl fmt::Display for Ecosystem {
    /// For people and for JSON: `debian 12`, `PyPI`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dpkg(release) | Self::Apk(release) | Self::Rpm(release) => release.fmt(f),
            Self::PyPi => f.write_str("PyPI"),
            Self::Npm => f.write_str("npm"),
            Self::RubyGems => f.write_str("RubyGems"),
            Self::Go => f.write_str("Go"),
            Self::CratesIo => f.write_str("crates.io"),
            Self::Maven => f.write_str("Maven"),
        }
    }
}

impl Serialize for Ecosystem {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A distribution and its release, as `os-release` names them.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Release {
    /// `ID`: `debian`, `ubuntu`, `alpine`, `almalinux`, `rocky`, `rhel`, `sles`; empty when there is no `os-release`.
    pub id: Arc<str>,
    /// `VERSION_ID`: `12`, `22.04`, `3.18.4`, `9.2`; empty when it is not said (Debian unstable, rolling ones).
    pub version_id: Arc<str>,
}

impl fmt::Display for Release {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&*self.id, &*self.version_id) {
            ("", _) => f.write_str("unknown"),
            (id, "") => f.write_str(id),
            (id, version) => write!(f, "{id} {version}"),
        }
    }
}

/// One installed package.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Package {
    /// As the ecosystem writes it: `libssl3`, `spring-beans` as `org.springframework:spring-beans`, `golang.org/x/net`,
    /// `@babel/core`. Go's standard library is `stdlib`, the program itself its module path.
    pub name: String,
    /// The whole version in the ecosystem's own words: dpkg and rpm with `epoch:` when it is not zero and with the
    /// release, apk with `-r0`, Go modules with `v`, `stdlib` without `go` (`1.20.1`); `(devel)` stays. Empty when it is
    /// not said.
    pub version: String,
    /// Whose it is.
    pub ecosystem: Ecosystem,
    /// Other names that it may have, likeliest first, when its own is a guess: an archive of Java without coordinates is
    /// named by the packages of its classes.
    pub possible_names: Vec<String>,
    /// The package URL, canonical, with qualifiers.
    pub purl: String,
    /// What it was built from: dpkg's source package, apk's origin, the source rpm. Advisories of Debian and Alpine
    /// name this one. `None` when it is the package itself.
    pub source: Option<SourcePackage>,
    /// The architecture, where the package says it.
    pub architecture: Option<String>,
    /// The file that proves it, absolute: `/var/lib/dpkg/status`, `/app/node_modules/ws/package.json`. For what is inside
    /// of an archive `/app/a.war!/WEB-INF/lib/b.jar`.
    pub path: String,
    /// The layer that this file came with.
    pub layer: LayerRef,
    /// How it was found.
    pub evidence: Evidence,
    /// The package of the distribution whose file `path` is. Then this package is that package: its advisories decide,
    /// not the language's.
    pub owned_by: Option<String>,
    /// The declared licences, each as the package writes it: SPDX expressions where the ecosystem has them.
    pub licences: Vec<String>,
    /// For what is in a Go program: the program.
    #[serde(skip)]
    pub go: Option<Arc<GoBinary>>,
    /// Whether it only serves to build or test, as a lock file says it.
    pub development: bool,
}

/// What a package was built from.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SourcePackage {
    /// Its name.
    pub name: String,
    /// Its version, as whole as [`Package::version`]; the package's own when the database does not say another one.
    pub version: String,
}

/// Which layer.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LayerRef {
    /// From 0, the lowest layer.
    pub index: u32,
    /// The digest of the uncompressed layer, `sha256:...`; empty for a root folder.
    pub diff_id: Arc<str>,
    /// The digest of the layer as it is stored; empty where it is not stored alone.
    pub digest: Arc<str>,
}

/// How a package was found, from the strongest word to the weakest.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Evidence {
    /// The database of the distribution's package manager.
    PackageDatabase,
    /// Metadata that an installer wrote beside the files (`METADATA`, `package.json`, `*.gemspec`, `pom.properties`).
    InstalledMetadata,
    /// What the linker or compiler put into the program (Go build info, `.dep-v0`).
    BuildInfo,
    /// A lock file: what would be installed.
    LockFile,
    /// The manifest of an archive, written by hand or by a build tool.
    ArchiveManifest,
    /// The name of the file alone.
    FileName,
    /// An SBOM: one that was read instead of the image, or that buildpacks put into it.
    Sbom,
}
