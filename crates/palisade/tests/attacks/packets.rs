//! Attacks by packets that no socket of TCP or UDP made, or that pretend to be somebody else's.

use std::net::IpAddr;

use super::capture::Trace;
use super::frame::{self, Piece, hexadecimal};
use super::stage::{Outcome, Pod, Stage};
use super::tool::MARKER;
use super::world::{NODE, ORDERS, ORDERS_UDP, PROBED};

/// The port that a forged datagram comes from.
const SOURCE_PORT: u16 = 4444;
/// Of an exchange that goes on: whoever forges its packets from outside knows it.
const OTHER_PORT: u16 = 4445;
const EXCHANGE_PORT: u16 = 4446;

/// The world's own address.
const WORLD: IpAddr = IpAddr::V6(std::net::Ipv6Addr::new(0x2001, 0xdb8, 0x203, 0, 0, 0, 0, 1));

/// Sends whole packets by a raw socket.
fn raw(stage: &Stage, packets: &[Vec<u8>]) -> Outcome {
    let texts: Vec<String> = packets.iter().map(|packet| hexadecimal(packet)).collect();
    let words: Vec<&str> = std::iter::once("packets").chain(texts.iter().map(String::as_str)).collect();
    stage.at_orders(Trace::Marker, || stage.attack("web:shipper", &words))
}

/// Sends whole frames by a packet socket.
fn frames(stage: &Stage, frames: &[Vec<u8>]) -> String {
    let texts: Vec<String> = frames.iter().map(|frame| hexadecimal(frame)).collect();
    let words: Vec<&str> = ["frames", "eth0"].into_iter().chain(texts.iter().map(String::as_str)).collect();
    stage.attack("web:shipper", &words)
}

fn datagram(from: IpAddr, to: IpAddr) -> Vec<u8> {
    frame::ip(from, to, frame::UDP, &frame::udp(from, to, (SOURCE_PORT, ORDERS_UDP), MARKER))
}

fn kind(address: IpAddr) -> u16 {
    if address.is_ipv4() { frame::IPV4 } else { frame::IPV6 }
}

/// One frame with a datagram, from an address, to the victim.
fn framed(stage: &Stage, pod: &Pod, from: IpAddr, to: IpAddr) -> Outcome {
    let frame = frame::ethernet(pod.gateway_mac, pod.mac, kind(from), &datagram(from, to));
    stage.at_orders(Trace::Marker, || frames(stage, &[frame]))
}

pub fn raw_ipv4(stage: &Stage) -> Outcome {
    raw(stage, &[datagram(stage.pod("web").v4(), stage.orders.v4())])
}

pub fn raw_ipv6(stage: &Stage) -> Outcome {
    raw(stage, &[datagram(stage.pod("web").v6(), stage.orders.v6())])
}

pub fn own_frame(stage: &Stage) -> Outcome {
    let pod = stage.pod("web");
    framed(stage, &pod, pod.v4(), stage.orders.v4())
}

pub fn own_frame_of_tcp(stage: &Stage) -> Outcome {
    let pod = stage.pod("web");
    let (from, to) = (pod.v4(), stage.orders.v4());
    let segment = frame::tcp(from, to, (SOURCE_PORT, ORDERS), frame::SYN, MARKER);
    let frame = frame::ethernet(pod.gateway_mac, pod.mac, frame::IPV4, &frame::ip(from, to, frame::TCP, &segment));
    stage.at_orders(Trace::Marker, || frames(stage, &[frame]))
}

pub fn express(stage: &Stage) -> Outcome {
    let pod = stage.pod("web");
    let packet = datagram(pod.v4(), stage.orders.v4());
    let frame = hexadecimal(&frame::ethernet(pod.gateway_mac, pod.mac, frame::IPV4, &packet));
    stage.at_orders(Trace::Marker, || stage.attack("web:shipper", &["express", "eth0", &frame]))
}

pub fn spoofed_ipv4(stage: &Stage) -> Outcome {
    framed(stage, &stage.pod("web"), stage.pod("neighbour").v4(), stage.orders.v4())
}

pub fn spoofed_ipv6(stage: &Stage) -> Outcome {
    framed(stage, &stage.pod("web"), stage.pod("neighbour").v6(), stage.orders.v6())
}

pub fn spoofed_mac(stage: &Stage) -> Outcome {
    let pod = stage.pod("web");
    let (from, other) = (pod.v4(), stage.pod("neighbour").mac);
    framed(stage, &Pod { mac: other, ..pod }, from, stage.orders.v4())
}

pub fn invented(stage: &Stage) -> Outcome {
    framed(stage, &stage.pod("web"), [10, 244, 1, 250].into(), stage.orders.v4())
}

/// Whether the node now believes that `address` is behind the pod's link.
fn node_believes(stage: &Stage, pod: &Pod, address: IpAddr, frame: Vec<u8>) -> Outcome {
    let said = frames(stage, &[frame]);
    let known = || stage.run("node/node1", &["ip", "neigh", "show", &address.to_string(), "dev", &pod.link]);
    std::thread::sleep(std::time::Duration::from_millis(30));
    let known = known();
    stage.run("node/node1", &["ip", "neigh", "del", &address.to_string(), "dev", &pod.link]);
    Outcome { arrived: known.contains("lladdr"), said: said + &known }
}

pub fn arp(stage: &Stage) -> Outcome {
    let (pod, neighbour) = (stage.pod("web"), stage.pod("neighbour").v4());
    let IpAddr::V4(stolen) = neighbour else { unreachable!("asked for IPv4") };
    let request = frame::arp_request(pod.mac, stolen, [169, 254, 1, 1].into());
    node_believes(stage, &pod, neighbour, frame::ethernet([0xff; 6], pod.mac, frame::ARP, &request))
}

pub fn neighbour(stage: &Stage) -> Outcome {
    let (pod, neighbour) = (stage.pod("web"), stage.pod("neighbour").v6());
    let gateway: std::net::Ipv6Addr = "fe80::1".parse().expect("an address");
    let (IpAddr::V6(stolen), to) = (neighbour, IpAddr::V6(gateway)) else { unreachable!("asked for IPv6") };
    let message = frame::icmp(neighbour, to, 135, &frame::solicitation(gateway, pod.mac));
    let packet = frame::ipv6(stolen, gateway, frame::ICMPV6, 255, &message);
    node_believes(stage, &pod, neighbour, frame::ethernet(pod.gateway_mac, pod.mac, frame::IPV6, &packet))
}

/// A message between neighbours has no business beyond the link, and its options may hold anything.
pub fn data_in_neighbour_discovery(stage: &Stage) -> Outcome {
    raw(stage, &[solicitation_with_data(stage.pod("web").v6(), stage.orders.v6())])
}

fn solicitation_with_data(from: IpAddr, to: IpAddr) -> Vec<u8> {
    let (IpAddr::V6(source), IpAddr::V6(target)) = (from, to) else { unreachable!("asked for IPv6") };
    // Option 14 (a nonce) of three times eight bytes.
    let option = [&[14, 3][..], MARKER, &[0; 7]].concat();
    let message = frame::icmp(from, to, 135, &[&[0; 4][..], &target.octets(), &option].concat());
    frame::ipv6(source, target, frame::ICMPV6, 255, &message)
}

/// The same in a multicast listener's report.
pub fn data_in_a_listener_report(stage: &Stage) -> Outcome {
    let (from, to) = (stage.pod("web").v6(), stage.orders.v6());
    let message = frame::icmp(from, to, 131, &[&[0; 4][..], MARKER].concat());
    raw(stage, &[frame::ip(from, to, frame::ICMPV6, &message)])
}

/// A router takes no other for its own, so what counts is whether the message reaches the node's protocol.
pub fn router(stage: &Stage) -> Outcome {
    let pod = stage.pod("web");
    let (from, all): (std::net::Ipv6Addr, std::net::Ipv6Addr) =
        ("fe80::bad".parse().expect("an address"), "ff02::1".parse().expect("an address"));
    let message = frame::icmp(from.into(), all.into(), 134, &frame::router_advertisement(pod.mac));
    let packet = frame::ipv6(from, all, frame::ICMPV6, 255, &message);
    let frame = frame::ethernet([0x33, 0x33, 0, 0, 0, 1], pod.mac, frame::IPV6, &packet);
    node_hears(stage, "Icmp6InRouterAdvertisements", || frames(stage, &[frame]))
}

/// Whether a counter of the node's IPv6 rose.
fn node_hears(stage: &Stage, counter: &str, attack: impl FnOnce() -> String) -> Outcome {
    let read = || {
        let text = stage.run("node/node1", &["cat", "/proc/self/net/snmp6"]);
        let line = text.lines().find(|line| line.starts_with(counter)).unwrap_or_default().to_owned();
        line.split_whitespace().last().and_then(|number| number.parse::<u64>().ok()).unwrap_or(0)
    };
    let before = read();
    let said = attack();
    std::thread::sleep(std::time::Duration::from_millis(30));
    Outcome { arrived: read() > before, said }
}

pub fn link_local(stage: &Stage) -> Outcome {
    let pod = stage.pod("web");
    let (from, to): (IpAddr, IpAddr) =
        ("fe80::bad".parse().expect("an address"), "fe80::1".parse().expect("an address"));
    let frame = frame::ethernet(pod.gateway_mac, pod.mac, frame::IPV6, &datagram(from, to));
    node_hears(stage, "Udp6NoPorts", || frames(stage, &[frame]))
}

/// Tag 0 belongs to no VLAN: every receiver takes what is inside.
pub fn vlan(stage: &Stage) -> Outcome {
    let pod = stage.pod("web");
    let inner = datagram(pod.v4(), stage.orders.v4());
    let frame = frame::ethernet(pod.gateway_mac, pod.mac, frame::VLAN, &frame::tagged(0, frame::IPV4, &inner));
    stage.at_orders(Trace::Marker, || frames(stage, &[frame]))
}

pub fn ip_in_ip(stage: &Stage) -> Outcome {
    let (from, to) = (stage.pod("web").v4(), stage.orders.v4());
    let inner = datagram(stage.pod("neighbour").v4(), to);
    raw(stage, &[frame::ip(from, to, frame::IPIP, &inner)])
}

pub fn gre(stage: &Stage) -> Outcome {
    let (from, to) = (stage.pod("web").v4(), stage.orders.v4());
    let inner = [&[0, 0][..], &frame::IPV4.to_be_bytes(), &datagram(stage.pod("neighbour").v4(), to)].concat();
    raw(stage, &[frame::ip(from, to, frame::GRE, &inner)])
}

pub fn fragments(stage: &Stage) -> Outcome {
    let (IpAddr::V4(from), IpAddr::V4(to)) = (stage.pod("web").v4(), stage.orders.v4()) else {
        unreachable!("asked for IPv4")
    };
    let whole = frame::udp(from.into(), to.into(), (SOURCE_PORT, ORDERS_UDP), MARKER);
    let piece = |offset, more| Piece { id: 0x7a7a, offset, more };
    let last = frame::ipv4(from, to, frame::UDP, piece(1, false), &whole[8..]);
    let first = frame::ipv4(from, to, frame::UDP, piece(0, true), &whole[..8]);
    let pod = stage.pod("web");
    let framed = [last, first].map(|packet| frame::ethernet(pod.gateway_mac, pod.mac, frame::IPV4, &packet));
    stage.at_orders(Trace::Marker, || frames(stage, &framed))
}

pub fn fragments_v6(stage: &Stage) -> Outcome {
    let (IpAddr::V6(from), IpAddr::V6(to)) = (stage.pod("web").v6(), stage.orders.v6()) else {
        unreachable!("asked for IPv6")
    };
    let whole = frame::udp(from.into(), to.into(), (SOURCE_PORT, ORDERS_UDP), MARKER);
    let piece = |offset, more, bytes: &[u8]| {
        let piece = frame::ipv6_piece(frame::UDP, Piece { id: 0x7b7b, offset, more }, bytes);
        frame::ipv6(from, to, frame::FRAGMENT, 64, &piece)
    };
    let pod = stage.pod("web");
    let framed = [piece(1, false, &whole[8..]), piece(0, true, &whole[..8])]
        .map(|packet| frame::ethernet(pod.gateway_mac, pod.mac, frame::IPV6, &packet));
    stage.at_orders(Trace::Marker, || frames(stage, &framed))
}

/// The port lies behind more padding than a parser of fixed depth looks through.
pub fn extension_headers(stage: &Stage) -> Outcome {
    let (IpAddr::V6(from), IpAddr::V6(to)) = (stage.pod("web").v6(), stage.orders.v6()) else {
        unreachable!("asked for IPv6")
    };
    let whole = frame::udp(from.into(), to.into(), (SOURCE_PORT, ORDERS_UDP), MARKER);
    let padded = frame::destination_options(frame::UDP, 20, &whole);
    raw(stage, &[frame::ipv6(from, to, frame::DESTINATION_OPTIONS, 64, &padded)])
}

pub fn echo(stage: &Stage) -> Outcome {
    let (from, to) = (stage.pod("web").v4(), stage.orders.v4());
    let message = frame::icmp(from, to, 8, &[&[0, 7, 0, 1][..], MARKER].concat());
    raw(stage, &[frame::ip(from, to, frame::ICMP, &message)])
}

pub fn error(stage: &Stage) -> Outcome {
    let (from, to) = (stage.pod("web").v4(), stage.orders.v4());
    let about = frame::ip(to, from, frame::UDP, &frame::udp(to, from, (ORDERS_UDP, SOURCE_PORT), MARKER));
    let message = frame::icmp(from, to, 3, &[&[0; 4][..], &about].concat());
    raw(stage, &[frame::ip(from, to, frame::ICMP, &message)])
}

/// A segment that claims to belong to a connection.
pub fn segment_from_outside(stage: &Stage) -> Outcome {
    let (from, pod) = (IpAddr::from([203, 0, 113, 1]), stage.pod("probed"));
    let victim = stage.watch(&pod);
    let segment = frame::tcp(from, pod.v4(), (SOURCE_PORT, PROBED), frame::ACK, MARKER);
    let packet = hexadecimal(&frame::ip(from, pod.v4(), frame::TCP, &segment));
    stage.at(&victim, Trace::Marker, || stage.attack("world", &["packets", &packet]))
}

/// A later piece of a packet that never began.
pub fn fragment_from_outside(stage: &Stage) -> Outcome {
    let pod = stage.pod("probed");
    let victim = stage.watch(&pod);
    let (IpAddr::V6(from), IpAddr::V6(to)) = (WORLD, pod.v6()) else { unreachable!("asked for IPv6") };
    let whole = frame::udp(WORLD, pod.v6(), (SOURCE_PORT, PROBED), MARKER);
    let piece = |offset, more, bytes: &[u8]| {
        let piece = frame::ipv6_piece(frame::UDP, Piece { id: 0x7c7c, offset, more }, bytes);
        hexadecimal(&frame::ipv6(from, to, frame::FRAGMENT, 64, &piece))
    };
    let (first, last) = (piece(0, true, &whole[..8]), piece(1, false, &whole[8..]));
    stage.at(&victim, Trace::Marker, || stage.attack("world", &["packets", &last, &first]))
}

pub fn neighbour_from_outside(stage: &Stage) -> Outcome {
    let pod = stage.pod("probed");
    let victim = stage.watch(&pod);
    let packet = hexadecimal(&solicitation_with_data(WORLD, pod.v6()));
    stage.at(&victim, Trace::Marker, || stage.attack("world", &["packets", &packet]))
}

/// Somebody outside says that it is a pod of the node.
pub fn pod_from_outside(stage: &Stage) -> Outcome {
    let packet = hexadecimal(&datagram(stage.pod("neighbour").v4(), stage.orders.v4()));
    stage.at_orders(Trace::Marker, || stage.attack("world", &["packets", &packet]))
}

/// The same in an exchange of that pod that goes on: what comes by another link, with its addresses and ports, is not told
/// from it.
pub fn pod_from_outside_in_an_exchange(stage: &Stage) -> Outcome {
    let (from, to) = (stage.pod("neighbour").v4(), stage.orders.v4());
    let target = format!("{to}:{ORDERS_UDP}");
    let asked = stage.attack("neighbour", &["dial", "unconnected", &target, &format!("bind={from}:{EXCHANGE_PORT}")]);
    let datagram = frame::udp(from, to, (EXCHANGE_PORT, ORDERS_UDP), MARKER);
    let packet = hexadecimal(&frame::ip(from, to, frame::UDP, &datagram));
    std::thread::sleep(std::time::Duration::from_millis(100));
    let outcome = stage.at_orders(Trace::Marker, || stage.attack("world", &["packets", &packet]));
    Outcome { said: asked + &outcome.said, ..outcome }
}

/// Nobody but its node may reach the probed pod. IPv6 has no check of a source that is the receiver's own address.
pub fn node_from_outside(stage: &Stage) -> Outcome {
    let pod = stage.pod("probed");
    let victim = stage.watch(&pod);
    let packet = hexadecimal(&datagram(NODE, pod.v6()));
    stage.at(&victim, Trace::Marker, || stage.attack("world", &["packets", &packet]))
}

pub fn node_from_a_pod(stage: &Stage) -> Outcome {
    let (pod, from) = (stage.pod("probed"), stage.pod("web"));
    let victim = stage.watch(&pod);
    let frame = frame::ethernet(from.gateway_mac, from.mac, frame::IPV6, &datagram(NODE, pod.v6()));
    stage.at(&victim, Trace::Marker, || frames(stage, &[frame]))
}

/// Two containers of a pod whose loopback is closed.
pub fn loopback(stage: &Stage) -> Outcome {
    let victim = stage.watch_on(&stage.pod("vault"), "lo");
    let own = IpAddr::from([127, 0, 0, 1]);
    let packet = hexadecimal(&datagram(own, own));
    stage.at(&victim, Trace::Marker, || stage.attack("vault:side", &["packets", &packet]))
}

/// A word put into what another container of the pod says to itself on the pod's loopback.
fn interjected(stage: &Stage, kind: &str) -> Outcome {
    let port = (4600 + stage.number()).to_string();
    let victim = stage.start("web:nginx", &["talk-inside", kind, &port]);
    let intruder = stage.start("web:shipper", &["interject", &port]);
    let heard = victim.go_on();
    Outcome { arrived: heard.contains("forged"), said: heard + &intruder.go_on() }
}

pub fn in_an_exchange_inside(stage: &Stage) -> Outcome {
    interjected(stage, "udp")
}

pub fn in_a_connection_inside(stage: &Stage) -> Outcome {
    interjected(stage, "tcp")
}

/// The kernel takes a frame apart on its way, into pieces without a socket, in an exchange that is allowed.
pub fn taken_apart(stage: &Stage) -> Outcome {
    let pod = stage.pod("neighbour");
    let (from, to) = (pod.v4(), stage.orders.v4());
    let payload = [MARKER, &[b'.'; 2985]].concat();
    let packet = frame::ip(from, to, frame::UDP, &frame::udp(from, to, (OTHER_PORT, ORDERS_UDP), &payload));
    let frame = hexadecimal(&frame::ethernet(pod.gateway_mac, pod.mac, frame::IPV4, &packet));
    let (local, target) = (format!("{from}:{OTHER_PORT}"), format!("{to}:{ORDERS_UDP}"));
    stage.at_orders(Trace::Marker, || stage.attack("neighbour", &["taken-apart", "eth0", &local, &target, &frame]))
}

/// The job may reach nobody. A segment on its loopback makes the kernel reset what nobody began, with a number and ports
/// that somebody chose.
pub fn kernels_reset(stage: &Stage) -> Outcome {
    let (job, victim) = (stage.pod("job"), stage.watch_world());
    let (from, to) = (IpAddr::from([203, 0, 113, 1]), job.v4());
    let segment = frame::tcp(from, to, (SOURCE_PORT, PROBED), frame::ACK, MARKER);
    let frame = frame::ethernet([0; 6], [0; 6], frame::IPV4, &frame::ip(from, to, frame::TCP, &segment));
    let frame = hexadecimal(&frame);
    stage.at(&victim, Trace::From(to, SOURCE_PORT), || stage.attack("batch/job", &["frames", "lo", &frame]))
}

/// Whoever was asked by an echo asks back by the same number.
pub fn echo_back(stage: &Stage) -> Outcome {
    let (job, victim) = (stage.pod("job"), stage.watch_world());
    let (world, own) = (IpAddr::from([203, 0, 113, 1]), job.v4());
    let echo = |from, to, bytes| {
        let message = frame::icmp(from, to, 8, &[&[0x7d, 0x7d, 0, 1][..], bytes].concat());
        hexadecimal(&frame::ip(from, to, frame::ICMP, &message))
    };
    let (asked, back) = (echo(world, own, b"hello"), echo(own, world, MARKER));
    stage.at(&victim, Trace::Marker, || {
        let asked = stage.attack("world", &["packets", &asked]);
        asked + &stage.attack("batch/job", &["packets", &back])
    })
}

/// A connection that a rule allows is up; another container of the pod puts a segment into it.
pub fn in_a_connection(stage: &Stage) -> Outcome {
    let pod = stage.pod("web");
    let (from, to) = (pod.v4(), stage.orders.v4());
    let script = format!("exec 3<>/dev/tcp/{to}/{ORDERS}; echo ready; read line");
    let held = stage.start_command("web:shell", &["bash", "-c", &script]);
    let sockets = stage.run("web:shell", &["cat", "/proc/self/net/tcp"]);
    let port = established_port(&sockets).unwrap_or(SOURCE_PORT);
    let segment = frame::tcp(from, to, (port, ORDERS), frame::ACK, MARKER);
    let frame = frame::ethernet(pod.gateway_mac, pod.mac, frame::IPV4, &frame::ip(from, to, frame::TCP, &segment));
    let outcome = stage.at_orders(Trace::Marker, || frames(stage, &[frame]));
    held.go_on();
    outcome
}

/// The local port of the connection to the orders pod: column 2 of `/proc/net/tcp`, where column 4 is 01.
fn established_port(table: &str) -> Option<u16> {
    table.lines().find_map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let port = |word: &str| u16::from_str_radix(word.rsplit(':').next()?, 16).ok();
        (words.get(3) == Some(&"01") && port(words[2]) == Some(ORDERS)).then(|| port(words[1]))?
    })
}
