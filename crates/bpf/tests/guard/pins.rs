//! The verdicts outlive the agent, and the next one goes on from them.

use std::process::Command;

use palisade_bpf::{Guard, Origin, pins};

use crate::privileged;
use crate::puppet::{Came, Puppet, REFUSED};
use crate::world::{ALLOW, DENY, SELF, World, await_judged, cell, container, listener, tables};

/// The kernel's list of links, by type.
fn links() -> String {
    String::from_utf8_lossy(
        &Command::new("bpftool").args(["link", "list"]).output().map(|out| out.stdout).unwrap_or_default(),
    )
    .into_owned()
}

fn rules(revision: u64, id: u64, verdict: u32) -> palisade_bpf::Tables {
    let mut rules = tables(revision);
    rules.containers = vec![container(id, 0, 10)];
    rules.cells = vec![cell(10, SELF, verdict)];
    rules
}

#[test]
fn verdicts_stay_without_an_agent_and_the_next_one_takes_over() {
    privileged(|| {
        let world = World::new();
        let (_listener, to) = listener();
        let (web, id) = world.make_cgroup("pod1/web");
        let (shut, shut_id) = world.make_cgroup("pod1/shut");
        let program = world.program("program");
        let mut first = world.guard();
        assert_eq!(first.origin(), Origin::Loaded);
        let mut live = rules(7, id, ALLOW);
        live.containers.push(container(shut_id, 1, 20));
        live.cells.push(cell(20, SELF, DENY));
        first.install(&live).expect("installed");
        // What kill -9 leaves: no descriptor of the agent's, only the pins.
        drop(first);

        let (mut open, mut closed) = (Puppet::start(&program, &web), Puppet::start(&program, &shut));
        assert_eq!((open.connect(to), closed.connect(to)), (Came::Through, REFUSED));

        let mut second = world.guard();
        assert_eq!((second.origin(), second.revision().expect("read")), (Origin::TakenOver, 7));
        // What happened without an agent is still in the ring, and in the counters.
        assert_eq!(await_judged(&mut second, closed.pid()).revision(), 7);
        let counters = second.counters().expect("counters");
        assert_eq!((counters.value("connects"), counters.refused()), (2, 1));
        assert!(second.install(&rules(7, id, DENY)).is_err(), "revisions never go backwards");
        second.install(&rules(8, id, DENY)).expect("installed");
        assert_eq!(open.connect(to), REFUSED);
        assert_eq!(await_judged(&mut second, open.pid()).revision(), 8);
    });
}

#[test]
fn an_agent_that_died_while_pinning_is_replaced_without_a_gap() {
    privileged(|| {
        let world = World::new();
        let (_listener, to) = listener();
        let (web, id) = world.make_cgroup("pod1/web");
        let program = world.program("program");
        let mut first = world.guard();
        first.install(&rules(3, id, DENY)).expect("installed");
        drop(first);
        let generation = std::fs::read_dir(world.options().pins).expect("pins").flatten().next().expect("one").path();
        std::fs::remove_file(generation.join("links/socket_state")).expect("removed");

        let mut second = world.guard();
        assert_eq!((second.origin(), second.revision().expect("read")), (Origin::Loaded, 3));
        // Loaded, not attached yet: the first one still judges.
        let mut puppet = Puppet::start(&program, &web);
        assert_eq!(puppet.connect(to), REFUSED);
        second.install(&rules(4, id, ALLOW)).expect("installed");
        assert_eq!(puppet.connect(to), Came::Through, "the half-pinned generation is gone");
        assert_eq!(std::fs::read_dir(world.options().pins).expect("pins").count(), 1);
    });
}

#[test]
fn every_kind_of_link_is_pinned_and_unmounting_detaches_them() {
    privileged(|| {
        let world = World::new();
        let (_listener, to) = listener();
        let (web, id) = world.make_cgroup("pod1/web");
        let program = world.program("program");
        let mut guard: Guard = world.guard();
        guard.install(&rules(1, id, DENY)).expect("installed");
        let memory = guard.memory().expect("memory");
        assert_eq!(memory.programs.len(), 21, "{memory:?}");
        eprintln!("kernel memory of one guard: {} KiB", memory.total() / 1024);
        drop(guard);
        let mut puppet = Puppet::start(&program, &web);
        assert_eq!(puppet.connect(to), REFUSED);
        let before = links();
        pins::unmount(&world.bpffs).expect("unmounted");
        assert_eq!(puppet.connect(to), Came::Through);
        if before.contains("connect4") || before.contains("cgroup") {
            assert!(links().lines().count() < before.lines().count(), "links are left:\n{}", links());
        }
        std::fs::create_dir_all(&world.bpffs).expect("for the world's own end");
    });
}
