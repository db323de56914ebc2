//! A short run of each target from a fixed seed; `make soak` goes on for a minute each, guided and from another seed.

use palisade_fuzz::corpus::Corpus;
use palisade_fuzz::run::{Budget, Run};
use palisade_fuzz::target;

/// The same inputs each time.
const SEED: u64 = 1;

#[track_caller]
fn short(name: &str, inputs: u64) {
    let target = target::ALL.iter().find(|target| target.name == name).expect("a target of the name");
    let corpus = Corpus::of(target).expect("the corpus can be read");
    let mut run = Run::new(target, corpus, SEED, None);
    let told: Vec<String> = run
        .go(Budget::Inputs(inputs))
        .iter()
        .map(|failure| {
            let input = String::from_utf8_lossy(&failure.input).into_owned();
            format!("try {}: {}\n{input}", failure.number, failure.message)
        })
        .collect();
    assert!(told.is_empty(), "{name}, seed {SEED}, {}", told.join("\n"));
}

#[test]
fn manifests() {
    short("manifests", 1_500);
}

#[test]
fn evaluator() {
    short("evaluator", 60);
}

#[test]
fn oracle() {
    short("oracle", 200);
}

#[test]
fn lint() {
    short("lint", 120);
}

#[test]
fn report() {
    short("report", 1_000);
}

#[test]
fn signatures() {
    short("signatures", 1_000);
}

#[test]
fn trust() {
    short("trust", 1_000);
}

#[test]
fn registry() {
    short("registry", 2_000);
}

#[test]
fn words() {
    short("words", 2_000);
}

#[test]
fn layers() {
    short("layers", 400);
}

#[test]
fn packages() {
    short("packages", 1_500);
}

#[test]
fn documents() {
    short("documents", 1_500);
}

#[test]
fn bills() {
    short("bills", 800);
}

#[test]
fn records() {
    short("records", 1_500);
}

#[test]
fn decisions() {
    short("decisions", 2_000);
}

#[test]
fn exports() {
    short("exports", 500);
}

#[test]
fn versions() {
    short("versions", 200);
}
