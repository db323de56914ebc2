//! Doors: every place at which traffic from outside comes into the cluster, and what lies behind each.
//!
//! A door leads to backends: pods and their ports. A Service, a `hostPort` and the host network lead straight to them. An
//! Ingress and a Gateway are served by pods of their own, and lead from these to the backends.

pub(crate) mod attach;
pub(crate) mod controller;
mod gateway;
mod host;
mod ingress;
mod request;
mod service;

use std::net::IpAddr;

use palisade_model::object::{Name, ObjectRef};
use palisade_model::port::Protocol;
use palisade_model::verdict::Missing;
use palisade_model::{IpNet, Place, Problem};
use serde::Serialize;

pub use request::for_request;

use crate::dial::Backend;
use crate::model::{Model, PodIndex};

/// What kind of door it is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum DoorKind {
    /// The load balancer of a Service.
    LoadBalancer,
    /// A port of every node, which a Service has.
    NodePort,
    /// One of a Service's `externalIPs`.
    ExternalIp,
    /// A port of a pod's node.
    HostPort,
    /// A pod in its node's own network.
    HostNetwork,
    /// A host and path of an Ingress.
    Ingress,
    /// A listener of a Gateway, and a rule of a route behind it.
    Gateway,
    /// The pod's own address, where the pods' network is routed.
    PodAddress,
}

/// A place at which traffic from outside comes in.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Door {
    /// What kind of door it is.
    pub kind: DoorKind,
    /// The object that opens it: a Service, an Ingress, a route; a pod or workload.
    pub object: ObjectRef,
    /// The Gateway and its listener, of a route.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gateway: Option<String>,
    /// Where that stands.
    pub place: Place,
    /// Addresses or names that are dialled, as far as they are known: `node` for each node's own.
    pub addresses: Vec<String>,
    /// Hosts that requests have to name; empty: any.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub hosts: Vec<Name>,
    /// What of requests it takes: a path, a method; empty: everything.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub matches: Vec<String>,
    /// The protocol.
    pub protocol: Protocol,
    /// The port that is dialled; `None`: the cluster chooses it, or any.
    pub port: Option<u16>,
    /// Who may come by it: `loadBalancerSourceRanges`; empty: everybody.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub source_ranges: Vec<IpNet>,
    /// The annotation that keeps its load balancer within the provider's own network.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub internal_by: Option<Name>,
    /// The Service behind it, `namespace/name`, and its port.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<ServicePortRef>,
    /// Whether the pods see who sent.
    #[serde(skip)]
    pub source: Source,
}

/// A port of a Service.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct ServicePortRef {
    /// `namespace/name`.
    pub name: String,
    /// Its port.
    pub port: u16,
}

/// Which address the receiver sees.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Source {
    /// The sender's own.
    Kept,
    /// The sender's, or that of a node on the way (`externalTrafficPolicy: Cluster`).
    Perhaps,
}

/// Who takes the requests of an Ingress or a Gateway, and sends them on.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "camelCase", tag = "kind")]
pub enum ServedBy {
    /// Pods.
    #[serde(rename_all = "camelCase")]
    Pods {
        /// Which.
        #[serde(skip)]
        pods: Vec<PodIndex>,
        /// What says so.
        told_by: ToldBy,
    },
    /// A load balancer of the provider, which is no pod.
    Provider {
        /// `controller` of the class.
        controller: Name,
    },
    /// Nothing in the input says.
    Unknown,
}

/// What says which pods serve a door.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum ToldBy {
    /// The label `gateway.networking.k8s.io/gateway-name` on them.
    GatewayName,
    /// The class' controller, whose pods have well-known labels.
    Controller(Name),
    /// `spec.gateways` of ClusterSettings.
    Settings,
}

/// A door with what lies behind it.
#[derive(Clone, Debug)]
pub struct Opening {
    /// The door.
    pub door: Door,
    /// Who serves it; `None`: it leads straight to the backends.
    pub served_by: Option<ServedBy>,
    /// What lies behind it, or why that is not known.
    pub backends: Result<Vec<Backend>, Missing>,
}

/// Every door, and what is wrong with some.
#[derive(Debug, Default)]
pub struct Doors {
    /// The doors, in the order of their kinds and objects.
    pub openings: Vec<Opening>,
    /// Doors, or parts of them, that lead nowhere.
    pub notes: Vec<Problem>,
}

/// Whether the outside dials pods by their own addresses.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum PodNetwork {
    /// Their addresses mean something inside the cluster alone.
    #[default]
    Private,
    /// They are routed: who has a route to them is no stranger to the outside.
    Routed,
}

impl Model {
    /// Every door of the input.
    pub fn doors(&self, network: PodNetwork) -> Doors {
        let mut doors = Doors::default();
        service::find(self, &mut doors);
        host::find(self, &mut doors, network);
        ingress::find(self, &mut doors);
        gateway::find(self, &mut doors);
        doors.notes.sort();
        doors.notes.dedup();
        doors
    }

    /// The port of the Service `namespace/name` that a door names, with its backends; what is missing goes to `notes`.
    fn behind_service(&self, wanted: Wanted<'_>, notes: &mut Vec<Problem>) -> Option<Behind> {
        let Wanted { namespace, name, port, object, place } = wanted;
        let note = |message: String| Problem::warning("door-leads-nowhere", message).at(place).of(object.clone());
        let Some(service) = self.service_named(namespace, name) else {
            notes.push(
                note(format!("there is no Service `{namespace}/{name}`")).hint("correct the name, or add the Service"),
            );
            return None;
        };
        let found = service.ports.iter().find(|candidate| match &port {
            WantedPort::Number(number) => candidate.port == *number,
            WantedPort::Name(name) => candidate.name.as_deref() == Some(name),
        });
        let Some(found) = found else {
            let ports: Vec<String> = service.ports.iter().map(|port| port.port.to_string()).collect();
            notes.push(
                note(format!("Service `{namespace}/{name}` has no port `{port}`"))
                    .hint(format!("its ports are {}", ports.join(", "))),
            );
            return None;
        };
        let backends = self.backends(service, found, None);
        match &backends {
            Ok(backends) if backends.is_empty() => {
                notes.push(note(format!("nobody is behind port {} of Service `{namespace}/{name}`", found.port)));
            }
            Ok(_) => {}
            Err(missing) => notes.push(note(missing.to_string())),
        }
        let reference = ServicePortRef { name: format!("{namespace}/{name}"), port: found.port };
        Some(Behind { reference, protocol: found.protocol, backends })
    }
}

/// A port of a Service, as a door names it.
struct Wanted<'w> {
    namespace: &'w str,
    name: &'w str,
    port: WantedPort<'w>,
    /// The door's object and the place of the name.
    object: &'w ObjectRef,
    place: &'w Place,
}

enum WantedPort<'w> {
    Number(u16),
    Name(&'w str),
}

impl std::fmt::Display for WantedPort<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::Name(name) => name.fmt(f),
        }
    }
}

/// What is behind a port of a Service.
struct Behind {
    reference: ServicePortRef,
    protocol: Protocol,
    backends: Result<Vec<Backend>, Missing>,
}

fn texts<'a>(addresses: impl IntoIterator<Item = &'a IpAddr>) -> Vec<String> {
    addresses.into_iter().map(ToString::to_string).collect()
}
