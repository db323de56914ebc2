//! What to dial in a running lab, and which links to ask the engine about.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use palisade_model::Inventory;
use palisade_model::link::{End, Link, PodEnd, Which};
use palisade_model::object::Name;
use palisade_model::pod::Pod;
use palisade_model::port::Protocol;

/// One connection to try from the pod's own node.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NodeTry {
    /// The pod.
    pub to: PodOf,
    /// Its port.
    pub port: u16,
}

/// One connection to try, over TCP and IPv4.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Try {
    /// Who connects.
    pub from: Sender,
    /// Whom.
    pub to: Target,
    /// The port to dial: the pod's, or with a Service the Service's.
    pub port: u16,
}

/// Who connects.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Sender {
    /// The pod.
    pub pod: PodOf,
    /// Its container.
    pub container: String,
    /// The program in the container.
    pub program: Program,
}

/// A pod of a workload.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PodOf {
    /// The workload's namespace.
    pub namespace: String,
    /// The workload's name; a bare Pod's own.
    pub workload: String,
    /// Which of its pods, in the order of their names; counted round.
    pub replica: usize,
}

/// The program that connects.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Program {
    /// One of the image, by path (annotations `lab.palisade.dev/program.*` and `extra-programs.*`).
    OfImage(String),
    /// One dropped into the running container: no policy can name it.
    Dropped,
}

/// Whom to connect to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Target {
    /// A pod's address.
    Pod(PodOf),
    /// The sender's own pod, by its address.
    OwnPod,
    /// 127.0.0.1.
    Loopback,
    /// A Service's cluster address.
    Service {
        /// The Service's namespace.
        namespace: String,
        /// The Service's name.
        name: String,
    },
    /// A node's address, by the node's name.
    Node(String),
    /// An address outside.
    Outside(IpAddr),
}

/// What to dial, and what to ask.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Dial {
    /// The sender's pod: namespace and name.
    pub pod: (Name, Name),
    /// The address to dial.
    pub address: IpAddr,
    /// Over what.
    pub protocol: Protocol,
    /// The port to dial.
    pub port: u16,
    /// The one link; to a Service one a ready backend: where they differ, that of the one that is reached holds,
    /// none at all as `no-endpoints` or `no-service-port`.
    pub links: Vec<Link>,
}

impl PodOf {
    /// The pod in the inventory of a running lab.
    pub fn find<'a>(&self, inventory: &'a Inventory) -> Option<&'a Pod> {
        let prefix = format!("{}-", self.workload);
        let mut pods: Vec<&Pod> = inventory
            .pods
            .iter()
            .map(Arc::as_ref)
            .filter(|pod| {
                let by_owner = |name: &str| name == self.workload || name.starts_with(&prefix);
                pod.meta.namespace() == self.namespace
                    && match &pod.meta.owner {
                        Some(owner) => by_owner(&owner.name),
                        None => pod.meta.name() == self.workload,
                    }
            })
            .collect();
        pods.sort_by_key(|pod| pod.meta.name());
        if pods.is_empty() { None } else { Some(pods[self.replica % pods.len()]) }
    }
}

impl Try {
    /// What to dial over TCP and IPv4 in the running lab that `inventory` was read from; `None` when it
    /// lacks an end or such an address of it.
    pub fn dial(&self, inventory: &Inventory) -> Option<Dial> {
        self.dial_over(inventory, Protocol::Tcp, Family::V4)
    }

    /// The same over another protocol or family.
    pub fn dial_over(&self, inventory: &Inventory, protocol: Protocol, family: Family) -> Option<Dial> {
        let sender = self.from.pod.find(inventory)?;
        let from = End::Pod(PodEnd {
            namespace: sender.meta.namespace().into(),
            name: sender.meta.name().into(),
            container: Which::Named(self.from.container.as_str().into()),
            program: match &self.from.program {
                Program::OfImage(path) => Which::Named(path.as_str().into()),
                Program::Dropped => Which::Other,
            },
            address: None,
        });
        let address = self.address(inventory, sender, family)?;
        let link = |to, port| Link { from: from.clone(), to, protocol, port };
        let links = match &self.to {
            Target::Service { namespace, name } => {
                let backends = backends(inventory, (namespace, name), (protocol, self.port), family);
                backends.into_iter().map(|(address, port)| link(End::Address(address), port)).collect()
            }
            Target::Pod(_) | Target::OwnPod | Target::Loopback | Target::Node(_) | Target::Outside(_) => {
                vec![link(End::Address(address), self.port)]
            }
        };
        let pod = (sender.meta.namespace().into(), sender.meta.reference.name.clone());
        Some(Dial { pod, address, protocol, port: self.port, links })
    }

    fn address(&self, inventory: &Inventory, sender: &Pod, family: Family) -> Option<IpAddr> {
        let first = |addresses: &[IpAddr]| addresses.iter().copied().find(|address| family.has(*address));
        match &self.to {
            // A host-network pod has those of its node.
            Target::Pod(pod) => first(&pod.find(inventory)?.addresses),
            Target::OwnPod => first(sender.own_addresses()),
            Target::Loopback => first(&[Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()]),
            Target::Service { namespace, name } => {
                let is_it = |meta: &palisade_model::Meta| meta.namespace() == namespace && meta.name() == name;
                first(&inventory.services.iter().find(|service| is_it(&service.meta))?.cluster_ips)
            }
            Target::Node(name) => first(&inventory.nodes.iter().find(|node| node.meta.name() == name)?.addresses),
            Target::Outside(address) => first(&[*address]),
        }
    }
}

/// The address family of a try.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs)]
pub enum Family {
    V4,
    V6,
}

impl Family {
    fn has(self, address: IpAddr) -> bool {
        address.is_ipv4() == (self == Self::V4)
    }
}

/// Address and port of each ready endpoint behind one port of a Service, from its slices.
fn backends(
    inventory: &Inventory,
    (namespace, name): (&str, &str),
    (protocol, port): (Protocol, u16),
    family: Family,
) -> Vec<(IpAddr, u16)> {
    let mut backends = Vec::new();
    let services = inventory.services.iter();
    for service in services.filter(|service| service.meta.namespace() == namespace && service.meta.name() == name) {
        for own in service.ports.iter().filter(|own| own.port == port && own.protocol == protocol) {
            let slices = inventory.endpoint_slices.iter();
            for slice in
                slices.filter(|slice| slice.meta.namespace() == namespace && slice.service.as_deref() == Some(name))
            {
                let same_port = |listed: &&palisade_model::service::EndpointPort| {
                    listed.name.as_deref().unwrap_or_default() == own.name.as_deref().unwrap_or_default()
                        && listed.protocol == own.protocol
                };
                let Some(number) = slice.ports.iter().find(same_port).and_then(|listed| listed.port) else { continue };
                let ready = slice.endpoints.iter().filter(|endpoint| endpoint.ready);
                let addresses = ready.flat_map(|endpoint| &endpoint.addresses).filter(|address| family.has(**address));
                backends.extend(addresses.map(|address| (*address, number)));
            }
        }
    }
    backends.sort_unstable();
    backends.dedup();
    backends
}
