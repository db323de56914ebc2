//! What holds while things go wrong: agents killed, another build taking over, policies and pods changed by the hundred, all
//! under traffic.
//!
//! `make soak` sets `PALISADE_KILLS` and `PALISADE_CHANGES` to more.

#[path = "lab/lab.rs"]
#[allow(dead_code, reason = "shared with other tests, which use the rest")]
mod lab;
#[path = "endurance/talk.rs"]
mod talk;

use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use palisade_model::flow::{FlowRecord, VerdictWord};

use lab::{Caller, Lab};
use talk::Talk;

/// "Permission denied": what a refused connect returns.
const EACCES: i32 = 13;
/// How a refusal looks: of the connect, of its packet at the receiver, of the connection (reset, or ended).
const REFUSED: [i32; 4] = [EACCES, 111, 104, 103];

/// How many agents are killed.
fn kills() -> u32 {
    number("PALISADE_KILLS").unwrap_or(20)
}

fn number(name: &str) -> Option<u32> {
    std::env::var(name).ok().and_then(|text| text.parse().ok())
}

fn pod(name: &str, spec: &str) -> String {
    format!(
        "---\napiVersion: v1\nkind: Pod\nmetadata: {{name: {name}, namespace: shop, labels: {{app: {name}}}, annotations: {{lab.palisade.dev/program.main: /app/main, lab.palisade.dev/extra-programs.main: /app/other}}}}\nspec: {{{spec}containers: [{{name: main, image: x, ports: [{{name: http, containerPort: 8080}}]}}]}}\n"
    )
}

/// A client and a server in a closed namespace, and whatever `policies` says.
fn world(policies: &str) -> String {
    world_on(["", ""], policies)
}

/// The same, with what the specs of client and server begin with.
fn world_on(specs: [&str; 2], policies: &str) -> String {
    let mut yaml = String::from("apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n");
    yaml.push_str("---\napiVersion: palisade.dev/v1alpha1\nkind: Perimeter\nmetadata: {name: default, namespace: shop}\nspec: {subject: {selector: {}}, except: [dns, kubelet]}\n");
    yaml.push_str(&pod("client", specs[0]));
    yaml.push_str(&pod("server", specs[1]));
    yaml.push_str("---\napiVersion: v1\nkind: Service\nmetadata: {name: server, namespace: shop}\nspec: {clusterIP: 10.96.7.7, selector: {app: server}, ports: [{port: 80, targetPort: 8080}]}\n");
    yaml.push_str(policies);
    yaml
}

/// Two programs of the client may call the server; one of them, a shell, keeps its connections.
const BY_PROGRAM: &str = "{action: Allow, from: [{workload: client, program: /app/main}, {workload: client, program: /usr/bin/bash}], to: [{workload: server}], ports: [{port: http}]}";
/// The server by the address of its Service.
const SERVICE: &str = "10.96.7.7:80";
/// A shell that no rule names.
const OTHER_SHELL: &str = "/tmp/other";

/// Calls from the client until `done`, each of which must come to what `fits` says; how many there were.
fn call_until(done: &AtomicBool, lab: &Lab, program: &str, target: &str, fits: fn(Option<i32>, bool) -> bool) -> u32 {
    let mut caller = Caller::start(lab, "shop/client", "main", program);
    let mut calls = 0;
    while !done.load(Ordering::Relaxed) {
        let answer = caller.exchange(target);
        assert!(fits(answer.errno, answer.ok), "{program}: {answer:?} after {calls} calls");
        calls += 1;
        // Not so fast that the ports of the machine run out.
        std::thread::sleep(Duration::from_millis(2));
    }
    calls
}

/// Words over a connection that is kept, until `done`; how many there were.
fn talk_until(done: &AtomicBool, mut talk: Talk) -> u32 {
    let mut words = 0;
    while !done.load(Ordering::Relaxed) {
        assert!(talk.works(), "a kept connection was cut after {words} words");
        words += 1;
        std::thread::sleep(Duration::from_millis(2));
    }
    words
}

fn access(rules: &str) -> String {
    format!(
        "---\napiVersion: palisade.dev/v1alpha1\nkind: AccessPolicy\nmetadata: {{name: storm, namespace: shop}}\nspec: {{rules: [{rules}]}}\n"
    )
}

#[test]
fn agents_killed_under_traffic_let_nothing_refused_through_and_fail_nothing_allowed() {
    if !lab::can_run() {
        return;
    }
    let lab = Lab::up("killed", &world(&access(BY_PROGRAM)), 1);
    lab.agent().wait_until_guarded(&lab);
    let target = lab.address_of("server", 8080);
    let talks = [Talk::start(&lab, "/usr/bin/bash", &target), Talk::start(&lab, "/usr/bin/bash", SERVICE)];
    let done = AtomicBool::new(false);
    let (allowed, refused, words) = std::thread::scope(|scope| {
        let (lab, target, done) = (&lab, &target, &done);
        let allowed = scope.spawn(move || call_until(done, lab, "/app/main", target, |_, ok| ok));
        let refused =
            scope.spawn(move || call_until(done, lab, "/app/other", target, |errno, _| errno == Some(EACCES)));
        let talks = talks.map(|talk| scope.spawn(move || talk_until(done, talk)));
        let mut revision = 0;
        for round in 0..kills() {
            // Dropped with SIGKILL.
            let agent = lab.agent();
            let status = agent.ask(r#"{"status":{}}"#).expect("the agent answers");
            let now = status["nodes"][0]["revision"].as_u64().expect("a revision");
            assert!(now >= revision, "round {round}: revision {now} after {revision}");
            revision = now;
            std::thread::sleep(Duration::from_millis(u64::from(round % 7) * 10));
        }
        done.store(true, Ordering::Relaxed);
        let words: u32 = talks.into_iter().map(|talk| talk.join().expect("kept connections go on")).sum();
        (allowed.join().expect("allowed calls pass"), refused.join().expect("refused calls do not"), words)
    });
    println!("{allowed} allowed and {refused} refused calls and {words} words over {} agents", kills());
    assert!(allowed > 100 && refused > 100 && words > 100);
}

/// Makes what the last agent pinned look as if another build had: pins are named by a hash of their layout.
fn age(lab: &Lab, round: u32) {
    let pins = lab.state().join("bpf/node1");
    let names = || std::fs::read_dir(&pins).expect("pins").flatten().map(|entry| entry.file_name());
    let generations: Vec<String> = names().map(|name| name.to_string_lossy().into_owned()).collect();
    assert_eq!(generations.len(), 1, "one generation stays: {generations:?}");
    let (_, rest) = generations[0].split_once('-').expect("a hash, and what is guarded");
    let aged: PathBuf = pins.join(format!("{round:016x}-{rest}"));
    std::fs::rename(pins.join(&generations[0]), aged).expect("pins can be renamed");
}

#[test]
fn other_builds_take_over_under_traffic_and_let_nothing_refused_through_and_fail_nothing_allowed() {
    if !lab::can_run() {
        return;
    }
    let takeovers = kills().div_ceil(4);
    let lab = Lab::up("aged", &world(&access(BY_PROGRAM)), 1);
    lab.agent().wait_until_guarded(&lab);
    let target = lab.address_of("server", 8080);
    let talks = [Talk::start(&lab, "/usr/bin/bash", &target), Talk::start(&lab, "/usr/bin/bash", SERVICE)];
    let done = AtomicBool::new(false);
    let (allowed, refused, words) = std::thread::scope(|scope| {
        let (lab, target, done) = (&lab, &target, &done);
        let allowed = scope.spawn(move || call_until(done, lab, "/app/main", target, |_, ok| ok));
        let by_name = scope.spawn(move || call_until(done, lab, "/app/main", SERVICE, |_, ok| ok));
        let refused =
            scope.spawn(move || call_until(done, lab, "/app/other", target, |errno, _| errno == Some(EACCES)));
        let talks = talks.map(|talk| scope.spawn(move || talk_until(done, talk)));
        let (mut connects, mut revision) = (0, 0);
        for round in 0..takeovers {
            age(lab, round);
            let agent = lab.agent();
            let status = agent.ask(r#"{"status":{}}"#).expect("the agent answers");
            let node = &status["nodes"][0];
            assert_eq!(node["takenOver"], false, "round {round}: another build's pins are not taken as they are");
            assert!(node["flowsTakenOver"].as_u64() >= Some(4), "round {round}: {}", node["flowsTakenOver"]);
            let now = (node["counters"]["connects"].as_u64(), node["revision"].as_u64());
            assert!(now >= (Some(connects), Some(revision)), "round {round}: {now:?} after {connects}, {revision}");
            (connects, revision) = (now.0.expect("counted"), now.1.expect("a revision"));
            std::thread::sleep(Duration::from_millis(u64::from(round % 7) * 10));
        }
        done.store(true, Ordering::Relaxed);
        let words: u32 = talks.into_iter().map(|talk| talk.join().expect("kept connections go on")).sum();
        let allowed = allowed.join().expect("allowed calls pass") + by_name.join().expect("those of the Service too");
        (allowed, refused.join().expect("refused calls do not"), words)
    });
    println!("{allowed} allowed and {refused} refused calls and {words} words over {takeovers} builds");
    assert!(allowed > 100 && refused > 100 && words > 50);
}

#[test]
fn an_agents_first_start_keeps_what_a_rule_allows_and_ends_what_none_does() {
    if !lab::can_run() {
        return;
    }
    let lab = Lab::up("first-start", &world(&access(BY_PROGRAM)), 1);
    lab.palisade(&["lab", "exec", "shop/client", "-c", "main", "--", "cp", "/usr/bin/bash", OTHER_SHELL]);
    let target = lab.address_of("server", 8080);
    let targets = [target.as_str(), SERVICE];
    let mut named = targets.map(|target| Talk::start(&lab, "/usr/bin/bash", target));
    let mut other = targets.map(|target| Talk::start(&lab, OTHER_SHELL, target));
    assert!(named.iter_mut().chain(&mut other).all(Talk::works), "nobody judges yet");
    let agent = lab.agent();
    agent.wait_until_guarded(&lab);
    let status = agent.ask(r#"{"status":{}}"#).expect("the agent answers");
    assert!(status["nodes"][0]["earlierConnections"].as_u64() >= Some(8), "{status}");
    for (talk, target) in other.iter_mut().zip(targets) {
        assert!(talk.ends_within(Duration::from_secs(5)), "no rule names the program that talks to {target}");
    }
    for (talk, target) in named.iter_mut().zip(targets) {
        assert!(talk.works(), "the rule names the program that talks to {target}");
    }
}

/// The change that named the rule which decided.
fn change_of(record: &FlowRecord) -> Option<u32> {
    record.verdict.rule.as_deref()?.split("change-").nth(1)?.trim_end_matches('"').parse().ok()
}

/// The receiver's node takes the word of the sender's node: also while one of the agents is dead for a moment.
#[test]
fn agents_of_two_nodes_killed_in_turn_cut_nothing_that_both_allow() {
    /// A dead agent counts for this long.
    const SUCCEEDED_WITHIN: Duration = Duration::from_secs(2);
    if !lab::can_run() {
        return;
    }
    let rule = "{action: Allow, from: [{workload: client, program: /app/main}], to: [{workload: server}], ports: [{port: http}]}";
    let yaml = world_on(["nodeName: node1, ", "nodeName: node2, "], &access(rule));
    let lab = Lab::up("killed-in-turn", &yaml, 2);
    let nodes = ["node1", "node2"];
    let mut agents = nodes.map(|node| lab.agent_of(node));
    let whole = |agent: &lab::Agent| {
        let status = agent.ask(r#"{"status":{}}"#).expect("the agent answers");
        status["unguarded"].as_array().is_some_and(Vec::is_empty)
    };
    for agent in &agents {
        agent.wait_until_guarded(&lab);
        agent.wait_for("both nodes guarded", whole);
    }
    let target = lab.address_of("server", 8080);
    let done = AtomicBool::new(false);
    let (calls, longest) = std::thread::scope(|scope| {
        let call = |program: &'static str| {
            let (lab, target, done) = (&lab, &target, &done);
            scope.spawn(move || {
                let mut caller = Caller::start(lab, "shop/client", "main", program);
                let (mut passed, mut refused) = (0, 0);
                while !done.load(Ordering::Relaxed) {
                    let answer = caller.exchange(target);
                    if answer.ok {
                        passed += 1
                    } else {
                        refused += 1
                    }
                    std::thread::sleep(Duration::from_millis(2));
                }
                (passed, refused)
            })
        };
        let calls = [call("/app/main"), call("/app/other")];
        let mut longest = Duration::ZERO;
        for round in 0..kills() as usize {
            let turn = round % 2;
            let killed = Instant::now();
            agents[turn].kill();
            agents[turn] = lab.agent_of(nodes[turn]);
            agents[1 - turn].wait_for("both nodes guarded", whole);
            longest = longest.max(killed.elapsed());
        }
        done.store(true, Ordering::Relaxed);
        (calls.map(|calling| calling.join().expect("each call has its answer")), longest)
    });
    println!("calls that passed and did not: {calls:?} over {} agents, the longest gap {longest:?}", kills());
    let [(passed, failed), (through, refused)] = calls;
    assert!(passed > 100 && refused > 100 && through == 0, "{calls:?}");
    // On a machine so busy that a successor takes longer, its node rightly ceases to count.
    assert!(failed == 0 || longest > SUCCEEDED_WITHIN, "{calls:?}");
}

/// Each change gives the rules other names, so that a record tells which change it was judged by.
#[test]
fn in_a_storm_of_changes_every_record_fits_its_rules_and_revisions_never_go_back() {
    if !lab::can_run() {
        return;
    }
    let changes = number("PALISADE_CHANGES").unwrap_or(150);
    // Even changes allow, odd ones deny: the rule's name says which.
    let policies = |change: u32| {
        let action = if change.is_multiple_of(2) { "Allow" } else { "Deny" };
        let mut rules = format!(
            "{{name: change-{change}, action: {action}, from: [{{workload: client, program: /app/main}}], to: [{{workload: server}}]}}"
        );
        // Others come and go beside it, so that every table changes its size.
        for other in 0..change % 5 {
            let _ = write!(
                rules,
                ", {{action: Allow, from: [{{workload: client}}], to: [{{cidr: 203.0.113.{other}/32}}], ports: [{{port: {}}}]}}",
                1000 + change
            );
        }
        access(&rules)
    };
    let lab = Lab::up("storm", &world(&policies(0)), 1);
    let agent = lab.agent();
    agent.wait_until_guarded(&lab);
    let followed = agent.follow();
    let target = lab.address_of("server", 8080);
    let (done, calls) = (AtomicBool::new(false), AtomicU64::new(0));
    std::thread::scope(|scope| {
        let (lab, target, done, calls) = (&lab, &target, &done, &calls);
        let calling = scope.spawn(move || {
            let mut caller = Caller::start(lab, "shop/client", "main", "/app/main");
            while !done.load(Ordering::Relaxed) {
                let answer = caller.connect(target);
                // A rule that came while the call was under way ends it on its way.
                assert!(answer.ok || answer.errno.is_some_and(|errno| REFUSED.contains(&errno)), "{answer:?}");
                calls.fetch_add(1, Ordering::Relaxed);
                std::thread::sleep(Duration::from_millis(3));
            }
        });
        let beside = lab.manifests().with_file_name("beside.yaml");
        std::fs::write(&beside, pod("beside", "")).expect("it can be written");
        for change in 1..=changes {
            lab.replace(&world(&policies(change)));
            match change % 50 {
                0 | 25 => drop(lab.palisade(&["lab", "pod", "relabel", "shop/server", &format!("round=r{change}")])),
                10 => drop(lab.palisade(&["lab", "pod", "add", "-f", &beside.display().to_string()])),
                35 => drop(lab.palisade(&["lab", "pod", "remove", "shop/beside"])),
                _ => {}
            }
            if change % MET == 0 || change == changes {
                agent.wait_for("a call that the change judges", |_| {
                    calling.is_finished() || followed.any(|record| change_of(record) == Some(change))
                });
            }
            std::thread::sleep(Duration::from_millis(u64::from(change % 4) * 5));
        }
        done.store(true, Ordering::Relaxed);
        calling.join().expect("each call is allowed or refused");
    });
    let calls = calls.into_inner();
    let is_ours =
        |record: &FlowRecord| record.from.program.as_deref() == Some("/app/main") && record.dialled.port == 8080;
    let told = |records: &[FlowRecord]| records.iter().map(|record| 1 + u64::from(record.repeats)).sum::<u64>();
    let begun = Instant::now();
    let mut records = followed.tries(is_ours);
    while told(&records) < calls && begun.elapsed() < Duration::from_secs(10) {
        std::thread::sleep(Duration::from_millis(50));
        records = followed.tries(is_ours);
    }
    let (mut revision, mut change) = (0, 0);
    let mut seen = std::collections::BTreeSet::new();
    for record in &records {
        assert!(record.revision >= revision, "revision {} after {revision}", record.revision);
        revision = record.revision;
        let named = change_of(record).unwrap_or_else(|| panic!("no rule of ours decided: {record:?}"));
        assert!(named >= change, "change {named} after {change}");
        change = named;
        let wanted = if named.is_multiple_of(2) { VerdictWord::Allowed } else { VerdictWord::Denied };
        assert_eq!(record.verdict.verdict, wanted, "{record:?}");
        seen.insert(named);
    }
    println!("{calls} calls, {} records, judged by {} of {changes} changes", records.len(), seen.len());
    assert_eq!(change, changes, "the last change holds");
    // Changes that come faster than they are compiled are taken together, but for those that were waited for.
    assert!(seen.len() >= (changes / MET) as usize, "the calls met the changes");
}

/// Each so-many-th change is waited for.
const MET: u32 = 10;
