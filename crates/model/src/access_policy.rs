//! `palisade.dev/v1alpha1` AccessPolicy and ClusterAccessPolicy: one rule is one whole link.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::object::{Meta, Name};
use crate::place::Place;
use crate::port::PortRule;
use crate::selector::Selector;
use crate::workload::WorkloadKind;
use crate::{IpNet, Timestamp};

/// Whether an object is enforced or only watched.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize)]
pub enum Mode {
    /// Takes part in the enforced verdict.
    #[default]
    Enforce,
    /// Takes part in the would-be verdict only.
    Audit,
}

/// What a rule does with the links that it covers.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum Action {
    Allow,
    Deny,
}

/// An AccessPolicy, or a ClusterAccessPolicy when `meta` has no namespace.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct AccessPolicy {
    /// Metadata and place.
    pub meta: Meta,
    /// Enforce unless the manifest says Audit.
    pub mode: Mode,
    /// Its rules, in order.
    pub rules: Vec<AccessRule>,
}

/// One rule: who may (or may not) reach whom.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct AccessRule {
    /// The rule's first line.
    pub place: Place,
    /// `name`, when given.
    pub name: Option<Name>,
    /// Allow or Deny.
    pub action: Action,
    /// Senders; never empty.
    pub from: Vec<Peer>,
    /// Receivers; never empty.
    pub to: Vec<Peer>,
    /// Ports of the receiver (with a `service` peer: of the Service); empty means all.
    pub ports: Vec<PortRule>,
    /// `http`: conditions on requests; empty means none.
    pub http: Vec<HttpMatch>,
    /// When an Allow ends; never present on a Deny.
    pub expires: Option<Timestamp>,
    /// Free text.
    pub owner: Option<String>,
    /// Free text.
    pub reason: Option<String>,
}

/// One entry of `http`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct HttpMatch {
    /// Methods in capitals; empty means all.
    pub methods: Vec<String>,
    /// Path templates; empty means all.
    pub paths: Vec<String>,
}

/// One entry of `from` or `to`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Peer {
    /// The entry's first line.
    pub place: Place,
    /// Whom it names.
    pub target: PeerTarget,
}

/// Whom a peer names.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum PeerTarget {
    /// Pods, down to container and program.
    Pods(PodPeer),
    /// Addresses; never those of known pods, nodes or Services.
    Cidr {
        /// The block, host bits masked.
        cidr: IpNet,
        /// What is taken away from it.
        except: Vec<IpNet>,
    },
    /// A well-known party.
    Entity(Entity),
    /// A DNS name, `*.` for one or more labels; `to` of an Allow only.
    Fqdn(String),
}

/// The fields of a pod peer; all that are present must hold.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PodPeer {
    /// `workload: web` or `workload: Deployment/web`.
    pub workload: Option<WorkloadRef>,
    /// `selector`: by the pod's labels.
    pub selector: Option<Selector>,
    /// `namespace`, by name.
    pub namespace: Option<Name>,
    /// `namespaceSelector`, by the namespace's labels.
    pub namespace_selector: Option<Selector>,
    /// `serviceAccount`, by name.
    pub service_account: Option<Name>,
    /// `service` (in `to` only): the ready pods behind it; `ports` are then the Service's.
    pub service: Option<Name>,
    /// `container`, by name.
    pub container: Option<Name>,
    /// `program`, an absolute path in the container's image.
    pub program: Option<Name>,
}

impl PodPeer {
    /// Whether it tells containers or programs of one pod apart.
    pub fn names_container_or_program(&self) -> bool {
        self.container.is_some() || self.program.is_some()
    }
}

impl Peer {
    /// Whether it tells containers or programs of one pod apart.
    pub fn names_container_or_program(&self) -> bool {
        match &self.target {
            PeerTarget::Pods(pods) => pods.names_container_or_program(),
            PeerTarget::Cidr { .. } | PeerTarget::Entity(_) | PeerTarget::Fqdn(_) => false,
        }
    }
}

/// A workload by name, or by kind and name.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
pub struct WorkloadRef {
    /// `None`: a workload of any kind with the name.
    pub kind: Option<WorkloadKind>,
    /// The workload's name.
    pub name: Name,
}

impl fmt::Display for WorkloadRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            Some(kind) => write!(f, "{kind}/{}", self.name),
            None => f.write_str(&self.name),
        }
    }
}

/// Well-known parties that no label can name.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Entity {
    /// An address that is no pod, node, Service, link-local or metadata address.
    World,
    /// Pods and nodes.
    Cluster,
    /// Node addresses, and sockets of the own node.
    Nodes,
    /// A node's socket to a probe port that the pod declares.
    Kubelet,
    /// The endpoints of `default/kubernetes`.
    Apiserver,
    /// The endpoints of the cluster DNS Service, on its ports.
    Dns,
    /// Pods of the Gateways and Ingress controllers that the settings name.
    Gateway,
    /// The cloud's metadata service: 169.254.169.254 and fd00:ec2::254.
    Metadata,
}

impl Entity {
    /// All of them, in order.
    pub const ALL: [Self; 8] = [
        Self::World,
        Self::Cluster,
        Self::Nodes,
        Self::Kubelet,
        Self::Apiserver,
        Self::Dns,
        Self::Gateway,
        Self::Metadata,
    ];

    /// As manifests write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::World => "world",
            Self::Cluster => "cluster",
            Self::Nodes => "nodes",
            Self::Kubelet => "kubelet",
            Self::Apiserver => "apiserver",
            Self::Dns => "dns",
            Self::Gateway => "gateway",
            Self::Metadata => "metadata",
        }
    }
}

impl fmt::Display for Entity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text is no entity of [`Entity`].
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("unknown entity `{0}`, expected world, cluster, nodes, kubelet, apiserver, dns, gateway or metadata")]
pub struct UnknownEntity(pub String);

impl FromStr for Entity {
    type Err = UnknownEntity;

    fn from_str(text: &str) -> Result<Self, UnknownEntity> {
        Self::ALL.into_iter().find(|entity| entity.as_str() == text).ok_or_else(|| UnknownEntity(text.to_owned()))
    }
}
