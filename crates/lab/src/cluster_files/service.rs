//! Services as `kubectl` shows them.

use palisade_model::service::{Exposure, InternalTraffic, Service, TargetPort};
use serde_json::{Map, Value, json};

use super::{metadata, pairs_value};

/// A Service, complete as the API server makes it.
pub(super) fn object(service: &Service) -> Value {
    let metadata =
        metadata(service.meta.name(), service.meta.namespace(), &service.meta.labels, &service.meta.annotations);
    let mut spec = Map::new();
    let kind = match &service.exposure {
        Exposure::ClusterIp => "ClusterIP",
        Exposure::NodePort => "NodePort",
        Exposure::LoadBalancer => "LoadBalancer",
        Exposure::ExternalName(name) => {
            spec.insert("externalName".into(), json!(name));
            "ExternalName"
        }
    };
    spec.insert("type".into(), json!(kind));
    if let Some(selector) = &service.selector {
        spec.insert("selector".into(), pairs_value(selector));
    }
    if service.headless {
        spec.insert("clusterIP".into(), json!("None"));
        spec.insert("clusterIPs".into(), json!(["None"]));
    } else if let Some(first) = service.cluster_ips.first() {
        spec.insert("clusterIP".into(), json!(first));
        spec.insert("clusterIPs".into(), json!(service.cluster_ips));
    }
    if !service.cluster_ips.is_empty() {
        let families: Vec<_> =
            service.cluster_ips.iter().map(|address| if address.is_ipv4() { "IPv4" } else { "IPv6" }).collect();
        spec.insert("ipFamilies".into(), json!(families));
        spec.insert("ipFamilyPolicy".into(), json!(if families.len() > 1 { "PreferDualStack" } else { "SingleStack" }));
    }
    if !service.external_ips.is_empty() {
        spec.insert("externalIPs".into(), json!(service.external_ips));
    }
    if service.publish_not_ready {
        spec.insert("publishNotReadyAddresses".into(), json!(true));
    }
    if service.internal_traffic == InternalTraffic::Local {
        spec.insert("internalTrafficPolicy".into(), json!("Local"));
    }
    let ports = service.ports.iter().map(|port| {
        let target = match &port.target {
            TargetPort::Number(number) => json!(number),
            TargetPort::Name(name) => json!(&**name),
        };
        let mut out = json!({"port": port.port, "protocol": port.protocol.as_str(), "targetPort": target});
        if let Some(name) = &port.name {
            out["name"] = json!(&**name);
        }
        if let Some(number) = port.node_port {
            out["nodePort"] = json!(number);
        }
        out
    });
    if !service.ports.is_empty() {
        spec.insert("ports".into(), ports.collect());
    }
    let mut status = json!({});
    if !service.load_balancer_ips.is_empty() {
        let ingress: Vec<_> = service.load_balancer_ips.iter().map(|address| json!({"ip": address})).collect();
        status = json!({"loadBalancer": {"ingress": ingress}});
    }
    json!({"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec, "status": status})
}
