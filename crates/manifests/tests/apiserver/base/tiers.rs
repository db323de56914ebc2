//! The policies of administrators.

use serde_json::{Value as Json, json};

/// ClusterNetworkPolicies in both versions that are served.
pub fn cluster_policies() -> Vec<Json> {
    ["v1alpha2", "v1beta1"].into_iter().flat_map(cluster_policies_of).collect()
}

fn cluster_policies_of(version: &str) -> Vec<Json> {
    let version = format!("policy.networking.k8s.io/{version}");
    vec![
        json!({"apiVersion": version, "kind": "ClusterNetworkPolicy", "metadata": {"name": "admin"},
            "spec": {"tier": "Admin", "priority": 7,
                "subject": {"pods": {"namespaceSelector": {"matchLabels": {"team": "shop"}}, "podSelector": {"matchLabels": {"app": "web"}}}},
                "ingress": [
                    {"name": "from-edge", "action": "Accept", "from": [{"namespaces": {"matchLabels": {"team": "edge"}}}],
                        "protocols": [{"tcp": {"destinationPort": {"number": 80}}}, {"destinationNamedPort": "http"}]},
                    {"action": "Pass", "from": [{"pods": {"podSelector": {"matchExpressions": [{"key": "app", "operator": "Exists"}]}}}]}],
                "egress": [
                    {"action": "Accept", "to": [{"domainNames": ["example.com", "*.example.org"]}],
                        "protocols": [{"tcp": {"destinationPort": {"range": {"start": 80, "end": 443}}}}]},
                    {"action": "Deny", "to": [{"networks": ["10.0.0.0/8", "2001:db8::/32"]}, {"nodes": {}}],
                        "protocols": [{"udp": {"destinationPort": {"number": 53}}}, {"sctp": {"destinationPort": {"number": 9}}}]}]}}),
        json!({"apiVersion": version, "kind": "ClusterNetworkPolicy", "metadata": {"name": "baseline"},
            "spec": {"tier": "Baseline", "priority": 0, "subject": {"namespaces": {}},
                "egress": [{"name": "names", "action": "Deny", "to": [{"domainNames": ["example.com"]}]}]}}),
    ]
}

/// Admin and BaselineAdminNetworkPolicies.
pub fn older_policies() -> Vec<Json> {
    const VERSION: &str = "policy.networking.k8s.io/v1alpha1";
    vec![
        json!({"apiVersion": VERSION, "kind": "AdminNetworkPolicy", "metadata": {"name": "admin"},
            "spec": {"priority": 7,
                "subject": {"pods": {"namespaceSelector": {}, "podSelector": {"matchLabels": {"app": "web"}}}},
                "ingress": [
                    {"name": "from-edge", "action": "Allow", "from": [{"namespaces": {"matchLabels": {"team": "edge"}}}],
                        "ports": [{"portNumber": {"protocol": "TCP", "port": 80}}, {"namedPort": "http"}]},
                    {"action": "Pass", "from": [{"pods": {"namespaceSelector": {"matchLabels": {"team": "edge"}},
                        "podSelector": {"matchExpressions": [{"key": "app", "operator": "In", "values": ["a"]}]}}}]}],
                "egress": [
                    {"action": "Deny", "to": [{"networks": ["10.0.0.0/8", "2001:db8::/32"]}, {"nodes": {"matchLabels": {"a": "b"}}}],
                        "ports": [{"portRange": {"protocol": "UDP", "start": 53, "end": 55}}]},
                    {"action": "Allow", "to": [{"domainNames": ["example.com"]}]}]}}),
        json!({"apiVersion": VERSION, "kind": "BaselineAdminNetworkPolicy", "metadata": {"name": "default"},
            "spec": {"subject": {"namespaces": {"matchLabels": {"team": "shop"}}},
                "ingress": [{"action": "Deny", "from": [{"namespaces": {}}]}],
                "egress": [{"action": "Allow", "to": [{"networks": ["10.0.0.0/8"]}], "ports": [{"portNumber": {"port": 80}}]}]}}),
    ]
}
