//! The ends that entities stand for.

use std::net::IpAddr;

use palisade_model::access_policy::Entity;
use palisade_model::link::{End, OWN_NODE};
use palisade_model::service::Service;
use palisade_policy::{Model, PodFacts};

use crate::failure::{Failure, Hint};

pub(super) fn world(model: &Model) -> Vec<(String, End)> {
    let address = model.world_address(true).unwrap_or(IpAddr::from([198, 51, 100, 1]));
    vec![("world".to_owned(), End::Address(address))]
}

pub(super) fn metadata() -> Vec<(String, End)> {
    vec![("metadata".to_owned(), End::Address(IpAddr::from([169, 254, 169, 254])))]
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

pub(super) fn gateways(model: &Model) -> Vec<&PodFacts> {
    let is_gateway = |pod: &&PodFacts| {
        let gateways = &model.settings().gateways;
        gateways.iter().any(|(namespace, selector)| *namespace == pod.namespace && selector.matches(&pod.labels))
    };
    model.pods().iter().filter(|pod| pod.decides()).filter(is_gateway).collect()
}

/// The pods of `cluster`; its nodes come beside them.
pub(super) fn every_pod(model: &Model) -> Vec<&PodFacts> {
    model.pods().iter().filter(|pod| pod.decides() && !model.spec(pod).host_network).collect()
}

/// The cluster DNS Service.
///
/// # Errors
/// When it is not in the input.
pub(super) fn dns(model: &Model) -> Result<&Service, Failure> {
    let (namespace, name) = &model.settings().dns_service;
    model.service(namespace, name).ok_or_else(|| {
        Failure::new(format!("the cluster DNS Service `{namespace}/{name}` is not in the input"))
            .hint(Hint::Change("add its manifest, or name another one in ClusterSettings".into()))
    })
}

/// Nobody is what the entity stands for.
pub(super) fn nobody(entity: Entity) -> Failure {
    let failure = Failure::new(format!("nobody in the input is `{entity}`"));
    match entity {
        Entity::Gateway => {
            failure.hint(Hint::Change("name the gateways' pods in ClusterSettings, `spec.gateways`".into()))
        }
        Entity::Apiserver => {
            failure.hint(Hint::Change("add the EndpointSlices of Service `default/kubernetes`".into()))
        }
        Entity::World | Entity::Cluster | Entity::Nodes | Entity::Kubelet | Entity::Dns | Entity::Metadata => failure,
    }
}
