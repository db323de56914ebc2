//! What lives in a lab at a moment: nodes, pods, containers and Services.

#[cfg(test)]
pub(crate) mod example;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use palisade_model::pod::{Container, ContainerRole, Phase, RestartPolicy};
use palisade_model::service::{EndpointSlice, Service};
use palisade_model::{Labels, Name, Problem, Timestamp};

use crate::expand::PlannedPod;

/// A pod by namespace and name.
pub type PodKey = (Name, Name);

/// Everything that lives.
#[derive(Debug, Default)]
pub(crate) struct Cluster {
    pub nodes: Vec<Node>,
    /// Names of nodes in manifests that are none of ours; each stands for one of ours, in turn.
    pub foreign_nodes: Vec<Name>,
    /// Namespaces in use that have no object in the manifests.
    pub bare_namespaces: BTreeSet<Name>,
    pub pods: BTreeMap<PodKey, Pod>,
    pub services: BTreeMap<PodKey, Service>,
    /// EndpointSlices of the manifests, for Services without a selector.
    pub given_slices: Vec<Arc<EndpointSlice>>,
    /// Names outside the cluster that Services stand for, with their addresses.
    pub world_names: BTreeMap<String, Vec<IpAddr>>,
    /// What cannot run as asked.
    pub problems: Vec<Problem>,
}

/// A node.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Node {
    pub name: Name,
    /// From 1.
    pub number: u8,
    /// Its own, and those of a Node object of its name.
    pub labels: Labels,
    pub addresses: Vec<IpAddr>,
}

/// A pod that lives.
#[derive(Clone, Debug)]
pub(crate) struct Pod {
    pub plan: PlannedPod,
    pub uid: Name,
    /// The node's number, from 1.
    pub node: u8,
    /// Its own addresses, or its node's.
    pub addresses: Vec<IpAddr>,
    pub created: Timestamp,
    pub containers: BTreeMap<Name, ContainerState>,
}

/// A container of a pod that lives.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct ContainerState {
    /// The id of the present or last instance.
    pub id: Option<Name>,
    /// The machine's number of its init, while it lives.
    pub pid: Option<u32>,
    /// When its root was made, before anything ran in it.
    pub made: Option<Timestamp>,
    pub step: Step,
    /// What the readiness probe said last; `true` when there is none.
    pub probed_ready: bool,
    pub restarts: u32,
    pub liveness_failures: u32,
    /// Why it does not run, or what its last probe said.
    pub message: Option<String>,
}

/// How far a container is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum Step {
    /// Not made yet, or between two runs.
    #[default]
    Waiting,
    /// It exists; its program has not started.
    Created,
    /// Its program runs.
    Running,
    /// It ended and will not run again.
    Ended { code: i32 },
}

impl Pod {
    /// Its containers as the manifest has them, with their state.
    pub fn containers(&self) -> impl Iterator<Item = (&Container, &ContainerState)> {
        self.plan
            .spec
            .containers
            .iter()
            .filter_map(|container| Some((container, self.containers.get(&container.name)?)))
    }

    /// The containers that make the pod what it is: all but init ones.
    fn lasting(&self) -> impl Iterator<Item = (&Container, &ContainerState)> {
        self.containers().filter(|(container, _)| container.role != ContainerRole::Init)
    }

    pub fn phase(&self) -> Phase {
        let ended = |state: &ContainerState| match state.step {
            Step::Ended { code } => Some(code),
            Step::Waiting | Step::Created | Step::Running => None,
        };
        let codes: Vec<_> = self.lasting().map(|(_, state)| ended(state)).collect();
        if !codes.is_empty() && codes.iter().all(Option::is_some) {
            let failed = codes.iter().flatten().any(|code| *code != 0);
            return if failed { Phase::Failed } else { Phase::Succeeded };
        }
        let init_failed = self
            .containers()
            .filter(|(container, _)| container.role == ContainerRole::Init)
            .any(|(_, state)| ended(state).is_some_and(|code| code != 0));
        if init_failed && self.plan.spec.restart == RestartPolicy::Never {
            return Phase::Failed;
        }
        let started = self.lasting().any(|(_, state)| state.step != Step::Waiting || state.restarts > 0);
        if started { Phase::Running } else { Phase::Pending }
    }

    /// Whether all its containers run and their readiness probes pass.
    pub fn is_ready(&self) -> bool {
        self.lasting().all(|(_, state)| state.is_ready())
    }

    /// The addresses that others may reach it by: none before it runs and after it has ended.
    pub fn reachable_addresses(&self) -> &[IpAddr] {
        match self.phase() {
            Phase::Running => &self.addresses,
            Phase::Pending | Phase::Succeeded | Phase::Failed | Phase::Unknown => &[],
        }
    }
}

impl ContainerState {
    pub fn is_ready(&self) -> bool {
        self.step == Step::Running && self.probed_ready
    }
}

/// Nobody can be meant by a reference to a pod.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum NoSuchPod {
    #[error("no pod and no workload is named `{0}`")]
    Unknown(String),
    #[error("`{0}` can mean {1}: name the namespace too")]
    Ambiguous(String, String),
}

impl Cluster {
    /// The pod that `[NAMESPACE/]NAME` means: a pod's own name, or that of its workload, whose
    /// first pod is taken.
    pub fn find_pod(&self, reference: &str) -> Result<&Pod, NoSuchPod> {
        let (namespace, name) = match reference.split_once('/') {
            Some((namespace, name)) => (Some(namespace), name),
            None => (None, reference),
        };
        let here = |pod: &&Pod| namespace.is_none_or(|namespace| *pod.plan.namespace == *namespace);
        let by_name = |pod: &&Pod| *pod.plan.name == *name;
        let by_owner = |pod: &&Pod| pod.plan.owner.as_ref().is_some_and(|owner| *owner.name == *name);
        let mut found: Vec<&Pod> = self.pods.values().filter(here).filter(by_name).collect();
        if found.is_empty() {
            found = self.pods.values().filter(here).filter(by_owner).collect();
        }
        let namespaces: BTreeSet<&str> = found.iter().map(|pod| &*pod.plan.namespace).collect();
        match (found.first(), namespaces.len()) {
            (Some(pod), 1) => Ok(pod),
            (None, _) => Err(NoSuchPod::Unknown(reference.to_owned())),
            (Some(_), _) => {
                let all: Vec<_> = namespaces.iter().map(|namespace| format!("`{namespace}/{name}`")).collect();
                Err(NoSuchPod::Ambiguous(reference.to_owned(), all.join(" or ")))
            }
        }
    }

    /// The node of `number` (from 1).
    pub fn node(&self, number: u8) -> Option<&Node> {
        self.nodes.iter().find(|node| node.number == number)
    }
}
