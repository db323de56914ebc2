//! The pods that there are, whose they are, and what the objects say of namespaces and nodes.

use std::net::IpAddr;
use std::sync::Arc;

use palisade_model::inventory::Inventory;
use palisade_model::labels::Labels;
use palisade_model::object::{Name, Owner};
use palisade_model::pod::{Phase, Pod, PodSpec};
use palisade_model::selector::Selector;
use palisade_model::settings::Settings;
use palisade_model::verdict::Missing;
use palisade_model::workload::{Workload, WorkloadKind};

use crate::truth::Truth;

/// Everything that was read, and the pods that follow from it.
pub struct Cluster<'a> {
    pub inventory: &'a Inventory,
    pub settings: &'a Settings,
    pub pods: Vec<KnownPod>,
}

/// A Pod object, or the pod that a workload without Pod objects would have.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KnownPod {
    pub namespace: Name,
    pub name: Name,
    pub labels: Labels,
    pub spec: PodSpec,
    pub node: Option<Name>,
    pub phase: Phase,
    /// As the status says, whatever the phase.
    pub addresses: Vec<IpAddr>,
    pub host_addresses: Vec<IpAddr>,
    pub workload: (WorkloadKind, Name),
}

impl KnownPod {
    pub fn full_name(&self) -> String {
        format!("{}/{}", self.namespace, self.name)
    }

    /// Succeeded and Failed pods have no address any more; nothing sends or listens there.
    pub fn is_completed(&self) -> bool {
        matches!(self.phase, Phase::Succeeded | Phase::Failed)
    }

    /// A pod that is subject to policies, and that peers can name: not its node, and not over.
    pub fn has_own_address(&self) -> bool {
        !self.spec.host_network && !self.is_completed()
    }

    /// The addresses that are its own now, as far as they are known.
    pub fn own_addresses(&self) -> &[IpAddr] {
        if self.has_own_address() { &self.addresses } else { &[] }
    }
}

impl<'a> Cluster<'a> {
    pub fn new(inventory: &'a Inventory, settings: &'a Settings) -> Self {
        let mut pods: Vec<KnownPod> = inventory.pods.iter().map(|pod| of_object(inventory, pod)).collect();
        for workload in &inventory.workloads {
            if needs_template_pod(inventory, workload) {
                let ordinal: Vec<_> = ordinal_pods(inventory, workload);
                match ordinal.is_empty() {
                    true => pods.push(of_template(inventory, workload)),
                    false => pods.extend(ordinal),
                }
            }
        }
        Self { inventory, settings, pods }
    }

    pub fn pod(&self, namespace: &str, name: &str) -> Option<&KnownPod> {
        self.pods.iter().find(|pod| &*pod.namespace == namespace && &*pod.name == name)
    }

    pub fn pod_with_address(&self, address: IpAddr) -> Option<&KnownPod> {
        self.pods.iter().find(|pod| pod.own_addresses().contains(&address))
    }

    /// Whether the selector means the namespace. Every namespace has its name as a label; without an
    /// object nobody knows which others it has.
    pub fn namespace_is(&self, namespace: &Name, selector: &Selector) -> Truth {
        const NAME: &str = "kubernetes.io/metadata.name";
        let object = self.inventory.namespaces.iter().find(|object| object.meta.reference.name == *namespace);
        let mut labels = object.map(|object| object.meta.labels.clone()).unwrap_or_default();
        labels.0.insert(NAME.into(), namespace.clone());
        if object.is_some() {
            return selector.matches(&labels).into();
        }
        let mut answer = Truth::Yes;
        for (key, value) in &selector.match_labels.0 {
            answer = answer.and(match &**key {
                NAME => (value == namespace).into(),
                _ => Truth::Unknown(Missing::NamespaceLabels { namespace: namespace.clone() }),
            });
        }
        for requirement in &selector.match_expressions {
            answer = answer.and(match &*requirement.key {
                NAME => requirement.matches(&labels).into(),
                _ => Truth::Unknown(Missing::NamespaceLabels { namespace: namespace.clone() }),
            });
        }
        answer
    }

    pub fn has_node(&self, name: &Name) -> bool {
        self.inventory.nodes.iter().any(|node| node.meta.reference.name == *name)
            || self.pods.iter().any(|pod| pod.node.as_ref() == Some(name))
    }

    /// By the Node object and by what the pods on it say: `hostIPs`, and a host-network pod's `podIPs`.
    pub fn node_addresses(&self, name: &Name) -> Vec<IpAddr> {
        let mut addresses = Vec::new();
        for node in &self.inventory.nodes {
            if node.meta.reference.name == *name {
                addresses.extend(&node.addresses);
            }
        }
        for pod in &self.pods {
            if pod.node.as_ref() == Some(name) {
                addresses.extend(&pod.host_addresses);
                if pod.spec.host_network {
                    addresses.extend(&pod.addresses);
                }
            }
        }
        addresses
    }

    pub fn node_with_address(&self, address: IpAddr) -> Option<Name> {
        let of_objects = self.inventory.nodes.iter().map(|node| node.meta.reference.name.clone());
        let of_pods = self.pods.iter().filter_map(|pod| pod.node.clone());
        of_objects.chain(of_pods).find(|name| self.node_addresses(name).contains(&address))
    }

    /// Cluster, external and load balancer addresses.
    pub fn is_service_address(&self, address: IpAddr) -> bool {
        self.inventory.services.iter().any(|service| {
            service.cluster_ips.contains(&address)
                || service.external_ips.contains(&address)
                || service.load_balancer_ips.contains(&address)
        })
    }
}

fn of_object(inventory: &Inventory, pod: &Pod) -> KnownPod {
    let namespace: Name = pod.meta.namespace().into();
    let itself = (WorkloadKind::Pod, pod.meta.reference.name.clone());
    KnownPod {
        workload: pod
            .meta
            .owner
            .as_ref()
            .and_then(|owner| resolve_owner(inventory, &namespace, owner, &pod.meta.labels))
            .unwrap_or(itself),
        namespace,
        name: pod.meta.reference.name.clone(),
        labels: pod.meta.labels.clone(),
        spec: pod.spec.clone(),
        node: pod.node.clone(),
        phase: pod.phase,
        addresses: pod.addresses.clone(),
        host_addresses: pod.host_addresses.clone(),
    }
}

fn of_template(inventory: &Inventory, workload: &Workload) -> KnownPod {
    let namespace: Name = workload.meta.namespace().into();
    KnownPod {
        workload: above(inventory, &namespace, workload.kind, workload.meta.name(), &workload.labels)
            .unwrap_or((workload.kind, workload.meta.reference.name.clone())),
        namespace,
        name: workload.meta.reference.name.clone(),
        labels: workload.labels.clone(),
        spec: workload.spec.clone(),
        node: None,
        phase: Phase::Running,
        addresses: Vec::new(),
        host_addresses: Vec::new(),
    }
}

/// A StatefulSet's pods are called before they are there, and labelled by what they are called.
fn ordinal_pods(inventory: &Inventory, workload: &Workload) -> Vec<KnownPod> {
    const MOST: u32 = 1_000;
    if workload.kind != WorkloadKind::StatefulSet || workload.replicas > MOST {
        return Vec::new();
    }
    let pod = |position: u32| {
        let mut pod = of_template(inventory, workload);
        let number = workload.first_ordinal + position;
        pod.name = format!("{}-{number}", pod.name).into();
        pod.labels.0.insert("apps.kubernetes.io/pod-index".into(), number.to_string().into());
        pod.labels.0.insert("statefulset.kubernetes.io/pod-name".into(), pod.name.clone());
        pod
    };
    (0..workload.replicas).map(pod).collect()
}

/// A workload that should have pods, of which no Pod object was read, and that is not itself made by
/// another workload.
fn needs_template_pod(inventory: &Inventory, workload: &Workload) -> bool {
    let wants_pods = workload.kind == WorkloadKind::DaemonSet || workload.replicas > 0;
    let namespace: Name = workload.meta.namespace().into();
    let this = (workload.kind, workload.meta.reference.name.clone());
    let has_pods = inventory.pods.iter().any(|pod| {
        pod.meta.namespace() == &*namespace
            && pod.meta.owner.as_ref().is_some_and(|owner| {
                (*owner.kind == *this.0.kind().as_str() && owner.name == this.1)
                    || resolve_owner(inventory, &namespace, owner, &pod.meta.labels).as_ref() == Some(&this)
            })
    });
    let is_made_by_another = above(inventory, &namespace, workload.kind, workload.meta.name(), &workload.labels)
        .is_some_and(|(kind, name)| find(inventory, &namespace, kind, &name).is_some());
    wants_pods && !workload.suspended && !has_pods && !is_made_by_another
}

/// The workload that stands behind a pod's controller.
fn resolve_owner(
    inventory: &Inventory,
    namespace: &Name,
    owner: &Owner,
    pod_labels: &Labels,
) -> Option<(WorkloadKind, Name)> {
    let Some(kind) = WorkloadKind::ALL.into_iter().find(|kind| kind.kind().as_str() == &*owner.kind) else {
        // An operator's own kind: its name names the workload.
        return Some((WorkloadKind::Pod, owner.name.clone()));
    };
    Some(above(inventory, namespace, kind, &owner.name, pod_labels).unwrap_or((kind, owner.name.clone())))
}

/// The Deployment above a ReplicaSet, the CronJob above a Job: by the object's owner, or, without an
/// object, by the name that its controller gives: `DEPLOYMENT-HASH` with the hash that the pod is labelled
/// with, `CRONJOB-MINUTES` for a CronJob that is there.
fn above(
    inventory: &Inventory,
    namespace: &Name,
    kind: WorkloadKind,
    name: &str,
    pod_labels: &Labels,
) -> Option<(WorkloadKind, Name)> {
    let above = match kind {
        WorkloadKind::ReplicaSet => WorkloadKind::Deployment,
        WorkloadKind::Job => WorkloadKind::CronJob,
        WorkloadKind::CronJob
        | WorkloadKind::DaemonSet
        | WorkloadKind::Deployment
        | WorkloadKind::ReplicationController
        | WorkloadKind::StatefulSet
        | WorkloadKind::Pod => return None,
    };
    match find(inventory, namespace, kind, name) {
        Some(object) => {
            let owner = object.meta.owner.as_ref()?;
            (*owner.kind == *above.kind().as_str()).then(|| (above, owner.name.clone()))
        }
        None => {
            let (stem, suffix) = name.rsplit_once('-')?;
            let is_its_own = match above {
                WorkloadKind::Deployment => pod_labels.value("pod-template-hash") == Some(suffix),
                _ => suffix.parse::<u64>().is_ok() && find(inventory, namespace, above, stem).is_some(),
            };
            is_its_own.then(|| (above, stem.into()))
        }
    }
}

fn find<'a>(inventory: &'a Inventory, namespace: &str, kind: WorkloadKind, name: &str) -> Option<&'a Workload> {
    inventory.workloads.iter().map(Arc::as_ref).find(|workload| {
        workload.kind == kind && workload.meta.namespace() == namespace && workload.meta.name() == name
    })
}
