//! Doors of nodes: ports that pods take of them, pods in their own network, and pods by their own addresses.

use palisade_model::object::ObjectRef;
use palisade_model::pod::ContainerPort;

use super::{Door, DoorKind, Doors, Opening, PodNetwork, Source, texts};
use crate::dial::{Backend, BackendEnd};
use crate::model::{Model, PodFacts};

pub(super) fn find(model: &Model, doors: &mut Doors, network: PodNetwork) {
    for pod in model.pods().iter().filter(|pod| pod.decides()) {
        let spec = model.spec(pod);
        let ports = spec.containers.iter().flat_map(|container| &container.ports);
        if spec.host_network {
            doors.openings.extend(ports.map(|port| opening(pod, port, DoorKind::HostNetwork)));
            continue;
        }
        for port in ports {
            let is_outside = port.host_address.is_none_or(|address| !address.is_loopback());
            if port.host_port.is_some() && is_outside {
                doors.openings.push(opening(pod, port, DoorKind::HostPort));
            }
            if network == PodNetwork::Routed {
                doors.openings.push(opening(pod, port, DoorKind::PodAddress));
            }
        }
    }
}

fn opening(pod: &PodFacts, port: &ContainerPort, kind: DoorKind) -> Opening {
    let addresses = match kind {
        DoorKind::PodAddress => texts(&pod.addresses),
        _ => port.host_address.map_or_else(|| vec!["node".to_owned()], |address| vec![address.to_string()]),
    };
    let door = Door {
        kind,
        object: ObjectRef {
            kind: pod.workload.kind.kind(),
            namespace: Some(pod.namespace.clone()),
            name: pod.workload.name.clone(),
        },
        gateway: None,
        place: pod.place.clone(),
        addresses,
        hosts: Vec::new(),
        matches: Vec::new(),
        protocol: port.protocol,
        port: port.host_port.filter(|_| kind == DoorKind::HostPort).or(Some(port.number)),
        source_ranges: Vec::new(),
        internal_by: None,
        service: None,
        source: Source::Kept,
    };
    let address = pod.addresses.first().copied();
    let end = BackendEnd::Pod(pod.index);
    let backend = Backend { end, address, protocol: port.protocol, port: port.number };
    Opening { door, served_by: None, backends: Ok(vec![backend]) }
}
