//! Why the agent cannot run.

use std::io;
use std::path::PathBuf;

/// What ends the agent, or keeps it from starting. What it can go on with is a problem in its status instead.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No lab runs there.
    #[error("cannot read the lab's state `{}`", path.display())]
    State {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The state is not what this version writes.
    #[error("the lab's state `{}` is not understood", path.display())]
    StateFormat {
        /// The file.
        path: PathBuf,
        /// Why.
        source: serde_json::Error,
    },
    /// Another agent guards this lab.
    #[error("an agent already answers on `{}`", socket.display())]
    AlreadyRuns {
        /// Its socket.
        socket: PathBuf,
    },
    /// Another agent guards this node.
    #[error("another agent guards node `{node}`")]
    GuardedByOther {
        /// The node.
        node: String,
    },
    /// The lab has no such node.
    #[error("the lab has no node `{node}`; it has {}", known.join(", "))]
    NoSuchNode {
        /// What was asked for.
        node: String,
        /// Those that there are.
        known: Vec<String>,
    },
    /// What tells other agents that this one lives cannot be written.
    #[error("cannot hold `{}`", path.display())]
    GuardFile {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The socket cannot be made.
    #[error("cannot listen on `{}`", socket.display())]
    Socket {
        /// Where.
        socket: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Files cannot be watched.
    #[error("cannot watch files")]
    Watch(#[source] io::Error),
    /// Waiting failed.
    #[error("cannot wait for events")]
    Poll(#[source] io::Error),
    /// The manifests cannot be read.
    #[error("cannot read the manifests")]
    Load(#[from] palisade_manifests::LoadError),
    /// The kernel refused.
    #[error("cannot guard node `{node}`")]
    Guard {
        /// The node.
        node: String,
        /// Why.
        source: palisade_bpf::Error,
    },
    /// A node's network cannot be entered.
    #[error("cannot enter the node's network `{}`", path.display())]
    Network {
        /// The namespace.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Pins cannot be made or removed.
    #[error("cannot keep pins")]
    Pins(#[source] palisade_bpf::Error),
}

/// The result of the agent's work.
pub type Result<T> = std::result::Result<T, Error>;
