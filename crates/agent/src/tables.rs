//! From the engine's answers and what runs on the node to what the kernel reads.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path;

use palisade_bpf::Tables;
use palisade_bpf::network::PodLink;
use palisade_bpf::node_links::NodeLink;
use palisade_bpf::tables::{
    Cell, Container, ContainerKind, Decision, FileKey, Frontend, Listener, Network, OtherLink, PacketHook, Program,
    ReceiverCell, Refusal, Source, Span, UnknownPods, Verdict, Veth,
};
use palisade_model::perimeter::OnRefusal;
use palisade_policy::compile::{CompiledDecision, CompiledVerdict, NodeRules, Reason, Subject};

use crate::container_cgroup::PodCgroup;
use crate::lab_state::{LabContainer, LabNode, LabState};
use crate::program_paths::ResolvedPrograms;
use crate::veths::Veths;

/// A pod of the node, with its cgroups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PlacedPod {
    /// Position in [`NodeRules::subjects`].
    pub(crate) subject: usize,
    pub(crate) cgroup: u64,
    pub(crate) containers: Vec<PlacedContainer>,
    /// Its veths; none on the node's network.
    pub(crate) links: Vec<PodLink>,
    /// A living process of it; 0 = none is known.
    pub(crate) pid: u32,
}

impl PlacedPod {
    /// Whether the cgroup is the pod's, or that of one of its containers.
    pub(crate) fn has(&self, cgroup: u64) -> bool {
        self.cgroup == cgroup || self.containers.iter().any(|container| container.cgroup == cgroup)
    }
}

/// A container of a placed pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PlacedContainer {
    /// Position in [`Subject::containers`].
    pub(crate) container: usize,
    /// Its id at the runtime.
    pub(crate) id: String,
    pub(crate) cgroup: u64,
    /// Position in `programs` of the subject's container, and the file.
    pub(crate) programs: Vec<(usize, FileKey)>,
}

/// Finds the cgroups and program files of the node's pods. What is not there yet is left out.
pub(crate) fn place(
    rules: &NodeRules,
    node: &LabNode,
    lab: &LabState,
    programs: &mut ResolvedPrograms,
    veths: &mut Veths,
) -> Vec<PlacedPod> {
    let subjects = rules.subjects.iter().enumerate();
    let mut placed: Vec<PlacedPod> =
        subjects.filter_map(|(position, subject)| place_pod(position, subject, &node.cgroup, lab, programs)).collect();
    for pod in placed.iter_mut().filter(|pod| !rules.subjects[pod.subject].host_network) {
        pod.links = veths.of_pod(pod.cgroup, pod.pid, &node.netns);
    }
    veths.keep(|cgroup| placed.iter().any(|pod| pod.cgroup == cgroup));
    placed
}

fn place_pod(
    position: usize,
    subject: &Subject,
    root: &Path,
    lab: &LabState,
    programs: &mut ResolvedPrograms,
) -> Option<PlacedPod> {
    let pod = PodCgroup::find(root, &subject.uid)?;
    let mut containers = Vec::new();
    for (index, container) in subject.containers.iter().enumerate() {
        // The lab knows a restarted container before the pod's status tells of it.
        let running = lab
            .containers
            .iter()
            .filter(|(_, one)| one.pod_uid == subject.uid && one.name == *container.name)
            .map(|(id, one)| (id.as_str(), one.clone()));
        let of_status = container
            .id
            .as_deref()
            .filter(|id| !lab.containers.contains_key(*id))
            .map(|id| (id, LabContainer::default()));
        for (id, one) in running.chain(of_status) {
            let Some(cgroup) = pod.container(id) else { continue };
            let named = container.programs.iter().enumerate();
            let files = named.filter_map(|(number, (path, _))| Some((number, programs.resolve(id, &one, path)?)));
            let files = files.collect();
            containers.push(PlacedContainer { container: index, id: id.to_string(), cgroup, programs: files });
        }
    }
    let of_pod = lab.containers.values().filter(|one| one.pod_uid == subject.uid && one.pid != 0);
    let pid = of_pod.map(|one| one.pid).min().unwrap_or(0);
    Some(PlacedPod { subject: position, cgroup: pod.id, containers, links: Vec::new(), pid })
}

/// The tables of one revision.
pub(crate) fn tables(rules: &NodeRules, placed: &[PlacedPod], links: &[NodeLink], unknown_pods: UnknownPods) -> Tables {
    let mut tables = Tables {
        revision: rules.revision,
        unknown_pods,
        port_tables: rules.port_tables.iter().map(|spans| spans.iter().map(span).collect()).collect(),
        decisions: rules.decisions.iter().map(decision).collect(),
        ..Tables::default()
    };
    tables.frontends = rules
        .frontends
        .iter()
        .map(|(frontend, destination)| Frontend {
            address: frontend.address,
            protocol: frontend.protocol.number(),
            port: frontend.port,
            destination: destination.0,
        })
        .collect();
    tables.destinations = rules
        .destinations
        .iter()
        .map(|(network, destination)| Network {
            address: network.network(),
            prefix: network.prefix_len(),
            destination: destination.id.0,
            own_subject: (destination.subject != 0).then_some(destination.subject),
        })
        .collect();
    tables.cells = rules
        .cells
        .iter()
        .map(|(cell, table)| Cell {
            class: cell.class.0,
            destination: cell.destination.0,
            protocol: cell.carrier.number(),
            port_table: table.0,
        })
        .collect();
    tables.sources = rules
        .sources
        .iter()
        .map(|(network, source)| Source { address: network.network(), prefix: network.prefix_len(), source: source.0 })
        .collect();
    tables.receiver_cells = rules
        .receiver_cells
        .iter()
        .map(|(cell, table)| ReceiverCell {
            receiver: cell.receiver.0,
            source: cell.source.0,
            protocol: cell.carrier.number(),
            port_table: table.0,
        })
        .collect();
    let addresses = addresses(rules);
    for pod in placed {
        let subject = &rules.subjects[pod.subject];
        add_pod(&mut tables, subject, pod);
        let (four, six) = addresses.get(&subject.identity).copied().unwrap_or_default();
        tables.veths.extend(pod.links.iter().map(|link| Veth {
            interface: link.peer,
            cgroup: pod.cgroup,
            subject: subject.identity,
            receiver: subject.receiver.0,
            refusal: match subject.on_refusal {
                OnRefusal::Reset => Refusal::Reset,
                OnRefusal::Drop => Refusal::Drop,
            },
            hardware: link.hardware,
            four,
            six,
            namespace: links.iter().find(|one| one.interface == link.peer).and_then(|one| one.namespace),
        }));
    }
    let is_pods = |link: &NodeLink| tables.veths.iter().any(|veth| veth.interface == link.interface);
    // A veth to a network that nobody knows may be that of a pod that nobody told of.
    let others = links.iter().filter(|link| !link.may_be_a_pods() && !is_pods(link));
    tables.links = others.map(|link| OtherLink { interface: link.interface, ethernet: link.ethernet }).collect();
    tables
}

/// The addresses of the node's pods, by identity: of each family one.
fn addresses(rules: &NodeRules) -> HashMap<u32, (Option<Ipv4Addr>, Option<Ipv6Addr>)> {
    let mut found: HashMap<u32, (Option<Ipv4Addr>, Option<Ipv6Addr>)> = HashMap::new();
    for (network, destination) in rules.destinations.iter().filter(|(_, destination)| destination.subject != 0) {
        let addresses = found.entry(destination.subject).or_default();
        match network.network() {
            IpAddr::V4(four) => addresses.0 = addresses.0.or(Some(four)),
            IpAddr::V6(six) => addresses.1 = addresses.1.or(Some(six)),
        }
    }
    found
}

fn add_pod(tables: &mut Tables, subject: &Subject, pod: &PlacedPod) {
    let entry = |cgroup, class, kind| Container {
        cgroup,
        subject: subject.identity,
        class,
        kind,
        host_network: subject.host_network,
        packets: if pod.links.is_empty() { PacketHook::Nowhere } else { PacketHook::Veth },
    };
    tables.containers.push(entry(pod.cgroup, subject.class.0, ContainerKind::Pod));
    for placed in &pod.containers {
        let container = &subject.containers[placed.container];
        tables.containers.push(entry(placed.cgroup, container.class.0, ContainerKind::Known));
        for (program, file) in &placed.programs {
            let class = container.programs[*program].1.0;
            tables.programs.push(Program { container: placed.cgroup, file: *file, class });
        }
        for (protocol, port) in &container.ports {
            tables.listeners.push(Listener {
                subject: subject.identity,
                port: *port,
                protocol: protocol.number(),
                container: placed.cgroup,
            });
        }
    }
}

fn span(span: &palisade_policy::compile::PortSpan) -> Span {
    Span { first: span.first, last: span.last, decision: span.decision.0 }
}

fn decision(decision: &CompiledDecision) -> Decision {
    let verdict = |compiled: CompiledVerdict| if compiled.allowed { Verdict::Allow } else { Verdict::Deny };
    let expires = decision.expires.map(|(instant, next)| {
        let nanoseconds = u64::try_from(instant.as_nanosecond()).unwrap_or(0);
        (nanoseconds, next.0)
    });
    let is_mixed = |compiled: CompiledVerdict| compiled.reason == Reason::ServiceMixed;
    let mixed = decision.enforced.allowed && (is_mixed(decision.enforced) || is_mixed(decision.would_be));
    Decision { enforced: verdict(decision.enforced), would: verdict(decision.would_be), mixed, expires }
}
