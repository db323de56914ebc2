//! The agent against the running kernel: files in, refusals and records out.
//!
//! The lab is made by hand here: its state files, the cgroups, an overlay for a container's root, and one network namespace
//! for all. Without root the tests are skipped; with `CI=true` that is a failure.

mod by_hand;
#[path = "../../../bpf/tests/guard/puppet.rs"]
mod puppet;
mod records;
#[path = "../../../bpf/tests/guard/routes.rs"]
mod routes;
mod rules;
mod veths;
