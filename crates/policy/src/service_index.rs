//! Services by name, namespace and selector, and their EndpointSlices, found without asking each.
//!
//! Objects of a namespace stand together, and are known there by their distance from the first: a change makes the part of
//! its namespace anew and moves the others as a whole.

use std::sync::Arc;

use palisade_model::inventory::Inventory;
use palisade_model::object::{Kind, Meta, Name};
use palisade_model::service::{EndpointSlice, Service};

use crate::maps::HashMap;
use crate::model::{PodFacts, in_scope};

/// Positions of Services and EndpointSlices in the inventory.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub(crate) struct ServiceLookup {
    services: HashMap<Name, Part<Services>>,
    slices: HashMap<Name, Part<Slices>>,
}

/// What is in one namespace.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Part<T> {
    first: usize,
    count: usize,
    content: T,
}

#[derive(Clone, Default, PartialEq, Eq, Debug)]
struct Services {
    by_name: HashMap<Name, usize>,
    /// By the first label of the selector: a pod behind the Service has it.
    by_label: HashMap<Name, HashMap<Name, Vec<usize>>>,
    without_selector: Vec<usize>,
}

/// By the name of the Service.
type Slices = HashMap<Name, Vec<usize>>;

impl ServiceLookup {
    pub(crate) fn new(inventory: &Inventory) -> Self {
        Self {
            services: parts(&inventory.services, |service| &service.meta, services),
            slices: parts(&inventory.endpoint_slices, |slice| &slice.meta, slices),
        }
    }

    /// Makes the part of Services of `namespace` anew.
    pub(crate) fn renew_services(&mut self, inventory: &Inventory, namespace: &Name) {
        let all = &inventory.services;
        renew(&mut self.services, all, (Kind::Service, namespace), |service| &service.meta, services);
    }

    /// Makes the part of EndpointSlices of `namespace` anew.
    pub(crate) fn renew_slices(&mut self, inventory: &Inventory, namespace: &Name) {
        let all = &inventory.endpoint_slices;
        renew(&mut self.slices, all, (Kind::EndpointSlice, namespace), |slice| &slice.meta, slices);
    }

    /// The first Service of the name.
    pub(crate) fn named(&self, namespace: &str, name: &str) -> Option<usize> {
        let part = self.services.get(namespace)?;
        part.content.by_name.get(name).map(|distance| part.first + distance)
    }

    /// The EndpointSlices of a Service, in order.
    pub(crate) fn slices(&self, namespace: &str, service: &str) -> impl Iterator<Item = usize> {
        let part = self.slices.get(namespace);
        let found = part.and_then(|part| part.content.get(service)).map(Vec::as_slice).unwrap_or_default();
        let first = part.map_or(0, |part| part.first);
        found.iter().map(move |distance| first + distance)
    }

    /// The Services that `pod` could be behind, in order.
    pub(crate) fn perhaps_before(&self, pod: &PodFacts) -> Vec<usize> {
        let Some(part) = self.services.get(&*pod.namespace) else { return Vec::new() };
        let mut found = part.content.without_selector.clone();
        for (key, value) in &pod.labels.0 {
            found.extend(part.content.by_label.get(key).and_then(|values| values.get(value)).into_iter().flatten());
        }
        found.sort_unstable();
        found.iter_mut().for_each(|position| *position += part.first);
        found
    }
}

fn services(list: &[Arc<Service>]) -> Services {
    let mut services = Services::default();
    for (distance, service) in list.iter().enumerate() {
        services.by_name.entry(service.meta.reference.name.clone()).or_insert(distance);
        match service.selector.as_ref().and_then(|selector| selector.0.iter().next()) {
            Some((key, value)) => {
                let values = services.by_label.entry(key.clone()).or_default();
                values.entry(value.clone()).or_default().push(distance);
            }
            None => services.without_selector.push(distance),
        }
    }
    services
}

fn slices(list: &[Arc<EndpointSlice>]) -> Slices {
    let mut slices = Slices::default();
    for (distance, slice) in list.iter().enumerate() {
        if let Some(service) = &slice.service {
            slices.entry(service.clone()).or_default().push(distance);
        }
    }
    slices
}

fn parts<T, P>(list: &[Arc<T>], meta: fn(&T) -> &Meta, content: fn(&[Arc<T>]) -> P) -> HashMap<Name, Part<P>> {
    let mut first = 0;
    let of_namespaces = list.chunk_by(|a, b| meta(a).namespace() == meta(b).namespace()).map(|part| {
        let (start, count) = (first, part.len());
        first += count;
        (Name::from(meta(&part[0]).namespace()), Part { first: start, count, content: content(part) })
    });
    of_namespaces.collect()
}

fn renew<T, P>(
    parts: &mut HashMap<Name, Part<P>>,
    list: &[Arc<T>],
    (kind, namespace): (Kind, &Name),
    meta: fn(&T) -> &Meta,
    content: fn(&[Arc<T>]) -> P,
) {
    let range = in_scope(list, (kind, Some(namespace)), meta);
    let before = parts.remove(namespace).map_or(0, |part| part.count);
    for (_, part) in parts.iter_mut().filter(|(name, _)| *name > namespace) {
        part.first = part.first + range.len() - before;
    }
    if !range.is_empty() {
        let part = Part { first: range.start, count: range.len(), content: content(&list[range]) };
        parts.insert(namespace.clone(), part);
    }
}
