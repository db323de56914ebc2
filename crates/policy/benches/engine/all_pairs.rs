//! All pairs of a cluster under NetworkPolicies, over sizes: each measured in a process of its own, so that its memory is
//! its own.

use std::hint::black_box;
use std::process::Command;
use std::sync::Arc;

use palisade_model::Timestamp;
use palisade_model::settings::Settings;
use palisade_policy::Model;

use crate::clusters::Input;
use crate::{links, millis, policies, resident, timed};

/// An input by its name, and its generator of pods and policies.
type Case = (&'static str, fn(usize, usize) -> Input);

const CASES: [Case; 3] = [
    ("typical", policies::typical),
    ("own classes", policies::own_classes),
    ("names and blocks", policies::names_and_blocks),
];

/// Pods and policies.
const SIZES: [(usize, usize); 5] = [(100, 50), (300, 150), (1000, 500), (5000, 2000), (10_000, 5000)];

/// Measures each case and size whose name has one of `words`.
pub(crate) fn measure_all(words: &[&String], smoke: bool) {
    if !words.is_empty() && !words.iter().any(|word| "all pairs".contains(word.as_str())) {
        return;
    }
    println!(
        "\nall pairs\n{:>17} {:>6} {:>8} {:>8} {:>8} {:>9} {:>9} {:>9} {:>7} {:>9} {:>11} {:>10} {:>10}",
        "input",
        "pods",
        "policies",
        "load ms",
        "model ms",
        "classes",
        "all ms",
        "sum ms",
        "senders",
        "receivers",
        "links",
        "peak MiB",
        "verdict us"
    );
    for (case, _) in CASES {
        for (pods, policies) in if smoke { &SIZES[..1] } else { &SIZES[..] } {
            let executable = std::env::current_exe().expect("the bench has a file");
            let arguments = ["--one-all-pairs", case, &pods.to_string(), &policies.to_string()];
            let status = Command::new(executable).args(arguments).status().expect("the bench can be run");
            assert!(status.success(), "{case} {pods}");
        }
    }
}

/// Measures one, in a process made for it.
pub(crate) fn measure_one(arguments: &[String]) {
    let [name, pods, policies] = arguments else { panic!("a case and two sizes") };
    let generate = CASES.iter().find(|(case, _)| case == name).expect("a case of the table").1;
    let number = |text: &String| text.parse::<usize>().expect("a size of the table");
    let (pods, policies) = (number(pods), number(policies));
    let input = generate(pods, policies);
    let now: Timestamp = "2026-01-01T00:00:00Z".parse().expect("a constant");
    let before = resident("VmRSS");
    let (loaded, load) = timed(|| palisade_manifests::load_text("bench", &input.yaml));
    assert!(loaded.problems.is_empty(), "{}", loaded.problems[0]);
    let (model, build) = timed(|| Model::new(Arc::new(loaded.value), Settings::default()).value);
    let (mut reach, classes) = timed(|| model.reach(now));
    let (pairs, all) = timed(|| {
        let mut pairs = 0_u64;
        reach.for_each(|reach, from, to, answer| {
            black_box(answer);
            pairs += (reach.senders()[from].members.len() * reach.receivers()[to].members.len()) as u64;
        });
        pairs
    });
    let peak = resident("VmHWM") - before;
    let links = links(&model);
    let (_, judging) = timed(|| {
        for link in &links {
            black_box(model.judge(link, now)).expect("the ends are in the cluster");
        }
    });
    println!(
        "{name:>17} {pods:>6} {policies:>8} {:>8.1} {:>8.1} {:>9.1} {:>9.1} {:>9.1} {:>7} {:>9} {pairs:>11} {peak:>10.1} {:>10.2}",
        millis(load),
        millis(build),
        millis(classes),
        millis(all),
        millis(load + build + classes + all),
        reach.senders().len(),
        reach.receivers().len(),
        judging.as_secs_f64() * 1e6 / links.len() as f64,
    );
}
