//! The kinds that own pods. Source: `pkg/apis/apps/validation` and `pkg/apis/batch/validation` of Kubernetes.

use palisade_model::pod::RestartPolicy;
use palisade_model::workload::{Workload, WorkloadKind};
use palisade_model::{Labels, Meta, Name, Selector};

use super::label_selector::read_selector;
use super::metadata::read_labels;
use super::pod::read_pod_spec;
use crate::at::At;
use crate::names;
use crate::report::{Report, WithHint};

pub(super) fn decode(report: &mut Report, root: &At<'_, '_>, meta: Meta, kind: WorkloadKind) -> Option<Workload> {
    let spec = require(report, root, "spec")?;
    let suspended = spec.boolean("suspend").unwrap_or(false);
    if kind != WorkloadKind::CronJob {
        return decode_spec(report, &spec, meta, kind, suspended);
    }
    let template = require(report, &spec, "jobTemplate")?;
    let job_spec = require(report, &template, "spec")?;
    decode_spec(report, &job_spec, meta, kind, suspended)
}

fn decode_spec(
    report: &mut Report,
    spec: &At<'_, '_>,
    meta: Meta,
    kind: WorkloadKind,
    suspended: bool,
) -> Option<Workload> {
    let template = require(report, spec, "template")?;
    let (labels, annotations) = match template.field("metadata") {
        Some(metadata) => (
            read_labels(report, &metadata, "labels", names::check_value),
            read_labels(report, &metadata, "annotations", |_| Ok(())),
        ),
        None => (Labels::default(), Labels::default()),
    };
    let pod_spec_at = require(report, &template, "spec")?;
    let pod_spec = read_pod_spec(report, &pod_spec_at);
    let selector = read_selector(report, spec, "selector");
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
        suspended,
    })
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
        // The job controller makes the selector, from a label that it adds to the template.
        WorkloadKind::Job | WorkloadKind::CronJob | WorkloadKind::Pod => return,
        WorkloadKind::Deployment | WorkloadKind::ReplicaSet | WorkloadKind::StatefulSet | WorkloadKind::DaemonSet => {}
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

fn read_replicas(report: &mut Report, spec: &At<'_, '_>, kind: WorkloadKind) -> u32 {
    let field = match kind {
        WorkloadKind::Job | WorkloadKind::CronJob => "parallelism",
        WorkloadKind::DaemonSet | WorkloadKind::Pod => return 1,
        WorkloadKind::Deployment | WorkloadKind::ReplicaSet | WorkloadKind::StatefulSet => "replicas",
    };
    let Some(at) = spec.field(field) else { return 1 };
    match at.as_integer().map(u32::try_from) {
        Some(Ok(count)) => count,
        Some(Err(_)) => {
            report.reject(&at, "invalid-value", "must not be negative");
            0
        }
        None => 1,
    }
}
