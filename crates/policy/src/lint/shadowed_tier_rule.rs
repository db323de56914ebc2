//! Rules of administrators' policies that are never asked, because an earlier one of the tier has answered.

use std::sync::Arc;

use palisade_model::finding::{Finding, Rule, Severity};
use palisade_model::tiered_policy::{TierAction, TieredPolicy, TieredPort, TieredRule, TieredTarget};
use palisade_model::verdict::Direction;

use super::containment;
use super::pod_set::PodSet;
use super::together::{named, together};
use super::view::{Extent, View};
use crate::tiers::rules_of;

pub(super) fn rule() -> Rule {
    Rule::new(
        "shadowed-tier-rule",
        Severity::Medium,
        "a rule of a tier is never asked",
        "The first rule of a tier that matches ends it. An earlier rule, of the same policy or of one with a lower priority, matches \
         all that this one could, or several do together, so this one never decides. A Deny behind an Accept leaves open what its author meant to close.\n\n\
         Put the narrower rule first, or remove it. Where the rules differ as written and only the pods of this input make the \
         earlier one cover the later, the finding says so and is rated `low`.",
    )
}

/// A rule with the pods that its policy and its peers mean.
struct TierRule<'m> {
    policy: &'m TieredPolicy,
    direction: Direction,
    index: usize,
    rule: &'m TieredRule,
    subject: Arc<Extent>,
    /// Of each peer that means pods.
    peers: Vec<Option<Extent>>,
}

impl TierRule<'_> {
    fn part(&self) -> String {
        match &self.rule.name {
            Some(name) => format!("{}[{}] \"{name}\"", self.direction, self.index),
            None => format!("{}[{}]", self.direction, self.index),
        }
    }
}

pub(super) fn find(view: &View<'_>, rule: &Rule) -> Vec<Finding> {
    let rules = in_order(view);
    let mut findings = Vec::new();
    for (position, later) in rules.iter().enumerate() {
        // What means nobody is told as that.
        if later.subject.pods.is_empty() || later.peers.iter().flatten().any(|extent| extent.pods.is_empty()) {
            continue;
        }
        let earlier = rules[..position].iter().filter(|earlier| earlier.direction == later.direction);
        let earlier: Vec<&TierRule<'_>> = earlier.filter(|earlier| earlier.policy.tier == later.policy.tier).collect();
        let found = earlier.iter().filter_map(|earlier| Some((shadows(earlier, later)?, vec![*earlier])));
        // The first that always does, or else several that always do, or else the first that does here, or several.
        let alone = found.min_by_key(|(proof, _)| *proof);
        let several = |proof| Some((proof, shadow_together(&earlier, later, proof)?));
        let found = match alone {
            Some((Proof::Always, _)) => alone,
            Some((Proof::Here, _)) | None => several(Proof::Always).or(alone).or_else(|| several(Proof::Here)),
        };
        if let Some((proof, earlier)) = found {
            findings.push(tell(rule, proof, &earlier, later));
        }
    }
    findings
}

/// The rules before `later` that match all that it could, each a part of it.
fn shadow_together<'r, 'm>(
    earlier: &[&'r TierRule<'m>],
    later: &TierRule<'m>,
    proof: Proof,
) -> Option<Vec<&'r TierRule<'m>>> {
    let others = earlier.iter().copied().filter(|earlier| is_subject(earlier, later).is_some_and(|is| is <= proof));
    let mean = |place: &usize, earlier: &TierRule<'m>| {
        peer_shadowed(earlier, (&later.rule.peers[*place].target, &later.peers[*place])).is_some_and(|is| is <= proof)
    };
    let have_ports = |those: &[&TierRule<'m>]| {
        let ports: Vec<TieredPort> =
            those.iter().flat_map(|earlier| earlier.rule.ports.iter().flatten().cloned()).collect();
        those.iter().any(|earlier| earlier.rule.ports.is_none())
            || containment::tiered_ports(later.rule.ports.as_deref(), Some(&ports))
    };
    let found = together(0..later.rule.peers.len(), &others.collect::<Vec<_>>(), mean, have_ports)?;
    (!found.is_empty()).then_some(found)
}

/// How far a containment goes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Proof {
    Always,
    Here,
}

fn tell(rule: &Rule, proof: Proof, earlier: &[&TierRule<'_>], later: &TierRule<'_>) -> Finding {
    let here = match proof {
        Proof::Always => "",
        Proof::Here => " for the pods of this input",
    };
    let by = |earlier: &&TierRule<'_>| {
        let same = earlier.policy.meta.reference == later.policy.meta.reference;
        if same { earlier.part() } else { format!("{} {}", earlier.policy.meta.reference, earlier.part()) }
    };
    let before = match earlier {
        [one] => format!("the {} of {} matches first", one.rule.action.as_str(), by(one)),
        several => format!("{} match first", named(&several.iter().map(by).collect::<Vec<_>>())),
    };
    let second = later.rule.action.as_str();
    let opens = later.rule.action == TierAction::Deny
        && earlier.iter().all(|earlier| earlier.rule.action == TierAction::Accept);
    let reason = match opens {
        true => "the first rule that matches ends the tier: what this Deny means to close stays accepted",
        false => "the first rule that matches ends the tier",
    };
    let mut finding = rule
        .finding(format!("this {second} is never asked{here}: {before}"))
        .of(&later.policy.meta.reference)
        .part(later.part())
        .at(&later.rule.place)
        .reason(reason)
        .fix("move the narrower rule before the other, or remove it");
    for earlier in earlier {
        let object = &earlier.policy.meta.reference;
        finding = finding.related(&earlier.rule.place, format!("{object} {}", earlier.part()));
    }
    finding.severity = match (proof, opens) {
        (Proof::Always, true) => Severity::High,
        (Proof::Always, false) => rule.severity,
        (Proof::Here, _) => Severity::Low,
    };
    finding
}

/// Every rule in the order in which its tier asks it; a rule that a newer API made fails closed in its own way and is left
/// out.
fn in_order<'m>(view: &View<'m>) -> Vec<TierRule<'m>> {
    let mut rules = Vec::new();
    for policy in &view.model.inventory.tiered_policies {
        let subject = Arc::new(view.extent(&policy.subject));
        for direction in [Direction::Ingress, Direction::Egress] {
            for (index, rule) in rules_of(policy, direction).iter().enumerate() {
                let peers = rule.peers.iter().map(|peer| match &peer.target {
                    TieredTarget::Pods(scope) => Some(view.extent(scope)),
                    TieredTarget::Nodes(_)
                    | TieredTarget::Networks(_)
                    | TieredTarget::DomainNames(_)
                    | TieredTarget::Unknown => None,
                });
                let peers = peers.collect();
                rules.push(TierRule { policy, direction, index, rule, subject: subject.clone(), peers });
            }
        }
    }
    rules
}

fn shadows(earlier: &TierRule<'_>, later: &TierRule<'_>) -> Option<Proof> {
    if !containment::tiered_ports(later.rule.ports.as_deref(), earlier.rule.ports.as_deref()) {
        return None;
    }
    let mut proof = is_subject(earlier, later)?;
    for (inner, in_inner) in later.rule.peers.iter().zip(&later.peers) {
        proof = proof.max(peer_shadowed(earlier, (&inner.target, in_inner))?);
    }
    Some(proof)
}

/// Whether all that the policy of `later` selects is selected by that of `earlier`.
fn is_subject(earlier: &TierRule<'_>, later: &TierRule<'_>) -> Option<Proof> {
    extents((&later.subject, &earlier.subject), || containment::scope(&later.policy.subject, &earlier.policy.subject))
}

/// Whether everyone whom a peer means is meant by a peer of `earlier`.
fn peer_shadowed(earlier: &TierRule<'_>, (inner, in_inner): (&TieredTarget, &Option<Extent>)) -> Option<Proof> {
    let outer = earlier.rule.peers.iter().zip(&earlier.peers);
    let found = outer.filter_map(|(outer, in_outer)| {
        let always = || containment::tiered_peer(inner, &outer.target);
        match (in_inner, in_outer) {
            (Some(inner), Some(outer)) => extents((inner, outer), always),
            (None, None) => always().then_some(Proof::Always),
            (Some(_), None) | (None, Some(_)) => None,
        }
    });
    found.min()
}

fn extents((inner, outer): (&Extent, &Extent), always: impl FnOnce() -> bool) -> Option<Proof> {
    let subset = |a: &PodSet, b: &PodSet| a.is_subset_of(b);
    if !subset(&inner.pods, &outer.pods) {
        return None;
    }
    if always() {
        return Some(Proof::Always);
    }
    (!inner.is_doubtful && !outer.is_doubtful).then_some(Proof::Here)
}
