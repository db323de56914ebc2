//! The lab's cgroups, in the shape that kubelet gives them.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use palisade_model::pod::QosClass;

use crate::error::LabError;

/// How long ended processes may take to leave their cgroup.
const LEAVE_LIMIT: Duration = Duration::from_secs(5);

/// A cgroup v2 directory.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Cgroup(PathBuf);

impl Cgroup {
    /// The directory.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The cgroup `relative` below the machine's cgroup2 mount, wherever that is.
    ///
    /// # Errors
    /// When no cgroup2 is mounted.
    pub fn below_mount(relative: &str) -> Result<Self, LabError> {
        let table =
            fs::read_to_string("/proc/self/mountinfo").map_err(LabError::file("read", "/proc/self/mountinfo"))?;
        cgroup2_mount(&table).map(|mount| Self(mount.join(relative))).ok_or(LabError::NoCgroup2)
    }

    /// The cgroup `name` below this one.
    pub fn child(&self, name: &str) -> Self {
        Self(self.0.join(name))
    }

    /// The cgroup of a pod below a node's `kubepods`, which is this one.
    pub fn pod(&self, qos: QosClass, uid: &str) -> Self {
        let pod = format!("pod{uid}");
        match qos {
            QosClass::Guaranteed => self.child(&pod),
            QosClass::Burstable => self.child("burstable").child(&pod),
            QosClass::BestEffort => self.child("besteffort").child(&pod),
        }
    }

    /// Makes it and what is missing above it.
    pub fn create(&self) -> Result<(), LabError> {
        fs::create_dir_all(&self.0).map_err(LabError::file("make the cgroup", &self.0))
    }

    /// Moves the process `pid` (as the caller sees it) into it.
    pub fn admit(&self, pid: i32) -> Result<(), LabError> {
        let file = self.processes();
        fs::write(&file, pid.to_string()).map_err(LabError::file("write", file))
    }

    /// The file that lists its processes.
    pub fn processes(&self) -> PathBuf {
        self.0.join("cgroup.procs")
    }

    /// Kills every process in it and below.
    pub fn kill(&self) {
        // Kernels before 5.14 have no such file; there the pid namespaces alone must do.
        let _ = fs::write(self.0.join("cgroup.kill"), "1");
    }

    /// Removes it with all below, waiting for processes that are about to end.
    pub fn remove(&self) -> Result<(), LabError> {
        let deadline = Instant::now() + LEAVE_LIMIT;
        loop {
            match remove_tree(&self.0) {
                Ok(()) => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
                Err(error) if Instant::now() > deadline => {
                    return Err(LabError::file("remove the cgroup", &self.0)(error));
                }
                Err(_) => std::thread::sleep(Duration::from_millis(5)),
            }
        }
    }
}

/// A cgroup directory goes by `rmdir` alone, children first.
fn remove_tree(path: &Path) -> io::Result<()> {
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            remove_tree(&entry.path())?;
        }
    }
    fs::remove_dir(path)
}

/// The mount point of the whole cgroup2 hierarchy, out of `/proc/self/mountinfo`.
///
/// Source: proc_pid_mountinfo(5): root and mount point are fields 4 and 5, the type follows `-`.
fn cgroup2_mount(mountinfo: &str) -> Option<PathBuf> {
    let mounts = mountinfo.lines().filter_map(|line| {
        let (left, right) = line.split_once(" - ")?;
        let mut fields = left.split(' ').skip(3);
        let (root, point) = (fields.next()?, fields.next()?);
        (right.split(' ').next()? == "cgroup2").then_some((root, point))
    });
    let mut fallback = None;
    for (root, point) in mounts {
        if root == "/" {
            return Some(PathBuf::from(unescaped(point)));
        }
        fallback.get_or_insert_with(|| PathBuf::from(unescaped(point)));
    }
    fallback
}

fn unescaped(field: &str) -> String {
    field.replace("\\040", " ").replace("\\011", "\t").replace("\\012", "\n").replace("\\134", "\\")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mount_is_found_wherever_it_is() {
        let hybrid = "30 24 0:26 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n\
                      41 30 0:37 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n";
        assert_eq!(cgroup2_mount(hybrid), Some(PathBuf::from("/sys/fs/cgroup/unified")));
        let bound = "9 1 0:3 /inner /mnt/a\\040b rw shared:4 - cgroup2 none rw\n8 1 0:3 / /sys/fs/cgroup rw shared:1 - cgroup2 none rw\n";
        assert_eq!(cgroup2_mount(bound), Some(PathBuf::from("/sys/fs/cgroup")));
        assert_eq!(cgroup2_mount("1 1 0:1 / / rw - ext4 /dev/vda rw\n"), None);
    }

    #[test]
    fn a_guaranteed_pod_lies_directly_below_kubepods() {
        let root = Cgroup(PathBuf::from("/c/kubepods"));
        assert_eq!(root.pod(QosClass::Guaranteed, "u1").path(), Path::new("/c/kubepods/podu1"));
        assert_eq!(root.pod(QosClass::BestEffort, "u1").path(), Path::new("/c/kubepods/besteffort/podu1"));
    }
}
