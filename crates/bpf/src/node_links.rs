//! The node's own links: which of them its packets leave by, and what number the node has for the network behind a veth.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

use crate::network::{attributes, inside, netlink, read_answers, request};

/// Hardware kind of a loopback and of Ethernet, from <linux/if_arp.h>.
const ARPHRD_ETHER: u16 = 1;
const ARPHRD_LOOPBACK: u16 = 772;
/// From <linux/rtnetlink.h>.
const RTN_UNICAST: u8 = 1;
const RTNLGRP_LINK: u32 = 1;
const RTNLGRP_IPV4_ROUTE: u32 = 7;
const RTNLGRP_IPV6_ROUTE: u32 = 11;

/// An interface of the node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NodeLink {
    /// Its index.
    pub interface: u32,
    /// Whether its packets begin with an Ethernet header.
    pub ethernet: bool,
    /// Whether routes to more than one address, or to a gateway, leave by it: packets go to other nodes and to the world.
    pub is_uplink: bool,
    /// Of a veth whose other end lies in another network: the node's number for that.
    pub namespace: Option<i32>,
}

impl NodeLink {
    /// Whether it may be the link of a pod that nobody told of: a veth to another network, with no routes but to single
    /// addresses.
    pub fn may_be_a_pods(&self) -> bool {
        self.namespace.is_some() && !self.is_uplink
    }
}

/// The interfaces of the node, in order. Those of known pods are among them.
///
/// # Errors
/// When the namespace cannot be entered or the kernel does not answer.
pub fn links(node: &File) -> io::Result<Vec<NodeLink>> {
    inside(node, || {
        let socket = netlink(libc::NETLINK_ROUTE)?;
        let routed = read_routes(&socket)?;
        let mut found = BTreeMap::new();
        // struct ifinfomsg, all zero: every interface.
        request(&socket, libc::RTM_GETLINK, DUMP, &[0; 16])?;
        read_answers(&socket, &mut |kind, body| {
            if kind == libc::RTM_NEWLINK
                && let Some(link) = parse_link(body, &routed)
            {
                found.insert(link.interface, link);
            }
        })?;
        Ok(found.into_values().collect())
    })?
}

/// Tells when links or routes of a node change.
#[derive(Debug)]
pub struct LinkWatch(OwnedFd);

impl LinkWatch {
    /// Watches from now on.
    ///
    /// # Errors
    /// When the namespace cannot be entered or the kernel refuses.
    pub fn new(node: &File) -> io::Result<Self> {
        inside(node, || {
            let socket = netlink(libc::NETLINK_ROUTE)?;
            let group = |number: u32| 1 << (number - 1);
            // SAFETY: a plain struct of integers.
            let mut address: libc::sockaddr_nl = unsafe { std::mem::zeroed() };
            address.nl_family = libc::AF_NETLINK as u16;
            address.nl_groups = group(RTNLGRP_LINK) | group(RTNLGRP_IPV4_ROUTE) | group(RTNLGRP_IPV6_ROUTE);
            // SAFETY: the address is as long as said.
            let bound = unsafe {
                libc::bind(
                    socket.as_raw_fd(),
                    std::ptr::from_ref(&address).cast(),
                    size_of::<libc::sockaddr_nl>() as libc::socklen_t,
                )
            };
            if bound == 0 { Ok(Self(socket)) } else { Err(io::Error::last_os_error()) }
        })?
    }

    /// Whether something changed since it was last asked.
    pub fn changed(&self) -> bool {
        let mut buffer = [0u8; 4096];
        let mut changed = false;
        loop {
            // SAFETY: the buffer is as long as said.
            let got =
                unsafe { libc::recv(self.0.as_raw_fd(), buffer.as_mut_ptr().cast(), buffer.len(), libc::MSG_DONTWAIT) };
            match got {
                // More news than the socket holds are news.
                -1 if io::Error::last_os_error().raw_os_error() != Some(libc::ENOBUFS) => return changed,
                0 => return changed,
                _ => changed = true,
            }
        }
    }
}

const DUMP: u16 = (libc::NLM_F_REQUEST | libc::NLM_F_DUMP) as u16;

/// `struct ifinfomsg`: family, a gap, kind, index, flags, change.
fn parse_link(body: &[u8], routed: &BTreeSet<u32>) -> Option<NodeLink> {
    let hardware = u16::from_ne_bytes(body.get(2..4)?.try_into().ok()?);
    let interface = u32::from_ne_bytes(body.get(4..8)?.try_into().ok()?);
    let (mut veth, mut namespace) = (false, None);
    for (kind, value) in attributes(body.get(16..)?) {
        match kind {
            libc::IFLA_LINK_NETNSID => namespace = value.try_into().ok().map(i32::from_ne_bytes),
            libc::IFLA_LINKINFO => {
                veth =
                    attributes(value).any(|(kind, value)| kind == libc::IFLA_INFO_KIND && value.starts_with(b"veth"));
            }
            _ => {}
        }
    }
    Some(NodeLink {
        interface,
        ethernet: hardware == ARPHRD_ETHER,
        is_uplink: hardware != ARPHRD_LOOPBACK && routed.contains(&interface),
        namespace: namespace.filter(|_| veth),
    })
}

/// The interfaces that a route to a network or a gateway leaves by.
fn read_routes(socket: &OwnedFd) -> io::Result<BTreeSet<u32>> {
    let mut routed = BTreeSet::new();
    for family in [libc::AF_INET, libc::AF_INET6] {
        // struct rtmsg: the family, and zeroes for every route.
        let mut body = [0u8; 12];
        body[0] = family as u8;
        request(socket, libc::RTM_GETROUTE, DUMP, &body)?;
        let answered = read_answers(socket, &mut |kind, body| {
            if kind == libc::RTM_NEWROUTE {
                routed.extend(parse_route(body).unwrap_or_default());
            }
        });
        // A kernel without IPv6 has no such routes.
        if family == libc::AF_INET {
            answered?;
        }
    }
    Ok(routed)
}

/// `struct rtmsg`: family, length of the destination's prefix, of the source's, service, table, protocol, scope, kind, flags.
fn parse_route(body: &[u8]) -> Option<Vec<u32>> {
    let (family, length, kind) = (i32::from(*body.first()?), *body.get(1)?, *body.get(7)?);
    if kind != RTN_UNICAST {
        return None;
    }
    let single = length >= if family == libc::AF_INET { 32 } else { 128 };
    let (mut interfaces, mut gateway) = (Vec::new(), false);
    for (kind, value) in attributes(body.get(12..)?) {
        match kind {
            // Every link has its own link-local and multicast routes.
            libc::RTA_DST if family == libc::AF_INET6 && is_of_one_link(value) => return None,
            libc::RTA_OIF => interfaces.extend(value.try_into().ok().map(u32::from_ne_bytes)),
            libc::RTA_GATEWAY | libc::RTA_VIA => gateway = true,
            libc::RTA_MULTIPATH => {
                gateway = true;
                interfaces.extend(next_hops(value));
            }
            _ => {}
        }
    }
    (gateway || !single).then_some(interfaces)
}

fn is_of_one_link(address: &[u8]) -> bool {
    matches!(address, [0xff, ..]) || matches!(address, [0xfe, second, ..] if second & 0xc0 == 0x80)
}

/// `struct rtnexthop`, one after the other: length, flags, hops, interface.
fn next_hops(mut bytes: &[u8]) -> Vec<u32> {
    let mut found = Vec::new();
    while let (Some(length), Some(interface)) = (bytes.get(..2), bytes.get(4..8)) {
        let length = usize::from(u16::from_ne_bytes([length[0], length[1]]));
        found.extend(interface.try_into().ok().map(u32::from_ne_bytes));
        if length < 8 {
            break;
        }
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or(&[]);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(family: i32, length: u8, kind: u8, attributes: &[(u16, &[u8])]) -> Vec<u8> {
        let mut body = vec![family as u8, length, 0, 0, 254, 0, 0, kind, 0, 0, 0, 0];
        for (kind, value) in attributes {
            body.extend((4 + value.len() as u16).to_ne_bytes());
            body.extend(kind.to_ne_bytes());
            body.extend(*value);
        }
        body
    }

    #[test]
    fn a_route_to_a_network_or_gateway_makes_an_uplink_and_one_to_a_pod_does_not() {
        const NONE: [u32; 0] = [];
        let by = 7u32.to_ne_bytes();
        let oif = (libc::RTA_OIF, &by[..]);
        let of = |family, length, kind, attributes: &[(u16, &[u8])]| {
            parse_route(&route(family, length, kind, attributes)).unwrap_or_default()
        };
        let (v4, v6) = (libc::AF_INET, libc::AF_INET6);
        assert_eq!(of(v4, 0, RTN_UNICAST, &[(libc::RTA_GATEWAY, &[10, 0, 0, 1]), oif]), [7]);
        assert_eq!(of(v4, 24, RTN_UNICAST, &[(libc::RTA_DST, &[10, 0, 0, 0]), oif]), [7]);
        assert_eq!(of(v4, 32, RTN_UNICAST, &[(libc::RTA_DST, &[10, 0, 0, 9]), oif]), NONE);
        assert_eq!(of(v4, 24, 2, &[(libc::RTA_DST, &[10, 0, 0, 0]), oif]), NONE, "a local one");
        let link_local = [&[0xfe, 0x80][..], &[0; 14]].concat();
        assert_eq!(of(v6, 64, RTN_UNICAST, &[(libc::RTA_DST, &link_local), oif]), NONE);
        let hops = [&[8, 0, 0, 0][..], &by, &[8, 0, 0, 0], &9u32.to_ne_bytes()].concat();
        assert_eq!(of(v6, 0, RTN_UNICAST, &[(libc::RTA_MULTIPATH, &hops)]), [7, 9]);
    }
}
