//! What was read: every object that matters, as written, after validation.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::Serialize;

use crate::access_policy::AccessPolicy;
use crate::gateway::{Gateway, GatewayClass, ReferenceGrant, Route};
use crate::ingress::{Ingress, IngressClass};
use crate::network_policy::NetworkPolicy;
use crate::object::{Kind, Meta, Name};
use crate::perimeter::Perimeter;
use crate::place::Place;
use crate::pod::Pod;
use crate::service::{EndpointSlice, Service};
use crate::settings::ClusterSettings;
use crate::tiered_policy::TieredPolicy;
use crate::workload::Workload;

/// Every object in force, each list sorted by (kind, namespace, name).
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Inventory {
    /// Namespace objects; a namespace may also exist without one.
    pub namespaces: Vec<Namespace>,
    /// Node objects.
    pub nodes: Vec<Node>,
    /// ServiceAccount objects.
    pub service_accounts: Vec<ServiceAccount>,
    /// Workloads of all kinds.
    pub workloads: Vec<Workload>,
    /// Pod objects.
    pub pods: Vec<Pod>,
    /// Service objects.
    pub services: Vec<Service>,
    /// EndpointSlice objects.
    pub endpoint_slices: Vec<EndpointSlice>,
    /// Ingress objects.
    pub ingresses: Vec<Ingress>,
    /// IngressClass objects.
    pub ingress_classes: Vec<IngressClass>,
    /// Gateway objects.
    pub gateways: Vec<Gateway>,
    /// GatewayClass objects.
    pub gateway_classes: Vec<GatewayClass>,
    /// Routes of all kinds.
    pub routes: Vec<Route>,
    /// ReferenceGrant objects.
    pub reference_grants: Vec<ReferenceGrant>,
    /// NetworkPolicy objects.
    pub network_policies: Vec<NetworkPolicy>,
    /// ClusterNetworkPolicy, AdminNetworkPolicy and BaselineAdminNetworkPolicy objects.
    pub tiered_policies: Vec<TieredPolicy>,
    /// Perimeter and ClusterPerimeter objects.
    pub perimeters: Vec<Perimeter>,
    /// AccessPolicy and ClusterAccessPolicy objects.
    pub access_policies: Vec<AccessPolicy>,
    /// The cluster's settings, when an object says them.
    pub settings: Option<ClusterSettings>,
    /// Documents that could not be read and may be a policy.
    pub unreadable: Vec<Unreadable>,
    /// How many objects of kinds that are not read, by (`apiVersion`, `kind`).
    #[serde(serialize_with = "other_kinds_as_text")]
    pub other_kinds: BTreeMap<(String, String), u32>,
}

fn other_kinds_as_text<S: serde::Serializer>(
    kinds: &BTreeMap<(String, String), u32>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_map(kinds.iter().map(|((version, kind), count)| (format!("{version} {kind}"), count)))
}

/// A Namespace; its labels always have `kubernetes.io/metadata.name`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Namespace {
    /// Metadata and place.
    pub meta: Meta,
}

/// A Node.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Node {
    /// Metadata and place.
    pub meta: Meta,
    /// `status.addresses` that are addresses (InternalIP, ExternalIP).
    pub addresses: Vec<IpAddr>,
    /// Others that its interfaces have, when its agent says them: a pod reaches the node by them too, but
    /// nothing is a NodePort there.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub interface_addresses: Vec<IpAddr>,
}

/// A ServiceAccount.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct ServiceAccount {
    /// Metadata and place.
    pub meta: Meta,
}

/// A document that could not be read and may be a policy: the ends that it could select are
/// undecided.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
pub struct Unreadable {
    /// Where it starts.
    pub place: Place,
    /// Its kind, when that could be read: always a policy kind, or one of a policy group that
    /// this version does not know (`None`).
    pub kind: Option<Kind>,
    /// Its namespace, when that could be read and the kind is namespaced: other namespaces are
    /// not touched by it.
    pub namespace: Option<Name>,
    /// Its name, when that could be read.
    pub name: Option<Name>,
}

impl Inventory {
    /// Whether nothing was read at all.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}
