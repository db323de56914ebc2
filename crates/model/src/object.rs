//! Names of objects, and the metadata that every object has.

use std::fmt;
use std::sync::Arc;

use serde::{Serialize, Serializer};

use crate::labels::Labels;
use crate::place::Place;

/// An interned-by-reference name: of an object, a key, a container.
pub type Name = Arc<str>;

/// The kinds that Palisade reads.
///
/// The order of the policies among them is that of their names, and part of the order of decision.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
#[allow(missing_docs, clippy::upper_case_acronyms, reason = "as manifests write them")]
pub enum Kind {
    AccessPolicy,
    AdminNetworkPolicy,
    BaselineAdminNetworkPolicy,
    ClusterAccessPolicy,
    ClusterNetworkPolicy,
    ClusterPerimeter,
    ClusterSettings,
    CronJob,
    DaemonSet,
    Deployment,
    EndpointSlice,
    GRPCRoute,
    Gateway,
    GatewayClass,
    HTTPRoute,
    Ingress,
    IngressClass,
    Job,
    Namespace,
    NetworkPolicy,
    Node,
    Perimeter,
    Pod,
    ReferenceGrant,
    ReplicaSet,
    ReplicationController,
    Service,
    ServiceAccount,
    StatefulSet,
    TCPRoute,
    TLSRoute,
    UDPRoute,
}

impl Kind {
    /// The kind as manifests write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AccessPolicy => "AccessPolicy",
            Self::AdminNetworkPolicy => "AdminNetworkPolicy",
            Self::BaselineAdminNetworkPolicy => "BaselineAdminNetworkPolicy",
            Self::ClusterNetworkPolicy => "ClusterNetworkPolicy",
            Self::ClusterAccessPolicy => "ClusterAccessPolicy",
            Self::ClusterPerimeter => "ClusterPerimeter",
            Self::ClusterSettings => "ClusterSettings",
            Self::CronJob => "CronJob",
            Self::DaemonSet => "DaemonSet",
            Self::Deployment => "Deployment",
            Self::EndpointSlice => "EndpointSlice",
            Self::GRPCRoute => "GRPCRoute",
            Self::Gateway => "Gateway",
            Self::GatewayClass => "GatewayClass",
            Self::HTTPRoute => "HTTPRoute",
            Self::Ingress => "Ingress",
            Self::IngressClass => "IngressClass",
            Self::ReferenceGrant => "ReferenceGrant",
            Self::TCPRoute => "TCPRoute",
            Self::TLSRoute => "TLSRoute",
            Self::UDPRoute => "UDPRoute",
            Self::Job => "Job",
            Self::Namespace => "Namespace",
            Self::NetworkPolicy => "NetworkPolicy",
            Self::Node => "Node",
            Self::Perimeter => "Perimeter",
            Self::Pod => "Pod",
            Self::ReplicaSet => "ReplicaSet",
            Self::ReplicationController => "ReplicationController",
            Self::Service => "Service",
            Self::ServiceAccount => "ServiceAccount",
            Self::StatefulSet => "StatefulSet",
        }
    }

    /// Whether objects of this kind lie in a namespace.
    pub fn is_namespaced(self) -> bool {
        !matches!(
            self,
            Self::AdminNetworkPolicy
                | Self::BaselineAdminNetworkPolicy
                | Self::ClusterAccessPolicy
                | Self::ClusterNetworkPolicy
                | Self::ClusterPerimeter
                | Self::ClusterSettings
                | Self::GatewayClass
                | Self::IngressClass
                | Self::Namespace
                | Self::Node
        )
    }

    /// Whether objects of this kind only say how the outside comes to Services: no link depends on them.
    pub fn is_door(self) -> bool {
        matches!(
            self,
            Self::GRPCRoute
                | Self::Gateway
                | Self::GatewayClass
                | Self::HTTPRoute
                | Self::Ingress
                | Self::IngressClass
                | Self::ReferenceGrant
                | Self::TCPRoute
                | Self::TLSRoute
                | Self::UDPRoute
        )
    }

    /// Whether objects of this kind take part in a decision as policy; the settings say what some of its words mean.
    pub fn is_policy(self) -> bool {
        matches!(
            self,
            Self::AccessPolicy
                | Self::AdminNetworkPolicy
                | Self::BaselineAdminNetworkPolicy
                | Self::ClusterAccessPolicy
                | Self::ClusterNetworkPolicy
                | Self::ClusterPerimeter
                | Self::ClusterSettings
                | Self::NetworkPolicy
                | Self::Perimeter
        )
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Names one object; displayed as `Kind namespace/name`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ObjectRef {
    /// The object's kind.
    pub kind: Kind,
    /// Its namespace; `None` when the kind is cluster-wide.
    pub namespace: Option<Name>,
    /// Its name.
    pub name: Name,
}

impl fmt::Display for ObjectRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.namespace {
            Some(namespace) => write!(f, "{} {namespace}/{}", self.kind, self.name),
            None => write!(f, "{} {}", self.kind, self.name),
        }
    }
}

impl Serialize for ObjectRef {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// What `metadata` says, and where the object stands.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Meta {
    /// The object's own reference.
    #[serde(rename = "object")]
    pub reference: ObjectRef,
    /// The first line of the object.
    pub place: Place,
    /// `metadata.labels`.
    pub labels: Labels,
    /// `metadata.annotations`.
    pub annotations: Labels,
    /// `metadata.uid`, when the object was read from a cluster.
    pub uid: Option<Name>,
    /// The controller among `metadata.ownerReferences`.
    pub owner: Option<Owner>,
}

impl Meta {
    /// The namespace of a namespaced object; empty for a cluster-wide one.
    pub fn namespace(&self) -> &str {
        self.reference.namespace.as_deref().unwrap_or_default()
    }

    /// The object's name.
    pub fn name(&self) -> &str {
        &self.reference.name
    }
}

/// The controller that owns an object, from `metadata.ownerReferences`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
pub struct Owner {
    /// The owner's kind as written; it may be one that Palisade does not read.
    pub kind: Name,
    /// The owner's name.
    pub name: Name,
}
