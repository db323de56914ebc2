//! The world as a lab would show it, without one.

use std::net::{IpAddr, Ipv4Addr};

use palisade_model::pod::Phase;
use palisade_model::port::Protocol;
use palisade_model::workload::WorkloadKind;

use super::{DNS, NODES, annotations};
use crate::manifest;
use crate::scene::{
    Pairs, Scene, SceneContainer, SceneNode, ScenePod, ScenePort, SceneService, SceneServicePort, SceneWorkload,
};
use crate::text::{Yaml, map, text};

/// Nodes, pods with addresses, and slices, as a lab would publish them.
pub(super) fn as_if_running(scene: &Scene) -> Vec<Yaml> {
    let mut documents = Vec::new();
    for (index, name) in NODES.iter().enumerate() {
        let address = IpAddr::V4(Ipv4Addr::new(172, 31, 0, 11 + index as u8));
        documents.push(manifest::node(&SceneNode {
            name: (*name).to_owned(),
            labels: Pairs::new(),
            has_object: true,
            addresses: vec![address],
        }));
    }
    let mut number = 1;
    let mut running = Vec::new();
    for workload in &scene.workloads {
        documents.extend(manifest::workload(workload, Some(annotations(workload))));
        for replica in 0..workload.replicas {
            let (name, owner) = match workload.kind {
                WorkloadKind::Pod => (workload.name.clone(), None),
                _ => (format!("{}-{replica}", workload.name), Some((workload.kind, workload.name.as_str()))),
            };
            let node = (usize::from(number) + replica) % 2;
            let pod = ScenePod {
                name,
                node: Some(NODES[node].to_owned()),
                phase: Phase::Running,
                addresses: vec![match workload.host_network {
                    true => IpAddr::V4(Ipv4Addr::new(172, 31, 0, 11 + node as u8)),
                    false => IpAddr::V4(Ipv4Addr::new(10, 244, 1 + node as u8, 1 + number)),
                }],
                host_addresses: Vec::new(),
                labels: Pairs::new(),
            };
            number += 1;
            documents.push(manifest::pod(workload, &pod, owner, Some(annotations(workload))));
            running.push((workload, pod));
        }
    }
    documents.extend(cluster_dns());
    for (index, service) in scene.services.iter().enumerate() {
        let address = IpAddr::V4(Ipv4Addr::new(10, 96, 0, 100 + index as u8));
        documents.push(manifest::service(&SceneService { addresses: vec![address], ..service.clone() }, false));
        documents.extend(slices(service, &running));
    }
    documents
}

fn dns_workload(kind: WorkloadKind) -> SceneWorkload {
    let port = |name: &str, protocol| ScenePort { name: Some(name.to_owned()), number: 53, protocol };
    let container = SceneContainer {
        name: "coredns".to_owned(),
        is_sidecar: false,
        ports: vec![port("dns", Protocol::Udp), port("dns-tcp", Protocol::Tcp)],
        programs: Vec::new(),
        probe: None,
    };
    SceneWorkload {
        kind,
        namespace: DNS.0.to_owned(),
        name: "coredns".to_owned(),
        labels: vec![("k8s-app".to_owned(), "kube-dns".to_owned())],
        service_account: None,
        host_network: false,
        replicas: 1,
        containers: vec![container],
        pods: Vec::new(),
    }
}

/// In place of the lab's own: without a readiness probe, which a ClusterPerimeter may refuse, so that the Service would
/// lose its endpoint after a while.
pub(super) fn user_object_of_dns() -> Yaml {
    let runs = map([("lab.palisade.dev/runs.coredns", text("dns"))]);
    manifest::workload(&dns_workload(WorkloadKind::Deployment), Some(runs)).expect("no bare pod")
}

/// What every lab has beside the user's objects.
fn cluster_dns() -> [Yaml; 3] {
    let workload = dns_workload(WorkloadKind::Pod);
    let ports: Vec<ScenePort> = workload.ports().into_iter().cloned().collect();
    let labels = workload.labels.clone();
    let address = IpAddr::V4(Ipv4Addr::new(10, 244, 1, 200));
    let pod = ScenePod {
        name: "coredns".to_owned(),
        node: Some(NODES[0].to_owned()),
        phase: Phase::Running,
        addresses: vec![address],
        host_addresses: Vec::new(),
        labels: Pairs::new(),
    };
    let of_service = |port: &ScenePort| SceneServicePort {
        name: port.name.clone(),
        protocol: port.protocol,
        port: 53,
        target: Ok(53),
    };
    let service = SceneService {
        namespace: DNS.0.to_owned(),
        name: DNS.1.to_owned(),
        selector: labels,
        addresses: vec![IpAddr::V4(Ipv4Addr::new(10, 96, 0, 10))],
        ports: ports.iter().map(of_service).collect(),
    };
    let endpoint = (vec![address.to_string()], true, Some(pod.name.clone()));
    [
        manifest::pod(&workload, &pod, None, None),
        manifest::service(&service, false),
        manifest::endpoint_slice((DNS.0, "kube-dns-1", DNS.1), "IPv4", &[endpoint], &ports),
    ]
}

/// One slice a pod, so that each may resolve a port's name to another number.
fn slices(service: &SceneService, running: &[(&SceneWorkload, ScenePod)]) -> Vec<Yaml> {
    let selected = running.iter().filter(|(workload, _)| {
        workload.namespace == service.namespace && service.selector.iter().all(|pair| workload.labels.contains(pair))
    });
    let mut documents = Vec::new();
    for (workload, pod) in selected {
        let ports: Vec<ScenePort> = service
            .ports
            .iter()
            .filter_map(|port| {
                let by_name = |name: &String| {
                    workload.ports().into_iter().find(|own| own.name.as_ref() == Some(name)).map(|own| own.number)
                };
                let number = match &port.target {
                    Ok(number) => Some(*number),
                    Err(name) => by_name(name),
                };
                number.map(|number| ScenePort { name: port.name.clone(), number, protocol: Protocol::Tcp })
            })
            .collect();
        let endpoint = (vec![pod.addresses[0].to_string()], true, Some(pod.name.clone()));
        let name = format!("{}-{}", service.name, pod.name);
        let names = (service.namespace.as_str(), name.as_str(), service.name.as_str());
        documents.push(manifest::endpoint_slice(names, "IPv4", &[endpoint], &ports));
    }
    documents
}
