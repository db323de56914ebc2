//! The order of decision, for one link.
//!
//! Each end decides alone, and the link is allowed when both allow it. The first step that
//! answers ends it:
//!
//! 0. a pod's own address is judged only by Palisade rules that name a container or program, and
//!    by Perimeters with `loopback: Closed`;
//! 1. the admin tier: Accept or Deny ends it;
//! 2. a Deny that covers the link;
//! 3. an Allow, an exception, a NetworkPolicy's rule, the own node; else closed;
//! 4. the baseline tier;
//! 5. open.

use palisade_model::Timestamp;
use palisade_model::access_policy::{AccessPolicy, AccessRule, Action, Mode};
use palisade_model::link::{Link, OWN_NODE};
use palisade_model::network_policy::{NetworkPolicy, NetworkPolicyRule};
use palisade_model::object::Kind;
use palisade_model::perimeter::Loopback;
use palisade_model::tiered_policy::Tier;
use palisade_model::verdict::{Because, Decision, Direction, Judgement, Missing, RuleList, RuleRef, Verdict, Word};
use serde::Serialize;

use crate::classes::interner::position_u32;
use crate::closing::{Closing, NetworkCandidate};
use crate::doubt::Doubts;
use crate::matching::{self, Match, RuleScope, Side, WhyNot};
use crate::model::{Closer, Model, PodFacts};
use crate::party::{Party, SenderProof, Situation, UnknownEnd};
use crate::rule_index::{PeerAt, RuleNumber};
use crate::tiers::may_judge_inside;

/// Which objects take part.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Objects {
    /// Those in Enforce: the enforced verdict.
    Enforced,
    /// Those in Audit too: the would-be verdict.
    All,
}

impl Objects {
    pub(crate) fn include(self, mode: Mode) -> bool {
        match self {
            Self::Enforced => mode == Mode::Enforce,
            Self::All => true,
        }
    }
}

/// Which nodes judge a link.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs)]
pub enum WhereJudged {
    SenderAndReceiver,
    SenderOnly,
    ReceiverOnly,
    Nowhere,
}

/// What really happens to a link, given which nodes are guarded.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Enforcement {
    /// Which nodes judge it.
    pub judged: WhereJudged,
    /// The sender's node: both ends, by container and program.
    pub sender: Option<Judgement>,
    /// The receiver's node: the ingress end, by what it can prove of the sender. Its egress end
    /// is `NotGuarded`.
    pub receiver: Option<Judgement>,
}

impl Enforcement {
    /// Whether the link comes about.
    pub fn is_allowed(&self) -> bool {
        [&self.sender, &self.receiver].into_iter().flatten().all(|judgement| judgement.enforced.is_allowed())
    }
}

impl Model {
    /// Whether policy allows `link`, as enforced and as it would be with Audit objects enforced.
    ///
    /// # Errors
    /// When an end is not in the input.
    pub fn judge(&self, link: &Link, now: Timestamp) -> Result<Judgement, UnknownEnd> {
        Ok(self.judge_situation(&self.situation(link, now)?))
    }

    /// What happens to `link` given which nodes are guarded: see `Settings::guarded`.
    ///
    /// # Errors
    /// When an end is not in the input.
    pub fn enforcement(&self, link: &Link, now: Timestamp) -> Result<Enforcement, UnknownEnd> {
        let mut situation = self.situation(link, now)?;
        let guarded = |party: &Party<'_>| match party {
            Party::Pod { pod, .. } => pod.decides() && self.settings.guarded.contains(pod.node.as_deref()),
            Party::Node { .. } | Party::Address { .. } => false,
        };
        let (at_sender, at_receiver) = (guarded(&situation.from), guarded(&situation.to));
        let sender = at_sender.then(|| self.judge_situation(&situation));
        let receiver = at_receiver.then(|| {
            situation.sender_proof = match (&situation.from, &situation.to) {
                (Party::Pod { pod: from, .. }, Party::Pod { pod: to, .. })
                    if from.node.is_some() && from.node == to.node =>
                {
                    SenderProof::Process
                }
                _ if at_sender => SenderProof::JudgedPod,
                _ => SenderProof::Address,
            };
            let named = self.access_naming(&situation);
            let end = |objects| Decision {
                egress: Verdict::Allow(Because::NotGuarded),
                ingress: self.judge_end(&situation, Direction::Ingress, objects, Rules::Named(&named)),
            };
            Judgement { enforced: end(Objects::Enforced), would_be: end(Objects::All) }
        });
        let judged = match (at_sender, at_receiver) {
            (true, true) => WhereJudged::SenderAndReceiver,
            (true, false) => WhereJudged::SenderOnly,
            (false, true) => WhereJudged::ReceiverOnly,
            (false, false) => WhereJudged::Nowhere,
        };
        Ok(Enforcement { judged, sender, receiver })
    }

    pub(crate) fn judge_situation<'m>(&'m self, situation: &Situation<'m>) -> Judgement {
        let named = self.access_naming(situation);
        self.judge_by(situation, Rules::Named(&named), Rules::Named(&named))
    }

    /// The AccessPolicies' rules that could name one of the ends (the one that fewer name), in order.
    fn access_naming(&self, situation: &Situation<'_>) -> Vec<RuleNumber> {
        let from = self.rules.from.naming(self, &situation.from, Side::From);
        let to = self.rules.to.naming(self, &situation.to, Side::To);
        let count = |lists: &[&[PeerAt]]| lists.iter().map(|list| list.len()).sum::<usize>();
        let fewer = if count(&from) <= count(&to) { from } else { to };
        let mut rules: Vec<RuleNumber> = fewer.into_iter().flatten().map(|at| at.rule).collect();
        rules.sort_unstable();
        rules.dedup();
        rules
    }

    /// Judges by the rules given for the egress and for the ingress end.
    pub(crate) fn judge_by<'m>(
        &'m self,
        situation: &Situation<'m>,
        egress: Rules<'_, 'm>,
        ingress: Rules<'_, 'm>,
    ) -> Judgement {
        let decision = |objects| Decision {
            egress: self.judge_end(situation, Direction::Egress, objects, egress),
            ingress: self.judge_end(situation, Direction::Ingress, objects, ingress),
        };
        let enforced = decision(Objects::Enforced);
        let would_be = if self.has_audit { decision(Objects::All) } else { enforced.clone() };
        Judgement { enforced, would_be }
    }

    /// What one end says.
    pub(crate) fn judge_end<'m>(
        &'m self,
        situation: &Situation<'m>,
        direction: Direction,
        objects: Objects,
        rules: Rules<'_, 'm>,
    ) -> Verdict {
        let Some(pod) = deciding_pod(situation, direction) else { return Verdict::Allow(Because::NotGuarded) };
        if let Some(missing) = self.unreadable_for(pod, situation.own_address) {
            return Verdict::Undecided(missing);
        }
        // No tier judges inside a pod.
        if situation.own_address || pod.tier(Tier::Admin).is_empty() {
            return self.judge_below_admin(pod, situation, direction, objects, rules);
        }
        let admin = self.tier_outcomes(pod, Tier::Admin, situation, direction);
        admin.settle(|| self.judge_below_admin(pod, situation, direction, objects, rules))
    }

    /// Steps 2 to 5.
    fn judge_below_admin<'m>(
        &'m self,
        pod: &'m PodFacts,
        situation: &Situation<'m>,
        direction: Direction,
        objects: Objects,
        rules: Rules<'_, 'm>,
    ) -> Verdict {
        let mut doubts = Doubts::default();
        for (policy, index, rule) in self.access_rules(pod, rules, objects, Action::Deny) {
            match self.covers(policy, index, rule, situation) {
                Cover::Yes(rule) => return doubts.settle(Verdict::Deny(Because::Rule { rule })),
                Cover::No(_) => {}
                Cover::Unknown(missing) => doubts.add(missing, Word::Denied),
            }
        }
        let closers = Closing::new(self, pod, situation, direction, objects);
        if let Some(because) = self.allowed(pod, &closers, (situation, direction, objects, rules), &mut doubts) {
            return doubts.settle(self.beside_plugin(because, &closers, situation, direction));
        }
        if let Some(closer) = closers.first() {
            let closed_by = self.closer_ref(closer, direction);
            return doubts.settle(Verdict::Deny(Because::Closed { closed_by }));
        }
        if situation.own_address {
            return doubts.settle(Verdict::Allow(Because::OwnAddress));
        }
        let baseline = self.tier_outcomes(pod, Tier::Baseline, situation, direction);
        doubts.settle(baseline.settle(|| Verdict::Allow(Because::Open)))
    }

    /// What an Allow comes to beside a plugin that enforces NetworkPolicies itself: it asks them alone.
    fn beside_plugin(
        &self,
        because: Because,
        closers: &Closing<'_>,
        situation: &Situation<'_>,
        direction: Direction,
    ) -> Verdict {
        if !self.settings.cni.native {
            return Verdict::Allow(because);
        }
        let opened_by = match &because {
            Because::Rule { rule } | Because::Exception { perimeter: rule, .. } => rule,
            Because::OwnNode { .. }
            | Because::Closed { .. }
            | Because::Native { .. }
            | Because::Open
            | Because::OwnAddress
            | Because::NotGuarded => return Verdict::Allow(because),
        };
        let Some(first) = closers.network.first() else { return Verdict::Allow(because) };
        if opened_by.object.kind == Kind::NetworkPolicy {
            return Verdict::Allow(because);
        }
        let mut unknown = None;
        for candidate in self.network_rules(closers.network, Rules::All, (situation, direction)) {
            match self.network_candidate_covers(candidate, situation, direction) {
                Cover::Yes(_) => return Verdict::Allow(because),
                Cover::No(_) => {}
                Cover::Unknown(missing) => unknown = unknown.or(Some(missing)),
            }
        }
        match (unknown, self.reaches_own_node(situation, direction)) {
            (_, OwnNode::Yes) => Verdict::Allow(because),
            (Some(missing), _) | (None, OwnNode::Unknown(missing)) => Verdict::Undecided(missing),
            (None, OwnNode::No) => Verdict::Deny(Because::Native {
                closed_by: self.closer_ref(*first, direction),
                opened_by: opened_by.clone(),
            }),
        }
    }

    /// Whether NetworkPolicies, when they alone close the end, let the other end through as the own node.
    fn reaches_own_node(&self, situation: &Situation<'_>, direction: Direction) -> OwnNode {
        let other = match direction {
            Direction::Ingress => Side::From,
            Direction::Egress if !self.settings.cni.egress_to_own_node => return OwnNode::No,
            Direction::Egress => Side::To,
        };
        deciding_pod(situation, direction).map_or(OwnNode::No, |pod| own_node(pod, situation.party(other)))
    }

    /// Step 3, in its order, with the Perimeters that may close the end.
    fn allowed<'m>(
        &'m self,
        pod: &'m PodFacts,
        closers: &Closing<'m>,
        (situation, direction, objects, rules): (&Situation<'m>, Direction, Objects, Rules<'_, 'm>),
        doubts: &mut Doubts,
    ) -> Option<Because> {
        let access = self.access_rules(pod, rules, objects, Action::Allow);
        let access = access.map(|(policy, index, rule)| self.covers(policy, index, rule, situation));
        let network = self.network_rules(closers.network, rules, (situation, direction));
        let network = network.map(|candidate| self.network_candidate_covers(candidate, situation, direction));
        for cover in access.chain(network) {
            match cover {
                Cover::Yes(rule) => return Some(Because::Rule { rule }),
                Cover::No(_) => {}
                Cover::Unknown(missing) => doubts.add(missing, Word::Allowed),
            }
        }
        let other = match direction {
            Direction::Ingress => Side::From,
            Direction::Egress => Side::To,
        };
        let exception = |position: usize| {
            let mut except = self.perimeter(position).except.iter();
            except.find(|entity| matching::entity_is(self, **entity, situation, other)).copied()
        };
        for position in closers.perimeters() {
            if let Some(entity) = exception(position) {
                let perimeter = self.closer_ref(Closer::Perimeter(position), direction);
                return Some(Because::Exception { perimeter, entity });
            }
        }
        let maybe: Vec<(usize, Missing)> = self.maybe_closing(pod, situation, direction, objects).collect();
        for (position, missing) in &maybe {
            if exception(*position).is_some() {
                doubts.add(missing.clone(), Word::Allowed);
            }
        }
        let own_node = match closers.network.first() {
            Some(_) if closers.perimeters().next().is_none() => self.reaches_own_node(situation, direction),
            Some(_) | None => OwnNode::No,
        };
        if let OwnNode::Unknown(missing) = &own_node {
            doubts.add(missing.clone(), Word::Allowed);
        }
        // Closed by it the end has no own node to let in, and no baseline.
        for (_, missing) in maybe.into_iter().filter(|(position, _)| exception(*position).is_none()) {
            doubts.add(missing, Word::Denied);
        }
        match (own_node, closers.first()) {
            (OwnNode::Yes, Some(first)) => Some(Because::OwnNode { closed_by: self.closer_ref(first, direction) }),
            (OwnNode::Yes | OwnNode::No | OwnNode::Unknown(_), _) => None,
        }
    }

    /// The rules with `action` that act on ends of `pod`'s namespace, in the order of their
    /// references.
    pub(crate) fn access_rules<'r, 'm>(
        &'m self,
        pod: &'m PodFacts,
        rules: Rules<'r, 'm>,
        objects: Objects,
        action: Action,
    ) -> impl Iterator<Item = AccessCandidate<'m>> + use<'r, 'm> {
        let (all, named, relevant) = match rules {
            Rules::All => (Some(self.access_policies_of(&pod.namespace)), None, None),
            Rules::Named(named) => (None, Some((named, self.rules.scope(&pod.namespace))), None),
            Rules::Relevant(relevant) => (None, None, Some(relevant.access.iter().copied())),
        };
        let all = all.into_iter().flatten();
        let named = named.into_iter().flat_map(move |(named, scope)| {
            let acting = named.iter().filter(move |rule| self.rules.acts_on(**rule, scope));
            acting.map(|rule| self.access_rule(*rule))
        });
        all.flat_map(|policy| policy.rules.iter().enumerate().map(move |(index, rule)| (policy, index, rule)))
            .chain(named)
            .chain(relevant.into_iter().flatten())
            .filter(move |(policy, _, rule)| rule.action == action && objects.include(policy.mode))
    }

    pub(crate) fn access_rule(&self, number: RuleNumber) -> AccessCandidate<'_> {
        let (position, index) = self.rules.access.at(number);
        let policy = &self.inventory.access_policies[position];
        (policy, index, &policy.rules[index])
    }

    /// The Perimeters that may close `pod` in `direction` for this link, and what is missing to say.
    fn maybe_closing<'m>(
        &'m self,
        pod: &'m PodFacts,
        situation: &Situation<'_>,
        direction: Direction,
        objects: Objects,
    ) -> impl Iterator<Item = (usize, Missing)> + 'm {
        let own_address = situation.own_address;
        let reaches = move |position: &usize| {
            let perimeter = self.perimeter(*position);
            objects.include(perimeter.mode) && (!own_address || perimeter.loopback == Loopback::Closed)
        };
        let positions = pod.maybe_closers(direction).iter().copied().filter(reaches);
        positions.map(|position| (position, Missing::NamespaceLabels { namespace: pod.namespace.clone() }))
    }

    pub(crate) fn unreadable_for(&self, pod: &PodFacts, own_address: bool) -> Option<Missing> {
        self.unreadable()
            .iter()
            .find(|document| {
                let namespace = document.namespace.as_ref().is_none_or(|namespace| *namespace == pod.namespace);
                namespace && (!own_address || may_judge_inside(document.kind))
            })
            .map(|document| Missing::Unreadable { place: document.place.clone() })
    }

    /// Whether an AccessPolicy's rule covers the link: some `from`, some `to` and the ports.
    pub(crate) fn covers(
        &self,
        policy: &AccessPolicy,
        index: usize,
        rule: &AccessRule,
        situation: &Situation<'_>,
    ) -> Cover {
        if rule.action == Action::Allow {
            if rule.expires.is_some_and(|expires| situation.now >= expires) {
                return Cover::No(WhyNot::Expired);
            }
            if !rule.http.is_empty() {
                return Cover::No(WhyNot::HttpNotYet);
            }
        }
        let scope =
            RuleScope { namespace: policy.meta.reference.namespace.as_ref(), action: rule.action, ports: &rule.ports };
        let mut unknown = None;
        let mut why_not = None;
        for (from_index, from) in rule.from.iter().enumerate() {
            let from_match = matching::access_peer(self, scope, from, situation, Side::From);
            if let Match::No(why) = from_match {
                why_not = why_not.or(Some(why));
                continue;
            }
            for (to_index, to) in rule.to.iter().enumerate() {
                let inside =
                    !situation.own_address || from.names_container_or_program() || to.names_container_or_program();
                let to_match = matching::access_peer(self, scope, to, situation, Side::To)
                    .and(|| Match::from_bool(inside, WhyNot::NotInsidePod));
                match from_match.clone().and(|| to_match) {
                    Match::Yes => return Cover::Yes(access_ref(policy, index, rule, from_index, to_index)),
                    Match::No(why) => why_not = why_not.or(Some(why)),
                    Match::Unknown(missing) => unknown = unknown.or(Some(missing)),
                }
            }
        }
        match (unknown, why_not) {
            (Some(missing), _) => Cover::Unknown(missing),
            (None, why_not) => Cover::No(why_not.unwrap_or(WhyNot::NotAPod)),
        }
    }

    pub(crate) fn network_policy_rules(&self, position: usize, direction: Direction) -> &[NetworkPolicyRule] {
        let policy = self.network_policy(position);
        match direction {
            Direction::Ingress => policy.ingress.as_deref().unwrap_or_default(),
            Direction::Egress => policy.egress.as_deref().unwrap_or_default(),
        }
    }

    /// The same as [`Model::network_policy_covers`] of a rule of which more may be known.
    fn network_candidate_covers(
        &self,
        candidate: NetworkCandidate,
        situation: &Situation<'_>,
        direction: Direction,
    ) -> Cover {
        let NetworkCandidate { position, index, peer } = candidate;
        if peer.is_none() {
            return self.network_policy_covers(position, index, situation, direction);
        }
        let rule = &self.network_policy_rules(position, direction)[index];
        Cover::new(matching::ports(self, &rule.ports, situation), || {
            network_ref(self.network_policy(position), index, rule, peer, direction)
        })
    }

    /// Whether a NetworkPolicy's rule covers the link.
    pub(crate) fn network_policy_covers(
        &self,
        position: usize,
        index: usize,
        situation: &Situation<'_>,
        direction: Direction,
    ) -> Cover {
        let policy = self.network_policy(position);
        let rule = &self.network_policy_rules(position, direction)[index];
        let side = match direction {
            Direction::Ingress => Side::From,
            Direction::Egress => Side::To,
        };
        let reference = |peer: Option<u32>| network_ref(policy, index, rule, peer, direction);
        let ports = matching::ports(self, &rule.ports, situation);
        if rule.peers.is_empty() {
            return Cover::new(ports, || reference(None));
        }
        let mut unknown = None;
        let mut why_not = None;
        for (peer_index, peer) in rule.peers.iter().enumerate() {
            let peer = matching::network_policy_peer(self, policy.meta.namespace(), peer, situation, side);
            match Cover::new(peer.and(|| ports.clone()), || reference(Some(position_u32(peer_index)))) {
                yes @ Cover::Yes(_) => return yes,
                Cover::No(why) => why_not = Some(nearer(why_not, why)),
                Cover::Unknown(missing) => unknown = unknown.or(Some(missing)),
            }
        }
        match unknown {
            Some(missing) => Cover::Unknown(missing),
            None => Cover::No(why_not.unwrap_or(WhyNot::NotAPod)),
        }
    }
}

/// Of two reasons of one rule, the one that came nearer to a match: a port fails after the peer.
fn nearer(before: Option<WhyNot>, why: WhyNot) -> WhyNot {
    let is_port = |why| {
        matches!(
            why,
            WhyNot::Port | WhyNot::Protocol | WhyNot::NamedPortMissing | WhyNot::NamedPortOfOther | WhyNot::ServicePort
        )
    };
    match before {
        Some(before) if is_port(before) || !is_port(why) => before,
        Some(_) | None => why,
    }
}

/// A rule of an AccessPolicy with its index.
pub(crate) type AccessCandidate<'m> = (&'m AccessPolicy, usize, &'m AccessRule);

/// By which rules an end is judged.
#[derive(Clone, Copy)]
pub(crate) enum Rules<'r, 'm> {
    /// All that act on it.
    All,
    /// Of AccessPolicies' rules those that could name an end, in order; of NetworkPolicies' all that act on it.
    Named(&'r [RuleNumber]),
    /// Those that could cover the pair: for many questions about one pair.
    Relevant(&'r Relevant<'m>),
}

/// The rules of one end that could cover a pair on some port, in the order of decision.
#[derive(Clone, Default)]
pub(crate) struct Relevant<'m> {
    pub(crate) access: Vec<AccessCandidate<'m>>,
    /// Positions of NetworkPolicies and indices of their rules.
    pub(crate) network: Vec<(usize, usize)>,
}

/// Whether a rule covers a link.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Cover {
    Yes(RuleRef),
    No(WhyNot),
    Unknown(Missing),
}

impl Cover {
    fn new(matches: Match, reference: impl FnOnce() -> RuleRef) -> Self {
        match matches {
            Match::Yes => Self::Yes(reference()),
            Match::No(why_not) => Self::No(why_not),
            Match::Unknown(missing) => Self::Unknown(missing),
        }
    }
}

/// The pod that decides at this end, if one does.
pub(crate) fn deciding_pod<'m>(situation: &Situation<'m>, direction: Direction) -> Option<&'m PodFacts> {
    let party = match direction {
        Direction::Ingress => &situation.to,
        Direction::Egress => &situation.from,
    };
    match party {
        Party::Pod { pod, .. } if pod.decides() => Some(pod),
        Party::Pod { .. } | Party::Node { .. } | Party::Address { .. } => None,
    }
}

/// Whether the other end is the node that the pod runs on.
enum OwnNode {
    Yes,
    No,
    Unknown(Missing),
}

fn own_node(pod: &PodFacts, other: &Party<'_>) -> OwnNode {
    let Party::Node { name, host_pod, .. } = other else { return OwnNode::No };
    match (&pod.node, name, host_pod) {
        (_, Some(name), _) if &**name == OWN_NODE => OwnNode::Yes,
        (None, _, _) => OwnNode::Unknown(Missing::NodeOf { pod: pod.full_name() }),
        (Some(own), Some(name), _) if own == name => OwnNode::Yes,
        (Some(_), None, Some(host_pod)) => OwnNode::Unknown(Missing::NodeOf { pod: host_pod.full_name() }),
        (Some(_), Some(_) | None, _) => OwnNode::No,
    }
}

fn network_ref(
    policy: &NetworkPolicy,
    index: usize,
    rule: &NetworkPolicyRule,
    peer: Option<u32>,
    direction: Direction,
) -> RuleRef {
    RuleRef {
        object: policy.meta.reference.clone(),
        rule: Some(position_u32(index)),
        from_peer: peer.filter(|_| direction == Direction::Ingress),
        to_peer: peer.filter(|_| direction == Direction::Egress),
        list: match direction {
            Direction::Ingress => RuleList::Ingress,
            Direction::Egress => RuleList::Egress,
        },
        name: None,
        mode: Mode::Enforce,
        place: rule.place.clone(),
    }
}

pub(crate) fn access_ref(policy: &AccessPolicy, index: usize, rule: &AccessRule, from: usize, to: usize) -> RuleRef {
    RuleRef {
        object: policy.meta.reference.clone(),
        rule: Some(position_u32(index)),
        from_peer: Some(position_u32(from)),
        to_peer: Some(position_u32(to)),
        list: RuleList::Rules,
        name: rule.name.clone(),
        mode: policy.mode,
        place: rule.place.clone(),
    }
}
