//! The rules of AccessPolicies, and which of them are contained in others.

use palisade_model::access_policy::{AccessPolicy, AccessRule, Action, Entity, Peer, PeerTarget, PodPeer};
use palisade_model::object::Name;
use palisade_model::{Selector, Timestamp};

use super::containment;
use crate::findings;
use crate::matching::{self, Match, RuleScope};
use crate::model::{Model, PodFacts};

/// A rule and where it stands.
#[derive(Clone, Copy)]
pub(super) struct AccessRuleAt<'m> {
    pub(super) policy: &'m AccessPolicy,
    pub(super) index: usize,
    pub(super) rule: &'m AccessRule,
}

/// All of them, in the order of decision.
pub(super) fn rules(model: &Model) -> impl Iterator<Item = AccessRuleAt<'_>> {
    model.inventory.access_policies.iter().flat_map(|policy| {
        policy.rules.iter().enumerate().map(move |(index, rule)| AccessRuleAt { policy, index, rule })
    })
}

impl<'m> AccessRuleAt<'m> {
    /// `rules[0] "web-reads-orders"`
    pub(super) fn part(&self) -> String {
        match &self.rule.name {
            Some(name) => format!("rules[{}] \"{name}\"", self.index),
            None => format!("rules[{}]", self.index),
        }
    }

    pub(super) fn namespace(&self) -> Option<&'m Name> {
        self.policy.meta.reference.namespace.as_ref()
    }

    /// Whether it can cover anything: a Deny always, an Allow when it has not ended and its means are there.
    pub(super) fn grants(&self, now: Timestamp) -> bool {
        match self.rule.action {
            Action::Deny => true,
            Action::Allow => self.rule.http.is_empty() && self.rule.expires.is_none_or(|expires| now < expires),
        }
    }

    pub(super) fn lasts_as_long_as(&self, other: &Self) -> bool {
        self.rule.expires.is_none_or(|expires| other.rule.expires.is_some_and(|other| other <= expires))
    }

    /// Whether it acts on all the ends that `other` acts on.
    pub(super) fn acts_wherever(&self, other: &Self) -> bool {
        self.namespace().is_none() || self.namespace() == other.namespace()
    }

    /// Whether every link that it covers is covered by `outer`, whatever the cluster has; scope, mode and time left aside.
    pub(super) fn is_contained_in(&self, outer: &Self) -> bool {
        let side = |inner: &'m [Peer], others: &'m [Peer]| {
            let within = |peer: &Peer| others.iter().any(|other| self.peer_is_within(peer, outer, other));
            inner.iter().all(within)
        };
        containment::ports(&self.rule.ports, &outer.rule.ports)
            && side(&self.rule.from, &outer.rule.from)
            && side(&self.rule.to, &outer.rule.to)
    }

    /// Whether everyone whom `inner`, of this rule, means is meant by `outer` of `outer_rule`.
    pub(super) fn peer_is_within(&self, inner: &Peer, outer_rule: &Self, outer: &Peer) -> bool {
        match (&inner.target, &outer.target) {
            (PeerTarget::Pods(a), PeerTarget::Pods(b)) => self.pods_are_within(a, outer_rule, b),
            // A rule of the whole pod does not judge inside of it, one of a container does.
            (PeerTarget::Pods(a), PeerTarget::Entity(Entity::Cluster)) => {
                !a.names_container_or_program() && (a.service.is_none() || outer_rule.rule.ports.is_empty())
            }
            (PeerTarget::Cidr { cidr: a, except: except_a }, PeerTarget::Cidr { cidr: b, except: except_b }) => {
                containment::block((a, except_a), (b, except_b))
            }
            (PeerTarget::Entity(a), PeerTarget::Entity(b)) => {
                a == b
                    || matches!((a, b), (Entity::Gateway | Entity::Nodes | Entity::Kubelet, Entity::Cluster))
                    || (*a, *b) == (Entity::Kubelet, Entity::Nodes)
            }
            (PeerTarget::Pods(_) | PeerTarget::Cidr { .. } | PeerTarget::Entity(_), _) => false,
            // Names nobody yet.
            (PeerTarget::Fqdn(_), _) => false,
        }
    }

    fn pods_are_within(&self, a: &PodPeer, outer_rule: &Self, b: &PodPeer) -> bool {
        let service = |rule: &Self, peer: &PodPeer| {
            peer.service.as_ref().map(|name| (peer.namespace.clone().or(rule.namespace().cloned()), name.clone()))
        };
        let workload = match (&a.workload, &b.workload) {
            (_, None) => true,
            (Some(a), Some(b)) => a.name == b.name && (b.kind.is_none() || a.kind == b.kind),
            (None, Some(_)) => false,
        };
        let named = |a: &Option<Name>, b: &Option<Name>| b.is_none() || a == b;
        let everything = Selector::default();
        workload
            && named(&a.service_account, &b.service_account)
            && named(&a.container, &b.container)
            && named(&a.program, &b.program)
            // A rule of the whole pod does not judge inside of it, one of a container does.
            && a.names_container_or_program() == b.names_container_or_program()
            // The ports of a rule to a Service are the Service's.
            && (service(self, a) == service(outer_rule, b)
                || (b.service.is_none() && outer_rule.rule.ports.is_empty()))
            && containment::selector(
                a.selector.as_ref().unwrap_or(&everything),
                b.selector.as_ref().unwrap_or(&everything),
            )
            && containment::selector(&self.namespaces(a), &outer_rule.namespaces(b))
    }

    /// The namespaces that a peer means, as one selector.
    fn namespaces(&self, peer: &PodPeer) -> Selector {
        let is_own = peer.namespace.is_none() && peer.namespace_selector.is_none();
        let name = if is_own { self.namespace() } else { peer.namespace.as_ref() };
        containment::namespaces(name, peer.namespace_selector.as_ref())
    }
}

/// Whether a peer means the pods behind a Service.
pub(super) fn names_service(peer: &Peer) -> bool {
    match &peer.target {
        PeerTarget::Pods(pods) => pods.service.is_some(),
        PeerTarget::Cidr { .. } | PeerTarget::Entity(_) | PeerTarget::Fqdn(_) => false,
    }
}

/// The pods that a peer means, in order; none on their node's network.
pub(super) fn pods<'m>(
    model: &'m Model,
    policy: &'m AccessPolicy,
    peer: &'m Peer,
) -> impl Iterator<Item = &'m PodFacts> {
    let fields = match &peer.target {
        PeerTarget::Pods(fields) => Some(fields),
        PeerTarget::Cidr { .. } | PeerTarget::Entity(_) | PeerTarget::Fqdn(_) => None,
    };
    let candidates = fields.into_iter().flat_map(move |fields| findings::candidates(model, policy, fields));
    candidates.filter(move |pod| !model.spec(pod).host_network && findings::peer_selects(policy, peer, pod, model))
}

/// As [`pods`], whichever containers and Services a peer names: all that could be meant.
pub(super) fn pods_by_fields<'m>(
    model: &'m Model,
    at: AccessRuleAt<'m>,
    peer: &'m Peer,
) -> impl Iterator<Item = &'m PodFacts> + use<'m> {
    let fields = match &peer.target {
        PeerTarget::Pods(fields) => Some(fields),
        PeerTarget::Cidr { .. } | PeerTarget::Entity(_) | PeerTarget::Fqdn(_) => None,
    };
    let scope = RuleScope { namespace: at.namespace(), action: at.rule.action, ports: &at.rule.ports };
    let candidates = fields
        .into_iter()
        .flat_map(move |fields| findings::candidates(model, at.policy, fields).map(move |pod| (fields, pod)));
    candidates
        .filter(move |(fields, pod)| {
            let means = matching::pod_fields(model, scope, fields, pod);
            !matches!(means, Match::No(_)) && !model.spec(pod).host_network
        })
        .map(|(_, pod)| pod)
}

/// Whether one of `peers` means `pod`, some container or program of it.
pub(super) fn may_mean(model: &Model, policy: &AccessPolicy, peers: &[Peer], pod: &PodFacts) -> bool {
    peers.iter().any(|peer| findings::peer_selects(policy, peer, pod, model))
}
