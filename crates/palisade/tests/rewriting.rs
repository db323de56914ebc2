//! Policies written anew as another kind, as a reader sees them.

use std::io::Write;
use std::process::{Command, Stdio};

use expect_test::{Expect, expect};

/// Standard output, then standard error, then the exit code.
fn run(arguments: &str, input: &str) -> String {
    let mut child = Command::new(env!("CARGO_BIN_EXE_palisade"))
        .args(arguments.split_whitespace())
        .env_remove("PALISADE_LAB")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    let mut stdin = child.stdin.take().expect("piped");
    // The command may end without reading it.
    let _ = stdin.write_all(input.as_bytes());
    drop(stdin);
    let output = child.wait_with_output().expect("the binary ends");
    let code = output.status.code().expect("it is not killed");
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    format!("{text}[exit {code}]\n")
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
