//! Selectors that hold for some of a workload's pods only, or only until the next rollout.

use std::sync::Arc;

use palisade_model::finding::{Finding, Rule, Severity};
use palisade_model::selector::Operator;
use palisade_model::workload::{Workload, WorkloadKind};
use palisade_model::{Labels, Selector};

use super::selectors::{self, Namespaces, SelectorAt};
use super::view::View;
use crate::maps::HashMap;
use crate::matching::{self, Match};
use crate::model::{PodFacts, WorkloadId};

/// Labels that tell pods of one workload apart on purpose: a selector with one of them means some of them.
///
/// Source: Kubernetes, "Well-Known Labels, Annotations and Taints".
const OF_ONE_POD: [&str; 4] = [
    "statefulset.kubernetes.io/pod-name",
    "apps.kubernetes.io/pod-index",
    "batch.kubernetes.io/job-completion-index",
    "batch.kubernetes.io/job-name",
];

pub(super) fn rule() -> Rule {
    Rule::new(
        "label-drift",
        Severity::Medium,
        "a selector and a workload's labels have drifted apart",
        "The labels of running pods and of their workload's template differ: the selector matches the pods of now and not those of the \
         next rollout, or the other way round, or only some pods of one workload. What the policy does changes when the pods do, \
         without anybody changing the policy.\n\nBring the template's labels and the selector together.",
    )
}

pub(super) fn find(view: &View<'_>, rule: &Rule) -> Vec<Finding> {
    let templates = templates(view);
    if templates.is_empty() && !has_siblings(view) {
        return Vec::new();
    }
    let mut seen: HashMap<(&Selector, String), Vec<Drift<'_>>> = HashMap::default();
    let mut findings = Vec::new();
    for at in selectors::all(view) {
        if at.pods.is_empty() || names_one_pod(at.pods) {
            continue;
        }
        let drifts = seen.entry((at.pods, key(&at))).or_insert_with(|| drifts(view, &at, &templates));
        findings.extend(drifts.iter().map(|drift| at.place(drift.tell(rule))));
    }
    findings
}

fn key(at: &SelectorAt<'_>) -> String {
    match at.namespaces {
        Namespaces::Named(name) => format!("/{name}"),
        Namespaces::Selected(selector) => selector.to_string(),
    }
}

fn names_one_pod(selector: &Selector) -> bool {
    let keys = selector.match_labels.0.keys();
    let mut keys = keys.chain(selector.match_expressions.iter().map(|requirement| &requirement.key));
    keys.any(|key| OF_ONE_POD.contains(&&**key))
}

fn has_siblings(view: &View<'_>) -> bool {
    view.model.pods().iter().any(|pod| pod.workload.kind != WorkloadKind::Pod)
}

type Templates<'m> = HashMap<(&'m str, WorkloadKind, &'m str), &'m Workload>;

/// The workloads of which the input has both the template and the pods.
fn templates<'m>(view: &View<'m>) -> Templates<'m> {
    let workloads = view.model.inventory.workloads.iter().map(Arc::as_ref);
    workloads.map(|workload| ((workload.meta.namespace(), workload.kind, workload.meta.name()), workload)).collect()
}

/// How a workload and a selector have drifted apart.
struct Drift<'m> {
    workload: &'m WorkloadId,
    first: &'m PodFacts,
    template: Option<&'m Workload>,
    /// Pods that it selects, and how many there are.
    selected: usize,
    all: usize,
    /// Whether it selects the pods of the next rollout, when the template is in the input.
    selects_next: Option<bool>,
    key: String,
}

impl Drift<'_> {
    fn tell(&self, rule: &Rule) -> Finding {
        let Self { workload, selected, all, key, .. } = self;
        let name = format!("{} {}/{}", workload.kind, self.first.namespace, workload.name);
        let message = match self.selects_next {
            Some(false) if selected == all => {
                format!("matches the pods of {name}, but not those of its template: the label {key} is gone there")
            }
            Some(true) if *selected == 0 => {
                format!("matches the template of {name}, but none of its running pods: they lack {key}")
            }
            Some(false) => format!(
                "matches {selected} of {all} pods of {name}, and not its template: the label {key} is gone there"
            ),
            Some(true) | None => format!("matches {selected} of {all} pods of {name}: the others lack {key}"),
        };
        let finding = rule
            .finding(message)
            .reason("what the policy does for this workload changes with its pods, and nobody has to touch the policy for that")
            .fix("write the label into the workload's template and roll it out, or change the selector");
        match self.template {
            Some(template) => finding.related(&template.meta.place, "the workload".to_owned()),
            None => finding.related(&self.first.place, self.first.full_name()),
        }
    }
}

fn drifts<'m>(view: &View<'m>, at: &SelectorAt<'m>, templates: &Templates<'m>) -> Vec<Drift<'m>> {
    let mut workloads: Vec<(&'m PodFacts, Vec<&'m PodFacts>)> = Vec::new();
    let mut places: HashMap<(&str, &WorkloadId), usize> = HashMap::default();
    for pod in view.model.pods().iter().filter(|pod| in_namespaces(at, pod) && is_of_workload(view, pod)) {
        let place = *places.entry((&pod.namespace, &pod.workload)).or_insert_with(|| {
            workloads.push((pod, Vec::new()));
            workloads.len() - 1
        });
        workloads[place].1.push(pod);
    }
    let drifted = workloads.into_iter().filter_map(|(first, pods)| {
        let template = templates.get(&(&*first.namespace, first.workload.kind, &*first.workload.name)).copied();
        let selected = pods.iter().filter(|pod| at.pods.matches(&pod.labels)).count();
        let selects_next = template.map(|template| at.pods.matches(&template.labels));
        let agrees = match selects_next {
            Some(next) => selected == if next { pods.len() } else { 0 },
            None => selected == 0 || selected == pods.len(),
        };
        if agrees {
            return None;
        }
        let without = pods.iter().map(|pod| &pod.labels).chain(template.map(|template| &template.labels));
        let key = without.filter_map(|labels| missing(at.pods, labels)).next()?;
        Some(Drift { workload: &first.workload, first, template, selected, all: pods.len(), selects_next, key })
    });
    drifted.collect()
}

/// Running pods that their workload made: a template in the place of its pods cannot differ from itself.
fn is_of_workload(view: &View<'_>, pod: &PodFacts) -> bool {
    pod.workload.kind != WorkloadKind::Pod && !pod.is_template && pod.decides() && !view.model.spec(pod).host_network
}

fn in_namespaces(at: &SelectorAt<'_>, pod: &PodFacts) -> bool {
    match at.namespaces {
        Namespaces::Named(name) => *name == pod.namespace,
        Namespaces::Selected(selector) => matching::namespace_selector(selector, pod) == Match::Yes,
    }
}

/// The first thing that a selector asks for and `labels` do not have.
fn missing(selector: &Selector, labels: &Labels) -> Option<String> {
    let mut pairs = selector.match_labels.0.iter();
    let pair =
        pairs.find(|(key, value)| labels.value(key) != Some(value)).map(|(key, value)| format!("`{key}: {value}`"));
    pair.or_else(|| {
        let mut requirements = selector.match_expressions.iter();
        let requirement = requirements.find(|requirement| !requirement.matches(labels))?;
        Some(match requirement.operator {
            Operator::In | Operator::Exists => format!("`{}` as asked for", requirement.key),
            Operator::NotIn | Operator::DoesNotExist => format!("`{}` otherwise", requirement.key),
        })
    })
}
