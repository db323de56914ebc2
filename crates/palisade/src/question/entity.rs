//! The ends that entities stand for.

use std::net::IpAddr;

use palisade_model::link::{End, OWN_NODE, PodEnd, Which};
use palisade_policy::{Model, PodFacts};

use crate::failure::{Failure, Hint};

pub(super) fn world(model: &Model) -> Vec<(String, End)> {
    let address = model.world_address(true).unwrap_or(IpAddr::from([198, 51, 100, 1]));
    vec![("world".to_owned(), End::Address(address))]
}

pub(super) fn nodes(model: &Model) -> Vec<(String, End)> {
    let nodes = &model.inventory().nodes;
    let named = nodes.iter().map(|node| {
        let name = node.meta.reference.name.clone();
        (format!("node {name}"), End::Node { name, address: None })
    });
    match nodes.is_empty() {
        true => vec![("nodes".to_owned(), End::Node { name: OWN_NODE.into(), address: None })],
        false => named.collect(),
    }
}

pub(super) fn apiserver(model: &Model) -> Vec<(String, End)> {
    let slices = model.inventory().endpoint_slices.iter();
    let mut addresses: Vec<IpAddr> = slices
        .filter(|slice| slice.meta.namespace() == "default" && slice.service.as_deref() == Some("kubernetes"))
        .flat_map(|slice| slice.endpoints.iter().flat_map(|endpoint| endpoint.addresses.clone()))
        .collect();
    addresses.sort_unstable();
    addresses.dedup();
    addresses.into_iter().map(|address| (format!("apiserver {address}"), End::Address(address))).collect()
}

pub(super) fn gateways(model: &Model) -> Vec<(String, End)> {
    let is_gateway = |pod: &&PodFacts| {
        let gateways = &model.settings().gateways;
        gateways.iter().any(|(namespace, selector)| *namespace == pod.namespace && selector.matches(&pod.labels))
    };
    let end = |pod: &PodFacts| {
        End::Pod(PodEnd {
            namespace: pod.namespace.clone(),
            name: pod.name.clone(),
            container: Which::Unsaid,
            program: Which::Unsaid,
            address: None,
        })
    };
    model.pods().iter().filter(is_gateway).map(|pod| (pod.full_name(), end(pod))).collect()
}

pub(super) fn too_wide() -> Failure {
    Failure::new("`cluster` stands for every pod and node").hint(Hint::Change("name one of them".into()))
}
