//! The root file system of a container.

use std::fs;
use std::io;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sys::stat::{Mode, SFlag, makedev, mknod};
use nix::unistd::pivot_root;

use super::step;
use crate::setup::{RootSetup, VolumeSetup};

/// Device nodes of every container: name, major, minor.
const DEVICES: [(&str, u64, u64); 6] =
    [("null", 1, 3), ("zero", 1, 5), ("full", 1, 7), ("random", 1, 8), ("urandom", 1, 9), ("tty", 5, 0)];

/// Parts of `/proc` and `/sys` that a container must not read, as Docker hides them.
const MASKED: [&str; 10] = [
    "/proc/acpi",
    "/proc/asound",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/sys/firmware",
];

/// Parts of `/proc` that a container must not write, as Docker protects them.
const READ_ONLY: [&str; 5] = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];

const NONE: Option<&str> = None;

/// Makes the container's root and moves the calling process into it; nothing of the machine's
/// mounts stays reachable.
///
/// # Errors
/// When a mount fails; the message names which.
pub(super) fn enter(root: &RootSetup, volumes: &[VolumeSetup], files: &[(PathBuf, PathBuf)]) -> io::Result<()> {
    mount(NONE, "/", NONE, MsFlags::MS_REC | MsFlags::MS_PRIVATE, NONE).map_err(step("make mounts private"))?;
    let new = overlay(root)?;
    let inside = |path: &Path| new.join(path.strip_prefix("/").unwrap_or(path));
    devices(&new)?;
    kernel_views(&new, root.privileged)?;
    for (source, path) in files {
        let target = inside(path);
        make_file(&target)?;
        bind(source, &target, MsFlags::empty())?;
    }
    for volume in volumes {
        let target = inside(&volume.path);
        fs::create_dir_all(&target).map_err(step(&format!("make `{}`", volume.path.display())))?;
        let read_only = if volume.read_only { MsFlags::MS_RDONLY } else { MsFlags::empty() };
        bind(&volume.source, &target, read_only | MsFlags::MS_NOSUID | MsFlags::MS_NODEV)?;
    }
    if !root.privileged {
        for path in MASKED {
            mask(&inside(Path::new(path)))?;
        }
        for path in READ_ONLY.map(|path| inside(Path::new(path))) {
            if path.exists() {
                bind(&path, &path, MsFlags::MS_RDONLY)?;
            }
        }
    }
    if root.read_only {
        let flags = MsFlags::MS_REMOUNT | MsFlags::MS_BIND | MsFlags::MS_RDONLY | MsFlags::MS_NODEV;
        mount(NONE, &new, NONE, flags, NONE).map_err(step("make the root read-only"))?;
    }
    pivot(&new)
}

/// `xino=on` gives every file one device number and a number of its own, whatever layer holds it:
/// a program's (device, inode) is then the same to stat(2) and to the kernel.
fn overlay(root: &RootSetup) -> io::Result<PathBuf> {
    let (upper, work, new) = (root.own.join("upper"), root.own.join("work"), root.own.join("root"));
    for folder in [&upper, &work, &new] {
        fs::create_dir_all(folder).map_err(step("make the overlay's folders"))?;
    }
    fs::set_permissions(&upper, fs::Permissions::from_mode(0o755)).map_err(step("make the overlay's folders"))?;
    let options = |xino: &str| {
        format!("lowerdir={}:/,upperdir={},workdir={}{xino}", root.layer.display(), upper.display(), work.display())
    };
    // The host's devices are no business of a container that may make nodes and has no device cgroup.
    let flags = MsFlags::MS_NODEV;
    mount(Some("overlay"), &new, Some("overlay"), flags, Some(options(",xino=on").as_str()))
        .or_else(|_| mount(Some("overlay"), &new, Some("overlay"), flags, Some(options("").as_str())))
        .map_err(step("mount the overlay"))?;
    Ok(new)
}

fn devices(new: &Path) -> io::Result<()> {
    let dev = new.join("dev");
    tmpfs(&dev, "mode=755,size=64k", MsFlags::MS_NOSUID | MsFlags::MS_STRICTATIME)?;
    for (name, major, minor) in DEVICES {
        let path = dev.join(name);
        mknod(&path, SFlag::S_IFCHR, Mode::from_bits_truncate(0o666), makedev(major, minor))
            .map_err(step(&format!("make `/dev/{name}`")))?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o666))?;
    }
    for (link, target) in [
        ("fd", "/proc/self/fd"),
        ("stdin", "/proc/self/fd/0"),
        ("stdout", "/proc/self/fd/1"),
        ("stderr", "/proc/self/fd/2"),
    ] {
        symlink(target, dev.join(link))?;
    }
    let shm = dev.join("shm");
    fs::create_dir(&shm)?;
    tmpfs(&shm, "mode=1777,size=64m", MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC)?;
    let pts = dev.join("pts");
    fs::create_dir(&pts)?;
    let options = "newinstance,ptmxmode=0666,mode=0620";
    mount(Some("devpts"), &pts, Some("devpts"), MsFlags::MS_NOSUID | MsFlags::MS_NOEXEC, Some(options))
        .map_err(step("mount `/dev/pts`"))?;
    symlink("pts/ptmx", dev.join("ptmx"))
}

/// `/proc` of the container's own pid namespace and `/sys` of its network namespace. A fresh sysfs
/// shows no cgroup file system and no bpffs below it.
fn kernel_views(new: &Path, privileged: bool) -> io::Result<()> {
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    mount(Some("proc"), &new.join("proc"), Some("proc"), flags, NONE).map_err(step("mount `/proc`"))?;
    let read_only = if privileged { MsFlags::empty() } else { MsFlags::MS_RDONLY };
    mount(Some("sysfs"), &new.join("sys"), Some("sysfs"), flags | read_only, NONE).map_err(step("mount `/sys`"))
}

fn mask(path: &Path) -> io::Result<()> {
    match fs::metadata(path) {
        Ok(found) if found.is_dir() => tmpfs(path, "size=0k", MsFlags::MS_RDONLY),
        Ok(_) => bind(Path::new("/dev/null"), path, MsFlags::empty()),
        Err(_) => Ok(()),
    }
}

fn tmpfs(path: &Path, options: &str, flags: MsFlags) -> io::Result<()> {
    mount(Some("tmpfs"), path, Some("tmpfs"), flags, Some(options))
        .map_err(step(&format!("mount `{}`", path.display())))
}

/// Flags other than the bind itself take effect by a second call alone.
fn bind(source: &Path, target: &Path, flags: MsFlags) -> io::Result<()> {
    let what = format!("mount `{}`", target.display());
    mount(Some(source), target, NONE, MsFlags::MS_BIND, NONE).map_err(step(&what))?;
    if flags.is_empty() {
        return Ok(());
    }
    mount(NONE, target, NONE, MsFlags::MS_BIND | MsFlags::MS_REMOUNT | flags, NONE).map_err(step(&what))
}

fn make_file(path: &Path) -> io::Result<()> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(path)
        .map(drop)
        .map_err(step(&format!("make `{}`", path.display())))
}

/// The old root is stacked below the new one, and then let go with every mount in it.
///
/// Source: pivot_root(2), "pivot_root(".", ".")".
fn pivot(new: &Path) -> io::Result<()> {
    nix::unistd::chdir(new).map_err(step("enter the root"))?;
    pivot_root(".", ".").map_err(step("change the root"))?;
    umount2(".", MntFlags::MNT_DETACH).map_err(step("let go of the machine's mounts"))?;
    nix::unistd::chdir("/").map_err(step("enter the root"))
}
