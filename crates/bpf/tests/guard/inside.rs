//! Inside a pod: two containers on one loopback, where no packet passes the node.

use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::time::Duration;

use palisade_bpf::Tables;
use palisade_bpf::layout::constants as c;
use palisade_bpf::tables::Listener;

use crate::privileged;
use crate::puppet::{Came, Puppet, REFUSED};
use crate::veth::{Wire, await_flow};
use crate::wire::what_could_follow;
use crate::world::{ALLOW, DENY, SELF, TCP, UDP, cell, container, run, udp_cell};

/// What a refused packet's sender is told.
const EPERM: Came = Came::Errno(libc::EPERM);
const SIDE: u32 = 40;

/// A pod with two containers on a closed loopback: `main` may reach every port of it, `side` none.
struct Inside {
    // Ended before their surroundings are: a cgroup with a process in it cannot go.
    main: Puppet,
    side: Puppet,
    side_id: u64,
    wire: Wire,
}

impl Inside {
    fn new() -> Self {
        let mut wire = Wire::new();
        let (folder, side_id) = wire.world.make_cgroup("burstable/pod2/side");
        Self::install(&mut wire, side_id, 1, ALLOW);
        let main = wire.one.puppet(&wire.program);
        let side = wire.one.inside(|| Puppet::start(&wire.program, &folder));
        Self { wire, main, side, side_id }
    }

    fn install(wire: &mut Wire, side_id: u64, revision: u64, main: u32) {
        let rules = Self::rules(wire, side_id, revision, main);
        wire.install(&rules);
    }

    fn rules(wire: &Wire, side_id: u64, revision: u64, main: u32) -> Tables {
        let mut rules = wire.tables(revision);
        rules.containers.push(container(side_id, 2, SIDE));
        rules.cells.extend([cell(20, SELF, main), udp_cell(20, SELF, main)]);
        rules.cells.extend([cell(SIDE, SELF, DENY), udp_cell(SIDE, SELF, DENY)]);
        let owned = |protocol| Listener { subject: 2, port: 40_051, protocol, container: wire.one.container_id };
        rules.listeners = vec![owned(TCP), owned(UDP)];
        rules
    }

    /// A listening datagram socket of nobody's container in the pod's network.
    fn hears(&self, at: SocketAddr) -> UdpSocket {
        let socket = self.wire.one.inside(|| UdpSocket::bind(at).expect("a socket"));
        socket.set_read_timeout(Some(Duration::from_millis(150))).expect("set");
        socket
    }

    /// Sends by the loopback what could follow `frame`, and sees it dropped.
    fn put_in(&mut self, frame: &[u8]) {
        let before = self.wire.dropped("no-socket");
        self.wire.one.send_frame_by(c"lo", &what_could_follow(frame));
        assert_eq!(self.wire.dropped("no-socket"), before + 1, "{frame:x?}");
    }
}

/// The pod's loopback and its own addresses.
fn places(wire: &Wire) -> [IpAddr; 4] {
    let [four, six] = wire.one.addresses();
    ["127.0.0.1".parse().expect("an address"), "::1".parse().expect("an address"), four, six]
}

#[test]
fn raw_packets_do_not_pass_between_the_containers_of_a_pod() {
    privileged(|| {
        let mut pod = Inside::new();
        for place in places(&pod.wire) {
            let to = SocketAddr::new(place, 5400);
            // The receiver is a container's, as its programs are for those.
            let mut serving = pod.wire.one.puppet(&pod.wire.program);
            assert_eq!(serving.tell(&format!("await {to}")), "ok");
            assert_eq!(pod.side.send(to), REFUSED);
            let before = pod.wire.dropped("raw-socket");
            assert_eq!(crate::puppet::came(&pod.side.tell(&format!("raw {to}"))), EPERM, "{to}");
            assert_eq!(crate::puppet::came(&pod.main.tell(&format!("raw {to}"))), EPERM, "{to}");
            assert_eq!(pod.wire.dropped("raw-socket"), before + 2);
            // What its sender may send arrives, and it is the first thing that does.
            assert_eq!(pod.main.send(to), Came::Through);
            assert_eq!(serving.tell("hear"), "ok");
        }
    });
}

/// Another container listens in on what two ends in the pod say to each other, and puts in a word of its own.
#[test]
fn a_packet_socket_puts_nothing_into_what_goes_on_inside_a_pod() {
    privileged(|| {
        let mut pod = Inside::new();
        // As some meshes set it. Without it the kernel itself takes no such frame over IPv4.
        pod.wire.one.inside(|| {
            for setting in ["all/route_localnet", "all/accept_local"] {
                std::fs::write(format!("/proc/sys/net/ipv4/conf/{setting}"), "1").expect("set");
            }
        });
        for place in places(&pod.wire) {
            let to = SocketAddr::new(place, 5450);
            let mut server = pod.wire.one.puppet(&pod.wire.program);
            let mut caller = pod.wire.one.puppet(&pod.wire.program);
            assert_eq!(server.tell(&format!("await {to}")), "ok");
            let tap = pod.wire.one.tap(c"lo");
            assert_eq!(caller.tell(&format!("send-again {to}")), "ok");
            assert_eq!(server.tell("hear"), "ok");
            pod.put_in(&tap.next(to.port()));
            assert_eq!(caller.tell(&format!("send-again {to}")), "ok");
            assert_eq!(server.tell("hear"), "ok", "the exchange goes on: {to}");

            assert_eq!(server.bind(to), Came::Through);
            assert_eq!(caller.tell(&format!("hold {to}")), "ok");
            assert_eq!(server.tell("accept-held"), "ok");
            let tap = pod.wire.one.tap(c"lo");
            assert_eq!(caller.tell("write-held"), "ok");
            assert_eq!(server.tell("read-held"), "ok");
            pod.put_in(&tap.next(to.port()));
            assert_eq!(server.tell("read-held"), "errno 11", "nothing came: {to}");
            assert_eq!(caller.tell("write-held"), "ok");
            assert_eq!(server.tell("read-held"), "ok", "the connection goes on: {to}");
        }
        // Who has its node's network is its node.
        let mut rules = Inside::rules(&pod.wire, pod.side_id, 2, ALLOW);
        rules.containers.iter_mut().for_each(|container| container.host_network = true);
        pod.wire.install(&rules);
        let to: SocketAddr = "[::1]:5460".parse().expect("an address");
        assert_eq!(pod.side.tell(&format!("await {to}")), "ok");
        let tap = pod.wire.one.tap(c"lo");
        assert_eq!(pod.main.tell(&format!("send-again {to}")), "ok");
        let before = pod.wire.dropped("no-socket");
        pod.wire.one.send_frame_by(c"lo", &what_could_follow(&tap.next(to.port())));
        assert_eq!([pod.side.tell("hear"), pod.side.tell("hear")], ["ok", "ok"]);
        assert_eq!(pod.wire.dropped("no-socket"), before);
    });
}

#[test]
fn a_datagram_inside_a_pod_arrives_in_segments_and_in_fragments() {
    privileged(|| {
        let mut pod = Inside::new();
        for place in places(&pod.wire) {
            let to = SocketAddr::new(place, 5480);
            let mut server = pod.wire.one.puppet(&pod.wire.program);
            assert_eq!(server.tell(&format!("await {to}")), "ok");
            // The kernel takes the second apart before the socket gets it; the third does not fit the loopback over IPv6.
            for (bytes, each) in [(100, 100), (1000, 100), (65_507, 65_507)] {
                assert_eq!(pod.main.tell(&format!("send-large {to} {bytes} {each}")), "ok");
                for number in 0..bytes / each {
                    assert_eq!(server.tell("hear"), "ok", "{to}: {bytes} bytes in {each}, {number}");
                }
            }
        }
    });
}

/// As a mesh's sidecar gets what the pod's programs send.
#[test]
fn what_a_pod_redirects_to_its_own_loopback_arrives_and_is_answered() {
    privileged(|| {
        let mut pod = Inside::new();
        let ports = "meta l4proto { tcp, udp } th dport";
        let redirect = format!(
            "table inet mesh {{\n chain out {{\n type nat hook output priority -100;\n {ports} 5490 redirect to :5491\n }}\n
             chain after {{\n type nat hook postrouting priority 100;\n meta nfproto ipv4 {ports} 5491 snat ip to 127.0.0.1\n }}\n}}\n"
        );
        pod.wire.one.inside(|| run("nft", &[&redirect]));
        for (index, place) in places(&pod.wire).into_iter().enumerate() {
            let sidecar = places(&pod.wire)[index % 2];
            let (to, at) = (SocketAddr::new(place, 5490), SocketAddr::new(sidecar, 5491));
            let mut server = pod.wire.one.puppet(&pod.wire.program);
            assert_eq!(server.bind(at), Came::Through);
            assert_eq!(pod.main.tell(&format!("hold {to}")), "ok", "{to}");
            assert_eq!(server.tell("accept-held"), "ok");
            assert_eq!(server.tell("write-held"), "ok");
            assert_eq!(pod.main.tell("read-held"), "ok", "{to}");
            assert_eq!(pod.main.tell("end-held"), "ok");
            let answering = std::thread::spawn(move || server.tell(&format!("serve {at}")));
            let asked = (0..20).any(|_| pod.main.tell(&format!("ask {to}")) == "ok");
            assert!(asked, "{to}");
            assert_eq!(answering.join().expect("it ends"), "ok");
        }
    });
}

#[test]
fn a_process_of_the_node_reaches_the_pods_loopback() {
    privileged(|| {
        let mut pod = Inside::new();
        for place in places(&pod.wire) {
            let to = SocketAddr::new(place, 5500);
            assert_eq!(pod.main.bind(to), Came::Through);
            let mut serving = pod.wire.one.puppet(&pod.wire.program);
            assert_eq!(serving.tell(&format!("await {to}")), "ok");
            // As `kubectl port-forward` does: from a cgroup of the node, in the pod's network.
            pod.wire.one.inside(|| TcpStream::connect_timeout(&to, Duration::from_secs(2))).expect("connected");
            let any = if to.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
            pod.wire.one.inside(|| UdpSocket::bind(any).and_then(|own| own.send_to(b"x", to))).expect("sent");
            assert_eq!(serving.tell("hear"), "ok");
        }
    });
}

#[test]
fn a_new_revision_ends_a_connection_inside_a_pod() {
    privileged(|| {
        let mut pod = Inside::new();
        for (number, place) in (1..).zip(places(&pod.wire)) {
            let listener = pod.wire.one.inside(|| TcpListener::bind((place, 0)).expect("a listener"));
            let at = listener.local_addr().expect("an address");
            let mut caller = pod.wire.one.puppet(&pod.wire.program);
            assert_eq!(caller.tell(&format!("hold {at}")), "ok");
            let (mut server, _) = listener.accept().expect("accepted");
            server.set_read_timeout(Some(Duration::from_millis(300))).expect("set");
            assert_eq!(caller.tell("write-held"), "ok");
            use std::io::{Read, Write};
            server.read_exact(&mut [0; 1]).expect("it arrives");
            Inside::install(&mut pod.wire, pod.side_id, 2 * number, DENY);
            caller.tell("write-held");
            let changed = await_flow(&mut pod.wire.guard, |event| event.phase == c::PHASE_CHANGED);
            assert_eq!((changed.flow.enforced, changed.key.remote_port), (0, at.port()));
            assert_eq!(changed.pod, pod.wire.one.container_id);
            assert!(server.read_exact(&mut [0; 1]).is_err(), "nothing more arrives");
            // Nor the other way.
            server.write_all(b"x").expect("it is queued");
            assert_ne!(caller.tell("read-held"), "ok");
            let own = palisade_bpf::address(changed.key.pod);
            let ends = (SocketAddr::new(own, changed.key.pod_port), at);
            let ended = palisade_bpf::network::end_sockets(&pod.wire.one.network, &[ends]).expect("asked");
            assert_eq!(ended, 1);
            assert!(server.read_exact(&mut [0; 1]).is_err());
            Inside::install(&mut pod.wire, pod.side_id, 2 * number + 1, ALLOW);
        }
    });
}

#[test]
fn an_idle_connection_inside_a_pod_ends_without_a_packet() {
    privileged(|| {
        let mut pod = Inside::new();
        for (number, place) in (1..).zip(places(&pod.wire)) {
            let listener = pod.wire.one.inside(|| TcpListener::bind((place, 0)).expect("a listener"));
            let at = listener.local_addr().expect("an address");
            let mut caller = pod.wire.one.puppet(&pod.wire.program);
            assert_eq!(caller.tell(&format!("hold {at}")), "ok");
            let _accepted = listener.accept().expect("accepted");
            pod.wire.guard.judge_idle_inside().expect("run");
            Inside::install(&mut pod.wire, pod.side_id, 2 * number, DENY);
            pod.wire.guard.judge_idle_inside().expect("run");
            let changed = await_flow(&mut pod.wire.guard, |event| event.phase == c::PHASE_CHANGED);
            assert_eq!((changed.flow.enforced, changed.key.remote_port), (0, at.port()));
            assert_eq!(changed.pod, pod.wire.one.container_id);
            let own = SocketAddr::new(palisade_bpf::address(changed.key.pod), changed.key.pod_port);
            let ended = palisade_bpf::network::end_sockets(&pod.wire.one.network, &[(own, at)]).expect("asked");
            assert_eq!(ended, 1);
            assert_ne!(caller.tell("read-held"), "ok");
            Inside::install(&mut pod.wire, pod.side_id, 2 * number + 1, ALLOW);
        }
    });
}

#[test]
fn a_declared_port_is_its_owners_however_another_socket_came_by_it() {
    privileged(|| {
        let mut pod = Inside::new();
        let to: SocketAddr = "127.0.0.1:40051".parse().expect("an address");
        assert_eq!(crate::puppet::came(&pod.side.tell("listen-by-range 40051")), Came::Through);
        let before = pod.wire.dropped("port-owner");
        let came = pod.main.connect(to);
        assert!(came != Came::Through && pod.wire.dropped("port-owner") > before, "{came:?}");
        // From the node the same.
        let from_node = TcpStream::connect_timeout(&(pod.wire.one.four, 40_051).into(), Duration::from_millis(300));
        assert!(from_node.is_err());
        let heard = pod.hears("127.0.0.1:40051".parse().expect("an address"));
        assert_eq!(pod.main.send(to), Came::Through);
        assert!(heard.recv(&mut [0; 8]).is_ok(), "a socket of no container is the node's");
    });
}
