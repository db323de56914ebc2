//! Where programs and maps outlive the agent: a bpffs of the agent's own, a folder for each node in it, and in that one
//! folder for each generation, named by the layout, the cgroup that it guards and the size of its table of flows.

use std::ffi::CString;
use std::fs;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// `f_type` of a bpffs.
const BPF_FS_MAGIC: i64 = 0xcafe_4a11;

/// Hash of the sources that the programs were built from: pins of another build are not taken over.
pub const LAYOUT_HASH: &str = env!("PALISADE_LAYOUT_HASH");

/// The pins of one generation of programs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Generation {
    pub(crate) folder: PathBuf,
    number: u32,
}

impl Generation {
    pub(crate) fn map(&self, name: &str) -> PathBuf {
        self.folder.join("maps").join(name)
    }

    pub(crate) fn link(&self, name: &str) -> PathBuf {
        self.folder.join("links").join(name)
    }

    pub(crate) fn program(&self, name: &str) -> PathBuf {
        self.folder.join("programs").join(name)
    }

    pub(crate) fn create(&self) -> Result<()> {
        for folder in ["maps", "links", "programs"].map(|name| self.folder.join(name)) {
            fs::create_dir_all(&folder).map_err(|error| Error::path("create", &folder, error))?;
        }
        Ok(())
    }

    /// True when this build made it, for that.
    pub(crate) fn fits(&self, made_for: MadeFor) -> bool {
        let name = self.folder.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with(&made_for.prefix())
    }
}

/// What tells generations of one build apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MadeFor {
    /// The pods' root, by its id.
    pub(crate) cgroup: u64,
    /// What its table of flows holds.
    pub(crate) flows: u32,
}

impl MadeFor {
    fn prefix(self) -> String {
        format!("{LAYOUT_HASH}-{}-{}-", self.cgroup, self.flows)
    }
}

/// Every generation pinned in a node's folder, the newest last.
pub(crate) fn generations(node: &Path) -> Result<Vec<Generation>> {
    let entries = match fs::read_dir(node) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(Error::path("read", node, error)),
    };
    let mut found = Vec::new();
    for entry in entries {
        let folder = entry.map_err(|error| Error::path("read", node, error))?.path();
        let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let number = name.rsplit('-').next().and_then(|text| text.parse().ok()).unwrap_or(0);
        found.push(Generation { folder, number });
    }
    found.sort_by_key(|generation| generation.number);
    Ok(found)
}

/// The generation to make next.
pub(crate) fn next_generation(node: &Path, made_for: MadeFor, existing: &[Generation]) -> Generation {
    let number = existing.iter().map(|generation| generation.number).max().unwrap_or(0) + 1;
    Generation { folder: node.join(format!("{}{number}", made_for.prefix())), number }
}

/// Gives a link a name that holds it.
pub(crate) fn pin(object: &OwnedFd, path: &Path) -> Result<()> {
    let name = c_path(path)?;
    // SAFETY: the descriptor is open and the string ends with a NUL.
    let result = unsafe { libbpf_sys::bpf_obj_pin(object.as_raw_fd(), name.as_ptr()) };
    if result != 0 {
        return Err(Error::path("pin", path, io::Error::from_raw_os_error(-result)));
    }
    Ok(())
}

fn c_path(path: &Path) -> Result<CString> {
    CString::new(path.as_os_str().as_bytes())
        .map_err(|error| Error::path("use", path, io::Error::new(io::ErrorKind::InvalidInput, error)))
}

/// Removes pins, and detaches what they held.
///
/// Links to a cgroup are detached by name, because the kernel drops an unpinned link some time later; tracepoints have no
/// such call, and only record.
pub(crate) fn remove(folder: &Path) -> Result<()> {
    for path in folders_below(folder).into_iter().chain([folder.to_owned()]) {
        for entry in fs::read_dir(path.join("links")).into_iter().flatten().flatten() {
            if let Ok(link) = libbpf_rs::Link::open(entry.path()) {
                let _ = link.detach();
            }
        }
    }
    match fs::remove_dir_all(folder) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(Error::path("remove", folder, error)),
    }
}

fn folders_below(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())).map(|entry| entry.path()).collect()
}

/// Makes sure that a bpffs is mounted at `path`. Returns true when this call mounted it.
///
/// # Errors
/// When the folder cannot be made or the mount is refused.
pub fn mount(path: &Path) -> Result<bool> {
    fs::create_dir_all(path).map_err(|error| Error::path("create", path, error))?;
    if is_bpffs(path)? {
        return Ok(false);
    }
    let target = c_path(path)?;
    // SAFETY: the strings are valid and end with a NUL.
    let result = unsafe {
        libc::mount(
            c"bpf".as_ptr(),
            target.as_ptr(),
            c"bpf".as_ptr(),
            libc::MS_NOSUID | libc::MS_NODEV | libc::MS_NOEXEC,
            c"mode=0700".as_ptr().cast(),
        )
    };
    if result != 0 {
        return Err(Error::path("mount a bpffs at", path, io::Error::last_os_error()));
    }
    Ok(true)
}

/// Unmounts the bpffs at `path` and removes the folder: every pin in it is gone, and with it what they held in place.
///
/// # Errors
/// When the mount is busy or the folder cannot be removed; that there is none is no error.
pub fn unmount(path: &Path) -> Result<()> {
    if !path.exists() {
        return Ok(());
    }
    if is_bpffs(path)? {
        // Not left to the last reference to the mount: a copy in another mount namespace would keep everything attached.
        for entry in fs::read_dir(path).map_err(|error| Error::path("read", path, error))? {
            let entry = entry.map_err(|error| Error::path("read", path, error))?;
            // The kernel puts files of its own into every bpffs; those go with the mount.
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                remove(&entry.path())?;
            }
        }
        let target = c_path(path)?;
        // SAFETY: the string is valid and ends with a NUL.
        if unsafe { libc::umount2(target.as_ptr(), libc::MNT_DETACH) } != 0 {
            return Err(Error::path("unmount", path, io::Error::last_os_error()));
        }
    }
    fs::remove_dir(path).map_err(|error| Error::path("remove", path, error))
}

/// Removes the folder of one node from the bpffs at `path`, and the mount when no other node has one.
///
/// # Errors
/// When a pin cannot be removed or the mount is busy; that there is none is no error.
pub fn unmount_one(path: &Path, node: &str) -> Result<()> {
    if path.exists() && is_bpffs(path)? {
        remove(&path.join(node))?;
        if !folders_below(path).is_empty() {
            return Ok(());
        }
    }
    unmount(path)
}

fn is_bpffs(path: &Path) -> Result<bool> {
    let target = c_path(path)?;
    // SAFETY: a zeroed statfs is valid, and the string ends with a NUL.
    let mut found: libc::statfs = unsafe { std::mem::zeroed() };
    // SAFETY: as above.
    if unsafe { libc::statfs(target.as_ptr(), &mut found) } != 0 {
        return Err(Error::path("look at", path, io::Error::last_os_error()));
    }
    Ok(found.f_type == BPF_FS_MAGIC)
}
