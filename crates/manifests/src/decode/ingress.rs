//! Ingress and IngressClass. Source: `ValidateIngressCreate` and `ValidateIngressClass` of Kubernetes.

use palisade_model::ingress::{
    BackendPort, Ingress, IngressBackend, IngressClass, IngressPath, IngressRule, PathMatching,
};
use palisade_model::{Meta, Name};

use super::port::{check_port_name, read_port_number};
use super::service::read_load_balancer;
use crate::address::parse_address;
use crate::at::At;
use crate::names;
use crate::report::{Report, WithHint};

/// The class of an Ingress before there was a field for it.
const CLASS_ANNOTATION: &str = "kubernetes.io/ingress.class";
/// Marks the class of Ingresses that name none.
const DEFAULT_CLASS_ANNOTATION: &str = "ingressclass.kubernetes.io/is-default-class";
/// Source: `maxLenIngressClassController`.
const LONGEST_CONTROLLER: usize = 250;

pub(super) fn decode(report: &mut Report, root: &At<'_, '_>, meta: Meta) -> Ingress {
    let mut ingress = Ingress {
        class: meta.annotations.value(CLASS_ANNOTATION).map(Name::from),
        meta,
        default_backend: None,
        rules: Vec::new(),
        tls_hosts: Vec::new(),
        addresses: read_load_balancer(root, |at| at.text("ip").and_then(parse_address)),
        hostnames: read_load_balancer(root, |at| at.non_empty("hostname").map(Name::from)),
    };
    let spec = root.field("spec");
    let has = |field| spec.as_ref().is_some_and(|spec| spec.field(field).is_some());
    let is_empty = |list| spec.as_ref().and_then(|spec| Some(spec.field(list)?.elements().len())).unwrap_or(0) == 0;
    if is_empty("rules") && !has("defaultBackend") {
        report
            .reject(spec.as_ref().unwrap_or(root), "missing-field", "neither `rules` nor `defaultBackend`")
            .with_hint("add a rule, or a backend for every request");
    }
    let Some(spec) = spec else { return ingress };
    ingress.default_backend = spec.field("defaultBackend").and_then(|at| read_backend(report, &at));
    ingress.rules = spec.list("rules", |at| read_rule(report, at));
    ingress.tls_hosts = read_tls(report, &spec);
    if let Some(class) = spec.field("ingressClassName") {
        let text = class.as_text().unwrap_or_default();
        if let Err(why) = names::check_subdomain(text) {
            report.reject(&class, "invalid-value", &format!("`{text}` {why}"));
        }
        if let Some(older) = ingress.class.as_deref().filter(|older| *older != text) {
            report
                .reject(&class, "invalid-value", &format!("the annotation `{CLASS_ANNOTATION}` says `{older}`"))
                .with_hint("remove the annotation");
        }
        ingress.class = Some(text.into());
    }
    ingress
}

fn read_rule(report: &mut Report, at: &At<'_, '_>) -> IngressRule {
    if let Some(host) = at.field("host") {
        check_host(report, &host, Addresses::Refused);
    }
    let mut paths = Vec::new();
    if let Some(http) = at.field("http") {
        let is_empty = http.field("paths").is_none_or(|paths| paths.elements().len() == 0);
        if is_empty {
            report.reject(&http, "missing-field", "`paths` is missing or empty");
        }
        paths = http.list("paths", |path| read_path(report, path)).into_iter().flatten().collect();
    }
    IngressRule { place: report.place(at.line()), host: at.non_empty("host").map(Name::from), paths }
}

/// Whether a host may be written as an address.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Addresses {
    Refused,
    Taken,
}

fn check_host(report: &mut Report, at: &At<'_, '_>, addresses: Addresses) {
    let text = at.as_text().unwrap_or_default();
    // Empty is every host; of a certificate's names it is none.
    if text.is_empty() && addresses == Addresses::Refused {
        return;
    }
    if addresses == Addresses::Refused && parse_address(text).is_some() {
        report
            .reject(at, "invalid-value", &format!("`{text}` is an address, and a host is a name"))
            .with_hint("remove the line: every host means the address, too");
        return;
    }
    let name = if text.contains('*') { text.strip_prefix("*.").unwrap_or(text) } else { text };
    let is_too_long = text.len() > names::LONGEST_SUBDOMAIN;
    if is_too_long || names::check_subdomain(name).is_err() {
        report
            .reject(at, "invalid-value", &format!("`{text}` is no host"))
            .with_hint("write a DNS name in lower case, perhaps with `*.` in front and no other `*`");
    }
}

fn read_path(report: &mut Report, at: &At<'_, '_>) -> Option<IngressPath> {
    let backend = match at.field("backend") {
        Some(backend) => read_backend(report, &backend),
        None => {
            report.reject(at, "missing-field", "`backend` is missing");
            None
        }
    };
    let path = at.text("path").unwrap_or_default();
    let Some(kind) = at.field("pathType") else {
        report
            .reject(at, "missing-field", "`pathType` is missing")
            .with_hint("use Exact, Prefix or ImplementationSpecific");
        return None;
    };
    let matching = match kind.as_text().unwrap_or_default() {
        "Exact" => PathMatching::Exact,
        "Prefix" => PathMatching::Prefix,
        "ImplementationSpecific" => PathMatching::ImplementationSpecific,
        other => {
            report
                .reject(&kind, "invalid-value", &format!("unknown `pathType` `{other}`"))
                .with_hint("use Exact, Prefix or ImplementationSpecific");
            return None;
        }
    };
    if let Err(why) = check_path(path, matching) {
        report.reject(at, "invalid-value", &format!("path `{path}` {why}"));
    }
    Some(IngressPath { place: report.place(at.line()), path: path.to_owned(), matching, backend: backend? })
}

fn check_path(path: &str, matching: PathMatching) -> Result<(), String> {
    /// Sources: `invalidPathSequences` and `invalidPathSuffixes`.
    const NOT_INSIDE: [&str; 5] = ["//", "/./", "/../", "%2f", "%2F"];
    const NOT_LAST: [&str; 2] = ["/..", "/."];
    let is_free = matching == PathMatching::ImplementationSpecific;
    if !path.starts_with('/') && (!is_free || !path.is_empty()) {
        return Err("must start with `/`".to_owned());
    }
    if is_free {
        return Ok(());
    }
    if let Some(text) = NOT_INSIDE.iter().find(|text| path.contains(**text)) {
        return Err(format!("must not contain `{text}`"));
    }
    match NOT_LAST.iter().find(|text| path.ends_with(**text)) {
        Some(text) => Err(format!("must not end with `{text}`")),
        None => Ok(()),
    }
}

fn read_backend(report: &mut Report, at: &At<'_, '_>) -> Option<IngressBackend> {
    match (at.field("service"), at.field("resource")) {
        (Some(_), Some(_)) => {
            report.reject(at, "invalid-value", "`service` may not stand beside `resource`");
            None
        }
        (Some(service), None) => read_service(report, at, &service),
        (None, Some(resource)) => read_resource(report, &resource),
        (None, None) => {
            report
                .reject(at, "missing-field", "neither `service` nor `resource`")
                .with_hint("add `service: {name: ..., port: {number: 80}}`");
            None
        }
    }
}

fn read_service(report: &mut Report, backend: &At<'_, '_>, at: &At<'_, '_>) -> Option<IngressBackend> {
    let name = at.text("name").unwrap_or_default();
    if let Err(why) = names::check_service_name(name) {
        report.reject(at, "invalid-value", &format!("Service `{name}` {why}"));
    }
    let port = at.field("port");
    let by_name = port.as_ref().and_then(|port| port.non_empty("name"));
    let by_number = port.as_ref().and_then(|port| port.field("number")).filter(|at| at.as_integer() != Some(0));
    let port = match (by_name, by_number) {
        (Some(_), Some(_)) => {
            report.reject(backend, "invalid-value", "a port has a `name` or a `number`, not both");
            return None;
        }
        (Some(port), None) => {
            check_port_name(report, at, port)?;
            BackendPort::Name(port.into())
        }
        (None, Some(number)) => BackendPort::Number(read_port_number(report, &number)?),
        (None, None) => {
            report
                .reject(backend, "missing-field", "the Service's port is missing")
                .with_hint("add `port: {number: 80}`");
            return None;
        }
    };
    Some(IngressBackend::Service { name: name.into(), port })
}

fn read_resource(report: &mut Report, at: &At<'_, '_>) -> Option<IngressBackend> {
    check_reference(report, at);
    Some(IngressBackend::Resource { kind: at.non_empty("kind")?.into(), name: at.non_empty("name")?.into() })
}

/// Source: `validateIngressTypedLocalObjectReference`.
fn check_reference(report: &mut Report, at: &At<'_, '_>) {
    if let Some(group) = at.text("apiGroup")
        && let Err(why) = names::check_subdomain(group)
    {
        report.reject(at, "invalid-value", &format!("`apiGroup` `{group}` {why}"));
    }
    for field in ["kind", "name"] {
        match at.non_empty(field) {
            None => {
                report.reject(at, "missing-field", &format!("`{field}` is missing"));
            }
            Some("." | "..") => {
                report.reject(at, "invalid-value", &format!("`{field}` is no name"));
            }
            Some(text) if text.contains(['/', '%']) => {
                report.reject(at, "invalid-value", &format!("`{field}` `{text}` may hold neither `/` nor `%`"));
            }
            Some(_) => {}
        }
    }
}

fn read_tls(report: &mut Report, spec: &At<'_, '_>) -> Vec<Name> {
    let hosts = spec.list("tls", |at| {
        let hosts = at.list("hosts", |host| {
            check_host(report, host, Addresses::Taken);
            host.as_text().map(Name::from)
        });
        if let Some(secret) = at.non_empty("secretName")
            && let Err(why) = names::check_subdomain(secret)
        {
            report.reject(at, "invalid-value", &format!("`secretName` `{secret}` {why}"));
        }
        hosts
    });
    hosts.into_iter().flatten().flatten().collect()
}

pub(super) fn decode_class(report: &mut Report, root: &At<'_, '_>, meta: Meta) -> Option<IngressClass> {
    let spec = root.field("spec");
    let controller = spec.as_ref().and_then(|spec| spec.non_empty("controller")).unwrap_or_default();
    if controller.len() > LONGEST_CONTROLLER || !is_domain_with_path(controller) {
        report
            .reject(
                spec.as_ref().unwrap_or(root),
                "invalid-value",
                &format!("`controller` `{controller}` names nobody"),
            )
            .with_hint("write it as `example.com/controller`");
    }
    if let Some(parameters) = spec.as_ref().and_then(|spec| spec.field("parameters")) {
        check_reference(report, &parameters);
        check_scope(report, &parameters);
    }
    let is_default = meta.annotations.value(DEFAULT_CLASS_ANNOTATION) == Some("true");
    Some(IngressClass { meta, controller: controller.into(), is_default })
}

/// Source: `IsDomainPrefixedPath`.
fn is_domain_with_path(text: &str) -> bool {
    let Some((domain, path)) = text.split_once('/') else { return false };
    let is_of_path = |byte: u8| byte.is_ascii_alphanumeric() || b"/-._~%!$&'()*+,;=:".contains(&byte);
    names::check_subdomain(domain).is_ok() && !path.is_empty() && path.bytes().all(is_of_path)
}

fn check_scope(report: &mut Report, at: &At<'_, '_>) {
    let namespace = at.text("namespace");
    match (at.text("scope").unwrap_or("Cluster"), namespace) {
        ("Cluster", None) => {}
        ("Cluster", Some(_)) => {
            report.reject(at, "invalid-value", "`namespace` may not stand beside the scope `Cluster`");
        }
        ("Namespace", namespace) => {
            if let Err(why) = names::check_label(namespace.unwrap_or_default()) {
                report.reject(at, "invalid-value", &format!("`namespace` {why}"));
            }
        }
        (other, _) => {
            report
                .reject(at, "invalid-value", &format!("unknown scope `{other}`"))
                .with_hint("use Cluster or Namespace");
        }
    }
}
