//! Policies that are copies of others under another name.

use palisade_model::Selector;
use palisade_model::finding::{Finding, Rule, Severity};
use palisade_model::network_policy::{NetworkPolicy, NetworkPolicyRule};

use super::view::View;
use crate::maps::HashMap;

pub(super) fn rule() -> Rule {
    Rule::new(
        "duplicate-policy",
        Severity::Low,
        "a NetworkPolicy is a copy of another",
        "Two NetworkPolicies of a namespace select the same pods and have the same rules. They are added up, so one of them does \
         nothing; a change of one alone does nothing either, which is seldom what its author expects.\n\nRemove one.",
    )
}

pub(super) fn find(view: &View<'_>, rule: &Rule) -> Vec<Finding> {
    let policies = &view.model.inventory.network_policies;
    let mut copies: Vec<(usize, usize)> = originals(view).into_iter().collect();
    copies.sort_unstable();
    copies
        .into_iter()
        .map(|(copy, original)| {
            let (copy, original) = (&policies[copy].meta, &policies[original].meta);
            rule.finding(format!("selects the same pods and has the same rules as {}", original.reference))
                .of(&copy.reference)
                .at(&copy.place)
                .reason("policies are added up: a link that is taken out of one of the two stays open by the other")
                .fix("remove one of the two")
                .related(&original.place, original.reference.to_string())
        })
        .collect()
}

/// By the position of each copy, that of the first policy like it.
pub(super) fn originals(view: &View<'_>) -> HashMap<usize, usize> {
    let mut originals: HashMap<(&str, &Selector), Vec<usize>> = HashMap::default();
    let mut copies = HashMap::default();
    let policies = &view.model.inventory.network_policies;
    for (position, policy) in policies.iter().enumerate() {
        let alike = originals.entry((policy.meta.namespace(), &policy.pod_selector)).or_default();
        match alike.iter().find(|original| are_alike(&policies[**original], policy)) {
            Some(original) => {
                copies.insert(position, *original);
            }
            None => alike.push(position),
        }
    }
    copies
}

fn are_alike(a: &NetworkPolicy, b: &NetworkPolicy) -> bool {
    let lists = |a: &Option<Vec<NetworkPolicyRule>>, b: &Option<Vec<NetworkPolicyRule>>| match (a, b) {
        (None, None) => true,
        (Some(a), Some(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| rules_are_alike(a, b)),
        (Some(_), None) | (None, Some(_)) => false,
    };
    lists(&a.ingress, &b.ingress) && lists(&a.egress, &b.egress)
}

fn rules_are_alike(a: &NetworkPolicyRule, b: &NetworkPolicyRule) -> bool {
    let peers = a.peers.iter().map(|peer| &peer.target).eq(b.peers.iter().map(|peer| &peer.target));
    peers && a.ports == b.ports
}
