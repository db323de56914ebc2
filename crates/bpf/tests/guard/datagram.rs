//! Datagrams without connection: judged at each send, told once in a while, answered without a rule.

use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

use palisade_bpf::Event;
use palisade_bpf::layout::constants::{self as c, HOOK_SENDMSG};

use crate::privileged;
use crate::puppet::{Came, Puppet, REFUSED};
use crate::veth::{Wire, await_flow};
use crate::wire::Echo;
use crate::world::{ALLOW, DENY, SELF, World, await_judged, container, drain, tables, udp_cell};

#[test]
fn each_send_is_judged_and_repeats_are_told_together() {
    privileged(|| {
        let world = World::new();
        let outside = UdpSocket::bind("127.0.0.1:0").expect("a socket");
        let to = outside.local_addr().expect("an address");
        let (web, web_id) = world.make_cgroup("pod1/web");
        let (shut, shut_id) = world.make_cgroup("pod1/shut");
        let program = world.program("program");
        let mut guard = world.guard();
        let mut rules = tables(1);
        rules.containers = vec![container(web_id, 0, 10), container(shut_id, 1, 20)];
        rules.cells = vec![udp_cell(10, SELF, ALLOW), udp_cell(20, SELF, DENY)];
        guard.install(&rules).expect("installed");
        let (mut open, mut closed) = (Puppet::start(&program, &web), Puppet::start(&program, &shut));
        assert_eq!(open.send(to), Came::Through);
        let event = await_judged(&mut guard, open.pid());
        assert_eq!((event.hook, event.enforced, event.port), (HOOK_SENDMSG as u8, 1, to.port()));
        assert_eq!(closed.send(to), REFUSED);
        assert_eq!(await_judged(&mut guard, closed.pid()).enforced, 0);

        for _ in 0..50 {
            assert_eq!(open.tell(&format!("send-again {to}")), "ok");
        }
        let told = drain(&mut guard).iter().filter(|event| matches!(event, Event::Judged(_))).count();
        assert_eq!(told, 1, "fifty sends of one socket to one place are one event");
        assert_eq!(guard.counters().expect("counters").merged(), 49);
    });
}

#[test]
fn an_answer_needs_no_rule() {
    privileged(|| {
        let world = World::new();
        let client = UdpSocket::bind("127.0.0.1:0").expect("a socket");
        client.set_read_timeout(Some(Duration::from_secs(3))).expect("set");
        let (shut, id) = world.make_cgroup("pod1/shut");
        let program = world.program("program");
        let mut guard = world.guard();
        let mut rules = tables(1);
        rules.containers = vec![container(id, 0, 10)];
        rules.cells = vec![udp_cell(10, SELF, DENY)];
        guard.install(&rules).expect("installed");
        let mut server = Puppet::start(&program, &shut);
        let to = "127.0.0.1:5300";
        let answer = std::thread::scope(|scope| {
            let served = scope.spawn(|| server.tell(&format!("serve {to}")));
            let mut bytes = [0; 16];
            // The server may not listen yet.
            let mut length = 0;
            for _ in 0..100 {
                let _ = client.send_to(b"question", to);
                client.set_read_timeout(Some(Duration::from_millis(30))).expect("set");
                if let Ok((count, _)) = client.recv_from(&mut bytes) {
                    length = count;
                    break;
                }
            }
            assert_eq!(served.join().expect("joined"), "ok");
            bytes[..length].to_vec()
        });
        assert_eq!(answer, b"answer");
        assert_eq!(server.send(client.local_addr().expect("an address")), REFUSED, "another socket asks for itself");
        assert!(guard.counters().expect("counters").value("answers") >= 1);
    });
}

/// Two containers of a pod, one after the other at one port.
#[test]
fn an_exchange_is_of_the_socket_that_sends_and_not_of_one_that_had_its_port() {
    privileged(|| {
        const SIDE: u32 = 40;
        let mut wire = Wire::new();
        let (folder, side_id) = wire.world.make_cgroup("burstable/pod2/side");
        let install = |wire: &mut Wire, revision, side| {
            let mut rules = wire.tables(revision);
            rules.containers.push(container(side_id, 2, SIDE));
            rules.cells.push(udp_cell(SIDE, 103, side));
            wire.install(&rules);
        };
        install(&mut wire, 1, ALLOW);
        let mut main = wire.one.puppet(&wire.program);
        let mut side = wire.one.inside(|| Puppet::start(&wire.program, &folder));
        let main_id = wire.one.container_id;
        for (from, to) in wire.one.addresses().into_iter().zip(wire.two.addresses()) {
            let (from, to) = (SocketAddr::new(from, 7000), SocketAddr::new(to, 8000));
            let _echo = Echo::start(&wire.two, to);
            assert_eq!(main.tell(&format!("ask-from {from} {to}")), "ok");
            assert_eq!(side.tell(&format!("ask-from {from} {to}")), "ok");
            // At both veths the one before has ended.
            let mut ended = Vec::new();
            let of_side = await_flow(&mut wire.guard, |event| {
                let is_this = [event.key.pod, event.key.remote].map(palisade_bpf::address).contains(&to.ip());
                let told = (event.phase, if is_this { event.flow.container } else { 0 });
                if told == (c::PHASE_END, main_id) {
                    ended.push(event.flow.origin);
                }
                told == (c::PHASE_START, side_id)
            });
            assert_eq!((u32::from(of_side.flow.strength), of_side.key.remote_port), (c::STRENGTH_SAME_NODE, 7000));
            let ended: Vec<u32> = ended.into_iter().map(u32::from).collect();
            assert_eq!(ended, [c::FLOW_OUT, c::FLOW_IN], "{to}");
            // So its rule's end ends it, though the one before might go on.
            assert_eq!(side.tell(&format!("ask-held-from {from} {to}")), "ok");
            let revision = wire.guard.revision().expect("read");
            install(&mut wire, revision + 1, DENY);
            let before = wire.dropped("refused");
            assert_ne!(side.tell("ask-again"), "ok");
            assert_eq!(wire.dropped("refused"), before + 1);
            install(&mut wire, revision + 2, ALLOW);
            assert_eq!(side.tell("ask-again"), "ok");
            assert_eq!(side.tell("end-held"), "ok");
        }
    });
}
