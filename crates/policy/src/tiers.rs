//! The admin and baseline tiers: ordered rules of which the first that matches ends the tier.
//!
//! Three-valued like everything else: where a fact is missing, a tier has more than one outcome, and the end is
//! decided only when all of them come to the same.

use palisade_model::access_policy::Mode;
use palisade_model::port::{PortRange, Protocol};
use palisade_model::tiered_policy::{PodScope, Tier, TierAction, TieredPolicy, TieredPort, TieredRule, TieredTarget};
use palisade_model::verdict::{Because, Direction, Missing, RuleList, RuleRef, Verdict, Word};
use palisade_model::{IpNet, Kind, Selector};

use crate::classes::interner::position_u32;
use crate::doubt::Doubts;
use crate::matching::{self, Match, Side, WhyNot};
use crate::model::{Model, PodFacts};
use crate::nodes::node_object;
use crate::party::{Party, Situation};

/// A policy of a tier that selects a pod, or may.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Selecting {
    /// Its position in the inventory.
    pub(crate) position: usize,
    /// What is not known when it is not certain that it selects the pod.
    pub(crate) missing: Option<Missing>,
}

/// A peer of a tier's rule that names a party, or may: policy, rule and peer by position.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct TierPeer {
    at: (usize, usize, usize),
    missing: Option<Missing>,
}

/// What a tier comes to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum TierOutcome {
    Accept(RuleRef),
    Deny(RuleRef),
    /// A Pass, or nothing matches: the next tier is asked.
    Next,
}

/// What a tier comes to when nothing doubtful matches, and what it may come to.
#[derive(Debug)]
pub(crate) struct TierOutcomes {
    certain: TierOutcome,
    /// In the order of the rules.
    doubtful: Vec<(Missing, TierOutcome)>,
}

impl TierOutcomes {
    /// The verdict of the end; `next` is asked where the tier does not answer.
    pub(crate) fn settle(self, next: impl FnOnce() -> Verdict) -> Verdict {
        let mut doubts = Doubts::default();
        let asks_next = self.doubtful.iter().map(|(_, outcome)| outcome).chain([&self.certain]);
        let next = asks_next.into_iter().any(|outcome| *outcome == TierOutcome::Next).then(next);
        for (missing, outcome) in self.doubtful {
            let word = match (outcome, &next) {
                (TierOutcome::Accept(_), _) => Word::Allowed,
                (TierOutcome::Deny(_), _) => Word::Denied,
                (TierOutcome::Next, next) => next.as_ref().map_or(Word::Undecided, Word::from),
            };
            doubts.add(missing, word);
        }
        doubts.settle(match (self.certain, next) {
            (TierOutcome::Accept(rule), _) => Verdict::Allow(Because::Rule { rule }),
            (TierOutcome::Deny(rule), _) => Verdict::Deny(Because::Rule { rule }),
            (TierOutcome::Next, next) => next.expect("an outcome asks for it"),
        })
    }
}

pub(crate) fn scope_selects(scope: &PodScope, pod: &PodFacts) -> Match {
    Match::from_bool(scope.pod_selector.matches(&pod.labels), WhyNot::Labels)
        .and(|| matching::namespace_selector(&scope.namespace_selector, pod))
}

impl Model {
    /// What `tier` says of the end of `pod` in `direction`.
    pub(crate) fn tier_outcomes(
        &self,
        pod: &PodFacts,
        tier: Tier,
        situation: &Situation<'_>,
        direction: Direction,
    ) -> TierOutcomes {
        let mut doubtful = Vec::new();
        for Selecting { position, missing } in pod.tier(tier) {
            let policy = &self.inventory.tiered_policies[*position];
            for (index, rule) in rules_of(policy, direction).iter().enumerate() {
                let (outcome, matches) = self.tier_rule(policy, index, rule, situation, direction);
                let selected = missing.clone().map_or(Match::Yes, Match::Unknown);
                match selected.and(|| matches) {
                    Match::No(_) => {}
                    Match::Yes => return TierOutcomes { certain: outcome, doubtful },
                    Match::Unknown(missing) => doubtful.push((missing, outcome)),
                }
            }
        }
        TierOutcomes { certain: TierOutcome::Next, doubtful }
    }

    /// The peers of every tier's rules that name `party` as the other end at `side`, whatever the port.
    pub(crate) fn tier_peers_naming(&self, party: &Party<'_>, side: Side) -> Vec<TierPeer> {
        let direction = match side {
            Side::From => Direction::Ingress,
            Side::To => Direction::Egress,
        };
        let mut peers = Vec::new();
        for (position, policy) in self.inventory.tiered_policies.iter().enumerate() {
            for (index, rule) in rules_of(policy, direction).iter().enumerate() {
                for (peer, target) in rule.peers.iter().map(|peer| &peer.target).enumerate() {
                    let missing = match self.tier_peer(target, party) {
                        Match::Yes => None,
                        Match::No(_) => continue,
                        Match::Unknown(missing) => Some(missing),
                    };
                    peers.push(TierPeer { at: (position, index, peer), missing });
                }
            }
        }
        peers
    }

    /// Whether a rule of a tier names ports, which each receiver resolves for itself.
    pub(crate) fn tiers_name_ports(&self) -> bool {
        let rules =
            self.inventory.tiered_policies.iter().flat_map(|policy| policy.ingress.iter().chain(&policy.egress));
        rules.flat_map(|rule| rule.ports.iter().flatten()).any(|port| matches!(port, TieredPort::Name(_)))
    }

    /// The port numbers that the rules of `selecting` name, of `protocol`.
    pub(crate) fn tier_ranges(
        &self,
        selecting: &[Selecting],
        direction: Direction,
        protocol: Protocol,
    ) -> impl Iterator<Item = PortRange> {
        let policies = selecting.iter().map(|selecting| &self.inventory.tiered_policies[selecting.position]);
        let ports =
            policies.flat_map(move |policy| rules_of(policy, direction)).flat_map(|rule| rule.ports.iter().flatten());
        ports.filter_map(move |port| match port {
            TieredPort::Numbers(own, range) if *own == protocol => *range,
            TieredPort::Numbers(..) | TieredPort::Name(_) => None,
        })
    }

    /// The blocks that the tiers' rules name.
    pub(crate) fn tier_blocks(&self) -> impl Iterator<Item = IpNet> {
        let rules = self.inventory.tiered_policies.iter().flat_map(|policy| &policy.egress);
        rules
            .flat_map(|rule| &rule.peers)
            .flat_map(|peer| match &peer.target {
                TieredTarget::Networks(blocks) => blocks.as_slice(),
                TieredTarget::Pods(_)
                | TieredTarget::Nodes(_)
                | TieredTarget::DomainNames(_)
                | TieredTarget::Unknown => &[],
            })
            .copied()
    }

    /// Whether the rule is one of the baseline tier.
    pub(crate) fn is_of_baseline(&self, rule: &RuleRef) -> bool {
        let mut baseline = self.inventory.tiered_policies.iter().filter(|policy| policy.tier == Tier::Baseline);
        baseline.any(|policy| policy.meta.reference == rule.object)
    }

    /// What a rule comes to when it matches, and whether it does.
    pub(crate) fn tier_rule(
        &self,
        policy: &TieredPolicy,
        index: usize,
        rule: &TieredRule,
        situation: &Situation<'_>,
        direction: Direction,
    ) -> (TierOutcome, Match) {
        let side = match direction {
            Direction::Ingress => Side::From,
            Direction::Egress => Side::To,
        };
        let reference = |peer: usize| tier_ref(policy, index, rule, peer, direction);
        let unknown = rule.peers.iter().position(|peer| peer.target == TieredTarget::Unknown);
        if let Some(peer) = unknown {
            return match rule.action {
                TierAction::Accept => (TierOutcome::Accept(reference(peer)), Match::No(WhyNot::UnknownPeer)),
                TierAction::Deny | TierAction::Pass => (TierOutcome::Deny(reference(peer)), Match::Yes),
            };
        }
        let ports = self.tier_ports(rule.ports.as_deref(), situation);
        let mut found = (0, Match::No(WhyNot::NotAPod));
        for (position, peer) in rule.peers.iter().enumerate() {
            let matches = self.tier_peer(&peer.target, situation.party(side)).and(|| ports.clone());
            match (&matches, &found.1) {
                (Match::Yes, _) => {
                    found = (position, matches);
                    break;
                }
                (Match::Unknown(_), Match::No(_)) | (Match::No(_), Match::No(_)) => found = (position, matches),
                (_, Match::Yes | Match::Unknown(_)) => {}
            }
        }
        let (peer, matches) = found;
        let outcome = match rule.action {
            TierAction::Accept => TierOutcome::Accept(reference(peer)),
            TierAction::Deny => TierOutcome::Deny(reference(peer)),
            TierAction::Pass => TierOutcome::Next,
        };
        (outcome, matches)
    }

    pub(crate) fn tier_peer(&self, target: &TieredTarget, party: &Party<'_>) -> Match {
        match target {
            TieredTarget::Pods(scope) => match party {
                Party::Pod { pod, .. } if pod.decides() => scope_selects(scope, pod),
                Party::Pod { .. } => Match::No(WhyNot::NoAddress),
                Party::Node { .. } | Party::Address { .. } => Match::No(WhyNot::NotAPod),
            },
            TieredTarget::Nodes(selector) => self.node_has_labels(party, selector),
            TieredTarget::Networks(blocks) => {
                let mut answer = Match::No(WhyNot::Cidr);
                for block in blocks {
                    match matching::block(block, &[], party) {
                        Match::Yes => return Match::Yes,
                        unknown @ Match::Unknown(_) => answer = unknown,
                        Match::No(_) => {}
                    }
                }
                answer
            }
            TieredTarget::DomainNames(_) => Match::No(WhyNot::FqdnNotYet),
            // Of an Accept: any other rule with such a peer was answered before.
            TieredTarget::Unknown => Match::No(WhyNot::UnknownPeer),
        }
    }

    fn node_has_labels(&self, party: &Party<'_>, selector: &Selector) -> Match {
        let Party::Node { name, host_pod, .. } = party else { return Match::No(WhyNot::NotANode) };
        if *selector == Selector::default() {
            return Match::Yes;
        }
        let Some(name) = name else {
            let pod = host_pod.map_or_else(|| "(not scheduled)".to_owned(), PodFacts::full_name);
            return Match::Unknown(Missing::NodeOf { pod });
        };
        match node_object(&self.inventory, name) {
            Some(node) => Match::from_bool(selector.matches(&node.meta.labels), WhyNot::Labels),
            None => Match::Unknown(Missing::NodeLabels { node: name.clone() }),
        }
    }

    /// Whether one of `ports` is the link's; none at all is all traffic.
    pub(crate) fn tier_ports(&self, ports: Option<&[TieredPort]>, situation: &Situation<'_>) -> Match {
        let Some(ports) = ports else { return Match::Yes };
        let mut why_not = WhyNot::Protocol;
        for port in ports {
            let is = match port {
                TieredPort::Numbers(protocol, range) => {
                    if situation.transport.is(*protocol, |_| true) {
                        why_not = WhyNot::Port;
                    }
                    situation.transport.is(*protocol, |port| range.is_none_or(|range| range.contains(port)))
                }
                TieredPort::Name(name) => match &situation.to {
                    Party::Pod { pod, .. } => Protocol::ALL.into_iter().any(|protocol| {
                        let mut numbers = self.spec(pod).named_port(name, protocol);
                        why_not = WhyNot::NamedPortMissing;
                        numbers.any(|number| situation.transport.is(protocol, |port| port == number))
                    }),
                    Party::Node { .. } | Party::Address { .. } => {
                        why_not = WhyNot::NamedPortOfOther;
                        false
                    }
                },
            };
            if is {
                return Match::Yes;
            }
        }
        Match::No(why_not)
    }
}

pub(crate) fn rules_of(policy: &TieredPolicy, direction: Direction) -> &[TieredRule] {
    match direction {
        Direction::Ingress => &policy.ingress,
        Direction::Egress => &policy.egress,
    }
}

pub(crate) fn tier_ref(
    policy: &TieredPolicy,
    index: usize,
    rule: &TieredRule,
    peer: usize,
    direction: Direction,
) -> RuleRef {
    let (list, from, to) = match direction {
        Direction::Ingress => (RuleList::Ingress, Some(position_u32(peer)), None),
        Direction::Egress => (RuleList::Egress, None, Some(position_u32(peer))),
    };
    RuleRef {
        object: policy.meta.reference.clone(),
        rule: Some(position_u32(index)),
        from_peer: from,
        to_peer: to,
        list,
        name: rule.name.clone(),
        mode: Mode::Enforce,
        place: rule.place.clone(),
    }
}

/// Whether an unreadable document of this kind could judge what stays inside a pod: only Palisade's own can.
pub(crate) fn may_judge_inside(kind: Option<Kind>) -> bool {
    !matches!(
        kind,
        Some(
            Kind::NetworkPolicy
                | Kind::ClusterNetworkPolicy
                | Kind::AdminNetworkPolicy
                | Kind::BaselineAdminNetworkPolicy
        )
    )
}
