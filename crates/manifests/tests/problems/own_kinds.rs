//! AccessPolicy, Perimeter and ClusterSettings.

use expect_test::expect;

use super::*;

#[test]
fn a_rule_that_is_whole() {
    check_rule(
        "{name: web-reads-orders, action: Allow, from: [{workload: web, container: nginx, program: /usr/sbin/nginx}], to: [{workload: Deployment/orders}], ports: [{port: http}, {port: 8000, endPort: 8010, protocol: UDP}], http: [{methods: [GET], paths: ['/orders/{*}']}], expires: 2027-01-31T00:00:00Z, owner: shop, reason: orders page}",
        expect![[r#"
            in force: AccessPolicy shop/p at a.yaml:1
        "#]],
    );
}

#[test]
fn access_rules_must_say_who() {
    check_rule(
        "{action: Allow, from: [], to: [{workload: a}]}",
        expect![[r#"
        error[missing-field] a.yaml:5: AccessPolicy shop/p: `spec.rules[0]`: `from` is missing or empty
          hint: say who: `from: [{selector: {}}]` is every pod of the namespace, `{entity: world}` the outside
    "#]],
    );
    check_rule(
        "{action: Allow, from: [{}], to: [{selector: }]}",
        expect![[r#"
        error[empty-field] a.yaml:5: AccessPolicy shop/p: `spec.rules[0].to[0].selector`: is empty
          hint: give it a value (`{}` selects everything), or remove the line
        error[missing-field] a.yaml:5: AccessPolicy shop/p: `spec.rules[0].from[0]`: the peer names nobody
          hint: `selector: {}` is every pod of the namespace, `entity: world` the outside
        error[missing-field] a.yaml:5: AccessPolicy shop/p: `spec.rules[0].to[0]`: the peer names nobody
          hint: `selector: {}` is every pod of the namespace, `entity: world` the outside
    "#]],
    );
    check_rule(
        "{from: [{workload: a}], to: [{workload: b}]}",
        expect![[r#"
        error[missing-field] a.yaml:5: AccessPolicy shop/p: `spec.rules[0]`: `action` is missing
          hint: add `action: Allow` or `action: Deny`
    "#]],
    );
}

#[test]
fn unknown_fields_reject_our_own_kinds() {
    check_rule(
        "{action: Allow, from: [{Workload: a}], to: [{workload: b, port: 80}]}",
        expect![[r#"
        error[unknown-field] a.yaml:5: AccessPolicy shop/p: `spec.rules[0].from[0].Workload`: unknown field
          hint: did you mean `workload`?
        error[unknown-field] a.yaml:5: AccessPolicy shop/p: `spec.rules[0].to[0].port`: unknown field
          hint: known here: workload, selector, namespace, namespaceSelector, serviceAccount, container, program, service, fqdn, cidr, except, entity
    "#]],
    );
}

#[test]
fn peers_that_name_a_party_stand_alone() {
    check_rule(
        "{action: Allow, from: [{cidr: 10.0.0.0/8, workload: a}], to: [{entity: world, selector: {}}]}",
        expect![[r#"
            error[invalid-value] a.yaml:5: AccessPolicy shop/p: `spec.rules[0].from[0]`: `cidr` may not stand beside `workload` in one peer
              hint: fields of one peer must all hold; make it two peers, each with its own `-`
            error[invalid-value] a.yaml:5: AccessPolicy shop/p: `spec.rules[0].to[0]`: `entity` may not stand beside `selector` in one peer
              hint: fields of one peer must all hold; make it two peers, each with its own `-`
        "#]],
    );
    check_rule(
        "{action: Allow, from: [{except: [10.0.0.0/8]}], to: [{fqdn: a.example.com, cidr: 10.0.0.0/8}]}",
        expect![[r#"
            error[missing-field] a.yaml:5: AccessPolicy shop/p: `spec.rules[0].from[0]`: `cidr` is missing
              hint: add `cidr: 10.0.0.0/8` or another block
            error[invalid-value] a.yaml:5: AccessPolicy shop/p: `spec.rules[0].to[0]`: `cidr` may not stand beside `fqdn` in one peer
              hint: fields of one peer must all hold; make it two peers, each with its own `-`
        "#]],
    );
    check_rule(
        "{action: Allow, from: [{workload: a}], to: [{service: b, workload: c}]}",
        expect![[r#"
        error[invalid-value] a.yaml:5: AccessPolicy shop/p: `spec.rules[0].to[0]`: `service` may not stand beside `workload` in one peer
          hint: fields of one peer must all hold; make it two peers, each with its own `-`
    "#]],
    );
    check_rule(
        "{action: Allow, from: [{workload: a}], to: [{service: b, namespace: c}]}",
        expect![[r#"
        in force: AccessPolicy shop/p at a.yaml:1
    "#]],
    );
}

#[test]
fn peers_are_checked() {
    check_rule(
        "{action: Allow, from: [{fqdn: a.example.com}, {service: s}], to: [{workload: Deploy/x}, {workload: Foo/x}, {program: nginx}, {program: /a/../b}]}",
        expect![[r#"
            error[invalid-value] a.yaml:5: AccessPolicy shop/p: `spec.rules[0].from[0].fqdn`: a name cannot be known of a sender
              hint: use `cidr` or `entity: world` in `from`
            error[invalid-value] a.yaml:5: AccessPolicy shop/p: `spec.rules[0].from[1]`: a `service` does not send
              hint: name the pods behind it: `workload` or `selector`
            error[invalid-value] a.yaml:5: AccessPolicy shop/p: `spec.rules[0].to[1].workload`: unknown workload kind `Foo`, expected Deployment, ReplicaSet, ReplicationController, StatefulSet, DaemonSet, Job, CronJob or Pod
            error[invalid-value] a.yaml:5: AccessPolicy shop/p: `spec.rules[0].to[2].program`: `nginx` is no absolute path
              hint: give the path in the container's image, as in /usr/sbin/nginx
            error[invalid-value] a.yaml:5: AccessPolicy shop/p: `spec.rules[0].to[3].program`: `/a/../b` is no absolute path
              hint: give the path in the container's image, as in /usr/sbin/nginx
        "#]],
    );
    check_rule(
        "{action: Deny, from: [{entity: internet}], to: [{fqdn: a.example.com}]}",
        expect![[r#"
        error[invalid-value] a.yaml:5: AccessPolicy shop/p: `spec.rules[0].from[0].entity`: unknown entity `internet`
          hint: use one of world, cluster, nodes, kubelet, apiserver, dns, gateway, metadata
        error[invalid-value] a.yaml:5: AccessPolicy shop/p: `spec.rules[0].to[0].fqdn`: `fqdn` may not stand in a Deny: whoever answers by another name would pass it
          hint: close the pods by a Perimeter and allow the names that they need
    "#]],
    );
    check_rule(
        "{action: Allow, from: [{workload: a}], to: [{fqdn: '*.s3.amazonaws.com'}, {fqdn: 'a.*.com'}, {fqdn: com}]}",
        expect![[r#"
            error[invalid-value] a.yaml:5: AccessPolicy shop/p: `spec.rules[0].to[1].fqdn`: `a.*.com` is no DNS name
              hint: write it in lower case, as in api.example.com or *.example.com
            error[invalid-value] a.yaml:5: AccessPolicy shop/p: `spec.rules[0].to[2].fqdn`: `com` is no DNS name
              hint: write it in lower case, as in api.example.com or *.example.com
        "#]],
    );
}

#[test]
fn times_are_checked() {
    check_rule(
        "{action: Deny, from: [{workload: a}], to: [{workload: b}], expires: 2027-01-31T00:00:00Z}",
        expect![[r#"
            error[invalid-value] a.yaml:5: AccessPolicy shop/p: `spec.rules[0].expires`: a Deny does not expire: nothing opens because time passes
              hint: remove `expires`, and the rule when it is no longer needed
        "#]],
    );
    check_rule(
        "{action: Allow, from: [{workload: a}], to: [{workload: b}], expires: 2027-01-31}",
        expect![[r#"
        error[invalid-value] a.yaml:5: AccessPolicy shop/p: `spec.rules[0].expires`: `2027-01-31` is no RFC 3339 time
          hint: write it as 2027-01-31T00:00:00Z
    "#]],
    );
    check_rule(
        "{action: Allow, from: [{workload: a}], to: [{workload: b}], expires: 2027-02-31T00:00:00Z}",
        expect![[r#"
            error[invalid-value] a.yaml:5: AccessPolicy shop/p: `spec.rules[0].expires`: `2027-02-31T00:00:00Z` is no RFC 3339 time
              hint: write it as 2027-01-31T00:00:00Z
        "#]],
    );
    check_rule(
        "{action: Allow, from: [{workload: a}], to: [{workload: b}], expires: 2027-01-31T00:00:00+01:00}",
        expect![[r#"
            in force: AccessPolicy shop/p at a.yaml:1
        "#]],
    );
}

#[test]
fn a_rule_outside_of_its_namespace_is_said() {
    check_rule(
        "{action: Allow, from: [{namespace: a, selector: {}}], to: [{entity: world}]}",
        expect![[r#"
        warning[outside-namespace] a.yaml:5: AccessPolicy shop/p: `spec.rules[0]`: neither side can lie in namespace `shop`, so the rule does nothing
          hint: put the policy into the namespace of one side, or make it a ClusterAccessPolicy
        in force: AccessPolicy shop/p at a.yaml:1
    "#]],
    );
    check_rule(
        "{action: Allow, from: [{namespaceSelector: {}}], to: [{entity: world}]}",
        expect![[r#"
        in force: AccessPolicy shop/p at a.yaml:1
    "#]],
    );
}

#[test]
fn cluster_wide_peers_name_their_namespaces() {
    check(
        "apiVersion: palisade.dev/v1alpha1\nkind: ClusterAccessPolicy\nmetadata: {name: p}\nspec: {rules: [{action: Allow, from: [{workload: a}], to: [{workload: a, namespace: shop}, {entity: world}]}]}\n",
        expect![[r#"
            error[missing-field] a.yaml:4: ClusterAccessPolicy p: `spec.rules[0].from[0]`: a pod peer of a ClusterAccessPolicy needs `namespace` or `namespaceSelector`
              hint: `namespaceSelector: {}` is all namespaces
        "#]],
    );
}

#[test]
fn rule_names_are_unique() {
    check_rule(
        "{name: r, action: Allow, from: [{workload: a}], to: [{workload: b}]}, {name: r, action: Deny, from: [{workload: a}], to: [{workload: c}]}",
        expect![[r#"
            error[duplicate] a.yaml:5: AccessPolicy shop/p: `spec.rules[1]`: two rules have the name `r`, the other on line 5
              hint: rename one: records name the rule that decided
        "#]],
    );
}

#[test]
fn perimeters_are_checked() {
    let perimeter = |kind: &str, spec: &str| {
        format!(
            "apiVersion: palisade.dev/v1alpha1\nkind: {kind}\nmetadata: {{name: p, namespace: shop}}\nspec: {spec}\n"
        )
    };
    check(
        &perimeter(
            "Perimeter",
            "{mode: Enforce, subject: {selector: {}}, directions: [Ingress, Egress], loopback: Open, except: [dns, kubelet, apiserver], onRefusal: Reset}",
        ),
        expect![[r#"
            in force: Perimeter shop/p at a.yaml:1
        "#]],
    );
    check(
        &perimeter("Perimeter", "{}"),
        expect![[r#"
        error[missing-field] a.yaml:4: Perimeter shop/p: `spec`: `subject` is missing
          hint: say whom it closes: `subject: {selector: {}}` is every pod
    "#]],
    );
    check(
        &perimeter(
            "Perimeter",
            "{mode: enforce, subject: {}, directions: [], loopback: shut, except: [internet], onRefusal: Reject}",
        ),
        expect![[r#"
            error[missing-field] a.yaml:4: Perimeter shop/p: `spec.subject`: `selector` is missing
              hint: `selector: {}` is every pod of the namespace
            error[invalid-value] a.yaml:4: Perimeter shop/p: `spec.directions`: is empty, so nothing is closed
              hint: use [Ingress], [Egress] or both, or remove the line for both
            error[invalid-value] a.yaml:4: Perimeter shop/p: `spec.mode`: unknown mode `enforce`
              hint: use Enforce or Audit
            error[invalid-value] a.yaml:4: Perimeter shop/p: `spec.loopback`: unknown loopback `shut`
              hint: use Open or Closed
            error[invalid-value] a.yaml:4: Perimeter shop/p: `spec.except[0]`: unknown entity `internet`
              hint: use one of world, cluster, nodes, kubelet, apiserver, dns, gateway, metadata
            error[invalid-value] a.yaml:4: Perimeter shop/p: `spec.onRefusal`: unknown onRefusal `Reject`
              hint: use Reset or Drop
        "#]],
    );
    check(
        &perimeter("Perimeter", "{subject: {selector: {}, namespaceSelector: {}}}"),
        expect![[r#"
        error[invalid-value] a.yaml:4: Perimeter shop/p: `spec.subject`: a Perimeter closes pods of its own namespace alone
          hint: remove `namespaceSelector`, or make it a ClusterPerimeter
    "#]],
    );
    check(
        &perimeter("ClusterPerimeter", "{subject: {selector: {}}}"),
        expect![[r#"
        warning[unknown-field] a.yaml:3: ClusterPerimeter p: `metadata.namespace`: a ClusterPerimeter lies in no namespace, ignored
          hint: remove the line
        error[missing-field] a.yaml:4: ClusterPerimeter p: `spec.subject`: `namespaceSelector` is missing
          hint: a ClusterPerimeter says which namespaces it closes: `namespaceSelector: {}` is all
    "#]],
    );
    check(
        &perimeter("ClusterPerimeter", "{subject: {namespaceSelector: {}}}"),
        expect![[r#"
        warning[unknown-field] a.yaml:3: ClusterPerimeter p: `metadata.namespace`: a ClusterPerimeter lies in no namespace, ignored
          hint: remove the line
        in force: ClusterPerimeter p at a.yaml:1
    "#]],
    );
}

#[test]
fn cluster_settings_are_one_object_and_each_field_is_checked() {
    let settings = |name: &str, spec: &str| {
        format!("apiVersion: palisade.dev/v1alpha1\nkind: ClusterSettings\nmetadata: {{name: {name}}}\nspec:\n{spec}\n")
    };
    check(
        &settings("default", "  gateways: [{namespace: edge, selector: {}}]\n  unknownPods: Record"),
        expect![[r#"
        in force: ClusterSettings default at a.yaml:1
    "#]],
    );
    check(
        &settings("other", "  unknownPods: Ignore\n  dnsService: {name: coredns}"),
        expect![[r#"
        error[invalid-value] a.yaml:1: ClusterSettings other: ClusterSettings is named `default`, and there is only that one
          hint: write `metadata: {name: default}`
        error[missing-field] a.yaml:6: ClusterSettings other: `spec.dnsService`: `namespace` is missing
          hint: add `namespace: ...`
        error[invalid-value] a.yaml:5: ClusterSettings other: `spec.unknownPods`: unknown unknownPods `Ignore`
          hint: use Refuse or Record
    "#]],
    );
    check(
        &settings("default", "  gateways: [{namespace: edge}]\n  gateway: []"),
        expect![[r#"
        error[unknown-field] a.yaml:6: ClusterSettings default: `spec.gateway`: unknown field
          hint: did you mean `gateways`?
        error[missing-field] a.yaml:5: ClusterSettings default: `spec.gateways[0]`: `selector` is missing
          hint: `selector: {}` is every pod of the namespace
    "#]],
    );
    check(
        "apiVersion: palisade.dev/v1alpha1\nkind: ClusterSettings\nmetadata: {name: default}\nspec: [}\n",
        expect![[r#"
            error[yaml-syntax] a.yaml:4: cannot read the document (ClusterSettings), column 8: a value is missing
              hint: correct the YAML; the other documents of the file are used
            unreadable: ClusterSettings in any namespace at a.yaml:1
        "#]],
    );
}
