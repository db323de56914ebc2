//! Workloads: the kinds that own pods.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;

use crate::labels::Labels;
use crate::object::{Kind, Meta, Name};
use crate::pod::PodSpec;
use crate::selector::Selector;

/// A Deployment, ReplicaSet, ReplicationController, StatefulSet, DaemonSet, Job or CronJob.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Workload {
    /// Metadata and place.
    pub meta: Meta,
    /// Which of the kinds.
    pub kind: WorkloadKind,
    /// `replicas` (1 when missing); for Job and CronJob `parallelism`; a DaemonSet has one a node.
    pub replicas: u32,
    /// `selector`; `None` for Job and CronJob when the controller makes it.
    pub selector: Option<Selector>,
    /// The template's labels.
    pub labels: Labels,
    /// The template's annotations.
    pub annotations: Labels,
    /// The template's spec.
    pub spec: PodSpec,
    /// `serviceName` of a StatefulSet.
    pub service_name: Option<Name>,
    /// `ordinals.start` of a StatefulSet: the number of its first pod.
    pub first_ordinal: u32,
    /// `suspend` of a Job or CronJob.
    pub suspended: bool,
}

/// A StatefulSet of more pods stands for one without a number, like every other workload.
pub const MOST_ORDINALS: u32 = 1_000;

/// A pod of which it is known before it is there what its controller will call it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OrdinalPod {
    /// `NAME-ORDINAL`.
    pub name: Name,
    /// The template's labels and those that the controller adds.
    pub labels: Labels,
}

impl Workload {
    /// Whether its pods are told apart by numbers.
    pub fn has_ordinals(&self) -> bool {
        self.kind == WorkloadKind::StatefulSet && self.replicas <= MOST_ORDINALS
    }

    /// The pods of a StatefulSet, by their numbers; none where the names of its pods are not known.
    ///
    /// Source: StatefulSets, "Ordinal Index", "Pod Name Label" and "Pod index label".
    pub fn ordinal_pods(&self) -> impl Iterator<Item = OrdinalPod> + '_ {
        let count = if self.has_ordinals() { self.replicas } else { 0 };
        (0..count).map(|position| {
            let ordinal = u64::from(self.first_ordinal) + u64::from(position);
            let name: Name = format!("{}-{ordinal}", self.meta.reference.name).into();
            let mut labels = self.labels.clone();
            labels.0.insert("statefulset.kubernetes.io/pod-name".into(), name.clone());
            labels.0.insert("apps.kubernetes.io/pod-index".into(), ordinal.to_string().into());
            OrdinalPod { name, labels }
        })
    }
}

/// The kinds that own pods.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
#[allow(missing_docs)]
pub enum WorkloadKind {
    CronJob,
    DaemonSet,
    Deployment,
    Job,
    ReplicaSet,
    ReplicationController,
    StatefulSet,
    /// A pod without a controller is its own workload.
    Pod,
}

impl WorkloadKind {
    /// All of them, in order.
    pub const ALL: [Self; 8] = [
        Self::CronJob,
        Self::DaemonSet,
        Self::Deployment,
        Self::Job,
        Self::ReplicaSet,
        Self::ReplicationController,
        Self::StatefulSet,
        Self::Pod,
    ];

    /// The object kind.
    pub fn kind(self) -> Kind {
        match self {
            Self::CronJob => Kind::CronJob,
            Self::DaemonSet => Kind::DaemonSet,
            Self::Deployment => Kind::Deployment,
            Self::Job => Kind::Job,
            Self::ReplicaSet => Kind::ReplicaSet,
            Self::ReplicationController => Kind::ReplicationController,
            Self::StatefulSet => Kind::StatefulSet,
            Self::Pod => Kind::Pod,
        }
    }

    /// The names that kubectl takes, the full lower-case one first.
    pub fn aliases(self) -> &'static [&'static str] {
        match self {
            Self::CronJob => &["cronjob", "cronjobs", "cj"],
            Self::DaemonSet => &["daemonset", "daemonsets", "ds"],
            Self::Deployment => &["deployment", "deployments", "deploy"],
            Self::Job => &["job", "jobs"],
            Self::ReplicaSet => &["replicaset", "replicasets", "rs"],
            Self::ReplicationController => &["replicationcontroller", "replicationcontrollers", "rc"],
            Self::StatefulSet => &["statefulset", "statefulsets", "sts"],
            Self::Pod => &["pod", "pods", "po"],
        }
    }
}

impl fmt::Display for WorkloadKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.kind().fmt(f)
    }
}

/// The text is no workload kind of [`WorkloadKind`].
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error(
    "unknown workload kind `{0}`, expected Deployment, ReplicaSet, ReplicationController, StatefulSet, DaemonSet, Job, CronJob or Pod"
)]
pub struct UnknownWorkloadKind(pub String);

impl FromStr for WorkloadKind {
    type Err = UnknownWorkloadKind;

    fn from_str(text: &str) -> Result<Self, UnknownWorkloadKind> {
        let lower = text.to_ascii_lowercase();
        Self::ALL
            .into_iter()
            .find(|kind| kind.aliases().contains(&lower.as_str()))
            .ok_or_else(|| UnknownWorkloadKind(text.to_owned()))
    }
}
