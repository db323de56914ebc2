//! Probes of a container. Source: `validateProbe`, `validateHandler` of Kubernetes.

use palisade_model::pod::{Probe, ProbeHandler, ProbePort};

use crate::at::At;
use crate::decode::port::{NumberOrName, read_number_or_name, read_port_number};
use crate::report::{Report, WithHint};

/// The probe under `name` of a container.
pub(super) fn read_probe(report: &mut Report, container: &At<'_, '_>, name: &'static str) -> Option<Probe> {
    let at = container.field(name)?;
    check_numbers(report, &at, name);
    let seconds = |field, default: u32| match at.integer(field) {
        // 0 is the zero value, which defaulting fills in.
        None | Some(0) => default,
        Some(value) => u32::try_from(value).unwrap_or(default),
    };
    Some(Probe {
        handler: read_handler(report, &at)?,
        initial_delay_seconds: seconds("initialDelaySeconds", 0),
        period_seconds: seconds("periodSeconds", 10),
        timeout_seconds: seconds("timeoutSeconds", 1),
    })
}

fn check_numbers(report: &mut Report, at: &At<'_, '_>, name: &str) {
    let is_readiness = name == "readinessProbe";
    for field in ["initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold"] {
        if let Some(number) = at.field(field)
            && number.as_integer().is_some_and(|number| number < 0)
        {
            report.reject(&number, "invalid-value", "must not be negative");
        }
    }
    // 0 is filled in with 1.
    if !is_readiness && at.integer("successThreshold").is_some_and(|count| count > 1) {
        report.reject(at, "invalid-value", &format!("`successThreshold` of a {name} must be 1"));
    }
    if let Some(period) = at.field("terminationGracePeriodSeconds") {
        if is_readiness {
            report.reject(&period, "invalid-value", "a readinessProbe ends nothing").with_hint("remove the line");
        } else if period.as_integer().is_some_and(|seconds| seconds < 1) {
            report.reject(&period, "invalid-value", "must be at least 1");
        }
    }
}

fn read_handler(report: &mut Report, at: &At<'_, '_>) -> Option<ProbeHandler> {
    let count = ["httpGet", "tcpSocket", "grpc", "exec"].into_iter().filter(|name| at.field(name).is_some()).count();
    if count > 1 {
        report
            .reject(at, "invalid-value", "the probe does more than one thing")
            .with_hint("leave one of httpGet, tcpSocket, grpc and exec");
    }
    if let Some(get) = at.field("httpGet") {
        if let Some(scheme) = get.non_empty("scheme").filter(|scheme| !matches!(*scheme, "HTTP" | "HTTPS")) {
            report.reject(&get, "invalid-value", &format!("unknown scheme `{scheme}`")).with_hint("use HTTP or HTTPS");
        }
        return Some(ProbeHandler::HttpGet {
            path: get.non_empty("path").unwrap_or("/").to_owned(),
            port: read_probe_port(report, &get)?,
            host: get.non_empty("host").map(str::to_owned),
            https: get.text("scheme") == Some("HTTPS"),
        });
    }
    if let Some(socket) = at.field("tcpSocket") {
        let port = read_probe_port(report, &socket)?;
        return Some(ProbeHandler::TcpSocket { port, host: socket.non_empty("host").map(str::to_owned) });
    }
    if let Some(grpc) = at.field("grpc") {
        let Some(port) = grpc.field("port") else {
            report.reject(&grpc, "missing-field", "`port` is missing");
            return None;
        };
        return Some(ProbeHandler::Grpc { port: read_port_number(report, &port)? });
    }
    if let Some(exec) = at.field("exec") {
        if exec.field("command").is_none_or(|command| command.elements().len() == 0) {
            report.reject(&exec, "missing-field", "`command` is missing or empty");
        }
        return Some(ProbeHandler::Exec {
            command: exec.list("command", |entry| entry.as_text().unwrap_or_default().to_owned()),
        });
    }
    report.reject(at, "missing-field", "the probe does nothing").with_hint("add httpGet, tcpSocket, grpc or exec");
    None
}

fn read_probe_port(report: &mut Report, at: &At<'_, '_>) -> Option<ProbePort> {
    let Some(port) = at.field("port") else {
        report.reject(at, "missing-field", "`port` is missing");
        return None;
    };
    Some(match read_number_or_name(report, &port)? {
        NumberOrName::Number(number) => ProbePort::Number(number),
        NumberOrName::Name(name) => ProbePort::Name(name.into()),
    })
}
