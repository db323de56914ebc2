//! Cgroups as the kernel programs know them: by id, and by how deep they lie.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// A cgroup of the unified hierarchy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    /// What `bpf_get_current_cgroup_id` gives.
    pub id: u64,
    /// Distance from the root of the hierarchy.
    pub level: u32,
}

/// The id of the cgroup at `path`: the inode number of its folder.
///
/// # Errors
/// When there is no such folder.
pub fn id(path: &Path) -> Result<u64> {
    Ok(fs::metadata(path).map_err(|error| Error::path("read the cgroup", path, error))?.ino())
}

/// Id and level of the cgroup at `path`.
///
/// # Errors
/// When there is no such folder or it lies in no cgroup2 mount.
pub fn identify(path: &Path) -> Result<Identity> {
    let id = id(path)?;
    let path = fs::canonicalize(path).map_err(|error| Error::path("read the cgroup", path, error))?;
    let mounts = mounts()?;
    let mount = mounts
        .iter()
        .filter(|mount| path.starts_with(&mount.point))
        .max_by_key(|mount| mount.point.components().count())
        .ok_or_else(|| Error::Missing(format!("`{}` lies in no cgroup2 mount", path.display())))?;
    let below = path.strip_prefix(&mount.point).unwrap_or(&path).components().count();
    let above = mount.root.components().count() - 1;
    let level = u32::try_from(below + above).unwrap_or(u32::MAX);
    Ok(Identity { id, level })
}

/// Where a cgroup2 hierarchy is mounted, and which part of it.
struct Mount {
    point: PathBuf,
    root: PathBuf,
}

/// The first mount of the whole cgroup2 hierarchy: `/sys/fs/cgroup` on most machines, `/sys/fs/cgroup/unified` beside v1.
///
/// # Errors
/// When there is none.
pub fn mount_point() -> Result<PathBuf> {
    mounts()?
        .into_iter()
        .find(|mount| mount.root == Path::new("/"))
        .map(|mount| mount.point)
        .ok_or_else(|| Error::Missing("no cgroup2 hierarchy is mounted".to_string()))
}

fn mounts() -> Result<Vec<Mount>> {
    let path = Path::new("/proc/self/mountinfo");
    let text = fs::read_to_string(path).map_err(|error| Error::path("read", path, error))?;
    Ok(text.lines().filter_map(parse_cgroup_mount).collect())
}

/// A line of mountinfo: `id parent major:minor root point options [tags] - type source options`.
fn parse_cgroup_mount(line: &str) -> Option<Mount> {
    let (left, right) = line.split_once(" - ")?;
    if right.split(' ').next() != Some("cgroup2") {
        return None;
    }
    let mut fields = left.split(' ');
    let root = fields.nth(3)?;
    let point = fields.next()?;
    Some(Mount { point: PathBuf::from(point), root: PathBuf::from(root) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_cgroup2_among_the_mounts() {
        let line = "35 24 0:30 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw";
        let mount = parse_cgroup_mount(line).expect("a cgroup2 line");
        assert_eq!(mount.point, Path::new("/sys/fs/cgroup/unified"));
        assert!(parse_cgroup_mount("24 1 0:22 / /sys/fs/cgroup rw - tmpfs tmpfs rw").is_none());
    }
}
