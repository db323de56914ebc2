//! Who stands at an end of a link.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use palisade_model::link::{End, Link, PodEnd, Which};
use palisade_model::object::Name;

use crate::UnknownEnd;
use crate::cluster::{Cluster, KnownPod};

/// One end of a link, once it is known whose it is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Party<'a> {
    /// A pod that is not its node; it may be over.
    Pod {
        pod: &'a KnownPod,
        container: Which,
        program: Which,
        address: Option<IpAddr>,
    },
    /// A node, or a host-network pod, which is its node.
    Node {
        name: Option<Name>,
        host_pod: Option<&'a KnownPod>,
        address: Option<IpAddr>,
    },
    /// A Service's address that was not translated.
    Service(IpAddr),
    /// The cloud's metadata service.
    Metadata(IpAddr),
    LinkLocal(IpAddr),
    /// Loopback or unspecified, of nobody in particular.
    Loopback(IpAddr),
    /// None of the others.
    World(IpAddr),
}

/// IPv4 or IPv6.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Family {
    V4,
    V6,
}

impl Family {
    pub fn of(address: IpAddr) -> Self {
        if address.is_ipv4() { Family::V4 } else { Family::V6 }
    }
}

/// Both ends of `link`, the sender first.
pub fn resolve<'a>(cluster: &'a Cluster<'a>, link: &Link) -> Result<(Party<'a>, Party<'a>), UnknownEnd> {
    let sender = resolve_end(cluster, &link.from, None)?;
    let receiver = resolve_end(cluster, &link.to, Some(&sender))?;
    Ok((sender, receiver))
}

fn resolve_end<'a>(cluster: &'a Cluster<'a>, end: &End, sender: Option<&Party<'a>>) -> Result<Party<'a>, UnknownEnd> {
    match end {
        End::Pod(PodEnd { namespace, name, container, program, address }) => {
            let pod = cluster.pod(namespace, name).ok_or_else(|| UnknownEnd(format!("pod {namespace}/{name}")))?;
            let is_there = |name: &Name| pod.spec.containers.iter().any(|container| container.name == *name);
            if let Which::Named(container) = container
                && !is_there(container)
            {
                return Err(UnknownEnd(format!("container {container} of pod {namespace}/{name}")));
            }
            let address = address.map(|address| address.to_canonical());
            Ok(if pod.spec.host_network {
                Party::Node { name: pod.node.clone(), host_pod: Some(pod), address }
            } else {
                Party::Pod { pod, container: container.clone(), program: program.clone(), address }
            })
        }
        End::Node { name, address } if cluster.has_node(name) => Ok(Party::Node {
            name: Some(name.clone()),
            host_pod: None,
            address: address.map(|address| address.to_canonical()),
        }),
        End::Node { name, .. } => Err(UnknownEnd(format!("node {name}"))),
        End::Address(address) => Ok(resolve_address(cluster, address.to_canonical(), sender)),
    }
}

fn resolve_address<'a>(cluster: &'a Cluster<'a>, address: IpAddr, sender: Option<&Party<'a>>) -> Party<'a> {
    if address.is_loopback() || address.is_unspecified() {
        // Whoever dials itself reaches itself.
        match sender {
            Some(Party::Pod { pod, .. }) => return whole_pod(pod, None),
            Some(Party::Node { name, host_pod, .. }) => {
                return Party::Node { name: name.clone(), host_pod: *host_pod, address: None };
            }
            Some(
                Party::Service(_) | Party::Metadata(_) | Party::LinkLocal(_) | Party::Loopback(_) | Party::World(_),
            )
            | None => return Party::Loopback(address),
        }
    }
    if let Some(pod) = cluster.pod_with_address(address) {
        return whole_pod(pod, Some(address));
    }
    if let Some(name) = cluster.node_with_address(address) {
        return Party::Node { name: Some(name), host_pod: None, address: Some(address) };
    }
    if cluster.is_service_address(address) {
        return Party::Service(address);
    }
    if is_metadata(address) {
        return Party::Metadata(address);
    }
    if is_link_local(address) {
        return Party::LinkLocal(address);
    }
    Party::World(address)
}

fn whole_pod<'a>(pod: &'a KnownPod, address: Option<IpAddr>) -> Party<'a> {
    Party::Pod { pod, container: Which::Unsaid, program: Which::Unsaid, address }
}

fn is_metadata(address: IpAddr) -> bool {
    address == IpAddr::V4(Ipv4Addr::new(169, 254, 169, 254))
        || address == IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254))
}

/// What goes to many goes to the link.
fn is_link_local(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => {
            address.is_link_local() || address.octets()[0] & 0xf0 == 224 || address.octets() == [255; 4]
        }
        IpAddr::V6(address) => address.segments()[0] & 0xffc0 == 0xfe80 || address.octets()[0] == 0xff,
    }
}

impl Party<'_> {
    /// What to call a pod or node whose address is missing.
    pub fn shown(&self) -> String {
        match self {
            Party::Pod { pod, .. } | Party::Node { name: None, host_pod: Some(pod), .. } => pod.full_name(),
            Party::Node { name: Some(name), .. } => format!("node {name}"),
            Party::Node { name: None, host_pod: None, .. } => "node".to_owned(),
            Party::Service(address)
            | Party::Metadata(address)
            | Party::LinkLocal(address)
            | Party::Loopback(address)
            | Party::World(address) => address.to_string(),
        }
    }

    /// The pod, when this end decides: a pod with an address of its own.
    pub fn deciding_pod(&self) -> Option<&KnownPod> {
        match self {
            Party::Pod { pod, .. } if pod.has_own_address() => Some(pod),
            Party::Pod { .. }
            | Party::Node { .. }
            | Party::Service(_)
            | Party::Metadata(_)
            | Party::LinkLocal(_)
            | Party::Loopback(_)
            | Party::World(_) => None,
        }
    }

    /// Every address that this end may have; none when that is not known.
    pub fn addresses(&self, cluster: &Cluster<'_>) -> Vec<IpAddr> {
        match self {
            // What is over has no address, whatever was said.
            Party::Pod { pod, .. } if pod.is_completed() => Vec::new(),
            Party::Pod { address: Some(address), .. } | Party::Node { address: Some(address), .. } => vec![*address],
            Party::Pod { pod, address: None, .. } => pod.own_addresses().to_vec(),
            Party::Node { name: Some(name), address: None, .. } => cluster.node_addresses(name),
            Party::Node { name: None, host_pod, address: None } => {
                host_pod.map(|pod| [&pod.addresses[..], &pod.host_addresses[..]].concat()).unwrap_or_default()
            }
            Party::Service(address)
            | Party::Metadata(address)
            | Party::LinkLocal(address)
            | Party::Loopback(address)
            | Party::World(address) => vec![*address],
        }
    }

    /// Its addresses of the family that a link with `other` uses: the first that both have, IPv4
    /// first. An end whose addresses are not known may have either; when no family is common, all.
    pub fn addresses_towards(&self, cluster: &Cluster<'_>, other: &Party<'_>) -> Vec<IpAddr> {
        let mine = self.addresses(cluster);
        let theirs = other.addresses(cluster);
        let has = |addresses: &[IpAddr], family| {
            addresses.is_empty() || addresses.iter().any(|address| Family::of(*address) == family)
        };
        let in_play = [Family::V4, Family::V6].into_iter().find(|family| has(&mine, *family) && has(&theirs, *family));
        let is_in_play = |address: &IpAddr| in_play.is_none_or(|family| family == Family::of(*address));
        mine.into_iter().filter(is_in_play).collect()
    }
}

/// Whether both ends are the same pod.
pub fn is_own_address(sender: &Party<'_>, receiver: &Party<'_>) -> bool {
    match (sender, receiver) {
        (Party::Pod { pod: sender, .. }, Party::Pod { pod: receiver, .. }) => {
            (&sender.namespace, &sender.name) == (&receiver.namespace, &receiver.name)
        }
        _ => false,
    }
}
