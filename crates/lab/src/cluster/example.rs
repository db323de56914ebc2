//! A cluster out of a few lines of YAML, for tests that need no kernel.

use std::sync::Arc;

use palisade_model::Timestamp;

use super::{Cluster, ContainerState, Node, Pod, Step};
use crate::address_plan::{AddressPlan, node_address, node_address_6};
use crate::expand::expand;
use crate::world;

/// The objects of `yaml` on two nodes, every container running; pods whose name ends in `unready`
/// are not ready.
pub(crate) fn cluster(yaml: &str) -> Cluster {
    let loaded = palisade_manifests::load_text("test.yaml", yaml);
    assert_eq!(loaded.problems, Vec::new(), "an example has no problem");
    let mut plan = AddressPlan::default();
    let mut cluster = Cluster::default();
    for number in 1..=2 {
        let name = format!("node{number}");
        let addresses = vec![node_address(number).into(), node_address_6(number).into()];
        cluster.nodes.push(Node { name: name.as_str().into(), number, labels: Default::default(), addresses });
    }
    for (number, (index, planned)) in
        [1, 2].into_iter().cycle().zip(expand(&loaded.value, 2).value.into_iter().enumerate())
    {
        let own = plan.take_pod(number).expect("an example has few pods").to_vec();
        let addresses =
            if planned.spec.host_network { cluster.nodes[usize::from(number) - 1].addresses.clone() } else { own };
        let ready = !planned.name.ends_with("unready");
        let state = |name: &str| ContainerState {
            id: Some(format!("{name}-{index}").into()),
            pid: Some(1),
            step: Step::Running,
            probed_ready: ready,
            ..ContainerState::default()
        };
        let containers = planned.spec.containers.iter().map(|it| (it.name.clone(), state(&it.name))).collect();
        let key = (planned.namespace.clone(), planned.name.clone());
        let uid = format!("uid-{index}").into();
        let created = Timestamp::UNIX_EPOCH;
        cluster.pods.insert(key, Pod { plan: planned, uid, node: number, addresses, created, containers });
    }
    for service in loaded.value.services {
        cluster
            .services
            .insert((service.meta.namespace().into(), service.meta.name().into()), Arc::unwrap_or_clone(service));
    }
    cluster.given_slices = loaded.value.endpoint_slices;
    cluster.world_names = world::names(&cluster);
    cluster
}
