//! The Gateway API (`gateway.networking.k8s.io`): classes, gateways, routes and grants.

use std::net::IpAddr;

use serde::Serialize;

use crate::object::{Kind, Meta, Name};
use crate::place::Place;
use crate::port::Protocol;
use crate::selector::Selector;

/// The group of the Gateway API's own kinds.
pub const GROUP: &str = "gateway.networking.k8s.io";

/// A GatewayClass: which controller serves the Gateways that name it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct GatewayClass {
    /// Metadata and place.
    pub meta: Meta,
    /// `spec.controllerName`.
    pub controller: Name,
}

/// A Gateway: ports on which somebody listens for the outside.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Gateway {
    /// Metadata and place.
    pub meta: Meta,
    /// `gatewayClassName`.
    pub class: Name,
    /// `listeners`.
    pub listeners: Vec<Listener>,
    /// `spec.addresses` and `status.addresses` that are addresses.
    pub addresses: Vec<IpAddr>,
}

/// One of a Gateway's `listeners`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Listener {
    /// Where it stands.
    pub place: Place,
    /// Its name, unique in the Gateway.
    pub name: Name,
    /// `hostname`; `None`: every host.
    pub hostname: Option<Name>,
    /// `port`.
    pub port: u16,
    /// `protocol`.
    pub protocol: ListenerProtocol,
    /// `allowedRoutes.namespaces`: whose routes may attach.
    pub routes_from: RoutesFrom,
    /// `allowedRoutes.kinds`: which kinds may attach; `None`: those of the protocol.
    pub route_kinds: Option<Vec<RouteKind>>,
}

/// What a listener speaks.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs)]
pub enum ListenerProtocol {
    Http,
    Https,
    Tls,
    Tcp,
    Udp,
    /// One that only the controller knows.
    Other(Name),
}

impl ListenerProtocol {
    /// The protocol below it; of an unknown one TCP is taken.
    pub fn transport(&self) -> Protocol {
        match self {
            Self::Http | Self::Https | Self::Tls | Self::Tcp | Self::Other(_) => Protocol::Tcp,
            Self::Udp => Protocol::Udp,
        }
    }
}

impl std::fmt::Display for ListenerProtocol {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Http => "HTTP",
            Self::Https => "HTTPS",
            Self::Tls => "TLS",
            Self::Tcp => "TCP",
            Self::Udp => "UDP",
            Self::Other(name) => name,
        })
    }
}

/// `allowedRoutes.namespaces`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum RoutesFrom {
    /// Every namespace.
    All,
    /// The Gateway's own, which goes without saying.
    Same,
    /// Namespaces with these labels.
    Selector(Selector),
    /// No route.
    None,
}

/// The kinds of routes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
#[allow(missing_docs)]
pub enum RouteKind {
    Grpc,
    Http,
    Tcp,
    Tls,
    Udp,
}

impl RouteKind {
    /// The object kind.
    pub fn kind(self) -> Kind {
        match self {
            Self::Grpc => Kind::GRPCRoute,
            Self::Http => Kind::HTTPRoute,
            Self::Tcp => Kind::TCPRoute,
            Self::Tls => Kind::TLSRoute,
            Self::Udp => Kind::UDPRoute,
        }
    }

    /// The route kind named by `text`.
    pub fn named(text: &str) -> Option<Self> {
        [Self::Grpc, Self::Http, Self::Tcp, Self::Tls, Self::Udp].into_iter().find(|kind| kind.kind().as_str() == text)
    }

    /// Whether routes of this kind attach to a listener of `protocol` that names no kinds.
    ///
    /// Source: Gateway API reference, `Listener.protocol` and `AllowedRoutes.kinds`.
    pub fn suits(self, protocol: &ListenerProtocol) -> bool {
        match (self, protocol) {
            (_, ListenerProtocol::Other(_)) => true,
            (Self::Grpc | Self::Http, ListenerProtocol::Http | ListenerProtocol::Https) => true,
            (Self::Tls | Self::Tcp, ListenerProtocol::Tls) => true,
            (Self::Tcp, ListenerProtocol::Tcp) | (Self::Udp, ListenerProtocol::Udp) => true,
            (Self::Grpc | Self::Http | Self::Tls | Self::Tcp | Self::Udp, _) => false,
        }
    }
}

/// An HTTPRoute, GRPCRoute, TLSRoute, TCPRoute or UDPRoute.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Route {
    /// Metadata and place.
    pub meta: Meta,
    /// Which of the kinds.
    pub kind: RouteKind,
    /// `parentRefs` that are Gateways; others (a Service, for a mesh) are no door.
    pub parents: Vec<GatewayRef>,
    /// `hostnames`; empty: those of the listener.
    pub hostnames: Vec<Name>,
    /// `rules`.
    pub rules: Vec<RouteRule>,
}

/// One of a route's `parentRefs`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct GatewayRef {
    /// Where it stands.
    pub place: Place,
    /// The Gateway's namespace.
    pub namespace: Name,
    /// Its name.
    pub name: Name,
    /// `sectionName`: one listener.
    pub listener: Option<Name>,
    /// `port`: the listeners on it.
    pub port: Option<u16>,
}

/// One of a route's `rules`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RouteRule {
    /// Where it stands.
    pub place: Place,
    /// What it takes, for people: `/cart*`, `= /health`, `shop.Cart/Add`; empty: everything.
    pub matches: Vec<String>,
    /// The path of each match that has one; empty: every path.
    pub paths: Vec<RoutePath>,
    /// `backendRefs`.
    pub backends: Vec<RouteBackend>,
    /// Backends that get a copy of each request (`RequestMirror`).
    pub mirrors: Vec<RouteBackend>,
    /// Whether it answers by itself, with a redirect.
    pub redirects: bool,
}

/// A path as an HTTPRoute matches it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum RoutePath {
    /// This path alone.
    Exact(String),
    /// This path and everything below, by whole elements.
    Prefix(String),
    /// A regular expression, which the controller reads.
    Expression(String),
}

/// One of a rule's `backendRefs`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RouteBackend {
    /// Where it stands.
    pub place: Place,
    /// Its group; empty for a Service.
    pub group: Name,
    /// Its kind.
    pub kind: Name,
    /// Its namespace: the route's unless it says another.
    pub namespace: Name,
    /// Its name.
    pub name: Name,
    /// Its port.
    pub port: Option<u16>,
    /// `weight`: 0 gets nothing.
    pub weight: u32,
}

impl RouteBackend {
    /// Whether it is a Service.
    pub fn is_service(&self) -> bool {
        self.group.is_empty() && &*self.kind == "Service"
    }
}

/// A ReferenceGrant: objects of other namespaces may refer to objects of its own.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ReferenceGrant {
    /// Metadata and place.
    pub meta: Meta,
    /// `from`: group, kind and namespace.
    pub from: Vec<(Name, Name, Name)>,
    /// `to`: group, kind and, unless all are meant, name.
    pub to: Vec<(Name, Name, Option<Name>)>,
}
