//! Which images manifests run, and what runs them.

use std::collections::{BTreeMap, BTreeSet};

use palisade_model::pod::{ContainerRole, PodSpec, VolumeSource};
use palisade_model::{Inventory, Meta, Place};
use serde::Serialize;

/// Who runs an image.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct User {
    /// `Deployment shop/web`.
    pub workload: String,
    /// The container, or the volume that the image is mounted by.
    pub part: String,
    /// What that is.
    pub role: Role,
    /// Where it is written.
    pub place: Place,
}

/// What an image is to a pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// It is run to its end before the others.
    Init,
    /// It is run before the others and beside them.
    Sidecar,
    /// It is run.
    Container,
    /// It was added to a pod that runs.
    Ephemeral,
    /// It is not run but mounted.
    Volume,
}

/// Each image by the name that the manifests have, with all who run it.
pub fn images(inventory: &Inventory) -> BTreeMap<String, BTreeSet<User>> {
    let mut images = BTreeMap::new();
    for workload in &inventory.workloads {
        // What a Deployment has kept of its former ReplicaSets runs nothing.
        let runs_nothing = workload.replicas == 0 && workload.meta.owner.is_some();
        if !runs_nothing {
            add(&mut images, &workload.meta, &workload.spec);
        }
    }
    for pod in &inventory.pods {
        add(&mut images, &pod.meta, &pod.spec);
    }
    images
}

fn add(images: &mut BTreeMap<String, BTreeSet<User>>, meta: &Meta, spec: &PodSpec) {
    let workload = meta.reference.to_string();
    let mut add = |image: &str, part: &str, role: Role, place: &Place| {
        let user = User { workload: workload.clone(), part: part.to_owned(), role, place: place.clone() };
        images.entry(image.to_owned()).or_default().insert(user);
    };
    for container in &spec.containers {
        let role = match container.role {
            ContainerRole::Init => Role::Init,
            ContainerRole::Sidecar => Role::Sidecar,
            ContainerRole::App => Role::Container,
            ContainerRole::Ephemeral => Role::Ephemeral,
        };
        if let Some(image) = &container.image {
            add(image, &container.name, role, &container.place);
        }
    }
    for volume in &spec.volumes {
        if let VolumeSource::Image(reference) = &volume.source {
            add(reference, &volume.name, Role::Volume, &meta.place);
        }
    }
}
