//! Which findings a change can have touched.
//!
//! A change of a pod takes something from a policy that meant it and no longer does, and nothing else but from those of
//! which something was found already: they may be met now, and what they may have meant is said by the other pods.

use std::collections::BTreeSet;

use palisade_model::Selector;
use palisade_model::access_policy::{AccessPolicy, PeerTarget, PodPeer};
use palisade_model::network_policy::{NetworkPolicy, NetworkPolicyTarget};
use palisade_model::object::{Name, ObjectRef};
use palisade_model::tiered_policy::{PodScope, TieredPolicy, TieredTarget};
use palisade_model::verdict::Direction;

use super::{Policy, is_met, is_met_in, matches_any, peer_selects, policy_of};
use crate::matching::{self, Match};
use crate::model::{Closer, Model, PodFacts, perimeter_selects};
use crate::rule_index::PeerAt;
use crate::tiers::scope_selects;

/// What is to be found anew.
#[derive(Default, Debug)]
pub(crate) struct Touched {
    /// Policies that changed, or may have lost what they meant.
    pub(crate) objects: BTreeSet<ObjectRef>,
    /// Namespaces with other pods, or pods that are different.
    namespaces: BTreeSet<Name>,
    pub(crate) everything: bool,
    /// Whether an object that can be in Audit changed.
    pub(crate) audit: bool,
}

impl Touched {
    /// Whether the policy of `reference`, of which something was found, may be about pods that changed.
    pub(super) fn looks_at(&self, model: &Model, reference: &ObjectRef) -> bool {
        if self.namespaces.is_empty() {
            return false;
        }
        let own = reference.namespace.as_ref();
        own.is_none_or(|own| self.namespaces.contains(own))
            || policy_of(&model.inventory, reference).is_some_and(|policy| looks_elsewhere(&policy))
    }

    /// A pod was in the place of another; `model` is as it is after that.
    pub(crate) fn pod(&mut self, model: &Model, sides: [Option<&PodFacts>; 2]) {
        let [before, after] = sides;
        let Some(namespace) = after.or(before).map(|pod| &pod.namespace) else { return };
        let count = model.pod_lookup.of_namespace(namespace).len();
        if before.is_some() != after.is_some() && count == usize::from(after.is_some()) {
            // What names the DNS is silent where there is no pod.
            self.everything |= *namespace == model.settings.dns_service.0;
        }
        self.namespaces.insert(namespace.clone());
        // Of pods on their node's network each is told.
        let is_on_host = sides.into_iter().flatten().any(|pod| pod.spec().host_network);
        let named_by = if is_on_host { &sides[..] } else { &sides[..1] };
        for pod in named_by.iter().copied().flatten() {
            self.lost_by_network(model, pod, after);
            self.lost_by_access(model, pod, (before, after));
        }
        for perimeter in &model.inventory.perimeters {
            let selects = |pod: &PodFacts| pod.decides() && !matches!(perimeter_selects(perimeter, pod), Match::No(_));
            if (before.is_some_and(selects) && !after.is_some_and(selects)) || is_on_host {
                self.objects.insert(perimeter.meta.reference.clone());
            }
        }
        for policy in &model.inventory.tiered_policies {
            let means = |scope: &PodScope, pod: Option<&PodFacts>| {
                pod.is_some_and(|pod| !pod.spec().host_network && !matches!(scope_selects(scope, pod), Match::No(_)))
            };
            if scopes(policy).any(|scope| means(scope, before) && !means(scope, after)) {
                self.objects.insert(policy.meta.reference.clone());
            }
        }
    }

    fn lost_by_network(&mut self, model: &Model, pod: &PodFacts, after: Option<&PodFacts>) {
        for direction in [Direction::Ingress, Direction::Egress] {
            let still = after.map(|after| after.closers(direction)).unwrap_or_default();
            for closer in pod.closers(direction).iter().filter(|closer| !still.contains(closer)) {
                if let Closer::NetworkPolicy(position) = closer {
                    self.objects.insert(model.network_policy(*position).meta.reference.clone());
                }
            }
            let rules = model.rules.network(direction);
            let mut lists = Vec::new();
            rules.peers.naming_pod(pod, &mut lists);
            for at in lists.into_iter().flatten() {
                let (position, index) = rules.rules.at(at.rule);
                let policy = model.network_policy(position);
                let target = &model.network_policy_rules(position, direction)[index].peers[at.peer as usize].target;
                let means = |pod| means(policy.meta.namespace(), target, pod);
                if means(pod) && !after.is_some_and(means) && !is_met_by_any(model, policy, target) {
                    self.objects.insert(policy.meta.reference.clone());
                }
            }
        }
    }

    fn lost_by_access(
        &mut self,
        model: &Model,
        pod: &PodFacts,
        (before, after): (Option<&PodFacts>, Option<&PodFacts>),
    ) {
        let is_on_host = [before, after].into_iter().flatten().any(|pod| pod.spec().host_network);
        let mut lists = Vec::new();
        model.rules.from.naming_pod(pod, &mut lists);
        let of_from = lists.len();
        model.rules.to.naming_pod(pod, &mut lists);
        for (list, peers) in lists.into_iter().enumerate() {
            for PeerAt { rule, peer, .. } in peers {
                let (policy, _, rule) = model.access_rule(*rule);
                let peer = &if list < of_from { &rule.from } else { &rule.to }[*peer as usize];
                let means = |pod: &PodFacts| peer_selects(policy, peer, pod, model);
                let is_lost = || means(pod) && !after.is_some_and(means) && !matches_any(model, policy, peer);
                if is_on_host || is_lost() {
                    self.objects.insert(policy.meta.reference.clone());
                }
            }
        }
    }

    /// The labels of a namespace are others; the pods of it before and after.
    pub(crate) fn namespace(&mut self, model: &Model, sides: [&PodFacts; 2]) {
        let [before, after] = sides;
        self.namespaces.insert(after.namespace.clone());
        for direction in [Direction::Ingress, Direction::Egress] {
            let rules = model.rules.network(direction);
            for at in rules.peers.of_namespaces_like(before) {
                let (position, index) = rules.rules.at(at.rule);
                let peer = &model.network_policy_rules(position, direction)[index].peers[at.peer as usize];
                if let NetworkPolicyTarget::Pods { namespace_selector: Some(selector), .. } = &peer.target
                    && loses(selector, sides)
                {
                    self.objects.insert(model.network_policy(position).meta.reference.clone());
                }
            }
        }
        let from = model.rules.from.of_namespaces_like(before).map(|at| (at, &model.access_rule(at.rule).2.from));
        let to = model.rules.to.of_namespaces_like(before).map(|at| (at, &model.access_rule(at.rule).2.to));
        for (at, list) in from.chain(to) {
            if let PeerTarget::Pods(PodPeer { namespace_selector: Some(selector), .. }) = &list[at.peer as usize].target
                && loses(selector, sides)
            {
                self.objects.insert(model.access_rule(at.rule).0.meta.reference.clone());
            }
        }
        let perimeters = model.inventory.perimeters.iter().map(|perimeter| &perimeter.meta.reference);
        let tiers = model.inventory.tiered_policies.iter().map(|policy| &policy.meta.reference);
        self.objects.extend(perimeters.filter(|reference| reference.namespace.is_none()).chain(tiers).cloned());
    }

    /// A Service is another one, or stands before others.
    pub(crate) fn service(&mut self, model: &Model, namespace: &Name, service: &Name) {
        for policy in &model.inventory.access_policies {
            if names_service(policy, namespace, service) {
                self.objects.insert(policy.meta.reference.clone());
            }
        }
    }
}

/// Whether a pod that is not on its node's network is meant by the peer of a NetworkPolicy of `namespace`.
fn means(namespace: &str, target: &NetworkPolicyTarget, pod: &PodFacts) -> bool {
    let NetworkPolicyTarget::Pods { pod_selector, namespace_selector } = target else { return false };
    let in_namespace = match namespace_selector {
        None => *pod.namespace == *namespace,
        Some(selector) => !matches!(matching::namespace_selector(selector, pod), Match::No(_)),
    };
    in_namespace
        && !pod.spec().host_network
        && pod_selector.as_ref().is_none_or(|selector| selector.matches(&pod.labels))
}

/// Whether some pod is meant by it.
fn is_met_by_any(model: &Model, policy: &NetworkPolicy, target: &NetworkPolicyTarget) -> bool {
    let NetworkPolicyTarget::Pods { pod_selector, namespace_selector } = target else { return false };
    let everything = Selector::default();
    let selector = pod_selector.as_ref().unwrap_or(&everything);
    match namespace_selector {
        None => is_met_in(model, policy.meta.namespace(), selector),
        Some(namespaces) => is_met(model, namespaces, selector),
    }
}

/// Whether the namespace of the pods was met with the labels before, and is not with those after.
fn loses(selector: &Selector, sides: [&PodFacts; 2]) -> bool {
    let [was, is] = sides.map(|pod| !matches!(matching::namespace_selector(selector, pod), Match::No(_)));
    was && !is
}

fn scopes(policy: &TieredPolicy) -> impl Iterator<Item = &PodScope> {
    let peers = policy.ingress.iter().chain(&policy.egress).flat_map(|rule| &rule.peers);
    let of_peers = peers.filter_map(|peer| match &peer.target {
        TieredTarget::Pods(scope) => Some(scope),
        TieredTarget::Nodes(_) | TieredTarget::Networks(_) | TieredTarget::DomainNames(_) | TieredTarget::Unknown => {
            None
        }
    });
    std::iter::once(&policy.subject).chain(of_peers)
}

/// Whether a policy means pods of other namespaces than its own.
fn looks_elsewhere(policy: &Policy<'_>) -> bool {
    match policy {
        Policy::Network(policy) => {
            let rules = policy.ingress.iter().chain(&policy.egress).flatten();
            rules.flat_map(|rule| &rule.peers).any(|peer| match &peer.target {
                NetworkPolicyTarget::Pods { namespace_selector, .. } => namespace_selector.is_some(),
                NetworkPolicyTarget::IpBlock { .. } => false,
            })
        }
        Policy::Access(policy) => {
            policy.rules.iter().flat_map(|rule| rule.from.iter().chain(&rule.to)).any(|peer| match &peer.target {
                PeerTarget::Pods(fields) => fields.namespace.is_some() || fields.namespace_selector.is_some(),
                PeerTarget::Cidr { .. } | PeerTarget::Entity(_) | PeerTarget::Fqdn(_) => false,
            })
        }
        Policy::Perimeter(perimeter) => perimeter.meta.reference.namespace.is_none(),
        Policy::Tiered(_) => true,
    }
}

/// Whether a peer of the policy is behind the Service.
fn names_service(policy: &AccessPolicy, namespace: &Name, service: &Name) -> bool {
    let own = policy.meta.reference.namespace.as_ref();
    policy.rules.iter().flat_map(|rule| rule.from.iter().chain(&rule.to)).any(|peer| match &peer.target {
        PeerTarget::Pods(fields) if fields.service.as_ref() == Some(service) => {
            // Without a namespace it is that of each pod.
            fields.namespace.as_ref().or(own).is_none_or(|name| name == namespace)
        }
        PeerTarget::Pods(_) | PeerTarget::Cidr { .. } | PeerTarget::Entity(_) | PeerTarget::Fqdn(_) => false,
    })
}
