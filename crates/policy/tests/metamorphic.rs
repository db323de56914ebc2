//! What must change nothing changes nothing: names, how rules are spread over policies, repetition, what lies elsewhere.

use std::sync::Arc;

use palisade_model::access_policy::AccessPolicy;
use palisade_model::network_policy::NetworkPolicy;
use palisade_model::{Inventory, Name};
use palisade_policy::Model;
use palisade_policy::difference::difference;
use palisade_worlds::{World, anything};

/// Enough to meet each kind of policy several times.
const WORLDS: u64 = 80;

fn inventory(world: &World) -> Inventory {
    palisade_manifests::load_text("world", &world.yaml).value
}

/// Holds that no link between the world's own pods, or with addresses outside, is different in what `change` makes of it.
#[track_caller]
fn changes_nothing(mut change: impl FnMut(&mut Inventory) -> usize) {
    let mut changed = 0;
    for seed in 0..WORLDS {
        let world = anything::generate(seed);
        let (old, mut new) = (inventory(&world), inventory(&world));
        changed += change(&mut new);
        let model = |inventory| Model::new(Arc::new(inventory), world.settings.clone()).value;
        let found = difference(&model(old), &model(new), world.now);
        let told = found.changes.iter().filter(|change| {
            [&change.from, &change.to].into_iter().all(|end| end.namespace().is_none_or(|name| &**name != ELSEWHERE))
        });
        let told: Vec<_> = told.collect();
        assert!(told.is_empty(), "seed {seed}: {:#?}", told[0]);
    }
    assert!(changed as u64 > WORLDS / 2, "only {changed} objects were changed");
}

const ELSEWHERE: &str = "elsewhere";

/// The first policy is the last one afterwards.
fn renamed(name: &Name, position: usize) -> Name {
    format!("z{:03}-{name}", 999 - position).as_str().into()
}

#[test]
fn names_of_policies_change_nothing() {
    changes_nothing(|inventory| {
        let network = inventory.network_policies.iter_mut().map(|policy| &mut Arc::make_mut(policy).meta.reference);
        let access = inventory.access_policies.iter_mut().map(|policy| &mut Arc::make_mut(policy).meta.reference);
        let perimeters = inventory.perimeters.iter_mut().map(|perimeter| &mut Arc::make_mut(perimeter).meta.reference);
        let references = network.chain(access).chain(perimeters).enumerate();
        references.map(|(position, reference)| reference.name = renamed(&reference.name, position)).count()
    });
}

#[test]
fn a_policy_split_into_one_for_each_rule_changes_nothing() {
    changes_nothing(|inventory| {
        let mut count = 0;
        let mut split = |rules: usize| count += usize::from(rules > 1);
        let network = std::mem::take(&mut inventory.network_policies).into_iter().flat_map(|policy| {
            let rules = |list: &Option<Vec<_>>| list.as_ref().map_or(0, Vec::len);
            let parts = rules(&policy.ingress).max(rules(&policy.egress)).max(1);
            split(parts);
            (0..parts).map(move |part| {
                let mut one = NetworkPolicy::clone(&policy);
                one.meta.reference.name = format!("{}-{part}", policy.meta.name()).as_str().into();
                let only =
                    |list: &Option<Vec<_>>| list.as_ref().map(|list| list.get(part).cloned().into_iter().collect());
                (one.ingress, one.egress) = (only(&policy.ingress), only(&policy.egress));
                Arc::new(one)
            })
        });
        inventory.network_policies = network.collect();
        let access = std::mem::take(&mut inventory.access_policies).into_iter().flat_map(|policy| {
            split(policy.rules.len());
            policy.rules.clone().into_iter().enumerate().map(move |(part, rule)| {
                let mut one = AccessPolicy::clone(&policy);
                one.meta.reference.name = format!("{}-{part}", policy.meta.name()).as_str().into();
                one.rules = vec![rule];
                Arc::new(one)
            })
        });
        inventory.access_policies = access.collect();
        count
    });
}

#[test]
fn the_same_policies_twice_change_nothing() {
    changes_nothing(|inventory| {
        let again = |name: &Name| -> Name { format!("{name}-again").as_str().into() };
        let mut network = inventory.network_policies.clone();
        network
            .iter_mut()
            .map(Arc::make_mut)
            .for_each(|policy| policy.meta.reference.name = again(&policy.meta.reference.name));
        let mut access = inventory.access_policies.clone();
        access
            .iter_mut()
            .map(Arc::make_mut)
            .for_each(|policy| policy.meta.reference.name = again(&policy.meta.reference.name));
        let count = network.len() + access.len();
        inventory.network_policies.extend(network);
        inventory.access_policies.extend(access);
        count
    });
}

#[test]
fn what_lies_in_another_namespace_changes_nothing_between_the_others() {
    let elsewhere = palisade_manifests::load_text(
        "elsewhere",
        "
apiVersion: v1
kind: Namespace
metadata: {name: elsewhere, labels: {far: 'yes'}}
---
apiVersion: v1
kind: Pod
metadata: {name: stranger, namespace: elsewhere, labels: {app: stranger}}
spec: {containers: [{name: main, image: x, ports: [{name: http, containerPort: 8080}]}]}
status: {phase: Running, podIPs: [{ip: 10.99.0.1}]}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: closed, namespace: elsewhere}
spec: {podSelector: {}, policyTypes: [Ingress, Egress], ingress: [{from: [{namespaceSelector: {}}], ports: [{port: http}]}]}
---
apiVersion: palisade.dev/v1alpha1
kind: AccessPolicy
metadata: {name: open, namespace: elsewhere}
spec: {rules: [{action: Deny, from: [{selector: {}}], to: [{namespaceSelector: {}}]}]}
",
    );
    assert!(elsewhere.problems.is_empty(), "{}", elsewhere.problems[0]);
    changes_nothing(|inventory| {
        inventory.namespaces.extend(elsewhere.value.namespaces.clone());
        inventory.pods.extend(elsewhere.value.pods.clone());
        inventory.network_policies.extend(elsewhere.value.network_policies.clone());
        inventory.access_policies.extend(elsewhere.value.access_policies.clone());
        1
    });
}

#[test]
fn the_order_of_objects_changes_nothing() {
    changes_nothing(|inventory| {
        inventory.network_policies.reverse();
        inventory.access_policies.reverse();
        inventory.pods.reverse();
        inventory.services.reverse();
        inventory.tiered_policies.reverse();
        inventory.pods.len()
    });
}
