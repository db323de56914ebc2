//! What one node's kernel needs: every question that a pod of the node can ask, answered.
//!
//! The kernel looks an answer up by (class of the sender, destination, protocol, port). A class is
//! a set of senders that get the same answers; a destination a set of addresses that do.
//!
//! Invariant: each answer comes from [`Model::judge`]'s steps; nothing here decides.

mod compiler;
mod decisions;
mod destinations;
mod matrix;
mod receivers;
mod senders;
mod tables;

use std::collections::BTreeSet;
use std::net::IpAddr;

use palisade_model::access_policy::{PeerTarget, PodPeer};
use palisade_model::object::Name;
use palisade_model::perimeter::OnRefusal;
use palisade_model::port::Protocol;
use palisade_model::verdict::{Because, Direction, Judgement, Missing, RuleRef};
use palisade_model::{IpNet, Timestamp};
use serde::Serialize;

use crate::matching::{self, Match, RuleScope, Side};
use crate::model::{Model, PodFacts};
use crate::party::receiver;
use crate::rule_index::PeerAt;

pub use crate::classes::Carrier;
use compiler::Compiler;

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

id!(
    /// Source addresses that get the same answers of a receiver.
    SourceId
);
id!(
    /// Receivers that give the same answers.
    ReceiverId
);

impl SourceId {
    /// A socket of the receiver's own node, proven by the packet's socket, over IPv4.
    pub const OWN_NODE_4: Self = Self(0);
    /// IPv4: forwarded or masqueraded by a node, so that its address says nothing.
    pub const STRANGER_4: Self = Self(1);
    /// The same over IPv6.
    pub const STRANGER_6: Self = Self(2);
    /// The own node over IPv6: blocks of the other family do not match it.
    pub const OWN_NODE_6: Self = Self(3);
}

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
    /// The sender's answers; what is not here is refused.
    pub cells: Vec<(Cell, PortTableId)>,
    /// Who sent a packet that no proven process of this node sent, by its source address; longest
    /// prefix first wins. A node's address without a socket of that node is a stranger's.
    pub sources: Vec<(IpNet, SourceId)>,
    /// The receiver's answers to such packets; what is not here is refused.
    pub receiver_cells: Vec<(ReceiverCell, PortTableId)>,
    /// Spans of ports, each table sorted and covering every port.
    pub port_tables: Vec<Vec<PortSpan>>,
    /// Distinct answers.
    pub decisions: Vec<CompiledDecision>,
    /// The rules that answers name.
    pub rules: Vec<RuleRef>,
    /// The facts that undecided answers lack.
    pub missing: Vec<Missing>,
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
    /// What it is as a receiver.
    pub receiver: ReceiverId,
    /// What a refused sender sees, by the first Perimeter that closes the pod's ingress.
    pub on_refusal: OnRefusal,
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
    pub carrier: Carrier,
}

/// The key of a receiver's answer.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
pub struct ReceiverCell {
    /// Who receives.
    pub receiver: ReceiverId,
    /// From whom.
    pub source: SourceId,
    /// By what.
    pub carrier: Carrier,
}

/// Ports with one answer.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
pub struct PortSpan {
    /// The first.
    pub first: u16,
    /// The last, included.
    pub last: u16,
    /// The answer.
    pub decision: DecisionId,
}

/// An answer, and what follows when it expires.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
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
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CompiledVerdict {
    /// Whether it passes.
    pub allowed: bool,
    /// Why.
    pub reason: Reason,
    /// Position in [`NodeRules::rules`], when a rule or policy gave it.
    pub rule: Option<u32>,
    /// Position in [`NodeRules::missing`], when it is undecided.
    pub missing: Option<u32>,
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
    /// The Service's backends have different answers: allowed when the packet is judged after its
    /// translation, refused where no program sees that.
    ServiceMixed,
    /// The Service has no ready endpoint; not policy.
    NoEndpoints,
    /// A Service's address without that port; not policy.
    NoServicePort,
}

impl Reason {
    /// As records write it.
    pub const fn as_str(self) -> &'static str {
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
        Compiler::new(self, node, now).run(revision)
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
    /// They differ: each connection is judged by the backend that it reaches.
    Mixed,
    NoEndpoints,
}

/// The reason's code.
pub fn reason(because: &Because) -> Reason {
    match because {
        Because::Rule { .. } => Reason::Rule,
        Because::Exception { .. } => Reason::Exception,
        Because::OwnNode { .. } => Reason::OwnNode,
        Because::Closed { .. } | Because::Native { .. } => Reason::Closed,
        Because::Open => Reason::Open,
        Because::OwnAddress => Reason::OwnAddress,
        Because::NotGuarded => Reason::NotGuarded,
    }
}

impl Model {
    /// The containers of `pod` that rules name as senders, and so tell apart.
    pub fn named_containers(&self, pod: &PodFacts) -> BTreeSet<Name> {
        self.sender_peers(pod).filter_map(|fields| fields.container.clone()).collect()
    }

    /// The programs of `container` that policies name, and so tell apart: paths, in order.
    pub fn named_programs(&self, pod: &PodFacts, container: &Name) -> BTreeSet<Name> {
        self.sender_peers(pod)
            .filter(|fields| fields.container.as_ref().is_none_or(|name| name == container))
            .filter_map(|fields| fields.program.clone())
            .collect()
    }

    /// The `from` peers of all rules that mean `pod`, container and program aside.
    fn sender_peers<'m>(&'m self, pod: &'m PodFacts) -> impl Iterator<Item = &'m PodPeer> {
        let party = receiver(pod, None);
        let lists = self.rules.from.naming(self, &party, Side::From);
        let peers: Vec<PeerAt> = lists.into_iter().flatten().copied().collect();
        peers.into_iter().filter_map(move |at| {
            let (policy, _, rule) = self.access_rule(at.rule);
            let namespace = policy.meta.reference.namespace.as_ref();
            let scope = RuleScope { namespace, action: rule.action, ports: &rule.ports };
            match &rule.from[at.peer as usize].target {
                PeerTarget::Pods(fields) => {
                    (!matches!(matching::pod_fields(self, scope, fields, pod), Match::No(_))).then_some(fields)
                }
                PeerTarget::Cidr { .. } | PeerTarget::Entity(_) | PeerTarget::Fqdn(_) => None,
            }
        })
    }
}
