//! NetworkPolicies.

use expect_test::expect;

use crate::check;

#[test]
fn a_selector_and_a_peer_that_nobody_has() {
    check(
        r#"
        pod shop/web app=web
        netpol shop/dead {podSelector: {matchLabels: {app: wev}}}
        netpol shop/peer {podSelector: {}, ingress: [{from: [{podSelector: {matchLabels: {app: wib}}}, {podSelector: {matchLabels: {app: web}}}]}]}
        netpol shop/away {podSelector: {}, ingress: [{from: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: monitoring}}}]}]}
        "#,
        expect![[r#"
            medium peer-matches-nothing: NetworkPolicy shop/peer: peer `app=wib` matches no pod of namespace `shop`
            info peer-not-in-input: NetworkPolicy shop/away: peer `{}` in namespaces `kubernetes.io/metadata.name=monitoring` matches no pod
            medium selector-matches-nothing: NetworkPolicy shop/dead: podSelector `app=wev` matches no pod of namespace `shop`
        "#]],
    );
}

#[test]
fn a_rule_that_several_others_cover_together() {
    check(
        r#"
        pod shop/web app=web
        pod shop/job app=job
        pod shop/db app=db
        netpol shop/all {podSelector: {matchLabels: {app: db}}, ingress: [{from: [{podSelector: {matchLabels: {app: web}}}, {podSelector: {matchLabels: {app: job}}}], ports: [{port: 80, endPort: 90}]}]}
        netpol shop/job {podSelector: {matchLabels: {app: db}}, ingress: [{from: [{podSelector: {matchLabels: {app: job}}}]}]}
        netpol shop/high {podSelector: {}, ingress: [{from: [{podSelector: {matchLabels: {app: web}}}], ports: [{port: 85, endPort: 99}]}]}
        netpol shop/low {podSelector: {}, ingress: [{from: [{podSelector: {matchLabels: {app: web}}}], ports: [{port: 70, endPort: 84}]}]}
        netpol shop/some {podSelector: {}, egress: [{to: [{podSelector: {matchLabels: {app: web}}}, {podSelector: {matchLabels: {app: job}}}], ports: [{port: 7}]}]}
        netpol shop/half {podSelector: {}, egress: [{to: [{podSelector: {matchLabels: {app: web}}}], ports: [{port: 7}]}]}
        "#,
        expect![[r#"
            low contained-rule: NetworkPolicy shop/all: ingress[0]: all that this rule covers is covered by NetworkPolicy shop/high ingress[0], NetworkPolicy shop/job ingress[0] and NetworkPolicy shop/low ingress[0] together
            low contained-rule: NetworkPolicy shop/half: egress[0]: all that this rule covers is covered by NetworkPolicy shop/some egress[0]
            high dns-forgotten: NetworkPolicy shop/half: egress: `shop/db` and 2 more may reach other pods but not the DNS that tells where they are
        "#]],
    );
}

#[test]
fn a_rule_within_another_of_the_same_or_another_policy() {
    check(
        r#"
        pod shop/web app=web tier=front
        pod shop/db app=db
        netpol shop/a {podSelector: {matchLabels: {app: db}}, ingress: [{from: [{podSelector: {matchLabels: {app: web}}}], ports: [{port: 80}]}]}
        netpol shop/b {podSelector: {}, ingress: [{from: [{podSelector: {}}], ports: [{port: 1, endPort: 100}]}]}
        netpol shop/c {podSelector: {matchLabels: {app: db}}, egress: [{to: [{ipBlock: {cidr: 10.1.0.0/16}}]}, {to: [{ipBlock: {cidr: 10.0.0.0/8, except: [10.2.0.0/16]}}]}]}
        "#,
        expect![[r#"
            low contained-rule: NetworkPolicy shop/a: ingress[0]: all that this rule covers is covered by NetworkPolicy shop/b ingress[0]
            low contained-rule: NetworkPolicy shop/c: egress[0]: all that this rule covers is covered by NetworkPolicy shop/c egress[1]
        "#]],
    );
}

#[test]
fn a_rule_that_opens_more_than_the_other_is_no_part_of_it() {
    check(
        r#"
        pod shop/web app=web
        pod shop/db app=db
        pod other/web app=web
        netpol shop/a {podSelector: {matchLabels: {app: db}}, ingress: [{from: [{podSelector: {matchLabels: {app: web}}}], ports: [{port: 80}]}]}
        netpol shop/b {podSelector: {matchLabels: {app: web}}, ingress: [{from: [{podSelector: {}}], ports: [{port: 80}]}]}
        netpol shop/c {podSelector: {matchLabels: {app: db}}, ingress: [{from: [{podSelector: {matchLabels: {app: web}}}], ports: [{port: 81}]}]}
        netpol shop/d {podSelector: {matchLabels: {app: db}}, ingress: [{from: [{namespaceSelector: {}, podSelector: {matchLabels: {app: web}}}], ports: [{port: 80, protocol: UDP}]}]}
        netpol shop/e {podSelector: {matchLabels: {app: db}}, egress: [{to: [{ipBlock: {cidr: 10.2.1.0/24}}]}, {to: [{ipBlock: {cidr: 10.0.0.0/8, except: [10.2.0.0/16]}}]}]}
        "#,
        expect![[""]],
    );
}

#[test]
fn what_only_these_pods_make_alike_is_told_as_that() {
    check(
        r#"
        pod shop/web app=web tier=front
        pod shop/db app=db
        netpol shop/a {podSelector: {matchLabels: {app: db}}, ingress: [{from: [{podSelector: {matchLabels: {app: web}}}]}]}
        netpol shop/b {podSelector: {matchLabels: {app: db}}, ingress: [{from: [{podSelector: {matchLabels: {tier: front}}}]}]}
        "#,
        expect![[r#"
            info contained-rule: NetworkPolicy shop/b: ingress[0]: all that this rule covers for the pods of this input is covered by NetworkPolicy shop/a ingress[0]
        "#]],
    );
}

#[test]
fn copies() {
    check(
        r#"
        pod shop/web app=web
        netpol shop/a {podSelector: {}, ingress: [{from: [{podSelector: {}}], ports: [{port: 80}]}]}
        netpol shop/b {podSelector: {}, ingress: [{from: [{podSelector: {}}], ports: [{port: 80, protocol: TCP}]}]}
        netpol shop/c {podSelector: {}, ingress: [{from: [{podSelector: {}}], ports: [{port: 80}]}], policyTypes: [Ingress, Egress]}
        "#,
        expect![[r#"
            low contained-rule: NetworkPolicy shop/c: ingress[0]: all that this rule covers is covered by NetworkPolicy shop/a ingress[0]
            low duplicate-policy: NetworkPolicy shop/b: selects the same pods and has the same rules as NetworkPolicy shop/a
        "#]],
    );
}

#[test]
fn the_port_of_a_service_that_no_pod_listens_on() {
    check(
        r#"
        pod shop/web app=web ports=http:8080
        pod shop/api app=api ports=8443
        svc shop/web app=web ports=80->8080
        svc shop/api app=api ports=443->8443
        netpol shop/web {podSelector: {matchLabels: {app: web}}, ingress: [{ports: [{port: 80}]}]}
        netpol shop/both {podSelector: {matchLabels: {app: web}}, ingress: [{from: [{podSelector: {}}], ports: [{port: 80}, {port: http}]}]}
        netpol shop/out {podSelector: {matchLabels: {app: web}}, egress: [{to: [{podSelector: {matchLabels: {app: api}}}], ports: [{port: 443}]}, {ports: [{port: 53, protocol: UDP}]}]}
        "#,
        expect![[r#"
            low service-port-as-pod-port: NetworkPolicy shop/both: ingress[0].ports[0]: no pod listens on TCP 80: that is the port of Service `web`, whose pods listen on 8080
            high service-port-as-pod-port: NetworkPolicy shop/out: egress[0].ports[0]: no pod listens on TCP 443: that is the port of Service `api`, whose pods listen on 8443
            high service-port-as-pod-port: NetworkPolicy shop/web: ingress[0].ports[0]: no pod listens on TCP 80: that is the port of Service `web`, whose pods listen on 8080
        "#]],
    );
}

#[test]
fn a_port_that_some_pod_or_service_means_is_no_mistake() {
    check(
        r#"
        pod shop/web app=web ports=8080
        pod shop/old app=web ports=80
        pod shop/api app=api probe=443
        svc shop/web app=web ports=80->8080
        svc shop/api app=api ports=443->8443
        svc shop/same app=api ports=9090
        netpol shop/web {podSelector: {matchLabels: {app: web}}, ingress: [{ports: [{port: 80}]}]}
        netpol shop/api {podSelector: {matchLabels: {app: api}}, ingress: [{ports: [{port: 443}, {port: 9090}, {port: 7}]}]}
        "#,
        expect![[""]],
    );
}

#[test]
fn dns_that_was_forgotten() {
    check(
        r#"
        pod shop/web app=web
        pod shop/api app=api
        pod shop/tcp app=tcp
        netpol shop/web {podSelector: {matchLabels: {app: web}}, egress: [{to: [{podSelector: {matchLabels: {app: api}}}]}], policyTypes: [Egress]}
        netpol shop/tcp {podSelector: {matchLabels: {app: tcp}}, egress: [{to: [{podSelector: {matchLabels: {app: api}}}]}, {to: [{namespaceSelector: {}}], ports: [{port: 53}]}], policyTypes: [Egress]}
        "#,
        expect![[r#"
            high dns-forgotten: NetworkPolicy shop/tcp: egress: `shop/tcp` may ask the DNS over TCP alone: a port without `protocol` is TCP
            high dns-forgotten: NetworkPolicy shop/web: egress: `shop/web` may reach other pods but not the DNS that tells where they are
        "#]],
    );
}

#[test]
fn dns_that_is_open_or_not_needed() {
    check(
        r#"
        pod shop/web app=web
        pod shop/api app=api
        pod shop/shut app=shut
        pod shop/addresses app=addresses
        pod shop/all app=all
        netpol shop/web {podSelector: {matchLabels: {app: web}}, egress: [{to: [{podSelector: {matchLabels: {app: api}}}]}]}
        netpol shop/dns {podSelector: {matchLabels: {app: web}}, egress: [{to: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: kube-system}}}], ports: [{port: 53, protocol: UDP}]}]}
        netpol shop/shut {podSelector: {matchLabels: {app: shut}}, policyTypes: [Egress]}
        netpol shop/addresses {podSelector: {matchLabels: {app: addresses}}, egress: [{to: [{ipBlock: {cidr: 203.0.113.0/24}}], ports: [{port: 443}]}]}
        netpol shop/all {podSelector: {matchLabels: {app: all}}, egress: [{to: [{podSelector: {matchLabels: {app: api}}}]}, {}]}
        "#,
        expect![[r#"
            low contained-rule: NetworkPolicy shop/all: egress[0]: all that this rule covers is covered by NetworkPolicy shop/all egress[1]
        "#]],
    );
}

#[test]
fn blocks_of_services_and_of_pods() {
    check(
        r#"
        pod shop/web app=web ip=10.244.0.5
        pod shop/db app=db ip=10.244.0.6
        node n1 192.168.0.1
        svc shop/web app=web ip=10.96.0.10 ports=80
        netpol shop/a {podSelector: {}, policyTypes: [Egress], egress: [{to: [{ipBlock: {cidr: 10.96.0.0/12}}, {ipBlock: {cidr: 10.244.0.5/32}}, {ipBlock: {cidr: 10.244.0.0/16}}]}]}
        "#,
        expect![[r#"
            medium ip-block-of-pods: NetworkPolicy shop/a: egress[0].to[1]: block 10.244.0.5/32 holds the addresses of `shop/web`, and no other that is known
            low ip-block-of-pods: NetworkPolicy shop/a: egress[0].to[2]: block 10.244.0.0/16 holds the addresses of `shop/web` and 1 more, and no other that is known
            high ip-block-of-services: NetworkPolicy shop/a: egress[0].to[0]: block 10.96.0.0/12 covers the address of Service shop/web, and no pod's or node's
        "#]],
    );
}

#[test]
fn blocks_of_the_world_nodes_and_private_networks_are_none() {
    check(
        r#"
        pod shop/web app=web ip=10.244.0.5
        node n1 192.168.0.1
        svc shop/web app=web ip=10.96.0.10 ports=80
        netpol shop/a {podSelector: {}, policyTypes: [Egress], egress: [{to: [{ipBlock: {cidr: 0.0.0.0/0}}, {ipBlock: {cidr: 10.0.0.0/8}}, {ipBlock: {cidr: 192.168.0.0/24}}, {ipBlock: {cidr: 203.0.113.0/24}}, {ipBlock: {cidr: 10.96.0.0/12, except: [10.96.0.0/24]}}]}]}
        "#,
        expect![[""]],
    );
}

#[test]
fn labels_that_controllers_make() {
    check(
        r#"
        pod shop/web app=web pod-template-hash=7d4b controller-uid=1
        netpol shop/hash {podSelector: {matchLabels: {app: web, pod-template-hash: 7d4b}}}
        netpol shop/peer {podSelector: {matchLabels: {app: web}}, ingress: [{from: [{podSelector: {matchExpressions: [{key: controller-uid, operator: In, values: ["1"]}]}}]}]}
        netpol shop/exists {podSelector: {matchExpressions: [{key: pod-template-hash, operator: Exists}]}}
        "#,
        expect![[r#"
            medium generated-label: NetworkPolicy shop/hash: `pod-template-hash` in the selector changes with every rollout
            medium generated-label: NetworkPolicy shop/peer: ingress[0].from[0]: `controller-uid` in the selector changes with every rollout
        "#]],
    );
}

/// A Deployment `shop/web` whose template has `labels`, and pods of it, each with its labels.
fn rollout(template: &str, pods: &[&str]) -> String {
    let mut world = format!(
        "raw {{apiVersion: apps/v1, kind: Deployment, metadata: {{name: web, namespace: shop}}, spec: {{selector: {{matchLabels: {{app: web}}}}, template: {{metadata: {{labels: {{{template}}}}}, spec: {{containers: [{{name: c, image: x}}]}}}}}}}}\n"
    );
    for (number, labels) in pods.iter().enumerate() {
        world += &format!(
            "raw {{apiVersion: v1, kind: Pod, metadata: {{name: web-h-{number}, namespace: shop, labels: {{pod-template-hash: h, {labels}}}, ownerReferences: [{{apiVersion: apps/v1, kind: ReplicaSet, name: web-h, uid: u, controller: true}}]}}, spec: {{containers: [{{name: c, image: x}}]}}, status: {{phase: Running}}}}\n"
        );
    }
    world
}

#[test]
fn labels_of_pods_and_template_that_drifted_apart() {
    const POLICY: &str = "netpol shop/p {podSelector: {matchLabels: {tier: front}}}";
    // Gone with the next rollout.
    check(
        &format!("{}{POLICY}", rollout("app: web", &["app: web, tier: front"])),
        expect![[r#"
        medium label-drift: NetworkPolicy shop/p: matches the pods of Deployment shop/web, but not those of its template: the label `tier: front` is gone there
    "#]],
    );
    // Only with the next rollout.
    check(
        &format!("{}{POLICY}", rollout("app: web, tier: front", &["app: web"])),
        expect![[r#"
        medium label-drift: NetworkPolicy shop/p: matches the template of Deployment shop/web, but none of its running pods: they lack `tier: front`
        medium selector-matches-nothing: NetworkPolicy shop/p: podSelector `tier=front` matches no pod of namespace `shop`
    "#]],
    );
    // Only some.
    check(
        &format!("{}{POLICY}", rollout("app: web, tier: front", &["app: web", "app: web, tier: front"])),
        expect![[r#"
            medium label-drift: NetworkPolicy shop/p: matches 1 of 2 pods of Deployment shop/web: the others lack `tier: front`
        "#]],
    );
    // All, and none of which the policy speaks.
    check(&format!("{}{POLICY}", rollout("app: web, tier: front", &["app: web, tier: front, more: m"])), expect![""]);
}

#[test]
fn closed_by_name_alone() {
    check(
        r#"
        pod shop/web app=web
        netpol shop/default-deny {podSelector: {}, ingress: [{}]}
        netpol shop/deny-all-egress {podSelector: {}, policyTypes: [Egress], egress: [{}]}
        netpol shop/allow-all {podSelector: {matchLabels: {app: web}}, policyTypes: [Ingress], ingress: [{}]}
        netpol shop/deny-but-web {podSelector: {}, ingress: [{from: [{podSelector: {}}]}]}
        "#,
        expect![[r#"
            low contained-rule: NetworkPolicy shop/allow-all: ingress[0]: all that this rule covers is covered by NetworkPolicy shop/default-deny ingress[0]
            low contained-rule: NetworkPolicy shop/deny-but-web: ingress[0]: all that this rule covers is covered by NetworkPolicy shop/default-deny ingress[0]
            high denies-nothing: NetworkPolicy shop/default-deny: ingress[0]: is named as if it denied, and lets all pods that it selects in from everyone
            high denies-nothing: NetworkPolicy shop/deny-all-egress: egress[0]: is named as if it denied, and lets all pods that it selects out to everyone
        "#]],
    );
}

#[test]
fn two_peers_where_one_was_meant() {
    const PODS: &str = "
        ns shop
        ns edge team=edge
        pod shop/db app=db
        pod edge/gateway app=gateway
    ";
    const OR: &str = "netpol shop/p {podSelector: {matchLabels: {app: db}}, ingress: [{from: [{namespaceSelector: {matchLabels: {team: edge}}}, {podSelector: {matchLabels: {app: gateway}}}]}]}";
    check(
        &format!("{PODS}\n{OR}"),
        expect![[r#"
        high and-or: NetworkPolicy shop/p: ingress[0].from[1]: two peers: all pods of namespaces `team=edge`, and pods `app=gateway` of `shop`
        medium peer-matches-nothing: NetworkPolicy shop/p: peer `app=gateway` matches no pod of namespace `shop`
    "#]],
    );
    // Pods with the label are here too: perhaps both are meant.
    check(
        &format!("{PODS}\npod shop/gateway app=gateway\n{OR}"),
        expect![[r#"
        low and-or: NetworkPolicy shop/p: ingress[0].from[1]: two peers: all pods of namespaces `team=edge`, and pods `app=gateway` of `shop`
    "#]],
    );
    // One peer, and two that have nothing to do with each other.
    const AND: &str = "netpol shop/p {podSelector: {matchLabels: {app: db}}, ingress: [{from: [{namespaceSelector: {matchLabels: {team: edge}}, podSelector: {matchLabels: {app: gateway}}}]}]}";
    check(&format!("{PODS}\n{AND}"), expect![[""]]);
    const APART: &str = "netpol shop/p {podSelector: {matchLabels: {app: db}}, ingress: [{from: [{namespaceSelector: {matchLabels: {team: edge}}}, {podSelector: {matchLabels: {app: db}}}]}]}";
    check(&format!("{PODS}\n{APART}"), expect![[""]]);
}

#[test]
fn a_named_port_of_nobody() {
    check(
        r#"
        pod shop/web app=web ports=http:8080,dns:53/UDP
        netpol shop/a {podSelector: {}, ingress: [{ports: [{port: web}, {port: http}, {port: dns}, {port: dns, protocol: UDP}]}]}
        "#,
        expect![[r#"
            medium named-port-of-nobody: NetworkPolicy shop/a: ingress[0].ports[0]: no pod that the rule opens declares a TCP port `web`
            medium named-port-of-nobody: NetworkPolicy shop/a: ingress[0].ports[2]: no pod that the rule opens declares a TCP port `dns`
        "#]],
    );
}

#[test]
fn a_range_of_every_port() {
    check(
        r#"
        pod shop/web app=web
        netpol shop/a {podSelector: {}, ingress: [{ports: [{port: 1, endPort: 65535}, {port: 1024, endPort: 65535, protocol: UDP}]}]}
        "#,
        expect![[r#"
            low every-port: NetworkPolicy shop/a: ingress[0].ports[0]: 1-65535 is every TCP port
        "#]],
    );
}

#[test]
fn pods_on_the_nodes_network() {
    check(
        r#"
        pod shop/web app=web
        pod shop/agent app=agent hostNetwork
        netpol shop/a {podSelector: {}}
        netpol shop/b {podSelector: {matchLabels: {app: web}}}
        "#,
        expect![[r#"
            medium selects-host-network: NetworkPolicy shop/a: podSelector matches `shop/agent`, on the node's network: it stays open
        "#]],
    );
}

#[test]
fn a_namespace_without_an_object() {
    check(
        r#"
        ns shop
        pod shop/web app=web
        pod sohp/web app=web
        pod default/web app=web
        netpol shop/a {podSelector: {}}
        netpol default/a {podSelector: {}}
        netpol sohp/a {podSelector: {}}
        netpol sohp/b {podSelector: {}, policyTypes: [Egress]}
        "#,
        expect![[r#"
            low missing-namespace: NetworkPolicy sohp/a: there is no Namespace `sohp`
            low missing-namespace: NetworkPolicy sohp/b: there is no Namespace `sohp`
        "#]],
    );
    // Without any Namespace object the input simply has none.
    check("pod shop/web app=web\nnetpol shop/a {podSelector: {}}", expect![[""]]);
}
