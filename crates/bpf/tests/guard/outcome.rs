//! What became of a connect is tied to its verdict.

use std::net::SocketAddr;

use palisade_bpf::Event;
use palisade_bpf::layout::SocketEvent;

use crate::privileged;
use crate::puppet::{Came, Puppet};
use crate::world::{
    ALLOW, SELF, WORLD, World, add_address, await_event, await_judged, cell, container, drain, listener, run, tables,
};

const ESTABLISHED: u8 = 1;
const SYN_SENT: u8 = 2;
const CLOSE: u8 = 7;

fn await_state(guard: &mut palisade_bpf::Guard, socket: u64, attempt: u64) -> SocketEvent {
    await_event(guard, |event| match event {
        Event::Socket(event) if (event.socket, event.attempt) == (socket, attempt) => Some(*event),
        _ => None,
    })
}

#[test]
fn established_nobody_listens_unreachable_and_never_left() {
    privileged(|| {
        let world = World::new();
        let (_listener, open) = listener();
        let nobody: SocketAddr = "127.0.0.1:1".parse().expect("an address");
        add_address("10.9.9.9/24");
        run("ip", &["route", "add", "unreachable", "10.7.0.0/16"]);
        let (web, id) = world.make_cgroup("pod1/web");
        let program = world.program("program");
        let mut guard = world.guard();
        let mut rules = tables(1);
        rules.containers = vec![container(id, 0, 10)];
        rules.cells = vec![cell(10, SELF, ALLOW), cell(10, WORLD, ALLOW)];
        guard.install(&rules).expect("installed");
        let mut puppet = Puppet::start(&program, &web);

        for (to, came, last, error) in [
            (open, Came::Through, ESTABLISHED, 0),
            (nobody, Came::Errno(libc::ECONNREFUSED), CLOSE, libc::ECONNREFUSED),
        ] {
            assert_eq!(puppet.connect(to), came);
            let judged = await_judged(&mut guard, puppet.pid());
            let sent = await_state(&mut guard, judged.socket, judged.attempt);
            assert_eq!(sent.new_state, SYN_SENT);
            let ended = await_state(&mut guard, judged.socket, judged.attempt);
            assert_eq!((ended.new_state, i32::from(ended.error), ended.port), (last, error, to.port()));
        }

        // No route: the call fails before anything is sent, and no state follows the verdict.
        assert!(matches!(puppet.connect("10.7.1.1:80".parse().expect("an address")), Came::Errno(_)));
        let lost = await_judged(&mut guard, puppet.pid());
        assert_eq!(puppet.connect(open), Came::Through);
        let next = await_judged(&mut guard, puppet.pid());
        for event in drain(&mut guard) {
            if let Event::Socket(event) = event {
                assert_ne!((event.socket, event.attempt), (lost.socket, lost.attempt));
                assert_eq!(event.socket, next.socket);
            }
        }
    });
}
