//! One container of a pod spec, its ports and probes.

use std::collections::BTreeSet;

use palisade_model::Name;
use palisade_model::pod::{Container, ContainerPort, ContainerRole, Probe, ProbeHandler, ProbePort};

use super::read_security_context;
use crate::at::At;
use crate::decode::port::{NumberOrName, check_port_name, read_number_or_name, read_port_number, read_protocol};
use crate::names;
use crate::report::{Report, WithHint};

pub(super) fn read_container(
    report: &mut Report,
    at: &At<'_, '_>,
    role: ContainerRole,
    host_network: bool,
) -> Option<Container> {
    let Some(name) = at.non_empty("name") else {
        report.reject(at, "missing-field", "a container needs a `name`").with_hint("add `name: ...`");
        return None;
    };
    if let Err(why) = names::check_label(name) {
        report.reject(at, "invalid-value", &format!("container name `{name}` {why}"));
    }
    if at.non_empty("image").is_none() {
        report.reject(at, "missing-field", &format!("container `{name}` has no `image`")).with_hint("add `image: ...`");
    }
    let is_sidecar = role == ContainerRole::Init && at.text("restartPolicy") == Some("Always");
    let texts = |list| at.list(list, |entry| entry.as_text().unwrap_or_default().to_owned());
    Some(Container {
        place: report.place(at.line()),
        name: name.into(),
        role: if is_sidecar { ContainerRole::Sidecar } else { role },
        image: at.non_empty("image").map(Name::from),
        command: texts("command"),
        args: texts("args"),
        env: at.list("env", |entry| read_env(report, entry)).into_iter().flatten().collect(),
        ports: read_ports(report, at, host_network),
        readiness: read_probe(report, at, "readinessProbe"),
        liveness: read_probe(report, at, "livenessProbe"),
        startup: read_probe(report, at, "startupProbe"),
        security: at.field("securityContext").map(|context| read_security_context(&context)).unwrap_or_default(),
        mounts: at.list("volumeMounts", read_mount).into_iter().flatten().collect(),
    })
}

fn read_env(report: &mut Report, at: &At<'_, '_>) -> Option<(Name, String)> {
    let Some(name) = at.non_empty("name") else {
        report.reject(at, "missing-field", "an environment variable needs a `name`");
        return None;
    };
    if at.field("valueFrom").is_some() {
        return None;
    }
    Some((name.into(), at.text("value").unwrap_or_default().to_owned()))
}

fn read_mount(at: &At<'_, '_>) -> Option<(Name, Name)> {
    Some((at.non_empty("name")?.into(), at.non_empty("mountPath")?.into()))
}

fn read_ports(report: &mut Report, container: &At<'_, '_>, host_network: bool) -> Vec<ContainerPort> {
    let mut seen = BTreeSet::new();
    let Some(list) = container.field("ports") else { return Vec::new() };
    let mut ports = Vec::new();
    for at in list.elements() {
        let Some(port) = read_port(report, &at, host_network) else { continue };
        if let Some(name) = &port.name
            && !seen.insert(name.clone())
        {
            report.reject(&at, "duplicate", &format!("two ports of the container have the name `{name}`"));
        }
        ports.push(port);
    }
    ports
}

fn read_port(report: &mut Report, at: &At<'_, '_>, host_network: bool) -> Option<ContainerPort> {
    let Some(number_at) = at.field("containerPort") else {
        report.reject(at, "missing-field", "`containerPort` is missing");
        return None;
    };
    let number = read_port_number(report, &number_at)?;
    let name = at.non_empty("name");
    if let Some(name) = name {
        check_port_name(report, at, name)?;
    }
    let host_port = match at.field("hostPort").filter(|port| port.as_integer() != Some(0)) {
        // Defaulted on host-network pods. Source: `SetDefaults_PodSpec`.
        None if host_network => Some(number),
        None => None,
        Some(port) => Some(read_port_number(report, &port)?),
    };
    if host_network && host_port != Some(number) {
        report
            .reject(at, "invalid-value", "on the host network `hostPort` must equal `containerPort`")
            .with_hint("remove `hostPort`");
    }
    Some(ContainerPort { name: name.map(Name::from), number, protocol: read_protocol(report, at)?, host_port })
}

fn read_probe(report: &mut Report, container: &At<'_, '_>, name: &'static str) -> Option<Probe> {
    let at = container.field(name)?;
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

fn read_handler(report: &mut Report, at: &At<'_, '_>) -> Option<ProbeHandler> {
    if let Some(get) = at.field("httpGet") {
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
