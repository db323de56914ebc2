//! What one node's kernel needs: every question that a pod of the node can ask, answered.
//!
//! The kernel looks an answer up by (class of the sender, destination, protocol, port). A class is
//! a set of senders that get the same answers; a destination a set of addresses that do.
//!
//! Invariant: each answer comes from [`Model::judge`]'s steps; nothing here decides.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use palisade_model::access_policy::{AccessPolicy, PeerTarget};
use palisade_model::link::Which;
use palisade_model::network_policy::NetworkPolicyTarget;
use palisade_model::object::Name;
use palisade_model::port::{PortMatch, PortRule, Protocol};
use palisade_model::service::{Service, ServicePort};
use palisade_model::verdict::{Because, Direction, Judgement, RuleRef, Verdict};
use palisade_model::{IpNet, Timestamp};
use serde::Serialize;

use crate::dial::{Backend, BackendEnd};
use crate::matching::{self, Match, RuleScope};
use crate::model::{AddressOwner, Closer, Model, PodFacts};
use crate::party::{AddressKind, METADATA, Party, SenderProof, Situation};

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
        pub struct $name(pub u32);
    };
}

id!(
    /// Senders that get the same answers.
    ClassId
);
id!(
    /// Addresses that get the same answers.
    DestinationId
);
id!(
    /// An entry of [`NodeRules::port_tables`].
    PortTableId
);
id!(
    /// An entry of [`NodeRules::decisions`].
    DecisionId
);

impl DestinationId {
    /// The sender's own address, loopback and the unspecified address.
    pub const SELF: Self = Self(1);
}

/// Everything that one node's kernel needs of one revision.
#[derive(Clone, PartialEq, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NodeRules {
    /// The node.
    pub node: Name,
    /// The model's revision: rises with each change.
    pub revision: u64,
    /// The pods of the node.
    pub subjects: Vec<Subject>,
    /// Longest prefix first wins; both families' default routes are always there.
    pub destinations: Vec<(IpNet, Destination)>,
    /// Service addresses and ports.
    pub frontends: Vec<(Frontend, DestinationId)>,
    /// The answers; what is not here is refused.
    pub cells: Vec<(Cell, PortTableId)>,
    /// Spans of ports, each table sorted and covering every port.
    pub port_tables: Vec<Vec<PortSpan>>,
    /// Distinct answers.
    pub decisions: Vec<CompiledDecision>,
    /// The rules that answers name.
    pub rules: Vec<RuleRef>,
}

/// A pod of the node.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Subject {
    /// Names the pod within the revision; never 0.
    pub identity: u32,
    /// Its uid; empty when the input has none.
    pub uid: String,
    /// Its namespace.
    pub namespace: Name,
    /// Its name.
    pub name: Name,
    /// On the node's network: passes, and is recorded.
    pub host_network: bool,
    /// The class of a container that is not known.
    pub class: ClassId,
    /// Its containers.
    pub containers: Vec<SubjectContainer>,
}

/// A container of a subject.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SubjectContainer {
    /// Its name.
    pub name: Name,
    /// Its identifier at the runtime, when the status has it.
    pub id: Option<Name>,
    /// The class of a program that no policy names.
    pub class: ClassId,
    /// The programs that policies name.
    pub programs: Vec<(Name, ClassId)>,
    /// The ports that it declares, and so alone may listen on.
    pub ports: Vec<(Protocol, u16)>,
}

/// What a prefix stands for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
pub struct Destination {
    /// The addresses' class.
    pub id: DestinationId,
    /// The subject that owns the address, when it is a pod of this node; else 0. A sender that
    /// reaches itself looks up [`DestinationId::SELF`] instead.
    pub subject: u32,
}

/// A Service's address and port.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
pub struct Frontend {
    /// The address dialled.
    pub address: IpAddr,
    /// The protocol.
    pub protocol: Protocol,
    /// The port dialled.
    pub port: u16,
}

/// The key of an answer.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
pub struct Cell {
    /// Who.
    pub class: ClassId,
    /// Whom.
    pub destination: DestinationId,
    /// By what.
    pub protocol: Protocol,
}

/// Ports with one answer.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
pub struct PortSpan {
    /// The first.
    pub first: u16,
    /// The last, included.
    pub last: u16,
    /// The answer.
    pub decision: DecisionId,
}

/// An answer, and what follows when it expires.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CompiledDecision {
    /// Over objects in Enforce.
    pub enforced: CompiledVerdict,
    /// Over all objects.
    pub would_be: CompiledVerdict,
    /// From this instant on the other decision holds.
    pub expires: Option<(Timestamp, DecisionId)>,
}

/// A verdict with its reason, as numbers.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CompiledVerdict {
    /// Whether it passes.
    pub allowed: bool,
    /// Why.
    pub reason: Reason,
    /// Position in [`NodeRules::rules`], when a rule or policy gave it.
    pub rule: Option<u32>,
    /// The end that gave it.
    pub end: Direction,
}

/// Why, without the rule.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs)]
pub enum Reason {
    Rule,
    Exception,
    OwnNode,
    Closed,
    Open,
    OwnAddress,
    NotGuarded,
    Undecided,
    /// The Service's backends have different answers: refused until each packet is judged after
    /// translation.
    ServiceMixed,
    /// The Service has no ready endpoint; not policy.
    NoEndpoints,
    /// A Service's address without that port; not policy.
    NoServicePort,
}

impl Reason {
    /// As records write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rule => "rule",
            Self::Exception => "exception",
            Self::OwnNode => "own-node",
            Self::Closed => "closed",
            Self::Open => "open",
            Self::OwnAddress => "own-address",
            Self::NotGuarded => "not-guarded",
            Self::Undecided => "undecided",
            Self::ServiceMixed => "service-mixed",
            Self::NoEndpoints => "no-endpoints",
            Self::NoServicePort => "no-service-port",
        }
    }
}

impl Model {
    /// Compiles what the kernel of `node` needs at `now`, as `revision`.
    pub fn compile(&self, node: &str, revision: u64, now: Timestamp) -> NodeRules {
        let mut compiler = Compiler::new(self, node, now);
        compiler.run(revision)
    }

    /// What a Service's port answers as a whole: the backends' answers when they agree.
    pub fn service_verdict(&self, answers: &[Judgement]) -> ServiceVerdict {
        let combine = |allowed: fn(&Judgement) -> bool| match answers.iter().filter(|answer| allowed(answer)).count() {
            _ if answers.is_empty() => ServiceWord::NoEndpoints,
            0 => ServiceWord::Denied,
            count if count == answers.len() => ServiceWord::Allowed,
            _ => ServiceWord::Mixed,
        };
        ServiceVerdict {
            enforced: combine(|answer| answer.enforced.is_allowed()),
            would_be: combine(|answer| answer.would_be.is_allowed()),
        }
    }
}

/// What a Service's port answers as a whole.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ServiceVerdict {
    /// Over objects in Enforce.
    pub enforced: ServiceWord,
    /// Over all objects.
    pub would_be: ServiceWord,
}

/// The backends' answers in one word.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs)]
pub enum ServiceWord {
    Allowed,
    Denied,
    /// Refused until each packet is judged after translation.
    Mixed,
    NoEndpoints,
}

struct Compiler<'m> {
    model: &'m Model,
    node: Name,
    now: Timestamp,
    /// Every later instant at which an Allow ends, last first.
    expiries: Vec<Timestamp>,
    decisions: Interner<CompiledDecision>,
    rules: Interner<RuleRef>,
    tables: Interner<Vec<PortSpan>>,
    rows: Interner<Vec<(DestinationId, Protocol, PortTableId)>>,
}

/// What stands behind a destination.
enum Target<'m> {
    Own,
    Party(Party<'m>),
    Service { backends: Vec<(Party<'m>, u16)>, protocol: Protocol, unknown: Option<palisade_model::verdict::Missing> },
    NoServicePort,
}

impl<'m> Compiler<'m> {
    fn new(model: &'m Model, node: &str, now: Timestamp) -> Self {
        let rules = model.inventory.access_policies.iter().flat_map(|policy| &policy.rules);
        let expiries: BTreeSet<Timestamp> =
            rules.filter_map(|rule| rule.expires).filter(|expires| *expires > now).collect();
        Self {
            model,
            node: node.into(),
            now,
            expiries: expiries.into_iter().rev().collect(),
            decisions: Interner::default(),
            rules: Interner::default(),
            tables: Interner::default(),
            rows: Interner::default(),
        }
    }

    fn run(&mut self, revision: u64) -> NodeRules {
        let local: Vec<&PodFacts> =
            self.model.pods().iter().filter(|pod| pod.node.as_ref() == Some(&self.node) && pod.decides()).collect();
        let identities: BTreeMap<_, u32> = (1..).zip(&local).map(|(identity, pod)| (pod.index, identity)).collect();
        let mut targets = vec![Target::NoServicePort, Target::Own];
        let destinations = self.destinations(&mut targets, &identities);
        let frontends = self.frontends(&mut targets);
        let subjects = local.iter().map(|pod| self.subject(pod, identities[&pod.index], &targets)).collect();
        let rows = std::mem::take(&mut self.rows).values;
        let cells = (0..).zip(rows).flat_map(|(class, row)| {
            row.into_iter().map(move |(destination, protocol, table)| {
                (Cell { class: ClassId(class), destination, protocol }, table)
            })
        });
        NodeRules {
            node: self.node.clone(),
            revision,
            subjects,
            destinations,
            frontends,
            cells: cells.collect(),
            port_tables: std::mem::take(&mut self.tables).values,
            decisions: std::mem::take(&mut self.decisions).values,
            rules: std::mem::take(&mut self.rules).values,
        }
    }

    // Destinations

    fn destinations(
        &self,
        targets: &mut Vec<Target<'m>>,
        identities: &BTreeMap<crate::model::PodIndex, u32>,
    ) -> Vec<(IpNet, Destination)> {
        let mut prefixes: BTreeSet<IpNet> = policy_blocks(self.model).into_iter().collect();
        let host = |address: IpAddr| IpNet::from(address);
        prefixes.extend(ALWAYS.iter().map(|text| text.parse::<IpNet>().expect("the constants are prefixes")));
        prefixes.extend(METADATA.map(host));
        prefixes.extend(self.model.apiserver_endpoints.iter().map(|endpoint| host(endpoint.address)));
        prefixes.extend(self.model.pods().iter().flat_map(|pod| &pod.addresses).map(|address| host(*address)));
        let nodes = self.model.inventory.nodes.iter().flat_map(|node| &node.addresses);
        prefixes.extend(nodes.map(|address| host(address.to_canonical())));
        for service in &self.model.inventory.services {
            let addresses = service.cluster_ips.iter().chain(&service.external_ips).chain(&service.load_balancer_ips);
            prefixes.extend(addresses.map(|address| host(address.to_canonical())));
        }
        let prefixes: Vec<IpNet> = prefixes.into_iter().collect();
        let mut destinations = Vec::with_capacity(prefixes.len());
        for (position, prefix) in prefixes.iter().enumerate() {
            // Sorted by address, then length: what lies inside a prefix follows it.
            let inside = prefixes[position + 1..].iter().take_while(|inner| prefix.contains(*inner));
            let Some(address) = uncovered_address(prefix, inside) else { continue };
            let (target, subject) = self.target_of(address, identities);
            let id = match target {
                Target::Own => DestinationId::SELF,
                Target::NoServicePort => NO_SERVICE_PORT,
                target @ (Target::Party(_) | Target::Service { .. }) => {
                    targets.push(target);
                    DestinationId(position_u32(targets.len() - 1))
                }
            };
            destinations.push((*prefix, Destination { id, subject }));
        }
        destinations
    }

    fn target_of(&self, address: IpAddr, identities: &BTreeMap<crate::model::PodIndex, u32>) -> (Target<'m>, u32) {
        match self.model.owner_of(address) {
            Some(AddressOwner::Pod(index)) => {
                let subject = identities.get(&index).copied().unwrap_or(0);
                (Target::Party(receiver(self.model.pod(index), Some(address))), subject)
            }
            Some(AddressOwner::Node(position)) => {
                let name = self.model.inventory.nodes[position].meta.reference.name.clone();
                (Target::Party(Party::Node { name: Some(name), addresses: vec![address] }), 0)
            }
            Some(AddressOwner::Service(_)) => (Target::NoServicePort, 0),
            None => match AddressKind::of(address) {
                AddressKind::Loopback => (Target::Own, 0),
                kind @ (AddressKind::World | AddressKind::Service | AddressKind::Metadata | AddressKind::LinkLocal) => {
                    (Target::Party(Party::Address { address, kind }), 0)
                }
            },
        }
    }

    fn frontends(&self, targets: &mut Vec<Target<'m>>) -> Vec<(Frontend, DestinationId)> {
        let mut frontends = BTreeMap::new();
        for service in &self.model.inventory.services {
            let addresses = service.cluster_ips.iter().chain(&service.external_ips).chain(&service.load_balancer_ips);
            for address in addresses.map(|address| address.to_canonical()) {
                for port in &service.ports {
                    let id = self.service_target(service, port, address.is_ipv4(), targets);
                    frontends.insert(Frontend { address, protocol: port.protocol, port: port.port }, id);
                }
            }
        }
        let node_addresses: Vec<IpAddr> = self
            .model
            .inventory
            .nodes
            .iter()
            .flat_map(|node| &node.addresses)
            .map(|address| address.to_canonical())
            .collect();
        for (service, port) in self.model.node_ports() {
            for address in &node_addresses {
                let Some(number) = port.node_port else { continue };
                let id = self.service_target(service, port, address.is_ipv4(), targets);
                frontends.insert(Frontend { address: *address, protocol: port.protocol, port: number }, id);
            }
        }
        frontends.into_iter().collect()
    }

    fn service_target(
        &self,
        service: &'m Service,
        port: &'m ServicePort,
        v4: bool,
        targets: &mut Vec<Target<'m>>,
    ) -> DestinationId {
        let (backends, unknown) = match self.model.backends(service, port, Some(v4)) {
            Ok(backends) => (backends, None),
            Err(missing) => (Vec::new(), Some(missing)),
        };
        let backends = backends.into_iter().map(|backend| (self.model.backend_party(&backend), backend.port)).collect();
        targets.push(Target::Service { backends, protocol: port.protocol, unknown });
        DestinationId(position_u32(targets.len() - 1))
    }

    // Senders

    fn subject(&mut self, pod: &'m PodFacts, identity: u32, targets: &[Target<'m>]) -> Subject {
        let model = self.model;
        let spec = model.spec(pod);
        let mut class = |container: Which, program: Which| self.class(pod, container, program, targets);
        let other = class(Which::Other, Which::Other);
        let containers = spec
            .containers
            .iter()
            .map(|container| {
                let named = || Which::Named(container.name.clone());
                let programs = model.named_programs(pod, &container.name);
                SubjectContainer {
                    name: container.name.clone(),
                    id: pod.container_ids.iter().find(|(name, _)| *name == container.name).map(|(_, id)| id.clone()),
                    class: class(named(), Which::Other),
                    programs: programs
                        .into_iter()
                        .map(|program| {
                            let id = class(named(), Which::Named(program.clone()));
                            (program, id)
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
            containers,
        }
    }

    fn class(&mut self, pod: &'m PodFacts, container: Which, program: Which, targets: &[Target<'m>]) -> ClassId {
        let mut row = Vec::new();
        for (id, target) in (0..).zip(targets) {
            for protocol in Protocol::ALL {
                let sender = |to: &Party<'_>| Party::Pod {
                    pod,
                    container: container.clone(),
                    program: program.clone(),
                    address: source_address(pod, to),
                };
                if let Some(spans) = self.spans(pod, sender, target, protocol) {
                    let table = PortTableId(self.tables.intern(spans));
                    row.push((DestinationId(id), protocol, table));
                }
            }
        }
        ClassId(self.rows.intern(row))
    }

    /// The answers for every port; `None` when the destination does not speak the protocol.
    fn spans(
        &mut self,
        pod: &'m PodFacts,
        sender: impl Fn(&Party<'m>) -> Party<'m>,
        target: &Target<'m>,
        protocol: Protocol,
    ) -> Option<Vec<PortSpan>> {
        let whole = |decision| vec![PortSpan { first: 0, last: u16::MAX, decision }];
        let own;
        let to = match target {
            Target::NoServicePort => return Some(whole(self.fixed(Reason::NoServicePort))),
            Target::Service { protocol: of_service, .. } if *of_service != protocol => return None,
            Target::Service { backends, unknown, .. } => {
                let decision = self.service_decision(&sender, backends, unknown.is_some(), protocol);
                return Some(whole(decision));
            }
            Target::Own => {
                own = receiver(pod, pod.addresses.first().copied());
                &own
            }
            Target::Party(to) => to,
        };
        let mut spans: Vec<PortSpan> = Vec::new();
        let starts = self.breakpoints(pod, to, protocol);
        let lasts = starts.iter().skip(1).map(|next| next - 1).chain([u16::MAX]);
        for (first, last) in starts.iter().copied().zip(lasts) {
            let decision = self.decision(&sender, to, protocol, first);
            match spans.last_mut() {
                Some(before) if before.decision == decision => before.last = last,
                _ => spans.push(PortSpan { first, last, decision }),
            }
        }
        Some(spans)
    }

    /// The ports at which the answer can change: 0 always.
    fn breakpoints(&self, pod: &PodFacts, to: &Party<'_>, protocol: Protocol) -> BTreeSet<u16> {
        let mut starts = BTreeSet::from([0]);
        let mut add = |first: u16, last: u16| {
            starts.insert(first);
            starts.extend(last.checked_add(1));
        };
        let mut add_rules = |rules: &[PortRule]| {
            for rule in rules.iter().filter(|rule| rule.protocol == protocol) {
                if let PortMatch::Range(range) = rule.port {
                    add(range.first(), range.last());
                }
            }
        };
        let receiving = match to {
            Party::Pod { pod, .. } => Some(*pod),
            Party::Node { .. } | Party::Address { .. } => None,
        };
        let policies = |pod: &PodFacts| self.model.access_policies_of(&pod.namespace).collect::<Vec<&AccessPolicy>>();
        for policy in std::iter::once(pod).chain(receiving).flat_map(policies) {
            policy.rules.iter().for_each(|rule| add_rules(&rule.ports));
        }
        let ends = [(Some(pod), Direction::Egress), (receiving, Direction::Ingress)];
        for (pod, direction) in ends {
            for closer in pod.into_iter().flat_map(|pod| pod.closers(direction)) {
                if let Closer::NetworkPolicy(position) = closer {
                    let rules = self.model.network_policy_rules(*position, direction);
                    rules.iter().for_each(|rule| add_rules(&rule.ports));
                }
            }
        }
        for endpoint in &self.model.apiserver_endpoints {
            endpoint.port.into_iter().for_each(|port| add(port, port));
        }
        if let Some(pod) = receiving {
            let spec = self.model.spec(pod);
            for container in &spec.containers {
                container.ports.iter().for_each(|port| add(port.number, port.number));
                container.probes().filter_map(|probe| probe.tcp_port(container)).for_each(|port| add(port, port));
            }
            let behind = self.model.inventory.services.iter().filter(|service| self.model.is_behind(service, pod));
            for (service, port) in behind.flat_map(|service| service.ports.iter().map(move |port| (service, port))) {
                self.model.target_ports(service, port, pod).into_iter().for_each(|port| add(port, port));
            }
        }
        for backend in &self.model.dns_backends {
            add(backend.port, backend.port);
        }
        starts
    }

    // Answers

    fn decision(
        &mut self,
        sender: &impl Fn(&Party<'m>) -> Party<'m>,
        to: &Party<'m>,
        protocol: Protocol,
        port: u16,
    ) -> DecisionId {
        let from = sender(to);
        self.over_time(|compiler, now| {
            let judgement = compiler.judge(from.clone(), to.clone(), protocol, port, now);
            let verdict = |decision: &palisade_model::verdict::Decision, compiler: &mut Self| {
                let (end, verdict) = decision.link();
                compiler.verdict(verdict, end)
            };
            (verdict(&judgement.enforced, compiler), verdict(&judgement.would_be, compiler))
        })
    }

    fn service_decision(
        &mut self,
        sender: &impl Fn(&Party<'m>) -> Party<'m>,
        backends: &[(Party<'m>, u16)],
        unknown: bool,
        protocol: Protocol,
    ) -> DecisionId {
        if unknown {
            return self.fixed(Reason::Undecided);
        }
        if backends.is_empty() {
            return self.fixed(Reason::NoEndpoints);
        }
        self.over_time(|compiler, now| {
            let answers: Vec<Judgement> = backends
                .iter()
                .map(|(to, port)| compiler.judge(sender(to), to.clone(), protocol, *port, now))
                .collect();
            let ServiceVerdict { enforced, would_be } = compiler.model.service_verdict(&answers);
            let mut verdict = |word, of: fn(&Judgement) -> &palisade_model::verdict::Decision| match word {
                ServiceWord::Mixed => fixed_verdict(Reason::ServiceMixed),
                ServiceWord::Allowed | ServiceWord::Denied | ServiceWord::NoEndpoints => {
                    let (end, verdict) = of(&answers[0]).link();
                    compiler.verdict(verdict, end)
                }
            };
            (verdict(enforced, |answer| &answer.enforced), verdict(would_be, |answer| &answer.would_be))
        })
    }

    fn judge(&self, from: Party<'m>, to: Party<'m>, protocol: Protocol, port: u16, now: Timestamp) -> Judgement {
        let own_address = match (&from, &to) {
            (Party::Pod { pod: a, .. }, Party::Pod { pod: b, .. }) => a.index == b.index,
            _ => false,
        };
        self.model.judge_situation(&Situation {
            from,
            to,
            protocol,
            port,
            now,
            own_address,
            sender_proof: SenderProof::Process,
        })
    }

    /// The answer now, chained to what follows at each instant at which an Allow ends.
    fn over_time(&mut self, judge: impl Fn(&mut Self, Timestamp) -> (CompiledVerdict, CompiledVerdict)) -> DecisionId {
        let mut later: Option<(Timestamp, DecisionId)> = None;
        let instants: Vec<Timestamp> = self.expiries.iter().copied().chain([self.now]).collect();
        let mut current = DecisionId(0);
        for instant in instants {
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

    fn fixed(&mut self, reason: Reason) -> DecisionId {
        let verdict = fixed_verdict(reason);
        DecisionId(self.decisions.intern(CompiledDecision { enforced: verdict, would_be: verdict, expires: None }))
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

/// Position 0 of the targets.
const NO_SERVICE_PORT: DestinationId = DestinationId(0);

/// Prefixes that are always told apart: the default routes, loopback, unspecified, link-local.
const ALWAYS: [&str; 8] =
    ["0.0.0.0/0", "::/0", "127.0.0.0/8", "::1/128", "0.0.0.0/32", "::/128", "169.254.0.0/16", "fe80::/10"];

fn fixed_verdict(reason: Reason) -> CompiledVerdict {
    CompiledVerdict { allowed: false, reason, rule: None, end: Direction::Egress }
}

/// The reason's code.
pub fn reason(because: &Because) -> Reason {
    match because {
        Because::Rule { .. } => Reason::Rule,
        Because::Exception { .. } => Reason::Exception,
        Because::OwnNode { .. } => Reason::OwnNode,
        Because::Closed { .. } => Reason::Closed,
        Because::Open => Reason::Open,
        Because::OwnAddress => Reason::OwnAddress,
        Because::NotGuarded => Reason::NotGuarded,
    }
}

fn receiver(pod: &PodFacts, address: Option<IpAddr>) -> Party<'_> {
    Party::Pod { pod, container: Which::Unsaid, program: Which::Unsaid, address }
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

impl Model {
    pub(crate) fn backend_party(&self, backend: &Backend) -> Party<'_> {
        match backend.end {
            BackendEnd::Pod(index) => receiver(self.pod(index), backend.address),
            BackendEnd::Address(address) => match self.owner_of(address) {
                Some(AddressOwner::Node(position)) => {
                    let name = self.inventory.nodes[position].meta.reference.name.clone();
                    Party::Node { name: Some(name), addresses: vec![address] }
                }
                Some(AddressOwner::Pod(index)) => receiver(self.pod(index), Some(address)),
                Some(AddressOwner::Service(_)) => Party::Address { address, kind: AddressKind::Service },
                None => Party::Address { address, kind: AddressKind::of(address) },
            },
        }
    }
}

impl Model {
    /// The programs of `container` that policies name, and so tell apart: paths, in order.
    pub fn named_programs(&self, pod: &PodFacts, container: &Name) -> BTreeSet<Name> {
        let mut programs = BTreeSet::new();
        for policy in &self.inventory.access_policies {
            for rule in &policy.rules {
                let namespace = policy.meta.reference.namespace.as_ref();
                let scope = RuleScope { namespace, action: rule.action, ports: &rule.ports };
                programs.extend(rule.from.iter().filter_map(|peer| match &peer.target {
                    PeerTarget::Pods(fields) => {
                        let of_container = fields.container.as_ref().is_none_or(|name| name == container);
                        let means_pod = matching::pod_fields(self, scope, fields, pod) == Match::Yes;
                        fields.program.clone().filter(|_| of_container && means_pod)
                    }
                    PeerTarget::Cidr { .. } | PeerTarget::Entity(_) | PeerTarget::Fqdn(_) => None,
                }));
            }
        }
        programs
    }

    /// An address of the family `v4` that is outside of everything known and of every block that a
    /// policy names.
    pub fn world_address(&self, v4: bool) -> Option<IpAddr> {
        let blocks: BTreeSet<IpNet> = policy_blocks(self)
            .into_iter()
            .filter(|block| block.addr().is_ipv4() == v4 && block.prefix_len() > 0)
            .chain(ALWAYS[2..].iter().map(|text| text.parse::<IpNet>().expect("the constants are prefixes")))
            .filter(|block| block.addr().is_ipv4() == v4)
            .collect();
        let start: IpNet = if v4 { "128.0.0.0/1" } else { "2000::/3" }.parse().expect("the constants are prefixes");
        let inside = blocks.iter().filter(|block| start.contains(*block));
        uncovered_address(&start.trunc(), inside).filter(|address| self.owner_of(*address).is_none())
    }
}

/// Every block that a policy names.
fn policy_blocks(model: &Model) -> Vec<IpNet> {
    let mut blocks = Vec::new();
    let mut add = |cidr: &IpNet, except: &[IpNet]| {
        blocks.push(cidr.trunc());
        blocks.extend(except.iter().map(IpNet::trunc));
    };
    for policy in &model.inventory.network_policies {
        for peer in policy.ingress.iter().chain(&policy.egress).flatten().flat_map(|rule| &rule.peers) {
            if let NetworkPolicyTarget::IpBlock { cidr, except } = &peer.target {
                add(cidr, except);
            }
        }
    }
    for peer in model.inventory.access_policies.iter().flat_map(|policy| &policy.rules).flat_map(|rule| &rule.to) {
        if let PeerTarget::Cidr { cidr, except } = &peer.target {
            add(cidr, except);
        }
    }
    blocks
}

/// An address of `prefix` that lies in none of `inside` (sorted, all within it).
fn uncovered_address<'p>(prefix: &IpNet, inside: impl Iterator<Item = &'p IpNet>) -> Option<IpAddr> {
    let mut candidate = as_number(prefix.network());
    let last = as_number(prefix.broadcast());
    for inner in inside {
        if as_number(inner.network()) > candidate {
            break;
        }
        let after = as_number(inner.broadcast()).checked_add(1)?;
        candidate = candidate.max(after);
    }
    (candidate <= last).then(|| as_address(candidate, prefix.addr().is_ipv4()))
}

fn as_number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => u128::from(u32::from(v4)),
        IpAddr::V6(v6) => u128::from(v6),
    }
}

fn as_address(number: u128, v4: bool) -> IpAddr {
    if v4 {
        IpAddr::V4(u32::try_from(number).expect("an IPv4 prefix holds IPv4 numbers").into())
    } else {
        IpAddr::V6(number.into())
    }
}

fn position_u32(position: usize) -> u32 {
    u32::try_from(position).expect("fewer than 4 billion entries fit in memory")
}

/// Numbers distinct values in the order of their first use.
struct Interner<T> {
    values: Vec<T>,
    positions: BTreeMap<T, u32>,
}

impl<T> Default for Interner<T> {
    fn default() -> Self {
        Self { values: Vec::new(), positions: BTreeMap::new() }
    }
}

impl<T: Ord + Clone> Interner<T> {
    fn intern(&mut self, value: T) -> u32 {
        if let Some(position) = self.positions.get(&value) {
            return *position;
        }
        let position = position_u32(self.values.len());
        self.values.push(value.clone());
        self.positions.insert(value, position);
        position
    }
}
