//! Which workload a pod belongs to, and the pods that stand for workloads without any.

use std::collections::BTreeSet;
use std::sync::Arc;

use palisade_model::inventory::Inventory;
use palisade_model::object::{Name, ObjectRef, Owner};
use palisade_model::pod::Pod;
use palisade_model::workload::{Workload, WorkloadKind};

use crate::maps::HashMap;
use crate::model::{PodFacts, WorkloadId};

/// Whether both are pods of one workload.
pub(crate) fn same_workload(one: &PodFacts, other: &PodFacts) -> bool {
    one.namespace == other.namespace && one.workload == other.workload
}

/// The object of a workload.
pub(crate) fn workload_object<'i>(
    inventory: &'i Inventory,
    namespace: &str,
    (kind, name): (WorkloadKind, &str),
) -> Option<&'i Arc<Workload>> {
    let wanted = (kind.kind(), Some(namespace), name);
    let key = |reference: &'i ObjectRef| (reference.kind, reference.namespace.as_deref(), &*reference.name);
    let found = inventory.workloads.binary_search_by(|workload| key(&workload.meta.reference).cmp(&wanted));
    found.ok().map(|position| &inventory.workloads[position])
}

/// The workload at the top of the pod's chain of controllers; the pod itself without one.
///
/// A ReplicaSet that is not in the input is a Deployment's when its name ends with the hash of the
/// pod's template, which the Deployment's controller writes on the pod; a Job is a CronJob's when it
/// is named after one that is there and the time.
///
/// Source: Deployments, "Pod-template-hash label"; CronJob, "CronJob creation" (a Job's name has 11
/// characters more than the CronJob's: the time in minutes).
pub(crate) fn of_pod(inventory: &Inventory, pod: &Pod) -> WorkloadId {
    let Some(owner) = &pod.meta.owner else {
        return WorkloadId { kind: WorkloadKind::Pod, name: pod.meta.reference.name.clone() };
    };
    top(inventory, pod.meta.namespace(), owner, pod.meta.labels.value("pod-template-hash"))
}

/// The workload at the top of the chain of controllers of the pods of `workload`: a Deployment that is not in the input, where
/// its ReplicaSet is.
pub(crate) fn of_template(inventory: &Inventory, workload: &Workload) -> WorkloadId {
    let name = workload.meta.reference.name.clone();
    let owner = Owner { kind: workload.kind.kind().as_str().into(), name };
    top(inventory, workload.meta.namespace(), &owner, None)
}

fn top(inventory: &Inventory, namespace: &str, owner: &Owner, template_hash: Option<&str>) -> WorkloadId {
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
        | WorkloadKind::ReplicationController
        | WorkloadKind::StatefulSet
        | WorkloadKind::Pod => return WorkloadId { kind, name: owner.name.clone() },
    };
    if let Some(workload) = workload_object(inventory, namespace, (kind, &owner.name)) {
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
            is_time && workload_object(inventory, namespace, (parent_kind, parent)).is_some()
        }
    });
    match parent {
        Some((parent, _)) => WorkloadId { kind: parent_kind, name: parent.into() },
        None => WorkloadId { kind, name: owner.name.clone() },
    }
}

/// Whether the workload that is added, changed or gone can say whose `pod` is: see [`of_pod`].
pub(crate) fn may_own(workload: &Workload, pod: &Pod) -> bool {
    let is_like = |owner: &Owner| owner.name.starts_with(&*workload.meta.reference.name);
    pod.meta.namespace() == workload.meta.namespace() && pod.meta.owner.as_ref().is_some_and(is_like)
}

/// How many pods there are of each workload: at the top of their chain, or their owner. Where the top is not in the
/// input, the owner is what would stand for them once more.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub(crate) struct PodsOfWorkloads(HashMap<WorkloadKey, u32>);

/// Namespace, kind and name.
pub(crate) type WorkloadKey = (Name, WorkloadKind, Name);

impl PodsOfWorkloads {
    pub(crate) fn new(inventory: &Inventory) -> Self {
        let mut of_workloads = Self::default();
        for pod in &inventory.pods {
            of_workloads.add(workloads_of(pod, &of_pod(inventory, pod)));
        }
        of_workloads
    }

    pub(crate) fn add(&mut self, keys: BTreeSet<WorkloadKey>) {
        keys.into_iter().for_each(|key| *self.0.entry(key).or_default() += 1);
    }

    pub(crate) fn remove(&mut self, keys: &BTreeSet<WorkloadKey>) {
        for key in keys {
            let count = self.0.get_mut(key).expect("it was added");
            *count -= 1;
            if *count == 0 {
                self.0.remove(key);
            }
        }
    }
}

/// The workloads that do not need a pod to stand for them because of `pod`, whose chain of controllers ends at `top`.
pub(crate) fn workloads_of(pod: &Pod, top: &WorkloadId) -> BTreeSet<WorkloadKey> {
    let owner = pod.meta.owner.iter().filter_map(|owner| Some((owner.kind.parse().ok()?, owner.name.clone())));
    let namespace = pod.meta.reference.namespace.clone().unwrap_or_else(|| "".into());
    owner.chain([(top.kind, top.name.clone())]).map(|(kind, name)| (namespace.clone(), kind, name)).collect()
}

/// Whether a pod has to stand for `workload`: it runs pods, has none in the input, and is not made by another one that is
/// in the input.
pub(crate) fn needs_template(inventory: &Inventory, of_workloads: &PodsOfWorkloads, workload: &Workload) -> bool {
    let namespace = workload.meta.namespace();
    let is_owned = || {
        workload.meta.owner.as_ref().is_some_and(|owner| {
            let kind = owner.kind.parse();
            kind.is_ok_and(|kind| workload_object(inventory, namespace, (kind, &owner.name)).is_some())
        })
    };
    workload.replicas > 0 && !workload.suspended && !of_workloads.0.contains_key(&key_of(workload)) && !is_owned()
}

/// The workload as [`PodsOfWorkloads`] knows it.
pub(crate) fn key_of(workload: &Workload) -> WorkloadKey {
    let namespace = workload.meta.reference.namespace.clone().unwrap_or_else(|| "".into());
    (namespace, workload.kind, workload.meta.reference.name.clone())
}
