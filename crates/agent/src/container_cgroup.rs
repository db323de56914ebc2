//! Where a pod's and a container's cgroup lies, in the shape that kubelet makes.

use std::path::{Path, PathBuf};

use palisade_bpf::cgroup;

/// The folders between the pods' root and a pod: none for Guaranteed pods.
const QUALITY_OF_SERVICE: [&str; 3] = ["", "burstable", "besteffort"];

/// A pod's cgroup below the pods' root of its node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PodCgroup {
    path: PathBuf,
    pub(crate) id: u64,
}

impl PodCgroup {
    /// `None` before the cgroup is made and after it is gone.
    pub(crate) fn find(root: &Path, uid: &str) -> Option<Self> {
        // A uid is a file name, never a path; an empty one names nothing.
        if uid.is_empty() || uid.contains('/') {
            return None;
        }
        QUALITY_OF_SERVICE.iter().find_map(|quality| {
            let path = root.join(quality).join(format!("pod{uid}"));
            let id = cgroup::id(&path).ok()?;
            Some(Self { path, id })
        })
    }

    /// The id of a container's cgroup; `None` before it is made.
    pub(crate) fn container(&self, id: &str) -> Option<u64> {
        if id.is_empty() || id.contains('/') {
            return None;
        }
        cgroup::id(&self.path.join(id)).ok()
    }
}
