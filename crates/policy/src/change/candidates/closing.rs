//! Changes that close an end that is open to a link.

use palisade_model::Kind;
use palisade_model::access_policy::{AccessPolicy, AccessRule, Action, Peer};
use palisade_model::network_policy::NetworkPolicy;
use palisade_model::perimeter::Perimeter;
use palisade_model::port::PortRule;
use palisade_model::verdict::{Because, RuleRef, Verdict};

use super::network::changed;
use super::{Asked, Candidate, MOST_POLICIES, access, by_new_object, tiers};
use crate::change::EditAction;
use crate::change::object::{Object, ObjectChange};
use crate::judge::{Objects, Rules};
use crate::matching::{self, Match, RuleScope, Side};
use crate::written;

/// What could close an end that says `verdict`.
pub(in crate::change) fn closing(asked: &Asked<'_, '_>, verdict: &Verdict) -> Vec<Candidate> {
    let Verdict::Allow(because) = verdict else { return Vec::new() };
    let mut candidates = match because {
        Because::Rule { rule } => match rule.object.kind {
            Kind::AccessPolicy | Kind::ClusterAccessPolicy => of_access(asked, rule),
            Kind::NetworkPolicy => of_network(asked, rule),
            _ => tiers::against_accept(asked, rule),
        },
        Because::Exception { perimeter, entity } => {
            let mut perimeters = asked.model.inventory.perimeters.iter();
            let found = perimeters.find(|candidate| candidate.meta.reference == perimeter.object);
            let without = found.map(|perimeter| {
                let mut after = Perimeter::clone(perimeter);
                after.except.retain(|excepted| excepted != entity);
                let change =
                    ObjectChange::new(Object::Perimeter(Perimeter::clone(perimeter)), Object::Perimeter(after));
                let action = EditAction::Remove { was: entity.to_string() };
                Candidate::one(change, "except", &perimeter.meta.place, action)
            });
            without.into_iter().collect()
        }
        Because::OwnNode { .. }
        | Because::Closed { .. }
        | Because::Native { .. }
        | Because::Open
        | Because::OwnAddress
        | Because::NotGuarded => Vec::new(),
    };
    candidates.extend(by_new_object(asked, Action::Deny));
    candidates
}

fn of_access(asked: &Asked<'_, '_>, rule: &RuleRef) -> Vec<Candidate> {
    let covering: Vec<_> = asked
        .model
        .access_rules(asked.pod, Rules::All, Objects::Enforced, Action::Allow)
        .filter(|(policy, index, rule)| {
            matches!(asked.model.covers(policy, *index, rule, asked.situation), crate::judge::Cover::Yes(_))
        })
        .take(2)
        .collect();
    // Of several that allow it, no one alone is the change.
    let [(policy, index, found)] = covering[..] else { return Vec::new() };
    debug_assert_eq!(policy.meta.reference, rule.object);
    let mut candidates = Vec::new();
    for (side, peers, list) in [(Side::From, &found.from, "from"), (Side::To, &found.to, "to")] {
        let naming = naming(asked, policy, found, peers, side);
        if let ([at], true) = (&naming[..], peers.len() > 1) {
            let at = *at;
            let change = access::changed(policy, |policy| {
                let rule = &mut policy.rules[index];
                let peers = if side == Side::From { &mut rule.from } else { &mut rule.to };
                peers.remove(at);
            });
            let was = written::in_line(&written::access_peer(&peers[at]));
            let field = format!("rules[{index}].{list}[{at}]");
            candidates.push(Candidate::one(change, field, &peers[at].place, EditAction::Remove { was }));
        }
    }
    if let Some((at, was)) = only_port(asked, &found.ports) {
        let change = access::changed(policy, |policy| {
            policy.rules[index].ports.remove(at);
        });
        let field = format!("rules[{index}].ports[{at}]");
        candidates.push(Candidate::one(change, field, &found.place, EditAction::Remove { was }));
    }
    candidates.push(access::without_rule(policy, index));
    candidates
}

fn naming(asked: &Asked<'_, '_>, policy: &AccessPolicy, rule: &AccessRule, peers: &[Peer], side: Side) -> Vec<usize> {
    let scope =
        RuleScope { namespace: policy.meta.reference.namespace.as_ref(), action: rule.action, ports: &rule.ports };
    let names =
        |peer: &Peer| !matches!(matching::access_peer(asked.model, scope, peer, asked.situation, side), Match::No(_));
    peers.iter().enumerate().filter(|(_, peer)| names(peer)).map(|(at, _)| at).collect()
}

/// The entry of several that alone means the link's port.
fn only_port(asked: &Asked<'_, '_>, ports: &[PortRule]) -> Option<(usize, String)> {
    let means = |rule: &PortRule| {
        !matches!(matching::ports(asked.model, std::slice::from_ref(rule), asked.situation), Match::No(_))
    };
    let meaning: Vec<usize> =
        ports.iter().enumerate().filter(|(_, rule)| means(rule)).map(|(position, _)| position).collect();
    let [at] = meaning[..] else { return None };
    (ports.len() > 1).then(|| (at, written::in_line(&written::port(&ports[at]))))
}

fn of_network(asked: &Asked<'_, '_>, rule: &RuleRef) -> Vec<Candidate> {
    let (list, peers_list) = asked.lists();
    let mut policies = asked.model.inventory.network_policies.iter().enumerate();
    let found = policies.find(|(_, policy)| policy.meta.reference == rule.object);
    let (Some((position, policy)), Some(index)) = (found, rule.rule) else { return Vec::new() };
    let policy: &NetworkPolicy = policy;
    let index = index as usize;
    let rule = &asked.model.network_policy_rules(position, asked.direction)[index];
    let mut candidates = Vec::new();
    let naming: Vec<usize> = rule
        .peers
        .iter()
        .enumerate()
        .filter(|(_, peer)| {
            let namespace = policy.meta.namespace();
            let side = asked.other_side();
            !matches!(matching::network_policy_peer(asked.model, namespace, peer, asked.situation, side), Match::No(_))
        })
        .map(|(at, _)| at)
        .take(MOST_POLICIES)
        .collect();
    if let ([at], true) = (&naming[..], rule.peers.len() > 1) {
        let at = *at;
        let change = changed(asked, policy, |rules| {
            rules[index].peers.remove(at);
        });
        let was = written::in_line(&written::network_peer(&rule.peers[at]));
        let field = format!("{list}[{index}].{peers_list}[{at}]");
        candidates.push(Candidate::one(change, field, &rule.peers[at].place, EditAction::Remove { was }));
    }
    if let Some((at, was)) = only_port(asked, &rule.ports) {
        let change = changed(asked, policy, |rules| {
            rules[index].ports.remove(at);
        });
        let field = format!("{list}[{index}].ports[{at}]");
        candidates.push(Candidate::one(change, field, &rule.place, EditAction::Remove { was }));
    }
    let change = changed(asked, policy, |rules| {
        rules.remove(index);
    });
    let was = written::in_line(&written::network_rule(rule, peers_list));
    candidates.push(Candidate::one(change, format!("{list}[{index}]"), &rule.place, EditAction::Remove { was }));
    candidates
}
