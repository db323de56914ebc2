//! The file of a program, resolved to what the kernel programs see of it.
//!
//! `stat` does not tell that: on an overlay `st_dev` is a number of the layer below, while the kernel compares the
//! overlay's own device. The descriptor's fdinfo and the mount table do.

use std::fs;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{AtFlags, Mode, OFlags, ResolveFlags, StatxFlags};

use crate::error::{Error, Result};
use crate::tables::FileKey;

/// Resolves `path` as a process sees it whose root is `/proc/<pid>/root`: links cannot lead out of that root.
///
/// # Errors
/// When there is no such process or no such regular file in its root.
pub fn of_container(pid: u32, path: &str) -> Result<FileKey> {
    let root = format!("/proc/{pid}/root");
    let table = format!("/proc/{pid}/mountinfo");
    let root = rustix::fs::open(&root, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
        .map_err(|error| Error::path("open the root of a container", &root, error.into()))?;
    let mounts = fs::read_to_string(&table).map_err(|error| Error::path("read", &table, error))?;
    in_root(&root, &mounts, path)
}

/// Resolves `path` below `root`, a folder of the caller's own mount namespace.
///
/// # Errors
/// When there is no such regular file below it.
pub fn below(root: &Path, path: &str) -> Result<FileKey> {
    let table = Path::new("/proc/self/mountinfo");
    let root = rustix::fs::open(root, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
        .map_err(|error| Error::path("open", root, error.into()))?;
    let mounts = fs::read_to_string(table).map_err(|error| Error::path("read", table, error))?;
    in_root(&root, &mounts, path)
}

fn in_root(root: &OwnedFd, mounts: &str, path: &str) -> Result<FileKey> {
    let refuse = |why: &str| Error::path("use the program", path, io::Error::new(io::ErrorKind::InvalidInput, why));
    let flags = OFlags::PATH | OFlags::CLOEXEC;
    let inside = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
    let file = rustix::fs::openat2(root, path, flags, Mode::empty(), inside)
        .map_err(|error| Error::path("open the program", path, error.into()))?;
    use std::os::fd::AsFd;
    key(file.as_fd(), mounts)
        .map_err(|error| Error::path("read the program", path, error))?
        .ok_or_else(|| refuse("it is no regular file of a mount that the container has"))
}

/// `None` for what is no regular file, or lies on a mount that the table does not have.
fn key(file: BorrowedFd<'_>, mounts: &str) -> io::Result<Option<FileKey>> {
    let wanted = StatxFlags::TYPE | StatxFlags::SIZE | StatxFlags::CTIME | StatxFlags::INO;
    let status = rustix::fs::statx(file, "", AtFlags::EMPTY_PATH, wanted)?;
    if u32::from(status.stx_mode) & libc::S_IFMT != libc::S_IFREG {
        return Ok(None);
    }
    let info = fs::read_to_string(format!("/proc/self/fdinfo/{}", file.as_raw_fd()))?;
    // Before 5.14 fdinfo has no inode; there the one of stat is right wherever it is right at all.
    let inode = fdinfo_number(&info, "ino:").unwrap_or(status.stx_ino);
    let Some(device) = fdinfo_number(&info, "mnt_id:").and_then(|mount| device_of_mount(mounts, mount)) else {
        return Ok(None);
    };
    Ok(Some(FileKey {
        device,
        inode,
        size: status.stx_size,
        ctime_seconds: status.stx_ctime.tv_sec,
        ctime_nanoseconds: status.stx_ctime.tv_nsec,
    }))
}

fn fdinfo_number(info: &str, name: &str) -> Option<u64> {
    info.lines().find_map(|line| line.strip_prefix(name))?.trim().parse().ok()
}

/// A line of mountinfo starts with `id parent major:minor`.
fn device_of_mount(mounts: &str, mount: u64) -> Option<u32> {
    let line = mounts.lines().find(|line| line.split(' ').next().and_then(|id| id.parse().ok()) == Some(mount))?;
    let (major, minor) = line.split(' ').nth(2)?.split_once(':')?;
    Some((major.parse::<u32>().ok()? << 20) | minor.parse::<u32>().ok()?)
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_device_is_counted_as_the_kernel_does() {
        let mounts = "27 1 254:0 / / rw - ext4 /dev/vda rw\n45 27 0:40 / /m rw - overlay overlay rw\n";
        assert_eq!(super::device_of_mount(mounts, 45), Some(40));
        assert_eq!(super::device_of_mount(mounts, 27), Some(254 << 20));
        assert_eq!(super::device_of_mount(mounts, 4), None);
    }
}
