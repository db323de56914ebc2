//! Services by name, namespace and selector, and their EndpointSlices, found without asking each.

use std::collections::HashMap;

use palisade_model::inventory::Inventory;
use palisade_model::object::Name;

use crate::model::PodFacts;

/// Positions of Services and EndpointSlices in the inventory.
#[derive(Default, Debug)]
pub(crate) struct ServiceLookup {
    namespaces: HashMap<Name, InNamespace>,
    slices: HashMap<Name, HashMap<Name, Vec<usize>>>,
}

#[derive(Default, Debug)]
struct InNamespace {
    by_name: HashMap<Name, usize>,
    /// By the first label of the selector: a pod behind the Service has it.
    by_label: HashMap<Name, HashMap<Name, Vec<usize>>>,
    without_selector: Vec<usize>,
}

impl ServiceLookup {
    pub(crate) fn new(inventory: &Inventory) -> Self {
        let mut lookup = Self::default();
        for (position, service) in inventory.services.iter().enumerate() {
            let namespace = lookup.namespaces.entry(service.meta.namespace().into()).or_default();
            namespace.by_name.entry(service.meta.reference.name.clone()).or_insert(position);
            match service.selector.as_ref().and_then(|selector| selector.0.iter().next()) {
                Some((key, value)) => {
                    let values = namespace.by_label.entry(key.clone()).or_default();
                    values.entry(value.clone()).or_default().push(position);
                }
                None => namespace.without_selector.push(position),
            }
        }
        for (position, slice) in inventory.endpoint_slices.iter().enumerate() {
            if let Some(service) = &slice.service {
                let namespace = lookup.slices.entry(slice.meta.namespace().into()).or_default();
                namespace.entry(service.clone()).or_default().push(position);
            }
        }
        lookup
    }

    /// The first Service of the name.
    pub(crate) fn named(&self, namespace: &str, name: &str) -> Option<usize> {
        self.namespaces.get(namespace)?.by_name.get(name).copied()
    }

    /// The EndpointSlices of a Service, in order.
    pub(crate) fn slices(&self, namespace: &str, service: &str) -> &[usize] {
        let found = self.slices.get(namespace).and_then(|namespace| namespace.get(service));
        found.map(Vec::as_slice).unwrap_or_default()
    }

    /// The Services that `pod` could be behind, in order.
    pub(crate) fn perhaps_before(&self, pod: &PodFacts) -> Vec<usize> {
        let Some(namespace) = self.namespaces.get(&*pod.namespace) else { return Vec::new() };
        let mut found = namespace.without_selector.clone();
        for (key, value) in &pod.labels.0 {
            found.extend(namespace.by_label.get(key).and_then(|values| values.get(value)).into_iter().flatten());
        }
        found.sort_unstable();
        found
    }
}
