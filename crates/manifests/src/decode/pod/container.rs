//! One container of a pod spec, its ports and probes.

use std::collections::BTreeSet;

use palisade_model::Name;
use palisade_model::pod::{Container, ContainerPort, ContainerRole, SecurityContext};

use super::probe::read_probe;
use super::qos::read_quantity;
use super::read_security_context;
use crate::address::parse_address;
use crate::at::At;
use crate::decode::port::{check_port_name, read_port_number, read_protocol_or_empty};
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
    check_image(report, at, name);
    check_resources(report, at);
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
        security: read_security(report, at),
        mounts: at.list("volumeMounts", read_mount).into_iter().flatten().collect(),
    })
}

fn check_image(report: &mut Report, at: &At<'_, '_>, name: &str) {
    if at.non_empty("image").is_none() {
        report.reject(at, "missing-field", &format!("container `{name}` has no `image`")).with_hint("add `image: ...`");
    }
    if let Some(policy) = at.non_empty("imagePullPolicy")
        && !matches!(policy, "Always" | "IfNotPresent" | "Never")
    {
        report
            .reject(at, "invalid-value", &format!("unknown imagePullPolicy `{policy}`"))
            .with_hint("use Always, IfNotPresent or Never");
    }
}

/// Source: `ValidateContainerResourceRequirements`, for the two resources that almost every container states.
fn check_resources(report: &mut Report, at: &At<'_, '_>) {
    for resource in ["cpu", "memory"] {
        let limit = read_quantity(at, "limits", resource);
        let request = read_quantity(at, "requests", resource);
        if [limit, request].into_iter().flatten().any(|quantity| quantity < 0.0) {
            report.reject(at, "invalid-value", &format!("`resources` asks for a negative {resource}"));
        }
        if limit.zip(request).is_some_and(|(limit, request)| request > limit) {
            report
                .reject(at, "invalid-value", &format!("`resources` requests more {resource} than its limit"))
                .with_hint("lower the request, or raise the limit");
        }
    }
}

fn read_security(report: &mut Report, at: &At<'_, '_>) -> SecurityContext {
    let Some(context_at) = at.field("securityContext") else { return SecurityContext::default() };
    let context = read_security_context(report, &context_at);
    let is_sys_admin = context.add.iter().any(|name| &**name == "CAP_SYS_ADMIN");
    if context.allow_privilege_escalation == Some(false) && (context.privileged == Some(true) || is_sys_admin) {
        report
            .reject(&context_at, "invalid-value", "`allowPrivilegeEscalation: false` contradicts `privileged: true`")
            .with_hint("remove one of the two");
    }
    context
}

fn read_env(report: &mut Report, at: &At<'_, '_>) -> Option<(Name, String)> {
    let Some(name) = at.non_empty("name") else {
        report.reject(at, "missing-field", "an environment variable needs a `name`");
        return None;
    };
    // Any printable character is good, since Kubernetes 1.34 at least.
    if !name.bytes().all(|byte| matches!(byte, b' '..=b'~') && byte != b'=') {
        report.reject(at, "invalid-value", &format!("`{name}` is no name of an environment variable"));
    }
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
    let protocol = read_protocol_or_empty(report, at)?;
    let host_address = at.non_empty("hostIP").and_then(parse_address);
    Some(ContainerPort { name: name.map(Name::from), number, protocol, host_port, host_address })
}
