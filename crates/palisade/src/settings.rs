//! What the command line and the environment together say, resolved once.

use std::path::PathBuf;

use palisade_lab::LabName;
use palisade_model::Timestamp;

use crate::arguments::ManifestArguments;
use crate::terminal::Colour;

/// What every command is given beside its own arguments.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Whether standard output gets colour.
    pub colour: Colour,
    /// When the command was started.
    pub now: Timestamp,
    /// Where the user's data is kept; none when nothing says it.
    pub data_folder: Option<PathBuf>,
    /// Where what can be made again is kept.
    pub cache_folder: Option<PathBuf>,
    /// `SOURCE_DATE_EPOCH`: the time that reproducible output carries.
    pub source_date_epoch: Option<Timestamp>,
}

impl Settings {
    /// Reads the environment; nothing else does.
    pub fn from_environment() -> Self {
        let epoch = std::env::var("SOURCE_DATE_EPOCH").ok().and_then(|text| text.parse().ok());
        Self {
            colour: Colour::of_stdout(),
            now: Timestamp::now(),
            data_folder: user_folder("XDG_DATA_HOME", ".local/share"),
            cache_folder: user_folder("XDG_CACHE_HOME", ".cache"),
            source_date_epoch: epoch.and_then(|seconds| Timestamp::from_second(seconds).ok()),
        }
    }
}

/// `palisade` in one of the user's folders. Source: the XDG base directory specification: only absolute paths count.
fn user_folder(variable: &str, below_home: &str) -> Option<PathBuf> {
    let named = std::env::var_os(variable).map(PathBuf::from).filter(|path| path.is_absolute());
    let home = || Some(PathBuf::from(std::env::var_os("HOME")?).join(below_home));
    named.or_else(home).map(|folder| folder.join("palisade"))
}

/// Where the manifests come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// Files, folders, `-`.
    Paths(Vec<PathBuf>),
    /// The running lab: its user's files, and its live objects over them.
    Lab(LabName),
}

impl From<&ManifestArguments> for Source {
    fn from(arguments: &ManifestArguments) -> Self {
        match arguments.manifests.is_empty() {
            true => Self::Lab(arguments.lab.name.clone()),
            false => Self::Paths(arguments.manifests.clone()),
        }
    }
}
