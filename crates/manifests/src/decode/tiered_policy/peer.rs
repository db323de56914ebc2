//! Whom a rule names.

use std::collections::BTreeSet;
use std::net::IpAddr;

use palisade_model::object::Name;
use palisade_model::tiered_policy::{PodScope, TierAction, TieredPeer, TieredTarget};
use palisade_model::{IpNet, Kind, Selector};

use super::{Dialect, check_length};
use crate::at::At;
use crate::decode::label_selector::read_custom_selector;
use crate::report::{Report, WithHint};

/// Source: the CRDs' `maxItems` of `networks` and `domainNames`.
const MOST_OF_ONE: usize = 25;

pub(super) fn read_peer(
    report: &mut Report,
    at: &At<'_, '_>,
    list: &'static str,
    action: Option<TierAction>,
    dialect: Dialect,
) -> Option<TieredPeer> {
    let place = report.place(at.line());
    let known: &[&str] = match (list, dialect.kind) {
        ("from", _) => &["namespaces", "pods"],
        (_, Kind::BaselineAdminNetworkPolicy) => &["namespaces", "pods", "nodes", "networks"],
        _ => &["namespaces", "pods", "nodes", "networks", "domainNames"],
    };
    let mut given: Vec<&str> = at.fields().filter(|(_, value)| !value.value.is_null()).map(|(name, _)| name).collect();
    if given.iter().any(|field| known.contains(field)) {
        // The API server drops what it does not know, and then looks how many there are.
        given.retain(|field| known.contains(field));
    }
    let field = match given[..] {
        [field] => field,
        [] => {
            report
                .reject(at, "missing-field", "the peer names nobody")
                .with_hint("`namespaces: {}` is every pod of the cluster");
            return None;
        }
        _ => {
            report
                .reject(at, "invalid-value", &format!("`{}` may not stand beside `{}` in one peer", given[0], given[1]))
                .with_hint("make it two peers, each with its own `-`");
            return None;
        }
    };
    if !known.contains(&field) {
        let follows = match action {
            Some(TierAction::Accept) | None => "matches nothing by it",
            Some(TierAction::Deny | TierAction::Pass) => "denies everything",
        };
        report.warn(
            at,
            "unknown-peer",
            &format!("`{field}` is a peer of another version of the API: this rule {follows}"),
        );
        return Some(TieredPeer { place, target: TieredTarget::Unknown });
    }
    let target = match field {
        "namespaces" | "pods" if compares_labels(at) => {
            report.warn(
                at,
                "unknown-peer",
                "`sameLabels` and `notSameLabels` are of an early version of the API and not known any more",
            );
            TieredTarget::Unknown
        }
        "namespaces" | "pods" => TieredTarget::Pods(read_pod_scope(report, at, dialect)?),
        "nodes" => TieredTarget::Nodes(read_custom_selector(report, at, "nodes")?),
        "networks" => {
            check_set(report, at, "networks");
            let networks = at.list("networks", |one| read_network(report, one, dialect));
            TieredTarget::Networks(networks.into_iter().flatten().collect())
        }
        _ => {
            check_set(report, at, "domainNames");
            let names = at.list("domainNames", |name| read_domain_name(report, name)).into_iter().flatten().collect();
            if action.is_some_and(|action| action != TierAction::Accept) {
                // The server takes it, and no implementation knows what it would mean.
                report
                    .warn(
                        at,
                        "unknown-peer",
                        &format!("only {} knows `domainNames`: this rule denies everything", dialect.accept),
                    )
                    .with_hint("deny the networks behind the names");
                return Some(TieredPeer { place, target: TieredTarget::Unknown });
            }
            TieredTarget::DomainNames(names)
        }
    };
    Some(TieredPeer { place, target })
}

/// Releases 0.1.0 and 0.1.1 of the API: a namespace whose labels have the same values as the subject's.
fn compares_labels(peer: &At<'_, '_>) -> bool {
    let pods = peer.field("pods");
    let namespaces = match &pods {
        Some(pods) => pods.field("namespaces"),
        None => peer.field("namespaces"),
    };
    namespaces.is_some_and(|at| at.field("sameLabels").is_some() || at.field("notSameLabels").is_some())
}

/// `namespaces` or `pods` of `at`, if one of them is there. Releases 0.1.0 and 0.1.1 of the API have one more level:
/// `namespaces: {namespaceSelector: ...}`, and that below `pods` too.
pub(super) fn read_pod_scope(report: &mut Report, at: &At<'_, '_>, dialect: Dialect) -> Option<PodScope> {
    if let Some(namespaces) = at.field("namespaces") {
        let namespace_selector = match namespaces.field("namespaceSelector") {
            Some(_) => read_custom_selector(report, &namespaces, "namespaceSelector"),
            None => read_custom_selector(report, at, "namespaces"),
        };
        return Some(PodScope { namespace_selector: namespace_selector?, pod_selector: Selector::default() });
    }
    let pods = at.field("pods")?;
    if let Some(namespaces) = pods.field("namespaces") {
        let namespace_selector = read_custom_selector(report, &namespaces, "namespaceSelector");
        let pod_selector = read_custom_selector(report, &pods, "podSelector");
        return Some(PodScope {
            namespace_selector: namespace_selector.unwrap_or_default(),
            pod_selector: pod_selector.unwrap_or_default(),
        });
    }
    let mut selector = |name: &'static str, may_miss: bool| {
        let found = read_custom_selector(report, &pods, name);
        if found.is_none() && may_miss {
            return Some(Selector::default());
        }
        if found.is_none() {
            report.reject(&pods, "missing-field", &format!("`{name}` is missing")).with_hint("`{}` selects all");
        }
        found
    };
    // Source: the CRDs' `required`: ClusterNetworkPolicy without it means the pods of every namespace.
    let is_cluster = dialect.kind == Kind::ClusterNetworkPolicy;
    let (namespace_selector, pod_selector) =
        (selector("namespaceSelector", is_cluster), selector("podSelector", false));
    Some(PodScope { namespace_selector: namespace_selector?, pod_selector: pod_selector? })
}

/// Source: the CRDs' `isCIDR(self)`, which knows neither leading zeros nor IPv4 in IPv6 form.
fn read_network(report: &mut Report, at: &At<'_, '_>, dialect: Dialect) -> Option<IpNet> {
    let text = at.as_text().unwrap_or_default();
    let Some(block) = parse_canonical_block(text) else {
        report
            .reject(at, "invalid-value", &format!("`{text}` is no CIDR block"))
            .with_hint("write it as 10.0.0.0/8 or 2001:db8::/32");
        return None;
    };
    let masked = block.trunc();
    if dialect.wants_masked && masked != block {
        report
            .reject(at, "invalid-value", &format!("`{text}` has bits behind its prefix"))
            .with_hint(format!("write it as {masked}"));
    }
    Some(masked)
}

/// A list of which no two entries are alike.
fn check_set(report: &mut Report, parent: &At<'_, '_>, name: &'static str) {
    check_length(report, parent, name, 1, MOST_OF_ONE);
    let mut seen = BTreeSet::new();
    for entry in parent.field(name).iter().flat_map(|list| list.elements()) {
        let text = entry.as_text().unwrap_or_default();
        if !seen.insert(text) {
            report
                .reject(&entry, "duplicate", &format!("`{text}` is there already"))
                .with_hint("remove one of the two");
        }
    }
}

/// Source: the CRDs' `pattern`: two labels or more, with `*.` before them, and a dot at the end.
fn read_domain_name(report: &mut Report, at: &At<'_, '_>) -> Option<Name> {
    let text = at.as_text().unwrap_or_default();
    let name = text.strip_prefix("*.").unwrap_or(text);
    let labels: Vec<&str> = name.strip_suffix('.').unwrap_or(name).split('.').collect();
    let is_inner = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    let is_label = |label: &&str| {
        label.bytes().all(is_inner)
            && [label.bytes().next(), label.bytes().last()].iter().flatten().all(u8::is_ascii_alphanumeric)
            && !label.is_empty()
    };
    if labels.len() < 2 || !labels.iter().all(is_label) {
        report
            .reject(at, "invalid-value", &format!("`{text}` is no domain name"))
            .with_hint("write it as example.com, or *.example.com for all below it");
    }
    Some(text.into())
}

fn parse_canonical_block(text: &str) -> Option<IpNet> {
    let (address, length) = text.split_once('/')?;
    let address: IpAddr = address.parse().ok()?;
    let is_mapped = address.to_canonical() != address;
    let is_canonical = length == "0" || !length.starts_with(['0', '+']);
    let block = IpNet::new(address, length.parse().ok()?).ok()?;
    (is_canonical && !is_mapped).then_some(block)
}
