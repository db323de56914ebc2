//! Exposure says of each way what the engine says of its link, on random worlds.

use std::sync::Arc;

use palisade_manifests::load_text;
use palisade_model::Timestamp;
use palisade_model::link::{End, Link, PodEnd, Which};
use palisade_model::verdict::Verdict;
use palisade_policy::Model;
use palisade_policy::doors::{PodNetwork, Source};
use palisade_policy::exposure::{Openness, Outside};

/// How many worlds: a second of them.
const WORLDS: u64 = 150;

fn model(seed: u64) -> Model {
    let world = palisade_worlds::anything::generate(seed);
    let inventory = load_text("world.yaml", &world.yaml).value;
    Model::new(Arc::new(inventory), world.settings).value
}

#[test]
fn a_way_is_as_open_as_its_link() {
    let now = Timestamp::UNIX_EPOCH;
    let (mut compared, mut refused) = (0, 0);
    for seed in 0..WORLDS {
        let model = model(seed);
        let Some(world) = model.world_address(true) else { continue };
        let exposure = model.exposure(Outside::Address(world), PodNetwork::Routed, now);
        for (exposed, way) in exposure.workloads.iter().flat_map(|it| it.ways.iter().map(move |way| (it, way))) {
            let [step] = &way.steps[..] else { continue };
            let Some((namespace, name)) = step.to.split_once('/') else { continue };
            if way.door.source != Source::Kept || model.pod_named(namespace, name).is_none() {
                continue;
            }
            let to = PodEnd {
                namespace: namespace.into(),
                name: name.into(),
                container: Which::Unsaid,
                program: Which::Unsaid,
                address: None,
            };
            let link = Link { from: End::Address(world), to: End::Pod(to), protocol: way.protocol, port: way.port };
            let judged = model.judge(&link, now).expect("the pod is there");
            assert_eq!(
                judged.enforced.link().1.word(),
                step.verdict.word(),
                "seed {seed} {} {way:#?}",
                exposed.workload
            );
            compared += 1;
            refused += usize::from(way.openness == Openness::Closed);
        }
    }
    assert!(compared > 300 && refused > 50, "{compared} compared, {refused} refused");
}

/// Who comes from anywhere gets in wherever one address that was chosen gets in, and nowhere else.
#[test]
fn what_one_address_may_anybody_may() {
    let now = Timestamp::UNIX_EPOCH;
    let mut compared = 0;
    for seed in 0..WORLDS / 3 {
        let model = model(seed);
        let Some(world) = model.world_address(true) else { continue };
        let open = |address: Outside| {
            let exposure = model.exposure(address, PodNetwork::Routed, now);
            let ways = exposure.workloads.into_iter().flat_map(|exposed| {
                let name = format!("{} {}", exposed.namespace, exposed.workload);
                exposed.ways.into_iter().map(move |way| (name.clone(), way))
            });
            ways.filter(|(_, way)| way.steps.iter().all(|step| matches!(step.verdict, Verdict::Allow(_))))
                .map(|(name, way)| (name, way.door.kind, way.door.port, way.port))
                .collect::<std::collections::BTreeSet<_>>()
        };
        let anybody = open(Outside::Anybody);
        for way in open(Outside::Address(world)) {
            let is_translated = way.1 != palisade_policy::doors::DoorKind::PodAddress;
            assert!(is_translated || anybody.contains(&way), "seed {seed}: {way:?}");
            compared += 1;
        }
    }
    assert!(compared > 100, "{compared}");
}
