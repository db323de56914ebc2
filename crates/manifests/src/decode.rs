//! From the tree of one object to a value of the model, with the API server's validation and defaults.

mod access_policy;
mod cluster_settings;
mod endpoint_slice;
mod gateway;
mod ingress;
mod label_selector;
mod metadata;
mod network_policy;
mod node;
mod perimeter;
mod pod;
mod port;
mod route;
mod service;
mod tiered_policy;
mod workload;

use palisade_model::access_policy::AccessPolicy;
use palisade_model::gateway::{Gateway, GatewayClass, ReferenceGrant, Route, RouteKind};
use palisade_model::ingress::{Ingress, IngressClass};
use palisade_model::inventory::{Namespace, Node, ServiceAccount};
use palisade_model::network_policy::NetworkPolicy;
use palisade_model::perimeter::Perimeter;
use palisade_model::pod::Pod;
use palisade_model::service::{EndpointSlice, Service};
use palisade_model::settings::ClusterSettings;
use palisade_model::tiered_policy::TieredPolicy;
use palisade_model::workload::{Workload, WorkloadKind};
use palisade_model::{Kind, Meta};

use crate::at::At;
use crate::report::Report;
use crate::schema::{self, UnknownFields};

/// An object of one of the kinds that are read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Object {
    AccessPolicy(AccessPolicy),
    ClusterSettings(ClusterSettings),
    EndpointSlice(EndpointSlice),
    Gateway(Gateway),
    GatewayClass(GatewayClass),
    Ingress(Ingress),
    IngressClass(IngressClass),
    Namespace(Namespace),
    NetworkPolicy(NetworkPolicy),
    Node(Node),
    Perimeter(Perimeter),
    Pod(Pod),
    ReferenceGrant(ReferenceGrant),
    Route(Route),
    Service(Service),
    ServiceAccount(ServiceAccount),
    TieredPolicy(TieredPolicy),
    Workload(Workload),
}

impl Object {
    pub(crate) fn meta(&self) -> &Meta {
        match self {
            Self::AccessPolicy(object) => &object.meta,
            Self::ClusterSettings(object) => &object.meta,
            Self::EndpointSlice(object) => &object.meta,
            Self::Gateway(object) => &object.meta,
            Self::GatewayClass(object) => &object.meta,
            Self::Ingress(object) => &object.meta,
            Self::IngressClass(object) => &object.meta,
            Self::Namespace(object) => &object.meta,
            Self::NetworkPolicy(object) => &object.meta,
            Self::Node(object) => &object.meta,
            Self::Perimeter(object) => &object.meta,
            Self::Pod(object) => &object.meta,
            Self::ReferenceGrant(object) => &object.meta,
            Self::Route(object) => &object.meta,
            Self::Service(object) => &object.meta,
            Self::ServiceAccount(object) => &object.meta,
            Self::TieredPolicy(object) => &object.meta,
            Self::Workload(object) => &object.meta,
        }
    }

    pub(crate) fn meta_mut(&mut self) -> &mut Meta {
        match self {
            Self::AccessPolicy(object) => &mut object.meta,
            Self::ClusterSettings(object) => &mut object.meta,
            Self::EndpointSlice(object) => &mut object.meta,
            Self::Gateway(object) => &mut object.meta,
            Self::GatewayClass(object) => &mut object.meta,
            Self::Ingress(object) => &mut object.meta,
            Self::IngressClass(object) => &mut object.meta,
            Self::Namespace(object) => &mut object.meta,
            Self::NetworkPolicy(object) => &mut object.meta,
            Self::Node(object) => &mut object.meta,
            Self::Perimeter(object) => &mut object.meta,
            Self::Pod(object) => &mut object.meta,
            Self::ReferenceGrant(object) => &mut object.meta,
            Self::Route(object) => &mut object.meta,
            Self::Service(object) => &mut object.meta,
            Self::ServiceAccount(object) => &mut object.meta,
            Self::TieredPolicy(object) => &mut object.meta,
            Self::Workload(object) => &mut object.meta,
        }
    }
}

/// The object of `kind` in `root`, or `None` when it is not in force; why, is in `report`.
pub(crate) fn decode(report: &mut Report, root: &At<'_, '_>, kind: Kind) -> Option<Object> {
    report.start();
    let first_problem = report.problems.len();
    let (type_name, unknown) = schema_of(kind);
    schema::check(report, root, type_name, unknown);
    let meta = metadata::read_meta(report, root, kind, first_problem)?;
    let object = decode_kind(report, root, kind, meta)?;
    report.is_good().then_some(object)
}

fn decode_kind(report: &mut Report, root: &At<'_, '_>, kind: Kind, meta: Meta) -> Option<Object> {
    Some(match kind {
        Kind::AccessPolicy | Kind::ClusterAccessPolicy => {
            Object::AccessPolicy(access_policy::decode(report, root, meta)?)
        }
        Kind::AdminNetworkPolicy | Kind::BaselineAdminNetworkPolicy | Kind::ClusterNetworkPolicy => {
            Object::TieredPolicy(tiered_policy::decode(report, root, meta)?)
        }
        Kind::ClusterSettings => Object::ClusterSettings(cluster_settings::decode(report, root, meta)),
        Kind::Perimeter | Kind::ClusterPerimeter => Object::Perimeter(perimeter::decode(report, root, meta)?),
        Kind::NetworkPolicy => Object::NetworkPolicy(network_policy::decode(report, root, meta)),
        Kind::Namespace => Object::Namespace(Namespace { meta }),
        Kind::Node => Object::Node(node::decode(root, meta)),
        Kind::ServiceAccount => Object::ServiceAccount(ServiceAccount { meta }),
        Kind::Service => Object::Service(service::decode(report, root, meta)),
        Kind::EndpointSlice => Object::EndpointSlice(endpoint_slice::decode(report, root, meta)),
        Kind::Ingress => Object::Ingress(ingress::decode(report, root, meta)),
        Kind::IngressClass => Object::IngressClass(ingress::decode_class(report, root, meta)?),
        Kind::Gateway => Object::Gateway(gateway::decode(report, root, meta)?),
        Kind::GatewayClass => Object::GatewayClass(gateway::decode_class(report, root, meta)?),
        Kind::GRPCRoute => Object::Route(route::decode(report, root, meta, RouteKind::Grpc)?),
        Kind::HTTPRoute => Object::Route(route::decode(report, root, meta, RouteKind::Http)?),
        Kind::TCPRoute => Object::Route(route::decode(report, root, meta, RouteKind::Tcp)?),
        Kind::TLSRoute => Object::Route(route::decode(report, root, meta, RouteKind::Tls)?),
        Kind::UDPRoute => Object::Route(route::decode(report, root, meta, RouteKind::Udp)?),
        Kind::ReferenceGrant => Object::ReferenceGrant(gateway::decode_grant(report, root, meta)?),
        Kind::Pod => Object::Pod(pod::decode(report, root, meta)?),
        Kind::CronJob => Object::Workload(workload::decode(report, root, meta, WorkloadKind::CronJob)?),
        Kind::DaemonSet => Object::Workload(workload::decode(report, root, meta, WorkloadKind::DaemonSet)?),
        Kind::Deployment => Object::Workload(workload::decode(report, root, meta, WorkloadKind::Deployment)?),
        Kind::Job => Object::Workload(workload::decode(report, root, meta, WorkloadKind::Job)?),
        Kind::ReplicaSet => Object::Workload(workload::decode(report, root, meta, WorkloadKind::ReplicaSet)?),
        Kind::ReplicationController => {
            Object::Workload(workload::decode(report, root, meta, WorkloadKind::ReplicationController)?)
        }
        Kind::StatefulSet => Object::Workload(workload::decode(report, root, meta, WorkloadKind::StatefulSet)?),
    })
}

fn schema_of(kind: Kind) -> (&'static str, UnknownFields) {
    match kind {
        Kind::AccessPolicy | Kind::ClusterAccessPolicy => ("AccessPolicy", UnknownFields::Rejected),
        Kind::AdminNetworkPolicy => ("v1alpha1.AdminNetworkPolicy", UnknownFields::Dropped),
        Kind::BaselineAdminNetworkPolicy => ("v1alpha1.BaselineAdminNetworkPolicy", UnknownFields::Dropped),
        Kind::ClusterNetworkPolicy => ("v1alpha2.ClusterNetworkPolicy", UnknownFields::Dropped),
        Kind::ClusterSettings => ("ClusterSettings", UnknownFields::Rejected),
        Kind::Perimeter | Kind::ClusterPerimeter => ("Perimeter", UnknownFields::Rejected),
        Kind::GRPCRoute
        | Kind::Gateway
        | Kind::GatewayClass
        | Kind::HTTPRoute
        | Kind::ReferenceGrant
        | Kind::TCPRoute
        | Kind::TLSRoute
        | Kind::UDPRoute => ("CustomResource", UnknownFields::Dropped),
        Kind::CronJob
        | Kind::DaemonSet
        | Kind::Deployment
        | Kind::EndpointSlice
        | Kind::Ingress
        | Kind::IngressClass
        | Kind::Job
        | Kind::Namespace
        | Kind::NetworkPolicy
        | Kind::Node
        | Kind::Pod
        | Kind::ReplicaSet
        | Kind::ReplicationController
        | Kind::Service
        | Kind::ServiceAccount
        | Kind::StatefulSet => (kind.as_str(), UnknownFields::Dropped),
    }
}
