//! Services as nftables rules: one table, replaced as a whole.

mod ruleset;

use std::collections::BTreeMap;
use std::net::IpAddr;

use palisade_model::Protocol;
use palisade_model::service::{Exposure, InternalTraffic};

use crate::cluster::Cluster;
use crate::endpoints;

/// The rules of one node's namespace, for `nft -f`.
///
/// What a node sends to a Service, and what comes to it from its pods or from outside, is translated
/// where it enters. A backend that reaches itself through its Service is masqueraded (hairpin), and
/// so is what comes in by a NodePort, an external address or a load balancer's (`externalTrafficPolicy:
/// Cluster`, as kube-proxy does it), and what pods send to the world.
pub(crate) fn render(cluster: &Cluster, node: u8, ipv6: bool) -> String {
    let mut frontends = Frontends::default();
    for service in cluster.services.values() {
        for endpoints in endpoints::of_service(service, cluster) {
            let port = &endpoints.port;
            if port.protocol == Protocol::Sctp {
                continue;
            }
            for v6 in [false, true].into_iter().filter(|v6| ipv6 || !v6) {
                let ready = endpoints.backends.iter().filter(|one| one.ready && one.address.is_ipv6() == v6);
                let of = |backend: &endpoints::Backend| (backend.address, backend.port);
                let backends: Vec<_> = ready.clone().map(of).collect();
                let near = |backend: &&endpoints::Backend| backend.pod.as_ref().is_some_and(|(_, on)| *on == node);
                let of_own = match service.internal_traffic {
                    InternalTraffic::Cluster => backends.clone(),
                    InternalTraffic::Local => ready.filter(near).map(of).collect(),
                };
                for address in service.cluster_ips.iter().filter(|address| address.is_ipv6() == v6) {
                    frontends.add(Key::Address(*address, port.protocol, port.port), &of_own);
                }
                let external = service.external_ips.iter().chain(&service.load_balancer_ips);
                for address in external.filter(|address| address.is_ipv6() == v6) {
                    frontends.add(Key::External(*address, port.protocol, port.port), &backends);
                }
                let on_nodes = matches!(service.exposure, Exposure::NodePort | Exposure::LoadBalancer);
                if let Some(number) = port.node_port.filter(|_| on_nodes) {
                    frontends.add(Key::NodePort(v6, port.protocol, number), &backends);
                }
            }
        }
    }
    for pod in cluster.pods.values().filter(|pod| pod.node == node && !pod.plan.spec.host_network) {
        let ports = pod.plan.spec.containers.iter().flat_map(|container| &container.ports);
        for port in ports.filter(|port| port.protocol != Protocol::Sctp) {
            let Some(host_port) = port.host_port else { continue };
            for address in pod.reachable_addresses().iter().filter(|address| ipv6 || address.is_ipv4()) {
                frontends.add(Key::HostPort(address.is_ipv6(), port.protocol, host_port), &[(*address, port.number)]);
            }
        }
    }
    ruleset::render(&frontends.0, node, ipv6)
}

/// What a packet is dialled to.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Key {
    Address(IpAddr, Protocol, u16),
    /// An external address or a load balancer's.
    External(IpAddr, Protocol, u16),
    /// A port of every node, by family (IPv6 or not).
    NodePort(bool, Protocol, u16),
    /// A port of this node, which belongs to one of its pods.
    HostPort(bool, Protocol, u16),
}

/// What stands behind each; the first that claims an address and port keeps it.
#[derive(Default)]
struct Frontends(BTreeMap<Key, Vec<(IpAddr, u16)>>);

impl Frontends {
    /// A NodePort comes before a host port.
    fn add(&mut self, key: Key, backends: &[(IpAddr, u16)]) {
        let taken = match key {
            Key::HostPort(v6, protocol, port) => self.0.contains_key(&Key::NodePort(v6, protocol, port)),
            Key::Address(..) | Key::External(..) | Key::NodePort(..) => false,
        };
        if !taken {
            self.0.entry(key).or_insert_with(|| backends.to_vec());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::example;

    const TWO_PODS: &str = r#"
apiVersion: v1
kind: Pod
metadata: {name: a, namespace: t, labels: {app: web}}
spec: {containers: [{name: c, image: c, ports: [{containerPort: 80, hostPort: 8080}]}]}
---
apiVersion: v1
kind: Pod
metadata: {name: b, namespace: t, labels: {app: web}}
spec: {containers: [{name: c, image: c}]}
---
apiVersion: v1
kind: Pod
metadata: {name: c-unready, namespace: t, labels: {app: web}}
spec: {containers: [{name: c, image: c}]}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: t}
spec: {type: NodePort, clusterIP: 10.96.0.30, selector: {app: web}, ports: [{port: 80, targetPort: 8000, nodePort: 30080}]}
---
apiVersion: v1
kind: Service
metadata: {name: nobody, namespace: t}
spec: {clusterIP: 10.96.0.31, selector: {app: nobody}, ports: [{port: 80}]}
"#;

    fn lines<'a>(rules: &'a str, part: &str) -> Vec<&'a str> {
        rules.lines().map(str::trim).filter(|line| line.contains(part)).collect()
    }

    #[test]
    fn a_service_goes_to_its_ready_pods() {
        let rules = render(&example::cluster(TWO_PODS), 1, true);
        let map = "dnat ip to numgen random mod 2 map { 0 : 10.244.1.2 . 8000, 1 : 10.244.2.2 . 8000 }";
        assert_eq!(lines(&rules, map).len(), 2, "by its address and by its NodePort: {rules}");
        assert_eq!(lines(&rules, "10.244.1.3"), Vec::<&str>::new(), "not to one that is not ready");
        assert_eq!(lines(&rules, "10.96.0.31"), ["elements = { 10.96.0.31 . tcp . 80 : goto refuse }"]);
    }

    #[test]
    fn a_service_for_its_own_node_goes_to_pods_of_that_node_by_its_cluster_address_alone() {
        let local = TWO_PODS.replace("{type: NodePort,", "{type: NodePort, internalTrafficPolicy: Local,");
        for (node, own) in [(1, "10.244.1.2"), (2, "10.244.2.2")] {
            let rules = render(&example::cluster(&local), node, false);
            assert_eq!(lines(&rules, &format!("dnat ip to {own}:8000")).len(), 1, "{rules}");
            assert_eq!(lines(&rules, "numgen random mod 2").len(), 1, "by its NodePort: {rules}");
        }
    }

    #[test]
    fn a_host_port_is_the_pods_own_nodes() {
        let cluster = example::cluster(TWO_PODS);
        let to_pod = "dnat ip to 10.244.1.2:80";
        assert_eq!(lines(&render(&cluster, 1, false), to_pod).len(), 1);
        assert_eq!(lines(&render(&cluster, 2, false), to_pod).len(), 0);
    }

    #[test]
    fn without_ipv6_no_rule_names_it() {
        assert_eq!(lines(&render(&example::cluster(TWO_PODS), 1, false), "ip6 "), Vec::<&str>::new());
    }
}
