//! The kinds that own pods. Source: `pkg/apis/apps/validation` and `pkg/apis/batch/validation` of Kubernetes.

use palisade_model::pod::RestartPolicy;
use palisade_model::workload::{MOST_ORDINALS, Workload, WorkloadKind};
use palisade_model::{Labels, Meta, Name, Selector};

use super::label_selector::read_selector;
use super::metadata::{self, read_labels};
use super::pod::read_pod_spec;
use crate::at::At;
use crate::names;
use crate::report::{Report, WithHint};

pub(super) fn decode(report: &mut Report, root: &At<'_, '_>, meta: Meta, kind: WorkloadKind) -> Option<Workload> {
    let spec = require(report, root, "spec")?;
    check_settings(report, root, &spec, &meta, kind);
    let suspended = spec.boolean("suspend").unwrap_or(false);
    if kind != WorkloadKind::CronJob {
        return decode_spec(report, root, &spec, meta, kind, suspended);
    }
    let template = require(report, &spec, "jobTemplate")?;
    let job_spec = require(report, &template, "spec")?;
    decode_spec(report, root, &job_spec, meta, kind, suspended)
}

fn decode_spec(
    report: &mut Report,
    root: &At<'_, '_>,
    spec: &At<'_, '_>,
    mut meta: Meta,
    kind: WorkloadKind,
    suspended: bool,
) -> Option<Workload> {
    let template = require(report, spec, "template")?;
    let (mut labels, annotations) = match template.field("metadata") {
        Some(metadata) => (
            read_labels(report, &metadata, "labels", names::check_value),
            read_labels(report, &metadata, "annotations", |_| Ok(())),
        ),
        None => (Labels::default(), Labels::default()),
    };
    if kind == WorkloadKind::Job {
        let name = if metadata::has_generated_name(root) { None } else { Some(meta.reference.name.clone()) };
        label_job(report, spec, &template, name.as_ref(), &mut labels);
        if meta.labels.0.is_empty() && name.is_some() {
            meta.labels = labels.clone();
        }
    }
    if kind == WorkloadKind::ReplicationController && meta.labels.0.is_empty() {
        // Source: `SetDefaults_ReplicationController`.
        meta.labels = labels.clone();
    }
    let pod_spec_at = require(report, &template, "spec")?;
    let pod_spec = read_pod_spec(report, &pod_spec_at, kind);
    check_template(report, &pod_spec_at, kind);
    let selector = match kind {
        WorkloadKind::ReplicationController => Some(read_plain_selector(report, spec, &labels)),
        _ => read_selector(report, spec, "selector"),
    };
    check_selector(report, spec, kind, selector.as_ref(), &labels);
    check_restart_policy(report, &pod_spec_at, kind, pod_spec.restart);
    Some(Workload {
        meta,
        kind,
        replicas: read_replicas(report, spec, kind),
        selector,
        labels,
        annotations,
        spec: pod_spec,
        service_name: spec.non_empty("serviceName").map(Name::from),
        first_ordinal: read_first_ordinal(report, spec, kind),
        suspended,
    })
}

/// The selector of a ReplicationController is labels alone; without one it is the template's.
///
/// Source: `SetDefaults_ReplicationController`.
fn read_plain_selector(report: &mut Report, spec: &At<'_, '_>, labels: &Labels) -> Selector {
    let given = read_labels(report, spec, "selector", names::check_value);
    let match_labels = if given.0.is_empty() { labels.clone() } else { given };
    Selector { match_labels, match_expressions: Vec::new() }
}

/// The API server labels a job's pods with its name, and a job without labels as its pods. The labels with the uid
/// are made there, too, and cannot be known here.
///
/// Source: `generateSelector` of the job strategy, `SetDefaults_Job`.
fn label_job(report: &mut Report, spec: &At<'_, '_>, template: &At<'_, '_>, name: Option<&Name>, labels: &mut Labels) {
    const NAME_LABELS: [&str; 2] = ["batch.kubernetes.io/job-name", "job-name"];
    let Some(name) = name.filter(|_| !has_manual_selector(spec)) else { return };
    for label in NAME_LABELS {
        let given = labels.0.entry(label.into()).or_insert_with(|| name.clone());
        if given != name {
            report
                .reject(template, "invalid-value", &format!("the label `{label}` must be the job's name `{name}`"))
                .with_hint("remove the label: the API server adds it");
        }
    }
    if let Err(why) = names::check_value(name) {
        report.reject(template, "invalid-value", &format!("the job's name becomes a label: it {why}"));
    }
}

fn has_manual_selector(job_spec: &At<'_, '_>) -> bool {
    job_spec.boolean("manualSelector") == Some(true)
}

/// What changes no answer but whether the API server takes the object.
fn check_settings(report: &mut Report, root: &At<'_, '_>, spec: &At<'_, '_>, meta: &Meta, kind: WorkloadKind) {
    let counts: &[&'static str] = match kind {
        WorkloadKind::Deployment | WorkloadKind::DaemonSet => &["revisionHistoryLimit", "minReadySeconds"],
        // Of a StatefulSet a negative `revisionHistoryLimit` is taken.
        WorkloadKind::ReplicaSet | WorkloadKind::ReplicationController | WorkloadKind::StatefulSet => {
            &["minReadySeconds"]
        }
        WorkloadKind::Job => &["completions"],
        WorkloadKind::CronJob | WorkloadKind::Pod => &[],
    };
    for &field in counts {
        if let Some(number) = spec.field(field)
            && number.as_integer().is_some_and(|number| number < 0)
        {
            report.reject(&number, "invalid-value", "must not be negative");
        }
    }
    let name = meta.name();
    match kind {
        WorkloadKind::CronJob => {
            /// A job's name is the CronJob's and 11 characters, and becomes a label.
            const MAX_NAME: usize = 52;
            if name.len() > MAX_NAME && !metadata::has_generated_name(root) {
                report.reject(
                    spec,
                    "invalid-value",
                    &format!("the name of a CronJob has at most {MAX_NAME} characters"),
                );
            }
            if spec.non_empty("schedule").is_none() {
                report
                    .reject(spec, "missing-field", "`schedule` is missing or empty")
                    .with_hint("add one, as in `schedule: \"*/5 * * * *\"`");
            }
            check_choice(report, spec, "concurrencyPolicy", &["Allow", "Forbid", "Replace"]);
        }
        WorkloadKind::Deployment => {
            if let Some(strategy) = spec.field("strategy") {
                check_choice(report, &strategy, "type", &["Recreate", "RollingUpdate"]);
                if strategy.text("type") == Some("Recreate") && strategy.field("rollingUpdate").is_some() {
                    report.reject(&strategy, "invalid-value", "`rollingUpdate` may not stand beside `type: Recreate`");
                }
            }
        }
        WorkloadKind::StatefulSet => {
            if let Err(why) = names::check_label(name)
                && !metadata::has_generated_name(root)
            {
                report.reject(spec, "invalid-value", &format!("the name of a StatefulSet {why}"));
            }
            if let Some(service) = spec.non_empty("serviceName")
                && let Err(why) = names::check_label(service)
            {
                report.reject(spec, "invalid-value", &format!("`serviceName` `{service}` {why}"));
            }
        }
        WorkloadKind::DaemonSet
        | WorkloadKind::Job
        | WorkloadKind::Pod
        | WorkloadKind::ReplicaSet
        | WorkloadKind::ReplicationController => {}
    }
}

fn check_choice(report: &mut Report, at: &At<'_, '_>, field: &'static str, known: &[&str]) {
    if let Some(text) = at.non_empty(field)
        && !known.contains(&text)
    {
        report
            .reject(at, "invalid-value", &format!("unknown `{field}` `{text}`"))
            .with_hint(format!("use {}", known.join(" or ")));
    }
}

/// Source: `ValidatePodTemplateSpec`, and what each owner adds to it.
fn check_template(report: &mut Report, pod_spec: &At<'_, '_>, kind: WorkloadKind) {
    if let Some(list) = pod_spec.field("ephemeralContainers").filter(|list| list.elements().len() > 0) {
        report
            .reject(&list, "invalid-value", "a template has no ephemeral containers")
            .with_hint("they are added to a running pod: `kubectl debug`");
    }
    let is_job = matches!(kind, WorkloadKind::Job | WorkloadKind::CronJob);
    if let Some(deadline) = pod_spec.field("activeDeadlineSeconds")
        && !is_job
    {
        report.reject(&deadline, "invalid-value", &format!("a {kind} takes no deadline")).with_hint("remove the line");
    }
}

fn require<'d, 'q>(report: &mut Report, parent: &'q At<'d, '_>, name: &'static str) -> Option<At<'d, 'q>> {
    let child = parent.field(name);
    if child.is_none() {
        report.reject(parent, "missing-field", &format!("`{name}` is missing"));
    }
    child
}

fn check_selector(
    report: &mut Report,
    spec: &At<'_, '_>,
    kind: WorkloadKind,
    selector: Option<&Selector>,
    labels: &Labels,
) {
    match kind {
        WorkloadKind::Job => return check_job_selector(report, spec, selector, labels),
        WorkloadKind::CronJob | WorkloadKind::Pod => return,
        WorkloadKind::Deployment
        | WorkloadKind::ReplicaSet
        | WorkloadKind::ReplicationController
        | WorkloadKind::StatefulSet
        | WorkloadKind::DaemonSet => {}
    }
    let Some(selector) = selector.filter(|selector| !selector.is_empty()) else {
        report
            .reject(spec, "missing-field", "`selector` is missing or empty")
            .with_hint("add `selector: {matchLabels: ...}` with labels of the template");
        return;
    };
    if !selector.matches(labels) {
        report
            .reject(spec, "invalid-value", &format!("`selector` {selector} does not match the template's labels"))
            .with_hint("give `template.metadata.labels` the labels that `selector` asks for");
    }
}

/// The API server makes a job's selector, from a label that it adds to the template, unless it is told not to.
fn check_job_selector(report: &mut Report, spec: &At<'_, '_>, selector: Option<&Selector>, labels: &Labels) {
    const UID_LABELS: [&str; 2] = ["batch.kubernetes.io/controller-uid", "controller-uid"];
    match (has_manual_selector(spec), selector) {
        (false, None) => {}
        (false, Some(selector)) if UID_LABELS.iter().any(|label| selector.match_labels.value(label).is_some()) => {}
        (false, Some(_)) => {
            report
                .reject(spec, "invalid-value", "`selector` is made by the API server")
                .with_hint("remove `selector`, or add `manualSelector: true`");
        }
        (true, None) => {
            report.reject(spec, "missing-field", "`manualSelector: true` needs `selector`");
        }
        (true, Some(selector)) if !selector.matches(labels) => {
            report.reject(
                spec,
                "invalid-value",
                &format!("`selector` {selector} does not match the template's labels"),
            );
        }
        (true, Some(_)) => {}
    }
}

fn check_restart_policy(report: &mut Report, pod_spec: &At<'_, '_>, kind: WorkloadKind, restart: RestartPolicy) {
    let is_job = matches!(kind, WorkloadKind::Job | WorkloadKind::CronJob);
    if is_job && restart == RestartPolicy::Always {
        report
            .reject(pod_spec, "invalid-value", &format!("a {kind} cannot have `restartPolicy: Always`, the default"))
            .with_hint("add `restartPolicy: OnFailure` or `Never`");
    } else if !is_job && restart != RestartPolicy::Always {
        report
            .reject(pod_spec, "invalid-value", &format!("a {kind} must have `restartPolicy: Always`"))
            .with_hint("remove `restartPolicy`");
    }
}

/// Source: `StatefulSetOrdinals`.
fn read_first_ordinal(report: &mut Report, spec: &At<'_, '_>, kind: WorkloadKind) -> u32 {
    let Some(ordinals) = spec.field("ordinals").filter(|_| kind == WorkloadKind::StatefulSet) else { return 0 };
    let Some(start) = ordinals.field("start") else { return 0 };
    match start.as_integer().map(u32::try_from) {
        Some(Ok(start)) => start,
        Some(Err(_)) => {
            report.reject(&start, "invalid-value", "must not be negative");
            0
        }
        None => 0,
    }
}

fn read_replicas(report: &mut Report, spec: &At<'_, '_>, kind: WorkloadKind) -> u32 {
    let field = match kind {
        WorkloadKind::Job | WorkloadKind::CronJob => "parallelism",
        WorkloadKind::DaemonSet | WorkloadKind::Pod => return 1,
        WorkloadKind::Deployment
        | WorkloadKind::ReplicaSet
        | WorkloadKind::ReplicationController
        | WorkloadKind::StatefulSet => "replicas",
    };
    let Some(at) = spec.field(field) else { return 1 };
    match at.as_integer().map(u32::try_from) {
        Some(Ok(count)) => {
            if kind == WorkloadKind::StatefulSet && count > MOST_ORDINALS {
                report.warn(
                    &at,
                    "many-replicas",
                    &format!("more than {MOST_ORDINALS}: one pod without a number stands for all of them"),
                );
            }
            count
        }
        Some(Err(_)) => {
            report.reject(&at, "invalid-value", "must not be negative");
            0
        }
        None => 1,
    }
}
