//! Services and EndpointSlices.

use std::net::IpAddr;

use ipnet::IpNet;
use serde::Serialize;

use crate::labels::Labels;
use crate::object::{Meta, Name};
use crate::port::Protocol;

/// A Service.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Service {
    /// Metadata and place.
    pub meta: Meta,
    /// `spec.type`.
    pub exposure: Exposure,
    /// `spec.selector`; `None` or empty: endpoints are made by hand.
    pub selector: Option<Labels>,
    /// `clusterIPs` (or `clusterIP`); empty when none was given yet, and when headless.
    pub cluster_ips: Vec<IpAddr>,
    /// `clusterIP: None`.
    pub headless: bool,
    /// `externalIPs`.
    pub external_ips: Vec<IpAddr>,
    /// `status.loadBalancer.ingress[].ip`.
    pub load_balancer_ips: Vec<IpAddr>,
    /// `ports`.
    pub ports: Vec<ServicePort>,
    /// `publishNotReadyAddresses`.
    pub publish_not_ready: bool,
    /// `externalTrafficPolicy`.
    pub external_traffic: ExternalTraffic,
    /// `internalTrafficPolicy`.
    pub internal_traffic: InternalTraffic,
    /// `loadBalancerSourceRanges`: who may come by the load balancer; empty: everybody.
    pub source_ranges: Vec<IpNet>,
    /// Whether a load balancer's ports are ports of each node, too (`allocateLoadBalancerNodePorts`).
    pub allocates_node_ports: bool,
    /// `status.loadBalancer.ingress[].hostname`.
    pub load_balancer_hostnames: Vec<Name>,
}

/// `externalTrafficPolicy`: what becomes of traffic from outside at a node.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub enum ExternalTraffic {
    /// It may go on to another node, with the address of the first in place of the sender's.
    #[default]
    Cluster,
    /// It stays on the node, and keeps its sender's address.
    Local,
}

/// `internalTrafficPolicy`: which endpoints traffic from inside to the cluster IPs goes to.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub enum InternalTraffic {
    /// All of them.
    #[default]
    Cluster,
    /// Those on the sender's own node alone.
    Local,
}

/// `spec.type` of a Service.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs)]
pub enum Exposure {
    ClusterIp,
    NodePort,
    LoadBalancer,
    /// With the DNS name that it stands for.
    ExternalName(String),
}

/// One of a Service's `ports`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ServicePort {
    /// Its name, if any.
    pub name: Option<Name>,
    /// TCP when the manifest is silent.
    pub protocol: Protocol,
    /// `port`: the Service's.
    pub port: u16,
    /// `targetPort`: the pods'; `port` when missing.
    pub target: TargetPort,
    /// `nodePort`.
    pub node_port: Option<u16>,
}

/// `targetPort`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum TargetPort {
    /// By number.
    Number(u16),
    /// By name; each pod resolves it for itself.
    Name(Name),
}

/// An EndpointSlice (`discovery.k8s.io/v1`).
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct EndpointSlice {
    /// Metadata and place.
    pub meta: Meta,
    /// The Service, from the label `kubernetes.io/service-name`.
    pub service: Option<Name>,
    /// `endpoints`.
    pub endpoints: Vec<Endpoint>,
    /// `ports`.
    pub ports: Vec<EndpointPort>,
}

/// One of a slice's `endpoints`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Endpoint {
    /// `addresses`.
    pub addresses: Vec<IpAddr>,
    /// `conditions.ready`, true when missing.
    pub ready: bool,
    /// `targetRef` when it is a Pod: its name, in the slice's namespace.
    pub pod: Option<Name>,
}

/// One of a slice's `ports`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct EndpointPort {
    /// The Service port's name, if any.
    pub name: Option<Name>,
    /// TCP when the manifest is silent.
    pub protocol: Protocol,
    /// `None`: all ports.
    pub port: Option<u16>,
}
