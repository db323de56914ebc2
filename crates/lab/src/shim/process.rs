//! Becoming the program of a container: user, capabilities, and at last the program itself.

use std::convert::Infallible;
use std::ffi::CString;
use std::io;

use nix::unistd::{Gid, Uid, execve, setgroups, setresgid, setresuid};
use rustix::thread::{CapabilitySet, CapabilitySets};

use super::step;
use crate::capabilities::COUNT;
use crate::image::SEARCH_PATH;
use crate::setup::ProcessSetup;

/// Executes the program of `process`; returns only on failure.
///
/// # Errors
/// When the program cannot be executed.
pub(super) fn execute(process: &ProcessSetup) -> io::Result<Infallible> {
    let text = |text: &str| CString::new(text).map_err(|_| io::Error::other("a NUL byte in an argument or variable"));
    let arguments = process.arguments.iter().map(|argument| text(argument)).collect::<io::Result<Vec<_>>>()?;
    let environment = process
        .environment
        .iter()
        .map(|(name, value)| text(&format!("{name}={value}")))
        .collect::<io::Result<Vec<_>>>()?;
    let mut last = nix::errno::Errno::ENOENT;
    for candidate in candidates(process) {
        let Err(errno) = execve(&text(&candidate)?, &arguments, &environment);
        if errno != nix::errno::Errno::ENOENT {
            last = errno;
        }
    }
    Err(step(&format!("execute `{}`", process.program))(last))
}

fn candidates(process: &ProcessSetup) -> Vec<String> {
    if process.program.contains('/') {
        return vec![process.program.clone()];
    }
    let path = process.environment.iter().find(|(name, _)| name == "PATH").map_or(SEARCH_PATH, |(_, value)| value);
    path.split(':').map(|folder| format!("{folder}/{}", process.program)).collect()
}

/// Takes user and capabilities of `process`.
///
/// As runc does it: the bounding set is cut first, then user and groups are taken (a user other
/// than 0 loses every capability by that), then the other sets follow.
///
/// # Errors
/// When a step is refused.
pub(super) fn take_identity(process: &ProcessSetup) -> io::Result<()> {
    let held = rustix::thread::capabilities(None).map_err(step("read capabilities"))?.permitted;
    let granted = CapabilitySet::from_bits_retain(process.capabilities) & held;
    for number in 0..COUNT {
        let capability = CapabilitySet::from_bits_retain(1 << number);
        if !granted.contains(capability) {
            match rustix::thread::remove_capability_from_bounding_set(capability) {
                // A capability newer than this kernel cannot be held either.
                Ok(()) | Err(rustix::io::Errno::INVAL) => {}
                Err(error) => return Err(step("drop capabilities")(error)),
            }
        }
    }
    let groups: Vec<_> = process.groups.iter().copied().map(Gid::from_raw).collect();
    setgroups(&groups).map_err(step("set groups"))?;
    let (user, group) = (Uid::from_raw(process.user), Gid::from_raw(process.group));
    setresgid(group, group, group).map_err(step("set the group"))?;
    setresuid(user, user, user).map_err(step("set the user"))?;
    if user.is_root() {
        let sets = CapabilitySets { effective: granted, permitted: granted, inheritable: CapabilitySet::empty() };
        rustix::thread::set_capabilities(None, sets).map_err(step("set capabilities"))?;
    }
    if process.no_new_privileges {
        rustix::thread::set_no_new_privs(true).map_err(step("give up new privileges"))?;
    }
    Ok(())
}
