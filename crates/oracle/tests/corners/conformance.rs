//! The expectations of the network policy API's own conformance cases, each test named after its case.
//!
//! The cases give every house of a school a namespace with two pods, and let one house's administrator
//! speak of the three others: of one in whole, of one at one port, and of one at all but one port.
//! Where a case exchanges two rules to show that their order counts, both orders are asked here. All but
//! those about the newer version alone are asked in both versions.
//!
//! Source: sigs.k8s.io/network-policy-api v0.2.0, `conformance/tests`.

use std::fmt::Write;
use std::sync::Arc;

use palisade_manifests::load_text;
use palisade_model::settings::Settings;
use palisade_model::tiered_policy::{Tier, TieredPolicy};
use palisade_model::{Inventory, Kind};
use palisade_policy::written;

use crate::decide;

const HOUSES: [(&str, u8); 4] = [("gryffindor", 1), ("slytherin", 2), ("hufflepuff", 3), ("ravenclaw", 4)];

/// Four houses with the pods `0` and `1`, and `forest` with one that is its node.
fn stage() -> String {
    let mut yaml = String::from(
        "{apiVersion: v1, kind: Node, metadata: {name: node, labels: {kubernetes.io/os: linux}}, \
         status: {addresses: [{type: InternalIP, address: 172.18.0.2}]}}\n---\n\
         {apiVersion: v1, kind: Namespace, metadata: {name: forest, labels: {house: forest}}}\n---\n\
         {apiVersion: v1, kind: Pod, metadata: {name: '0', namespace: forest, labels: {house: forest}}, \
         spec: {nodeName: node, hostNetwork: true, containers: [{name: c, image: x}]}, \
         status: {phase: Running, podIP: 172.18.0.2}}\n---\n",
    );
    for (house, number) in HOUSES {
        let _ = write!(
            yaml,
            "{{apiVersion: v1, kind: Namespace, metadata: {{name: {house}, labels: {{house: {house}}}}}}}\n---\n"
        );
        for index in 0..2 {
            let _ = write!(
                yaml,
                "{{apiVersion: v1, kind: Pod, metadata: {{name: '{index}', namespace: {house}, labels: {{house: {house}}}}}, \
                 spec: {{nodeName: node, containers: [{{name: c, image: x, ports: [{{containerPort: 80, name: web}}, \
                 {{containerPort: 53, protocol: UDP, name: dns}}]}}]}}, \
                 status: {{phase: Running, podIP: 10.244.{number}.1{index}}}}}\n---\n"
            );
        }
    }
    yaml
}

/// Whether each of `questions` is allowed.
#[track_caller]
fn probe(policies: &str, questions: &[(&str, bool)]) {
    let outcome = load_text("world.yaml", &format!("{}{policies}", stage()));
    probe_converted(&outcome.value, questions);
    for (question, expected) in questions {
        let decision = decide(&outcome.value, &Settings::default(), question);
        let word = if *expected { "allowed" } else { "denied" };
        assert_eq!(decision.link().1.word(), word, "{question}: {decision:?}\n{policies}\n{:?}", outcome.problems);
    }
}

/// The same of what the older version is converted to.
#[track_caller]
fn probe_converted(before: &Inventory, questions: &[(&str, bool)]) {
    let (converted, losses) = palisade_policy::convert::policies(before);
    if converted.is_empty() {
        return;
    }
    let yaml: String = converted.iter().map(|one| format!("---\n{}", written::tiered_policy(one))).collect();
    let read = load_text("converted.yaml", &yaml).value.tiered_policies;
    assert!(losses.is_empty(), "{losses:?}");
    assert_eq!(read.len(), converted.len(), "{yaml}");
    let mut after = before.clone();
    after.tiered_policies.retain(|policy: &Arc<TieredPolicy>| policy.meta.reference.kind == Kind::ClusterNetworkPolicy);
    after.tiered_policies.extend(read);
    for (question, expected) in questions {
        let decision = decide(&after, &Settings::default(), question);
        let word = if *expected { "allowed" } else { "denied" };
        assert_eq!(decision.link().1.word(), word, "{question}: {decision:?}\n{yaml}");
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Version {
    V1Alpha1,
    V1Alpha2,
}

/// What a rule says of ports.
#[derive(Clone, Copy)]
enum At<'a> {
    Everything,
    Ports(&'a [(&'a str, u16)]),
    Range(&'a str, u16, u16),
    Name(&'a str),
}

fn ports(version: Version, at: At<'_>) -> String {
    let one = |(protocol, number): &(&str, u16)| match version {
        Version::V1Alpha2 => format!("{{{}: {{destinationPort: {{number: {number}}}}}}}", protocol.to_lowercase()),
        Version::V1Alpha1 => format!("{{portNumber: {{protocol: {protocol}, port: {number}}}}}"),
    };
    let entries = match (at, version) {
        (At::Everything, _) => return String::new(),
        (At::Ports(ports), _) => ports.iter().map(one).collect::<Vec<_>>().join(", "),
        (At::Range(protocol, start, end), Version::V1Alpha2) => {
            let protocol = protocol.to_lowercase();
            format!("{{{protocol}: {{destinationPort: {{range: {{start: {start}, end: {end}}}}}}}}}")
        }
        (At::Range(protocol, start, end), Version::V1Alpha1) => {
            format!("{{portRange: {{protocol: {protocol}, start: {start}, end: {end}}}}}")
        }
        (At::Name(name), Version::V1Alpha2) => format!("{{destinationNamedPort: {name}}}"),
        (At::Name(name), Version::V1Alpha1) => format!("{{namedPort: {name}}}"),
    };
    let field = if version == Version::V1Alpha2 { "protocols" } else { "ports" };
    format!(", {field}: [{entries}]")
}

/// One rule, as both versions write it.
#[derive(Clone, Copy)]
struct Rule<'a> {
    action: &'a str,
    peers: &'a str,
    at: At<'a>,
}

/// A policy about `house`.
fn policy(version: Version, tier: Tier, house: &str, ingress: &[Rule<'_>], egress: &[Rule<'_>]) -> String {
    let list = |name: &str, peers: &str, rules: &[Rule<'_>]| {
        let rules = rules.iter().map(|rule| {
            let action = match (rule.action, version) {
                ("Accept", Version::V1Alpha1) => "Allow",
                (action, _) => action,
            };
            format!("{{action: {action}, {peers}: [{}]{}}}", rule.peers, ports(version, rule.at))
        });
        format!(", {name}: [{}]", rules.collect::<Vec<_>>().join(",\n    "))
    };
    let rules = format!("{}{}", list("ingress", "from", ingress), list("egress", "to", egress));
    let subject = format!("subject: {{namespaces: {{matchLabels: {{house: {house}}}}}}}");
    let (kind, rest) = match (version, tier) {
        (Version::V1Alpha2, tier) => ("ClusterNetworkPolicy", format!("tier: {tier:?}, priority: 10, ")),
        (Version::V1Alpha1, Tier::Admin) => ("AdminNetworkPolicy", "priority: 10, ".to_owned()),
        (Version::V1Alpha1, Tier::Baseline) => ("BaselineAdminNetworkPolicy", String::new()),
    };
    let version = if version == Version::V1Alpha2 { "v1alpha2" } else { "v1alpha1" };
    format!(
        "{{apiVersion: policy.networking.k8s.io/{version}, kind: {kind}, metadata: {{name: default}},\n  \
         spec: {{{rest}{subject}{rules}}}}}\n---\n"
    )
}

fn of(house: &str) -> String {
    format!("{{namespaces: {{matchLabels: {{house: {house}}}}}}}")
}

/// A house's rules of one direction, towards the three others.
struct OneWay<'a> {
    house: &'a str,
    open: &'a str,
    partly_open: &'a str,
    /// Of `partly_open`.
    open_ports: &'a [(&'a str, u16)],
    /// Of slytherin.
    closed_ports: &'a [(&'a str, u16)],
    /// Neither open nor closed.
    others: &'a [(&'a str, u16)],
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    In,
    Out,
}

impl OneWay<'_> {
    /// The rules, those about `open` and about slytherin with the action first that is to decide.
    fn policy(&self, version: Version, tier: Tier, way: Way, first: &str) -> String {
        let (open, slytherin, partly_open) = (of(self.open), of("slytherin"), of(self.partly_open));
        let rule = |action, peers, at| Rule { action, peers, at };
        let mut of_open = vec!["Accept", "Deny"];
        let mut of_slytherin = vec!["Deny"];
        if tier == Tier::Admin {
            of_open.push("Pass");
            of_slytherin.push("Pass");
        }
        of_open.sort_by_key(|action| *action != first);
        of_slytherin.sort_by_key(|action| *action != first);
        let mut rules: Vec<Rule<'_>> = Vec::new();
        rules.extend(of_open.into_iter().map(|action| rule(action, &open, At::Everything)));
        rules.extend(of_slytherin.into_iter().map(|action| rule(action, &slytherin, At::Ports(self.closed_ports))));
        rules.push(rule("Accept", &partly_open, At::Ports(self.open_ports)));
        rules.push(rule("Deny", &partly_open, At::Everything));
        match way {
            Way::In => policy(version, tier, self.house, &rules, &[]),
            Way::Out => policy(version, tier, self.house, &[], &rules),
        }
    }

    #[track_caller]
    fn hold(&self, tier: Tier, way: Way) {
        let versions = [Version::V1Alpha2, Version::V1Alpha1];
        let actions: &[&str] = if tier == Tier::Admin { &["Accept", "Deny", "Pass"] } else { &["Accept", "Deny"] };
        for (version, first) in versions.into_iter().flat_map(|version| actions.iter().map(move |it| (version, *it))) {
            let mut questions = Vec::new();
            let mut ask = |other: &str, ports: &[(&str, u16)], allowed: bool| {
                for ((protocol, port), index) in ports.iter().zip([0, 1].into_iter().cycle()) {
                    let (from, to) = match way {
                        Way::In => (format!("{other}/{index}"), format!("{}/1", self.house)),
                        Way::Out => (format!("{}/{index}", self.house), format!("{other}/1")),
                    };
                    questions.push((format!("{from} -> {to} {port}/{protocol}"), allowed));
                }
            };
            let all = [self.open_ports, self.closed_ports, self.others].concat();
            ask(self.open, &all, first != "Deny");
            ask("slytherin", self.closed_ports, first == "Pass");
            ask("slytherin", self.others, true);
            ask(self.partly_open, self.open_ports, true);
            ask(self.partly_open, self.others, false);
            let questions: Vec<(&str, bool)> =
                questions.iter().map(|(text, allowed)| (text.as_str(), *allowed)).collect();
            probe(&self.policy(version, tier, way, first), &questions);
        }
    }
}

const EGRESS_TCP: OneWay<'_> = OneWay {
    house: "gryffindor",
    open: "ravenclaw",
    partly_open: "hufflepuff",
    open_ports: &[("TCP", 8080)],
    closed_ports: &[("TCP", 80)],
    others: &[("TCP", 81)],
};
const INGRESS_TCP: OneWay<'_> = OneWay { open_ports: &[("TCP", 80)], others: &[("TCP", 8080)], ..EGRESS_TCP };
const EGRESS_UDP: OneWay<'_> = OneWay {
    house: "hufflepuff",
    open: "ravenclaw",
    partly_open: "gryffindor",
    open_ports: &[("UDP", 53)],
    closed_ports: &[("UDP", 5353)],
    others: &[("UDP", 54)],
};
const INGRESS_UDP: OneWay<'_> = EGRESS_UDP;
const EGRESS_SCTP: OneWay<'_> = OneWay {
    house: "ravenclaw",
    open: "gryffindor",
    partly_open: "hufflepuff",
    open_ports: &[("SCTP", 9003)],
    closed_ports: &[("SCTP", 9003)],
    others: &[("SCTP", 9005)],
};
const INGRESS_SCTP: OneWay<'_> = EGRESS_SCTP;
/// Of the cases about all protocols at once, either way.
const GRESS_OUT: OneWay<'_> = OneWay {
    house: "gryffindor",
    open: "ravenclaw",
    partly_open: "hufflepuff",
    open_ports: &[("TCP", 8080), ("UDP", 5353), ("SCTP", 9003)],
    closed_ports: &[("TCP", 80), ("UDP", 53), ("SCTP", 9003)],
    others: &[("SCTP", 9005), ("TCP", 81)],
};
const GRESS_IN: OneWay<'_> = OneWay { open_ports: &[("TCP", 80), ("UDP", 5353), ("SCTP", 9003)], ..GRESS_OUT };

#[test]
fn cnp_admin_tier_egress_tcp() {
    EGRESS_TCP.hold(Tier::Admin, Way::Out);
}

#[test]
fn cnp_admin_tier_egress_udp() {
    EGRESS_UDP.hold(Tier::Admin, Way::Out);
}

#[test]
fn cnp_admin_tier_egress_sctp() {
    EGRESS_SCTP.hold(Tier::Admin, Way::Out);
}

#[test]
fn cnp_admin_tier_ingress_tcp() {
    INGRESS_TCP.hold(Tier::Admin, Way::In);
}

#[test]
fn cnp_admin_tier_ingress_udp() {
    INGRESS_UDP.hold(Tier::Admin, Way::In);
}

#[test]
fn cnp_admin_tier_ingress_sctp() {
    INGRESS_SCTP.hold(Tier::Admin, Way::In);
}

#[test]
fn cnp_admin_tier_gress() {
    GRESS_OUT.hold(Tier::Admin, Way::Out);
    GRESS_IN.hold(Tier::Admin, Way::In);
}

#[test]
fn cnp_baseline_tier_egress_tcp() {
    EGRESS_TCP.hold(Tier::Baseline, Way::Out);
}

#[test]
fn cnp_baseline_tier_egress_udp() {
    EGRESS_UDP.hold(Tier::Baseline, Way::Out);
}

#[test]
fn cnp_baseline_tier_egress_sctp() {
    EGRESS_SCTP.hold(Tier::Baseline, Way::Out);
}

#[test]
fn cnp_baseline_tier_ingress_tcp() {
    INGRESS_TCP.hold(Tier::Baseline, Way::In);
}

#[test]
fn cnp_baseline_tier_ingress_udp() {
    INGRESS_UDP.hold(Tier::Baseline, Way::In);
}

#[test]
fn cnp_baseline_tier_ingress_sctp() {
    INGRESS_SCTP.hold(Tier::Baseline, Way::In);
}

#[test]
fn cnp_baseline_tier_gress() {
    GRESS_OUT.hold(Tier::Baseline, Way::Out);
    GRESS_IN.hold(Tier::Baseline, Way::In);
}

/// Both versions of a policy about `house` in `tier`.
fn in_both(tier: Tier, house: &str, ingress: &[Rule<'_>], egress: &[Rule<'_>]) -> [String; 2] {
    [Version::V1Alpha2, Version::V1Alpha1].map(|version| policy(version, tier, house, ingress, egress))
}

#[track_caller]
fn holds_by_name(tier: Tier, way: Way, (house, other): (&str, &str), name: &str, questions: &[(&str, bool)]) {
    let other = of(other);
    let rules = [
        Rule { action: "Accept", peers: &other, at: At::Name(name) },
        Rule { action: "Deny", peers: &other, at: At::Everything },
    ];
    let (ingress, egress): (&[_], &[_]) = match way {
        Way::In => (&rules, &[]),
        Way::Out => (&[], &rules),
    };
    for policy in in_both(tier, house, ingress, egress) {
        probe(&policy, questions);
    }
}

#[test]
fn cnp_admin_tier_egress_named_port() {
    let questions = [("gryffindor/0 -> hufflepuff/1 80", true), ("gryffindor/1 -> hufflepuff/1 8080", false)];
    holds_by_name(Tier::Admin, Way::Out, ("gryffindor", "hufflepuff"), "web", &questions);
}

#[test]
fn cnp_admin_tier_ingress_named_port() {
    let questions = [("gryffindor/0 -> hufflepuff/1 53/UDP", true), ("gryffindor/1 -> hufflepuff/1 5353/UDP", false)];
    holds_by_name(Tier::Admin, Way::In, ("hufflepuff", "gryffindor"), "dns", &questions);
}

#[test]
fn cnp_baseline_tier_egress_named_port() {
    let questions = [("hufflepuff/0 -> gryffindor/1 53/UDP", true), ("hufflepuff/1 -> gryffindor/1 5353/UDP", false)];
    holds_by_name(Tier::Baseline, Way::Out, ("hufflepuff", "gryffindor"), "dns", &questions);
}

#[test]
fn cnp_baseline_tier_ingress_named_port() {
    let questions = [("hufflepuff/0 -> gryffindor/1 80", true), ("hufflepuff/1 -> gryffindor/1 8080", false)];
    holds_by_name(Tier::Baseline, Way::In, ("gryffindor", "hufflepuff"), "web", &questions);
}

const LINUX: &str = "{nodes: {matchLabels: {kubernetes.io/os: linux}}}";

#[test]
fn cnp_admin_tier_egress_node_peers() {
    let denied = format!("{}, {LINUX}, {{networks: [0.0.0.0/0, '::/0']}}", of("slytherin"));
    let rules = [
        Rule { action: "Accept", peers: LINUX, at: At::Ports(&[("TCP", 36363)]) },
        Rule { action: "Pass", peers: LINUX, at: At::Ports(&[("UDP", 34346)]) },
        Rule { action: "Deny", peers: &denied, at: At::Everything },
    ];
    let questions = [
        ("gryffindor/1 -> forest/0 36363", true),
        ("gryffindor/1 -> forest/0 34346/UDP", true),
        ("gryffindor/1 -> forest/0 36364", false),
        ("gryffindor/1 -> forest/0 34347/UDP", false),
        ("gryffindor/1 -> forest/0 9003/SCTP", false),
    ];
    for policy in in_both(Tier::Admin, "gryffindor", &[], &rules) {
        probe(&policy, &questions);
    }
}

#[test]
fn cnp_baseline_tier_egress_node_peers() {
    let denied = format!("{LINUX}, {{networks: [0.0.0.0/0, '::/0']}}");
    let rules = [
        Rule { action: "Accept", peers: LINUX, at: At::Range("TCP", 36363, 36364) },
        Rule { action: "Deny", peers: &denied, at: At::Everything },
    ];
    let questions = [
        ("gryffindor/0 -> forest/0 36363", true),
        ("gryffindor/1 -> forest/0 36364", true),
        ("gryffindor/1 -> forest/0 34347/UDP", false),
        ("gryffindor/1 -> forest/0 9003/SCTP", false),
    ];
    for policy in in_both(Tier::Baseline, "gryffindor", &[], &rules) {
        probe(&policy, &questions);
    }
}

#[track_caller]
fn holds_by_address(tier: Tier) {
    let slytherin = of("slytherin");
    let every = "{networks: [0.0.0.0/0, '::/0']}";
    let two = "{networks: [10.244.4.10/32, 10.244.3.10/32]}";
    let rules = [
        Rule { action: "Accept", peers: two, at: At::Everything },
        Rule { action: "Accept", peers: &slytherin, at: At::Everything },
        Rule { action: "Deny", peers: every, at: At::Everything },
    ];
    let questions_to =
        |to: &str, allowed| ["80", "53/UDP", "9003/SCTP"].map(|port| (format!("gryffindor/1 -> {to} {port}"), allowed));
    for (rules, allowed) in [(&rules[1..], false), (&rules[..], true)] {
        let asked = [
            questions_to("ravenclaw/0", allowed),
            questions_to("hufflepuff/0", allowed),
            questions_to("ravenclaw/1", false),
            questions_to("hufflepuff/1", false),
            questions_to("slytherin/0", true),
        ]
        .concat();
        let asked: Vec<(&str, bool)> = asked.iter().map(|(text, allowed)| (text.as_str(), *allowed)).collect();
        for policy in in_both(tier, "gryffindor", &[], rules) {
            probe(&policy, &asked);
        }
    }
}

#[test]
fn cnp_admin_tier_egress_inline_cidr_peers() {
    holds_by_address(Tier::Admin);
}

#[test]
fn cnp_baseline_tier_egress_inline_cidr_peers() {
    holds_by_address(Tier::Baseline);
}

#[test]
fn cnp_admin_tier_integration() {
    let slytherin = of("slytherin");
    let rule = |action| Rule { action, peers: &slytherin, at: At::Everything };
    let both = |tier, action| in_both(tier, "gryffindor", &[rule(action)], &[rule(action)]);
    let network_policy = "{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: both, namespace: gryffindor}, \
                          spec: {podSelector: {}, policyTypes: [Ingress, Egress], \
                          ingress: [{from: [{namespaceSelector: {matchLabels: {house: slytherin}}}]}], \
                          egress: [{to: [{namespaceSelector: {matchLabels: {house: slytherin}}}]}]}}\n---\n";
    let ask = |policies: &str, allowed| {
        let questions = [
            "slytherin/0 -> gryffindor/0 80",
            "slytherin/1 -> gryffindor/0 8080",
            "gryffindor/0 -> slytherin/0 80",
            "gryffindor/1 -> slytherin/0 8080",
        ];
        probe(policies, &questions.map(|question| (question, allowed)));
    };
    for ((deny, pass), baseline) in
        both(Tier::Admin, "Deny").into_iter().zip(both(Tier::Admin, "Pass")).zip(both(Tier::Baseline, "Deny"))
    {
        ask(&format!("{deny}{network_policy}"), false);
        ask(&format!("{pass}{network_policy}"), true);
        ask(&pass, true);
        // In the newer version both are of one kind, and so need two names.
        let pass = pass.replace("{name: default}", "{name: first}");
        ask(&format!("{}{network_policy}{baseline}", deny.replace("{name: default}", "{name: first}")), false);
        ask(&format!("{pass}{network_policy}{baseline}"), true);
        ask(&format!("{pass}{baseline}"), false);
    }
}

#[test]
fn cnp_admin_tier_priority_field() {
    let slytherin = of("slytherin");
    let rule = |action| Rule { action, peers: &slytherin, at: At::Everything };
    let at = |policy: String, name: &str, priority: u16| {
        policy
            .replace("{name: default}", &format!("{{name: {name}}}"))
            .replace("priority: 10", &format!("priority: {priority}"))
    };
    let both = |tier, action| in_both(tier, "gryffindor", &[rule(action)], &[rule(action)]);
    let questions = [
        "slytherin/0 -> gryffindor/0 80",
        "slytherin/1 -> gryffindor/0 8080",
        "gryffindor/0 -> slytherin/0 80",
        "gryffindor/1 -> slytherin/0 8080",
    ];
    for ((deny, pass), baseline) in
        both(Tier::Admin, "Deny").into_iter().zip(both(Tier::Admin, "Pass")).zip(both(Tier::Baseline, "Accept"))
    {
        let deny = at(deny, "fifty", 50);
        for (priority, allowed) in [(60, false), (40, true)] {
            let policies = format!("{deny}{}{baseline}", at(pass.clone(), "other", priority));
            probe(&policies, &questions.map(|question| (question, allowed)));
        }
    }
}
