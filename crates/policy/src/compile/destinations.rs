//! Whom an address stands for, and what is dialled.

use std::collections::BTreeMap;
use std::net::IpAddr;

use palisade_model::IpNet;
use palisade_model::port::Protocol;
use palisade_model::service::{Service, ServicePort};
use palisade_model::settings::MixedServices;
use palisade_model::verdict::Direction;

use super::compiler::Compiler;
use super::senders::{Senders, ServiceBackend};
use super::{Destination, DestinationId, Frontend};
use crate::classes::prefixes::{access_blocks, network_blocks, with_addresses, without_repetitions};
use crate::maps::HashMap;
use crate::matching::Side;
use crate::model::{AddressOwner, PodFacts, PodIndex};
use crate::party::{AddressKind, Party, receiver};

/// Whom an address stands for; longest prefix first wins.
pub(super) fn by_address<'m>(
    compiler: &mut Compiler<'m>,
    senders: &mut Senders<'m>,
    local: &[&'m PodFacts],
) -> Vec<(IpNet, Destination)> {
    let model = compiler.model;
    let identities: HashMap<PodIndex, u32> = local.iter().map(|pod| pod.index).zip(1..).collect();
    let blocks = access_blocks(model, &senders.access, Side::To).into_iter();
    let blocks = blocks.chain(network_blocks(model, &senders.network, Direction::Egress)).chain(model.tier_blocks());
    let mut prefixes = Vec::new();
    for (prefix, address) in with_addresses(model, blocks) {
        let (party, subject) = match model.owner_of(address) {
            Some(AddressOwner::Pod(index)) => {
                let subject = identities.get(&index).copied().unwrap_or(0);
                (receiver(model.pod(index), Some(address)), subject)
            }
            Some(AddressOwner::Service(_)) => {
                prefixes.push((prefix, Destination { id: Senders::NO_SERVICE_PORT, subject: 0 }));
                continue;
            }
            Some(AddressOwner::Node(position)) => {
                let name = model.nodes[position].name.clone();
                (Party::Node { name: Some(name), addresses: vec![address], host_pod: None }, 0)
            }
            None => match AddressKind::of(address) {
                AddressKind::Loopback => {
                    prefixes.push((prefix, Destination { id: DestinationId::SELF, subject: 0 }));
                    continue;
                }
                kind @ (AddressKind::World | AddressKind::Service | AddressKind::Metadata | AddressKind::LinkLocal) => {
                    (Party::Address { address, kind }, 0)
                }
            },
        };
        // The kernel looks a sender's own address up as SELF: here a pod stands for others alike.
        let to = senders.receiver(compiler, party);
        let id = senders.destination(compiler, to, address.is_ipv4());
        prefixes.push((prefix, Destination { id, subject }));
    }
    without_repetitions(prefixes)
}

/// In what the addresses of a Service differ, for a sender of the compiled node.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Way {
    v4: bool,
    mixed: MixedServices,
    stays_on_node: bool,
}

/// Service addresses and ports.
pub(super) fn frontends<'m>(compiler: &mut Compiler<'m>, senders: &mut Senders<'m>) -> Vec<(Frontend, DestinationId)> {
    let model = compiler.model;
    let mut frontends = BTreeMap::new();
    let node_addresses: Vec<IpAddr> = model.nodes.iter().flat_map(|node| node.addresses.iter().copied()).collect();
    for service in &model.inventory.services {
        let addresses = service.cluster_ips.iter().chain(&service.external_ips).chain(&service.load_balancer_ips);
        let addresses: Vec<IpAddr> = addresses.map(|address| address.to_canonical()).collect();
        for port in &service.ports {
            let of_nodes = port.node_port.filter(|_| model.is_node_port(service));
            let dialled = addresses.iter().map(|address| (*address, port.port));
            let on_nodes = node_addresses.iter().filter_map(|address| Some((*address, of_nodes?)));
            let mut ids: Vec<(Way, DestinationId)> = Vec::new();
            for (address, number) in dialled.chain(on_nodes) {
                let way = Way {
                    v4: address.is_ipv4(),
                    mixed: model.mixed_service(Some(&compiler.node), Some(address)),
                    stays_on_node: model.stays_on_node(service, Some(address)),
                };
                let known = ids.iter().find(|(known, _)| *known == way).map(|(_, id)| *id);
                let id = known.unwrap_or_else(|| of_service(compiler, senders, (service, port), way));
                ids.extend(known.is_none().then_some((way, id)));
                frontends.insert(Frontend { address, protocol: port.protocol, port: number }, id);
            }
        }
    }
    for (address, port, backends) in model.host_ports() {
        let mixed = model.mixed_service(Some(&compiler.node), Some(address));
        let backends = backends.iter().map(|backend| (model.backend_party(backend), backend.port)).collect();
        let id = of_backends(compiler, senders, port.0, backends, mixed);
        frontends.entry(Frontend { address, protocol: port.0, port: port.1 }).or_insert(id);
    }
    frontends.into_iter().collect()
}

fn of_service<'m>(
    compiler: &mut Compiler<'m>,
    senders: &mut Senders<'m>,
    (service, port): (&'m Service, &'m ServicePort),
    way: Way,
) -> DestinationId {
    let model = compiler.model;
    match model.backends(service, port, Some(way.v4)) {
        Ok(mut backends) => {
            backends.retain(|backend| !way.stays_on_node || model.node_of(backend) == Some(&compiler.node));
            let backends = backends.iter().map(|backend| (model.backend_party(backend), backend.port)).collect();
            of_backends(compiler, senders, port.protocol, backends, way.mixed)
        }
        Err(_) => senders.service(compiler, port.protocol, None, MixedServices::Refused),
    }
}

fn of_backends<'m>(
    compiler: &mut Compiler<'m>,
    senders: &mut Senders<'m>,
    protocol: Protocol,
    backends: Vec<(Party<'m>, u16)>,
    mixed: MixedServices,
) -> DestinationId {
    let backends = resolved(compiler, senders, backends.into_iter());
    senders.service(compiler, protocol, Some(&backends), mixed)
}

fn resolved<'m>(
    compiler: &mut Compiler<'m>,
    senders: &mut Senders<'m>,
    backends: impl Iterator<Item = (Party<'m>, u16)>,
) -> Vec<ServiceBackend> {
    let backends = backends.map(|(party, port)| {
        let pod = match &party {
            Party::Pod { pod, .. } => Some(pod.index),
            Party::Node { .. } | Party::Address { .. } => None,
        };
        let v4 = is_four(&party);
        ServiceBackend { to: senders.receiver(compiler, party), v4, pod, port }
    });
    backends.collect()
}

/// Whether `party` is talked to over IPv4: by its address, or for want of one.
pub(super) fn is_four(party: &Party<'_>) -> bool {
    match party {
        Party::Pod { address: Some(address), .. } | Party::Address { address, .. } => address.is_ipv4(),
        Party::Pod { address: None, .. } => true,
        Party::Node { addresses, .. } => addresses.first().is_none_or(IpAddr::is_ipv4),
    }
}
