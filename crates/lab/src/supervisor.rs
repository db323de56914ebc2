//! The supervisor: the init of the lab's pid namespace.

use std::fs;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixListener;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::sys::signal::{SigSet, Signal};
use palisade_model::Inventory;

use crate::builtin;
use crate::cgroup::Cgroup;
use crate::control_server;
use crate::error::{LabError, one_line};
use crate::images::Images;
use crate::leftovers;
use crate::log_limit;
use crate::network::Network;
use crate::prober;
use crate::runtime::{Parts, Runtime, locked};
use crate::spawn;
use crate::up::{Outcry, Settings, UpReport, failed, tell_guard};

/// All that a lab writes lies in memory; a runaway log or file stops here.
const SCRATCH_OPTIONS: &str = "mode=755,size=4g";

/// `up` waits no longer than this for pods to be ready.
const READY_LIMIT: Duration = Duration::from_secs(20);

/// The name server listens at once, or something is wrong with it that a longer wait does not mend.
const NAMES_LIMIT: Duration = Duration::from_secs(2);

/// Runs a lab until it is told to end; the exit code.
pub(crate) fn main(settings: Settings, inventory: &Inventory, guard: u32, writer: OwnedFd) -> i32 {
    let begun = Instant::now();
    let name = settings.name.clone();
    let home = own_cgroup();
    let lab = match start(settings, guard) {
        Ok(lab) => lab,
        Err(error) => {
            tell_guard(writer, &failed(&error));
            return 1;
        }
    };
    for number in 1..=u8::try_from(lab.runtime.network.nodes.len()).unwrap_or(u8::MAX) {
        if let Err(error) = prober::start(&lab.runtime, number) {
            crate::said::say!("lab: node{number} probes nobody: {error}");
        }
    }
    let ending = match await_signals(lab.signals) {
        Ok(ending) => ending,
        Err(error) => {
            tell_guard(writer, &failed(&error));
            return 1;
        }
    };
    // A cluster's names are there before its pods ask for them.
    let mut problems = lab.runtime.add(&builtin::objects(inventory));
    wait_until_ready(&lab.runtime, &ending, NAMES_LIMIT);
    problems.extend(lab.runtime.add(inventory));
    control_server::serve(Arc::clone(&lab.runtime), lab.listener);
    let (pods, ready) = wait_until_ready(&lab.runtime, &ending, READY_LIMIT);
    lab.runtime.publish();
    let report = UpReport {
        pods,
        ready,
        millis: u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX),
        problems: problems.iter().map(ToString::to_string).collect(),
        ends: ending.has_come(),
    };
    match lab.runtime.unwritten() {
        // Whoever asks what lives would be told something else.
        Some(error) => tell_guard(writer, &failed(&error)),
        None => {
            tell_guard(writer, &Outcry::Up(report));
            ending.wait();
        }
    }
    lab.runtime.stop_publishing();
    lab.runtime.stop_all();
    // A cgroup with a process in it cannot go, and we are in it.
    if let Some(home) = home {
        let _ = home.admit(0);
    }
    match leftovers::remove(&name) {
        Ok(()) => 0,
        Err(error) => {
            crate::said::say!("lab: {}", one_line(&error));
            1
        }
    }
}

struct Lab {
    runtime: Arc<Runtime>,
    listener: UnixListener,
    signals: SigSet,
}

fn start(settings: Settings, guard: u32) -> Result<Lab, LabError> {
    // Threads inherit what is blocked; one alone waits for these.
    let mut signals = SigSet::empty();
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
        signals.add(signal);
    }
    SigSet::all().thread_set_mask().map_err(LabError::system("block signals"))?;
    // The terminal's interrupt is the guard's; its death is ours to notice.
    nix::unistd::setsid().map_err(LabError::system("leave the session"))?;
    rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::TERM))
        .map_err(LabError::system("tie the supervisor to its guard"))?;
    let machine_pid = spawn::own_machine_pid().map_err(LabError::system("find the own process"))?;

    let cgroup = Cgroup::below_mount(&settings.name.cgroup())?;
    let own = cgroup.child("lab");
    own.create()?;
    own.admit(0)?;

    let state = settings.name.state_dir();
    let scratch = state.scratch();
    fs::create_dir_all(&scratch).map_err(LabError::file("make", &scratch))?;
    private_mounts(&scratch)?;
    let images = Images::create(&scratch).map_err(LabError::system("copy the stand-in"))?;
    let mut manifests = settings.manifests;
    if let Some(text) = settings.stdin {
        let path = state.added().join("stdin.yaml");
        fs::create_dir_all(state.added()).map_err(LabError::file("make", state.added()))?;
        fs::write(&path, text).map_err(LabError::file("write", &path))?;
        manifests.push(path);
    }
    let network = Network::create(settings.nodes, machine_pid)?;
    let mut holders = Vec::new();
    for namespace in network.nodes.iter().chain([&network.world]) {
        let holder = spawn::holder(namespace.as_fd()).and_then(spawn::machine_pid);
        holders.push(holder.map_err(LabError::system("hold a network namespace"))?);
    }
    let runtime = Runtime::create(Parts {
        name: settings.name,
        prefix: settings.prefix,
        guard_pid: guard,
        machine_pid,
        network,
        holders,
        cgroup,
        images,
        rhythm: settings.rhythm,
        manifests,
    })?;
    log_limit::start(&state.logs()).map_err(LabError::system("start a thread"))?;
    runtime.start_publishing().map_err(LabError::system("start a thread"))?;
    let socket = state.control_socket();
    let listener = UnixListener::bind(&socket).map_err(LabError::file("listen on", &socket))?;
    runtime.publish();
    if let Some(error) = runtime.unwritten() {
        return Err(error);
    }
    Ok(Lab { runtime, listener, signals })
}

/// The lab's files lie on a tmpfs that nobody else sees and that goes with the last of us.
fn private_mounts(scratch: &std::path::Path) -> Result<(), LabError> {
    unshare(CloneFlags::CLONE_NEWNS).map_err(LabError::system("make a mount namespace"))?;
    let none: Option<&str> = None;
    mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_SLAVE, none)
        .map_err(LabError::system("keep mounts private"))?;
    mount(Some("tmpfs"), scratch, Some("tmpfs"), MsFlags::MS_NODEV, Some(SCRATCH_OPTIONS))
        .map_err(LabError::system("mount a tmpfs"))
}

fn own_cgroup() -> Option<Cgroup> {
    let list = fs::read_to_string("/proc/self/cgroup").ok()?;
    let relative = list.lines().find_map(|line| line.strip_prefix("0::/"))?;
    Cgroup::below_mount(relative).ok()
}

/// How many pods there are, and how many are ready, once all are or the limit is reached. A pod
/// that ended has nothing more to become.
fn wait_until_ready(runtime: &Runtime, ending: &Ending, limit: Duration) -> (usize, usize) {
    use palisade_model::pod::Phase;
    let deadline = Instant::now() + limit;
    loop {
        let (pods, ready, settled) = {
            let cluster = runtime.cluster();
            let ready = cluster.pods.values().filter(|pod| pod.is_ready()).count();
            let ended =
                cluster.pods.values().filter(|pod| matches!(pod.phase(), Phase::Succeeded | Phase::Failed)).count();
            (cluster.pods.len(), ready, ready + ended)
        };
        if settled >= pods || ending.has_come() || Instant::now() > deadline {
            return (pods, ready);
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// That the lab is to end.
#[derive(Default)]
struct Ending {
    come: Mutex<bool>,
    news: Condvar,
}

impl Ending {
    fn has_come(&self) -> bool {
        *locked(&self.come)
    }

    fn wait(&self) {
        drop(self.news.wait_while(locked(&self.come), |come| !*come).unwrap_or_else(PoisonError::into_inner));
    }
}

/// Waits for signals on a thread of its own.
fn await_signals(signals: SigSet) -> Result<Arc<Ending>, LabError> {
    let ending = Arc::new(Ending::default());
    let waiting = Arc::clone(&ending);
    let wait = move || {
        while signals.wait().is_err() {}
        *locked(&waiting.come) = true;
        waiting.news.notify_all();
    };
    std::thread::Builder::new().name("signals".into()).spawn(wait).map_err(LabError::system("start a thread"))?;
    Ok(ending)
}

/// Ends the lab from within, as a signal from outside does.
pub(crate) fn end() {
    // Blocked everywhere and awaited by the main thread, so it reaches even an init.
    if let Err(error) = nix::sys::signal::kill(nix::unistd::getpid(), Signal::SIGTERM) {
        crate::said::say!("lab: cannot end: {error}");
    }
}
