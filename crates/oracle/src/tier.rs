//! Policies of administrators: what a tier as a whole says of the link at one end.

use std::sync::Arc;

use palisade_model::IpNet;
use palisade_model::access_policy::Mode;
use palisade_model::tiered_policy::{
    PodScope, Tier, TierAction, TieredPeer, TieredPolicy, TieredPort, TieredRule, TieredTarget,
};
use palisade_model::verdict::{Because, Direction, Missing, RuleList, RuleRef, Verdict};

use crate::cluster::KnownPod;
use crate::decide::Situation;
use crate::network;
use crate::party::Party;
use crate::possible::{self, Outcome};
use crate::truth::Truth;

/// What the tier makes of the end, when what comes behind the tier would say `behind`.
///
/// Rules are asked in order, and the first that matches ends the tier. One that may match leaves two
/// ways, with it and without it; whether they end alike is what decides.
pub fn end(
    situation: &Situation<'_>,
    direction: Direction,
    pod: &KnownPod,
    tier: Tier,
    behind: impl FnOnce() -> Verdict,
) -> Verdict {
    let mut maybe = Vec::new();
    let mut certain = None;
    for (policy, index, rule) in in_order(situation, tier, direction) {
        let selected = is_of(situation, pod, &policy.subject);
        let Match { truth, action, peer } = matches(situation, direction, rule);
        let reference = reference(policy, direction, (index, rule), peer);
        match selected.and(truth) {
            Truth::Yes => {
                certain = Some((action, reference));
                break;
            }
            Truth::Unknown(missing) => maybe.push((action, reference, missing)),
            Truth::No => {}
        }
    }
    let behind = behind();
    let answer = |action: TierAction, rule: RuleRef| match action {
        TierAction::Accept => Verdict::Allow(Because::Rule { rule }),
        TierAction::Deny => Verdict::Deny(Because::Rule { rule }),
        TierAction::Pass => behind.clone(),
    };
    let without = certain.map_or(behind.clone(), |(action, rule)| answer(action, rule));
    let with = maybe.into_iter().map(|(action, rule, missing)| (Outcome::from(&answer(action, rule)), missing));
    possible::agreed(without, with)
}

/// Every rule of the tier in the order in which they are asked: by priority, kind and name of their
/// policy, and then as they stand in it.
fn in_order<'a>(
    situation: &Situation<'a>,
    tier: Tier,
    direction: Direction,
) -> Vec<(&'a TieredPolicy, usize, &'a TieredRule)> {
    let policies = &situation.cluster.inventory.tiered_policies;
    let mut policies: Vec<&TieredPolicy> =
        policies.iter().map(Arc::as_ref).filter(|policy| policy.tier == tier).collect();
    policies.sort_by_key(|policy| (policy.priority, policy.meta.reference.kind, policy.meta.reference.name.clone()));
    let rules = |policy: &'a TieredPolicy| match direction {
        Direction::Ingress => policy.ingress.iter(),
        Direction::Egress => policy.egress.iter(),
    };
    policies
        .into_iter()
        .flat_map(|policy| rules(policy).enumerate().map(move |(index, rule)| (policy, index, rule)))
        .collect()
}

/// How far a rule matches, what follows when it does, and the peer by which.
struct Match {
    truth: Truth,
    action: TierAction,
    peer: usize,
}

fn matches(situation: &Situation<'_>, direction: Direction, rule: &TieredRule) -> Match {
    let is_unknown = |peer: &TieredPeer| peer.target == TieredTarget::Unknown;
    if let Some(peer) = rule.peers.iter().position(is_unknown) {
        // Fails closed, whatever else stands in the rule.
        return match rule.action {
            TierAction::Accept => Match { truth: Truth::No, action: TierAction::Accept, peer },
            TierAction::Deny | TierAction::Pass => Match { truth: Truth::Yes, action: TierAction::Deny, peer },
        };
    }
    let mut found = (Truth::No, 0);
    if covers_port(situation, rule.ports.as_deref()) {
        for (index, peer) in rule.peers.iter().enumerate() {
            match is_peer(situation, direction, &peer.target) {
                Truth::Yes => {
                    found = (Truth::Yes, index);
                    break;
                }
                unknown @ Truth::Unknown(_) if found.0.is_no() => found = (unknown, index),
                Truth::Unknown(_) | Truth::No => {}
            }
        }
    }
    Match { truth: found.0, action: rule.action, peer: found.1 }
}

fn covers_port(situation: &Situation<'_>, ports: Option<&[TieredPort]>) -> bool {
    let Some(ports) = ports else { return true };
    ports.iter().any(|port| match port {
        TieredPort::Numbers(protocol, range) => {
            *protocol == situation.protocol && range.is_none_or(|range| range.contains(situation.port))
        }
        // The receiving pod says which number the name is, and for which protocol.
        TieredPort::Name(name) => situation.receiver.deciding_pod().is_some_and(|pod| {
            pod.spec.containers.iter().flat_map(|container| &container.ports).any(|declared| {
                declared.name.as_deref() == Some(&**name)
                    && declared.number == situation.port
                    && declared.protocol == situation.protocol
            })
        }),
    })
}

fn is_peer(situation: &Situation<'_>, direction: Direction, target: &TieredTarget) -> Truth {
    let (own, other) = situation.ends(direction);
    match target {
        TieredTarget::Pods(scope) => match other.deciding_pod() {
            Some(pod) => is_of(situation, pod, scope),
            None => Truth::No,
        },
        TieredTarget::Nodes(selector) => {
            let Party::Node { name, host_pod, .. } = other else { return Truth::No };
            if selector.match_labels.0.is_empty() && selector.match_expressions.is_empty() {
                return Truth::Yes;
            }
            let Some(name) = name else {
                let pod = host_pod.map(KnownPod::full_name).unwrap_or_default();
                return Truth::Unknown(Missing::NodeOf { pod });
            };
            let nodes = &situation.cluster.inventory.nodes;
            match nodes.iter().find(|node| node.meta.reference.name == *name) {
                Some(node) => selector.matches(&node.meta.labels).into(),
                None => Truth::Unknown(Missing::NodeLabels { node: name.clone() }),
            }
        }
        TieredTarget::Networks(blocks) => {
            let mut answer = Truth::No;
            for block in blocks {
                match is_in_network(situation, (own, other), block) {
                    Truth::Yes => return Truth::Yes,
                    unknown @ Truth::Unknown(_) if answer.is_no() => answer = unknown,
                    Truth::Unknown(_) | Truth::No => {}
                }
            }
            answer
        }
        TieredTarget::DomainNames(_) | TieredTarget::Unknown => Truth::No,
    }
}

/// Pods with an address of their own, by the labels of their namespace and their own.
fn is_of(situation: &Situation<'_>, pod: &KnownPod, scope: &PodScope) -> Truth {
    situation
        .cluster
        .namespace_is(&pod.namespace, &scope.namespace_selector)
        .and(scope.pod_selector.matches(&pod.labels).into())
}

/// By address, whoever it is; the profile that takes pods out of `ipBlock` is not asked.
fn is_in_network(situation: &Situation<'_>, (own, other): (&Party<'_>, &Party<'_>), block: &IpNet) -> Truth {
    network::is_at_address(situation, (own, other), block, &[])
}

fn reference(policy: &TieredPolicy, direction: Direction, (index, rule): (usize, &TieredRule), peer: usize) -> RuleRef {
    let (list, from_peer, to_peer) = match direction {
        Direction::Ingress => (RuleList::Ingress, Some(peer as u32), None),
        Direction::Egress => (RuleList::Egress, None, Some(peer as u32)),
    };
    RuleRef {
        object: policy.meta.reference.clone(),
        rule: Some(index as u32),
        from_peer,
        to_peer,
        list,
        name: rule.name.clone(),
        mode: Mode::Enforce,
        place: rule.place.clone(),
    }
}
