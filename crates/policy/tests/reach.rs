//! The answers of classes are the answers of `judge` for each pair of their members.

use std::sync::Arc;

use palisade_model::cni::PROFILES;
use palisade_model::link::{End, Link, PodEnd, Which};
use palisade_model::port::Protocol;
use palisade_model::settings::Settings;
use palisade_model::verdict::Word;
use palisade_model::{Inventory, Timestamp};
use palisade_policy::Model;
use palisade_policy::compile::Carrier;
use palisade_policy::reach::{AnswerId, Member, PairAnswer, PortAnswers, Process, Reach};
use palisade_worlds::{anything, runnable};

/// One of each kind, and the borders of what the worlds' rules name.
const PORTS: [u16; 8] = [0, 53, 80, 8000, 8001, 8080, 9000, 65535];

#[test]
fn a_class_gets_what_judge_says_of_each_of_its_members_in_runnable_worlds() {
    let now: Timestamp = "2026-01-01T00:00:00Z".parse().expect("a constant");
    let mut compared = 0;
    for seed in 0..40 {
        let world = runnable::generate(seed);
        let inventory = palisade_manifests::load_text("world", &world.as_if_running).value;
        compared += compare(seed, inventory, &Settings::default(), now);
    }
    assert!(compared > 100_000, "only {compared} links were compared");
}

#[test]
fn a_class_gets_what_judge_says_of_each_of_its_members_in_stranger_worlds() {
    let mut compared = 0;
    for seed in 0..150 {
        let world = anything::generate(seed);
        let mut inventory = palisade_manifests::load_text("world", &world.yaml).value;
        inventory.unreadable.extend(world.unreadable.iter().cloned());
        compared += compare(seed, inventory, &world.settings, world.now);
    }
    assert!(compared > 100_000, "only {compared} links were compared");
}

/// Beside a network plugin that enforces NetworkPolicy itself, too.
#[test]
fn a_class_gets_what_judge_says_of_each_of_its_members_with_each_network_plugin() {
    let mut compared = 0;
    for seed in 0..12 {
        let world = anything::generate(seed);
        let inventory = palisade_manifests::load_text("world", &world.yaml).value;
        for profile in PROFILES.iter().filter(|profile| profile.behaviour.native) {
            compared += compare(seed, inventory.clone(), &world.settings.clone().with_cni(profile), world.now);
        }
    }
    assert!(compared > 15_000, "only {compared} links were compared");
}

fn compare(seed: u64, inventory: Inventory, settings: &Settings, now: Timestamp) -> usize {
    let model = Model::new(Arc::new(inventory), settings.clone()).value;
    let mut reach = model.reach(now);
    let mut told = std::collections::HashMap::new();
    let mut order = Vec::new();
    reach.for_each(|_, from, to, pair| {
        told.insert((from, to), pair);
        order.push((from, to));
    });
    assert!(order.is_sorted(), "seed {seed}: pairs are told in order");
    let mut compared = 0;
    for from in 0..reach.senders().len() {
        for to in 0..reach.receivers().len() {
            let pair = reach.pair(from, to);
            let says_something =
                |pair: PairAnswer| [pair.four, pair.six].into_iter().flatten().any(|id| id != AnswerId::REFUSED);
            assert_eq!(told.get(&(from, to)).copied(), pair.filter(|pair| says_something(*pair)), "seed {seed}");
            let Some(pair) = pair else { continue };
            compared += compare_pair(seed, &reach, now, (from, to), pair);
        }
    }
    compared
}

fn compare_pair(seed: u64, reach: &Reach<'_>, now: Timestamp, (from, to): (usize, usize), pair: PairAnswer) -> usize {
    let mut compared = 0;
    for (is_four, id) in [(true, pair.four), (false, pair.six)] {
        let Some(answer) = id.map(|id| reach.answer(id)) else { continue };
        for sender in &reach.senders()[from].members {
            for receiver in &reach.receivers()[to].members {
                if sender.pod().is_some() && sender.pod() == receiver.pod() {
                    continue;
                }
                let froms = ends(reach, sender, Side::Sender, is_four);
                let tos = ends(reach, receiver, Side::Receiver, is_four);
                for (from, to) in froms.iter().flat_map(|from| tos.iter().map(move |to| (from, to))) {
                    compared += compare_link(seed, reach, now, (from, to), answer);
                }
            }
        }
    }
    compared
}

fn compare_link(seed: u64, reach: &Reach<'_>, now: Timestamp, (from, to): (&End, &End), answer: &PortAnswers) -> usize {
    for protocol in Protocol::ALL {
        for port in PORTS {
            let link = Link { from: from.clone(), to: to.clone(), protocol, port };
            let judgement = reach.model().judge(&link, now).expect("the ends are in the input");
            let says = answer.at(Carrier::from(protocol), port);
            let expected = [&judgement.enforced, &judgement.would_be].map(|of| Word::from(of.link().1));
            assert_eq!([says.enforced, says.would_be], expected, "seed {seed}: {link:?}");
        }
    }
    Protocol::ALL.len() * PORTS.len()
}

/// On which side a member stands.
#[derive(PartialEq, Eq)]
enum Side {
    Sender,
    Receiver,
}

/// The ends that a member stands for; none when it has no address of the family.
fn ends(reach: &Reach<'_>, member: &Member, side: Side, is_four: bool) -> Vec<End> {
    let Process { pod, container, program } = match member {
        Member::Outside(outside) => return vec![End::Address(outside.address)],
        Member::Pod(process) => process,
    };
    let facts = reach.model().pod(*pod);
    let address = facts.addresses.iter().copied().find(|address| address.is_ipv4() == is_four);
    if address.is_none() && !facts.addresses.is_empty() {
        return Vec::new();
    }
    // A pod that no rule tells apart is each of its containers.
    let containers: Vec<Which> = match (side, container) {
        (Side::Sender, Which::Unsaid) => {
            let containers = &reach.model().spec(facts).containers;
            containers.iter().map(|container| Which::Named(container.name.clone())).collect()
        }
        (_, container) => vec![container.clone()],
    };
    let ends = containers.into_iter().map(|container| {
        let program = if container == Which::Unsaid { program.clone() } else { named_or_other(program) };
        let (namespace, name) = (facts.namespace.clone(), facts.name.clone());
        End::Pod(PodEnd { namespace, name, container, program, address })
    });
    ends.collect()
}

fn named_or_other(program: &Which) -> Which {
    if *program == Which::Unsaid { Which::Other } else { program.clone() }
}
