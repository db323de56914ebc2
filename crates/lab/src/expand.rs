//! From workloads to the pods that a cluster's controllers would make of them.

use std::collections::BTreeSet;

use palisade_model::object::{Kind, Owner};
use palisade_model::pod::{Phase, Pod, PodSpec};
use palisade_model::workload::{Workload, WorkloadKind};
use palisade_model::{Inventory, Labels, Name, ObjectRef, Outcome, Place, Problem};

/// Two cores carry no more stand-ins than this.
const MOST_PODS: usize = 200;

/// The letters of generated names: no vowels, so that no words arise.
///
/// Source: k8s.io/apimachinery/pkg/util/rand.
const ALPHABET: &[u8; 27] = b"bcdfghjklmnpqrstvwxz2456789";

/// A pod that is to run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PlannedPod {
    /// Its namespace.
    pub namespace: Name,
    /// Its name.
    pub name: Name,
    /// Its labels.
    pub labels: Labels,
    /// Its annotations.
    pub annotations: Labels,
    /// Its controller.
    pub owner: Option<Owner>,
    /// What it runs.
    pub spec: PodSpec,
    /// The node that the manifest asks for, by name.
    pub node: Option<Name>,
    /// `true` for a pod of a DaemonSet, which goes to the node of its index.
    pub node_index: Option<usize>,
    /// The object and place that it comes from.
    pub origin: (ObjectRef, Place),
}

/// Linux takes 64 bytes, kubelet one less.
const LONGEST_HOSTNAME: usize = 63;

impl PlannedPod {
    /// The host name of its containers: `spec.hostname`, else its own name, cut as kubelet does.
    pub fn hostname(&self) -> &str {
        let whole = self.spec.hostname.as_deref().unwrap_or(&self.name);
        let cut = whole.get(..LONGEST_HOSTNAME).unwrap_or(whole);
        cut.trim_end_matches(['-', '.'])
    }
}

/// The pods of `inventory` on `nodes` nodes, in a defined order.
///
/// A workload whose pods are in the inventory themselves (a dump of a cluster) makes no others.
pub fn expand(inventory: &Inventory, nodes: usize) -> Outcome<Vec<PlannedPod>> {
    let mut pods = Vec::new();
    let mut problems = Vec::new();
    let given = owners_with_pods(inventory);
    for pod in &inventory.pods {
        match pod.phase {
            Phase::Succeeded | Phase::Failed => {}
            Phase::Pending | Phase::Running | Phase::Unknown => pods.push(planned_pod(pod)),
        }
    }
    for workload in &inventory.workloads {
        let name = (workload.meta.namespace(), workload.kind.kind().as_str(), workload.meta.name());
        let owned_by_a_workload = workload.meta.owner.as_ref().is_some_and(|owner| {
            inventory.workloads.iter().any(|other| {
                other.meta.namespace() == workload.meta.namespace()
                    && other.kind.kind().as_str() == &*owner.kind
                    && other.meta.name() == &*owner.name
            })
        });
        if given.contains(&name) || owned_by_a_workload {
            continue;
        }
        pods.extend(pods_of(workload, nodes));
    }
    let mut seen = BTreeSet::new();
    pods.retain(|pod| {
        let first = seen.insert((pod.namespace.clone(), pod.name.clone()));
        if !first {
            problems.push(
                Problem::warning(
                    "lab-pod-name-taken",
                    format!("another pod is named `{}`, this one does not run", pod.name),
                )
                .of(pod.origin.0.clone())
                .at(&pod.origin.1),
            );
        }
        first
    });
    for pod in pods.iter().skip(MOST_PODS) {
        problems.push(
            Problem::warning("lab-too-many-pods", format!("a lab runs {MOST_PODS} pods, `{}` does not run", pod.name))
                .of(pod.origin.0.clone())
                .at(&pod.origin.1),
        );
    }
    pods.truncate(MOST_PODS);
    Outcome::new(pods, problems)
}

/// (namespace, kind, name) of every workload that owns a pod of the inventory, also through a
/// ReplicaSet or Job of the inventory.
fn owners_with_pods(inventory: &Inventory) -> BTreeSet<(&str, &str, &str)> {
    let mut owners: BTreeSet<(&str, &str, &str)> = inventory
        .pods
        .iter()
        .filter_map(|pod| pod.meta.owner.as_ref().map(|owner| (pod.meta.namespace(), &*owner.kind, &*owner.name)))
        .collect();
    // A Deployment's ReplicaSet, a CronJob's Job: one step is all there is.
    for workload in &inventory.workloads {
        let own = (workload.meta.namespace(), workload.kind.kind().as_str(), workload.meta.name());
        if let Some(owner) = workload.meta.owner.as_ref().filter(|_| owners.contains(&own)) {
            owners.insert((workload.meta.namespace(), &owner.kind, &owner.name));
        }
    }
    owners
}

fn planned_pod(pod: &Pod) -> PlannedPod {
    PlannedPod {
        namespace: pod.meta.namespace().into(),
        name: pod.meta.name().into(),
        labels: pod.meta.labels.clone(),
        annotations: pod.meta.annotations.clone(),
        owner: pod.meta.owner.clone(),
        spec: pod.spec.clone(),
        node: pod.node.clone(),
        node_index: None,
        origin: (pod.meta.reference.clone(), pod.meta.place.clone()),
    }
}

fn pods_of(workload: &Workload, nodes: usize) -> Vec<PlannedPod> {
    let count = match workload.kind {
        _ if workload.suspended => 0,
        WorkloadKind::DaemonSet => nodes,
        WorkloadKind::CronJob => 1,
        WorkloadKind::Deployment
        | WorkloadKind::Job
        | WorkloadKind::ReplicaSet
        | WorkloadKind::ReplicationController
        | WorkloadKind::StatefulSet
        | WorkloadKind::Pod => usize::try_from(workload.replicas).unwrap_or(usize::MAX).min(MOST_PODS + 1),
    };
    (0..count).map(|index| pod_of(workload, index)).collect()
}

/// The names are made of the workload's own, so that the same manifests give the same pods.
fn pod_of(workload: &Workload, index: usize) -> PlannedPod {
    let (namespace, own) = (workload.meta.namespace(), workload.meta.name());
    let kind = workload.kind.kind();
    let template = generated(&format!("{namespace}/{kind}/{own}"), 10);
    let suffix = generated(&format!("{namespace}/{kind}/{own}/{index}"), 5);
    let mut spec = workload.spec.clone();
    let mut labels = workload.labels.clone();
    let mut owner = Owner { kind: kind.as_str().into(), name: own.into() };
    let name = match workload.kind {
        WorkloadKind::Deployment => {
            labels.0.insert("pod-template-hash".into(), template.as_str().into());
            format!("{own}-{template}-{suffix}")
        }
        WorkloadKind::StatefulSet => {
            let ordinal = workload.first_ordinal as usize + index;
            let name = format!("{own}-{ordinal}");
            labels.0.insert("statefulset.kubernetes.io/pod-name".into(), name.as_str().into());
            labels.0.insert("apps.kubernetes.io/pod-index".into(), ordinal.to_string().into());
            spec.hostname = Some(name.as_str().into());
            spec.subdomain = workload.service_name.clone().or(spec.subdomain);
            name
        }
        WorkloadKind::Job => {
            labels.0.insert("job-name".into(), own.into());
            labels.0.insert("batch.kubernetes.io/job-name".into(), own.into());
            format!("{own}-{suffix}")
        }
        WorkloadKind::CronJob => {
            owner.kind = Kind::CronJob.as_str().into();
            format!("{own}-{template}-{suffix}")
        }
        WorkloadKind::DaemonSet | WorkloadKind::ReplicaSet | WorkloadKind::ReplicationController => {
            format!("{own}-{suffix}")
        }
        WorkloadKind::Pod => own.to_owned(),
    };
    PlannedPod {
        namespace: namespace.into(),
        name: name.into(),
        labels,
        annotations: workload.annotations.clone(),
        owner: Some(owner),
        spec,
        node: None,
        node_index: (workload.kind == WorkloadKind::DaemonSet).then_some(index),
        origin: (workload.meta.reference.clone(), workload.meta.place.clone()),
    }
}

/// `length` letters that follow from `seed` (FNV-1a, finished like SplitMix64).
fn generated(seed: &str, length: usize) -> String {
    let mut hash = seed
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    let mut letter = || {
        hash = hash.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        char::from(ALPHABET[usize::try_from((mixed ^ (mixed >> 31)) % 27).unwrap_or_default()])
    };
    (0..length).map(|_| letter()).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use palisade_model::Meta;

    fn meta(kind: Kind, name: &str, owner: Option<(&str, &str)>) -> Meta {
        Meta {
            reference: ObjectRef { kind, namespace: Some("shop".into()), name: name.into() },
            place: Place::new("shop.yaml", 1),
            labels: Labels::default(),
            annotations: Labels::default(),
            uid: None,
            owner: owner.map(|(kind, name)| Owner { kind: kind.into(), name: name.into() }),
        }
    }

    fn workload(kind: WorkloadKind, name: &str, replicas: u32, owner: Option<(&str, &str)>) -> Workload {
        Workload {
            meta: meta(kind.kind(), name, owner),
            kind,
            replicas,
            selector: None,
            labels: Labels::default(),
            annotations: Labels::default(),
            spec: PodSpec::default(),
            service_name: None,
            first_ordinal: 0,
            suspended: false,
        }
    }

    fn names(inventory: &Inventory, nodes: usize) -> Vec<String> {
        expand(inventory, nodes).value.iter().map(|pod| pod.name.to_string()).collect()
    }

    #[test]
    fn each_kind_names_and_counts_its_pods() {
        let inventory = Inventory {
            workloads: vec![
                Arc::new(workload(WorkloadKind::Deployment, "web", 2, None)),
                Arc::new(workload(WorkloadKind::StatefulSet, "db", 2, None)),
                Arc::new(workload(WorkloadKind::DaemonSet, "log", 1, None)),
                Arc::new(workload(WorkloadKind::Deployment, "off", 0, None)),
            ],
            ..Inventory::default()
        };
        let names = names(&inventory, 2);
        assert_eq!(names.len(), 6);
        assert!(names[0].starts_with("web-") && names[0] != names[1]);
        assert_eq!(&names[2..4], ["db-0", "db-1"]);
        assert_eq!(names, self::names(&inventory, 2), "the same input gives the same names");
    }

    #[test]
    fn a_dump_of_a_cluster_runs_its_pods_once() {
        let pod = Pod {
            meta: meta(Kind::Pod, "web-1-a", Some(("ReplicaSet", "web-1"))),
            spec: PodSpec::default(),
            node: None,
            phase: Phase::Running,
            addresses: Vec::new(),
            host_addresses: Vec::new(),
            container_statuses: Vec::new(),
            ready: None,
        };
        let inventory = Inventory {
            pods: vec![Arc::new(pod)],
            workloads: vec![
                Arc::new(workload(WorkloadKind::Deployment, "web", 1, None)),
                Arc::new(workload(WorkloadKind::ReplicaSet, "web-0", 1, Some(("Deployment", "web")))),
                Arc::new(workload(WorkloadKind::ReplicaSet, "web-1", 1, Some(("Deployment", "web")))),
            ],
            ..Inventory::default()
        };
        assert_eq!(names(&inventory, 1), ["web-1-a"]);
    }
}
