//! The policies of administrators, by the rules of their CRDs.

use expect_test::expect;

use super::*;

/// A ClusterNetworkPolicy whose spec is `spec`, in flow style; the spec stands on line 4.
fn check_cluster_policy(spec: &str, expected: Expect) {
    check(
        &format!(
            "apiVersion: policy.networking.k8s.io/v1alpha2\nkind: ClusterNetworkPolicy\nmetadata: {{name: p}}\nspec: {spec}\n"
        ),
        expected,
    );
}

#[test]
fn cluster_network_policies_keep_the_rules_of_their_crd() {
    check_cluster_policy(
        "{tier: Admin, priority: 10, subject: {namespaces: {}}, egress: [{name: a, action: Accept, to: [{networks: [10.1.2.3/8]}, {pods: {namespaceSelector: {}, podSelector: {}}}], protocols: [{tcp: {destinationPort: {number: 80}}}, {udp: {destinationPort: {range: {start: 1, end: 2}}}}]}]}",
        expect![[r#"
            in force: ClusterNetworkPolicy p at a.yaml:1
        "#]],
    );
    check_cluster_policy(
        "{}",
        expect![[r#"
        error[missing-field] a.yaml:4: ClusterNetworkPolicy p: `spec`: `subject` is missing
        error[missing-field] a.yaml:4: ClusterNetworkPolicy p: `spec`: `tier` is missing
        error[missing-field] a.yaml:4: ClusterNetworkPolicy p: `spec`: `priority` is missing
    "#]],
    );
    check_cluster_policy(
        "{tier: admin, priority: 1001, subject: {namespaces: {}, pods: {namespaceSelector: {}, podSelector: {}}}}",
        expect![[r#"
            error[invalid-value] a.yaml:4: ClusterNetworkPolicy p: `spec.subject`: has more than one field
              hint: use `namespaces` or `pods`, and only one of them
            error[invalid-value] a.yaml:4: ClusterNetworkPolicy p: `spec.tier`: unknown tier `admin`
              hint: use Admin or Baseline
            error[invalid-value] a.yaml:4: ClusterNetworkPolicy p: `spec.priority`: priority 1001 is out of range
              hint: use 0 to 1000; the lowest is asked first
        "#]],
    );
    check_cluster_policy(
        "{tier: Admin, priority: 1, subject: {pods: {podSelector: {}}}, ingress: [{action: Allow, from: []}, {action: Deny}, {action: Pass, from: [{}, {namespaces: {}, pods: {namespaceSelector: {}, podSelector: {}}}]}]}",
        expect![[r#"
            error[invalid-value] a.yaml:4: ClusterNetworkPolicy p: `spec.ingress[0].action`: unknown action `Allow`
              hint: use Deny, Pass or Accept
            error[invalid-value] a.yaml:4: ClusterNetworkPolicy p: `spec.ingress[0].from`: is empty
              hint: remove the line, or name somebody
            error[missing-field] a.yaml:4: ClusterNetworkPolicy p: `spec.ingress[1]`: `from` is missing
              hint: name everyone by `- namespaces: {}`
            error[missing-field] a.yaml:4: ClusterNetworkPolicy p: `spec.ingress[2].from[0]`: the peer names nobody
              hint: `namespaces: {}` is every pod of the cluster
            error[invalid-value] a.yaml:4: ClusterNetworkPolicy p: `spec.ingress[2].from[1]`: `namespaces` may not stand beside `pods` in one peer
              hint: make it two peers, each with its own `-`
        "#]],
    );
    check_cluster_policy(
        "{tier: Admin, priority: 1, subject: {namespaces: {}}, egress: [{action: Deny, to: [{domainNames: [a.example.com]}]}, {action: Accept, to: [{networks: [010.0.0.0/8, '::ffff:10.0.0.0/104', 10.0.0.1]}], protocols: [{destinationNamedPort: http}]}]}",
        expect![[r#"
            warning[unknown-peer] a.yaml:4: ClusterNetworkPolicy p: `spec.egress[0].to[0]`: only Accept knows `domainNames`: this rule denies everything
              hint: deny the networks behind the names
            error[invalid-value] a.yaml:4: ClusterNetworkPolicy p: `spec.egress[1].to[0].networks[0]`: `010.0.0.0/8` is no CIDR block
              hint: write it as 10.0.0.0/8 or 2001:db8::/32
            error[invalid-value] a.yaml:4: ClusterNetworkPolicy p: `spec.egress[1].to[0].networks[1]`: `::ffff:10.0.0.0/104` is no CIDR block
              hint: write it as 10.0.0.0/8 or 2001:db8::/32
            error[invalid-value] a.yaml:4: ClusterNetworkPolicy p: `spec.egress[1].to[0].networks[2]`: `10.0.0.1` is no CIDR block
              hint: write it as 10.0.0.0/8 or 2001:db8::/32
            error[invalid-value] a.yaml:4: ClusterNetworkPolicy p: `spec.egress[1]`: a port by name may not stand beside networks, nodes or domainNames
              hint: only pods have ports with names: make it two rules
        "#]],
    );
    check_cluster_policy(
        "{tier: Admin, priority: 1, subject: {namespaces: {}}, ingress: [{action: Deny, from: [{namespaces: {}}], protocols: [{tcp: {}}, {tcp: {destinationPort: {range: {start: 8, end: 8}}}}, {udp: {destinationPort: {number: 0}}}, {icmp: {}}, {tcp: {destinationPort: {number: 1, range: {start: 1, end: 2}}}}]}]}",
        expect![[r#"
            warning[unknown-field] a.yaml:4: ClusterNetworkPolicy p: `spec.ingress[0].protocols[3].icmp`: unknown field: the API server drops it, `kubectl` refuses the object
            error[missing-field] a.yaml:4: ClusterNetworkPolicy p: `spec.ingress[0].protocols[0].tcp`: `destinationPort` is missing
              hint: for every port write `destinationPort: {range: {start: 1, end: 65535}}`
            error[invalid-value] a.yaml:4: ClusterNetworkPolicy p: `spec.ingress[0].protocols[1].tcp.destinationPort.range`: `start` 8 does not lie before `end` 8
              hint: for one port use `number`
            error[invalid-value] a.yaml:4: ClusterNetworkPolicy p: `spec.ingress[0].protocols[2].udp.destinationPort.number`: port 0 must lie between 1 and 65535
            error[invalid-value] a.yaml:4: ClusterNetworkPolicy p: `spec.ingress[0].protocols[3]`: names no protocol
              hint: make each an entry of its own: start it with `-`
            error[invalid-value] a.yaml:4: ClusterNetworkPolicy p: `spec.ingress[0].protocols[4].tcp.destinationPort`: wants either `number` or `range`
        "#]],
    );
}

#[test]
fn a_cluster_network_policy_without_a_namespace_selector_means_every_namespace() {
    for version in ["v1alpha2", "v1beta1"] {
        check(
            &format!(
                "apiVersion: policy.networking.k8s.io/{version}\nkind: ClusterNetworkPolicy\nmetadata: {{name: p}}\nspec: {{tier: Admin, priority: 1, subject: {{pods: {{podSelector: {{}}}}}}, egress: [{{action: Deny, to: [{{pods: {{podSelector: {{matchLabels: {{a: b}}}}}}}}]}}]}}\n"
            ),
            expect![[r#"
                in force: ClusterNetworkPolicy p at a.yaml:1
            "#]],
        );
    }
}

#[test]
fn the_newest_version_wants_networks_without_bits_behind_the_prefix() {
    check(
        "apiVersion: policy.networking.k8s.io/v1beta1\nkind: ClusterNetworkPolicy\nmetadata: {name: p}\nspec: {tier: Admin, priority: 1, subject: {namespaces: {}}, egress: [{action: Deny, to: [{networks: [10.1.2.3/8]}]}]}\n",
        expect![[r#"
            error[invalid-value] a.yaml:4: ClusterNetworkPolicy p: `spec.egress[0].to[0].networks[0]`: `10.1.2.3/8` has bits behind its prefix
              hint: write it as 10.0.0.0/8
        "#]],
    );
}

#[test]
fn what_the_server_takes_and_nobody_can_read_is_not_known() {
    check_cluster_policy(
        "{tier: Admin, priority: 1, subject: {namespaces: {matchLabels: {a: 'b c'}}}, ingress: [{action: Deny, from: [{pods: {podSelector: {matchExpressions: [{key: a, operator: Like, values: [b]}]}}}]}]}",
        expect![[r#"
            error[invalid-value] a.yaml:4: ClusterNetworkPolicy p: `spec.subject.namespaces.matchLabels.a`: `b c` must be at most 63 letters, digits, `-`, `_` and `.`, with a letter or digit at both ends
            error[invalid-value] a.yaml:4: ClusterNetworkPolicy p: `spec.ingress[0].from[0].pods.podSelector.matchExpressions[0]`: unknown operator `Like`
              hint: use In, NotIn, Exists or DoesNotExist
            unreadable: ClusterNetworkPolicy in any namespace at a.yaml:1
        "#]],
    );
    check_cluster_policy(
        "{tier: Admin, priority: 1, subject: {namespaces: {}}, egress: [{action: Accept, to: [{domainNames: [example.com, example.com, '*', a..b, null]}]}, {action: Deny, to: [{domainNames: [example.com]}]}]}",
        expect![[r#"
            error[duplicate] a.yaml:4: ClusterNetworkPolicy p: `spec.egress[0].to[0].domainNames[1]`: `example.com` is there already
              hint: remove one of the two
            error[invalid-value] a.yaml:4: ClusterNetworkPolicy p: `spec.egress[0].to[0].domainNames[2]`: `*` is no domain name
              hint: write it as example.com, or *.example.com for all below it
            error[invalid-value] a.yaml:4: ClusterNetworkPolicy p: `spec.egress[0].to[0].domainNames[3]`: `a..b` is no domain name
              hint: write it as example.com, or *.example.com for all below it
            error[invalid-value] a.yaml:4: ClusterNetworkPolicy p: `spec.egress[0].to[0].domainNames[4]`: `` is no domain name
              hint: write it as example.com, or *.example.com for all below it
            warning[unknown-peer] a.yaml:4: ClusterNetworkPolicy p: `spec.egress[1].to[0]`: only Accept knows `domainNames`: this rule denies everything
              hint: deny the networks behind the names
        "#]],
    );
}

#[test]
fn the_older_admin_policies_keep_theirs() {
    let policy = |kind: &str, name: &str, spec: &str| {
        format!(
            "apiVersion: policy.networking.k8s.io/v1alpha1\nkind: {kind}\nmetadata: {{name: {name}}}\nspec: {spec}\n"
        )
    };
    check(
        &policy(
            "AdminNetworkPolicy",
            "p",
            "{priority: 3, subject: {namespaces: {}}, ingress: [{action: Allow, from: [{namespaces: {namespaceSelector: {matchLabels: {a: b}}}}], ports: [{portNumber: {port: 80}}, {namedPort: http}, {portRange: {protocol: UDP, start: 5, end: 5}}]}]}",
        ),
        expect![[r#"
            in force: AdminNetworkPolicy p at a.yaml:1
        "#]],
    );
    check(
        &policy(
            "BaselineAdminNetworkPolicy",
            "other",
            "{subject: {namespaces: {}}, egress: [{action: Pass, to: [{nodes: {}}], ports: [{namedPort: http}]}]}",
        ),
        expect![[r#"
            error[invalid-value] a.yaml:1: BaselineAdminNetworkPolicy other: a BaselineAdminNetworkPolicy is named `default`, and there is only that one
              hint: write `metadata: {name: default}`
            error[invalid-value] a.yaml:4: BaselineAdminNetworkPolicy other: `spec.egress[0].action`: unknown action `Pass`
              hint: use Allow or Deny
            error[invalid-value] a.yaml:4: BaselineAdminNetworkPolicy other: `spec.egress[0]`: a port by name may not stand beside networks, nodes or domainNames
              hint: only pods have ports with names: make it two rules
        "#]],
    );
    check(
        &policy(
            "AdminNetworkPolicy",
            "p",
            "{priority: 1, subject: {namespaces: {}}, ingress: [{action: Accept, from: [{namespaces: {sameLabels: [team]}}], ports: []}]}",
        ),
        expect![[r#"
            error[invalid-value] a.yaml:4: AdminNetworkPolicy p: `spec.ingress[0].action`: unknown action `Accept`
              hint: use Deny, Pass or Allow
            warning[unknown-peer] a.yaml:4: AdminNetworkPolicy p: `spec.ingress[0].from[0]`: `sameLabels` and `notSameLabels` are of an early version of the API and not known any more
            error[invalid-value] a.yaml:4: AdminNetworkPolicy p: `spec.ingress[0].ports`: is empty
              hint: remove the line, or name somebody
        "#]],
    );
}

#[test]
fn an_empty_list_of_peers_or_ports_means_all() {
    check_policy(
        "{podSelector: {}, ingress: [{from: []}, {from: [{podSelector: {}}], ports: []}], egress: [{to: []}, {}]}",
        expect![[r#"
        warning[empty-peer-list] a.yaml:4: NetworkPolicy shop/p: `spec.ingress[0].from`: an empty list means everyone, from outside too
          hint: `ingress: []` without a rule is what closes; remove the line if everyone is meant
        warning[empty-peer-list] a.yaml:4: NetworkPolicy shop/p: `spec.ingress[1].ports`: an empty list means every port
          hint: remove the line if every port is meant
        warning[empty-peer-list] a.yaml:4: NetworkPolicy shop/p: `spec.egress[0].to`: an empty list means everyone, from outside too
          hint: `egress: []` without a rule is what closes; remove the line if everyone is meant
        in force: NetworkPolicy shop/p at a.yaml:1
    "#]],
    );
}
