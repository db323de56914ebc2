//! A decision ends at its instant, also when nobody looks after it.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use palisade_bpf::tables::{Decision, Verdict};

use crate::privileged;
use crate::puppet::{Came, Puppet, REFUSED};
use crate::world::{ALLOW, DENY, SELF, World, await_judged, cell, container, listener, tables};

#[test]
fn an_allow_expires_with_the_agent_dead() {
    privileged(|| {
        let world = World::new();
        let (_listener, to) = listener();
        let (web, id) = world.make_cgroup("pod1/web");
        let program = world.program("program");
        let mut puppet = Puppet::start(&program, &web);
        let mut guard = world.guard();
        let mut rules = tables(1);
        rules.containers = vec![container(id, 0, 10)];
        rules.cells = vec![cell(10, SELF, ALLOW)];
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
        let end = u64::try_from((now + Duration::from_millis(600)).as_nanos()).expect("before 2554");
        rules.decisions[ALLOW as usize] =
            Decision { enforced: Verdict::Allow, would: Verdict::Allow, mixed: false, expires: Some((end, DENY)) };
        guard.install(&rules).expect("installed");
        drop(guard);
        assert_eq!(puppet.connect(to), Came::Through);
        let deadline = Instant::now() + Duration::from_secs(3);
        while puppet.connect(to) == Came::Through {
            assert!(Instant::now() < deadline, "still allowed");
            std::thread::sleep(Duration::from_millis(10));
        }
        let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
        assert!(since.as_nanos() as u64 >= end, "ended early");
        assert_eq!(puppet.connect(to), REFUSED);
        let mut guard = world.guard();
        let last =
            std::iter::from_fn(|| Some(await_judged(&mut guard, puppet.pid()))).find(|event| event.enforced == 0);
        assert_eq!(last.expect("refused").decision, DENY);
    });
}
