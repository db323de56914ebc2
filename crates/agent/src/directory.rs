//! Who is who in one revision: the names behind the numbers and addresses of an event.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use palisade_bpf::layout::constants as c;
use palisade_bpf::layout::{FlowValue, JudgedEvent};
use palisade_model::flow::{FlowDirection, FlowEnd, FlowRecord, FlowVerdict, VerdictWord};
use palisade_model::port::Protocol;
use palisade_model::verdict::Direction;
use palisade_policy::Model;
use palisade_policy::compile::{CompiledDecision, CompiledVerdict, NodeRules};
use palisade_policy::dial::{Backend, BackendEnd};

use crate::tables::PlacedPod;

/// The names of one load of the manifests, shared by nodes and revisions.
#[derive(Debug, Default)]
pub(crate) struct Names {
    pods: Vec<PodName>,
    addresses: HashMap<IpAddr, Owner>,
    /// `namespace/name` of the Service that has the address.
    services: HashMap<IpAddr, Arc<str>>,
    /// NodePorts, on the addresses of every node.
    node_ports: HashMap<(Protocol, u16), Arc<str>>,
    /// The ready backends of a Service's port or NodePort: pod and port.
    backends: HashMap<ServicePort, Vec<(usize, u16)>>,
    /// The container that declares a port of a pod.
    ports: HashMap<(usize, Protocol, u16), Arc<str>>,
}

/// `namespace/name` of a Service, and one of its ports or NodePorts.
type ServicePort = (Arc<str>, Protocol, u16);

#[derive(Debug)]
struct PodName {
    namespace: Arc<str>,
    name: Arc<str>,
    workload: Arc<str>,
    node: Option<Arc<str>>,
    /// Whether its node has judged what it sends.
    is_guarded: bool,
}

#[derive(Clone, Debug)]
enum Owner {
    Pod(usize),
    Node(Arc<str>),
}

impl Names {
    pub(crate) fn new(model: &Model) -> Self {
        let mut names = Self::default();
        for (position, pod) in model.pods().iter().enumerate() {
            names.pods.push(PodName {
                namespace: pod.namespace.clone(),
                name: pod.name.clone(),
                workload: pod.workload.to_string().into(),
                node: pod.node.clone(),
                is_guarded: model.settings().guarded.contains(pod.node.as_deref()),
            });
            names.addresses.extend(pod.addresses.iter().map(|address| (address.to_canonical(), Owner::Pod(position))));
            for container in &model.spec(pod).containers {
                for port in &container.ports {
                    names.ports.entry((position, port.protocol, port.number)).or_insert(container.name.clone());
                }
            }
        }
        for node in &model.inventory().nodes {
            let name = &node.meta.reference.name;
            let owners = node.addresses.iter().map(|address| (address.to_canonical(), Owner::Node(name.clone())));
            names.addresses.extend(owners);
        }
        for service in &model.inventory().services {
            let name: Arc<str> = format!("{}/{}", service.meta.namespace(), service.meta.name()).into();
            let addresses = service.cluster_ips.iter().chain(&service.external_ips).chain(&service.load_balancer_ips);
            names.services.extend(addresses.map(|address| (address.to_canonical(), name.clone())));
            for port in &service.ports {
                let found = model.backends(service, port, None).unwrap_or_default();
                let mut pods: Vec<_> = found.iter().filter_map(pod_of).collect();
                pods.dedup();
                // Whom else there is, nobody can name.
                if pods.is_empty() || found.iter().any(|backend| pod_of(backend).is_none()) {
                    continue;
                }
                let numbers = [Some(port.port), port.node_port].into_iter().flatten();
                let keys = numbers.map(|number| (name.clone(), port.protocol, number));
                names.backends.extend(keys.map(|key| (key, pods.clone())));
            }
        }
        for (service, port) in model.node_ports() {
            if let Some(number) = port.node_port {
                let name = format!("{}/{}", service.meta.namespace(), service.meta.name());
                names.node_ports.insert((port.protocol, number), name.into());
            }
        }
        names
    }

    /// Whether the address is a pod's on another node, which has judged what the pod sends.
    fn is_judged_elsewhere(&self, address: IpAddr, here: &str) -> bool {
        let Some(Owner::Pod(position)) = self.addresses.get(&address) else { return false };
        let pod = &self.pods[*position];
        pod.is_guarded && pod.node.as_deref() != Some(here)
    }

    /// The Service that is dialled at that address and port.
    pub(crate) fn service(&self, address: IpAddr, protocol: Protocol, port: u16) -> Option<&Arc<str>> {
        if let Some(service) = self.services.get(&address) {
            return Some(service);
        }
        match self.addresses.get(&address) {
            Some(Owner::Node(_)) => self.node_ports.get(&(protocol, port)),
            Some(Owner::Pod(_)) | None => None,
        }
    }

    /// Who is behind the Service that a record names: the backend that was reached, or the only one there is, or else
    /// the workload that all of them are of.
    pub(crate) fn receiver(&self, record: &FlowRecord) -> Option<FlowEnd> {
        if record.to.kind != "service" {
            return None;
        }
        if let Some(backend) = record.backend {
            return Some(self.end_of_address(backend.ip(), record.protocol, backend.port()));
        }
        let service = record.dialled.service.as_deref()?;
        let backends = self.backends.get(&(service.into(), record.protocol, record.dialled.port))?;
        let (first, port) = *backends.first()?;
        if backends.len() == 1 {
            let container = self.ports.get(&(first, record.protocol, port)).map(ToString::to_string);
            return Some(FlowEnd { container, ..self.end_of_pod(first) });
        }
        let end = self.end_of_pod(first);
        let is_of_it = |(pod, _): &(usize, u16)| {
            let (pod, first) = (&self.pods[*pod], &self.pods[first]);
            (&pod.namespace, &pod.workload) == (&first.namespace, &first.workload)
        };
        backends.iter().all(is_of_it).then_some(FlowEnd { name: None, node: None, ..end })
    }

    fn end_of_pod(&self, position: usize) -> FlowEnd {
        let pod = &self.pods[position];
        FlowEnd {
            kind: "pod".to_string(),
            namespace: Some(pod.namespace.to_string()),
            workload: Some(pod.workload.to_string()),
            name: Some(pod.name.to_string()),
            node: pod.node.as_ref().map(ToString::to_string),
            ..FlowEnd::default()
        }
    }

    /// Who is behind an address that was dialled.
    fn end_of_address(&self, address: IpAddr, protocol: Protocol, port: u16) -> FlowEnd {
        if let Some(service) = self.service(address, protocol, port) {
            let (namespace, name) = service.split_once('/').unwrap_or(("", service));
            return FlowEnd {
                kind: "service".to_string(),
                address: Some(address),
                namespace: Some(namespace.to_string()),
                name: Some(name.to_string()),
                ..FlowEnd::default()
            };
        }
        match self.addresses.get(&address) {
            Some(Owner::Pod(position)) => FlowEnd {
                address: Some(address),
                container: self.ports.get(&(*position, protocol, port)).map(ToString::to_string),
                ..self.end_of_pod(*position)
            },
            Some(Owner::Node(name)) => FlowEnd {
                kind: "node".to_string(),
                address: Some(address),
                name: Some(name.to_string()),
                ..FlowEnd::default()
            },
            None => FlowEnd { kind: kind_of(address).to_string(), address: Some(address), ..FlowEnd::default() },
        }
    }
}

fn pod_of(backend: &Backend) -> Option<(usize, u16)> {
    match backend.end {
        BackendEnd::Pod(end) => Some((end.0 as usize, backend.port)),
        BackendEnd::Address(_) => None,
    }
}

/// What an address is that nobody of the cluster has.
fn kind_of(address: IpAddr) -> &'static str {
    const METADATA: [&str; 2] = ["169.254.169.254", "fd00:ec2::254"];
    if METADATA.iter().any(|known| known.parse() == Ok(address)) {
        return "metadata";
    }
    let link_local = match address {
        IpAddr::V4(four) => four.is_link_local(),
        IpAddr::V6(six) => six.is_unicast_link_local(),
    };
    match () {
        () if address.is_loopback() || address.is_unspecified() => "own-address",
        () if link_local => "link-local",
        () => "world",
    }
}

/// What the numbers of one revision of one node mean.
#[derive(Debug)]
pub(crate) struct Directory {
    names: Arc<Names>,
    /// Pods and containers of the node, by cgroup: position in `names.pods`, and the container.
    cgroups: HashMap<u64, (usize, Option<Arc<str>>)>,
    /// By decision: enforced and would-be.
    verdicts: Vec<Verdicts>,
}

/// The enforced and the would-be verdict, ready for a record.
pub(crate) type Verdicts = (FlowVerdict, FlowVerdict);

impl Directory {
    pub(crate) fn new(names: Arc<Names>, rules: &NodeRules, placed: &[PlacedPod]) -> Self {
        let positions: HashMap<(&str, &str), usize> =
            names.pods.iter().enumerate().map(|(position, pod)| ((&*pod.namespace, &*pod.name), position)).collect();
        let mut cgroups = HashMap::new();
        for pod in placed {
            let subject = &rules.subjects[pod.subject];
            let Some(position) = positions.get(&(&*subject.namespace, &*subject.name)).copied() else { continue };
            cgroups.insert(pod.cgroup, (position, None));
            for container in &pod.containers {
                let name = subject.containers[container.container].name.clone();
                cgroups.insert(container.cgroup, (position, Some(name)));
            }
        }
        drop(positions);
        Self { names, cgroups, verdicts: rules.decisions.iter().map(|decision| both(decision, rules)).collect() }
    }

    /// `namespace/name` of the pod and the container that a cgroup is known by.
    pub(crate) fn container(&self, cgroup: u64) -> Option<(String, &Arc<str>)> {
        let (position, container) = self.cgroups.get(&cgroup)?;
        let pod = &self.names.pods[*position];
        Some((format!("{}/{}", pod.namespace, pod.name), container.as_ref()?))
    }

    /// By decision: what each means.
    pub(crate) fn all_verdicts(&self) -> &[Verdicts] {
        &self.verdicts
    }

    /// The caller of an event, without its program.
    pub(crate) fn from(&self, event: &JudgedEvent) -> FlowEnd {
        let end = match self.cgroups.get(&event.container) {
            Some((position, container)) => {
                FlowEnd { container: container.as_ref().map(ToString::to_string), ..self.names.end_of_pod(*position) }
            }
            None => FlowEnd { kind: "unknown".to_string(), ..FlowEnd::default() },
        };
        FlowEnd { pid: Some(event.process.pid), uid: Some(event.process.user), ..end }
    }

    /// Whom it called.
    pub(crate) fn to(&self, event: &JudgedEvent, address: IpAddr, protocol: Protocol) -> FlowEnd {
        if event.destination != c::DESTINATION_SELF {
            return self.names.end_of_address(address, protocol, event.port);
        }
        let own = match self.cgroups.get(&event.container) {
            Some((position, _)) => FlowEnd {
                container: self.names.ports.get(&(*position, protocol, event.port)).map(ToString::to_string),
                ..self.names.end_of_pod(*position)
            },
            None => FlowEnd::default(),
        };
        FlowEnd { kind: "own-address".to_string(), address: Some(address), ..own }
    }

    /// The Service that was dialled.
    pub(crate) fn service(&self, address: IpAddr, protocol: Protocol, port: u16) -> Option<String> {
        self.names.service(address, protocol, port).map(ToString::to_string)
    }

    /// The enforced and the would-be verdict of an answer.
    pub(crate) fn verdicts(&self, answer: Answer) -> Verdicts {
        verdicts_by(&self.verdicts, answer)
    }

    /// The pod, or the container, of a cgroup.
    pub(crate) fn end_of_cgroup(&self, cgroup: u64) -> Option<FlowEnd> {
        let (position, container) = self.cgroups.get(&cgroup)?;
        Some(FlowEnd { container: container.as_ref().map(ToString::to_string), ..self.names.end_of_pod(*position) })
    }

    /// Whether the address is a pod's on another node, which has judged what the pod sends.
    pub(crate) fn is_judged_elsewhere(&self, address: IpAddr, here: &str) -> bool {
        self.names.is_judged_elsewhere(address, here)
    }

    /// Who is behind an address, as far as names go.
    pub(crate) fn end_of_address(&self, address: IpAddr, protocol: Protocol, port: u16) -> FlowEnd {
        self.names.end_of_address(address, protocol, port)
    }
}

/// What the kernel answered, in the numbers of its revision.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Answer {
    decision: u32,
    cause: u8,
    enforced: u8,
    would: u8,
}

impl From<&JudgedEvent> for Answer {
    fn from(event: &JudgedEvent) -> Self {
        Self { decision: event.decision, cause: event.cause, enforced: event.enforced, would: event.would }
    }
}

impl From<&FlowValue> for Answer {
    fn from(flow: &FlowValue) -> Self {
        Self { decision: flow.decision, cause: flow.cause, enforced: flow.enforced, would: flow.would }
    }
}

/// The verdicts of an answer by what the decisions of its revision mean.
pub(crate) fn verdicts_by(decisions: &[Verdicts], event: Answer) -> Verdicts {
    match (u32::from(event.cause), decisions.get(event.decision as usize)) {
        (c::CAUSE_TABLE, Some(verdicts)) => verdicts.clone(),
        // As compiled, except where no packet can tell more.
        (c::CAUSE_MIXED, Some((enforced, would))) => {
            (FlowVerdict { verdict: word(event.enforced), ..enforced.clone() }, would.clone())
        }
        // The container that made the socket is refused: its rule, under a reason that says so.
        (c::CAUSE_FOREIGN_SOCKET, Some((enforced, _))) => {
            let verdict = FlowVerdict { reason: "foreign-socket".to_string(), ..enforced.clone() };
            (verdict.clone(), FlowVerdict { verdict: word(event.would), ..verdict })
        }
        (cause, _) => (plain(event.enforced, cause), plain(event.would, cause)),
    }
}

fn both(decision: &CompiledDecision, rules: &NodeRules) -> Verdicts {
    (readable(&decision.enforced, rules), readable(&decision.would_be, rules))
}

fn readable(compiled: &CompiledVerdict, rules: &NodeRules) -> FlowVerdict {
    let rule = compiled.rule.and_then(|rule| rules.rules.get(rule as usize));
    let missing = compiled.missing.and_then(|missing| rules.missing.get(missing as usize));
    let is_by_an_end = rule.is_some() || missing.is_some();
    FlowVerdict {
        verdict: if compiled.allowed { VerdictWord::Allowed } else { VerdictWord::Denied },
        reason: compiled.reason.as_str().to_string(),
        rule: rule.map(ToString::to_string),
        place: rule.map(|rule| rule.place.to_string()),
        end: is_by_an_end.then_some(match compiled.end {
            Direction::Ingress => FlowDirection::Ingress,
            Direction::Egress => FlowDirection::Egress,
        }),
        missing: missing.map(ToString::to_string),
    }
}

fn plain(number: u8, cause: u32) -> FlowVerdict {
    let reason = match cause {
        // Of a revision whose meaning nobody has kept.
        c::CAUSE_TABLE => "earlier-revision",
        c::CAUSE_NO_RULE => "no-rule",
        c::CAUSE_UNKNOWN_POD => "unknown-pod",
        c::CAUSE_HOST_NETWORK => "host-network",
        c::CAUSE_FOREIGN_SOCKET => "foreign-socket",
        c::CAUSE_NOT_READY => "not-ready",
        c::CAUSE_PORT_OWNER => "port-owner",
        c::CAUSE_LIMIT => "limit",
        c::CAUSE_NO_SENDER => "no-sender",
        c::CAUSE_NOT_JUDGED => "not-judged",
        c::CAUSE_MIXED => "service-mixed",
        c::CAUSE_SOURCE_ADDRESS => "spoofed-address",
        _ => "unknown",
    };
    FlowVerdict { verdict: word(number), reason: reason.to_string(), rule: None, place: None, end: None, missing: None }
}

fn word(number: u8) -> VerdictWord {
    if u32::from(number) == c::VERDICT_ALLOW { VerdictWord::Allowed } else { VerdictWord::Denied }
}
