//! Who reads the events is woken by the first one, and when much waits.

use std::net::SocketAddr;
use std::time::Duration;

use palisade_bpf::{Guard, Waiting};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::privileged;
use crate::puppet::{Puppet, REFUSED};
use crate::world::{DENY, WORLD, World, cell, container, drain, tables, udp_cell};

#[test]
fn a_reader_is_woken_by_the_first_event_and_when_much_waits() {
    privileged(|| {
        let world = World::new();
        let (web, id) = world.make_cgroup("pod1/web");
        let program = world.program("program");
        let mut guard = world.guard();
        let mut rules = tables(1);
        rules.containers = vec![container(id, 0, 10)];
        rules.cells = vec![cell(10, WORLD, DENY), udp_cell(10, WORLD, DENY)];
        guard.install(&rules).expect("installed");
        let mut puppet = Puppet::start(&program, &web);
        let place = |port: u16| SocketAddr::new("203.0.113.1".parse().expect("an address"), port);
        for round in 0..2 {
            drain(&mut guard);
            assert_eq!((guard.waiting(), is_woken(&guard)), (Waiting::Nothing, false), "{round}");
            assert_eq!(puppet.connect(place(1000 + round)), REFUSED);
            assert!(is_woken(&guard), "by the first, {round}");
            assert_eq!((guard.waiting(), is_woken(&guard)), (Waiting::Some, false), "{round}");
            assert_eq!(puppet.connect(place(2000 + round)), REFUSED);
            assert!(!is_woken(&guard), "not by the second, {round}");
        }
        let mut sent = 0;
        while !is_woken(&guard) {
            sent += 1;
            assert_eq!(puppet.send(place(3000 + sent)), REFUSED);
            assert!(sent < 5000, "by much");
        }
        assert_eq!(guard.waiting(), Waiting::Much, "after {sent}");
    });
}

fn is_woken(guard: &Guard) -> bool {
    let mut wait = [PollFd::from_borrowed_fd(guard.descriptor(), PollFlags::IN)];
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    // The kernel wakes from an interrupt to itself: a moment after the call.
    std::thread::sleep(Duration::from_millis(1));
    poll(&mut wait, Some(&now)).expect("it can be asked") > 0
}
