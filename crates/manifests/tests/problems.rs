//! What is wrong with a manifest is said with its place, what follows and what to change.

use std::fmt::Write;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use expect_test::{Expect, expect};
use palisade_manifests::load_text;
use palisade_model::Effect;

/// Loads `text` as `a.yaml` and compares its problems, one a line with the hint below, and the objects in force.
fn check(text: &str, expected: Expect) {
    tell_case(text);
    let outcome = load_text("a.yaml", text);
    let mut out = String::new();
    for problem in &outcome.problems {
        let mark = if problem.effect == Effect::Harmless { "warning" } else { "error" };
        let _ = writeln!(out, "{mark}[{}] {problem}", problem.code);
        if let Some(hint) = &problem.hint {
            let _ = writeln!(out, "  hint: {hint}");
        }
    }
    let inventory = outcome.value;
    let metas = (inventory.access_policies.iter().map(|object| &object.meta))
        .chain(inventory.endpoint_slices.iter().map(|object| &object.meta))
        .chain(inventory.gateway_classes.iter().map(|object| &object.meta))
        .chain(inventory.gateways.iter().map(|object| &object.meta))
        .chain(inventory.ingress_classes.iter().map(|object| &object.meta))
        .chain(inventory.ingresses.iter().map(|object| &object.meta))
        .chain(inventory.reference_grants.iter().map(|object| &object.meta))
        .chain(inventory.routes.iter().map(|object| &object.meta))
        .chain(inventory.namespaces.iter().map(|object| &object.meta))
        .chain(inventory.network_policies.iter().map(|object| &object.meta))
        .chain(inventory.nodes.iter().map(|object| &object.meta))
        .chain(inventory.perimeters.iter().map(|object| &object.meta))
        .chain(inventory.pods.iter().map(|object| &object.meta))
        .chain(inventory.service_accounts.iter().map(|object| &object.meta))
        .chain(inventory.services.iter().map(|object| &object.meta))
        .chain(inventory.workloads.iter().map(|object| &object.meta))
        .chain(inventory.settings.iter().map(|object| &object.meta))
        .chain(inventory.tiered_policies.iter().map(|object| &object.meta));
    for meta in metas {
        let _ = writeln!(out, "in force: {} at {}", meta.reference, meta.place);
    }
    for unreadable in &inventory.unreadable {
        let kind = unreadable.kind.map_or("any kind", |kind| kind.as_str());
        let namespace = unreadable.namespace.as_deref().unwrap_or("any namespace");
        let _ = writeln!(out, "unreadable: {kind} in {namespace} at {}", unreadable.place);
    }
    for ((version, kind), count) in &inventory.other_kinds {
        let _ = writeln!(out, "counted: {count} {kind} of {version}");
    }
    expected.assert_eq(&out);
}

/// Writes `text` to the folder that `tests/apiserver` gives, which asks a real API server about it.
fn tell_case(text: &str) {
    static TOLD: AtomicUsize = AtomicUsize::new(0);
    let Some(folder) = std::env::var_os("PALISADE_TELL_CASES") else { return };
    let name = format!("{:03}.yaml", TOLD.fetch_add(1, Ordering::Relaxed));
    std::fs::write(Path::new(&folder).join(name), text).expect("the folder is there");
}

/// A NetworkPolicy `shop/p` whose spec is `spec`, in flow style; the spec stands on line 4.
fn check_policy(spec: &str, expected: Expect) {
    check(
        &format!(
            "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {{name: p, namespace: shop}}\nspec: {spec}\n"
        ),
        expected,
    );
}

/// An AccessPolicy `shop/p` with the one rule `rule`, in flow style; the rule stands on line 5.
fn check_rule(rule: &str, expected: Expect) {
    check(
        &format!(
            "apiVersion: palisade.dev/v1alpha1\nkind: AccessPolicy\nmetadata: {{name: p, namespace: shop}}\nspec:\n  rules: [{rule}]\n"
        ),
        expected,
    );
}

#[test]
fn a_broken_document_does_not_lose_the_others() {
    check(
        "apiVersion: v1\nkind: Namespace\nmetadata: {name: a}\n---\nkind: NetworkPolicy\nmetadata:\n  namespace: shop\nspec: [\n---\napiVersion: v1\nkind: Namespace\nmetadata: {name: b}\n",
        expect![[r#"
            error[yaml-syntax] a.yaml:8: cannot read the document (NetworkPolicy), column 7: a bracket that is not closed by `]`
              hint: close the bracket, or put the value in quotes
            in force: Namespace a at a.yaml:1
            in force: Namespace b at a.yaml:10
            unreadable: NetworkPolicy in shop at a.yaml:4
        "#]],
    );
}

#[test]
fn the_namespace_of_a_broken_cluster_wide_or_unknown_policy_excludes_no_other() {
    check(
        "kind: ClusterPerimeter\nmetadata:\n  namespace: shop\nspec: [\n---\nmetadata:\n  namespace: shop\nspec: [\n",
        expect![[r#"
            error[yaml-syntax] a.yaml:4: cannot read the document (ClusterPerimeter), column 7: a bracket that is not closed by `]`
              hint: close the bracket, or put the value in quotes
            error[yaml-syntax] a.yaml:8: cannot read the document, column 7: a bracket that is not closed by `]`
              hint: close the bracket, or put the value in quotes
            unreadable: ClusterPerimeter in any namespace at a.yaml:1
            unreadable: any kind in any namespace at a.yaml:5
        "#]],
    );
}

#[test]
fn a_broken_document_of_another_kind_is_no_policy() {
    check(
        "kind: ConfigMap\ndata: {a: [}\n",
        expect![[r#"
            error[yaml-syntax] a.yaml:2: cannot read the document (ConfigMap), column 12: a value is missing
              hint: correct the YAML; the other documents of the file are used
        "#]],
    );
}

#[test]
fn a_template_gets_its_own_hint() {
    check(
        "apiVersion: v1\nkind: {{ .Values.kind }}\n",
        expect![[r#"
        error[yaml-syntax] a.yaml:2: cannot read the document, column 8: a key must be a scalar
          hint: this looks like a template: pipe the output of `helm template` in instead
        unreadable: any kind in any namespace at a.yaml:1
    "#]],
    );
}

#[test]
fn tabs_say_what_to_change() {
    check(
        "a:\n\tb: c\n",
        expect![[r#"
            error[yaml-syntax] a.yaml:2: cannot read the document, column 1: a tab cannot stand here
              hint: indent with spaces: YAML allows no tabs there
            unreadable: any kind in any namespace at a.yaml:1
        "#]],
    );
}

#[test]
fn text_behind_the_document_is_ignored_and_said() {
    check(
        "  apiVersion: v1\n  kind: Namespace\n  metadata: {name: a}\n spec: {}\n",
        expect![[r#"
        error[yaml-syntax] a.yaml:4: what follows is no part of the document above, and is ignored
          hint: correct the indentation, or put a line `---` between two documents
        in force: Namespace a at a.yaml:1
    "#]],
    );
}

#[test]
fn duplicate_keys_name_both_lines() {
    check(
        "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: a\n  name: b\n---\nkind: ConfigMap\napiVersion: v1\ndata:\n  a: x\n  a: y\n",
        expect![[r#"
            error[duplicate-key] a.yaml:5: key `name` is given twice, first on line 4; the last one counts
              hint: remove one of them: other tools refuse the document
            warning[duplicate-key] a.yaml:11: key `a` is given twice, first on line 10; the last one counts
              hint: remove one of them: other tools refuse the document
            in force: Namespace b at a.yaml:1
            counted: 1 ConfigMap of v1
        "#]],
    );
}

#[test]
fn duplicate_objects_name_both_places_and_the_last_one_counts() {
    check(
        "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: a}\n---\nkind: ServiceAccount\napiVersion: v1\nmetadata: {name: a}\n---\nkind: ServiceAccount\napiVersion: v1\nmetadata: {name: a, labels: {x: y}}\n",
        expect![[r#"
            warning[duplicate-object] a.yaml:5: ServiceAccount default/a: given twice with the same content, first at a.yaml:1
              hint: remove one of the two
            error[wrong-type] a.yaml:11: ServiceAccount default/a: `metadata.labels.x`: cannot use boolean `y` as string
              hint: `y` is read as the boolean true: put it in quotes
            in force: ServiceAccount default/a at a.yaml:1
        "#]],
    );
}

#[test]
fn a_namespace_may_be_given_again() {
    check(
        "apiVersion: v1\nkind: Namespace\nmetadata: {name: a}\n---\napiVersion: v1\nkind: Namespace\nmetadata: {name: a, annotations: {x: y}}\n",
        expect![[r#"
            error[wrong-type] a.yaml:7: Namespace a: `metadata.annotations.x`: cannot use boolean `y` as string
              hint: `y` is read as the boolean true: put it in quotes
            in force: Namespace a at a.yaml:1
        "#]],
    );
    check(
        "apiVersion: v1\nkind: Namespace\nmetadata: {name: a}\n---\napiVersion: v1\nkind: Namespace\nmetadata: {name: a, labels: {x: y}}\n",
        expect![[r#"
            error[wrong-type] a.yaml:7: Namespace a: `metadata.labels.x`: cannot use boolean `y` as string
              hint: `y` is read as the boolean true: put it in quotes
            in force: Namespace a at a.yaml:1
        "#]],
    );
}

#[test]
fn what_is_no_object_is_left_out() {
    check(
        "replicas: 3\nimage: {tag: v1}\n---\njust text\n---\n- a\n- b\n---\nkind: NetworkPolicy\nmetadata: {name: p}\n",
        expect![[r#"
            warning[not-an-object] a.yaml:1: no Kubernetes object: `kind` is missing
            warning[not-an-object] a.yaml:4: the document is no Kubernetes object
              hint: an object is a mapping with apiVersion, kind and metadata
            warning[not-an-object] a.yaml:6: the document is no Kubernetes object
              hint: an object is a mapping with apiVersion, kind and metadata
            error[missing-field] a.yaml:9: `apiVersion` is missing
              hint: add it: without it the API server rejects the object
        "#]],
    );
}

#[test]
fn versions_that_nobody_serves() {
    check(
        "apiVersion: extensions/v1beta1\nkind: NetworkPolicy\nmetadata: {name: p}\n---\napiVersion: extensions/v1beta1\nkind: Deployment\nmetadata: {name: d}\n---\napiVersion: palisade.dev/v2\nkind: Perimeter\nmetadata: {name: p, namespace: shop}\n---\napiVersion: palisade.dev/v1alpha1\nkind: ProgramPolicy\nmetadata: {name: p, namespace: shop}\n---\napiVersion: policy.networking.k8s.io/v1alpha1\nkind: AdminNetworkPolicy\nmetadata: {name: p}\n---\napiVersion: projectcalico.org/v3\nkind: NetworkPolicy\nmetadata: {name: p}\n",
        expect![[r#"
            error[unknown-policy] a.yaml:1: NetworkPolicy default/p: cannot read the policy: NetworkPolicy of `extensions/v1beta1` is not known
              hint: write `apiVersion: networking.k8s.io/v1`
            error[unknown-version] a.yaml:5: Deployment default/d: Deployment of `extensions/v1beta1` is not served by the API server
              hint: write `apiVersion: apps/v1`
            error[unknown-policy] a.yaml:9: Perimeter shop/p: cannot read the policy: Perimeter of `palisade.dev/v2` is not known
              hint: write `apiVersion: palisade.dev/v1alpha1`, or use a newer palisade
            error[unknown-policy] a.yaml:13: cannot read the policy: ProgramPolicy of `palisade.dev/v1alpha1` is not known
              hint: this version of palisade cannot read it: every end that it could select is undecided
            error[missing-field] a.yaml:17: AdminNetworkPolicy p: `spec` is missing
            warning[policy-not-read] a.yaml:21: the NetworkPolicy of `projectcalico.org/v3` is not read: Palisade's answers leave it out
              hint: another engine enforces it, and may refuse or open what is answered here
            unreadable: NetworkPolicy in default at a.yaml:1
            unreadable: Perimeter in shop at a.yaml:9
            unreadable: any kind in any namespace at a.yaml:13
            counted: 1 NetworkPolicy of projectcalico.org/v3
        "#]],
    );
}

#[test]
fn policies_of_other_engines_are_said_once_a_kind() {
    check(
        "apiVersion: cilium.io/v2\nkind: CiliumNetworkPolicy\nmetadata: {name: p}\n---\napiVersion: cilium.io/v2\nkind: CiliumNetworkPolicyList\nitems:\n- metadata: {name: q}\n- metadata: {name: r}\n---\napiVersion: crd.antrea.io/v1beta1\nkind: NetworkPolicy\nmetadata: {name: p}\n---\napiVersion: policy.linkerd.io/v1beta3\nkind: Server\nmetadata: {name: s}\n---\napiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: {name: a}\n",
        expect![[r#"
            warning[policy-not-read] a.yaml:1: 3 CiliumNetworkPolicy of `cilium.io/v2` are not read: Palisade's answers leave them out
              hint: another engine enforces it, and may refuse or open what is answered here
            warning[policy-not-read] a.yaml:11: the NetworkPolicy of `crd.antrea.io/v1beta1` is not read: Palisade's answers leave it out
              hint: another engine enforces it, and may refuse or open what is answered here
            warning[policy-not-read] a.yaml:15: the Server of `policy.linkerd.io/v1beta3` is not read: Palisade's answers leave it out
              hint: another engine enforces it, and may refuse or open what is answered here
            warning[policy-not-read] a.yaml:19: the AuthorizationPolicy of `security.istio.io/v1` is not read: Palisade's answers leave it out
              hint: another engine enforces it, and may refuse or open what is answered here
            counted: 3 CiliumNetworkPolicy of cilium.io/v2
            counted: 1 NetworkPolicy of crd.antrea.io/v1beta1
            counted: 1 Server of policy.linkerd.io/v1beta3
            counted: 1 AuthorizationPolicy of security.istio.io/v1
        "#]],
    );
}

#[test]
fn lists_hold_objects() {
    check(
        "apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: Namespace\n  metadata: {name: a}\n- apiVersion: v1\n  kind: ConfigMap\n  metadata: {name: c}\n- 5\n---\napiVersion: v1\nkind: ServiceAccountList\nitems:\n- metadata: {name: s}\n",
        expect![[r#"
            warning[not-an-object] a.yaml:10: the item is no Kubernetes object
            in force: Namespace a at a.yaml:4
            in force: ServiceAccount default/s at a.yaml:15
            counted: 1 ConfigMap of v1
        "#]],
    );
}

#[test]
fn json_is_read_too() {
    check(
        "{\"apiVersion\": \"v1\",\n\t\"kind\": \"Namespace\", \"metadata\": {\"name\": \"a\", \"annotations\": {\"x\": \"\\ud83d\\ude00\"}}}\n{\"apiVersion\": \"v1\", \"kind\": \"Namespace\", \"metadata\": {\"name\": \"b\"}}\n",
        expect![[r#"
            in force: Namespace a at a.yaml:1
            in force: Namespace b at a.yaml:3
        "#]],
    );
}

#[test]
fn metadata_is_checked() {
    check(
        "apiVersion: v1\nkind: Namespace\nmetadata: {}\n",
        expect![[r#"
        error[missing-field] a.yaml:1: Namespace without `metadata.name`
          hint: add `metadata: {name: ...}`
    "#]],
    );
    check(
        "apiVersion: v1\nkind: Namespace\nmetadata: {name: Shop, namespace: x}\n",
        expect![[r#"
        error[invalid-value] a.yaml:3: Namespace Shop: `metadata.name`: `Shop` must be at most 63 lower-case letters, digits and `-`, with a letter or digit at both ends
        warning[unknown-field] a.yaml:3: Namespace Shop: `metadata.namespace`: a Namespace lies in no namespace, ignored
          hint: remove the line
    "#]],
    );
    check(
        "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: a, labels: {x: yes, y: 1, z: -a, -k: v}}\n",
        expect![[r#"
            error[wrong-type] a.yaml:3: ServiceAccount default/a: `metadata.labels.x`: cannot use boolean `yes` as string
              hint: `yes` is read as the boolean true: put it in quotes
            error[wrong-type] a.yaml:3: ServiceAccount default/a: `metadata.labels.true`: cannot use number `1` as string
              hint: put it in quotes: "1"
            error[invalid-value] a.yaml:3: ServiceAccount default/a: `metadata.labels.z`: `-a` must be at most 63 letters, digits, `-`, `_` and `.`, with a letter or digit at both ends
            error[invalid-value] a.yaml:3: ServiceAccount default/a: `metadata.labels.-k`: the key must be `name` or `domain/name`, the name at most 63 letters, digits, `-`, `_` and `.` with a letter or digit at both ends
        "#]],
    );
    check(
        "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: a, labels: {x: }, annotations: {a/b: any text}}\n",
        expect![[r#"
            in force: ServiceAccount default/a at a.yaml:1
        "#]],
    );
}

#[test]
fn a_policy_in_a_missing_namespace() {
    check(
        "apiVersion: v1\nkind: Namespace\nmetadata: {name: a}\n---\napiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: p, namespace: b}\n",
        expect![[r#"
            warning[missing-namespace] a.yaml:5: NetworkPolicy b/p: there is no Namespace `b`
              hint: correct `metadata.namespace`, or add the Namespace `b`
            in force: Namespace a at a.yaml:1
            in force: NetworkPolicy b/p at a.yaml:5
        "#]],
    );
}

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

#[test]
fn services_are_checked() {
    let service = |spec: &str| format!("apiVersion: v1\nkind: Service\nmetadata: {{name: s}}\nspec: {spec}\n");
    check(
        &service("{}"),
        expect![[r#"
        error[missing-field] a.yaml:4: Service default/s: `spec`: `ports` is missing or empty
          hint: add `ports: [{port: 80}]`, or `clusterIP: None`
    "#]],
    );
    check(
        &service("{ports: [{port: 80}, {port: 80}]}"),
        expect![[r#"
        error[missing-field] a.yaml:4: Service default/s: `spec.ports[0]`: a port of several needs a `name`
          hint: add `name: ...` to each port
        error[missing-field] a.yaml:4: Service default/s: `spec.ports[1]`: a port of several needs a `name`
          hint: add `name: ...` to each port
        error[duplicate] a.yaml:4: Service default/s: `spec.ports[1]`: two entries for port 80 TCP
    "#]],
    );
    check(
        &service("{ports: [{port: 80, name: a, targetPort: Http}, {port: 81, name: a, nodePort: 70000}]}"),
        expect![[r#"
            error[invalid-value] a.yaml:4: Service default/s: `spec.ports[0].targetPort`: port name `Http` must be at most 15 lower-case letters, digits and single `-`, with at least one letter
            error[invalid-value] a.yaml:4: Service default/s: `spec.ports[1].nodePort`: port 70000 must lie between 1 and 65535
        "#]],
    );
    check(
        &service("{type: Cluster, clusterIP: 10.0.0, ports: [{port: 80, targetPort: '8080'}]}"),
        expect![[r#"
            error[invalid-value] a.yaml:4: Service default/s: `spec`: unknown type `Cluster`
              hint: use ClusterIP, NodePort, LoadBalancer or ExternalName
            error[invalid-value] a.yaml:4: Service default/s: `spec.clusterIP`: `10.0.0` is no address
              hint: remove the line, or write `None` for a headless Service
            error[invalid-value] a.yaml:4: Service default/s: `spec.ports[0].targetPort`: string `8080` is a port's name, not its number
              hint: write 8080 without quotes
        "#]],
    );
    check(
        &service("{type: ExternalName}"),
        expect![[r#"
        error[invalid-value] a.yaml:4: Service default/s: `spec`: `externalName` `` must be lower-case letters, digits, `-` and `.`, at most 253, with a letter or digit at both ends of each part
          hint: give the DNS name that the Service stands for
    "#]],
    );
    check(
        &service("{type: ExternalName, externalName: db.example.com.}"),
        expect![[r#"
        in force: Service default/s at a.yaml:1
    "#]],
    );
    check(
        &service("{clusterIP: None, selector: {app: web}}"),
        expect![[r#"
        in force: Service default/s at a.yaml:1
    "#]],
    );
    check(
        "apiVersion: v1\nkind: Service\nmetadata: {name: 1s}\nspec: {ports: [{port: 80}]}\n",
        expect![[r#"
        error[invalid-value] a.yaml:3: Service default/1s: `metadata.name`: `1s` must be at most 63 lower-case letters, digits and `-`, starting with a letter and ending with a letter or digit
    "#]],
    );
}

#[test]
fn pods_are_checked() {
    let pod = |spec: &str| format!("apiVersion: v1\nkind: Pod\nmetadata: {{name: p}}\nspec: {spec}\n");
    check(
        &pod("{}"),
        expect![[r#"
        error[missing-field] a.yaml:4: Pod default/p: `spec`: `containers` is missing or empty
          hint: a pod needs at least one container
    "#]],
    );
    check(
        &pod("{containers: [{image: i}, {name: a}, {name: b, image: i}, {name: b, image: i}]}"),
        expect![[r#"
        error[missing-field] a.yaml:4: Pod default/p: `spec.containers[0]`: a container needs a `name`
          hint: add `name: ...`
        error[missing-field] a.yaml:4: Pod default/p: `spec.containers[1]`: container `a` has no `image`
          hint: add `image: ...`
        error[duplicate] a.yaml:4: Pod default/p: `spec.containers[3]`: two containers have the name `b`
          hint: rename one of them
    "#]],
    );
    check(
        &pod(
            "{containers: [{name: a, image: i, ports: [{}, {containerPort: 0}, {containerPort: 80, name: x}, {containerPort: 81, name: x}]}]}",
        ),
        expect![[r#"
            error[missing-field] a.yaml:4: Pod default/p: `spec.containers[0].ports[0]`: `containerPort` is missing
            error[invalid-value] a.yaml:4: Pod default/p: `spec.containers[0].ports[1].containerPort`: port 0 must lie between 1 and 65535
            error[duplicate] a.yaml:4: Pod default/p: `spec.containers[0].ports[3]`: two ports of the container have the name `x`
        "#]],
    );
    check(
        &pod("{hostNetwork: yes, containers: [{name: a, image: i, ports: [{containerPort: 80, hostPort: 81}]}]}"),
        expect![[r#"
            error[invalid-value] a.yaml:4: Pod default/p: `spec.containers[0].ports[0]`: on the host network `hostPort` must equal `containerPort`
              hint: remove `hostPort`
        "#]],
    );
    check(
        &pod(
            "{hostNetwork: \"yes\", restartPolicy: always, containers: [{name: a, image: i, readinessProbe: {httpGet: {}}, resources: {limits: {cpu: lots}}}]}",
        ),
        expect![[r#"
            error[wrong-type] a.yaml:4: Pod default/p: `spec.hostNetwork`: cannot use string `yes` as boolean
            error[wrong-type] a.yaml:4: Pod default/p: `spec.containers[0].resources.limits.cpu`: `lots` is no quantity
              hint: write it as in `500m`, `2` or `128Mi`
            error[missing-field] a.yaml:4: Pod default/p: `spec.containers[0].readinessProbe.httpGet`: `port` is missing
            error[invalid-value] a.yaml:4: Pod default/p: `spec`: unknown restartPolicy `always`
              hint: use Always, OnFailure or Never
        "#]],
    );
}

#[test]
fn workloads_are_checked() {
    let deployment =
        |spec: &str| format!("apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: d}}\nspec: {spec}\n");
    check(
        &deployment("{}"),
        expect![[r#"
        error[missing-field] a.yaml:4: Deployment default/d: `spec`: `template` is missing
    "#]],
    );
    check(
        &deployment(
            "{selector: {matchLabels: {app: a}}, replicas: -1, template: {metadata: {labels: {app: b}}, spec: {restartPolicy: Never, containers: [{name: a, image: i}]}}}",
        ),
        expect![[r#"
            error[invalid-value] a.yaml:4: Deployment default/d: `spec`: `selector` app=a does not match the template's labels
              hint: give `template.metadata.labels` the labels that `selector` asks for
            error[invalid-value] a.yaml:4: Deployment default/d: `spec.template.spec`: a Deployment must have `restartPolicy: Always`
              hint: remove `restartPolicy`
            error[invalid-value] a.yaml:4: Deployment default/d: `spec.replicas`: must not be negative
        "#]],
    );
    check(
        &deployment("{template: {spec: {containers: [{name: a, image: i}]}}}"),
        expect![[r#"
        error[missing-field] a.yaml:4: Deployment default/d: `spec`: `selector` is missing or empty
          hint: add `selector: {matchLabels: ...}` with labels of the template
    "#]],
    );
    check(
        "apiVersion: batch/v1\nkind: CronJob\nmetadata: {name: c}\nspec: {schedule: '* * * * *', jobTemplate: {spec: {template: {spec: {containers: [{name: a, image: i}]}}}}}\n",
        expect![[r#"
            error[invalid-value] a.yaml:4: CronJob default/c: `spec.jobTemplate.spec.template.spec`: a CronJob cannot have `restartPolicy: Always`, the default
              hint: add `restartPolicy: OnFailure` or `Never`
        "#]],
    );
}

#[test]
fn times_must_be_times() {
    check(
        "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: p, creationTimestamp: ''}\n---\napiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: q, creationTimestamp: null}\n---\napiVersion: v1\nkind: ServiceAccount\nmetadata: {name: a, creationTimestamp: yesterday}\n",
        expect![[r#"
            error[wrong-type] a.yaml:3: NetworkPolicy default/p: `metadata.creationTimestamp`: `` is no RFC 3339 time
              hint: write it as 2027-01-31T00:00:00Z, or remove the line
            error[wrong-type] a.yaml:11: ServiceAccount default/a: `metadata.creationTimestamp`: `yesterday` is no RFC 3339 time
              hint: write it as 2027-01-31T00:00:00Z, or remove the line
            in force: NetworkPolicy default/q at a.yaml:5
        "#]],
    );
}

#[test]
fn blocks_are_compared_as_they_are_written() {
    check_policy(
        "{ingress: [{from: [{ipBlock: {cidr: '::ffff:10.0.0.0/104', except: [10.1.0.0/16]}}]}]}",
        expect![[r#"
        error[invalid-value] a.yaml:4: NetworkPolicy shop/p: `spec.ingress[0].from[0].ipBlock.except[0]`: 10.1.0.0/16 is no strict subset of `cidr` 10.0.0.0/8
          hint: an exception takes away a part of its own block only
    "#]],
    );
    check_policy(
        "{ingress: [{from: [{ipBlock: {cidr: 10.0.0.0/8, except: ['::ffff:10.0.0.0/104', 10.1.0.0/00016]}}]}]}",
        expect![[r#"
            in force: NetworkPolicy shop/p at a.yaml:1
        "#]],
    );
}

#[test]
fn endpoint_slices_are_checked() {
    let slice =
        |rest: &str| format!("apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {{name: s}}\n{rest}\n");
    check(
        &slice(
            "addressType: IPv4\nendpoints: [{}, {addresses: ['2001:db8::1']}, {addresses: [127.0.0.1], hostname: A}]",
        ),
        expect![[r#"
            error[missing-field] a.yaml:5: EndpointSlice default/s: `endpoints[0]`: `addresses` is missing or empty
              hint: give the endpoint an address
            error[invalid-value] a.yaml:5: EndpointSlice default/s: `endpoints[1].addresses[0]`: `2001:db8::1` is no address of the slice's `addressType`
            error[invalid-value] a.yaml:5: EndpointSlice default/s: `endpoints[2].hostname`: `A` must be at most 63 lower-case letters, digits and `-`, with a letter or digit at both ends
            error[invalid-value] a.yaml:5: EndpointSlice default/s: `endpoints[2].addresses[0]`: `127.0.0.1` is a loopback address
        "#]],
    );
    check(
        &slice("addressType: IPv6\nendpoints: [{addresses: ['2001:DB8::1']}, {addresses: ['fe80::1']}]"),
        expect![[r#"
            error[invalid-value] a.yaml:5: EndpointSlice default/s: `endpoints[0].addresses[0]`: `2001:DB8::1` is no address of the slice's `addressType`
            error[invalid-value] a.yaml:5: EndpointSlice default/s: `endpoints[1].addresses[0]`: `fe80::1` is link-local
        "#]],
    );
    check(
        &slice("addressType: FQDN\nendpoints: [{addresses: [db, db.example.com.]}]"),
        expect![[r#"
        error[invalid-value] a.yaml:5: EndpointSlice default/s: `endpoints[0].addresses[0]`: `db` must have at least two parts, as in `db.example`
    "#]],
    );
    check(
        &slice("addressType: IPv4\nports: [{port: 80}, {port: 81}, {name: A, port: 82}, {name: b, port: 0}]"),
        expect![[r#"
            error[duplicate] a.yaml:5: EndpointSlice default/s: `ports[1]`: two ports have the name ``
            error[invalid-value] a.yaml:5: EndpointSlice default/s: `ports[2]`: name `A` must be at most 63 lower-case letters, digits and `-`, with a letter or digit at both ends
            warning[invalid-value] a.yaml:5: EndpointSlice default/s: `ports[3].port`: port 0 must lie between 1 and 65535: nothing is reached by it
              hint: the API server takes it; correct the number
        "#]],
    );
    check(
        &slice("addressType: IPv4\nports: [{name: b, port: 0}, {name: c, port: 70000}, {name: d}]"),
        expect![[r#"
        warning[invalid-value] a.yaml:5: EndpointSlice default/s: `ports[0].port`: port 0 must lie between 1 and 65535: nothing is reached by it
          hint: the API server takes it; correct the number
        warning[invalid-value] a.yaml:5: EndpointSlice default/s: `ports[1].port`: port 70000 must lie between 1 and 65535: nothing is reached by it
          hint: the API server takes it; correct the number
        in force: EndpointSlice default/s at a.yaml:1
    "#]],
    );
}

#[test]
fn a_service_has_its_addresses_once_and_in_order() {
    let service = |spec: &str| {
        format!("apiVersion: v1\nkind: Service\nmetadata: {{name: s}}\nspec: {{ports: [{{port: 80}}], {spec}}}\n")
    };
    check(
        &service("clusterIPs: [10.96.0.9]"),
        expect![[r#"
        error[invalid-value] a.yaml:4: Service default/s: `spec.clusterIPs`: the first entry must be that of `clusterIP`
          hint: give `clusterIP` the first address of the list
    "#]],
    );
    check(
        &service("clusterIP: 10.96.0.9, clusterIPs: [10.96.0.9, 'fd00::9']"),
        expect![[r#"
        error[invalid-value] a.yaml:4: Service default/s: `spec`: two families need `ipFamilyPolicy`
          hint: add `ipFamilyPolicy: PreferDualStack`
    "#]],
    );
    check(
        &service("clusterIP: 10.96.0.9, clusterIPs: [10.96.0.9, 'fd00::9'], ipFamilyPolicy: PreferDualStack"),
        expect![[r#"
            in force: Service default/s at a.yaml:1
        "#]],
    );
    check(
        &service("clusterIP: 10.96.0.9, clusterIPs: [10.96.0.9, 10.96.0.8], ipFamilyPolicy: PreferDualStack"),
        expect![[r#"
            error[duplicate] a.yaml:4: Service default/s: `spec`: two entries of `clusterIPs` are of one family
        "#]],
    );
    check(
        &service("clusterIP: None, clusterIPs: [None, None], ipFamilies: [ipv4]"),
        expect![[r#"
        error[invalid-value] a.yaml:4: Service default/s: `spec.clusterIPs[1]`: `None` is no address
          hint: remove the line, or write `None` for a headless Service
        error[invalid-value] a.yaml:4: Service default/s: `spec`: `None` must be the only entry of `clusterIPs`
        error[invalid-value] a.yaml:4: Service default/s: `spec.ipFamilies[0]`: unknown family `ipv4`
          hint: use IPv4 or IPv6
    "#]],
    );
    check(
        &service("clusterIP: 10.96.0.9, ipFamilies: [IPv6]"),
        expect![[r#"
        error[invalid-value] a.yaml:4: Service default/s: `spec`: `clusterIPs` are not of the families that `ipFamilies` gives, in its order
          hint: remove `ipFamilies`, or put it in the order of `clusterIPs`
    "#]],
    );
    check(
        &service("clusterIP: None, type: NodePort"),
        expect![[r#"
        error[invalid-value] a.yaml:4: Service default/s: `spec`: `clusterIP: None` may stand on a Service of type ClusterIP alone
          hint: remove `clusterIP`, or make it `type: ClusterIP`
    "#]],
    );
    check(
        &service("clusterIP: 10.96.0.9, type: ExternalName, externalName: a.example"),
        expect![[r#"
        error[invalid-value] a.yaml:4: Service default/s: `spec`: `clusterIP` may not stand on a Service of type ExternalName
          hint: remove `clusterIP`
    "#]],
    );
}

#[test]
fn a_service_is_exposed_as_its_type_says() {
    let service = |spec: &str| format!("apiVersion: v1\nkind: Service\nmetadata: {{name: s}}\nspec: {spec}\n");
    check(
        &service("{ports: [{port: 80, nodePort: 30080}]}"),
        expect![[r#"
        error[invalid-value] a.yaml:4: Service default/s: `spec.ports[0]`: `nodePort` may not stand on a Service of type ClusterIP
          hint: remove `nodePort`, or make it `type: NodePort`
    "#]],
    );
    check(
        &service(
            "{type: NodePort, ports: [{name: a, port: 80, nodePort: 30080}, {name: b, port: 81, nodePort: 30080}]}",
        ),
        expect![[r#"
            error[duplicate] a.yaml:4: Service default/s: `spec.ports[1]`: two entries for node port 30080 TCP
        "#]],
    );
    check(
        &service("{type: LoadBalancer, ports: [{port: 10250}]}"),
        expect![[r#"
            in force: Service default/s at a.yaml:1
        "#]],
    );
    check(
        &service(
            "{ports: [{port: 80, appProtocol: a b}], sessionAffinity: ip, externalTrafficPolicy: Local, internalTrafficPolicy: '', externalIPs: [x, 127.0.0.1], loadBalancerSourceRanges: [a]}",
        ),
        expect![[r#"
            error[invalid-value] a.yaml:4: Service default/s: `spec.ports[0]`: `appProtocol` `a b` must be `name` or `domain/name`, the name at most 63 letters, digits, `-`, `_` and `.` with a letter or digit at both ends
            error[invalid-value] a.yaml:4: Service default/s: `spec.externalIPs[0]`: `x` is no address
            error[invalid-value] a.yaml:4: Service default/s: `spec.externalIPs[1]`: `127.0.0.1` is a loopback address
            error[invalid-value] a.yaml:4: Service default/s: `spec`: unknown `sessionAffinity` `ip`
              hint: use None or ClientIP
            error[invalid-value] a.yaml:4: Service default/s: `spec`: unknown `internalTrafficPolicy` ``
              hint: use Cluster or Local
            error[invalid-value] a.yaml:4: Service default/s: `spec.loadBalancerSourceRanges`: may stand on a Service of type LoadBalancer alone
              hint: remove it, or make it `type: LoadBalancer`
            error[invalid-value] a.yaml:4: Service default/s: `spec.loadBalancerSourceRanges[0]`: `a` is no CIDR block
        "#]],
    );
    check(
        &service("{ports: [{port: 80, protocol: ''}], selector: {}}"),
        expect![[r#"
        in force: Service default/s at a.yaml:1
    "#]],
    );
}

#[test]
fn what_a_pod_is_called_is_checked() {
    let pod = |spec: &str| {
        format!(
            "apiVersion: v1\nkind: Pod\nmetadata: {{name: p}}\nspec: {{containers: [{{name: a, image: i}}], {spec}}}\n"
        )
    };
    check(
        &pod("hostname: a.b, subdomain: A, nodeName: -a, serviceAccountName: a_b, serviceAccount: A, dnsPolicy: None"),
        expect![[r#"
            error[invalid-value] a.yaml:4: Pod default/p: `spec.hostname`: `a.b` must be at most 63 lower-case letters, digits and `-`, with a letter or digit at both ends
            error[invalid-value] a.yaml:4: Pod default/p: `spec.subdomain`: `A` must be at most 63 lower-case letters, digits and `-`, with a letter or digit at both ends
            error[invalid-value] a.yaml:4: Pod default/p: `spec.nodeName`: `-a` must be lower-case letters, digits, `-` and `.`, at most 253, with a letter or digit at both ends of each part
            error[invalid-value] a.yaml:4: Pod default/p: `spec.serviceAccountName`: `a_b` must be lower-case letters, digits, `-` and `.`, at most 253, with a letter or digit at both ends of each part
            error[missing-field] a.yaml:4: Pod default/p: `spec`: `dnsPolicy: None` needs `dnsConfig`
              hint: add `dnsConfig: {nameservers: [...]}`
        "#]],
    );
    check(
        &pod("dnsPolicy: dns, activeDeadlineSeconds: 0, securityContext: {runAsUser: -1}"),
        expect![[r#"
        error[invalid-value] a.yaml:4: Pod default/p: `spec`: unknown dnsPolicy `dns`
          hint: use ClusterFirst, ClusterFirstWithHostNet, Default or None
        error[invalid-value] a.yaml:4: Pod default/p: `spec.activeDeadlineSeconds`: must be at least 1
          hint: remove the line for no deadline
        error[invalid-value] a.yaml:4: Pod default/p: `spec.securityContext.runAsUser`: must lie between 0 and 2147483647
    "#]],
    );
    check(
        &pod(
            "volumes: [{name: A}, {name: b, hostPath: {path: ../x}}, {name: b, Secret: {}}, {name: c, hostPath: {path: /x}}]",
        ),
        expect![[r#"
            warning[unknown-field] a.yaml:4: Pod default/p: `spec.volumes[2].Secret`: unknown field: the API server drops it, `kubectl` refuses the object
              hint: did you mean `secret`?
            error[invalid-value] a.yaml:4: Pod default/p: `spec.volumes[0]`: volume name `A` must be at most 63 lower-case letters, digits and `-`, with a letter or digit at both ends
            error[invalid-value] a.yaml:4: Pod default/p: `spec.volumes[1].hostPath`: `path` `../x` is missing or leads upwards
            error[duplicate] a.yaml:4: Pod default/p: `spec.volumes[2]`: two volumes have the name `b`
              hint: rename one of them
        "#]],
    );
}

#[test]
fn a_port_of_the_node_is_taken_once() {
    let pod = |spec: &str| format!("apiVersion: v1\nkind: Pod\nmetadata: {{name: p}}\nspec: {{{spec}}}\n");
    let twice = "containers: [{name: a, image: i, ports: [{containerPort: 80}]}, {name: b, image: i, ports: [{containerPort: 80}]}]";
    check(
        &pod(twice),
        expect![[r#"
        in force: Pod default/p at a.yaml:1
    "#]],
    );
    check(
        &pod(&format!("hostNetwork: true, {twice}")),
        expect![[r#"
        error[duplicate] a.yaml:4: Pod default/p: `spec.containers[1].ports[0]`: two ports take port 80 TCP of the node
          hint: give one of them another number
    "#]],
    );
    check(
        &pod(
            "initContainers: [{name: i, image: i, restartPolicy: Always, ports: [{containerPort: 80, hostPort: 80}]}], containers: [{name: a, image: i, ports: [{containerPort: 80, hostPort: 80}, {containerPort: 80, hostPort: 80, protocol: UDP}, {containerPort: 81, hostPort: 80, hostIP: 192.0.2.1}]}]",
        ),
        expect![[r#"
            in force: Pod default/p at a.yaml:1
        "#]],
    );
}

#[test]
fn what_a_container_does_is_checked() {
    let pod = |container: &str| {
        format!(
            "apiVersion: v1\nkind: Pod\nmetadata: {{name: p}}\nspec: {{volumes: [{{name: v}}], containers: [{{name: a, {container}}}]}}\n"
        )
    };
    check(
        &pod(
            "image: ' i', imagePullPolicy: always, env: [{name: 'A=B'}], securityContext: {privileged: true, allowPrivilegeEscalation: false}",
        ),
        expect![[r#"
            error[invalid-value] a.yaml:4: Pod default/p: `spec.containers[0]`: unknown imagePullPolicy `always`
              hint: use Always, IfNotPresent or Never
            error[invalid-value] a.yaml:4: Pod default/p: `spec.containers[0].env[0]`: `A=B` is no name of an environment variable
            error[invalid-value] a.yaml:4: Pod default/p: `spec.containers[0].securityContext`: `allowPrivilegeEscalation: false` contradicts `privileged: true`
              hint: remove one of the two
            error[invalid-value] a.yaml:4: Pod default/p: `spec.containers[0]`: `image` ` i` has spaces at an end
        "#]],
    );
    check(
        &pod("image: i, resources: {limits: {cpu: 1, memory: Mi}, requests: {cpu: 1500m, memory: -1}}"),
        expect![[r#"
        error[invalid-value] a.yaml:4: Pod default/p: `spec.containers[0]`: `resources` requests more cpu than its limit
          hint: lower the request, or raise the limit
        error[invalid-value] a.yaml:4: Pod default/p: `spec.containers[0]`: `resources` asks for a negative memory
    "#]],
    );
    check(
        &pod(
            "image: i, volumeMounts: [{name: w, mountPath: /a}, {name: v}, {name: v, mountPath: /b}, {name: v, mountPath: /b}]",
        ),
        expect![[r#"
            error[invalid-value] a.yaml:4: Pod default/p: `spec.containers[0].volumeMounts[0]`: there is no volume `w`
              hint: add it to the pod's `volumes`
            error[missing-field] a.yaml:4: Pod default/p: `spec.containers[0].volumeMounts[1]`: `mountPath` is missing
            error[duplicate] a.yaml:4: Pod default/p: `spec.containers[0].volumeMounts[3]`: two mounts have the path `/b`
        "#]],
    );
    check(
        &pod(
            "image: i, readinessProbe: {exec: {}, tcpSocket: {port: 80}, periodSeconds: -1, terminationGracePeriodSeconds: 5}, livenessProbe: {httpGet: {port: 80, scheme: https}, successThreshold: 2}",
        ),
        expect![[r#"
            error[invalid-value] a.yaml:4: Pod default/p: `spec.containers[0].readinessProbe.periodSeconds`: must not be negative
            error[invalid-value] a.yaml:4: Pod default/p: `spec.containers[0].readinessProbe.terminationGracePeriodSeconds`: a readinessProbe ends nothing
              hint: remove the line
            error[invalid-value] a.yaml:4: Pod default/p: `spec.containers[0].readinessProbe`: the probe does more than one thing
              hint: leave one of httpGet, tcpSocket, grpc and exec
            error[invalid-value] a.yaml:4: Pod default/p: `spec.containers[0].livenessProbe`: `successThreshold` of a livenessProbe must be 1
            error[invalid-value] a.yaml:4: Pod default/p: `spec.containers[0].livenessProbe.httpGet`: unknown scheme `https`
              hint: use HTTP or HTTPS
        "#]],
    );
    check(
        &pod("image: i, resources: {limits: {cpu: ' 500m ', memory: ''}}"),
        expect![[r#"
        error[wrong-type] a.yaml:4: Pod default/p: `spec.containers[0].resources.limits.memory`: `` is no quantity
          hint: write it as in `500m`, `2` or `128Mi`
    "#]],
    );
}

#[test]
fn a_job_is_labelled_with_its_name() {
    let job = |name: &str, rest: &str, labels: &str| {
        format!(
            "apiVersion: batch/v1\nkind: Job\nmetadata: {{{name}}}\nspec: {{{rest}template: {{metadata: {{labels: {labels}}}, spec: {{restartPolicy: Never, containers: [{{name: a, image: i}}]}}}}}}\n"
        )
    };
    check(
        &job("name: j", "", "{job-name: k}"),
        expect![[r#"
        error[invalid-value] a.yaml:4: Job default/j: `spec.template`: the label `job-name` must be the job's name `j`
          hint: remove the label: the API server adds it
    "#]],
    );
    check(
        &job("name: j", "selector: {matchLabels: {a: b}}, ", "{a: b}"),
        expect![[r#"
        error[invalid-value] a.yaml:4: Job default/j: `spec`: `selector` is made by the API server
          hint: remove `selector`, or add `manualSelector: true`
    "#]],
    );
    check(
        &job("name: j", "manualSelector: true, selector: {matchLabels: {a: c}}, ", "{a: b}"),
        expect![[r#"
        error[invalid-value] a.yaml:4: Job default/j: `spec`: `selector` a=c does not match the template's labels
    "#]],
    );
    check(
        &job("generateName: j-", "", "{a: b}"),
        expect![[r#"
        in force: Job default/j- at a.yaml:1
    "#]],
    );
    check(
        &job("generateName: J-", "", "{a: b}"),
        expect![[r#"
        error[invalid-value] a.yaml:3: Job default/J-: `metadata.generateName`: `J-` must be lower-case letters, digits, `-` and `.`, at most 253, with a letter or digit at both ends of each part
    "#]],
    );
    let labels = |text: &str| load_text("a.yaml", text).value.workloads[0].labels.clone();
    let with_name = [("a", "b"), ("batch.kubernetes.io/job-name", "j"), ("job-name", "j")].into_iter().collect();
    assert_eq!(labels(&job("name: j", "", "{a: b}")), with_name);
    assert_eq!(labels(&job("generateName: j-", "", "{a: b}")), [("a", "b")].into_iter().collect());
}

#[test]
fn what_owns_pods_is_checked() {
    let object = |kind: &str, name: &str, spec: &str, pod: &str| {
        format!(
            "apiVersion: apps/v1\nkind: {kind}\nmetadata: {{name: {name}}}\nspec: {{selector: {{matchLabels: {{app: a}}}}, template: {{metadata: {{labels: {{app: a}}}}, spec: {{containers: [{{name: a, image: i}}]{pod}}}}}{spec}}}\n"
        )
    };
    check(
        &object("Deployment", "d", ", revisionHistoryLimit: -1, strategy: {type: Recreate, rollingUpdate: {}}", ""),
        expect![[r#"
            error[invalid-value] a.yaml:4: Deployment default/d: `spec.revisionHistoryLimit`: must not be negative
            error[invalid-value] a.yaml:4: Deployment default/d: `spec.strategy`: `rollingUpdate` may not stand beside `type: Recreate`
        "#]],
    );
    check(
        &object("Deployment", "d", ", strategy: {type: recreate}", ", activeDeadlineSeconds: 5"),
        expect![[r#"
        error[invalid-value] a.yaml:4: Deployment default/d: `spec.strategy`: unknown `type` `recreate`
          hint: use Recreate or RollingUpdate
        error[invalid-value] a.yaml:4: Deployment default/d: `spec.template.spec.activeDeadlineSeconds`: a Deployment takes no deadline
          hint: remove the line
    "#]],
    );
    check(
        &object("Deployment", "d", "", ", ephemeralContainers: [{name: e, image: i}]"),
        expect![[r#"
        error[invalid-value] a.yaml:4: Deployment default/d: `spec.template.spec.ephemeralContainers`: a template has no ephemeral containers
          hint: they are added to a running pod: `kubectl debug`
    "#]],
    );
    check(
        &object("StatefulSet", "a.b", ", serviceName: A", ""),
        expect![[r#"
        error[invalid-value] a.yaml:4: StatefulSet default/a.b: `spec`: the name of a StatefulSet must be at most 63 lower-case letters, digits and `-`, with a letter or digit at both ends
        error[invalid-value] a.yaml:4: StatefulSet default/a.b: `spec`: `serviceName` `A` must be at most 63 lower-case letters, digits and `-`, with a letter or digit at both ends
    "#]],
    );
    check(
        "apiVersion: apps/v1\nkind: StatefulSet\nmetadata: {name: s}\nspec: {selector: {matchLabels: {app: a}}, volumeClaimTemplates: [{metadata: {name: data}, spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}}], template: {metadata: {labels: {app: a}}, spec: {containers: [{name: a, image: i, volumeMounts: [{name: data, mountPath: /data}]}]}}}\n",
        expect![[r#"
            in force: StatefulSet default/s at a.yaml:1
        "#]],
    );
    check(
        "apiVersion: batch/v1\nkind: CronJob\nmetadata: {name: a-name-that-is-longer-than-the-fifty-two-characters-of-old}\nspec: {concurrencyPolicy: Never, jobTemplate: {spec: {template: {spec: {restartPolicy: Never, containers: [{name: a, image: i}]}}}}}\n",
        expect![[r#"
            error[invalid-value] a.yaml:4: CronJob default/a-name-that-is-longer-than-the-fifty-two-characters-of-old: `spec`: the name of a CronJob has at most 52 characters
            error[missing-field] a.yaml:4: CronJob default/a-name-that-is-longer-than-the-fifty-two-characters-of-old: `spec`: `schedule` is missing or empty
              hint: add one, as in `schedule: "*/5 * * * *"`
            error[invalid-value] a.yaml:4: CronJob default/a-name-that-is-longer-than-the-fifty-two-characters-of-old: `spec`: unknown `concurrencyPolicy` `Never`
              hint: use Allow or Forbid or Replace
        "#]],
    );
}

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
            error[invalid-value] a.yaml:5: AccessPolicy shop/p: `spec.rules[0].to[1].workload`: unknown workload kind `Foo`, expected Deployment, ReplicaSet, StatefulSet, DaemonSet, Job, CronJob or Pod
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
            error[missing-field] a.yaml:4: ClusterNetworkPolicy p: `spec.subject.pods`: `namespaceSelector` is missing
              hint: `{}` selects all
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
            error[invalid-value] a.yaml:4: ClusterNetworkPolicy p: `spec.egress[0].to[0]`: `domainNames` may only stand in a rule with Accept
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
            error[invalid-value] a.yaml:4: ClusterNetworkPolicy p: `spec.ingress[0].protocols[3]`: `icmp` is not known here
              hint: correct the field's name
            error[invalid-value] a.yaml:4: ClusterNetworkPolicy p: `spec.ingress[0].protocols[4].tcp.destinationPort`: wants either `number` or `range`
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

#[test]
fn an_ingress_that_the_api_server_would_reject_is_not_in_force() {
    check(
        "apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: shop, namespace: shop}
spec:
  rules:
  - host: 192.0.2.1
    http:
      paths:
      - {path: cart, pathType: Prefix, backend: {service: {name: cart, port: {number: 80}}}}
      - {path: /, backend: {service: {name: web}}}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: nothing, namespace: shop}
spec: {}
---
apiVersion: networking.k8s.io/v1
kind: IngressClass
metadata: {name: nginx}
spec: {controller: nginx}
---
apiVersion: extensions/v1beta1
kind: Ingress
metadata: {name: old, namespace: shop}
",
        expect![[r#"
            error[invalid-value] a.yaml:6: Ingress shop/shop: `spec.rules[0].host`: `192.0.2.1` is an address, and a host is a name
              hint: remove the line: every host means the address, too
            error[invalid-value] a.yaml:9: Ingress shop/shop: `spec.rules[0].http.paths[0]`: path `cart` must start with `/`
            error[missing-field] a.yaml:10: Ingress shop/shop: `spec.rules[0].http.paths[1].backend`: the Service's port is missing
              hint: add `port: {number: 80}`
            error[missing-field] a.yaml:10: Ingress shop/shop: `spec.rules[0].http.paths[1]`: `pathType` is missing
              hint: use Exact, Prefix or ImplementationSpecific
            error[missing-field] a.yaml:15: Ingress shop/nothing: `spec`: neither `rules` nor `defaultBackend`
              hint: add a rule, or a backend for every request
            error[invalid-value] a.yaml:20: IngressClass nginx: `spec`: `controller` `nginx` names nobody
              hint: write it as `example.com/controller`
            error[unknown-version] a.yaml:22: Ingress shop/old: Ingress of `extensions/v1beta1` is not served by the API server
              hint: write `apiVersion: networking.k8s.io/v1`
        "#]],
    );
}

#[test]
fn the_gateway_api_is_read_by_its_crds_and_their_rules() {
    check(
        "apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: edge, namespace: edge}
spec:
  gatewayClassName: envoy
  listeners:
  - {name: http, port: 80, protocol: HTTP, tls: {mode: Passthrough}}
  - {name: again, port: 80, protocol: HTTP}
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: dns, namespace: edge}
spec: {gatewayClassName: envoy, listeners: [{name: Dns, port: 70000, protocol: UDP}]}
---
apiVersion: gateway.networking.k8s.io/v1beta1
kind: HTTPRoute
metadata: {name: older, namespace: shop}
spec: {parentRefs: [{name: edge}], rules: [{backendRefs: [{name: web, port: 80}]}], colour: red}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: wrong, namespace: shop}
spec:
  rules:
  - matches: [{path: {type: Prefix, value: /}}]
    backendRefs: [{name: web}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: redirect, namespace: shop}
spec:
  rules:
  - filters: [{type: RequestRedirect, requestRedirect: {statusCode: 301}}]
    backendRefs: [{name: web, port: 80}, {name: web}]
---
apiVersion: gateway.networking.k8s.io/v9
kind: Gateway
metadata: {name: newer, namespace: edge}
",
        expect![[r#"
            error[invalid-value] a.yaml:7: Gateway edge/edge: `spec.listeners[0]`: `tls` may not stand beside this protocol
            error[duplicate] a.yaml:8: Gateway edge/edge: `spec.listeners[1]`: two listeners have this port, protocol and hostname
              hint: give them different ports or hostnames
            error[invalid-value] a.yaml:13: Gateway edge/dns: `spec.listeners[0].name`: `Dns` does not match `^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$`
            error[invalid-value] a.yaml:13: Gateway edge/dns: `spec.listeners[0].port`: 70000 does not lie between 1 and 65535
            warning[unknown-field] a.yaml:18: HTTPRoute shop/older: `spec.colour`: unknown field: the API server drops it, `kubectl` refuses the object
            error[invalid-value] a.yaml:25: HTTPRoute shop/wrong: `spec.rules[0].matches[0].path.type`: unknown value `Prefix`
              hint: use Exact, PathPrefix, RegularExpression
            error[missing-field] a.yaml:34: HTTPRoute shop/redirect: `spec.rules[0].backendRefs[1]`: `port` is missing
              hint: add the port of the Service
            error[invalid-value] a.yaml:33: HTTPRoute shop/redirect: `spec.rules[0]`: a redirect may not stand beside `backendRefs`
              hint: a redirect answers by itself: make it two rules
            error[unknown-version] a.yaml:36: Gateway edge/newer: Gateway of `gateway.networking.k8s.io/v9` is not served by the API server
              hint: write `apiVersion: gateway.networking.k8s.io/v1`
            in force: HTTPRoute shop/older at a.yaml:15
        "#]],
    );
}

#[test]
fn a_misspelt_kind_is_no_other_kind() {
    check(
        "apiVersion: networking.k8s.io/v1\nkind: Networkpolicy\nmetadata: {name: a}\n---\napiVersion: apps/v1\nkind: Deploymnet\nmetadata: {name: b}\n---\napiVersion: v1\nkind: Secret\nmetadata: {name: c}\n---\napiVersion: v1\nkind: Endpoints\nmetadata: {name: d}\n---\napiVersion: example.com/v1\nkind: NetworkPolicies\nmetadata: {name: e}\n",
        expect![[r#"
            error[unknown-kind] a.yaml:1: `networking.k8s.io/v1` has no kind `Networkpolicy`
              hint: did you mean `NetworkPolicy`?
            error[unknown-kind] a.yaml:5: `apps/v1` has no kind `Deploymnet`
              hint: did you mean `Deployment`?
            counted: 1 NetworkPolicies of example.com/v1
            counted: 1 Endpoints of v1
            counted: 1 Secret of v1
        "#]],
    );
}
