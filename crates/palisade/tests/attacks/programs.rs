//! Attacks on who runs what: the file behind the path that a rule names.

use super::capture::Trace;
use super::stage::{Outcome, Stage};
use super::world::{ORDERS, REPORT};

/// The stand-in of the image, which can call whom it is told, under another name.
const DROPPED: &str = "/tmp/dropped";

fn call(stage: &Stage, place: &str, program: &[&str]) -> String {
    let target = format!("{}:{ORDERS}", stage.orders.v4());
    stage.run(place, &[program, &["lab", "call", &target]].concat())
}

fn shell(stage: &Stage, place: &str, script: &str) -> String {
    stage.run(place, &["sh", "-c", script])
}

/// Runs `script`, then `program`, and looks for its connection.
fn after(stage: &Stage, pod: &str, script: &str, program: &[&str]) -> Outcome {
    let from = stage.pod(pod).v4();
    let place = format!("{pod}:nginx");
    stage.at_orders(Trace::From(from, ORDERS), || {
        let prepared = shell(stage, &place, script);
        prepared + &call(stage, &place, program)
    })
}

pub fn allowed(stage: &Stage) -> Outcome {
    after(stage, "web", ":", &[REPORT])
}

pub fn allowed_v6(stage: &Stage) -> Outcome {
    let from = stage.pod("web").v6();
    let target = format!("[{}]:{ORDERS}", stage.orders.v6());
    stage.at_orders(Trace::From(from, ORDERS), || stage.run("web:nginx", &[REPORT, "lab", "call", &target]))
}

pub fn second_container(stage: &Stage) -> Outcome {
    let from = stage.pod("web").v4();
    let target = format!("{}:{ORDERS}", stage.orders.v4());
    stage.at_orders(Trace::From(from, ORDERS), || stage.attack("web:shipper", &["dial", "tcp", &target]))
}

pub fn dropped(stage: &Stage) -> Outcome {
    after(stage, "web", &format!("cp /proc/1/exe {DROPPED}"), &[DROPPED])
}

pub fn copied(stage: &Stage) -> Outcome {
    after(stage, "web", &format!("cp -p {REPORT} /tmp/report"), &["/tmp/report"])
}

/// The same inode, and the time of change put back as far as that goes.
pub fn overwritten(stage: &Stage) -> Outcome {
    let script = format!("cp /proc/1/exe {DROPPED}; cat {DROPPED} > {REPORT}; touch -r /usr/bin/env {REPORT}");
    after(stage, "overwritten", &script, &[REPORT])
}

pub fn moved(stage: &Stage) -> Outcome {
    after(stage, "moved", &format!("cp /proc/1/exe {DROPPED}; mv {DROPPED} {REPORT}"), &[REPORT])
}

pub fn mounted(stage: &Stage) -> Outcome {
    let tool = stage.tool();
    let script = format!("cp /proc/1/exe {DROPPED}");
    after(stage, "web", &script, &[&tool, super::tool::ATTACK, "mounted", DROPPED, REPORT])
}

pub fn linked(stage: &Stage) -> Outcome {
    after(stage, "linked", &format!("ln {REPORT} /tmp/report"), &["/tmp/report"])
}

/// The kernel runs the loader, which runs the allowed program's code: whatever else it is told to run is none of its.
pub fn by_loader(stage: &Stage) -> Outcome {
    let script = "for loader in /lib64/ld-linux-*.so.* /lib/ld-linux-*.so.*; do test -e $loader && break; done";
    let target = format!("{}:{ORDERS}", stage.orders.v4());
    after_shell(stage, &format!("{script}; exec $loader {REPORT} lab call {target}"))
}

fn after_shell(stage: &Stage, script: &str) -> Outcome {
    let from = stage.pod("web").v4();
    stage.at_orders(Trace::From(from, ORDERS), || shell(stage, "web:nginx", script))
}

pub fn in_memory(stage: &Stage) -> Outcome {
    let tool = stage.tool();
    after(stage, "web", ":", &[&tool, super::tool::ATTACK, "memory", REPORT, "report"])
}

/// The path becomes a link to another program of the image, which is as old as the allowed one; then a new agent
/// looks what lies there.
pub fn redirected(stage: &Stage) -> Outcome {
    let from = stage.pod("redirected").v4();
    shell(stage, "redirected:nginx", &format!("rm {REPORT}; ln -s /usr/bin/bash {REPORT}"));
    stage.restart_agent();
    let script = format!(": </dev/tcp/{}/{ORDERS}", stage.orders.v4());
    stage.at_orders(Trace::From(from, ORDERS), || stage.run("redirected:nginx", &["bash", "-c", &script]))
}
