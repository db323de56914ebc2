//! The name of a lab, and where a lab of that name lives on the machine.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// Below it every running lab has its folder.
pub const STATE_ROOT: &str = "/run/palisade";

/// A cgroup's and a folder's name must stay readable; nothing needs more.
const LONGEST_NAME: usize = 40;

/// The name of a lab: lower-case letters, digits and `-`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct LabName(String);

/// The text cannot name a lab.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("`{0}` cannot name a lab: use 1 to {LONGEST_NAME} lower-case letters, digits and `-`")]
pub struct BadLabName(String);

impl LabName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Where the lab keeps its state while it runs.
    pub fn state_dir(&self) -> StateDir {
        StateDir(Path::new(STATE_ROOT).join(&self.0))
    }

    /// The cgroup of the whole lab, below the cgroup2 mount.
    pub fn cgroup(&self) -> String {
        format!("palisade-{}", self.0)
    }
}

impl Default for LabName {
    fn default() -> Self {
        Self("lab".to_owned())
    }
}

impl FromStr for LabName {
    type Err = BadLabName;

    fn from_str(text: &str) -> Result<Self, BadLabName> {
        let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        let fits = (1..=LONGEST_NAME).contains(&text.len());
        if fits && text.bytes().all(allowed) { Ok(Self(text.to_owned())) } else { Err(BadLabName(text.to_owned())) }
    }
}

impl fmt::Display for LabName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The folder of a running lab, and the files that everybody may rely on in it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StateDir(PathBuf);

impl StateDir {
    /// The folder itself.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// `lab.json`: nodes, containers and the supervisor's pid.
    pub fn lab_file(&self) -> PathBuf {
        self.0.join("lab.json")
    }

    /// `cluster/`: the live objects as `kubectl get -o yaml` would show them.
    pub fn cluster(&self) -> PathBuf {
        self.0.join("cluster")
    }

    /// The supervisor's control socket.
    pub fn control_socket(&self) -> PathBuf {
        self.0.join("control.sock")
    }

    /// The socket of the agent that guards every node, when one runs.
    pub fn agent_socket(&self) -> PathBuf {
        self.0.join("agent.sock")
    }

    /// The socket of the agent that guards this node alone, when one runs.
    pub fn agent_socket_of(&self, node: &str) -> PathBuf {
        self.0.join(format!("agent-{node}.sock"))
    }

    /// The sockets of all agents that run, and of some that have died; never empty.
    pub fn agent_sockets(&self) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(&self.0).into_iter().flatten().flatten();
        let is_agents = |name: &str| name.starts_with("agent-") && name.ends_with(".sock");
        let mut found: Vec<PathBuf> = entries
            .filter(|entry| entry.file_name().to_str().is_some_and(is_agents))
            .map(|entry| entry.path())
            .collect();
        found.sort();
        let whole = self.agent_socket();
        if found.is_empty() || whole.exists() {
            found.insert(0, whole);
        }
        found
    }

    /// Where the agent pins what outlives it, when one runs.
    pub fn agent_pins(&self) -> PathBuf {
        self.0.join("bpf")
    }

    /// What the supervisor says when it runs detached.
    pub fn supervisor_log(&self) -> PathBuf {
        self.0.join("lab.log")
    }

    /// Manifests that were added while the lab runs.
    pub fn added(&self) -> PathBuf {
        self.0.join("added")
    }

    /// The file that the supervisor holds locked as long as it lives.
    pub(crate) fn lock_file(&self) -> PathBuf {
        self.0.join("lock")
    }

    /// Where the lab's private tmpfs is mounted, in the supervisor's mount namespace alone.
    pub(crate) fn scratch(&self) -> PathBuf {
        self.0.join("scratch")
    }

    /// The folder of all logs.
    pub(crate) fn logs(&self) -> PathBuf {
        self.0.join("logs")
    }

    /// The log of a container.
    pub fn log_file(&self, namespace: &str, pod: &str, container: &str) -> PathBuf {
        self.logs().join(format!("{namespace}_{pod}")).join(format!("{container}.log"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_leave_its_folder() {
        for bad in ["", "..", "a/b", "A", "a b", &"x".repeat(41)] {
            assert!(bad.parse::<LabName>().is_err(), "{bad}");
        }
        let name: LabName = "world-7".parse().expect("a good name");
        assert_eq!(name.state_dir().lab_file(), Path::new("/run/palisade/world-7/lab.json"));
    }
}
