//! Every selector of pods of every policy, with where it stands.

use palisade_model::access_policy::PeerTarget;
use palisade_model::finding::Finding;
use palisade_model::network_policy::NetworkPolicyTarget;
use palisade_model::object::{Name, ObjectRef};
use palisade_model::tiered_policy::{PodScope, TieredTarget};
use palisade_model::verdict::Direction;
use palisade_model::{Meta, Place, Selector};

use super::access;
use super::view::View;
use crate::tiers::rules_of;

/// A selector of pods.
pub(super) struct SelectorAt<'m> {
    pub(super) object: &'m ObjectRef,
    pub(super) part: Option<String>,
    pub(super) place: &'m Place,
    pub(super) pods: &'m Selector,
    pub(super) namespaces: Namespaces<'m>,
}

/// Of which namespaces a selector means pods.
pub(super) enum Namespaces<'m> {
    Named(&'m Name),
    Selected(&'m Selector),
}

impl<'m> SelectorAt<'m> {
    /// `finding` of this selector.
    pub(super) fn place(&self, finding: Finding) -> Finding {
        let finding = finding.of(self.object).at(self.place);
        match &self.part {
            Some(part) => finding.part(part.as_str()),
            None => finding,
        }
    }

    fn subject(meta: &'m Meta, pods: &'m Selector, namespaces: Option<&'m Selector>) -> Option<Self> {
        let namespaces = match (&meta.reference.namespace, namespaces) {
            (Some(own), _) => Namespaces::Named(own),
            (None, Some(selector)) => Namespaces::Selected(selector),
            (None, None) => return None,
        };
        Some(Self { object: &meta.reference, part: None, place: &meta.place, pods, namespaces })
    }

    fn scope(meta: &'m Meta, part: Option<String>, place: &'m Place, scope: &'m PodScope) -> Self {
        let namespaces = Namespaces::Selected(&scope.namespace_selector);
        Self { object: &meta.reference, part, place, pods: &scope.pod_selector, namespaces }
    }
}

/// All of them, in the order of the policies.
pub(super) fn all<'m>(view: &View<'m>) -> Vec<SelectorAt<'m>> {
    let inventory = &view.model.inventory;
    let mut found = Vec::new();
    for policy in &inventory.network_policies {
        found.extend(SelectorAt::subject(&policy.meta, &policy.pod_selector, None));
    }
    for network in &view.network {
        for (position, peer) in network.rule.peers.iter().enumerate() {
            let NetworkPolicyTarget::Pods { pod_selector: Some(pods), namespace_selector } = &peer.target else {
                continue;
            };
            let own = network.policy.meta.reference.namespace.as_ref();
            let namespaces = match (namespace_selector, own) {
                (Some(selector), _) => Namespaces::Selected(selector),
                (None, Some(own)) => Namespaces::Named(own),
                (None, None) => continue,
            };
            let part = Some(network.peer_part(position));
            let object = &network.policy.meta.reference;
            found.push(SelectorAt { object, part, place: &peer.place, pods, namespaces });
        }
    }
    for perimeter in &inventory.perimeters {
        found.extend(SelectorAt::subject(&perimeter.meta, &perimeter.selector, perimeter.namespace_selector.as_ref()));
    }
    for at in access::rules(view.model) {
        for (list, peers) in [("from", &at.rule.from), ("to", &at.rule.to)] {
            for (position, peer) in peers.iter().enumerate() {
                let PeerTarget::Pods(fields) = &peer.target else { continue };
                let Some(pods) = &fields.selector else { continue };
                let namespaces = match (fields.namespace.as_ref(), &fields.namespace_selector, at.namespace()) {
                    (Some(name), _, _) => Namespaces::Named(name),
                    (None, Some(selector), _) => Namespaces::Selected(selector),
                    (None, None, Some(own)) => Namespaces::Named(own),
                    (None, None, None) => continue,
                };
                let part = Some(format!("{}.{list}[{position}]", at.part()));
                found.push(SelectorAt {
                    object: &at.policy.meta.reference,
                    part,
                    place: &peer.place,
                    pods,
                    namespaces,
                });
            }
        }
    }
    for policy in &inventory.tiered_policies {
        found.push(SelectorAt::scope(&policy.meta, None, &policy.meta.place, &policy.subject));
        for (direction, list) in [(Direction::Ingress, "from"), (Direction::Egress, "to")] {
            for (index, rule) in rules_of(policy, direction).iter().enumerate() {
                for (position, peer) in rule.peers.iter().enumerate() {
                    let TieredTarget::Pods(scope) = &peer.target else { continue };
                    let part = Some(format!("{direction}[{index}].{list}[{position}]"));
                    found.push(SelectorAt::scope(&policy.meta, part, &peer.place, scope));
                }
            }
        }
    }
    found
}
