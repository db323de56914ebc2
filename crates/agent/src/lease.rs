//! Whether somebody is writing a file, by asking for a read lease on it.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::path::Path;

/// Whether somebody has `file` open for writing. What cannot be told counts as no.
///
/// The kernel grants a read lease on a file that nobody has open for writing, and on no other.
/// Source: fcntl(2), `F_SETLEASE`. A writer that opens the file while the lease is held waits for its end, which
/// is the next line.
pub(crate) fn is_being_written(file: &Path) -> bool {
    let Ok(file) = File::open(file) else { return false };
    // SAFETY: fcntl on a descriptor that is open; both commands take an integer.
    let granted = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_SETLEASE, libc::F_RDLCK) };
    if granted == 0 {
        // SAFETY: as above.
        unsafe { libc::fcntl(file.as_raw_fd(), libc::F_SETLEASE, libc::F_UNLCK) };
        return false;
    }
    io::Error::last_os_error().raw_os_error() == Some(libc::EAGAIN)
}

/// A writer that comes while a lease is held would have the kernel send SIGIO, which ends a process that does not
/// expect it.
pub(crate) fn ignore_lease_breaks() {
    // SAFETY: ignoring a signal runs no code of ours.
    unsafe { libc::signal(libc::SIGIO, libc::SIG_IGN) };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_writer_is_seen_and_a_reader_is_none() {
        let path = std::env::temp_dir().join(format!("palisade-lease-{}", std::process::id()));
        let writer = File::create(&path).expect("made");
        assert!(is_being_written(&path));
        drop(writer);
        let reader = File::open(&path).expect("opened");
        assert!(!is_being_written(&path));
        drop(reader);
        std::fs::remove_file(&path).expect("removed");
        assert!(!is_being_written(&path));
    }
}
