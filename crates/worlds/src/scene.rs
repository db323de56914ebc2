//! What stands in a world before any policy: the names that policies and links can use.

use std::net::IpAddr;

use palisade_model::pod::Phase;
use palisade_model::port::Protocol;
use palisade_model::workload::WorkloadKind;

use crate::random::Random;

pub type Pairs = Vec<(String, String)>;

#[derive(Clone, Debug, Default)]
pub struct Scene {
    pub namespaces: Vec<SceneNamespace>,
    pub nodes: Vec<SceneNode>,
    pub workloads: Vec<SceneWorkload>,
    pub services: Vec<SceneService>,
}

#[derive(Clone, Debug)]
pub struct SceneNamespace {
    pub name: String,
    pub labels: Pairs,
    /// Whether the world has a Namespace object for it.
    pub has_object: bool,
}

#[derive(Clone, Debug)]
pub struct SceneNode {
    pub name: String,
    pub labels: Pairs,
    /// Whether the world has a Node object for it.
    pub has_object: bool,
    pub addresses: Vec<IpAddr>,
}

#[derive(Clone, Debug)]
pub struct SceneWorkload {
    pub kind: WorkloadKind,
    pub namespace: String,
    pub name: String,
    pub labels: Pairs,
    pub service_account: Option<String>,
    pub host_network: bool,
    pub replicas: usize,
    pub containers: Vec<SceneContainer>,
    pub pods: Vec<ScenePod>,
}

/// A Pod object of a workload.
#[derive(Clone, Debug)]
pub struct ScenePod {
    pub name: String,
    pub node: Option<String>,
    pub phase: Phase,
    pub addresses: Vec<IpAddr>,
    /// Those of its node, when its status says them.
    pub host_addresses: Vec<IpAddr>,
    /// Labels that this pod has beside its workload's.
    pub labels: Pairs,
}

#[derive(Clone, Debug)]
pub struct SceneContainer {
    pub name: String,
    pub is_sidecar: bool,
    pub ports: Vec<ScenePort>,
    /// The first is the one that the container starts.
    pub programs: Vec<String>,
    pub probe: Option<SceneProbe>,
}

#[derive(Clone, Debug)]
pub struct ScenePort {
    pub name: Option<String>,
    pub number: u16,
    pub protocol: Protocol,
}

#[derive(Clone, Debug)]
pub enum SceneProbe {
    TcpSocket(u16),
    HttpNamed(String),
    Grpc(u16),
    /// A liveness probe by TCP; the others are of readiness.
    Liveness(u16),
}

#[derive(Clone, Debug)]
pub struct SceneService {
    pub namespace: String,
    pub name: String,
    /// Empty: endpoints by hand.
    pub selector: Pairs,
    pub addresses: Vec<IpAddr>,
    pub ports: Vec<SceneServicePort>,
}

#[derive(Clone, Debug)]
pub struct SceneServicePort {
    pub name: Option<String>,
    pub protocol: Protocol,
    pub port: u16,
    /// Number or name.
    pub target: Result<u16, String>,
}

impl SceneWorkload {
    /// What End::Pod calls its pods: the Pod objects, or those that stand for its template.
    pub fn pod_names(&self) -> Vec<String> {
        match (self.pods.is_empty(), self.kind) {
            (true, WorkloadKind::StatefulSet) if self.replicas > 0 => {
                (0..self.replicas).map(|ordinal| format!("{}-{ordinal}", self.name)).collect()
            }
            (true, _) => vec![self.name.clone()],
            (false, _) => self.pods.iter().map(|pod| pod.name.clone()).collect(),
        }
    }

    pub fn ports(&self) -> Vec<&ScenePort> {
        self.containers.iter().flat_map(|container| &container.ports).collect()
    }
}

impl Scene {
    pub fn namespace_names(&self) -> Vec<String> {
        self.namespaces.iter().map(|namespace| namespace.name.clone()).collect()
    }

    pub fn workloads_in<'a>(&'a self, namespace: &'a str) -> Vec<&'a SceneWorkload> {
        self.workloads.iter().filter(|workload| workload.namespace == namespace).collect()
    }

    /// Every port that some pod declares.
    pub fn ports(&self) -> Vec<ScenePort> {
        self.workloads.iter().flat_map(|workload| workload.ports()).cloned().collect()
    }
}

/// The keys and values that pods and selectors draw from; few, so that they meet.
pub const LABELS: &[(&str, &[&str])] =
    &[("app", &["web", "api", "db", "job"]), ("tier", &["front", "back"]), ("flag", &["", "on"])];

/// The keys and values that nodes and their selectors draw from.
pub const NODE_LABELS: &[(&str, &[&str])] = &[("zone", &["east", "west"]), ("kubernetes.io/os", &["linux", "windows"])];

/// Some of [`LABELS`], `app` nearly always.
pub fn random_labels(random: &mut Random) -> Pairs {
    let mut pairs = Pairs::new();
    for (index, (key, values)) in LABELS.iter().enumerate() {
        if random.chance(if index == 0 { 90 } else { 45 }) {
            pairs.push(((*key).to_owned(), (*random.pick(values)).to_owned()));
        }
    }
    pairs
}
