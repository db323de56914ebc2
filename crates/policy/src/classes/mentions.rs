//! Which peers of which rules name a party, whoever the other end is.

use palisade_model::Timestamp;
use palisade_model::access_policy::{AccessRule, Action, Entity, Peer, PeerTarget};
use palisade_model::port::{PortMatch, PortRule, Protocol};
use palisade_model::verdict::Direction;

use super::interner::Interner;
use crate::matching::{self, Match, RuleScope, Side};
use crate::model::Model;
use crate::party::{Party, SenderProof, Situation, Transport};
use crate::rule_index::{PeerAt, RuleNumber};

/// A rule that names a party, and by which of its peers.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Mention {
    pub(crate) rule: RuleNumber,
    /// An entry of [`NamingPeers`].
    pub(crate) peers: u32,
}

/// Positions of peers in their list, each with whether it is certain that it names the party.
pub(crate) type NamingPeers = Interner<Vec<(u32, bool)>>;

/// What has a port of its own meaning on each receiver, so that a rule's answer needs more of it than its peers.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct AsksReceiver {
    /// Named ports, the container behind a port, or what its probes ask.
    pub(crate) containers: bool,
    /// The ports on which it stands behind a Service.
    pub(crate) services: bool,
}

impl AsksReceiver {
    pub(crate) fn or(self, other: Self) -> Self {
        Self { containers: self.containers || other.containers, services: self.services || other.services }
    }
}

/// All transports that could make a peer of a receiver match.
const TRANSPORTS: [Transport; 4] = [
    Transport::AnyPort(Protocol::Tcp),
    Transport::AnyPort(Protocol::Udp),
    Transport::AnyPort(Protocol::Sctp),
    Transport::Portless,
];

/// The AccessPolicies' rules that name `party` at `side` on some port, in order. Only those that `wanted` takes.
pub(crate) fn of_access<'m>(
    model: &'m Model,
    party: &Party<'m>,
    side: Side,
    proof: SenderProof,
    now: Timestamp,
    wanted: impl Fn(RuleNumber) -> bool,
    naming: &mut NamingPeers,
) -> Vec<Mention> {
    let index = match side {
        Side::From => &model.rules.from,
        Side::To => &model.rules.to,
    };
    let mut situation = Situation::of_one(party.clone(), side, proof);
    mentions(index.naming(model, party, side), wanted, naming, |at| {
        let (policy, _, rule) = model.access_rule(at.rule);
        if grants_nothing(rule, now) {
            return None;
        }
        let namespace = policy.meta.reference.namespace.as_ref();
        let scope = RuleScope { namespace, action: rule.action, ports: &rule.ports };
        match side {
            Side::From => certainty(&from_match(model, scope, &rule.from[at.peer as usize], &situation)),
            Side::To => TRANSPORTS.into_iter().find_map(|transport| {
                situation.transport = transport;
                certainty(&matching::access_peer(model, scope, &rule.to[at.peer as usize], &situation, Side::To))
            }),
        }
    })
}

/// NetworkPolicies' rules of `direction` that name `party` as the other end, in order; not those that name everyone.
pub(crate) fn of_network<'m>(
    model: &'m Model,
    party: &Party<'m>,
    direction: Direction,
    wanted: impl Fn(RuleNumber) -> bool,
    naming: &mut NamingPeers,
) -> Vec<Mention> {
    let side = match direction {
        Direction::Ingress => Side::From,
        Direction::Egress => Side::To,
    };
    let network = model.rules.network(direction);
    let situation = Situation::of_one(party.clone(), side, SenderProof::Process);
    let is_known = matches!(party, Party::Pod { pod, .. } if pod.decides() && pod.namespace_is_known);
    mentions(network.peers.naming(model, party, side), wanted, naming, |at| {
        if at.is_exact && is_known {
            return Some(true);
        }
        let (position, index) = network.rules.at(at.rule);
        let peer = &model.network_policy_rules(position, direction)[index].peers[at.peer as usize];
        let namespace = model.network_policy(position).meta.namespace();
        certainty(&matching::network_policy_peer(model, namespace, peer, &situation, side))
    })
}

fn mentions(
    lists: Vec<&[PeerAt]>,
    wanted: impl Fn(RuleNumber) -> bool,
    naming: &mut NamingPeers,
    mut names: impl FnMut(PeerAt) -> Option<bool>,
) -> Vec<Mention> {
    let mut candidates: Vec<PeerAt> = lists.into_iter().flatten().copied().filter(|at| wanted(at.rule)).collect();
    candidates.sort_unstable();
    candidates.dedup();
    let mut mentions = Vec::new();
    for of_rule in candidates.chunk_by(|a, b| a.rule == b.rule) {
        let peers: Vec<(u32, bool)> =
            of_rule.iter().filter_map(|at| names(*at).map(|certain| (at.peer, certain))).collect();
        if !peers.is_empty() {
            mentions.push(Mention { rule: of_rule[0].rule, peers: naming.intern(peers) });
        }
    }
    mentions
}

/// Whether it matches, and whether that is known.
fn certainty(matches: &Match) -> Option<bool> {
    match matches {
        Match::Yes => Some(true),
        Match::Unknown(_) => Some(false),
        Match::No(_) => None,
    }
}

/// A peer of senders, for some receiver: a probe is one by what it asks for.
fn from_match(model: &Model, scope: RuleScope<'_>, peer: &Peer, situation: &Situation<'_>) -> Match {
    if peer.target == PeerTarget::Entity(Entity::Kubelet) {
        let could_be = matching::entity_could_be(model, Entity::Kubelet, &situation.from, Side::From);
        return Match::from_bool(could_be, matching::WhyNot::Entity);
    }
    matching::access_peer(model, scope, peer, situation, Side::From)
}

/// An Allow that has ended, or that waits for what is not judged yet.
fn grants_nothing(rule: &AccessRule, now: Timestamp) -> bool {
    rule.action == Action::Allow && (!rule.http.is_empty() || rule.expires.is_some_and(|expires| now >= expires))
}

/// What an AccessPolicy's rule asks of a receiver beside its peers.
pub(crate) fn access_asks(rule: &AccessRule) -> AsksReceiver {
    let to = |asks: fn(&palisade_model::access_policy::PodPeer) -> bool| {
        rule.to.iter().any(|peer| match &peer.target {
            PeerTarget::Pods(fields) => asks(fields),
            PeerTarget::Cidr { .. } | PeerTarget::Entity(_) | PeerTarget::Fqdn(_) => false,
        })
    };
    let probes = rule.from.iter().any(|peer| peer.target == PeerTarget::Entity(Entity::Kubelet));
    AsksReceiver {
        containers: probes || names_port(&rule.ports) || to(|fields| fields.names_container_or_program()),
        services: to(|fields| fields.service.is_some()),
    }
}

/// What a NetworkPolicy's rule asks of a receiver beside its peers.
pub(crate) fn network_asks(ports: &[PortRule]) -> AsksReceiver {
    AsksReceiver { containers: names_port(ports), services: false }
}

fn names_port(ports: &[PortRule]) -> bool {
    ports.iter().any(|rule| matches!(rule.port, PortMatch::Name(_)))
}
