//! A model that was brought to an inventory by what changed answers as one that was made of it.

use std::sync::Arc;

use palisade_manifests::load_text;
use palisade_model::inventory::Object;
use palisade_model::link::{End, Link, PodEnd, Which};
use palisade_model::{Inventory, Protocol};
use palisade_policy::difference::difference;
use palisade_policy::{Grant, Model, lint};
use palisade_worlds::{Random, World, anything};

/// Sequences of changes, and changes of each.
const SEQUENCES: u64 = 24;
const CHANGES: usize = 6;

fn load(seed: u64) -> Inventory {
    load_text("world.yaml", &anything::generate(seed).yaml).value
}

/// The inventory after some objects have come, gone, or become what they are elsewhere.
fn changed(random: &mut Random, inventory: &Inventory, other: &Inventory) -> Inventory {
    let mut objects: Vec<Object> = inventory.objects().collect();
    let of_other: Vec<Object> = other.objects().collect();
    for _ in 0..random.between(1, 4) {
        if random.chance(40) && !objects.is_empty() {
            let gone = random.below(objects.len());
            objects.remove(gone);
        } else if let Some(object) = random.maybe_pick(&of_other) {
            objects.retain(|own| own.meta().reference != object.meta().reference);
            objects.push(object.clone());
        }
    }
    let mut after = Inventory {
        settings: inventory.settings.clone(),
        unreadable: inventory.unreadable.clone(),
        ..Inventory::default()
    };
    if random.chance(10) {
        after.unreadable.clear();
    }
    after.extend(objects);
    after
}

/// Links between all pods, and from and to who is asked about in the world.
fn links(model: &Model, world: &World) -> Vec<Link> {
    let end = |namespace: &palisade_model::Name, name: &palisade_model::Name| {
        End::Pod(PodEnd {
            namespace: namespace.clone(),
            name: name.clone(),
            container: Which::Unsaid,
            program: Which::Unsaid,
            address: None,
        })
    };
    let ends: Vec<End> = model.pods().iter().map(|pod| end(&pod.namespace, &pod.name)).collect();
    let pairs = ends.iter().flat_map(|from| ends.iter().map(move |to| (from, to)));
    let ports = [(Protocol::Tcp, 8080), (Protocol::Tcp, 80), (Protocol::Udp, 53)];
    let between = pairs.flat_map(|(from, to)| {
        ports.map(|(protocol, port)| Link { from: from.clone(), to: to.clone(), protocol, port })
    });
    between.chain(world.links.iter().cloned()).collect()
}

/// Every answer is the same: verdicts with their reasons, what explains them, findings, every node's tables, the map.
#[track_caller]
fn answer_alike(one: &Model, other: &Model, world: &World, what: &str) {
    let now = world.now;
    assert_eq!(one.problems(), other.problems(), "{what}");
    let findings = [one, other].map(|model| lint::lint(model, &model.problems(), now));
    assert_eq!(findings[0], findings[1], "{what}");
    for (position, link) in links(one, world).iter().enumerate() {
        let judgements = [one, other].map(|model| model.judge(link, now));
        assert_eq!(judgements[0], judgements[1], "{what}: {link:?}");
        if position.is_multiple_of(97) {
            let explained = [one, other].map(|model| model.explain(link, now, Grant::Workload));
            assert_eq!(format!("{:?}", explained[0]), format!("{:?}", explained[1]), "{what}: {link:?}");
        }
    }
    let nodes = one.inventory().nodes.iter().map(|node| node.meta.reference.name.clone());
    for node in nodes.chain(["no-such-node".into()]) {
        let tables = [one, other].map(|model| model.compile(&node, 1, now));
        assert_eq!(format!("{:?}", tables[0]), format!("{:?}", tables[1]), "{what}: {node}");
    }
    let none = difference(other, other, now);
    assert!(none.changes.is_empty(), "{what}: {:#?}", none.changes);
    assert_eq!(difference(one, other, now), none, "{what}");
}

#[test]
fn a_model_brought_to_an_inventory_answers_as_one_made_of_it() {
    for seed in 0..SEQUENCES {
        let mut random = Random::new(seed);
        let world = anything::generate(seed);
        let other = load(5000 + seed);
        let mut inventory = load(seed);
        inventory.unreadable.extend(world.unreadable.iter().cloned());
        let mut model = Model::new(Arc::new(inventory.clone()), world.settings.clone()).value;
        for change in 0..CHANGES {
            inventory = changed(&mut random, &inventory, &other);
            model.update(Arc::new(inventory.clone()), world.settings.clone());
            let whole = Model::new(Arc::new(inventory.clone()), world.settings.clone()).value;
            answer_alike(&model, &whole, &world, &format!("seed {seed}, change {change}"));
        }
    }
}

#[test]
fn changes_that_are_taken_back_leave_nothing() {
    for seed in 0..SEQUENCES {
        let world = anything::generate(seed);
        let inventory = load(seed);
        let whole = Model::new(Arc::new(inventory.clone()), world.settings.clone()).value;
        let mut model = Model::new(Arc::new(inventory.clone()), world.settings.clone()).value;
        for object in load(7000 + seed).objects() {
            let reference = &object.meta().reference;
            let before = inventory.objects().find(|own| own.meta().reference == *reference);
            model.put(object.clone());
            match before {
                Some(before) => model.put(before),
                None => model.remove(reference),
            }
        }
        assert!(model == whole, "seed {seed}");
    }
}

#[test]
fn twins_and_other_settings_are_followed_too() {
    let world = anything::generate(3);
    let mut inventory = load(3);
    let mut model = Model::new(Arc::new(inventory.clone()), world.settings.clone()).value;
    let twin = inventory.pods[0].clone();
    inventory.pods.push(twin);
    model.update(Arc::new(inventory.clone()), world.settings.clone());
    assert!(model == Model::new(Arc::new(inventory.clone()), world.settings.clone()).value);
    let mut settings = world.settings.clone();
    settings.dns_service = ("elsewhere".into(), "dns".into());
    inventory.pods.pop();
    model.update(Arc::new(inventory.clone()), settings.clone());
    assert!(model == Model::new(Arc::new(inventory), settings).value);
}
