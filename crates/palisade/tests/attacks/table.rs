//! The attacks, each with what is expected of it.

use super::stage::{Outcome, Stage};
use super::{limits, packets, pods, programs, sockets};

/// What is expected of an attack in the guarded world.
#[derive(Clone, Copy, Debug)]
pub enum Expected {
    /// No attack: it goes on, so that what is stopped says something.
    Allowed,
    /// Nothing arrives, and this says so.
    Stopped(Evidence),
    /// It works, and must not. The day it does not, this entry is wrong.
    #[expect(dead_code, reason = "none is known that works; the next one found will stand here")]
    NotYet,
    /// It works, as the documentation says.
    Limit,
}

/// Where the guard tells that it stopped something.
#[derive(Clone, Copy, Debug)]
pub enum Evidence {
    /// A record of the pod and container, denied.
    Record(&'static str, Option<&'static str>),
    /// A counter of the node with this name, or more than one that start so.
    Counter(&'static str),
    /// Nowhere: the kernel itself refuses, or the peer does not answer.
    None,
}

pub struct Attack {
    pub name: &'static str,
    pub expected: Expected,
    pub make: fn(&Stage) -> Outcome,
}

use Evidence::{Counter, Record};
use Expected::{Allowed, Limit, Stopped};

const fn attack(name: &'static str, expected: Expected, make: fn(&Stage) -> Outcome) -> Attack {
    Attack { name, expected, make }
}

const SHIPPER: Evidence = Record("web", Some("shipper"));
const JOB: Evidence = Record("job", Some("c"));
const NGINX: Evidence = Record("web", Some("nginx"));
/// Raw and packet sockets never connected.
const RAW: Evidence = Counter("dropped-raw-socket");
/// On the pod's loopback, of no socket that sent it.
const INSIDE: Evidence = Counter("dropped-no-socket");
/// Nor has every packet one.
const NO_SOCKET: Evidence = Counter("dropped-no-socket");
const ADDRESS: Evidence = Counter("dropped-source-address");
const HARDWARE: Evidence = Counter("dropped-source-hardware");
/// A header behind IP that no rule can be about, or that hides what comes after it.
const PROTOCOL: Evidence = Counter("dropped-protocol");
/// The receiver's own end.
const REFUSED: Evidence = Counter("dropped-refused");

/// In this order: the last ones restart the agent, and end it.
pub const ATTACKS: &[Attack] = &[
    attack("the allowed program", Allowed, programs::allowed),
    attack("the allowed program over IPv6", Allowed, programs::allowed_v6),
    attack("a datagram of a pod that may, and its answer", Allowed, pods::asked_and_answered),
    attack("a datagram in fragments, and its answer", Allowed, pods::asked_much),
    // Who runs what.
    attack("a second container of the pod", Stopped(SHIPPER), programs::second_container),
    attack("a dropped program", Stopped(NGINX), programs::dropped),
    attack("the allowed program, copied elsewhere", Stopped(NGINX), programs::copied),
    attack("the allowed program, overwritten in place", Stopped(Record("overwritten", None)), programs::overwritten),
    attack("a program moved over the allowed one", Stopped(Record("moved", None)), programs::moved),
    attack("a program mounted over the allowed one", Stopped(NGINX), programs::mounted),
    attack("a hard link of the allowed program", Stopped(Record("linked", None)), programs::linked),
    attack("a program in memory", Stopped(NGINX), programs::in_memory),
    attack("the allowed program, run by the loader", Stopped(NGINX), programs::by_loader),
    // Sockets of every kind.
    attack("an unconnected datagram", Stopped(SHIPPER), sockets::unconnected),
    attack("IPv6", Stopped(SHIPPER), sockets::ipv6),
    attack("IPv4 in an IPv6 socket", Stopped(SHIPPER), sockets::mapped),
    attack("a datagram to IPv4 in an IPv6 socket", Stopped(SHIPPER), sockets::mapped_datagram),
    attack("an IPv4 address given to an IPv6 socket", Stopped(SHIPPER), sockets::unmapped_datagram),
    attack("an IPv4 address connected by an IPv6 socket", Stopped(SHIPPER), sockets::unmapped_connected),
    attack("a first packet with the first write", Stopped(SHIPPER), sockets::deferred),
    attack("UDP-Lite, unconnected", Stopped(SHIPPER), sockets::udp_lite_unconnected),
    attack("UDP-Lite", Stopped(PROTOCOL), sockets::udp_lite),
    attack("multipath TCP", Stopped(SHIPPER), sockets::multipath),
    attack("data in the first packet (fast open)", Stopped(SHIPPER), sockets::fast_open),
    attack("data in the first packet of multipath TCP", Stopped(SHIPPER), sockets::multipath_fast_open),
    attack("an address of no family", Stopped(SHIPPER), sockets::unspecified),
    attack("a socket that is connected anew", Stopped(SHIPPER), sockets::connected_anew),
    attack("a connect by io_uring", Stopped(SHIPPER), sockets::by_ring),
    attack("a connect by a thread of io_uring", Stopped(SHIPPER), sockets::by_ring_thread),
    attack("SO_MARK", Stopped(SHIPPER), sockets::marked),
    attack("SO_BINDTODEVICE", Stopped(SHIPPER), sockets::bound_to_device),
    attack("IP_TRANSPARENT with another pod's address", Stopped(SHIPPER), sockets::transparent),
    attack("the loopback address by another device", Stopped(Counter("dropped-")), sockets::loopback_by_device),
    attack("an echo request by an ordinary socket", Stopped(SHIPPER), sockets::ping),
    attack("an answer to a forged datagram", Stopped(SHIPPER), sockets::forged_answer),
    attack("an answer to a datagram of its own, as from outside", Stopped(JOB), sockets::bound_answer),
    attack("the same over IPv6, without a capability", Stopped(JOB), sockets::bound_answer_v6),
    attack("a connection to itself, as from outside", Stopped(JOB), sockets::bound_accept),
    attack("a link-local address", Stopped(SHIPPER), sockets::link_local),
    attack("a broadcast of who may reach the world", Stopped(Record("surfer", None)), sockets::broadcast),
    attack("a routing header to another pod", Stopped(PROTOCOL), sockets::routing_header),
    attack(
        "a port of another container, on a closed loopback",
        Stopped(Record("vault", Some("side"))),
        sockets::loopback,
    ),
    attack("a raw packet on a closed loopback", Stopped(RAW), packets::loopback),
    attack("SO_REUSEPORT beside the owner", Stopped(Record("shared", Some("side"))), sockets::reuse_port),
    attack("the dead owner's port", Stopped(Record("shared", Some("side"))), sockets::dead_owners_port),
    attack(
        "the dead owner's port, chosen by the kernel",
        Stopped(Counter("dropped-port-owner")),
        sockets::port_by_range,
    ),
    attack(
        "the dead owner's UDP port, chosen by the kernel",
        Stopped(Counter("dropped-port-owner")),
        sockets::datagram_port_by_range,
    ),
    attack("a descriptor passed to another container", Stopped(SHIPPER), sockets::passed),
    attack("a socket of another container's malware", Stopped(NGINX), sockets::passed_back),
    attack("a cgroup made from inside", Stopped(SHIPPER), pods::nested_cgroup),
    attack("a process moved to the allowed container", Stopped(NGINX), pods::moved_process),
    attack("a process moved out, with its socket", Stopped(Counter("refused")), pods::moved_out),
    // What is no socket of TCP or UDP, or not what it seems.
    attack("a raw IPv4 packet", Stopped(RAW), packets::raw_ipv4),
    attack("a raw IPv6 packet", Stopped(RAW), packets::raw_ipv6),
    attack("a frame with the pod's own address", Stopped(RAW), packets::own_frame),
    attack("a frame of TCP with the pod's own address", Stopped(RAW), packets::own_frame_of_tcp),
    attack("a frame by AF_XDP", Stopped(RAW), packets::express),
    attack("a frame that the kernel takes apart", Stopped(NO_SOCKET), packets::taken_apart),
    attack("a reset that the kernel is made to send", Stopped(NO_SOCKET), packets::kernels_reset),
    attack("a spoofed IPv4 address", Stopped(ADDRESS), packets::spoofed_ipv4),
    attack("a spoofed IPv6 address", Stopped(ADDRESS), packets::spoofed_ipv6),
    attack("a spoofed MAC", Stopped(HARDWARE), packets::spoofed_mac),
    attack("ARP for another pod's address", Stopped(Counter("dropped-arp")), packets::arp),
    attack("neighbour discovery for another pod's address", Stopped(ADDRESS), packets::neighbour),
    attack("data in neighbour discovery", Stopped(Counter("dropped-")), packets::data_in_neighbour_discovery),
    attack("data in a multicast listener's report", Stopped(Counter("dropped-")), packets::data_in_a_listener_report),
    attack("a router advertisement", Stopped(Counter("dropped-router")), packets::router),
    attack("an address that nobody gave", Stopped(ADDRESS), packets::invented),
    attack("an address that the pod gave itself", Stopped(ADDRESS), sockets::self_added),
    attack("a translation in the pod's own network", Stopped(Counter("dropped-")), pods::translated),
    attack("a frame of a link-local address", Stopped(ADDRESS), packets::link_local),
    attack("a VLAN tag", Stopped(Counter("dropped-vlan")), packets::vlan),
    attack("IP in IP", Stopped(PROTOCOL), packets::ip_in_ip),
    attack("GRE", Stopped(PROTOCOL), packets::gre),
    attack("IPv4 fragments, the last one first", Stopped(RAW), packets::fragments),
    attack("IPv6 fragments", Stopped(RAW), packets::fragments_v6),
    attack("extension headers that hide the port", Stopped(PROTOCOL), packets::extension_headers),
    attack("a raw echo request", Stopped(SHIPPER), packets::echo),
    attack("an echo request, back to who asked", Stopped(Record("job", None)), packets::echo_back),
    attack("an ICMP error that answers nothing", Stopped(RAW), packets::error),
    attack("a frame in another container's connection", Stopped(RAW), packets::in_a_connection),
    attack("a segment in a connection on the pod's loopback", Stopped(INSIDE), packets::in_a_connection_inside),
    attack("a datagram in an exchange on the pod's loopback", Stopped(INSIDE), packets::in_an_exchange_inside),
    attack("the node's address, forged by a pod", Stopped(ADDRESS), packets::node_from_a_pod),
    attack("the node's address, forged from outside", Stopped(REFUSED), packets::node_from_outside),
    attack("a pod's address, forged from outside", Stopped(REFUSED), packets::pod_from_outside),
    attack(
        "a segment of no connection, from outside",
        Stopped(Counter("dropped-no-connection")),
        packets::segment_from_outside,
    ),
    attack("fragments from outside, the last one first", Stopped(Counter("dropped-")), packets::fragment_from_outside),
    attack(
        "data in neighbour discovery, from outside",
        Stopped(Counter("dropped-neighbour")),
        packets::neighbour_from_outside,
    ),
    attack("a pod's own address from outside", Stopped(REFUSED), pods::routed),
    attack("a NodePort from outside, on the pod's node", Stopped(REFUSED), pods::node_port),
    attack("a NodePort from outside, by another node", Stopped(REFUSED), pods::node_port_elsewhere),
    // Documented limits.
    attack("exec after connect", Limit, limits::exec_after_connect),
    attack("an interpreter that a rule names", Limit, limits::interpreter),
    #[cfg(target_arch = "x86_64")]
    attack("LD_PRELOAD into the allowed program", Limit, limits::preload),
    #[cfg(target_arch = "x86_64")]
    attack("ptrace of the allowed program", Limit, limits::trace),
    attack("a connected descriptor passed on", Limit, limits::connected_passed),
    attack("an answer to what came in by a device of its own", Limit, limits::own_device),
    attack(
        "a pod's address, forged from outside, in an exchange of its own",
        Limit,
        packets::pod_from_outside_in_an_exchange,
    ),
    // Many, and time.
    attack("another pod's flows, while one floods", Allowed, pods::flood),
    attack("the node's prober, while the world floods the pod", Allowed, pods::prober_under_flood),
    attack("a named program's connection, while the world floods a pod", Allowed, pods::connection_under_flood),
    attack("an answer, while another pod floods", Allowed, pods::answer_under_flood),
    attack("an answer, while the world floods", Allowed, pods::answer_under_flood_of_the_world),
    attack("an answer to a connected socket, while the world floods", Allowed, pods::connected_answer_under_flood),
    attack("the first packet of a new container", Stopped(Record("hasty", None)), pods::first_packet),
    attack("another program at the path, and a new agent", Stopped(Record("redirected", None)), programs::redirected),
    attack(
        "a privileged pod that mounts over the path, and a new agent",
        Stopped(Record("privileged", None)),
        limits::privileged,
    ),
    attack("a new pod while no agent lives", Stopped(Evidence::None), pods::agent_killed),
    attack("a frame of a new pod while no agent lives", Stopped(Evidence::None), pods::frame_of_orphan),
    attack(
        "a frame of a new pod to the outside while no agent lives",
        Stopped(Evidence::None),
        pods::frame_of_orphan_to_outside,
    ),
    attack(
        "a frame of a new pod to its node while no agent lives",
        Stopped(Evidence::None),
        pods::frame_of_orphan_to_node,
    ),
    attack("the allowed program while no agent lives", Allowed, programs::allowed),
    attack("a second container while no agent lives", Stopped(Evidence::None), programs::second_container),
];
