//! Changes of a policy of administrators that denies a link, or accepts it.

use palisade_model::IpNet;
use palisade_model::Kind;
use palisade_model::port::PortRange;
use palisade_model::tiered_policy::{
    PodScope, Tier, TierAction, TieredPeer, TieredPolicy, TieredPort, TieredRule, TieredTarget,
};
use palisade_model::verdict::{Direction, RuleRef};

use super::{Asked, Candidate, block_of, labels_of, namespace_by_name};
use crate::change::EditAction;
use crate::change::object::{Object, ObjectChange};
use crate::party::Party;
use crate::written;

/// Source: the CRDs' `maxItems` of `ingress` and `egress`.
fn most_rules(kind: Kind) -> usize {
    if kind == Kind::ClusterNetworkPolicy { 25 } else { 100 }
}

/// What would keep `rule`, a Deny, from the link: an Accept before it, a Pass before it, or its end.
pub(super) fn against(asked: &Asked<'_, '_>, rule: &RuleRef) -> Vec<Candidate> {
    let Some((policy, index)) = find(asked, rule) else { return Vec::new() };
    let accept = before(asked, policy, index, TierAction::Accept);
    let pass = (policy.tier == Tier::Admin).then(|| before(asked, policy, index, TierAction::Pass)).flatten();
    accept.into_iter().chain(pass).chain([without(asked, policy, index)]).collect()
}

/// The same for an Accept.
pub(super) fn against_accept(asked: &Asked<'_, '_>, rule: &RuleRef) -> Vec<Candidate> {
    let Some((policy, index)) = find(asked, rule) else { return Vec::new() };
    let deny = before(asked, policy, index, TierAction::Deny);
    deny.into_iter().chain([without(asked, policy, index)]).collect()
}

fn find<'m>(asked: &Asked<'_, 'm>, rule: &RuleRef) -> Option<(&'m TieredPolicy, usize)> {
    let policy = asked.model.inventory.tiered_policies.iter().find(|policy| policy.meta.reference == rule.object)?;
    Some((policy, rule.rule? as usize))
}

fn changed(asked: &Asked<'_, '_>, policy: &TieredPolicy, change: impl FnOnce(&mut Vec<TieredRule>)) -> ObjectChange {
    let mut after = policy.clone();
    match asked.direction {
        Direction::Ingress => change(&mut after.ingress),
        Direction::Egress => change(&mut after.egress),
    }
    ObjectChange::new(Object::TieredPolicy(policy.clone()), Object::TieredPolicy(after))
}

fn before(asked: &Asked<'_, '_>, policy: &TieredPolicy, index: usize, action: TierAction) -> Option<Candidate> {
    let (list, peers) = asked.lists();
    let kind = policy.meta.reference.kind;
    let rules = crate::tiers::rules_of(policy, asked.direction);
    if rules.len() >= most_rules(kind) {
        return None;
    }
    let target = match asked.other() {
        Party::Pod { pod, .. } => TieredTarget::Pods(PodScope {
            namespace_selector: namespace_by_name(pod),
            pod_selector: labels_of(asked.model, pod),
        }),
        Party::Node { .. } | Party::Address { .. } if asked.direction == Direction::Egress => {
            TieredTarget::Networks(vec![block_of(asked)?] as Vec<IpNet>)
        }
        // Ingress rules name pods alone.
        Party::Node { .. } | Party::Address { .. } => return None,
    };
    let place = rules[index].place.clone();
    let port = TieredPort::Numbers(asked.protocol, Some(PortRange::single(asked.port)));
    let rule = TieredRule {
        place: place.clone(),
        name: None,
        action,
        peers: vec![TieredPeer { place: place.clone(), target }],
        ports: Some(vec![port]),
    };
    let value = written::in_line(&written::tiered_rule(&rule, peers, kind == Kind::ClusterNetworkPolicy));
    let change = changed(asked, policy, |rules| rules.insert(index, rule));
    Some(Candidate::one(change, format!("{list}[{index}]"), &place, EditAction::Insert { value }))
}

fn without(asked: &Asked<'_, '_>, policy: &TieredPolicy, index: usize) -> Candidate {
    let (list, peers) = asked.lists();
    let rule = &crate::tiers::rules_of(policy, asked.direction)[index];
    let is_new = policy.meta.reference.kind == Kind::ClusterNetworkPolicy;
    let was = written::in_line(&written::tiered_rule(rule, peers, is_new));
    let change = changed(asked, policy, |rules| {
        rules.remove(index);
    });
    Candidate::one(change, format!("{list}[{index}]"), &rule.place, EditAction::Remove { was })
}
