//! EndpointSlices as their controller makes them.

use std::net::IpAddr;

use palisade_model::Name;
use palisade_model::service::Service;
use serde_json::{Value, json};

use crate::cluster::Cluster;
use crate::endpoints::{self, Backend};

/// Backends that one EndpointSlice can hold.
struct SliceGroup<'a> {
    ipv6: bool,
    /// The index of each port of the Service, and its number here.
    numbers: Vec<(usize, u16)>,
    backends: Vec<&'a Backend>,
}

/// One slice for each family and each set of numbers that the ports resolve to: pods may give a
/// named port different numbers. Services with slices of their own in the manifests get none.
pub(super) fn objects(service: &Service, cluster: &Cluster) -> Vec<Value> {
    if service.selector.as_ref().is_none_or(|selector| selector.0.is_empty()) {
        return Vec::new();
    }
    let all = endpoints::of_service(service, cluster);
    let mut groups: Vec<SliceGroup<'_>> = Vec::new();
    let mut pods: Vec<(&Name, IpAddr)> = all
        .iter()
        .flat_map(|port| &port.backends)
        .filter_map(|backend| Some((&backend.pod.as_ref()?.0, backend.address)))
        .collect();
    pods.sort();
    pods.dedup();
    for (pod, address) in pods {
        let mine: Vec<(usize, &Backend)> = all
            .iter()
            .enumerate()
            .filter_map(|(index, port)| {
                let of_pod = |backend: &&Backend| {
                    backend.address == address && backend.pod.as_ref().is_some_and(|(name, _)| name == pod)
                };
                port.backends.iter().find(of_pod).map(|backend| (index, backend))
            })
            .collect();
        let numbers: Vec<_> = mine.iter().map(|(index, backend)| (*index, backend.port)).collect();
        let Some((_, backend)) = mine.first() else { continue };
        match groups.iter_mut().find(|group| group.ipv6 == address.is_ipv6() && group.numbers == numbers) {
            Some(group) => group.backends.push(backend),
            None => groups.push(SliceGroup { ipv6: address.is_ipv6(), numbers, backends: vec![backend] }),
        }
    }
    let name = service.meta.name();
    let slices = groups.iter().enumerate().map(|(index, group)| {
        let endpoints: Vec<_> = group.backends.iter().map(|backend| endpoint(backend, service, cluster)).collect();
        let ports: Vec<_> = group
            .numbers
            .iter()
            .map(|(index, number)| {
                let port = &all[*index].port;
                json!({"name": port.name.as_deref().unwrap_or(""), "protocol": port.protocol.as_str(), "port": number})
            })
            .collect();
        json!({
            "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
            "metadata": {
                "name": format!("{name}-{index}"), "namespace": service.meta.namespace(),
                "labels": {"kubernetes.io/service-name": name, "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io"},
            },
            "addressType": if group.ipv6 { "IPv6" } else { "IPv4" },
            "endpoints": endpoints, "ports": ports,
        })
    });
    slices.collect()
}

fn endpoint(backend: &Backend, service: &Service, cluster: &Cluster) -> Value {
    let mut out = json!({
        "addresses": [backend.address],
        "conditions": {"ready": backend.ready, "serving": backend.ready, "terminating": false},
    });
    if let Some((pod, node)) = &backend.pod {
        out["targetRef"] = json!({"kind": "Pod", "name": &**pod, "namespace": service.meta.namespace()});
        if let Some(node) = cluster.node(*node) {
            out["nodeName"] = json!(&*node.name);
        }
    }
    out
}
