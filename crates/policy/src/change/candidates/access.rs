//! Changes of AccessPolicies.

use palisade_model::access_policy::{AccessPolicy, AccessRule, Action, Mode, Peer, PeerTarget};
use palisade_model::verdict::RuleRef;

use super::{Asked, Candidate, corrected, port_fixes};
use crate::change::EditAction;
use crate::change::object::{Object, ObjectChange};
use crate::consent;
use crate::judge::{Cover, Objects, Rules};
use crate::matching::{self, Match, RuleScope, Side, WhyNot};
use crate::party::Party;
use crate::written;

/// So many rules that act on the end are looked at.
const MOST_RULES: usize = 200;

/// A rule of a policy.
type Candidates<'p> = (&'p AccessPolicy, usize, &'p AccessRule);

pub(super) fn opening(asked: &Asked<'_, '_>) -> Vec<Candidate> {
    let mut candidates = Vec::new();
    let rules = asked.model.access_rules(asked.pod, Rules::All, Objects::All, Action::Allow);
    for rule in rules.take(MOST_RULES) {
        candidates.extend(by_rule(asked, rule));
    }
    candidates
}

fn by_rule(asked: &Asked<'_, '_>, (policy, index, rule): Candidates<'_>) -> Vec<Candidate> {
    match asked.model.covers(policy, index, rule, asked.situation) {
        Cover::Yes(_) if policy.mode == Mode::Audit => return vec![enforced(policy)],
        Cover::Yes(_) | Cover::Unknown(_) | Cover::No(WhyNot::HttpNotYet) => return Vec::new(),
        Cover::No(WhyNot::Expired) => return unexpired(asked, (policy, index, rule)).into_iter().collect(),
        Cover::No(_) => {}
    }
    if policy.mode == Mode::Audit {
        return Vec::new();
    }
    let scope = |ports| RuleScope { namespace: policy.meta.reference.namespace.as_ref(), action: rule.action, ports };
    let any = |peers: &[Peer], ports, side| {
        peers
            .iter()
            .any(|peer| matching::access_peer(asked.model, scope(ports), peer, asked.situation, side) == Match::Yes)
    };
    let from = any(&rule.from, &rule.ports, Side::From);
    let to = any(&rule.to, &rule.ports, Side::To);
    // With `service` the ports are the Service's, and another list of them means something else.
    let is_plain = !rule.to.iter().any(|peer| matches!(&peer.target, PeerTarget::Pods(pods) if pods.service.is_some()));
    let to_on_some_port = to || is_plain && any(&rule.to, &[], Side::To);
    match (from, to, to_on_some_port) {
        (true, false, true) => by_port(asked, (policy, index, rule)),
        (true, false, false) => by_peers(asked, (policy, index, rule), Side::To),
        (false, true, _) => by_peers(asked, (policy, index, rule), Side::From),
        (false, false, _) | (true, true, _) => Vec::new(),
    }
}

pub(super) fn changed(policy: &AccessPolicy, change: impl FnOnce(&mut AccessPolicy)) -> ObjectChange {
    let mut after = policy.clone();
    change(&mut after);
    ObjectChange::new(Object::AccessPolicy(policy.clone()), Object::AccessPolicy(after))
}

fn enforced(policy: &AccessPolicy) -> Candidate {
    let action = EditAction::Replace { was: "mode: Audit".to_owned(), becomes: "mode: Enforce".to_owned() };
    Candidate::one(changed(policy, |policy| policy.mode = Mode::Enforce), "mode", &policy.meta.place, action)
}

fn unexpired(asked: &Asked<'_, '_>, (policy, index, rule): Candidates<'_>) -> Option<Candidate> {
    let mut lasting = rule.clone();
    lasting.expires = None;
    let covers = asked.model.covers(policy, index, &lasting, asked.situation);
    if !matches!(covers, Cover::Yes(_)) || policy.mode == Mode::Audit {
        return None;
    }
    let was = rule.expires.map(|expires| format!("expires: {expires}")).unwrap_or_default();
    let change = changed(policy, |policy| policy.rules[index].expires = None);
    let candidate = Candidate::one(change, format!("rules[{index}].expires"), &rule.place, EditAction::Remove { was });
    Some(candidate.note("or give it a later instant"))
}

fn by_port(asked: &Asked<'_, '_>, (policy, index, rule): Candidates<'_>) -> Vec<Candidate> {
    let fixes = port_fixes(asked, &rule.ports).into_iter();
    let candidates = fixes.map(|(ports, at, action, note)| {
        let field = match at {
            Some(at) => format!("rules[{index}].ports[{at}]"),
            None => format!("rules[{index}].ports"),
        };
        let change = changed(policy, |policy| policy.rules[index].ports = ports);
        let candidate = Candidate::one(change, field, &rule.place, action);
        match note {
            Some(note) => candidate.note(note),
            None => candidate,
        }
    });
    candidates.collect()
}

fn by_peers(asked: &Asked<'_, '_>, (policy, index, rule): Candidates<'_>, side: Side) -> Vec<Candidate> {
    let (peers, list) = match side {
        Side::From => (&rule.from, "from"),
        Side::To => (&rule.to, "to"),
    };
    let of = |policy: &mut AccessPolicy, change: &dyn Fn(&mut Vec<Peer>)| match side {
        Side::From => change(&mut policy.rules[index].from),
        Side::To => change(&mut policy.rules[index].to),
    };
    let mut candidates = Vec::new();
    if let Party::Pod { pod, .. } = asked.situation.party(side) {
        for (at, peer) in peers.iter().enumerate() {
            let PeerTarget::Pods(fields) = &peer.target else { continue };
            let Some((after, note)) = fields.selector.as_ref().and_then(|one| corrected(one, &pod.labels)) else {
                continue;
            };
            let mut fields = fields.clone();
            fields.selector = Some(after);
            let instead = Peer { place: peer.place.clone(), target: PeerTarget::Pods(fields) };
            let action = EditAction::Replace {
                was: written::in_line(&written::access_peer(peer)),
                becomes: written::in_line(&written::access_peer(&instead)),
            };
            let change = changed(policy, |policy| of(policy, &|peers| peers[at] = instead.clone()));
            let field = format!("rules[{index}].{list}[{at}]");
            candidates.push(Candidate::one(change, field, &peer.place, action).note(note));
        }
    }
    let target = match &policy.meta.reference.namespace {
        Some(namespace) => consent::target(asked.model, asked.situation, side, Some(namespace), asked.grant),
        None => consent::target(asked.model, asked.situation, side, None, asked.grant),
    };
    if let Some(target) = target {
        let peer = Peer { place: rule.place.clone(), target };
        let value = written::in_line(&written::access_peer(&peer));
        let change = changed(policy, |policy| of(policy, &|peers| peers.push(peer.clone())));
        let field = format!("rules[{index}].{list}");
        candidates.push(Candidate::one(change, field, &rule.place, EditAction::Add { value }));
    }
    candidates
}

/// Without the Deny that decides.
pub(super) fn without_deny(asked: &Asked<'_, '_>, rule: &RuleRef) -> Option<Candidate> {
    let policy = asked.model.inventory.access_policies.iter().find(|policy| policy.meta.reference == rule.object)?;
    Some(without_rule(policy, rule.rule? as usize))
}

/// Without one rule; a policy has at least one.
pub(super) fn without_rule(policy: &AccessPolicy, index: usize) -> Candidate {
    let rule = &policy.rules[index];
    let was = written::in_line(&written::access_rule(rule));
    if policy.rules.len() == 1 {
        let change = ObjectChange::removed(Object::AccessPolicy(policy.clone()));
        return Candidate::one(change, "", &policy.meta.place, EditAction::Remove { was });
    }
    let change = changed(policy, |policy| {
        policy.rules.remove(index);
    });
    Candidate::one(change, format!("rules[{index}]"), &rule.place, EditAction::Remove { was })
}
