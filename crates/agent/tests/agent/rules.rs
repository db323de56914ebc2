//! A change of a file reaches the kernel, and the kernel keeps it when the agent is gone.

use std::net::{SocketAddr, TcpListener};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::by_hand::{DB, Lab, Running, privileged};
use crate::puppet::{Came, Puppet, REFUSED};

const OPEN: &str = "# nothing is closed\n";
const CLOSED: &str = r#"
apiVersion: palisade.dev/v1alpha1
kind: Perimeter
metadata: {name: default, namespace: shop}
spec: {mode: Enforce, subject: {selector: {}}, directions: [Ingress, Egress]}
"#;
const OPENED: &str = r#"
apiVersion: palisade.dev/v1alpha1
kind: AccessPolicy
metadata: {name: web-to-db, namespace: shop}
spec:
  mode: Enforce
  rules:
  - {name: all, action: Allow, from: [{selector: {matchLabels: {app: web}}}], to: [{selector: {matchLabels: {app: db}}}]}
"#;

fn program() -> std::path::PathBuf {
    std::env::current_exe().expect("this executable")
}

/// A lab with a database that listens, and a web server's container with a process that does what it is told.
struct Scene {
    web: Puppet,
    db: SocketAddr,
    lab: Lab,
}

impl Scene {
    fn under(rules: &str) -> Self {
        let mut lab = Lab::new();
        lab.rules(rules);
        let listener = TcpListener::bind((DB, 5432)).expect("a listener");
        let db = listener.local_addr().expect("an address");
        std::thread::spawn(move || for _ in listener.incoming() {});
        let web = Puppet::start(&program(), &lab.cgroup_of("web", "nginx"));
        lab.started("web", "nginx", web.pid());
        lab.publish();
        Self { web, db, lab }
    }
}

#[test]
fn a_changed_file_reaches_the_kernel() {
    privileged(|| {
        let Scene { lab, mut web, db } = Scene::under(OPEN);
        let agent = Running::start(&lab);
        assert_eq!(web.connect(db), Came::Through);
        let mut took = Vec::new();
        for round in 0..10 {
            let (text, wanted) = if round % 2 == 0 { (CLOSED, REFUSED) } else { (OPEN, Came::Through) };
            lab.rules(text);
            let began = Instant::now();
            while web.connect(db) != wanted {
                assert!(
                    began.elapsed() < Duration::from_secs(5),
                    "not in the kernel: {}",
                    agent.ask(&json!({"status": {}}))
                );
            }
            took.push(began.elapsed());
        }
        took.sort();
        eprintln!("from a changed file to the kernel's other answer: median {:?}, slowest {:?}", took[5], took[9]);
    });
}

#[test]
fn a_file_that_is_half_written_is_not_taken_by_an_event_of_a_pod() {
    privileged(|| {
        let Scene { mut lab, mut web, db } = Scene::under(CLOSED);
        let agent = Running::start(&lab);
        let loads = |agent: &Running| agent.ask(&json!({"status": {}}))["loads"].as_u64().expect("a number");
        assert_eq!(web.connect(db), REFUSED);
        // A writer has emptied the file, and another has begun a new one that would open everything.
        let rules = lab.folder.join("manifests/rules.yaml");
        let half = std::fs::File::create(&rules).expect("truncated");
        let more = std::fs::File::create(lab.folder.join("manifests/more.yaml")).expect("made");
        std::io::Write::write_all(&mut &more, OPENED.as_bytes()).expect("written");
        let before = loads(&agent);
        lab.add_pod("late", "10.244.1.9", &["app"]);
        lab.publish();
        let began = Instant::now();
        while loads(&agent) == before || agent.ask(&json!({"status": {}}))["nodes"][0]["pods"] != 3 {
            assert!(began.elapsed() < Duration::from_secs(5), "the new pod is not seen");
        }
        assert_eq!(web.connect(db), REFUSED);
        drop(more);
        let began = Instant::now();
        while web.connect(db) != Came::Through {
            assert!(began.elapsed() < Duration::from_secs(5), "the closed file is not taken");
        }
        drop(half);
    });
}

#[test]
fn a_manifest_that_is_being_written_when_the_agent_starts_is_awaited() {
    privileged(|| {
        // All rules so far: the Perimeter is about to be written.
        let Scene { lab, mut web, db } = Scene::under(OPENED);
        let rules = lab.folder.join("manifests/rules.yaml");
        let writer = std::fs::File::create(&rules).expect("truncated");
        let writes = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(300));
            std::io::Write::write_all(&mut &writer, CLOSED.as_bytes()).expect("written");
        });
        let _agent = Running::start(&lab);
        assert!(writes.is_finished(), "the agent did not wait for the writer");
        assert_eq!(web.connect(db), REFUSED);
        writes.join().expect("written");
    });
}

#[test]
fn a_container_that_floods_the_kernel_with_connects_does_not_hold_up_a_change() {
    privileged(|| {
        let mut lab = Lab::new();
        lab.rules(CLOSED);
        let mut web = Puppet::start(&program(), &lab.cgroup_of("web", "nginx"));
        lab.started("web", "nginx", web.pid());
        lab.publish();
        let agent = Running::start(&lab);
        let revision = |agent: &Running| agent.ask(&json!({"status": {}}))["nodes"][0]["revision"].clone();
        let before = revision(&agent);
        std::thread::scope(|scope| {
            let flood = scope.spawn(|| web.tell(&format!("hammer {DB}:5432 2000")));
            std::thread::sleep(Duration::from_millis(300));
            lab.rules(OPEN);
            let began = Instant::now();
            while revision(&agent) == before {
                assert!(began.elapsed() < Duration::from_secs(1), "held up");
                std::thread::sleep(Duration::from_millis(5));
            }
            assert!(flood.join().expect("joined").contains(' '));
        });
        let counters = agent.ask(&json!({"status": {}}))["nodes"][0]["counters"].clone();
        eprintln!("connects {}, events lost and told so {}", counters["connects"], counters["events-lost"]);
    });
}

#[test]
fn a_new_pod_is_refused_until_it_is_guarded() {
    privileged(|| {
        let mut lab = Lab::new();
        lab.rules(OPEN);
        let listener = TcpListener::bind((DB, 5432)).expect("a listener");
        let db: SocketAddr = listener.local_addr().expect("an address");
        let agent = Running::start(&lab);
        lab.add_pod("late", "10.244.1.9", &["app"]);
        let mut late = Puppet::start(&program(), &lab.cgroup_of("late", "app"));
        assert_eq!(late.connect(db), REFUSED);
        assert_eq!(agent.ask(&json!({"guarded": {"podUid": "uid-late"}}))["guarded"], false);
        lab.started("late", "app", late.pid());
        let began = Instant::now();
        lab.publish();
        let answer = agent.ask(&json!({"guarded": {"podUid": "uid-late"}}));
        eprintln!("from a published pod to guarded: {:?}", began.elapsed());
        assert_eq!(answer["guarded"], true, "{answer}");
        assert_eq!(late.connect(db), Came::Through);
    });
}

#[test]
fn verdicts_outlive_the_agent_and_revisions_go_on() {
    privileged(|| {
        let Scene { lab, mut web, db } = Scene::under(CLOSED);
        let first = Running::start(&lab);
        let before = first.ask(&json!({"status": {}}))["nodes"][0]["revision"].as_u64().expect("a revision");
        drop(first);
        assert_eq!(web.connect(db), REFUSED);
        lab.rules(OPEN);
        let second = Running::start(&lab);
        let status = second.ask(&json!({"status": {}}));
        assert_eq!(status["nodes"][0]["takenOver"], true);
        assert!(status["nodes"][0]["revision"].as_u64().expect("a revision") > before);
        assert_eq!(web.connect(db), Came::Through);
        // What happened in between was kept by the kernel, and what its decision meant beside the pins.
        let record = second.observe("start").of(&web);
        assert_eq!((record.revision, record.verdict.reason.as_str()), (before, "closed"));
        assert!(record.verdict.rule.is_some_and(|rule| rule.contains("Perimeter shop/default")));
        drop(second);
        palisade_agent::unload(&lab.state).expect("unloaded");
        assert!(!lab.state.join("bpf").exists());
    });
}

#[test]
fn pins_that_somebody_removes_are_made_anew() {
    privileged(|| {
        let Scene { lab, mut web, db } = Scene::under(CLOSED);
        let agent = Running::start(&lab);
        assert_eq!(web.connect(db), REFUSED);
        palisade_agent::unload(&lab.state).expect("unloaded behind the agent's back");
        let began = Instant::now();
        while web.connect(db) != REFUSED {
            assert!(began.elapsed() < Duration::from_secs(60), "{}", agent.ask(&json!({"status": {}})));
        }
        assert_eq!(agent.ask(&json!({"status": {}}))["guarded"], true);
        // Told to, it takes them out itself and ends.
        assert_eq!(agent.ask(&json!({"unload": {}}))["unloads"], true);
        while lab.state.join("agent.sock").exists() {
            assert!(began.elapsed() < Duration::from_secs(60), "the agent does not end");
        }
        assert!(!lab.state.join("bpf").exists());
        assert_eq!(web.connect(db), Came::Through);
    });
}
