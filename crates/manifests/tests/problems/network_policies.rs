//! NetworkPolicy, by the API server's rules.

use expect_test::expect;

use super::*;

#[test]
fn network_policy_types_are_checked() {
    check_policy(
        "{podSelector: [], policyTypes: Ingress}",
        expect![[r#"
        error[wrong-type] a.yaml:4: NetworkPolicy shop/p: `spec.podSelector`: cannot use a list as mapping
          hint: remove the `-`
        error[wrong-type] a.yaml:4: NetworkPolicy shop/p: `spec.policyTypes`: cannot use string `Ingress` as list
    "#]],
    );
    check_policy(
        "{podSelector: {}, ingress: [{ports: [{port: \"80\"}]}]}",
        expect![[r#"
        error[invalid-value] a.yaml:4: NetworkPolicy shop/p: `spec.ingress[0].ports[0].port`: string `80` is a port's name, not its number
          hint: write 80 without quotes
    "#]],
    );
    check_policy(
        "{podSelector: {}, ingress: [{ports: [{port: 80, endPort: \"90\"}]}]}",
        expect![[r#"
        error[wrong-type] a.yaml:4: NetworkPolicy shop/p: `spec.ingress[0].ports[0].endPort`: cannot use string `90` as integer
          hint: write 90 without quotes
    "#]],
    );
    check_policy(
        "{podSelector: {matchLabels: {app: 80, on: on}}}",
        expect![[r#"
        error[wrong-type] a.yaml:4: NetworkPolicy shop/p: `spec.podSelector.matchLabels.app`: cannot use number `80` as string
          hint: put it in quotes: "80"
        error[wrong-type] a.yaml:4: NetworkPolicy shop/p: `spec.podSelector.matchLabels.true`: cannot use boolean `on` as string
          hint: `on` is read as the boolean true: put it in quotes
    "#]],
    );
}

#[test]
fn network_policy_unknown_fields_are_dropped() {
    check_policy(
        "{podselector: {matchLabels: {app: web}}, ingress: [{From: [], colour: red}]}",
        expect![[r#"
            warning[unknown-field] a.yaml:4: NetworkPolicy shop/p: `spec.podselector`: unknown field: the API server drops it, `kubectl` refuses the object
              hint: did you mean `podSelector`?
            warning[unknown-field] a.yaml:4: NetworkPolicy shop/p: `spec.ingress[0].From`: unknown field: the API server drops it, `kubectl` refuses the object
              hint: did you mean `from`?
            warning[unknown-field] a.yaml:4: NetworkPolicy shop/p: `spec.ingress[0].colour`: unknown field: the API server drops it, `kubectl` refuses the object
            in force: NetworkPolicy shop/p at a.yaml:1
        "#]],
    );
}

#[test]
fn network_policy_ports_are_checked() {
    check_policy(
        "{ingress: [{ports: [{port: 0}, {port: 65536}, {port: 80.5}, {port: 1e2}]}]}",
        expect![[r#"
            error[wrong-type] a.yaml:4: NetworkPolicy shop/p: `spec.ingress[0].ports[2].port`: cannot use number `80.5` as integer or string
              hint: write a number without a fraction
            error[invalid-value] a.yaml:4: NetworkPolicy shop/p: `spec.ingress[0].ports[0].port`: port 0 must lie between 1 and 65535
            error[invalid-value] a.yaml:4: NetworkPolicy shop/p: `spec.ingress[0].ports[1].port`: port 65536 must lie between 1 and 65535
        "#]],
    );
    check_policy(
        "{ingress: [{ports: [{port: 80, endPort: 79}, {endPort: 80}, {port: http, endPort: 80}]}]}",
        expect![[r#"
            error[invalid-value] a.yaml:4: NetworkPolicy shop/p: `spec.ingress[0].ports[0]`: `endPort` 79 lies before `port` 80
              hint: give `endPort` a number from `port` on
            error[invalid-value] a.yaml:4: NetworkPolicy shop/p: `spec.ingress[0].ports[1].endPort`: may not stand without `port`
              hint: add `port`, the first port of the range
            error[invalid-value] a.yaml:4: NetworkPolicy shop/p: `spec.ingress[0].ports[2].endPort`: may not stand beside a `port` by name
              hint: give `port` a number
        "#]],
    );
    check_policy(
        "{ingress: [{ports: [{port: Http}, {port: 80, protocol: tcp}, {port: ''}]}]}",
        expect![[r#"
        error[invalid-value] a.yaml:4: NetworkPolicy shop/p: `spec.ingress[0].ports[0].port`: port name `Http` must be at most 15 lower-case letters, digits and single `-`, with at least one letter
        error[invalid-value] a.yaml:4: NetworkPolicy shop/p: `spec.ingress[0].ports[1].protocol`: unknown protocol `tcp`
          hint: use TCP, UDP or SCTP
        error[invalid-value] a.yaml:4: NetworkPolicy shop/p: `spec.ingress[0].ports[2].port`: port name `` must be at most 15 lower-case letters, digits and single `-`, with at least one letter
    "#]],
    );
}

#[test]
fn network_policy_peers_are_checked() {
    check_policy(
        "{ingress: [{from: [{}]}]}",
        expect![[r#"
        error[missing-field] a.yaml:4: NetworkPolicy shop/p: `spec.ingress[0].from[0]`: the peer names nobody
          hint: add podSelector, namespaceSelector or ipBlock; `{}` as a selector selects all, an empty line nothing
    "#]],
    );
    check_policy(
        "{ingress: [{from: [{podSelector: }]}]}",
        expect![[r#"
        error[missing-field] a.yaml:4: NetworkPolicy shop/p: `spec.ingress[0].from[0]`: the peer names nobody
          hint: add podSelector, namespaceSelector or ipBlock; `{}` as a selector selects all, an empty line nothing
    "#]],
    );
    check_policy(
        "{ingress: [{from: [{podSelector: {}, ipBlock: {cidr: 10.0.0.0/8}}]}]}",
        expect![[r#"
        error[invalid-value] a.yaml:4: NetworkPolicy shop/p: `spec.ingress[0].from[0].ipBlock`: `ipBlock` may not stand beside a selector in one peer
          hint: make it a peer of its own: start it with `-`
    "#]],
    );
    check_policy(
        "{ingress: [{from: [{ipBlock: {}}, {ipBlock: {cidr: 10.0.0.1}}, {ipBlock: {cidr: 10.0.0.0/8, except: [11.0.0.0/16, 10.0.0.0/8]}}]}]}",
        expect![[r#"
            error[missing-field] a.yaml:4: NetworkPolicy shop/p: `spec.ingress[0].from[0].ipBlock`: `cidr` is missing
              hint: add `cidr: 10.0.0.0/8` or another block
            error[invalid-value] a.yaml:4: NetworkPolicy shop/p: `spec.ingress[0].from[1].ipBlock.cidr`: `10.0.0.1` is no CIDR block
              hint: add the length: `10.0.0.1/32`
            error[invalid-value] a.yaml:4: NetworkPolicy shop/p: `spec.ingress[0].from[2].ipBlock.except[0]`: 11.0.0.0/16 is no strict subset of `cidr` 10.0.0.0/8
              hint: an exception takes away a part of its own block only
            error[invalid-value] a.yaml:4: NetworkPolicy shop/p: `spec.ingress[0].from[2].ipBlock.except[1]`: 10.0.0.0/8 is no strict subset of `cidr` 10.0.0.0/8
              hint: an exception takes away a part of its own block only
        "#]],
    );
    check_policy(
        "{ingress: [{from: [{ipBlock: {cidr: 10.1.2.3/8, except: [10.1.2.3/16]}}]}]}",
        expect![[r#"
        in force: NetworkPolicy shop/p at a.yaml:1
    "#]],
    );
}

#[test]
fn network_policy_selectors_are_checked() {
    check_policy(
        "{podSelector: {matchExpressions: [{key: a, operator: In}, {key: a, operator: Exists, values: [x]}, {key: a, operator: in, values: [x]}, {key: '', operator: Exists}, {key: a, operator: NotIn, values: ['a b']}]}}",
        expect![[r#"
            error[missing-field] a.yaml:4: NetworkPolicy shop/p: `spec.podSelector.matchExpressions[0]`: In and NotIn need `values`
              hint: add `values: [...]`, or use Exists or DoesNotExist
            error[invalid-value] a.yaml:4: NetworkPolicy shop/p: `spec.podSelector.matchExpressions[1]`: Exists and DoesNotExist take no `values`
              hint: remove `values`, or use In or NotIn
            error[invalid-value] a.yaml:4: NetworkPolicy shop/p: `spec.podSelector.matchExpressions[2]`: unknown operator `in`
              hint: use In, NotIn, Exists or DoesNotExist
            error[invalid-value] a.yaml:4: NetworkPolicy shop/p: `spec.podSelector.matchExpressions[3]`: key `` must be `name` or `domain/name`, the name at most 63 letters, digits, `-`, `_` and `.` with a letter or digit at both ends
            error[invalid-value] a.yaml:4: NetworkPolicy shop/p: `spec.podSelector.matchExpressions[4]`: value `a b` must be at most 63 letters, digits, `-`, `_` and `.`, with a letter or digit at both ends
        "#]],
    );
}

#[test]
fn network_policy_policy_types_are_checked() {
    check_policy(
        "{policyTypes: [ingress, Egress, Egress]}",
        expect![[r#"
        error[invalid-value] a.yaml:4: NetworkPolicy shop/p: `spec.policyTypes`: has more than two entries
          hint: use [Ingress], [Egress] or both
        error[invalid-value] a.yaml:4: NetworkPolicy shop/p: `spec.policyTypes[0]`: unknown policy type `ingress`
          hint: use Ingress or Egress
    "#]],
    );
}

#[test]
fn a_policy_without_a_spec_is_one() {
    check(
        "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: p}\n",
        expect![[r#"
        in force: NetworkPolicy default/p at a.yaml:1
    "#]],
    );
}
