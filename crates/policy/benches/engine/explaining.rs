//! What `explain` costs, with what would turn the verdict: of links spread over a cluster the median and the worst.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use palisade_model::Timestamp;
use palisade_model::settings::Settings;
use palisade_policy::{Grant, Model};

use crate::clusters::{self, Input};
use crate::{links, millis, policies, timed};

/// An input by its name, its generator of pods and policies, and the sizes to measure.
type Case = (&'static str, fn(usize, usize) -> Input, &'static [(usize, usize)]);

const CASES: [Case; 4] = [
    ("typical", policies::typical, &[(1000, 500), (5000, 2000)]),
    ("own classes", policies::own_classes, &[(1000, 500), (5000, 2000)]),
    ("cluster", |pods, _| clusters::cluster(pods), &[(1000, 0), (5000, 0)]),
    ("one namespace", policies::one_namespace, &[(1000, 500), (5000, 2000)]),
];

/// Links of each input.
const LINKS: usize = 100;

/// Measures each case whose name has one of `words`.
pub(crate) fn measure_all(words: &[&String], smoke: bool) {
    if !words.is_empty() && !words.iter().any(|word| "explain".contains(word.as_str())) {
        return;
    }
    println!(
        "\nexplain, ms\n{:>14} {:>6} {:>8} {:>8} {:>8} {:>8}",
        "input", "pods", "policies", "median", "p90", "worst"
    );
    let now: Timestamp = "2026-01-01T00:00:00Z".parse().expect("a constant");
    for (name, generate, sizes) in CASES {
        for (pods, policies) in if smoke { &[(100, 50)][..] } else { sizes } {
            let input = generate(*pods, *policies);
            let inventory = Arc::new(palisade_manifests::load_text("bench", &input.yaml).value);
            let model = Model::new(inventory, Settings::default()).value;
            let links = links(&model);
            // Each from another pod and to one that is another distance away.
            let step = links.len() / LINKS + 1;
            let (mut times, mut allowed): (Vec<Duration>, usize) = (Vec::new(), 0);
            for link in links.iter().step_by(step) {
                let (explained, took) = timed(|| model.explain(link, now, Grant::Workload));
                let explained = black_box(explained).expect("the ends are in the cluster");
                allowed += usize::from(explained.judgement.enforced.is_allowed());
                times.push(took);
            }
            times.sort();
            let at = |part: usize| millis(times[(times.len() - 1) * part / 100]);
            println!(
                "{name:>14} {pods:>6} {:>8} {:>6} {allowed:>8} {:>8.2} {:>8.2} {:>8.2}",
                input.policies,
                times.len(),
                at(50),
                at(90),
                at(100)
            );
        }
    }
}
