//! Two peers where one was meant.

use palisade_model::finding::{Finding, Rule, Severity};
use palisade_model::network_policy::NetworkPolicyTarget;
use palisade_model::{Place, Selector};

use super::view::{NetworkPeer, NetworkRule, View};
use crate::matching::{self, Match};

pub(super) fn rule() -> Rule {
    Rule::new(
        "and-or",
        Severity::High,
        "two peers look as if one was meant: OR instead of AND",
        "`- namespaceSelector: ...` followed by `- podSelector: ...` are two peers, of which one must match: all pods of those \
         namespaces, and pods of the policy's own. Without the second dash it is one peer: those pods in those namespaces. Told of \
         where the labels are those of pods in the other namespaces.\n\nTake the second dash away.",
    )
}

pub(super) fn find(view: &View<'_>, rule: &Rule) -> Vec<Finding> {
    let mut findings = Vec::new();
    for network in &view.network {
        let peers = network.rule.peers.iter().zip(&network.peers).enumerate();
        for ((_, (first, _)), (position, (second, _))) in peers.clone().zip(peers.skip(1)) {
            let pair = selectors(&first.target, &second.target);
            let Some((namespaces, pods)) = pair.or_else(|| selectors(&second.target, &first.target)) else { continue };
            if let Some(severity) = looks_meant(view, network, namespaces, pods) {
                let place = &first.place;
                findings.push(tell(rule, network, position, place, (namespaces, pods), severity));
            }
        }
    }
    findings
}

/// A peer of a namespaceSelector alone, and one of a podSelector alone.
fn selectors<'m>(a: &'m NetworkPolicyTarget, b: &'m NetworkPolicyTarget) -> Option<(&'m Selector, &'m Selector)> {
    match (a, b) {
        (
            NetworkPolicyTarget::Pods { pod_selector: None, namespace_selector: Some(namespaces) },
            NetworkPolicyTarget::Pods { pod_selector: Some(pods), namespace_selector: None },
        ) if !pods.is_empty() => Some((namespaces, pods)),
        _ => None,
    }
}

/// Pods with the labels are in the other namespaces. None in the policy's own: one peer was meant; some there too: perhaps.
fn looks_meant(view: &View<'_>, network: &NetworkRule<'_>, namespaces: &Selector, pods: &Selector) -> Option<Severity> {
    let own = network.namespace();
    let elsewhere = view.namespaces.iter().filter(|one| one.namespace != *own).any(|one| {
        matching::namespace_selector(namespaces, one) == Match::Yes
            && view.pods_of(&one.namespace, pods).next().is_some()
    });
    if !elsewhere {
        return None;
    }
    let here = network.peers.iter().any(|peer| match peer {
        NetworkPeer::Pods { scope, extent } => {
            scope.pod_selector == *pods && extent.pods.iter().any(|pod| view.model.pod(pod).namespace == *own)
        }
        NetworkPeer::Block { .. } => false,
    });
    Some(if here { Severity::Low } else { Severity::High })
}

fn tell(
    rule: &Rule,
    network: &NetworkRule<'_>,
    position: usize,
    place: &Place,
    (namespaces, pods): (&Selector, &Selector),
    severity: Severity,
) -> Finding {
    let mut finding = rule
        .finding(format!("two peers: all pods of namespaces `{namespaces}`, and pods `{pods}` of `{}`", network.namespace()))
        .of(&network.policy.meta.reference)
        .part(network.peer_part(position))
        .at(place)
        .reason("entries of the list are alternatives; selectors of one entry must both hold")
        .fix("if pods with these labels in those namespaces are meant, put both selectors into one entry: take the second dash away");
    finding.severity = severity;
    finding
}
