//! Volumes of a pod.

use std::collections::BTreeSet;

use palisade_model::Name;
use palisade_model::pod::{Volume, VolumeSource};
use palisade_model::workload::WorkloadKind;

use crate::at::At;
use crate::names;
use crate::report::{Report, WithHint};
use crate::schema;

/// The volumes of the pod spec at `spec`. Source: `ValidateVolumes`, `ValidateVolumeMounts`.
pub(super) fn read_volumes(report: &mut Report, spec: &At<'_, '_>, owner: WorkloadKind) -> Vec<Volume> {
    let mut seen = BTreeSet::new();
    let volumes = spec.list("volumes", |at| {
        let volume = read_volume(report, at)?;
        if !seen.insert(volume.name.clone()) {
            report
                .reject(at, "duplicate", &format!("two volumes have the name `{}`", volume.name))
                .with_hint("rename one of them");
        }
        Some(volume)
    });
    let lists: &[&'static str] = match owner {
        // Its pods have the volumes of `volumeClaimTemplates`, too.
        WorkloadKind::StatefulSet => &[],
        WorkloadKind::CronJob
        | WorkloadKind::DaemonSet
        | WorkloadKind::Deployment
        | WorkloadKind::Job
        | WorkloadKind::Pod
        | WorkloadKind::ReplicaSet
        | WorkloadKind::ReplicationController => &["initContainers", "containers", "ephemeralContainers"],
    };
    for list in lists {
        spec.list(list, |container| check_mounts(report, container, &seen));
    }
    volumes.into_iter().flatten().collect()
}

fn read_volume(report: &mut Report, at: &At<'_, '_>) -> Option<Volume> {
    let Some(name) = at.non_empty("name") else {
        report.reject(at, "missing-field", "a volume needs a `name`");
        return None;
    };
    if let Err(why) = names::check_label(name) {
        report.reject(at, "invalid-value", &format!("volume name `{name}` {why}"));
    }
    let is_source = |key: &str| key != "name" && schema::has_field("Volume", key);
    let source = at.fields().find(|(key, value)| is_source(key) && !value.value.is_null());
    let source = match source {
        // A volume without a source is an emptyDir. Source: `SetDefaults_Volume`.
        None | Some(("emptyDir", _)) => VolumeSource::EmptyDir,
        Some(("hostPath", host_path)) => {
            let path = host_path.text("path").unwrap_or_default();
            if path.is_empty() || path.split('/').any(|part| part == "..") {
                report.reject(&host_path, "invalid-value", &format!("`path` `{path}` is missing or leads upwards"));
            }
            VolumeSource::HostPath(path.into())
        }
        Some(("image", image)) if image.non_empty("reference").is_some() => {
            VolumeSource::Image(image.text("reference").unwrap_or_default().into())
        }
        Some((other, _)) => VolumeSource::Other(other.into()),
    };
    Some(Volume { name: name.into(), source })
}

fn check_mounts(report: &mut Report, container: &At<'_, '_>, volumes: &BTreeSet<Name>) {
    let mut seen = BTreeSet::new();
    container.list("volumeMounts", |at| {
        let (name, path) = (at.text("name").unwrap_or_default(), at.text("mountPath").unwrap_or_default());
        if !volumes.contains(name) {
            report
                .reject(at, "invalid-value", &format!("there is no volume `{name}`"))
                .with_hint("add it to the pod's `volumes`");
        }
        if path.is_empty() {
            report.reject(at, "missing-field", "`mountPath` is missing");
        } else if !seen.insert(path) {
            report.reject(at, "duplicate", &format!("two mounts have the path `{path}`"));
        }
    });
}
