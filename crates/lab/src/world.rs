//! What the outside world must serve: everything in it that the cluster points to.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use palisade_model::Protocol;
use palisade_model::service::Exposure;

use crate::address_plan::is_world;
use crate::cluster::Cluster;
use crate::dependency::{self, CallKind};
use crate::stand_in::Listen;

/// Names outside the cluster get addresses from here on.
const FIRST_NAMED: u8 = 100;

/// The names that ExternalName Services stand for, each with an address pair of the world.
pub(crate) fn names(cluster: &Cluster) -> BTreeMap<String, Vec<IpAddr>> {
    let names: BTreeSet<String> = cluster
        .services
        .values()
        .filter_map(|service| match &service.exposure {
            Exposure::ExternalName(name) => Some(name.trim_end_matches('.').to_ascii_lowercase()),
            Exposure::ClusterIp | Exposure::NodePort | Exposure::LoadBalancer => None,
        })
        .collect();
    let outside =
        names.into_iter().filter(|name| name.parse::<IpAddr>().is_err() && !name.ends_with(crate::zone::DOMAIN));
    (FIRST_NAMED..=254)
        .zip(outside)
        .map(|(part, name)| (name, vec![named_address(part), named_address_6(part)]))
        .collect()
}

fn named_address(part: u8) -> IpAddr {
    Ipv4Addr::new(203, 0, 113, part).into()
}

fn named_address_6(part: u8) -> IpAddr {
    Ipv6Addr::new(0x2001, 0xdb8, 0x203, 0, 0, 0, 0, u16::from(part)).into()
}

/// The ports of the world that EndpointSlices, environments and ExternalName Services point to.
pub(crate) fn listens(cluster: &Cluster) -> Vec<Listen> {
    let mut listens = BTreeSet::new();
    let mut add = |address: IpAddr, protocol: Protocol, port: u16| {
        if is_world(address) {
            listens.insert(Listen { protocol, port, address: Some(address) });
        }
    };
    for slice in &cluster.given_slices {
        let addresses = slice.endpoints.iter().flat_map(|endpoint| &endpoint.addresses);
        for address in addresses {
            for port in &slice.ports {
                if let Some(number) = port.port {
                    add(*address, port.protocol, number);
                }
            }
        }
    }
    for ((namespace, name), service) in &cluster.services {
        let Exposure::ExternalName(external) = &service.exposure else { continue };
        let external = external.trim_end_matches('.').to_ascii_lowercase();
        let addresses: Vec<IpAddr> = external
            .parse()
            .map(|address| vec![address])
            .unwrap_or_else(|_| cluster.world_names.get(&external).cloned().unwrap_or_default());
        for address in addresses {
            for port in &service.ports {
                add(address, port.protocol, port.port);
            }
            for call in
                calls(cluster).filter(|(from, call)| means(&call.host, from, namespace, name) || call.host == external)
            {
                add(address, protocol(call.1.kind), call.1.port);
            }
        }
    }
    for (_, call) in calls(cluster) {
        if let Ok(address) = call.host.parse() {
            add(address, protocol(call.kind), call.port);
        }
    }
    listens.into_iter().collect()
}

/// Every dependency of every container, with the namespace that it is called from.
fn calls(cluster: &Cluster) -> impl Iterator<Item = (&str, dependency::Call)> {
    cluster.pods.values().flat_map(|pod| {
        pod.plan.spec.containers.iter().flat_map(move |container| {
            let environment = container.env.iter().map(|(name, value)| (&**name, value.as_str()));
            dependency::of_environment(environment).into_iter().map(|call| (&*pod.plan.namespace, call))
        })
    })
}

/// Whether `host`, asked for in the namespace `from`, is the Service `namespace`/`name`.
fn means(host: &str, from: &str, namespace: &str, name: &str) -> bool {
    let host = host.trim_end_matches('.');
    let host = host.strip_suffix(".cluster.local").unwrap_or(host);
    let host = host.strip_suffix(".svc").unwrap_or(host);
    match host.split_once('.') {
        Some((service, in_namespace)) => service == name && in_namespace == namespace,
        None => host == name && from == namespace,
    }
}

fn protocol(kind: CallKind) -> Protocol {
    match kind {
        CallKind::Tcp | CallKind::Http => Protocol::Tcp,
        CallKind::Udp => Protocol::Udp,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::example;

    #[test]
    fn the_world_serves_what_the_cluster_points_to() {
        let cluster = example::cluster(
            r#"
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: shop}
spec:
  containers:
  - name: c
    image: c
    env:
    - {name: BANK, value: "203.0.113.20:443"}
    - {name: TIME, value: "udp://[2001:db8:203::9]:123"}
    - {name: PAY, value: "pay.shop:8443"}
    - {name: INSIDE, value: "10.96.0.1:443"}
---
apiVersion: v1
kind: Service
metadata: {name: pay, namespace: shop}
spec: {type: ExternalName, externalName: api.pay.example, ports: [{port: 443}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: fx-1, namespace: shop, labels: {kubernetes.io/service-name: fx}}
addressType: IPv4
endpoints: [{addresses: [203.0.113.30]}]
ports: [{port: 9443}]
"#,
        );
        let served: Vec<_> = listens(&cluster)
            .into_iter()
            .filter_map(|listen| Some(format!("{}/{} {}", listen.port, listen.protocol, listen.address?)))
            .collect();
        let expected = [
            "443/TCP 203.0.113.20",
            "443/TCP 203.0.113.100",
            "443/TCP 2001:db8:203::64",
            "8443/TCP 203.0.113.100",
            "8443/TCP 2001:db8:203::64",
            "9443/TCP 203.0.113.30",
            "123/UDP 2001:db8:203::9",
        ];
        assert_eq!(served, expected);
    }
}
