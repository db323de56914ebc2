//! What can go wrong with a lab as a whole.

use std::io;
use std::path::PathBuf;

/// A lab could not do what it was asked to do.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum LabError {
    #[error("a lab named `{name}` is running (pid {pid})")]
    AlreadyRunning { name: String, pid: u32 },
    #[error("a lab named `{name}` is being started")]
    Starting { name: String },
    #[error("no lab named `{name}` is running")]
    NotRunning { name: String },
    #[error("a lab needs root, to make namespaces and cgroups")]
    NotRoot,
    #[error("no cgroup2 file system is mounted")]
    NoCgroup2,
    #[error("{needed} nodes are asked for, a lab has 1 to {most}")]
    Nodes { needed: u8, most: u8 },
    #[error("`{tool}` is missing on this machine")]
    ToolMissing { tool: &'static str },
    #[error("a lab starts from a process with one thread, this one has {threads}")]
    Threads { threads: usize },
    #[error("cannot {action} `{path}`")]
    File { action: &'static str, path: PathBuf, source: io::Error },
    #[error("cannot {action}")]
    System { action: String, source: io::Error },
    #[error("`{tool}` refused its input: {message}")]
    Tool { tool: &'static str, message: String },
    #[error("the lab's supervisor did not answer: {0}")]
    Supervisor(String),
    #[error("{0}")]
    Refused(String),
}

impl LabError {
    /// A command to run or a thing to change, when one is known.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::AlreadyRunning { name, .. } | Self::Starting { name } => {
                Some(format!("`palisade lab down --name {name}` ends it, `--name OTHER` starts another beside it"))
            }
            Self::NotRunning { name } => Some(format!("`palisade lab up --name {name} -f MANIFESTS` starts it")),
            Self::NotRoot => Some("run it with sudo".to_owned()),
            Self::NoCgroup2 => Some("mount -t cgroup2 none /sys/fs/cgroup/unified".to_owned()),
            Self::Nodes { .. } => Some("`--nodes 1` or `--nodes 2`".to_owned()),
            Self::ToolMissing { tool: "ip" } => Some("apt-get install iproute2".to_owned()),
            Self::ToolMissing { tool: "nft" } => Some("apt-get install nftables".to_owned()),
            Self::File { path, source, .. } if source.kind() == io::ErrorKind::StorageFull => {
                Some(format!("df {}", path.parent().unwrap_or(path).display()))
            }
            Self::Supervisor(_) => Some("`palisade lab status` shows whether it lives".to_owned()),
            Self::ToolMissing { .. }
            | Self::Threads { .. }
            | Self::File { .. }
            | Self::System { .. }
            | Self::Tool { .. }
            | Self::Refused(_) => None,
        }
    }

    pub(crate) fn file(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { action, path, source }
    }

    pub(crate) fn system<E: Into<io::Error>>(action: impl Into<String>) -> impl FnOnce(E) -> Self {
        let action = action.into();
        move |source| Self::System { action, source: source.into() }
    }
}

/// The chain of causes in one line, for places that have one line.
pub(crate) fn one_line(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
