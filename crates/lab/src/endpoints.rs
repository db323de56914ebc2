//! Which backends stand behind a Service's ports.

use std::net::IpAddr;

use palisade_model::service::{Exposure, Service, ServicePort, TargetPort};
use palisade_model::{Labels, Name};

use crate::cluster::{Cluster, Pod};

/// A port of a Service with what stands behind it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct PortEndpoints {
    pub port: ServicePort,
    /// In a defined order, ready or not.
    pub backends: Vec<Backend>,
}

/// One address and port behind a Service.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Backend {
    pub address: IpAddr,
    pub port: u16,
    pub ready: bool,
    /// The pod's name and the number of its node; `None` for an address of the manifests.
    pub pod: Option<(Name, u8)>,
}

/// The endpoints of every port of `service`.
pub(crate) fn of_service(service: &Service, cluster: &Cluster) -> Vec<PortEndpoints> {
    service.ports.iter().map(|port| PortEndpoints { port: port.clone(), backends: backends(service, port, cluster) }).collect()
}

fn backends(service: &Service, port: &ServicePort, cluster: &Cluster) -> Vec<Backend> {
    if matches!(service.exposure, Exposure::ExternalName(_)) {
        return Vec::new();
    }
    let mut backends = match service.selector.as_ref().filter(|selector| !selector.0.is_empty()) {
        Some(selector) => selected(service, port, selector, cluster),
        None => given(service, port, cluster),
    };
    backends.sort();
    backends.dedup();
    backends
}

fn selected(service: &Service, port: &ServicePort, selector: &Labels, cluster: &Cluster) -> Vec<Backend> {
    let namespace = service.meta.namespace();
    let pods = cluster.pods.values().filter(|pod| *pod.plan.namespace == *namespace && selector.is_subset_of(&pod.plan.labels));
    pods.flat_map(|pod| {
        let ready = pod.is_ready() || service.publish_not_ready;
        let numbers = target_ports(port, pod);
        pod.reachable_addresses().iter().flat_map(move |address| {
            let name = pod.plan.name.clone();
            let node = pod.node;
            let backend = move |port| Backend { address: *address, port, ready, pod: Some((name.clone(), node)) };
            numbers.clone().into_iter().map(backend)
        })
    })
    .collect()
}

/// A named target is the first port of that name; a pod without one is no backend.
///
/// Source: k8s.io/kubernetes/pkg/api/v1/pod.FindPort.
fn target_ports(port: &ServicePort, pod: &Pod) -> Option<u16> {
    match &port.target {
        TargetPort::Number(number) => Some(*number),
        TargetPort::Name(name) => pod.plan.spec.named_port(name, port.protocol).next(),
    }
}

fn given(service: &Service, port: &ServicePort, cluster: &Cluster) -> Vec<Backend> {
    let mine = cluster
        .given_slices
        .iter()
        .filter(|slice| slice.meta.namespace() == service.meta.namespace() && slice.service.as_deref() == Some(service.meta.name()));
    mine.flat_map(|slice| {
        let number = slice
            .ports
            .iter()
            .find(|given| given.protocol == port.protocol && given.name.as_deref().unwrap_or("") == port.name.as_deref().unwrap_or(""))
            .and_then(|given| given.port);
        slice.endpoints.iter().flat_map(move |endpoint| {
            let backend = move |(address, port)| Backend { address, port, ready: endpoint.ready, pod: None };
            number.into_iter().flat_map(|number| endpoint.addresses.iter().map(move |address| (*address, number))).map(backend)
        })
    })
    .collect()
}
