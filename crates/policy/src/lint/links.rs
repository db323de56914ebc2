//! Links that a rule of an AccessPolicy covers, to ask the engine about.

use std::net::IpAddr;

use palisade_model::Protocol;
use palisade_model::access_policy::{Entity, Peer, PeerTarget};
use palisade_model::link::{End, PodEnd, Which};
use palisade_model::object::Name;
use palisade_model::port::{PortMatch, PortRule};

use super::access::{self, AccessRuleAt};
use super::view::View;
use crate::model::{Model, PodFacts};
use crate::party::METADATA;

/// An end, and the pod that it is.
pub(super) struct EndAt<'m> {
    pub(super) end: End,
    pub(super) pod: Option<&'m PodFacts>,
}

/// The ends that `peers` mean in this input, or `None` where they mean more than can be listed.
pub(super) fn ends<'m>(view: &View<'m>, at: &AccessRuleAt<'m>, peers: &'m [Peer]) -> Option<Vec<EndAt<'m>>> {
    let mut ends = Vec::new();
    let address = |address: IpAddr| EndAt { end: End::Address(address), pod: None };
    for peer in peers {
        match &peer.target {
            PeerTarget::Pods(fields) => {
                let pods = access::pods(view.model, at.policy, peer).filter(|pod| pod.decides());
                ends.extend(pods.map(|pod| pod_end(pod, fields.container.as_ref(), fields.program.as_ref())));
            }
            PeerTarget::Cidr { .. } => return None,
            PeerTarget::Entity(Entity::World) => {
                ends.extend([true, false].into_iter().filter_map(|v4| view.model.world_address(v4)).map(address));
            }
            PeerTarget::Entity(Entity::Metadata) => ends.extend(METADATA.into_iter().map(address)),
            PeerTarget::Entity(
                Entity::Cluster | Entity::Nodes | Entity::Kubelet | Entity::Apiserver | Entity::Dns | Entity::Gateway,
            ) => return None,
            // Names nobody yet.
            PeerTarget::Fqdn(_) => {}
        }
    }
    Some(ends)
}

fn pod_end<'m>(pod: &'m PodFacts, container: Option<&Name>, program: Option<&Name>) -> EndAt<'m> {
    let which = |name: Option<&Name>| name.map_or(Which::Unsaid, |name| Which::Named(name.clone()));
    let end = PodEnd {
        namespace: pod.namespace.clone(),
        name: pod.name.clone(),
        container: which(container),
        program: which(program),
        address: None,
    };
    EndAt { end: End::Pod(end), pod: Some(pod) }
}

/// A port of `rule` on the receiver: the first number, or one that it declares.
pub(super) fn first_port(model: &Model, ports: &[PortRule], receiver: Option<&PodFacts>) -> Option<(Protocol, u16)> {
    /// Any will do where all are meant and none is declared.
    const SOME_PORT: u16 = 80;
    let declared = || {
        let containers = receiver.into_iter().flat_map(|pod| &model.spec(pod).containers);
        containers.flat_map(|container| &container.ports).next()
    };
    if ports.is_empty() {
        return Some(declared().map_or((Protocol::Tcp, SOME_PORT), |port| (port.protocol, port.number)));
    }
    ports.iter().find_map(|port| {
        let number = match &port.port {
            PortMatch::Any => Some(SOME_PORT),
            PortMatch::Range(range) => Some(range.first()),
            PortMatch::Name(name) => model.spec(receiver?).named_port(name, port.protocol).next(),
        };
        number.map(|number| (port.protocol, number))
    })
}
