//! What other engines get wrong, by the number of the fault in the order of "Other engines' faults" in the design.

use expect_test::expect;

use crate::world::check;

#[test]
fn fault_1_not_in_matches_where_the_key_is_absent() {
    check(
        "ns a
         pod a/db app=db ip=10.0.0.1
         pod a/plain app=web ip=10.0.0.2
         pod a/old app=web,version=old ip=10.0.0.3
         netpol a/db {podSelector: {matchLabels: {app: db}}, ingress: [{from: [{podSelector: {matchExpressions: [{key: version, operator: NotIn, values: [old]}]}}]}]}
         ? a/plain -> a/db:80
         ? a/old -> a/db:80",
        expect![[r#"
            problem: `metadata.labels.app`: `web,version=old` must be at most 63 letters, digits, `-`, `_` and `.`, with a letter or digit at both ends
            a/plain -> a/db:80: allowed: NetworkPolicy a/db ingress[0].from[0]
            a/old -> a/db:80: there is no pod `a/old`
        "#]],
    );
}

#[test]
fn fault_2_an_empty_value_needs_its_key() {
    check(
        "ns a
         pod a/db app=db ip=10.0.0.1
         pod a/plain app=web ip=10.0.0.2
         pod a/marked app=web,mark= ip=10.0.0.3
         netpol a/db {podSelector: {matchLabels: {app: db}}, ingress: [{from: [{podSelector: {matchLabels: {mark: \"\"}}}]}]}
         ? a/plain -> a/db:80
         ? a/marked -> a/db:80",
        expect![[r#"
            problem: `metadata.labels.app`: `web,mark=` must be at most 63 letters, digits, `-`, `_` and `.`, with a letter or digit at both ends
            finding: peer `mark=` matches no pod of namespace `a`
            a/plain -> a/db:80: denied: closed by NetworkPolicy a/db, and nothing opens it
            a/marked -> a/db:80: there is no pod `a/marked`
        "#]],
    );
}

#[test]
fn fault_3_a_pod_reaches_itself() {
    check(
        "ns a
         pod a/db app=db ip=10.0.0.1
         netpol a/closed {podSelector: {}, policyTypes: [Ingress, Egress]}
         ? a/db -> a/db:5432",
        expect![[r#"
            a/db -> a/db:5432: allowed: the pod's own address
        "#]],
    );
}

#[test]
fn fault_4_missing_policy_types_are_no_error() {
    check(
        "ns a
         pod a/db app=db ip=10.0.0.1
         pod a/web app=web ip=10.0.0.2
         netpol a/db {podSelector: {matchLabels: {app: db}}, egress: [{to: [{podSelector: {}}]}]}
         ? a/web -> a/db:80
         ? a/db -> a/web:80
         ? a/db -> 8.8.8.8:80",
        expect![[r#"
            a/web -> a/db:80: denied: closed by NetworkPolicy a/db, and nothing opens it
            a/db -> a/web:80: allowed: NetworkPolicy a/db egress[0].to[0]
            a/db -> 8.8.8.8:80: denied: closed by NetworkPolicy a/db, and nothing opens it
        "#]],
    );
}

#[test]
fn fault_5_an_entry_without_port_keeps_its_protocol() {
    check(
        "ns a
         pod a/db app=db ip=10.0.0.1
         pod a/web app=web ip=10.0.0.2
         netpol a/db {podSelector: {matchLabels: {app: db}}, ingress: [{ports: [{protocol: UDP}]}]}
         ? a/web -> a/db:53/UDP
         ? a/web -> a/db:53/TCP",
        expect![[r#"
            a/web -> a/db:53/UDP: allowed: NetworkPolicy a/db ingress[0]
            a/web -> a/db:53/TCP: denied: closed by NetworkPolicy a/db, and nothing opens it
        "#]],
    );
}

#[test]
fn fault_6_a_named_port_that_may_meet_an_address_ends_nothing() {
    check(
        "ns a
         pod a/db app=db ip=10.0.0.1 ports=pg:5432
         pod a/web app=web ip=10.0.0.2
         netpol a/web {podSelector: {matchLabels: {app: web}}, policyTypes: [Egress], egress: [{to: [{ipBlock: {cidr: 0.0.0.0/0}}], ports: [{port: pg}, {port: 443}]}]}
         ? a/web -> a/db:5432
         ? a/web -> 8.8.8.8:5432
         ? a/web -> 8.8.8.8:443",
        expect![[r#"
            a/web -> a/db:5432: allowed: NetworkPolicy a/web egress[0].to[0]
            a/web -> 8.8.8.8:5432: denied: closed by NetworkPolicy a/web, and nothing opens it
            a/web -> 8.8.8.8:443: allowed: NetworkPolicy a/web egress[0].to[0]
        "#]],
    );
}

#[test]
fn fault_7_the_own_node_is_exempt_and_no_other() {
    check(
        "ns a
         node n1 172.31.0.11
         node n2 172.31.0.12
         pod a/db app=db ip=10.0.0.1 node=n1
         netpol a/closed {podSelector: {}}
         ? node/n1 -> a/db:80
         ? node/n2 -> a/db:80",
        expect![[r#"
            node/n1 -> a/db:80: allowed: own node (closed by NetworkPolicy a/closed)
            node/n2 -> a/db:80: denied: closed by NetworkPolicy a/closed, and nothing opens it
        "#]],
    );
}

#[test]
fn fault_8_a_pod_that_has_ended_is_not_counted() {
    check(
        "ns a
         pod a/db app=db ip=10.0.0.1
         pod a/job app=job ip=10.0.0.2 phase=Succeeded
         pod a/next app=next ip=10.0.0.2
         netpol a/db {podSelector: {matchLabels: {app: db}}, ingress: [{from: [{podSelector: {matchLabels: {app: job}}}]}]}
         ? 10.0.0.2 -> a/db:80
         ? a/next -> a/db:80",
        expect![[r#"
            10.0.0.2 -> a/db:80: denied: closed by NetworkPolicy a/db, and nothing opens it
            a/next -> a/db:80: denied: closed by NetworkPolicy a/db, and nothing opens it
        "#]],
    );
}

#[test]
fn fault_9_a_named_port_is_that_port_of_the_receiver() {
    check(
        "ns a
         pod a/db app=db ip=10.0.0.1 ports=pg:5432,metrics:9187
         pod a/web app=web ip=10.0.0.2
         netpol a/db {podSelector: {matchLabels: {app: db}}, ingress: [{ports: [{port: pg}]}]}
         ? a/web -> a/db:5432
         ? a/web -> a/db:9187",
        expect![[r#"
            a/web -> a/db:5432: allowed: NetworkPolicy a/db ingress[0]
            a/web -> a/db:9187: denied: closed by NetworkPolicy a/db, and nothing opens it
        "#]],
    );
}

#[test]
fn fault_10_the_baseline_is_asked_for_the_direction_that_no_network_policy_closes() {
    check(
        "ns a
         pod a/db app=db ip=10.0.0.1
         pod a/web app=web ip=10.0.0.2
         banp default {subject: {namespaces: {}}, ingress: [{action: Deny, from: [{namespaces: {}}]}], egress: [{action: Deny, to: [{networks: [\"0.0.0.0/0\"]}]}]}
         netpol a/web {podSelector: {matchLabels: {app: web}}, policyTypes: [Ingress]}
         ? a/web -> 8.8.8.8:443
         ? a/web -> a/db:80",
        expect![[r#"
            a/web -> 8.8.8.8:443: denied: BaselineAdminNetworkPolicy default egress[0].to[0]
            a/web -> a/db:80: denied: BaselineAdminNetworkPolicy default egress[0].to[0]
        "#]],
    );
}

/// `check` and `explain` are compared in each question of these tests, `map`, `diff` and the compiled tables with `judge`
/// in tests of their own; here a pod's list of links and its single links say the same.
#[test]
fn fault_11_the_list_of_links_and_each_link_agree() {
    let yaml = "
apiVersion: v1
kind: Pod
metadata: {name: db, namespace: a, labels: {app: db}}
spec: {containers: [{name: db, image: db, ports: [{name: pg, containerPort: 5432}]}]}
status: {phase: Running, podIPs: [{ip: 10.0.0.1}]}
---
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: a, labels: {app: web}}
spec: {containers: [{name: web, image: web}]}
status: {phase: Running, podIPs: [{ip: 10.0.0.2}]}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: db, namespace: a}
spec: {podSelector: {matchLabels: {app: db}}, ingress: [{from: [{podSelector: {matchLabels: {app: web}}}], ports: [{port: pg}]}]}
";
    let loaded = palisade_manifests::load_text("world", yaml);
    let settings = palisade_model::settings::Settings::default();
    let model = palisade_policy::Model::new(std::sync::Arc::new(loaded.value), settings).value;
    let now = "2026-01-01T00:00:00Z".parse().expect("a constant");
    let mut reach = model.reach(now);
    let mut listed = Vec::new();
    reach.for_each(|reach, from, to, pair| listed.extend(pair.four.map(|id| (from, to, reach.answer(id).clone()))));
    let mut agreed = 0;
    for (from, to, answer) in listed {
        for port in [80, 5432] {
            let protocol = palisade_model::Protocol::Tcp;
            let Some(link) = reach.link(from, to, true, protocol, port) else { continue };
            let says = answer.at(protocol.into(), port).enforced;
            let verdict = model.judge(&link, now).expect("the ends are there").enforced;
            assert_eq!(says, palisade_model::verdict::Word::from(verdict.link().1), "{link:?}");
            agreed += 1;
        }
    }
    assert!(agreed > 4, "{agreed} links were listed");
}
