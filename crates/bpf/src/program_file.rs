//! The file of a program, resolved to what the kernel programs see of it.
//!
//! `stat` does not tell that: on an overlay `st_dev` is a number of the layer below, while the kernel compares the
//! overlay's own device. The descriptor's fdinfo and the mount table do.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

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

/// The file at `path` in a container that has run since `started`, when nothing on the way to it may be its own doing.
/// A program of the container can put a link, a folder or a mount in the way; all of these would lead to another file
/// that is itself as old as the image. The root's own time does not count: it cannot be replaced, and any new file in
/// it changes that.
///
/// # Errors
/// As [`of_container`], and when a folder, a link or the file was changed after `started` (on an overlay: whatever was
/// copied to the upper layer), or lies on another mount than the root.
pub fn unchanged_since(pid: u32, path: &str, started: SystemTime) -> Result<FileKey> {
    let root = format!("/proc/{pid}/root");
    let table = format!("/proc/{pid}/mountinfo");
    let root = rustix::fs::open(&root, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
        .map_err(|error| Error::path("open the root of a container", &root, error.into()))?;
    let mounts = fs::read_to_string(&table).map_err(|error| Error::path("read", &table, error))?;
    let file = walk(&root, path, started).map_err(|error| Error::path("use the program", path, error))?;
    key(file.as_fd(), &mounts)
        .map_err(|error| Error::path("read the program", path, error))?
        .ok_or_else(|| Error::path("use the program", path, refused("it is no regular file of the root's mount")))
}

/// Links followed on the way to one file; as many as the kernel follows.
const LINKS_MAX: usize = 40;

/// Opens `path` below `root` one component after the other, and looks at each.
fn walk(root: &OwnedFd, path: &str, started: SystemTime) -> io::Result<OwnedFd> {
    let mount = mount_of(root.as_fd())?;
    // The folders that we are in, so that `..` leads back; the root stays.
    let mut inside: Vec<OwnedFd> = Vec::new();
    let mut rest: Vec<OsString> = components(OsStr::new(path));
    let mut links = 0;
    while let Some(name) = rest.pop() {
        if name == ".." {
            inside.pop();
            continue;
        }
        let folder = inside.last().unwrap_or(root);
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let found = rustix::fs::openat(folder, &name, flags, Mode::empty())?;
        let status = rustix::fs::statx(&found, "", AtFlags::EMPTY_PATH, StatxFlags::TYPE | StatxFlags::CTIME)?;
        if mount_of(found.as_fd())? != mount {
            return Err(refused("it lies on another mount than the container's root"));
        }
        let changed = (status.stx_ctime.tv_sec, status.stx_ctime.tv_nsec);
        if is_after(changed, started) {
            return Err(refused("it, or something on the way to it, was changed since the container started"));
        }
        if u32::from(status.stx_mode) & libc::S_IFMT != libc::S_IFLNK {
            inside.push(found);
            continue;
        }
        links += 1;
        if links > LINKS_MAX {
            return Err(rustix::io::Errno::LOOP.into());
        }
        let target = rustix::fs::readlinkat(&found, "", Vec::new())?;
        let target = OsStr::from_bytes(target.as_bytes());
        if target.as_bytes().starts_with(b"/") {
            inside.clear();
        }
        rest.extend(components(target));
    }
    inside.pop().ok_or_else(|| refused("it is the root"))
}

/// The parts of a path, the first one last.
fn components(path: &OsStr) -> Vec<OsString> {
    let parts = path.as_bytes().split(|byte| *byte == b'/').filter(|part| !part.is_empty() && *part != b".");
    parts.rev().map(|part| OsStr::from_bytes(part).to_owned()).collect()
}

fn refused(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, why)
}

fn mount_of(file: BorrowedFd<'_>) -> io::Result<u64> {
    let info = fs::read_to_string(format!("/proc/self/fdinfo/{}", file.as_raw_fd()))?;
    fdinfo_number(&info, "mnt_id:").ok_or_else(|| refused("its mount is not known"))
}

/// Whether a ctime is later than an instant.
fn is_after((seconds, nanoseconds): (i64, u32), instant: SystemTime) -> bool {
    let Ok(seconds) = u64::try_from(seconds) else { return false };
    UNIX_EPOCH + Duration::new(seconds, nanoseconds) > instant
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
    fn a_time_before_the_start_is_told_from_one_after() {
        let start = std::time::UNIX_EPOCH + std::time::Duration::from_secs(100);
        assert!(!super::is_after((99, 999), start));
        assert!(!super::is_after((-1, 0), start));
        assert!(super::is_after((100, 1), start));
    }

    #[test]
    fn a_device_is_counted_as_the_kernel_does() {
        let mounts = "27 1 254:0 / / rw - ext4 /dev/vda rw\n45 27 0:40 / /m rw - overlay overlay rw\n";
        assert_eq!(super::device_of_mount(mounts, 45), Some(40));
        assert_eq!(super::device_of_mount(mounts, 27), Some(254 << 20));
        assert_eq!(super::device_of_mount(mounts, 4), None);
    }
}
