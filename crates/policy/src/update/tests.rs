//! However a model came about, it is the model of its inventory: compared part by part.

use std::sync::Arc;

use palisade_manifests::load_text;
use palisade_model::inventory::Object;
use palisade_model::pod::Phase;
use palisade_model::{Inventory, Labels};
use palisade_worlds::{Random, anything};

use crate::Model;

/// Sequences, and changes of each.
const SEQUENCES: u64 = 60;
const CHANGES: usize = 25;

fn load(seed: u64) -> Inventory {
    load_text("world.yaml", &anything::generate(seed).yaml).value
}

/// One of what is there, or of what there is elsewhere: the same names, other content.
fn one_of(random: &mut Random, inventory: &Inventory) -> Option<Object> {
    let objects: Vec<Object> = inventory.objects().collect();
    (!objects.is_empty()).then(|| random.pick(&objects).clone())
}

/// An object that differs in what the rest of the model may depend on.
fn twisted(random: &mut Random, object: Object, other: &Object) -> Object {
    match (object, other) {
        (Object::Pod(mut shared), Object::Pod(other)) => {
            let pod = Arc::make_mut(&mut shared);
            match random.below(7) {
                0 => pod.meta.labels = other.meta.labels.clone(),
                1 => pod.phase = *random.pick(&[Phase::Running, Phase::Succeeded, Phase::Pending]),
                2 => pod.spec.host_network = !pod.spec.host_network,
                3 => pod.addresses.clone_from(&other.addresses),
                4 => pod.node.clone_from(&other.node),
                5 => pod.meta.owner.clone_from(&other.meta.owner),
                _ => pod.host_addresses.clone_from(&other.addresses),
            }
            Object::Pod(shared)
        }
        (Object::Namespace(mut shared), _) => {
            let namespace = Arc::make_mut(&mut shared);
            let first = namespace.meta.labels.0.keys().next().cloned();
            match first {
                Some(key) if random.chance(50) => drop(namespace.meta.labels.0.remove(&key)),
                _ => namespace.meta.labels = Labels::from_iter([("tier", *random.pick(&["a", "b"]))]),
            }
            Object::Namespace(shared)
        }
        (Object::Workload(mut shared), Object::Workload(other)) => {
            let workload = Arc::make_mut(&mut shared);
            match random.below(6) {
                0 => workload.replicas = 1 - workload.replicas.min(1),
                // Of a StatefulSet each has a name.
                4 => workload.replicas = u32::try_from(random.below(4)).expect("a small number"),
                5 => workload.first_ordinal = u32::try_from(random.below(3)).expect("a small number"),
                1 => workload.labels = other.labels.clone(),
                2 => workload.suspended = !workload.suspended,
                _ => workload.meta.owner.clone_from(&other.meta.owner),
            }
            Object::Workload(shared)
        }
        (Object::NetworkPolicy(mut shared), Object::NetworkPolicy(other)) => {
            let policy = Arc::make_mut(&mut shared);
            match random.below(3) {
                0 => policy.ingress.clone_from(&other.ingress),
                1 => policy.egress.clone_from(&other.egress),
                _ => policy.pod_selector = other.pod_selector.clone(),
            }
            Object::NetworkPolicy(shared)
        }
        (object, _) => object,
    }
}

#[track_caller]
fn is_that_of_its_inventory(model: &Model, what: &str) {
    let whole = Model::new(model.inventory.clone(), model.settings.clone()).value;
    assert_eq!(model.inventory, whole.inventory, "{what}");
    assert_eq!(model.pods, whole.pods, "{what}");
    assert_eq!(model.pods_of_workloads, whole.pods_of_workloads, "{what}");
    assert_eq!(model.pod_lookup, whole.pod_lookup, "{what}");
    assert_eq!(model.nodes, whole.nodes, "{what}");
    assert_eq!(model.addresses, whole.addresses, "{what}");
    assert_eq!(model.service_lookup, whole.service_lookup, "{what}");
    assert_eq!(model.rules, whole.rules, "{what}");
    assert_eq!(model.findings, whole.findings, "{what}");
    assert!(*model == whole, "{what}");
}

#[test]
fn changes_one_by_one_make_the_model_of_the_inventory() {
    let mut by_kind = std::collections::BTreeMap::new();
    for seed in 0..SEQUENCES {
        let mut random = Random::new(seed);
        let world = anything::generate(seed);
        let others: Vec<Inventory> = (1..4).map(|other| load(1000 + seed * 7 + other)).collect();
        let mut model = Model::new(Arc::new(load(seed)), world.settings.clone()).value;
        for change in 0..CHANGES {
            let own = model.inventory.clone();
            let what = match random.below(3) {
                0 => {
                    let Some(object) = one_of(&mut random, &own) else { continue };
                    model.remove(&object.meta().reference);
                    format!("removed {}", object.meta().reference)
                }
                1 => {
                    let other = random.pick(&others).clone();
                    let Some(object) = one_of(&mut random, &other) else { continue };
                    let known = own.objects().any(|own| own.meta().reference == object.meta().reference);
                    let what = format!("{} {}", if known { "changed" } else { "added" }, object.meta().reference);
                    model.put(object);
                    what
                }
                _ => {
                    let objects: Vec<Object> = own.objects().collect();
                    if objects.is_empty() {
                        continue;
                    }
                    let object = random.pick(&objects).clone();
                    let same = |other: &&Object| std::mem::discriminant(*other) == std::mem::discriminant(&object);
                    let alike: Vec<Object> = objects.iter().filter(same).cloned().collect();
                    let other = random.pick(&alike).clone();
                    let what = format!("twisted {}", object.meta().reference);
                    model.put(twisted(&mut random, object, &other));
                    what
                }
            };
            let words: Vec<&str> = what.split(' ').take(2).collect();
            *by_kind.entry(words.join(" ")).or_insert(0) += 1;
            is_that_of_its_inventory(&model, &format!("seed {seed}, change {change}: {what}"));
        }
    }
    for kind in ["Pod", "Namespace", "Node", "Service", "EndpointSlice", "NetworkPolicy", "AccessPolicy", "Perimeter"] {
        for word in ["added", "changed", "removed"] {
            assert!(by_kind.contains_key(&format!("{word} {kind}")), "{word} {kind}: {by_kind:#?}");
        }
    }
}

#[test]
fn the_first_pod_of_the_dns_namespace_ends_the_silence_about_it() {
    const POLICIES: &str = "
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: shop, labels: {app: web}}
spec: {containers: [{name: main, image: x}]}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: dns, namespace: shop}
spec:
  podSelector: {}
  egress: [{to: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: kube-system}}, podSelector: {matchLabels: {k8s-app: kube-dns}}}]}]
";
    const PROXY: &str = "
apiVersion: v1
kind: Pod
metadata: {name: proxy, namespace: kube-system, labels: {k8s-app: kube-proxy}}
spec: {containers: [{name: main, image: x}]}
";
    let mut model = Model::new(Arc::new(load_text("policies.yaml", POLICIES).value), Default::default()).value;
    assert_eq!(model.problems(), []);
    let proxy = load_text("proxy.yaml", PROXY).value.pods[0].clone();
    model.put(Object::Pod(proxy.clone()));
    let codes: Vec<&str> = model.problems().iter().map(|problem| problem.code).collect();
    assert_eq!(codes, ["peer-matches-nothing"]);
    is_that_of_its_inventory(&model, "with a pod");
    model.remove(&proxy.meta.reference);
    assert_eq!(model.problems(), []);
    is_that_of_its_inventory(&model, "without");
}
