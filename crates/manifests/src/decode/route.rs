//! HTTPRoute, GRPCRoute, TLSRoute, TCPRoute and UDPRoute.
//!
//! Source: the CRDs of sigs.k8s.io/gateway-api; what they say as structure is checked by `schema::structure`, what they
//! say as rules in CEL here.

mod filter;

use std::collections::BTreeSet;
use std::net::IpAddr;

use palisade_model::gateway::{GROUP, GatewayRef, Route, RouteBackend, RouteKind, RoutePath, RouteRule};
use palisade_model::{Meta, Name};

use self::filter::{check_filters, check_prefix_replacement, check_service_port};
use crate::at::At;
use crate::names;
use crate::report::{Report, WithHint};
use crate::schema::structure;

/// Most matches of all rules of a route together. Source: the CRDs' rule of `spec.rules`.
const MOST_MATCHES: usize = 128;

pub(super) fn decode(report: &mut Report, root: &At<'_, '_>, meta: Meta, kind: RouteKind) -> Option<Route> {
    let is_older_tls =
        kind == RouteKind::Tls && root.text("apiVersion").is_some_and(|version| version.ends_with("v1alpha2"));
    structure::check(report, root, if is_older_tls { "v1alpha2.TLSRoute" } else { kind.kind().as_str() });
    if !report.is_good() {
        return None;
    }
    let Some(spec) = root.field("spec") else {
        return Some(Route { meta, kind, parents: Vec::new(), hostnames: Vec::new(), rules: Vec::new() });
    };
    check_parents(report, &spec);
    check_rules(report, &spec, kind);
    if kind == RouteKind::Tls && !is_older_tls {
        check_tls_hosts(report, &spec);
    }
    let namespace = meta.reference.namespace.clone().unwrap_or_default();
    let parents = spec.list("parentRefs", |at| read_parent(report, at, &namespace)).into_iter().flatten().collect();
    let hostnames = spec.list("hostnames", |at| Name::from(at.as_text().unwrap_or_default()));
    let mut rules = spec.list("rules", |at| read_rule(report, at, &namespace, kind));
    if spec.field("rules").is_none() && kind == RouteKind::Http {
        // Defaulted to one that takes every request and has nobody to send it to.
        let mut rule = empty_rule(report, &spec);
        take_every_path(&mut rule);
        rules.push(rule);
    }
    Some(Route { meta, kind, parents, hostnames, rules })
}

fn empty_rule(report: &Report, at: &At<'_, '_>) -> RouteRule {
    RouteRule {
        place: report.place(at.line()),
        matches: Vec::new(),
        paths: Vec::new(),
        backends: Vec::new(),
        mirrors: Vec::new(),
        redirects: false,
    }
}

/// Of two references to one parent either both or none name a section, and a port; and none stands there twice.
fn check_parents(report: &mut Report, spec: &At<'_, '_>) {
    let Some(list) = spec.field("parentRefs") else { return };
    let mut seen = BTreeSet::new();
    let mut forms = BTreeSet::new();
    for at in list.elements() {
        let parent = [
            at.text("group").unwrap_or(GROUP),
            at.text("kind").unwrap_or("Gateway"),
            at.text("namespace").unwrap_or_default(),
            at.text("name").unwrap_or_default(),
        ];
        let (section, port) = (at.non_empty("sectionName"), at.integer("port"));
        let form = (section.is_some(), port.is_some());
        let is_other = forms.iter().any(|(known, other)| *known == parent && *other != form);
        if !seen.insert((parent, section, port)) {
            report.reject(&at, "duplicate", "the parent stands there twice");
        } else if is_other {
            report
                .reject(
                    &at,
                    "invalid-value",
                    "of two references to one parent both must name a `sectionName` or `port`",
                )
                .with_hint("name the listener in each of them, or refer to the Gateway once");
        }
        forms.insert((parent, form));
    }
}

fn check_tls_hosts(report: &mut Report, spec: &At<'_, '_>) {
    let Some(list) = spec.field("hostnames") else { return };
    for at in list.elements() {
        let text = at.as_text().unwrap_or_default();
        let name = text.strip_prefix("*.").unwrap_or(text);
        if text.parse::<IpAddr>().is_ok() || names::check_subdomain(name).is_err() {
            report.reject(&at, "invalid-value", &format!("`{text}` is no host"));
        }
    }
}

fn check_rules(report: &mut Report, spec: &At<'_, '_>, kind: RouteKind) {
    let Some(list) = spec.field("rules") else { return };
    let mut names_seen = BTreeSet::new();
    let mut matches = 0;
    for at in list.elements() {
        // Without `matches` an HTTPRoute's rule has the one that takes everything.
        let own = at.field("matches").map(|matches| matches.elements().len());
        matches += own.unwrap_or(usize::from(kind == RouteKind::Http));
        if let Some(name) = at.text("name")
            && !names_seen.insert(name)
        {
            report.reject(&at, "duplicate", &format!("two rules have the name `{name}`"));
        }
        check_rule(report, &at, kind);
    }
    if matches > MOST_MATCHES {
        report.reject(&list, "invalid-value", &format!("{matches} matches are more than {MOST_MATCHES}"));
    }
}

fn check_rule(report: &mut Report, at: &At<'_, '_>, kind: RouteKind) {
    if let Some(matches) = at.field("matches") {
        matches.elements().for_each(|at| match kind {
            RouteKind::Http => check_path(report, &at),
            RouteKind::Grpc => check_method(report, &at),
            RouteKind::Tcp | RouteKind::Tls | RouteKind::Udp => {}
        });
    }
    check_filters(report, at);
    if let Some(backends) = at.field("backendRefs") {
        for backend in backends.elements() {
            check_service_port(report, &backend);
            check_filters(report, &backend);
        }
        let has_backends = backends.elements().len() > 0;
        if kind == RouteKind::Http && has_backends && has_filter(at, "requestRedirect") {
            report
                .reject(at, "invalid-value", "a redirect may not stand beside `backendRefs`")
                .with_hint("a redirect answers by itself: make it two rules");
        }
    }
    check_prefix_replacement(report, at);
    check_timeouts(report, at);
    if let Some(persistence) = at.field("sessionPersistence") {
        check_persistence(report, &persistence);
    }
}

fn has_filter(at: &At<'_, '_>, field: &'static str) -> bool {
    at.field("filters").is_some_and(|filters| filters.elements().any(|filter| filter.field(field).is_some()))
}

fn check_path(report: &mut Report, at: &At<'_, '_>) {
    const NOT_INSIDE: [&str; 6] = ["//", "/./", "/../", "%2f", "%2F", "#"];
    const NOT_LAST: [&str; 2] = ["/..", "/."];
    let Some(path) = at.field("path") else { return };
    if path.text("type") == Some("RegularExpression") {
        return;
    }
    let value = path.text("value").unwrap_or("/");
    let is_wrong = !value.starts_with('/')
        || NOT_INSIDE.iter().any(|text| value.contains(text))
        || NOT_LAST.iter().any(|text| value.ends_with(text))
        || !is_of_path(value);
    if is_wrong {
        report
            .reject(&path, "invalid-value", &format!("`{value}` is no path"))
            .with_hint("start with `/`, without `//`, `/./`, `/../`, `#` and an encoded `/`");
    }
}

/// Source: the CRDs' pattern of a path's `value`.
fn is_of_path(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-/._~!$&'()*+,;=:@".contains(&byte);
    let mut parts = text.split('%');
    let is_encoded = |part: &str| {
        part.len() >= 2
            && part.bytes().take(2).all(|byte| byte.is_ascii_hexdigit())
            && part.bytes().skip(2).all(is_plain)
    };
    !text.is_empty() && parts.next().is_some_and(|part| part.bytes().all(is_plain)) && parts.all(is_encoded)
}

fn check_method(report: &mut Report, at: &At<'_, '_>) {
    let Some(method) = at.field("method") else { return };
    let (service, name) = (method.text("service"), method.text("method"));
    if service.is_none() && name.is_none() {
        report.reject(&method, "missing-field", "neither `service` nor `method`");
    }
    if method.text("type").unwrap_or("Exact") != "Exact" {
        return;
    }
    let is_word = |text: &str| {
        let mut bytes = text.bytes();
        bytes.next().is_some_and(|first| first.is_ascii_alphabetic() || first == b'_')
            && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    };
    if let Some(service) = service
        && !service.strip_prefix('.').unwrap_or(service).split('.').all(is_word)
    {
        report.reject(&method, "invalid-value", &format!("`{service}` is no service"));
    }
    if let Some(name) = name.filter(|name| !is_word(name)) {
        report.reject(&method, "invalid-value", &format!("`{name}` is no method"));
    }
}

/// A backend may not be waited for longer than the request.
fn check_timeouts(report: &mut Report, at: &At<'_, '_>) {
    let Some(timeouts) = at.field("timeouts") else { return };
    let milliseconds = |field| timeouts.text(field).map(milliseconds);
    let (Some(request), Some(backend)) = (milliseconds("request"), milliseconds("backendRequest")) else { return };
    if request != 0 && backend > request {
        report.reject(&timeouts, "invalid-value", "`backendRequest` is longer than `request`");
    }
}

/// A GEP-2257 duration, whose form the schema has checked: `1h30m`, `500ms`.
fn milliseconds(text: &str) -> u64 {
    let mut rest = text;
    let mut total = 0;
    while let Some(digits) = rest.find(|letter: char| !letter.is_ascii_digit()) {
        let (number, tail) = rest.split_at(digits);
        let unit = tail.find(|letter: char| letter.is_ascii_digit()).unwrap_or(tail.len());
        let factor = match &tail[..unit] {
            "h" => 3_600_000,
            "m" => 60_000,
            "s" => 1_000,
            _ => 1,
        };
        total += number.parse::<u64>().unwrap_or(0) * factor;
        rest = &tail[unit..];
    }
    total
}

fn check_persistence(report: &mut Report, at: &At<'_, '_>) {
    let Some(cookie) = at.field("cookieConfig") else { return };
    if at.text("type").unwrap_or("Cookie") != "Cookie" {
        report.reject(at, "invalid-value", "`cookieConfig` may stand beside the type Cookie alone");
    }
    if cookie.text("lifetimeType") == Some("Permanent") && at.field("absoluteTimeout").is_none() {
        report.reject(at, "missing-field", "a permanent cookie needs `absoluteTimeout`");
    }
}

fn read_parent(report: &Report, at: &At<'_, '_>, namespace: &Name) -> Option<GatewayRef> {
    let is_gateway = at.text("group").unwrap_or(GROUP) == GROUP && at.text("kind").unwrap_or("Gateway") == "Gateway";
    is_gateway.then_some(())?;
    Some(GatewayRef {
        place: report.place(at.line()),
        namespace: at.non_empty("namespace").map_or_else(|| namespace.clone(), Name::from),
        name: at.text("name")?.into(),
        listener: at.non_empty("sectionName").map(Name::from),
        port: at.integer("port").and_then(|port| u16::try_from(port).ok()),
    })
}

fn read_rule(report: &Report, at: &At<'_, '_>, namespace: &Name, kind: RouteKind) -> RouteRule {
    let mut rule = empty_rule(report, at);
    rule.redirects = has_filter(at, "requestRedirect");
    rule.backends = at.list("backendRefs", |at| read_backend(report, at, namespace));
    let mirrors = at.list("filters", |filter| {
        let mirror = filter.field("requestMirror")?;
        mirror.field("backendRef").map(|at| read_backend(report, &at, namespace))
    });
    rule.mirrors = mirrors.into_iter().flatten().collect();
    match at.field("matches") {
        Some(matches) => matches.elements().for_each(|at| match kind {
            RouteKind::Http => read_http_match(&mut rule, &at),
            RouteKind::Grpc => rule.matches.extend(grpc_match(&at)),
            RouteKind::Tcp | RouteKind::Tls | RouteKind::Udp => {}
        }),
        None if kind == RouteKind::Http => take_every_path(&mut rule),
        None => {}
    }
    rule
}

/// What an HTTPRoute's rule without `matches` is given.
fn take_every_path(rule: &mut RouteRule) {
    rule.matches.push("/*".to_owned());
    rule.paths.push(RoutePath::Prefix("/".to_owned()));
}

fn read_http_match(rule: &mut RouteRule, at: &At<'_, '_>) {
    let path = at.field("path");
    let value = path.as_ref().and_then(|path| path.text("value")).unwrap_or("/").to_owned();
    let path = match path.as_ref().and_then(|path| path.text("type")) {
        Some("Exact") => RoutePath::Exact(value),
        Some("RegularExpression") => RoutePath::Expression(value),
        Some(_) | None => RoutePath::Prefix(value),
    };
    let method = at.text("method").map(|method| format!("{method} ")).unwrap_or_default();
    let shown = match &path {
        RoutePath::Exact(value) => format!("= {value}"),
        RoutePath::Expression(value) => format!("~ {value}"),
        RoutePath::Prefix(value) => format!("{}/*", value.trim_end_matches('/')),
    };
    let names = |list, word: &str| {
        let names = at.list(list, |at| format!(" {word} {}", at.text("name").unwrap_or_default()));
        names.concat()
    };
    rule.matches.push(format!("{method}{shown}{}{}", names("headers", "header"), names("queryParams", "query")));
    rule.paths.push(path);
}

fn grpc_match(at: &At<'_, '_>) -> Option<String> {
    let method = at.field("method")?;
    Some(format!("{}/{}", method.text("service").unwrap_or("*"), method.text("method").unwrap_or("*")))
}

fn read_backend(report: &Report, at: &At<'_, '_>, namespace: &Name) -> RouteBackend {
    RouteBackend {
        place: report.place(at.line()),
        group: at.text("group").unwrap_or_default().into(),
        kind: at.text("kind").unwrap_or("Service").into(),
        namespace: at.non_empty("namespace").map_or_else(|| namespace.clone(), Name::from),
        name: at.text("name").unwrap_or_default().into(),
        port: at.integer("port").and_then(|port| u16::try_from(port).ok()),
        weight: at.integer("weight").and_then(|weight| u32::try_from(weight).ok()).unwrap_or(1),
    }
}
