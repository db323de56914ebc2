//! What Palisade takes, refuses and fills in, against a real API server.
//!
//! Every case is created there by a dry run. Both must refuse it, or both take it; and what the server answers, with
//! every default written out, must read as what was sent.

mod base;
mod change;
mod crds;
mod excuse;
mod facts;
mod published;
mod server;
mod yaml;

/// Its tests run here, too, to tell their cases.
#[path = "../problems/main.rs"]
mod problems;

use std::sync::{Mutex, MutexGuard, OnceLock};

use facts::{Reading, difference, forget_what_was_chosen};
use serde_json::Value as Json;
use server::{Answer, ApiServer, Question};

/// Nothing is stored; a field that the server does not know is dropped with a warning. That is its own default, which
/// Helm and other clients leave as it is; `kubectl` asks for `Strict`, where the warnings of such fields are refusals.
const QUERY: &str = "?dryRun=All&fieldValidation=Warn";

/// Most differences that are shown.
const SHOWN: usize = 20;

/// One server for all tests here; it ends with this process.
fn server() -> Option<MutexGuard<'static, ApiServer>> {
    static SERVER: OnceLock<Option<Mutex<ApiServer>>> = OnceLock::new();
    let server = SERVER.get_or_init(|| ApiServer::start().map(Mutex::new)).as_ref()?;
    // A test that failed leaves the server as it was.
    Some(server.lock().unwrap_or_else(std::sync::PoisonError::into_inner))
}

/// How the cases of a test were decided: neither may be rare, or the comparison says little.
#[derive(Debug, Default)]
struct Counts {
    taken: usize,
    refused: usize,
    /// Refused by the server for what Palisade does not look at.
    excused: usize,
}

/// What the server may refuse and Palisade take.
type Excuse = fn(&Json) -> bool;

/// Asks the server about every case and fails with what it decides otherwise than Palisade.
fn compare(server: &mut ApiServer, cases: &[Question], excuse: Excuse) -> Counts {
    let mut counts = Counts::default();
    let mut differences = Vec::new();
    for (case, answer) in cases.iter().zip(server.ask(cases)) {
        if answer.is_taken() || answer.is_there_already() {
            counts.taken += 1;
        } else {
            counts.refused += 1;
        }
        match judge(case, &answer, excuse) {
            Judgement::Same => {}
            Judgement::Excused => counts.excused += 1,
            Judgement::Differs(how) => differences.push(format!("{how}\n{:.4000}", case.body)),
        }
    }
    println!("{counts:?}");
    let shown = &differences[..differences.len().min(SHOWN)];
    assert!(differences.is_empty(), "{} of {} cases differ:\n{}", differences.len(), cases.len(), shown.join("\n"));
    counts
}

enum Judgement {
    Same,
    Excused,
    Differs(String),
}

fn judge(case: &Question, answer: &Answer, excuse: Excuse) -> Judgement {
    let reading = Reading::of(&case.body);
    if reading.is_doubtful() && answer.is_taken() {
        return Judgement::Same;
    }
    match (reading.is_taken(), answer.is_taken()) {
        (false, false) => Judgement::Same,
        (_, true) if excuse::only_a_dry_run_takes_it(&case.body) => Judgement::Excused,
        (true, true) => judge_taken(&reading, answer),
        (true, false) if answer.is_there_already() => Judgement::Same,
        (true, false) if excuse(&answer.body) => Judgement::Excused,
        (true, false) => Judgement::Differs(format!("refused by the server alone: {}", answer.body["message"])),
        (false, true) => Judgement::Differs(format!("refused by Palisade alone: {:?}", reading.outcome.problems)),
    }
}

fn judge_taken(reading: &Reading, answer: &Answer) -> Judgement {
    let mut ours = reading.facts();
    let mut theirs = Reading::of(&answer.body.to_string()).facts();
    forget_what_was_chosen(&mut ours, &mut theirs);
    if ours != theirs {
        return Judgement::Differs(format!("filled in otherwise, ours | theirs: {}", difference(&ours, &theirs)));
    }
    for policy in &reading.outcome.value.network_policies {
        let (ours, theirs) = (facts::of_policy(policy), facts::of_answered_policy(&answer.body));
        if ours != theirs {
            return Judgement::Differs(format!("another policy, ours | theirs: {}", difference(&ours, &theirs)));
        }
    }
    let (ours, theirs) = (reading.unknown_fields(), answer.unknown_fields());
    if ours != theirs {
        return Judgement::Differs(format!("unknown fields: ours {ours:?}, theirs {theirs:?}"));
    }
    Judgement::Same
}

/// The bases of these kinds and each of their changes.
fn cases_of(kinds: &[&str]) -> Vec<Question> {
    cases_from(bases_of(kinds), 1)
}

/// Each base, and one of so many of its changes.
fn cases_from(bases: Vec<Json>, one_of: usize) -> Vec<Question> {
    let mut cases = Vec::new();
    for base in bases {
        cases.push(question(&base, &base));
        for (path, change) in change::changes(&base).into_iter().step_by(one_of) {
            cases.extend(change::apply(&base, &path, &change).map(|changed| question(&base, &changed)));
        }
    }
    cases
}

/// `count` of the bases, each with two or three changes at once.
fn cases_of_several_changes(bases: Vec<Json>, count: usize) -> Vec<Question> {
    let bases: Vec<_> = bases.into_iter().map(|base| (change::changes(&base), base)).collect();
    let mut random = change::Random::new(0x5eed);
    (0..count)
        .map(|_| {
            let (changes, base) = &bases[random.below(bases.len())];
            let mut object = base.clone();
            for _ in 0..2 + random.below(2) {
                let (path, change) = &changes[random.below(changes.len())];
                object = change::apply(&object, path, change).unwrap_or(object);
            }
            question(base, &object)
        })
        .collect()
}

fn bases_of(kinds: &[&str]) -> Vec<Json> {
    base::bases().into_iter().filter(|base| kinds.iter().any(|kind| base["kind"] == *kind)).collect()
}

/// The question whether `object`, a changed `base`, may be created.
fn question(base: &Json, object: &Json) -> Question {
    let text = |field: &str| base[field].as_str().expect("a base has a kind and a version");
    Question { path: published::url(text("apiVersion"), text("kind"), "default", QUERY), body: yaml::document(object) }
}

#[test]
fn the_api_server_takes_the_same_network_policies() {
    let Some(mut server) = server() else { return };
    let mut cases = cases_of(&["NetworkPolicy"]);
    cases.extend(cases_of_several_changes(bases_of(&["NetworkPolicy"]), 1_000));
    let counts = compare(&mut server, &cases, excuse::may_be_taken);
    assert!(counts.taken > 500 && counts.refused > 500, "{counts:?}");
    assert_eq!(counts.excused, 0, "of a policy everything is checked");
}

#[test]
fn the_api_server_takes_the_same_services() {
    let Some(mut server) = server() else { return };
    let mut cases = cases_of(&["Service", "EndpointSlice"]);
    cases.extend(cases_of_several_changes(bases_of(&["Service", "EndpointSlice"]), 500));
    let counts = compare(&mut server, &cases, excuse::may_be_taken);
    assert!(counts.taken > 500 && counts.refused > 500, "{counts:?}");
}

#[test]
fn the_api_server_takes_the_same_ingresses() {
    let Some(mut server) = server() else { return };
    let mut cases = cases_from(base::doors::ingresses(), 1);
    cases.extend(cases_of_several_changes(base::doors::ingresses(), 500));
    let counts = compare(&mut server, &cases, excuse::may_be_taken);
    assert!(counts.taken > 500 && counts.refused > 500, "{counts:?}");
}

/// The CRDs of the Gateway API judge here, by the same code as in a cluster.
#[test]
fn the_api_server_takes_the_same_gateways_and_routes() {
    let Some(mut server) = server() else { return };
    crds::install_gateways(&mut server);
    let mut cases = cases_from(base::doors::gateways(), 2);
    cases.extend(cases_from(base::doors::routes(), 3));
    cases.extend(cases_of_several_changes([base::doors::gateways(), base::doors::routes()].concat(), 700));
    let counts = compare(&mut server, &cases, excuse::may_be_taken);
    assert!(counts.taken > 500 && counts.refused > 500, "{counts:?}");
}

/// By the CRDs of the network policy API.
#[test]
fn the_api_server_takes_the_same_policies_of_administrators() {
    let Some(mut server) = server() else { return };
    crds::install_tiers(&mut server);
    let bases = [base::tiers::cluster_policies(), base::tiers::older_policies()].concat();
    let mut cases = cases_from(bases.clone(), 1);
    cases.extend(cases_of_several_changes(bases, 1_000));
    let counts = compare(&mut server, &cases, excuse::is_of_a_newer_version);
    assert!(counts.taken > 500 && counts.refused > 500 && counts.excused < 100, "{counts:?}");
}

#[test]
fn the_api_server_takes_the_same_pods() {
    let Some(mut server) = server() else { return };
    let counts = compare(&mut server, &cases_from(bases_of(&["Pod"]), 2), excuse::may_be_taken);
    assert!(counts.taken > 500 && counts.refused > 500, "{counts:?}");
}

#[test]
fn the_api_server_takes_the_same_workloads() {
    let Some(mut server) = server() else { return };
    let mut cases = cases_of(&["Deployment"]);
    // Their templates are read by the same code.
    cases.extend(cases_from(
        bases_of(&["ReplicaSet", "ReplicationController", "StatefulSet", "DaemonSet", "Job", "CronJob"]),
        2,
    ));
    let counts = compare(&mut server, &cases, excuse::may_be_taken);
    assert!(counts.taken > 500 && counts.refused > 500, "{counts:?}");
}

#[test]
fn the_api_server_takes_what_is_seldom_written() {
    /// One change of so many: what is not read differs little.
    const ONE_OF: usize = 7;
    let Some(mut server) = server() else { return };
    let mut cases = cases_from(base::rich_bases(), ONE_OF);
    cases.extend(cases_of_several_changes([base::bases(), base::rich_bases()].concat(), 700));
    let counts = compare(&mut server, &cases, excuse::takes_no_part);
    assert!(counts.taken > 500 && counts.refused > 500, "{counts:?}");
}

#[test]
fn the_api_server_takes_the_same_namespaces_accounts_and_nodes() {
    let Some(mut server) = server() else { return };
    let counts = compare(&mut server, &cases_of(&["Namespace", "ServiceAccount", "Node"]), excuse::may_be_taken);
    assert!(counts.taken > 100 && counts.refused > 300, "{counts:?}");
}

/// The text goes to the server as it stands, so that its own YAML decides what a scalar is.
#[test]
fn the_api_server_reads_the_same_scalars() {
    const SCALARS: [&str; 46] = [
        "80",
        "080",
        "0120",
        "0o120",
        "0x50",
        "0b1010000",
        "+80",
        "-80",
        "8_0",
        "80.",
        "80.0",
        "8e1",
        "8E+1",
        ".5",
        "80 # port",
        "!!int 80",
        "!!str 80",
        "!!float 80",
        "'80'",
        "\"80\"",
        "~",
        "null",
        "Null",
        "",
        "yes",
        "No",
        "on",
        "y",
        "true",
        "True",
        ".inf",
        ".nan",
        "2001-01-01",
        "2001-01-01T00:00:00Z",
        "1:30",
        "=",
        "<<",
        "http",
        "'http'",
        "|-\n      http",
        ">-\n      ht\n      tp",
        "[80]",
        "{a: b}",
        "1e400",
        "18446744073709551615",
        "&a 80",
    ];
    let Some(mut server) = server() else { return };
    let base = base::bases().into_iter().next().expect("there are bases");
    let places = [
        "spec:\n  ingress:\n  - ports:\n    - port: @",
        "spec:\n  ingress:\n  - ports:\n    - port: 70\n      endPort: @",
        "spec:\n  podSelector:\n    matchLabels:\n      app: @",
        "spec:\n  podSelector:\n    matchLabels:\n      ? @\n      : x",
        "spec:\n  podSelector:\n    matchExpressions:\n    - key: a\n      operator: In\n      values:\n      - @",
        "spec:\n  policyTypes: @",
    ];
    let cases = places.iter().flat_map(|place| {
        SCALARS.iter().map(|scalar| Question {
            body: format!(
                "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata:\n  name: p\n{}\n",
                place.replace('@', scalar)
            ),
            ..question(&base, &base)
        })
    });
    let counts = compare(&mut server, &cases.collect::<Vec<_>>(), excuse::may_be_taken);
    assert!(counts.taken > 50 && counts.refused > 50, "{counts:?}");
}

/// Helm and others leave the server's default, which drops an unknown field; `kubectl` refuses the object.
#[test]
fn kubectl_refuses_unknown_fields() {
    let Some(mut server) = server() else { return };
    let mut cases = cases_of(&["NetworkPolicy"]);
    cases.retain(|case| !Reading::of(&case.body).unknown_fields().is_empty());
    for case in &mut cases {
        case.path = case.path.replace("=Warn", "=Strict");
    }
    assert!(cases.len() > 50, "{} cases", cases.len());
    for (case, answer) in cases.iter().zip(server.ask(&cases)) {
        assert!(!answer.is_taken(), "{}", case.body);
    }
}

#[test]
fn the_api_server_has_the_same_limits() {
    let Some(mut server) = server() else { return };
    let policy = |annotations: &str| {
        format!(
            "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {{name: p, annotations: {{a: {annotations}}}}}\n"
        )
    };
    let slice = |endpoints: usize, ports: usize| {
        let endpoint = |index: usize| format!("- addresses: [10.0.{}.{}]\n", index / 200, index % 200 + 1);
        let port = |index: usize| format!("- {{name: p{index}, port: {}}}\n", index + 1);
        let (endpoints, ports): (String, String) =
            ((0..endpoints).map(endpoint).collect(), (0..ports).map(port).collect());
        format!(
            "apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {{name: s}}\naddressType: IPv4\nendpoints:\n{endpoints}ports:\n{ports}"
        )
    };
    let addresses = |count: usize| {
        let list: Vec<String> = (1..=count).map(|last| format!("10.0.0.{last}")).collect();
        format!(
            "apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {{name: s}}\naddressType: IPv4\nendpoints: [{{addresses: [{}]}}]\n",
            list.join(", ")
        )
    };
    let case = |kind: &str, body: String| {
        let base = bases_of(&[kind]).into_iter().next().expect("there are bases");
        Question { body, ..question(&base, &base) }
    };
    let cases = [
        case("NetworkPolicy", policy(&"x".repeat(262_143))),
        case("NetworkPolicy", policy(&"x".repeat(262_144))),
        case("EndpointSlice", slice(1000, 1)),
        case("EndpointSlice", slice(1001, 1)),
        case("EndpointSlice", slice(1, 100)),
        case("EndpointSlice", slice(1, 101)),
        case("EndpointSlice", slice(1, 20_001)),
        case("EndpointSlice", addresses(100)),
        case("EndpointSlice", addresses(101)),
    ];
    let counts = compare(&mut server, &cases, excuse::may_be_taken);
    assert!(counts.taken > 2 && counts.refused > 2, "{counts:?}");
}

#[test]
fn the_api_server_takes_the_published_manifests() {
    let Some(mut server) = server() else { return };
    let Some(cases) = published::applications() else { return };
    let questions = published::questions(&mut server, &cases);
    let counts = compare(&mut server, &questions, excuse::may_be_taken);
    assert_eq!((counts.refused, counts.excused), (0, 0));
    assert!(counts.taken > 60, "{counts:?}");
}

#[test]
fn the_api_server_takes_the_example() {
    let Some(mut server) = server() else { return };
    let cases = published::example();
    let questions = published::questions(&mut server, &cases);
    let counts = compare(&mut server, &questions, excuse::may_be_taken);
    assert_eq!((counts.refused, counts.excused), (0, 0));
    assert!(counts.taken > 15, "{counts:?}");
}

/// What the random worlds hold is what a cluster would hold.
#[test]
fn the_api_server_takes_the_random_worlds() {
    let Some(mut server) = server() else { return };
    let cases = published::worlds(0..20);
    let questions = published::questions(&mut server, &cases);
    let counts = compare(&mut server, &questions, excuse::may_be_taken);
    assert_eq!((counts.refused, counts.excused), (0, 0));
    assert!(counts.taken > 500, "{counts:?}");
}

/// The cases of `tests/problems`, as they were told by the tests in there.
#[test]
fn the_api_server_agrees_about_the_cases_of_problems() {
    let Some(mut server) = server() else { return };
    let cases = published::told_cases();
    let questions = published::questions(&mut server, &cases);
    let counts = compare(&mut server, &questions, excuse::may_be_taken);
    assert!(counts.taken >= 8 && counts.refused >= 25, "{counts:?}");
}

#[test]
fn nothing_of_the_api_server_stays_behind() {
    let Some(server) = ApiServer::start() else { return };
    let (folder, process) = (server.folder().to_owned(), format!("/proc/{}", server.pid()));
    assert!(folder.join("etcd").is_dir() && std::path::Path::new(&process).exists());
    drop(server);
    assert!(!folder.exists() && !std::path::Path::new(&process).exists());
    let Some(server) = ApiServer::start() else { return };
    let cases = cases_of(&["Namespace"]);
    assert!(server.abandon(&cases), "who asked is gone: the server ends and takes its folder away");
}
