//! The names of a cluster, as records.

use std::collections::BTreeMap;
use std::net::IpAddr;

use palisade_model::service::{Exposure, Service};
use serde::{Deserialize, Serialize};

use crate::cluster::{Cluster, Pod};
use crate::endpoints;

/// The cluster's domain, without dots at its ends.
pub(crate) const DOMAIN: &str = "cluster.local";

/// Records by name: lower case, without the last dot.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Zone {
    pub records: BTreeMap<String, Vec<Data>>,
}

/// What a name stands for.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Data {
    /// A or AAAA.
    Address(IpAddr),
    /// Another name.
    Alias(String),
    /// SRV: port and target.
    Server(u16, String),
    /// PTR.
    Pointer(String),
}

/// The zone of `cluster`.
///
/// Source: Kubernetes DNS-Based Service Discovery, version 1.1.0.
pub(crate) fn of_cluster(cluster: &Cluster) -> Zone {
    let mut zone = Zone::default();
    zone.add("dns-version", Vec::new());
    for service in cluster.services.values() {
        let name = service_name(service);
        match &service.exposure {
            Exposure::ExternalName(external) => {
                zone.add(&name, vec![Data::Alias(external.trim_end_matches('.').to_ascii_lowercase())]);
            }
            _ if service.headless => headless(&mut zone, &name, service, cluster),
            _ => with_address(&mut zone, &name, service),
        }
    }
    for (name, addresses) in &cluster.world_names {
        zone.add(name, addresses.iter().copied().map(Data::Address).collect());
    }
    for namespace in cluster.pods.keys().map(|(namespace, _)| namespace) {
        // A name with others below it exists, though it stands for nothing.
        zone.add(&format!("{namespace}.svc.{DOMAIN}"), Vec::new());
    }
    zone
}

impl Zone {
    fn add(&mut self, name: &str, data: Vec<Data>) {
        let records = self.records.entry(name.to_ascii_lowercase()).or_default();
        records.extend(data);
        records.sort();
        records.dedup();
    }
}

fn service_name(service: &Service) -> String {
    format!("{}.{}.svc.{DOMAIN}", service.meta.name(), service.meta.namespace())
}

fn with_address(zone: &mut Zone, name: &str, service: &Service) {
    zone.add(name, service.cluster_ips.iter().copied().map(Data::Address).collect());
    for address in &service.cluster_ips {
        zone.add(&reverse_name(*address), vec![Data::Pointer(name.to_owned())]);
    }
    for port in &service.ports {
        if let Some(label) = &port.name {
            let protocol = port.protocol.as_str().to_ascii_lowercase();
            zone.add(&format!("_{label}._{protocol}.{name}"), vec![Data::Server(port.port, name.to_owned())]);
        }
    }
}

/// The Service's name stands for its pods' addresses; each also has a name of its own.
fn headless(zone: &mut Zone, name: &str, service: &Service, cluster: &Cluster) {
    zone.add(name, Vec::new());
    for member in endpoints::members(service, cluster).into_iter().filter(|member| member.ready) {
        let own = format!(
            "{}.{name}",
            member.pod.map_or_else(|| dashed(member.address), |pod| host_label(pod, service, member.address))
        );
        zone.add(name, vec![Data::Address(member.address)]);
        zone.add(&own, vec![Data::Address(member.address)]);
        zone.add(&reverse_name(member.address), vec![Data::Pointer(own)]);
    }
    for endpoints in endpoints::of_service(service, cluster) {
        let Some(label) = endpoints.port.name.as_ref() else { continue };
        let protocol = endpoints.port.protocol.as_str().to_ascii_lowercase();
        for backend in endpoints.backends.iter().filter(|backend| backend.ready) {
            let pod = backend
                .pod
                .as_ref()
                .and_then(|(pod, _)| cluster.pods.get(&(service.meta.namespace().into(), pod.clone())));
            let host = pod.map_or_else(|| dashed(backend.address), |pod| host_label(pod, service, backend.address));
            zone.add(
                &format!("_{label}._{protocol}.{name}"),
                vec![Data::Server(backend.port, format!("{host}.{name}"))],
            );
        }
    }
}

/// A pod's `hostname` counts below the Service that its `subdomain` names.
fn host_label(pod: &Pod, service: &Service, address: IpAddr) -> String {
    let spec = &pod.plan.spec;
    match &spec.hostname {
        Some(hostname) if spec.subdomain.as_deref() == Some(service.meta.name()) => hostname.to_string(),
        _ => dashed(address),
    }
}

/// `10-244-1-2`, the label of an address.
fn dashed(address: IpAddr) -> String {
    address.to_string().replace(['.', ':'], "-")
}

fn reverse_name(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => {
            let [a, b, c, d] = address.octets();
            format!("{d}.{c}.{b}.{a}.in-addr.arpa")
        }
        IpAddr::V6(address) => {
            let nibbles = address.octets().into_iter().rev().flat_map(|byte| [byte & 15, byte >> 4]);
            let labels: Vec<_> = nibbles.map(|nibble| format!("{nibble:x}")).collect();
            format!("{}.ip6.arpa", labels.join("."))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::example;

    #[test]
    fn names_are_kubernetes_own() {
        let cluster = example::cluster(
            r#"
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db, namespace: data}
spec:
  replicas: 2
  serviceName: db
  selector: {matchLabels: {app: db}}
  template: {metadata: {labels: {app: db}}, spec: {containers: [{name: c, image: c, ports: [{name: pg, containerPort: 5432}]}]}}
---
apiVersion: v1
kind: Pod
metadata: {name: late-unready, namespace: data, labels: {app: db}}
spec: {containers: [{name: c, image: c, ports: [{name: pg, containerPort: 5432}]}]}
---
apiVersion: v1
kind: Service
metadata: {name: db, namespace: data}
spec: {clusterIP: None, selector: {app: db}, ports: [{name: pg, port: 5432, targetPort: pg}]}
---
apiVersion: v1
kind: Service
metadata: {name: read, namespace: data}
spec: {clusterIP: 10.96.0.40, selector: {app: db}, ports: [{name: sql, port: 5432, targetPort: pg}]}
---
apiVersion: v1
kind: Service
metadata: {name: pay, namespace: data}
spec: {type: ExternalName, externalName: api.pay.example}
"#,
        );
        let zone = of_cluster(&cluster);
        let addresses = |name: &str| {
            let data = zone.records.get(name).into_iter().flatten();
            data.filter_map(|data| match data {
                Data::Address(address) => Some(address.to_string()),
                Data::Alias(_) | Data::Server(..) | Data::Pointer(_) => None,
            })
            .collect::<Vec<_>>()
        };
        assert_eq!(addresses("read.data.svc.cluster.local"), ["10.96.0.40"]);
        let pods = addresses("db.data.svc.cluster.local");
        assert_eq!(pods.len(), 2, "ready pods alone");
        assert_eq!(addresses("db-0.db.data.svc.cluster.local").len(), 1);
        let servers = &zone.records["_pg._tcp.db.data.svc.cluster.local"];
        assert!(servers.contains(&Data::Server(5432, "db-1.db.data.svc.cluster.local".to_owned())), "{servers:?}");
        assert_eq!(zone.records["40.0.96.10.in-addr.arpa"], [Data::Pointer("read.data.svc.cluster.local".to_owned())]);
        assert_eq!(zone.records["pay.data.svc.cluster.local"], [Data::Alias("api.pay.example".to_owned())]);
        assert_eq!(addresses("api.pay.example"), ["203.0.113.100", "2001:db8:203::64"]);
    }
}
