//! A Service whose backends get different verdicts: its connect passes, and the packet decides where it goes on.

use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::time::Duration;

use palisade_bpf::Tables;
use palisade_bpf::layout::FlowEvent;
use palisade_bpf::layout::constants as c;
use palisade_bpf::tables::{Decision, Frontend, Network, OtherLink, PacketHook, Verdict};

use crate::privileged;
use crate::puppet::{Came, Puppet, REFUSED};
use crate::routes::ip;
use crate::veth::{Wire, await_flow, serve};
use crate::wire::{Echo, Pod};
use crate::world::{ALLOW, DENY, TCP, UDP, all_ports, cell, run, udp_cell};

/// The Service's addresses: port 81 leads to the backend on this node, port 82 to the one on another, port 83 to one with
/// this node's own network.
const SERVICE: [&str; 2] = ["10.96.0.1", "fd96::1"];
const TO_SERVICE: u32 = 200;
const TO_FAR: u32 = 209;
const TO_NODE: u32 = 210;
/// The node's addresses.
const NODE: [&str; 2] = ["10.9.9.9", "fd09:9::9"];
/// Where each backend listens, for both protocols.
const BACKEND_PORT: u16 = 8000;
/// What the kernel tells a program whose connect is reset.
const RESET: Came = Came::Errno(libc::ECONNREFUSED);

struct Mixed {
    wire: Wire,
    far: Pod,
}

impl Mixed {
    fn new() -> Self {
        let wire = Wire::new();
        // What lies behind this link is no pod of the node: another node, as far as the node can see.
        let far = Pod::new(&wire.world, 9);
        for (family, service, node, pods) in [
            ("ip", SERVICE[0], NODE[0], [wire.two.addresses()[0], far.addresses()[0]]),
            ("ip6", SERVICE[1], NODE[1], [wire.two.addresses()[1], far.addresses()[1]]),
        ] {
            ip(&format!("addr add {node} dev lo"));
            let rule = |port: u16, to: IpAddr| {
                format!(
                    "{family} daddr {service} meta l4proto {{tcp, udp}} th dport {port} dnat {family} to {}",
                    SocketAddr::new(to, BACKEND_PORT)
                )
            };
            let chain = format!(
                "table {family} nat {{\n chain c {{\n type nat hook prerouting priority dstnat;\n{}\n{}\n{}\n }}\n}}\n",
                rule(81, pods[0]),
                rule(82, pods[1]),
                rule(83, node.parse().expect("an address"))
            );
            run("nft", &[&chain]);
        }
        Self { wire, far }
    }

    /// `one` may reach the near backend, the far one, or neither alone by its verdicts: port tables of both. The one with the
    /// node's own network is as the far one.
    fn tables(&self, revision: u64, near: u32, far: u32) -> Tables {
        let mut rules = self.wire.tables(revision);
        rules.cells.retain(|cell| cell.destination != 103);
        let mixed = rules.decisions.len() as u32;
        rules.decisions.push(Decision { enforced: Verdict::Allow, would: Verdict::Allow, mixed: true, expires: None });
        let port_table = rules.port_tables.len() as u32;
        rules.port_tables.push(all_ports(mixed));
        for (destination, table) in [(103, near), (TO_FAR, far), (TO_NODE, far), (TO_SERVICE, port_table)] {
            rules.cells.extend([cell(20, destination, table), udp_cell(20, destination, table)]);
        }
        let of_node = NODE.map(|address| (address.parse().expect("an address"), TO_NODE));
        for (address, destination) in self.far.addresses().map(|address| (address, TO_FAR)).into_iter().chain(of_node) {
            let address: IpAddr = address;
            let prefix = if address.is_ipv4() { 32 } else { 128 };
            rules.destinations.push(Network { address, prefix, destination, own_subject: None });
        }
        for address in SERVICE {
            let address = address.parse().expect("an address");
            for (protocol, port) in
                [TCP, UDP].into_iter().flat_map(|protocol| [81, 82, 83].map(|port| (protocol, port)))
            {
                rules.frontends.push(Frontend { address, protocol, port, destination: TO_SERVICE });
            }
        }
        rules.links.push(OtherLink { interface: self.far.link.peer, ethernet: true });
        rules
    }

    fn install(&mut self, rules: &Tables, uplinks: &[u32]) {
        self.wire.guard.install(rules).expect("installed");
        let interfaces: Vec<u32> = rules.veths.iter().map(|veth| veth.interface).collect();
        self.wire.guard.guard_links(&self.wire.node, &interfaces, uplinks).expect("attached");
    }
}

/// Asks a few times: a datagram may be lost.
fn ask(puppet: &mut Puppet, to: SocketAddr) -> bool {
    (0..3).any(|_| puppet.tell(&format!("ask {to}")) == "ok")
}

fn reached(backend: SocketAddr) -> impl Fn(&FlowEvent) -> bool {
    move |event| {
        let flow = &event.flow;
        let of_sender = event.phase == c::PHASE_REACHED
            && (palisade_bpf::address(flow.peer), flow.peer_port) == (backend.ip(), backend.port());
        let of_receiver = event.phase == c::PHASE_START
            && u32::from(flow.strength) == c::STRENGTH_SAME_NODE
            && (palisade_bpf::address(event.key.pod), event.key.pod_port) == (backend.ip(), backend.port());
        of_sender || of_receiver
    }
}

#[test]
fn each_connection_to_a_mixed_service_is_judged_by_the_backend_that_it_reaches() {
    privileged(|| {
        let mut mixed = Mixed::new();
        let uplinks = [mixed.far.link.peer];
        let mut puppet = None;
        for (revision, near, far) in [(1, ALLOW, DENY), (2, DENY, ALLOW)] {
            let rules = mixed.tables(revision, near, far);
            mixed.install(&rules, &uplinks);
            let one = puppet.get_or_insert_with(|| mixed.wire.one.puppet(&mixed.wire.program));
            for (family, service) in SERVICE.iter().enumerate() {
                let backends = [mixed.wire.two.addresses()[family], mixed.far.addresses()[family]];
                let _echoes = [echo(&mixed.wire.two, backends[0]), echo(&mixed.far, backends[1])];
                let _servers =
                    [(&mixed.wire.two, backends[0]), (&mixed.far, backends[1])].map(|(pod, at)| serve_at(pod, at));
                for (port, verdict, backend) in [(81, near, backends[0]), (82, far, backends[1])] {
                    let to = SocketAddr::new(service.parse().expect("an address"), port);
                    let backend = SocketAddr::new(backend, BACKEND_PORT);
                    let came = one.connect(to);
                    assert_eq!(came, if verdict == ALLOW { Came::Through } else { RESET }, "{to} by {backend}");
                    let told = await_flow(&mut mixed.wire.guard, reached(backend));
                    assert_eq!((told.flow.decision, told.flow.enforced), (verdict, u8::from(verdict == ALLOW)));
                    assert_eq!(told.flow.container, mixed.wire.one.container_id);
                    assert_eq!(ask(one, to), verdict == ALLOW, "a datagram to {to} by {backend}");
                    let answered = one.tell(&format!("ask-connected {to}"));
                    assert_eq!(answered, if verdict == ALLOW { "ok" } else { "errno 111" }, "{to} by {backend}");
                    await_flow(&mut mixed.wire.guard, |event| {
                        u32::from(event.key.protocol) == 17 && reached(backend)(event)
                    });
                }
            }
        }
    });
}

fn echo(pod: &Pod, address: IpAddr) -> Echo {
    Echo::start(pod, SocketAddr::new(address, BACKEND_PORT))
}

/// A server at the backends' port.
fn serve_at(pod: &Pod, address: IpAddr) -> TcpListener {
    pod.inside(|| TcpListener::bind((address, BACKEND_PORT)).expect("a listener"))
}

#[test]
fn a_backend_with_the_nodes_own_network_gets_nothing_that_is_refused() {
    privileged(|| {
        let mut mixed = Mixed::new();
        let mut one = None;
        for (revision, verdict) in [(1, DENY), (2, ALLOW)] {
            let rules = mixed.tables(revision, ALLOW, verdict);
            mixed.install(&rules, &[]);
            let one = one.get_or_insert_with(|| mixed.wire.one.puppet(&mixed.wire.program));
            for (service, node) in SERVICE.iter().zip(NODE) {
                let backend = SocketAddr::new(node.parse().expect("an address"), BACKEND_PORT);
                let to = SocketAddr::new(service.parse().expect("an address"), 83);
                let (stream, datagram) = (TcpListener::bind(backend), UdpSocket::bind(backend));
                let (stream, datagram) = (stream.expect("a listener"), datagram.expect("a socket"));
                stream.set_nonblocking(true).expect("set");
                datagram.set_read_timeout(Some(Duration::from_millis(200))).expect("set");
                let before = mixed.wire.dropped("refused");
                assert_eq!(one.connect(to) == Came::Through, verdict == ALLOW, "{to}");
                assert_eq!(stream.accept().is_ok(), verdict == ALLOW, "{to}");
                assert_eq!(one.send(to), Came::Through, "the call: {to}");
                assert_eq!(datagram.recv(&mut [0; 64]).is_ok(), verdict == ALLOW, "{to}");
                assert_eq!(mixed.wire.dropped("refused") > before, verdict == DENY, "{to}");
                let told = await_flow(&mut mixed.wire.guard, reached(backend));
                assert_eq!((told.flow.decision, told.flow.container), (verdict, mixed.wire.one.container_id));
                assert!(TcpStream::connect(backend).is_ok(), "the node itself comes in");
            }
        }
    });
}

#[test]
fn what_leaves_by_a_link_without_a_program_gets_no_answer_from_a_refused_backend() {
    privileged(|| {
        let mut mixed = Mixed::new();
        let rules = mixed.tables(1, ALLOW, DENY);
        mixed.install(&rules, &[]);
        let mut one = mixed.wire.one.puppet(&mixed.wire.program);
        let far = mixed.far.four.into();
        let (_server, _echo) = (serve_at(&mixed.far, far), echo(&mixed.far, far));
        let to = SocketAddr::new(SERVICE[0].parse().expect("an address"), 82);
        assert_ne!(one.connect(to), Came::Through);
        await_flow(&mut mixed.wire.guard, reached(SocketAddr::new(far, BACKEND_PORT)));
        assert!(!ask(&mut one, to));
        // An allowed one goes on.
        let rules = mixed.tables(2, DENY, ALLOW);
        mixed.install(&rules, &[]);
        assert_eq!(one.connect(to), Came::Through);
    });
}

#[test]
fn a_connection_to_a_mixed_service_ends_when_its_backend_is_refused() {
    privileged(|| {
        let mut mixed = Mixed::new();
        let uplinks = [mixed.far.link.peer];
        let rules = mixed.tables(1, DENY, ALLOW);
        mixed.install(&rules, &uplinks);
        let mut one = mixed.wire.one.puppet(&mixed.wire.program);
        let far = mixed.far.four.into();
        let _server = serve_at(&mixed.far, far);
        let to = SocketAddr::new(SERVICE[0].parse().expect("an address"), 82);
        assert_eq!(one.tell(&format!("hold {to}")), "ok");
        let rules = mixed.tables(2, ALLOW, DENY);
        mixed.install(&rules, &uplinks);
        mixed.wire.guard.sweep_flows().expect("swept");
        let changed = await_flow(&mut mixed.wire.guard, |event| event.phase == c::PHASE_CHANGED);
        assert_eq!((changed.flow.enforced, changed.flow.decision), (0, DENY));
        assert_eq!(palisade_bpf::address(changed.flow.peer), far);
    });
}

#[test]
fn a_pod_whose_packets_pass_no_program_may_not_connect_to_a_mixed_service() {
    privileged(|| {
        let mut mixed = Mixed::new();
        let mut rules = mixed.tables(1, ALLOW, DENY);
        rules.containers.iter_mut().for_each(|container| container.packets = PacketHook::Nowhere);
        mixed.install(&rules, &[]);
        let mut one = mixed.wire.one.puppet(&mixed.wire.program);
        assert_eq!(one.connect(SocketAddr::new(SERVICE[0].parse().expect("an address"), 81)), REFUSED);
        let (at, _held) = serve(&mixed.wire.two, mixed.wire.two.four.into());
        assert_eq!(one.connect(at), Came::Through, "what its connect can decide goes on");
    });
}

#[test]
fn what_comes_from_a_pod_that_nobody_told_of_reaches_neither_the_node_nor_the_outside() {
    privileged(|| {
        let mut mixed = Mixed::new();
        let orphan = Pod::new(&mixed.wire.world, 7);
        let rules = mixed.tables(1, ALLOW, ALLOW);
        mixed.install(&rules, &[mixed.far.link.peer]);
        let listener = mixed.far.inside(|| UdpSocket::bind((mixed.far.four, 2000)).expect("a socket"));
        listener.set_read_timeout(Some(Duration::from_millis(150))).expect("set");
        let before = mixed.wire.dropped("unknown-pod");
        let send = || UdpSocket::bind("0.0.0.0:0").and_then(|own| own.send_to(b"x", (mixed.far.four, 2000)));
        orphan.inside(send).expect("sent");
        assert!(listener.recv(&mut [0; 64]).is_err(), "nothing came through");
        assert_eq!(mixed.wire.dropped("unknown-pod"), before + 1);
        let at_node =
            NODE.map(|node| UdpSocket::bind((node.parse::<IpAddr>().expect("an address"), 2000)).expect("a socket"));
        let send_to_node = || {
            at_node.iter().for_each(|at| {
                let to = at.local_addr().expect("an address");
                let any: IpAddr = if to.is_ipv4() { [0u8; 4].into() } else { [0u16; 8].into() };
                UdpSocket::bind((any, 0)).and_then(|own| own.send_to(b"x", to)).expect("sent");
            });
        };
        let arrived = || {
            at_node.each_ref().map(|at| {
                at.set_read_timeout(Some(Duration::from_millis(150))).expect("set");
                at.recv(&mut [0; 64]).is_ok()
            })
        };
        orphan.inside(send_to_node);
        assert_eq!(arrived(), [false; 2]);
        assert_eq!(mixed.wire.dropped("unknown-pod"), before + 3);
        send_to_node();
        assert_eq!(arrived(), [true; 2], "the node's own");
        // As a probe does.
        let server = orphan.inside(|| TcpListener::bind((orphan.four, 2000)).expect("a listener"));
        let probe = TcpStream::connect_timeout(&server.local_addr().expect("an address"), Duration::from_secs(2));
        assert!(probe.is_ok(), "an answer to the node: {probe:?}");
        // The node's own packets, and what it forwards from links that it knows, go on.
        send().expect("sent");
        assert!(listener.recv(&mut [0; 64]).is_ok());
        let mut rules = mixed.tables(2, ALLOW, ALLOW);
        rules.links.push(OtherLink { interface: orphan.link.peer, ethernet: true });
        mixed.wire.guard.install(&rules).expect("installed");
        orphan.inside(send).expect("sent");
        assert!(listener.recv(&mut [0; 64]).is_ok());
        orphan.inside(send_to_node);
        assert_eq!(arrived(), [true; 2]);
    });
}
