//! What a lab leaves on the machine: a cgroup, a folder, and in it what an agent has pinned.
//! Everything else dies with its processes.

use std::fs;
use std::io;
use std::path::Path;

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

/// A folder with a mount on it cannot go. A mount that only another mount namespace sees goes with
/// its folder.
fn unmount_below(folder: &Path) {
    let table = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let points = table.lines().filter_map(|line| line.split(' ').nth(4)).map(Path::new);
    let mut points: Vec<_> = points.filter(|point| point.starts_with(folder)).collect();
    // A later mount may lie on an earlier one.
    points.reverse();
    for point in points {
        if let Err(error) = umount2(point, MntFlags::MNT_DETACH) {
            crate::said::say!("lab: cannot unmount `{}`: {error}", point.display());
        }
    }
}

/// Removes the folder, and what lies mounted below it.
fn remove_state(name: &LabName) -> Result<(), LabError> {
    let state = name.state_dir();
    unpin(&state.agent_pins())?;
    unmount_below(state.path());
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
    Ok(())
}
