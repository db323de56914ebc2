//! The first process of a container: it makes the container around itself, waits for leave, and
//! becomes the container's program.

mod join;
mod process;
mod root;

use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};
use std::os::fd::{FromRawFd, OwnedFd};
use std::process::ExitCode;

use nix::sched::{CloneFlags, unshare};

use crate::setup::{CHANNEL, ContainerSetup, FromShim, ToShim};

pub(crate) use join::{JOIN_VARIABLE, join};

/// A setup is a few kilobytes; what is longer is none.
const LONGEST_LINE: u64 = 4 << 20;

/// The `shim` command: the init of a container, or a process that joins one.
///
/// It is started by the supervisor, or by `exec` with its orders in the environment, never by hand.
pub fn shim() -> ExitCode {
    if std::env::var_os(JOIN_VARIABLE).is_some() {
        return join();
    }
    let mut channel = match Channel::inherited() {
        Ok(channel) => channel,
        Err(error) => {
            eprintln!("error: `shim` is started by the lab, not by hand: {error}");
            return ExitCode::from(2);
        }
    };
    match become_container(&mut channel) {
        Ok(never) => match never {},
        Err(error) => {
            // The supervisor prints it; when it is gone, nobody is left to tell.
            let _ = channel.say(&FromShim::Failed(error.to_string()));
            ExitCode::from(127)
        }
    }
}

fn become_container(channel: &mut Channel) -> io::Result<std::convert::Infallible> {
    let ToShim::Setup(setup) = channel.hear()? else { return Err(io::Error::other("orders in the wrong order")) };
    let ContainerSetup { root, volumes, files, hostname, process } = *setup;
    let namespaces =
        CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWIPC | CloneFlags::CLONE_NEWUTS | CloneFlags::CLONE_NEWCGROUP;
    unshare(namespaces).map_err(step("make namespaces"))?;
    nix::unistd::sethostname(&hostname).map_err(step("set the host name"))?;
    root::enter(&root, &volumes, &files)?;
    channel.say(&FromShim::Ready)?;
    let ToShim::Go = channel.hear()? else { return Err(io::Error::other("orders in the wrong order")) };
    process::take_identity(&process)?;
    process::execute(&process)
}

/// Names the step that failed.
fn step<E: Into<io::Error>>(what: &str) -> impl FnOnce(E) -> io::Error {
    let what = what.to_owned();
    move |error| {
        let error: io::Error = error.into();
        io::Error::new(error.kind(), format!("cannot {what}: {error}"))
    }
}

/// The shim's end of the line to the supervisor.
struct Channel {
    input: BufReader<File>,
    output: File,
}

impl Channel {
    fn inherited() -> io::Result<Self> {
        nix::fcntl::fcntl(
            // SAFETY: the descriptor is only borrowed for this call, which fails when it is not open.
            unsafe { std::os::fd::BorrowedFd::borrow_raw(CHANNEL) },
            nix::fcntl::FcntlArg::F_SETFD(nix::fcntl::FdFlag::FD_CLOEXEC),
        )?;
        // SAFETY: the supervisor opened this descriptor for us alone, and nothing else owns it.
        let output = File::from(unsafe { OwnedFd::from_raw_fd(CHANNEL) });
        Ok(Self { input: BufReader::new(output.try_clone()?), output })
    }

    fn hear(&mut self) -> io::Result<ToShim> {
        let mut line = String::new();
        io::Read::take(&mut self.input, LONGEST_LINE).read_line(&mut line)?;
        if line.is_empty() {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the supervisor hung up"));
        }
        Ok(serde_json::from_str(&line)?)
    }

    fn say(&mut self, what: &FromShim) -> io::Result<()> {
        let mut line = serde_json::to_string(what)?;
        line.push('\n');
        self.output.write_all(line.as_bytes())
    }
}
