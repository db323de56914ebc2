//! A scene as Kubernetes objects.

use std::net::IpAddr;

use palisade_model::port::Protocol;
use palisade_model::workload::WorkloadKind;

use crate::policies::object;
use crate::scene::{
    SceneContainer, SceneNamespace, SceneNode, ScenePod, ScenePort, SceneProbe, SceneService, SceneWorkload,
};
use crate::text::{Yaml, labels, list, map, plain, text};

pub fn namespace(namespace: &SceneNamespace) -> Yaml {
    let metadata = map([("name", text(namespace.name.clone())), ("labels", labels(&namespace.labels))]);
    map([("apiVersion", text("v1")), ("kind", text("Namespace")), ("metadata", metadata)])
}

pub fn node(node: &SceneNode) -> Yaml {
    let addresses = node
        .addresses
        .iter()
        .map(|address| map([("type", text("InternalIP")), ("address", text(address.to_string()))]));
    let name = map([("type", text("Hostname")), ("address", text(node.name.clone()))]);
    let metadata = map([("name", text(node.name.clone()))])
        .with_some("labels", (!node.labels.is_empty()).then(|| labels(&node.labels)));
    map([("apiVersion", text("v1")), ("kind", text("Node")), ("metadata", metadata)])
        .with("status", map([("addresses", list(addresses.chain([name])))]))
}

/// The workload's own object; of kind Pod: nothing, its pods are the objects.
pub fn workload(workload: &SceneWorkload, annotations: Option<Yaml>) -> Option<Yaml> {
    let template_metadata = map([("labels", labels(&workload.labels))]).with_some("annotations", annotations);
    let template = map([("metadata", template_metadata), ("spec", pod_spec(workload, None))]);
    let selector = map([("matchLabels", labels(&workload.labels))]);
    let job_template =
        || map([("metadata", map([("labels", labels(&workload.labels))])), ("spec", job_pod_spec(workload))]);
    let kind = workload.kind.to_string();
    let (version, spec) = match workload.kind {
        WorkloadKind::Pod => return None,
        WorkloadKind::Deployment | WorkloadKind::ReplicaSet => {
            ("apps/v1", map([("replicas", plain(workload.replicas)), ("selector", selector), ("template", template)]))
        }
        WorkloadKind::ReplicationController => (
            "v1",
            map([
                ("replicas", plain(workload.replicas)),
                ("selector", labels(&workload.labels)),
                ("template", template),
            ]),
        ),
        WorkloadKind::StatefulSet => (
            "apps/v1",
            map([
                ("replicas", plain(workload.replicas)),
                ("serviceName", text(workload.name.clone())),
                ("selector", selector),
                ("template", template),
            ]),
        ),
        WorkloadKind::DaemonSet => ("apps/v1", map([("selector", selector), ("template", template)])),
        WorkloadKind::Job => ("batch/v1", map([("template", job_template())])),
        WorkloadKind::CronJob => (
            "batch/v1",
            map([
                ("schedule", text("0 * * * *")),
                ("jobTemplate", map([("spec", map([("template", job_template())]))])),
            ]),
        ),
    };
    Some(object(version, &kind, Some(&workload.namespace), &workload.name).with("spec", spec))
}

fn job_pod_spec(workload: &SceneWorkload) -> Yaml {
    pod_spec(workload, None).with("restartPolicy", text("Never"))
}

/// A Pod object as it would be read from a cluster, or, without node and addresses, from a file.
pub fn pod(
    workload: &SceneWorkload,
    pod: &ScenePod,
    owner: Option<(WorkloadKind, &str)>,
    annotations: Option<Yaml>,
) -> Yaml {
    let mut all = workload.labels.clone();
    all.extend(pod.labels.clone());
    let mut metadata = map([
        ("name", text(pod.name.clone())),
        ("namespace", text(workload.namespace.clone())),
        ("labels", labels(&all)),
    ])
    .with_some("annotations", annotations);
    if let Some(owner) = owner {
        metadata = metadata.with("ownerReferences", list([owner_reference(owner)]));
    }
    let mut spec = pod_spec(workload, pod.node.as_deref());
    if matches!(workload.kind, WorkloadKind::Job | WorkloadKind::CronJob) {
        spec = spec.with("restartPolicy", text("Never"));
    }
    let object = map([("apiVersion", text("v1")), ("kind", text("Pod")), ("metadata", metadata), ("spec", spec)]);
    match status(pod) {
        Some(status) => object.with("status", status),
        None => object,
    }
}

pub fn owner_reference((kind, name): (WorkloadKind, &str)) -> Yaml {
    let version = if matches!(kind, WorkloadKind::Job | WorkloadKind::CronJob) { "batch/v1" } else { "apps/v1" };
    map([
        ("apiVersion", text(version)),
        ("kind", text(kind.to_string())),
        ("name", text(name)),
        ("uid", text("00000000-0000-0000-0000-000000000001")),
        ("controller", plain(true)),
    ])
}

fn status(pod: &ScenePod) -> Option<Yaml> {
    if pod.node.is_none() && pod.addresses.is_empty() {
        return None;
    }
    let ips = |addresses: &[IpAddr]| list(addresses.iter().map(|address| map([("ip", text(address.to_string()))])));
    let mut status = map([("phase", text(format!("{:?}", pod.phase)))]);
    if let Some(first) = pod.host_addresses.first() {
        status = status.with("hostIP", text(first.to_string())).with("hostIPs", ips(&pod.host_addresses));
    }
    let Some(first) = pod.addresses.first() else { return Some(status) };
    Some(status.with("podIP", text(first.to_string())).with("podIPs", ips(&pod.addresses)))
}

fn pod_spec(workload: &SceneWorkload, node: Option<&str>) -> Yaml {
    let of_role = |is_sidecar: bool| {
        workload.containers.iter().filter(move |container| container.is_sidecar == is_sidecar).map(container)
    };
    let mut spec = map([]);
    if workload.host_network {
        spec = spec.with("hostNetwork", plain(true));
    }
    spec = spec
        .with_some("serviceAccountName", workload.service_account.clone().map(Yaml::Text))
        .with_some("nodeName", node.map(text));
    if of_role(true).next().is_some() {
        spec = spec.with("initContainers", list(of_role(true)));
    }
    spec.with("containers", list(of_role(false)))
}

fn container(container: &SceneContainer) -> Yaml {
    let mut object = map([("name", text(container.name.clone())), ("image", text("example.com/app"))]);
    if container.is_sidecar {
        object = object.with("restartPolicy", text("Always"));
    }
    if !container.ports.is_empty() {
        object = object.with("ports", list(container.ports.iter().map(container_port)));
    }
    match &container.probe {
        Some(of_liveness @ SceneProbe::Liveness(_)) => object.with("livenessProbe", probe(of_liveness)),
        of_readiness => object.with_some("readinessProbe", of_readiness.as_ref().map(probe)),
    }
}

fn container_port(port: &ScenePort) -> Yaml {
    map([("containerPort", plain(port.number))])
        .with_some("name", port.name.clone().map(Yaml::Text))
        .with_some("protocol", (port.protocol != Protocol::Tcp).then(|| text(port.protocol.as_str())))
}

fn probe(probe: &SceneProbe) -> Yaml {
    match probe {
        SceneProbe::TcpSocket(port) | SceneProbe::Liveness(port) => map([("tcpSocket", map([("port", plain(port))]))]),
        SceneProbe::HttpNamed(name) => map([("httpGet", map([("path", text("/")), ("port", text(name.clone()))]))]),
        SceneProbe::Grpc(port) => map([("grpc", map([("port", plain(port))]))]),
    }
}

pub fn service(service: &SceneService, headless: bool) -> Yaml {
    let mut spec = map([]);
    if !service.selector.is_empty() {
        spec = spec.with("selector", labels(&service.selector));
    }
    if headless {
        spec = spec.with("clusterIP", text("None"));
    } else if let Some(first) = service.addresses.first() {
        let all = service.addresses.iter().map(|address| text(address.to_string()));
        spec = spec.with("clusterIP", text(first.to_string())).with("clusterIPs", list(all));
        if service.addresses.len() > 1 {
            // Without it the API server takes one family alone.
            spec = spec.with("ipFamilyPolicy", text("PreferDualStack"));
        }
    }
    let ports = service.ports.iter().map(|port| {
        let target = match &port.target {
            Ok(number) => plain(number),
            Err(name) => text(name.clone()),
        };
        map([("port", plain(port.port)), ("targetPort", target)])
            .with_some("name", port.name.clone().map(Yaml::Text))
            .with_some("protocol", (port.protocol != Protocol::Tcp).then(|| text(port.protocol.as_str())))
    });
    object("v1", "Service", Some(&service.namespace), &service.name).with("spec", spec.with("ports", list(ports)))
}

/// One endpoint: its addresses, whether it is ready, and the pod that it is.
pub type SliceEndpoint = (Vec<String>, bool, Option<String>);

pub fn endpoint_slice(
    (namespace, name, service): (&str, &str, &str),
    address_type: &str,
    endpoints: &[SliceEndpoint],
    ports: &[ScenePort],
) -> Yaml {
    let metadata = map([
        ("name", text(name)),
        ("namespace", text(namespace)),
        ("labels", map([("kubernetes.io/service-name", text(service))])),
    ]);
    let endpoints = endpoints.iter().map(|(addresses, ready, pod)| {
        map([
            ("addresses", list(addresses.iter().map(|address| text(address.clone())))),
            ("conditions", map([("ready", plain(ready))])),
        ])
        .with_some(
            "targetRef",
            pod.as_ref()
                .map(|pod| map([("kind", text("Pod")), ("name", text(pod.clone())), ("namespace", text(namespace))])),
        )
    });
    let ports = ports.iter().map(|port| {
        map([("port", plain(port.number)), ("protocol", text(port.protocol.as_str()))])
            .with_some("name", port.name.clone().map(Yaml::Text))
    });
    map([
        ("apiVersion", text("discovery.k8s.io/v1")),
        ("kind", text("EndpointSlice")),
        ("metadata", metadata),
        ("addressType", text(address_type)),
        ("endpoints", list(endpoints)),
        ("ports", list(ports)),
    ])
}
