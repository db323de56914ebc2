//! Random small worlds in the lab, every try really made, and the engine's answer held against what the kernel did and
//! what the records of both ends say.
//!
//! Each world runs three ways: with an agent on both nodes; then one node is unloaded, and tries from the guarded node to
//! the other show what the sender's node judges alone, those the other way what the receiver's does.
//!
//! A refusal needs its own record: a timeout without one is a failure. `PALISADE_WORLDS` sets the number of worlds,
//! `PALISADE_SEED` the first seed.

mod block_yaml;
#[path = "../lab/lab.rs"]
#[allow(dead_code, reason = "shared with other tests, which use the rest")]
mod lab;
mod made;
mod mistakes;
mod node_itself;
mod outcome;
mod passes;
mod receiver;
mod sender;
mod stage;
mod ways;

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use palisade_worlds::{Coverage, runnable};

use outcome::{Outcome, Way};

/// How many worlds `make test` runs.
const WORLDS: u64 = 40;
/// How often each word of the coverage must decide over all of them.
const FLOOR: u64 = 20;
/// How many tries of each way must be made over all of them.
const TRIES_FLOOR: usize = 300;
/// Worlds at the same time, for each processor: most of the time of each is waiting.
const AT_ONCE: usize = 3;

#[test]
fn the_kernel_does_what_the_engine_says() {
    if !lab::can_run() {
        return;
    }
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let first = number("PALISADE_SEED").unwrap_or(0);
    let count = number("PALISADE_WORLDS").unwrap_or(WORLDS);
    let (next, whole) = (AtomicU64::new(first), Mutex::new(Outcome::default()));
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE * processors {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= first + count {
                        return;
                    }
                    let outcome = run(seed);
                    // At once: a run of thousands is looked at, and may be stopped, before its end.
                    print!("world {seed}: {}\n{}", outcome.counts(), outcome.failures);
                    whole.lock().expect("no world panicked").add(outcome);
                }
            });
        }
    });
    let whole = whole.into_inner().expect("no world panicked");
    println!("{}\n{}", whole.counts(), whole.coverages());
    assert!(whole.failures.is_empty(), "{}", whole.failures);
    if count >= WORLDS {
        for way in Way::ALL {
            let (tried, allowed) = whole.of(way);
            assert!(tried >= TRIES_FLOOR, "{way:?}: {tried} tries");
            let share = allowed * 100 / tried;
            assert!((20..=80).contains(&share), "{way:?}: {share} % of the tries are allowed");
        }
        let words = [Coverage::RUNNABLE, Coverage::IN_THE_KERNEL, Coverage::CORNERS].concat();
        assert_eq!(whole.coverage().below(&words, FLOOR), [], "these decide too rarely");
    }
}

/// One world; that it did not come to its end is a failure of its own.
fn run(seed: u64) -> Outcome {
    std::panic::catch_unwind(|| ways::run(&runnable::generate(seed))).unwrap_or_else(|_| {
        let mut outcome = Outcome::default();
        outcome.fails(&format!("seed {seed}"), ["did not come to its end".to_owned()]);
        outcome
    })
}

/// The comparison would be worth nothing if it let mistakes of the compiler through.
#[test]
fn seeded_faults_of_the_compiler_are_caught_in_the_kernel() {
    if lab::can_run() {
        mistakes::are_caught();
    }
}
