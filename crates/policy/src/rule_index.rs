//! Which rules could name a party, found without asking each.
//!
//! Invariant: an index leaves out no peer that names the party; whether one does is for
//! [`matching`](crate::matching) alone.

mod peers;

use std::ops::Range;

use palisade_model::access_policy::AccessPolicy;
use palisade_model::inventory::Inventory;
use palisade_model::network_policy::{NetworkPolicy, NetworkPolicyRule};
use palisade_model::object::Name;
use palisade_model::verdict::Direction;

use crate::classes::interner::position_u32;
use crate::maps::HashMap;

use peers::{BlockReach, Doing};
pub(crate) use peers::{PeerAt, PeerIndex};

/// A rule by its number: in the order of decision.
pub(crate) type RuleNumber = u32;

/// The AccessPolicies' rules of a namespace, by their numbers: they stand together.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub(crate) struct Scope {
    first: RuleNumber,
    end: RuleNumber,
}

/// All rules by number, and who is named by which.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct RuleIndex {
    /// AccessPolicies' rules.
    pub(crate) access: Numbers,
    scopes: HashMap<Name, Scope>,
    /// The first rule of the cluster-wide policies, which stand last.
    cluster_wide: RuleNumber,
    /// `from` of AccessPolicies.
    pub(crate) from: PeerIndex,
    /// `to` of AccessPolicies.
    pub(crate) to: PeerIndex,
    network: [NetworkRules; 2],
}

/// NetworkPolicies' rules of one direction.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct NetworkRules {
    pub(crate) rules: Numbers,
    /// Those that name everyone, in order.
    open: Vec<RuleNumber>,
    /// Their peers.
    pub(crate) peers: PeerIndex,
}

/// Numbered rules: position of the policy and index of the rule.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Numbers {
    rules: Vec<(usize, usize)>,
    /// The first rule's number by the policy's position, and one more.
    first: Vec<RuleNumber>,
}

impl Numbers {
    fn new() -> Self {
        Self { rules: Vec::new(), first: vec![0] }
    }

    pub(crate) fn len(&self) -> usize {
        self.rules.len()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (usize, usize)> {
        self.rules.iter().copied()
    }

    /// Position of the policy and index of the rule.
    pub(crate) fn at(&self, number: RuleNumber) -> (usize, usize) {
        self.rules[number as usize]
    }

    /// The numbers of the rules of the policy at `position`.
    pub(crate) fn of_policy(&self, position: usize) -> Range<RuleNumber> {
        self.first[position]..self.first[position + 1]
    }

    /// Puts a policy with `rules` of them in the place of the one at `position`; `None` where there is none before or after.
    fn replace(&mut self, position: usize, before: Option<usize>, after: Option<usize>) -> Moved {
        let start = self.first[position];
        let (had, has) = (position_u32(before.unwrap_or_default()), position_u32(after.unwrap_or_default()));
        let own = (0..has).map(|index| (position, index as usize));
        self.rules.splice(start as usize..(start + had) as usize, own);
        match (before, after) {
            (None, Some(_)) => self.first.insert(position, start),
            (Some(_), None) => drop(self.first.remove(position)),
            (Some(_), Some(_)) | (None, None) => {}
        }
        let behind = position + usize::from(after.is_some());
        if had != has {
            self.first[behind..].iter_mut().for_each(|first| *first = *first + has - had);
        }
        if before.is_some() != after.is_some() {
            for (other, _) in &mut self.rules[(start + has) as usize..] {
                *other = if after.is_some() { *other + 1 } else { *other - 1 };
            }
        }
        let is_last = (start + has) as usize == self.rules.len();
        let policies = i64::from(after.is_some()) - i64::from(before.is_some());
        Moved { position: position_u32(position), policies, start, had, has, is_last }
    }
}

/// What a change of a policy makes of rules' numbers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Moved {
    position: u32,
    /// How many policies there are more.
    policies: i64,
    start: RuleNumber,
    had: u32,
    has: u32,
    /// Whether no rule stands behind.
    is_last: bool,
}

impl Moved {
    /// Whether rules that stand behind have other numbers now, or other policies before them.
    fn moves_others(self) -> bool {
        (self.had != self.has || self.policies != 0) && !self.is_last
    }

    fn peer(self, at: &mut PeerAt) {
        if at.rule >= self.start {
            at.rule = self.number(at.rule);
            at.policy = position_u32((i64::from(at.policy) + self.policies) as usize);
        }
    }

    /// The new number of a rule that is none of those replaced.
    fn number(self, number: RuleNumber) -> RuleNumber {
        if number >= self.start { number + self.has - self.had } else { number }
    }
}

impl NetworkRules {
    fn new() -> Self {
        Self { rules: Numbers::new(), open: Vec::new(), peers: PeerIndex::new(BlockReach::Everybody) }
    }

    /// Whether any names everyone.
    pub(crate) fn has_open(&self) -> bool {
        !self.open.is_empty()
    }

    /// Those of `range` that name everyone.
    pub(crate) fn open_in(&self, range: Range<RuleNumber>) -> impl Iterator<Item = RuleNumber> {
        let first = self.open.partition_point(|rule| *rule < range.start);
        self.open[first..].iter().copied().take_while(move |rule| *rule < range.end)
    }

    /// The numbers of the rules of the policy at `position`.
    pub(crate) fn of_policy(&self, position: usize) -> Range<RuleNumber> {
        self.rules.of_policy(position)
    }

    fn replace(
        &mut self,
        position: usize,
        [before, after]: [Option<&NetworkPolicy>; 2],
        rules: fn(&NetworkPolicy) -> &[NetworkPolicyRule],
    ) {
        let count = |policy: &NetworkPolicy| rules(policy).len();
        let moved = self.rules.replace(position, before.map(count), after.map(count));
        if let Some(before) = before {
            self.note(Doing::Remove, moved, before, rules(before));
            let is_of_it = |rule: &RuleNumber| (moved.start..moved.start + moved.had).contains(rule);
            self.open.retain(|rule| !is_of_it(rule));
        }
        if moved.moves_others() {
            self.peers.renumber(|at| moved.peer(at));
            self.open.iter_mut().for_each(|rule| *rule = moved.number(*rule));
        }
        if let Some(after) = after {
            self.note(Doing::Add, moved, after, rules(after));
            let open = (moved.start..).zip(rules(after)).filter(|(_, rule)| rule.peers.is_empty());
            let place = self.open.partition_point(|rule| *rule < moved.start);
            self.open.splice(place..place, open.map(|(number, _)| number));
        }
    }

    fn note(&mut self, doing: Doing, moved: Moved, policy: &NetworkPolicy, rules: &[NetworkPolicyRule]) {
        let own = policy.meta.reference.namespace.as_ref();
        for (rule, content) in (moved.start..).zip(rules) {
            for (peer, content) in content.peers.iter().enumerate() {
                let at = PeerAt { rule, policy: moved.position, peer: position_u32(peer), is_exact: false };
                self.peers.note_network(doing, at, &content.target, own);
            }
        }
    }
}

impl RuleIndex {
    pub(crate) fn new(inventory: &Inventory) -> Self {
        let mut index = Self {
            access: Numbers::new(),
            scopes: HashMap::default(),
            cluster_wide: 0,
            from: PeerIndex::new(BlockReach::Outside),
            to: PeerIndex::new(BlockReach::Outside),
            network: [NetworkRules::new(), NetworkRules::new()],
        };
        for (position, policy) in inventory.access_policies.iter().enumerate() {
            index.replace_access(position, [None, Some(policy)]);
        }
        for (position, policy) in inventory.network_policies.iter().enumerate() {
            index.replace_network(position, [None, Some(policy)]);
        }
        index
    }

    pub(crate) fn network(&self, direction: Direction) -> &NetworkRules {
        &self.network[direction as usize]
    }

    /// The rules of `namespace`.
    pub(crate) fn scope(&self, namespace: &str) -> Scope {
        self.scopes.get(namespace).copied().unwrap_or_default()
    }

    /// Whether the rule acts on ends of pods of `scope`.
    pub(crate) fn acts_on(&self, rule: RuleNumber, scope: Scope) -> bool {
        rule >= self.cluster_wide || (scope.first..scope.end).contains(&rule)
    }

    /// Puts a NetworkPolicy in the place of the one at `position`; `None` where there is none before or after.
    pub(crate) fn replace_network(&mut self, position: usize, sides: [Option<&NetworkPolicy>; 2]) {
        let [ingress, egress] = &mut self.network;
        ingress.replace(position, sides, |policy| policy.ingress.as_deref().unwrap_or_default());
        egress.replace(position, sides, |policy| policy.egress.as_deref().unwrap_or_default());
    }

    /// Puts an AccessPolicy in the place of the one at `position`; `None` where there is none before or after.
    pub(crate) fn replace_access(&mut self, position: usize, [before, after]: [Option<&AccessPolicy>; 2]) {
        let count = |policy: &AccessPolicy| policy.rules.len();
        let moved = self.access.replace(position, before.map(count), after.map(count));
        if let Some(before) = before {
            self.note_access(Doing::Remove, moved, before);
        }
        if let Some(policy) = after.or(before) {
            self.move_scopes(moved, policy.meta.reference.namespace.as_ref());
        }
        if moved.moves_others() {
            self.from.renumber(|at| moved.peer(at));
            self.to.renumber(|at| moved.peer(at));
        }
        if let Some(after) = after {
            self.note_access(Doing::Add, moved, after);
        }
    }

    fn move_scopes(&mut self, moved: Moved, namespace: Option<&Name>) {
        let Moved { start, had, has, .. } = moved;
        let own = namespace.map(|name| (name, self.scopes.remove(name).unwrap_or(Scope { first: start, end: start })));
        if moved.moves_others() {
            let behind = self.scopes.values_mut().filter(|scope| scope.first >= start);
            behind.for_each(|scope| *scope = Scope { first: scope.first + has - had, end: scope.end + has - had });
        }
        let Some((name, own)) = own else { return };
        self.cluster_wide = self.cluster_wide + has - had;
        let own = Scope { end: own.end + has - had, ..own };
        if own.first != own.end {
            self.scopes.insert(name.clone(), own);
        }
    }

    fn note_access(&mut self, doing: Doing, moved: Moved, policy: &AccessPolicy) {
        let own = policy.meta.reference.namespace.as_ref();
        for (rule, content) in (moved.start..).zip(&policy.rules) {
            for (peers, list) in [(&mut self.from, &content.from), (&mut self.to, &content.to)] {
                for (peer, content) in list.iter().enumerate() {
                    let at = PeerAt { rule, policy: moved.position, peer: position_u32(peer), is_exact: false };
                    peers.note_access(doing, at, &content.target, own);
                }
            }
        }
    }
}
