//! The nodes of a cluster, by their objects and by what pods say of theirs.

use std::collections::BTreeMap;
use std::net::IpAddr;

use palisade_model::inventory::Inventory;
use palisade_model::object::Name;

/// A node, with or without an object.
#[derive(Clone, Debug)]
pub(crate) struct NodeFacts {
    pub(crate) name: Name,
    /// Of its object, `hostIPs` of its pods, and the addresses of its host-network pods, which are its own.
    pub(crate) addresses: Vec<IpAddr>,
    /// Others that its interfaces have, when its agent says them.
    pub(crate) interface_addresses: Vec<IpAddr>,
}

/// Every node: those with an object in the order of the inventory, then those that only pods name.
pub(crate) fn resolve(inventory: &Inventory) -> Vec<NodeFacts> {
    let canonical = |addresses: &[IpAddr]| addresses.iter().map(IpAddr::to_canonical).collect();
    let mut nodes: Vec<NodeFacts> = inventory
        .nodes
        .iter()
        .map(|node| NodeFacts {
            name: node.meta.reference.name.clone(),
            addresses: canonical(&node.addresses),
            interface_addresses: canonical(&node.interface_addresses),
        })
        .collect();
    let mut positions: BTreeMap<Name, usize> =
        nodes.iter().enumerate().map(|(position, node)| (node.name.clone(), position)).collect();
    for pod in &inventory.pods {
        let Some(name) = &pod.node else { continue };
        let position = *positions.entry(name.clone()).or_insert_with(|| {
            nodes.push(NodeFacts { name: name.clone(), addresses: Vec::new(), interface_addresses: Vec::new() });
            nodes.len() - 1
        });
        let own = if pod.spec.host_network { pod.addresses.as_slice() } else { &[] };
        for address in pod.host_addresses.iter().chain(own).map(IpAddr::to_canonical) {
            if !nodes[position].addresses.contains(&address) {
                nodes[position].addresses.push(address);
            }
        }
    }
    nodes
}
