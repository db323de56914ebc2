//! What guarding costs, and how soon it holds; in the lab, as a user would run it.
//!
//! `cargo bench -p palisade` as root; words choose parts: `cargo bench -p palisade --bench guard -- memory`. Each figure
//! stands beside its baseline of the same run.

mod events;
mod figures;
#[path = "../../tests/lab/lab.rs"]
#[allow(dead_code, reason = "shared with the tests, which use the rest")]
mod lab;
mod layers;
mod load;
mod memory;
mod packet_filter;
mod rules;
mod soon;
mod world;

use std::process::ExitCode;

/// A part of the benchmark, and what it needs to know: whether it only has to run (`cargo test --benches`).
type Part = (&'static str, fn(bool));

const PARTS: [Part; 6] = [
    ("layers", layers::measure),
    ("rules", rules::measure),
    ("events", events::measure),
    ("memory", memory::measure),
    ("change", soon::policy_change),
    ("pod", soon::new_pod),
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.first().is_some_and(|first| first == load::LOAD) {
        return load::main(&arguments[1..]);
    }
    if !lab::can_run() {
        return ExitCode::SUCCESS;
    }
    let quick = arguments.iter().any(|argument| argument == "--test");
    let words: Vec<&str> = arguments.iter().map(String::as_str).filter(|word| !word.starts_with('-')).collect();
    if let Some(unknown) = words.iter().find(|word| !PARTS.iter().any(|(name, _)| name == *word)) {
        eprintln!("there is no part `{unknown}`: {}", PARTS.map(|(name, _)| name).join(", "));
        return ExitCode::from(2);
    }
    for (_, measure) in PARTS.iter().filter(|(name, _)| words.is_empty() || words.contains(name)) {
        measure(quick);
        println!();
    }
    ExitCode::SUCCESS
}
