//! A declared port belongs to the container that declares it.

use palisade_bpf::Event;
use palisade_bpf::layout::constants::{CAUSE_PORT_OWNER, HOOK_BIND};
use palisade_bpf::tables::Listener;

use crate::privileged;
use crate::puppet::{Came, Puppet, REFUSED};
use crate::world::{TCP, World, await_event, await_judged, container, tables};

#[test]
fn nobody_else_may_bind_a_declared_port() {
    privileged(|| {
        let world = World::new();
        let (web, web_id) = world.make_cgroup("pod1/web");
        let (side, side_id) = world.make_cgroup("pod1/side");
        let program = world.program("program");
        let mut guard = world.guard();
        let mut rules = tables(1);
        rules.containers = vec![container(web_id, 0, 10), container(side_id, 0, 20)];
        rules.listeners = vec![Listener { subject: 0, port: 8080, protocol: TCP, container: web_id }];
        guard.install(&rules).expect("installed");
        let (mut owner, mut other) = (Puppet::start(&program, &web), Puppet::start(&program, &side));
        for address in ["0.0.0.0:8080", "127.0.0.1:8080", "[::]:8080", "[::1]:8080"] {
            assert_eq!(other.bind(address.parse().expect("an address")), REFUSED, "{address}");
            let event = await_judged(&mut guard, other.pid());
            assert_eq!((event.hook, event.cause, event.port), (HOOK_BIND as u8, CAUSE_PORT_OWNER as u8, 8080));
        }
        assert_eq!(other.bind("127.0.0.1:0".parse().expect("an address")), Came::Through);
        assert_eq!(owner.bind("127.0.0.1:8080".parse().expect("an address")), Came::Through);
        let listens = await_event(&mut guard, |event| match event {
            Event::Listen(listen) if listen.process.pid == owner.pid() => Some(*listen),
            _ => None,
        });
        assert_eq!((listens.port, listens.container), (8080, web_id));
        assert_ne!(listens.network, 0);
    });
}
