//! What somebody in a container can make of sockets that the hooks let through: sources that are not the pod's, what goes to
//! many, and the kernel as a messenger.

use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

use palisade_bpf::Tables;
use palisade_bpf::layout::constants as c;
use palisade_bpf::tables::Cell;

use crate::privileged;
use crate::puppet::{Came, Puppet, REFUSED, came};
use crate::routes::ip;
use crate::veth::Wire;
use crate::wire::Pod;
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
