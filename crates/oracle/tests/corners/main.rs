//! The corners of the semantics, each with the answer that the text gives, asked of the brute force
//! and of the engine. The numbered ones are NetworkPolicy's: what the API server defaults, and what
//! engines get wrong.

mod conformance;
mod tiers;

use std::sync::Arc;

use palisade_manifests::load_text;
use palisade_model::link::{End, Link, PodEnd, Which};
use palisade_model::settings::Settings;
use palisade_model::verdict::Decision;
use palisade_model::{Inventory, Problem, Timestamp};
use palisade_policy::Model;

/// Two namespaces, two nodes; `n1` carries `a/web` and `a/db`.
const STAGE: &str = r#"
{apiVersion: v1, kind: Namespace, metadata: {name: a, labels: {team: red}}}
---
{apiVersion: v1, kind: Node, metadata: {name: n1, labels: {zone: east, spare: ""}}, status: {addresses: [{type: InternalIP, address: 172.31.0.11}]}}
---
{apiVersion: v1, kind: Node, metadata: {name: n2}, status: {addresses: [{type: InternalIP, address: 172.31.0.12}]}}
---
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: a, labels: {app: web, empty: ""}}
spec:
  nodeName: n1
  containers:
  - {name: nginx, image: x, ports: [{containerPort: 80, name: http}]}
  - {name: side, image: x, ports: [{containerPort: 9090}]}
status: {phase: Running, podIP: 10.0.1.1, podIPs: [{ip: 10.0.1.1}, {ip: "fd00::1:1"}]}
---
apiVersion: v1
kind: Pod
metadata: {name: db, namespace: a, labels: {app: db}}
spec:
  nodeName: n1
  initContainers:
  - {name: proxy, image: x, restartPolicy: Always, ports: [{containerPort: 8443, name: sql}]}
  containers:
  - name: pg
    image: x
    ports: [{containerPort: 5432, name: sql}, {containerPort: 5432, name: sql-udp, protocol: UDP}]
    readinessProbe: {tcpSocket: {port: sql}}
status: {phase: Running, podIP: 10.0.1.2, podIPs: [{ip: 10.0.1.2}, {ip: "fd00::1:2"}]}
---
apiVersion: v1
kind: Pod
metadata: {name: other, namespace: b, labels: {app: web}}
spec: {nodeName: n2, serviceAccountName: robot, containers: [{name: main, image: x}]}
status: {phase: Running, podIP: 10.0.2.1}
---
apiVersion: v1
kind: Pod
metadata: {name: host, namespace: a, labels: {app: web}}
spec: {nodeName: n2, hostNetwork: true, containers: [{name: main, image: x}]}
status: {phase: Running, podIP: 172.31.0.12}
---
apiVersion: v1
kind: Pod
metadata: {name: done, namespace: a, labels: {app: db}}
spec: {nodeName: n2, containers: [{name: main, image: x}]}
status: {phase: Succeeded, podIP: 10.0.2.1}
---
apiVersion: v1
kind: Service
metadata: {name: sql, namespace: a}
spec: {selector: {app: db}, clusterIP: 10.96.0.5, ports: [{name: main, port: 3306, targetPort: 5432}]}
"#;

const NOW: &str = "2027-01-01T00:00:00Z";

/// Asks both implementations each of `questions` about the stage and `policies`, and holds their
/// verdicts of the link against the expected text.
#[track_caller]
fn check(policies: &str, questions: &[(&str, &str)]) {
    let outcome = load_text("world.yaml", &format!("{STAGE}---{policies}"));
    check_in(&outcome.value, &Settings::default(), questions, &outcome.problems);
}

#[track_caller]
fn check_in(inventory: &Inventory, settings: &Settings, questions: &[(&str, &str)], problems: &[Problem]) {
    for (question, expected) in questions {
        let decision = decide(inventory, settings, question);
        assert_eq!(decision.link().1.to_string(), *expected, "{question}; {problems:?}");
    }
}

/// What the brute force says, when the engine says the same.
#[track_caller]
fn decide(inventory: &Inventory, settings: &Settings, question: &str) -> Decision {
    let now: Timestamp = NOW.parse().expect("an instant");
    let model = Model::new(Arc::new(inventory.clone()), settings.clone()).value;
    let link = link(question);
    let by_oracle = palisade_oracle::judge(inventory, settings, &link, now).expect("known ends");
    let by_engine = model.judge(&link, now).expect("known ends");
    assert_eq!(by_engine, by_oracle, "left the engine, right the brute force, {question}");
    by_oracle.enforced
}

/// `FROM -> TO PORT[/PROTOCOL]`.
fn link(question: &str) -> Link {
    let words: Vec<&str> = question.split_whitespace().collect();
    let [from, "->", to, port] = words[..] else { panic!("`FROM -> TO PORT`, not `{question}`") };
    let (port, protocol) = port.split_once('/').unwrap_or((port, "TCP"));
    let protocol = protocol.parse().expect("a protocol");
    Link { from: end(from), to: end(to), protocol, port: port.parse().expect("a port") }
}

/// `namespace/pod[:container[:program]]` (`?` for one that no policy can name), `node:NAME`, or an
/// address.
fn end(text: &str) -> End {
    if let Some(name) = text.strip_prefix("node:") {
        return End::Node { name: name.into(), address: None };
    }
    let Some((namespace, rest)) = text.split_once('/') else { return End::Address(text.parse().expect("an address")) };
    let mut parts = rest.split(':');
    let name = parts.next().unwrap_or_default().into();
    let mut which = || match parts.next() {
        None => Which::Unsaid,
        Some("?") => Which::Other,
        Some(name) => Which::Named(name.into()),
    };
    End::Pod(PodEnd { namespace: namespace.into(), name, container: which(), program: which(), address: None })
}

const OPEN: &str = "allowed: nothing closes it";

/// A NetworkPolicy `a/p`.
fn network_policy(spec: &str) -> String {
    format!(
        "\n{{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {{name: p, namespace: a}}, spec: {spec}}}\n"
    )
}

const CLOSED: &str = "denied: closed by NetworkPolicy a/p, and nothing opens it";

fn ingress(rule: &str) -> String {
    format!("allowed: NetworkPolicy a/p ingress{rule}")
}

fn egress(rule: &str) -> String {
    format!("allowed: NetworkPolicy a/p egress{rule}")
}

#[test]
fn corner_1_missing_policy_types_are_ingress_and_egress_only_with_a_rule() {
    let silent = network_policy("{podSelector: {matchLabels: {app: db}}}");
    check(&silent, &[("a/web -> a/db 1", CLOSED), ("a/db -> a/web 1", OPEN)]);
    let with_egress = network_policy("{podSelector: {matchLabels: {app: db}}, egress: [{ports: [{port: 53}]}]}");
    check(
        &with_egress,
        &[("a/web -> a/db 1", CLOSED), ("a/db -> a/web 1", CLOSED), ("a/db -> b/other 53", &egress("[0]"))],
    );
    let empty_egress = network_policy("{podSelector: {matchLabels: {app: db}}, egress: []}");
    check(&empty_egress, &[("a/db -> a/web 1", OPEN)]);
    let not_listed = network_policy("{podSelector: {matchLabels: {app: db}}, policyTypes: [Egress], ingress: [{}]}");
    check(&not_listed, &[("a/web -> a/db 1", OPEN), ("a/db -> a/web 1", CLOSED)]);
}

#[test]
fn corner_2_what_is_missing_or_empty_is_not_the_same_everywhere() {
    let of_db =
        |ingress: &str| network_policy(&format!("{{podSelector: {{matchLabels: {{app: db}}}}, ingress: {ingress}}}"));
    check(&of_db("[]"), &[("a/web -> a/db 1", CLOSED)]);
    check(&of_db("[{}]"), &[("a/web -> a/db 1/SCTP", &ingress("[0]")), ("8.8.8.8 -> a/db 1", &ingress("[0]"))]);
    check(&of_db("[{from: []}]"), &[("8.8.8.8 -> a/db 1", &ingress("[0]"))]);
    check(&of_db("[{ports: [{}]}]"), &[("a/web -> a/db 7", &ingress("[0]")), ("a/web -> a/db 7/UDP", CLOSED)]);
    check(
        &of_db("[{ports: [{protocol: UDP}]}]"),
        &[("a/web -> a/db 7/UDP", &ingress("[0]")), ("a/web -> a/db 7", CLOSED)],
    );
}

#[test]
fn corner_3_ports_by_number_range_and_name() {
    let range = network_policy("{podSelector: {}, ingress: [{ports: [{port: 5430, endPort: 5432}]}]}");
    let questions = [
        ("b/other -> a/db 5432", &*ingress("[0]")),
        ("b/other -> a/db 5430", &ingress("[0]")),
        ("b/other -> a/db 5433", CLOSED),
        ("b/other -> a/db 5429", CLOSED),
    ];
    check(&range, &questions);
    let name = network_policy("{podSelector: {}, ingress: [{ports: [{port: sql}]}]}");
    let questions = [
        ("b/other -> a/db 5432", &*ingress("[0]")),
        ("b/other -> a/db 8443", &ingress("[0]")),
        ("b/other -> a/db 5432/UDP", CLOSED),
        ("b/other -> a/web 5432", CLOSED),
    ];
    check(&name, &questions);
    let to_addresses = network_policy("{podSelector: {}, policyTypes: [Egress], egress: [{ports: [{port: sql}]}]}");
    check(&to_addresses, &[("a/web -> 8.8.8.8 5432", CLOSED), ("a/web -> a/db 5432", &egress("[0]"))]);
}

#[test]
fn corner_4_selectors_in_one_item_are_and_in_two_or() {
    let alone = network_policy("{podSelector: {}, ingress: [{from: [{podSelector: {matchLabels: {app: web}}}]}]}");
    check(&alone, &[("a/web -> a/db 1", &ingress("[0].from[0]")), ("b/other -> a/db 1", CLOSED)]);
    let both = network_policy(
        "{podSelector: {}, ingress: [{from: [{podSelector: {matchLabels: {app: db}}, namespaceSelector: {}}]}]}",
    );
    check(&both, &[("b/other -> a/db 1", CLOSED), ("a/db -> a/web 1", &ingress("[0].from[0]"))]);
    let either = network_policy(
        "{podSelector: {}, ingress: [{from: [{podSelector: {matchLabels: {app: db}}}, {namespaceSelector: {}}]}]}",
    );
    check(&either, &[("b/other -> a/db 1", &ingress("[0].from[1]"))]);
}

#[test]
fn corner_5_absent_labels_and_namespaces_without_object() {
    let from = |peer: &str| network_policy(&format!("{{podSelector: {{}}, ingress: [{{from: [{peer}]}}]}}"));
    let not_in = from("{podSelector: {matchExpressions: [{key: tier, operator: NotIn, values: [x]}]}}");
    check(&not_in, &[("a/web -> a/db 1", &ingress("[0].from[0]"))]);
    let empty_value = from(r#"{podSelector: {matchLabels: {empty: ""}}}"#);
    check(&empty_value, &[("a/web -> a/db 1", &ingress("[0].from[0]")), ("a/db -> a/web 1", CLOSED)]);
    // Namespace b has no object: its name is known, its other labels are not.
    let by_name = from("{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: b}}}");
    check(&by_name, &[("b/other -> a/db 1", &ingress("[0].from[0]")), ("a/web -> a/db 1", CLOSED)]);
    let no_team = from("{namespaceSelector: {matchExpressions: [{key: team, operator: DoesNotExist}]}}");
    let unknown = "undecided: the labels of namespace `b` are not known";
    check(&no_team, &[("b/other -> a/db 1", unknown), ("a/web -> a/db 1", CLOSED)]);
}

#[test]
fn corner_6_blocks_keep_their_exceptions_and_families_to_themselves() {
    let from = |peers: &str| network_policy(&format!("{{podSelector: {{}}, ingress: [{{from: [{peers}]}}]}}"));
    let own = from(
        "{ipBlock: {cidr: 10.0.0.0/8, except: [10.0.2.0/24]}}, {ipBlock: {cidr: 10.0.2.9/30, except: []}}, {ipBlock: {cidr: 10.0.2.0/31}}",
    );
    check(&own, &[("b/other -> a/db 1", &ingress("[0].from[2]")), ("a/web -> a/db 1", &ingress("[0].from[0]"))]);
    let host_bits = from("{ipBlock: {cidr: 10.0.1.77/24}}");
    check(&host_bits, &[("a/web -> a/db 1", &ingress("[0].from[0]")), ("b/other -> a/db 1", CLOSED)]);
    let v6 = from(r#"{ipBlock: {cidr: "::/0"}}"#);
    check(
        &v6,
        &[
            ("b/other -> a/db 1", CLOSED),
            ("2001:db8::1 -> a/db 1", &ingress("[0].from[0]")),
            ("8.8.8.8 -> a/db 1", CLOSED),
        ],
    );
}

#[test]
fn corner_7_own_address_and_own_node() {
    let all = network_policy("{podSelector: {}, policyTypes: [Ingress, Egress]}");
    let own_node = "allowed: own node (closed by NetworkPolicy a/p)";
    let questions = [
        ("a/web -> a/web 9", "allowed: the pod's own address"),
        ("a/web -> 10.0.1.1 9", "allowed: the pod's own address"),
        ("a/web -> 127.0.0.1 9", "allowed: the pod's own address"),
        ("node:n1 -> a/db 9", own_node),
        ("a/db -> node:n1 9", own_node),
        ("node:n2 -> a/db 9", CLOSED),
        ("a/db -> 172.31.0.12 9", CLOSED),
    ];
    check(&all, &questions);
}

#[test]
fn corner_8_host_network_pods_are_their_node_and_completed_ones_are_gone() {
    let all = network_policy("{podSelector: {}, ingress: [{from: [{podSelector: {}}]}]}");
    let questions = [
        ("b/other -> a/host 9", "allowed: nothing closes it"),
        ("a/host -> a/db 9", CLOSED),
        ("a/done -> a/db 9", CLOSED),
        // The address of a/done is b/other's now.
        ("10.0.2.1 -> a/db 9", CLOSED),
        ("a/web -> a/db 9", &ingress("[0].from[0]")),
    ];
    check(&all, &questions);
    let by_address = network_policy("{podSelector: {}, ingress: [{from: [{ipBlock: {cidr: 172.31.0.12/32}}]}]}");
    check(&by_address, &[("a/host -> a/db 9", &ingress("[0].from[0]"))]);
}

#[test]
fn corner_9_every_family_of_a_pod_counts() {
    let v6 = network_policy(
        r#"{podSelector: {matchLabels: {app: db}}, ingress: [{from: [{ipBlock: {cidr: "fd00::/16"}}]}]}"#,
    );
    check(
        &v6,
        &[
            ("a/web -> fd00::1:2 9", &ingress("[0].from[0]")),
            ("a/web -> 10.0.1.2 9", CLOSED),
            ("a/web -> a/db 9", CLOSED),
        ],
    );
}

/// Palisade's own objects.
fn palisade(kind: &str, name: &str, spec: &str) -> String {
    format!("\n{{apiVersion: palisade.dev/v1alpha1, kind: {kind}, metadata: {{{name}}}, spec: {spec}}}\n---")
}

fn perimeter(spec: &str) -> String {
    palisade("Perimeter", "name: closed, namespace: a", spec)
}

fn access(namespace: &str, rules: &str) -> String {
    palisade("AccessPolicy", &format!("name: x, namespace: {namespace}"), &format!("{{rules: [{rules}]}}"))
}

const BEHIND_PERIMETER: &str = "denied: closed by Perimeter a/closed, and nothing opens it";

#[test]
fn a_deny_beats_an_allow_and_an_allow_closes_nothing() {
    let allow = "{action: Allow, from: [{workload: web}], to: [{workload: db}], ports: [{port: sql}]}";
    let deny = "{action: Deny, from: [{selector: {}}], to: [{workload: db}], ports: [{port: 8443}]}";
    let questions = [
        ("a/web -> a/db 5432", "allowed: AccessPolicy a/x rules[0]"),
        ("a/web -> a/db 8443", "denied: AccessPolicy a/x rules[1]"),
        ("a/web -> a/db 9", OPEN),
    ];
    check(&access("a", &format!("{allow}, {deny}")), &questions);
}

#[test]
fn a_perimeter_lets_its_exceptions_through() {
    let policy = perimeter("{subject: {selector: {}}, except: [kubelet, world]}");
    let questions = [
        ("a/web -> a/db 5432", BEHIND_PERIMETER),
        ("a/db -> 8.8.8.8 9", "allowed: Perimeter a/closed except world"),
        ("node:n1 -> a/db 8443", BEHIND_PERIMETER),
        ("node:n1 -> a/db 5432", "allowed: Perimeter a/closed except kubelet"),
        ("node:n1 -> a/db 9", BEHIND_PERIMETER),
        ("a/web -> a/web 9", "allowed: the pod's own address"),
        ("a/web -> 10.96.0.5 3306", BEHIND_PERIMETER),
    ];
    check(&policy, &questions);
}

#[test]
fn an_access_policy_speaks_for_its_own_namespace_alone() {
    let closed = perimeter("{subject: {selector: {}}}");
    let in_b = access("b", "{action: Allow, from: [{workload: other}], to: [{workload: db, namespace: a}]}");
    check(&format!("{closed}{in_b}"), &[("b/other -> a/db 1", BEHIND_PERIMETER)]);
    let in_a = access("a", "{action: Allow, from: [{serviceAccount: robot, namespace: b}], to: [{workload: db}]}");
    check(&format!("{closed}{in_a}"), &[("b/other -> a/db 1", "allowed: AccessPolicy a/x rules[0]")]);
    let unsaid = access("a", "{action: Allow, from: [{workload: other}], to: [{workload: db}]}");
    check(&format!("{closed}{unsaid}"), &[("b/other -> a/db 1", BEHIND_PERIMETER)]);
}

#[test]
fn containers_and_programs_are_told_apart_and_not_guessed() {
    let rule = "{action: Allow, from: [{workload: web, container: nginx, program: /bin/nginx}], to: [{workload: db, container: pg}]}";
    let policies = format!("{}{}", perimeter("{subject: {selector: {}}}"), access("a", rule));
    let allowed = "allowed: AccessPolicy a/x rules[0]";
    let questions = [
        ("a/web:nginx:/bin/nginx -> a/db 5432", allowed),
        ("a/web:nginx:/bin/sh -> a/db 5432", BEHIND_PERIMETER),
        ("a/web:nginx:? -> a/db 5432", BEHIND_PERIMETER),
        ("a/web:side:/bin/nginx -> a/db 5432", BEHIND_PERIMETER),
        ("a/web:?:/bin/nginx -> a/db 5432", BEHIND_PERIMETER),
        ("a/web -> a/db 5432", "undecided: which container of `a/web` is not known"),
        ("a/web:nginx -> a/db 5432", "undecided: which program of `a/web` is not known"),
        ("a/web:side -> a/db 5432", BEHIND_PERIMETER),
        // The port belongs to the container that declares it, else to the one that the rule names.
        ("a/web:nginx:/bin/nginx -> a/db 8443", BEHIND_PERIMETER),
        ("a/web:nginx:/bin/nginx -> a/db 7000", allowed),
    ];
    check(&policies, &questions);
}

#[test]
fn inside_a_pod_only_what_names_containers_or_programs_is_judged() {
    let deny = access("a", "{action: Deny, from: [{workload: web}], to: [{selector: {}}]}");
    check(
        &deny,
        &[
            ("a/web -> a/web 9090", "allowed: the pod's own address"),
            ("a/web -> a/db 1", "denied: AccessPolicy a/x rules[0]"),
        ],
    );
    let deny = access("a", "{action: Deny, from: [{selector: {}}], to: [{workload: web, container: side}]}");
    let questions = [
        ("a/web -> a/web 9090", "denied: AccessPolicy a/x rules[0]"),
        ("a/web -> 127.0.0.1 9090", "denied: AccessPolicy a/x rules[0]"),
        ("a/web -> a/web 80", "allowed: the pod's own address"),
    ];
    check(&deny, &questions);
    let closed = perimeter("{subject: {selector: {}}, loopback: Closed}");
    check(&closed, &[("a/web -> a/web 80", BEHIND_PERIMETER)]);
}

#[test]
fn a_service_peer_means_the_services_ports_on_its_pods() {
    let closed = perimeter("{subject: {selector: {}}, directions: [Ingress]}");
    let rule = |ports: &str| {
        access("a", &format!("{{action: Allow, from: [{{selector: {{}}}}], to: [{{service: sql}}]{ports}}}"))
    };
    let allowed = "allowed: AccessPolicy a/x rules[0]";
    let all = format!("{closed}{}", rule(""));
    check(
        &all,
        &[
            ("a/web -> a/db 5432", allowed),
            ("a/web -> a/db 3306", BEHIND_PERIMETER),
            ("a/web -> a/db 8443", BEHIND_PERIMETER),
        ],
    );
    for ports in [", ports: [{port: 3306}]", ", ports: [{port: main}]"] {
        check(&format!("{closed}{}", rule(ports)), &[("a/web -> a/db 5432", allowed)]);
    }
    let pods_port = format!("{closed}{}", rule(", ports: [{port: 5432}]"));
    check(&pods_port, &[("a/web -> a/db 5432", BEHIND_PERIMETER)]);
}

#[test]
fn an_allow_ends_at_its_instant_and_what_has_no_means_yet_grants_nothing() {
    let closed = perimeter("{subject: {selector: {}}}");
    let rule = |more: &str| {
        format!(
            "{closed}{}",
            access("a", &format!("{{action: Allow, from: [{{workload: web}}], to: [{{workload: db}}], {more}}}"))
        )
    };
    check(&rule("expires: 2027-01-01T00:00:01Z"), &[("a/web -> a/db 1", "allowed: AccessPolicy a/x rules[0]")]);
    check(&rule("expires: 2027-01-01T00:00:00Z"), &[("a/web -> a/db 1", BEHIND_PERIMETER)]);
    check(&rule("http: [{methods: [GET]}]"), &[("a/web -> a/db 1", BEHIND_PERIMETER)]);
    let deny = access("a", "{action: Deny, from: [{workload: web}], to: [{workload: db}], http: [{methods: [GET]}]}");
    check(&deny, &[("a/web -> a/db 1", "denied: AccessPolicy a/x rules[0]")]);
}

#[test]
fn world_and_cidr_are_neither_pods_nor_nodes_nor_services() {
    let closed = perimeter("{subject: {selector: {}}, directions: [Egress]}");
    for peer in ["{entity: world}", "{cidr: 0.0.0.0/0}"] {
        let policies =
            format!("{closed}{}", access("a", &format!("{{action: Allow, from: [{{selector: {{}}}}], to: [{peer}]}}")));
        let questions = [
            ("a/web -> 8.8.8.8 1", "allowed: AccessPolicy a/x rules[0]"),
            ("a/web -> ::ffff:8.8.8.8 1", "allowed: AccessPolicy a/x rules[0]"),
            ("a/web -> b/other 1", BEHIND_PERIMETER),
            ("a/web -> 172.31.0.12 1", BEHIND_PERIMETER),
            ("a/web -> 10.96.0.5 1", BEHIND_PERIMETER),
        ];
        check(&policies, &questions);
    }
    let metadata = format!("{closed}{}", access("a", "{action: Allow, from: [{selector: {}}], to: [{entity: world}]}"));
    check(
        &metadata,
        &[("a/web -> 169.254.169.254 80", BEHIND_PERIMETER), ("a/web -> 169.254.0.1 80", BEHIND_PERIMETER)],
    );
}
