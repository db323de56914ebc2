//! Doors of Services: load balancers, ports of the nodes, external addresses.

use palisade_model::Problem;
use palisade_model::object::Name;
use palisade_model::service::{Exposure, ExternalTraffic, Service, ServicePort};
use palisade_model::verdict::Missing;

use super::{Door, DoorKind, Doors, Opening, ServicePortRef, Source, texts};
use crate::dial::Backend;
use crate::model::Model;

/// Annotations that ask the provider for a load balancer in its own network alone, with the values that do.
///
/// Sources: the annotations' reference of each provider: AWS Load Balancer Controller, GKE, AKS, OpenStack.
const INTERNAL: [(&str, &[&str]); 6] = [
    ("service.beta.kubernetes.io/aws-load-balancer-scheme", &["internal"]),
    ("service.beta.kubernetes.io/aws-load-balancer-internal", &["true", "0.0.0.0/0"]),
    ("networking.gke.io/load-balancer-type", &["Internal"]),
    ("cloud.google.com/load-balancer-type", &["Internal", "internal"]),
    ("service.beta.kubernetes.io/azure-load-balancer-internal", &["true"]),
    ("service.beta.kubernetes.io/openstack-internal-load-balancer", &["true"]),
];

pub(super) fn find(model: &Model, doors: &mut Doors) {
    for service in &model.inventory.services {
        for port in &service.ports {
            let kinds = kinds_of(service);
            let backends = model.backends(service, port, None);
            if !kinds.is_empty() {
                doors.notes.extend(nothing_behind(service, port, &backends));
            }
            let opening =
                |kind| Opening { door: door(service, port, kind), served_by: None, backends: backends.clone() };
            doors.openings.extend(kinds.into_iter().map(opening));
        }
    }
}

fn kinds_of(service: &Service) -> Vec<DoorKind> {
    let mut kinds = match service.exposure {
        Exposure::LoadBalancer if service.allocates_node_ports => vec![DoorKind::LoadBalancer, DoorKind::NodePort],
        Exposure::LoadBalancer if service.ports.iter().any(|port| port.node_port.is_some()) => {
            vec![DoorKind::LoadBalancer, DoorKind::NodePort]
        }
        Exposure::LoadBalancer => vec![DoorKind::LoadBalancer],
        Exposure::NodePort => vec![DoorKind::NodePort],
        Exposure::ClusterIp => Vec::new(),
        Exposure::ExternalName(_) => return Vec::new(),
    };
    if !service.external_ips.is_empty() {
        kinds.push(DoorKind::ExternalIp);
    }
    kinds
}

/// What is said of a Service behind which nobody is, or nobody knows who.
fn nothing_behind(service: &Service, port: &ServicePort, backends: &Result<Vec<Backend>, Missing>) -> Option<Problem> {
    let message = match backends {
        Ok(backends) if backends.is_empty() => format!("nobody is behind port {} of this Service", port.port),
        Ok(_) => return None,
        Err(missing) => missing.to_string(),
    };
    let problem = Problem::warning("door-leads-nowhere", message);
    Some(problem.at(&service.meta.place).of(service.meta.reference.clone()))
}

fn door(service: &Service, port: &ServicePort, kind: DoorKind) -> Door {
    let is_balancer = kind == DoorKind::LoadBalancer;
    let addresses = match kind {
        DoorKind::LoadBalancer => {
            let names = service.load_balancer_hostnames.iter().map(|name| name.to_string());
            texts(&service.load_balancer_ips).into_iter().chain(names).collect()
        }
        DoorKind::ExternalIp => texts(&service.external_ips),
        _ => vec!["node".to_owned()],
    };
    Door {
        kind,
        object: service.meta.reference.clone(),
        gateway: None,
        place: service.meta.place.clone(),
        addresses,
        hosts: Vec::new(),
        matches: Vec::new(),
        protocol: port.protocol,
        port: if kind == DoorKind::NodePort { port.node_port } else { Some(port.port) },
        // They hold for the load balancer's address alone: kube-proxy lets everybody in by the nodes' ports.
        source_ranges: if is_balancer { service.source_ranges.clone() } else { Vec::new() },
        internal_by: internal_by(service).filter(|_| is_balancer),
        service: Some(ServicePortRef {
            name: format!("{}/{}", service.meta.namespace(), service.meta.name()),
            port: port.port,
        }),
        source: match service.external_traffic {
            ExternalTraffic::Local => Source::Kept,
            ExternalTraffic::Cluster => Source::Perhaps,
        },
    }
}

fn internal_by(service: &Service) -> Option<Name> {
    let is_set = |(key, values): &&(&str, &[&str])| {
        service.meta.annotations.value(key).is_some_and(|value| values.contains(&value))
    };
    INTERNAL.iter().find(is_set).map(|(key, _)| Name::from(*key))
}
