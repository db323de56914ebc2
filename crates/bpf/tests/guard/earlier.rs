//! Connections that are older than the programs: at an agent's first start, and when another build of it takes over.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use palisade_bpf::layout::constants as c;
use palisade_bpf::tables::Program;
use palisade_bpf::{Event, FLOWS_RANGE, Guard, Options, Origin, Tables};

use crate::privileged;
use crate::puppet::{Came, Puppet, REFUSED};
use crate::veth::{Wire, await_flow, flood, serve};
use crate::wire::Pod;
use crate::world::{ALLOW, DENY, SELF, cell, file_key};

/// The class of the program that the rules name; other programs of the container are refused.
const NAMED: u32 = 21;

/// Pod one's program may reach everybody, and nobody else may reach anybody.
pub fn only_the_program(wire: &Wire, revision: u64) -> Tables {
    let mut rules = wire.tables(revision);
    rules.programs.push(Program { container: wire.one.container_id, file: file_key(&wire.program), class: NAMED });
    let of_container: Vec<_> = rules.cells.iter().filter(|cell| cell.class == 20).copied().collect();
    rules.cells.iter_mut().filter(|cell| cell.class == 20).for_each(|cell| cell.port_table = DENY);
    rules.cells.extend(of_container.into_iter().map(|cell| palisade_bpf::tables::Cell { class: NAMED, ..cell }));
    rules
}

/// A connection that a puppet holds.
struct Held {
    puppet: Puppet,
    server: TcpStream,
}

impl Held {
    fn new(wire: &Wire, program: &std::path::Path, to: usize) -> Self {
        let (at, accepted) = serve(&wire.two, wire.two.addresses()[to]);
        let mut puppet = wire.one.puppet(program);
        assert_eq!(puppet.tell(&format!("hold {at}")), "ok");
        let server = accepted.recv_timeout(Duration::from_secs(3)).expect("accepted");
        server.set_read_timeout(Some(Duration::from_millis(700))).expect("set");
        Self { puppet, server }
    }

    /// Whether a byte goes both ways, the server's first.
    fn works(&mut self) -> bool {
        self.server.write_all(b"x").is_ok()
            && self.puppet.tell("read-held") == "ok"
            && self.puppet.tell("write-held") == "ok"
            && self.server.read_exact(&mut [0]).is_ok()
    }
}

/// As if an older build had made what is pinned.
fn make_foreign(guard_pins: &std::path::Path) -> std::path::PathBuf {
    let ours = fs::read_dir(guard_pins).expect("pins").next().expect("one").expect("readable").path();
    let name = ours.file_name().expect("a name").to_string_lossy().into_owned();
    let (_, rest) = name.split_once('-').expect("a hash, and what it guards");
    let foreign = guard_pins.join(format!("{:016x}-{rest}", 7));
    fs::rename(&ours, &foreign).expect("a bpffs renames");
    foreign
}

fn changed(guard: &mut Guard) -> Vec<u8> {
    let mut verdicts = Vec::new();
    let each = &mut |event| match event {
        Event::Flow(flow) if flow.phase == c::PHASE_CHANGED => verdicts.push(flow.flow.enforced),
        _ => {}
    };
    guard.events(Duration::from_millis(50), each).expect("events");
    verdicts
}

#[test]
fn a_connection_older_than_the_guard_is_judged_by_its_container_and_program() {
    privileged(|| {
        let mut wire = Wire::new();
        let other = wire.world.program("other");
        for address in [0, 1] {
            let mut named = Held::new(&wire, &wire.program, address);
            let mut refused = Held::new(&wire, &other, address);
            let rules = only_the_program(&wire, 1 + address as u64);
            wire.install(&rules);
            if address == 0 {
                assert!(named.works(), "the rule names the program");
                assert!(!refused.works(), "no rule names this one");
                assert!(!wire.guard.sweep_flows().expect("swept"));
                assert_eq!(changed(&mut wire.guard), [0], "the refused one is told, to be ended");
                assert!(named.works(), "still");
            } else {
                // Made while the guard is there, and judged by its hooks.
                assert!(named.works());
            }
            if address == 0 {
                // The next round is older than a guard again.
                palisade_bpf::pins::unmount(&wire.world.bpffs).expect("unmounted");
                palisade_bpf::pins::mount(&wire.world.bpffs).expect("mounted");
                wire.guard = wire.world.guard();
            }
        }
    });
}

#[test]
fn a_connection_inside_a_pod_that_is_older_than_the_guard_is_judged_too() {
    privileged(|| {
        for (allowed, address) in [(true, 0), (false, 0), (true, 1)] {
            let mut wire = Wire::new();
            let at = SocketAddr::new(wire.one.addresses()[address], 7070);
            let (mut client, mut server) = (wire.one.puppet(&wire.program), wire.one.puppet(&wire.program));
            assert_eq!(server.bind(at), Came::Through);
            assert_eq!(client.tell(&format!("hold {at}")), "ok");
            assert_eq!(server.tell("accept-held"), "ok");
            let mut rules = wire.tables(1);
            // Nobody dials the client's port: what the server sends is an answer or nothing.
            let table = |first, last, decision| palisade_bpf::tables::Span { first, last, decision };
            let verdict = if allowed { ALLOW } else { DENY };
            rules.port_tables.push(vec![table(0, 7069, DENY), table(7070, 7070, verdict), table(7071, 65535, DENY)]);
            rules.cells.push(cell(20, SELF, 2));
            wire.install(&rules);
            // The server's word first, to a client that has been silent.
            assert_eq!(server.tell("write-held"), "ok");
            let heard = client.tell("read-held");
            let answered = client.tell("write-held") == "ok" && server.tell("read-held") == "ok";
            assert_eq!((heard == "ok") && answered, allowed, "{at}: {heard}");
        }
    });
}

#[test]
fn a_socket_that_two_programs_hold_is_of_no_named_one() {
    privileged(|| {
        let mut wire = Wire::new();
        let mut named = Held::new(&wire, &wire.program, 0);
        let other = wire.world.program("other");
        let mut second = wire.one.puppet(&other);
        let meeting = wire.world.folder.join("meeting").display().to_string();
        std::thread::scope(|scope| {
            let gives = scope.spawn(|| named.puppet.tell(&format!("give-held {meeting}")));
            assert_eq!(second.tell(&format!("take-held {meeting}")), "ok");
            assert_eq!(gives.join().expect("joined"), "ok");
        });
        let rules = only_the_program(&wire, 1);
        wire.install(&rules);
        assert!(!named.works());
    });
}

#[test]
fn another_build_takes_over_under_traffic_and_cuts_nothing_and_lets_nothing_refused_through() {
    privileged(|| {
        let mut wire = Wire::new();
        let rules = only_the_program(&wire, 1);
        wire.install(&rules);
        let other = wire.world.program("other");
        let mut held: Vec<Held> = [0, 1].map(|address| Held::new(&wire, &wire.program, address)).into();
        assert!(held.iter_mut().all(Held::works));
        let flow_of = |wire: &mut Wire, before: u64| {
            await_flow(&mut wire.guard, |event| {
                u32::from(event.flow.origin) == c::FLOW_OUT && event.flow.packets_out > before
            })
        };
        let (at, _accepted) = serve(&wire.two, wire.two.four.into());
        let mut refused = wire.one.puppet(&other);
        assert_eq!(refused.connect(at), REFUSED);
        let before = wire.guard.counters().expect("counters");

        let foreign = make_foreign(&wire.world.options().pins);
        let mut next = wire.world.guard();
        assert_eq!((next.origin(), next.revision().expect("read")), (Origin::Loaded, 1));
        let done = std::sync::atomic::AtomicBool::new(false);
        let rules = only_the_program(&wire, 2);
        let program = wire.program.clone();
        let (mut calling, mut knocking) = (wire.one.puppet(&program), wire.one.puppet(&other));
        std::thread::scope(|scope| {
            let (done, held) = (&done, &mut held);
            let talking = scope.spawn(move || {
                while !done.load(std::sync::atomic::Ordering::Relaxed) {
                    assert!(held.iter_mut().all(Held::works), "what is allowed goes on");
                }
            });
            let calls = scope.spawn(move || {
                let mut count = 0;
                while !done.load(std::sync::atomic::Ordering::Relaxed) {
                    assert_eq!(calling.connect(at), Came::Through, "after {count} calls");
                    assert_eq!(knocking.connect(at), REFUSED, "after {count} calls");
                    count += 1;
                }
                count
            });
            std::thread::sleep(Duration::from_millis(100));
            next.install(&rules).expect("installed");
            assert!(foreign.exists(), "it judges packets until the new one does");
            std::thread::sleep(Duration::from_millis(100));
            let interfaces: Vec<u32> = rules.veths.iter().map(|veth| veth.interface).collect();
            let taken = next.guard_links(&wire.node, &interfaces, &[]).expect("attached");
            assert!(taken.flows >= 4, "both ends of two connections: {taken:?}");
            std::thread::sleep(Duration::from_millis(100));
            done.store(true, std::sync::atomic::Ordering::Relaxed);
            talking.join().expect("nothing was cut");
            assert!(calls.join().expect("each call met its verdict") > 10);
        });
        assert!(!foreign.exists(), "and then goes");
        assert_eq!(fs::read_dir(wire.world.options().pins).expect("pins").count(), 1);
        wire.guard = next;
        assert!(held.iter_mut().all(Held::works));
        let after = wire.guard.counters().expect("counters");
        for name in ["connects", "refused", "flows"] {
            assert!(
                after.value(name) >= before.value(name),
                "{name}: {} after {}",
                after.value(name),
                before.value(name)
            );
        }
        // What the connections had carried before is told at their end; nobody has read what the calls left in the ring.
        crate::world::drain(&mut wire.guard);
        let mut first = held.remove(0);
        let bytes: usize = 8;
        for _ in 0..bytes {
            assert!(first.works());
        }
        drop(first);
        let ended = flow_of(&mut wire, 10);
        assert!(ended.flow.attempt != 0, "the flow of before: {ended:?}");
        assert_eq!(refused.connect(at), REFUSED);
        assert_eq!(wire.one.puppet(&wire.program).connect(at), Came::Through);
    });
}

#[test]
fn a_table_of_another_size_takes_over_what_is_known() {
    privileged(|| {
        let mut wire = Wire::new();
        let rules = wire.tables(1);
        wire.install(&rules);
        let size = |guard: &Guard| {
            let memory = guard.memory().expect("it is known");
            memory.maps.iter().find(|(name, _)| name == "flows").expect("there is one").1
        };
        let before = size(&wire.guard);
        let mut held = Held::new(&wire, &wire.program, 0);
        let fewer = *FLOWS_RANGE.start();
        wire.guard = Guard::load(&Options { flows: fewer, ..wire.world.options() }).expect("loaded");
        assert_eq!(wire.guard.origin(), Origin::Loaded);
        let rules = wire.tables(2);
        wire.guard.install(&rules).expect("installed");
        let interfaces: Vec<u32> = rules.veths.iter().map(|veth| veth.interface).collect();
        let taken = wire.guard.guard_links(&wire.node, &interfaces, &[]).expect("attached");
        assert!(taken.flows >= 2, "both ends of the connection: {taken:?}");
        assert_eq!(fs::read_dir(wire.world.options().pins).expect("pins").count(), 1);
        assert!(size(&wire.guard) * 8 < before, "{} after {before}", size(&wire.guard));
        assert!(held.works());
    });
}

/// The kernel answers for a connection that no process has any more; when it is older than the guard, nobody else knows of it.
#[test]
fn the_last_words_of_a_connection_that_is_older_than_the_guard_pass() {
    privileged(|| {
        let mut wire = Wire::new();
        let outside = Pod::new(&wire.world, 9);
        let (at, accepted) = serve(&outside, outside.four.into());
        let mut one = wire.one.puppet(&wire.program);
        assert_eq!(one.tell(&format!("hold {at}")), "ok");
        let mut server = accepted.recv_timeout(Duration::from_secs(3)).expect("accepted");
        let own = server.peer_addr().expect("it is connected");
        assert_eq!(one.tell("end-held"), "ok");
        assert_eq!(server.read(&mut [0; 8]).expect("its end"), 0);
        drop(server);
        let rules = wire.tables(1);
        wire.install(&rules);
        let before = wire.guard.counters().expect("counters");
        outside.acknowledge((outside.four, at.port()), (wire.one.four, own.port()));
        std::thread::sleep(Duration::from_millis(100));
        let after = wire.guard.counters().expect("counters");
        assert_eq!(after.value("dropped-no-connection"), before.value("dropped-no-connection"), "the pod holds it");
        assert_eq!(after.value("dropped-no-socket"), before.value("dropped-no-socket"));
    });
}

/// Whoever speaks first: a server's end knows its client, a pod of the same node, by the client's flow alone.
#[test]
fn a_connection_goes_on_when_both_its_flows_are_pushed_out_and_ends_with_its_rule() {
    privileged(|| {
        let mut wire = Wire::new();
        let outside = Pod::new(&wire.world, 9);
        let rules = wire.tables(1);
        wire.install(&rules);
        let mut held = [0, 1].map(|address| Held::new(&wire, &wire.program, address));
        let recalled = |wire: &Wire| wire.guard.counters().expect("counters").value("flows-recalled");
        let before = recalled(&wire);
        flood(&outside, &wire.one);
        assert!(held.iter_mut().all(Held::works));
        assert!(recalled(&wire) >= before + 2, "they were pushed out");
        flood(&outside, &wire.one);
        let mut rules = wire.tables(2);
        rules.cells.retain(|cell| (cell.class, cell.destination) != (20, 103));
        wire.install(&rules);
        assert!(!held.iter_mut().any(Held::works));
    });
}

#[test]
fn a_server_of_datagrams_answers_after_another_build_took_over() {
    privileged(|| {
        let mut wire = Wire::new();
        let rules = wire.tables(1);
        wire.install(&rules);
        let to = SocketAddr::new(wire.two.four.into(), 5300);
        let mut two = wire.two.puppet(&wire.program);
        assert_eq!(two.tell(&format!("await {to}")), "ok");
        let mut one = wire.one.puppet(&wire.program);
        assert_eq!(one.tell(&format!("question {to}")), "ok");
        assert_eq!(two.tell("hear"), "ok");
        make_foreign(&wire.world.options().pins);
        wire.guard = wire.world.guard();
        assert_eq!(wire.guard.origin(), Origin::Loaded);
        let rules = wire.tables(2);
        wire.install(&rules);
        assert_eq!(two.tell("reply"), "ok", "closed, but it was asked");
        assert_eq!(one.tell("hear-held"), "ok");
    });
}
