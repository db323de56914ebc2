//! A change of rules under traffic: every verdict is wholly of one revision.

use palisade_bpf::layout::constants::CAUSE_TABLE;
use palisade_bpf::tables::Verdict;
use palisade_bpf::{Error, Event};

use crate::privileged;
use crate::puppet::Puppet;
use crate::world::{ALLOW, DENY, SELF, World, cell, container, listener, tables, udp_cell};

/// Two sets of rules with the same verdict by different numbers in every table: any mixture of them refuses.
fn rules(revision: u64, id: u64) -> palisade_bpf::Tables {
    let mut rules = tables(revision);
    let class = 1000 + (revision as u32 % 2);
    rules.containers = vec![container(id, 0, class)];
    rules.cells = vec![cell(class, SELF, 0), udp_cell(class, SELF, 0)];
    if revision.is_multiple_of(2) {
        // The allowing decision has another index, so a span of one revision means a refusal in the other.
        rules.decisions.reverse();
        rules.port_tables[0][0].decision = DENY;
        assert_eq!(rules.decisions[DENY as usize].enforced, Verdict::Allow);
    } else {
        rules.port_tables[0][0].decision = ALLOW;
    }
    rules
}

#[test]
fn no_connect_meets_a_mixture_of_two_revisions() {
    privileged(|| {
        let world = World::new();
        let to = "127.0.0.1:9";
        let (web, id) = world.make_cgroup("pod1/web");
        let program = world.program("program");
        let mut guard = world.guard();
        guard.install(&rules(1, id)).expect("installed");
        let mut puppets = [Puppet::start(&program, &web), Puppet::start(&program, &web)];
        let order = format!("hammer {to} 1500");
        let mut judged = 0;
        let (answers, last) = std::thread::scope(|scope| {
            let hammers: Vec<_> = puppets.iter_mut().map(|puppet| scope.spawn(|| puppet.tell(&order))).collect();
            let mut revision = 1;
            while hammers.iter().any(|hammer| !hammer.is_finished()) {
                revision += 1;
                guard.install(&rules(revision, id)).expect("installed");
                let mut check = |event: Event| {
                    if let Event::Judged(event) = event {
                        judged += 1;
                        assert_eq!(event.cause, CAUSE_TABLE as u8, "{event:?}");
                        assert_eq!(u64::from(event.class), 1000 + event.revision() % 2);
                        let expected = if event.revision().is_multiple_of(2) { DENY } else { ALLOW };
                        assert_eq!(event.decision, expected);
                    }
                };
                guard.events(std::time::Duration::ZERO, &mut check).expect("events");
            }
            let answers: Vec<String> = hammers.into_iter().map(|hammer| hammer.join().expect("joined")).collect();
            (answers, revision)
        });
        let counters = guard.counters().expect("counters");
        eprintln!("{last} revisions, {judged} verdicts seen, connects `through refused other`: {answers:?}");
        assert!(last > 10, "only {last} revisions");
        for answer in answers {
            let numbers: Vec<u64> = answer.split(' ').map(|number| number.parse().expect("a number")).collect();
            assert!(numbers[0] > 10_000, "{answer}");
            assert_eq!(numbers[1], 0, "refused under a change between two revisions that allow");
        }
        for name in ["no-table", "no-cell", "no-decision", "no-state", "refused"] {
            assert_eq!(counters.value(name), 0, "{name}");
        }
    });
}

#[test]
fn an_older_revision_and_broken_tables_change_nothing() {
    privileged(|| {
        let world = World::new();
        let (_listener, to) = listener();
        let (web, id) = world.make_cgroup("pod1/web");
        let program = world.program("program");
        let mut guard = world.guard();
        guard.install(&rules(5, id)).expect("installed");
        assert!(matches!(guard.install(&tables(5)), Err(Error::OldRevision { revision: 5, live: 5 })));
        let mut broken = rules(6, id);
        broken.port_tables[0][0].decision = 99;
        assert!(matches!(guard.install(&broken), Err(Error::Tables { .. })));
        assert_eq!(guard.revision().expect("read"), 5);
        assert_eq!(Puppet::start(&program, &web).connect(to), crate::puppet::Came::Through);
    });
}
