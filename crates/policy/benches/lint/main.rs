//! What lint costs, by the size of the input, the model's own findings left aside.
//!
//! `cargo bench -p palisade-policy --bench lint`. Times are of the processor, the best of three.

#[path = "../engine/clusters.rs"]
#[allow(dead_code, reason = "shared with the other benchmark, which uses the rest")]
mod clusters;

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use palisade_model::Timestamp;
use palisade_model::settings::Settings;
use palisade_policy::{Model, lint};

/// An input by its name, its generator, and the sizes to measure.
type Case = (&'static str, fn(usize) -> String, &'static [usize]);

const CASES: [Case; 5] = [
    ("cluster", |size| clusters::cluster(size).yaml, &[1000, 10_000]),
    ("NetworkPolicies", |size| clusters::network_policies(size).yaml, &[500, 1000, 10_000]),
    ("allows to blocks", |size| clusters::allows_to_blocks(size).yaml, &[500, 5000]),
    ("unlike pods", |size| clusters::unlike_pods(size).yaml, &[1000, 10_000]),
    ("one namespace", one_namespace, &[1000, 2000, 4000]),
];

fn main() {
    let smoke = std::env::args().any(|argument| argument == "--test");
    let now: Timestamp = "2026-01-01T00:00:00Z".parse().expect("a constant");
    println!("{:>17} {:>6} {:>8} {:>8} {:>9}", "input", "size", "model ms", "lint ms", "findings");
    for (name, generate, sizes) in CASES {
        for size in if smoke { &[20] } else { sizes } {
            let loaded = palisade_manifests::load_text("bench", &generate(*size));
            assert!(loaded.problems.is_empty(), "{}", loaded.problems[0]);
            let inventory = Arc::new(loaded.value);
            let (model, build) = best(|| Model::new(inventory.clone(), Settings::default()));
            let (findings, linting) = best(|| lint::lint(&model.value, &model.problems, now));
            let [build, linting] = [build, linting].map(|time| time.as_secs_f64() * 1e3);
            println!("{name:>17} {size:>6} {build:>8.1} {linting:>8.1} {:>9}", findings.len());
        }
    }
}

/// As many pods, and half as many policies, in one namespace; every policy selects every pod, each with three rules of which
/// none is contained in another. The worst that a comparison of rules can meet.
fn one_namespace(pods: usize) -> String {
    let mut yaml = String::from("---\napiVersion: v1\nkind: Namespace\nmetadata: {name: a}\n");
    for pod in 0..pods {
        let _ = writeln!(
            yaml,
            "---\napiVersion: v1\nkind: Pod\nmetadata: {{name: p{pod}, namespace: a, labels: {{app: w{}}}}}\nspec: {{containers: [{{name: c, image: x, ports: [{{containerPort: 8080}}]}}]}}",
            pod / 4
        );
    }
    for policy in 0..pods / 2 {
        let rule = |number: usize| {
            let app = (policy + number) % (pods / 4).max(1);
            let port = 1000 + policy * 3 + number;
            format!("{{from: [{{podSelector: {{matchLabels: {{app: w{app}}}}}}}], ports: [{{port: {port}}}]}}")
        };
        let _ = writeln!(
            yaml,
            "---\napiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {{name: n{policy}, namespace: a}}\nspec: {{podSelector: {{}}, ingress: [{}, {}, {}]}}",
            rule(0),
            rule(1),
            rule(2)
        );
    }
    yaml
}

/// The fastest of a few times: what else the machine does makes none faster.
fn best<T>(mut work: impl FnMut() -> T) -> (T, Duration) {
    const TIMES: usize = 3;
    let mut timed = || {
        let begun = processor_time();
        let value = work();
        (value, processor_time().saturating_sub(begun))
    };
    let mut fastest = timed();
    for _ in 1..TIMES {
        let (value, elapsed) = timed();
        fastest = (value, elapsed.min(fastest.1));
    }
    fastest
}

/// What this thread has had of a processor. Source: `/proc/PID/schedstat`, nanoseconds first.
fn processor_time() -> Duration {
    // The kernel adds up when it switches.
    std::thread::yield_now();
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").expect("Linux with scheduler statistics");
    let nanoseconds = text.split_whitespace().next().and_then(|first| first.parse().ok());
    Duration::from_nanos(nanoseconds.expect("its first field is a number"))
}
