//! A pod that is not there yet: whom it could reach, and who could reach it.

use std::collections::BTreeMap;
use std::sync::Arc;

use palisade_model::link::{End, Link, PodEnd, Which};
use palisade_model::object::{Kind, Meta, Name, ObjectRef};
use palisade_model::pod::{Container, ContainerPort, ContainerRole, Phase, Pod, PodSpec, SecurityContext};
use palisade_model::port::Protocol;
use palisade_model::verdict::Verdict;
use palisade_model::{Labels, Place, Timestamp};
use serde::Serialize;

use super::{Exposed, Outside};
use crate::dial::{Backend, BackendEnd};
use crate::doors::PodNetwork;
use crate::model::{Model, PodFacts};

/// What its container is called, and the pod when no other has the name.
const NAME: &str = "newcomer";

/// The port that it is taken to listen on. Any would do where rules name none.
const PORT: u16 = 8080;

/// A pod that is not there yet.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Newcomer {
    /// Its namespace.
    pub namespace: Name,
    /// Its labels.
    pub labels: Labels,
    /// The TCP port that it is taken to listen on.
    pub port: u16,
    /// Workloads that it could reach, and what of them.
    pub reaches: Vec<Neighbour>,
    /// Workloads that could reach it.
    pub reached_by: Vec<Neighbour>,
    /// The ways in from outside, should it get traffic of a Service that is there.
    pub exposed: Option<Exposed>,
    /// What the world outside says to it: whether it could reach any address there.
    pub reaches_world: Verdict,
}

/// A workload at the other end, and what holds for it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Neighbour {
    /// Its namespace.
    pub namespace: Name,
    /// `Kind/name`.
    pub workload: String,
    /// Each of its ports.
    pub ports: Vec<PortAnswer>,
}

/// A port and what policy says of it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
pub struct PortAnswer {
    /// The port.
    pub port: u16,
    /// Its protocol.
    pub protocol: Protocol,
    /// The verdict; of several pods the one that lets most through.
    pub verdict: Verdict,
}

impl Model {
    /// What a pod of `labels` in `namespace` could reach, and who could reach it.
    pub fn newcomer(&self, namespace: &Name, labels: &Labels, now: Timestamp) -> Newcomer {
        let mut inventory = (*self.inventory).clone();
        let name = (0..)
            .map(|number| if number == 0 { NAME.to_owned() } else { format!("{NAME}-{number}") })
            .find(|name| self.pod_named(namespace, name).is_none())
            .expect("there are fewer pods than numbers");
        inventory.pods.push(Arc::new(pod(namespace, &name, labels)));
        let with = Self::new(Arc::new(inventory), self.settings.clone()).value;
        let own = with.pod_named(namespace, &name).expect("it was just added");
        let behind = Backend { end: BackendEnd::Pod(own.index), address: None, protocol: Protocol::Tcp, port: PORT };
        let own = End::Pod(sender(namespace, &name));
        let others =
            || with.pods().iter().filter(|pod| pod.decides() && (pod.namespace != *namespace || *pod.name != *name));
        let judge = |from: End, to: End, protocol: Protocol, port: u16| {
            let judged = with.judge(&Link { from, to, protocol, port }, now).ok()?;
            Some(judged.enforced.link().1.clone())
        };
        let mut reaches = Neighbours::default();
        let mut reached_by = Neighbours::default();
        for pod in others() {
            let other = End::Pod(receiver(pod));
            for port in with.spec(pod).containers.iter().flat_map(|container| &container.ports) {
                let verdict = judge(own.clone(), other.clone(), port.protocol, port.number);
                reaches.add(pod, (port.number, port.protocol), verdict);
            }
            if !with.spec(pod).host_network {
                let verdict = with.step_from_pod(pod.index, &behind, now).verdict;
                reached_by.add(pod, (PORT, Protocol::Tcp), Some(verdict));
            }
        }
        let world = with.world_address(true).map(End::Address);
        let outward = world.and_then(|world| judge(own.clone(), world, Protocol::Tcp, 443));
        let exposure = with.exposure(Outside::Anybody, PodNetwork::Private, now);
        let is_own = |exposed: &Exposed| exposed.namespace == *namespace && exposed.workload == format!("Pod/{name}");
        Newcomer {
            namespace: namespace.clone(),
            labels: labels.clone(),
            port: PORT,
            reaches: reaches.finish(),
            reached_by: reached_by.finish(),
            exposed: exposure.workloads.into_iter().find(is_own),
            reaches_world: outward.unwrap_or(Verdict::Allow(palisade_model::verdict::Because::Open)),
        }
    }
}

/// The workloads met so far, and the most open answer for each of their ports.
#[derive(Default)]
struct Neighbours(BTreeMap<(Name, String), BTreeMap<(u16, Protocol), Verdict>>);

impl Neighbours {
    fn add(&mut self, pod: &PodFacts, port: (u16, Protocol), verdict: Option<Verdict>) {
        let Some(verdict) = verdict else { return };
        let ports = self.0.entry((pod.namespace.clone(), pod.workload.to_string())).or_default();
        let known = ports.entry(port).or_insert_with(|| verdict.clone());
        if rank(&verdict) < rank(known) {
            *known = verdict;
        }
    }

    fn finish(self) -> Vec<Neighbour> {
        let neighbours = self.0.into_iter().map(|((namespace, workload), ports)| {
            let answer = |((port, protocol), verdict)| PortAnswer { port, protocol, verdict };
            Neighbour { namespace, workload, ports: ports.into_iter().map(answer).collect() }
        });
        neighbours.collect()
    }
}

fn rank(verdict: &Verdict) -> u8 {
    match verdict {
        Verdict::Allow(_) => 0,
        Verdict::Undecided(_) => 1,
        Verdict::Deny(_) => 2,
    }
}

/// No rule names its container or a program of it.
fn sender(namespace: &Name, name: &str) -> PodEnd {
    let container = Which::Named(NAME.into());
    PodEnd { namespace: namespace.clone(), name: name.into(), container, program: Which::Other, address: None }
}

fn receiver(pod: &PodFacts) -> PodEnd {
    let (namespace, name) = (pod.namespace.clone(), pod.name.clone());
    PodEnd { namespace, name, container: Which::Unsaid, program: Which::Unsaid, address: None }
}

fn pod(namespace: &Name, name: &str, labels: &Labels) -> Pod {
    let place = Place::new("(newcomer)", 0);
    let reference = ObjectRef { kind: Kind::Pod, namespace: Some(namespace.clone()), name: name.into() };
    let port = ContainerPort { name: None, number: PORT, protocol: Protocol::Tcp, host_port: None, host_address: None };
    let container = Container {
        place: place.clone(),
        name: NAME.into(),
        role: ContainerRole::App,
        image: None,
        command: Vec::new(),
        args: Vec::new(),
        env: Vec::new(),
        ports: vec![port],
        readiness: None,
        liveness: None,
        startup: None,
        security: SecurityContext::default(),
        mounts: Vec::new(),
    };
    Pod {
        meta: Meta { reference, place, labels: labels.clone(), annotations: Labels::default(), uid: None, owner: None },
        spec: PodSpec { containers: vec![container], ..PodSpec::default() },
        node: None,
        phase: Phase::Running,
        addresses: Vec::new(),
        host_addresses: Vec::new(),
        container_statuses: Vec::new(),
        ready: None,
    }
}
