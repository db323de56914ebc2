//! The order of decision at one end.

use std::sync::Arc;

use palisade_model::access_policy::{Action, Entity, Mode};
use palisade_model::inventory::Unreadable;
use palisade_model::object::{Kind, Meta};
use palisade_model::perimeter::{Loopback, Perimeter};
use palisade_model::port::Protocol;
use palisade_model::tiered_policy::Tier;
use palisade_model::verdict::{Because, Direction, Missing, RuleList, RuleRef, Verdict};
use palisade_model::{Place, Timestamp};

use crate::cluster::{Cluster, KnownPod};
use crate::party::{self, Party};
use crate::possible::{self, Outcome};
use crate::truth::Truth;
use crate::{access, entity, network, tier};

/// One link, its ends found, and what the judging node knows of the sender.
pub struct Situation<'a> {
    pub cluster: &'a Cluster<'a>,
    pub sender: &'a Party<'a>,
    pub receiver: &'a Party<'a>,
    pub protocol: Protocol,
    pub port: u16,
    pub now: Timestamp,
    pub sender_detail: SenderDetail,
}

/// What the judging node knows of the sender's container and program.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SenderDetail {
    /// What the link says.
    Known,
    /// Nothing itself, but the sender's node has refused those that no Allow names.
    WholePod,
    /// Nothing, and nobody has checked.
    Nothing,
}

/// Which objects take part.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Objects {
    /// Those in Enforce.
    Enforced,
    /// Those in Audit too, as if enforced.
    All,
}

impl Objects {
    fn has(self, mode: Mode) -> bool {
        match self {
            Objects::Enforced => mode == Mode::Enforce,
            Objects::All => true,
        }
    }
}

impl<'a> Situation<'a> {
    /// The end that decides, and the other one.
    pub fn ends(&self, direction: Direction) -> (&'a Party<'a>, &'a Party<'a>) {
        match direction {
            Direction::Ingress => (self.receiver, self.sender),
            Direction::Egress => (self.sender, self.receiver),
        }
    }
}

/// What one end says of the link.
pub fn end(situation: &Situation<'_>, direction: Direction, objects: Objects) -> Verdict {
    let (own, other) = situation.ends(direction);
    let Some(pod) = own.deciding_pod() else { return Verdict::Allow(Because::NotGuarded) };
    let own_address = party::is_own_address(situation.sender, situation.receiver);
    if let Some(place) = unreadable(situation, pod, own_address) {
        return Verdict::Undecided(Missing::Unreadable { place });
    }

    if own_address {
        return between_tiers(situation, direction, objects, (pod, other), || Verdict::Allow(Because::OwnAddress));
    }
    // Step 1, then 2 and 3, then 4, and 5 is open.
    tier::end(situation, direction, pod, Tier::Admin, || {
        between_tiers(situation, direction, objects, (pod, other), || {
            tier::end(situation, direction, pod, Tier::Baseline, || Verdict::Allow(Because::Open))
        })
    })
}

/// Steps 2 and 3; `behind` is what comes when they do not answer.
fn between_tiers(
    situation: &Situation<'_>,
    direction: Direction,
    objects: Objects,
    (pod, other): (&KnownPod, &Party<'_>),
    behind: impl FnOnce() -> Verdict,
) -> Verdict {
    let own_address = party::is_own_address(situation.sender, situation.receiver);

    // Step 2.
    let denies = access_rules(situation, pod, objects, Action::Deny);
    if let Some(rule) = first_yes(&denies) {
        return Verdict::Deny(Because::Rule { rule });
    }
    let mut maybe: Vec<(Outcome, Missing)> = unknown(&denies, Outcome::Denied);

    // Step 3.
    let mut allows = access_rules(situation, pod, objects, Action::Allow);
    if !own_address {
        allows.extend(network_rules(situation, direction, pod));
    }
    let (perimeters, possible) = closing_perimeters(situation, direction, pod, own_address, objects);
    let network_policies = if own_address { Vec::new() } else { closing_network_policies(situation, direction, pod) };
    if let Some(rule) = first_yes(&allows) {
        return possible::agreed(Verdict::Allow(Because::Rule { rule }), maybe);
    }
    maybe.extend(unknown(&allows, Outcome::Allowed));
    if let Some((perimeter, entity)) = first_exception(situation, direction, &perimeters) {
        return possible::agreed(Verdict::Allow(Because::Exception { perimeter, entity }), maybe);
    }
    // A Perimeter that may close the end lets its exceptions through, and nobody else.
    let (lets_through, closes): (Vec<_>, Vec<_>) =
        possible.into_iter().partition(|(perimeter, _)| first_exception(situation, direction, &[*perimeter]).is_some());
    maybe.extend(lets_through.into_iter().map(|(_, missing)| (Outcome::Allowed, missing)));
    let by_network_policies_alone = perimeters.is_empty() && !network_policies.is_empty();
    let own_node = if by_network_policies_alone { own_node(pod, other) } else { Truth::No };
    if let Truth::Unknown(missing) = &own_node {
        maybe.push((Outcome::Allowed, missing.clone()));
    }
    maybe.extend(closes.into_iter().map(|(_, missing)| (Outcome::Denied, missing)));
    let certain = match (own_node, network_policies.first().cloned()) {
        (Truth::Yes, Some(closed_by)) => Verdict::Allow(Because::OwnNode { closed_by }),
        _ => {
            let by_perimeters = perimeters.iter().map(|perimeter| of_perimeter(perimeter));
            match by_perimeters.chain(network_policies).min() {
                Some(closed_by) => Verdict::Deny(Because::Closed { closed_by }),
                None => behind(),
            }
        }
    };
    possible::agreed(certain, maybe)
}

/// What follows from each answer that is not known, in the order of the rules.
fn unknown(answers: &[Answer], outcome: Outcome) -> Vec<(Outcome, Missing)> {
    let mut unknown: Vec<(&RuleRef, &Missing)> = answers
        .iter()
        .filter_map(|(rule, truth)| match truth {
            Truth::Unknown(missing) => Some((rule, missing)),
            Truth::Yes | Truth::No => None,
        })
        .collect();
    unknown.sort_by_key(|(rule, _)| *rule);
    unknown.into_iter().map(|(_, missing)| (outcome, missing.clone())).collect()
}

/// The first document that cannot be read and may select this end.
fn unreadable(situation: &Situation<'_>, pod: &KnownPod, own_address: bool) -> Option<Place> {
    let may_select = |document: &&Unreadable| {
        let (is_everywhere, judges_inside) = match document.kind {
            None => (true, true),
            Some(kind) => (!kind.is_namespaced(), kind.is_policy() && !never_judges_inside(kind)),
        };
        let is_here = document.namespace.as_ref().is_none_or(|namespace| *namespace == pod.namespace);
        (is_everywhere || is_here) && (!own_address || judges_inside)
    };
    situation.cluster.inventory.unreadable.iter().filter(may_select).min().map(|document| document.place.clone())
}

/// Whether policies of the kind leave a pod's own address alone.
fn never_judges_inside(kind: Kind) -> bool {
    [Kind::NetworkPolicy, Kind::ClusterNetworkPolicy, Kind::AdminNetworkPolicy, Kind::BaselineAdminNetworkPolicy]
        .contains(&kind)
}

type Answer = (RuleRef, Truth);

fn first_yes(answers: &[Answer]) -> Option<RuleRef> {
    answers.iter().filter(|(_, truth)| *truth == Truth::Yes).map(|(rule, _)| rule).min().cloned()
}

/// Every rule with this action that may act on the pod's end, and whether it covers the link.
fn access_rules(situation: &Situation<'_>, pod: &KnownPod, objects: Objects, action: Action) -> Vec<Answer> {
    let mut answers = Vec::new();
    for policy in &situation.cluster.inventory.access_policies {
        let acts_here = policy.meta.reference.namespace.as_ref().is_none_or(|namespace| *namespace == pod.namespace);
        if !acts_here || !objects.has(policy.mode) {
            continue;
        }
        for (index, rule) in policy.rules.iter().enumerate() {
            if rule.action == action {
                let (truth, (from, to)) = access::covers(situation, policy, rule);
                let reference = RuleRef {
                    rule: Some(index as u32),
                    from_peer: Some(from as u32),
                    to_peer: Some(to as u32),
                    name: rule.name.clone(),
                    place: rule.place.clone(),
                    ..whole(&policy.meta, RuleList::Rules, policy.mode)
                };
                answers.push((reference, truth));
            }
        }
    }
    answers
}

/// Every rule of this direction of the NetworkPolicies that select the pod.
fn network_rules(situation: &Situation<'_>, direction: Direction, pod: &KnownPod) -> Vec<Answer> {
    let mut answers = Vec::new();
    for policy in &situation.cluster.inventory.network_policies {
        if !network::selects(policy, pod) {
            continue;
        }
        for (index, rule) in network::rules(policy, direction).unwrap_or_default().iter().enumerate() {
            let (truth, peer) = network::covers(situation, direction, policy, rule);
            let peer = peer.map(|peer| peer as u32);
            let (from_peer, to_peer) = match direction {
                Direction::Ingress => (peer, None),
                Direction::Egress => (None, peer),
            };
            let reference = RuleRef {
                rule: Some(index as u32),
                from_peer,
                to_peer,
                place: rule.place.clone(),
                ..whole(&policy.meta, list(direction), Mode::Enforce)
            };
            answers.push((reference, truth));
        }
    }
    answers
}

/// The Perimeters that close this end, in the order of their references.
fn closing_perimeters<'a>(
    situation: &Situation<'a>,
    direction: Direction,
    pod: &KnownPod,
    own_address: bool,
    objects: Objects,
) -> (Vec<&'a Perimeter>, Vec<(&'a Perimeter, Missing)>) {
    let closes = |perimeter: &Perimeter| {
        let namespace_matches = match (&perimeter.meta.reference.namespace, &perimeter.namespace_selector) {
            (Some(namespace), _) => (*namespace == pod.namespace).into(),
            (None, Some(selector)) => situation.cluster.namespace_is(&pod.namespace, selector),
            (None, None) => Truth::No,
        };
        let has_direction = match direction {
            Direction::Ingress => perimeter.ingress,
            Direction::Egress => perimeter.egress,
        };
        let reaches_inside = !own_address || perimeter.loopback == Loopback::Closed;
        let rest =
            perimeter.selector.matches(&pod.labels) && has_direction && reaches_inside && objects.has(perimeter.mode);
        namespace_matches.and(rest.into())
    };
    let (mut certain, mut possible) = (Vec::new(), Vec::new());
    for perimeter in situation.cluster.inventory.perimeters.iter().map(Arc::as_ref) {
        match closes(perimeter) {
            Truth::Yes => certain.push(perimeter),
            Truth::Unknown(missing) => possible.push((perimeter, missing)),
            Truth::No => {}
        }
    }
    certain.sort_by_key(|perimeter| of_perimeter(perimeter));
    (certain, possible)
}

/// The NetworkPolicies that close this end, in the order of their references.
fn closing_network_policies(situation: &Situation<'_>, direction: Direction, pod: &KnownPod) -> Vec<RuleRef> {
    let policies = situation.cluster.inventory.network_policies.iter();
    let closing =
        policies.filter(|policy| network::selects(policy, pod) && network::rules(policy, direction).is_some());
    let mut references: Vec<_> = closing.map(|policy| whole(&policy.meta, list(direction), Mode::Enforce)).collect();
    references.sort();
    references
}

fn first_exception(
    situation: &Situation<'_>,
    direction: Direction,
    perimeters: &[&Perimeter],
) -> Option<(RuleRef, Entity)> {
    let is_let_through = |entity: &&Entity| match direction {
        Direction::Ingress => entity::is_sender(**entity, situation),
        Direction::Egress => entity::is_receiver(**entity, situation),
    };
    perimeters.iter().find_map(|perimeter| {
        let entity = perimeter.except.iter().find(is_let_through)?;
        Some((of_perimeter(perimeter), *entity))
    })
}

/// Whether the other end is the node that the pod runs on.
fn own_node(pod: &KnownPod, other: &Party<'_>) -> Truth {
    let Party::Node { name, host_pod, .. } = other else { return Truth::No };
    match (&pod.node, name, host_pod) {
        (None, _, _) => Truth::Unknown(Missing::NodeOf { pod: pod.full_name() }),
        (Some(own), Some(name), _) => (own == name).into(),
        (Some(_), None, Some(host_pod)) => Truth::Unknown(Missing::NodeOf { pod: host_pod.full_name() }),
        (Some(_), None, None) => Truth::No,
    }
}

fn of_perimeter(perimeter: &Perimeter) -> RuleRef {
    whole(&perimeter.meta, RuleList::Rules, perimeter.mode)
}

fn list(direction: Direction) -> RuleList {
    match direction {
        Direction::Ingress => RuleList::Ingress,
        Direction::Egress => RuleList::Egress,
    }
}

/// An object as a whole.
fn whole(meta: &Meta, list: RuleList, mode: Mode) -> RuleRef {
    RuleRef {
        object: meta.reference.clone(),
        rule: None,
        from_peer: None,
        to_peer: None,
        list,
        name: None,
        mode,
        place: meta.place.clone(),
    }
}
