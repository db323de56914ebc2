//! What the command line and the environment together say, resolved once.

use std::path::{Path, PathBuf};

use palisade_model::Timestamp;

use crate::arguments::{LabName, ManifestArguments};
use crate::terminal::Colour;

/// Where running labs keep their state; one folder each.
const LABS: &str = "/run/palisade";

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

/// A lab by name, whether it runs or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lab {
    /// Its name.
    pub name: String,
}

impl Lab {
    /// The folder where it keeps its state while it runs.
    pub fn state(&self) -> PathBuf {
        Path::new(LABS).join(&self.name)
    }

    /// The agent's socket.
    pub fn agent_socket(&self) -> PathBuf {
        self.state().join("agent.sock")
    }

    /// Whether its state is there.
    pub fn exists(&self) -> bool {
        self.state().join("lab.json").exists()
    }
}

impl From<&LabName> for Lab {
    fn from(arguments: &LabName) -> Self {
        Self { name: arguments.lab.clone() }
    }
}

/// Where the manifests come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// Files, folders, `-`.
    Paths(Vec<PathBuf>),
    /// The running lab: its user's files, and its live objects over them.
    Lab(Lab),
}

impl From<&ManifestArguments> for Source {
    fn from(arguments: &ManifestArguments) -> Self {
        match arguments.manifests.is_empty() {
            true => Self::Lab(Lab::from(&arguments.lab)),
            false => Self::Paths(arguments.manifests.clone()),
        }
    }
}
