//! NetworkPolicy and Palisade's own policies.

use std::sync::Arc;

use expect_test::{Expect, expect};
use palisade_model::settings::Settings;
use palisade_policy::Model;

use crate::world::{answers, check, document, link};

// NetworkPolicy v1

const TWO_PODS: &str = "
    ns shop
    node n1 172.31.0.11
    pod shop/web app=web ip=10.0.0.1 node=n1
    pod shop/db app=db ip=10.0.0.2 node=n1 ports=pg:5432
";

fn two_pods(rest: &str, expected: Expect) {
    check(&format!("{TWO_PODS}\n{rest}"), expected);
}

#[test]
fn two_live_pods_with_one_address_are_found() {
    check(
        "
        pod shop/web app=web ip=10.0.0.1
        pod pay/web app=web ip=10.0.0.1
        pod shop/done app=web ip=10.0.0.1 phase=Succeeded
        pod shop/alone app=web ip=10.0.0.2
        pod shop/like-a-service app=web ip=10.96.0.5
        svc shop/web app=web ip=10.96.0.5 ports=80
        ",
        expect![[r#"
            finding: its address 10.0.0.1 is also that of Pod shop/web
            finding: its address 10.96.0.5 is also that of Service shop/web
            finding: its address 10.0.0.1 is also that of Pod pay/web
        "#]],
    );
}

#[test]
fn nothing_closes_a_pod_without_policy() {
    two_pods(
        "? shop/web -> shop/db:5432",
        expect![[r#"
        shop/web -> shop/db:5432: allowed: nothing closes it
    "#]],
    );
}

#[test]
fn corner_1_policy_types_missing_means_ingress_and_egress_only_with_rules() {
    two_pods(
        "netpol shop/db {podSelector: {matchLabels: {app: db}}}
         netpol shop/web {podSelector: {matchLabels: {app: web}}, egress: [{ports: [{port: 443}]}]}
         ? shop/web -> shop/db:5432
         ? shop/db -> shop/web:80
         ? shop/db -> 203.0.113.1:443
         ? shop/web -> 203.0.113.1:443
         ? shop/web -> 203.0.113.1:80",
        expect![[r#"
            shop/web -> shop/db:5432: denied: closed by NetworkPolicy shop/web, and nothing opens it
            shop/db -> shop/web:80: denied: closed by NetworkPolicy shop/web, and nothing opens it
            shop/db -> 203.0.113.1:443: allowed: nothing closes it
            shop/web -> 203.0.113.1:443: allowed: NetworkPolicy shop/web egress[0]
            shop/web -> 203.0.113.1:80: denied: closed by NetworkPolicy shop/web, and nothing opens it
        "#]],
    );
}

#[test]
fn corner_1_a_direction_that_is_not_listed_is_ignored_even_with_rules() {
    two_pods(
        "netpol shop/db {podSelector: {}, policyTypes: [Ingress], ingress: [{}], egress: [{ports: [{port: 1}]}]}
         ? shop/web -> shop/db:5432
         ? shop/db -> 203.0.113.1:443",
        expect![[r#"
            shop/web -> shop/db:5432: allowed: NetworkPolicy shop/db ingress[0]
            shop/db -> 203.0.113.1:443: allowed: nothing closes it
        "#]],
    );
}

#[test]
fn corner_2_empty_rules_close_and_an_empty_rule_opens_all() {
    two_pods(
        "netpol shop/db {podSelector: {matchLabels: {app: db}}, ingress: []}
         netpol shop/web {podSelector: {matchLabels: {app: web}}, ingress: [{}]}
         ? shop/web -> shop/db:5432
         ? shop/db -> shop/web:80
         ? 203.0.113.1 -> shop/web:80
         ? 203.0.113.1 -> shop/web:53/UDP",
        expect![[r#"
            shop/web -> shop/db:5432: denied: closed by NetworkPolicy shop/db, and nothing opens it
            shop/db -> shop/web:80: allowed: NetworkPolicy shop/web ingress[0]
            203.0.113.1 -> shop/web:80: allowed: NetworkPolicy shop/web ingress[0]
            203.0.113.1 -> shop/web:53/UDP: allowed: NetworkPolicy shop/web ingress[0]
        "#]],
    );
}

#[test]
fn corner_2_an_empty_port_entry_means_every_tcp_port_and_a_protocol_alone_all_of_it() {
    two_pods(
        "netpol shop/db {podSelector: {matchLabels: {app: db}}, ingress: [{ports: [{}]}]}
         netpol shop/web {podSelector: {matchLabels: {app: web}}, ingress: [{ports: [{protocol: UDP}]}]}
         ? shop/web -> shop/db:5432
         ? shop/web -> shop/db:5432/UDP
         ? shop/db -> shop/web:80
         ? shop/db -> shop/web:80/UDP",
        expect![[r#"
            shop/web -> shop/db:5432: allowed: NetworkPolicy shop/db ingress[0]
            shop/web -> shop/db:5432/UDP: denied: closed by NetworkPolicy shop/db, and nothing opens it
            shop/db -> shop/web:80: denied: closed by NetworkPolicy shop/web, and nothing opens it
            shop/db -> shop/web:80/UDP: allowed: NetworkPolicy shop/web ingress[0]
        "#]],
    );
}

#[test]
fn corner_3_end_port_is_inclusive() {
    two_pods(
        "netpol shop/db {podSelector: {}, ingress: [{ports: [{port: 8000, endPort: 8010}]}]}
         ? shop/web -> shop/db:7999
         ? shop/web -> shop/db:8000
         ? shop/web -> shop/db:8010
         ? shop/web -> shop/db:8011",
        expect![[r#"
            shop/web -> shop/db:7999: denied: closed by NetworkPolicy shop/db, and nothing opens it
            shop/web -> shop/db:8000: allowed: NetworkPolicy shop/db ingress[0]
            shop/web -> shop/db:8010: allowed: NetworkPolicy shop/db ingress[0]
            shop/web -> shop/db:8011: denied: closed by NetworkPolicy shop/db, and nothing opens it
        "#]],
    );
}

#[test]
fn corner_3_named_ports_resolve_on_the_receiver_by_name_and_protocol() {
    check(
        "ns shop
         pod shop/web ip=10.0.0.1
         pod shop/a app=a ip=10.0.0.2 ports=api:8080,web:9090,dns:53/UDP
         pod shop/b app=b ip=10.0.0.3 ports=api:8181
         netpol shop/in {podSelector: {}, policyTypes: [Ingress, Egress], ingress: [{}], egress: [{to: [{podSelector: {}}, {ipBlock: {cidr: 203.0.113.0/24}}], ports: [{port: api}, {port: dns}]}]}
         ? shop/web -> shop/a:8080
         ? shop/web -> shop/a:9090
         ? shop/web -> shop/a:53
         ? shop/web -> shop/b:8080
         ? shop/web -> shop/b:8181
         ? shop/web -> 203.0.113.9:8080",
        expect![[r#"
            shop/web -> shop/a:8080: allowed: NetworkPolicy shop/in egress[0].to[0]
            shop/web -> shop/a:9090: denied: closed by NetworkPolicy shop/in, and nothing opens it
            shop/web -> shop/a:53: denied: closed by NetworkPolicy shop/in, and nothing opens it
            shop/web -> shop/b:8080: denied: closed by NetworkPolicy shop/in, and nothing opens it
            shop/web -> shop/b:8181: allowed: NetworkPolicy shop/in egress[0].to[0]
            shop/web -> 203.0.113.9:8080: denied: closed by NetworkPolicy shop/in, and nothing opens it
        "#]],
    );
}

#[test]
fn corner_4_selectors_in_one_peer_are_and_in_two_or() {
    check(
        "ns shop
         ns ops team=ops
         pod shop/db app=db ip=10.0.0.1
         pod ops/web app=web ip=10.0.0.2
         pod ops/cron app=cron ip=10.0.0.3
         pod shop/web app=web ip=10.0.0.4
         pod shop/cron app=cron ip=10.0.0.5
         netpol shop/and {podSelector: {matchLabels: {app: db}}, ingress: [{from: [{namespaceSelector: {matchLabels: {team: ops}}, podSelector: {matchLabels: {app: web}}}], ports: [{port: 1}]}, {from: [{namespaceSelector: {matchLabels: {team: ops}}}, {podSelector: {matchLabels: {app: web}}}], ports: [{port: 2}]}]}
         ? ops/web -> shop/db:1
         ? ops/cron -> shop/db:1
         ? shop/web -> shop/db:1
         ? ops/cron -> shop/db:2
         ? shop/web -> shop/db:2
         ? shop/cron -> shop/db:2",
        expect![[r#"
            ops/web -> shop/db:1: allowed: NetworkPolicy shop/and ingress[0].from[0]
            ops/cron -> shop/db:1: denied: closed by NetworkPolicy shop/and, and nothing opens it
            shop/web -> shop/db:1: denied: closed by NetworkPolicy shop/and, and nothing opens it
            ops/cron -> shop/db:2: allowed: NetworkPolicy shop/and ingress[1].from[0]
            shop/web -> shop/db:2: allowed: NetworkPolicy shop/and ingress[1].from[1]
            shop/cron -> shop/db:2: denied: closed by NetworkPolicy shop/and, and nothing opens it
        "#]],
    );
}

#[test]
fn corner_5_absent_keys_and_the_name_label_of_a_namespace_without_object() {
    check(
        "ns shop
         pod shop/db app=db ip=10.0.0.1
         pod shop/web tier= ip=10.0.0.2
         pod other/x app=x ip=10.0.0.3
         netpol shop/keys {podSelector: {matchLabels: {app: db}}, ingress: [{from: [{podSelector: {matchExpressions: [{key: app, operator: NotIn, values: [db]}]}}], ports: [{port: 1}]}, {from: [{podSelector: {matchLabels: {tier: \"\"}}}], ports: [{port: 2}]}, {from: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: other}}}], ports: [{port: 3}]}]}
         ? shop/web -> shop/db:1
         ? shop/web -> shop/db:2
         ? shop/db -> shop/db:2
         ? other/x -> shop/db:3
         ? shop/web -> shop/db:3",
        expect![[r#"
            shop/web -> shop/db:1: allowed: NetworkPolicy shop/keys ingress[0].from[0]
            shop/web -> shop/db:2: allowed: NetworkPolicy shop/keys ingress[1].from[0]
            shop/db -> shop/db:2: allowed: the pod's own address
            other/x -> shop/db:3: allowed: NetworkPolicy shop/keys ingress[2].from[0]
            shop/web -> shop/db:3: denied: closed by NetworkPolicy shop/keys, and nothing opens it
        "#]],
    );
}

#[test]
fn corner_6_except_takes_away_from_its_own_block_alone_and_families_do_not_mix() {
    two_pods(
        "netpol shop/out {podSelector: {matchLabels: {app: web}}, policyTypes: [Egress], egress: [{to: [{ipBlock: {cidr: 203.0.113.7/24, except: [203.0.113.128/25]}}, {ipBlock: {cidr: 203.0.113.200/32}}]}]}
         ? shop/web -> 203.0.113.1:443
         ? shop/web -> 203.0.113.129:443
         ? shop/web -> 203.0.113.200:443
         ? shop/web -> [2001:db8::1]:443
         ? shop/web -> shop/db:5432",
        expect![[r#"
            shop/web -> 203.0.113.1:443: allowed: NetworkPolicy shop/out egress[0].to[0]
            shop/web -> 203.0.113.129:443: denied: closed by NetworkPolicy shop/out, and nothing opens it
            shop/web -> 203.0.113.200:443: allowed: NetworkPolicy shop/out egress[0].to[1]
            shop/web -> [2001:db8::1]:443: denied: closed by NetworkPolicy shop/out, and nothing opens it
            shop/web -> shop/db:5432: denied: closed by NetworkPolicy shop/out, and nothing opens it
        "#]],
    );
}

#[test]
fn corner_6_whether_ip_block_means_pods_depends_on_the_cni() {
    let world = format!(
        "{TWO_PODS}
         netpol shop/out {{podSelector: {{matchLabels: {{app: web}}}}, policyTypes: [Egress], egress: [{{to: [{{ipBlock: {{cidr: 10.0.0.0/8}}}}]}}]}}
         ? shop/web -> shop/db:5432
         ? shop/web -> 10.9.9.9:5432"
    );
    let cilium = Settings { ip_block_matches_pods: false, ..Settings::default() };
    expect![[r#"
        shop/web -> shop/db:5432: allowed: NetworkPolicy shop/out egress[0].to[0]
        shop/web -> 10.9.9.9:5432: allowed: NetworkPolicy shop/out egress[0].to[0]
    "#]]
    .assert_eq(&answers(&world, Settings::default()));
    expect![[r#"
        shop/web -> shop/db:5432: denied: closed by NetworkPolicy shop/out, and nothing opens it
        shop/web -> 10.9.9.9:5432: allowed: NetworkPolicy shop/out egress[0].to[0]
    "#]]
    .assert_eq(&answers(&world, cilium));
}

#[test]
fn corner_7_own_address_own_node_and_no_other_node() {
    check(
        "ns shop
         node n1 172.31.0.11
         node n2 172.31.0.12
         pod shop/db app=db ip=10.0.0.2 node=n1
         netpol shop/closed {podSelector: {}, policyTypes: [Ingress, Egress]}
         ? shop/db -> shop/db:5432
         ? shop/db -> 127.0.0.1:5432
         ? shop/db -> 0.0.0.0:5432
         ? node/n1 -> shop/db:5432
         ? node/n2 -> shop/db:5432
         ? shop/db -> 172.31.0.11:22
         ? shop/db -> 172.31.0.12:22",
        expect![[r#"
            shop/db -> shop/db:5432: allowed: the pod's own address
            shop/db -> 127.0.0.1:5432: allowed: the pod's own address
            shop/db -> 0.0.0.0:5432: allowed: the pod's own address
            node/n1 -> shop/db:5432: allowed: own node (closed by NetworkPolicy shop/closed)
            node/n2 -> shop/db:5432: denied: closed by NetworkPolicy shop/closed, and nothing opens it
            shop/db -> 172.31.0.11:22: allowed: own node (closed by NetworkPolicy shop/closed)
            shop/db -> 172.31.0.12:22: denied: closed by NetworkPolicy shop/closed, and nothing opens it
        "#]],
    );
}

#[test]
fn corner_8_host_network_is_the_node_and_ended_pods_have_no_address() {
    check(
        "ns shop
         node n1 172.31.0.11
         pod shop/db app=db ip=10.0.0.2 node=n1
         pod shop/agent app=agent ip=172.31.0.11 node=n1 hostNetwork
         pod shop/done app=web ip=10.0.0.9 phase=Succeeded
         pod shop/new app=web ip=10.0.0.9
         netpol shop/closed {podSelector: {}, ingress: [{from: [{podSelector: {matchLabels: {app: web}}}], ports: [{port: 5432}]}, {from: [{podSelector: {matchLabels: {app: agent}}}], ports: [{port: 1}]}]}
         ? shop/db -> shop/agent:9100
         ? shop/agent -> shop/db:1
         ? 10.0.0.9 -> shop/db:5432
         ? 172.31.0.11 -> shop/db:2",
        expect![[r#"
            finding: peer `app=agent` matches no pod of namespace `shop`
            shop/db -> shop/agent:9100: allowed: nothing closes it
            shop/agent -> shop/db:1: allowed: own node (closed by NetworkPolicy shop/closed)
            10.0.0.9 -> shop/db:5432: allowed: NetworkPolicy shop/closed ingress[0].from[0]
            172.31.0.11 -> shop/db:2: allowed: own node (closed by NetworkPolicy shop/closed)
        "#]],
    );
}

#[test]
fn corner_9_sctp_is_a_protocol_and_every_address_counts_per_family() {
    check(
        "ns shop
         pod shop/web app=web ip=10.0.0.1,fd00::1
         pod shop/db app=db ip=10.0.0.2,fd00::2
         netpol shop/db {podSelector: {matchLabels: {app: db}}, ingress: [{from: [{ipBlock: {cidr: \"fd00::/64\"}}], ports: [{port: 5432}]}, {ports: [{port: 7, protocol: SCTP}]}]}
         ? shop/web -> shop/db:5432
         ? shop/web -> [fd00::2]:5432
         ? shop/web -> [::ffff:10.0.0.2]:5432
         ? shop/web -> shop/db:7/SCTP
         ? shop/web -> shop/db:7",
        expect![[r#"
            shop/web -> shop/db:5432: denied: closed by NetworkPolicy shop/db, and nothing opens it
            shop/web -> [fd00::2]:5432: allowed: NetworkPolicy shop/db ingress[0].from[0]
            shop/web -> [::ffff:10.0.0.2]:5432: denied: closed by NetworkPolicy shop/db, and nothing opens it
            shop/web -> shop/db:7/SCTP: allowed: NetworkPolicy shop/db ingress[1]
            shop/web -> shop/db:7: denied: closed by NetworkPolicy shop/db, and nothing opens it
        "#]],
    );
}

#[test]
fn corner_10_selectors_that_match_nothing_are_found_with_the_likely_slip() {
    check(
        "ns shop
         pod shop/carts app=carts ip=10.0.0.1
         netpol shop/a {podSelector: {matchLabels: {app: cart}}, ingress: [{from: [{podSelector: {matchLabels: {app: frontend}}}]}]}",
        expect![[r#"
            finding: podSelector `app=cart` matches no pod of namespace `shop`
            finding: peer `app=frontend` matches no pod of namespace `shop`
        "#]],
    );
}

#[test]
fn a_pod_without_address_leaves_a_narrow_block_undecided_but_not_a_full_one() {
    check(
        "ns shop
         pod shop/web app=web phase=Pending
         pod shop/db app=db ip=10.0.0.2
         netpol shop/db {podSelector: {matchLabels: {app: db}}, ingress: [{from: [{ipBlock: {cidr: 10.0.0.0/8}}], ports: [{port: 1}]}, {from: [{ipBlock: {cidr: 0.0.0.0/0}}], ports: [{port: 2}]}]}
         ? shop/web -> shop/db:1
         ? shop/web -> shop/db:2
         ? shop/web -> shop/db:3",
        expect![[r#"
            shop/web -> shop/db:1: undecided: the address of pod `shop/web` is not known
            shop/web -> shop/db:2: allowed: NetworkPolicy shop/db ingress[1].from[0]
            shop/web -> shop/db:3: denied: closed by NetworkPolicy shop/db, and nothing opens it
        "#]],
    );
}

#[test]
fn one_bad_object_does_not_end_the_run_and_an_unreadable_policy_leaves_its_namespace_undecided() {
    check(
        "ns shop
         ns other
         pod shop/web ip=10.0.0.1
         pod shop/db ip=10.0.0.2
         pod other/x ip=10.0.0.3
         pod other/z ip=10.0.0.4
         raw apiVersion: networking.k8s.io/v1\\nkind: NetworkPolicy\\nmetadata: {name: bad, namespace: shop}\\nspec: [this is no spec
         ? shop/web -> shop/db:1
         ? other/x -> other/z:1",
        expect![[r#"
            problem: cannot read the document (NetworkPolicy), column 7: a bracket that is not closed by `]`
            shop/web -> shop/db:1: undecided: a document that may be a policy cannot be read (world:33)
            other/x -> other/z:1: undecided: a document that may be a policy cannot be read (world:33)
        "#]],
    );
}

// Perimeter and AccessPolicy

const SHOP: &str = "
    ns shop
    ns data
    node n1 172.31.0.11
    node n2 172.31.0.12
    pod shop/web app=web ip=10.0.0.1 node=n1 containers=nginx+log
    pod shop/orders app=orders ip=10.0.0.2 node=n1 ports=http:8080 probe=8080
    pod data/db app=db ip=10.0.1.1 node=n2 ports=pg:5432
    perimeter shop/default {subject: {selector: {}}, except: [kubelet]}
    perimeter data/default {subject: {selector: {}}}
";

fn shop(rest: &str, expected: Expect) {
    check(&format!("{SHOP}\n{rest}"), expected);
}

#[test]
fn a_rule_is_the_whole_link_and_names_container_and_program() {
    shop(
        "access shop/orders {rules: [{name: web-reads, action: Allow, from: [{workload: web, container: nginx, program: /usr/sbin/nginx}], to: [{workload: orders}], ports: [{port: http}]}]}
         ? shop/web:nginx:/usr/sbin/nginx -> shop/orders:8080
         ? shop/web:nginx:* -> shop/orders:8080
         ? shop/web:log:/usr/sbin/nginx -> shop/orders:8080
         ? shop/web:*:* -> shop/orders:8080
         ? shop/web -> shop/orders:8080
         ? shop/web:nginx:/usr/sbin/nginx -> shop/orders:8081
         ? shop/orders -> shop/web:80",
        expect![[r#"
            shop/web:nginx:/usr/sbin/nginx -> shop/orders:8080: allowed: AccessPolicy shop/orders rules[0] "web-reads"
            shop/web:nginx:* -> shop/orders:8080: denied: closed by Perimeter shop/default, and nothing opens it
            shop/web:log:/usr/sbin/nginx -> shop/orders:8080: denied: closed by Perimeter shop/default, and nothing opens it
            shop/web:*:* -> shop/orders:8080: denied: closed by Perimeter shop/default, and nothing opens it
            shop/web -> shop/orders:8080: undecided: which container of `shop/web` is not known
            shop/web:nginx:/usr/sbin/nginx -> shop/orders:8081: denied: closed by Perimeter shop/default, and nothing opens it
            shop/orders -> shop/web:80: denied: closed by Perimeter shop/default, and nothing opens it
        "#]],
    );
}

#[test]
fn isolation_comes_only_from_a_perimeter_or_a_network_policy() {
    two_pods(
        "access shop/a {rules: [{action: Allow, from: [{workload: web}], to: [{workload: db}], ports: [{port: 1}]}]}
         ? shop/web -> shop/db:1
         ? shop/web -> shop/db:2",
        expect![[r#"
            shop/web -> shop/db:1: allowed: AccessPolicy shop/a rules[0]
            shop/web -> shop/db:2: allowed: nothing closes it
        "#]],
    );
}

#[test]
fn a_deny_wins_over_any_allow_but_binds_its_own_ends_only() {
    shop(
        "access shop/a {rules: [{action: Allow, from: [{workload: web}], to: [{workload: orders}]}, {action: Deny, from: [{workload: web}], to: [{workload: orders}], ports: [{port: 8080}]}]}
         ? shop/web -> shop/orders:8080
         ? shop/web -> shop/orders:9090",
        expect![[r#"
            shop/web -> shop/orders:8080: denied: AccessPolicy shop/a rules[1]
            shop/web -> shop/orders:9090: allowed: AccessPolicy shop/a rules[0]
        "#]],
    );
    // The database's namespace denies at its own end; the sender's end is not bound by it.
    shop(
        "access data/d {rules: [{action: Deny, from: [{workload: web, namespace: shop}], to: [{workload: db}]}]}
         access shop/a {rules: [{action: Allow, from: [{workload: web}], to: [{workload: db, namespace: data}]}]}
         ? shop/web -> data/db:5432",
        expect![[r#"
            shop/web -> data/db:5432: denied: AccessPolicy data/d rules[0]
        "#]],
    );
}

#[test]
fn the_other_end_consents_by_an_object_of_its_own_namespace_or_a_cluster_wide_one() {
    shop(
        "access shop/a {rules: [{action: Allow, from: [{workload: orders}], to: [{workload: db, namespace: data}]}]}
         ? shop/orders -> data/db:5432",
        expect![[r#"
            shop/orders -> data/db:5432: denied: closed by Perimeter data/default, and nothing opens it
        "#]],
    );
    shop(
        "access shop/a {rules: [{action: Allow, from: [{workload: orders}], to: [{workload: db, namespace: data}]}]}
         access data/b {rules: [{action: Allow, from: [{workload: orders, namespace: shop}], to: [{workload: db}], ports: [{port: pg}]}]}
         ? shop/orders -> data/db:5432",
        expect![[r#"
            shop/orders -> data/db:5432: allowed: AccessPolicy shop/a rules[0]
        "#]],
    );
    shop(
        "clusteraccess c {rules: [{action: Allow, from: [{namespaceSelector: {}, workload: orders}], to: [{namespace: data, workload: db}]}]}
         ? shop/orders -> data/db:5432
         ? shop/web -> data/db:5432",
        expect![[r#"
            shop/orders -> data/db:5432: allowed: ClusterAccessPolicy c rules[0]
            shop/web -> data/db:5432: denied: closed by Perimeter shop/default, and nothing opens it
        "#]],
    );
}

#[test]
fn audit_changes_no_enforced_verdict_and_the_would_be_verdict_is_given() {
    shop(
        "access shop/a {rules: [{action: Allow, from: [{workload: web}], to: [{workload: orders}]}]}
         access shop/b {mode: Audit, rules: [{action: Deny, from: [{workload: web}], to: [{workload: orders}]}]}
         access shop/c {mode: Audit, rules: [{action: Allow, from: [{workload: orders}], to: [{workload: web}]}]}
         ? shop/web -> shop/orders:8080
         ? shop/orders -> shop/web:80",
        expect![[r#"
            shop/web -> shop/orders:8080: allowed: AccessPolicy shop/a rules[0]; would be denied: AccessPolicy shop/b rules[0]
            shop/orders -> shop/web:80: denied: closed by Perimeter shop/default, and nothing opens it; would be allowed: AccessPolicy shop/c rules[0]
        "#]],
    );
    two_pods(
        "perimeter shop/p {mode: Audit, subject: {selector: {}}}
         ? shop/web -> shop/db:1",
        expect![[r#"
            shop/web -> shop/db:1: allowed: nothing closes it; would be denied: closed by Perimeter shop/p, and nothing opens it
        "#]],
    );
}

#[test]
fn an_allow_ends_at_its_instant() {
    shop(
        "access shop/a {rules: [{action: Allow, from: [{workload: web}], to: [{workload: orders}], expires: 2027-01-31T00:00:00Z}]}
         at 2027-01-30T23:59:59Z
         ? shop/web -> shop/orders:8080
         at 2027-01-31T00:00:00Z
         ? shop/web -> shop/orders:8080",
        expect![[r#"
            shop/web -> shop/orders:8080: allowed: AccessPolicy shop/a rules[0]
            shop/web -> shop/orders:8080: denied: closed by Perimeter shop/default, and nothing opens it
        "#]],
    );
}

#[test]
fn a_perimeter_exempts_the_own_node_only_by_exception_and_kubelet_means_probe_ports() {
    shop(
        "? node/n1 -> shop/orders:8080
         ? node/n2 -> shop/orders:8080
         ? node/n1 -> shop/orders:22
         ? node/n2 -> data/db:5432",
        expect![[r#"
            node/n1 -> shop/orders:8080: allowed: Perimeter shop/default except kubelet
            node/n2 -> shop/orders:8080: allowed: Perimeter shop/default except kubelet
            node/n1 -> shop/orders:22: denied: closed by Perimeter shop/default, and nothing opens it
            node/n2 -> data/db:5432: denied: closed by Perimeter data/default, and nothing opens it
        "#]],
    );
}

#[test]
fn inside_the_pod_only_rules_that_name_a_process_and_closed_loopback_judge() {
    check(
        "ns shop
         pod shop/web app=web ip=10.0.0.1 containers=nginx+log ports=80
         perimeter shop/p {subject: {selector: {}}}
         access shop/a {rules: [{action: Deny, from: [{workload: web, container: log}], to: [{workload: web}], ports: [{port: 80}]}, {action: Deny, from: [{workload: web}], to: [{workload: web}], ports: [{port: 81}]}]}
         ? shop/web:log:* -> shop/web:80
         ? shop/web:nginx:* -> shop/web:80
         ? shop/web:log:* -> 127.0.0.1:80
         ? shop/web:log:* -> shop/web:81",
        expect![[r#"
            shop/web:log:* -> shop/web:80: denied: AccessPolicy shop/a rules[0]
            shop/web:nginx:* -> shop/web:80: allowed: the pod's own address
            shop/web:log:* -> 127.0.0.1:80: denied: AccessPolicy shop/a rules[0]
            shop/web:log:* -> shop/web:81: allowed: the pod's own address
        "#]],
    );
    check(
        "ns shop
         pod shop/web app=web ip=10.0.0.1 containers=nginx+log ports=80
         perimeter shop/p {subject: {selector: {}}, loopback: Closed}
         access shop/a {rules: [{action: Allow, from: [{workload: web, container: log}], to: [{workload: web, container: nginx}]}, {action: Allow, from: [{workload: web}], to: [{workload: web}], ports: [{port: 81}]}]}
         ? shop/web:log:* -> shop/web:80
         ? shop/web:nginx:* -> shop/web:80
         ? shop/web:nginx:* -> shop/web:81",
        expect![[r#"
            shop/web:log:* -> shop/web:80: allowed: AccessPolicy shop/a rules[0]
            shop/web:nginx:* -> shop/web:80: denied: closed by Perimeter shop/p, and nothing opens it
            shop/web:nginx:* -> shop/web:81: denied: closed by Perimeter shop/p, and nothing opens it
        "#]],
    );
}

#[test]
fn a_cidr_never_means_known_pods_nodes_or_services() {
    shop(
        "access shop/a {rules: [{action: Allow, from: [{workload: web}], to: [{cidr: 0.0.0.0/0, except: [203.0.113.9/32]}]}]}
         ? shop/web -> 203.0.113.1:443
         ? shop/web -> 203.0.113.9:443
         ? shop/web -> 10.0.0.2:8080
         ? shop/web -> 172.31.0.12:22",
        expect![[r#"
            shop/web -> 203.0.113.1:443: allowed: AccessPolicy shop/a rules[0]
            shop/web -> 203.0.113.9:443: denied: closed by Perimeter shop/default, and nothing opens it
            shop/web -> 10.0.0.2:8080: denied: closed by Perimeter shop/default, and nothing opens it
            shop/web -> 172.31.0.12:22: denied: closed by Perimeter shop/default, and nothing opens it
        "#]],
    );
}

#[test]
fn a_service_peer_opens_the_ports_behind_it_and_no_others() {
    shop(
        "svc shop/orders app=orders ip=10.96.0.5 ports=80->http
         access shop/a {rules: [{action: Allow, from: [{workload: web}], to: [{service: orders}], ports: [{port: 80}]}]}
         ? shop/web -> shop/orders:8080
         ? shop/web -> shop/orders:80",
        expect![[r#"
            shop/web -> shop/orders:8080: allowed: AccessPolicy shop/a rules[0]
            shop/web -> shop/orders:80: denied: closed by Perimeter shop/default, and nothing opens it
        "#]],
    );
}

#[test]
fn rules_whose_means_are_not_there_yet_grant_nothing_and_say_so() {
    shop(
        "access shop/a {rules: [{action: Allow, from: [{workload: web}], to: [{workload: orders}], http: [{methods: [GET]}]}, {action: Allow, from: [{workload: web}], to: [{fqdn: \"*.example.com\"}]}]}
         ? shop/web -> shop/orders:8080",
        expect![[r#"
            finding: `http` is not judged yet: this Allow grants nothing
            finding: `fqdn` is not resolved yet: this peer grants nothing
            shop/web -> shop/orders:8080: denied: closed by Perimeter shop/default, and nothing opens it
        "#]],
    );
}

#[test]
fn entities_name_world_nodes_and_metadata() {
    shop(
        "access shop/a {rules: [{action: Allow, from: [{entity: world}], to: [{workload: web}], ports: [{port: 80}]}, {action: Allow, from: [{workload: web}], to: [{entity: nodes}], ports: [{port: 10250}]}, {action: Deny, from: [{selector: {}}], to: [{entity: metadata}]}]}
         ? 198.51.100.7 -> shop/web:80
         ? node/n1 -> shop/web:80
         ? data/db -> shop/web:80
         ? shop/web -> 172.31.0.12:10250
         ? shop/web -> 169.254.169.254:80",
        expect![[r#"
            198.51.100.7 -> shop/web:80: allowed: AccessPolicy shop/a rules[0]
            node/n1 -> shop/web:80: denied: closed by Perimeter shop/default, and nothing opens it
            data/db -> shop/web:80: denied: closed by Perimeter data/default, and nothing opens it
            shop/web -> 172.31.0.12:10250: allowed: AccessPolicy shop/a rules[1]
            shop/web -> 169.254.169.254:80: denied: AccessPolicy shop/a rules[2]
        "#]],
    );
}

/// The node is the first to get it.
#[test]
fn what_goes_to_many_is_not_to_the_world() {
    shop(
        "access shop/a {rules: [{action: Allow, from: [{workload: web}], to: [{entity: world}]}]}
         ? shop/web -> 198.51.100.7:80
         ? shop/web -> 224.0.0.1:80
         ? shop/web -> 239.255.0.1:80
         ? shop/web -> 255.255.255.255:80
         ? shop/web -> [ff02::1]:80",
        expect![[r#"
            shop/web -> 198.51.100.7:80: allowed: AccessPolicy shop/a rules[0]
            shop/web -> 224.0.0.1:80: denied: closed by Perimeter shop/default, and nothing opens it
            shop/web -> 239.255.0.1:80: denied: closed by Perimeter shop/default, and nothing opens it
            shop/web -> 255.255.255.255:80: denied: closed by Perimeter shop/default, and nothing opens it
            shop/web -> [ff02::1]:80: denied: closed by Perimeter shop/default, and nothing opens it
        "#]],
    );
}

#[test]
fn a_cluster_perimeter_is_a_default_that_namespaces_open() {
    check(
        "ns shop team=a
         ns ops
         pod shop/web app=web ip=10.0.0.1
         pod shop/db app=db ip=10.0.0.2
         pod ops/x ip=10.0.0.3
         clusterperimeter all {subject: {namespaceSelector: {matchLabels: {team: a}}, selector: {}}}
         access shop/a {rules: [{action: Allow, from: [{workload: web}], to: [{workload: db}]}]}
         ? shop/web -> shop/db:1
         ? shop/db -> shop/web:1
         ? ops/x -> ops/x:1
         ? ops/x -> 203.0.113.1:1",
        expect![[r#"
            shop/web -> shop/db:1: allowed: AccessPolicy shop/a rules[0]
            shop/db -> shop/web:1: denied: closed by ClusterPerimeter all, and nothing opens it
            ops/x -> ops/x:1: allowed: the pod's own address
            ops/x -> 203.0.113.1:1: allowed: nothing closes it
        "#]],
    );
}

// What is not known

#[test]
fn the_labels_of_a_namespace_without_object_are_not_known() {
    check(
        "pod a/web app=web ip=10.0.0.1
         pod b/other app=x ip=10.0.0.2
         netpol a/in {podSelector: {}, ingress: [{from: [{namespaceSelector: {matchExpressions: [{key: team, operator: NotIn, values: [blue]}]}}], ports: [{port: 1}]}, {from: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: b}}}], ports: [{port: 2}]}, {from: [{namespaceSelector: {}}], ports: [{port: 3}]}]}
         ? b/other -> a/web:1
         ? b/other -> a/web:2
         ? b/other -> a/web:3
         ? b/other -> a/web:4",
        expect![[r#"
            b/other -> a/web:1: undecided: the labels of namespace `b` are not known
            b/other -> a/web:2: allowed: NetworkPolicy a/in ingress[1].from[0]
            b/other -> a/web:3: allowed: NetworkPolicy a/in ingress[2].from[0]
            b/other -> a/web:4: denied: closed by NetworkPolicy a/in, and nothing opens it
        "#]],
    );
    check(
        "pod a/web app=web ip=10.0.0.1
         pod b/other app=x ip=10.0.0.2
         clusterperimeter blue {subject: {namespaceSelector: {matchLabels: {team: blue}}, selector: {}}}
         ? b/other -> a/web:1",
        expect![[r#"
            b/other -> a/web:1: undecided: the labels of namespace `b` are not known
        "#]],
    );
}

#[test]
fn a_proposed_consent_replaces_no_object_and_each_port_has_its_own() {
    let yaml = format!(
        "{}\n---\n{}",
        document("pod", "a/web app=web ip=10.0.0.1"),
        [
            document("pod", "a/db app=db ip=10.0.0.2"),
            document("perimeter", "a/default {subject: {selector: {}}}"),
            document("access", "a/web-to-db-5432 {rules: [{action: Allow, from: [{workload: web}], to: [{workload: db}], ports: [{port: 9000}]}]}"),
        ]
        .join("\n---\n")
    );
    let model = Model::new(Arc::new(palisade_manifests::load_text("world", &yaml).value), Settings::default()).value;
    let now = "2026-01-01T00:00:00Z".parse().expect("a constant");
    let name = |question: &str| {
        let explanation =
            model.explain(&link(question), now, palisade_policy::Grant::Workload).expect("the ends are there");
        explanation.consents.iter().map(|consent| consent.object.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(name("a/web -> a/db:5432"), ["AccessPolicy a/web-to-db-5432-2"]);
    assert_eq!(name("a/web -> a/db:53/UDP"), ["AccessPolicy a/web-to-db-53-udp"]);
}

#[test]
fn what_may_be_a_policy_without_saying_so_leaves_its_ends_undecided() {
    check(
        "ns a
         pod a/web ip=10.0.0.1
         raw apiVersion: networking.k8s.io/v1\\nmetadata: {name: x, namespace: a}\\nspec: {podSelector: {}}
         ? 203.0.113.1 -> a/web:1",
        expect![[r#"
            problem: `kind` is missing, and this may be a policy
            203.0.113.1 -> a/web:1: undecided: a document that may be a policy cannot be read (world:12)
        "#]],
    );
    check(
        "ns a
         pod a/web ip=10.0.0.1
         raw [{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: x, namespace: a}, spec: {podSelector: {}}}]
         ? 203.0.113.1 -> a/web:1",
        expect![[r#"
            problem: a bare list of objects, and one of them may be a policy
            203.0.113.1 -> a/web:1: undecided: a document that may be a policy cannot be read (world:12)
        "#]],
    );
}

#[test]
fn a_replica_set_whose_deployment_is_not_in_the_input_has_its_pods_and_no_other() {
    check(
        r#"
        raw {apiVersion: apps/v1, kind: ReplicaSet, metadata: {name: web-7c9f, namespace: shop, ownerReferences: [{apiVersion: apps/v1, kind: Deployment, name: web, uid: u, controller: true}]}, spec: {selector: {matchLabels: {app: web}}, template: {metadata: {labels: {app: web}}, spec: {containers: [{name: c, image: x}]}}}}
        raw {apiVersion: v1, kind: Pod, metadata: {name: web-7c9f-1, namespace: shop, labels: {app: web}, ownerReferences: [{apiVersion: apps/v1, kind: ReplicaSet, name: web-7c9f, uid: u, controller: true}]}, spec: {containers: [{name: c, image: x}]}, status: {phase: Running}}
        ? shop/web-7c9f-1 -> 203.0.113.1:443
        ? shop/web-7c9f -> 203.0.113.1:443
        "#,
        expect![[r#"
            shop/web-7c9f-1 -> 203.0.113.1:443: allowed: nothing closes it
            shop/web-7c9f -> 203.0.113.1:443: there is no pod `shop/web-7c9f`
        "#]],
    );
}

/// Its controller names them and writes the name on them, so that a policy can tell them apart.
#[test]
fn a_stateful_set_has_its_pods_by_their_numbers() {
    check(
        r#"
        raw {apiVersion: apps/v1, kind: StatefulSet, metadata: {name: db, namespace: shop}, spec: {replicas: 2, ordinals: {start: 5}, selector: {matchLabels: {app: db}}, template: {metadata: {labels: {app: db}}, spec: {containers: [{name: c, image: x}]}}}}
        netpol shop/named {podSelector: {matchLabels: {statefulset.kubernetes.io/pod-name: db-5}}, ingress: [{ports: [{port: 1}]}]}
        netpol shop/counted {podSelector: {matchLabels: {app: db}}, ingress: [{from: [{podSelector: {matchLabels: {apps.kubernetes.io/pod-index: "6"}}}]}]}
        ? shop/db-6 -> shop/db-5:80
        ? shop/db-5 -> shop/db-6:80
        ? shop/db-5 -> shop/db-5:80
        ? 203.0.113.1 -> shop/db-5:1
        ? 203.0.113.1 -> shop/db-6:1
        ? 203.0.113.1 -> shop/db-7:1
        ? 203.0.113.1 -> shop/db:1
        "#,
        expect![[r#"
            shop/db-6 -> shop/db-5:80: allowed: NetworkPolicy shop/counted ingress[0].from[0]
            shop/db-5 -> shop/db-6:80: denied: closed by NetworkPolicy shop/counted, and nothing opens it
            shop/db-5 -> shop/db-5:80: allowed: the pod's own address
            203.0.113.1 -> shop/db-5:1: allowed: NetworkPolicy shop/named ingress[0]
            203.0.113.1 -> shop/db-6:1: denied: closed by NetworkPolicy shop/counted, and nothing opens it
            203.0.113.1 -> shop/db-7:1: there is no pod `shop/db-7`
            203.0.113.1 -> shop/db:1: there is no pod `shop/db`
        "#]],
    );
}

/// As its pods would be: a rule about the Deployment means them.
#[test]
fn the_template_of_a_replica_set_is_of_the_deployment_that_owns_it() {
    check(
        r#"
        raw {apiVersion: apps/v1, kind: ReplicaSet, metadata: {name: dns-7c9f, namespace: shop, ownerReferences: [{apiVersion: apps/v1, kind: Deployment, name: dns, uid: u, controller: true}]}, spec: {selector: {matchLabels: {app: dns}}, template: {metadata: {labels: {app: dns}}, spec: {containers: [{name: c, image: x}]}}}}
        pod shop/web app=web
        access shop/deny {rules: [{action: Deny, from: [{workload: web}], to: [{workload: deployment/dns}]}]}
        ? shop/web -> shop/dns-7c9f:53
        "#,
        expect![[r#"
            shop/web -> shop/dns-7c9f:53: denied: AccessPolicy shop/deny rules[0]
        "#]],
    );
}
