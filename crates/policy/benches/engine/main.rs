//! What the engine costs, by the size of the input: all of it is pure computation.
//!
//! `cargo bench -p palisade-policy`, with `-- WORD` for the inputs whose name has the word. The inputs come from
//! deterministic generators. A change of a policy costs a node `load`, `model` and `compile`. Times are of the
//! processor; of `model` and `compile` the best of five.

mod all_pairs;
mod clusters;
mod explaining;
mod policies;
mod updates;

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use palisade_model::Timestamp;
use palisade_model::link::{End, Link, PodEnd, Which};
use palisade_model::port::Protocol;
use palisade_model::settings::Settings;
use palisade_policy::Model;

use clusters::Input;

/// An input by its name, its generator, and the sizes to measure.
type Case = (&'static str, fn(usize) -> Input, &'static [usize]);

const CASES: [Case; 4] = [
    ("cluster", clusters::cluster, &[110, 500, 1000, 2000, 10_000]),
    ("allows to blocks", clusters::allows_to_blocks, &[10, 1000, 10_000]),
    ("NetworkPolicies", clusters::network_policies, &[100, 1000, 10_000]),
    ("unlike pods", clusters::unlike_pods, &[110, 1000, 10_000]),
];

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let Some(("--one-all-pairs", case)) = arguments.split_first().map(|(first, rest)| (first.as_str(), rest)) {
        return all_pairs::measure_one(case);
    }
    let smoke = arguments.iter().any(|argument| argument == "--test");
    let words: Vec<&String> = arguments.iter().filter(|argument| !argument.starts_with("--")).collect();
    println!(
        "{:>17} {:>6} {:>8} {:>8} {:>8} {:>10} {:>10} {:>8} {:>8} {:>9}",
        "input", "size", "policies", "load ms", "model ms", "verdict us", "compile ms", "cells", "prefixes", "peak MiB"
    );
    for (name, generate, sizes) in CASES {
        if !words.is_empty() && !words.iter().any(|word| name.contains(word.as_str())) {
            continue;
        }
        for size in if smoke { &[20] } else { sizes } {
            measure(name, *size, generate(*size));
        }
    }
    all_pairs::measure_all(&words, smoke);
    updates::measure_all(&words, smoke);
    explaining::measure_all(&words, smoke);
}

fn measure(name: &str, size: usize, input: Input) {
    let now: Timestamp = "2026-01-01T00:00:00Z".parse().expect("a constant");
    let (loaded, load) = timed(|| palisade_manifests::load_text("bench", &input.yaml));
    assert!(loaded.problems.is_empty(), "{}", loaded.problems[0]);
    let inventory = Arc::new(loaded.value);
    let (model, build) = best(|| Model::new(inventory.clone(), Settings::default()).value);
    let links = links(&model);
    let (_, judging) = timed(|| {
        for link in &links {
            black_box(model.judge(link, now)).expect("the ends are in the cluster");
        }
    });
    let before = resident("VmRSS");
    reset_peak();
    let (rules, compile) = best(|| model.compile("node0", 1, now));
    println!(
        "{name:>17} {size:>6} {:>8} {:>8.1} {:>8.1} {:>10.2} {:>10.1} {:>8} {:>8} {:>9.1}",
        input.policies,
        millis(load),
        millis(build),
        judging.as_secs_f64() * 1e6 / links.len() as f64,
        millis(compile),
        rules.cells.len() + rules.receiver_cells.len(),
        rules.destinations.len() + rules.sources.len(),
        (resident("VmHWM") - before).max(0.0)
    );
}

fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let begun = processor_time();
    let value = work();
    (value, processor_time().saturating_sub(begun))
}

/// What this thread has had of a processor: other work on the machine counts as little as it can.
/// Source: `/proc/PID/schedstat`, nanoseconds first.
fn processor_time() -> Duration {
    // The kernel adds up when it switches.
    std::thread::yield_now();
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").expect("Linux with scheduler statistics");
    let nanoseconds = text.split_whitespace().next().and_then(|first| first.parse().ok());
    Duration::from_nanos(nanoseconds.expect("its first field is a number"))
}

/// The fastest of a few times: what else the machine does makes none faster.
fn best<T>(mut work: impl FnMut() -> T) -> (T, Duration) {
    const TIMES: usize = 5;
    let mut fastest = timed(&mut work);
    for _ in 1..TIMES {
        drop(fastest.0);
        let (value, elapsed) = timed(&mut work);
        fastest = (value, elapsed.min(fastest.1));
    }
    fastest
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

/// A field of `/proc/self/status` in MiB.
fn resident(field: &str) -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<f64>().ok()).unwrap_or(0.0) / 1024.0
}

/// From here on `VmHWM` is the peak. Source: proc_pid_clear_refs(5).
fn reset_peak() {
    let _ = std::fs::write("/proc/self/clear_refs", "5");
}

/// Links from pods to the hundred that follow each, at most 100,000.
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
    let pairs = (0..pods.len().min(1000)).flat_map(|from| (from..from + 100).map(move |to| (from, to)));
    pairs
        .map(|(from, to)| Link {
            from: end(from, Which::Named("main".into())),
            to: end(to, Which::Unsaid),
            protocol: Protocol::Tcp,
            port: 8080,
        })
        .collect()
}
