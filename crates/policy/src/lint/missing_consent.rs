//! Allows into, or from, another namespace that has not agreed.

use std::collections::BTreeSet;

use palisade_model::access_policy::{Action, Mode};
use palisade_model::finding::{Finding, Rule, Severity};
use palisade_model::link::Link;
use palisade_model::verdict::{Because, Direction, Verdict};

use super::access::{self, AccessRuleAt};
use super::links::{self, EndAt};
use super::view::View;
use crate::consent::{self, Grant};
use crate::model::PodFacts;

/// So many pairs of workloads of one rule are asked about: one finding is enough to look at the rule.
const MOST_PAIRS: usize = 32;

pub(super) fn rule() -> Rule {
    Rule::new(
        "missing-consent",
        Severity::Medium,
        "an Allow reaches into a closed namespace that has not agreed",
        "An AccessPolicy opens the ends of its own namespace. The other end of the link lies in another one and is closed there, and no \
         rule of that namespace, and no cluster-wide one, opens it: the link stays refused.\n\nHave the other namespace apply the rule \
         that the finding shows.",
    )
}

pub(super) fn find(view: &View<'_>, rule: &Rule) -> Vec<Finding> {
    let allows = access::rules(view.model).filter(|at| {
        at.rule.action == Action::Allow
            && at.policy.mode == Mode::Enforce
            && at.grants(view.now)
            && at.namespace().is_some()
            && !at.rule.to.iter().any(access::names_service)
    });
    allows.flat_map(|at| missing(view, rule, &at)).collect()
}

/// One finding for each direction and namespace that has not agreed.
fn missing(view: &View<'_>, rule: &Rule, at: &AccessRuleAt<'_>) -> Vec<Finding> {
    let (Some(from), Some(to)) = (links::ends(view, at, &at.rule.from), links::ends(view, at, &at.rule.to)) else {
        return Vec::new();
    };
    let own = at.namespace();
    let is_own = |end: &EndAt<'_>| end.pod.is_some_and(|pod| Some(&pod.namespace) == own);
    let (own_from, own_to) = (one_a_workload(&from, is_own), one_a_workload(&to, is_own));
    let (far_from, far_to) = (one_a_workload(&from, |end| !is_own(end)), one_a_workload(&to, |end| !is_own(end)));
    let out = own_from.iter().flat_map(|from| far_to.iter().map(move |to| (*from, *to, Direction::Ingress)));
    let into = far_from.iter().flat_map(|from| own_to.iter().map(move |to| (*from, *to, Direction::Egress)));
    let mut told = BTreeSet::new();
    let mut findings = Vec::new();
    for (from, to, direction) in out.chain(into).take(MOST_PAIRS) {
        let far = match direction {
            Direction::Ingress => to.pod,
            Direction::Egress => from.pod,
        };
        let Some(far) = far else { continue };
        if told.contains(&(far.namespace.clone(), direction)) {
            continue;
        }
        if let Some(finding) = refused(view, rule, at, (from, to), (far, direction)) {
            told.insert((far.namespace.clone(), direction));
            findings.push(finding);
        }
    }
    findings
}

/// The first pod of each workload: they have the same template.
fn one_a_workload<'a, 'm>(ends: &'a [EndAt<'m>], wanted: impl Fn(&EndAt<'m>) -> bool) -> Vec<&'a EndAt<'m>> {
    let mut seen = BTreeSet::new();
    let wanted = ends.iter().filter(|end| wanted(end));
    wanted.filter(|end| end.pod.is_none_or(|pod| seen.insert((&pod.namespace, &pod.workload)))).collect()
}

fn refused(
    view: &View<'_>,
    rule: &Rule,
    at: &AccessRuleAt<'_>,
    (from, to): (&EndAt<'_>, &EndAt<'_>),
    (far, direction): (&PodFacts, Direction),
) -> Option<Finding> {
    let model = view.model;
    let (protocol, port) = links::first_port(model, &at.rule.ports, to.pod)?;
    let link = Link { from: from.end.clone(), to: to.end.clone(), protocol, port };
    let judgement = model.judge(&link, view.now).ok()?;
    let verdict = match direction {
        Direction::Ingress => &judgement.enforced.ingress,
        Direction::Egress => &judgement.enforced.egress,
    };
    let Verdict::Deny(Because::Closed { closed_by }) = verdict else { return None };
    let situation = model.situation(&link, view.now).ok()?;
    let way = match direction {
        Direction::Ingress => "lets this in",
        Direction::Egress => "lets this out",
    };
    let finding = rule
        .finding(format!("`{}` stays closed: no rule of namespace `{}` {way}", far.full_name(), far.namespace))
        .of(&at.policy.meta.reference)
        .part(at.part())
        .at(&at.rule.place)
        .reason("an AccessPolicy opens the ends of its own namespace; the other end needs a rule of its own, or a cluster-wide one")
        .related(&closed_by.place, format!("{} closes it", closed_by.object));
    let text = format!("apply in namespace `{}`", far.namespace);
    Some(match consent::sketch(model, &situation, &far.namespace, Grant::Process) {
        Some(yaml) => finding.fix_with_yaml(text, yaml),
        None => finding.fix(format!("{text} an AccessPolicy with the same rule")),
    })
}
