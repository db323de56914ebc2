//! Pods by namespace, workload and label, found without asking each.
//!
//! Invariant: what is found is all that could match, in the order of [`Model::pods`](crate::Model::pods); whether a
//! pod does is for [`matching`](crate::matching) alone.

use std::collections::HashMap;

use palisade_model::Labels;
use palisade_model::object::Name;

use crate::model::{PodFacts, PodIndex};

/// Pods by what policies and Services ask of them.
#[derive(Default, Debug)]
pub(crate) struct PodLookup {
    namespaces: HashMap<Name, InNamespace>,
    by_label_anywhere: ByLabel,
    everybody: Vec<PodIndex>,
}

/// Pods by a label's key and value.
type ByLabel = HashMap<Name, HashMap<Name, Vec<PodIndex>>>;

#[derive(Default, Debug)]
struct InNamespace {
    all: Vec<PodIndex>,
    by_workload: HashMap<Name, Vec<PodIndex>>,
    by_label: ByLabel,
}

impl PodLookup {
    pub(crate) fn new(pods: &[PodFacts]) -> Self {
        let mut lookup = Self::default();
        for pod in pods {
            let namespace = lookup.namespaces.entry(pod.namespace.clone()).or_default();
            namespace.all.push(pod.index);
            namespace.by_workload.entry(pod.workload.name.clone()).or_default().push(pod.index);
            lookup.everybody.push(pod.index);
            for (key, value) in &pod.labels.0 {
                for by_label in [&mut namespace.by_label, &mut lookup.by_label_anywhere] {
                    let values = by_label.entry(key.clone()).or_default();
                    values.entry(value.clone()).or_default().push(pod.index);
                }
            }
        }
        lookup
    }

    /// The pods of `namespace`.
    pub(crate) fn of_namespace(&self, namespace: &str) -> &[PodIndex] {
        self.namespaces.get(namespace).map(|namespace| namespace.all.as_slice()).unwrap_or_default()
    }

    /// The pods of `namespace` whose workload has the name.
    pub(crate) fn of_workload(&self, namespace: &str, workload: &str) -> &[PodIndex] {
        let found = self.namespaces.get(namespace).and_then(|namespace| namespace.by_workload.get(workload));
        found.map(Vec::as_slice).unwrap_or_default()
    }

    /// The pods of `namespace` that have one of `labels`, the rarest: those that have all are among them.
    pub(crate) fn with_labels(&self, namespace: &str, labels: &Labels) -> &[PodIndex] {
        let Some(namespace) = self.namespaces.get(namespace) else { return &[] };
        rarest(&namespace.by_label, labels).unwrap_or(&namespace.all)
    }

    /// The same among the pods of every namespace.
    pub(crate) fn with_labels_anywhere(&self, labels: &Labels) -> &[PodIndex] {
        rarest(&self.by_label_anywhere, labels).unwrap_or(&self.everybody)
    }
}

/// The pods with that one of `labels` that the fewest have; `None` when there is no label.
fn rarest<'l>(by_label: &'l ByLabel, labels: &Labels) -> Option<&'l [PodIndex]> {
    let with = |(key, value): (&Name, &Name)| {
        let found = by_label.get(key).and_then(|values| values.get(value));
        found.map(Vec::as_slice).unwrap_or_default()
    };
    labels.0.iter().map(with).min_by_key(|pods| pods.len())
}
