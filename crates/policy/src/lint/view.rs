//! What the rules of lint look at: the policies with the pods that each part of them selects, found once.

use std::sync::Arc;

use palisade_model::IpNet;
use palisade_model::network_policy::{NetworkPolicy, NetworkPolicyRule, NetworkPolicyTarget};
use palisade_model::object::Name;
use palisade_model::tiered_policy::PodScope;
use palisade_model::verdict::Direction;
use palisade_model::{Selector, Timestamp};

use super::containment;
use super::pod_set::PodSet;
use crate::maps::HashMap;
use crate::matching::{self, Match};
use crate::model::{Model, PodFacts};

/// The model, the instant, and what follows from both.
pub(super) struct View<'m> {
    pub(super) model: &'m Model,
    pub(super) now: Timestamp,
    /// Every rule of every NetworkPolicy, by policy, ingress first.
    pub(super) network: Vec<NetworkRule<'m>>,
    /// The rules of each policy in `network`, by the policy's position.
    network_of: Vec<std::ops::Range<usize>>,
    /// The pods that each NetworkPolicy selects, by its position; those that have ended are among them.
    pub(super) subjects: Vec<PodSet>,
    /// Positions of the Services that each pod stands behind.
    pub(super) services: Vec<Vec<usize>>,
    /// One pod of each namespace that has some, in order.
    pub(super) namespaces: Vec<&'m PodFacts>,
}

/// A rule of a NetworkPolicy, its peers resolved.
pub(super) struct NetworkRule<'m> {
    /// The policy's position in the inventory.
    pub(super) position: usize,
    pub(super) policy: &'m NetworkPolicy,
    pub(super) direction: Direction,
    /// Its index in the direction's list.
    pub(super) index: usize,
    pub(super) rule: &'m NetworkPolicyRule,
    pub(super) peers: Vec<NetworkPeer<'m>>,
}

/// A peer of a NetworkPolicy.
pub(super) enum NetworkPeer<'m> {
    Pods { scope: PodScope, extent: Arc<Extent> },
    Block { cidr: &'m IpNet, except: &'m [IpNet] },
}

/// The pods that a peer means in this input.
#[derive(Default)]
pub(super) struct Extent {
    /// With those that it may mean.
    pub(super) pods: PodSet,
    /// It means some only if their namespace, which has no object, has the labels.
    pub(super) is_doubtful: bool,
}

impl<'m> View<'m> {
    pub(super) fn new(model: &'m Model, now: Timestamp) -> Self {
        let mut namespaces: Vec<&PodFacts> = model.pods().iter().collect();
        namespaces.dedup_by(|a, b| a.namespace == b.namespace);
        let services = model.pods().iter().map(|pod| model.services_before(pod)).collect();
        let mut view = Self {
            model,
            now,
            network: Vec::new(),
            network_of: Vec::new(),
            subjects: Vec::new(),
            services,
            namespaces,
        };
        let mut extents = HashMap::default();
        for (position, policy) in model.inventory.network_policies.iter().enumerate() {
            let selected = view.pods_of(policy.meta.namespace(), &policy.pod_selector);
            view.subjects.push(selected.map(|pod| pod.index).collect());
            let first = view.network.len();
            for direction in [Direction::Ingress, Direction::Egress] {
                for (index, rule) in model.network_policy_rules(position, direction).iter().enumerate() {
                    let peers = rule.peers.iter().map(|peer| view.network_peer(policy, &peer.target, &mut extents));
                    let peers = peers.collect();
                    view.network.push(NetworkRule { position, policy, direction, index, rule, peers });
                }
            }
            view.network_of.push(first..view.network.len());
        }
        view
    }

    /// The rules of the NetworkPolicy at `position`.
    pub(super) fn rules_of(&self, position: usize) -> &[NetworkRule<'m>] {
        &self.network[self.network_of[position].clone()]
    }

    /// The places in `network` of the rules of the NetworkPolicy at `position`.
    pub(super) fn places_of(&self, position: usize) -> std::ops::Range<usize> {
        self.network_of[position].clone()
    }

    /// The pods of a namespace that a selector can mean: none on their node's network.
    pub(super) fn pods_of<'s>(
        &self,
        namespace: &str,
        selector: &'s Selector,
    ) -> impl Iterator<Item = &'m PodFacts> + use<'s, 'm> {
        let model = self.model;
        let found = model.pod_lookup.with_labels(namespace, &selector.match_labels).iter();
        let found = found.map(move |index| model.pod(index));
        found.filter(move |pod| selector.matches(&pod.labels) && !model.spec(pod).host_network)
    }

    /// The pods that a scope means.
    pub(super) fn extent(&self, scope: &PodScope) -> Extent {
        let mut extent = Extent::default();
        for one in &self.namespaces {
            let in_namespace = matching::namespace_selector(&scope.namespace_selector, one);
            if let Match::No(_) = in_namespace {
                continue;
            }
            for pod in self.pods_of(&one.namespace, &scope.pod_selector) {
                extent.is_doubtful |= in_namespace != Match::Yes;
                extent.pods.insert(pod.index);
            }
        }
        extent
    }

    fn network_peer(
        &self,
        policy: &'m NetworkPolicy,
        target: &'m NetworkPolicyTarget,
        extents: &mut HashMap<(Selector, Selector), Arc<Extent>>,
    ) -> NetworkPeer<'m> {
        match target {
            NetworkPolicyTarget::Pods { pod_selector, namespace_selector } => {
                let own = policy.meta.reference.namespace.as_ref().filter(|_| namespace_selector.is_none());
                let scope = PodScope {
                    namespace_selector: containment::namespaces(own, namespace_selector.as_ref()),
                    pod_selector: pod_selector.clone().unwrap_or_default(),
                };
                let key = (scope.namespace_selector.clone(), scope.pod_selector.clone());
                let extent = extents.entry(key).or_insert_with(|| Arc::new(self.extent(&scope))).clone();
                NetworkPeer::Pods { scope, extent }
            }
            NetworkPolicyTarget::IpBlock { cidr, except } => NetworkPeer::Block { cidr, except },
        }
    }
}

impl NetworkRule<'_> {
    /// `ingress[0]`
    pub(super) fn part(&self) -> String {
        format!("{}[{}]", self.direction, self.index)
    }

    /// `ingress[0].from[1]`
    pub(super) fn peer_part(&self, peer: usize) -> String {
        let list = match self.direction {
            Direction::Ingress => "from",
            Direction::Egress => "to",
        };
        format!("{}.{list}[{peer}]", self.part())
    }

    /// `ingress[0].ports[1]`
    pub(super) fn port_part(&self, port: usize) -> String {
        format!("{}.ports[{port}]", self.part())
    }

    /// The policy's namespace.
    pub(super) fn namespace(&self) -> &Name {
        self.policy.meta.reference.namespace.as_ref().expect("a NetworkPolicy has a namespace")
    }

    /// The pods that would be reached by this rule: those it selects, or the peers.
    pub(super) fn receivers(&self, view: &View<'_>) -> PodSet {
        match self.direction {
            Direction::Ingress => view.subjects[self.position].clone(),
            Direction::Egress => {
                let peers = self.peers.iter().filter_map(|peer| match peer {
                    NetworkPeer::Pods { extent, .. } => Some(extent),
                    NetworkPeer::Block { .. } => None,
                });
                peers.flat_map(|extent| extent.pods.iter()).collect()
            }
        }
    }
}
