//! Ingresses and their classes (`networking.k8s.io/v1`).

use std::net::IpAddr;

use serde::Serialize;

use crate::object::{Meta, Name};
use crate::place::Place;

/// An Ingress: requests from outside, by host and path, to Services of its namespace.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Ingress {
    /// Metadata and place.
    pub meta: Meta,
    /// `ingressClassName`, or the older annotation `kubernetes.io/ingress.class`; `None`: the default class.
    pub class: Option<Name>,
    /// `defaultBackend`: for requests that no rule takes.
    pub default_backend: Option<IngressBackend>,
    /// `rules`.
    pub rules: Vec<IngressRule>,
    /// The hosts of `tls`, for which the controller has certificates.
    pub tls_hosts: Vec<Name>,
    /// `status.loadBalancer.ingress[].ip`.
    pub addresses: Vec<IpAddr>,
    /// `status.loadBalancer.ingress[].hostname`.
    pub hostnames: Vec<Name>,
}

/// One of an Ingress' `rules`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct IngressRule {
    /// Where it stands.
    pub place: Place,
    /// `host`, perhaps with a leading `*.`; `None`: every host.
    pub host: Option<Name>,
    /// `http.paths`; empty: everything goes to the default backend.
    pub paths: Vec<IngressPath>,
}

/// One of a rule's `paths`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct IngressPath {
    /// Where it stands.
    pub place: Place,
    /// `path`; empty for every path.
    pub path: String,
    /// `pathType`.
    pub matching: PathMatching,
    /// `backend`.
    pub backend: IngressBackend,
}

/// `pathType`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
pub enum PathMatching {
    /// This path alone.
    Exact,
    /// This path and everything below, by whole elements.
    Prefix,
    /// As the controller likes.
    ImplementationSpecific,
}

/// Where requests go.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum IngressBackend {
    /// A port of a Service of the same namespace.
    Service {
        /// The Service.
        name: Name,
        /// Its port.
        port: BackendPort,
    },
    /// An object that only the controller knows.
    Resource {
        /// Its kind.
        kind: Name,
        /// Its name.
        name: Name,
    },
}

/// A port of a Service, as an Ingress names it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum BackendPort {
    /// By number.
    Number(u16),
    /// By its name.
    Name(Name),
}

/// An IngressClass: which controller serves the Ingresses that name it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct IngressClass {
    /// Metadata and place.
    pub meta: Meta,
    /// `spec.controller`, such as `k8s.io/ingress-nginx`.
    pub controller: Name,
    /// Whether it serves Ingresses that name no class.
    pub is_default: bool,
}
