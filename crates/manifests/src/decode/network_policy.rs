//! `networking.k8s.io/v1` NetworkPolicy. Source: `pkg/apis/networking/validation` of Kubernetes.

use palisade_model::network_policy::{NetworkPolicy, NetworkPolicyPeer, NetworkPolicyRule, NetworkPolicyTarget};
use palisade_model::{IpNet, Meta};

use super::label_selector::read_selector;
use super::port::read_port_rule;
use crate::address::{Block, parse_block};
use crate::at::At;
use crate::report::{Report, WithHint};

pub(super) fn decode(report: &mut Report, root: &At<'_, '_>, meta: Meta) -> NetworkPolicy {
    // A missing spec is an empty one: every field has a default.
    let Some(spec) = root.field("spec") else {
        return NetworkPolicy { meta, pod_selector: Default::default(), ingress: Some(Vec::new()), egress: None };
    };
    let pod_selector = read_selector(report, &spec, "podSelector").unwrap_or_default();
    let ingress = spec.list("ingress", |rule| read_rule(report, rule, "from"));
    let egress = spec.list("egress", |rule| read_rule(report, rule, "to"));
    let types = read_policy_types(report, &spec);
    let (is_ingress, is_egress) = match types.as_slice() {
        [] => (true, !egress.is_empty()),
        types => (types.contains(&PolicyType::Ingress), types.contains(&PolicyType::Egress)),
    };
    NetworkPolicy { meta, pod_selector, ingress: is_ingress.then_some(ingress), egress: is_egress.then_some(egress) }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum PolicyType {
    Ingress,
    Egress,
}

fn read_policy_types(report: &mut Report, spec: &At<'_, '_>) -> Vec<PolicyType> {
    let Some(list) = spec.field("policyTypes") else { return Vec::new() };
    if list.elements().count() > 2 {
        report.reject(&list, "invalid-value", "has more than two entries").with_hint("use [Ingress], [Egress] or both");
    }
    let mut types = Vec::new();
    for entry in list.elements() {
        match entry.as_text() {
            Some("Ingress") => types.push(PolicyType::Ingress),
            Some("Egress") => types.push(PolicyType::Egress),
            other => {
                let other = other.unwrap_or_default();
                report
                    .reject(&entry, "invalid-value", &format!("unknown policy type `{other}`"))
                    .with_hint("use Ingress or Egress");
            }
        }
    }
    types
}

fn read_rule(report: &mut Report, at: &At<'_, '_>, peers: &'static str) -> NetworkPolicyRule {
    warn_of_empty_lists(report, at, peers);
    NetworkPolicyRule {
        place: report.place(at.line()),
        ports: at.list("ports", |port| read_port_rule(report, port)).into_iter().flatten().collect(),
        peers: at.list(peers, |peer| read_peer(report, peer)).into_iter().flatten().collect(),
    }
}

/// An empty list means the same as none: all. Whoever writes one mostly means nobody.
///
/// Source: NetworkPolicy API reference, `spec.ingress[].from`, "empty or missing".
fn warn_of_empty_lists(report: &mut Report, at: &At<'_, '_>, peers: &'static str) {
    for (name, all, direction) in [
        (peers, "everyone, from outside too", if peers == "from" { "ingress" } else { "egress" }),
        ("ports", "every port", ""),
    ] {
        let Some(list) = at.field(name).filter(|list| list.elements().len() == 0) else { continue };
        let hint = match direction {
            "" => "remove the line if every port is meant".to_owned(),
            direction => {
                format!("`{direction}: []` without a rule is what closes; remove the line if everyone is meant")
            }
        };
        report.warn(&list, "empty-peer-list", &format!("an empty list means {all}")).with_hint(hint);
    }
}

fn read_peer(report: &mut Report, at: &At<'_, '_>) -> Option<NetworkPolicyPeer> {
    let place = report.place(at.line());
    let pod_selector = read_selector(report, at, "podSelector");
    let namespace_selector = read_selector(report, at, "namespaceSelector");
    let names_pods = pod_selector.is_some() || namespace_selector.is_some();
    let target = match at.field("ipBlock") {
        Some(block) if names_pods => {
            report
                .reject(&block, "invalid-value", "`ipBlock` may not stand beside a selector in one peer")
                .with_hint("make it a peer of its own: start it with `-`");
            return None;
        }
        Some(block) => read_ip_block(report, &block)?,
        None if names_pods => NetworkPolicyTarget::Pods { pod_selector, namespace_selector },
        None => {
            report.reject(at, "missing-field", "the peer names nobody").with_hint(
                "add podSelector, namespaceSelector or ipBlock; `{}` as a selector selects all, an empty line nothing",
            );
            return None;
        }
    };
    Some(NetworkPolicyPeer { place, target })
}

fn read_ip_block(report: &mut Report, at: &At<'_, '_>) -> Option<NetworkPolicyTarget> {
    let (cidr, except) = read_block_with_except(report, at)?;
    Some(NetworkPolicyTarget::IpBlock { cidr, except })
}

/// `cidr` and `except` of `at`.
pub(super) fn read_block_with_except(report: &mut Report, at: &At<'_, '_>) -> Option<(IpNet, Vec<IpNet>)> {
    let Some(cidr_at) = at.field("cidr") else {
        report.reject(at, "missing-field", "`cidr` is missing").with_hint("add `cidr: 10.0.0.0/8` or another block");
        return None;
    };
    let cidr = read_block(report, &cidr_at)?;
    let mut except = Vec::new();
    for entry in at.field("except").iter().flat_map(|list| list.elements()) {
        let Some(block) = read_block(report, &entry) else { continue };
        if block.is_strict_subset_of(&cidr) {
            except.push(block.net);
        } else {
            let message = format!("{} is no strict subset of `cidr` {}", block.net, cidr.net);
            report
                .reject(&entry, "invalid-value", &message)
                .with_hint("an exception takes away a part of its own block only");
        }
    }
    Some((cidr.net, except))
}

fn read_block(report: &mut Report, at: &At<'_, '_>) -> Option<Block> {
    let text = at.as_text().unwrap_or_default();
    let block = parse_block(text);
    if block.is_none() {
        let hint = if crate::address::parse_address(text).is_some() {
            format!("add the length: `{text}/{}`", if text.contains(':') { 128 } else { 32 })
        } else {
            "write it as 10.0.0.0/8 or 2001:db8::/32".to_owned()
        };
        report.reject(at, "invalid-value", &format!("`{text}` is no CIDR block")).with_hint(hint);
    }
    block
}
