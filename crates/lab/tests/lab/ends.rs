//! However a lab ends, nothing stays.

use std::fs;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::fixture::{Lab, lab_command, wait_for};
use crate::shop::SHOP;

pub fn down_leaves_nothing() {
    let lab = Lab::up("down", 2, SHOP);
    lab.mount_pins();
    let traces = lab.traces();
    // A command that hangs in a container, and one in the world, go too.
    let hanging = ["shop/web", "--world"].map(|at| {
        lab_command(&["exec", "--name", lab.name.as_str(), at, "--", "sleep", "1000"])
            .spawn()
            .expect("the test's executable runs")
    });
    let inside = || {
        fs::read_dir("/proc")
            .expect("it is there")
            .flatten()
            .filter(|entry| fs::read(entry.path().join("cmdline")).is_ok_and(|line| line == b"sleep\x001000\0"))
            .count()
    };
    wait_for("both commands run", || inside() >= 2);
    lab.down();
    traces.wait_until_gone();
    for mut command in hanging {
        command.wait().expect("the command ended with the lab");
    }
    let again = palisade_lab::down(&lab.name).expect_err("it is down");
    assert!(again.to_string().contains("no lab named"), "{again}");
}

pub fn an_interrupt_leaves_nothing() {
    let mut lab = Lab::up_in_foreground("int", SHOP);
    let traces = lab.traces();
    let pid = Pid::from_raw(i32::try_from(lab.foreground().id()).expect("a pid is small"));
    kill(pid, Signal::SIGINT).expect("the lab lives");
    let status = lab.foreground().wait().expect("the lab ends");
    assert!(status.success(), "{status}");
    traces.wait_until_gone();
}

pub fn a_killed_guard_leaves_nothing() {
    let lab = Lab::up("guard", 2, SHOP);
    lab.mount_pins();
    let traces = lab.traces();
    let refused = lab.try_up(1, SHOP);
    let message = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(2));
    assert!(message.contains("is running") && message.contains("hint: `palisade lab down"), "{message}");
    let pid = i32::try_from(lab.file().pid).expect("a pid is small");
    kill(Pid::from_raw(pid), Signal::SIGKILL).expect("the guard lives");
    traces.wait_until_gone();
}

pub fn a_killed_supervisor_leaves_nothing_and_up_cleans_after_both() {
    let lab = Lab::up("both", 1, SHOP);
    lab.mount_pins();
    let traces = lab.traces();
    let supervisor = |lab: &Lab| {
        let guard = lab.file().pid;
        let children = fs::read_to_string(format!("/proc/{guard}/task/{guard}/children")).expect("the guard lives");
        Pid::from_raw(children.split_whitespace().next().expect("it has a child").parse().expect("a pid is a number"))
    };
    kill(supervisor(&lab), Signal::SIGKILL).expect("the supervisor lives");
    traces.wait_until_gone();

    assert!(lab.try_up(1, SHOP).status.success());
    lab.mount_pins();
    let traces = lab.traces();
    let guard = Pid::from_raw(i32::try_from(lab.file().pid).expect("a pid is small"));
    let child = supervisor(&lab);
    // Stopped, neither can clean up after the other.
    kill(guard, Signal::SIGSTOP).expect("the guard lives");
    kill(child, Signal::SIGKILL).expect("the supervisor lives");
    kill(guard, Signal::SIGKILL).expect("the guard lives");
    traces.wait_until_dead();
    assert!(lab.cgroup().exists(), "cgroups outlive their processes");
    let output = lab.try_up(1, SHOP);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(lab.status().pods.iter().all(|pod| pod.ready));
    let traces = lab.traces();
    lab.down();
    traces.wait_until_gone();
}
