//! Clusters under NetworkPolicies alone, as YAML, the same each time: what other engines read as well.

use std::fmt::Write as _;

use crate::clusters::Input;

/// Pods of a namespace.
const PODS: usize = 20;

/// Apps of a namespace: its pods share their labels.
const APPS: usize = 5;

/// As teams write it: a namespace of five apps denies by default, lets DNS out, opens app to app, and two
/// namespaces to each other.
pub(crate) fn typical(pods: usize, policies: usize) -> Input {
    let mut yaml = String::new();
    namespaces(&mut yaml, pods);
    for pod in 0..pods {
        let (namespace, app) = (pod / PODS, pod % APPS);
        write_pod(&mut yaml, pod, &format!("app: a{app}, team: t{}", namespace % 7), "http", 8080);
    }
    let namespaces = pods.div_ceil(PODS);
    for policy in 0..policies {
        let (namespace, kind) = (policy % namespaces, policy / namespaces);
        let app = kind % APPS;
        let (next, far) = ((app + 1) % APPS, (namespace + 1 + kind) % namespaces);
        let spec = match kind {
            0 => "podSelector: {}, policyTypes: [Ingress, Egress]".to_owned(),
            1 => "podSelector: {}, egress: [{to: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: ns0}}, podSelector: {matchLabels: {app: a0}}}], ports: [{port: 53, protocol: UDP}, {port: 53}]}]".to_owned(),
            kind if kind % 2 == 0 => format!(
                "podSelector: {{matchLabels: {{app: a{app}}}}}, ingress: [{{from: [{{podSelector: {{matchLabels: {{app: a{next}}}}}}}, {{namespaceSelector: {{matchLabels: {{kubernetes.io/metadata.name: ns{far}}}}}}}], ports: [{{port: 8080}}]}}]"
            ),
            _ => format!(
                "podSelector: {{matchLabels: {{app: a{app}}}}}, egress: [{{to: [{{namespaceSelector: {{matchLabels: {{team: t{}}}}}}}], ports: [{{port: 8080}}, {{port: 9000, endPort: 9100}}]}}, {{to: [{{ipBlock: {{cidr: 203.0.113.0/24, except: [203.0.113.64/26]}}}}], ports: [{{port: 443}}]}}]",
                kind % 7
            ),
        };
        write_policy(&mut yaml, policy, namespace, &spec);
    }
    Input { yaml, policies }
}

/// No two pods are alike: each has a label of its own that some policy asks for, and broad peers beside.
pub(crate) fn own_classes(pods: usize, policies: usize) -> Input {
    let mut yaml = String::new();
    namespaces(&mut yaml, pods);
    for pod in 0..pods {
        write_pod(&mut yaml, pod, &format!("id: p{pod}, app: a{}", pod % APPS), "http", 8080);
    }
    let each = pods.div_ceil(policies);
    for policy in 0..policies {
        // It selects one pod, and names as many others one by one as makes each pod be named.
        let subject = policy * each % pods;
        let others: Vec<String> = (0..each)
            .map(|other| (policy * each + other) % pods)
            .map(|other| {
                format!(
                    "{{namespaceSelector: {{}}, podSelector: {{matchLabels: {{id: p{other}}}}}}}, {{namespaceSelector: {{matchLabels: {{kubernetes.io/metadata.name: ns{}}}}}}}",
                    (other / PODS + 1) % pods.div_ceil(PODS)
                )
            })
            .collect();
        let spec = format!(
            "podSelector: {{matchLabels: {{id: p{subject}}}}}, ingress: [{{from: [{}], ports: [{{port: {}}}]}}], egress: [{{to: [{{namespaceSelector: {{}}, podSelector: {{matchLabels: {{app: a{}}}}}}}, {}]}}]",
            others.join(", "),
            8000 + policy % 100,
            policy % APPS,
            others.join(", "),
        );
        write_policy(&mut yaml, policy, subject / PODS, &spec);
    }
    Input { yaml, policies }
}

/// Named ports that mean another number on each third pod, and a block of one address in each rule.
pub(crate) fn names_and_blocks(pods: usize, policies: usize) -> Input {
    let mut yaml = String::new();
    namespaces(&mut yaml, pods);
    for pod in 0..pods {
        write_pod(&mut yaml, pod, &format!("app: a{}", pod % APPS), "http", 8080 + pod % 3);
    }
    let namespaces = pods.div_ceil(PODS);
    for policy in 0..policies {
        let namespace = policy % namespaces;
        let app = policy / namespaces % APPS;
        let block = format!("100.{}.{}.{}/32", policy / 60_000 + 64, policy / 250 % 250, policy % 250);
        let spec = format!(
            "podSelector: {{matchLabels: {{app: a{app}}}}}, ingress: [{{from: [{{podSelector: {{matchLabels: {{app: a{}}}}}}}, {{ipBlock: {{cidr: {block}}}}}], ports: [{{port: http}}]}}], egress: [{{to: [{{namespaceSelector: {{matchLabels: {{kubernetes.io/metadata.name: ns{}}}}}}}, {{ipBlock: {{cidr: {block}}}}}], ports: [{{port: http}}, {{port: 443}}]}}]",
            (app + 1) % APPS,
            (namespace + 1) % namespaces
        );
        write_policy(&mut yaml, policy, namespace, &spec);
    }
    Input { yaml, policies }
}

/// All pods in one namespace: four of each app, a policy of two peers for an app, and one that closes all.
pub(crate) fn one_namespace(pods: usize, policies: usize) -> Input {
    const REPLICAS: usize = 4;
    let apps = pods.div_ceil(REPLICAS);
    let mut yaml = String::from("---\napiVersion: v1\nkind: Namespace\nmetadata: {name: ns0}\n");
    for pod in 0..pods {
        let app = pod / REPLICAS;
        let labels = format!("app: a{app}, team: t{}", app % 7);
        write_pod_in(&mut yaml, 0, pod, &labels, "http", 8080);
    }
    for policy in 0..policies {
        let app = policy % apps;
        let spec = match policy {
            0 => "podSelector: {}, policyTypes: [Ingress, Egress]".to_owned(),
            _ => format!(
                "podSelector: {{matchLabels: {{app: a{app}}}}}, ingress: [{{from: [{{podSelector: {{matchLabels: {{app: a{}}}}}}}, {{podSelector: {{matchLabels: {{team: t{}}}}}}}], ports: [{{port: 8080}}]}}]",
                (app + 1) % apps,
                app % 7
            ),
        };
        write_policy(&mut yaml, policy, 0, &spec);
    }
    Input { yaml, policies }
}

fn namespaces(yaml: &mut String, pods: usize) {
    for namespace in 0..pods.div_ceil(PODS) {
        let _ = writeln!(
            yaml,
            "---\napiVersion: v1\nkind: Namespace\nmetadata: {{name: ns{namespace}, labels: {{team: t{}}}}}",
            namespace % 7
        );
    }
}

fn write_pod(yaml: &mut String, pod: usize, labels: &str, port_name: &str, port: usize) {
    write_pod_in(yaml, pod / PODS, pod, labels, port_name, port);
}

fn write_pod_in(yaml: &mut String, namespace: usize, pod: usize, labels: &str, port_name: &str, port: usize) {
    let _ = writeln!(
        yaml,
        "---\napiVersion: v1\nkind: Pod\nmetadata: {{name: p{pod}, namespace: ns{namespace}, labels: {{{labels}}}}}\nspec: {{containers: [{{name: main, image: x, ports: [{{name: {port_name}, containerPort: {port}}}]}}]}}\nstatus: {{phase: Running, podIPs: [{{ip: 10.{}.{}.{}}}]}}",
        244 + pod / 60_000,
        pod / 250 % 250,
        pod % 250 + 1
    );
}

fn write_policy(yaml: &mut String, policy: usize, namespace: usize, spec: &str) {
    let _ = writeln!(
        yaml,
        "---\napiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {{name: n{policy}, namespace: ns{namespace}}}\nspec: {{{spec}}}"
    );
}
