//! Which addresses the lab gives to nodes, pods, Services and the world.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use palisade_model::IpNet;

/// A lab has no more nodes than this: each has an agent, and one machine is shared by all.
pub const MOST_NODES: u8 = 2;

/// The cluster DNS Service's address.
pub const DNS_ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 96, 0, 10);

/// The world's own address, from which it speaks when nobody says otherwise.
pub const WORLD_ADDRESS: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 1);

/// The world's own IPv6 address.
pub const WORLD_ADDRESS_6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0x203, 0, 0, 0, 0, 1);

/// What every pod sees as its gateway: no pod's, node's or Service's address.
pub(crate) const GATEWAY: Ipv4Addr = Ipv4Addr::new(169, 254, 1, 1);

/// The gateway's IPv6 twin.
pub(crate) const GATEWAY_6: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1);

/// The world's end of the underlay, the nodes' default route.
pub(crate) const UNDERLAY_GATEWAY: Ipv4Addr = Ipv4Addr::new(172, 31, 0, 1);

/// The underlay gateway's IPv6 twin.
pub(crate) const UNDERLAY_GATEWAY_6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0x172, 0x31, 0, 0, 0, 0, 1);

/// Services whose address nobody chose start here; below lie `kubernetes` and the DNS.
const FIRST_SERVICE: u16 = 20;

/// The last part of the first pod's address on a node; 1 looks like a gateway.
const FIRST_POD: u8 = 2;

/// The range of NodePorts.
///
/// Source: kube-apiserver, `--service-node-port-range`.
const NODE_PORTS: std::ops::RangeInclusive<u16> = 30000..=32767;

/// The address of node `number` (from 1).
pub fn node_address(number: u8) -> Ipv4Addr {
    Ipv4Addr::new(172, 31, 0, 10 + number)
}

/// The IPv6 address of node `number` (from 1): `fd00:172:31::1N`, as it is read.
pub fn node_address_6(number: u8) -> Ipv6Addr {
    Ipv6Addr::new(0xfd00, 0x172, 0x31, 0, 0, 0, 0, 0x10 + u16::from(number))
}

/// The pods' addresses of node `number` (from 1).
pub fn pod_networks(number: u8) -> [IpNet; 2] {
    let v4 = IpNet::new(Ipv4Addr::new(10, 244, number, 0).into(), 24);
    let v6 = IpNet::new(Ipv6Addr::new(0xfd00, 0x10, 0x244, u16::from(number), 0, 0, 0, 0).into(), 64);
    [v4, v6].map(|net| net.expect("24 and 64 are lengths of a prefix"))
}

/// All pods' addresses.
pub fn cluster_networks() -> [IpNet; 2] {
    let v4 = IpNet::new(Ipv4Addr::new(10, 244, 0, 0).into(), 16);
    let v6 = IpNet::new(Ipv6Addr::new(0xfd00, 0x10, 0x244, 0, 0, 0, 0, 0).into(), 48);
    [v4, v6].map(|net| net.expect("16 and 48 are lengths of a prefix"))
}

/// The Services' addresses.
pub fn service_networks() -> [IpNet; 2] {
    let v4 = IpNet::new(Ipv4Addr::new(10, 96, 0, 0).into(), 16);
    let v6 = IpNet::new(Ipv6Addr::new(0xfd00, 0x10, 0x96, 0, 0, 0, 0, 0).into(), 112);
    [v4, v6].map(|net| net.expect("16 and 112 are lengths of a prefix"))
}

/// The nodes' addresses.
pub fn node_networks() -> [IpNet; 2] {
    let v4 = IpNet::new(Ipv4Addr::new(172, 31, 0, 0).into(), 24);
    let v6 = IpNet::new(Ipv6Addr::new(0xfd00, 0x172, 0x31, 0, 0, 0, 0, 0).into(), 64);
    [v4, v6].map(|net| net.expect("24 and 64 are lengths of a prefix"))
}

/// The outside world's addresses: documentation ranges, nobody's.
///
/// Source: RFC 5737 and RFC 3849.
pub fn world_networks() -> [IpNet; 2] {
    let v4 = IpNet::new(Ipv4Addr::new(203, 0, 113, 0).into(), 24);
    let v6 = IpNet::new(Ipv6Addr::new(0x2001, 0xdb8, 0x203, 0, 0, 0, 0, 0).into(), 64);
    [v4, v6].map(|net| net.expect("24 and 64 are lengths of a prefix"))
}

/// Whether `address` is one of the outside world's.
pub fn is_world(address: IpAddr) -> bool {
    world_networks().iter().any(|net| net.contains(&address))
}

/// Hands out addresses, and takes back what is free again.
#[derive(Debug, Default)]
pub(crate) struct AddressPlan {
    pods: [Pool; MOST_NODES as usize],
    services: BTreeSet<u16>,
    node_ports: BTreeSet<u16>,
}

/// The pods of one node, by the last part of their address.
#[derive(Debug, Default)]
struct Pool {
    taken: BTreeSet<u8>,
    last: u8,
}

impl AddressPlan {
    /// An address pair for a pod of node `number` (from 1); `None` when the node is full.
    ///
    /// The next free one after the last given, so that an address is reused as late as possible.
    pub fn take_pod(&mut self, number: u8) -> Option<[IpAddr; 2]> {
        let pool = self.pods.get_mut(usize::from(number.checked_sub(1)?))?;
        let after = (pool.last.max(FIRST_POD - 1)..=253).map(|last| last + 1);
        let part = after.chain(FIRST_POD..=254).find(|part| !pool.taken.contains(part))?;
        pool.taken.insert(part);
        pool.last = part;
        Some(pod_addresses(number, part))
    }

    /// Frees a pod's address.
    pub fn free_pod(&mut self, address: IpAddr) {
        if let IpAddr::V4(address) = address {
            let [_, _, number, part] = address.octets();
            if let Some(pool) = usize::from(number).checked_sub(1).and_then(|index| self.pods.get_mut(index)) {
                pool.taken.remove(&part);
            }
        }
    }

    /// Marks an address that a manifest chose.
    pub fn reserve_service(&mut self, address: IpAddr) {
        match address {
            IpAddr::V4(address) => {
                let [_, _, high, low] = address.octets();
                self.services.insert(u16::from_be_bytes([high, low]));
            }
            IpAddr::V6(address) => {
                self.services.insert(address.segments()[7]);
            }
        }
    }

    /// A Service's address pair; `None` when all are given away.
    pub fn take_service(&mut self) -> Option<[IpAddr; 2]> {
        let number = (FIRST_SERVICE..u16::MAX).find(|number| !self.services.contains(number))?;
        self.services.insert(number);
        let [high, low] = number.to_be_bytes();
        let v6 = Ipv6Addr::new(0xfd00, 0x10, 0x96, 0, 0, 0, 0, number);
        Some([Ipv4Addr::new(10, 96, high, low).into(), v6.into()])
    }

    /// Marks a NodePort that a manifest chose; `false` when it is taken or out of range.
    pub fn reserve_node_port(&mut self, port: u16) -> bool {
        NODE_PORTS.contains(&port) && self.node_ports.insert(port)
    }

    /// A free NodePort.
    pub fn take_node_port(&mut self) -> Option<u16> {
        let port = NODE_PORTS.rev().find(|port| !self.node_ports.contains(port))?;
        self.node_ports.insert(port);
        Some(port)
    }
}

/// The pair of addresses of pod `part` on node `number`.
fn pod_addresses(number: u8, part: u8) -> [IpAddr; 2] {
    let v6 = Ipv6Addr::new(0xfd00, 0x10, 0x244, u16::from(number), 0, 0, 0, u16::from(part));
    [Ipv4Addr::new(10, 244, number, part).into(), v6.into()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_reused_as_late_as_possible() {
        let mut plan = AddressPlan::default();
        let first = plan.take_pod(1).expect("an empty node has room");
        assert_eq!(first.map(|address| address.to_string()), ["10.244.1.2", "fd00:10:244:1::2"]);
        plan.free_pod(first[0]);
        for last in (3..=254).chain([2]) {
            assert_eq!(plan.take_pod(1).map(|pair| pair[0]), Some(IpAddr::V4(Ipv4Addr::new(10, 244, 1, last))));
        }
        assert_eq!(plan.take_pod(1), None);
        assert!(plan.take_pod(2).is_some());
        assert_eq!(plan.take_pod(3), None);
    }

    #[test]
    fn a_service_gets_no_address_that_a_manifest_chose() {
        let mut plan = AddressPlan::default();
        plan.reserve_service(IpAddr::V4(Ipv4Addr::new(10, 96, 0, 20)));
        assert_eq!(plan.take_service().map(|pair| pair[0].to_string()), Some("10.96.0.21".to_owned()));
    }

    #[test]
    fn node_addresses_read_like_their_number() {
        assert_eq!(node_address(1).to_string(), "172.31.0.11");
        assert_eq!(node_address_6(2).to_string(), "fd00:172:31::12");
    }
}
