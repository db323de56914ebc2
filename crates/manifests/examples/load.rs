//! Loads manifests and prints what was understood, how long it took and how much memory it needed:
//!
//!     cargo run --release -p palisade-manifests --example load -- PATH...

use std::time::Instant;

fn main() {
    let paths: Vec<std::path::PathBuf> = std::env::args_os().skip(1).map(Into::into).collect();
    let started = Instant::now();
    let outcome = match palisade_manifests::load(&paths, std::io::stdin()) {
        Ok(outcome) => outcome,
        Err(error) => {
            eprintln!("error: {error}");
            std::process::exit(2);
        }
    };
    let inventory = &outcome.value;
    for problem in outcome.problems.iter().take(20) {
        println!("{problem}");
    }
    println!(
        "{} pods, {} workloads, {} services, {} policies, {} problems in {:?}",
        inventory.pods.len(),
        inventory.workloads.len(),
        inventory.services.len(),
        inventory.network_policies.len() + inventory.perimeters.len() + inventory.access_policies.len(),
        outcome.problems.len(),
        started.elapsed()
    );
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    if let Some(peak) = status.lines().find(|line| line.starts_with("VmHWM")) {
        println!("peak memory:{}", peak.trim_start_matches("VmHWM:"));
    }
}
