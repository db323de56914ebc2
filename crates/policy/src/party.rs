//! The two ends of a link, resolved.

use std::net::IpAddr;

use palisade_model::Timestamp;
use palisade_model::link::{End, Link, OWN_NODE, Which};
use palisade_model::object::Name;
use palisade_model::port::Protocol;

use crate::dial::{Backend, BackendEnd};
use crate::model::{AddressOwner, Model, PodFacts};

/// An end that the input does not have.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum UnknownEnd {
    #[error("there is no pod `{namespace}/{name}`")]
    Pod { namespace: Name, name: Name },
    #[error("pod `{namespace}/{name}` has no container `{container}`")]
    Container { namespace: Name, name: Name, container: Name },
    #[error("there is no node `{name}`")]
    Node { name: Name },
}

/// One end, resolved.
#[derive(Clone, Debug)]
pub(crate) enum Party<'m> {
    /// A pod with an address of its own (now, or once it runs).
    Pod { pod: &'m PodFacts, container: Which, program: Which, address: Option<IpAddr> },
    /// A node's own network: its processes and its host-network pods.
    /// `host_pod`: the host-network pod that was named, when one was.
    Node { name: Option<Name>, addresses: Vec<IpAddr>, host_pod: Option<&'m PodFacts> },
    /// Any other address.
    Address { address: IpAddr, kind: AddressKind },
}

/// What an address is that belongs to no pod and no node.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum AddressKind {
    World,
    Service,
    Metadata,
    LinkLocal,
    Loopback,
}

/// Source: EC2, GCE and Azure serve instance metadata at the first; EC2 over IPv6 at the second.
pub(crate) const METADATA: [IpAddr; 2] = [
    IpAddr::V4(std::net::Ipv4Addr::new(169, 254, 169, 254)),
    IpAddr::V6(std::net::Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)),
];

impl AddressKind {
    /// What `address` is, given that no pod, node or Service has it.
    pub(crate) fn of(address: IpAddr) -> Self {
        // Multicast and broadcast reach whoever is on the link, the node first.
        let link_local = match address {
            IpAddr::V4(v4) => v4.is_link_local() || v4.is_multicast() || v4.is_broadcast(),
            IpAddr::V6(v6) => v6.is_unicast_link_local() || v6.is_multicast(),
        };
        if METADATA.contains(&address) {
            Self::Metadata
        } else if link_local {
            Self::LinkLocal
        } else if address.is_loopback() || address.is_unspecified() {
            Self::Loopback
        } else {
            Self::World
        }
    }
}

/// A link with both ends resolved, at an instant.
#[derive(Clone, Debug)]
pub(crate) struct Situation<'m> {
    pub(crate) from: Party<'m>,
    pub(crate) to: Party<'m>,
    pub(crate) transport: Transport,
    pub(crate) now: Timestamp,
    /// The pod talks to itself.
    pub(crate) own_address: bool,
    /// What the judging node knows of the sender.
    pub(crate) sender_proof: SenderProof,
}

/// What carries the link.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Transport {
    /// A protocol with ports, and the receiver's port.
    Port { protocol: Protocol, port: u16 },
    /// ICMP echo: only rules without ports cover it.
    Portless,
    /// Some port of the protocol: what could match on any does. For finding the rules that matter to
    /// a pair, never for a verdict.
    AnyPort(Protocol),
}

impl Transport {
    /// Whether it is `protocol`, on a port that `wanted` takes.
    pub(crate) fn is(self, protocol: Protocol, wanted: impl FnOnce(u16) -> bool) -> bool {
        match self {
            Self::Port { protocol: own, port } => own == protocol && wanted(port),
            Self::AnyPort(own) => own == protocol,
            Self::Portless => false,
        }
    }
}

impl std::fmt::Display for Transport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Port { protocol, port } => write!(f, "{protocol} {port}"),
            Self::Portless => f.write_str("ICMP"),
            Self::AnyPort(protocol) => write!(f, "{protocol}"),
        }
    }
}

/// What the judging node knows of the sender.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum SenderProof {
    /// Container and program: it is the sender's own node, or the same node.
    Process,
    /// The pod behind the address, and that the pod's node has judged container and program.
    JudgedPod,
    /// The pod behind the address alone.
    Address,
}

impl Model {
    /// Resolves both ends of `link`.
    pub(crate) fn situation(&self, link: &Link, now: Timestamp) -> Result<Situation<'_>, UnknownEnd> {
        let mut from = self.party(&link.from, None)?;
        let sender = match &from {
            Party::Pod { pod, .. } => Some(*pod),
            Party::Node { .. } | Party::Address { .. } => None,
        };
        let mut to = self.party(&link.to, sender)?;
        let own_address = match (&from, &to) {
            (Party::Pod { pod: a, .. }, Party::Pod { pod: b, .. }) => a.index == b.index,
            _ => false,
        };
        choose_family(&mut from, &mut to);
        Ok(Situation {
            from,
            to,
            transport: Transport::Port { protocol: link.protocol, port: link.port },
            now,
            own_address,
            sender_proof: SenderProof::Process,
        })
    }

    /// The party of an end about whose other end nothing is known.
    pub(crate) fn party_of(&self, end: &End) -> Result<Party<'_>, UnknownEnd> {
        self.party(end, None)
    }

    fn party<'m>(&'m self, end: &End, sender: Option<&'m PodFacts>) -> Result<Party<'m>, UnknownEnd> {
        match end {
            End::Pod(end) => {
                let pod = self
                    .pod_named(&end.namespace, &end.name)
                    .ok_or_else(|| UnknownEnd::Pod { namespace: end.namespace.clone(), name: end.name.clone() })?;
                let spec = self.spec(pod);
                if let Which::Named(container) = &end.container
                    && !spec.containers.iter().any(|candidate| candidate.name == *container)
                {
                    return Err(UnknownEnd::Container {
                        namespace: end.namespace.clone(),
                        name: end.name.clone(),
                        container: container.clone(),
                    });
                }
                if spec.host_network {
                    return Ok(self.node_party(pod.node.clone(), end.address, Some(pod)));
                }
                let address = end.address.map(|address| address.to_canonical());
                Ok(Party::Pod { pod, container: end.container.clone(), program: end.program.clone(), address })
            }
            End::Node { name, address } => {
                if &**name != OWN_NODE && self.node_named(name).is_none() {
                    return Err(UnknownEnd::Node { name: name.clone() });
                }
                Ok(self.node_party(Some(name.clone()), *address, None))
            }
            End::Address(address) => Ok(self.address_party(address.to_canonical(), sender)),
        }
    }

    fn node_party<'m>(
        &'m self,
        name: Option<Name>,
        address: Option<IpAddr>,
        host_pod: Option<&'m PodFacts>,
    ) -> Party<'m> {
        let addresses = match (address, &name) {
            (Some(address), _) => vec![address.to_canonical()],
            (None, Some(name)) => self.node_named(name).map(|node| node.addresses.clone()).unwrap_or_default(),
            (None, None) => Vec::new(),
        };
        Party::Node { name, addresses, host_pod }
    }

    fn address_party<'m>(&'m self, address: IpAddr, sender: Option<&'m PodFacts>) -> Party<'m> {
        match self.owner_of(address) {
            Some(AddressOwner::Pod(index)) => receiver(self.pod(index), Some(address)),
            Some(AddressOwner::Node(position)) => {
                let name = self.nodes[position].name.clone();
                Party::Node { name: Some(name), addresses: vec![address], host_pod: None }
            }
            Some(AddressOwner::Service(_)) => Party::Address { address, kind: AddressKind::Service },
            None => match (AddressKind::of(address), sender) {
                (AddressKind::Loopback, Some(pod)) => receiver(pod, None),
                (kind, _) => Party::Address { address, kind },
            },
        }
    }
}

/// A pod as a receiver: which container and program listens follows from the port.
pub(crate) fn receiver(pod: &PodFacts, address: Option<IpAddr>) -> Party<'_> {
    Party::Pod { pod, container: Which::Unsaid, program: Which::Unsaid, address }
}

impl Model {
    /// A Service's backend as a receiver.
    pub(crate) fn backend_party(&self, backend: &Backend) -> Party<'_> {
        match backend.end {
            BackendEnd::Pod(index) => receiver(self.pod(index), backend.address),
            BackendEnd::Address(address) => match self.owner_of(address) {
                Some(AddressOwner::Node(position)) => {
                    let name = self.nodes[position].name.clone();
                    Party::Node { name: Some(name), addresses: vec![address], host_pod: None }
                }
                Some(AddressOwner::Pod(index)) => receiver(self.pod(index), Some(address)),
                Some(AddressOwner::Service(_)) => Party::Address { address, kind: AddressKind::Service },
                None => Party::Address { address, kind: AddressKind::of(address) },
            },
        }
    }
}

/// Gives pods whose address was not said the one of the first family that both ends have.
fn choose_family<'m>(from: &mut Party<'m>, to: &mut Party<'m>) {
    let v4 = families(from).0 && families(to).0;
    for party in [from, to] {
        if let Party::Pod { pod, address: address @ None, .. } = party {
            *address = pod.addresses.iter().copied().find(|candidate| candidate.is_ipv4() == v4);
        } else if let Party::Node { addresses, .. } = party
            && addresses.iter().any(|address| address.is_ipv4() == v4)
        {
            addresses.retain(|address| address.is_ipv4() == v4);
        }
    }
}

/// Whether the party can be reached over IPv4 and IPv6; what has no address yet counts as both.
fn families(party: &Party<'_>) -> (bool, bool) {
    let of = |addresses: &[IpAddr]| {
        if addresses.is_empty() {
            return (true, true);
        }
        (addresses.iter().any(IpAddr::is_ipv4), addresses.iter().any(IpAddr::is_ipv6))
    };
    match party {
        Party::Pod { address: Some(address), .. } | Party::Address { address, .. } => of(&[*address]),
        Party::Pod { pod, address: None, .. } => of(&pod.addresses),
        Party::Node { addresses, .. } => of(addresses),
    }
}
