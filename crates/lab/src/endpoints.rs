//! Which backends stand behind a Service's ports.

use std::net::IpAddr;
use std::sync::Arc;

use palisade_model::service::{EndpointSlice, Exposure, Service, ServicePort, TargetPort};
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
    service
        .ports
        .iter()
        .map(|port| PortEndpoints { port: port.clone(), backends: backends(service, port, cluster) })
        .collect()
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

/// An address behind a Service, whatever its ports.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Member<'a> {
    pub address: IpAddr,
    pub ready: bool,
    pub pod: Option<&'a Pod>,
}

/// All addresses behind `service`, ports or not: what a headless Service's name stands for.
pub(crate) fn members<'a>(service: &Service, cluster: &'a Cluster) -> Vec<Member<'a>> {
    match service.selector.as_ref().filter(|selector| !selector.0.is_empty()) {
        Some(selector) => selected_pods(service, selector, cluster)
            .flat_map(|pod| {
                let ready = pod.is_ready() || service.publish_not_ready;
                let addresses = pod.reachable_addresses().iter().filter(|address| has_family(service, **address));
                addresses.map(move |address| Member { address: *address, ready, pod: Some(pod) })
            })
            .collect(),
        None => {
            let endpoints = given_slices(service, cluster).flat_map(|slice| &slice.endpoints);
            endpoints
                .flat_map(|endpoint| {
                    endpoint.addresses.iter().map(|address| Member {
                        address: *address,
                        ready: endpoint.ready,
                        pod: None,
                    })
                })
                .collect()
        }
    }
}

/// A Service has the families of its addresses; a headless one IPv4, and IPv6 when it asks for it.
fn has_family(service: &Service, address: IpAddr) -> bool {
    if service.cluster_ips.is_empty() {
        return address.is_ipv4() || is_dual_stack(service);
    }
    service.cluster_ips.iter().any(|own| own.is_ipv4() == address.is_ipv4())
}

/// Annotation of a Service that asks for an IPv6 address too.
///
/// A cluster gives both families to `ipFamilyPolicy: PreferDualStack` alone.
pub(crate) fn is_dual_stack(service: &Service) -> bool {
    service.meta.annotations.value("lab.palisade.dev/dual-stack") == Some("true")
}

fn selected_pods<'a>(service: &Service, selector: &Labels, cluster: &'a Cluster) -> impl Iterator<Item = &'a Pod> {
    cluster
        .pods
        .values()
        .filter(move |pod| *pod.plan.namespace == *service.meta.namespace() && selector.is_subset_of(&pod.plan.labels))
}

fn given_slices<'a>(service: &Service, cluster: &'a Cluster) -> impl Iterator<Item = &'a EndpointSlice> {
    cluster.given_slices.iter().map(Arc::as_ref).filter(move |slice| {
        slice.meta.namespace() == service.meta.namespace() && slice.service.as_deref() == Some(service.meta.name())
    })
}

fn selected(service: &Service, port: &ServicePort, selector: &Labels, cluster: &Cluster) -> Vec<Backend> {
    selected_pods(service, selector, cluster)
        .flat_map(|pod| {
            let ready = pod.is_ready() || service.publish_not_ready;
            let numbers = target_ports(port, pod);
            pod.reachable_addresses().iter().filter(|address| has_family(service, **address)).flat_map(move |address| {
                let name = pod.plan.name.clone();
                let node = pod.node;
                let backend = move |port| Backend { address: *address, port, ready, pod: Some((name.clone(), node)) };
                numbers.into_iter().map(backend)
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
    given_slices(service, cluster)
        .flat_map(|slice| {
            let number = slice
                .ports
                .iter()
                .find(|given| {
                    given.protocol == port.protocol
                        && given.name.as_deref().unwrap_or("") == port.name.as_deref().unwrap_or("")
                })
                .and_then(|given| given.port);
            slice.endpoints.iter().flat_map(move |endpoint| {
                let backend = move |(address, port)| Backend { address, port, ready: endpoint.ready, pod: None };
                number
                    .into_iter()
                    .flat_map(|number| endpoint.addresses.iter().map(move |address| (*address, number)))
                    .map(backend)
            })
        })
        .collect()
}
