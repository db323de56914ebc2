//! Whose an address is.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use palisade_model::inventory::Inventory;
use palisade_model::service::Service;

use crate::maps::HashMap;
use crate::model::{AddressOwner, PodFacts, PodIndex};
use crate::nodes::NodeFacts;

/// Who says that an address is its own. Of several the last in this order has it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Claim {
    /// An interface of a node may hold what is a Service's (kube-proxy's IPVS mode), or stand on each node.
    Interface(Reverse<usize>),
    Service(usize),
    Pod(PodIndex),
    Node(usize),
}

impl Claim {
    fn owner(self) -> AddressOwner {
        match self {
            Self::Service(position) => AddressOwner::Service(position),
            Self::Pod(index) => AddressOwner::Pod(index),
            Self::Interface(Reverse(position)) | Self::Node(position) => AddressOwner::Node(position),
        }
    }
}

/// Every address that somebody claims.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub(crate) struct AddressIndex {
    sole: HashMap<IpAddr, Claim>,
    /// What more than one claim, in order.
    contested: BTreeMap<IpAddr, BTreeSet<Claim>>,
}

impl AddressIndex {
    pub(crate) fn new(inventory: &Inventory, pods: &[PodFacts], nodes: &[NodeFacts]) -> Self {
        let mut index = Self::default();
        for (position, service) in inventory.services.iter().enumerate() {
            addresses_of(service).for_each(|address| index.add(address, Claim::Service(position)));
        }
        for pod in pods {
            pod.addresses.iter().for_each(|address| index.add(*address, Claim::Pod(pod.index)));
        }
        for (position, node) in nodes.iter().enumerate() {
            index.add_node(position, node);
        }
        index
    }

    /// Who has `address`.
    pub(crate) fn owner_of(&self, address: IpAddr) -> Option<AddressOwner> {
        let contested = || self.contested.get(&address)?.last();
        self.sole.get(&address).or_else(contested).map(|claim| claim.owner())
    }

    /// The addresses that several claim, and who.
    pub(crate) fn contested(&self) -> impl Iterator<Item = (IpAddr, &BTreeSet<Claim>)> {
        self.contested.iter().map(|(address, claims)| (*address, claims))
    }

    pub(crate) fn add(&mut self, address: IpAddr, claim: Claim) {
        if let Some(claims) = self.contested.get_mut(&address) {
            claims.insert(claim);
        } else if let Some(first) = self.sole.get(&address).copied().filter(|first| *first != claim) {
            self.sole.remove(&address);
            self.contested.insert(address, BTreeSet::from([first, claim]));
        } else {
            self.sole.insert(address, claim);
        }
    }

    pub(crate) fn remove(&mut self, address: IpAddr, claim: Claim) {
        let Some(claims) = self.contested.get_mut(&address) else {
            // One that says an address twice has lost it already.
            if self.sole.get(&address) == Some(&claim) {
                self.sole.remove(&address);
            }
            return;
        };
        claims.remove(&claim);
        if let Some(last) = claims.first().copied().filter(|_| claims.len() == 1) {
            self.contested.remove(&address);
            self.sole.insert(address, last);
        }
    }

    pub(crate) fn add_node(&mut self, position: usize, node: &NodeFacts) {
        node.addresses.iter().for_each(|address| self.add(*address, Claim::Node(position)));
        let interfaces = node.interface_addresses.iter();
        interfaces.for_each(|address| self.add(*address, Claim::Interface(Reverse(position))));
    }

    pub(crate) fn remove_node(&mut self, position: usize, node: &NodeFacts) {
        node.addresses.iter().for_each(|address| self.remove(*address, Claim::Node(position)));
        let interfaces = node.interface_addresses.iter();
        interfaces.for_each(|address| self.remove(*address, Claim::Interface(Reverse(position))));
    }

    /// Follows who claims to where they stand now; their order stays.
    pub(crate) fn renumber(&mut self, renumber: impl Fn(Claim) -> Claim) {
        self.sole.values_mut().for_each(|claim| *claim = renumber(*claim));
        for claims in self.contested.values_mut() {
            *claims = claims.iter().map(|claim| renumber(*claim)).collect();
        }
    }
}

/// The addresses of a Service, as often as it says them.
pub(crate) fn addresses_of(service: &Service) -> impl Iterator<Item = IpAddr> {
    let addresses = service.cluster_ips.iter().chain(&service.external_ips).chain(&service.load_balancer_ips);
    addresses.map(IpAddr::to_canonical)
}
