//! The lab as its users meet it: real processes, on this machine, as root.
//!
//! This test has a `main` of its own, because the lab starts its own executable again and again:
//! the test is that executable.

#[path = "lab/cases.rs"]
mod cases;
#[path = "../examples/lab.rs"]
#[allow(dead_code, reason = "an example with a main of its own, of which the tests use what parses and runs")]
mod command;
#[path = "lab/fixture.rs"]
mod fixture;

use std::process::ExitCode;

/// Set for the processes that the tests start, whose arguments are the lab's.
const AS_COMMAND: &str = "PALISADE_LAB_TEST_AS_COMMAND";

fn main() -> ExitCode {
    let first = std::env::args().nth(1);
    // A shim has no environment; within a container nobody runs tests.
    let is_shim = first.as_deref().is_some_and(|first| matches!(first, "shim" | "call"));
    if std::env::var_os("PALISADE_LAB_STAND_IN").is_some() || std::env::var_os(AS_COMMAND).is_some() || is_shim {
        return command::main();
    }
    run(std::env::args().skip(1).collect())
}

/// Runs the cases whose name contains one of `arguments`, as the usual harness does.
fn run(arguments: Vec<String>) -> ExitCode {
    if arguments.iter().any(|argument| argument == "--list") {
        cases::ALL.iter().for_each(|(name, _)| println!("{name}: test"));
        return ExitCode::SUCCESS;
    }
    let filters: Vec<_> = arguments.into_iter().filter(|argument| !argument.starts_with('-')).collect();
    if let Some(missing) = fixture::missing() {
        println!("SKIPPED: {missing}");
        return if std::env::var_os("CI").is_some() { ExitCode::FAILURE } else { ExitCode::SUCCESS };
    }
    let mut failed = Vec::new();
    for (name, case) in cases::ALL {
        if !filters.is_empty() && !filters.iter().any(|filter| name.contains(filter.as_str())) {
            continue;
        }
        let begun = std::time::Instant::now();
        let outcome = std::panic::catch_unwind(case);
        println!(
            "test {name} ... {} ({} ms)",
            if outcome.is_ok() { "ok" } else { "FAILED" },
            begun.elapsed().as_millis()
        );
        if outcome.is_err() {
            failed.push(name);
        }
    }
    if failed.is_empty() {
        return ExitCode::SUCCESS;
    }
    println!("failed: {failed:?}");
    ExitCode::FAILURE
}
