//! The order of decision at one end.

use palisade_model::access_policy::{Action, Entity, Mode};
use palisade_model::inventory::Unreadable;
use palisade_model::object::{Kind, Meta};
use palisade_model::perimeter::{Loopback, Perimeter};
use palisade_model::port::Protocol;
use palisade_model::verdict::{Because, Direction, Missing, RuleList, RuleRef, Verdict};
use palisade_model::{Place, Timestamp};

use crate::cluster::{Cluster, KnownPod};
use crate::party::{self, Party};
use crate::truth::Truth;
use crate::{access, entity, network};

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

    // Step 2.
    let denies = access_rules(situation, pod, objects, Action::Deny);
    if let Some(rule) = first_yes(&denies) {
        return Verdict::Deny(Because::Rule { rule });
    }
    let unknown_deny = first_unknown(&denies);

    // Step 3.
    let mut allows = access_rules(situation, pod, objects, Action::Allow);
    if !own_address {
        allows.extend(network_rules(situation, direction, pod));
    }
    let (perimeters, possible) = closing_perimeters(situation, direction, pod, own_address, objects);
    let network_policies = if own_address { Vec::new() } else { closing_network_policies(situation, direction, pod) };
    let own_node = own_node(pod, other);

    let because = if let Some(rule) = first_yes(&allows) {
        Some(Because::Rule { rule })
    } else if let Some((perimeter, entity)) = first_exception(situation, direction, &perimeters) {
        Some(Because::Exception { perimeter, entity })
    } else if let (true, true, Some(closed_by), Truth::Yes) =
        (perimeters.is_empty(), possible.is_empty(), network_policies.first().cloned(), &own_node)
    {
        Some(Because::OwnNode { closed_by })
    } else {
        None
    };
    if let Some(because) = because {
        return match unknown_deny {
            Some(missing) => Verdict::Undecided(missing),
            None => Verdict::Allow(because),
        };
    }

    let mut unknown_allow = first_unknown(&allows);
    // A Perimeter that may close the end may let this party through.
    for (perimeter, missing) in &possible {
        if unknown_allow.is_none() && first_exception(situation, direction, &[*perimeter]).is_some() {
            unknown_allow = Some(missing.clone());
        }
    }
    // And it may take the own node's way away.
    match (perimeters.is_empty() && !network_policies.is_empty(), &own_node, possible.first(), &unknown_allow) {
        (true, Truth::Yes, Some((_, missing)), None) => unknown_allow = Some(missing.clone()),
        (true, Truth::Unknown(missing), _, None) => unknown_allow = Some(missing.clone()),
        _ => {}
    }
    let mut closed_by: Vec<RuleRef> = perimeters.iter().map(|perimeter| of_perimeter(perimeter)).collect();
    closed_by.extend(network_policies);
    match (closed_by.into_iter().min(), unknown_deny, unknown_allow) {
        (Some(_), unknown_deny, Some(unknown_allow)) => Verdict::Undecided(unknown_deny.unwrap_or(unknown_allow)),
        (Some(closed_by), _, None) => Verdict::Deny(Because::Closed { closed_by }),
        (None, Some(missing), _) => Verdict::Undecided(missing),
        (None, None, unknown_allow) if !possible.is_empty() => {
            Verdict::Undecided(unknown_allow.unwrap_or(possible[0].1.clone()))
        }
        (None, None, _) if own_address => Verdict::Allow(Because::OwnAddress),
        // Step 5.
        (None, None, _) => Verdict::Allow(Because::Open),
    }
}

/// The first document that cannot be read and may select this end.
fn unreadable(situation: &Situation<'_>, pod: &KnownPod, own_address: bool) -> Option<Place> {
    let may_select = |document: &&Unreadable| {
        let (is_everywhere, judges_inside) = match document.kind {
            None => (true, true),
            Some(kind) => (!kind.is_namespaced(), kind.is_policy() && kind != Kind::NetworkPolicy),
        };
        let is_here = document.namespace.as_ref().is_none_or(|namespace| *namespace == pod.namespace);
        (is_everywhere || is_here) && (!own_address || judges_inside)
    };
    situation.cluster.inventory.unreadable.iter().filter(may_select).min().map(|document| document.place.clone())
}

type Answer = (RuleRef, Truth);

fn first_yes(answers: &[Answer]) -> Option<RuleRef> {
    answers.iter().filter(|(_, truth)| *truth == Truth::Yes).map(|(rule, _)| rule).min().cloned()
}

fn first_unknown(answers: &[Answer]) -> Option<Missing> {
    let unknown = answers.iter().filter_map(|(rule, truth)| match truth {
        Truth::Unknown(missing) => Some((rule, missing)),
        Truth::Yes | Truth::No => None,
    });
    unknown.min_by_key(|(rule, _)| *rule).map(|(_, missing)| missing.clone())
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
    for perimeter in &situation.cluster.inventory.perimeters {
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
