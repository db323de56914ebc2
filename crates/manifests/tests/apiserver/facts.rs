//! What of an object matters to Palisade, in a form in which two readings can be compared.

use std::fmt::Write;

use palisade_manifests::load_text;
use palisade_model::network_policy::{NetworkPolicy, NetworkPolicyRule, NetworkPolicyTarget};
use palisade_model::{Inventory, Outcome, Selector};
use serde_json::{Map, Value as Json, json};

/// How Palisade reads one object.
pub struct Reading {
    pub outcome: Outcome<Inventory>,
}

impl Reading {
    pub fn of(text: &str) -> Self {
        Self { outcome: load_text("a.yaml", text) }
    }

    /// Whether the object is in force.
    pub fn is_taken(&self) -> bool {
        let inventory = &self.outcome.value;
        let counts = [
            inventory.endpoint_slices.len(),
            inventory.gateway_classes.len(),
            inventory.gateways.len(),
            inventory.ingress_classes.len(),
            inventory.ingresses.len(),
            inventory.namespaces.len(),
            inventory.network_policies.len(),
            inventory.nodes.len(),
            inventory.pods.len(),
            inventory.reference_grants.len(),
            inventory.routes.len(),
            inventory.service_accounts.len(),
            inventory.services.len(),
            inventory.tiered_policies.len(),
            inventory.workloads.len(),
        ];
        counts.iter().sum::<usize>() > 0
    }

    /// Whether it is not known what the object says.
    pub fn is_doubtful(&self) -> bool {
        !self.outcome.value.unreadable.is_empty()
    }

    /// The paths of the fields that were dropped because nobody knows them.
    pub fn unknown_fields(&self) -> Vec<String> {
        let unknown = self.outcome.problems.iter().filter(|problem| problem.code == "unknown-field");
        let mut paths: Vec<String> =
            unknown.filter_map(|problem| problem.message.split('`').nth(1)).map(str::to_owned).collect();
        paths.sort();
        paths
    }

    /// Everything that was read but for places.
    pub fn facts(&self) -> Json {
        let mut facts = serde_json::to_value(&self.outcome.value).expect("an inventory is data");
        strip(&mut facts);
        facts
    }
}

/// Labels and annotations that hold a uid or a count, which nobody can know before.
const MADE_LABELS: [&str; 3] =
    ["batch.kubernetes.io/controller-uid", "controller-uid", "deprecated.daemonset.template.generation"];

/// Takes away where it stands and what the server gives to every object.
fn strip(value: &mut Json) {
    match value {
        Json::Object(fields) => {
            fields.remove("place");
            fields.remove("uid");
            fields.retain(|name, _| !MADE_LABELS.contains(&name.as_str()));
            for name in ["add", "drop"] {
                // No capability has an empty name: Palisade leaves it out.
                if let Some(Json::Array(names)) = fields.get_mut(name) {
                    names.retain(|name| name != "");
                }
            }
            fields.values_mut().for_each(strip);
        }
        Json::Array(items) => items.iter_mut().for_each(strip),
        _ => {}
    }
}

/// The lists of an inventory that may hold what was asked about.
const KINDS: [&str; 15] = [
    "endpointSlices",
    "gatewayClasses",
    "gateways",
    "ingressClasses",
    "ingresses",
    "namespaces",
    "networkPolicies",
    "nodes",
    "pods",
    "referenceGrants",
    "routes",
    "serviceAccounts",
    "services",
    "tieredPolicies",
    "workloads",
];

/// Takes from `theirs` the selector of a job, which holds its uid, and the addresses and ports of a Service that a server chooses where `ours` leaves them open.
pub fn forget_what_was_chosen(ours: &mut Json, theirs: &mut Json) {
    for pods in [&mut *ours, &mut *theirs] {
        for pod in pods["pods"].as_array_mut().into_iter().flatten() {
            forget_status(pod);
        }
    }
    for kind in KINDS {
        let (Some(ours), Some(theirs)) = (ours[kind].as_array_mut(), theirs[kind].as_array_mut()) else { continue };
        for (ours, theirs) in ours.iter_mut().zip(theirs) {
            forget_generated_name(ours, theirs);
        }
    }
    for (index, workload) in theirs["workloads"].as_array_mut().into_iter().flatten().enumerate() {
        if workload["kind"] == "Job" && ours["workloads"][index]["selector"].is_null() {
            workload["selector"] = Json::Null;
        }
    }
    let Some(services) = theirs["services"].as_array_mut() else { return };
    for (index, service) in services.iter_mut().enumerate() {
        let ours = &ours["services"][index];
        let given = ours["clusterIps"].as_array().map_or(0, Vec::len);
        if let Some(addresses) = service["clusterIps"].as_array_mut() {
            // A second family may be added to the one that was given.
            addresses.truncate(given);
        }
        for (index, port) in service["ports"].as_array_mut().into_iter().flatten().enumerate() {
            if ours["ports"][index]["nodePort"].is_null() {
                port["nodePort"] = Json::Null;
            }
        }
    }
}

/// Where two trees differ.
pub fn difference(ours: &Json, theirs: &Json) -> String {
    let mut out = String::new();
    write_difference(&mut out, "", ours, theirs);
    out
}

fn write_difference(out: &mut String, at: &str, ours: &Json, theirs: &Json) {
    match (ours, theirs) {
        (Json::Object(ours), Json::Object(theirs)) => {
            for key in ours.keys().chain(theirs.keys().filter(|key| !ours.contains_key(*key))) {
                let value = |fields: &Map<String, Json>| fields.get(key).cloned().unwrap_or_default();
                write_difference(out, &format!("{at}.{key}"), &value(ours), &value(theirs));
            }
        }
        (Json::Array(ours), Json::Array(theirs)) if ours.len() == theirs.len() => {
            for (index, (ours, theirs)) in ours.iter().zip(theirs).enumerate() {
                write_difference(out, &format!("{at}[{index}]"), ours, theirs);
            }
        }
        (ours, theirs) if ours == theirs => {}
        (ours, theirs) => {
            let _ = write!(out, "{at}: {ours} | {theirs}; ");
        }
    }
}

/// A creation drops the status.
fn forget_status(pod: &mut Json) {
    for field in ["phase", "addresses", "hostAddresses", "containerStatuses", "ready"] {
        pod[field] = Json::Null;
    }
}

/// A name that the server makes begins with what was given; a job's is in labels, too.
fn forget_generated_name(ours: &mut Json, theirs: &mut Json) {
    /// What is added to `generateName`.
    const LETTERS: usize = 5;
    let (given, made) =
        (ours["meta"]["object"].as_str().unwrap_or(""), theirs["meta"]["object"].as_str().unwrap_or(""));
    // The start is cut when it is long.
    let start = made.len().checked_sub(LETTERS).and_then(|end| made.get(..end));
    if given == made || !start.is_some_and(|start| given.starts_with(start)) {
        return;
    }
    for object in [ours, theirs] {
        object["meta"] = Json::Null;
        if let Some(labels) = object["labels"].as_object_mut() {
            labels.retain(|name, _| !name.ends_with("job-name"));
        }
    }
}

/// A NetworkPolicy as Palisade holds it, in a form that can also be made of the server's own answer.
pub fn of_policy(policy: &NetworkPolicy) -> Json {
    let rules = |rules: &Option<Vec<NetworkPolicyRule>>| {
        rules.as_ref().map(|rules| rules.iter().map(of_rule).collect::<Vec<Json>>())
    };
    json!({
        "podSelector": of_selector(&policy.pod_selector),
        "ingress": rules(&policy.ingress),
        "egress": rules(&policy.egress),
    })
}

fn of_rule(rule: &NetworkPolicyRule) -> Json {
    let peers: Vec<Json> = rule
        .peers
        .iter()
        .map(|peer| match &peer.target {
            NetworkPolicyTarget::Pods { pod_selector, namespace_selector } => json!({
                "podSelector": pod_selector.as_ref().map(of_selector),
                "namespaceSelector": namespace_selector.as_ref().map(of_selector),
            }),
            NetworkPolicyTarget::IpBlock { cidr, except } => json!({
                "cidr": cidr.to_string(),
                "except": except.iter().map(ToString::to_string).collect::<Vec<_>>(),
            }),
        })
        .collect();
    let ports: Vec<String> = rule.ports.iter().map(ToString::to_string).collect();
    json!({"peers": peers, "ports": ports})
}

fn of_selector(selector: &Selector) -> Json {
    let labels: Map<String, Json> =
        selector.match_labels.0.iter().map(|(key, value)| (key.to_string(), json!(&**value))).collect();
    let expressions: Vec<Json> = selector
        .match_expressions
        .iter()
        .map(|requirement| {
            let values: Vec<&str> = requirement.values.iter().map(AsRef::as_ref).collect();
            json!([&*requirement.key, format!("{:?}", requirement.operator), values])
        })
        .collect();
    json!({"matchLabels": labels, "matchExpressions": expressions})
}

/// The same of the policy that the server returns, where every default is written out.
pub fn of_answered_policy(answer: &Json) -> Json {
    let spec = &answer["spec"];
    let is_listed = |name: &str| spec["policyTypes"].as_array().is_some_and(|types| types.contains(&json!(name)));
    let rules = |name: &str, peers: &str| -> Vec<Json> {
        items(&spec[name])
            .map(|rule| {
                let ports: Vec<String> = items(&rule["ports"]).map(answered_port).collect();
                let peers: Vec<Json> = items(&rule[peers]).map(answered_peer).collect();
                json!({"peers": peers, "ports": ports})
            })
            .collect()
    };
    json!({
        "podSelector": answered_selector(&spec["podSelector"]),
        "ingress": is_listed("Ingress").then(|| rules("ingress", "from")),
        "egress": is_listed("Egress").then(|| rules("egress", "to")),
    })
}

fn answered_peer(peer: &Json) -> Json {
    let block = &peer["ipBlock"];
    if block.is_null() {
        let selector = |name: &str| Some(&peer[name]).filter(|selector| !selector.is_null()).map(answered_selector);
        return json!({"podSelector": selector("podSelector"), "namespaceSelector": selector("namespaceSelector")});
    }
    let except: Vec<String> = items(&block["except"]).map(masked).collect();
    json!({"cidr": masked(&block["cidr"]), "except": except})
}

/// The block that `text` means; the server keeps it as it was written.
fn masked(text: &Json) -> String {
    let text = text.as_str().expect("a block is text");
    match text.parse::<palisade_model::IpNet>() {
        Ok(block) if !text.contains("::ffff:") => block.trunc().to_string(),
        // Leading zeros and IPv4 in IPv6 form have cases of their own in `src/address.rs`.
        _ => match text {
            "10.01.0.0/16" | "010.1.0.0/16" | "10.1.0.0/016" | "10.1.0.0/00016" | "10.1.0.0/0000000016" => {
                "10.1.0.0/16".to_owned()
            }
            "::ffff:10.0.0.0/104" => "10.0.0.0/8".to_owned(),
            "::ffff:10.1.0.0/112" | "::ffff:0a01:0000/112" | "::ffff:010.1.0.0/112" => "10.1.0.0/16".to_owned(),
            "::ffff:10.0.0.0/8" => "::/8".to_owned(),
            other => panic!("give the meaning of {other} here"),
        },
    }
}

fn answered_port(port: &Json) -> String {
    let protocol = port["protocol"].as_str().expect("the server gives every port a protocol");
    match (&port["port"], &port["endPort"]) {
        (Json::Null, _) => format!("{protocol} any port"),
        (Json::String(name), _) => format!("{protocol} `{name}`"),
        (first, Json::Null) => format!("{protocol} {first}"),
        (first, last) if first == last => format!("{protocol} {first}"),
        (first, last) => format!("{protocol} {first}-{last}"),
    }
}

fn answered_selector(selector: &Json) -> Json {
    let expressions: Vec<Json> = items(&selector["matchExpressions"])
        .map(|entry| {
            let values: Vec<Json> = items(&entry["values"]).cloned().collect();
            json!([entry["key"], entry["operator"], values])
        })
        .collect();
    let labels = selector["matchLabels"].as_object().cloned().unwrap_or_default();
    json!({"matchLabels": labels, "matchExpressions": expressions})
}

fn items(list: &Json) -> impl Iterator<Item = &Json> {
    list.as_array().into_iter().flatten()
}
