//! Pod, and the pod spec of templates. Source: `ValidatePodSpec` of Kubernetes.

mod container;
mod probe;
mod qos;
mod volume;

use std::collections::BTreeSet;
use std::net::IpAddr;

use palisade_model::pod::{
    ContainerRole, ContainerStatus, Phase, Pod, PodSpec, QosClass, RestartPolicy, SecurityContext,
};
use palisade_model::workload::WorkloadKind;
use palisade_model::{Meta, Name};

use super::metadata::read_labels;
use crate::address::parse_address;
use crate::at::At;
use crate::names;
use crate::report::{Report, WithHint};
use container::read_container;

pub(super) fn decode(report: &mut Report, root: &At<'_, '_>, meta: Meta) -> Option<Pod> {
    let Some(spec_at) = root.field("spec") else {
        report.reject(root, "missing-field", "`spec` is missing").with_hint("add `spec: {containers: [...]}`");
        return None;
    };
    let mut spec = read_pod_spec(report, &spec_at, WorkloadKind::Pod);
    check_images(report, &spec_at);
    let status = root.field("status");
    let status = status.as_ref();
    match status.and_then(|status| status.text("qosClass")) {
        Some("Guaranteed") => spec.qos = QosClass::Guaranteed,
        Some("Burstable") => spec.qos = QosClass::Burstable,
        Some("BestEffort") => spec.qos = QosClass::BestEffort,
        Some(_) | None => {}
    }
    Some(Pod {
        meta,
        spec,
        node: spec_at.non_empty("nodeName").map(Name::from),
        phase: status.map_or(Phase::Pending, read_phase),
        addresses: status.map(|status| read_addresses(status, "podIPs", "podIP")).unwrap_or_default(),
        host_addresses: status.map(|status| read_addresses(status, "hostIPs", "hostIP")).unwrap_or_default(),
        container_statuses: status.map(read_container_statuses).unwrap_or_default(),
        ready: status.and_then(read_ready),
    })
}

/// The pod spec at `at`, a pod's own or the template of an owner.
pub(super) fn read_pod_spec(report: &mut Report, at: &At<'_, '_>, owner: WorkloadKind) -> PodSpec {
    let host_network = at.boolean("hostNetwork").unwrap_or(false);
    let mut containers = Vec::new();
    for (list, role) in [
        ("initContainers", ContainerRole::Init),
        ("containers", ContainerRole::App),
        ("ephemeralContainers", ContainerRole::Ephemeral),
    ] {
        containers.extend(
            at.list(list, |container| read_container(report, container, role, host_network)).into_iter().flatten(),
        );
    }
    let security_at = at.field("securityContext");
    check_containers(report, at);
    // A template keeps what is not written: the default is of pods.
    check_host_ports(report, at, host_network && owner == WorkloadKind::Pod);
    check_names(report, at, owner);
    check_settings(report, at);
    PodSpec {
        containers,
        host_network,
        service_account: at.non_empty("serviceAccountName").or_else(|| at.non_empty("serviceAccount")).map(Name::from),
        node_selector: read_labels(report, at, "nodeSelector", names::check_value),
        hostname: at.non_empty("hostname").map(Name::from),
        subdomain: at.non_empty("subdomain").map(Name::from),
        volumes: volume::read_volumes(report, at, owner),
        security: security_at.as_ref().map(|context| read_security_context(report, context)).unwrap_or_default(),
        fs_group: security_at.as_ref().and_then(|context| read_id(report, context, "fsGroup")),
        qos: qos::qos_class(at),
        restart: read_restart_policy(report, at),
    }
}

/// Names are unique over all three lists, and there is at least one app container.
fn check_containers(report: &mut Report, at: &At<'_, '_>) {
    if at.field("containers").is_none_or(|list| list.elements().len() == 0) {
        report
            .reject(at, "missing-field", "`containers` is missing or empty")
            .with_hint("a pod needs at least one container");
    }
    let mut seen = BTreeSet::new();
    for list in ["initContainers", "containers", "ephemeralContainers"] {
        let Some(list) = at.field(list) else { continue };
        for container in list.elements() {
            if let Some(name) = container.non_empty("name")
                && !seen.insert(name)
            {
                report
                    .reject(&container, "duplicate", &format!("two containers have the name `{name}`"))
                    .with_hint("rename one of them");
            }
        }
    }
}

fn read_restart_policy(report: &mut Report, at: &At<'_, '_>) -> RestartPolicy {
    match at.non_empty("restartPolicy") {
        None | Some("Always") => RestartPolicy::Always,
        Some("OnFailure") => RestartPolicy::OnFailure,
        Some("Never") => RestartPolicy::Never,
        Some(other) => {
            report
                .reject(at, "invalid-value", &format!("unknown restartPolicy `{other}`"))
                .with_hint("use Always, OnFailure or Never");
            RestartPolicy::Always
        }
    }
}

/// Two containers cannot have one port of the node. Source: `checkHostPortConflicts`.
fn check_host_ports(report: &mut Report, at: &At<'_, '_>, host_network: bool) {
    for list in ["initContainers", "containers"] {
        let mut seen = BTreeSet::new();
        at.list(list, |container| {
            container.list("ports", |port| {
                let number = match port.integer("hostPort").filter(|number| *number != 0) {
                    // Defaulted on host-network pods. Source: `SetDefaults_PodSpec`.
                    None if host_network => port.integer("containerPort"),
                    given => given,
                };
                let protocol = port.non_empty("protocol").unwrap_or("TCP");
                let address = port.text("hostIP").unwrap_or_default();
                if let Some(number) = number
                    && !seen.insert((number, protocol, address))
                {
                    report
                        .reject(port, "duplicate", &format!("two ports take port {number} {protocol} of the node"))
                        .with_hint("give one of them another number");
                }
            });
        });
    }
}

/// A template may have what a pod may not: the pods that are made from it are then refused. Source: `ValidatePod`.
fn check_images(report: &mut Report, at: &At<'_, '_>) {
    for list in ["initContainers", "containers"] {
        at.list(list, |container| {
            let image = container.text("image").unwrap_or_default();
            if image.trim() != image {
                report.reject(container, "invalid-value", &format!("`image` `{image}` has spaces at an end"));
            }
        });
    }
}

fn check_names(report: &mut Report, at: &At<'_, '_>, owner: WorkloadKind) {
    type Check = fn(&str) -> Result<(), &'static str>;
    let checks: [(&'static str, Check); 5] = [
        ("hostname", names::check_label),
        ("subdomain", names::check_label),
        ("nodeName", names::check_subdomain),
        ("serviceAccountName", names::check_subdomain),
        ("serviceAccount", names::check_subdomain),
    ];
    for (field, check) in checks {
        // The old name counts only where the new one is missing; and a StatefulSet gives its pods names of its own.
        let is_replaced = match field {
            "serviceAccount" => at.non_empty("serviceAccountName").is_some(),
            "hostname" | "subdomain" => owner == WorkloadKind::StatefulSet,
            _ => false,
        };
        if is_replaced {
            continue;
        }
        if let Some(name) = at.field(field)
            && let Some(text) = name.as_text().filter(|text| !text.is_empty())
            && let Err(why) = check(text)
        {
            report.reject(&name, "invalid-value", &format!("`{text}` {why}"));
        }
    }
}

/// What changes no answer but whether the API server takes the pod.
fn check_settings(report: &mut Report, at: &At<'_, '_>) {
    const DNS: [&str; 4] = ["ClusterFirst", "ClusterFirstWithHostNet", "Default", "None"];
    if let Some(policy) = at.non_empty("dnsPolicy")
        && !DNS.contains(&policy)
    {
        report
            .reject(at, "invalid-value", &format!("unknown dnsPolicy `{policy}`"))
            .with_hint("use ClusterFirst, ClusterFirstWithHostNet, Default or None");
    }
    if at.text("dnsPolicy") == Some("None") && at.field("dnsConfig").is_none() {
        report
            .reject(at, "missing-field", "`dnsPolicy: None` needs `dnsConfig`")
            .with_hint("add `dnsConfig: {nameservers: [...]}`");
    }
    if let Some(deadline) = at.field("activeDeadlineSeconds")
        && deadline.as_integer().is_some_and(|seconds| !(1..=i64::from(i32::MAX)).contains(&seconds))
    {
        report.reject(&deadline, "invalid-value", "must be at least 1").with_hint("remove the line for no deadline");
    }
}

pub(super) fn read_security_context(report: &mut Report, at: &At<'_, '_>) -> SecurityContext {
    let capabilities = at.field("capabilities");
    let list = |name| capabilities.as_ref().map(|capabilities| read_names(capabilities, name)).unwrap_or_default();
    SecurityContext {
        privileged: at.boolean("privileged"),
        run_as_user: read_id(report, at, "runAsUser"),
        run_as_group: read_id(report, at, "runAsGroup"),
        run_as_non_root: at.boolean("runAsNonRoot"),
        read_only_root_filesystem: at.boolean("readOnlyRootFilesystem"),
        allow_privilege_escalation: at.boolean("allowPrivilegeEscalation"),
        add: list("add"),
        drop: list("drop"),
    }
}

fn read_names(at: &At<'_, '_>, name: &'static str) -> Vec<Name> {
    at.list(name, |entry| entry.as_text().map(Name::from)).into_iter().flatten().collect()
}

/// A user's or group's number. Source: `IsValidUserID`, `IsValidGroupID`.
fn read_id(report: &mut Report, at: &At<'_, '_>, name: &'static str) -> Option<u32> {
    let id = at.field(name)?;
    let number = u32::try_from(id.as_integer()?).ok().filter(|number| i32::try_from(*number).is_ok());
    if number.is_none() {
        report.reject(&id, "invalid-value", &format!("must lie between 0 and {}", i32::MAX));
    }
    number
}

fn read_phase(status: &At<'_, '_>) -> Phase {
    match status.non_empty("phase") {
        None | Some("Pending") => Phase::Pending,
        Some("Running") => Phase::Running,
        Some("Succeeded") => Phase::Succeeded,
        Some("Failed") => Phase::Failed,
        Some(_) => Phase::Unknown,
    }
}

fn read_addresses(status: &At<'_, '_>, list: &'static str, single: &'static str) -> Vec<IpAddr> {
    let all: Vec<IpAddr> =
        status.list(list, |entry| entry.text("ip").and_then(parse_address)).into_iter().flatten().collect();
    if all.is_empty() { status.text(single).and_then(parse_address).into_iter().collect() } else { all }
}

fn read_container_statuses(status: &At<'_, '_>) -> Vec<ContainerStatus> {
    ["initContainerStatuses", "containerStatuses", "ephemeralContainerStatuses"]
        .into_iter()
        .flat_map(|list| status.list(list, read_container_status))
        .flatten()
        .collect()
}

fn read_container_status(at: &At<'_, '_>) -> Option<ContainerStatus> {
    let id = at.non_empty("containerID").map(|id| id.split_once("://").map_or(id, |(_, id)| id));
    Some(ContainerStatus {
        name: at.non_empty("name")?.into(),
        id: id.filter(|id| !id.is_empty()).map(Name::from),
        ready: at.boolean("ready").unwrap_or(false),
    })
}

fn read_ready(status: &At<'_, '_>) -> Option<bool> {
    let conditions = status.field("conditions")?;
    let ready = conditions.elements().find(|condition| condition.text("type") == Some("Ready"))?;
    Some(ready.text("status") == Some("True"))
}
