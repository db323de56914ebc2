//! Selectors over labels that a controller makes anew.

use palisade_model::Selector;
use palisade_model::finding::{Finding, Rule, Severity};

use super::selectors;
use super::view::View;

/// Labels whose values change with every rollout or run.
///
/// Source: Kubernetes, "Well-Known Labels, Annotations and Taints"; Deployments, "Pod-template-hash label".
const GENERATED: [&str; 5] = [
    "pod-template-hash",
    "controller-revision-hash",
    "pod-template-generation",
    "controller-uid",
    "batch.kubernetes.io/controller-uid",
];

pub(super) fn rule() -> Rule {
    Rule::new(
        "generated-label",
        Severity::Medium,
        "a selector asks for a label that changes with every rollout",
        "A controller writes this label, with another value for each revision or run. After the next rollout the selector matches \
         nobody, and nothing says so.\n\nSelect by the labels of the workload's own template.",
    )
}

pub(super) fn find(view: &View<'_>, rule: &Rule) -> Vec<Finding> {
    selectors::all(view)
        .into_iter()
        .filter_map(|at| {
            let key = generated_key(at.pods)?;
            let finding = rule.finding(format!("`{key}` in the selector changes with every rollout"));
            let finding = at.place(finding).reason("the controller gives each revision of the pods another value");
            Some(finding.fix(format!("remove `{key}`, and select by the labels of the workload's template")))
        })
        .collect()
}

fn generated_key(selector: &Selector) -> Option<&'static str> {
    let fixed = selector.match_expressions.iter().filter(|requirement| !requirement.values.is_empty());
    let keys = selector.match_labels.0.keys().chain(fixed.map(|requirement| &requirement.key));
    keys.filter_map(|key| GENERATED.into_iter().find(|generated| **generated == **key)).next()
}
