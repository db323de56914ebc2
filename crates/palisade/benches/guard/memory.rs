//! What the agent and the kernel hold, by pods of the node and by identities of the cluster.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::lab::{Agent, Lab};
use crate::world::world;

/// Pods of the node beside which the identities are counted.
const BESIDE: usize = 10;
/// Pods elsewhere in the cluster, each with labels, an address and a rule of its own.
const IDENTITIES: usize = 1_000;
/// A compile that takes longer is not waited for.
const DEADLINE: Duration = Duration::from_secs(180);

pub fn measure(quick: bool) {
    let sizes: &[usize] = if quick { &[3] } else { &[10, 100] };
    println!("memory of a node");
    println!(
        "  {:>5} {:>11} {:>11} {:>14} {:>14} {:>15}",
        "pods", "containers", "identities", "agent KiB", "kernel KiB", "of it programs"
    );
    for size in sizes {
        let lab = Lab::up("bench-memory", &world(*size), 1);
        let agent = lab.agent();
        agent.wait_until_guarded(&lab);
        row(&agent, 0);
    }
    let identities = if quick { 10 } else { IDENTITIES };
    let lab = Lab::up("bench-memory", &world(BESIDE), 1);
    let agent = lab.agent();
    agent.wait_until_guarded(&lab);
    let before = row(&agent, 0);
    lab.replace(&(world(BESIDE) + &elsewhere(identities)));
    let begun = Instant::now();
    while revision(&status(&agent)) <= revision(&before) {
        assert!(begun.elapsed() < DEADLINE, "{identities} identities are not in the kernel after {DEADLINE:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
    let after = row(&agent, identities);
    let more = |what: fn(&Value) -> u64| (what(&after).saturating_sub(what(&before)) * 1000 / identities as u64) / 1024;
    println!("  for 1,000 identities: agent {} KiB, kernel {} KiB", more(resident), more(kernel));
    // What is built anew at a change is given back, not kept: the agent's second load of the same.
    lab.replace(&(world(BESIDE) + &elsewhere(identities) + "# again\n"));
    let again = status(&agent);
    println!("  peak of the agent while it loaded them: {} KiB", peak_kib(again["pid"].as_u64().unwrap_or(0)));
}

fn status(agent: &Agent) -> Value {
    agent.ask(r#"{"status":{}}"#).expect("the agent answers")
}

fn revision(status: &Value) -> u64 {
    status["nodes"][0]["revision"].as_u64().unwrap_or(0)
}

fn resident(status: &Value) -> u64 {
    status["residentBytes"].as_u64().unwrap_or(0)
}

fn kernel(status: &Value) -> u64 {
    status["nodes"][0]["kernelBytes"].as_u64().unwrap_or(0)
}

fn row(agent: &Agent, identities: usize) -> Value {
    let status = status(agent);
    let node = &status["nodes"][0];
    let programs = node["kernelBytesByProgram"].as_object().into_iter().flatten();
    let programs: u64 = programs.filter_map(|(_, bytes)| bytes.as_u64()).sum();
    println!(
        "  {:>5} {:>11} {:>11} {:>14} {:>14} {:>15}",
        node["pods"],
        node["containers"],
        identities,
        resident(&status) / 1024,
        kernel(&status) / 1024,
        programs / 1024
    );
    status
}

/// The most that a process ever held, by the kernel's account.
fn peak_kib(pid: u64) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

/// Pods of another node, that each other one of a rule of its own may reach.
fn elsewhere(count: usize) -> String {
    let (mut pods, mut rules) = (String::new(), String::new());
    for number in 0..count {
        let (high, low) = (number / 250, number % 250);
        let address = format!("10.250.{high}.{low}");
        let _ = write!(
            pods,
            "---\napiVersion: v1\nkind: Pod\nmetadata: {{name: far-{number}, namespace: bench, uid: far-{number}, labels: {{far: n{number}}}}}\nspec: {{nodeName: far, containers: [{{name: main, image: bench, ports: [{{containerPort: 8080}}]}}]}}\nstatus: {{phase: Running, podIP: {address}, podIPs: [{{ip: {address}}}]}}\n"
        );
        let _ = writeln!(
            rules,
            "  - {{action: Allow, from: [{{workload: client, container: main, program: /app/client}}], to: [{{selector: {{matchLabels: {{far: n{number}}}}}}}], ports: [{{port: 8080}}]}}"
        );
    }
    format!(
        "{pods}---\napiVersion: palisade.dev/v1alpha1\nkind: AccessPolicy\nmetadata: {{name: far, namespace: bench}}\nspec:\n  rules:\n{rules}"
    )
}
