//! Objects as they are and as they would be.

use std::sync::Arc;

use palisade_model::access_policy::AccessPolicy;
use palisade_model::inventory::{self, Inventory, Namespace};
use palisade_model::network_policy::NetworkPolicy;
use palisade_model::perimeter::Perimeter;
use palisade_model::pod::Pod;
use palisade_model::tiered_policy::TieredPolicy;
use palisade_model::workload::Workload;
use palisade_model::{Labels, Meta, ObjectRef};

use crate::model::Model;

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

    /// What is to stand where: an object, or nothing.
    fn steps(&self) -> Vec<(ObjectRef, Option<inventory::Object>)> {
        let Some(after) = &self.after else {
            return self.before.iter().map(|before| (before.meta().reference.clone(), None)).collect();
        };
        let objects = match after.clone() {
            Object::AccessPolicy(policy) => vec![inventory::Object::AccessPolicy(Arc::new(policy))],
            Object::Namespace(namespace) => vec![inventory::Object::Namespace(Arc::new(namespace))],
            Object::NetworkPolicy(policy) => vec![inventory::Object::NetworkPolicy(Arc::new(policy))],
            Object::Perimeter(perimeter) => vec![inventory::Object::Perimeter(Arc::new(perimeter))],
            Object::TieredPolicy(policy) => vec![inventory::Object::TieredPolicy(Arc::new(policy))],
            Object::Pod(pod) => vec![inventory::Object::Pod(Arc::from(pod))],
            Object::Workload(workload, pods) => {
                let pods = pods.into_iter().map(|pod| inventory::Object::Pod(Arc::new(pod)));
                pods.chain([inventory::Object::Workload(Arc::from(workload))]).collect()
            }
        };
        objects.into_iter().map(|object| (object.meta().reference.clone(), Some(object))).collect()
    }

    /// Whether it is done only where the object is: a part has all pods and workloads that matter to it.
    fn needs_known(&self) -> bool {
        match self.object() {
            Object::Pod(_) | Object::Workload(..) => true,
            Object::AccessPolicy(_)
            | Object::Namespace(_)
            | Object::NetworkPolicy(_)
            | Object::Perimeter(_)
            | Object::TieredPolicy(_) => false,
        }
    }

    /// Does it to `inventory`.
    pub(super) fn apply(&self, inventory: &mut Inventory) {
        let mut objects: Vec<inventory::Object> = inventory.objects().collect();
        for (reference, after) in self.steps() {
            let before = objects.len();
            objects.retain(|own| own.meta().reference != reference);
            if objects.len() < before || !self.needs_known() {
                objects.extend(after);
            }
        }
        let Inventory { settings, unreadable, other_kinds, .. } = std::mem::take(inventory);
        *inventory = Inventory { settings, unreadable, other_kinds, ..Inventory::default() };
        inventory.extend(objects);
    }

    /// Does it to `model`, which may be of a part that lacks the object.
    pub(super) fn apply_to(&self, model: &mut Model, undo: &mut Undo) {
        for (reference, after) in self.steps() {
            let before = model.object(&reference);
            if before.is_none() && self.needs_known() {
                continue;
            }
            match after {
                Some(after) => model.put(after),
                None => model.remove(&reference),
            }
            undo.0.push((reference, before));
        }
    }
}

/// What stood where changes were made, the first change first.
#[derive(Default, Debug)]
pub(super) struct Undo(Vec<(ObjectRef, Option<inventory::Object>)>);

impl Undo {
    pub(super) fn apply(self, model: &mut Model) {
        for (reference, before) in self.0.into_iter().rev() {
            match before {
                Some(before) => model.put(before),
                None => model.remove(&reference),
            }
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
}
