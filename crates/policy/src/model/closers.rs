//! Which policies select a pod: those that close it, and those of the tiers.

use std::sync::Arc;

use palisade_model::inventory::Inventory;
use palisade_model::object::Kind;
use palisade_model::tiered_policy::TieredPolicy;
use palisade_model::verdict::Direction;

use super::{PodFacts, in_scope, perimeter_selects};
use crate::matching::{Match, WhyNot};
use crate::pod_index::{PodLookup, Pods};
use crate::tiers::{Selecting, scope_selects};

/// A policy that closes a pod in a direction, by its position in the inventory.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Closer {
    NetworkPolicy(usize),
    Perimeter(usize),
}

impl Closer {
    /// In the order of references: ClusterPerimeters, NetworkPolicies, Perimeters.
    fn order(self, inventory: &Inventory) -> (u8, usize) {
        match self {
            Self::Perimeter(position) if inventory.perimeters[position].meta.reference.namespace.is_none() => {
                (0, position)
            }
            Self::NetworkPolicy(position) => (1, position),
            Self::Perimeter(position) => (2, position),
        }
    }

    /// The pods that it could close.
    pub(crate) fn candidates<'l>(self, inventory: &Inventory, lookup: &'l PodLookup) -> Pods<'l> {
        match self {
            Self::NetworkPolicy(position) => {
                let policy = &inventory.network_policies[position];
                lookup.with_labels(policy.meta.namespace(), &policy.pod_selector.match_labels)
            }
            Self::Perimeter(position) => {
                let perimeter = &inventory.perimeters[position];
                match &perimeter.meta.reference.namespace {
                    Some(namespace) => lookup.with_labels(namespace, &perimeter.selector.match_labels),
                    None => lookup.everybody(),
                }
            }
        }
    }
}

/// Notes for each pod what selects it. What is on its node's network is its node for every policy.
pub(super) fn close_all(inventory: &Inventory, pods: &mut [PodFacts], lookup: &PodLookup) {
    let network = (0..inventory.network_policies.len()).map(Closer::NetworkPolicy);
    let perimeters = (0..inventory.perimeters.len()).map(Closer::Perimeter);
    let mut closers: Vec<Closer> = network.chain(perimeters).collect();
    closers.sort_by_key(|closer| closer.order(inventory));
    for closer in closers {
        for index in closer.candidates(inventory, lookup).iter() {
            pods[index.at_usize()].close(inventory, closer);
        }
    }
    for pod in pods {
        pod.select_by_tiers(&inventory.tiered_policies);
    }
}

impl PodFacts {
    /// Notes all that selects the pod.
    pub(crate) fn close_by_all(&mut self, inventory: &Inventory) {
        let own = Some(&*self.namespace.clone());
        let perimeters = |scope| in_scope(&inventory.perimeters, scope, |perimeter| &perimeter.meta);
        let network = in_scope(&inventory.network_policies, (Kind::NetworkPolicy, own), |policy| &policy.meta);
        let cluster_wide = perimeters((Kind::ClusterPerimeter, None)).map(Closer::Perimeter);
        let of_namespace = perimeters((Kind::Perimeter, own)).map(Closer::Perimeter);
        (self.closers, self.maybe_closers) = Default::default();
        for closer in cluster_wide.chain(network.map(Closer::NetworkPolicy)).chain(of_namespace) {
            self.close(inventory, closer);
        }
        self.select_by_tiers(&inventory.tiered_policies);
    }

    /// Notes `closer` where it closes the pod, or may.
    pub(crate) fn close(&mut self, inventory: &Inventory, closer: Closer) {
        if self.spec().host_network {
            return;
        }
        let (directions, selects) = match closer {
            Closer::NetworkPolicy(position) => {
                let policy = &inventory.network_policies[position];
                let own = policy.meta.namespace() == &*self.namespace;
                let selects = own && policy.pod_selector.matches(&self.labels);
                let directions = [policy.ingress.is_some(), policy.egress.is_some()];
                (directions, Match::from_bool(selects, WhyNot::Labels))
            }
            Closer::Perimeter(position) => {
                let perimeter = &inventory.perimeters[position];
                ([perimeter.ingress, perimeter.egress], perimeter_selects(perimeter, self))
            }
        };
        for direction in [Direction::Ingress, Direction::Egress].map(|direction| direction as usize) {
            match (&selects, closer) {
                _ if !directions[direction] => {}
                (Match::Yes, closer) => {
                    let closers = &mut self.closers[direction];
                    let order = |closer: &Closer| closer.order(inventory);
                    let place = closers.partition_point(|before| order(before) < order(&closer));
                    closers.insert(place, closer);
                }
                (Match::Unknown(_), Closer::Perimeter(position)) => {
                    let maybe = &mut self.maybe_closers[direction];
                    let place = maybe.partition_point(|before| *before < position);
                    maybe.insert(place, position);
                }
                (Match::Unknown(_), Closer::NetworkPolicy(_)) | (Match::No(_), _) => {}
            }
        }
    }

    /// Forgets `closer`.
    pub(crate) fn open(&mut self, closer: Closer) {
        self.closers.iter_mut().for_each(|closers| closers.retain(|own| *own != closer));
        if let Closer::Perimeter(position) = closer {
            self.maybe_closers.iter_mut().for_each(|maybe| maybe.retain(|own| *own != position));
        }
    }

    /// Follows closers to where they stand now.
    pub(crate) fn renumber_closers(&mut self, renumber: impl Fn(&mut Closer)) {
        self.closers.iter_mut().flatten().for_each(&renumber);
        for position in self.maybe_closers.iter_mut().flatten() {
            let mut closer = Closer::Perimeter(*position);
            renumber(&mut closer);
            match closer {
                Closer::Perimeter(moved) | Closer::NetworkPolicy(moved) => *position = moved,
            }
        }
    }

    /// Notes the policies of the tiers that select the pod, or may, in the order in which they are asked.
    pub(crate) fn select_by_tiers(&mut self, policies: &[Arc<TieredPolicy>]) {
        self.tiers = Default::default();
        if self.spec().host_network {
            return;
        }
        for (position, policy) in policies.iter().enumerate() {
            let missing = match scope_selects(&policy.subject, self) {
                Match::Yes => None,
                Match::No(_) => continue,
                Match::Unknown(missing) => Some(missing),
            };
            self.tiers[policy.tier as usize].push(Selecting { position, missing });
        }
    }

    /// Notes anew what selects the pod by the labels of its namespace.
    pub(crate) fn close_by_namespace(&mut self, inventory: &Inventory) {
        let cluster_wide = in_scope(&inventory.perimeters, (Kind::ClusterPerimeter, None), |perimeter| &perimeter.meta);
        for closer in cluster_wide.map(Closer::Perimeter) {
            self.open(closer);
            self.close(inventory, closer);
        }
        self.select_by_tiers(&inventory.tiered_policies);
    }

    /// Whether the same policies select both, which are of one namespace.
    pub(crate) fn is_selected_as(&self, other: &Self) -> bool {
        (&self.labels, self.spec().host_network) == (&other.labels, other.spec().host_network)
    }

    /// Takes over what selects a pod that is selected as this one.
    pub(crate) fn take_closers(&mut self, other: &Self) {
        self.closers.clone_from(&other.closers);
        self.maybe_closers.clone_from(&other.maybe_closers);
        self.tiers.clone_from(&other.tiers);
    }
}
