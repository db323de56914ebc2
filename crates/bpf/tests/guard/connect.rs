//! A connect is judged by container and by program.

use std::net::{SocketAddr, TcpListener};

use palisade_bpf::Tables;
use palisade_bpf::layout::constants::{CAUSE_FOREIGN_SOCKET, CAUSE_HOST_NETWORK, CAUSE_TABLE, CAUSE_UNKNOWN_POD};
use palisade_bpf::tables::{Container, ContainerKind, Frontend, Network, Program, Span, UnknownPods};

use crate::privileged;
use crate::puppet::{Came, Puppet, REFUSED, came};
use crate::world::{
    ALLOW, DENY, SELF, TCP, WORLD, World, add_address, await_judged, cell, container, drain, file_key, listener,
    network, tables, udp_cell,
};

#[test]
fn container_and_program_decide() {
    privileged(|| {
        let world = World::new();
        let (_listener, address) = listener();
        let (web, web_id) = world.make_cgroup("burstable/pod1/web");
        let (side, side_id) = world.make_cgroup("burstable/pod1/side");
        let (stray, _) = world.make_cgroup("burstable/pod2/stray");
        let nginx = world.program("nginx");
        let malware = world.program("malware");
        let mut guard = world.guard();

        let mut rules = tables(1);
        rules.containers = vec![container(web_id, 0, 10), container(side_id, 0, 20)];
        rules.programs = vec![Program { container: web_id, file: file_key(&nginx), class: 11 }];
        rules.cells = vec![cell(10, SELF, DENY), cell(11, SELF, ALLOW), cell(20, SELF, DENY)];
        guard.install(&rules).expect("installed");

        let mut named = Puppet::start(&nginx, &web);
        assert_eq!(named.connect(address), Came::Through);
        let event = await_judged(&mut guard, named.pid());
        assert_eq!((event.enforced, event.cause, event.class), (1, CAUSE_TABLE as u8, 11));
        assert_eq!((event.revision(), event.decision, event.port), (1, ALLOW, address.port()));

        let mut other = Puppet::start(&malware, &web);
        assert_eq!(other.connect(address), REFUSED);
        let event = await_judged(&mut guard, other.pid());
        assert_eq!((event.enforced, event.class, event.decision), (0, 10, DENY));

        let mut sidecar = Puppet::start(&nginx, &side);
        assert_eq!(sidecar.connect(address), REFUSED);
        assert_eq!(await_judged(&mut guard, sidecar.pid()).class, 20);

        let mut unknown = Puppet::start(&nginx, &stray);
        assert_eq!(unknown.connect(address), REFUSED);
        let event = await_judged(&mut guard, unknown.pid());
        assert_eq!((event.cause, event.container), (CAUSE_UNKNOWN_POD as u8, 0));
    });
}

#[test]
fn a_nested_cgroup_is_still_its_container_and_an_unknown_container_its_pod() {
    privileged(|| {
        let world = World::new();
        let (_listener, address) = listener();
        let (pod, pod_id) = world.make_cgroup("burstable/pod1");
        let (web, web_id) = world.make_cgroup("burstable/pod1/web");
        let (deep, _) = world.make_cgroup("burstable/pod1/web/a/b/c/d");
        let (late, _) = world.make_cgroup("burstable/pod1/late");
        let program = world.program("program");
        let mut guard = world.guard();
        let mut rules = tables(1);
        let unknown_container = Container { kind: ContainerKind::Pod, ..container(pod_id, 0, 30) };
        rules.containers = vec![unknown_container, container(web_id, 0, 10)];
        rules.cells = vec![cell(10, SELF, ALLOW), cell(30, SELF, DENY)];
        guard.install(&rules).expect("installed");

        for (cgroup, came, class, known_as) in
            [(&web, Came::Through, 10, web_id), (&deep, Came::Through, 10, web_id), (&late, REFUSED, 30, pod_id)]
        {
            let mut puppet = Puppet::start(&program, cgroup);
            assert_eq!(puppet.connect(address), came, "{}", cgroup.display());
            let event = await_judged(&mut guard, puppet.pid());
            assert_eq!((event.class, event.container), (class, known_as), "{}", cgroup.display());
        }
        drop(pod);
    });
}

#[test]
fn a_host_network_pod_passes_and_is_recorded() {
    privileged(|| {
        let world = World::new();
        let (_listener, address) = listener();
        let (node, id) = world.make_cgroup("pod1/node");
        let program = world.program("program");
        let mut guard = world.guard();
        let mut rules = tables(1);
        rules.containers = vec![Container { host_network: true, ..container(id, 0, 10) }];
        guard.install(&rules).expect("installed");
        let mut puppet = Puppet::start(&program, &node);
        assert_eq!(puppet.connect(address), Came::Through);
        let event = await_judged(&mut guard, puppet.pid());
        assert_eq!((event.cause, event.enforced), (CAUSE_HOST_NETWORK as u8, 1));
    });
}

#[test]
fn unknown_pods_pass_when_they_are_only_recorded() {
    privileged(|| {
        let world = World::new();
        let (_listener, address) = listener();
        let (stray, _) = world.make_cgroup("pod1/stray");
        let program = world.program("program");
        let mut guard = world.guard();
        guard.install(&Tables { unknown_pods: UnknownPods::Record, ..tables(1) }).expect("installed");
        let mut puppet = Puppet::start(&program, &stray);
        assert_eq!(puppet.connect(address), Came::Through);
        let event = await_judged(&mut guard, puppet.pid());
        assert_eq!((event.cause, event.enforced), (CAUSE_UNKNOWN_POD as u8, 1));
    });
}

#[test]
fn mapped_ipv4_and_every_spelling_of_the_own_address_are_judged_as_what_they_are() {
    privileged(|| {
        let world = World::new();
        add_address("10.9.9.9/24");
        let everywhere = TcpListener::bind("[::]:0").expect("a listener");
        let port = everywhere.local_addr().expect("an address").port();
        let (web, id) = world.make_cgroup("pod1/web");
        let program = world.program("program");
        let mut guard = world.guard();
        let mut rules = tables(1);
        rules.containers = vec![container(id, 3, 10)];
        rules.destinations.push(Network { own_subject: Some(3), ..network("10.9.9.9", 32, 7) });
        rules.destinations.push(network("10.9.9.0", 24, 8));
        rules.cells = vec![cell(10, SELF, ALLOW), cell(10, 7, DENY), cell(10, 8, DENY), cell(10, WORLD, DENY)];
        guard.install(&rules).expect("installed");
        let mut puppet = Puppet::start(&program, &web);
        let own = ["127.0.0.1", "127.8.8.8", "0.0.0.0", "::1", "::", "::ffff:127.0.0.1", "10.9.9.9", "::ffff:10.9.9.9"];
        for address in own {
            let address = SocketAddr::new(address.parse().expect("an address"), port);
            assert_eq!(puppet.connect(address), Came::Through, "{address}");
            let event = await_judged(&mut guard, puppet.pid());
            assert_eq!(event.destination, SELF, "{address}");
        }
        rules.revision = 2;
        rules.destinations.push(network("fd00:10::", 32, 9));
        rules.cells.extend([cell(10, 9, DENY), udp_cell(10, 9, DENY), udp_cell(10, SELF, ALLOW)]);
        guard.install(&rules).expect("installed");
        let six: SocketAddr = "[fd00:10::7]:80".parse().expect("an address");
        assert_eq!((puppet.connect(six), puppet.send(six)), (REFUSED, REFUSED));
        for _ in 0..2 {
            assert_eq!(await_judged(&mut guard, puppet.pid()).destination, 9);
        }
        assert_eq!(puppet.send(SocketAddr::new("::1".parse().expect("an address"), 9)), Came::Through);
        assert_eq!(await_judged(&mut guard, puppet.pid()).destination, SELF);
        for address in ["10.9.9.8", "::ffff:10.9.9.8"] {
            let address = SocketAddr::new(address.parse().expect("an address"), port);
            assert_eq!(puppet.connect(address), REFUSED, "{address}");
            let event = await_judged(&mut guard, puppet.pid());
            assert_eq!(event.destination, 8, "{address}");
            assert_eq!(palisade_bpf::address(event.address).to_string(), "10.9.9.8");
        }
    });
}

#[test]
fn a_service_address_and_the_ports_decide() {
    privileged(|| {
        let world = World::new();
        add_address("10.9.9.9/24");
        let listener = TcpListener::bind("10.9.9.9:8080").expect("a listener");
        let to = listener.local_addr().expect("an address");
        let (web, id) = world.make_cgroup("pod1/web");
        let program = world.program("program");
        let mut guard = world.guard();
        let mut rules = tables(1);
        rules.containers = vec![container(id, 0, 10)];
        rules.destinations.push(network("10.9.9.9", 32, 7));
        let span = |first, last, decision| Span { first, last, decision };
        rules.port_tables.push(vec![span(0, 8079, DENY), span(8080, 8080, ALLOW), span(8081, u16::MAX, DENY)]);
        rules.cells = vec![cell(10, 7, 2), cell(10, 9, DENY)];
        guard.install(&rules).expect("installed");
        let mut puppet = Puppet::start(&program, &web);
        assert_eq!(puppet.connect(to), Came::Through);
        for port in [1, 8079, 8081, 65535] {
            assert_eq!(puppet.connect(SocketAddr::new(to.ip(), port)), REFUSED, "{port}");
        }
        rules.revision = 2;
        rules.frontends = vec![Frontend { address: to.ip(), protocol: TCP, port: 8080, destination: 9 }];
        guard.install(&rules).expect("installed");
        assert_eq!(puppet.connect(to), REFUSED);
    });
}

#[test]
fn an_address_alone_goes_before_every_prefix() {
    privileged(|| {
        let world = World::new();
        let (web, id) = world.make_cgroup("pod1/web");
        let program = world.program("program");
        let mut guard = world.guard();
        let mut rules = tables(1);
        rules.containers = vec![container(id, 0, 10)];
        let networks = [("10.9.9.0", 24, 20), ("10.9.9.8", 31, 21), ("10.9.9.9", 32, 22), ("fd00::", 64, 23)];
        rules.destinations.extend(networks.map(|(address, prefix, number)| network(address, prefix, number)));
        rules.destinations.push(network("fd00::9", 128, 24));
        rules.cells = (20..25).chain([WORLD]).map(|number| cell(10, number, DENY)).collect();
        guard.install(&rules).expect("installed");
        let mut puppet = Puppet::start(&program, &web);
        let places =
            [("10.9.9.9", 22), ("10.9.9.8", 21), ("10.9.9.10", 20), ("10.9.10.9", WORLD), ("::ffff:10.9.9.9", 22)];
        for (address, number) in places.into_iter().chain([("fd00::9", 24), ("fd00::8", 23), ("fd01::9", WORLD)]) {
            assert_eq!(puppet.connect(SocketAddr::new(address.parse().expect("an address"), 80)), REFUSED, "{address}");
            assert_eq!(await_judged(&mut guard, puppet.pid()).destination, number, "{address}");
        }
    });
}

#[test]
fn a_socket_of_another_container_needs_both_to_be_allowed() {
    privileged(|| {
        let world = World::new();
        let (_listener, to) = listener();
        let (web, web_id) = world.make_cgroup("pod1/web");
        let (shut, shut_id) = world.make_cgroup("pod1/shut");
        let program = world.program("program");
        let mut guard = world.guard();
        let mut rules = tables(1);
        rules.containers = vec![container(web_id, 0, 10), container(shut_id, 0, 20)];
        rules.cells = vec![cell(10, SELF, ALLOW), cell(20, SELF, DENY)];
        guard.install(&rules).expect("installed");

        let (mut open, mut closed) = (Puppet::start(&program, &web), Puppet::start(&program, &shut));
        // Lent by the open container to the closed one, and the other way round: refused either way.
        for cause in [CAUSE_FOREIGN_SOCKET, CAUSE_TABLE] {
            let (lender, borrower) =
                if cause == CAUSE_FOREIGN_SOCKET { (&mut closed, &mut open) } else { (&mut open, &mut closed) };
            let meeting = world.folder.join(format!("meeting-{cause}"));
            let meeting = meeting.to_str().expect("plain");
            let (pid, order) = (borrower.pid(), format!("borrow {meeting} {to}"));
            let came = std::thread::scope(|scope| {
                let borrowed = scope.spawn(|| borrower.tell(&order));
                assert_eq!(lender.tell(&format!("lend {meeting}")), "ok");
                came(&borrowed.join().expect("answered"))
            });
            assert_eq!(came, REFUSED);
            let event = await_judged(&mut guard, pid);
            assert_eq!(event.cause, cause as u8);
            assert_ne!(event.socket_cgroup, event.cgroup);
        }
    });
}

#[test]
fn a_multipath_connect_is_judged() {
    privileged(|| {
        let world = World::new();
        let (_listener, to) = listener();
        let (web, id) = world.make_cgroup("pod1/web");
        let program = world.program("program");
        let mut guard = world.guard();
        let mut rules = tables(1);
        rules.containers = vec![container(id, 0, 10)];
        rules.cells = vec![cell(10, SELF, DENY)];
        guard.install(&rules).expect("installed");
        let mut puppet = Puppet::start(&program, &web);
        let answer = puppet.tell(&format!("multipath {to}"));
        if answer == format!("errno {}", libc::EPROTONOSUPPORT) {
            return; // this kernel has no multipath TCP
        }
        assert_eq!(came(&answer), REFUSED);
        assert_eq!(await_judged(&mut guard, puppet.pid()).protocol, TCP);
    });
}

#[test]
fn a_process_that_is_refused_in_a_loop_does_not_fill_the_ring() {
    privileged(|| {
        let world = World::new();
        let (web, id) = world.make_cgroup("pod1/web");
        let program = world.program("program");
        let mut guard = world.guard();
        let mut rules = tables(1);
        rules.containers = vec![container(id, 0, 10)];
        guard.install(&rules).expect("installed");
        let mut puppet = Puppet::start(&program, &web);
        let answer = puppet.tell("hammer 127.0.0.1:9 1300");
        let refused: u64 = answer.split(' ').nth(1).and_then(|number| number.parse().ok()).expect("a number");
        assert!(refused > 1000, "{answer}");
        let events: Vec<_> = drain(&mut guard)
            .into_iter()
            .filter_map(|event| match event {
                palisade_bpf::Event::Judged(judged) => Some(judged),
                _ => None,
            })
            .collect();
        let counters = guard.counters().expect("counters");
        assert_eq!(counters.lost(), 0);
        assert_eq!(events.len() as u64 + counters.merged(), refused, "every refusal has an event or is counted");
        assert!((9..=32).contains(&events.len()), "{}", events.len());
        assert!(events.iter().any(|event| event.repeats > 100), "the next event tells of those before it");
    });
}
