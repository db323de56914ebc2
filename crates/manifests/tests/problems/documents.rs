//! Documents: what loses one, and what loses no other.

use expect_test::expect;

use super::*;

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
