//! Nodes, pods and the world as routed network namespaces.

use std::fmt::Write;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;

use crate::address_plan::{
    GATEWAY, GATEWAY_6, UNDERLAY_GATEWAY, UNDERLAY_GATEWAY_6, WORLD_ADDRESS, WORLD_ADDRESS_6, node_address,
    node_address_6, pod_networks, world_networks,
};
use crate::error::LabError;
use crate::netns::Netns;

/// Sysctls of nodes and world: they route, in silence.
const ROUTER: [(&str, &str); 9] = [
    ("ipv4/ip_forward", "1"),
    ("ipv4/conf/all/rp_filter", "0"),
    ("ipv4/conf/default/rp_filter", "0"),
    ("ipv4/conf/all/send_redirects", "0"),
    ("ipv4/conf/default/send_redirects", "0"),
    ("ipv4/conf/all/arp_announce", "2"),
    ("ipv6/conf/all/disable_ipv6", "0"),
    ("ipv6/conf/all/forwarding", "1"),
    ("ipv6/conf/default/accept_dad", "0"),
];

/// Sysctls of pods, as containerd sets them: low ports and ping need no capability.
const POD: [(&str, &str); 5] = [
    ("ipv4/ip_unprivileged_port_start", "0"),
    ("ipv4/ping_group_range", "0 2147483647"),
    ("ipv6/conf/all/disable_ipv6", "0"),
    ("ipv6/conf/default/accept_ra", "0"),
    ("ipv6/conf/default/accept_dad", "0"),
];

/// The networks of a lab.
#[derive(Debug)]
pub(crate) struct Network {
    /// The outside world; it also holds the bridge that the nodes' uplinks are plugged into.
    pub world: Netns,
    /// The nodes' namespaces, in order.
    pub nodes: Vec<Netns>,
    /// Our own number in procfs, to name our descriptors.
    holder: u32,
    /// Whether this kernel has IPv6.
    pub ipv6: bool,
}

impl Network {
    /// Makes the world and `nodes` nodes, and routes between them.
    ///
    /// # Errors
    /// When a namespace, link, address or route cannot be made.
    pub fn create(nodes: u8, holder: u32) -> Result<Self, LabError> {
        let ipv6 = Path::new("/proc/sys/net/ipv6").exists();
        let world = Netns::create()?;
        let nodes = (0..nodes).map(|_| Netns::create()).collect::<Result<Vec<_>, _>>()?;
        let network = Self { world, nodes, holder, ipv6 };
        // Interfaces take what is the default when they are made.
        for namespace in network.nodes.iter().chain([&network.world]) {
            namespace.sysctls(&ROUTER)?;
        }
        network.world.ip(&network.world_script())?;
        for (number, node) in (1..).zip(&network.nodes) {
            node.ip(&network.node_script(number))?;
        }
        Ok(network)
    }

    fn numbers(&self) -> std::ops::RangeInclusive<u8> {
        1..=u8::try_from(self.nodes.len()).unwrap_or(u8::MAX)
    }

    /// The bridge is the underlay; its own address is the world's, and the nodes' default route.
    /// Every address of the world's ranges is local to it, so that a server there can have any.
    fn world_script(&self) -> String {
        let mut script = Script::new(self.ipv6);
        script.both("link set lo up");
        script.both("link add underlay type bridge");
        script.both(format_args!("addr add {UNDERLAY_GATEWAY}/24 dev underlay"));
        script.v6(format_args!("addr add {UNDERLAY_GATEWAY_6}/64 dev underlay nodad noprefixroute"));
        script.both(format_args!("addr add {WORLD_ADDRESS}/32 dev lo"));
        script.v6(format_args!("addr add {WORLD_ADDRESS_6}/128 dev lo nodad"));
        script.both("link set underlay up");
        for (number, node) in (1..).zip(&self.nodes) {
            let peer = node.path(self.holder);
            script.both(format_args!("link add node{number} type veth peer name eth0 netns {}", peer.display()));
            script.both(format_args!("link set node{number} master underlay up"));
        }
        for net in world_networks() {
            script.family(net.addr(), format_args!("route add local {net} dev lo"));
        }
        script.both(format_args!("route replace 172.31.0.0/24 dev underlay src {WORLD_ADDRESS}"));
        script.v6(format_args!("route replace fd00:172:31::/64 dev underlay src {WORLD_ADDRESS_6}"));
        for number in self.numbers() {
            for net in pod_networks(number) {
                let (via, from): (IpAddr, IpAddr) = match net.addr() {
                    IpAddr::V4(_) => (node_address(number).into(), WORLD_ADDRESS.into()),
                    IpAddr::V6(_) => (node_address_6(number).into(), WORLD_ADDRESS_6.into()),
                };
                script.family(via, format_args!("route add {net} via {via} src {from}"));
            }
        }
        script.text
    }

    fn node_script(&self, number: u8) -> String {
        let mut script = Script::new(self.ipv6);
        script.both("link set lo up");
        script.both(format_args!("addr add {}/24 dev eth0", node_address(number)));
        script.v6(format_args!("addr add {}/64 dev eth0 nodad", node_address_6(number)));
        script.both("link set eth0 up");
        script.both(format_args!("route add default via {UNDERLAY_GATEWAY} src {}", node_address(number)));
        script.v6(format_args!("route add default via {UNDERLAY_GATEWAY_6} src {}", node_address_6(number)));
        for other in self.numbers().filter(|other| *other != number) {
            for net in pod_networks(other) {
                let via: IpAddr = match net.addr() {
                    IpAddr::V4(_) => node_address(other).into(),
                    IpAddr::V6(_) => node_address_6(other).into(),
                };
                script.family(via, format_args!("route add {net} via {via}"));
            }
        }
        script.text
    }

    /// Makes a pod's namespace and links it to node `number` (from 1) by a routed veth, whose end
    /// on the node is called `link`.
    ///
    /// # Errors
    /// When the namespace, link, addresses or routes cannot be made.
    pub fn add_pod(&self, number: u8, link: &str, addresses: [IpAddr; 2]) -> Result<Netns, LabError> {
        let node = &self.nodes[usize::from(number) - 1];
        let pod = Netns::create()?;
        pod.sysctls(&POD)?;
        let mut script = Script::new(self.ipv6);
        script.both(format_args!("link add {link} type veth peer name eth0 netns {}", pod.path(self.holder).display()));
        script.both(format_args!("addr add {GATEWAY}/32 dev {link} scope link"));
        script.v6(format_args!("link set {link} addrgenmode none"));
        script.v6(format_args!("addr add {GATEWAY_6}/64 dev {link} nodad"));
        script.both(format_args!("link set {link} up"));
        for address in addresses {
            let (own, length): (IpAddr, u8) = match address {
                IpAddr::V4(_) => (node_address(number).into(), 32),
                IpAddr::V6(_) => (node_address_6(number).into(), 128),
            };
            script.family(address, format_args!("route add {address}/{length} dev {link} src {own}"));
        }
        node.ip(&script.text)?;

        let mut script = Script::new(self.ipv6);
        script.both("link set lo up");
        for address in addresses {
            let (length, nodad) = if address.is_ipv4() { (32, "") } else { (128, " nodad") };
            script.family(address, format_args!("addr add {address}/{length} dev eth0{nodad}"));
        }
        script.both("link set eth0 up");
        script.both(format_args!("route add {GATEWAY} dev eth0 scope link"));
        script.both(format_args!("route add default via {GATEWAY} dev eth0"));
        script.v6(format_args!("route add default via {GATEWAY_6} dev eth0"));
        pod.ip(&script.text)?;
        Ok(pod)
    }

    /// Takes a pod's link away from node `number`; its namespace goes when nobody holds it.
    ///
    /// # Errors
    /// When there is no such link.
    pub fn remove_pod(&self, number: u8, link: &str) -> Result<(), LabError> {
        self.nodes[usize::from(number) - 1].ip(&format!("link del {link}\n"))
    }
}

/// A script for `ip -batch`; lines of a family that this kernel lacks are left out.
struct Script {
    text: String,
    ipv6: bool,
}

impl Script {
    fn new(ipv6: bool) -> Self {
        Self { text: String::new(), ipv6 }
    }

    fn both(&mut self, line: impl std::fmt::Display) {
        let _ = writeln!(self.text, "{line}");
    }

    fn v6(&mut self, line: impl std::fmt::Display) {
        if self.ipv6 {
            self.both(line);
        }
    }

    fn family(&mut self, address: IpAddr, line: impl std::fmt::Display) {
        if address.is_ipv4() { self.both(line) } else { self.v6(line) }
    }
}

/// The name of a pod's link on its node, from the pod's address: `pod-1-17`. Names of links have
/// no more than 15 bytes.
pub(crate) fn link_name(address: Ipv4Addr) -> String {
    let [_, _, number, part] = address.octets();
    format!("pod-{number}-{part}")
}
