//! The nodes of a cluster, by their objects and by what pods say of theirs.

use std::collections::BTreeMap;
use std::net::IpAddr;

use palisade_model::inventory::{Inventory, Node};
use palisade_model::object::Name;
use palisade_model::pod::Pod;

/// A node, with or without an object.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct NodeFacts {
    pub(crate) name: Name,
    /// Of its object, `hostIPs` of its pods, and the addresses of its host-network pods, which are its own.
    pub(crate) addresses: Vec<IpAddr>,
    /// Others that its interfaces have, when its agent says them.
    pub(crate) interface_addresses: Vec<IpAddr>,
}

impl NodeFacts {
    fn new(name: &Name, object: Option<&Node>) -> Self {
        let canonical = |addresses: &[IpAddr]| addresses.iter().map(IpAddr::to_canonical).collect();
        Self {
            name: name.clone(),
            addresses: object.map(|node| canonical(&node.addresses)).unwrap_or_default(),
            interface_addresses: object.map(|node| canonical(&node.interface_addresses)).unwrap_or_default(),
        }
    }

    fn add(&mut self, pod: &Pod) {
        for address in told_by(pod) {
            if !self.addresses.contains(&address) {
                self.addresses.push(address);
            }
        }
    }
}

/// Every node, by name.
pub(crate) fn resolve(inventory: &Inventory) -> Vec<NodeFacts> {
    let objects = inventory.nodes.iter().map(|node| {
        let name = node.meta.reference.name.clone();
        (name.clone(), NodeFacts::new(&name, Some(node)))
    });
    let mut nodes: BTreeMap<Name, NodeFacts> = objects.collect();
    for pod in &inventory.pods {
        if let Some(name) = &pod.node {
            nodes.entry(name.clone()).or_insert_with(|| NodeFacts::new(name, None)).add(pod);
        }
    }
    nodes.into_values().collect()
}

/// The node `name`, when anything tells of it.
pub(crate) fn resolve_one(inventory: &Inventory, name: &Name) -> Option<NodeFacts> {
    let object = node_object(inventory, name);
    let mut facts = NodeFacts::new(name, object);
    let mut is_told_of = object.is_some();
    for pod in inventory.pods.iter().filter(|pod| pod.node.as_ref() == Some(name)) {
        facts.add(pod);
        is_told_of = true;
    }
    is_told_of.then_some(facts)
}

/// The object of the node `name`.
pub(crate) fn node_object<'i>(inventory: &'i Inventory, name: &str) -> Option<&'i Node> {
    let found = inventory.nodes.binary_search_by(|node| (*node.meta.reference.name).cmp(name));
    found.ok().map(|position| &*inventory.nodes[position])
}

/// The addresses of its node that `pod` tells.
pub(crate) fn told_by(pod: &Pod) -> impl Iterator<Item = IpAddr> {
    let own = if pod.spec.host_network { pod.addresses.as_slice() } else { &[] };
    pod.host_addresses.iter().chain(own).map(IpAddr::to_canonical)
}
