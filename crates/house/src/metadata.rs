//! The part of `cargo metadata` that the checkers read.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;

/// What `cargo metadata --format-version 1` prints, as far as we use it.
#[derive(Debug, Deserialize)]
pub struct Metadata {
    pub packages: Vec<Package>,
    pub workspace_members: Vec<String>,
    pub workspace_root: PathBuf,
}

/// One package: a member of the workspace or something that comes from outside.
#[derive(Debug, Deserialize)]
pub struct Package {
    pub id: String,
    pub name: String,
    pub version: String,
    pub license: Option<String>,
    pub source: Option<String>,
    pub dependencies: Vec<Dependency>,
}

/// A dependency as the package's manifest declares it.
#[derive(Debug, Deserialize)]
pub struct Dependency {
    pub name: String,
    #[serde(default)]
    pub kind: Kind,
    /// Present for a dependency on a folder, which is how members name each other.
    pub path: Option<PathBuf>,
    #[serde(default)]
    pub features: Vec<String>,
}

/// Which of the three dependency tables names it.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    #[default]
    Normal,
    Build,
    Dev,
}

impl<'de> Deserialize<'de> for Kind {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Option::<String>::deserialize(deserializer)?.as_deref() {
            None | Some("normal") => Ok(Kind::Normal),
            Some("build") => Ok(Kind::Build),
            Some("dev") => Ok(Kind::Dev),
            Some(other) => Err(serde::de::Error::custom(format!("unknown dependency kind `{other}`"))),
        }
    }
}

impl Metadata {
    /// Asks cargo about the workspace that holds `folder`.
    ///
    /// # Errors
    /// In words, when cargo cannot be run or its answer cannot be read.
    pub fn read(folder: &Path) -> Result<Self, String> {
        let output = Command::new(env!("CARGO"))
            .args(["metadata", "--format-version", "1"])
            .args(["--filter-platform", "x86_64-unknown-linux-gnu"])
            .current_dir(folder)
            .output()
            .map_err(|error| format!("cannot run cargo metadata: {error}"))?;
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).into_owned());
        }
        serde_json::from_slice(&output.stdout).map_err(|error| format!("cargo metadata: {error}"))
    }

    /// The packages of this workspace, in the order of their names.
    pub fn members(&self) -> Vec<&Package> {
        let mut members: Vec<_> =
            self.packages.iter().filter(|package| self.workspace_members.contains(&package.id)).collect();
        members.sort_by(|a, b| a.name.cmp(&b.name));
        members
    }
}
