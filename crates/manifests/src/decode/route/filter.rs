//! The filters of a route's rules and backends: no door depends on more of them than redirects and mirrors, but a wrong
//! one keeps the whole route out of force.

use crate::at::At;
use crate::report::{Report, WithHint};

/// The types of filters with the field that holds each.
const FIELDS: [(&str, &str); 8] = [
    ("CORS", "cors"),
    ("ExtensionRef", "extensionRef"),
    ("ExternalAuth", "externalAuth"),
    ("RequestHeaderModifier", "requestHeaderModifier"),
    ("RequestMirror", "requestMirror"),
    ("RequestRedirect", "requestRedirect"),
    ("ResponseHeaderModifier", "responseHeaderModifier"),
    ("URLRewrite", "urlRewrite"),
];

/// Those that may stand in a list more than once.
const REPEATED: [&str; 3] = ["ExtensionRef", "ExternalAuth", "RequestMirror"];

pub(super) fn check_filters(report: &mut Report, parent: &At<'_, '_>) {
    let Some(list) = parent.field("filters") else { return };
    let count = |wanted: &str| list.elements().filter(|at| at.text("type") == Some(wanted)).count();
    if count("RequestRedirect") > 0 && count("URLRewrite") > 0 {
        report.reject(&list, "invalid-value", "RequestRedirect may not stand beside URLRewrite");
    }
    for (kind, _) in FIELDS.iter().filter(|(kind, _)| !REPEATED.contains(kind)) {
        if count(kind) > 1 {
            report.reject(&list, "duplicate", &format!("two filters of the type {kind}"));
        }
    }
    list.elements().for_each(|at| check_filter(report, &at));
}

fn check_filter(report: &mut Report, at: &At<'_, '_>) {
    let kind = at.text("type").unwrap_or_default();
    for (of, field) in FIELDS {
        match (of == kind, at.field(field)) {
            (true, None) => {
                report.reject(at, "missing-field", &format!("the type {kind} needs `{field}`"));
            }
            (false, Some(_)) => {
                report.reject(at, "invalid-value", &format!("`{field}` may not stand beside the type {kind}"));
            }
            (true, Some(_)) | (false, None) => {}
        }
    }
    if let Some(mirror) = at.field("requestMirror") {
        check_mirror(report, &mirror);
    }
    if let Some(cors) = at.field("cors") {
        check_cors(report, &cors);
    }
    if let Some(auth) = at.field("externalAuth") {
        check_auth(report, &auth);
    }
    for field in ["requestRedirect", "urlRewrite"] {
        if let Some(path) = at.field(field).as_ref().and_then(|filter| filter.field("path")) {
            check_path_modifier(report, &path);
        }
    }
}

fn check_mirror(report: &mut Report, at: &At<'_, '_>) {
    if let Some(backend) = at.field("backendRef") {
        check_service_port(report, &backend);
    }
    let Some(fraction) = at.field("fraction") else { return };
    if at.field("percent").is_some() {
        report.reject(at, "invalid-value", "`percent` may not stand beside `fraction`");
    }
    if fraction.integer("numerator") > Some(fraction.integer("denominator").unwrap_or(100)) {
        report.reject(&fraction, "invalid-value", "the fraction is more than all");
    }
}

fn check_cors(report: &mut Report, at: &At<'_, '_>) {
    for field in ["allowHeaders", "allowMethods", "allowOrigins", "exposeHeaders"] {
        let Some(list) = at.field(field) else { continue };
        if list.elements().len() > 1 && list.elements().any(|at| at.as_text() == Some("*")) {
            report.reject(&list, "invalid-value", "`*` stands alone");
        }
    }
}

fn check_auth(report: &mut Report, at: &At<'_, '_>) {
    if let Some(backend) = at.field("backendRef") {
        check_service_port(report, &backend);
    }
    for (protocol, field) in [("GRPC", "grpc"), ("HTTP", "http")] {
        if (at.text("protocol") == Some(protocol)) != at.field(field).is_some() {
            report.reject(
                at,
                "invalid-value",
                &format!("`{field}` stands beside the protocol {protocol} alone, and must"),
            );
        }
    }
}

fn check_path_modifier(report: &mut Report, at: &At<'_, '_>) {
    for (kind, field) in [("ReplaceFullPath", "replaceFullPath"), ("ReplacePrefixMatch", "replacePrefixMatch")] {
        if (at.text("type") == Some(kind)) != at.field(field).is_some() {
            report.reject(at, "invalid-value", &format!("`{field}` stands beside the type {kind} alone, and must"));
        }
    }
}

/// A Service is named with its port.
pub(super) fn check_service_port(report: &mut Report, at: &At<'_, '_>) {
    let is_service =
        at.text("group").unwrap_or_default().is_empty() && at.text("kind").unwrap_or("Service") == "Service";
    if is_service && at.field("port").is_none() {
        report.reject(at, "missing-field", "`port` is missing").with_hint("add the port of the Service");
    }
}

/// A prefix can be replaced only where exactly one is matched.
pub(super) fn check_prefix_replacement(report: &mut Report, rule: &At<'_, '_>) {
    let replaces = |parent: &At<'_, '_>, field: &'static str| {
        let Some(filters) = parent.field("filters") else { return 0 };
        let is_replacing = |filter: &At<'_, '_>| {
            let filter = filter.field(field);
            let path = filter.as_ref().and_then(|filter| filter.field("path"));
            path.is_some_and(|path| {
                path.text("type") == Some("ReplacePrefixMatch") && path.field("replacePrefixMatch").is_some()
            })
        };
        filters.elements().filter(is_replacing).count()
    };
    // The CRDs ask for exactly one, and so look away where there are more.
    let replaced = ["requestRedirect", "urlRewrite"].into_iter().any(|field| {
        let backends = rule.field("backendRefs");
        let of_backends =
            backends.iter().flat_map(|list| list.elements()).filter(|backend| replaces(backend, field) > 0).count();
        replaces(rule, field) == 1 || of_backends == 1
    });
    if !replaced {
        return;
    }
    let is_prefix = match rule.field("matches") {
        // Defaulted to the prefix `/`.
        None => true,
        Some(matches) => {
            let mut elements = matches.elements();
            let kind = |at: At<'_, '_>| {
                let path = at.field("path");
                path.as_ref().and_then(|path| path.text("type")).is_none_or(|kind| kind == "PathPrefix")
            };
            matches.elements().len() == 1 && elements.next().is_some_and(kind)
        }
    };
    if !is_prefix {
        report
            .reject(rule, "invalid-value", "`replacePrefixMatch` needs exactly one match, of a path's prefix")
            .with_hint("give the rule one match with `path: {type: PathPrefix, ...}`");
    }
}
