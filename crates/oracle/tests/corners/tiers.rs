//! The corners of ClusterNetworkPolicy, AdminNetworkPolicy and BaselineAdminNetworkPolicy. Those called
//! `fault_` are what other engines get wrong.

use palisade_manifests::load_text;
use palisade_model::inventory::Unreadable;
use palisade_model::settings::Settings;
use palisade_model::{Kind, Place};

use crate::{BEHIND_PERIMETER, CLOSED, OPEN, STAGE, access, check, check_in, decide, network_policy, perimeter};

/// A ClusterNetworkPolicy.
fn cluster(name: &str, tier: &str, priority: u16, rest: &str) -> String {
    format!(
        "\n{{apiVersion: policy.networking.k8s.io/v1alpha2, kind: ClusterNetworkPolicy, metadata: {{name: {name}}}, \
         spec: {{tier: {tier}, priority: {priority}, {rest}}}}}\n---"
    )
}

/// The ClusterNetworkPolicy `p` in the admin tier, about every pod.
fn admin(rules: &str) -> String {
    cluster("p", "Admin", 10, &format!("subject: {{namespaces: {{}}}}, {rules}"))
}

/// The ClusterNetworkPolicy `b` in the baseline tier, about every pod.
fn baseline(rules: &str) -> String {
    cluster("b", "Baseline", 10, &format!("subject: {{namespaces: {{}}}}, {rules}"))
}

/// An AdminNetworkPolicy.
fn older(name: &str, priority: u16, rest: &str) -> String {
    format!(
        "\n{{apiVersion: policy.networking.k8s.io/v1alpha1, kind: AdminNetworkPolicy, metadata: {{name: {name}}}, \
         spec: {{priority: {priority}, {rest}}}}}\n---"
    )
}

const WEB: &str = "{pods: {namespaceSelector: {}, podSelector: {matchLabels: {app: web}}}}";
const DENY_ALL: &str = "ingress: [{action: Deny, from: [{namespaces: {}}]}]";
const ACCEPT_ALL: &str = "ingress: [{action: Accept, from: [{namespaces: {}}]}]";
const ADMIN_DENIES: &str = "denied: ClusterNetworkPolicy p ingress[0].from[0]";
const ADMIN_ACCEPTS: &str = "allowed: ClusterNetworkPolicy p ingress[0].from[0]";
const BASELINE_DENIES: &str = "denied: ClusterNetworkPolicy b ingress[0].from[0]";
const BASELINE_ACCEPTS: &str = "allowed: ClusterNetworkPolicy b ingress[0].from[0]";
/// Nothing closes it, and the sender does not decide.
const OPEN_TO_ALL: &str = "allowed: not a pod with an address of its own";
const OWN_ADDRESS: &str = "allowed: the pod's own address";

#[test]
fn the_first_rule_that_matches_ends_the_tier_and_its_order_is_as_written() {
    let rules = format!(
        "ingress: [{{name: to-80, action: Accept, from: [{{pods: {{namespaceSelector: {{}}, podSelector: {{matchLabels: {{app: nobody}}}}}}}}, {WEB}], \
         protocols: [{{tcp: {{destinationPort: {{number: 80}}}}}}]}}, {{action: Deny, from: [{{namespaces: {{}}}}]}}, \
         {{action: Accept, from: [{{namespaces: {{}}}}]}}]"
    );
    let questions = [
        ("a/web -> a/db 80", "allowed: ClusterNetworkPolicy p ingress[0].from[1] \"to-80\""),
        ("a/web -> a/db 81", "denied: ClusterNetworkPolicy p ingress[1].from[0]"),
        ("a/db -> a/web 80", "denied: ClusterNetworkPolicy p ingress[1].from[0]"),
        // No rule matches: there is no isolation by selection.
        ("8.8.8.8 -> a/db 81", OPEN_TO_ALL),
        ("a/db -> 8.8.8.8 80", OPEN),
    ];
    check(&admin(&rules), &questions);
}

#[test]
fn the_lower_priority_is_asked_first_and_equal_ones_by_kind_and_name() {
    let all = "subject: {namespaces: {}}";
    let of = |name: &str, priority, rules: &str| cluster(name, "Admin", priority, &format!("{all}, {rules}"));
    let accepts = |name: &str| format!("allowed: ClusterNetworkPolicy {name} ingress[0].from[0]");
    let by_priority = format!("{}{}", of("a", 1000, DENY_ALL), of("z", 999, ACCEPT_ALL));
    check(&by_priority, &[("a/web -> a/db 1", &accepts("z"))]);
    let by_name = format!("{}{}", of("z", 0, DENY_ALL), of("a", 0, ACCEPT_ALL));
    check(&by_name, &[("a/web -> a/db 1", &accepts("a"))]);
    let by_kind = format!("{}{}", of("a", 7, ACCEPT_ALL), older("z", 7, &format!("{all}, {DENY_ALL}")));
    check(&by_kind, &[("a/web -> a/db 1", "denied: AdminNetworkPolicy z ingress[0].from[0]")]);
    // The other tier's priority is its own.
    let tiers = format!("{}{}", cluster("b", "Baseline", 0, &format!("{all}, {DENY_ALL}")), of("p", 1000, ACCEPT_ALL));
    check(&tiers, &[("a/web -> a/db 1", ADMIN_ACCEPTS)]);
}

#[test]
fn pass_leaves_the_tier_and_not_only_its_policy() {
    let pass = admin("ingress: [{action: Pass, from: [{namespaces: {}}]}, {action: Deny, from: [{namespaces: {}}]}]");
    let later = cluster("q", "Admin", 20, &format!("subject: {{namespaces: {{}}}}, {DENY_ALL}"));
    let questions = [("a/web -> a/db 1", OPEN)];
    check(&format!("{pass}{later}"), &questions);
    let closed = network_policy("{podSelector: {matchLabels: {app: db}}}");
    check(&format!("{pass}{later}{closed}"), &[("a/web -> a/db 1", CLOSED), ("a/db -> a/web 1", OPEN)]);
    let behind = baseline(DENY_ALL);
    check(&format!("{pass}{later}{behind}"), &[("a/web -> a/db 1", BASELINE_DENIES)]);
    // In the baseline tier what follows is open.
    let pass =
        baseline("ingress: [{action: Pass, from: [{namespaces: {}}]}, {action: Deny, from: [{namespaces: {}}]}]");
    check(&pass, &questions);
}

#[test]
fn the_admin_tier_comes_before_network_policies_and_our_own() {
    let closed = network_policy("{podSelector: {}}");
    check(&format!("{}{closed}", admin(ACCEPT_ALL)), &[("a/web -> a/db 1", ADMIN_ACCEPTS)]);
    let opened = network_policy("{podSelector: {}, ingress: [{}]}");
    check(&format!("{}{opened}", admin(DENY_ALL)), &[("a/web -> a/db 1", ADMIN_DENIES)]);
    let deny = access("a", "{action: Deny, from: [{workload: web}], to: [{workload: db}]}");
    let allow = access("a", "{action: Allow, from: [{workload: web}], to: [{workload: db}]}");
    let both_ends =
        "ingress: [{action: Accept, from: [{namespaces: {}}]}], egress: [{action: Accept, to: [{namespaces: {}}]}]";
    check(
        &format!("{}{deny}", admin(both_ends)),
        &[("a/web -> a/db 1", "allowed: ClusterNetworkPolicy p egress[0].to[0]")],
    );
    check(&format!("{}{allow}", admin(DENY_ALL)), &[("a/web -> a/db 1", ADMIN_DENIES)]);
    let pass = admin("ingress: [{action: Pass, from: [{namespaces: {}}]}]");
    check(&format!("{pass}{deny}"), &[("a/web -> a/db 1", "denied: AccessPolicy a/x rules[0]")]);
    let perimeter = perimeter("{subject: {selector: {}}, directions: [Ingress]}");
    check(&format!("{}{perimeter}", admin(ACCEPT_ALL)), &[("a/web -> a/db 1", ADMIN_ACCEPTS)]);
    // Each end asks for itself: an Accept at the receiver opens nothing at the sender.
    let sender = network_policy("{podSelector: {}, policyTypes: [Egress]}");
    check(&format!("{}{sender}", admin(ACCEPT_ALL)), &[("a/web -> a/db 1", CLOSED)]);
}

#[test]
fn the_baseline_tier_is_asked_when_nothing_before_it_answers() {
    let of_db = |spec: &str| network_policy(&format!("{{podSelector: {{matchLabels: {{app: db}}}}, {spec}}}"));
    check(&baseline(DENY_ALL), &[("a/web -> a/db 1", BASELINE_DENIES), ("8.8.8.8 -> a/db 1", OPEN_TO_ALL)]);
    let closed = format!("{}{}", baseline(ACCEPT_ALL), of_db("ingress: []"));
    check(&closed, &[("a/web -> a/db 1", CLOSED), ("a/db -> a/web 1", BASELINE_ACCEPTS)]);
    let opened = format!("{}{}", baseline(DENY_ALL), of_db("ingress: [{}]"));
    check(&opened, &[("a/web -> a/db 1", "allowed: NetworkPolicy a/p ingress[0]")]);
    let allow = access("a", "{action: Allow, from: [{workload: web}], to: [{workload: db}]}");
    let allowed = [("a/web -> a/db 1", "allowed: AccessPolicy a/x rules[0]"), ("a/db -> a/web 1", BASELINE_DENIES)];
    check(&format!("{}{allow}", baseline(DENY_ALL)), &allowed);
    let perimeter_of = |rest: &str| perimeter(&format!("{{subject: {{selector: {{}}}}, directions: [Ingress]{rest}}}"));
    check(&format!("{}{}", baseline(ACCEPT_ALL), perimeter_of("")), &[("a/web -> a/db 1", BEHIND_PERIMETER)]);
    check(
        &format!("{}{}", baseline(DENY_ALL), perimeter_of(", except: [cluster]")),
        &[("a/web -> a/db 1", "allowed: Perimeter a/closed except cluster")],
    );
    // A Perimeter in Audit closes nothing.
    check(&format!("{}{}", baseline(DENY_ALL), perimeter_of(", mode: Audit")), &[("a/web -> a/db 1", BASELINE_DENIES)]);
}

#[test]
fn fault_the_baseline_tier_is_asked_for_the_direction_that_no_network_policy_speaks_of() {
    let egress_only = network_policy("{podSelector: {}, policyTypes: [Egress], egress: [{}]}");
    check(&format!("{}{egress_only}", baseline(DENY_ALL)), &[("b/other -> a/db 1", BASELINE_DENIES)]);
    let ingress_only = network_policy("{podSelector: {}, ingress: [{}]}");
    let denies_egress = baseline("egress: [{action: Deny, to: [{namespaces: {}}]}]");
    let denied = "denied: ClusterNetworkPolicy b egress[0].to[0]";
    check(&format!("{denies_egress}{ingress_only}"), &[("a/web -> a/db 1", denied)]);
}

#[test]
fn fault_a_port_by_name_is_that_port_of_the_receiver_and_no_other() {
    let named = |name: &str| {
        admin(&format!(
            "ingress: [{{action: Deny, from: [{{namespaces: {{}}}}], protocols: [{{destinationNamedPort: {name}}}]}}]"
        ))
    };
    let questions = [
        ("a/web -> a/db 5432", ADMIN_DENIES),
        // Twice in one pod: of a sidecar too.
        ("a/web -> a/db 8443", ADMIN_DENIES),
        ("a/web -> a/db 5433", OPEN),
        ("a/web -> a/db 5432/UDP", OPEN),
        // No pod but a/db has the name.
        ("a/db -> a/web 5432", OPEN),
    ];
    check(&named("sql"), &questions);
    // Whatever protocol the pod declares it for.
    check(&named("sql-udp"), &[("a/web -> a/db 5432/UDP", ADMIN_DENIES), ("a/web -> a/db 5432", OPEN)]);
    // At the sender's end too the name is the receiver's.
    let egress = admin("egress: [{action: Deny, to: [{namespaces: {}}], protocols: [{destinationNamedPort: http}]}]");
    let denied = "denied: ClusterNetworkPolicy p egress[0].to[0]";
    check(&egress, &[("a/db -> a/web 80", denied), ("a/web -> a/db 80", OPEN), ("a/db -> 8.8.8.8 80", OPEN)]);
}

#[test]
fn fault_labels_that_are_absent_are_not_in_and_not_empty() {
    let from = |selector: &str| {
        admin(&format!(
            "ingress: [{{action: Deny, from: [{{pods: {{namespaceSelector: {{}}, podSelector: {selector}}}}}]}}]"
        ))
    };
    check(
        &from("{matchExpressions: [{key: tier, operator: NotIn, values: [x]}]}"),
        &[("a/web -> a/db 1", ADMIN_DENIES)],
    );
    check(&from("{matchLabels: {empty: \"\"}}"), &[("a/web -> a/db 1", ADMIN_DENIES), ("a/db -> a/web 1", OPEN)]);
    let nodes = |selector: &str| admin(&format!("egress: [{{action: Deny, to: [{{nodes: {selector}}}]}}]"));
    let denied = "denied: ClusterNetworkPolicy p egress[0].to[0]";
    check(&nodes("{matchLabels: {spare: \"\"}}"), &[("a/web -> node:n1 1", denied), ("a/web -> node:n2 1", OPEN)]);
    check(
        &nodes("{matchExpressions: [{key: zone, operator: NotIn, values: [east]}]}"),
        &[("a/web -> node:n1 1", OPEN), ("a/web -> node:n2 1", denied)],
    );
}

#[test]
fn fault_a_pods_own_address_is_never_judged_but_its_service_is() {
    let rules =
        "ingress: [{action: Deny, from: [{namespaces: {}}]}], egress: [{action: Deny, to: [{networks: [0.0.0.0/0]}]}]";
    for policy in [admin(rules), baseline(rules)] {
        let name = if policy.contains("Admin,") { "p" } else { "b" };
        let denied = format!("denied: ClusterNetworkPolicy {name} egress[0].to[0]");
        let questions = [
            ("a/web -> a/web 80", OWN_ADDRESS),
            ("a/web -> 10.0.1.1 80", OWN_ADDRESS),
            ("a/web -> 127.0.0.1 80", OWN_ADDRESS),
            ("a/db -> 10.96.0.5 3306", &denied),
        ];
        check(&policy, &questions);
    }
}

#[test]
fn host_network_pods_are_neither_subject_nor_pods() {
    let rules = "ingress: [{action: Deny, from: [{namespaces: {}}]}], egress: [{action: Deny, to: [{namespaces: {}}]}]";
    for policy in [admin(rules), baseline(rules)] {
        check(
            &policy,
            &[("a/host -> a/db 1", OPEN_TO_ALL), ("a/db -> a/host 1", OPEN), ("8.8.8.8 -> a/host 1", OPEN_TO_ALL)],
        );
    }
    let by_node = admin("egress: [{action: Deny, to: [{nodes: {}}]}]");
    let by_address = admin("egress: [{action: Deny, to: [{networks: [172.31.0.12/32]}]}]");
    let denied = "denied: ClusterNetworkPolicy p egress[0].to[0]";
    check(&by_node, &[("a/db -> a/host 1", denied)]);
    check(&by_address, &[("a/db -> a/host 1", denied), ("a/db -> node:n1 1", OPEN)]);
}

#[test]
fn pods_that_are_over_are_nobody() {
    let policy = admin(
        "ingress: [{action: Deny, from: [{pods: {namespaceSelector: {}, podSelector: {matchLabels: {app: db}}}}]}], \
         egress: [{action: Deny, to: [{networks: [10.0.2.0/24]}]}]",
    );
    let questions = [
        ("a/done -> a/web 1", OPEN_TO_ALL),
        ("a/web -> a/done 1", OPEN),
        // Its address is b/other's now.
        ("a/web -> b/other 1", "denied: ClusterNetworkPolicy p egress[0].to[0]"),
        ("10.0.2.1 -> a/web 1", OPEN),
        ("a/db -> a/web 1", ADMIN_DENIES),
    ];
    check(&policy, &questions);
}

#[test]
fn nodes_are_told_by_their_labels_and_come_in_by_nobody() {
    let east = admin("egress: [{action: Deny, to: [{nodes: {matchLabels: {zone: east}}}]}]");
    let denied = "denied: ClusterNetworkPolicy p egress[0].to[0]";
    let questions = [
        ("a/web -> node:n1 1", denied),
        ("a/web -> 172.31.0.11 1", denied),
        ("a/web -> node:n2 1", OPEN),
        ("a/web -> a/db 1", OPEN),
        ("a/web -> 8.8.8.8 1", OPEN),
    ];
    check(&east, &questions);
    // Its own node is one too; the exemption is NetworkPolicy's.
    let closed = network_policy("{podSelector: {}, policyTypes: [Egress]}");
    check(&format!("{east}{closed}"), &[("a/web -> node:n1 1", denied)]);
    // Nothing that may stand in `from` is a node, a host-network pod or the world.
    let all = admin(DENY_ALL);
    check(
        &all,
        &[
            ("node:n1 -> a/web 1", OPEN_TO_ALL),
            ("172.31.0.12 -> a/web 1", OPEN_TO_ALL),
            ("8.8.8.8 -> a/web 1", OPEN_TO_ALL),
        ],
    );
}

#[test]
fn the_labels_of_a_node_without_object_are_not_known() {
    let pod = "\n{apiVersion: v1, kind: Pod, metadata: {name: there, namespace: a}, spec: {nodeName: n3, containers: [{name: c, image: x}]}, \
               status: {phase: Running, podIP: 10.0.3.1}}\n---";
    let to =
        |selector: &str| format!("{pod}{}", admin(&format!("egress: [{{action: Deny, to: [{{nodes: {selector}}}]}}]")));
    let unknown = "undecided: the labels of node `n3` are not known";
    check(&to("{matchLabels: {zone: east}}"), &[("a/web -> node:n3 1", unknown)]);
    check(&to("{matchExpressions: [{key: zone, operator: DoesNotExist}]}"), &[("a/web -> node:n3 1", unknown)]);
    check(&to("{}"), &[("a/web -> node:n3 1", "denied: ClusterNetworkPolicy p egress[0].to[0]")]);
}

#[test]
fn networks_are_addresses_whoever_has_them() {
    let rules = "egress: [{action: Deny, to: [{networks: [10.0.1.0/24, 172.31.0.12/32, 203.0.113.0/24]}, {networks: [\"fd00::/16\"]}]}]";
    let denied = "denied: ClusterNetworkPolicy p egress[0].to[0]";
    let questions = [
        ("b/other -> a/db 1", denied),
        ("b/other -> a/db 1/SCTP", denied),
        ("a/web -> fd00::1:2 1", "denied: ClusterNetworkPolicy p egress[0].to[1]"),
        ("a/web -> node:n2 1", denied),
        ("a/web -> 203.0.113.9 1", denied),
        ("a/web -> ::ffff:203.0.113.9 1", denied),
        ("a/web -> b/other 1", OPEN),
        ("a/web -> 8.8.8.8 1", OPEN),
    ];
    check(&admin(rules), &questions);
    // Also where `ipBlock` leaves pods out.
    let outcome = load_text("world.yaml", &format!("{STAGE}---{}", admin(rules)));
    let settings = Settings { ip_block_matches_pods: false, ..Settings::default() };
    check_in(&outcome.value, &settings, &questions, &outcome.problems);
}

#[test]
fn the_network_of_a_pod_without_address_is_not_known_unless_it_is_every_one() {
    let pod = "\n{apiVersion: v1, kind: Pod, metadata: {name: new, namespace: a}, spec: {nodeName: n2, containers: [{name: c, image: x}]}, \
               status: {phase: Pending}}\n---";
    let to =
        |block: &str| format!("{pod}{}", admin(&format!("egress: [{{action: Deny, to: [{{networks: [{block}]}}]}}]")));
    check(&to("10.0.0.0/8"), &[("a/web -> a/new 1", "undecided: the address of pod `a/new` is not known")]);
    check(&to("0.0.0.0/0"), &[("a/web -> a/new 1", "denied: ClusterNetworkPolicy p egress[0].to[0]")]);
}

#[test]
fn a_peer_of_a_newer_version_fails_closed() {
    for (rules, from_web) in [
        (
            "ingress: [{action: Accept, from: [{sentinels: {}}]}, {action: Deny, from: [{namespaces: {}}]}]",
            "denied: ClusterNetworkPolicy p ingress[1].from[0]",
        ),
        ("ingress: [{action: Deny, from: [{sentinels: {}}]}]", ADMIN_DENIES),
        ("ingress: [{action: Pass, from: [{sentinels: {}}]}]", ADMIN_DENIES),
    ] {
        check(&admin(rules), &[("a/web -> a/db 1", from_web)]);
    }
    // All is denied: from everywhere, at every port, whatever else stands in the rule.
    let rules = "ingress: [{action: Pass, from: [{namespaces: {}}, {sentinels: {}}], protocols: [{tcp: {destinationPort: {number: 80}}}]}]";
    let denied = "denied: ClusterNetworkPolicy p ingress[0].from[1]";
    let questions = [
        ("8.8.8.8 -> a/db 1/UDP", denied),
        ("node:n1 -> a/db 1", denied),
        ("a/web -> a/db 80", denied),
        ("a/db -> 8.8.8.8 1", OPEN),
        ("a/db -> a/db 1", OWN_ADDRESS),
    ];
    check(&admin(rules), &questions);
    let of_subject = cluster(
        "p",
        "Admin",
        1,
        "subject: {pods: {namespaceSelector: {}, podSelector: {matchLabels: {app: db}}}}, egress: [{action: Deny, to: [{sentinels: {}}]}]",
    );
    check(
        &of_subject,
        &[("a/db -> 8.8.8.8 1", "denied: ClusterNetworkPolicy p egress[0].to[0]"), ("a/web -> 8.8.8.8 1", OPEN)],
    );
}

#[test]
fn domain_names_grant_nothing_yet() {
    let rules = "egress: [{action: Accept, to: [{domainNames: [\"*.example.com\"]}]}, {action: Deny, to: [{networks: [0.0.0.0/0]}]}]";
    check(&admin(rules), &[("a/web -> 8.8.8.8 443", "denied: ClusterNetworkPolicy p egress[1].to[0]")]);
}

#[test]
fn a_rule_without_protocols_is_about_everything_and_one_with_them_about_those() {
    check(&admin(DENY_ALL), &[("a/web -> a/db 0/UDP", ADMIN_DENIES), ("a/web -> a/db 65535/SCTP", ADMIN_DENIES)]);
    let some = admin(
        "ingress: [{action: Deny, from: [{namespaces: {}}], protocols: [{tcp: {destinationPort: {range: {start: 80, end: 90}}}}, \
         {sctp: {destinationPort: {number: 7}}}]}]",
    );
    let questions = [
        ("a/web -> a/db 80", ADMIN_DENIES),
        ("a/web -> a/db 90", ADMIN_DENIES),
        ("a/web -> a/db 91", OPEN),
        ("a/web -> a/db 79", OPEN),
        ("a/web -> a/db 85/UDP", OPEN),
        ("a/web -> a/db 7/SCTP", ADMIN_DENIES),
        ("a/web -> a/db 7", OPEN),
    ];
    check(&some, &questions);
}

#[test]
fn the_older_version_says_the_same_in_its_own_words() {
    let rules = "subject: {namespaces: {}}, ingress: [{action: Allow, from: [{namespaces: {}}], ports: [{portNumber: {port: 80}}, \
                 {portRange: {protocol: UDP, start: 50, end: 53}}, {namedPort: sql}, {portRange: {start: 9, end: 8}}]}, {action: Deny, from: [{namespaces: {}}]}]";
    let allowed = "allowed: AdminNetworkPolicy p ingress[0].from[0]";
    let denied = "denied: AdminNetworkPolicy p ingress[1].from[0]";
    let questions = [
        ("a/web -> a/db 80", allowed),
        ("a/web -> a/db 80/UDP", denied),
        ("a/web -> a/db 50/UDP", allowed),
        ("a/web -> a/db 50", denied),
        ("a/web -> a/db 8443", allowed),
        // The end before the start: no port.
        ("a/web -> a/db 9", denied),
    ];
    check(&older("p", 1, rules), &questions);
    let only = "\n{apiVersion: policy.networking.k8s.io/v1alpha1, kind: BaselineAdminNetworkPolicy, metadata: {name: default}, \
                spec: {subject: {namespaces: {}}, ingress: [{action: Deny, from: [{namespaces: {}}]}]}}\n---";
    let denied = "denied: BaselineAdminNetworkPolicy default ingress[0].from[0]";
    check(only, &[("a/web -> a/db 1", denied)]);
    // Beside the newer version it has no priority of its own: the first.
    check(
        &format!("{only}{}", cluster("b", "Baseline", 0, &format!("subject: {{namespaces: {{}}}}, {ACCEPT_ALL}"))),
        &[("a/web -> a/db 1", denied)],
    );
}

/// Namespace `b` has no object: whether it has the label is not known.
const MAYBE_B: &str = "{namespaces: {matchLabels: {team: red}}}";
const B_UNKNOWN: &str = "undecided: the labels of namespace `b` are not known";

#[test]
fn what_is_not_known_decides_only_where_it_makes_a_difference() {
    let maybe = |action: &str, rest: &str| admin(&format!("ingress: [{{action: {action}, from: [{MAYBE_B}]}}{rest}]"));
    let other = "b/other -> a/db 1";
    check(&maybe("Deny", ""), &[(other, B_UNKNOWN), ("a/web -> a/db 1", ADMIN_DENIES)]);
    check(&maybe("Deny", ", {action: Accept, from: [{namespaces: {}}]}"), &[(other, B_UNKNOWN)]);
    // Open either way; the reason is the one without it.
    check(&maybe("Accept", ""), &[(other, OPEN)]);
    check(&maybe("Pass", ""), &[(other, OPEN)]);
    let denied_later = "denied: ClusterNetworkPolicy p ingress[1].from[0]";
    check(&maybe("Deny", ", {action: Deny, from: [{namespaces: {}}]}"), &[(other, denied_later)]);
    check(&maybe("Pass", ", {action: Deny, from: [{namespaces: {}}]}"), &[(other, B_UNKNOWN)]);
    let closed = network_policy("{podSelector: {}}");
    check(&format!("{}{closed}", maybe("Deny", "")), &[(other, CLOSED)]);
    check(&format!("{}{closed}", maybe("Accept", "")), &[(other, B_UNKNOWN)]);
    check(
        &format!("{}{closed}", maybe("Pass", ", {action: Deny, from: [{namespaces: {}}]}")),
        &[(other, denied_later)],
    );
    // Whom it is about is not known either.
    let subject = |action: &str| {
        cluster(
            "p",
            "Admin",
            1,
            &format!(
                "subject: {{namespaces: {{matchLabels: {{team: red}}}}}}, egress: [{{action: {action}, to: [{{namespaces: {{}}}}]}}]"
            ),
        )
    };
    check(&subject("Deny"), &[(other, B_UNKNOWN)]);
    check(&subject("Accept"), &[(other, OPEN)]);
    // By its name it is known.
    let by_name =
        admin("ingress: [{action: Deny, from: [{namespaces: {matchLabels: {kubernetes.io/metadata.name: b}}}]}]");
    check(&by_name, &[(other, ADMIN_DENIES), ("a/web -> a/db 1", OPEN)]);
}

#[test]
fn an_allow_that_may_apply_stands_before_a_baseline_that_denies() {
    let allow = access(
        "a",
        "{action: Allow, from: [{selector: {}, namespaceSelector: {matchLabels: {team: red}}}], to: [{workload: db}]}",
    );
    check(&format!("{}{allow}", baseline(DENY_ALL)), &[("b/other -> a/db 1", B_UNKNOWN)]);
    let named = access("a", "{action: Allow, from: [{workload: web, container: nginx}], to: [{workload: db}]}");
    let unknown = "undecided: which container of `a/web` is not known";
    check(
        &format!("{}{named}", baseline(DENY_ALL)),
        &[("a/web -> a/db 1", unknown), ("a/web:side -> a/db 1", BASELINE_DENIES)],
    );
    check(&format!("{}{named}", baseline(ACCEPT_ALL)), &[("a/web -> a/db 1", BASELINE_ACCEPTS)]);
}

#[test]
fn a_deny_that_may_apply_changes_nothing_where_the_baseline_denies() {
    let deny = access("a", "{action: Deny, from: [{workload: web, container: nginx}], to: [{workload: db}]}");
    let unknown = "undecided: which container of `a/web` is not known";
    // The Deny is `a`'s: it binds both ends there, and the sender's has no baseline.
    let both = "ingress: [{action: Deny, from: [{namespaces: {}}]}], egress: [{action: Deny, to: [{namespaces: {}}]}]";
    check(
        &format!("{}{deny}", baseline(both)),
        &[("a/web -> a/db 1", "denied: ClusterNetworkPolicy b egress[0].to[0]")],
    );
    check(&format!("{}{deny}", baseline(ACCEPT_ALL)), &[("a/web -> a/db 1", unknown)]);
}

#[test]
fn a_perimeter_that_may_close_changes_nothing_where_the_baseline_denies() {
    let maybe = "\n{apiVersion: palisade.dev/v1alpha1, kind: ClusterPerimeter, metadata: {name: maybe}, \
                 spec: {subject: {selector: {}, namespaceSelector: {matchLabels: {team: red}}}, directions: [Ingress]}}\n---";
    let denies_b = baseline(DENY_ALL);
    check(&format!("{denies_b}{maybe}"), &[("a/web -> b/other 1", BASELINE_DENIES)]);
    check(&format!("{}{maybe}", baseline(ACCEPT_ALL)), &[("a/web -> b/other 1", B_UNKNOWN)]);
}

#[test]
fn the_missing_fact_that_is_named_makes_a_difference() {
    // Whether b is red matters for the Pass alone, and what follows is undecided for another reason.
    let pass = admin(&format!("ingress: [{{action: Pass, from: [{MAYBE_B}]}}]"));
    let closed =
        network_policy("{podSelector: {matchLabels: {app: db}}, ingress: [{from: [{ipBlock: {cidr: 10.9.0.0/16}}]}]}");
    let pod = "\n{apiVersion: v1, kind: Pod, metadata: {name: new, namespace: b}, spec: {nodeName: n2, containers: [{name: c, image: x}]}, \
               status: {phase: Pending}}\n---";
    let unknown = "undecided: the address of pod `b/new` is not known";
    check(&format!("{pod}{pass}{closed}"), &[("b/new -> a/db 1", unknown)]);
}

#[test]
fn the_node_of_a_host_network_pod_that_is_nowhere_yet_is_what_is_missing() {
    let pod = "\n{apiVersion: v1, kind: Pod, metadata: {name: daemon, namespace: a}, spec: {hostNetwork: true, containers: [{name: c, image: x}]}}\n---";
    let to =
        |selector: &str| format!("{pod}{}", admin(&format!("egress: [{{action: Deny, to: [{{nodes: {selector}}}]}}]")));
    check(
        &to("{matchLabels: {zone: east}}"),
        &[("a/web -> a/daemon 1", "undecided: the node of pod `a/daemon` is not known")],
    );
    check(&to("{}"), &[("a/web -> a/daemon 1", "denied: ClusterNetworkPolicy p egress[0].to[0]")]);
}

#[test]
fn a_node_without_object_is_known_by_what_its_pods_say() {
    let pods = "\n{apiVersion: v1, kind: Pod, metadata: {name: there, namespace: a, labels: {app: there}}, spec: {nodeName: n3, containers: [{name: c, image: x}]}, \
                status: {phase: Running, podIP: 10.0.3.1, hostIP: 172.31.0.13}}\n---\n\
                {apiVersion: v1, kind: Pod, metadata: {name: agent, namespace: a}, spec: {nodeName: n4, hostNetwork: true, containers: [{name: c, image: x}]}, \
                status: {phase: Running, podIP: 172.31.0.14}}\n---";
    let closed = network_policy("{podSelector: {matchLabels: {app: there}}, policyTypes: [Egress]}");
    let questions = [
        ("a/there -> 172.31.0.13 1", "allowed: own node (closed by NetworkPolicy a/p)"),
        ("a/there -> 172.31.0.14 1", CLOSED),
    ];
    check(&format!("{pods}{closed}"), &questions);
    let nodes = admin("egress: [{action: Deny, to: [{nodes: {}}]}]");
    let denied = "denied: ClusterNetworkPolicy p egress[0].to[0]";
    check(&format!("{pods}{nodes}"), &[("a/web -> 172.31.0.13 1", denied), ("a/web -> 172.31.0.14 1", denied)]);
    // `cidr` never means a node.
    let closed = perimeter("{subject: {selector: {}}, directions: [Egress]}");
    let allow = access("a", "{action: Allow, from: [{selector: {}}], to: [{cidr: 0.0.0.0/0}]}");
    check(
        &format!("{pods}{closed}{allow}"),
        &[("a/web -> 172.31.0.14 1", BEHIND_PERIMETER), ("a/web -> 8.8.8.8 1", "allowed: AccessPolicy a/x rules[0]")],
    );
}

#[test]
fn one_that_cannot_be_read_leaves_every_end_undecided_but_not_inside_a_pod() {
    for kind in [Kind::ClusterNetworkPolicy, Kind::AdminNetworkPolicy, Kind::BaselineAdminNetworkPolicy] {
        let mut inventory = load_text("world.yaml", STAGE).value;
        let place = Place::new("broken.yaml", 3);
        inventory.unreadable.push(Unreadable { place, kind: Some(kind), namespace: None, name: None });
        let settings = Settings::default();
        for question in ["a/web -> a/db 1", "b/other -> 8.8.8.8 1", "8.8.8.8 -> b/other 1"] {
            let decision = decide(&inventory, &settings, question);
            assert_eq!(decision.link().1.word(), "undecided", "{kind}: {question}");
        }
        check_in(
            &inventory,
            &settings,
            &[("a/web -> a/web 1", OWN_ADDRESS), ("node:n1 -> 8.8.8.8 1", OPEN_TO_ALL)],
            &[],
        );
    }
}
