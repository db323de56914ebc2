//! Pods as policy sees them: those with an object, and those that stand for a workload without any.

use std::collections::BTreeMap;
use std::sync::Arc;

use palisade_model::Labels;
use palisade_model::inventory::Inventory;
use palisade_model::object::Name;
use palisade_model::pod::{Phase, Pod};
use palisade_model::workload::{OrdinalPod, Workload};

use super::{PodFacts, PodIndex, Source, WorkloadId, implied_labels};
use crate::workloads::{self, PodsOfWorkloads};

/// Every pod in its order, not closed by anything yet.
pub(super) fn resolve(
    inventory: &Inventory,
    namespaces: &BTreeMap<Name, Arc<Labels>>,
    of_workloads: &PodsOfWorkloads,
) -> Vec<PodFacts> {
    let own = inventory.pods.iter().map(|pod| facts_of_pod(inventory, namespaces, pod));
    let workloads = inventory.workloads.iter();
    let without = workloads.filter(|workload| workloads::needs_template(inventory, of_workloads, workload));
    let mut pods: Vec<PodFacts> =
        own.chain(without.flat_map(|workload| facts_of_template(inventory, namespaces, workload))).collect();
    pods.sort_by(|a, b| a.order().cmp(&b.order()));
    for (position, pod) in pods.iter_mut().enumerate() {
        pod.index = PodIndex::at(position);
    }
    pods
}

/// What `pod` is like, its place among the others and what closes it left out.
pub(crate) fn facts_of_pod(
    inventory: &Inventory,
    namespaces: &BTreeMap<Name, Arc<Labels>>,
    pod: &Arc<Pod>,
) -> PodFacts {
    let mut own = PodFacts {
        uid: pod.meta.uid.clone(),
        addresses: pod.own_addresses().iter().map(|address| address.to_canonical()).collect(),
        node: pod.node.clone(),
        ready: pod.ready,
        container_ids: pod
            .container_statuses
            .iter()
            .filter_map(|status| status.id.clone().map(|id| (status.name.clone(), id)))
            .collect(),
        ..bare(Source::Pod(pod.clone()), workloads::of_pod(inventory, pod), pod.meta.labels.clone(), pod.phase)
    };
    in_namespace(namespaces, &mut own);
    own
}

/// What the pods of `workload` are like of which the names are known, or one that stands for all of them.
pub(crate) fn facts_of_template(
    inventory: &Inventory,
    namespaces: &BTreeMap<Name, Arc<Labels>>,
    workload: &Arc<Workload>,
) -> Vec<PodFacts> {
    let own = workload.meta.reference.name.clone();
    let id = workloads::of_template(inventory, workload);
    let facts = |OrdinalPod { name, labels }| {
        let mut facts = bare(Source::Template(workload.clone()), id.clone(), labels, Phase::Running);
        facts.name = name;
        in_namespace(namespaces, &mut facts);
        facts
    };
    let mut pods: Vec<PodFacts> = workload.ordinal_pods().map(facts).collect();
    if pods.is_empty() {
        pods.push(facts(OrdinalPod { name: own.clone(), labels: workload.labels.clone() }));
    }
    pods
}

fn bare(source: Source, workload: WorkloadId, labels: Labels, phase: Phase) -> PodFacts {
    let (meta, is_template) = match &source {
        Source::Pod(pod) => (&pod.meta, false),
        Source::Template(workload) => (&workload.meta, true),
    };
    PodFacts {
        index: PodIndex(0),
        namespace: meta.reference.namespace.clone().unwrap_or_else(|| "".into()),
        name: meta.reference.name.clone(),
        uid: None,
        labels,
        namespace_labels: Arc::default(),
        namespace_is_known: false,
        workload,
        addresses: Vec::new(),
        node: None,
        phase,
        is_template,
        ready: None,
        place: meta.place.clone(),
        container_ids: Vec::new(),
        source,
        closers: [Vec::new(), Vec::new()],
        maybe_closers: [Vec::new(), Vec::new()],
        tiers: [Vec::new(), Vec::new()],
    }
}

/// Notes with `pod` the labels of its namespace.
pub(crate) fn in_namespace(namespaces: &BTreeMap<Name, Arc<Labels>>, pod: &mut PodFacts) {
    let known = namespaces.get(&pod.namespace);
    pod.namespace_labels = known.cloned().unwrap_or_else(|| Arc::new(implied_labels(&pod.namespace)));
    pod.namespace_is_known = known.is_some();
}
