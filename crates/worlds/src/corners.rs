//! Which corners of NetworkPolicy v1 an answer came from: the ones that engines get wrong.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use palisade_model::Inventory;
use palisade_model::link::{End, Link};
use palisade_model::network_policy::{NetworkPolicy, NetworkPolicyRule, NetworkPolicyTarget};
use palisade_model::object::Kind;
use palisade_model::pod::Pod;
use palisade_model::port::{PortMatch, PortRule};
use palisade_model::selector::{Operator, Selector};
use palisade_model::verdict::{Because, Direction, RuleList, RuleRef, Verdict};

/// The end of the name of a policy whose manifest leaves `policyTypes` to the API server.
pub const WITHOUT_TYPES: &str = "-untyped";

/// How the receiver was dialled.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs)]
pub enum Dialled {
    Directly,
    ByService,
}

/// The numbers of the corners that decided one end.
///
/// 1 missing policyTypes · 2 missing or empty rules, peers, ports · 3 ranges and named ports · 4 the port is the pod's, and how
/// selectors combine · 5 absent keys, empty values, a namespace's name label · 6 ipBlock · 7 own address and own node ·
/// 8 host-network pods are their node · 9 both families · 11 a Service that leads back to its caller. Of 10, policies that are
/// problems, nothing can be tried.
pub(crate) fn corners(
    inventory: &Inventory,
    link: &Link,
    dialled: Dialled,
    (direction, verdict): (Direction, &Verdict),
) -> BTreeSet<u8> {
    let mut found = BTreeSet::new();
    let (Verdict::Allow(because) | Verdict::Deny(because)) = verdict else { return found };
    let ends = [&link.from, &link.to].map(|end| pod_of(inventory, end));
    let address = address_of(&link.to);
    if matches!(because, Because::OwnAddress | Because::OwnNode { .. }) {
        found.insert(7);
    }
    if is_host_network(inventory, address) {
        found.insert(8);
    }
    if dialled == Dialled::ByService && ends[0].is_some_and(|from| ends[1].is_some_and(|to| std::ptr::eq(from, to))) {
        found.insert(11);
    }
    let (reference, rule) = match because {
        Because::Rule { rule } => (rule, Some(rule)),
        Because::Closed { closed_by } | Because::OwnNode { closed_by } | Because::Native { closed_by, .. } => {
            (closed_by, None)
        }
        Because::Exception { .. } | Because::Open | Because::OwnAddress | Because::NotGuarded => return found,
    };
    if reference.object.kind != Kind::NetworkPolicy {
        return found;
    }
    let by_reference = |policy: &&Arc<NetworkPolicy>| policy.meta.reference == reference.object;
    let Some(policy) = inventory.network_policies.iter().find(by_reference) else { return found };
    if policy.meta.name().ends_with(WITHOUT_TYPES) {
        found.insert(1);
    }
    if address.is_some_and(|address| address.is_ipv6()) {
        found.insert(9);
    }
    let (own, other) = match direction {
        Direction::Egress => (ends[0], ends[1]),
        Direction::Ingress => (ends[1], ends[0]),
    };
    if own.is_some_and(|pod| by_absence(&policy.pod_selector, pod)) {
        found.insert(5);
    }
    match rule.and_then(|rule| rule_of(policy, rule)) {
        None => {
            let rules = if direction == Direction::Ingress { &policy.ingress } else { &policy.egress };
            if rules.as_ref().is_some_and(Vec::is_empty) {
                found.insert(2);
            }
        }
        Some((rule, peer)) => found.extend(of_rule(rule, peer, other, link, dialled)),
    }
    found
}

fn of_rule(
    rule: &NetworkPolicyRule,
    peer: Option<u32>,
    other: Option<&Pod>,
    link: &Link,
    dialled: Dialled,
) -> BTreeSet<u8> {
    let mut found = BTreeSet::new();
    let covers = |port: &&PortRule| port.protocol == link.protocol;
    let has = |wanted: fn(&PortMatch, u16) -> bool| {
        rule.ports.iter().filter(covers).any(|port| wanted(&port.port, link.port))
    };
    let by_number = has(
        |port, number| matches!(port, PortMatch::Range(range) if range.first() == range.last() && range.contains(number)),
    );
    let by_protocol = has(|port, _| *port == PortMatch::Any);
    if rule.peers.is_empty() || rule.ports.is_empty() || by_protocol {
        found.insert(2);
    } else if !by_number {
        found.insert(3);
    }
    let peer = peer.and_then(|index| rule.peers.get(usize::try_from(index).ok()?));
    match peer.map(|peer| &peer.target) {
        Some(NetworkPolicyTarget::Pods { pod_selector, namespace_selector }) => {
            if dialled == Dialled::ByService || namespace_selector.is_some() {
                found.insert(4);
            }
            let pods = pod_selector.as_ref().zip(other).is_some_and(|(selector, pod)| by_absence(selector, pod));
            if pods || namespace_selector.as_ref().is_some_and(names_namespace) {
                found.insert(5);
            }
        }
        Some(NetworkPolicyTarget::IpBlock { .. }) => {
            found.insert(6);
        }
        None => {}
    }
    found
}

/// The rule that decided, and its peer.
fn rule_of<'p>(policy: &'p NetworkPolicy, reference: &RuleRef) -> Option<(&'p NetworkPolicyRule, Option<u32>)> {
    let (rules, peer) = match reference.list {
        RuleList::Ingress => (&policy.ingress, reference.from_peer),
        RuleList::Egress | RuleList::Rules => (&policy.egress, reference.to_peer),
    };
    let index = usize::try_from(reference.rule?).ok()?;
    Some((rules.as_deref()?.get(index)?, peer))
}

/// Whether the selector holds for the pod because a key is absent, or present without a value.
fn by_absence(selector: &Selector, pod: &Pod) -> bool {
    let is_absent = |key: &str| pod.meta.labels.value(key).is_none();
    let negative = |operator| matches!(operator, Operator::NotIn | Operator::DoesNotExist);
    selector.match_labels.0.values().any(|value| value.is_empty())
        || selector.match_expressions.iter().any(|one| negative(one.operator) && is_absent(&one.key))
}

fn names_namespace(selector: &Selector) -> bool {
    const NAME: &str = "kubernetes.io/metadata.name";
    selector.match_labels.0.keys().any(|key| &**key == NAME)
        || selector.match_expressions.iter().any(|one| &*one.key == NAME)
}

fn address_of(end: &End) -> Option<IpAddr> {
    match end {
        End::Address(address) => Some(*address),
        End::Pod(pod) => pod.address,
        End::Node { address, .. } => *address,
    }
}

fn pod_of<'i>(inventory: &'i Inventory, end: &End) -> Option<&'i Pod> {
    inventory.pods.iter().map(Arc::as_ref).find(|pod| match end {
        End::Pod(end) => pod.meta.namespace() == &*end.namespace && pod.meta.name() == &*end.name,
        End::Address(address) => pod.own_addresses().contains(address),
        End::Node { .. } => false,
    })
}

fn is_host_network(inventory: &Inventory, address: Option<IpAddr>) -> bool {
    let Some(address) = address else { return false };
    inventory.pods.iter().any(|pod| pod.spec.host_network && pod.addresses.contains(&address))
}
