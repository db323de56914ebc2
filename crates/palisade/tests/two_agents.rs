//! Two nodes with an agent each: what the receiver's node takes of the sender's word, and what stays when one of the
//! agents is killed.

#[path = "lab/lab.rs"]
#[allow(dead_code, reason = "shared with other tests, which use the rest")]
mod lab;

use std::time::{Duration, Instant};

use palisade_model::flow::{FlowRecord, Reporter, Strength, VerdictWord};

use lab::{Agent, Caller, Lab};

/// "Permission denied": the sender's node refused the connect.
const EACCES: i32 = 13;
/// "Connection refused": here the receiver's node refused, because each port that is tried is listened on.
const RESET: i32 = 111;
/// A dead agent has to be noticed within a second or two; this is for a busy machine.
const DEADLINE: Duration = Duration::from_secs(15);

/// On node1 `client`, whose `/app/main` alone may reach the server, and `plain`, which may as a whole; on node2 `server`.
fn world(more: &str) -> String {
    let pod = |name: &str, node: &str| {
        format!(
            "---\napiVersion: v1\nkind: Pod\nmetadata: {{name: {name}, namespace: shop, annotations: {{lab.palisade.dev/program.main: /app/main, lab.palisade.dev/extra-programs.main: /app/other}}}}\nspec: {{nodeName: {node}, containers: [{{name: main, image: x, ports: [{{name: http, containerPort: 8080}}, {{name: more, containerPort: 9090}}]}}]}}\n"
        )
    };
    let mut yaml = String::from("apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n");
    yaml.push_str("---\napiVersion: palisade.dev/v1alpha1\nkind: Perimeter\nmetadata: {name: default, namespace: shop}\nspec: {subject: {selector: {}}, except: [kubelet]}\n");
    yaml.push_str(&format!(
        "---\napiVersion: palisade.dev/v1alpha1\nkind: AccessPolicy\nmetadata: {{name: server, namespace: shop}}\nspec:\n  rules:\n  - {{name: by-program, action: Allow, from: [{{workload: client, program: /app/main}}], to: [{{workload: server}}], ports: [{{port: http}}]}}\n  - {{name: by-pod, action: Allow, from: [{{workload: plain}}], to: [{{workload: server}}], ports: [{{port: http}}]}}\n{more}"
    ));
    for (name, node) in [("client", "node1"), ("plain", "node1"), ("server", "node2")] {
        yaml.push_str(&pod(name, node));
    }
    yaml
}

/// The newest record that `agent` has of that end's view of connections to the server's port.
fn newest(agent: &Agent, reporter: Reporter, pod: &str, port: u16) -> Option<FlowRecord> {
    let of_it = |record: &FlowRecord| {
        record.reporter == reporter && record.from.name.as_deref() == Some(pod) && record.dialled.port == port
    };
    agent.history().into_iter().rfind(of_it)
}

/// Tries until it comes out as wanted.
fn becomes(caller: &mut Caller, target: &str, wanted: Option<i32>) {
    let begun = Instant::now();
    loop {
        let answer = caller.call(target);
        if answer.ok == wanted.is_none() && answer.errno == wanted {
            return;
        }
        assert!(begun.elapsed() < DEADLINE, "{answer:?}, not {wanted:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn unguarded(agent: &Agent) -> Vec<String> {
    let status = agent.ask(r#"{"status":{}}"#).expect("the agent answers");
    serde_json::from_value(status["unguarded"].clone()).expect("names")
}

#[test]
fn the_receivers_node_takes_the_word_of_a_living_agent_alone_and_a_dead_ones_verdicts_stay() {
    if !lab::can_run() {
        return;
    }
    let lab = Lab::up("two-agents", &world(""), 2);
    let agent1 = lab.agent_of("node1");
    let agent2 = lab.agent_of("node2");
    for agent in [&agent1, &agent2] {
        agent.wait_until_guarded(&lab);
        agent.wait_for("both nodes guarded", |agent| unguarded(agent).is_empty());
    }
    lab.palisade(&["agent", "status"]);
    let target = lab.address_of("server", 8080);
    let mut main = Caller::start(&lab, "shop/client", "main", "/app/main");
    let mut other = Caller::start(&lab, "shop/client", "main", "/app/other");
    let mut plain = Caller::start(&lab, "shop/plain", "main", "/app/other");

    // Both alive: the sender's node tells programs apart, the receiver's node believes it.
    becomes(&mut main, &target, None);
    becomes(&mut other, &target, Some(EACCES));
    becomes(&mut plain, &target, None);
    let is_received = |agent: &Agent| newest(agent, Reporter::Receiver, "client", 8080).is_some();
    agent2.wait_for("the receiver's record", is_received);
    let record = newest(&agent2, Reporter::Receiver, "client", 8080).expect("it was there");
    assert_eq!(record.strength, Some(Strength::GuardedNode), "{record:?}");
    assert_eq!(record.verdict.verdict, VerdictWord::Allowed, "{record:?}");
    assert!(record.verdict.rule.as_deref().is_some_and(|rule| rule.contains("by-program")), "{record:?}");

    // The sender's agent is killed. Its programs judge on, but nobody vouches for them: what names a program matches
    // nothing at the receiver; what names the pod does.
    drop(agent1);
    agent2.wait_for("the dead agent noticed", |agent| unguarded(agent) == ["node1"]);
    becomes(&mut main, &target, Some(RESET));
    becomes(&mut other, &target, Some(EACCES));
    becomes(&mut plain, &target, None);
    let is_by_address = |agent: &Agent| {
        newest(agent, Reporter::Receiver, "plain", 8080)
            .is_some_and(|record| record.strength == Some(Strength::Address))
    };
    agent2.wait_for("a record that says so", is_by_address);
    let status = lab.command(&["agent", "status"]).output().expect("the binary starts");
    assert_eq!(status.status.code(), Some(1), "a node has no agent");

    // Its successor is believed again.
    let agent1 = lab.agent_of("node1");
    agent2.wait_for("both nodes guarded", |agent| unguarded(agent).is_empty());
    becomes(&mut main, &target, None);
    becomes(&mut other, &target, Some(EACCES));

    // The receiver's agent is killed. Its node judges on by its last revision: it lets in whom it did, refuses the
    // other node itself, and does not know a rule that comes now.
    drop(agent2);
    agent1.wait_for("the dead agent noticed", |agent| unguarded(agent) == ["node2"]);
    becomes(&mut main, &target, None);
    becomes(&mut plain, &target, None);
    let of_node = ["lab", "exec", "node/node1", "--", env!("CARGO_BIN_EXE_palisade"), "lab", "call", &target];
    let from_node = lab.command(&of_node).output().expect("the binary starts");
    assert!(!from_node.status.success(), "the other node is refused");
    let later = lab.address_of("server", 9090);
    becomes(&mut plain, &later, Some(EACCES));
    lab.replace(&world(
        "  - {name: later, action: Allow, from: [{workload: plain}], to: [{workload: server}], ports: [{port: more}]}\n",
    ));
    becomes(&mut plain, &later, Some(RESET));
    let agent2 = lab.agent_of("node2");
    becomes(&mut plain, &later, None);
    agent2.wait_until_guarded(&lab);
    becomes(&mut main, &target, None);

    // One is unloaded, the other stays.
    lab.palisade(&["agent", "unload", "--node", "node1"]);
    agent2.wait_for("the unloaded node noticed", |agent| unguarded(agent) == ["node1"]);
    assert!(!lab.state().join("bpf/node1").exists() && lab.state().join("bpf/node2").exists());
    becomes(&mut other, &target, Some(RESET));
    becomes(&mut plain, &target, None);
    lab.palisade(&["agent", "unload"]);
    assert!(!lab.state().join("bpf").exists());
    becomes(&mut other, &target, None);
}

#[test]
fn two_agents_do_not_guard_one_node_and_a_node_must_be_there() {
    if !lab::can_run() {
        return;
    }
    let lab = Lab::up("one-agent-a-node", &world(""), 2);
    let agent = lab.agent_of("node1");
    let refused = |arguments: &[&str], said: &str| {
        let output = lab.command(arguments).output().expect("the binary starts");
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && text.contains(said), "{arguments:?}: {text}");
    };
    refused(&["agent", "run"], "another agent guards node `node1`");
    refused(&["agent", "run", "--node", "node1"], "an agent already answers on");
    refused(&["agent", "run", "--node", "node3"], "the lab has no node `node3`; it has node1, node2");
    assert_eq!(unguarded(&agent), ["node2"]);
}
