//! GatewayClass, Gateway and ReferenceGrant.
//!
//! Source: the CRDs of sigs.k8s.io/gateway-api; what they say as structure is checked by `schema::structure`, what they
//! say as rules in CEL here.

use std::collections::BTreeSet;
use std::net::IpAddr;

use palisade_model::gateway::{
    GROUP, Gateway, GatewayClass, Listener, ListenerProtocol, ReferenceGrant, RouteKind, RoutesFrom,
};
use palisade_model::selector::{Operator, Requirement};
use palisade_model::{Labels, Meta, Name, Selector};

use crate::address::parse_address;
use crate::at::At;
use crate::names;
use crate::report::{Report, WithHint};
use crate::schema::structure;

pub(super) fn decode_class(report: &mut Report, root: &At<'_, '_>, meta: Meta) -> Option<GatewayClass> {
    structure::check(report, root, "GatewayClass");
    let controller = root.field("spec")?.text("controllerName")?.into();
    Some(GatewayClass { meta, controller })
}

pub(super) fn decode(report: &mut Report, root: &At<'_, '_>, meta: Meta) -> Option<Gateway> {
    structure::check(report, root, "Gateway");
    if !report.is_good() {
        return None;
    }
    let spec = root.field("spec")?;
    check_addresses(report, &spec);
    check_infrastructure(report, &spec);
    check_listeners(report, &spec);
    let listeners = spec.list("listeners", |at| read_listener(report, at)).into_iter().flatten().collect();
    let is_address = |at: &At<'_, '_>| matches!(at.text("type"), None | Some("IPAddress"));
    let address = |at: &At<'_, '_>| at.text("value").filter(|_| is_address(at)).and_then(parse_address);
    let of = |parent: &At<'_, '_>| parent.list("addresses", |at| address(at)).into_iter().flatten().collect::<Vec<_>>();
    let mut addresses = of(&spec);
    addresses.extend(root.field("status").map(|status| of(&status)).unwrap_or_default());
    addresses.sort_unstable();
    addresses.dedup();
    Some(Gateway { class: spec.text("gatewayClassName")?.into(), meta, listeners, addresses })
}

fn check_addresses(report: &mut Report, spec: &At<'_, '_>) {
    let mut seen = BTreeSet::new();
    let Some(list) = spec.field("addresses") else { return };
    for at in list.elements() {
        let Some(value) = at.text("value") else { continue };
        let kind = at.text("type").unwrap_or("IPAddress");
        let is_wrong = match kind {
            "IPAddress" => value.parse::<IpAddr>().is_err(),
            "Hostname" => names::check_subdomain(value.strip_prefix("*.").unwrap_or(value)).is_err(),
            _ => false,
        };
        if is_wrong {
            report.reject(&at, "invalid-value", &format!("`{value}` is no {kind}"));
        }
        if matches!(kind, "IPAddress" | "Hostname") && !seen.insert((kind, value)) {
            report.reject(&at, "duplicate", &format!("`{value}` stands there twice"));
        }
    }
}

/// Source: the rules of `spec.infrastructure`, `labels` and `annotations`.
fn check_infrastructure(report: &mut Report, spec: &At<'_, '_>) {
    let Some(infrastructure) = spec.field("infrastructure") else { return };
    for field in ["labels", "annotations"] {
        let Some(pairs) = infrastructure.field(field) else { continue };
        for (key, value) in pairs.fields() {
            if names::check_key(key).is_err() || key.split('/').next().is_some_and(|prefix| prefix.len() >= 253) {
                report.reject(&value, "invalid-value", &format!("`{key}` is no key"));
            }
        }
    }
}

fn check_listeners(report: &mut Report, spec: &At<'_, '_>) {
    let mut seen = BTreeSet::new();
    let Some(list) = spec.field("listeners") else { return };
    for at in list.elements() {
        let protocol = at.text("protocol").unwrap_or_default();
        let tls = at.field("tls");
        let mode = tls.as_ref().map(|tls| tls.text("mode").unwrap_or("Terminate"));
        let count = |field| {
            tls.as_ref()
                .and_then(|tls| Some(tls.field(field)?.fields().count().max(tls.field(field)?.elements().len())))
        };
        let wrong = match (protocol, mode) {
            ("HTTP" | "TCP" | "UDP", Some(_)) => Some("`tls` may not stand beside this protocol"),
            ("HTTPS", Some(mode)) if mode != "Terminate" => Some("HTTPS ends TLS at the Gateway: `mode` is Terminate"),
            ("TLS", None) => Some("TLS needs `tls`"),
            (_, Some("Terminate"))
                if count("certificateRefs").unwrap_or(0) == 0 && count("options").unwrap_or(0) == 0 =>
            {
                Some("TLS that ends here needs `certificateRefs`")
            }
            _ if matches!(protocol, "TCP" | "UDP") && at.non_empty("hostname").is_some() => {
                Some("`hostname` may not stand beside this protocol")
            }
            _ => None,
        };
        if let Some(wrong) = wrong {
            report.reject(&at, "invalid-value", wrong);
        }
        if !seen.insert((at.integer("port"), protocol, at.text("hostname"))) {
            report
                .reject(&at, "duplicate", "two listeners have this port, protocol and hostname")
                .with_hint("give them different ports or hostnames");
        }
    }
}

fn read_listener(report: &mut Report, at: &At<'_, '_>) -> Option<Listener> {
    let allowed = at.field("allowedRoutes");
    let kinds = allowed.as_ref().and_then(|allowed| allowed.field("kinds")).filter(|kinds| kinds.elements().len() > 0);
    let route_kind = |at: &At<'_, '_>| {
        let is_ours = at.text("group").unwrap_or(GROUP) == GROUP;
        at.text("kind").filter(|_| is_ours).and_then(RouteKind::named)
    };
    Some(Listener {
        place: report.place(at.line()),
        name: at.text("name")?.into(),
        hostname: at.non_empty("hostname").map(Name::from),
        port: u16::try_from(at.integer("port")?).ok()?,
        protocol: match at.text("protocol")? {
            "HTTP" => ListenerProtocol::Http,
            "HTTPS" => ListenerProtocol::Https,
            "TLS" => ListenerProtocol::Tls,
            "TCP" => ListenerProtocol::Tcp,
            "UDP" => ListenerProtocol::Udp,
            other => ListenerProtocol::Other(other.into()),
        },
        routes_from: read_routes_from(allowed.as_ref()),
        route_kinds: kinds.map(|kinds| kinds.elements().filter_map(|at| route_kind(&at)).collect()),
    })
}

fn read_routes_from(allowed: Option<&At<'_, '_>>) -> RoutesFrom {
    let Some(namespaces) = allowed.and_then(|allowed| allowed.field("namespaces")) else { return RoutesFrom::Same };
    match namespaces.text("from").unwrap_or("Same") {
        "All" => RoutesFrom::All,
        "None" => RoutesFrom::None,
        // Without a selector, or with one that cannot be read, the controller takes no route.
        "Selector" => {
            namespaces.field("selector").and_then(|at| selector(&at)).map_or(RoutesFrom::None, RoutesFrom::Selector)
        }
        _ => RoutesFrom::Same,
    }
}

/// A selector of a custom resource: the API server checks its shape alone.
fn selector(at: &At<'_, '_>) -> Option<Selector> {
    let pairs = at.field("matchLabels");
    let match_labels: Labels = pairs
        .iter()
        .flat_map(|pairs| pairs.fields())
        // Nulls of a custom resource are dropped.
        .filter(|(_, value)| !value.value.is_null())
        .map(|(key, value)| (key, value.as_text().unwrap_or_default()))
        .collect();
    let requirement = |at: &At<'_, '_>| {
        let operator = match at.text("operator")? {
            "In" => Operator::In,
            "NotIn" => Operator::NotIn,
            "Exists" => Operator::Exists,
            "DoesNotExist" => Operator::DoesNotExist,
            _ => return None,
        };
        let values = at.list("values", |value| Name::from(value.as_text().unwrap_or_default()));
        Some(Requirement { key: at.text("key")?.into(), operator, values })
    };
    let match_expressions = at.list("matchExpressions", requirement).into_iter().collect::<Option<Vec<_>>>()?;
    Some(Selector { match_labels, match_expressions })
}

pub(super) fn decode_grant(report: &mut Report, root: &At<'_, '_>, meta: Meta) -> Option<ReferenceGrant> {
    structure::check(report, root, "ReferenceGrant");
    let Some(spec) = root.field("spec") else { return Some(ReferenceGrant { meta, from: Vec::new(), to: Vec::new() }) };
    let name = |at: &At<'_, '_>, field| Name::from(at.text(field).unwrap_or_default());
    let from = spec.list("from", |at| (name(at, "group"), name(at, "kind"), name(at, "namespace")));
    let to = spec.list("to", |at| (name(at, "group"), name(at, "kind"), at.non_empty("name").map(Name::from)));
    Some(ReferenceGrant { meta, from, to })
}
