//! What a change of one object costs, beside all made anew: over sizes, and with all pods in one namespace.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use palisade_model::access_policy::{AccessPolicy, Mode};
use palisade_model::inventory::{Inventory, Object};
use palisade_model::object::ObjectRef;
use palisade_model::settings::Settings;
use palisade_policy::Model;

use crate::clusters::{self, Input};
use crate::{best, millis, policies, timed};

/// An input by its name, its generator of pods and policies, and the sizes to measure.
type Case = (&'static str, fn(usize, usize) -> Input, &'static [(usize, usize)]);

const CASES: [Case; 5] = [
    ("typical", policies::typical, &[(1000, 500), (5000, 2000), (10_000, 5000)]),
    ("own classes", policies::own_classes, &[(1000, 500), (5000, 2000), (10_000, 5000)]),
    ("cluster", |pods, _| clusters::cluster(pods), &[(1000, 0), (5000, 0), (10_000, 0)]),
    ("one namespace", policies::one_namespace, &[(1000, 500), (5000, 2000), (10_000, 5000)]),
    ("unlike pods", |pods, _| clusters::unlike_pods(pods), &[(1000, 0), (5000, 0), (10_000, 0)]),
];

/// Measures each case whose name has one of `words`.
pub(crate) fn measure_all(words: &[&String], smoke: bool) {
    if !words.is_empty() && !words.iter().any(|word| "updates".contains(word.as_str())) {
        return;
    }
    println!("\nupdates, ms: of a change and its return the mean, the best of five");
    println!("{:>14} {:>6} {:>8} {:>8}  each change", "input", "pods", "policies", "anew ms");
    for (name, generate, sizes) in CASES {
        for (pods, policies) in if smoke { &[(100, 50)][..] } else { sizes } {
            measure(name, *pods, &generate(*pods, *policies));
        }
    }
}

fn measure(name: &str, pods: usize, input: &Input) {
    // What no generator has: a Service with EndpointSlices, and an AccessPolicy.
    let mut yaml = input.yaml.clone();
    let _ = writeln!(
        yaml,
        "---\napiVersion: v1\nkind: Service\nmetadata: {{name: bench, namespace: bench}}\nspec: {{clusterIP: 10.96.255.1, ports: [{{port: 80}}]}}\n---\napiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {{name: bench-1, namespace: bench, labels: {{kubernetes.io/service-name: bench}}}}\naddressType: IPv4\nports: [{{name: \"\", port: 8080}}]\nendpoints: [{{addresses: [10.244.0.1]}}]\n---\napiVersion: palisade.dev/v1alpha1\nkind: AccessPolicy\nmetadata: {{name: bench, namespace: bench}}\nspec: {{rules: [{{action: Allow, from: [{{selector: {{matchLabels: {{app: a0}}}}}}], to: [{{workload: bench}}]}}]}}"
    );
    let loaded = palisade_manifests::load_text("bench", &yaml);
    let inventory = Arc::new(loaded.value);
    let (built, anew) = best(|| Model::new(inventory.clone(), Settings::default()));
    let mut model = built.value;
    print!(
        "{name:>14} {pods:>6} {:>8} {:>8.1} ",
        inventory.network_policies.len() + inventory.access_policies.len() + inventory.perimeters.len(),
        millis(anew)
    );
    for (what, change) in changes(&inventory) {
        let taken = (0..5).map(|_| change(&mut model)).min().expect("some");
        print!(" {what} {:.2}", millis(taken));
    }
    // The whole inventory with one pod of other labels, as whoever reads all again has it.
    let mut other = (*inventory).clone();
    let middle = other.pods.len() / 2;
    Arc::make_mut(&mut other.pods[middle]).meta.labels.0.insert("bench".into(), "x".into());
    let (own, other) = (Arc::new((*inventory).clone()), Arc::new(other));
    let there_and_back = (0..5).map(|_| {
        let (_, there) = timed(|| model.update(other.clone(), Settings::default()));
        let (_, back) = timed(|| model.update(own.clone(), Settings::default()));
        (there + back) / 2
    });
    print!(" inventory {:.2}", millis(there_and_back.min().expect("some")));
    println!();
    let whole = Model::new(inventory, Settings::default()).value;
    assert!(model == whole, "{name}: what was changed and changed back is as it was");
}

/// A change, and its return: half of both together.
type Change = Box<dyn Fn(&mut Model) -> Duration>;

fn changes(inventory: &Inventory) -> Vec<(&'static str, Change)> {
    fn there_and_back(there: Object, back: Object) -> Change {
        Box::new(move |model| {
            let (_, took) = timed(|| model.put(there.clone()));
            let (_, returned) = timed(|| model.put(back.clone()));
            (took + returned) / 2
        })
    }
    fn away_and_back(reference: ObjectRef, back: Object) -> Change {
        Box::new(move |model| {
            let (_, took) = timed(|| model.remove(&reference));
            let (_, returned) = timed(|| model.put(back.clone()));
            (took + returned) / 2
        })
    }
    let mut changes: Vec<(&'static str, Change)> = Vec::new();
    let pod = &inventory.pods[inventory.pods.len() / 2];
    let mut other = (**pod).clone();
    let first = other.meta.labels.0.keys().next().cloned().expect("pods have labels");
    other.meta.labels.0.insert(first, "another".into());
    changes.push(("pod-labels", there_and_back(Object::Pod(Arc::new(other)), Object::Pod(pod.clone()))));
    changes.push(("pod", away_and_back(pod.meta.reference.clone(), Object::Pod(pod.clone()))));
    if let Some(policy) = inventory.network_policies.get(inventory.network_policies.len() / 2) {
        let mut other = (**policy).clone();
        let rules = other.ingress.as_mut().or(other.egress.as_mut()).expect("it has a direction");
        rules.extend(rules.first().cloned());
        let change = there_and_back(Object::NetworkPolicy(Arc::new(other)), Object::NetworkPolicy(policy.clone()));
        changes.push(("netpol-rules", change));
        let own = Object::NetworkPolicy(policy.clone());
        changes.push(("netpol", away_and_back(policy.meta.reference.clone(), own)));
    }
    let policy = &inventory.access_policies[inventory.access_policies.len() / 2];
    let mut other: AccessPolicy = (**policy).clone();
    other.mode = Mode::Audit;
    other.rules.extend(other.rules.first().cloned());
    changes.push((
        "access-rules",
        there_and_back(Object::AccessPolicy(Arc::new(other)), Object::AccessPolicy(policy.clone())),
    ));
    changes.push(("access", away_and_back(policy.meta.reference.clone(), Object::AccessPolicy(policy.clone()))));
    let namespace = &inventory.namespaces[inventory.namespaces.len() / 2];
    let mut other = (**namespace).clone();
    other.meta.labels.0.insert("team".into(), "another".into());
    changes
        .push(("namespace", there_and_back(Object::Namespace(Arc::new(other)), Object::Namespace(namespace.clone()))));
    let service = &inventory.services[inventory.services.len() / 2];
    changes.push(("service", away_and_back(service.meta.reference.clone(), Object::Service(service.clone()))));
    let slice = &inventory.endpoint_slices[0];
    let own = Object::EndpointSlice(slice.clone());
    changes.push(("slice", away_and_back(slice.meta.reference.clone(), own)));
    changes
}
