//! What somebody in a container can make of sockets that the hooks let through: sources that are not the pod's, what goes to
//! many, and the kernel as a messenger.

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::time::Duration;

use palisade_bpf::Tables;
use palisade_bpf::layout::constants as c;
use palisade_bpf::tables::Cell;

use crate::privileged;
use crate::puppet::{Came, Puppet, REFUSED, came};
use crate::routes::ip;
use crate::veth::{Wire, flood, serve};
use crate::wire::{Pod, checksum};
use crate::world::{ALLOW, DENY, SELF, WORLD, await_judged, cell, container, udp_cell};

/// Nobody's address: the answer to it leaves the pod.
const ELSEWHERE: [&str; 2] = ["10.9.0.9:5300", "[fd09::9]:5300"];

/// The second pod may reach nobody but itself, and everybody may reach it.
fn open_to_all_and_closed_outwards(wire: &Wire, revision: u64) -> Tables {
    let mut rules = wire.tables(revision);
    rules.cells.extend([cell(30, SELF, ALLOW), udp_cell(30, SELF, ALLOW)]);
    for cell in rules.receiver_cells.iter_mut().filter(|cell| cell.receiver == 3) {
        cell.port_table = ALLOW;
    }
    rules
}

#[test]
fn a_source_that_is_not_the_pods_own_reaches_nobody_inside_it() {
    privileged(|| {
        let mut wire = Wire::new();
        let elsewhere = Pod::new(&wire.world, 9);
        let rules = open_to_all_and_closed_outwards(&wire, 1);
        wire.install(&rules);
        let mut two = wire.two.puppet(&wire.program);
        for (own, from) in wire.two.addresses().into_iter().zip(ELSEWHERE) {
            let hears = elsewhere.inside(|| UdpSocket::bind(from).expect("a socket"));
            hears.set_read_timeout(Some(Duration::from_millis(200))).expect("set");
            let own = SocketAddr::new(own, 4321);
            assert_eq!(came(&two.tell(&format!("answer-forged {own} {from}"))), REFUSED, "{from}");
            let event = await_judged(&mut wire.guard, two.pid());
            assert_eq!((event.enforced, u32::from(event.cause)), (0, c::CAUSE_SOURCE_ADDRESS));
            assert!(hears.recv(&mut [0; 16]).is_err(), "nothing left the pod");
            assert_eq!(came(&two.tell(&format!("connect-forged {own} {from}"))), REFUSED, "{from}");
            // From its own addresses it may.
            let also = SocketAddr::new(own.ip(), 4322);
            assert_eq!(came(&two.tell(&format!("answer-forged {own} {also}"))), Came::Through);
            assert_eq!(came(&two.tell(&format!("connect-forged {own} {also}"))), Came::Through);
        }
        // A connected socket's control message chooses one as well.
        let listener = wire.two.inside(|| UdpSocket::bind((wire.two.four, 4323)).expect("a socket"));
        let at = listener.local_addr().expect("an address");
        assert_eq!(came(&two.tell(&format!("send-marked {at} 127.0.0.1"))), Came::Through);
        // Whoever has CAP_NET_RAW, or an address more on its own loopback.
        wire.two.inside(|| ip("addr add 10.9.0.99/32 dev lo"));
        assert_eq!(came(&two.tell(&format!("send-marked {at} 10.9.0.99"))), REFUSED);
    });
}

#[test]
fn a_connected_send_with_control_messages_is_judged_by_its_connect() {
    privileged(|| {
        let mut wire = Wire::new();
        let mut rules = wire.tables(1);
        rules.cells.extend([cell(20, SELF, DENY), udp_cell(20, SELF, DENY)]);
        wire.install(&rules);
        let mut one = wire.one.puppet(&wire.program);
        let hears = wire.two.inside(|| UdpSocket::bind((wire.two.four, 5300)).expect("a socket"));
        hears.set_read_timeout(Some(Duration::from_secs(2))).expect("set");
        let at = hears.local_addr().expect("an address");
        assert_eq!(came(&one.tell(&format!("send-marked {at}"))), Came::Through);
        assert!(hears.recv(&mut [0; 16]).is_ok());
    });
}

#[test]
fn a_connected_ping_is_judged_as_an_echo() {
    privileged(|| {
        let mut wire = Wire::new();
        let mut rules = wire.tables(1);
        wire.install(&rules);
        let mut one = wire.one.puppet(&wire.program);
        let order = format!("ping-connected {}:7", wire.two.four);
        assert_eq!(came(&one.tell(&order)), REFUSED);
        rules.revision = 2;
        rules.cells.push(Cell { class: 20, destination: 103, protocol: 0, port_table: ALLOW });
        wire.install(&rules);
        assert_eq!(came(&one.tell(&order)), Came::Through);
    });
}

/// Multicast to every node of the link, and broadcast.
const TO_MANY: [&str; 3] = ["224.0.0.1:5300", "255.255.255.255:5300", "[ff02::1]:5300"];

#[test]
fn what_goes_to_many_is_for_the_pods_own_sockets_too() {
    privileged(|| {
        let mut wire = Wire::new();
        let (folder, side_id) = wire.world.make_cgroup("burstable/pod2/side");
        let mut side = wire.one.inside(|| Puppet::start(&wire.program, &folder));
        for (revision, loopback, arrives) in [(1, ALLOW, true), (2, DENY, false)] {
            let mut rules = wire.tables(revision);
            rules.containers.push(container(side_id, 2, 40));
            rules.cells.extend([udp_cell(40, WORLD, ALLOW), udp_cell(40, SELF, loopback)]);
            wire.install(&rules);
            for to in TO_MANY {
                let any = if to.starts_with('[') { "[::]:5300" } else { "0.0.0.0:5300" };
                let hears = wire.one.inside(|| UdpSocket::bind(any).expect("a socket"));
                hears.set_read_timeout(Some(Duration::from_millis(200))).expect("set");
                assert_eq!(came(&side.tell(&format!("cast {to}"))) == Came::Through, arrives, "{to}");
                assert_eq!(hears.recv(&mut [0; 16]).is_ok(), arrives, "{to}");
            }
        }
    });
}

#[test]
fn what_goes_to_many_is_judged_by_each_pod_that_gets_it() {
    privileged(|| {
        let mut wire = Wire::new();
        // As a CNI with a bridge has it.
        ip("link add bridge type bridge mcast_snooping 0");
        for pod in ["pod2", "pod3"] {
            ip(&format!("link set {pod} master bridge"));
        }
        ip("link set bridge up");
        let mut one = wire.one.puppet(&wire.program);
        for (revision, to_two) in [(1, ALLOW), (2, DENY)] {
            let mut rules = wire.tables(revision);
            rules.cells.retain(|cell| (cell.class, cell.destination) != (20, 103));
            rules.cells.push(udp_cell(20, 103, to_two));
            rules.cells.push(udp_cell(20, SELF, ALLOW));
            wire.install(&rules);
            for to in TO_MANY {
                let (own, any) = match to.starts_with('[') {
                    true => (wire.one.addresses()[1], "[::]:5300"),
                    false => (wire.one.addresses()[0], "0.0.0.0:5300"),
                };
                let hears = wire.two.inside(|| UdpSocket::bind(any).expect("a socket"));
                hears.set_read_timeout(Some(Duration::from_millis(200))).expect("set");
                assert_eq!(came(&one.tell(&format!("cast {to} {own}"))), Came::Through, "{to}");
                assert_eq!(hears.recv(&mut [0; 16]).is_ok(), to_two == ALLOW, "{to}");
            }
        }
    });
}

/// An echo by the kernel's ping socket, and its answer.
fn ping(from: &Pod, to: IpAddr, id: u16) -> bool {
    use rustix::net::{AddressFamily, SocketType, ipproto};
    let (family, protocol, kind) = match to {
        IpAddr::V4(_) => (AddressFamily::INET, ipproto::ICMP, 8),
        IpAddr::V6(_) => (AddressFamily::INET6, ipproto::ICMPV6, 128),
    };
    let own = from.addresses()[usize::from(to.is_ipv6())];
    let socket = from.inside(|| rustix::net::socket(family, SocketType::DGRAM, Some(protocol)).expect("a socket"));
    rustix::net::bind(&socket, &SocketAddr::new(own, id)).expect("an id");
    let socket = UdpSocket::from(socket);
    socket.set_read_timeout(Some(Duration::from_millis(500))).expect("set");
    socket.send_to(&[kind, 0, 0, 0, 0, 1, 0, 1], (to, 0)).expect("sent");
    socket.recv_from(&mut [0; 64]).is_ok()
}

#[test]
fn who_is_asked_by_an_echo_may_not_ask_back_nor_hinder_it() {
    privileged(|| {
        let mut wire = Wire::new();
        let outside = Pod::new(&wire.world, 9);
        let rules = open_to_all_and_closed_outwards(&wire, 1);
        wire.install(&rules);
        let mut two = wire.two.puppet(&wire.program);
        for (own, asker) in wire.two.addresses().into_iter().zip(outside.addresses()) {
            let order = format!("ping {asker} 77");
            assert_ne!(two.tell(&order), "ok");
            assert!(ping(&outside, own, 77), "what the pod was refused is another echo");
            assert_ne!(two.tell(&order), "ok");
            assert!(ping(&outside, own, 77));
        }
    });
}

#[test]
fn the_kernels_reset_of_a_segment_that_nobody_sent_stays_in_the_pod() {
    privileged(|| {
        let mut wire = Wire::new();
        let outside = Pod::new(&wire.world, 9);
        let rules = wire.tables(1);
        wire.install(&rules);
        let hears = hears_segments(&outside);
        let mut frame = wire.two.segment((outside.four, 0x4142), (wire.two.four, 0x4344), 0x10);
        frame[..12].fill(0);
        // Also where the other side has asked before: then there is a flow, which is refused.
        for asked in [false, true] {
            if asked {
                outside.send_segment((outside.four, 0x4142), (wire.two.four, 0x4344), 0x02);
                assert!(hears.recv(&mut [0; 64]).is_ok(), "its SYN is answered by a reset");
            }
            let before = wire.dropped("no-socket");
            wire.two.send_frame_by(c"lo", &frame);
            assert_eq!(wire.dropped("no-socket"), before + 1);
            assert!(hears.recv(&mut [0; 64]).is_err(), "four bytes of a number, and the ports, are a message");
        }
    });
}

#[test]
fn the_kernels_error_for_a_datagram_that_nobody_sent_stays_in_the_pod() {
    use rustix::net::{AddressFamily, SocketType, ipproto};
    privileged(|| {
        let mut wire = Wire::new();
        let outside = Pod::new(&wire.world, 9);
        let rules = wire.tables(1);
        wire.install(&rules);
        let raw = || rustix::net::socket(AddressFamily::INET, SocketType::RAW, Some(ipproto::ICMP)).expect("a socket");
        let errors = UdpSocket::from(outside.inside(raw));
        errors.set_read_timeout(Some(Duration::from_millis(200))).expect("set");
        let server = outside.inside(|| UdpSocket::bind((outside.four, 5300)).expect("a socket"));
        server.set_read_timeout(Some(Duration::from_secs(2))).expect("set");
        let mut one = wire.one.puppet(&wire.program);
        assert_eq!(one.send(server.local_addr().expect("an address")), Came::Through);
        let (_, from) = server.recv_from(&mut [0; 16]).expect("it came");
        // Its socket is closed: a late answer meets nobody, and that is told.
        server.send_to(b"late", from).expect("sent");
        assert!(errors.recv(&mut [0; 64]).is_ok());
        // The exchange is still known, and idle.
        std::thread::sleep(Duration::from_millis(1100));
        let mut datagram = [5300_u16, from.port(), 16, 0].map(u16::to_be_bytes).concat();
        datagram.extend(*b"a secret");
        let mut frame = wire.one.ipv4(outside.four, wire.one.four, 17, 0, &datagram);
        frame[..12].fill(0);
        let checked = checksum(&frame[14..34]);
        frame[24..26].copy_from_slice(&checked);
        let before = wire.dropped("unrelated");
        wire.one.send_frame_by(c"lo", &frame);
        assert!(errors.recv(&mut [0; 64]).is_err());
        assert_eq!(wire.dropped("unrelated"), before + 1);
    });
}

/// With NET_ADMIN a pod has devices of its own, by which anything comes in.
#[test]
fn what_a_pods_listener_answers_to_a_syn_that_did_not_come_by_the_node_stays_in_the_pod() {
    privileged(|| {
        let mut wire = Wire::new();
        let outside = Pod::new(&wire.world, 9);
        let rules = wire.tables(1);
        wire.install(&rules);
        let mut two = wire.two.puppet(&wire.program);
        wire.two.inside(|| {
            for line in
                ["link add out type veth peer name in", "link set out up", "link set in address 02:00:00:00:00:07"]
            {
                ip(line);
            }
            ip("link set in up");
        });
        let at = SocketAddr::from((wire.two.four, 7070));
        assert_eq!(two.bind(at), Came::Through);
        let hears = hears_segments(&outside);
        let before = wire.dropped("no-socket");
        let mut frame = wire.two.segment((outside.four, 4444), (wire.two.four, at.port()), 0x02);
        frame[..6].copy_from_slice(&[2, 0, 0, 0, 0, 7]);
        wire.two.send_frame_by(c"out", &frame);
        assert!(hears.recv(&mut [0; 64]).is_err());
        assert!(wire.dropped("no-socket") > before);
    });
}

/// Every segment that comes to the pod.
fn hears_segments(pod: &Pod) -> UdpSocket {
    use rustix::net::{AddressFamily, SocketType, ipproto};
    let raw = || rustix::net::socket(AddressFamily::INET, SocketType::RAW, Some(ipproto::TCP)).expect("a socket");
    let hears = UdpSocket::from(pod.inside(raw));
    hears.set_read_timeout(Some(Duration::from_millis(200))).expect("set");
    hears
}

#[test]
fn a_server_answers_all_who_asked_though_another_pod_asks_itself_without_end() {
    privileged(|| {
        let mut wire = Wire::new();
        let outside = Pod::new(&wire.world, 9);
        let mut rules = open_to_all_and_closed_outwards(&wire, 1);
        rules.cells.extend([cell(20, SELF, ALLOW), udp_cell(20, SELF, ALLOW)]);
        wire.install(&rules);
        let (mut one, mut two) = (wire.one.puppet(&wire.program), wire.two.puppet(&wire.program));
        let at = SocketAddr::from((wire.two.four, 5300));
        assert_eq!(two.tell(&format!("await {at}")), "ok");
        // More than its socket itself remembers.
        let askers: Vec<UdpSocket> = (0..40)
            .map(|_| {
                let socket = outside.inside(|| UdpSocket::bind((outside.four, 0)).expect("a socket"));
                socket.send_to(b"question", at).expect("sent");
                assert_eq!(two.tell("hear"), "ok");
                socket
            })
            .collect();
        assert_eq!(one.tell(&format!("ask-itself {} 12000", wire.one.four)), "ok");
        assert_eq!(one.tell("ask-itself 127.0.0.1 12000"), "ok");
        for asker in askers {
            let to = asker.local_addr().expect("an address");
            assert_eq!(came(&two.tell(&format!("reply-to {to}"))), Came::Through, "{to}");
        }
    });
}

/// Connection tracking on the node, as its translations need it.
fn track() {
    let rules =
        "table inet track { chain forward { type filter hook forward priority 0; ct state established accept; }; }";
    crate::world::run("nft", &[rules]);
}

#[test]
fn a_syn_against_a_connections_direction_ends_it_not_and_opens_nothing() {
    privileged(|| {
        let mut wire = Wire::new();
        let outside = Pod::new(&wire.world, 9);
        track();
        let mut rules = wire.tables(1);
        rules.cells.push(cell(20, SELF, ALLOW));
        wire.install(&rules);
        let mut one = wire.one.puppet(&wire.program);
        let (at, accepted) = serve(&outside, outside.four.into());
        let own = SocketAddr::from((wire.one.four, 6000));
        assert_eq!(one.tell(&format!("hold-from {own} {at}")), "ok");
        let mut server = accepted.recv_timeout(Duration::from_secs(3)).expect("accepted");
        server.set_read_timeout(Some(Duration::from_secs(2))).expect("set");
        outside.send_segment((outside.four, at.port()), (wire.one.four, 6000), 0x02);
        assert_eq!(one.tell("write-held"), "ok");
        use std::io::Read;
        server.read_exact(&mut [0; 1]).expect("the connection goes on");

        // Its end is told, and somebody listens where it came from.
        drop(server);
        assert_eq!(one.tell("end-held"), "ok");
        assert_eq!(one.tell(&format!("listen-too {own}")), "ok");
        let before = wire.dropped("refused");
        outside.send_segment((outside.four, at.port()), (wire.one.four, 6000), 0x02);
        assert_eq!(wire.dropped("refused"), before + 1);
    });
}

/// Tracking knows an exchange that the guard has forgotten, and calls what comes now an answer.
#[test]
fn whoever_was_asked_before_comes_in_by_its_own_name() {
    privileged(|| {
        let mut wire = Wire::new();
        let outside = Pod::new(&wire.world, 9);
        track();
        let mut rules = wire.tables(1);
        for cell in rules.receiver_cells.iter_mut().filter(|cell| cell.receiver == 2) {
            cell.port_table = ALLOW;
        }
        wire.install(&rules);
        let server = outside.inside(|| UdpSocket::bind((outside.four, 5300)).expect("a socket"));
        server.set_read_timeout(Some(Duration::from_secs(2))).expect("set");
        let mut one = wire.one.puppet(&wire.program);
        assert_eq!(one.send(server.local_addr().expect("an address")), Came::Through);
        let (_, from) = server.recv_from(&mut [0; 16]).expect("it came");
        flood(&outside, &wire.one);
        let hears = wire.one.inside(|| UdpSocket::bind(from).expect("the port is free"));
        hears.set_read_timeout(Some(Duration::from_secs(2))).expect("set");
        server.send_to(b"hello", from).expect("sent");
        assert!(hears.recv(&mut [0; 16]).is_ok());
    });
}
