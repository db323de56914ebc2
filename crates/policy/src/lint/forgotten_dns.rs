//! Pods that may reach others, but not the cluster's DNS, without which they do not find them.

use std::collections::BTreeMap;

use palisade_model::access_policy::{Action, Entity, Mode, PeerTarget};
use palisade_model::finding::{Finding, Rule, Severity};
use palisade_model::port::{PortMatch, PortRule};
use palisade_model::verdict::Direction;
use palisade_model::{Meta, Protocol};

use super::access;
use super::view::{NetworkPeer, View};
use crate::matching::NAMESPACE_NAME_LABEL;
use crate::model::{Closer, PodFacts};

/// Where DNS is asked.
const DNS_PORT: u16 = 53;

pub(super) fn rule() -> Rule {
    Rule::new(
        "dns-forgotten",
        Severity::High,
        "egress is closed, pods are opened by name, and DNS is not",
        "A pod finds others by the names of their Services, so it asks the cluster's DNS first, over UDP. A policy that closes egress and \
         opens the way to other pods alone cuts that too: each call fails with \"unknown host\", not with \"refused\".\n\n\
         Open UDP and TCP 53 to the DNS pods, or `except: [dns]` in a Perimeter. Pods whose egress opens nothing, or only blocks of \
         addresses, are not told of.",
    )
}

pub(super) fn find(view: &View<'_>, rule: &Rule) -> Vec<Finding> {
    let mut cut: BTreeMap<Culprit, Vec<&PodFacts>> = BTreeMap::new();
    for pod in view.model.pods().iter().filter(|pod| pod.decides()) {
        if let Some(culprit) = culprit(view, pod) {
            cut.entry(culprit).or_default().push(pod);
        }
    }
    cut.into_iter().map(|(culprit, pods)| tell(view, rule, culprit, &pods)).collect()
}

/// What to change: the first NetworkPolicy that opens pods, or else the first Perimeter, by position.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Culprit {
    NetworkPolicy { position: usize, opens_tcp: bool },
    Perimeter(usize),
}

fn tell(view: &View<'_>, rule: &Rule, culprit: Culprit, pods: &[&PodFacts]) -> Finding {
    let inventory = &view.model.inventory;
    let whom = match pods {
        [pod] => format!("`{}`", pod.full_name()),
        [pod, ..] => format!("`{}` and {} more", pod.full_name(), pods.len() - 1),
        [] => String::new(),
    };
    let told = |meta: &Meta, message: String| {
        rule.finding(message)
            .of(&meta.reference)
            .part("egress")
            .at(&meta.place)
            .reason("pods find each other by name: without DNS each of these calls fails before it is made")
    };
    let (namespace, service) = &view.model.settings.dns_service;
    match culprit {
        Culprit::NetworkPolicy { position, opens_tcp } => {
            let message = match opens_tcp {
                true => format!("{whom} may ask the DNS over TCP alone: a port without `protocol` is TCP"),
                false => format!("{whom} may reach other pods but not the DNS that tells where they are"),
            };
            let yaml = format!(
                "egress:\n- to:\n  - namespaceSelector: {{matchLabels: {{{NAMESPACE_NAME_LABEL}: {namespace}}}}}\n  ports:\n  - \
                 {{port: {DNS_PORT}, protocol: UDP}}\n  - {{port: {DNS_PORT}, protocol: TCP}}\n"
            );
            told(&inventory.network_policies[position].meta, message)
                .fix_with_yaml(format!("add a rule for Service `{service}`, UDP too"), yaml)
        }
        Culprit::Perimeter(position) => {
            let message = format!("{whom} may reach other pods but not the DNS that tells where they are");
            told(&inventory.perimeters[position].meta, message)
                .fix_with_yaml("add `dns` to `except`", "except: [dns]\n")
        }
    }
}

/// Whose egress is closed, may reach pods, and may not reach DNS.
fn culprit(view: &View<'_>, pod: &PodFacts) -> Option<Culprit> {
    let model = view.model;
    // The admin tier may open or close everything before anybody asks these.
    if !pod.tier(palisade_model::tiered_policy::Tier::Admin).is_empty() || model.unreadable_for(pod, false).is_some() {
        return None;
    }
    let closers = pod.closers(Direction::Egress).iter().copied();
    let closers: Vec<Closer> = closers.filter(|closer| model.closer_mode(*closer) == Mode::Enforce).collect();
    if closers.is_empty() || is_dns(view, pod) {
        return None;
    }
    let (mut opens_pods, mut opens_tcp) = (None, false);
    for closer in &closers {
        match closer {
            Closer::NetworkPolicy(position) => {
                for rule in view.rules_of(*position).iter().filter(|rule| rule.direction == Direction::Egress) {
                    let may_reach = rule.peers.is_empty() || rule.peers.iter().any(|peer| may_mean_dns(view, peer));
                    if may_reach && has_port(&rule.rule.ports, Protocol::Udp) {
                        return None;
                    }
                    let explicit = !rule.rule.ports.is_empty();
                    if explicit && has_port(&rule.rule.ports, Protocol::Udp) {
                        return None;
                    }
                    opens_tcp |= may_reach && explicit && has_port(&rule.rule.ports, Protocol::Tcp);
                    if rule.peers.iter().any(means_pods) {
                        opens_pods = opens_pods.or(Some(*position));
                    }
                }
            }
            Closer::Perimeter(position) => {
                let excepted = |entity: &Entity| matches!(entity, Entity::Dns | Entity::Cluster);
                if model.perimeter(*position).except.iter().any(excepted) {
                    return None;
                }
            }
        }
    }
    let by_access = match access_of(view, pod) {
        Access::OpensDns => return None,
        Access::OpensPods => true,
        Access::Nothing => false,
    };
    let perimeter = closers.iter().find_map(|closer| match closer {
        Closer::Perimeter(position) => Some(*position),
        Closer::NetworkPolicy(_) => None,
    });
    match (opens_pods, perimeter) {
        (Some(position), _) => Some(Culprit::NetworkPolicy { position, opens_tcp }),
        (None, Some(position)) if by_access => Some(Culprit::Perimeter(position)),
        (None, _) => None,
    }
}

/// The DNS need not ask itself.
fn is_dns(view: &View<'_>, pod: &PodFacts) -> bool {
    let dns = view.model.dns_backends.iter();
    dns.map(|backend| backend.end).any(|end| end == crate::dial::BackendEnd::Pod(pod.index))
}

enum Access {
    OpensDns,
    OpensPods,
    Nothing,
}

/// What AccessPolicies open for the pod as a sender.
fn access_of(view: &View<'_>, pod: &PodFacts) -> Access {
    let mut found = Access::Nothing;
    for policy in view.model.access_policies_of(&pod.namespace).filter(|policy| policy.mode == Mode::Enforce) {
        for (index, rule) in policy.rules.iter().enumerate() {
            let at = access::AccessRuleAt { policy, index, rule };
            if rule.action != Action::Allow
                || !at.grants(view.now)
                || !access::may_mean(view.model, policy, &rule.from, pod)
            {
                continue;
            }
            for peer in &rule.to {
                match &peer.target {
                    PeerTarget::Entity(Entity::Dns) => return Access::OpensDns,
                    PeerTarget::Entity(Entity::Cluster) if has_port(&rule.ports, Protocol::Udp) => {
                        return Access::OpensDns;
                    }
                    PeerTarget::Pods(_) if !rule.ports.is_empty() && has_port(&rule.ports, Protocol::Udp) => {
                        return Access::OpensDns;
                    }
                    PeerTarget::Pods(fields) if rule.ports.is_empty() && means_dns_namespace(view, fields) => {
                        return Access::OpensDns;
                    }
                    PeerTarget::Pods(_) => found = Access::OpensPods,
                    PeerTarget::Cidr { .. } | PeerTarget::Entity(_) | PeerTarget::Fqdn(_) => {}
                }
            }
        }
    }
    found
}

fn means_dns_namespace(view: &View<'_>, fields: &palisade_model::access_policy::PodPeer) -> bool {
    fields.namespace_selector.is_some() || fields.namespace.as_ref() == Some(&view.model.settings.dns_service.0)
}

fn means_pods(peer: &NetworkPeer<'_>) -> bool {
    match peer {
        NetworkPeer::Pods { .. } => true,
        NetworkPeer::Block { .. } => false,
    }
}

/// Whether a peer could mean the DNS, which need not be in the input: pods of another namespace than the policy's own,
/// or a block of addresses.
fn may_mean_dns(view: &View<'_>, peer: &NetworkPeer<'_>) -> bool {
    match peer {
        NetworkPeer::Block { .. } => true,
        NetworkPeer::Pods { scope, .. } => match scope.namespace_selector.match_labels.value(NAMESPACE_NAME_LABEL) {
            Some(name) => name == &*view.model.settings.dns_service.0,
            None => true,
        },
    }
}

fn has_port(ports: &[PortRule], protocol: Protocol) -> bool {
    ports.is_empty()
        || ports.iter().any(|rule| {
            rule.protocol == protocol
                && match &rule.port {
                    PortMatch::Any => true,
                    PortMatch::Range(range) => range.contains(DNS_PORT),
                    // A name that the DNS pods may have.
                    PortMatch::Name(_) => true,
                }
        })
}
