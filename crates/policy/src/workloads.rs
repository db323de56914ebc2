//! Which workload a pod belongs to, and the pods that stand for workloads without any.

use std::collections::{BTreeMap, BTreeSet};

use palisade_model::inventory::Inventory;
use palisade_model::object::{Name, Owner};
use palisade_model::pod::Pod;
use palisade_model::workload::{Workload, WorkloadKind};

use crate::model::{PodFacts, WorkloadId};

/// Whether both are pods of one workload.
pub(crate) fn same_workload(one: &PodFacts, other: &PodFacts) -> bool {
    one.namespace == other.namespace && one.workload == other.workload
}

/// Finds owners by (namespace, kind, name).
pub(crate) struct Owners<'i> {
    workloads: BTreeMap<(&'i str, WorkloadKind, &'i str), &'i Workload>,
}

impl<'i> Owners<'i> {
    pub(crate) fn new(inventory: &'i Inventory) -> Self {
        let workloads = inventory
            .workloads
            .iter()
            .map(|workload| ((workload.meta.namespace(), workload.kind, workload.meta.name()), workload))
            .collect();
        Self { workloads }
    }

    /// The workload at the top of the pod's chain of controllers; the pod itself without one.
    ///
    /// A ReplicaSet that is not in the input is a Deployment's when its name ends with the hash of the
    /// pod's template, which the Deployment's controller writes on the pod; a Job is a CronJob's when it
    /// is named after one that is there and the time.
    ///
    /// Source: Deployments, "Pod-template-hash label"; CronJob, "CronJob creation" (a Job's name has 11
    /// characters more than the CronJob's: the time in minutes).
    pub(crate) fn of_pod(&self, pod: &Pod) -> WorkloadId {
        let namespace = pod.meta.namespace();
        let Some(owner) = &pod.meta.owner else {
            return WorkloadId { kind: WorkloadKind::Pod, name: pod.meta.reference.name.clone() };
        };
        self.top(namespace, owner, pod.meta.labels.value("pod-template-hash"))
    }

    fn top(&self, namespace: &str, owner: &Owner, template_hash: Option<&str>) -> WorkloadId {
        let Ok(kind) = owner.kind.parse::<WorkloadKind>() else {
            // A controller that is not read, such as an operator's own kind: its name still names it.
            return WorkloadId { kind: WorkloadKind::Pod, name: owner.name.clone() };
        };
        let parent_kind = match kind {
            WorkloadKind::ReplicaSet => WorkloadKind::Deployment,
            WorkloadKind::Job => WorkloadKind::CronJob,
            WorkloadKind::CronJob
            | WorkloadKind::DaemonSet
            | WorkloadKind::Deployment
            | WorkloadKind::StatefulSet
            | WorkloadKind::Pod => return WorkloadId { kind, name: owner.name.clone() },
        };
        if let Some(workload) = self.workloads.get(&(namespace, kind, &*owner.name)) {
            return match &workload.meta.owner {
                Some(parent) if parent.kind.eq_ignore_ascii_case(parent_kind.kind().as_str()) => {
                    WorkloadId { kind: parent_kind, name: parent.name.clone() }
                }
                _ => WorkloadId { kind, name: owner.name.clone() },
            };
        }
        let parent = owner.name.rsplit_once('-').filter(|(parent, suffix)| match kind {
            WorkloadKind::ReplicaSet => template_hash == Some(suffix),
            _ => {
                let is_time = !suffix.is_empty() && suffix.bytes().all(|byte| byte.is_ascii_digit());
                is_time && self.workloads.contains_key(&(namespace, parent_kind, parent))
            }
        });
        match parent {
            Some((parent, _)) => WorkloadId { kind: parent_kind, name: parent.into() },
            None => WorkloadId { kind, name: owner.name.clone() },
        }
    }

    /// Whether a workload is made by another one that is in the input, and so stands for nothing
    /// of its own.
    fn is_owned(&self, workload: &Workload) -> bool {
        workload.meta.owner.as_ref().is_some_and(|owner| {
            owner
                .kind
                .parse()
                .is_ok_and(|kind| self.workloads.contains_key(&(workload.meta.namespace(), kind, &*owner.name)))
        })
    }

    /// The workloads that need a pod to stand for them: those that run pods and have none in the
    /// input, with their positions.
    pub(crate) fn without_pods(&self, inventory: &'i Inventory) -> Vec<(usize, &'i Workload)> {
        let with_pods: BTreeSet<(&str, WorkloadKind, Name)> = inventory
            .pods
            .iter()
            .flat_map(|pod| {
                let WorkloadId { kind, name } = self.of_pod(pod);
                // Where the top of the chain is not in the input, its owner is what would stand for it once more.
                let owner =
                    pod.meta.owner.iter().filter_map(|owner| Some((owner.kind.parse().ok()?, owner.name.clone())));
                let namespace = pod.meta.namespace();
                owner.chain([(kind, name)]).map(move |(kind, name)| (namespace, kind, name))
            })
            .collect();
        inventory
            .workloads
            .iter()
            .enumerate()
            .filter(|(_, workload)| workload.replicas > 0 && !workload.suspended && !self.is_owned(workload))
            .filter(|(_, workload)| {
                !with_pods.contains(&(workload.meta.namespace(), workload.kind, workload.meta.reference.name.clone()))
            })
            .collect()
    }
}
