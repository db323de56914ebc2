//! Which pods stand behind a Service, and on which of their ports.

use std::net::IpAddr;
use std::sync::Arc;

use palisade_model::object::Name;
use palisade_model::pod::ContainerRole;
use palisade_model::port::{PortMatch, PortRule, Protocol};
use palisade_model::service::{EndpointSlice, Exposure, Service, ServicePort, TargetPort};

use crate::cluster::{Cluster, KnownPod};

/// One pod behind a port of a Service.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Backend {
    /// The pod's namespace.
    pub namespace: Name,
    /// The pod's name.
    pub name: Name,
    /// Of the Service's port.
    pub protocol: Protocol,
    /// The pod's port.
    pub port: u16,
}

pub fn find<'a>(cluster: &Cluster<'a>, namespace: &str, name: &str) -> Option<&'a Service> {
    cluster
        .inventory
        .services
        .iter()
        .map(Arc::as_ref)
        .find(|service| service.meta.namespace() == namespace && service.meta.name() == name)
}

/// The slices that carry the Service's name.
pub fn slices<'a>(cluster: &Cluster<'a>, namespace: &str, name: &str) -> Vec<&'a EndpointSlice> {
    cluster
        .inventory
        .endpoint_slices
        .iter()
        .map(Arc::as_ref)
        .filter(|slice| slice.meta.namespace() == namespace && slice.service.as_deref() == Some(name))
        .collect()
}

/// Whether some endpoint of `slice` is this pod, by name or by address.
pub fn lists_pod(slice: &EndpointSlice, pod: &KnownPod) -> bool {
    slice.endpoints.iter().any(|endpoint| {
        let by_name = endpoint.pod.as_ref() == Some(&pod.name) && slice.meta.namespace() == &*pod.namespace;
        by_name || endpoint.addresses.iter().any(|address| pod.own_addresses().contains(address))
    })
}

/// Whether some endpoint of `slice` has one of these addresses.
pub fn lists_address(slice: &EndpointSlice, addresses: &[IpAddr]) -> bool {
    slice.endpoints.iter().any(|endpoint| endpoint.addresses.iter().any(|address| addresses.contains(address)))
}

/// Whether the slice's ports have this one.
pub fn has_port(slice: &EndpointSlice, protocol: Protocol, port: u16) -> bool {
    slice.ports.iter().any(|listed| listed.protocol == protocol && listed.port.is_none_or(|number| number == port))
}

/// Whether the Service sends to this port of this pod, by a port of its own that `rules` cover (all
/// when there are none). Readiness does not matter.
pub fn sends_to(
    cluster: &Cluster<'_>,
    service: &Service,
    pod: &KnownPod,
    rules: &[PortRule],
    protocol: Protocol,
    port: u16,
) -> bool {
    service.ports.iter().any(|own| {
        let covered = rules.is_empty() || rules.iter().any(|rule| names_service_port(rule, own));
        covered && own.protocol == protocol && is_target(cluster, service, own, pod, port)
    })
}

fn names_service_port(rule: &PortRule, own: &ServicePort) -> bool {
    rule.protocol == own.protocol
        && match &rule.port {
            PortMatch::Any => true,
            PortMatch::Range(range) => range.contains(own.port),
            PortMatch::Name(name) => own.name.as_deref() == Some(name),
        }
}

/// Whether `own` leads to `port` of `pod`.
fn is_target(cluster: &Cluster<'_>, service: &Service, own: &ServicePort, pod: &KnownPod, port: u16) -> bool {
    if pod.is_completed() || matches!(service.exposure, Exposure::ExternalName(_)) {
        return false;
    }
    match service.selector.as_ref().filter(|selector| !selector.0.is_empty()) {
        Some(selector) => {
            let selected = service.meta.namespace() == &*pod.namespace && selector.is_subset_of(&pod.labels);
            selected && target_port(own, pod) == Some(port)
        }
        // Endpoints made by hand: the slice's port of the same name is the pods'.
        None => slices(cluster, service.meta.namespace(), service.meta.name()).into_iter().any(|slice| {
            lists_pod(slice, pod)
                && slice.ports.iter().any(|listed| {
                    listed.name.as_deref().unwrap_or_default() == own.name.as_deref().unwrap_or_default()
                        && listed.protocol == own.protocol
                        && listed.port.is_none_or(|number| number == port)
                })
        }),
    }
}

/// A name is taken from the first app container that has it, then from the sidecars.
///
/// Source: `FindPort` of Kubernetes' endpoint controllers.
pub fn target_port(own: &ServicePort, pod: &KnownPod) -> Option<u16> {
    let name = match &own.target {
        TargetPort::Number(number) => return Some(*number),
        TargetPort::Name(name) => name,
    };
    [ContainerRole::App, ContainerRole::Sidecar].into_iter().find_map(|role| {
        let containers = pod.spec.containers.iter().filter(|container| container.role == role);
        let mut ports = containers.flat_map(|container| &container.ports);
        ports.find(|port| port.name.as_ref() == Some(name) && port.protocol == own.protocol).map(|port| port.number)
    })
}

/// Every pod behind one port of a Service; a slice with all ports gives the Service's own number.
pub fn backends(cluster: &Cluster<'_>, (namespace, name): (&str, &str), port: u16) -> Vec<Backend> {
    let Some(service) = find(cluster, namespace, name) else { return Vec::new() };
    let mut backends = Vec::new();
    for own in service.ports.iter().filter(|own| own.port == port) {
        for pod in &cluster.pods {
            let in_slices = slices(cluster, namespace, name).into_iter().flat_map(|slice| &slice.ports);
            let numbers = in_slices.map(|listed| listed.port.unwrap_or(port)).chain(target_port(own, pod));
            backends.extend(numbers.filter(|number| is_target(cluster, service, own, pod, *number)).map(|number| {
                Backend {
                    namespace: pod.namespace.clone(),
                    name: pod.name.clone(),
                    protocol: own.protocol,
                    port: number,
                }
            }));
        }
    }
    backends.sort();
    backends.dedup();
    backends
}
