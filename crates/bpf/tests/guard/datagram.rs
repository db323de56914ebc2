//! Datagrams without connection: judged at each send, told once in a while, answered without a rule.

use std::net::UdpSocket;
use std::time::Duration;

use palisade_bpf::Event;
use palisade_bpf::layout::constants::HOOK_SENDMSG;

use crate::privileged;
use crate::puppet::{Came, Puppet, REFUSED};
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
