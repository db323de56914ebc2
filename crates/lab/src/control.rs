//! The line between the `lab` commands and the supervisor: JSON lines over a socket.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::error::LabError;
use crate::lab_file::{LabFile, read_lab_file};
use crate::name::LabName;
use crate::setup::JoinSetup;

/// What a command asks of the supervisor.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Request {
    /// How is the lab?
    Status,
    /// How does one join a container, a node or the world?
    Join(JoinTarget),
    /// Run the objects of these manifests too.
    Add { manifests: Vec<PathBuf> },
    /// Stop a pod and forget it.
    Delete { pod: String },
    /// End a pod and run it again, or its containers alone.
    Restart { pod: String, what: RestartWhat },
    /// Change a pod's labels.
    Label { pod: String, set: BTreeMap<String, String>, remove: Vec<String> },
    /// Where are the logs of a pod?
    Logs { pod: String, container: Option<String> },
    /// End the lab.
    Down,
}

/// What is started anew.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum RestartWhat {
    /// The pod: another uid, another address.
    Pod,
    /// Its containers: other ids in the same pod.
    Containers,
}

/// What a process can join.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum JoinTarget {
    /// A container: of `[NAMESPACE/]POD` or a workload; its first one when none is named.
    Container {
        /// The pod.
        pod: String,
        /// The container.
        container: Option<String>,
    },
    /// The network of a node, by name.
    Node(String),
    /// The outside world.
    World,
}

/// What the supervisor answers.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Response {
    Status(Status),
    Join(Box<JoinSetup>),
    /// Done; what was wrong on the way.
    Done {
        what: String,
        problems: Vec<String>,
    },
    /// Objects that are new in the lab; what was wrong on the way.
    Added {
        objects: Vec<String>,
        problems: Vec<String>,
    },
    /// Files by container.
    Logs(Vec<(String, PathBuf)>),
    Refused(String),
}

/// How a lab is.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    /// Its name.
    pub name: String,
    /// Its supervisor.
    pub pid: u32,
    /// Its nodes: name and addresses.
    pub nodes: Vec<(String, Vec<std::net::IpAddr>)>,
    /// Its pods, by namespace and name.
    pub pods: Vec<PodStatus>,
    /// Its Services.
    pub services: Vec<ServiceStatus>,
    /// What cannot run as asked.
    pub problems: Vec<String>,
}

/// How a pod is.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PodStatus {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its uid.
    pub uid: String,
    /// Its node.
    pub node: String,
    /// Its addresses.
    pub addresses: Vec<std::net::IpAddr>,
    /// `status.phase`.
    pub phase: String,
    /// Whether it is ready.
    pub ready: bool,
    /// Its containers.
    pub containers: Vec<ContainerStatus>,
}

/// How a container is.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ContainerStatus {
    /// Its name.
    pub name: String,
    /// Its id, once it was made.
    pub id: Option<String>,
    /// Its init on this machine, while it lives.
    pub pid: Option<u32>,
    /// `waiting`, `created`, `running` or `ended CODE`.
    pub state: String,
    /// Whether it counts as ready.
    pub ready: bool,
    /// How often it was started again.
    pub restarts: u32,
    /// How often its liveness probe failed.
    pub liveness_failures: u32,
    /// Why it does not run, or what its last probe said.
    pub message: Option<String>,
}

/// How a Service is.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ServiceStatus {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its addresses; none when headless.
    pub addresses: Vec<std::net::IpAddr>,
    /// Its ports, as `80/TCP` or `80:30001/TCP`.
    pub ports: Vec<String>,
    /// How many ready backends its ports have, the fewest of any.
    pub ready_backends: usize,
}

/// What became of further manifests.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Added {
    /// What is new in the lab.
    pub objects: Vec<String>,
    /// What was wrong with the manifests.
    pub problems: Vec<String>,
}

/// A running lab, seen from outside.
#[derive(Clone, Debug)]
pub struct RunningLab {
    name: LabName,
    file: LabFile,
}

impl RunningLab {
    /// The lab named `name`.
    ///
    /// # Errors
    /// When none runs.
    pub fn open(name: &LabName) -> Result<Self, LabError> {
        let not_running = || LabError::NotRunning { name: name.to_string() };
        let file = read_lab_file(&name.state_dir().lab_file()).map_err(|_| not_running())?;
        UnixStream::connect(name.state_dir().control_socket()).map_err(|_| not_running())?;
        Ok(Self { name: name.clone(), file })
    }

    /// What `lab.json` said when the lab was opened.
    pub fn file(&self) -> &LabFile {
        &self.file
    }

    /// Its name.
    pub fn name(&self) -> &LabName {
        &self.name
    }

    /// How it is.
    ///
    /// # Errors
    /// When its supervisor does not answer.
    pub fn status(&self) -> Result<Status, LabError> {
        match self.ask(&Request::Status)? {
            Response::Status(status) => Ok(status),
            other => Err(unexpected(&other)),
        }
    }

    /// Runs the objects of further manifests: what is new in the lab by them, and what was wrong with them. Files in
    /// which nothing is new are not taken.
    ///
    /// # Errors
    /// When its supervisor refuses: no file is taken when one cannot be read whole.
    pub fn add(&self, manifests: &[PathBuf]) -> Result<Added, LabError> {
        match self.ask(&Request::Add { manifests: manifests.to_vec() })? {
            Response::Added { objects, problems } => Ok(Added { objects, problems }),
            other => Err(unexpected(&other)),
        }
    }

    /// Stops a pod and forgets it; its full name.
    ///
    /// # Errors
    /// When no pod is meant.
    pub fn delete(&self, pod: &str) -> Result<String, LabError> {
        self.ask_for_done(&Request::Delete { pod: pod.to_owned() }).map(|(what, _)| what)
    }

    /// Starts a pod or its containers anew; its full name.
    ///
    /// # Errors
    /// When no pod is meant.
    pub fn restart(&self, pod: &str, what: RestartWhat) -> Result<String, LabError> {
        self.ask_for_done(&Request::Restart { pod: pod.to_owned(), what }).map(|(what, _)| what)
    }

    /// Sets and removes labels of a pod; its full name.
    ///
    /// # Errors
    /// When no pod is meant.
    pub fn label(&self, pod: &str, set: BTreeMap<String, String>, remove: Vec<String>) -> Result<String, LabError> {
        self.ask_for_done(&Request::Label { pod: pod.to_owned(), set, remove }).map(|(what, _)| what)
    }

    pub(crate) fn join(&self, target: &JoinTarget) -> Result<JoinSetup, LabError> {
        match self.ask(&Request::Join(target.clone()))? {
            Response::Join(setup) => Ok(*setup),
            other => Err(unexpected(&other)),
        }
    }

    /// The log files of a pod's containers, or of one of them.
    ///
    /// # Errors
    /// When no pod or container is meant.
    pub fn logs(&self, pod: &str, container: Option<&str>) -> Result<Vec<(String, PathBuf)>, LabError> {
        match self.ask(&Request::Logs { pod: pod.to_owned(), container: container.map(ToOwned::to_owned) })? {
            Response::Logs(files) => Ok(files),
            other => Err(unexpected(&other)),
        }
    }

    pub(crate) fn ask_for_done(&self, request: &Request) -> Result<(String, Vec<String>), LabError> {
        match self.ask(request)? {
            Response::Done { what, problems } => Ok((what, problems)),
            other => Err(unexpected(&other)),
        }
    }

    fn ask(&self, request: &Request) -> Result<Response, LabError> {
        let silent = |error: std::io::Error| LabError::Supervisor(error.to_string());
        let mut stream = UnixStream::connect(self.name.state_dir().control_socket())
            .map_err(|_| LabError::NotRunning { name: self.name.to_string() })?;
        let text = serde_json::to_string(request).map_err(std::io::Error::from).map_err(silent)?;
        stream.write_all(format!("{text}\n").as_bytes()).map_err(silent)?;
        let mut line = String::new();
        BufReader::new(stream).read_line(&mut line).map_err(silent)?;
        match serde_json::from_str(&line) {
            Ok(Response::Refused(message)) => Err(LabError::Refused(message)),
            Ok(response) => Ok(response),
            Err(error) => Err(LabError::Supervisor(error.to_string())),
        }
    }
}

fn unexpected(response: &Response) -> LabError {
    LabError::Supervisor(format!("an answer to another question: {response:?}"))
}
