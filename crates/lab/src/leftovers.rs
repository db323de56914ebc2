//! What a lab leaves on the machine: a cgroup, a folder, and in it what an agent has pinned.
//! Everything else dies with its processes.

use std::fs;
use std::io;
use std::path::Path;

use nix::errno::Errno;
use nix::mount::{MntFlags, umount2};

use crate::cgroup::Cgroup;
use crate::error::LabError;
use crate::name::LabName;

/// Removes what is left of the lab `name`; the caller holds its lock.
///
/// # Errors
/// When a process cannot be ended or a folder not removed.
pub(crate) fn remove(name: &LabName) -> Result<(), LabError> {
    let cgroup = Cgroup::below_mount(&name.cgroup())?;
    if cgroup.path().exists() {
        cgroup.kill();
        cgroup.remove()?;
    }
    remove_state(name)
}

/// Removes the folder alone.
///
/// # Errors
/// When it cannot be removed.
pub(crate) fn remove_state(name: &LabName) -> Result<(), LabError> {
    let state = name.state_dir();
    unpin(&state.path().join("bpf"))?;
    match fs::remove_dir_all(state.path()) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(LabError::file("remove", state.path())(error)),
        _ => {
            // The last lab takes the common folder along; others keep it.
            let _ = fs::remove_dir(crate::name::STATE_ROOT);
            Ok(())
        }
    }
}

/// Takes out of the kernel what an agent pinned below `pins`, whether or not the agent lives.
///
/// The pins are removed one by one before the mount: a copy of the mount in another namespace would
/// keep them alive.
fn unpin(pins: &Path) -> Result<(), LabError> {
    let Ok(entries) = fs::read_dir(pins) else { return Ok(()) };
    // The kernel puts files of its own into every bpffs; those go with the mount.
    for folder in entries.flatten().filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())) {
        fs::remove_dir_all(folder.path()).map_err(LabError::file("remove", folder.path()))?;
    }
    match umount2(pins, MntFlags::MNT_DETACH) {
        // Not mounted: an agent that had only begun.
        Ok(()) | Err(Errno::EINVAL) => Ok(()),
        Err(error) => Err(LabError::file("unmount", pins)(error.into())),
    }
}
