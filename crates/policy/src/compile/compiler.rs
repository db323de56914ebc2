//! Asks the engine every question that the pods of a node can ask, each once.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::rc::Rc;

use palisade_model::access_policy::Mode;
use palisade_model::link::Which;
use palisade_model::object::Name;
use palisade_model::perimeter::OnRefusal;
use palisade_model::port::{PortMatch, Protocol};
use palisade_model::service::{Service, ServicePort};
use palisade_model::settings::MixedServices;
use palisade_model::verdict::{Decision, Direction, Judgement, RuleRef, Verdict};
use palisade_model::{IpNet, Timestamp};

use super::interner::{Interner, position_u32};
use super::likeness::Likeness;
use super::prefixes::{ALWAYS, policy_blocks, uncovered_address};
use super::{
    Carrier, Cell, ClassId, CompiledDecision, CompiledVerdict, DecisionId, Destination, DestinationId, Frontend,
    NodeRules, PortSpan, PortTableId, Reason, ReceiverCell, ReceiverId, ServiceVerdict, ServiceWord, SourceId, Subject,
    SubjectContainer, reason,
};
use crate::judge::{Objects, Relevant, Rules};
use crate::model::{AddressOwner, Closer, Model, PodFacts, PodIndex};
use crate::party::{AddressKind, METADATA, Party, SenderProof, Situation, Transport, receiver};

/// Position 0 of the targets.
const NO_SERVICE_PORT: DestinationId = DestinationId(0);

/// The answers of one class of senders.
type Row = Vec<(DestinationId, Carrier, PortTableId)>;

/// A sender as far as answers differ: its kind, the policies' blocks that its addresses lie in,
/// and the container and program that rules could name.
type SenderKey = (u32, Vec<Vec<u32>>, Which, Which);

pub(super) struct Compiler<'m> {
    model: &'m Model,
    node: Name,
    now: Timestamp,
    likeness: Likeness,
    targets: Vec<Target<'m>>,
    shared_rows: BTreeMap<SenderKey, Rc<Row>>,
    receiver_ports: BTreeMap<(PodIndex, Protocol), BTreeSet<u16>>,
    decisions: Interner<CompiledDecision>,
    rules: Interner<RuleRef>,
    tables: Interner<Vec<PortSpan>>,
    rows: Interner<Row>,
    receivers: Receivers<'m>,
}

/// What stands behind a destination.
#[derive(Clone)]
enum Target<'m> {
    NoServicePort,
    Own,
    Party(Party<'m>),
    Service(Rc<ServiceTarget<'m>>),
}

struct ServiceTarget<'m> {
    /// The Service's position in the inventory; `None`: ports of a node that are pods' hostPorts.
    position: Option<usize>,
    protocol: Protocol,
    /// `None`: the backends cannot be known.
    backends: Option<Vec<(Party<'m>, u16)>>,
    translated: Translated,
}

/// Which node translates what is dialled to a backend.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Translated {
    /// The sender's own: its packet programs see the backend.
    BySender,
    /// Another one, which does not know the sender's container and program.
    Elsewhere,
}

/// Whether a receiver that is the sender's own pod is reached as itself.
#[derive(Clone, Copy, PartialEq, Eq)]
enum OwnAddress {
    Yes,
    No,
}

impl<'m> Compiler<'m> {
    pub(super) fn new(model: &'m Model, node: &str, now: Timestamp) -> Self {
        Self {
            model,
            node: node.into(),
            now,
            likeness: Likeness::new(model),
            targets: vec![Target::NoServicePort, Target::Own],
            shared_rows: BTreeMap::new(),
            receiver_ports: BTreeMap::new(),
            decisions: Interner::default(),
            rules: Interner::default(),
            tables: Interner::default(),
            rows: Interner::default(),
            receivers: Receivers::default(),
        }
    }

    pub(super) fn run(mut self, revision: u64) -> NodeRules {
        let model = self.model;
        let local: Vec<&PodFacts> =
            model.pods().iter().filter(|pod| pod.node.as_ref() == Some(&self.node) && pod.decides()).collect();
        let identities: BTreeMap<PodIndex, u32> = local.iter().map(|pod| pod.index).zip(1..).collect();
        let destinations = self.destinations(&identities);
        let frontends = self.frontends();
        let sources = self.sources();
        let subjects = local.iter().map(|pod| self.subject(pod, identities[&pod.index])).collect();
        let cells = (0..).map(ClassId).zip(self.rows.values).flat_map(|(class, row)| {
            row.into_iter().map(move |(destination, carrier, table)| (Cell { class, destination, carrier }, table))
        });
        let receiver_cells = (0..).map(ReceiverId).zip(self.receivers.rows.values).flat_map(|(receiver, row)| {
            row.into_iter().map(move |(source, carrier, table)| (ReceiverCell { receiver, source, carrier }, table))
        });
        NodeRules {
            node: self.node,
            revision,
            subjects,
            destinations,
            frontends,
            cells: cells.collect(),
            sources,
            receiver_cells: receiver_cells.collect(),
            port_tables: self.tables.values,
            decisions: self.decisions.values,
            rules: self.rules.values,
        }
    }

    // Destinations

    fn destinations(&mut self, identities: &BTreeMap<PodIndex, u32>) -> Vec<(IpNet, Destination)> {
        let prefixes = prefixes(self.model);
        let mut of_pods: BTreeMap<(u32, bool, Vec<u32>), DestinationId> = BTreeMap::new();
        let mut destinations = Vec::with_capacity(prefixes.len());
        for (position, prefix) in prefixes.iter().enumerate() {
            // Sorted by address, then length: what lies inside a prefix follows it.
            let inside = prefixes[position + 1..].iter().take_while(|inner| prefix.contains(*inner));
            let Some(address) = uncovered_address(prefix, inside) else { continue };
            let destination = match self.model.owner_of(address) {
                Some(AddressOwner::Pod(index)) => {
                    let key = (self.likeness.kind(index), address.is_ipv4(), self.likeness.blocks_of(address));
                    let target = || Target::Party(receiver(self.model.pod(index), Some(address)));
                    let id = *of_pods.entry(key).or_insert_with(|| add(&mut self.targets, target()));
                    Destination { id, subject: identities.get(&index).copied().unwrap_or(0) }
                }
                Some(AddressOwner::Service(_)) => Destination { id: NO_SERVICE_PORT, subject: 0 },
                Some(AddressOwner::Node(position)) => {
                    let name = self.model.inventory.nodes[position].meta.reference.name.clone();
                    let party = Party::Node { name: Some(name), addresses: vec![address], host_pod: None };
                    Destination { id: add(&mut self.targets, Target::Party(party)), subject: 0 }
                }
                None => match AddressKind::of(address) {
                    AddressKind::Loopback => Destination { id: DestinationId::SELF, subject: 0 },
                    kind @ (AddressKind::World
                    | AddressKind::Service
                    | AddressKind::Metadata
                    | AddressKind::LinkLocal) => {
                        let party = Party::Address { address, kind };
                        Destination { id: add(&mut self.targets, Target::Party(party)), subject: 0 }
                    }
                },
            };
            destinations.push((*prefix, destination));
        }
        destinations
    }

    fn frontends(&mut self) -> Vec<(Frontend, DestinationId)> {
        let model = self.model;
        let mut frontends = BTreeMap::new();
        let node_addresses: Vec<(IpAddr, Translated)> = model
            .inventory
            .nodes
            .iter()
            .flat_map(|node| node.addresses.iter().map(move |address| (node.meta.name(), address.to_canonical())))
            .map(|(node, address)| (address, self.translated_at(node)))
            .collect();
        for (position, service) in model.inventory.services.iter().enumerate() {
            let addresses: Vec<IpAddr> = service
                .cluster_ips
                .iter()
                .chain(&service.external_ips)
                .chain(&service.load_balancer_ips)
                .map(|address| address.to_canonical())
                .collect();
            for port in &service.ports {
                let of_nodes = port.node_port.filter(|_| model.is_node_port(service));
                let dialled = addresses.iter().map(|address| (*address, Translated::BySender, port.port));
                let on_nodes =
                    node_addresses.iter().filter_map(|(address, translated)| Some((*address, *translated, of_nodes?)));
                let mut ids = [[None; 2]; 2];
                for (address, translated, number) in dialled.chain(on_nodes) {
                    let v4 = address.is_ipv4();
                    let id = &mut ids[usize::from(v4)][usize::from(translated == Translated::Elsewhere)];
                    let id = *id.get_or_insert_with(|| self.service_target(position, service, port, v4, translated));
                    frontends.insert(Frontend { address, protocol: port.protocol, port: number }, id);
                }
            }
        }
        for (address, port, backends) in model.host_ports() {
            let backends = backends.iter().map(|backend| (model.backend_party(backend), backend.port)).collect();
            let translated = match model.owner_of(address) {
                Some(AddressOwner::Node(node)) => self.translated_at(model.inventory.nodes[node].meta.name()),
                Some(AddressOwner::Pod(_) | AddressOwner::Service(_)) | None => Translated::Elsewhere,
            };
            let target = ServiceTarget { position: None, protocol: port.0, backends: Some(backends), translated };
            let id = add(&mut self.targets, Target::Service(Rc::new(target)));
            frontends.entry(Frontend { address, protocol: port.0, port: port.1 }).or_insert(id);
        }
        frontends.into_iter().collect()
    }

    fn service_target(
        &mut self,
        position: usize,
        service: &'m Service,
        port: &'m ServicePort,
        v4: bool,
        translated: Translated,
    ) -> DestinationId {
        let backends = self.model.backends(service, port, Some(v4)).ok().map(|backends| {
            backends.into_iter().map(|backend| (self.model.backend_party(&backend), backend.port)).collect()
        });
        let target = ServiceTarget { position: Some(position), protocol: port.protocol, backends, translated };
        add(&mut self.targets, Target::Service(Rc::new(target)))
    }

    fn translated_at(&self, node: &str) -> Translated {
        if *self.node == *node { Translated::BySender } else { Translated::Elsewhere }
    }

    /// What becomes of a Service when its backends' answers differ. A packet to the sender's own node passes no program
    /// after its translation.
    fn mixed_services(&self, service: &ServiceTarget<'_>, backends: &[(Party<'_>, u16)]) -> MixedServices {
        let is_own_node = |party: &Party<'_>| match party {
            Party::Node { name, .. } => name.as_deref().is_none_or(|name| *name == *self.node),
            Party::Pod { .. } | Party::Address { .. } => false,
        };
        if service.translated == Translated::Elsewhere || backends.iter().any(|(party, _)| is_own_node(party)) {
            return MixedServices::Refused;
        }
        self.model.settings.mixed_services
    }

    // Senders

    fn subject(&mut self, pod: &'m PodFacts, identity: u32) -> Subject {
        let model = self.model;
        let spec = model.spec(pod);
        let named = model.named_containers(pod);
        let other = self.class(pod, &Which::Other, &Which::Other);
        let containers = spec
            .containers
            .iter()
            .map(|container| {
                // A container that no rule names gets what an unknown one gets.
                let which =
                    if named.contains(&container.name) { Which::Named(container.name.clone()) } else { Which::Other };
                SubjectContainer {
                    name: container.name.clone(),
                    id: pod.container_ids.iter().find(|(name, _)| *name == container.name).map(|(_, id)| id.clone()),
                    class: self.class(pod, &which, &Which::Other),
                    programs: model
                        .named_programs(pod, &container.name)
                        .into_iter()
                        .map(|program| {
                            let class = self.class(pod, &which, &Which::Named(program.clone()));
                            (program, class)
                        })
                        .collect(),
                    ports: container.ports.iter().map(|port| (port.protocol, port.number)).collect(),
                }
            })
            .collect();
        Subject {
            identity,
            uid: pod.uid.as_deref().unwrap_or_default().to_owned(),
            namespace: pod.namespace.clone(),
            name: pod.name.clone(),
            host_network: spec.host_network,
            class: other,
            receiver: self.receiver(pod),
            on_refusal: self.on_refusal(pod),
            containers,
        }
    }

    fn class(&mut self, pod: &'m PodFacts, container: &Which, program: &Which) -> ClassId {
        let blocks = pod.addresses.iter().map(|address| self.likeness.blocks_of(*address)).collect();
        let key = (self.likeness.kind(pod.index), blocks, container.clone(), program.clone());
        let sender = Sender { pod, container, program };
        let shared = match self.shared_rows.get(&key) {
            Some(row) => row.clone(),
            None => {
                let row = Rc::new(self.row(&sender, |likeness, target| !is_own(likeness, target, pod)));
                self.shared_rows.insert(key, row.clone());
                row
            }
        };
        // What depends on which of the alike pods it is: itself, and the Services that it is behind.
        let mut row = self.row(&sender, |likeness, target| is_own(likeness, target, pod));
        row.extend(shared.iter().copied());
        row.sort_unstable();
        ClassId(self.rows.intern(row))
    }

    fn row(&mut self, sender: &Sender<'_, 'm>, wanted: impl Fn(&Likeness, &Target<'m>) -> bool) -> Row {
        let mut row = Vec::new();
        for position in 0..self.targets.len() {
            if !wanted(&self.likeness, &self.targets[position]) {
                continue;
            }
            let target = self.targets[position].clone();
            for carrier in Carrier::ALL {
                if let Some(spans) = self.spans(sender, &target, carrier) {
                    let table = PortTableId(self.tables.intern(spans));
                    row.push((DestinationId(position_u32(position)), carrier, table));
                }
            }
        }
        row
    }

    /// The answers for every port; `None` when the destination does not speak the protocol.
    fn spans(&mut self, sender: &Sender<'_, 'm>, target: &Target<'m>, carrier: Carrier) -> Option<Vec<PortSpan>> {
        let (to, own) = match target {
            Target::NoServicePort => return Some(whole(self.fixed(Reason::NoServicePort))),
            Target::Service(service) if carrier != service.protocol.into() => return None,
            Target::Service(service) => return Some(whole(self.service_decision(sender, service))),
            Target::Own => (receiver(sender.pod, sender.pod.addresses.first().copied()), OwnAddress::Yes),
            // The kernel looks a sender's own address up as SELF: here it stands for the others alike.
            Target::Party(to) => (to.clone(), OwnAddress::No),
        };
        let now = self.now;
        let Some(protocol) = carrier.protocol() else {
            let situation = sender.situation(to, own, Transport::Portless, now);
            let egress = self.model.relevant(&situation, Direction::Egress);
            let ingress = self.model.relevant(&situation, Direction::Ingress);
            return Some(whole(self.decision(situation, &egress, &ingress)));
        };
        let any = sender.situation(to, own, Transport::AnyPort(protocol), now);
        let egress = self.model.relevant(&any, Direction::Egress);
        let ingress = self.model.relevant(&any, Direction::Ingress);
        let mut starts = self.breakpoints(&any.to, protocol);
        rule_ports(self.model, &egress, Direction::Egress, protocol, &mut starts);
        rule_ports(self.model, &ingress, Direction::Ingress, protocol, &mut starts);
        Some(self.port_spans(&starts, |compiler, port| {
            let situation = Situation { transport: Transport::Port { protocol, port }, ..any.clone() };
            compiler.decision(situation, &egress, &ingress)
        }))
    }

    fn port_spans(
        &mut self,
        starts: &BTreeSet<u16>,
        mut judge: impl FnMut(&mut Self, u16) -> DecisionId,
    ) -> Vec<PortSpan> {
        let mut spans: Vec<PortSpan> = Vec::new();
        let lasts = starts.iter().skip(1).map(|next| next - 1).chain([u16::MAX]);
        for (first, last) in starts.iter().copied().zip(lasts) {
            let decision = judge(self, first);
            match spans.last_mut() {
                Some(before) if before.decision == decision => before.last = last,
                _ => spans.push(PortSpan { first, last, decision }),
            }
        }
        spans
    }

    // Receivers

    /// The source addresses, told apart as far as receivers' answers differ.
    fn sources(&mut self) -> Vec<(IpNet, SourceId)> {
        let model = self.model;
        self.receivers.sources = vec![
            Source { party: self.own_node(), proof: SenderProof::Process },
            // No block that a policy names is as narrow as these: only "everyone" and "world" match.
            Source::stranger(IpAddr::V4(Ipv4Addr::UNSPECIFIED)),
            Source::stranger(IpAddr::V6(Ipv6Addr::UNSPECIFIED)),
        ];
        let prefixes = prefixes(model);
        let mut of_pods: BTreeMap<(u32, bool, Vec<u32>), SourceId> = BTreeMap::new();
        let mut sources = Vec::with_capacity(prefixes.len());
        for (position, prefix) in prefixes.iter().enumerate() {
            let inside = prefixes[position + 1..].iter().take_while(|inner| prefix.contains(*inner));
            let Some(address) = uncovered_address(prefix, inside) else { continue };
            let id = match model.owner_of(address) {
                Some(AddressOwner::Pod(index)) => {
                    let key = (self.likeness.kind(index), address.is_ipv4(), self.likeness.blocks_of(address));
                    let source = self.pod_source(model.pod(index), address);
                    *of_pods.entry(key).or_insert_with(|| self.receivers.add(source))
                }
                Some(AddressOwner::Node(_) | AddressOwner::Service(_)) => stranger_of(address),
                None => match AddressKind::of(address) {
                    AddressKind::Loopback => stranger_of(address),
                    kind @ (AddressKind::World
                    | AddressKind::Service
                    | AddressKind::Metadata
                    | AddressKind::LinkLocal) => {
                        let party = Party::Address { address, kind };
                        self.receivers.add(Source { party, proof: SenderProof::Address })
                    }
                },
            };
            sources.push((*prefix, id));
        }
        sources
    }

    fn own_node(&self) -> Party<'m> {
        let own = self.model.inventory.nodes.iter().filter(|node| *node.meta.name() == *self.node);
        let addresses = own.flat_map(|node| node.addresses.iter().map(|address| address.to_canonical())).collect();
        Party::Node { name: Some(self.node.clone()), addresses, host_pod: None }
    }

    /// A pod by its address alone. When another, guarded node runs it, that node has judged its
    /// containers and programs; of a pod of this node only a proven process counts for more.
    fn pod_source(&self, pod: &'m PodFacts, address: IpAddr) -> Source<'m> {
        let elsewhere = pod.node.as_ref() != Some(&self.node);
        let judged = elsewhere && self.model.settings.guarded.contains(pod.node.as_deref());
        let proof = if judged { SenderProof::JudgedPod } else { SenderProof::Address };
        Source { party: receiver(pod, Some(address)), proof }
    }

    fn receiver(&mut self, pod: &'m PodFacts) -> ReceiverId {
        let kind = self.likeness.kind(pod.index);
        if let Some(id) = self.receivers.of_kind.get(&kind) {
            return *id;
        }
        let mut row = Vec::new();
        for position in 0..self.receivers.sources.len() {
            for carrier in Carrier::ALL {
                let spans = self.receiver_spans(pod, position, carrier);
                let table = PortTableId(self.tables.intern(spans));
                row.push((SourceId(position_u32(position)), carrier, table));
            }
        }
        let id = ReceiverId(self.receivers.rows.intern(row));
        self.receivers.of_kind.insert(kind, id);
        id
    }

    fn receiver_spans(&mut self, pod: &'m PodFacts, source: usize, carrier: Carrier) -> Vec<PortSpan> {
        let Source { party, proof } = self.receivers.sources[source].clone();
        let to = receiver(pod, source_address(pod, &party));
        let now = self.now;
        let situation = |transport| Situation {
            from: party.clone(),
            to: to.clone(),
            transport,
            now,
            own_address: false,
            sender_proof: proof,
        };
        let Some(protocol) = carrier.protocol() else {
            let situation = situation(Transport::Portless);
            let ingress = self.model.relevant(&situation, Direction::Ingress);
            return whole(self.ingress_decision(situation, &ingress));
        };
        let any = situation(Transport::AnyPort(protocol));
        let ingress = self.model.relevant(&any, Direction::Ingress);
        let mut starts = self.breakpoints(&any.to, protocol);
        rule_ports(self.model, &ingress, Direction::Ingress, protocol, &mut starts);
        self.port_spans(&starts, |compiler, port| {
            compiler.ingress_decision(situation(Transport::Port { protocol, port }), &ingress)
        })
    }

    fn on_refusal(&self, pod: &PodFacts) -> OnRefusal {
        let closers = pod.closers(Direction::Ingress).iter();
        let perimeters = closers.filter_map(|closer| match closer {
            Closer::Perimeter(position) => Some(self.model.perimeter(*position)),
            Closer::NetworkPolicy(_) => None,
        });
        let mut enforced = perimeters.filter(|perimeter| perimeter.mode == Mode::Enforce);
        enforced.next().map_or_else(OnRefusal::default, |perimeter| perimeter.on_refusal)
    }

    // Ports

    /// The ports at which the answer can change, whatever the rules: 0 always, those that the receiver
    /// declares or that Services reach, and those of DNS and the API server.
    fn breakpoints(&mut self, to: &Party<'m>, protocol: Protocol) -> BTreeSet<u16> {
        let mut starts = BTreeSet::from([0]);
        if let Party::Pod { pod, .. } = to {
            let ports = self.receiver_ports.entry((pod.index, protocol));
            let behind = self.likeness.services(pod.index);
            starts.extend(ports.or_insert_with(|| receiver_ports(self.model, pod, behind, protocol)).iter());
        }
        let mut single = |port: u16| add_range(&mut starts, port, port);
        self.model.apiserver_endpoints.iter().filter_map(|endpoint| endpoint.port).for_each(&mut single);
        self.model.dns_backends.iter().for_each(|backend| single(backend.port));
        starts
    }

    // Answers

    fn decision(&mut self, mut situation: Situation<'m>, egress: &Relevant<'m>, ingress: &Relevant<'m>) -> DecisionId {
        self.over_time(self.expiries(&[egress, ingress]), |compiler, now| {
            situation.now = now;
            let (egress, ingress) = (Rules::Relevant(egress), Rules::Relevant(ingress));
            let Judgement { enforced, would_be } = compiler.model.judge_by(&situation, egress, ingress);
            (compiler.link_verdict(&enforced), compiler.link_verdict(&would_be))
        })
    }

    fn ingress_decision(&mut self, mut situation: Situation<'m>, rules: &Relevant<'m>) -> DecisionId {
        self.over_time(self.expiries(&[rules]), |compiler, now| {
            situation.now = now;
            let has_audit = compiler.model.has_audit;
            let mut verdict = |objects| {
                let verdict = compiler.model.judge_end(&situation, Direction::Ingress, objects, Rules::Relevant(rules));
                compiler.verdict(&verdict, Direction::Ingress)
            };
            let enforced = verdict(Objects::Enforced);
            (enforced, if has_audit { verdict(Objects::All) } else { enforced })
        })
    }

    fn service_decision(&mut self, sender: &Sender<'_, 'm>, service: &ServiceTarget<'m>) -> DecisionId {
        let backends = match &service.backends {
            None => return self.fixed(Reason::Undecided),
            Some(backends) if backends.is_empty() => return self.fixed(Reason::NoEndpoints),
            Some(backends) => backends,
        };
        let mixed_services = self.mixed_services(service, backends);
        let now = self.now;
        let pairs: Vec<_> = backends
            .iter()
            .map(|(to, port)| {
                let own = match to {
                    Party::Pod { pod, .. } if pod.index == sender.pod.index => OwnAddress::Yes,
                    Party::Pod { .. } | Party::Node { .. } | Party::Address { .. } => OwnAddress::No,
                };
                let transport = Transport::Port { protocol: service.protocol, port: *port };
                let situation = sender.situation(to.clone(), own, transport, now);
                let egress = self.model.relevant(&situation, Direction::Egress);
                let ingress = self.model.relevant(&situation, Direction::Ingress);
                (situation, egress, ingress)
            })
            .collect();
        let rules: Vec<&Relevant<'_>> = pairs.iter().flat_map(|(_, egress, ingress)| [egress, ingress]).collect();
        self.over_time(self.expiries(&rules), |compiler, now| {
            let judge = |(situation, egress, ingress): &(Situation<'m>, Relevant<'m>, Relevant<'m>)| {
                let situation = Situation { now, ..situation.clone() };
                compiler.model.judge_by(&situation, Rules::Relevant(egress), Rules::Relevant(ingress))
            };
            let answers: Vec<Judgement> = pairs.iter().map(judge).collect();
            let ServiceVerdict { enforced, would_be } = compiler.model.service_verdict(&answers);
            let mut verdict = |word, of: fn(&Judgement) -> &Decision| match word {
                ServiceWord::Mixed => match mixed_services {
                    MixedServices::Refused => fixed_verdict(Reason::ServiceMixed),
                    MixedServices::JudgedOnThePacket => {
                        CompiledVerdict { allowed: true, ..fixed_verdict(Reason::ServiceMixed) }
                    }
                },
                ServiceWord::Allowed | ServiceWord::Denied | ServiceWord::NoEndpoints => {
                    compiler.link_verdict(of(&answers[0]))
                }
            };
            (verdict(enforced, |answer| &answer.enforced), verdict(would_be, |answer| &answer.would_be))
        })
    }

    /// The answer now, chained to what follows at each instant at which an Allow ends.
    fn over_time(
        &mut self,
        expiries: BTreeSet<Timestamp>,
        mut judge: impl FnMut(&mut Self, Timestamp) -> (CompiledVerdict, CompiledVerdict),
    ) -> DecisionId {
        let mut later: Option<(Timestamp, DecisionId)> = None;
        let mut current = DecisionId(0);
        for instant in expiries.into_iter().rev().chain([self.now]) {
            let (enforced, would_be) = judge(self, instant);
            let unchanged = later.is_some_and(|(_, id)| {
                let next = &self.decisions.values[id.0 as usize];
                (next.enforced, next.would_be) == (enforced, would_be)
            });
            current = match later {
                Some((_, id)) if unchanged => id,
                _ => DecisionId(self.decisions.intern(CompiledDecision { enforced, would_be, expires: later })),
            };
            later = Some((instant, current));
        }
        current
    }

    /// The later instants at which one of `rules` ends.
    fn expiries(&self, rules: &[&Relevant<'_>]) -> BTreeSet<Timestamp> {
        let rules = rules.iter().flat_map(|relevant| &relevant.access);
        rules.filter_map(|(_, _, rule)| rule.expires).filter(|expires| *expires > self.now).collect()
    }

    fn fixed(&mut self, reason: Reason) -> DecisionId {
        let verdict = fixed_verdict(reason);
        DecisionId(self.decisions.intern(CompiledDecision { enforced: verdict, would_be: verdict, expires: None }))
    }

    fn link_verdict(&mut self, decision: &Decision) -> CompiledVerdict {
        let (end, verdict) = decision.link();
        self.verdict(verdict, end)
    }

    fn verdict(&mut self, verdict: &Verdict, end: Direction) -> CompiledVerdict {
        let reason = match verdict {
            Verdict::Allow(because) | Verdict::Deny(because) => reason(because),
            Verdict::Undecided(_) => Reason::Undecided,
        };
        let rule = verdict.rule().map(|rule| self.rules.intern(rule.clone()));
        CompiledVerdict { allowed: verdict.is_allow(), reason, rule, end }
    }
}

/// A process of a pod of the node, as far as rules tell it apart.
struct Sender<'s, 'm> {
    pod: &'m PodFacts,
    container: &'s Which,
    program: &'s Which,
}

impl<'m> Sender<'_, 'm> {
    fn situation(&self, to: Party<'m>, own: OwnAddress, transport: Transport, now: Timestamp) -> Situation<'m> {
        Situation {
            from: Party::Pod {
                pod: self.pod,
                container: self.container.clone(),
                program: self.program.clone(),
                address: source_address(self.pod, &to),
            },
            to,
            transport,
            now,
            own_address: own == OwnAddress::Yes,
            sender_proof: SenderProof::Process,
        }
    }
}

/// Who sends, as a receiver's node can tell by the packet alone.
#[derive(Clone)]
struct Source<'m> {
    party: Party<'m>,
    proof: SenderProof,
}

impl Source<'_> {
    fn stranger(address: IpAddr) -> Self {
        Self { party: Party::Address { address, kind: AddressKind::World }, proof: SenderProof::Address }
    }
}

/// The receiver's half: sources by number, and the answers of each kind of receiver.
#[derive(Default)]
struct Receivers<'m> {
    sources: Vec<Source<'m>>,
    of_kind: BTreeMap<u32, ReceiverId>,
    rows: Interner<Vec<(SourceId, Carrier, PortTableId)>>,
}

impl<'m> Receivers<'m> {
    fn add(&mut self, source: Source<'m>) -> SourceId {
        self.sources.push(source);
        SourceId(position_u32(self.sources.len() - 1))
    }
}

fn stranger_of(address: IpAddr) -> SourceId {
    if address.is_ipv4() { SourceId::STRANGER_4 } else { SourceId::STRANGER_6 }
}

fn whole(decision: DecisionId) -> Vec<PortSpan> {
    vec![PortSpan { first: 0, last: u16::MAX, decision }]
}

/// The address from which `pod` talks to `to`: of the same family.
fn source_address(pod: &PodFacts, to: &Party<'_>) -> Option<IpAddr> {
    let v4 = match to {
        Party::Pod { address: Some(address), .. } | Party::Address { address, .. } => address.is_ipv4(),
        Party::Pod { address: None, .. } => true,
        Party::Node { addresses, .. } => addresses.first().is_none_or(IpAddr::is_ipv4),
    };
    pod.addresses.iter().copied().find(|address| address.is_ipv4() == v4)
}

/// Whether the answer depends on which of the alike pods asks.
fn is_own(likeness: &Likeness, target: &Target<'_>, pod: &PodFacts) -> bool {
    match target {
        Target::Own => true,
        Target::Service(service) => match service.position {
            Some(position) => likeness.services(pod.index).contains(&position),
            // Few, and perhaps the pod's own.
            None => true,
        },
        Target::NoServicePort | Target::Party(_) => false,
    }
}

fn add<'m>(targets: &mut Vec<Target<'m>>, target: Target<'m>) -> DestinationId {
    targets.push(target);
    DestinationId(position_u32(targets.len() - 1))
}

fn fixed_verdict(reason: Reason) -> CompiledVerdict {
    CompiledVerdict { allowed: false, reason, rule: None, end: Direction::Egress }
}

/// Every prefix whose addresses could get an answer of their own, sorted.
fn prefixes(model: &Model) -> Vec<IpNet> {
    let host = |address: IpAddr| IpNet::from(address.to_canonical());
    let mut prefixes: BTreeSet<IpNet> = policy_blocks(model).into_iter().collect();
    prefixes.extend(ALWAYS.iter().map(|text| text.parse::<IpNet>().expect("the constants are prefixes")));
    prefixes.extend(METADATA.map(host));
    prefixes.extend(model.apiserver_endpoints.iter().map(|endpoint| host(endpoint.address)));
    prefixes.extend(model.pods().iter().flat_map(|pod| &pod.addresses).map(|address| host(*address)));
    let of_nodes = model.inventory.nodes.iter().flat_map(|node| node.addresses.iter().chain(&node.interface_addresses));
    prefixes.extend(of_nodes.map(|address| host(*address)));
    for service in &model.inventory.services {
        let addresses = service.cluster_ips.iter().chain(&service.external_ips).chain(&service.load_balancer_ips);
        prefixes.extend(addresses.map(|address| host(*address)));
    }
    prefixes.into_iter().collect()
}

/// The ports that the receiver declares, that its probes ask and that Services reach.
fn receiver_ports(model: &Model, pod: &PodFacts, behind: &[usize], protocol: Protocol) -> BTreeSet<u16> {
    let mut ports = BTreeSet::new();
    let mut single = |port: u16| add_range(&mut ports, port, port);
    for container in &model.spec(pod).containers {
        let declared = container.ports.iter().filter(|port| port.protocol == protocol);
        declared.for_each(|port| single(port.number));
        container.probes().filter_map(|probe| probe.tcp_port(container)).for_each(&mut single);
    }
    for service in behind.iter().map(|position| &model.inventory.services[*position]) {
        for port in service.ports.iter().filter(|port| port.protocol == protocol) {
            model.target_ports(service, port, pod).into_iter().for_each(&mut single);
        }
    }
    ports
}

/// Adds the ports at which the numbers of `rules` begin and end.
fn rule_ports(
    model: &Model,
    rules: &Relevant<'_>,
    direction: Direction,
    protocol: Protocol,
    starts: &mut BTreeSet<u16>,
) {
    let network =
        rules.network.iter().map(|(position, index)| &model.network_policy_rules(*position, direction)[*index]);
    let lists = rules.access.iter().map(|(_, _, rule)| &rule.ports).chain(network.map(|rule| &rule.ports));
    for rule in lists.flatten().filter(|rule| rule.protocol == protocol) {
        if let PortMatch::Range(range) = rule.port {
            add_range(starts, range.first(), range.last());
        }
    }
}

fn add_range(ports: &mut BTreeSet<u16>, first: u16, last: u16) {
    ports.insert(first);
    ports.extend(last.checked_add(1));
}
