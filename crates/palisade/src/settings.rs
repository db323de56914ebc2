//! What the command line and the environment together say, resolved once.

use std::path::PathBuf;

use palisade_lab::LabName;
use palisade_model::Timestamp;

use crate::arguments::ManifestArguments;
use crate::terminal::Colour;

/// What every command is given beside its own arguments.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// Whether standard output gets colour.
    pub colour: Colour,
    /// When the command was started.
    pub now: Timestamp,
}

impl Settings {
    /// Reads the environment; nothing else does.
    pub fn from_environment() -> Self {
        Self { colour: Colour::of_stdout(), now: Timestamp::now() }
    }
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
