//! What closes an end for a link, and which rules of it could name the other end.

use std::ops::Range;

use palisade_model::perimeter::Loopback;
use palisade_model::verdict::Direction;

use crate::judge::{Objects, Rules};
use crate::matching::Side;
use crate::model::{Closer, Model, PodFacts};
use crate::party::{Party, Situation};
use crate::rule_index::{NetworkRules, PeerAt, RuleNumber};

/// The policies that close a pod in a direction for a link, in the order of references.
pub(crate) struct Closing<'m> {
    cluster_wide: Vec<usize>,
    pub(crate) network: &'m [Closer],
    of_namespace: Vec<usize>,
}

impl<'m> Closing<'m> {
    pub(crate) fn new(
        model: &Model,
        pod: &'m PodFacts,
        situation: &Situation<'_>,
        direction: Direction,
        objects: Objects,
    ) -> Self {
        let all = pod.closers(direction);
        let is_perimeter = |closer: &&Closer| matches!(closer, Closer::Perimeter(_));
        let start = all.iter().take_while(is_perimeter).count();
        let end = all.len() - all[start..].iter().rev().take_while(is_perimeter).count();
        let perimeters = |closers: &[Closer]| -> Vec<usize> {
            let positions = closers.iter().filter_map(|closer| match closer {
                Closer::Perimeter(position) => Some(*position),
                Closer::NetworkPolicy(_) => None,
            });
            let closes = |position: &usize| {
                let perimeter = model.perimeter(*position);
                let reaches = !situation.own_address || perimeter.loopback == Loopback::Closed;
                reaches && objects.include(perimeter.mode)
            };
            positions.filter(closes).collect()
        };
        // No NetworkPolicy closes a pod towards itself.
        let network = if situation.own_address { &[] } else { &all[start..end] };
        Self { cluster_wide: perimeters(&all[..start]), network, of_namespace: perimeters(&all[end..]) }
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = Closer> + '_ {
        let cluster_wide = self.cluster_wide.iter().copied().map(Closer::Perimeter);
        let of_namespace = self.of_namespace.iter().copied().map(Closer::Perimeter);
        cluster_wide.chain(self.network.iter().copied()).chain(of_namespace)
    }

    pub(crate) fn first(&self) -> Option<Closer> {
        self.all().next()
    }

    /// The positions of the Perimeters.
    pub(crate) fn perimeters(&self) -> impl Iterator<Item = usize> + '_ {
        self.cluster_wide.iter().chain(&self.of_namespace).copied()
    }
}

/// A rule of a NetworkPolicy that could name the other end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NetworkCandidate {
    /// The policy's position.
    pub(crate) position: usize,
    /// The rule's index.
    pub(crate) index: usize,
    /// The first peer that could name it, when it is known that it does.
    pub(crate) peer: Option<u32>,
}

impl From<(usize, usize)> for NetworkCandidate {
    fn from((position, index): (usize, usize)) -> Self {
        Self { position, index, peer: None }
    }
}

impl Model {
    /// Rules of the NetworkPolicies `closers` that could name the other end.
    pub(crate) fn network_rules<'r>(
        &self,
        closers: &[Closer],
        rules: Rules<'r, '_>,
        (situation, direction): (&Situation<'_>, Direction),
    ) -> impl Iterator<Item = NetworkCandidate> + use<'r> {
        let (all, relevant) = match rules {
            Rules::Relevant(relevant) => (Vec::new(), Some(relevant.network.iter().copied())),
            Rules::All | Rules::Named(_) => (self.network_rules_of(closers, situation, direction), None),
        };
        all.into_iter().chain(relevant.into_iter().flatten().map(NetworkCandidate::from))
    }

    fn network_rules_of(
        &self,
        closers: &[Closer],
        situation: &Situation<'_>,
        direction: Direction,
    ) -> Vec<NetworkCandidate> {
        /// Asking each of so few costs less than finding those that could name the other end.
        const FEW: usize = 6;
        /// So many rules are found in the time in which one is asked.
        const FOUND_FOR_ONE: usize = 8;
        let network = self.rules.network(direction);
        let ranges = || ranges_of(network, closers);
        let all = || ranges().flatten().map(|number| network.rules.at(number).into()).collect();
        if closers.len() <= FEW && ranges().flatten().take(FEW + 1).count() <= FEW {
            return all();
        }
        let (other, side) = match direction {
            Direction::Ingress => (&situation.from, Side::From),
            Direction::Egress => (&situation.to, Side::To),
        };
        let lists = network.peers.naming(self, other, side);
        let named = lists.iter().map(|list| list.len()).sum::<usize>();
        if named >= FOUND_FOR_ONE * FEW && named >= FOUND_FOR_ONE * ranges().map(|range| range.len()).sum::<usize>() {
            return all();
        }
        let mut found: Vec<PeerAt> = Vec::new();
        lists.iter().for_each(|list| of_closers(list, closers, &mut found));
        // What an index asks whole is certain only of whom all is known.
        let is_known = matches!(other, Party::Pod { pod, .. } if pod.decides() && pod.namespace_is_known);
        // Of each rule the first peer, behind which no other one can be the first that names it.
        found.sort_unstable_by_key(|at| (at.rule, at.peer));
        found.dedup_by_key(|at| at.rule);
        let mut candidates: Vec<NetworkCandidate> = Vec::with_capacity(found.len());
        candidates.extend(found.into_iter().map(|at| {
            let peer = (at.is_exact && is_known).then_some(at.peer);
            NetworkCandidate { peer, ..network.rules.at(at.rule).into() }
        }));
        if network.has_open() {
            let open = ranges().flat_map(|range| network.open_in(range));
            candidates.extend(open.map(|number| NetworkCandidate::from(network.rules.at(number))));
            candidates.sort_unstable_by_key(|candidate| (candidate.position, candidate.index));
        }
        candidates
    }
}

/// The numbers of the policies' rules.
fn ranges_of<'r>(network: &'r NetworkRules, closers: &'r [Closer]) -> impl Iterator<Item = Range<RuleNumber>> + 'r {
    closers.iter().map(|closer| network.of_policy(position(*closer)))
}

/// Adds the peers of `list` that are of `closers`. Both are in the order of policies, and are walked as zips close: which of
/// them goes on is no branch, since none could tell.
fn of_closers(list: &[PeerAt], closers: &[Closer], found: &mut Vec<PeerAt>) {
    let (mut next, mut closer) = (0, 0);
    while let (Some(at), Some(closing)) = (list.get(next), closers.get(closer)) {
        let (named, closing) = (at.policy as usize, position(*closing));
        if named == closing {
            found.push(*at);
        }
        next += usize::from(named <= closing);
        closer += usize::from(named > closing);
    }
}

fn position(closer: Closer) -> usize {
    match closer {
        Closer::NetworkPolicy(position) | Closer::Perimeter(position) => position,
    }
}
