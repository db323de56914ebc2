//! Inputs as YAML, the same each time.

use std::fmt::Write as _;

/// Pods of a node, by the default limit of a kubelet.
const PODS_OF_A_NODE: usize = 110;

/// An input and how many policies are in it.
pub(crate) struct Input {
    pub(crate) yaml: String,
    pub(crate) policies: usize,
}

/// Per namespace of 30 pods ten workloads behind Services, closed by a Perimeter and NetworkPolicies, opened
/// by AccessPolicies that name container and program.
pub(crate) fn cluster(pods: usize) -> Input {
    let (mut yaml, mut policies) = (String::new(), 0);
    nodes(&mut yaml, pods);
    for pod in 0..pods {
        let (namespace, workload) = (pod / 30, pod % 30 / 3);
        if pod % 30 == 0 {
            let _ = writeln!(yaml, "---\napiVersion: v1\nkind: Namespace\nmetadata: {{name: ns{namespace}}}");
            let _ = writeln!(
                yaml,
                "---\napiVersion: palisade.dev/v1alpha1\nkind: Perimeter\nmetadata: {{name: default, namespace: ns{namespace}}}\nspec: {{subject: {{selector: {{}}}}, except: [dns, kubelet]}}"
            );
            policies += 1;
        }
        if pod % 3 == 0 {
            let next = (workload + 1) % 10;
            let _ = writeln!(
                yaml,
                "---\napiVersion: v1\nkind: Service\nmetadata: {{name: w{workload}, namespace: ns{namespace}}}\nspec: {{clusterIP: 10.96.{}.{}, selector: {{app: w{workload}}}, ports: [{{port: 80, targetPort: http}}]}}",
                namespace % 250,
                namespace / 250 * 10 + workload + 1
            );
            let _ = writeln!(
                yaml,
                "---\napiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {{name: w{workload}, namespace: ns{namespace}}}\nspec: {{podSelector: {{matchLabels: {{app: w{workload}}}}}, ingress: [{{from: [{{ipBlock: {{cidr: 192.0.2.0/24}}}}], ports: [{{port: http}}]}}]}}"
            );
            let _ = writeln!(
                yaml,
                "---\napiVersion: palisade.dev/v1alpha1\nkind: AccessPolicy\nmetadata: {{name: w{workload}, namespace: ns{namespace}}}\nspec: {{rules: [{{action: Allow, from: [{{workload: w{workload}, container: main, program: /app/w{workload}}}], to: [{{workload: w{next}}}], ports: [{{port: http}}]}}]}}"
            );
            policies += 2;
        }
        let _ = writeln!(
            yaml,
            "---\napiVersion: v1\nkind: Pod\nmetadata: {{name: w{workload}-{pod}, namespace: ns{namespace}, labels: {{app: w{workload}}}, ownerReferences: [{{apiVersion: apps/v1, kind: StatefulSet, name: w{workload}, uid: u, controller: true}}]}}\nspec: {{nodeName: node{}, containers: [{{name: main, image: x, ports: [{{name: http, containerPort: 8080}}]}}, {{name: side, image: side}}]}}\nstatus: {{phase: Running, podIPs: [{{ip: {}}}]}}",
            pod / PODS_OF_A_NODE,
            pod_address(pod)
        );
    }
    Input { yaml, policies }
}

/// One pod of a closed namespace, and `rules` Allows of it to as many blocks.
pub(crate) fn allows_to_blocks(rules: usize) -> Input {
    let mut yaml = String::new();
    nodes(&mut yaml, 1);
    closed_namespace(&mut yaml);
    simple_pod(&mut yaml, 0);
    /// What the API server's limit on an object's size allows with ease.
    const RULES_OF_A_POLICY: usize = 1000;
    for first in (0..rules).step_by(RULES_OF_A_POLICY) {
        let _ = writeln!(
            yaml,
            "---\napiVersion: palisade.dev/v1alpha1\nkind: AccessPolicy\nmetadata: {{name: blocks{first}, namespace: a}}\nspec:\n  rules:"
        );
        for rule in first..rules.min(first + RULES_OF_A_POLICY) {
            let _ = writeln!(
                yaml,
                "  - {{action: Allow, from: [{{workload: w0}}], to: [{{cidr: 100.{}.{}.0/24}}], ports: [{{port: {}}}]}}",
                rule / 250,
                rule % 250,
                443 + rule % 7
            );
        }
    }
    Input { yaml, policies: 1 + rules.div_ceil(RULES_OF_A_POLICY) }
}

/// A hundred pods of one namespace, and NetworkPolicies of which each selects one of them, admits another and
/// a block of its own, and lets it talk to a third.
pub(crate) fn network_policies(policies: usize) -> Input {
    const PODS: usize = 100;
    let mut yaml = String::new();
    nodes(&mut yaml, PODS);
    let _ = writeln!(yaml, "---\napiVersion: v1\nkind: Namespace\nmetadata: {{name: a}}");
    for pod in 0..PODS {
        simple_pod(&mut yaml, pod);
    }
    for policy in 0..policies {
        let _ = writeln!(
            yaml,
            "---\napiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {{name: p{policy}, namespace: a}}\nspec: {{podSelector: {{matchLabels: {{app: w{}}}}}, ingress: [{{from: [{{podSelector: {{matchLabels: {{app: w{}}}}}}}, {{ipBlock: {{cidr: 100.{}.{}.0/24}}}}], ports: [{{port: 8080}}]}}], egress: [{{to: [{{podSelector: {{matchLabels: {{app: w{}}}}}}}]}}]}}",
            policy % PODS,
            (policy + policy / PODS + 1) % PODS,
            policy / 250,
            policy % 250,
            (policy + policy / PODS + 7) % PODS
        );
    }
    Input { yaml, policies }
}

/// Pods of which each is a workload of its own that two rules name: no two are alike.
pub(crate) fn unlike_pods(pods: usize) -> Input {
    let mut yaml = String::new();
    nodes(&mut yaml, pods);
    closed_namespace(&mut yaml);
    for pod in 0..pods {
        simple_pod(&mut yaml, pod);
        let _ = writeln!(
            yaml,
            "---\napiVersion: palisade.dev/v1alpha1\nkind: AccessPolicy\nmetadata: {{name: p{pod}, namespace: a}}\nspec: {{rules: [{{action: Allow, from: [{{workload: w{pod}}}], to: [{{workload: w{}}}], ports: [{{port: 8080}}]}}]}}",
            (pod + 1) % pods
        );
    }
    Input { yaml, policies: pods + 1 }
}

fn closed_namespace(yaml: &mut String) {
    let _ = writeln!(
        yaml,
        "---\napiVersion: v1\nkind: Namespace\nmetadata: {{name: a}}\n---\napiVersion: palisade.dev/v1alpha1\nkind: Perimeter\nmetadata: {{name: default, namespace: a}}\nspec: {{subject: {{selector: {{}}}}, except: [dns, kubelet]}}"
    );
}

fn simple_pod(yaml: &mut String, pod: usize) {
    let _ = writeln!(
        yaml,
        "---\napiVersion: v1\nkind: Pod\nmetadata: {{name: w{pod}-0, namespace: a, labels: {{app: w{pod}}}, ownerReferences: [{{apiVersion: apps/v1, kind: StatefulSet, name: w{pod}, uid: u, controller: true}}]}}\nspec: {{nodeName: node{}, containers: [{{name: main, image: x, ports: [{{name: http, containerPort: 8080}}]}}]}}\nstatus: {{phase: Running, podIPs: [{{ip: {}}}]}}",
        pod / PODS_OF_A_NODE,
        pod_address(pod)
    );
}

fn nodes(yaml: &mut String, pods: usize) {
    for node in 0..pods.div_ceil(PODS_OF_A_NODE) {
        let _ = writeln!(
            yaml,
            "---\napiVersion: v1\nkind: Node\nmetadata: {{name: node{node}}}\nstatus: {{addresses: [{{type: InternalIP, address: 172.31.0.{}}}]}}",
            node + 1
        );
    }
}

fn pod_address(pod: usize) -> String {
    format!("10.{}.{}.{}", 244 + pod / 60_000, pod / 250 % 250, pod % 250 + 1)
}
