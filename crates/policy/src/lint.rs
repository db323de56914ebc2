//! What is wrong with policies that can be read: rules without effect, with another effect than they seem to have, and
//! links that are cut by accident.
//!
//! Invariant: what a rule calls without effect can be removed, and no answer changes; what holds only for the pods of the
//! input says so.
//!
//! Each rule has a file. What the model finds for every command ([`findings`](crate::findings)) is not found again, but
//! gets the severity and the reason of its rule here.

mod access;
mod and_or;
mod contained_rule;
mod containing;
mod containment;
mod duplicate_policy;
mod every_port;
mod expiry;
mod forgotten_dns;
mod forgotten_probes;
mod generated_label;
mod host_network;
mod idle_allow;
mod idle_deny;
mod known_problems;
mod label_drift;
mod links;
mod missing_consent;
mod named_port;
mod open_by_accident;
mod overridden_allow;
mod pod_address;
mod pod_set;
mod selectors;
mod service_address;
mod service_port;
mod shadowed_tier_rule;
mod together;
mod view;

use palisade_model::finding::{Finding, Rule, Subject, Suppression};
use palisade_model::object::ObjectRef;
use palisade_model::{Labels, Problem, Timestamp};

use crate::maps::HashMap;
use crate::model::Model;
use view::View;

/// The annotation of an object whose findings somebody has decided to live with: `RULE: why; RULE: why`.
pub const IGNORE_ANNOTATION: &str = "palisade.dev/lint-ignore";

/// A rule and how its findings are found.
type Check = (fn() -> Rule, fn(&View<'_>, &Rule) -> Vec<Finding>);

const CHECKS: &[Check] = &[
    (and_or::rule, and_or::find),
    (contained_rule::rule, contained_rule::find),
    (duplicate_policy::rule, duplicate_policy::find),
    (every_port::rule, every_port::find),
    (expiry::rule, expiry::find),
    (forgotten_dns::rule, forgotten_dns::find),
    (forgotten_probes::rule, forgotten_probes::find),
    (generated_label::rule, generated_label::find),
    (host_network_rule, host_network::find),
    (idle_allow::rule, idle_allow::find),
    (idle_deny::rule, idle_deny::find),
    (label_drift::rule, label_drift::find),
    (missing_consent::rule, missing_consent::find),
    (named_port::rule, named_port::find),
    (open_by_accident::rule, open_by_accident::find),
    (overridden_allow::rule, overridden_allow::find),
    (pod_address::rule, pod_address::find),
    (service_address::rule, service_address::find),
    (service_port::rule, service_port::find),
    (shadowed_tier_rule::rule, shadowed_tier_rule::find),
];

fn host_network_rule() -> Rule {
    let mut known = known_problems::rules().into_iter();
    known.find(|rule| &*rule.id == host_network::RULE).expect("it stands among the known problems")
}

/// Every rule that there is, sorted by id.
pub fn rules() -> Vec<Rule> {
    let mut rules = known_problems::rules();
    rules.extend(CHECKS.iter().map(|(rule, _)| rule()));
    rules.sort();
    rules.dedup();
    rules
}

/// What is wrong with the policies of `model`, of which loading found `problems`; in no order that means anything.
pub fn lint(model: &Model, problems: &[Problem], now: Timestamp) -> Vec<Finding> {
    let known = known_problems::rules();
    let mut findings: Vec<Finding> = problems.iter().map(|problem| known_problems::finding(problem, &known)).collect();
    // Without any pod or workload (policies alone), what policies mean says nothing.
    if !model.pods().is_empty() {
        let view = View::new(model, now);
        findings.extend(CHECKS.iter().flat_map(|(rule, find)| find(&view, &rule())));
    }
    suppress(model, &mut findings);
    findings
}

/// Marks the findings of objects whose annotation names their rule.
fn suppress(model: &Model, findings: &mut [Finding]) {
    let inventory = &model.inventory;
    let metas = inventory.network_policies.iter().map(|policy| &policy.meta);
    let metas = metas.chain(inventory.perimeters.iter().map(|policy| &policy.meta));
    let metas = metas.chain(inventory.access_policies.iter().map(|policy| &policy.meta));
    let metas = metas.chain(inventory.tiered_policies.iter().map(|policy| &policy.meta));
    let ignored: HashMap<&ObjectRef, &Labels> = metas
        .filter(|meta| meta.annotations.value(IGNORE_ANNOTATION).is_some())
        .map(|meta| (&meta.reference, &meta.annotations))
        .collect();
    for finding in findings {
        let Some(Subject::Object(object)) = &finding.subject else { continue };
        let Some(text) = ignored.get(object).and_then(|annotations| annotations.value(IGNORE_ANNOTATION)) else {
            continue;
        };
        let entries = text.split(';').map(|entry| entry.split_once(':').unwrap_or((entry, "")));
        let mut entries = entries.map(|(rule, reason)| (rule.trim(), reason.trim()));
        if let Some((_, reason)) = entries.find(|(rule, _)| *rule == &*finding.rule) {
            finding.suppression = Some(Suppression {
                by: format!("annotation {IGNORE_ANNOTATION}"),
                reason: (!reason.is_empty()).then(|| reason.to_owned()),
            });
        }
    }
}
