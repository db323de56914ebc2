//! What the API server refuses and Palisade does not look at: each a decision, with its reason.
//!
//! Such an object is taken as if it were in force. None of it is a policy, selector, label, port, address or network
//! setting: an answer is then about a pod or node that the cluster would not have.

use std::ops::RangeInclusive;

use serde_json::Value as Json;

/// Fields by their beginning, a template's below `spec` like a pod's.
const NOT_CHECKED: [&str; 13] = [
    // Nothing here reads them, and what `kubectl get` shows has them right.
    "metadata.finalizers",
    "metadata.ownerReferences",
    "spec.finalizers",
    // Of a Node only labels and addresses are read. The server names the field `metadata.taints`.
    "metadata.taints",
    "spec.podCIDR",
    "status.capacity",
    "status.allocatable",
    // Whether the reference is well-formed; what it refers to is in the cluster alone.
    "spec.containers[].env[].valueFrom",
    "spec.volumes[].configMap",
    // Resources by other names than `cpu` and `memory`.
    "spec.containers[].resources.limits[Cpu]",
    "spec.containers[].resources.requests[Cpu]",
    // May not be there on creation; a pod that runs has them.
    "spec.ephemeralContainers",
    // The syntax of cron: the pods are the same whenever they start.
    "spec.schedule",
];

/// What only this very cluster knows: its ranges, what is taken in them, its classes.
const OF_THE_CLUSTER: [&str; 3] = ["failed to allocate", "already allocated", "no PriorityClass with name"];

/// Whether Palisade may take what the server refused so.
pub fn may_be_taken(status: &Json) -> bool {
    let causes = status["details"]["causes"].as_array().map(Vec::as_slice).unwrap_or_default();
    if causes.is_empty() {
        return is_of_the_cluster(&status["message"]);
    }
    causes.iter().all(|cause| {
        let field = general(cause["field"].as_str().unwrap_or_default());
        NOT_CHECKED.iter().any(|known| field.starts_with(known)) || is_of_the_cluster(&cause["message"])
    })
}

/// Whether the server drops a peer's only field, and refuses the peer for it. In a cluster with a newer release the field
/// may be there: Palisade takes the policy, and fails closed.
///
/// Source: ClusterNetworkPolicyIngressPeer, "If an implementation sees no fields are set".
pub fn is_of_a_newer_version(status: &Json) -> bool {
    let causes = status["details"]["causes"].as_array().map(Vec::as_slice).unwrap_or_default();
    let is_peer = |cause: &Json| {
        let field = general(cause["field"].as_str().unwrap_or_default());
        let message = cause["message"].as_str().unwrap_or_default();
        (field.ends_with("to[]") || field.ends_with("from[]")) && message.ends_with("should have at least 1 properties")
    };
    !causes.is_empty() && causes.iter().all(is_peer)
}

/// Fields that take part in an answer, by their beginning: what is wrong with these, Palisade must see everywhere.
const TAKES_PART: [&str; 14] = [
    "metadata.name",
    "metadata.generateName",
    "metadata.labels",
    "spec.selector",
    "spec.hostNetwork",
    "spec.hostname",
    "spec.subdomain",
    "spec.serviceAccountName",
    "spec.containers[].name",
    "spec.containers[].ports",
    "spec.initContainers[].name",
    "spec.initContainers[].ports",
    "spec.ports",
    "spec.clusterIP",
];

/// Whether the server refused what takes part in no answer.
pub fn takes_no_part(status: &Json) -> bool {
    let causes = status["details"]["causes"].as_array().map(Vec::as_slice).unwrap_or_default();
    let fields: Vec<String> = causes.iter().map(|cause| general(cause["field"].as_str().unwrap_or_default())).collect();
    may_be_taken(status)
        || !fields.is_empty() && !fields.iter().any(|field| TAKES_PART.iter().any(|part| field.starts_with(part)))
}

fn is_of_the_cluster(message: &Json) -> bool {
    let message = message.as_str().unwrap_or_default();
    OF_THE_CLUSTER.iter().any(|known| message.contains(known))
}

/// The field without its indices, and as of a pod.
fn general(field: &str) -> String {
    let of_pod = field.replacen("spec.jobTemplate.spec.template.", "", 1).replacen("spec.template.", "", 1);
    let mut out = String::new();
    for (index, part) in of_pod.split('[').enumerate() {
        if index > 0 {
            out.push('[');
        }
        out.push_str(part.trim_start_matches(|letter: char| letter.is_ascii_digit()));
    }
    out
}

/// The node ports of the server, by default.
const NODE_PORTS: RangeInclusive<i64> = 30_000..=32_767;

/// A dry run asks nobody whether a node port is free, and so takes those that are none: Palisade refuses them as a
/// creation does.
pub fn only_a_dry_run_takes_it(object_text: &str) -> bool {
    if !object_text.contains("\"kind\": \"Service\"") {
        return false;
    }
    let ports = object_text.lines().filter_map(|line| line.trim().strip_prefix("\"nodePort\": "));
    ports.filter_map(|port| port.parse::<f64>().ok()).any(|port| !NODE_PORTS.contains(&(port as i64)) && port != 0.0)
}
