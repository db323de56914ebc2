//! The guard in the running kernel: real cgroups, real programs, real connects.
//!
//! Each test makes a throw-away pods' root cgroup, a network namespace and a bpffs, and removes them. Without root the
//! tests are skipped; with `CI=true` that is a failure.

mod bind;
mod connect;
mod datagram;
mod earlier;
mod expiry;
mod inside;
mod intruder;
mod mixed;
mod outcome;
mod pins;
mod program;
mod puppet;
mod routes;
mod switch;
mod veth;
mod wake;
mod wire;
mod world;

/// The body of a test that needs root: skipped, or failed on CI, when it cannot run.
fn privileged(test: impl FnOnce()) {
    if let Some(why) = world::missing() {
        assert!(std::env::var_os("CI").is_none_or(|value| value != "true"), "cannot run on CI: {why}");
        eprintln!("SKIPPED: {why}");
        return;
    }
    test();
}
