//! What the engine costs, by size of the cluster: reading aside, all of it is pure computation.
//!
//! `cargo bench -p palisade-policy`. The clusters come from one deterministic generator: per
//! namespace ten workloads behind Services, closed by a Perimeter and a NetworkPolicy, opened by
//! AccessPolicies that name containers and programs.

use std::fmt::Write as _;
use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use palisade_model::Timestamp;
use palisade_model::link::{End, Link, PodEnd, Which};
use palisade_model::port::Protocol;
use palisade_model::settings::Settings;
use palisade_policy::Model;

/// Pods of a node, by the default limit of a kubelet.
const PODS_OF_A_NODE: usize = 110;

fn main() {
    let sizes: &[usize] =
        if std::env::args().any(|argument| argument == "--test") { &[20] } else { &[110, 500, 1000, 2000] };
    println!(
        "{:>6} {:>9} {:>10} {:>10} {:>12} {:>12} {:>10}",
        "pods", "policies", "load ms", "model ms", "verdict us", "compile ms", "cells"
    );
    for pods in sizes {
        measure(*pods);
    }
}

fn measure(pods: usize) {
    let (yaml, policies) = cluster(pods);
    let now: Timestamp = "2026-01-01T00:00:00Z".parse().expect("a constant");
    let (loaded, load) = timed(|| palisade_manifests::load_text("bench", &yaml));
    assert!(loaded.problems.is_empty(), "{}", loaded.problems[0]);
    let inventory = Arc::new(loaded.value);
    let (model, build) = timed(|| Model::new(inventory.clone(), Settings::default()).value);
    let links = links(&model);
    let (_, judging) = timed(|| {
        for link in &links {
            black_box(model.judge(link, now)).expect("the ends are in the cluster");
        }
    });
    let (rules, compile) = timed(|| model.compile("node0", 1, now));
    println!(
        "{pods:>6} {policies:>9} {:>10.1} {:>10.1} {:>12.2} {:>12.1} {:>10}",
        millis(load),
        millis(build),
        judging.as_secs_f64() * 1e6 / links.len() as f64,
        millis(compile),
        rules.cells.len()
    );
}

fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let begun = Instant::now();
    let value = work();
    (value, begun.elapsed())
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

/// A link from each pod to the next hundred.
fn links(model: &Model) -> Vec<Link> {
    let pods = model.pods();
    let end = |position: usize, container: Which| {
        let pod = &pods[position % pods.len()];
        End::Pod(PodEnd {
            namespace: pod.namespace.clone(),
            name: pod.name.clone(),
            container,
            program: Which::Other,
            address: None,
        })
    };
    let pairs = (0..pods.len()).flat_map(|from| (from..from + 100).map(move |to| (from, to)));
    pairs
        .map(|(from, to)| Link {
            from: end(from, Which::Named("main".into())),
            to: end(to, Which::Unsaid),
            protocol: Protocol::Tcp,
            port: 8080,
        })
        .collect()
}

fn cluster(pods: usize) -> (String, usize) {
    let (mut yaml, mut policies) = (String::new(), 0);
    for node in 0..pods.div_ceil(PODS_OF_A_NODE) {
        let _ = writeln!(
            yaml,
            "---\napiVersion: v1\nkind: Node\nmetadata: {{name: node{node}}}\nstatus: {{addresses: [{{type: InternalIP, address: 172.31.0.{}}}]}}",
            node + 1
        );
    }
    for pod in 0..pods {
        let (namespace, workload) = (pod / 30, pod % 30 / 3);
        if pod % 30 == 0 {
            let _ = writeln!(yaml, "---\napiVersion: v1\nkind: Namespace\nmetadata: {{name: ns{namespace}}}");
            let _ = writeln!(
                yaml,
                "---\napiVersion: palisade.dev/v1alpha1\nkind: Perimeter\nmetadata: {{name: default, namespace: ns{namespace}}}\nspec: {{subject: {{selector: {{}}}}, except: [dns, kubelet]}}"
            );
            policies += 1;
        }
        if pod % 3 == 0 {
            let next = (workload + 1) % 10;
            let _ = writeln!(
                yaml,
                "---\napiVersion: v1\nkind: Service\nmetadata: {{name: w{workload}, namespace: ns{namespace}}}\nspec: {{clusterIP: 10.96.{}.{}, selector: {{app: w{workload}}}, ports: [{{port: 80, targetPort: http}}]}}",
                namespace % 250,
                workload + 1
            );
            let _ = writeln!(
                yaml,
                "---\napiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {{name: w{workload}, namespace: ns{namespace}}}\nspec: {{podSelector: {{matchLabels: {{app: w{workload}}}}}, ingress: [{{from: [{{ipBlock: {{cidr: 192.0.2.0/24}}}}], ports: [{{port: http}}]}}]}}"
            );
            let _ = writeln!(
                yaml,
                "---\napiVersion: palisade.dev/v1alpha1\nkind: AccessPolicy\nmetadata: {{name: w{workload}, namespace: ns{namespace}}}\nspec: {{rules: [{{action: Allow, from: [{{workload: w{workload}, container: main, program: /app/w{workload}}}], to: [{{workload: w{next}}}], ports: [{{port: http}}]}}]}}"
            );
            policies += 2;
        }
        let _ = writeln!(
            yaml,
            "---\napiVersion: v1\nkind: Pod\nmetadata: {{name: w{workload}-{pod}, namespace: ns{namespace}, labels: {{app: w{workload}}}, ownerReferences: [{{apiVersion: apps/v1, kind: StatefulSet, name: w{workload}, uid: u, controller: true}}]}}\nspec: {{nodeName: node{}, containers: [{{name: main, image: x, ports: [{{name: http, containerPort: 8080}}]}}, {{name: side, image: side}}]}}\nstatus: {{phase: Running, podIPs: [{{ip: 10.{}.{}.{}}}]}}",
            pod / PODS_OF_A_NODE,
            244 + pod / 60_000,
            pod / 250 % 250,
            pod % 250 + 1
        );
    }
    (yaml, policies)
}
