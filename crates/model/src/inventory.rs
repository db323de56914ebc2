//! What was read: every object that matters, as written, after validation.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

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

/// Every object in force, each list sorted by (kind, namespace, name). Objects are shared: a copy of an inventory, or the one
/// after a change, costs a pointer for each.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Inventory {
    /// Namespace objects; a namespace may also exist without one.
    pub namespaces: Vec<Arc<Namespace>>,
    /// Node objects.
    pub nodes: Vec<Arc<Node>>,
    /// ServiceAccount objects.
    pub service_accounts: Vec<Arc<ServiceAccount>>,
    /// Workloads of all kinds.
    pub workloads: Vec<Arc<Workload>>,
    /// Pod objects.
    pub pods: Vec<Arc<Pod>>,
    /// Service objects.
    pub services: Vec<Arc<Service>>,
    /// EndpointSlice objects.
    pub endpoint_slices: Vec<Arc<EndpointSlice>>,
    /// Ingress objects.
    pub ingresses: Vec<Arc<Ingress>>,
    /// IngressClass objects.
    pub ingress_classes: Vec<Arc<IngressClass>>,
    /// Gateway objects.
    pub gateways: Vec<Arc<Gateway>>,
    /// GatewayClass objects.
    pub gateway_classes: Vec<Arc<GatewayClass>>,
    /// Routes of all kinds.
    pub routes: Vec<Arc<Route>>,
    /// ReferenceGrant objects.
    pub reference_grants: Vec<Arc<ReferenceGrant>>,
    /// NetworkPolicy objects.
    pub network_policies: Vec<Arc<NetworkPolicy>>,
    /// ClusterNetworkPolicy, AdminNetworkPolicy and BaselineAdminNetworkPolicy objects.
    pub tiered_policies: Vec<Arc<TieredPolicy>>,
    /// Perimeter and ClusterPerimeter objects.
    pub perimeters: Vec<Arc<Perimeter>>,
    /// AccessPolicy and ClusterAccessPolicy objects.
    pub access_policies: Vec<Arc<AccessPolicy>>,
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

/// An object of any kind that an inventory lists.
#[derive(Clone, PartialEq, Eq, Debug)]
#[allow(missing_docs)]
pub enum Object {
    Namespace(Arc<Namespace>),
    Node(Arc<Node>),
    ServiceAccount(Arc<ServiceAccount>),
    Workload(Arc<Workload>),
    Pod(Arc<Pod>),
    Service(Arc<Service>),
    EndpointSlice(Arc<EndpointSlice>),
    Ingress(Arc<Ingress>),
    IngressClass(Arc<IngressClass>),
    Gateway(Arc<Gateway>),
    GatewayClass(Arc<GatewayClass>),
    Route(Arc<Route>),
    ReferenceGrant(Arc<ReferenceGrant>),
    NetworkPolicy(Arc<NetworkPolicy>),
    TieredPolicy(Arc<TieredPolicy>),
    Perimeter(Arc<Perimeter>),
    AccessPolicy(Arc<AccessPolicy>),
}

impl Object {
    /// Its metadata.
    pub fn meta(&self) -> &Meta {
        match self {
            Self::Namespace(object) => &object.meta,
            Self::Node(object) => &object.meta,
            Self::ServiceAccount(object) => &object.meta,
            Self::Workload(object) => &object.meta,
            Self::Pod(object) => &object.meta,
            Self::Service(object) => &object.meta,
            Self::EndpointSlice(object) => &object.meta,
            Self::Ingress(object) => &object.meta,
            Self::IngressClass(object) => &object.meta,
            Self::Gateway(object) => &object.meta,
            Self::GatewayClass(object) => &object.meta,
            Self::Route(object) => &object.meta,
            Self::ReferenceGrant(object) => &object.meta,
            Self::NetworkPolicy(object) => &object.meta,
            Self::TieredPolicy(object) => &object.meta,
            Self::Perimeter(object) => &object.meta,
            Self::AccessPolicy(object) => &object.meta,
        }
    }
}

impl Extend<Object> for Inventory {
    /// Adds objects at the ends of their lists, whatever is there already.
    fn extend<I: IntoIterator<Item = Object>>(&mut self, objects: I) {
        for object in objects {
            match object {
                Object::Namespace(object) => self.namespaces.push(object),
                Object::Node(object) => self.nodes.push(object),
                Object::ServiceAccount(object) => self.service_accounts.push(object),
                Object::Workload(object) => self.workloads.push(object),
                Object::Pod(object) => self.pods.push(object),
                Object::Service(object) => self.services.push(object),
                Object::EndpointSlice(object) => self.endpoint_slices.push(object),
                Object::Ingress(object) => self.ingresses.push(object),
                Object::IngressClass(object) => self.ingress_classes.push(object),
                Object::Gateway(object) => self.gateways.push(object),
                Object::GatewayClass(object) => self.gateway_classes.push(object),
                Object::Route(object) => self.routes.push(object),
                Object::ReferenceGrant(object) => self.reference_grants.push(object),
                Object::NetworkPolicy(object) => self.network_policies.push(object),
                Object::TieredPolicy(object) => self.tiered_policies.push(object),
                Object::Perimeter(object) => self.perimeters.push(object),
                Object::AccessPolicy(object) => self.access_policies.push(object),
            }
        }
    }
}

impl Inventory {
    /// Every object of its lists.
    pub fn objects(&self) -> impl Iterator<Item = Object> + '_ {
        let cluster = (self.namespaces.iter().cloned().map(Object::Namespace))
            .chain(self.nodes.iter().cloned().map(Object::Node))
            .chain(self.service_accounts.iter().cloned().map(Object::ServiceAccount))
            .chain(self.workloads.iter().cloned().map(Object::Workload))
            .chain(self.pods.iter().cloned().map(Object::Pod))
            .chain(self.services.iter().cloned().map(Object::Service))
            .chain(self.endpoint_slices.iter().cloned().map(Object::EndpointSlice));
        let doors = (self.ingresses.iter().cloned().map(Object::Ingress))
            .chain(self.ingress_classes.iter().cloned().map(Object::IngressClass))
            .chain(self.gateways.iter().cloned().map(Object::Gateway))
            .chain(self.gateway_classes.iter().cloned().map(Object::GatewayClass))
            .chain(self.routes.iter().cloned().map(Object::Route))
            .chain(self.reference_grants.iter().cloned().map(Object::ReferenceGrant));
        let policies = (self.network_policies.iter().cloned().map(Object::NetworkPolicy))
            .chain(self.tiered_policies.iter().cloned().map(Object::TieredPolicy))
            .chain(self.perimeters.iter().cloned().map(Object::Perimeter))
            .chain(self.access_policies.iter().cloned().map(Object::AccessPolicy));
        cluster.chain(doors).chain(policies)
    }
}
