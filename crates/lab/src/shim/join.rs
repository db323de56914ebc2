//! A process that joins a running container, a node or the world: `exec`.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};

use nix::sched::{CloneFlags, setns};
use nix::sys::signal::{SigHandler, Signal, signal};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, fork};

use super::{process, step};
use crate::setup::JoinSetup;

/// The variable that carries a [`JoinSetup`] as JSON.
pub(crate) const JOIN_VARIABLE: &str = "PALISADE_LAB_JOIN";

/// Joins what the environment names and executes the command there; its exit code is ours.
pub(crate) fn join() -> ExitCode {
    let text = std::env::var(JOIN_VARIABLE).unwrap_or_default();
    let joined = serde_json::from_str::<JoinSetup>(&text).map_err(io::Error::from).and_then(|setup| {
        // SAFETY: `shim` runs in a process of one thread, before anything else starts one.
        unsafe { std::env::remove_var(JOIN_VARIABLE) };
        run(&setup)
    });
    match joined {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error}");
            // As a shell says it: there is no such command, or it cannot be run.
            ExitCode::from(if error.kind() == io::ErrorKind::NotFound { 127 } else { 126 })
        }
    }
}

fn run(setup: &JoinSetup) -> io::Result<ExitCode> {
    let own_cgroup = setup.cgroup_processes.is_some().then(own_cgroup_file).transpose()?;
    if let Some(path) = &setup.cgroup_processes {
        fs::write(path, "0").map_err(step("enter the container's cgroup"))?;
    }
    if let Some(pid) = setup.all_of {
        let process = rustix::process::Pid::from_raw(i32::try_from(pid).unwrap_or_default())
            .ok_or_else(|| io::Error::other("the container is gone"))?;
        let pidfd = rustix::process::pidfd_open(process, rustix::process::PidfdFlags::empty())
            .map_err(step("find the container"))?;
        let all = CloneFlags::CLONE_NEWNS
            | CloneFlags::CLONE_NEWNET
            | CloneFlags::CLONE_NEWPID
            | CloneFlags::CLONE_NEWIPC
            | CloneFlags::CLONE_NEWUTS
            | CloneFlags::CLONE_NEWCGROUP;
        setns(pidfd.as_fd(), all).map_err(step("join the container"))?;
    }
    if let Some(pid) = setup.pids_of {
        let pids = File::open(format!("/proc/{pid}/ns/pid")).map_err(step("find the lab"))?;
        setns(pids.as_fd(), CloneFlags::CLONE_NEWPID).map_err(step("join the lab"))?;
    }
    if let Some(network) = &setup.network {
        let network = File::open(network).map_err(step("find the network"))?;
        setns(network.as_fd(), CloneFlags::CLONE_NEWNET).map_err(step("join the network"))?;
    }
    // SAFETY: `shim` runs in a process of one thread, so the child may do what it likes.
    match unsafe { fork() }.map_err(step("fork"))? {
        ForkResult::Child => Err(become_command(setup)),
        ForkResult::Parent { child } => {
            if let Some(mut own) = own_cgroup {
                // Only the child counts as the container's; staying would merely delay `down`.
                let _ = own.write_all(b"0");
            }
            // An interrupt from the terminal reaches the child too; its end is ours.
            // SAFETY: ignoring a signal installs no handler.
            unsafe { signal(Signal::SIGINT, SigHandler::SigIgn) }.map_err(step("ignore interrupts"))?;
            Ok(exit_code(waitpid(child, None).map_err(step("wait for the command"))?))
        }
    }
}

fn become_command(setup: &JoinSetup) -> io::Error {
    let outcome = match &setup.process {
        Some(process) => nix::unistd::chdir("/")
            .map_err(io::Error::from)
            .and_then(|()| process::take_identity(process))
            .and_then(|()| end_with_the_caller())
            .and_then(|()| process::execute(process)),
        None => end_with_the_caller().and_then(|()| match setup.command.split_first() {
            Some((program, arguments)) => {
                Err(step(&format!("execute `{program}`"))(Command::new(program).args(arguments).exec()))
            }
            None => Err(io::Error::other("no command")),
        }),
    };
    match outcome {
        Ok(never) => match never {},
        Err(error) => error,
    }
}

/// A change of user forgets this wish, so it comes after.
fn end_with_the_caller() -> io::Result<()> {
    rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))
        .map_err(step("tie the command to us"))
}

/// The caller's own cgroup, to go back to.
fn own_cgroup_file() -> io::Result<File> {
    let list = fs::read_to_string("/proc/self/cgroup")?;
    let relative = list.lines().find_map(|line| line.strip_prefix("0::/")).unwrap_or_default();
    let cgroup = crate::cgroup::Cgroup::below_mount(relative).map_err(io::Error::other)?;
    OpenOptions::new().write(true).open(cgroup.processes()).map_err(step("find the own cgroup"))
}

fn exit_code(status: WaitStatus) -> ExitCode {
    match status {
        WaitStatus::Exited(_, code) => ExitCode::from(u8::try_from(code & 0xff).unwrap_or(1)),
        WaitStatus::Signaled(_, signal, _) => ExitCode::from(128u8.saturating_add(signal as u8)),
        _ => ExitCode::from(1),
    }
}
