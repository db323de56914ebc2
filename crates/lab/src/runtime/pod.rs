//! The life of a pod.

use std::collections::BTreeMap;
use std::fs;
use std::net::IpAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use palisade_model::pod::{Container, ContainerRole, PodSpec, RestartPolicy, Volume, VolumeSource};
use palisade_model::{Labels, Name};

use super::container::Instance;
use super::{Runtime, locked};
use crate::cgroup::Cgroup;
use crate::cluster::{ContainerState, Pod, PodKey, Step};
use crate::error::{LabError, one_line};
use crate::netns::Netns;

/// The first pause before a container that ended is started again; it doubles.
///
/// Kubelet starts at 10 s: a desk has less patience.
const FIRST_BACKOFF: Duration = Duration::from_millis(500);

/// The longest pause before a container that ended is started again.
const LONGEST_BACKOFF: Duration = Duration::from_secs(10);

/// A container's thread waits and writes short messages.
const STACK_BYTES: usize = 256 * 1024;

/// A pod's threads, processes and things to clean up.
pub(super) struct PodTask {
    pub key: PodKey,
    pub uid: Name,
    pub node: u8,
    pub hostname: String,
    pub spec: PodSpec,
    pub annotations: Labels,
    pub labels: Labels,
    pub cgroup: Cgroup,
    /// Its own address pair; `None` on the host network.
    pub own: Option<[IpAddr; 2]>,
    pub addresses: Vec<IpAddr>,
    link: Option<String>,
    network: Mutex<Option<Netns>>,
    stopping: AtomicBool,
    /// Init processes that live, by container; a stop or restart kills them.
    living: Mutex<BTreeMap<Name, Pid>>,
    woken: Condvar,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl PodTask {
    pub fn new(pod: &Pod, cgroup: Cgroup, own: Option<[IpAddr; 2]>, link: Option<String>) -> Self {
        let plan = &pod.plan;
        Self {
            key: (plan.namespace.clone(), plan.name.clone()),
            uid: pod.uid.clone(),
            node: pod.node,
            hostname: plan.hostname().to_owned(),
            spec: plan.spec.clone(),
            annotations: plan.annotations.clone(),
            labels: plan.labels.clone(),
            cgroup,
            own,
            addresses: pod.addresses.clone(),
            link,
            network: Mutex::default(),
            stopping: AtomicBool::new(false),
            living: Mutex::default(),
            woken: Condvar::new(),
            thread: Mutex::default(),
        }
    }

    /// Runs the pod on a thread of its own.
    pub fn start(self: Arc<Self>, runtime: Arc<Runtime>) {
        let task = Arc::clone(&self);
        let spawned = std::thread::Builder::new().stack_size(STACK_BYTES).spawn(move || task.run(&runtime));
        match spawned {
            Ok(thread) => *locked(&self.thread) = Some(thread),
            Err(error) => crate::said::say!("lab: cannot start pod {}/{}: {error}", self.key.0, self.key.1),
        }
    }

    /// Ends the pod's processes; nothing starts again.
    pub fn stop(&self) {
        self.stopping.store(true, Ordering::SeqCst);
        self.kill_all();
    }

    /// Ends the pod's processes; what lasts starts again.
    pub fn restart(&self) {
        self.kill_all();
    }

    fn kill_all(&self) {
        let living = locked(&self.living);
        for pid in living.values() {
            // The container's thread reaps it, under this lock, before the number can be another's.
            let _ = kill(*pid, Signal::SIGKILL);
        }
        self.woken.notify_all();
    }

    /// Waits for the pod's threads.
    pub fn join(&self) {
        let thread = locked(&self.thread).take();
        if let Some(thread) = thread {
            // A panic was printed when it happened; there is nothing left to do about it here.
            let _ = thread.join();
        }
    }

    pub fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::SeqCst)
    }

    /// Notes a living init; `false` when the pod is stopping and the init must go.
    pub fn note_living(&self, container: &Name, pid: Pid) -> bool {
        locked(&self.living).insert(container.clone(), pid);
        !self.is_stopping()
    }

    /// The living init of a container, as the supervisor counts.
    pub fn pid_of(&self, container: &Name) -> Option<Pid> {
        locked(&self.living).get(container).copied()
    }

    /// Reaps an init that has ended, or is to end.
    pub fn reap(&self, container: &Name, pid: Pid) -> i32 {
        use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid, waitpid};
        // The number stays taken until it is reaped, and that happens under the lock.
        let _ = waitid(Id::Pid(pid), WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT);
        let mut living = locked(&self.living);
        living.remove(container);
        match waitpid(pid, None) {
            Ok(WaitStatus::Exited(_, code)) => code,
            Ok(WaitStatus::Signaled(_, signal, _)) => 128 + signal as i32,
            Ok(_) | Err(_) => 255,
        }
    }

    /// Takes away what the pod leaves behind once nothing of it runs.
    pub fn clean(&self, runtime: &Runtime) {
        drop(locked(&self.network).take());
        if let Some(link) = &self.link {
            // The link goes with the pod's namespace; it is gone when that was faster.
            let _ = runtime.network.remove_pod(self.node, link);
        }
        if let Some([address, _]) = self.own {
            locked(&runtime.plan).free_pod(address);
        }
        if let Err(error) = self.cgroup.remove() {
            crate::said::say!("lab: {}", one_line(&error));
        }
        let _ = fs::remove_dir_all(self.volumes(runtime));
    }

    fn run(self: &Arc<Self>, runtime: &Arc<Runtime>) {
        // Deleted before it began: nothing was made, and nothing must be.
        if self.is_stopping() {
            return;
        }
        if let Err(error) = self.prepare(runtime) {
            self.fail_all(runtime, &one_line(&error));
            return;
        }
        let containers = self.spec.containers.clone();
        let (first, last): (Vec<_>, Vec<_>) = containers
            .into_iter()
            .partition(|container| matches!(container.role, ContainerRole::Init | ContainerRole::Sidecar));
        let mut threads = Vec::new();
        let mut initialized = true;
        for container in first {
            match container.role {
                ContainerRole::Sidecar => threads.extend(self.spawn_container(runtime, container)),
                ContainerRole::Init | ContainerRole::App | ContainerRole::Ephemeral => {
                    initialized = self.run_to_success(runtime, &container);
                    if !initialized {
                        break;
                    }
                }
            }
        }
        for container in last.into_iter().filter(|_| initialized) {
            threads.extend(self.spawn_container(runtime, container));
        }
        for thread in threads {
            let _ = thread.join();
        }
    }

    /// Network, cgroup and volumes.
    fn prepare(&self, runtime: &Runtime) -> Result<(), LabError> {
        if let (Some(addresses), Some(link)) = (self.own, &self.link) {
            let network = runtime.network.add_pod(self.node, link, addresses)?;
            *locked(&self.network) = Some(network);
        }
        self.cgroup.create()?;
        for volume in &self.spec.volumes {
            let path = self.volume(runtime, volume);
            fs::create_dir_all(&path).map_err(LabError::file("make", &path))?;
            let mode = match volume.source {
                VolumeSource::EmptyDir => 0o777 | if self.spec.fs_group.is_some() { 0o2000 } else { 0 },
                VolumeSource::HostPath(_) | VolumeSource::Image(_) | VolumeSource::Other(_) => 0o755,
            };
            let group = self.spec.fs_group.map(nix::unistd::Gid::from_raw);
            nix::unistd::chown(&path, None, group).map_err(LabError::system("give a volume to its group"))?;
            fs::set_permissions(&path, fs::Permissions::from_mode(mode))
                .map_err(LabError::file("set the mode of", &path))?;
        }
        Ok(())
    }

    fn volumes(&self, runtime: &Runtime) -> PathBuf {
        runtime.state.scratch().join("volumes").join(&*self.uid)
    }

    /// The folder behind a volume: on the lab's tmpfs, whatever the manifest says.
    pub fn volume(&self, runtime: &Runtime, volume: &Volume) -> PathBuf {
        let safe: String =
            volume.name.chars().filter(|letter| letter.is_ascii_alphanumeric() || *letter == '-').collect();
        self.volumes(runtime).join(safe)
    }

    /// The namespace that the pod's containers live in.
    pub fn with_network<T>(&self, runtime: &Runtime, act: impl FnOnce(&Netns) -> T) -> T {
        match &*locked(&self.network) {
            Some(own) => act(own),
            None => act(&runtime.network.nodes[usize::from(self.node) - 1]),
        }
    }

    fn spawn_container(self: &Arc<Self>, runtime: &Arc<Runtime>, container: Container) -> Option<JoinHandle<()>> {
        let (task, runtime) = (Arc::clone(self), Arc::clone(runtime));
        let work = move || task.run_forever(&runtime, &container);
        std::thread::Builder::new()
            .stack_size(STACK_BYTES)
            .spawn(work)
            .map_err(|error| {
                crate::said::say!("lab: cannot start a container of {}/{}: {error}", self.key.0, self.key.1)
            })
            .ok()
    }

    /// An init container: again until it succeeds; `false` when the pod stops before, or must not
    /// try again.
    fn run_to_success(&self, runtime: &Runtime, container: &Container) -> bool {
        let mut backoff = FIRST_BACKOFF;
        loop {
            let code = self.run_once(runtime, container);
            if code == Ok(0) {
                self.set(runtime, container, |state| state.step = Step::Ended { code: 0 });
                return true;
            }
            if self.is_stopping() {
                return false;
            }
            let ended = code.unwrap_or(255);
            self.set(runtime, container, |state| state.step = Step::Ended { code: ended });
            if self.spec.restart == RestartPolicy::Never {
                return false;
            }
            if !self.pause(&mut backoff) {
                return false;
            }
            self.set(runtime, container, |state| state.restarts += 1);
        }
    }

    fn run_forever(&self, runtime: &Runtime, container: &Container) {
        let mut backoff = FIRST_BACKOFF;
        loop {
            let begun = std::time::Instant::now();
            let code = self.run_once(runtime, container);
            if self.is_stopping() {
                return;
            }
            let again = match self.spec.restart {
                RestartPolicy::Always => true,
                RestartPolicy::OnFailure => code != Ok(0),
                RestartPolicy::Never => container.role == ContainerRole::Sidecar,
            };
            if !again {
                let code = code.unwrap_or(255);
                self.set(runtime, container, |state| state.step = Step::Ended { code });
                return;
            }
            if begun.elapsed() > LONGEST_BACKOFF {
                backoff = FIRST_BACKOFF;
            }
            self.set(runtime, container, |state| {
                state.step = Step::Waiting;
                state.restarts += 1;
            });
            if !self.pause(&mut backoff) {
                return;
            }
        }
    }

    /// Sleeps for `backoff` and doubles it; `false` when the pod stops.
    fn pause(&self, backoff: &mut Duration) -> bool {
        let living = locked(&self.living);
        let (_living, _) = self
            .woken
            .wait_timeout_while(living, *backoff, |_| !self.is_stopping())
            .unwrap_or_else(PoisonError::into_inner);
        *backoff = (*backoff * 2).min(LONGEST_BACKOFF);
        !self.is_stopping()
    }

    /// Runs one instance of a container to its end; its exit code.
    fn run_once(&self, runtime: &Runtime, container: &Container) -> Result<i32, ()> {
        let code = Instance::new(runtime, self, container).and_then(Instance::run);
        code.map_err(|error| {
            let message = one_line(&error);
            let before = self.set(runtime, container, |state| state.message.replace(message.clone()));
            if before.flatten().as_ref() != Some(&message) {
                crate::said::say!("lab: container `{}` of {}/{}: {message}", container.name, self.key.0, self.key.1);
            }
        })
    }

    fn fail_all(&self, runtime: &Runtime, message: &str) {
        crate::said::say!("lab: pod {}/{}: {message}", self.key.0, self.key.1);
        for container in &self.spec.containers {
            self.set(runtime, container, |state| state.message = Some(message.to_owned()));
        }
    }

    /// Changes what is known of a container, and lets it be published.
    pub fn set<T>(
        &self,
        runtime: &Runtime,
        container: &Container,
        change: impl FnOnce(&mut ContainerState) -> T,
    ) -> Option<T> {
        let out = {
            let mut cluster = runtime.cluster();
            let pod = cluster.pods.get_mut(&self.key)?;
            pod.containers.get_mut(&container.name).map(change)
        };
        runtime.changed();
        out
    }
}
