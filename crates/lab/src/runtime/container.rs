//! One instance of a container, from its cgroup to its exit code.

use std::ffi::CString;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use palisade_model::pod::{Container, ContainerRole, RestartPolicy};
use palisade_model::service::TargetPort;
use palisade_model::{Name, Protocol, Timestamp};

use super::Runtime;
use super::pod::PodTask;
use crate::address_plan::DNS_ADDRESS;
use crate::builtin::{RUNS_ANNOTATION, RUNS_DNS};
use crate::cgroup::Cgroup;
use crate::cluster::Step;
use crate::command::{self, Command};
use crate::dependency;
use crate::dns::ZONE_FOLDER;
use crate::error::{LabError, one_line};
use crate::guard_wait::{self, Guard};
use crate::random;
use crate::setup::{ContainerSetup, FromShim, RootSetup, ToShim, VolumeSetup};
use crate::spawn;
use crate::stand_in::{Listen, Orders, STAND_IN_VARIABLE, StandIn};

/// A shim makes its mounts in milliseconds; on a machine under load, in a second or two.
const SHIM_LIMIT: Duration = Duration::from_secs(20);

/// A container that is about to run.
pub(super) struct Instance<'a> {
    runtime: &'a Runtime,
    task: &'a PodTask,
    container: &'a Container,
    id: Name,
    cgroup: Cgroup,
    /// The folder of its upper layer.
    own: PathBuf,
    setup: ContainerSetup,
}

impl<'a> Instance<'a> {
    pub fn new(runtime: &'a Runtime, task: &'a PodTask, container: &'a Container) -> Result<Self, LabError> {
        let id: Name = random::container_id().map_err(LabError::system("make an id"))?.into();
        let cgroup = task.cgroup.child(&id);
        let own = runtime.state.scratch().join("containers").join(&*id);
        let setup = setup(runtime, task, container, own.clone())?;
        Ok(Self { runtime, task, container, id, cgroup, own, setup })
    }

    /// Runs it to its end.
    pub fn run(self) -> Result<i32, LabError> {
        self.cgroup.create()?;
        let outcome = self.run_in_cgroup();
        self.task.set(self.runtime, self.container, |state| state.pid = None);
        if let Err(error) = self.cgroup.remove() {
            crate::said::say!("lab: {}", one_line(&error));
        }
        let _ = fs::remove_dir_all(&self.own);
        outcome
    }

    fn run_in_cgroup(&self) -> Result<i32, LabError> {
        let log = self.open_log()?;
        let (ours, theirs) = spawn::line().map_err(LabError::system("open a line to the container"))?;
        let arguments: Vec<_> =
            ["palisade"].into_iter().chain(self.runtime.prefix.iter().map(String::as_str)).chain(["shim"]).collect();
        let text =
            |text: &str| CString::new(text).map_err(|error| LabError::system("start a shim")(io::Error::from(error)));
        let arguments = arguments.into_iter().map(text).collect::<Result<Vec<_>, _>>()?;
        let pid = self
            .task
            .with_network(self.runtime, |network| {
                spawn::init(&spawn::InitStart {
                    arguments: &arguments,
                    environment: &[],
                    network: network.as_fd(),
                    log: log.as_fd(),
                    channel: theirs.as_fd(),
                    null: self.runtime.null.as_fd(),
                })
            })
            .map_err(LabError::system("start a shim"))?;
        drop(theirs);
        let begun = if self.task.note_living(&self.container.name, pid) {
            self.cgroup.admit(pid.as_raw()).and_then(|()| self.lead(ours, pid))
        } else {
            Err(LabError::Refused("the pod is stopping".to_owned()))
        };
        if begun.is_err() {
            // It is not reaped yet, so the number is still its own.
            let _ = kill(pid, Signal::SIGKILL);
        }
        let code = self.task.reap(&self.container.name, pid);
        begun.map(|()| code)
    }

    /// Talks the shim through making the container, and lets its program start.
    fn lead(&self, ours: OwnedFd, pid: nix::unistd::Pid) -> Result<(), LabError> {
        let mut line = Line::new(ours).map_err(LabError::system("talk to a shim"))?;
        line.say(&ToShim::Setup(Box::new(self.setup.clone())))?;
        match line.hear()? {
            Some(FromShim::Ready) => {}
            Some(FromShim::Failed(message)) => return Err(LabError::Refused(message)),
            None => return Err(LabError::Refused("the shim died".to_owned())),
        }
        let machine_pid = spawn::machine_pid(pid).map_err(LabError::system("find the container's process"))?;
        let made = Timestamp::now();
        self.task.set(self.runtime, self.container, |state| {
            state.made = Some(made);
            state.id = Some(self.id.clone());
            state.pid = Some(machine_pid);
            state.step = Step::Created;
            state.probed_ready = self.container.readiness.is_none();
        });
        self.runtime.publish();
        let node = self.runtime.cluster().node(self.task.node).map(|node| node.name.to_string()).unwrap_or_default();
        let state = &self.runtime.state;
        let agents = [state.agent_socket_of(&node), state.agent_socket()];
        if guard_wait::wait(&agents, &self.task.uid) == Guard::Late {
            crate::said::say!("lab: the agent does not guard {}/{} yet", self.task.key.0, self.task.key.1);
        }
        line.say(&ToShim::Go)?;
        match line.hear()? {
            // The descriptor closes when the shim becomes the program.
            None => {
                self.task.set(self.runtime, self.container, |state| {
                    state.step = Step::Running;
                    state.message = None;
                });
                Ok(())
            }
            Some(FromShim::Failed(message)) => Err(LabError::Refused(message)),
            Some(FromShim::Ready) => Err(LabError::Refused("the shim speaks out of turn".to_owned())),
        }
    }

    fn open_log(&self) -> Result<File, LabError> {
        let (namespace, pod) = &self.task.key;
        let path = self.runtime.state.log_file(namespace, pod, &self.container.name);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(LabError::file("make", folder))?;
        }
        File::options().create(true).append(true).open(&path).map_err(LabError::file("open", &path))
    }
}

/// The supervisor's end of the line to a shim.
struct Line {
    input: BufReader<std::os::unix::net::UnixStream>,
    output: std::os::unix::net::UnixStream,
}

impl Line {
    fn new(end: OwnedFd) -> io::Result<Self> {
        let output = std::os::unix::net::UnixStream::from(end);
        output.set_read_timeout(Some(SHIM_LIMIT))?;
        Ok(Self { input: BufReader::new(output.try_clone()?), output })
    }

    fn say(&mut self, what: &ToShim) -> Result<(), LabError> {
        let text = serde_json::to_string(what).map_err(io::Error::from).map_err(LabError::system("talk to a shim"))?;
        self.output.write_all(format!("{text}\n").as_bytes()).map_err(LabError::system("talk to a shim"))
    }

    fn hear(&mut self) -> Result<Option<FromShim>, LabError> {
        let mut line = String::new();
        match self.input.read_line(&mut line) {
            Ok(0) => Ok(None),
            Ok(_) => serde_json::from_str(&line)
                .map(Some)
                .map_err(io::Error::from)
                .map_err(LabError::system("understand a shim")),
            // A shim that was killed may leave a reset behind.
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => Ok(None),
            Err(error) => Err(LabError::system("hear from a shim")(error)),
        }
    }
}

fn setup(runtime: &Runtime, task: &PodTask, container: &Container, own: PathBuf) -> Result<ContainerSetup, LabError> {
    let command = command::of_container(container, &task.annotations);
    let image = container.image.as_deref().unwrap_or_default();
    let layer = runtime.images.layer(image, &command).map_err(LabError::system("make the image's layer"))?;
    let environment = environment(runtime, task, container, &command)?;
    let (process, unknown) = command::process(container, &task.spec, &command, environment);
    for message in unknown {
        crate::said::say!("lab: {}: {message}", container.place);
    }
    let files = files(task, &own).map_err(LabError::system("write the container's files"))?;
    let mut volumes: Vec<_> = container
        .mounts
        .iter()
        .filter_map(|(name, path)| {
            let volume = task.spec.volumes.iter().find(|volume| volume.name == *name)?;
            let read_only = !matches!(volume.source, palisade_model::pod::VolumeSource::EmptyDir);
            Some(VolumeSetup { source: task.volume(runtime, volume), path: PathBuf::from(&**path), read_only })
        })
        .collect();
    if runs_dns(container, task) {
        volumes.push(VolumeSetup { source: runtime.zone_folder(), path: PathBuf::from(ZONE_FOLDER), read_only: true });
    }
    let root = RootSetup {
        layer,
        own,
        read_only: container.security.read_only_root_filesystem == Some(true),
        privileged: container.security.privileged == Some(true),
    };
    Ok(ContainerSetup { root, volumes, files, hostname: task.hostname.clone(), process })
}

fn runs_dns(container: &Container, task: &PodTask) -> bool {
    task.annotations.value(&format!("{RUNS_ANNOTATION}{}", container.name)) == Some(RUNS_DNS)
}

fn environment(
    runtime: &Runtime,
    task: &PodTask,
    container: &Container,
    command: &Command,
) -> Result<Vec<(String, String)>, LabError> {
    let mut environment = command::base_environment(&task.hostname);
    environment.extend(container.env.iter().map(|(name, value)| (name.to_string(), value.clone())));
    let orders = match command {
        _ if runs_dns(container, task) => Some(Orders::Dns),
        Command { stand_in: true, .. } => Some(Orders::StandIn(stand_in(container, task, runtime))),
        Command { tool: true, .. } => Some(Orders::Tool { rhythm: runtime.rhythm }),
        Command { .. } => None,
    };
    if let Some(orders) = orders {
        let json =
            serde_json::to_string(&orders).map_err(io::Error::from).map_err(LabError::system("describe a stand-in"))?;
        environment.push((STAND_IN_VARIABLE.to_owned(), json));
    }
    Ok(environment)
}

/// `/etc/resolv.conf`, `/etc/hosts` and `/etc/hostname`, as kubelet writes them.
fn files(task: &PodTask, own: &std::path::Path) -> io::Result<Vec<(PathBuf, PathBuf)>> {
    let folder = own.join("files");
    fs::create_dir_all(&folder)?;
    let (namespace, name) = &task.key;
    let search = format!("{namespace}.svc.cluster.local svc.cluster.local cluster.local");
    let resolv = format!("search {search}\nnameserver {DNS_ADDRESS}\noptions ndots:5\n");
    let full = match &task.spec.subdomain {
        Some(subdomain) => format!("{}.{subdomain}.{namespace}.svc.cluster.local\t{}", task.hostname, task.hostname),
        None => name.to_string(),
    };
    let mut hosts = String::from("127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n");
    for address in &task.addresses {
        hosts.push_str(&format!("{address}\t{full}\n"));
    }
    let mut files = Vec::new();
    for (name, contents) in [("resolv.conf", resolv), ("hosts", hosts), ("hostname", format!("{}\n", task.hostname))] {
        let source = folder.join(name);
        fs::write(&source, contents)?;
        files.push((source, PathBuf::from("/etc").join(name)));
    }
    Ok(files)
}

/// What stands in for the program of `container`: it listens on the container's ports, on those
/// that its probes ask, and, in the first container, on what Services expect of the pod; it calls
/// what its environment names.
fn stand_in(container: &Container, task: &PodTask, runtime: &Runtime) -> StandIn {
    let mut listen: Vec<_> = container.ports.iter().map(|port| Listen::any(port.protocol, port.number)).collect();
    listen.extend(
        container.probes().filter_map(|probe| probe.tcp_port(container)).map(|port| Listen::any(Protocol::Tcp, port)),
    );
    let first = task.spec.containers.iter().find(|container| container.role == ContainerRole::App);
    if first.is_some_and(|first| first.name == container.name) {
        let declared = |listen: &Listen| {
            let ports = task.spec.containers.iter().flat_map(|container| &container.ports);
            ports.into_iter().any(|port| (port.protocol, port.number) == (listen.protocol, listen.port))
        };
        let expected = expected_ports(task, runtime);
        listen.extend(expected.into_iter().filter(|listen| !declared(listen)));
    }
    listen.sort();
    listen.dedup();
    StandIn {
        name: format!("{}/{}/{}", task.key.0, task.key.1, container.name),
        listen,
        calls: dependency::of_environment(container.env.iter().map(|(name, value)| (&**name, value.as_str()))),
        rhythm: runtime.rhythm,
        once: task.spec.restart != RestartPolicy::Always || container.role == ContainerRole::Init,
    }
}

/// The numbers that Services forward to on this pod.
fn expected_ports(task: &PodTask, runtime: &Runtime) -> Vec<Listen> {
    let cluster = runtime.cluster();
    let mine = cluster.services.values().filter(|service| {
        let selector = service.selector.as_ref().filter(|selector| !selector.0.is_empty());
        service.meta.namespace() == &*task.key.0 && selector.is_some_and(|selector| selector.is_subset_of(&task.labels))
    });
    mine.flat_map(|service| &service.ports)
        .filter_map(|port| match port.target {
            TargetPort::Number(number) => Some(Listen::any(port.protocol, number)),
            TargetPort::Name(_) => None,
        })
        .collect()
}
