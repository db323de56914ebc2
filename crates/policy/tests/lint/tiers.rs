//! The policies of administrators.

use expect_test::expect;

use crate::check;

const PODS: &str = "
    ns shop team=shop
    ns data team=data
    pod shop/web app=web
    pod data/db app=db
";

#[test]
fn a_rule_behind_one_that_matches_more() {
    check(
        &format!(
            "{PODS}
            cnp a {{tier: Admin, priority: 1, subject: {{namespaces: {{}}}}, egress: [{{name: open, action: Accept, to: [{{namespaces: {{}}}}]}}, {{name: shut, action: Deny, to: [{{namespaces: {{matchLabels: {{team: data}}}}}}], protocols: [{{tcp: {{destinationPort: {{number: 5432}}}}}}]}}]}}
            cnp b {{tier: Admin, priority: 2, subject: {{pods: {{namespaceSelector: {{}}, podSelector: {{matchLabels: {{app: web}}}}}}}}, egress: [{{action: Pass, to: [{{namespaces: {{matchLabels: {{team: data}}}}}}]}}]}}
            "
        ),
        expect![[r#"
            high shadowed-tier-rule: ClusterNetworkPolicy a: egress[1] "shut": this Deny is never asked: the Accept of egress[0] "open" matches first
            medium shadowed-tier-rule: ClusterNetworkPolicy b: egress[0]: this Pass is never asked: the Accept of ClusterNetworkPolicy a egress[0] "open" matches first
        "#]],
    );
}

#[test]
fn a_rule_behind_several_that_match_all_of_it_together() {
    check(
        &format!(
            "{PODS}
            cnp a {{tier: Admin, priority: 1, subject: {{namespaces: {{}}}}, egress: [{{action: Accept, to: [{{namespaces: {{matchLabels: {{team: data}}}}}}]}}, {{action: Accept, to: [{{namespaces: {{matchLabels: {{team: shop}}}}}}], protocols: [{{tcp: {{destinationPort: {{range: {{start: 1, end: 99}}}}}}}}]}}]}}
            cnp b {{tier: Admin, priority: 2, subject: {{namespaces: {{}}}}, egress: [{{action: Deny, to: [{{namespaces: {{matchLabels: {{team: data}}}}}}, {{namespaces: {{matchLabels: {{team: shop}}}}}}], protocols: [{{tcp: {{destinationPort: {{number: 80}}}}}}]}}, {{action: Deny, to: [{{namespaces: {{matchLabels: {{team: data}}}}}}, {{namespaces: {{matchLabels: {{team: shop}}}}}}], protocols: [{{tcp: {{destinationPort: {{number: 100}}}}}}]}}]}}
            "
        ),
        expect![[r#"
            high shadowed-tier-rule: ClusterNetworkPolicy b: egress[0]: this Deny is never asked: ClusterNetworkPolicy a egress[0] and ClusterNetworkPolicy a egress[1] together match first
        "#]],
    );
}

#[test]
fn a_rule_before_or_beside_it_is_asked() {
    check(
        &format!(
            "{PODS}
            cnp a {{tier: Admin, priority: 1, subject: {{namespaces: {{}}}}, egress: [{{action: Deny, to: [{{namespaces: {{matchLabels: {{team: data}}}}}}], protocols: [{{tcp: {{destinationPort: {{number: 5432}}}}}}]}}, {{action: Accept, to: [{{namespaces: {{}}}}], protocols: [{{tcp: {{destinationPort: {{range: {{start: 1, end: 6000}}}}}}}}]}}]}}
            cnp b {{tier: Admin, priority: 2, subject: {{namespaces: {{}}}}, ingress: [{{action: Deny, from: [{{namespaces: {{matchLabels: {{team: data}}}}}}]}}], egress: [{{action: Deny, to: [{{namespaces: {{}}}}]}}]}}
            cnp c {{tier: Baseline, priority: 1, subject: {{namespaces: {{}}}}, egress: [{{action: Deny, to: [{{namespaces: {{}}}}], protocols: [{{tcp: {{destinationPort: {{range: {{start: 1, end: 6000}}}}}}}}]}}]}}
            "
        ),
        expect![""],
    );
}

#[test]
fn one_that_only_these_pods_put_behind_another() {
    check(
        &format!(
            "{PODS}
            cnp a {{tier: Admin, priority: 1, subject: {{namespaces: {{}}}}, egress: [{{action: Accept, to: [{{pods: {{namespaceSelector: {{}}, podSelector: {{matchLabels: {{app: db}}}}}}}}]}}, {{action: Deny, to: [{{namespaces: {{matchLabels: {{team: data}}}}}}]}}]}}
            "
        ),
        expect![[r#"
            low shadowed-tier-rule: ClusterNetworkPolicy a: egress[1]: this Deny is never asked for the pods of this input: the Accept of egress[0] matches first
        "#]],
    );
}

#[test]
fn equal_priorities() {
    check(
        &format!(
            "{PODS}
            cnp a {{tier: Admin, priority: 1, subject: {{namespaces: {{matchLabels: {{team: shop}}}}}}, egress: [{{action: Accept, to: [{{networks: [203.0.113.0/24]}}]}}]}}
            cnp b {{tier: Admin, priority: 1, subject: {{namespaces: {{}}}}, egress: [{{action: Deny, to: [{{networks: [203.0.113.0/28]}}]}}]}}
            cnp c {{tier: Admin, priority: 2, subject: {{namespaces: {{}}}}, egress: [{{action: Deny, to: [{{networks: [198.51.100.0/24]}}]}}]}}
            "
        ),
        expect![[r#"
            medium equal-priority: ClusterNetworkPolicy b: has priority 1 of the admin tier as ClusterNetworkPolicy a has, and both select `shop/web`: which is asked first is not defined, here by kind and name
        "#]],
    );
}
