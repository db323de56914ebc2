//! The tiers of administrators: ClusterNetworkPolicy, AdminNetworkPolicy, BaselineAdminNetworkPolicy.

use expect_test::{Expect, expect};

use crate::world::check;

const HOUSES: &str = r#"
    ns red house=red
    ns blue house=blue
    node n1 172.31.0.11 zone=a
    node n2 172.31.0.12 zone=b
    pod red/a app=a ip=10.0.0.1 node=n1 ports=http:80
    pod red/b app=b ip=10.0.0.2 node=n1 ports=http:8080,dns:53/UDP
    pod blue/c app=c ip=10.0.1.3 node=n2 ports=http:80
"#;

fn houses(rest: &str, expected: Expect) {
    check(&format!("{HOUSES}\n{rest}"), expected);
}

#[test]
fn the_first_matching_rule_of_the_lowest_priority_ends_the_admin_tier() {
    houses(
        r#"
        cnp second {tier: Admin, priority: 20, subject: {namespaces: {}}, ingress: [{action: Accept, from: [{namespaces: {}}]}]}
        cnp first {tier: Admin, priority: 10, subject: {namespaces: {matchLabels: {house: red}}}, ingress: [{name: in-house, action: Pass, from: [{namespaces: {matchLabels: {house: red}}}]}, {action: Deny, from: [{namespaces: {}}]}]}
        netpol red/closed {podSelector: {}}
        netpol blue/closed {podSelector: {}}
        ? red/a -> red/b:8080
        ? blue/c -> red/b:8080
        ? red/a -> blue/c:80
        ? 8.8.8.8 -> blue/c:80
        "#,
        expect![[r#"
            red/a -> red/b:8080: denied: closed by NetworkPolicy red/closed, and nothing opens it
            blue/c -> red/b:8080: denied: ClusterNetworkPolicy first ingress[1].from[0]
            red/a -> blue/c:80: allowed: ClusterNetworkPolicy second ingress[0].from[0]
            8.8.8.8 -> blue/c:80: denied: closed by NetworkPolicy blue/closed, and nothing opens it
        "#]],
    );
}

#[test]
fn baseline_is_asked_only_of_what_no_policy_closes_in_that_direction() {
    houses(
        r#"
        banp default {subject: {namespaces: {}}, ingress: [{action: Deny, from: [{namespaces: {}}]}], egress: [{action: Deny, to: [{networks: ["0.0.0.0/0"]}]}]}
        netpol red/ingress-of-b {podSelector: {matchLabels: {app: b}}, ingress: [{from: [{namespaceSelector: {}}]}]}
        anp egress {priority: 5, subject: {namespaces: {}}, egress: [{action: Allow, to: [{namespaces: {}}]}]}
        ? red/a -> red/b:8080
        ? red/a -> blue/c:80
        ? red/a -> 8.8.8.8:443
        ? red/b -> 8.8.8.8:443
        "#,
        expect![[r#"
            red/a -> red/b:8080: allowed: AdminNetworkPolicy egress egress[0].to[0]
            red/a -> blue/c:80: denied: BaselineAdminNetworkPolicy default ingress[0].from[0]
            red/a -> 8.8.8.8:443: denied: BaselineAdminNetworkPolicy default egress[0].to[0]
            red/b -> 8.8.8.8:443: denied: BaselineAdminNetworkPolicy default egress[0].to[0]
        "#]],
    );
}

#[test]
fn an_allow_of_ours_opens_what_baseline_denies_and_no_deny_of_ours_closes_what_admin_accepts() {
    houses(
        r#"
        banp default {subject: {namespaces: {}}, ingress: [{action: Deny, from: [{namespaces: {}}]}]}
        cnp dns {tier: Admin, priority: 0, subject: {namespaces: {}}, ingress: [{action: Accept, from: [{namespaces: {}}], protocols: [{destinationNamedPort: dns}]}], egress: [{action: Accept, to: [{namespaces: {}}], protocols: [{destinationNamedPort: dns}]}]}
        access red/web {rules: [{action: Allow, from: [{workload: a}], to: [{workload: b}], ports: [{port: http}]}]}
        access red/never {rules: [{action: Deny, from: [{workload: a}], to: [{workload: b}], ports: [{port: 53, protocol: UDP}, {port: 9}]}]}
        ? red/a -> red/b:8080
        ? red/a -> red/b:53/UDP
        ? red/a -> red/b:9
        ? red/a -> red/b:10
        "#,
        expect![[r#"
            red/a -> red/b:8080: allowed: AccessPolicy red/web rules[0]
            red/a -> red/b:53/UDP: allowed: ClusterNetworkPolicy dns egress[0].to[0]
            red/a -> red/b:9: denied: AccessPolicy red/never rules[0]
            red/a -> red/b:10: denied: BaselineAdminNetworkPolicy default ingress[0].from[0]
        "#]],
    );
}

#[test]
fn own_addresses_are_exempt_and_host_network_pods_are_their_node() {
    houses(
        r#"
        pod red/host app=host ip=172.31.0.11 node=n1 ports=http:80 hostNetwork
        cnp all {tier: Admin, priority: 0, subject: {namespaces: {}}, ingress: [{action: Deny, from: [{namespaces: {}}]}], egress: [{action: Deny, to: [{nodes: {matchLabels: {zone: b}}}]}, {action: Deny, to: [{pods: {namespaceSelector: {}, podSelector: {matchLabels: {app: host}}}}]}]}
        ? red/a -> red/a:80
        ? red/host -> red/a:80
        ? red/a -> red/host:80
        ? red/a -> node/n1:22
        ? red/a -> node/n2:22
        pod red/far app=far ip=10.0.0.9 node=n3
        ? red/a -> node/n3:22
        ? red/a -> node/n4:22
        "#,
        expect![[r#"
            finding: peer `app=host` in namespaces `{}` matches no pod
            red/a -> red/a:80: allowed: the pod's own address
            red/host -> red/a:80: allowed: not a pod with an address of its own
            red/a -> red/host:80: allowed: nothing closes it
            red/a -> node/n1:22: allowed: nothing closes it
            red/a -> node/n2:22: denied: ClusterNetworkPolicy all egress[0].to[0]
            red/a -> node/n3:22: undecided: the labels of node `n3` are not known
            red/a -> node/n4:22: there is no node `n4`
        "#]],
    );
}

#[test]
fn ports_by_name_resolve_on_the_receiver_for_the_protocol_that_it_declares() {
    houses(
        r#"
        cnp named {tier: Admin, priority: 0, subject: {namespaces: {}}, egress: [{action: Deny, to: [{namespaces: {}}], protocols: [{destinationNamedPort: http}, {destinationNamedPort: dns}]}]}
        anp range {priority: 1, subject: {namespaces: {}}, egress: [{action: Deny, to: [{namespaces: {}}], ports: [{portRange: {start: 90, end: 92}}, {portNumber: {protocol: SCTP, port: 5}}, {portRange: {start: 9, end: 8}}]}]}
        ? red/a -> red/b:80
        ? red/a -> red/b:8080
        ? red/a -> blue/c:80
        ? red/a -> red/b:53
        ? red/a -> red/b:53/UDP
        ? red/a -> red/b:92
        ? red/a -> red/b:92/UDP
        ? red/a -> red/b:5/SCTP
        ? red/a -> red/b:9
        "#,
        expect![[r#"
            problem: `spec.egress[0].ports[2].portRange`: `end` 8 lies before `start` 9: matches no port
            red/a -> red/b:80: allowed: nothing closes it
            red/a -> red/b:8080: denied: ClusterNetworkPolicy named egress[0].to[0]
            red/a -> blue/c:80: denied: ClusterNetworkPolicy named egress[0].to[0]
            red/a -> red/b:53: allowed: nothing closes it
            red/a -> red/b:53/UDP: denied: ClusterNetworkPolicy named egress[0].to[0]
            red/a -> red/b:92: denied: AdminNetworkPolicy range egress[0].to[0]
            red/a -> red/b:92/UDP: allowed: nothing closes it
            red/a -> red/b:5/SCTP: denied: AdminNetworkPolicy range egress[0].to[0]
            red/a -> red/b:9: allowed: nothing closes it
        "#]],
    );
}

#[test]
fn networks_mean_pods_too_and_a_pod_without_address_leaves_a_narrow_one_undecided() {
    houses(
        r#"
        pod blue/new app=new phase=Pending
        cnp networks {tier: Admin, priority: 0, subject: {pods: {namespaceSelector: {}, podSelector: {matchLabels: {app: a}}}}, egress: [{action: Deny, to: [{networks: ["10.0.1.0/24", "2001:db8::/32"]}]}]}
        cnp rest {tier: Baseline, priority: 0, subject: {namespaces: {}}, egress: [{action: Deny, to: [{networks: ["10.0.0.0/8"]}]}]}
        ? red/a -> blue/c:80
        ? red/a -> red/b:80
        ? red/a -> 10.0.1.77:80
        ? red/a -> blue/new:80
        ? red/a -> 8.8.8.8:80
        "#,
        expect![[r#"
            red/a -> blue/c:80: denied: ClusterNetworkPolicy networks egress[0].to[0]
            red/a -> red/b:80: denied: ClusterNetworkPolicy rest egress[0].to[0]
            red/a -> 10.0.1.77:80: denied: ClusterNetworkPolicy networks egress[0].to[0]
            red/a -> blue/new:80: undecided: the address of pod `blue/new` is not known
            red/a -> 8.8.8.8:80: allowed: nothing closes it
        "#]],
    );
}

#[test]
fn what_is_not_known_leaves_open_only_what_depends_on_it() {
    houses(
        r#"
        pod green/d app=d ip=10.0.2.4 node=n1
        cnp deny {tier: Admin, priority: 1, subject: {namespaces: {}}, ingress: [{action: Deny, from: [{namespaces: {matchLabels: {house: green}}}]}]}
        netpol red/closed {podSelector: {}}
        ? green/d -> red/a:80
        ? green/d -> blue/c:80
        ? red/a -> blue/c:80
        "#,
        expect![[r#"
            green/d -> red/a:80: denied: closed by NetworkPolicy red/closed, and nothing opens it
            green/d -> blue/c:80: undecided: the labels of namespace `green` are not known
            red/a -> blue/c:80: allowed: nothing closes it
        "#]],
    );
}

#[test]
fn a_peer_of_a_newer_api_fails_closed() {
    houses(
        r#"
        cnp accept {tier: Admin, priority: 1, subject: {namespaces: {matchLabels: {house: red}}}, ingress: [{action: Accept, from: [{tenants: {}}]}]}
        cnp pass {tier: Admin, priority: 2, subject: {namespaces: {matchLabels: {house: blue}}}, ingress: [{action: Pass, from: [{tenants: {}}], protocols: [{tcp: {destinationPort: {number: 1}}}]}]}
        netpol red/closed {podSelector: {}}
        ? blue/c -> red/a:80
        ? red/a -> blue/c:80
        "#,
        expect![[r#"
            problem: `spec.ingress[0].from[0].tenants`: unknown field: the API server drops it, `kubectl` refuses the object
            problem: `spec.ingress[0].from[0]`: `tenants` is a peer of another version of the API: this rule matches nothing by it
            problem: `spec.ingress[0].from[0].tenants`: unknown field: the API server drops it, `kubectl` refuses the object
            problem: `spec.ingress[0].from[0]`: `tenants` is a peer of another version of the API: this rule denies everything
            blue/c -> red/a:80: denied: closed by NetworkPolicy red/closed, and nothing opens it
            red/a -> blue/c:80: denied: ClusterNetworkPolicy pass ingress[0].from[0]
        "#]],
    );
}

#[test]
fn equal_priorities_and_peers_that_nobody_provides_are_reported() {
    houses(
        r#"
        anp zebra {priority: 7, subject: {namespaces: {}}, ingress: [{action: Deny, from: [{namespaces: {matchLabels: {house: blau}}}]}]}
        cnp ant {tier: Admin, priority: 7, subject: {namespaces: {}}, egress: [{action: Accept, to: [{domainNames: ["*.example.com"]}]}]}
        cnp nobody {tier: Baseline, priority: 7, subject: {pods: {namespaceSelector: {}, podSelector: {matchLabels: {app: z}}}}}
        ? red/a -> blue/c:80
        "#,
        expect![[r#"
            finding: peer `{}` in namespaces `house=blau` matches no pod
            finding: `domainNames` are not resolved yet: this peer matches nothing
            finding: subject `app=z` in namespaces `{}` matches no pod
            finding: has priority 7 of the admin tier as AdminNetworkPolicy zebra has, and both select `blue/c`: which is asked first is not defined, here by kind and name
            red/a -> blue/c:80: allowed: nothing closes it
        "#]],
    );
}
