//! Rules that say nothing which another does not say too, or several together.

use std::collections::BTreeSet;

use palisade_model::Place;
use palisade_model::access_policy::{Mode, Peer};
use palisade_model::finding::{Finding, Rule, Severity};
use palisade_model::object::ObjectRef;
use palisade_model::port::PortRule;

use super::access::{self, AccessRuleAt};
use super::containing::Containing;
use super::together::{named, together};
use super::view::{NetworkPeer, NetworkRule, View};
use super::{containment, duplicate_policy};
use crate::maps::HashMap;
use crate::model::Closer;

pub(super) fn rule() -> Rule {
    Rule::new(
        "contained-rule",
        Severity::Low,
        "a rule is contained in another",
        "Everything that the rule covers is covered by another rule for the same pods, or by several together, so removing it \
         changes no answer. Whoever reads the policy takes it for the reason of a link that the other rule opens, and removing it \
         one day closes nothing.\n\n\
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
        let stays = |place: &usize| !is_told(*place);
        !copies.contains_key(&inner.position) && !containers(view, inner, proof, &copies, stays).is_empty()
    });
    let tellable = view.network.iter().enumerate().filter_map(|(place, inner)| Some((inner, *told.get(&place)?)));
    tellable
        .filter_map(|(inner, proof)| {
            let stays = |place: &usize| told.get(place).is_none_or(|other| *other < proof);
            let outer = containers(view, inner, proof, &copies, stays);
            let outer = outer.into_iter().map(|outer| (&outer.policy.meta.reference, outer.part(), &outer.rule.place));
            let finding = tell(rule, proof, outer.collect())?;
            Some(finding.of(&inner.policy.meta.reference).part(inner.part()).at(&inner.rule.place))
        })
        .collect()
}

/// The rule that contains `inner`, or several that do together; none when it is not contained. Only those are asked that stay,
/// and are in no copy of another policy.
fn containers<'v, 'm>(
    view: &'v View<'m>,
    inner: &'v NetworkRule<'m>,
    proof: Proof,
    copies: &HashMap<usize, usize>,
    stays: impl Fn(&usize) -> bool,
) -> Vec<&'v NetworkRule<'m>> {
    let others = others(view, inner).filter(|(place, outer)| stays(place) && !copies.contains_key(&outer.position));
    let others: Vec<&NetworkRule<'_>> = others.map(|(_, outer)| outer).collect();
    if let Some(one) = others.iter().find(|outer| contained(view, inner, outer) >= Some(proof)) {
        return vec![one];
    }
    let others: Vec<&NetworkRule<'_>> =
        others.into_iter().filter(|outer| subject(view, inner, outer) >= Some(proof)).collect();
    // Everyone is one part, that only who means everyone has.
    let parts: Vec<Option<&NetworkPeer<'_>>> = match inner.peers.as_slice() {
        [] => vec![None],
        peers => peers.iter().map(Some).collect(),
    };
    let mean = |part: &Option<&NetworkPeer<'_>>, outer: &NetworkRule<'_>| {
        let has = |peer: &NetworkPeer<'_>| outer.peers.iter().any(|other| peer_contained(peer, other) >= Some(proof));
        outer.peers.is_empty() || part.is_some_and(has)
    };
    let have_ports = |those: &[&NetworkRule<'_>]| {
        let ports: Vec<PortRule> = those.iter().flat_map(|outer| outer.rule.ports.iter().cloned()).collect();
        those.iter().any(|outer| outer.rule.ports.is_empty())
            || !ports.is_empty() && containment::ports(&inner.rule.ports, &ports)
    };
    together(parts.into_iter(), &others, mean, have_ports).unwrap_or_default()
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

/// What is said of a rule that is covered by `outer`; nothing when there is none.
fn tell(rule: &Rule, proof: Proof, outer: Vec<(&ObjectRef, String, &Place)>) -> Option<Finding> {
    if outer.is_empty() {
        return None;
    }
    let by: Vec<String> = outer.iter().map(|(object, part, _)| format!("{object} {part}")).collect();
    let here = match proof {
        Proof::Always => "",
        Proof::Here => " for the pods of this input",
    };
    let mut finding = rule
        .finding(format!("all that this rule covers{here} is covered by {}", named(&by)))
        .reason("removing the rule changes no answer: who relies on it to open or close something relies on the other");
    for (name, (_, _, place)) in by.iter().zip(&outer) {
        finding = finding.related(place, name.clone());
    }
    if proof == Proof::Here {
        finding.severity = Severity::Info;
        return Some(finding.fix("nothing, if the two are meant to differ for other pods; else remove the rule"));
    }
    Some(finding.fix("remove the rule, or narrow the other one"))
}

/// Whether what `inner` opens is opened by `outer`, for all that `inner`'s policy selects.
fn contained(view: &View<'_>, inner: &NetworkRule<'_>, outer: &NetworkRule<'_>) -> Option<Proof> {
    if !containment::ports(&inner.rule.ports, &outer.rule.ports) {
        return None;
    }
    let subject = subject(view, inner, outer)?;
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

/// Whether all that `inner`'s policy selects is selected by `outer`'s.
fn subject(view: &View<'_>, inner: &NetworkRule<'_>, outer: &NetworkRule<'_>) -> Option<Proof> {
    if !view.subjects[inner.position].is_subset_of(&view.subjects[outer.position]) {
        return None;
    }
    Some(match containment::selector(&inner.policy.pod_selector, &outer.policy.pod_selector) {
        true => Proof::Always,
        false => Proof::Here,
    })
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
    let index = Containing::new(&all);
    // As above: what contains one that is told of is not told of itself.
    let mut told: BTreeSet<usize> = BTreeSet::new();
    for (place, inner) in all.iter().enumerate().rev() {
        let stays = |other: &usize| *other != place && !told.contains(other);
        if !access_containers(&all, &index, inner, stays).is_empty() {
            told.insert(place);
        }
    }
    told.iter()
        .filter_map(|place| {
            let inner = &all[*place];
            let outer = access_containers(&all, &index, inner, |other| !told.contains(other));
            let outer = outer.into_iter().map(|outer| (&outer.policy.meta.reference, outer.part(), &outer.rule.place));
            let finding = tell(rule, Proof::Always, outer.collect())?;
            Some(finding.of(&inner.policy.meta.reference).part(inner.part()).at(&inner.rule.place))
        })
        .collect()
}

/// The rule of `all` that contains `inner`, or several that do together; none when it is not contained.
fn access_containers<'a, 'm>(
    all: &'a [AccessRuleAt<'m>],
    index: &Containing,
    inner: &AccessRuleAt<'m>,
    stays: impl Fn(&usize) -> bool,
) -> Vec<&'a AccessRuleAt<'m>> {
    let counts_for = |outer: &AccessRuleAt<'_>| {
        outer.rule.action == inner.rule.action
            && outer.acts_wherever(inner)
            && (outer.policy.mode == Mode::Enforce || inner.policy.mode == Mode::Audit)
            && outer.lasts_as_long_as(inner)
    };
    let candidates = index.candidates(inner).into_iter().filter(&stays).map(|other| &all[other]);
    let alone = candidates.into_iter().find(|outer| counts_for(outer) && inner.is_contained_in(outer));
    if let Some(one) = alone {
        return vec![one];
    }
    let others = index.candidates_of_each(inner).into_iter().filter(&stays).map(|other| &all[other]);
    let others: Vec<&AccessRuleAt<'m>> = others.filter(|outer| counts_for(outer)).collect();
    let pairs = inner.rule.from.iter().flat_map(|from| inner.rule.to.iter().map(move |to| (from, to)));
    let mean = |(from, to): &(&Peer, &Peer), outer: &AccessRuleAt<'m>| {
        let is_within =
            |peer: &Peer, others: &[Peer]| others.iter().any(|other| inner.peer_is_within(peer, outer, other));
        is_within(from, &outer.rule.from) && is_within(to, &outer.rule.to)
    };
    let have_ports = |those: &[&AccessRuleAt<'m>]| {
        let ports: Vec<PortRule> = those.iter().flat_map(|outer| outer.rule.ports.iter().cloned()).collect();
        those.iter().any(|outer| outer.rule.ports.is_empty())
            || !ports.is_empty() && containment::ports(&inner.rule.ports, &ports)
    };
    together(pairs, &others, mean, have_ports).unwrap_or_default()
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
