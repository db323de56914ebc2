//! Blocks that cover addresses of Services, which no policy ever sees.

use std::collections::BTreeMap;
use std::net::IpAddr;

use palisade_model::finding::{Finding, Rule, Severity};

use super::pod_address::{self, BlockAt};
use super::view::View;
use crate::model::{AddressOwner, Model, PodFacts};

/// A block at least this long is somebody's network: of IPv4 and of IPv6. A shorter one means "private addresses" or the
/// whole world, where what is in it by chance says nothing.
const NETWORK_LENGTH: [u8; 2] = [12, 32];

pub(super) fn rule() -> Rule {
    Rule::new(
        "ip-block-of-services",
        Severity::High,
        "a block of addresses covers those of Services alone",
        "A connection to a Service's address is translated to a pod's before any policy judges it, so no policy ever sees the Service's. \
         A block that covers nothing else opens nothing, and denies nothing.\n\nName the pods behind the Service by their labels, or in \
         an AccessPolicy the `service`.",
    )
}

pub(super) fn find(view: &View<'_>, rule: &Rule) -> Vec<Finding> {
    let owners = Owners::new(view);
    let blocks = pod_address::all(view);
    let found = blocks.iter().filter_map(|block| Some((block, owners.service_alone_in(block)?)));
    found
        .map(|(block, service)| {
            let service = &view.model.inventory.services[service].meta;
            rule.finding(format!(
                "block {} covers the address of {}, and no pod's or node's",
                block.cidr, service.reference
            ))
            .of(block.object)
            .part(block.part.clone())
            .at(block.place)
            .reason("the address of a Service is translated to a pod's before a policy judges the connection")
            .fix("name the pods behind the Service by their labels")
            .related(&service.place, service.reference.to_string())
        })
        .collect()
}

/// Known addresses, sorted.
pub(super) struct Owners<'m> {
    model: &'m Model,
    addresses: BTreeMap<IpAddr, AddressOwner>,
}

impl<'m> Owners<'m> {
    pub(super) fn new(view: &View<'m>) -> Self {
        let model = view.model;
        let inventory = &model.inventory;
        let mut addresses = BTreeMap::new();
        for (position, service) in inventory.services.iter().enumerate() {
            let own = service.cluster_ips.iter().map(|address| address.to_canonical());
            addresses.extend(own.map(|address| (address, AddressOwner::Service(position))));
        }
        for pod in model.pods() {
            addresses.extend(pod.addresses.iter().map(|address| (*address, AddressOwner::Pod(pod.index))));
        }
        for (position, node) in model.nodes.iter().enumerate() {
            addresses.extend(node.addresses.iter().map(|address| (*address, AddressOwner::Node(position))));
        }
        Self { model, addresses }
    }

    /// Who has addresses in a block that is somebody's network.
    fn within(&self, block: &BlockAt<'_>) -> impl Iterator<Item = AddressOwner> {
        let family = usize::from(block.cidr.addr().is_ipv6());
        let is_network = block.cidr.prefix_len() >= NETWORK_LENGTH[family];
        let range = self.addresses.range(block.cidr.network()..=block.cidr.broadcast());
        let range = range.filter(move |_| is_network).filter(|(address, _)| block.has(address));
        range.map(|(_, owner)| *owner)
    }

    /// The first Service, when nobody but Services has addresses there.
    fn service_alone_in(&self, block: &BlockAt<'_>) -> Option<usize> {
        let mut found = None;
        for owner in self.within(block) {
            match owner {
                AddressOwner::Service(position) => found = found.or(Some(position)),
                AddressOwner::Pod(_) | AddressOwner::Node(_) => return None,
            }
        }
        found
    }

    /// The first pod and how many, when nobody but pods has addresses there.
    pub(super) fn pods_alone_in(&self, block: &BlockAt<'_>) -> Option<(&'m PodFacts, usize)> {
        let mut found: Option<(&PodFacts, usize)> = None;
        for owner in self.within(block) {
            match owner {
                AddressOwner::Pod(index) => {
                    let (first, count) = found.unwrap_or((self.model.pod(index), 0));
                    found = Some((first, count + 1));
                }
                AddressOwner::Service(_) | AddressOwner::Node(_) => return None,
            }
        }
        found
    }
}
