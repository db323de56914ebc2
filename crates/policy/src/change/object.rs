//! Objects as they are and as they would be.

use std::sync::Arc;

use palisade_model::access_policy::AccessPolicy;
use palisade_model::inventory::{Inventory, Namespace};
use palisade_model::network_policy::NetworkPolicy;
use palisade_model::perimeter::Perimeter;
use palisade_model::pod::Pod;
use palisade_model::tiered_policy::TieredPolicy;
use palisade_model::workload::Workload;
use palisade_model::{Labels, Meta};

/// An object that a change is about.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Object {
    AccessPolicy(AccessPolicy),
    Namespace(Namespace),
    NetworkPolicy(NetworkPolicy),
    Perimeter(Perimeter),
    TieredPolicy(TieredPolicy),
    /// A pod that nobody made.
    Pod(Box<Pod>),
    /// A workload and its pods, by new labels of its template.
    Workload(Box<Workload>, Vec<Pod>),
}

/// An object before and after: `None` where it is not there.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct ObjectChange {
    pub(super) before: Option<Object>,
    pub(super) after: Option<Object>,
}

impl ObjectChange {
    pub(super) fn new(before: Object, after: Object) -> Self {
        Self { before: Some(before), after: Some(after) }
    }

    pub(super) fn added(after: Object) -> Self {
        Self { before: None, after: Some(after) }
    }

    pub(super) fn removed(before: Object) -> Self {
        Self { before: Some(before), after: None }
    }

    /// The object as it was, or as it is new.
    pub(super) fn object(&self) -> &Object {
        self.before.as_ref().or(self.after.as_ref()).expect("a change is about an object")
    }

    /// Does it to `inventory`, which may be a part that lacks the object.
    pub(super) fn apply(&self, inventory: &mut Inventory) {
        if let Some(before) = &self.before {
            before.remove(inventory);
        }
        if let Some(after) = &self.after {
            after.add(inventory, self.before.is_some());
        }
    }
}

impl Object {
    pub(super) fn meta(&self) -> &Meta {
        match self {
            Self::AccessPolicy(policy) => &policy.meta,
            Self::Namespace(namespace) => &namespace.meta,
            Self::NetworkPolicy(policy) => &policy.meta,
            Self::Perimeter(perimeter) => &perimeter.meta,
            Self::TieredPolicy(policy) => &policy.meta,
            Self::Pod(pod) => &pod.meta,
            Self::Workload(workload, _) => &workload.meta,
        }
    }

    /// The labels that it gives its pods.
    pub(super) fn labels(&self) -> &Labels {
        match self {
            Self::Workload(workload, _) => &workload.labels,
            Self::AccessPolicy(_)
            | Self::Namespace(_)
            | Self::NetworkPolicy(_)
            | Self::Perimeter(_)
            | Self::TieredPolicy(_)
            | Self::Pod(_) => &self.meta().labels,
        }
    }

    fn remove(&self, inventory: &mut Inventory) {
        let reference = &self.meta().reference;
        let other = |meta: &Meta| meta.reference != *reference;
        match self {
            Self::AccessPolicy(_) => inventory.access_policies.retain(|one| other(&one.meta)),
            Self::Namespace(_) => inventory.namespaces.retain(|one| other(&one.meta)),
            Self::NetworkPolicy(_) => inventory.network_policies.retain(|one| other(&one.meta)),
            Self::Perimeter(_) => inventory.perimeters.retain(|one| other(&one.meta)),
            Self::TieredPolicy(_) => inventory.tiered_policies.retain(|one| other(&one.meta)),
            // They are replaced where they are.
            Self::Pod(_) | Self::Workload(..) => {}
        }
    }

    fn add(&self, inventory: &mut Inventory, is_replacement: bool) {
        match self {
            Self::AccessPolicy(policy) => inventory.access_policies.push(Arc::new(policy.clone())),
            Self::Namespace(namespace) => inventory.namespaces.push(Arc::new(namespace.clone())),
            Self::NetworkPolicy(policy) => inventory.network_policies.push(Arc::new(policy.clone())),
            Self::Perimeter(perimeter) => inventory.perimeters.push(Arc::new(perimeter.clone())),
            Self::TieredPolicy(policy) => inventory.tiered_policies.push(Arc::new(policy.clone())),
            Self::Pod(pod) if is_replacement => replace_pod(inventory, pod),
            Self::Pod(pod) => inventory.pods.push(Arc::new((**pod).clone())),
            Self::Workload(workload, pods) => {
                let same = |one: &&mut Arc<Workload>| one.meta.reference == workload.meta.reference;
                if let Some(one) = inventory.workloads.iter_mut().find(same) {
                    *one = Arc::new((**workload).clone());
                }
                pods.iter().for_each(|pod| replace_pod(inventory, pod));
            }
        }
    }
}

fn replace_pod(inventory: &mut Inventory, pod: &Pod) {
    let same = |one: &&mut Arc<Pod>| one.meta.reference == pod.meta.reference;
    if let Some(one) = inventory.pods.iter_mut().find(same) {
        *one = Arc::new(pod.clone());
    }
}
