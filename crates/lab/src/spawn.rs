//! Starting processes of the lab: inits in pid namespaces of their own, and plain holders.

use std::ffi::CString;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::path::Path;

use nix::sched::{CloneFlags, clone, setns};
use nix::sys::signal::{SigSet, SigmaskHow, Signal, sigprocmask};
use nix::unistd::Pid;

use crate::setup::CHANNEL;

/// The child only moves descriptors and executes, or sleeps.
const STACK_BYTES: usize = 64 * 1024;

/// What a new init is started with.
pub(crate) struct InitStart<'a> {
    /// The arguments of this very executable.
    pub arguments: &'a [CString],
    /// Its environment.
    pub environment: &'a [CString],
    /// The network namespace that it lives in.
    pub network: BorrowedFd<'a>,
    /// Its standard output and error.
    pub log: BorrowedFd<'a>,
    /// Its end of the line to the supervisor.
    pub channel: BorrowedFd<'a>,
    /// Its standard input.
    pub null: BorrowedFd<'a>,
}

/// Starts this executable as the init of a new pid namespace.
///
/// # Errors
/// When the kernel makes no process.
pub(crate) fn init(start: &InitStart<'_>) -> io::Result<Pid> {
    let executable = CString::from(c"/proc/self/exe");
    let pointers =
        |list: &[CString]| list.iter().map(|text| text.as_ptr()).chain([std::ptr::null()]).collect::<Vec<_>>();
    let (arguments, environment) = (pointers(start.arguments), pointers(start.environment));
    let child = || {
        let moved = [(start.null, 0), (start.log, 1), (start.log, 2), (start.channel, CHANNEL)]
            .into_iter()
            .all(|(from, to)| moved_to(from.as_raw_fd(), to));
        // SAFETY: a session and a signal's default are the child's own; no handler is installed.
        unsafe {
            nix::libc::setsid();
            nix::libc::signal(nix::libc::SIGPIPE, nix::libc::SIG_DFL);
        }
        if !moved || setns(start.network, CloneFlags::CLONE_NEWNET).is_err() || unblock_signals().is_err() {
            return 126;
        }
        // SAFETY: the lists end with null, and their strings live until the child is another program.
        unsafe { nix::libc::execve(executable.as_ptr(), arguments.as_ptr(), environment.as_ptr()) };
        126
    };
    in_new_process(child, CloneFlags::CLONE_NEWPID)
}

/// Starts a process that does nothing but live in `network`, so that `/proc/PID/ns/net` names it.
///
/// # Errors
/// When the kernel makes no process.
pub(crate) fn holder(network: BorrowedFd<'_>) -> io::Result<Pid> {
    let child = || {
        if setns(network, CloneFlags::CLONE_NEWNET).is_err() || unblock_signals().is_err() {
            return 126;
        }
        // What the supervisor closes must not stay open here: somebody may wait for its end.
        // SAFETY: the child uses no descriptor any more.
        unsafe { nix::libc::syscall(nix::libc::SYS_close_range, 0, u32::MAX, 0) };
        loop {
            nix::unistd::pause();
        }
    };
    in_new_process(child, CloneFlags::empty())
}

/// The child of a process with threads may only do what a signal handler may: no allocation.
fn in_new_process(mut child: impl FnMut() -> isize, flags: CloneFlags) -> io::Result<Pid> {
    let mut stack = vec![0u8; STACK_BYTES];
    // SAFETY: without CLONE_VM the child works on its own copy of the stack and of all memory, and
    // the callbacks above make system calls only.
    let pid = unsafe { clone(Box::new(&mut child), &mut stack, flags, Some(Signal::SIGCHLD as i32)) }?;
    Ok(pid)
}

/// Duplicates `from` as `to`, so that it stays open when another program is executed.
fn moved_to(from: i32, to: i32) -> bool {
    // SAFETY: both calls touch the descriptor table of the calling process alone.
    unsafe {
        if from == to { nix::libc::fcntl(from, nix::libc::F_SETFD, 0) >= 0 } else { nix::libc::dup2(from, to) >= 0 }
    }
}

fn unblock_signals() -> nix::Result<()> {
    sigprocmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::empty()), None)
}

/// Both ends of a line between the supervisor and a shim.
///
/// # Errors
/// When there are no descriptors left.
pub(crate) fn line() -> io::Result<(OwnedFd, OwnedFd)> {
    use nix::sys::socket::{AddressFamily, SockFlag, SockType, socketpair};
    Ok(socketpair(AddressFamily::Unix, SockType::Stream, None, SockFlag::SOCK_CLOEXEC)?)
}

/// A process of ours by the number that the machine's procfs shows.
///
/// The supervisor lives in a pid namespace of its own; a pid descriptor's `fdinfo` shows the
/// number as the procfs counts in which it is read.
///
/// # Errors
/// When the process is gone.
pub(crate) fn machine_pid(pid: Pid) -> io::Result<u32> {
    let process = rustix::process::Pid::from_raw(pid.as_raw()).ok_or(io::ErrorKind::InvalidInput)?;
    let pidfd = rustix::process::pidfd_open(process, rustix::process::PidfdFlags::empty())?;
    let info = std::fs::read_to_string(Path::new("/proc/self/fdinfo").join(pidfd.as_raw_fd().to_string()))?;
    info.lines()
        .find_map(|line| line.strip_prefix("Pid:")?.trim().parse::<u32>().ok())
        .filter(|pid| *pid > 0)
        .ok_or_else(|| io::Error::other("the process is not visible in `/proc`"))
}

/// The number of the calling process in the machine's procfs.
///
/// # Errors
/// When `/proc` is not mounted.
pub(crate) fn own_machine_pid() -> io::Result<u32> {
    let link = std::fs::read_link("/proc/self")?;
    link.to_str().and_then(|pid| pid.parse().ok()).ok_or_else(|| io::Error::other("`/proc/self` is no number"))
}
