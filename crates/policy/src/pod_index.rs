//! Pods by namespace, workload and label, found without asking each.
//!
//! Invariant: what is found is all that could match, in the order of [`Model::pods`](crate::Model::pods); whether a
//! pod does is for [`matching`](crate::matching) alone.
//!
//! Pods of a namespace stand together, and are known there by their distance from the first: what comes or goes in one
//! namespace moves the others as a whole.

use std::ops::Range;

use palisade_model::Labels;
use palisade_model::object::Name;

use crate::maps::HashMap;
use crate::model::{PodFacts, PodIndex};

/// Pods by what policies and Services ask of them.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub(crate) struct PodLookup {
    namespaces: HashMap<Name, InNamespace>,
    /// The namespaces with a pod that has the label, in order.
    namespaces_by_label: ByLabel<Name>,
    count: u32,
}

/// By a label's key and value, in order.
type ByLabel<T> = HashMap<Name, HashMap<Name, Vec<T>>>;

#[derive(Clone, Default, PartialEq, Eq, Debug)]
struct InNamespace {
    /// Where its first pod stands.
    first: u32,
    count: u32,
    by_workload: HashMap<Name, Vec<u32>>,
    by_label: ByLabel<u32>,
}

/// Pods in order, by their distance from one of them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pods<'l> {
    first: u32,
    distances: Distances<'l>,
}

#[derive(Clone, Copy, Debug)]
enum Distances<'l> {
    Up(u32),
    Listed(&'l [u32]),
}

impl<'l> Pods<'l> {
    const NONE: Self = Self { first: 0, distances: Distances::Listed(&[]) };

    pub(crate) fn len(self) -> usize {
        match self.distances {
            Distances::Up(count) => count as usize,
            Distances::Listed(distances) => distances.len(),
        }
    }

    pub(crate) fn is_empty(self) -> bool {
        self.len() == 0
    }

    pub(crate) fn iter(self) -> impl Iterator<Item = PodIndex> + 'l {
        let (up, listed) = match self.distances {
            Distances::Up(count) => (0..count, &[][..]),
            Distances::Listed(distances) => (0..0, distances),
        };
        up.chain(listed.iter().copied()).map(move |distance| PodIndex(self.first + distance))
    }
}

impl PodLookup {
    pub(crate) fn new(pods: &[PodFacts]) -> Self {
        let mut lookup = Self::default();
        for pod in pods {
            lookup.make_room(pod);
            lookup.list(pod);
        }
        lookup
    }

    /// Where the pods of `namespace` stand.
    pub(crate) fn range_of(&self, namespace: &str) -> Range<usize> {
        let range = |found: &InNamespace| found.first as usize..(found.first + found.count) as usize;
        self.namespaces.get(namespace).map(range).unwrap_or_default()
    }

    /// Every pod.
    pub(crate) fn everybody(&self) -> Pods<'_> {
        Pods { first: 0, distances: Distances::Up(self.count) }
    }

    /// The namespaces that have pods, in no order.
    pub(crate) fn namespaces(&self) -> impl Iterator<Item = &Name> {
        self.namespaces.keys()
    }

    /// The pods of `namespace`.
    pub(crate) fn of_namespace(&self, namespace: &str) -> Pods<'_> {
        self.namespaces.get(namespace).map_or(Pods::NONE, InNamespace::all)
    }

    /// The pods of `namespace` whose workload has the name.
    pub(crate) fn of_workload(&self, namespace: &str, workload: &str) -> Pods<'_> {
        let Some(namespace) = self.namespaces.get(namespace) else { return Pods::NONE };
        namespace.by_workload.get(workload).map_or(Pods::NONE, |distances| namespace.listed(distances))
    }

    /// The pods of `namespace` that have one of `labels`, the rarest: those that have all are among them.
    pub(crate) fn with_labels(&self, namespace: &str, labels: &Labels) -> Pods<'_> {
        let Some(namespace) = self.namespaces.get(namespace) else { return Pods::NONE };
        rarest(&namespace.by_label, labels).map_or(namespace.all(), |distances| namespace.listed(distances))
    }

    /// The namespaces with a pod that has one of `labels`, the rarest; `None` when there is no label.
    pub(crate) fn namespaces_with(&self, labels: &Labels) -> Option<&[Name]> {
        rarest(&self.namespaces_by_label, labels)
    }

    /// Moves the pods behind `pod`, which is new there.
    pub(crate) fn make_room(&mut self, pod: &PodFacts) {
        let PodIndex(index) = pod.index;
        if index < self.count {
            let behind = self.namespaces.iter_mut().filter(|(name, _)| **name > pod.namespace);
            behind.for_each(|(_, namespace)| namespace.first += 1);
        }
        self.count += 1;
        let own = self
            .namespaces
            .entry(pod.namespace.clone())
            .or_insert_with(|| InNamespace { first: index, ..InNamespace::default() });
        own.count += 1;
        let distance = index - own.first;
        if distance + 1 < own.count {
            own.renumber(|other| *other += u32::from(*other >= distance));
        }
    }

    /// Moves the pods behind `pod` to its place: it is no longer listed.
    pub(crate) fn close_gap(&mut self, pod: &PodFacts) {
        let behind = self.namespaces.iter_mut().filter(|(name, _)| **name > pod.namespace);
        behind.for_each(|(_, namespace)| namespace.first -= 1);
        self.count -= 1;
        let own = self.namespaces.get_mut(&pod.namespace).expect("the pod was in it");
        own.count -= 1;
        let distance = pod.index.0 - own.first;
        own.renumber(|other| *other -= u32::from(*other > distance));
        if own.count == 0 {
            self.namespaces.remove(&pod.namespace);
        }
    }

    /// Lists `pod` by what it is like.
    pub(crate) fn list(&mut self, pod: &PodFacts) {
        let own = self.namespaces.get_mut(&pod.namespace).expect("there is room for it");
        let distance = pod.index.0 - own.first;
        insert(own.by_workload.entry(pod.workload.name.clone()).or_default(), distance);
        for (key, value) in &pod.labels.0 {
            insert(listed(&mut own.by_label, key, value), distance);
            insert(listed(&mut self.namespaces_by_label, key, value), pod.namespace.clone());
        }
    }

    /// Takes `pod` out of the lists.
    pub(crate) fn unlist(&mut self, pod: &PodFacts) {
        let own = self.namespaces.get_mut(&pod.namespace).expect("the pod is in it");
        let distance = pod.index.0 - own.first;
        let of_workload = own.by_workload.get_mut(&pod.workload.name).expect("the pod is listed");
        of_workload.retain(|other| *other != distance);
        if of_workload.is_empty() {
            own.by_workload.remove(&pod.workload.name);
        }
        for (key, value) in &pod.labels.0 {
            if unlist(&mut own.by_label, (key, value), &distance) {
                unlist(&mut self.namespaces_by_label, (key, value), &pod.namespace);
            }
        }
    }
}

impl InNamespace {
    fn all(&self) -> Pods<'_> {
        Pods { first: self.first, distances: Distances::Up(self.count) }
    }

    fn listed<'l>(&self, distances: &'l [u32]) -> Pods<'l> {
        Pods { first: self.first, distances: Distances::Listed(distances) }
    }

    fn renumber(&mut self, renumber: impl Fn(&mut u32)) {
        self.by_workload.values_mut().flatten().for_each(&renumber);
        self.by_label.values_mut().flat_map(HashMap::values_mut).flatten().for_each(renumber);
    }
}

fn listed<'l, T>(by_label: &'l mut ByLabel<T>, key: &Name, value: &Name) -> &'l mut Vec<T> {
    by_label.entry(key.clone()).or_default().entry(value.clone()).or_default()
}

/// Puts `one` where it belongs, unless it is there.
fn insert<T: Ord>(list: &mut Vec<T>, one: T) {
    match list.last() {
        Some(last) if *last >= one => {
            if let Err(place) = list.binary_search(&one) {
                list.insert(place, one);
            }
        }
        Some(_) | None => list.push(one),
    }
}

/// Takes `one` out of the list of a label; true when it was the last there.
fn unlist<T: Ord>(by_label: &mut ByLabel<T>, (key, value): (&Name, &Name), one: &T) -> bool {
    let values = by_label.get_mut(key).expect("it is listed");
    let list = values.get_mut(value).expect("it is listed");
    list.remove(list.binary_search(one).expect("it is listed"));
    if !list.is_empty() {
        return false;
    }
    values.remove(value);
    if values.is_empty() {
        by_label.remove(key);
    }
    true
}

/// The list of that one of `labels` that is the shortest; `None` when there is no label.
fn rarest<'l, T>(by_label: &'l ByLabel<T>, labels: &Labels) -> Option<&'l [T]> {
    let with = |(key, value): (&Name, &Name)| {
        let found = by_label.get(key).and_then(|values| values.get(value));
        found.map(Vec::as_slice).unwrap_or_default()
    };
    labels.0.iter().map(with).min_by_key(|list| list.len())
}
