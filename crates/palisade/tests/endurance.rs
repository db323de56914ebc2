//! What holds while things go wrong: agents killed, policies and pods changed by the hundred, all
//! under traffic.
//!
//! `make soak` sets `PALISADE_ROUNDS` to more.

#[path = "lab/lab.rs"]
#[allow(dead_code, reason = "shared with other tests, which use the rest")]
mod lab;

use std::fmt::Write as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use palisade_model::flow::{FlowRecord, VerdictWord};

use lab::{Caller, Lab};

/// "Permission denied": what a refused connect returns.
const EACCES: i32 = 13;
/// How a refusal looks: of the connect, of its packet at the receiver, of the connection (reset, or ended).
const REFUSED: [i32; 4] = [EACCES, 111, 104, 103];

fn rounds(usual: u32) -> u32 {
    std::env::var("PALISADE_ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(usual)
}

/// A client and a server in a closed namespace, and whatever `policies` says.
fn world(policies: &str) -> String {
    let pod = |name: &str| {
        format!(
            "---\napiVersion: v1\nkind: Pod\nmetadata: {{name: {name}, namespace: shop, labels: {{app: {name}}}, annotations: {{lab.palisade.dev/program.main: /app/main, lab.palisade.dev/extra-programs.main: /app/other}}}}\nspec: {{containers: [{{name: main, image: x, ports: [{{name: http, containerPort: 8080}}]}}]}}\n"
        )
    };
    let mut yaml = String::from("apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n");
    yaml.push_str("---\napiVersion: palisade.dev/v1alpha1\nkind: Perimeter\nmetadata: {name: default, namespace: shop}\nspec: {subject: {selector: {}}, except: [dns, kubelet]}\n");
    yaml.push_str(&pod("client"));
    yaml.push_str(&pod("server"));
    yaml.push_str(policies);
    yaml
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
    let rule = "{action: Allow, from: [{workload: client, program: /app/main}], to: [{workload: server}], ports: [{port: http}]}";
    let lab = Lab::up("killed", &world(&access(rule)), 1);
    lab.agent().wait_until_guarded(&lab);
    let target = lab.address_of("server", 8080);
    let done = AtomicBool::new(false);
    let (allowed, refused) = std::thread::scope(|scope| {
        let call = |program: &'static str, fits: fn(Option<i32>, bool) -> bool| {
            let (lab, target, done) = (&lab, &target, &done);
            scope.spawn(move || {
                let mut caller = Caller::start(lab, "shop/client", "main", program);
                let mut calls = 0;
                while !done.load(Ordering::Relaxed) {
                    let answer = caller.call(target);
                    assert!(fits(answer.errno, answer.ok), "{program}: {answer:?} after {calls} calls");
                    calls += 1;
                    // Not so fast that the ports of the machine run out.
                    std::thread::sleep(Duration::from_millis(2));
                }
                calls
            })
        };
        let allowed = call("/app/main", |_, ok| ok);
        let refused = call("/app/other", |errno, _| errno == Some(EACCES));
        let mut revision = 0;
        for round in 0..rounds(20) {
            // Dropped with SIGKILL.
            let agent = lab.agent();
            let status = agent.ask(r#"{"status":{}}"#).expect("the agent answers");
            let now = status["nodes"][0]["revision"].as_u64().expect("a revision");
            assert!(now >= revision, "round {round}: revision {now} after {revision}");
            revision = now;
            std::thread::sleep(Duration::from_millis(u64::from(round % 7) * 10));
        }
        done.store(true, Ordering::Relaxed);
        (allowed.join().expect("allowed calls pass"), refused.join().expect("refused calls do not"))
    });
    println!("{allowed} allowed and {refused} refused calls over {} agents", rounds(20));
    assert!(allowed > 100 && refused > 100);
}

/// Each change gives the rules other names, so that a record tells which change it was judged by.
#[test]
fn in_a_storm_of_changes_every_record_fits_its_rules_and_revisions_never_go_back() {
    if !lab::can_run() {
        return;
    }
    let changes = rounds(150);
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
    let target = lab.address_of("server", 8080);
    let done = AtomicBool::new(false);
    let calls = std::thread::scope(|scope| {
        let (lab, target, done) = (&lab, &target, &done);
        let calling = scope.spawn(move || {
            let mut caller = Caller::start(lab, "shop/client", "main", "/app/main");
            let mut calls = 0;
            while !done.load(Ordering::Relaxed) {
                let answer = caller.call(target);
                // A rule that came while the call was under way ends it on its way.
                assert!(answer.ok || answer.errno.is_some_and(|errno| REFUSED.contains(&errno)), "{answer:?}");
                calls += 1;
                std::thread::sleep(Duration::from_millis(3));
            }
            calls
        });
        for change in 1..=changes {
            lab.replace(&world(&policies(change)));
            if change % 25 == 0 {
                lab.palisade(&["lab", "pod", "relabel", "shop/server", &format!("round=r{change}")]);
            }
            std::thread::sleep(Duration::from_millis(u64::from(change % 4) * 5));
        }
        std::thread::sleep(Duration::from_millis(300));
        done.store(true, Ordering::Relaxed);
        calling.join().expect("each call is allowed or refused")
    });
    let is_ours =
        |record: &FlowRecord| record.from.program.as_deref() == Some("/app/main") && record.dialled.port == 8080;
    let told = |records: &[FlowRecord]| records.iter().map(|record| 1 + u64::from(record.repeats)).sum::<u64>();
    let begun = Instant::now();
    let mut records = agent.records(1, is_ours);
    while told(&records) < calls && begun.elapsed() < Duration::from_secs(10) {
        records = agent.records(records.len() + 1, is_ours);
    }
    let (mut revision, mut change) = (0, 0);
    let mut seen = std::collections::BTreeSet::new();
    for record in &records {
        assert!(record.revision >= revision, "revision {} after {revision}", record.revision);
        revision = record.revision;
        let rule = record.verdict.rule.as_deref().expect("a rule decides");
        let named = rule.split("change-").nth(1).and_then(|rest| rest.trim_end_matches('"').parse::<u32>().ok());
        let named = named.unwrap_or_else(|| panic!("{rule} is no rule of ours"));
        assert!(named >= change, "change {named} after {change}");
        change = named;
        let wanted = if named.is_multiple_of(2) { VerdictWord::Allowed } else { VerdictWord::Denied };
        assert_eq!(record.verdict.verdict, wanted, "{record:?}");
        seen.insert(named);
    }
    println!("{calls} calls, {} records, judged by {} of {changes} changes", records.len(), seen.len());
    assert_eq!(change, changes, "the last change holds");
    // Changes that come faster than they are compiled are taken together.
    assert!(seen.len() > changes as usize / 10, "the calls met the changes");
}
