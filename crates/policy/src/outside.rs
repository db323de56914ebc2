//! The world outside, cut where policies tell its addresses apart.

use std::collections::BTreeSet;
use std::net::IpAddr;

use palisade_model::IpNet;
use palisade_model::access_policy::PeerTarget;
use palisade_model::network_policy::NetworkPolicyTarget;
use palisade_model::verdict::Direction;

use crate::classes::prefixes::{policy_blocks, with_addresses};
use crate::model::{Closer, Model, PodFacts};
use crate::party::AddressKind;

/// Addresses outside that no policy and no load balancer tells apart.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Region {
    /// The block that sets them apart; `None` for all that no block names.
    pub(crate) block: Option<IpNet>,
    /// One of them.
    pub(crate) address: IpAddr,
}

impl Model {
    /// The regions of the world, those that no block names first, then by block; `ranges` are further blocks.
    pub(crate) fn regions(&self, ranges: impl IntoIterator<Item = IpNet>) -> Vec<Region> {
        let blocks: BTreeSet<IpNet> = policy_blocks(self).into_iter().chain(ranges).collect();
        let elsewhere = [true, false].into_iter().filter_map(|v4| self.world_address(v4));
        let mut regions: Vec<Region> = elsewhere.map(|address| Region { block: None, address }).collect();
        let named = with_addresses(self, blocks.iter().copied()).into_iter();
        let named = named.filter(|(block, address)| {
            let is_world = AddressKind::of(*address) == AddressKind::World && self.owner_of(*address).is_none();
            block.prefix_len() > 0 && blocks.contains(block) && is_world && !is_group(*address)
        });
        regions.extend(named.map(|(block, address)| Region { block: Some(block), address }));
        regions
    }

    /// Of `regions` one for each that `pod` tells apart, or the `ranges` of a load balancer before it, by the narrowest
    /// block that does.
    pub(crate) fn told_apart(&self, regions: &[Region], pod: Option<&PodFacts>, ranges: &[IpNet]) -> Vec<Region> {
        let mut blocks: BTreeSet<IpNet> = ranges.iter().map(IpNet::trunc).collect();
        if let Some(pod) = pod {
            blocks.extend(self.ingress_blocks(pod));
        }
        let mut seen = BTreeSet::new();
        let of = |region: &Region| {
            let around: Vec<IpNet> = blocks.iter().filter(|block| block.contains(&region.address)).copied().collect();
            let block = around.iter().max_by_key(|block| block.prefix_len()).copied();
            seen.insert((region.address.is_ipv4(), around)).then_some(Region { block, address: region.address })
        };
        regions.iter().filter_map(of).collect()
    }

    /// The blocks that rules about who comes in to `pod` name.
    fn ingress_blocks(&self, pod: &PodFacts) -> BTreeSet<IpNet> {
        let mut blocks = BTreeSet::new();
        let mut add = |cidr: &IpNet, except: &[IpNet]| {
            blocks.extend(std::iter::once(cidr).chain(except).map(IpNet::trunc).filter(|block| block.prefix_len() > 0));
        };
        for closer in pod.closers(Direction::Ingress) {
            let Closer::NetworkPolicy(position) = closer else { continue };
            for peer in self.network_policy_rules(*position, Direction::Ingress).iter().flat_map(|rule| &rule.peers) {
                if let NetworkPolicyTarget::IpBlock { cidr, except } = &peer.target {
                    add(cidr, except);
                }
            }
        }
        let rules = self.access_policies_of(&pod.namespace).flat_map(|policy| &policy.rules);
        for peer in rules.flat_map(|rule| &rule.from) {
            if let PeerTarget::Cidr { cidr, except } = &peer.target {
                add(cidr, except);
            }
        }
        blocks
    }

    /// Addresses of nodes, one for each set of policies' blocks that nodes lie in: what a pod may see in place of the
    /// sender's. Empty when no node's address is known.
    pub(crate) fn translated_sources(&self) -> Vec<IpAddr> {
        let blocks: BTreeSet<IpNet> = policy_blocks(self).into_iter().collect();
        let mut seen = BTreeSet::new();
        let addresses = self.nodes.iter().flat_map(|node| node.addresses.iter().copied());
        let lies_in =
            |address: IpAddr| blocks.iter().filter(|block| block.contains(&address)).copied().collect::<Vec<_>>();
        addresses.filter(|address| seen.insert((address.is_ipv4(), lies_in(*address)))).collect()
    }
}

/// Whether nobody sends from it: multicast, and what is reserved beyond.
pub(crate) fn is_group(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.octets()[0] >= 224,
        IpAddr::V6(v6) => v6.is_multicast(),
    }
}
