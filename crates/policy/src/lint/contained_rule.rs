//! Rules that say nothing which another does not say too.

use std::collections::BTreeSet;

use palisade_model::Place;
use palisade_model::access_policy::Mode;
use palisade_model::finding::{Finding, Rule, Severity};
use palisade_model::object::ObjectRef;

use super::access::{self, AccessRuleAt};
use super::containing::Containing;
use super::view::{NetworkPeer, NetworkRule, View};
use super::{containment, duplicate_policy};
use crate::maps::HashMap;
use crate::model::Closer;

pub(super) fn rule() -> Rule {
    Rule::new(
        "contained-rule",
        Severity::Low,
        "a rule is contained in another",
        "Everything that the rule covers is covered by another rule for the same pods, so removing it changes no answer. Whoever \
         reads the policy takes it for the reason of a link that the other rule opens, and removing it one day closes nothing.\n\n\
         Remove it, or narrow the other one if that opens more than it should. Where the rules differ as written and only the pods of \
         this input make them alike, the finding says so and is rated `info`.",
    )
}

/// How far a containment goes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Proof {
    /// For these pods.
    Here,
    /// Whatever the cluster has.
    Always,
}

pub(super) fn find(view: &View<'_>, rule: &Rule) -> Vec<Finding> {
    let mut findings = network(view, rule);
    findings.extend(access_rules(view, rule));
    findings
}

fn network(view: &View<'_>, rule: &Rule) -> Vec<Finding> {
    // What is a copy as a whole is told as that.
    let copies = duplicate_policy::originals(view);
    let told: HashMap<usize, Proof> = without_cycles(view, |inner, proof, is_told| {
        let others = others(view, inner).filter(|(_, outer)| !copies.contains_key(&outer.position));
        !copies.contains_key(&inner.position)
            && others
                .filter(|(place, _)| !is_told(*place))
                .any(|(_, outer)| contained(view, inner, outer) >= Some(proof))
    });
    let tellable = view.network.iter().enumerate().filter_map(|(place, inner)| Some((inner, *told.get(&place)?)));
    tellable
        .filter_map(|(inner, proof)| {
            let stays = |place: &usize| told.get(place).is_none_or(|other| *other < proof);
            let others =
                others(view, inner).filter(|(place, outer)| stays(place) && !copies.contains_key(&outer.position));
            let (_, outer) = others.into_iter().find(|(_, outer)| contained(view, inner, outer) >= Some(proof))?;
            let finding = tell(rule, proof, (&outer.policy.meta.reference, &outer.part(), &outer.rule.place));
            Some(finding.of(&inner.policy.meta.reference).part(inner.part()).at(&inner.rule.place))
        })
        .collect()
}

/// The rules that are contained in one that is not told of itself, so that all that are told can go at once. What always
/// holds is looked for first, and the last of several that contain each other.
fn without_cycles(
    view: &View<'_>,
    is_contained: impl Fn(&NetworkRule<'_>, Proof, &dyn Fn(usize) -> bool) -> bool,
) -> HashMap<usize, Proof> {
    let mut told: HashMap<usize, Proof> = HashMap::default();
    for proof in [Proof::Always, Proof::Here] {
        for (place, inner) in view.network.iter().enumerate().rev() {
            if !told.contains_key(&place) && is_contained(inner, proof, &|place| told.contains_key(&place)) {
                told.insert(place, proof);
            }
        }
    }
    told
}

/// The other rules of the same direction that act on the first pod that `inner` acts on, with their places; those that
/// contain it are among them. What selects nobody is told as that.
fn others<'v, 'm>(
    view: &'v View<'m>,
    inner: &'v NetworkRule<'m>,
) -> impl Iterator<Item = (usize, &'v NetworkRule<'m>)> + 'v {
    let pod = view.subjects[inner.position].iter().next();
    let closers = pod.into_iter().flat_map(|pod| view.model.pod(pod).closers(inner.direction));
    let positions = closers.filter_map(|closer| match closer {
        Closer::NetworkPolicy(position) => Some(*position),
        Closer::Perimeter(_) => None,
    });
    positions
        .flat_map(|position| view.places_of(position))
        .map(|place| (place, &view.network[place]))
        .filter(|(_, outer)| outer.direction == inner.direction)
        .filter(|(_, outer)| (outer.position, outer.index) != (inner.position, inner.index))
}

fn tell(rule: &Rule, proof: Proof, (object, part, place): (&ObjectRef, &str, &Place)) -> Finding {
    let here = match proof {
        Proof::Always => "",
        Proof::Here => " for the pods of this input",
    };
    let mut finding = rule
        .finding(format!("all that this rule covers{here} is covered by {object} {part}"))
        .reason("removing the rule changes no answer: who relies on it to open or close something relies on the other")
        .related(place, format!("{object} {part}"));
    if proof == Proof::Here {
        finding.severity = Severity::Info;
        return finding.fix("nothing, if the two are meant to differ for other pods; else remove the rule");
    }
    finding.fix("remove the rule, or narrow the other one")
}

/// Whether what `inner` opens is opened by `outer`, for all that `inner`'s policy selects.
fn contained(view: &View<'_>, inner: &NetworkRule<'_>, outer: &NetworkRule<'_>) -> Option<Proof> {
    if !containment::ports(&inner.rule.ports, &outer.rule.ports)
        || !view.subjects[inner.position].is_subset_of(&view.subjects[outer.position])
    {
        return None;
    }
    let subject = match containment::selector(&inner.policy.pod_selector, &outer.policy.pod_selector) {
        true => Proof::Always,
        false => Proof::Here,
    };
    match (inner.peers.as_slice(), outer.peers.as_slice()) {
        (_, []) => Some(subject),
        ([], _) => None,
        (inner, outer) => {
            let mut proof = subject;
            for peer in inner {
                proof = proof.min(outer.iter().filter_map(|other| peer_contained(peer, other)).max()?);
            }
            Some(proof)
        }
    }
}

fn peer_contained(inner: &NetworkPeer<'_>, outer: &NetworkPeer<'_>) -> Option<Proof> {
    match (inner, outer) {
        (NetworkPeer::Pods { scope: a, extent: in_a }, NetworkPeer::Pods { scope: b, extent: in_b }) => {
            // A peer that means nobody is told as that.
            if in_a.pods.is_empty() || !in_a.pods.is_subset_of(&in_b.pods) {
                return None;
            }
            match containment::scope(a, b) {
                true => Some(Proof::Always),
                false => (!in_a.is_doubtful && !in_b.is_doubtful).then_some(Proof::Here),
            }
        }
        (NetworkPeer::Block { cidr: a, except: except_a }, NetworkPeer::Block { cidr: b, except: except_b }) => {
            containment::block((a, except_a), (b, except_b)).then_some(Proof::Always)
        }
        // Whether a block means pods depends on the network plugin.
        (NetworkPeer::Pods { .. }, NetworkPeer::Block { .. })
        | (NetworkPeer::Block { .. }, NetworkPeer::Pods { .. }) => None,
    }
}

fn access_rules(view: &View<'_>, rule: &Rule) -> Vec<Finding> {
    let all: Vec<AccessRuleAt<'_>> = access::rules(view.model).filter(|at| at.grants(view.now)).collect();
    let contains = |outer: &AccessRuleAt<'_>, inner: &AccessRuleAt<'_>| {
        outer.rule.action == inner.rule.action
            && outer.acts_wherever(inner)
            && (outer.policy.mode == Mode::Enforce || inner.policy.mode == Mode::Audit)
            && outer.lasts_as_long_as(inner)
            && inner.is_contained_in(outer)
    };
    let index = Containing::new(&all);
    // As above: what contains one that is told of is not told of itself.
    let mut told: BTreeSet<usize> = BTreeSet::new();
    for (place, inner) in all.iter().enumerate().rev() {
        let mut others = index.candidates(inner).into_iter();
        if others.any(|other| other != place && !told.contains(&other) && contains(&all[other], inner)) {
            told.insert(place);
        }
    }
    told.iter()
        .filter_map(|place| {
            let inner = &all[*place];
            let others = index.candidates(inner).into_iter().filter(|other| !told.contains(other));
            let outer = others.map(|other| &all[other]).find(|outer| contains(outer, inner))?;
            let finding = tell(rule, Proof::Always, (&outer.policy.meta.reference, &outer.part(), &outer.rule.place));
            Some(finding.of(&inner.policy.meta.reference).part(inner.part()).at(&inner.rule.place))
        })
        .collect()
}

/// An Allow that a Deny covers as a whole; `index` is of `denies`.
pub(super) fn overriding<'a, 'm>(
    view: &View<'_>,
    allow: &AccessRuleAt<'m>,
    (denies, index): (&'a [AccessRuleAt<'m>], &Containing),
) -> Option<&'a AccessRuleAt<'m>> {
    let denies = index.candidates(allow).into_iter().map(|place| &denies[place]);
    denies.into_iter().find(|deny| {
        allow.grants(view.now)
            && deny.acts_wherever(allow)
            && deny.policy.mode == Mode::Enforce
            && allow.is_contained_in(deny)
    })
}
