//! Which files matter: by their path alone, before a byte of them was seen.

use super::LockFiles;
use crate::entry::Entry;
use crate::lock::LockKind;
use crate::{distribution, dpkg, java, node, python, ruby};

/// Why a file matters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Interest {
    Distribution,
    DpkgStatus,
    /// Of the package of that name.
    DpkgFiles(String),
    Apk,
    Rpm,
    RpmManifest,
    /// What a database of rpm has not taken in yet.
    RpmJournal,
    /// Berkeley DB or ndb.
    UnknownDatabase,
    Python,
    PythonRecord,
    /// An egg or a wheel.
    PythonArchive,
    Node,
    Gem,
    Archive,
    Lock(LockKind),
    /// What buildpacks say of what they put in.
    Bill,
    /// Any other file may be a program: its first bytes tell.
    Program,
}

/// The folders that rpm's database lies in: until 2022, since, and on images of Fedora CoreOS and its kin.
const RPM_FOLDERS: &[&str] = &["var/lib/rpm", "usr/lib/sysimage/rpm", "usr/share/rpm"];

/// The smallest ELF header: nothing shorter is a program.
const SMALLEST_PROGRAM: u64 = 52;

impl Interest {
    /// `None` for a file that says nothing about packages.
    pub fn of(entry: &Entry<'_>, lock_files: LockFiles) -> Option<Self> {
        let path = entry.path;
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        if distribution::FILES.contains(&path) {
            return Some(Self::Distribution);
        }
        if let Some(database) = Self::of_database(folder, name) {
            return Some(database);
        }
        let of_language = match name {
            _ if python::is_metadata(path) => Some(Self::Python),
            _ if python::is_record(path) => Some(Self::PythonRecord),
            _ if python::is_archive(name) => Some(Self::PythonArchive),
            "package.json" if node::is_package(path) => Some(Self::Node),
            _ if ruby::is_specification(path) => Some(Self::Gem),
            _ if java::is_archive(name) => Some(Self::Archive),
            _ if is_bill_of_buildpacks(path, name) => Some(Self::Bill),
            name => match lock_files {
                // Below `node_modules` a lock file is its author's, not what is installed.
                LockFiles::Read if !path.contains("node_modules/") => LockKind::of_name(name).map(Self::Lock),
                LockFiles::Read | LockFiles::Skip => None,
            },
        };
        of_language.or((entry.size >= SMALLEST_PROGRAM).then_some(Self::Program))
    }

    fn of_database(folder: &str, name: &str) -> Option<Self> {
        match (folder, name) {
            ("var/lib/dpkg", "status") => Some(Self::DpkgStatus),
            // Beside it lies a list with sums, of the same files.
            ("var/lib/dpkg/info", name) if name.ends_with(".list") => {
                dpkg::package_of_list(name).map(|it| Self::DpkgFiles(it.to_owned()))
            }
            ("var/lib/dpkg/status.d", name) => Some(match dpkg::package_of_list(name) {
                Some(package) => Self::DpkgFiles(package.to_owned()),
                None => Self::DpkgStatus,
            }),
            ("lib/apk/db" | "usr/lib/apk/db", "installed") => Some(Self::Apk),
            ("var/lib/rpmmanifest", "container-manifest-2") => Some(Self::RpmManifest),
            (folder, name) if RPM_FOLDERS.contains(&folder) => match name {
                "rpmdb.sqlite" => Some(Self::Rpm),
                "rpmdb.sqlite-wal" => Some(Self::RpmJournal),
                "Packages" | "Packages.db" => Some(Self::UnknownDatabase),
                _ => None,
            },
            _ => None,
        }
    }

    /// Whether it answers for many packages at once.
    pub fn is_database(&self) -> bool {
        match self {
            Self::DpkgStatus | Self::Apk | Self::Rpm | Self::RpmManifest | Self::UnknownDatabase => true,
            Self::Distribution
            | Self::DpkgFiles(_)
            | Self::RpmJournal
            | Self::Python
            | Self::PythonRecord
            | Self::PythonArchive
            | Self::Node
            | Self::Gem
            | Self::Archive
            | Self::Lock(_)
            | Self::Bill
            | Self::Program => false,
        }
    }

    /// No more bytes of such a file are read: some ten times what the largest ones have.
    pub fn most_bytes(&self) -> usize {
        match self {
            Self::Distribution | Self::RpmJournal => 64 << 10,
            Self::Python | Self::Node | Self::Gem => 4 << 20,
            Self::PythonRecord | Self::DpkgFiles(_) | Self::Bill => 32 << 20,
            Self::DpkgStatus | Self::Apk | Self::RpmManifest | Self::Lock(_) => 64 << 20,
            Self::PythonArchive => 128 << 20,
            Self::Rpm | Self::Archive => 512 << 20,
            Self::UnknownDatabase | Self::Program => 0,
        }
    }
}

/// `layers/sbom/launch/BUILDPACK/LAYER/sbom.cdx.json`; the lifecycle's own are `launcher.sbom.cdx.json`. Where the folder of
/// layers lies is the platform's choice.
///
/// Source: Cloud Native Buildpacks, platform specification since API 0.8: where bills of what is launched lie. What was there
/// to build alone (`sbom/build`) is in no image.
fn is_bill_of_buildpacks(path: &str, name: &str) -> bool {
    let is_bill = |form: &str| name.strip_suffix(form).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
    ["sbom.cdx.json", "sbom.spdx.json", "sbom.syft.json"].into_iter().any(is_bill) && path.contains("/sbom/launch/")
}
