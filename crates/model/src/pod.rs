//! Pods, containers and what of their spec matters here.

use std::net::IpAddr;

use serde::Serialize;

use crate::labels::Labels;
use crate::object::{Meta, Name};
use crate::place::Place;
use crate::port::Protocol;

/// A Pod object.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Pod {
    /// Metadata and place.
    pub meta: Meta,
    /// What it runs.
    pub spec: PodSpec,
    /// `spec.nodeName`.
    pub node: Option<Name>,
    /// `status.phase`.
    pub phase: Phase,
    /// `status.podIPs` (or `podIP`), whatever the phase.
    pub addresses: Vec<IpAddr>,
    /// `status.hostIPs` (or `hostIP`).
    pub host_addresses: Vec<IpAddr>,
    /// `status.containerStatuses`, init and ephemeral ones included.
    pub container_statuses: Vec<ContainerStatus>,
    /// The `Ready` condition; `None` when the status does not say.
    pub ready: Option<bool>,
}

impl Pod {
    /// The addresses that are the pod's now: none for Succeeded and Failed pods, even when the
    /// status still shows one, and none for host-network pods, whose address is the node's.
    pub fn own_addresses(&self) -> &[IpAddr] {
        match self.phase {
            Phase::Succeeded | Phase::Failed => &[],
            Phase::Pending | Phase::Running | Phase::Unknown if self.spec.host_network => &[],
            Phase::Pending | Phase::Running | Phase::Unknown => &self.addresses,
        }
    }
}

/// `status.phase`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize)]
#[allow(missing_docs)]
pub enum Phase {
    #[default]
    Pending,
    Running,
    Succeeded,
    Failed,
    Unknown,
}

/// `status.containerStatuses[]`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct ContainerStatus {
    /// The container's name.
    pub name: Name,
    /// `containerID` without its scheme; `None` before the container was made.
    pub id: Option<Name>,
    /// `ready`.
    pub ready: bool,
}

/// A pod's spec, of a Pod or of a workload's template.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PodSpec {
    /// Init, app and ephemeral containers, in the order of the manifest, init ones first.
    pub containers: Vec<Container>,
    /// `hostNetwork`.
    pub host_network: bool,
    /// `serviceAccountName`, `default` when missing.
    pub service_account: Option<Name>,
    /// `nodeSelector`.
    pub node_selector: Labels,
    /// `hostname`.
    pub hostname: Option<Name>,
    /// `subdomain`.
    pub subdomain: Option<Name>,
    /// `volumes`, by name, and whether each is an `emptyDir`.
    pub volumes: Vec<Volume>,
    /// The pod's `securityContext`, the default of its containers.
    pub security: SecurityContext,
    /// `securityContext.fsGroup`.
    pub fs_group: Option<u32>,
    /// The QoS class that the resources give.
    pub qos: QosClass,
    /// `restartPolicy: Never` or `OnFailure` (jobs) against the default `Always`.
    pub restart: RestartPolicy,
}

impl PodSpec {
    /// The service account that the pod runs as.
    pub fn service_account_name(&self) -> &str {
        self.service_account.as_deref().unwrap_or("default")
    }

    /// The numbers of the port `name` with `protocol`, in any container, init and sidecar ones
    /// included; possibly several.
    pub fn named_port<'a>(&'a self, name: &'a str, protocol: Protocol) -> impl Iterator<Item = u16> + 'a {
        self.containers
            .iter()
            .flat_map(|container| &container.ports)
            .filter(move |port| port.name.as_deref() == Some(name) && port.protocol == protocol)
            .map(|port| port.number)
    }
}

impl PodSpec {
    /// The port that a Service's named `targetPort` means: of the first app container that has it,
    /// else of the first sidecar.
    ///
    /// Source: Kubernetes, `FindPort` of `pkg/api/v1/pod`.
    pub fn target_port(&self, name: &str, protocol: Protocol) -> Option<u16> {
        let of_role = |role| {
            let containers = self.containers.iter().filter(move |container| container.role == role);
            let mut ports = containers.flat_map(|container| &container.ports);
            ports.find(|port| port.name.as_deref() == Some(name) && port.protocol == protocol).map(|port| port.number)
        };
        of_role(ContainerRole::App).or_else(|| of_role(ContainerRole::Sidecar))
    }
}

/// `restartPolicy`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
#[allow(missing_docs)]
pub enum RestartPolicy {
    #[default]
    Always,
    OnFailure,
    Never,
}

/// The quality-of-service class, which names the pod's cgroup.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
#[allow(missing_docs)]
pub enum QosClass {
    Guaranteed,
    Burstable,
    #[default]
    BestEffort,
}

/// One of `volumes`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Volume {
    /// Its name.
    pub name: Name,
    /// What is behind it.
    pub source: VolumeSource,
}

/// What a volume is made of, as far as it matters here.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum VolumeSource {
    /// `emptyDir`.
    EmptyDir,
    /// `hostPath`, with its path.
    HostPath(Name),
    /// `image`, with its reference.
    Image(Name),
    /// Anything else, by the field that names it.
    Other(Name),
}

/// A container of a pod.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Container {
    /// The container's first line.
    pub place: Place,
    /// Its name, unique in the pod.
    pub name: Name,
    /// In which list it stands.
    pub role: ContainerRole,
    /// `image`.
    pub image: Option<Name>,
    /// `command`: the image's entrypoint when empty.
    pub command: Vec<String>,
    /// `args`.
    pub args: Vec<String>,
    /// `env` entries with a literal value, in order.
    pub env: Vec<(Name, String)>,
    /// `ports`.
    pub ports: Vec<ContainerPort>,
    /// `readinessProbe`.
    pub readiness: Option<Probe>,
    /// `livenessProbe`.
    pub liveness: Option<Probe>,
    /// `startupProbe`.
    pub startup: Option<Probe>,
    /// `securityContext`.
    pub security: SecurityContext,
    /// `volumeMounts`: volume name and path.
    pub mounts: Vec<(Name, Name)>,
}

/// In which list of the spec a container stands.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize)]
pub enum ContainerRole {
    /// `initContainers`, run to their end before the others.
    Init,
    /// `initContainers` with `restartPolicy: Always`.
    Sidecar,
    /// `containers`.
    #[default]
    App,
    /// `ephemeralContainers`.
    Ephemeral,
}

/// One of a container's `ports`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ContainerPort {
    /// Its name, if any.
    pub name: Option<Name>,
    /// `containerPort`.
    pub number: u16,
    /// TCP when the manifest is silent.
    pub protocol: Protocol,
    /// `hostPort`.
    pub host_port: Option<u16>,
    /// `hostIP`: the node's address that the `hostPort` is on; `None`: all of them.
    #[serde(rename = "hostIp", skip_serializing_if = "Option::is_none")]
    pub host_address: Option<IpAddr>,
}

/// A probe and how often it runs.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Probe {
    /// What it does.
    pub handler: ProbeHandler,
    /// `initialDelaySeconds`, 0 when missing.
    pub initial_delay_seconds: u32,
    /// `periodSeconds`, 10 when missing.
    pub period_seconds: u32,
    /// `timeoutSeconds`, 1 when missing.
    pub timeout_seconds: u32,
}

/// What a probe does.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum ProbeHandler {
    /// `httpGet`; `host` is the pod's address when missing.
    HttpGet {
        /// Path, `/` when missing.
        path: String,
        /// Port by number or name.
        port: ProbePort,
        /// Another host than the pod.
        host: Option<String>,
        /// `scheme: HTTPS`.
        https: bool,
    },
    /// `tcpSocket`.
    TcpSocket {
        /// Port by number or name.
        port: ProbePort,
        /// Another host than the pod.
        host: Option<String>,
    },
    /// `grpc`.
    Grpc {
        /// Port by number.
        port: u16,
    },
    /// `exec`.
    Exec {
        /// The command and its arguments.
        command: Vec<String>,
    },
}

/// A probe's port.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum ProbePort {
    /// By number.
    Number(u16),
    /// By the name of a TCP port of the container.
    Name(Name),
}

impl Probe {
    /// The TCP port of the pod that this probe of `container` reaches, when it reaches one.
    pub fn tcp_port(&self, container: &Container) -> Option<u16> {
        let resolve = |port: &ProbePort| match port {
            ProbePort::Number(number) => Some(*number),
            ProbePort::Name(name) => container
                .ports
                .iter()
                .find(|port| port.name.as_ref() == Some(name) && port.protocol == Protocol::Tcp)
                .map(|port| port.number),
        };
        match &self.handler {
            ProbeHandler::HttpGet { port, host: None, .. } | ProbeHandler::TcpSocket { port, host: None } => {
                resolve(port)
            }
            ProbeHandler::HttpGet { host: Some(_), .. } | ProbeHandler::TcpSocket { host: Some(_), .. } => None,
            ProbeHandler::Grpc { port } => Some(*port),
            ProbeHandler::Exec { .. } => None,
        }
    }
}

impl Container {
    /// Its probes, in the order readiness, liveness, startup.
    pub fn probes(&self) -> impl Iterator<Item = &Probe> {
        [&self.readiness, &self.liveness, &self.startup].into_iter().flatten()
    }
}

/// `securityContext` of a pod or container, as far as the lab and the checks need it.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SecurityContext {
    /// `privileged`.
    pub privileged: Option<bool>,
    /// `runAsUser`.
    pub run_as_user: Option<u32>,
    /// `runAsGroup`.
    pub run_as_group: Option<u32>,
    /// `runAsNonRoot`.
    pub run_as_non_root: Option<bool>,
    /// `readOnlyRootFilesystem`.
    pub read_only_root_filesystem: Option<bool>,
    /// `allowPrivilegeEscalation`.
    pub allow_privilege_escalation: Option<bool>,
    /// `capabilities.add`, as written.
    pub add: Vec<Name>,
    /// `capabilities.drop`, as written.
    pub drop: Vec<Name>,
}
