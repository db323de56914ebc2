//! Policies written anew as another kind, as a reader sees them.

use expect_test::{Expect, expect};

use crate::session;

/// Standard output, then standard error, then the exit code.
fn run(arguments: &str, input: &str) -> String {
    let (output, errors, code) = session::run(arguments, input);
    format!("{output}{errors}[exit {code}]\n")
}

#[track_caller]
fn asks(arguments: &str, input: &str, expected: Expect) {
    expected.assert_eq(&run(arguments, input));
}

const PODS: &str = "
{apiVersion: v1, kind: Namespace, metadata: {name: shop, labels: {team: red}}}
---
{apiVersion: v1, kind: Namespace, metadata: {name: data}}
---
{apiVersion: v1, kind: Pod, metadata: {name: web, namespace: shop, labels: {app: web}}, spec: {containers: [{name: c, image: x}]}}
---
{apiVersion: v1, kind: Pod, metadata: {name: api, namespace: shop, labels: {app: api}}, spec: {containers: [{name: c, image: x}]}}
---
{apiVersion: v1, kind: Pod, metadata: {name: db, namespace: data, labels: {app: db}}, spec: {containers: [{name: c, image: x, ports: [{name: pg, containerPort: 5432}]}]}}
---
";

const OLDER: &str = "
apiVersion: policy.networking.k8s.io/v1alpha1
kind: AdminNetworkPolicy
metadata: {name: tenants}
spec:
  priority: 20
  subject: {namespaces: {matchLabels: {kubernetes.io/metadata.name: data}}}
  ingress:
  - {name: database, action: Allow, from: [{namespaces: {matchLabels: {team: red}}}], ports: [{namedPort: pg}, {portNumber: {protocol: UDP, port: 53}}]}
  - {name: rest, action: Deny, from: [{namespaces: {}}], ports: [{portRange: {protocol: TCP, start: 1, end: 1023}}]}
---
apiVersion: policy.networking.k8s.io/v1alpha1
kind: BaselineAdminNetworkPolicy
metadata: {name: default}
spec:
  subject: {namespaces: {}}
  egress:
  - {action: Deny, to: [{networks: [203.0.113.0/24]}]}
";

#[test]
fn older_policies_of_administrators_are_written_as_newer_ones() {
    asks(
        "net convert -f -",
        &format!("{PODS}{OLDER}"),
        expect![[r#"
        apiVersion: policy.networking.k8s.io/v1alpha2
        kind: ClusterNetworkPolicy
        metadata: {name: tenants}
        spec:
          tier: Admin
          priority: 20
          subject: {namespaces: {matchLabels: {kubernetes.io/metadata.name: data}}}
          ingress:
          - name: database
            action: Accept
            from: [{namespaces: {matchLabels: {team: red}}}]
            protocols:
            - {destinationNamedPort: pg}
            - {udp: {destinationPort: {number: 53}}}
          - name: rest
            action: Deny
            from: [{namespaces: {}}]
            protocols: [{tcp: {destinationPort: {range: {start: 1, end: 1023}}}}]
        ---
        apiVersion: policy.networking.k8s.io/v1alpha2
        kind: ClusterNetworkPolicy
        metadata: {name: default}
        spec:
          tier: Baseline
          priority: 0
          subject: {namespaces: {}}
          egress:
          - action: Deny
            to: [{networks: ["203.0.113.0/24"]}]
        2 of the older version, written as 2 ClusterNetworkPolicies

        compared: 3 pods in 2 classes, 10 addresses and nodes, 5 of 5 newcomers by their
          labels: 1956 verdicts
        no difference was found
        [exit 0]
    "#]],
    );
    asks(
        "net convert -f -",
        PODS,
        expect![[r#"
        error: there is no AdminNetworkPolicy or BaselineAdminNetworkPolicy to convert

        hint: name the files that have them with -f
        [exit 2]
    "#]],
    );
}

#[test]
fn a_hundred_rules_become_several_policies_in_order() {
    let rules: Vec<String> = (0..60)
        .map(|port| {
            let action = ["Allow", "Deny", "Pass"][port % 3];
            let number = 5400 + port;
            format!("{{action: {action}, from: [{{namespaces: {{}}}}], ports: [{{portNumber: {{protocol: TCP, port: {number}}}}}]}}")
        })
        .collect();
    let many = format!(
        "{{apiVersion: policy.networking.k8s.io/v1alpha1, kind: AdminNetworkPolicy, metadata: {{name: many}}, spec: {{priority: 20, subject: {{namespaces: {{}}}}, ingress: [{}]}}}}\n---\n{{apiVersion: policy.networking.k8s.io/v1alpha1, kind: AdminNetworkPolicy, metadata: {{name: next}}, spec: {{priority: 21, subject: {{namespaces: {{}}}}, ingress: [{{action: Deny, from: [{{namespaces: {{}}}}]}}]}}}}\n",
        rules.join(", ")
    );
    asks(
        "net convert -f - -o text",
        &format!("{PODS}{many}"),
        expect![[r#"
        2 of the older version, written as 4 ClusterNetworkPolicies

        compared: 3 pods in 2 classes, 9 addresses and nodes, 3 of 3 newcomers by their
          labels: 8448 verdicts
        no difference was found
        [exit 0]
    "#]],
    );
    let yaml = run("net convert -f -", &format!("{PODS}{many}"));
    let names: Vec<&str> =
        yaml.lines().filter(|line| line.starts_with("metadata:") || line.starts_with("  priority:")).collect();
    expect![[r#"
        metadata: {name: many}
          priority: 20
        metadata: {name: many-2}
          priority: 21
        metadata: {name: many-3}
          priority: 22
        metadata: {name: next}
          priority: 23"#]]
    .assert_eq(&names.join("\n"));
}

const OWN: &str = "
apiVersion: palisade.dev/v1alpha1
kind: Perimeter
metadata: {name: default, namespace: data}
spec: {subject: {selector: {}}, directions: [Ingress]}
---
apiVersion: palisade.dev/v1alpha1
kind: AccessPolicy
metadata: {name: database, namespace: data}
spec:
  rules:
  - {name: web, action: Allow, from: [{selector: {matchLabels: {app: web}}, namespace: shop}], to: [{selector: {matchLabels: {app: db}}}], ports: [{port: pg}]}
  - {name: never, action: Deny, from: [{selector: {matchLabels: {app: api}}, namespace: shop, container: c}], to: [{selector: {}}]}
";

#[test]
fn own_policies_are_lowered_and_what_is_lost_is_told() {
    for target in ["networkpolicy", "clusternetworkpolicy"] {
        let said = run(&format!("net lower -f - --to {target}"), &format!("{PODS}{OWN}"));
        match target {
            "networkpolicy" => expect![[r#"
                apiVersion: networking.k8s.io/v1
                kind: NetworkPolicy
                metadata: {name: default, namespace: data}
                spec:
                  podSelector: {}
                  policyTypes: [Ingress]
                ---
                apiVersion: networking.k8s.io/v1
                kind: NetworkPolicy
                metadata: {name: web-in, namespace: data}
                spec:
                  podSelector: {matchLabels: {app: db}}
                  policyTypes: [Ingress]
                  ingress:
                  - from:
                    - namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: shop}}
                      podSelector: {matchLabels: {app: web}}
                    ports: [{port: pg}]
                2 AccessPolicies and Perimeters, written as 2 NetworkPolicies and 0
                  ClusterNetworkPolicies

                what cannot be said
                  AccessPolicy data/database rules[1] (<stdin>:24)
                    more open: a NetworkPolicy cannot deny what another one opens: left out
                  Perimeter data/default (<stdin>:13)
                    more open: a NetworkPolicy always lets the pod's own node in, and the pod
                      out to it

                compared: 3 pods in 3 classes, 9 addresses and nodes, 15 of 15 newcomers by
                  their labels: 2722 verdicts
                3 links of the input differ
                  the own node -> data/db all/TCP: denied, now allowed
                  the own node -> data/db all/UDP: denied, now allowed
                  the own node -> data/db all/SCTP: denied, now allowed
                15 links of pods that may come differ
                  the own node -> data/newcomer-1 all/TCP: denied, now allowed
                  the own node -> data/newcomer-1 all/UDP: denied, now allowed
                  the own node -> data/newcomer-1 all/SCTP: denied, now allowed
                  the own node -> data/newcomer-10 all/TCP: denied, now allowed
                  the own node -> data/newcomer-10 all/UDP: denied, now allowed
                  the own node -> data/newcomer-10 all/SCTP: denied, now allowed
                  the own node -> data/newcomer-13 all/TCP: denied, now allowed
                  the own node -> data/newcomer-13 all/UDP: denied, now allowed
                  the own node -> data/newcomer-13 all/SCTP: denied, now allowed
                  the own node -> data/newcomer-4 all/TCP: denied, now allowed
                  the own node -> data/newcomer-4 all/UDP: denied, now allowed
                  the own node -> data/newcomer-4 all/SCTP: denied, now allowed
                  the own node -> data/newcomer-7 all/TCP: denied, now allowed
                  the own node -> data/newcomer-7 all/UDP: denied, now allowed
                  the own node -> data/newcomer-7 all/SCTP: denied, now allowed
                [exit 1]
            "#]]
            .assert_eq(&said),
            _ => expect![[r#"
                apiVersion: networking.k8s.io/v1
                kind: NetworkPolicy
                metadata: {name: default, namespace: data}
                spec:
                  podSelector: {}
                  policyTypes: [Ingress]
                ---
                apiVersion: policy.networking.k8s.io/v1alpha2
                kind: ClusterNetworkPolicy
                metadata: {name: data-never-in}
                spec:
                  tier: Admin
                  priority: 0
                  subject: {namespaces: {matchLabels: {kubernetes.io/metadata.name: data}}}
                  ingress:
                  - action: Deny
                    from:
                    - pods:
                        namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: shop}}
                        podSelector: {matchLabels: {app: api}}
                ---
                apiVersion: policy.networking.k8s.io/v1alpha2
                kind: ClusterNetworkPolicy
                metadata: {name: data-web-in}
                spec:
                  tier: Admin
                  priority: 1
                  subject:
                    pods:
                      namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: data}}
                      podSelector: {matchLabels: {app: db}}
                  ingress:
                  - action: Accept
                    from:
                    - pods:
                        namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: shop}}
                        podSelector: {matchLabels: {app: web}}
                    protocols: [{destinationNamedPort: pg}]
                2 AccessPolicies and Perimeters, written as 1 NetworkPolicies and 2
                  ClusterNetworkPolicies

                what cannot be said
                  AccessPolicy data/database rules[1] (<stdin>:24)
                    more closed: `container: c`: only pods as a whole can be named, so all of
                      the pod is
                  Perimeter data/default (<stdin>:13)
                    more open: a NetworkPolicy always lets the pod's own node in, and the pod
                      out to it

                compared: 3 pods in 3 classes, 9 addresses and nodes, 15 of 15 newcomers by
                  their labels: 4282 verdicts
                3 links of the input differ
                  the own node -> data/db all/TCP: denied, now allowed
                  the own node -> data/db all/UDP: denied, now allowed
                  the own node -> data/db all/SCTP: denied, now allowed
                19 links of pods that may come differ
                  shop/newcomer-8:main -> data/newcomer-4 28001/UDP: denied, now allowed
                  shop/newcomer-8:main -> data/newcomer-4 28002/SCTP: denied, now allowed
                  shop/web:c -> data/newcomer-4 28001/UDP: denied, now allowed
                  shop/web:c -> data/newcomer-4 28002/SCTP: denied, now allowed
                  the own node -> data/newcomer-1 all/TCP: denied, now allowed
                  the own node -> data/newcomer-1 all/UDP: denied, now allowed
                  the own node -> data/newcomer-1 all/SCTP: denied, now allowed
                  the own node -> data/newcomer-10 all/TCP: denied, now allowed
                  the own node -> data/newcomer-10 all/UDP: denied, now allowed
                  the own node -> data/newcomer-10 all/SCTP: denied, now allowed
                  the own node -> data/newcomer-13 all/TCP: denied, now allowed
                  the own node -> data/newcomer-13 all/UDP: denied, now allowed
                  the own node -> data/newcomer-13 all/SCTP: denied, now allowed
                  the own node -> data/newcomer-4 all/TCP: denied, now allowed
                  the own node -> data/newcomer-4 all/UDP: denied, now allowed
                  the own node -> data/newcomer-4 all/SCTP: denied, now allowed
                  the own node -> data/newcomer-7 all/TCP: denied, now allowed
                  the own node -> data/newcomer-7 all/UDP: denied, now allowed
                  the own node -> data/newcomer-7 all/SCTP: denied, now allowed
                [exit 1]
            "#]]
            .assert_eq(&said),
        }
    }
}

/// `generic` and Cilium differ in what a block means for a pod's own node; the shop's own rules do not name it.
#[test]
fn what_lowering_loses_is_said_for_the_plugin_that_is_named() {
    let lowered = |plugin: &str| run(&format!("net lower -f examples/shop --cni {plugin} -o text"), "");
    assert!(lowered("generic").contains("-> the own node"));
    assert!(!lowered("cilium").contains("-> the own node"));
}
