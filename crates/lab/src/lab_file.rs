//! `lab.json`: what others need to know of a running lab.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use palisade_model::Timestamp;
use serde::{Deserialize, Serialize};

/// The contents of `lab.json`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LabFile {
    /// The lab's name.
    pub name: String,
    /// The supervisor.
    pub pid: u32,
    /// Absolute paths of the user's manifests.
    pub manifests: Vec<PathBuf>,
    /// The folder with the live objects.
    pub cluster: PathBuf,
    /// The nodes, in order.
    pub nodes: Vec<LabNode>,
    /// The outside world's network namespace.
    pub world: PathBuf,
    /// Living containers by id.
    pub containers: BTreeMap<String, LabContainer>,
}

/// A node of a lab.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LabNode {
    /// Its name.
    pub name: String,
    /// Its address.
    pub address: IpAddr,
    /// Its IPv6 address, where the kernel has IPv6.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address6: Option<IpAddr>,
    /// A path that names its network namespace.
    pub netns: PathBuf,
    /// The cgroup that holds all its pods.
    pub cgroup: PathBuf,
}

/// A living container of a lab.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LabContainer {
    /// Its init in the machine's pid namespace.
    pub pid: u32,
    /// Its pod's uid.
    pub pod_uid: String,
    /// Its name in the pod.
    pub name: String,
    /// Its pod's namespace.
    pub namespace: String,
    /// Its pod's name.
    pub pod: String,
    /// When its root was made: nothing in it had run then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub made: Option<Timestamp>,
}

/// Reads `lab.json`.
///
/// # Errors
/// When there is none, or it is not one.
pub fn read_lab_file(path: &Path) -> io::Result<LabFile> {
    Ok(serde_json::from_slice(&fs::read(path)?)?)
}

/// Replaces a file as a whole: a reader sees the old or the new contents.
pub(crate) fn write_atomically(path: &Path, contents: &[u8]) -> io::Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let new = path.with_file_name(name);
    let written = fs::write(&new, contents).and_then(|()| fs::rename(&new, path));
    if written.is_err() {
        // Half of it is of no use, and takes up room.
        let _ = fs::remove_file(&new);
    }
    written
}
