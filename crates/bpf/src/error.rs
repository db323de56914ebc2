//! What can go wrong between the agent and the kernel.

use std::path::PathBuf;

/// Why the guard could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A path could not be used.
    #[error("cannot {action} `{path}`", path = path.display())]
    Path {
        /// What was tried, as a verb.
        action: &'static str,
        /// On which path.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// The kernel refused a map, a program or a link.
    #[error("cannot {action} `{object}`")]
    Kernel {
        /// What was tried, as a verb.
        action: &'static str,
        /// The map, program or link.
        object: String,
        /// What the kernel said.
        source: libbpf_rs::Error,
    },
    /// The tables contradict themselves.
    #[error("the tables of revision {revision} can not be used: {why}")]
    Tables {
        /// Their revision.
        revision: u64,
        /// What is wrong.
        why: String,
    },
    /// The revision is not newer than the live one.
    #[error("revision {revision} is not newer than {live}, which is live")]
    OldRevision {
        /// The revision that was to be installed.
        revision: u64,
        /// The one that is live.
        live: u64,
    },
    /// The machine lacks something.
    #[error("{0}")]
    Missing(String),
}

impl Error {
    pub(crate) fn path(action: &'static str, path: impl Into<PathBuf>, source: std::io::Error) -> Self {
        Self::Path { action, path: path.into(), source }
    }

    pub(crate) fn kernel(action: &'static str, object: impl Into<String>, source: libbpf_rs::Error) -> Self {
        Self::Kernel { action, object: object.into(), source }
    }
}

/// The result of talking to the kernel.
pub type Result<T> = std::result::Result<T, Error>;
