//! Policies that are written as manifests read back as what they are.

use std::collections::BTreeMap;

use palisade_manifests::load_text;
use palisade_model::Inventory;
use palisade_model::tiered_policy::TieredTarget;
use palisade_policy::written;
use palisade_worlds::anything;
use serde_json::Value;

/// How many worlds.
const WORLDS: u64 = 100;

/// Each policy of an inventory, as a manifest and as what it is.
fn policies(inventory: &Inventory) -> BTreeMap<String, (String, Value)> {
    let network = inventory.network_policies.iter();
    let network = network.map(|one| (&one.meta, written::network_policy(one), value(one)));
    // A peer of another version of the API cannot be written.
    let tiered = inventory.tiered_policies.iter().filter(|one| {
        let mut peers = one.ingress.iter().chain(&one.egress).flat_map(|rule| &rule.peers);
        !peers.any(|peer| peer.target == TieredTarget::Unknown)
    });
    let tiered = tiered.map(|one| (&one.meta, written::tiered_policy(one), value(one)));
    let access = inventory.access_policies.iter();
    let access = access.map(|one| (&one.meta, written::access_policy(one), value(one)));
    let perimeters = inventory.perimeters.iter();
    let perimeters = perimeters.map(|one| (&one.meta, written::perimeter(one), value(one)));
    let all = network.chain(tiered).chain(access).chain(perimeters);
    all.map(|(meta, yaml, value)| (meta.reference.to_string(), (yaml, value))).collect()
}

/// A policy as JSON, without the places.
fn value(policy: &impl serde::Serialize) -> Value {
    fn strip(value: &mut Value) {
        match value {
            Value::Object(fields) => {
                fields.remove("place");
                fields.values_mut().for_each(strip);
            }
            Value::Array(items) => items.iter_mut().for_each(strip),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    let mut value = serde_json::to_value(policy).expect("it can be JSON");
    strip(&mut value);
    value
}

#[test]
fn what_is_written_reads_back_as_what_it_was() {
    let mut count = 0;
    for seed in 0..WORLDS {
        let before = policies(&load_text("world.yaml", &anything::generate(seed).yaml).value);
        for (name, (yaml, value)) in before {
            let outcome = load_text("written.yaml", &yaml);
            let after = policies(&outcome.value);
            let (_, read) = after.get(&name).unwrap_or_else(|| panic!("seed {seed}: {:?}\n{yaml}", outcome.problems));
            assert_eq!(value, *read, "seed {seed}:\n{yaml}");
            count += 1;
        }
    }
    assert!(count > 400, "{count}");
}
