//! `lab.json`: what the lab tells of its nodes and containers.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use palisade_model::Timestamp;
use serde::Deserialize;

use crate::error::{Error, Result};

/// The lab's state, as far as the agent needs it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(crate) struct LabState {
    /// The lab's name.
    pub(crate) name: String,
    /// The user's manifests.
    pub(crate) manifests: Vec<PathBuf>,
    /// Folder of the live objects.
    pub(crate) cluster: Option<PathBuf>,
    pub(crate) nodes: Vec<LabNode>,
    /// By container id.
    pub(crate) containers: BTreeMap<String, LabContainer>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(crate) struct LabNode {
    pub(crate) name: String,
    /// The pods' root cgroup.
    pub(crate) cgroup: PathBuf,
    /// Its network namespace.
    pub(crate) netns: PathBuf,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct LabContainer {
    /// Its first process, in the machine's pid namespace; 0 when it has none.
    pub(crate) pid: u32,
    pub(crate) pod_uid: String,
    /// The container's name.
    pub(crate) name: String,
    /// When its root was made: nothing in it had run then.
    pub(crate) made: Option<Timestamp>,
}

impl LabState {
    pub(crate) fn path(state: &Path) -> PathBuf {
        state.join("lab.json")
    }

    pub(crate) fn read(state: &Path) -> Result<Self> {
        let path = Self::path(state);
        let text = fs::read_to_string(&path).map_err(|source| Error::State { path: path.clone(), source })?;
        serde_json::from_str(&text).map_err(|source| Error::StateFormat { path, source })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_the_lab_writes() {
        let text = r#"{"name": "lab", "pid": 7, "manifests": ["/m"], "cluster": "/run/palisade/lab/cluster",
            "nodes": [{"name": "node1", "address": "172.31.0.11", "netns": "/proc/9/ns/net", "cgroup": "/c/node1/kubepods"}],
            "containers": {"abc": {"pid": 12, "podUid": "u1", "name": "nginx", "namespace": "shop", "pod": "web"}}}"#;
        let state: LabState = serde_json::from_str(text).expect("understood");
        assert_eq!(state.nodes[0].cgroup, Path::new("/c/node1/kubepods"));
        assert_eq!(state.containers["abc"].pod_uid, "u1");
    }
}
