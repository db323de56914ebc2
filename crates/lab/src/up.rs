//! `lab up`: two processes that watch each other.
//!
//! The guard stays in the machine's pid namespace, waits for signals and cleans up when all else
//! failed. The supervisor is the init of a pid namespace that holds every process of the lab: when
//! it ends, for whatever reason, the kernel ends them all. It notices the guard's death and then
//! ends the lab itself.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use nix::fcntl::OFlag;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sched::{CloneFlags, unshare};
use nix::sys::signal::{SigSet, Signal, kill};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, fork};
use palisade_model::Inventory;
use serde::{Deserialize, Serialize};

use crate::address_plan::MOST_NODES;
use crate::cgroup::Cgroup;
use crate::error::{LabError, one_line};
use crate::leftovers;
use crate::lock::{self, LabLock};
use crate::name::LabName;
use crate::supervisor;

/// How a stand-in's calls follow each other when nobody says.
pub const DEFAULT_RHYTHM: Duration = Duration::from_secs(2);

/// What a lab is made of.
#[derive(Clone)]
pub struct Settings {
    /// Its name.
    pub name: LabName,
    /// How many nodes it has, 1 or 2.
    pub nodes: u8,
    /// Absolute paths of the manifests, for `lab.json`.
    pub manifests: Vec<PathBuf>,
    /// Manifests that came by standard input: they are kept beside the lab's state.
    pub stdin: Option<Vec<u8>>,
    /// Whether the caller gets its terminal back once the lab is up.
    pub detach: bool,
    /// The arguments that make this executable the lab, before `shim` and so on: `["lab"]`.
    pub prefix: Vec<String>,
    /// How often a stand-in calls each dependency.
    pub rhythm: Duration,
}

/// What there is to say once a lab is up.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UpReport {
    /// How many pods it has.
    pub pods: usize,
    /// How many of them are ready.
    pub ready: usize,
    /// How long it took, in milliseconds.
    pub millis: u64,
    /// What cannot run as asked.
    pub problems: Vec<String>,
    /// It was told to end while it started.
    pub ends: bool,
}

/// What the supervisor tells the guard, once.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Outcry {
    Up(UpReport),
    Failed { message: String, hint: Option<String> },
}

/// Starts a lab with the objects of `inventory`, calls `announce` once it is up, and returns when
/// it has ended; with `detach`, at once after that.
///
/// # Errors
/// When the lab cannot start. A pod that cannot is a problem in the report.
pub fn up(settings: Settings, inventory: &Inventory, announce: impl FnOnce(&UpReport)) -> Result<ExitCode, LabError> {
    check_means(&settings)?;
    let lock = lock::take(&settings.name)?;
    leftovers::remove(&settings.name)?;
    drop(lock);
    let lock = lock::take(&settings.name)?;
    let (reader, writer) = nix::unistd::pipe2(OFlag::O_CLOEXEC).map_err(LabError::system("open a pipe"))?;
    if settings.detach {
        // SAFETY: `check_means` saw that this process has one thread.
        match unsafe { fork() }.map_err(LabError::system("fork"))? {
            ForkResult::Parent { .. } => {
                drop(writer);
                // Dropping it would unlock the child's too: they are one.
                std::mem::forget(lock);
                let report = hear(reader)?;
                announce(&report);
                return Ok(if report.ends { ExitCode::FAILURE } else { ExitCode::SUCCESS });
            }
            ForkResult::Child => {
                drop(reader);
                let code = detach(&settings).and_then(|()| guard(settings, inventory, lock, writer, None));
                // Everything the caller still has on its stack is the parent's business.
                std::process::exit(if code.is_ok() { 0 } else { 1 });
            }
        }
    }
    let tell = |report: Result<UpReport, LabError>| report.map(|report| announce(&report));
    guard(settings, inventory, lock, writer, Some((reader, Box::new(tell))))
}

fn check_means(settings: &Settings) -> Result<(), LabError> {
    if !nix::unistd::geteuid().is_root() {
        return Err(LabError::NotRoot);
    }
    if !(1..=MOST_NODES).contains(&settings.nodes) {
        return Err(LabError::Nodes { needed: settings.nodes, most: MOST_NODES });
    }
    for tool in ["ip", "nft"] {
        if crate::image::on_the_host(tool).is_none() {
            return Err(LabError::ToolMissing { tool });
        }
    }
    Cgroup::below_mount("")?;
    let threads = fs::read_dir("/proc/self/task").map_err(LabError::file("read", "/proc/self/task"))?.count();
    if threads > 1 {
        return Err(LabError::Threads { threads });
    }
    Ok(())
}

fn hear(reader: OwnedFd) -> Result<UpReport, LabError> {
    let mut text = String::new();
    File::from(reader).read_to_string(&mut text).map_err(LabError::system("hear from the supervisor"))?;
    match serde_json::from_str(&text) {
        Ok(Outcry::Up(report)) => Ok(report),
        Ok(Outcry::Failed { message, hint }) => {
            let hint = hint.map(|hint| format!("\n\nhint: {hint}")).unwrap_or_default();
            Err(LabError::Refused(format!("{message}{hint}")))
        }
        Err(_) => Err(LabError::Supervisor("it died while it started".to_owned())),
    }
}

/// A session of its own, with its words in the lab's folder.
fn detach(settings: &Settings) -> Result<(), LabError> {
    nix::unistd::setsid().map_err(LabError::system("leave the session"))?;
    let path = settings.name.state_dir().supervisor_log();
    let log = File::options().create(true).append(true).open(&path).map_err(LabError::file("open", &path))?;
    let null = File::open("/dev/null").map_err(LabError::file("open", "/dev/null"))?;
    let redirect = || -> nix::Result<()> {
        nix::unistd::dup2_stdin(&null)?;
        nix::unistd::dup2_stdout(&log)?;
        nix::unistd::dup2_stderr(&log)
    };
    redirect().map_err(LabError::system("let go of the terminal"))
}

type Tell<'a> = (OwnedFd, Box<dyn FnOnce(Result<UpReport, LabError>) -> Result<(), LabError> + 'a>);

/// Starts the supervisor, passes signals on to it, and cleans up after it.
fn guard(
    settings: Settings,
    inventory: &Inventory,
    lock: LabLock,
    writer: OwnedFd,
    tell: Option<Tell<'_>>,
) -> Result<ExitCode, LabError> {
    let mut signals = SigSet::empty();
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP, Signal::SIGCHLD] {
        signals.add(signal);
    }
    signals.thread_block().map_err(LabError::system("block signals"))?;
    let name = settings.name.clone();
    unshare(CloneFlags::CLONE_NEWPID).map_err(LabError::system("make a pid namespace"))?;
    let guard_pid = std::process::id();
    // SAFETY: `check_means` saw that this process has one thread.
    let supervisor = match unsafe { fork() }.map_err(LabError::system("fork"))? {
        ForkResult::Child => {
            let code = supervisor::main(settings, inventory, guard_pid, writer);
            std::process::exit(code);
        }
        ForkResult::Parent { child } => child,
    };
    drop(writer);
    let mut signals =
        SignalFd::with_flags(&signals, SfdFlags::SFD_CLOEXEC).map_err(LabError::system("wait for signals"))?;
    let told = match tell {
        Some((reader, tell)) => {
            wait_for_report(&reader, &mut signals, supervisor);
            tell(hear(reader))
        }
        None => Ok(()),
    };
    let ended = watch(supervisor, &mut signals, told.is_err());
    // The supervisor cleans up itself; this finds work only when it was killed.
    let cleaned = leftovers::remove(&name);
    drop(lock);
    told?;
    cleaned?;
    Ok(if ended { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Passes signals on until the supervisor has something to say, or has died.
fn wait_for_report(reader: &OwnedFd, signals: &mut SignalFd, supervisor: Pid) {
    loop {
        let ready = {
            let mut fds =
                [PollFd::new(reader.as_fd(), PollFlags::POLLIN), PollFd::new(signals.as_fd(), PollFlags::POLLIN)];
            let polled = poll(&mut fds, PollTimeout::NONE);
            polled.is_err() || fds[0].revents().is_some_and(|events| !events.is_empty())
        };
        if ready {
            return;
        }
        pass_on(signals, supervisor);
    }
}

/// Waits for one signal; all but that of a child's end are the supervisor's to end by.
fn pass_on(signals: &mut SignalFd, supervisor: Pid) {
    if let Ok(Some(signal)) = signals.read_signal()
        && signal.ssi_signo != Signal::SIGCHLD as u32
    {
        let _ = kill(supervisor, Signal::SIGTERM);
    }
}

/// Waits for the supervisor's end; whether it was an orderly one.
fn watch(supervisor: Pid, signals: &mut SignalFd, ends_anyway: bool) -> bool {
    if ends_anyway {
        let _ = kill(supervisor, Signal::SIGTERM);
    }
    loop {
        match waitpid(supervisor, Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::StillAlive) => pass_on(signals, supervisor),
            Ok(WaitStatus::Exited(_, code)) => return code == 0,
            Ok(_) | Err(_) => return false,
        }
    }
}

/// Tells the guard how the start went.
pub(crate) fn tell_guard(writer: OwnedFd, outcry: &Outcry) {
    let told = serde_json::to_string(outcry)
        .map_err(io::Error::from)
        .and_then(|text| File::from(writer).write_all(text.as_bytes()));
    if let Err(error) = told {
        crate::said::say!("lab: cannot report: {error}");
    }
}

/// Ends the lab named `name` and removes what is left of it, also of one that died.
///
/// # Errors
/// When none is there, or it does not end.
pub fn down(name: &LabName) -> Result<(), LabError> {
    use crate::control::{Request, RunningLab};
    if !nix::unistd::geteuid().is_root() {
        return Err(LabError::NotRoot);
    }
    match RunningLab::open(name) {
        Ok(lab) => {
            // It may end before it has answered.
            let guard = Process::of(lab.file().pid);
            let _ = lab.ask_for_done(&Request::Down);
            wait_for_end(name, guard)
        }
        Err(_) if name.state_dir().path().exists() || Cgroup::below_mount(&name.cgroup())?.path().exists() => {
            let lock = lock::take(name)?;
            leftovers::remove(name)?;
            drop(lock);
            Ok(())
        }
        Err(error) => Err(error),
    }
}

/// The guard removes the folder last, and then it ends; a limit for that it hangs.
fn wait_for_end(name: &LabName, guard: Option<Process>) -> Result<(), LabError> {
    const LIMIT: Duration = Duration::from_secs(20);
    let deadline = std::time::Instant::now() + LIMIT;
    while name.state_dir().path().exists() || guard.as_ref().is_some_and(Process::runs) {
        if std::time::Instant::now() > deadline {
            return Err(LabError::Supervisor(format!("it has not ended after {} s", LIMIT.as_secs())));
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    Ok(())
}

/// A process by its number and its start, which together come once.
struct Process {
    pid: u32,
    start: String,
}

impl Process {
    fn of(pid: u32) -> Option<Self> {
        let (_, start) = Self::state(pid)?;
        Some(Self { pid, start })
    }

    /// One that nobody has reaped does no longer run.
    fn runs(&self) -> bool {
        Self::state(self.pid).is_some_and(|(state, start)| start == self.start && !matches!(&*state, "Z" | "X"))
    }

    /// Fields 3 and 22 of `/proc/PID/stat`; the name in field 2 may hold anything, also `)`.
    fn state(pid: u32) -> Option<(String, String)> {
        let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let mut fields = text.rsplit_once(')')?.1.split_whitespace();
        Some((fields.next()?.to_owned(), fields.nth(18)?.to_owned()))
    }
}

/// What is said of an error at start.
pub(crate) fn failed(error: &LabError) -> Outcry {
    Outcry::Failed { message: one_line(error), hint: error.hint() }
}
