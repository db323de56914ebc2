//! What the supervisor tells a container's shim, and the shim answers.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// The descriptor on which a shim talks with the supervisor: JSON lines both ways.
pub(crate) const CHANNEL: i32 = 3;

/// Everything that makes a container out of a fresh process.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ContainerSetup {
    /// Its root file system.
    pub root: RootSetup,
    /// Volumes, in the order in which they are mounted.
    pub volumes: Vec<VolumeSetup>,
    /// Files of the lab that lie over the image's: (source, path in the container).
    pub files: Vec<(PathBuf, PathBuf)>,
    /// The uts namespace's host name.
    pub hostname: String,
    /// What runs.
    pub process: ProcessSetup,
}

/// An overlay of the image's layer over the host's own tree.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RootSetup {
    /// The image's layer.
    pub layer: PathBuf,
    /// A folder of the container's own, for the upper layer and the mount point.
    pub own: PathBuf,
    /// `readOnlyRootFilesystem`.
    pub read_only: bool,
    /// `privileged`: `/proc` and `/sys` are not masked.
    pub privileged: bool,
}

/// A folder that is mounted into the container.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct VolumeSetup {
    /// The folder outside.
    pub source: PathBuf,
    /// The path inside.
    pub path: PathBuf,
    /// Whether it may be written.
    pub read_only: bool,
}

/// A process of a container: what it executes, and as whom.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProcessSetup {
    /// The executable as the container sees it; searched in `PATH` when it has no slash.
    pub program: String,
    /// All arguments, the name of the program first.
    pub arguments: Vec<String>,
    /// The whole environment.
    pub environment: Vec<(String, String)>,
    /// User id.
    pub user: u32,
    /// Group id.
    pub group: u32,
    /// Supplementary groups.
    pub groups: Vec<u32>,
    /// The bounding set; for user 0 also the permitted and effective one.
    pub capabilities: u64,
    /// `allowPrivilegeEscalation: false`.
    pub no_new_privileges: bool,
}

/// What a process that joins a running container, node or the world needs to know.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct JoinSetup {
    /// The cgroup's `cgroup.procs`, when it is moved into one.
    pub cgroup_processes: Option<PathBuf>,
    /// A process of which all namespaces are joined.
    pub all_of: Option<u32>,
    /// A network namespace that is joined instead.
    pub network: Option<PathBuf>,
    /// A process whose pid namespace is joined along with `network`.
    pub pids_of: Option<u32>,
    /// What runs, as whom; `None` in `capabilities`' place means: as the caller.
    pub process: Option<ProcessSetup>,
    /// The command, when there is no `process`.
    pub command: Vec<String>,
}

/// What a shim says to the supervisor.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum FromShim {
    /// The container stands; its program has not started.
    Ready,
    /// Something did not work; the shim ends.
    Failed(String),
}

/// What the supervisor says to a shim.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ToShim {
    /// Make this container.
    Setup(Box<ContainerSetup>),
    /// Start its program.
    Go,
}
