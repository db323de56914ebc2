//! Counts what decided, by peer kind, port form and step of the decision.

use std::collections::BTreeMap;
use std::fmt;

use palisade_model::Inventory;
use palisade_model::access_policy::{AccessRule, Action, PeerTarget};
use palisade_model::link::Link;
use palisade_model::network_policy::{NetworkPolicyRule, NetworkPolicyTarget};
use palisade_model::object::Kind;
use palisade_model::port::{PortMatch, PortRange, PortRule};
use palisade_model::tiered_policy::{Tier, TierAction, TieredPort, TieredTarget};
use palisade_model::verdict::{Because, Decision, Direction, Missing, RuleList, RuleRef, Verdict};

use crate::corners::{Dialled, corners};

/// How often each thing decided; the keys are stable words such as `step:deny` or `peer:workload`.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Coverage {
    counts: BTreeMap<String, u64>,
}

impl Coverage {
    /// What the lab's worlds must meet, as every test of the whole semantics.
    pub const RUNNABLE: &[&str] = &[
        "step:deny",
        "step:allow",
        "step:network-rule",
        "step:exception",
        "step:own-node",
        "step:closed",
        "step:open",
        "step:own-address",
        "object:AccessPolicy",
        "object:ClusterAccessPolicy",
        "object:ClusterPerimeter",
        "object:NetworkPolicy",
        "object:Perimeter",
        "peer:workload",
        "peer:selector",
        "peer:namespace",
        "peer:namespaceSelector",
        "peer:serviceAccount",
        "peer:service",
        "peer:container",
        "peer:program",
        "peer:cidr",
        "peer:cidr-except",
        "peer:podSelector",
        "peer:podSelector+namespaceSelector",
        "peer:ipBlock",
        "peer:ipBlock-except",
        "peer:everyone",
        "entity:world",
        "entity:cluster",
        "entity:nodes",
        "entity:apiserver",
        "entity:dns",
        "entity:gateway",
        "entity:metadata",
        "port:none",
        "port:protocol-only",
        "port:number",
        "port:range",
        "port:name",
        "port:service",
        "except:world",
        "except:cluster",
        "except:nodes",
        "object:AdminNetworkPolicy",
        "object:BaselineAdminNetworkPolicy",
        "object:ClusterNetworkPolicy",
        "tier:Admin-Accept",
        "tier:Admin-Deny",
        "tier:Baseline-Accept",
        "tier:Baseline-Deny",
    ];

    /// What they must meet besides when every try is made over every protocol and family, from nodes too, and with a node
    /// unguarded.
    pub const IN_THE_KERNEL: &[&str] = &[
        "step:not-guarded",
        "step:undecided",
        "missing:program",
        "entity:kubelet",
        "except:dns",
        "except:gateway",
        "except:metadata",
        "tier:Admin-Pass",
        "tier:Baseline-Pass",
        "tier-subject:namespaces",
        "tier-subject:pods",
        "tier-peer:namespaces",
        "tier-peer:pods",
        "tier-peer:nodes",
        "tier-peer:networks",
        "tier-peer:unknown",
        "tier-port:none",
        "tier-port:number",
        "tier-port:range",
        "tier-port:name",
    ];

    /// What is too rare there, or cannot be: nearly all is known.
    const ELSEWHERE: &[&str] = &[
        "except:kubelet",
        "except:apiserver",
        "missing:pod-address",
        "missing:container",
        "missing:unreadable",
        "missing:node-of",
        "missing:node-labels",
    ];

    /// The corners of NetworkPolicy that a connection can show.
    pub const CORNERS: &[&str] = &[
        "corner:1",
        "corner:2",
        "corner:3",
        "corner:4",
        "corner:5",
        "corner:6",
        "corner:7",
        "corner:8",
        "corner:9",
        "corner:11",
    ];

    /// Every word that tests of the whole semantics must meet, beside corners.
    pub fn all() -> Vec<&'static str> {
        [Self::RUNNABLE, Self::IN_THE_KERNEL, Self::ELSEWHERE].concat()
    }

    /// Counts both ends of a decision.
    pub fn count(&mut self, inventory: &Inventory, link: &Link, decision: &Decision) {
        self.count_end(inventory, link, &decision.egress);
        self.count_end(inventory, link, &decision.ingress);
    }

    /// Counts the corners of NetworkPolicy that decided an end, as `corner:1` to `corner:11`.
    pub fn count_corners(&mut self, inventory: &Inventory, link: &Link, dialled: Dialled, end: (Direction, &Verdict)) {
        for corner in corners(inventory, link, dialled, end) {
            self.add(format!("corner:{corner}"));
        }
    }

    /// Counts what one end's verdict came from.
    pub fn count_end(&mut self, inventory: &Inventory, link: &Link, verdict: &Verdict) {
        match verdict {
            Verdict::Allow(because) | Verdict::Deny(because) => self.count_because(inventory, link, because),
            Verdict::Undecided(missing) => {
                self.add("step:undecided");
                self.add(match missing {
                    Missing::NamespaceLabels { .. } => "missing:namespace-labels",
                    Missing::PodAddress { .. } => "missing:pod-address",
                    Missing::Container { .. } => "missing:container",
                    Missing::Program { .. } => "missing:program",
                    Missing::Unreadable { .. } => "missing:unreadable",
                    Missing::NodeOf { .. } => "missing:node-of",
                    Missing::NodeLabels { .. } => "missing:node-labels",
                    Missing::SourceTranslation { .. } => "missing:source-translation",
                    Missing::Endpoints { .. } => "missing:endpoints",
                    Missing::Controller { .. } => "missing:controller",
                });
            }
        }
    }

    /// Counts a rule of the tier with `Pass` that turned a verdict. Verdicts do not name it: who asks
    /// finds out by asking without.
    pub fn count_pass(&mut self, tier: Tier) {
        self.add(format!("tier:{tier:?}-{}", TierAction::Pass.as_str()));
    }

    /// How often `word` was met.
    pub fn of(&self, word: &str) -> u64 {
        self.counts.get(word).copied().unwrap_or_default()
    }

    /// The words of `wanted` that were met less than `floor` times, with how often.
    pub fn below<'a>(&self, wanted: &[&'a str], floor: u64) -> Vec<(&'a str, u64)> {
        wanted.iter().map(|word| (*word, self.of(word))).filter(|(_, count)| *count < floor).collect()
    }

    /// Adds what another counter met.
    pub fn merge(&mut self, other: &Coverage) {
        for (word, count) in &other.counts {
            *self.counts.entry(word.clone()).or_default() += count;
        }
    }

    /// How much of `other` is rare here: each of its words counts the more, the less it was met.
    pub fn novelty(&self, other: &Coverage) -> u64 {
        const MOST: u64 = 1_000_000;
        other.counts.keys().map(|word| MOST / (1 + self.of(word))).sum()
    }

    #[cfg(test)]
    pub(crate) fn once(word: &str) -> Self {
        let mut coverage = Self::default();
        coverage.add(word);
        coverage
    }

    fn add(&mut self, word: impl Into<String>) {
        *self.counts.entry(word.into()).or_default() += 1;
    }

    fn count_because(&mut self, inventory: &Inventory, link: &Link, because: &Because) {
        if let Some(rule) = because.rule() {
            self.add(format!("object:{}", rule.object.kind));
        }
        match because {
            Because::Rule { rule } if rule.object.kind == Kind::NetworkPolicy => {
                self.add("step:network-rule");
                self.count_network_rule(inventory, link, rule);
            }
            Because::Rule { rule }
                if matches!(
                    rule.object.kind,
                    Kind::ClusterNetworkPolicy | Kind::AdminNetworkPolicy | Kind::BaselineAdminNetworkPolicy
                ) =>
            {
                self.count_tiered_rule(inventory, link, rule);
            }
            Because::Rule { rule } => self.count_access_rule(inventory, link, rule),
            Because::Exception { entity, .. } => {
                self.add("step:exception");
                self.add(format!("except:{entity}"));
            }
            Because::OwnNode { .. } => self.add("step:own-node"),
            Because::Closed { .. } => self.add("step:closed"),
            Because::Native { .. } => self.add("step:native"),
            Because::Open => self.add("step:open"),
            Because::OwnAddress => self.add("step:own-address"),
            Because::NotGuarded => self.add("step:not-guarded"),
        }
    }

    fn count_network_rule(&mut self, inventory: &Inventory, link: &Link, reference: &RuleRef) {
        let Some(policy) = inventory.network_policies.iter().find(|policy| policy.meta.reference == reference.object)
        else {
            return;
        };
        let (rules, peer) = match reference.list {
            RuleList::Ingress => (&policy.ingress, reference.from_peer),
            RuleList::Egress | RuleList::Rules => (&policy.egress, reference.to_peer),
        };
        let Some(rule) = at(rules.as_deref().unwrap_or_default(), reference.rule) else { return };
        self.count_ports(link, &rule.ports);
        self.count_network_peer(rule, peer);
    }

    fn count_network_peer(&mut self, rule: &NetworkPolicyRule, peer: Option<u32>) {
        let Some(peer) = at(&rule.peers, peer) else { return self.add("peer:everyone") };
        self.add(match &peer.target {
            NetworkPolicyTarget::Pods { pod_selector: Some(_), namespace_selector: Some(_) } => {
                "peer:podSelector+namespaceSelector"
            }
            NetworkPolicyTarget::Pods { namespace_selector: Some(_), .. } => "peer:namespaceSelector",
            NetworkPolicyTarget::Pods { .. } => "peer:podSelector",
            NetworkPolicyTarget::IpBlock { except, .. } if except.is_empty() => "peer:ipBlock",
            NetworkPolicyTarget::IpBlock { .. } => "peer:ipBlock-except",
        });
    }

    fn count_tiered_rule(&mut self, inventory: &Inventory, link: &Link, reference: &RuleRef) {
        let mut policies = inventory.tiered_policies.iter();
        let Some(policy) = policies.find(|policy| policy.meta.reference == reference.object) else { return };
        let (rules, peer) = match reference.list {
            RuleList::Ingress => (&policy.ingress, reference.from_peer),
            RuleList::Egress | RuleList::Rules => (&policy.egress, reference.to_peer),
        };
        let Some(rule) = at(rules, reference.rule) else { return };
        self.add(if policy.subject.pod_selector.is_empty() { "tier-subject:namespaces" } else { "tier-subject:pods" });
        let Some(peer) = at(&rule.peers, peer) else { return };
        self.add(match &peer.target {
            TieredTarget::Pods(scope) if scope.pod_selector.is_empty() => "tier-peer:namespaces",
            TieredTarget::Pods(_) => "tier-peer:pods",
            TieredTarget::Nodes(_) => "tier-peer:nodes",
            TieredTarget::Networks(_) => "tier-peer:networks",
            TieredTarget::DomainNames(_) => "tier-peer:domainNames",
            // A Deny of everything, whatever the action and the ports are.
            TieredTarget::Unknown => return self.add("tier-peer:unknown"),
        });
        self.add(format!("tier:{:?}-{}", policy.tier, rule.action.as_str()));
        self.count_tiered_ports(link, rule.ports.as_deref());
    }

    /// The plainest form among the entries that can cover the link's port.
    fn count_tiered_ports(&mut self, link: &Link, ports: Option<&[TieredPort]>) {
        let Some(ports) = ports else { return self.add("tier-port:none") };
        let covering = || {
            ports.iter().filter_map(|port| match port {
                TieredPort::Numbers(protocol, range) if *protocol == link.protocol => Some(range),
                TieredPort::Numbers(..) | TieredPort::Name(_) => None,
            })
        };
        let covers = |range: &PortRange| range.contains(link.port);
        let any = covering().any(|range| range.is_none());
        let single = covering().flatten().any(|range| range.first() == range.last() && covers(range));
        let range = covering().flatten().any(covers);
        self.add(match (any, single, range) {
            (true, _, _) => "tier-port:protocol-only",
            (_, true, _) => "tier-port:number",
            (_, _, true) => "tier-port:range",
            (false, false, false) => "tier-port:name",
        });
    }

    fn count_access_rule(&mut self, inventory: &Inventory, link: &Link, reference: &RuleRef) {
        let policy = inventory.access_policies.iter().find(|policy| policy.meta.reference == reference.object);
        let Some(rule) = policy.and_then(|policy| at(&policy.rules, reference.rule)) else { return };
        self.add(match rule.action {
            Action::Allow => "step:allow",
            Action::Deny => "step:deny",
        });
        self.count_access_peers(link, rule, reference);
    }

    fn count_access_peers(&mut self, link: &Link, rule: &AccessRule, reference: &RuleRef) {
        let from = at(&rule.from, reference.from_peer);
        let to = at(&rule.to, reference.to_peer);
        let mut by_service = false;
        for peer in [from, to].into_iter().flatten() {
            match &peer.target {
                PeerTarget::Pods(fields) => {
                    let present = [
                        ("workload", fields.workload.is_some()),
                        ("selector", fields.selector.is_some()),
                        ("namespace", fields.namespace.is_some()),
                        ("namespaceSelector", fields.namespace_selector.is_some()),
                        ("serviceAccount", fields.service_account.is_some()),
                        ("service", fields.service.is_some()),
                        ("container", fields.container.is_some()),
                        ("program", fields.program.is_some()),
                    ];
                    present.into_iter().filter(|(_, present)| *present).for_each(|(field, _)| {
                        self.add(format!("peer:{field}"));
                    });
                    by_service |= fields.service.is_some();
                }
                PeerTarget::Cidr { except, .. } if except.is_empty() => self.add("peer:cidr"),
                PeerTarget::Cidr { .. } => self.add("peer:cidr-except"),
                PeerTarget::Entity(entity) => self.add(format!("entity:{entity}")),
                PeerTarget::Fqdn(_) => self.add("peer:fqdn"),
            }
        }
        if by_service { self.add("port:service") } else { self.count_ports(link, &rule.ports) }
    }

    /// The plainest form among the entries that can cover the link's port.
    fn count_ports(&mut self, link: &Link, ports: &[PortRule]) {
        let of_protocol = || ports.iter().filter(|port| port.protocol == link.protocol);
        let single = of_protocol().any(|port| matches!(port.port, PortMatch::Range(range) if range.first() == range.last() && range.contains(link.port)));
        let range = of_protocol().any(|port| matches!(port.port, PortMatch::Range(range) if range.contains(link.port)));
        let any = of_protocol().any(|port| port.port == PortMatch::Any);
        self.add(match (ports.is_empty(), any, single, range) {
            (true, _, _, _) => "port:none",
            (_, true, _, _) => "port:protocol-only",
            (_, _, true, _) => "port:number",
            (_, _, _, true) => "port:range",
            (false, false, false, false) => "port:name",
        });
    }
}

impl fmt::Display for Coverage {
    /// One word and its count a line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.counts.iter().try_for_each(|(word, count)| writeln!(f, "{count:>8}  {word}"))
    }
}

fn at<T>(items: &[T], index: Option<u32>) -> Option<&T> {
    items.get(usize::try_from(index?).ok()?)
}
