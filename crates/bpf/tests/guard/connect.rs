//! A connect is judged by container and by program.

use palisade_bpf::layout::constants::{CAUSE_TABLE, CAUSE_UNKNOWN_POD};
use palisade_bpf::tables::Program;

use crate::privileged;
use crate::puppet::{Came, Puppet, REFUSED};
use crate::world::{ALLOW, DENY, SELF, World, await_judged, cell, container, file_key, listener, tables};

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
