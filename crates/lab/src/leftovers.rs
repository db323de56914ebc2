//! What a lab leaves on the machine: a cgroup and a folder. Everything else dies with its processes.

use std::fs;
use std::io;

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
    match fs::remove_dir_all(state.path()) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(LabError::file("remove", state.path())(error)),
        _ => {
            // The last lab takes the common folder along; others keep it.
            let _ = fs::remove_dir(crate::name::STATE_ROOT);
            Ok(())
        }
    }
}
