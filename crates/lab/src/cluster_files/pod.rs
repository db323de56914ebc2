//! Pods as `kubectl` shows them.

use std::net::IpAddr;

use palisade_model::Timestamp;
use palisade_model::pod::{
    Container, ContainerRole, Phase, Probe, ProbeHandler, ProbePort, QosClass, RestartPolicy, SecurityContext,
    VolumeSource,
};
use serde_json::{Map, Value, json};

use super::{metadata, pairs_value};
use crate::cluster::{Cluster, ContainerState, Node, Pod, Step};

/// A Pod with its status.
pub(super) fn object(pod: &Pod, cluster: &Cluster) -> Value {
    let plan = &pod.plan;
    let mut metadata = metadata(&plan.name, &plan.namespace, &plan.labels, &plan.annotations);
    metadata.insert("uid".into(), json!(&*pod.uid));
    metadata.insert("creationTimestamp".into(), json!(seconds(pod.created)));
    if let Some(owner) = &plan.owner {
        let version = match &*owner.kind {
            "Job" | "CronJob" => "batch/v1",
            _ => "apps/v1",
        };
        metadata.insert(
            "ownerReferences".into(),
            json!([{"apiVersion": version, "kind": &*owner.kind, "name": &*owner.name, "uid": owner_uid(&plan.namespace, owner), "controller": true}]),
        );
    }
    let node = cluster.node(pod.node);
    let mut spec = pod_spec(pod);
    spec.insert("nodeName".into(), json!(node.map(|node| &*node.name)));
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec, "status": pod_status(pod, node)})
}

/// Nobody reads an owner's uid; the API demands one.
fn owner_uid(namespace: &str, owner: &palisade_model::object::Owner) -> String {
    format!("{namespace}-{}-{}", owner.kind.to_lowercase(), owner.name)
}

fn pod_spec(pod: &Pod) -> Map<String, Value> {
    let spec = &pod.plan.spec;
    let mut out = Map::new();
    let list = |roles: &[ContainerRole]| {
        spec.containers
            .iter()
            .filter(|container| roles.contains(&container.role))
            .map(|it| container(it, spec.qos))
            .collect::<Vec<_>>()
    };
    for (field, roles) in [
        ("initContainers", &[ContainerRole::Init, ContainerRole::Sidecar][..]),
        ("containers", &[ContainerRole::App]),
        ("ephemeralContainers", &[ContainerRole::Ephemeral]),
    ] {
        let containers = list(roles);
        if !containers.is_empty() {
            out.insert(field.into(), Value::Array(containers));
        }
    }
    out.insert("serviceAccountName".into(), json!(spec.service_account_name()));
    let restart = match spec.restart {
        RestartPolicy::Always => "Always",
        RestartPolicy::OnFailure => "OnFailure",
        RestartPolicy::Never => "Never",
    };
    out.insert("restartPolicy".into(), json!(restart));
    if spec.host_network {
        out.insert("hostNetwork".into(), json!(true));
    }
    if !spec.node_selector.0.is_empty() {
        out.insert("nodeSelector".into(), pairs_value(&spec.node_selector));
    }
    for (field, value) in [("hostname", &spec.hostname), ("subdomain", &spec.subdomain)] {
        if let Some(value) = value {
            out.insert(field.into(), json!(&**value));
        }
    }
    let mut security = security(&spec.security);
    if let Some(group) = spec.fs_group {
        security.insert("fsGroup".into(), json!(group));
    }
    if !security.is_empty() {
        out.insert("securityContext".into(), Value::Object(security));
    }
    if !spec.volumes.is_empty() {
        out.insert("volumes".into(), spec.volumes.iter().map(volume).collect());
    }
    out
}

fn volume(volume: &palisade_model::pod::Volume) -> Value {
    let (field, source) = match &volume.source {
        VolumeSource::EmptyDir => ("emptyDir", json!({})),
        VolumeSource::HostPath(path) => ("hostPath", json!({"path": &**path})),
        VolumeSource::Image(reference) => ("image", json!({"reference": &**reference})),
        VolumeSource::Other(field) => (&**field, json!({})),
    };
    let mut out = Map::new();
    out.insert("name".into(), json!(&*volume.name));
    out.insert(field.to_owned(), source);
    Value::Object(out)
}

fn container(container: &Container, qos: QosClass) -> Value {
    let mut out = Map::new();
    out.insert("name".into(), json!(&*container.name));
    if let Some(image) = &container.image {
        out.insert("image".into(), json!(&**image));
    }
    if container.role == ContainerRole::Sidecar {
        out.insert("restartPolicy".into(), json!("Always"));
    }
    for (field, list) in [("command", &container.command), ("args", &container.args)] {
        if !list.is_empty() {
            out.insert(field.into(), json!(list));
        }
    }
    if !container.env.is_empty() {
        let list = container.env.iter().map(|(name, value)| json!({"name": &**name, "value": value}));
        out.insert("env".into(), list.collect());
    }
    if !container.ports.is_empty() {
        let ports = container.ports.iter().map(|port| {
            let mut out = json!({"containerPort": port.number, "protocol": port.protocol.as_str()});
            if let Some(name) = &port.name {
                out["name"] = json!(&**name);
            }
            if let Some(port) = port.host_port {
                out["hostPort"] = json!(port);
            }
            out
        });
        out.insert("ports".into(), ports.collect());
    }
    for (field, it) in [
        ("readinessProbe", &container.readiness),
        ("livenessProbe", &container.liveness),
        ("startupProbe", &container.startup),
    ] {
        if let Some(it) = it {
            out.insert(field.into(), probe(it));
        }
    }
    let security = security(&container.security);
    if !security.is_empty() {
        out.insert("securityContext".into(), Value::Object(security));
    }
    if !container.mounts.is_empty() {
        let mounts = container.mounts.iter().map(|(name, path)| json!({"name": &**name, "mountPath": &**path}));
        out.insert("volumeMounts".into(), mounts.collect());
    }
    // The resources themselves are not kept; these give the same QoS class.
    match qos {
        QosClass::Guaranteed => {
            let amount = json!({"cpu": "100m", "memory": "64Mi"});
            out.insert("resources".into(), json!({"limits": amount.clone(), "requests": amount}));
        }
        QosClass::Burstable => {
            out.insert("resources".into(), json!({"requests": {"memory": "64Mi"}}));
        }
        QosClass::BestEffort => {}
    }
    Value::Object(out)
}

fn probe(probe: &Probe) -> Value {
    let port = |port: &ProbePort| match port {
        ProbePort::Number(number) => json!(number),
        ProbePort::Name(name) => json!(&**name),
    };
    let mut out = json!({
        "initialDelaySeconds": probe.initial_delay_seconds,
        "periodSeconds": probe.period_seconds,
        "timeoutSeconds": probe.timeout_seconds,
    });
    let with_host = |mut action: Value, host: &Option<String>| {
        if let Some(host) = host {
            action["host"] = json!(host);
        }
        action
    };
    match &probe.handler {
        ProbeHandler::HttpGet { path, port: at, host, https } => {
            let scheme = if *https { "HTTPS" } else { "HTTP" };
            out["httpGet"] = with_host(json!({"path": path, "port": port(at), "scheme": scheme}), host);
        }
        ProbeHandler::TcpSocket { port: at, host } => out["tcpSocket"] = with_host(json!({"port": port(at)}), host),
        ProbeHandler::Grpc { port } => out["grpc"] = json!({"port": port}),
        ProbeHandler::Exec { command } => out["exec"] = json!({"command": command}),
    }
    out
}

fn security(security: &SecurityContext) -> Map<String, Value> {
    let mut out = Map::new();
    for (field, value) in [
        ("privileged", security.privileged),
        ("runAsNonRoot", security.run_as_non_root),
        ("readOnlyRootFilesystem", security.read_only_root_filesystem),
        ("allowPrivilegeEscalation", security.allow_privilege_escalation),
    ] {
        if let Some(value) = value {
            out.insert(field.into(), json!(value));
        }
    }
    for (field, value) in [("runAsUser", security.run_as_user), ("runAsGroup", security.run_as_group)] {
        if let Some(value) = value {
            out.insert(field.into(), json!(value));
        }
    }
    let mut capabilities = Map::new();
    for (field, list) in [("add", &security.add), ("drop", &security.drop)] {
        if !list.is_empty() {
            capabilities.insert(field.into(), list.iter().map(|name| json!(&**name)).collect());
        }
    }
    if !capabilities.is_empty() {
        out.insert("capabilities".into(), Value::Object(capabilities));
    }
    out
}

fn pod_status(pod: &Pod, node: Option<&Node>) -> Value {
    let phase = match pod.phase() {
        Phase::Pending => "Pending",
        Phase::Running => "Running",
        Phase::Succeeded => "Succeeded",
        Phase::Failed => "Failed",
        Phase::Unknown => "Unknown",
    };
    let ready = if pod.is_ready() { "True" } else { "False" };
    let qos = match pod.plan.spec.qos {
        QosClass::Guaranteed => "Guaranteed",
        QosClass::Burstable => "Burstable",
        QosClass::BestEffort => "BestEffort",
    };
    let mut status = json!({
        "phase": phase, "qosClass": qos, "startTime": seconds(pod.created),
        "conditions": [{"type": "PodScheduled", "status": "True"}, {"type": "ContainersReady", "status": ready}, {"type": "Ready", "status": ready}],
    });
    let host: &[IpAddr] = node.map_or(&[], |node| &node.addresses);
    for (one, many, addresses) in [("podIP", "podIPs", pod.addresses.as_slice()), ("hostIP", "hostIPs", host)] {
        if let Some(first) = addresses.first() {
            status[one] = json!(first);
            status[many] = addresses.iter().map(|address| json!({"ip": address})).collect();
        }
    }
    for (field, roles) in [
        ("initContainerStatuses", &[ContainerRole::Init, ContainerRole::Sidecar][..]),
        ("containerStatuses", &[ContainerRole::App]),
        ("ephemeralContainerStatuses", &[ContainerRole::Ephemeral]),
    ] {
        let list: Vec<_> = pod
            .containers()
            .filter(|(container, _)| roles.contains(&container.role))
            .map(|(container, state)| container_status(container, state))
            .collect();
        if !list.is_empty() {
            status[field] = Value::Array(list);
        }
    }
    status
}

fn container_status(container: &Container, state: &ContainerState) -> Value {
    let message = state.message.as_deref().unwrap_or_default();
    let (what, started) = match state.step {
        Step::Waiting => (json!({"waiting": {"reason": "ContainerCreating", "message": message}}), false),
        Step::Created | Step::Running => (json!({"running": {}}), state.step == Step::Running),
        Step::Ended { code } => {
            let reason = if code == 0 { "Completed" } else { "Error" };
            (json!({"terminated": {"exitCode": code, "reason": reason, "message": message}}), false)
        }
    };
    let ready = match container.role {
        ContainerRole::Init => state.step == Step::Ended { code: 0 },
        ContainerRole::Sidecar | ContainerRole::App | ContainerRole::Ephemeral => state.is_ready(),
    };
    let mut out = json!({
        "name": &*container.name, "image": container.image.as_deref().unwrap_or_default(),
        "ready": ready, "started": started, "restartCount": state.restarts, "state": what,
    });
    if let Some(id) = &state.id {
        out["containerID"] = json!(format!("palisade://{id}"));
    }
    out
}

/// Kubernetes writes times to the second.
fn seconds(time: Timestamp) -> String {
    Timestamp::from_second(time.as_second()).unwrap_or(time).to_string()
}
