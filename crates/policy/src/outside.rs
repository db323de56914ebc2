//! The world outside, cut where policies tell its addresses apart.

use std::collections::BTreeSet;
use std::net::IpAddr;

use palisade_model::IpNet;

use crate::classes::prefixes::{policy_blocks, with_addresses};
use crate::model::Model;
use crate::party::AddressKind;

/// Most regions that are asked about: each door is judged for each of them, and nobody reads more of them.
const MOST_REGIONS: usize = 64;

/// Addresses outside that no policy and no load balancer tells apart.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Region {
    /// The block that sets them apart; `None` for all that no block names.
    pub(crate) block: Option<IpNet>,
    /// One of them.
    pub(crate) address: IpAddr,
}

/// The regions, and how many were left out.
pub(crate) struct Regions {
    pub(crate) regions: Vec<Region>,
    pub(crate) left_out: usize,
}

impl Model {
    /// The regions of the world, those that no block names first, then by block; `ranges` are further blocks.
    pub(crate) fn regions(&self, ranges: impl IntoIterator<Item = IpNet>) -> Regions {
        let blocks: BTreeSet<IpNet> = policy_blocks(self).into_iter().chain(ranges).collect();
        let elsewhere = [true, false].into_iter().filter_map(|v4| self.world_address(v4));
        let mut regions: Vec<Region> = elsewhere.map(|address| Region { block: None, address }).collect();
        let named = with_addresses(self, blocks.iter().copied()).into_iter();
        let named = named.filter(|(block, address)| {
            let is_world = AddressKind::of(*address) == AddressKind::World && self.owner_of(*address).is_none();
            block.prefix_len() > 0 && blocks.contains(block) && is_world && !is_group(*address)
        });
        regions.extend(named.map(|(block, address)| Region { block: Some(block), address }));
        let left_out = regions.len().saturating_sub(MOST_REGIONS);
        regions.truncate(MOST_REGIONS);
        Regions { regions, left_out }
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
fn is_group(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.octets()[0] >= 224,
        IpAddr::V6(v6) => v6.is_multicast(),
    }
}
