//! Attacks by ordinary sockets, made and set up in every way that a container may.

use std::net::IpAddr;

use super::capture::Trace;
use super::frame::{self, hexadecimal};
use super::stage::{Outcome, Stage};
use super::world::{ORDERS, ORDERS_UDP, OWNED, OWNED_HIGH, OWNED_UDP};

/// Dials the orders pod from the container that no rule names.
fn dial(stage: &Stage, kind: &str, target: IpAddr, port: u16, options: &[&str]) -> Outcome {
    let pod = stage.pod("web");
    let from = if stage.orders.v6() == target { pod.v6() } else { pod.v4() };
    let target = std::net::SocketAddr::new(target, port).to_string();
    stage.at_orders(Trace::From(from, port), || {
        stage.attack("web:shipper", &[&["dial", kind, &target], options].concat())
    })
}

pub fn unconnected(stage: &Stage) -> Outcome {
    dial(stage, "unconnected", stage.orders.v4(), ORDERS_UDP, &[])
}

pub fn ipv6(stage: &Stage) -> Outcome {
    dial(stage, "tcp", stage.orders.v6(), ORDERS, &[])
}

pub fn mapped(stage: &Stage) -> Outcome {
    let IpAddr::V4(address) = stage.orders.v4() else { unreachable!("asked for IPv4") };
    dial(stage, "tcp", address.to_ipv6_mapped().into(), ORDERS, &[])
}

pub fn mapped_datagram(stage: &Stage) -> Outcome {
    let IpAddr::V4(address) = stage.orders.v4() else { unreachable!("asked for IPv4") };
    dial(stage, "unconnected", address.to_ipv6_mapped().into(), ORDERS_UDP, &[])
}

pub fn unmapped_datagram(stage: &Stage) -> Outcome {
    dial(stage, "unconnected-in-ipv6", stage.orders.v4(), ORDERS_UDP, &[])
}

pub fn unmapped_connected(stage: &Stage) -> Outcome {
    dial(stage, "udp-in-ipv6", stage.orders.v4(), ORDERS_UDP, &[])
}

pub fn deferred(stage: &Stage) -> Outcome {
    dial(stage, "tcp", stage.orders.v4(), ORDERS, &["defer"])
}

pub fn udp_lite_unconnected(stage: &Stage) -> Outcome {
    dial(stage, "udp-lite-unconnected", stage.orders.v4(), ORDERS_UDP, &[])
}

pub fn udp_lite(stage: &Stage) -> Outcome {
    dial(stage, "udp-lite", stage.orders.v4(), ORDERS_UDP, &[])
}

pub fn multipath(stage: &Stage) -> Outcome {
    dial(stage, "mptcp", stage.orders.v4(), ORDERS, &[])
}

pub fn fast_open(stage: &Stage) -> Outcome {
    dial(stage, "fast-open", stage.orders.v4(), ORDERS, &[])
}

pub fn multipath_fast_open(stage: &Stage) -> Outcome {
    dial(stage, "mptcp-fast-open", stage.orders.v4(), ORDERS, &[])
}

pub fn unspecified(stage: &Stage) -> Outcome {
    dial(stage, "unspecified", stage.orders.v4(), ORDERS_UDP, &[])
}

/// A connect that is allowed, to the pod itself, says nothing of the next one.
pub fn connected_anew(stage: &Stage) -> Outcome {
    let first = format!("first={}:9", stage.pod("web").v4());
    dial(stage, "udp", stage.orders.v4(), ORDERS_UDP, &[&first])
}

pub fn marked(stage: &Stage) -> Outcome {
    dial(stage, "tcp", stage.orders.v4(), ORDERS, &["mark=16384"])
}

pub fn bound_to_device(stage: &Stage) -> Outcome {
    dial(stage, "tcp", stage.orders.v4(), ORDERS, &["device=eth0"])
}

pub fn by_ring(stage: &Stage) -> Outcome {
    let from = stage.pod("web").v4();
    let target = format!("{}:{ORDERS}", stage.orders.v4());
    stage.at_orders(Trace::From(from, ORDERS), || stage.attack("web:shipper", &["uring", &target]))
}

pub fn by_ring_thread(stage: &Stage) -> Outcome {
    let from = stage.pod("web").v4();
    let target = format!("{}:{ORDERS}", stage.orders.v4());
    stage.at_orders(Trace::From(from, ORDERS), || stage.attack("web:shipper", &["uring-thread", &target]))
}

/// Somebody outside; who may reach the job, which may reach nobody.
const OUTSIDE: [&str; 2] = ["203.0.113.1:5300", "[2001:db8:203::1]:5300"];

/// A datagram from an address that a socket of the pod is bound to seems to come from there; answers need no rule.
pub fn bound_answer(stage: &Stage) -> Outcome {
    as_from_outside(stage, "answer-bound", Trace::Marker, 0)
}

/// The same without any capability.
pub fn bound_answer_v6(stage: &Stage) -> Outcome {
    as_from_outside(stage, "answer-bound", Trace::Marker, 1)
}

/// The same with a connection: what the pod's own listener answers goes out.
pub fn bound_accept(stage: &Stage) -> Outcome {
    as_from_outside(stage, "accept-bound", Trace::Any(stage.pod("job").v4()), 0)
}

fn as_from_outside(stage: &Stage, how: &str, trace: Trace, family: usize) -> Outcome {
    let (job, victim) = (stage.pod("job"), stage.watch_world());
    let own = std::net::SocketAddr::new([job.v4(), job.v6()][family], 4321).to_string();
    stage.at(&victim, trace, || stage.attack("batch/job", &[how, &own, OUTSIDE[family]]))
}

pub fn transparent(stage: &Stage) -> Outcome {
    let neighbour = stage.pod("neighbour").v4();
    let (target, option) = (format!("{}:{ORDERS_UDP}", stage.orders.v4()), format!("transparent={neighbour}"));
    stage.at_orders(Trace::From(neighbour, ORDERS_UDP), || {
        stage.attack("web:shipper", &["dial", "udp", &target, &option])
    })
}

/// On a node that lets its loopback address be routed, as kube-proxy may ask for, this reaches the node's own services.
///
/// Source: CVE-2020-8558.
pub fn loopback_by_device(stage: &Stage) -> Outcome {
    stage.run("node/node1", &["sh", "-c", "echo 1 > /proc/sys/net/ipv4/conf/all/route_localnet"]);
    let node = stage.listen_on_node("127.0.0.1:10255");
    let outcome = stage
        .at(&node, Trace::Marker, || stage.attack("web:shipper", &["dial", "udp", "127.0.0.1:10255", "device=eth0"]));
    stage.run("node/node1", &["sh", "-c", "echo 0 > /proc/sys/net/ipv4/conf/all/route_localnet"]);
    outcome
}

pub fn ping(stage: &Stage) -> Outcome {
    let from = stage.pod("web").v4();
    let target = format!("{}:0", stage.orders.v4());
    stage.at_orders(Trace::Echo(from), || stage.attack("web:shipper", &["dial", "ping", &target]))
}

/// A datagram that seems to come from the victim is "answered": answers need no rule.
pub fn forged_answer(stage: &Stage) -> Outcome {
    let pod = stage.pod("web");
    let (own, victim) = (pod.v4(), stage.orders.v4());
    let forged = frame::udp(victim, own, (ORDERS_UDP, 4321), b"come in");
    let forged = hexadecimal(&frame::ip(victim, own, frame::UDP, &forged));
    let (local, target) = (format!("{own}:4321"), format!("{victim}:{ORDERS_UDP}"));
    stage.at_orders(Trace::Marker, || stage.attack("web:shipper", &["answer", &local, &forged, &target]))
}

/// The node's end of the pod's link.
pub fn link_local(stage: &Stage) -> Outcome {
    let node = stage.listen_on_node("[::]:10255");
    stage.at(&node, Trace::Marker, || stage.attack("web:shipper", &["dial", "udp", "[fe80::1]:10255", "device=eth0"]))
}

/// Who may reach the world may not reach its node, which gets what goes to all of the link.
pub fn broadcast(stage: &Stage) -> Outcome {
    let node = stage.listen_on_node("0.0.0.0:10255");
    let target = "255.255.255.255:10255";
    stage.at(&node, Trace::Marker, || stage.attack("batch/surfer", &["dial", "unconnected", target, "broadcast"]))
}

/// The neighbour may send to orders; a segment routing header makes its packet go to somebody else first.
pub fn routing_header(stage: &Stage) -> Outcome {
    let other = stage.pod("probed");
    let (target, option) = (format!("[{}]:{ORDERS_UDP}", stage.orders.v6()), format!("route={}", other.v6()));
    let victim = stage.watch(&other);
    stage.at(&victim, Trace::Marker, || stage.attack("neighbour", &["dial", "udp", &target, &option]))
}

pub fn loopback(stage: &Stage) -> Outcome {
    let victim = stage.watch_on(&stage.pod("vault"), "lo");
    let trace = Trace::From([127, 0, 0, 1].into(), ORDERS);
    let target = format!("127.0.0.1:{ORDERS}");
    stage.at(&victim, trace, || stage.attack("vault:side", &["dial", "tcp", &target]))
}

/// With one capability more than the default (NET_ADMIN), a pod that may send gives itself an address.
pub fn self_added(stage: &Stage) -> Outcome {
    stage.run("selfmade", &["ip", "address", "add", "10.244.1.251/32", "dev", "eth0"]);
    let (target, bind) = (format!("{}:{ORDERS_UDP}", stage.orders.v4()), "bind=10.244.1.251");
    // The way to the node is known from what it may send, else its ARP request would be all that is stopped.
    stage.attack("selfmade", &["dial", "udp", &target]);
    let outcome = stage
        .at_orders(Trace::Any([10, 244, 1, 251].into()), || stage.attack("selfmade", &["dial", "udp", &target, bind]));
    stage.run("selfmade", &["ip", "address", "del", "10.244.1.251/32", "dev", "eth0"]);
    outcome
}

/// Connects of a pod that may, until one of them came to the thief.
fn clients_come(stage: &Stage, port: u16, datagrams: bool) {
    let target = format!("{}:{port}", stage.pod("shared").v4());
    let kind = if datagrams { "unconnected" } else { "tcp" };
    for _ in 0..if datagrams { 1 } else { 16 } {
        stage.attack("neighbour", &["dial", kind, &target]);
    }
}

fn stolen(stage: &Stage, how: &str, port: u16, family: &str) -> Outcome {
    let datagrams = how == "datagram-range";
    let thief = stage.start("shared:side", &["steal", how, &format!("{family}:{port}")]);
    if thief.first == "ready" {
        clients_come(stage, port, datagrams);
    }
    let said = thief.go_on();
    Outcome { arrived: said.contains("ok somebody came"), said }
}

pub fn reuse_port(stage: &Stage) -> Outcome {
    let owner = stage.start("shared:owner", &["owned", &format!("0.0.0.0:{OWNED}")]);
    assert_eq!(owner.first, "ready", "the owner has its port");
    let outcome = stolen(stage, "reuse-port", OWNED, "0.0.0.0");
    owner.go_on();
    outcome
}

pub fn dead_owners_port(stage: &Stage) -> Outcome {
    stolen(stage, "bind", OWNED, "0.0.0.0")
}

pub fn port_by_range(stage: &Stage) -> Outcome {
    stolen(stage, "range", OWNED_HIGH, "0.0.0.0")
}

pub fn datagram_port_by_range(stage: &Stage) -> Outcome {
    stolen(stage, "datagram-range", OWNED_UDP, "127.0.0.1")
}

/// Malware in the allowed container makes a socket, and another container connects it.
pub fn passed(stage: &Stage) -> Outcome {
    passed_between(stage, "web:nginx", "web:shipper")
}

/// The other way: the socket is of a container that no rule names.
pub fn passed_back(stage: &Stage) -> Outcome {
    passed_between(stage, "web:shipper", "web:nginx")
}

fn passed_between(stage: &Stage, giver: &str, taker: &str) -> Outcome {
    let from = stage.pod("web").v4();
    let (name, target) = (format!("attack-{}", stage.number()), format!("{}:{ORDERS}", stage.orders.v4()));
    stage.at_orders(Trace::From(from, ORDERS), || {
        let mut given = stage.background(giver, &["give", &name, "tcp", &target]);
        let said = stage.attack(taker, &["take", &name, &target]);
        let _ = given.wait();
        said
    })
}
