//! Pods on their node's network that a NetworkPolicy seems to close.

use palisade_model::finding::{Finding, Rule};

use super::view::View;
use crate::model::PodFacts;

/// The model finds the same for Perimeters and AccessPolicies.
pub(super) const RULE: &str = "selects-host-network";

pub(super) fn find(view: &View<'_>, rule: &Rule) -> Vec<Finding> {
    let model = view.model;
    let mut findings = Vec::new();
    for policy in &model.inventory.network_policies {
        let found = model.pod_lookup.with_labels(policy.meta.namespace(), &policy.pod_selector.match_labels);
        let pods = found.iter().map(|index| model.pod(index));
        let on_host: Vec<&PodFacts> = pods
            .filter(|pod| model.spec(pod).host_network && pod.decides() && policy.pod_selector.matches(&pod.labels))
            .collect();
        let Some(first) = on_host.first() else { continue };
        let more = if on_host.len() > 1 { format!(" and {} more", on_host.len() - 1) } else { String::new() };
        findings.push(
            rule.finding(format!(
                "podSelector matches `{}`{more}, on the node's network: it stays open",
                first.full_name()
            ))
            .of(&policy.meta.reference)
            .at(&policy.meta.place)
            .reason("a pod on its node's network is its node for every policy: no selector closes it, none lets it in")
            .fix("guard the node itself, or take `hostNetwork` away from the pod")
            .related(&first.place, first.full_name()),
        );
    }
    findings
}
