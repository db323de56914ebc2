//! Who holds a lab's lock lives; the kernel lets go of it when they all have died.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt;

use nix::fcntl::{Flock, FlockArg};

use crate::error::LabError;
use crate::lab_file::read_lab_file;
use crate::name::LabName;

/// A lab that is being made or runs.
pub(crate) type LabLock = Flock<File>;

/// So often the folder of all labs may vanish while a lab's own is made in it.
const TRIES: usize = 100;

/// Takes the lock of the lab `name`; its state folder exists afterwards.
///
/// # Errors
/// When somebody who lives holds it.
pub(crate) fn take(name: &LabName) -> Result<LabLock, LabError> {
    let state = name.state_dir();
    let path = state.lock_file();
    let mut tries = 0;
    loop {
        match fs::create_dir_all(state.path()) {
            Ok(()) => {}
            // The last of other labs ended, and took the folder of all labs along just now.
            Err(error) if error.kind() == io::ErrorKind::NotFound && tries < TRIES => {
                tries += 1;
                continue;
            }
            Err(error) => return Err(LabError::file("make", state.path())(error)),
        }
        let file = match File::options().create(true).append(true).open(&path) {
            Ok(file) => file,
            // A lab that ended took the folder along just now.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(LabError::file("open", &path)(error)),
        };
        let lock = Flock::lock(file, FlockArg::LockExclusiveNonblock).map_err(|(_, _)| {
            match read_lab_file(&state.lab_file()) {
                Ok(file) => LabError::AlreadyRunning { name: name.to_string(), pid: file.pid },
                Err(_) => LabError::Starting { name: name.to_string() },
            }
        })?;
        let same = fs::metadata(&path)
            .and_then(|now| Ok((now.dev(), now.ino()) == lock.metadata().map(|it| (it.dev(), it.ino()))?));
        if same.is_ok_and(|same| same) {
            return Ok(lock);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lab_that_is_being_started_is_told_from_one_that_runs() {
        if !palisade_peers::is_root_or_skip() {
            return;
        }
        let name: LabName = format!("lock-{}", std::process::id()).parse().expect("a name");
        let lock = take(&name).expect("nobody has it");
        let error = take(&name).expect_err("somebody has it");
        assert_eq!(error.to_string(), format!("a lab named `{name}` is being started"));
        fs::remove_dir_all(name.state_dir().path()).expect("removed");
        drop(lock);
    }
}
