//! Policies written anew as another kind, read again and judged by the brute force.

use std::sync::Arc;

use palisade_manifests::load_text;
use palisade_model::settings::Settings;
use palisade_model::{Inventory, Kind, Timestamp};
use palisade_policy::compare::{Turned, Word};
use palisade_policy::lower::{Target, lower};
use palisade_policy::{convert, written};
use palisade_worlds::{World, anything};

fn inventory(world: &World) -> Inventory {
    let mut inventory = load_text("world.yaml", &world.yaml).value;
    inventory.unreadable.extend(world.unreadable.iter().cloned());
    inventory
}

fn word(inventory: &Inventory, settings: &Settings, link: &palisade_model::link::Link, now: Timestamp) -> Option<Word> {
    Some(Word::from(palisade_oracle::judge(inventory, settings, link, now).ok()?.enforced.link().1))
}

/// Each difference that is told is one by the brute force too.
fn are_real(world: &World, [before, after]: [&Inventory; 2], differences: &[Turned]) {
    for turned in differences {
        for port in turned.ports.ranges().iter().flat_map(|range| [range.first(), range.last()]) {
            let (from, to) = turned.ends.clone();
            let link = palisade_model::link::Link { from, to, protocol: turned.protocol, port };
            let words = [before, after].map(|inventory| word(inventory, &world.settings, &link, world.now));
            // The brute force does not know an own node that is reached.
            if words != [None, None] {
                assert_eq!(words, [Some(turned.was), Some(turned.is)], "seed {}: {link:?}", world.seed);
            }
        }
    }
}

#[test]
fn converted_policies_read_again_decide_alike() {
    let (mut converted, mut asked) = (0, 0);
    for seed in 0..400 {
        let world = anything::generate(seed);
        let before = inventory(&world);
        let (policies, losses) = convert::policies(&before);
        // Of a peer of another version, or where a newer policy stands in the order, not all can be said, and that is told.
        if policies.is_empty() || !losses.is_empty() {
            continue;
        }
        let yaml: String = policies.iter().map(|one| format!("---\n{}", written::tiered_policy(one))).collect();
        let read = load_text("converted.yaml", &yaml);
        assert_eq!(read.value.tiered_policies.len(), policies.len(), "seed {seed}: {:?}\n{yaml}", read.problems);
        let mut after = before.clone();
        after.tiered_policies.retain(|policy| policy.meta.reference.kind == Kind::ClusterNetworkPolicy);
        after.tiered_policies.extend(read.value.tiered_policies);
        for link in &world.links {
            let words = [&before, &after].map(|inventory| word(inventory, &world.settings, link, world.now));
            assert_eq!(words[0], words[1], "seed {seed}: {link:?}\n{yaml}");
            asked += 1;
        }
        converted += policies.len();
    }
    assert!(converted > 80 && asked > 3_000, "{converted} policies, {asked} links");
}

#[test]
fn what_the_comparison_of_converted_policies_tells_is_real() {
    let (mut equal, mut different) = (0, 0);
    for seed in 0..12 {
        let world = anything::generate(seed);
        let before = inventory(&world);
        if convert::policies(&before).0.is_empty() {
            continue;
        }
        let result = convert::convert(&before, &world.settings, world.now);
        let mut after = before.clone();
        after.tiered_policies.retain(|policy| policy.meta.reference.kind == Kind::ClusterNetworkPolicy);
        after.tiered_policies.extend(result.policies.into_iter().map(Arc::new));
        are_real(&world, [&before, &after], &result.proof.differences);
        match result.proof.is_equal() {
            true => equal += 1,
            false => {
                assert!(!result.losses.is_empty(), "seed {seed}: {:?}", result.proof);
                different += 1;
            }
        }
    }
    assert!(equal > 0, "{equal} equal, {different} different");
}

#[test]
fn what_the_comparison_of_lowered_policies_tells_is_real_and_follows_from_a_loss() {
    let mut differences = 0;
    for seed in 0..4 {
        let world = anything::generate(seed);
        let before = inventory(&world);
        for target in [Target::NetworkPolicy, Target::ClusterNetworkPolicy] {
            let result = lower(&before, &world.settings, world.now, target);
            let read = load_text("lowered.yaml", &result.yaml);
            let count = result.network.len() + result.tiered.len();
            let found = read.value.network_policies.len() + read.value.tiered_policies.len();
            assert_eq!(count, found, "seed {seed}: {:?}\n{}", read.problems, result.yaml);
            let mut after = before.clone();
            after.access_policies.clear();
            after.perimeters.clear();
            after.network_policies.extend(read.value.network_policies);
            after.tiered_policies.extend(read.value.tiered_policies);
            are_real(&world, [&before, &after], &result.proof.differences);
            differences += result.proof.differences.len();
            assert!(result.proof.is_equal() || !result.losses.is_empty(), "seed {seed}: {:?}", result.proof);
        }
    }
    assert!(differences > 0);
}
