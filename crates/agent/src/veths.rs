//! The veths of the node's pods, found by a pod's process and kept while the pod lives.

use std::collections::HashMap;
use std::fs::File;
use std::path::{Path, PathBuf};

use palisade_bpf::network::{self, PodLink};

/// The veths of pods, by the pod's cgroup.
#[derive(Debug, Default)]
pub(crate) struct Veths {
    known: HashMap<u64, Vec<PodLink>>,
}

impl Veths {
    /// Of the pod that the process is of; none before it has a process, and on the network of its node.
    pub(crate) fn of_pod(&mut self, cgroup: u64, pid: u32, node: &Path) -> Vec<PodLink> {
        if let Some(links) = self.known.get(&cgroup) {
            return links.clone();
        }
        let path = namespace_of(pid);
        if pid == 0 || network::is_same(&path, node) {
            return Vec::new();
        }
        let Some(links) = File::open(&path).and_then(|pod| network::links(&pod)).ok() else { return Vec::new() };
        self.known.insert(cgroup, links.clone());
        links
    }

    /// Forgets pods that are gone.
    pub(crate) fn keep(&mut self, exists: impl Fn(u64) -> bool) {
        self.known.retain(|cgroup, _| exists(*cgroup));
    }
}

/// The network namespace of a process.
pub(crate) fn namespace_of(pid: u32) -> PathBuf {
    PathBuf::from(format!("/proc/{pid}/ns/net"))
}
