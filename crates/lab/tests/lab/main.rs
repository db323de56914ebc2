//! The lab as its users meet it: real processes, on this machine, as root.
//!
//! This test has a `main` of its own, because the lab starts its own executable again and again:
//! the test is that executable.

#[path = "../../examples/lab.rs"]
#[allow(dead_code, reason = "an example with a main of its own, of which the tests use what parses and runs")]
mod command;
mod containers;
mod ends;
mod fixture;
mod life;
mod network;
mod shop;

use std::process::ExitCode;

/// Set for the processes that the tests start, whose arguments are the lab's.
const AS_COMMAND: &str = "PALISADE_LAB_TEST_AS_COMMAND";

/// The cases with their names, in the order in which they run.
macro_rules! cases {
    ($($module:ident::$name:ident),* $(,)?) => { &[$((stringify!($name), $module::$name as fn())),*] };
}

const CASES: &[(&str, fn())] = cases![
    network::pods_reach_each_other_by_address_service_and_name,
    network::the_world_and_the_cluster_reach_each_other,
    network::a_host_network_pod_is_its_node,
    containers::containers_of_a_pod_share_the_network_alone,
    containers::a_container_has_its_user_and_capabilities,
    containers::a_program_is_a_file_of_its_image,
    life::state_files_tell_what_lives,
    life::readiness_decides_endpoints,
    life::pods_come_change_and_go,
    life::jobs_end_and_what_cannot_run_is_named,
    life::a_first_program_waits_for_the_agent,
    ends::down_leaves_nothing,
    ends::an_interrupt_leaves_nothing,
    ends::a_killed_guard_leaves_nothing,
    ends::a_killed_supervisor_leaves_nothing_and_up_cleans_after_both,
];

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
        CASES.iter().for_each(|(name, _)| println!("{name}: test"));
        return ExitCode::SUCCESS;
    }
    let filters: Vec<_> = arguments.into_iter().filter(|argument| !argument.starts_with('-')).collect();
    if let Some(missing) = fixture::missing() {
        println!("SKIPPED: {missing}");
        return if std::env::var_os("CI").is_some() { ExitCode::FAILURE } else { ExitCode::SUCCESS };
    }
    let mut failed = Vec::new();
    for (name, case) in CASES {
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
            failed.push(*name);
        }
    }
    if failed.is_empty() {
        return ExitCode::SUCCESS;
    }
    println!("failed: {failed:?}");
    ExitCode::FAILURE
}
