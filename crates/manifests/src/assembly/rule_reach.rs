//! Rules of a namespaced AccessPolicy neither side of which can lie in its namespace: they act on nothing.

use palisade_model::access_policy::{AccessPolicy, Entity, Peer, PeerTarget, PodPeer};
use palisade_model::{Inventory, Kind, Labels, Problem};

pub(super) fn report(inventory: &Inventory, problems: &mut Vec<Problem>) {
    for policy in &inventory.access_policies {
        if policy.meta.reference.kind == Kind::AccessPolicy {
            report_policy(inventory, policy, problems);
        }
    }
}

fn report_policy(inventory: &Inventory, policy: &AccessPolicy, problems: &mut Vec<Problem>) {
    let namespace = policy.meta.namespace();
    let labels = namespace_labels(inventory, namespace);
    for (index, rule) in policy.rules.iter().enumerate() {
        if rule.from.iter().chain(&rule.to).any(|peer| may_lie_in(peer, namespace, labels.as_ref())) {
            continue;
        }
        let message =
            format!("`spec.rules[{index}]`: neither side can lie in namespace `{namespace}`, so the rule does nothing");
        let problem = Problem::warning("outside-namespace", message)
            .at(&rule.place)
            .of(policy.meta.reference.clone())
            .hint("put the policy into the namespace of one side, or make it a ClusterAccessPolicy");
        problems.push(problem);
    }
}

/// The namespace's labels, when its object is given: without it a selector may match.
fn namespace_labels(inventory: &Inventory, name: &str) -> Option<Labels> {
    inventory
        .namespaces
        .iter()
        .find(|namespace| namespace.meta.name() == name)
        .map(|namespace| namespace.meta.labels.clone())
}

fn may_lie_in(peer: &Peer, namespace: &str, labels: Option<&Labels>) -> bool {
    match &peer.target {
        PeerTarget::Pods(pods) => pods_may_lie_in(pods, namespace, labels),
        PeerTarget::Entity(Entity::Cluster | Entity::Apiserver | Entity::Dns | Entity::Gateway) => true,
        PeerTarget::Entity(Entity::World | Entity::Nodes | Entity::Kubelet | Entity::Metadata) => false,
        PeerTarget::Cidr { .. } | PeerTarget::Fqdn(_) => false,
    }
}

fn pods_may_lie_in(pods: &PodPeer, namespace: &str, labels: Option<&Labels>) -> bool {
    let is_named = pods.namespace.as_deref().is_none_or(|name| name == namespace);
    let is_selected = match (&pods.namespace_selector, labels) {
        (Some(selector), Some(labels)) => selector.matches(labels),
        (Some(_), None) | (None, _) => true,
    };
    is_named && is_selected
}
