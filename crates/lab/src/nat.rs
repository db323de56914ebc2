//! Services as nftables rules: one table, replaced as a whole.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::net::IpAddr;

use palisade_model::Protocol;
use palisade_model::service::Exposure;

use crate::address_plan::{cluster_networks, node_address, node_address_6, node_networks, service_networks};
use crate::cluster::Cluster;
use crate::endpoints;

/// The rules of one node's namespace, for `nft -f`.
///
/// What a node sends to a Service, and what comes to it from its pods or from outside, is translated
/// where it enters. A backend that reaches itself through its Service is masqueraded (hairpin), and
/// so is what comes in by a NodePort and what pods send to the world.
pub(crate) fn render(cluster: &Cluster, node: u8, ipv6: bool) -> String {
    let mut tables = Tables::default();
    for service in cluster.services.values() {
        for endpoints in endpoints::of_service(service, cluster) {
            let port = &endpoints.port;
            if port.protocol == Protocol::Sctp {
                continue;
            }
            for v6 in [false, true].into_iter().filter(|v6| ipv6 || !v6) {
                let backends: Vec<_> = endpoints
                    .backends
                    .iter()
                    .filter(|backend| backend.ready && backend.address.is_ipv6() == v6)
                    .map(|backend| (backend.address, backend.port))
                    .collect();
                let addresses =
                    service.cluster_ips.iter().chain(&service.external_ips).chain(&service.load_balancer_ips);
                for address in addresses.filter(|address| address.is_ipv6() == v6) {
                    tables.add(Key::Address(*address, port.protocol, port.port), &backends);
                }
                let on_nodes = matches!(service.exposure, Exposure::NodePort | Exposure::LoadBalancer);
                if let Some(number) = port.node_port.filter(|_| on_nodes) {
                    tables.add(Key::NodePort(v6, port.protocol, number), &backends);
                }
            }
        }
    }
    for pod in cluster.pods.values().filter(|pod| pod.node == node && !pod.plan.spec.host_network) {
        let ports = pod.plan.spec.containers.iter().flat_map(|container| &container.ports);
        for port in ports.filter(|port| port.protocol != Protocol::Sctp) {
            let Some(host_port) = port.host_port else { continue };
            for address in pod.reachable_addresses().iter().filter(|address| ipv6 || address.is_ipv4()) {
                tables.add(Key::HostPort(address.is_ipv6(), port.protocol, host_port), &[(*address, port.number)]);
            }
        }
    }
    tables.render(node, ipv6)
}

/// What a packet is dialled to.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Key {
    Address(IpAddr, Protocol, u16),
    /// A port of every node, by family (IPv6 or not).
    NodePort(bool, Protocol, u16),
    /// A port of this node, which belongs to one of its pods.
    HostPort(bool, Protocol, u16),
}

#[derive(Default)]
struct Tables {
    frontends: BTreeMap<Key, Vec<(IpAddr, u16)>>,
}

impl Tables {
    /// The first that claims an address and port keeps it; a NodePort comes before a host port.
    fn add(&mut self, key: Key, backends: &[(IpAddr, u16)]) {
        let taken = match key {
            Key::HostPort(v6, protocol, port) => self.frontends.contains_key(&Key::NodePort(v6, protocol, port)),
            Key::Address(..) | Key::NodePort(..) => false,
        };
        if !taken {
            self.frontends.entry(key).or_insert_with(|| backends.to_vec());
        }
    }

    fn render(&self, node: u8, ipv6: bool) -> String {
        let mut out =
            String::from("table inet palisade_lab {}\ndelete table inet palisade_lab\ntable inet palisade_lab {\n");
        let mut chains = String::new();
        let mut maps: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for (index, (key, backends)) in self.frontends.iter().enumerate() {
            let (map, entry) = match key {
                Key::Address(address, protocol, port) => {
                    let map = if address.is_ipv4() { "services4" } else { "services6" };
                    (map, format!("{address} . {} . {port}", name(*protocol)))
                }
                Key::NodePort(false, protocol, port) | Key::HostPort(false, protocol, port) => {
                    ("node_ports4", format!("{} . {port}", name(*protocol)))
                }
                Key::NodePort(true, protocol, port) | Key::HostPort(true, protocol, port) => {
                    ("node_ports6", format!("{} . {port}", name(*protocol)))
                }
            };
            if backends.is_empty() {
                let empty = match map {
                    "services4" => "empty4",
                    "services6" => "empty6",
                    "node_ports4" => "empty_ports4",
                    _ => "empty_ports6",
                };
                maps.entry(empty).or_default().push(format!("{entry} : goto refuse"));
                continue;
            }
            maps.entry(map).or_default().push(format!("{entry} : goto svc{index}"));
            let protocol = match key {
                Key::Address(_, protocol, _) | Key::NodePort(_, protocol, _) | Key::HostPort(_, protocol, _) => {
                    name(*protocol)
                }
            };
            let family = if backends[0].0.is_ipv4() { "ip" } else { "ip6" };
            let _ = writeln!(chains, " chain svc{index} {{");
            if let Key::NodePort(..) = key {
                chains.push_str("  meta mark set meta mark | 0x4000\n");
            }
            match backends.as_slice() {
                [(address, port)] => {
                    let _ =
                        writeln!(chains, "  meta l4proto {protocol} dnat {family} to {}", with_port(*address, *port));
                }
                many => {
                    let list: Vec<_> = many
                        .iter()
                        .enumerate()
                        .map(|(index, (address, port))| format!("{index} : {address} . {port}"))
                        .collect();
                    let _ = writeln!(
                        chains,
                        "  meta l4proto {protocol} dnat {family} to numgen random mod {} map {{ {} }}",
                        many.len(),
                        list.join(", ")
                    );
                }
            }
            chains.push_str(" }\n");
        }
        for (map, key) in MAPS.into_iter().filter(|(map, _)| ipv6 || !map.ends_with('6')) {
            let _ = writeln!(out, " map {map} {{\n  type {key} : verdict");
            if let Some(entries) = maps.get(map) {
                let _ = writeln!(out, "  elements = {{ {} }}", entries.join(", "));
            }
            out.push_str(" }\n");
        }
        // nftables compares no two fields of a packet: a pod that reached itself is found in a set.
        let own: BTreeSet<IpAddr> = self.frontends.values().flatten().map(|(address, _)| *address).collect();
        for (set, kind, v6) in [("hairpin4", "ipv4_addr", false), ("hairpin6", "ipv6_addr", true)] {
            let pairs: Vec<_> = own
                .iter()
                .filter(|address| address.is_ipv6() == v6)
                .map(|address| format!("{address} . {address}"))
                .collect();
            let elements =
                if pairs.is_empty() { String::new() } else { format!("  elements = {{ {} }}\n", pairs.join(", ")) };
            let _ = writeln!(out, " set {set} {{\n  type {kind} . {kind}\n{elements} }}");
        }
        out.push_str(" chain refuse {\n  reject\n }\n");
        out.push_str(&chains);
        out.push_str(&base_chains(node, ipv6));
        out.push_str("}\n");
        out
    }
}

/// Concatenated keys need no more than this to be found in one step.
const MAPS: [(&str, &str); 8] = [
    ("services4", "ipv4_addr . inet_proto . inet_service"),
    ("services6", "ipv6_addr . inet_proto . inet_service"),
    ("node_ports4", "inet_proto . inet_service"),
    ("node_ports6", "inet_proto . inet_service"),
    ("empty4", "ipv4_addr . inet_proto . inet_service"),
    ("empty6", "ipv6_addr . inet_proto . inet_service"),
    ("empty_ports4", "inet_proto . inet_service"),
    ("empty_ports6", "inet_proto . inet_service"),
];

fn base_chains(node: u8, ipv6: bool) -> String {
    let [pods, _] = cluster_networks();
    let [services, services_6] = service_networks();
    let [nodes, _] = node_networks();
    let own = node_address(node);
    let mut translate = String::new();
    translate.push_str("  ip daddr . meta l4proto . th dport vmap @services4\n");
    let mut source = format!(
        "  ct status dnat ip saddr . ip daddr @hairpin4 snat ip to {own}\n  \
         meta mark & 0x4000 == 0x4000 meta nfproto ipv4 snat ip to {own}\n  \
         ip saddr {pods} ip daddr != {{ {pods}, {nodes} }} snat ip to {own}\n"
    );
    let mut refuse = format!(
        "  ip daddr . meta l4proto . th dport vmap @empty4\n  ip daddr {services} meta l4proto {{ tcp, udp, sctp }} reject\n"
    );
    let mut node_ports = format!("  ip daddr {own} meta l4proto . th dport vmap @node_ports4\n");
    let mut empty_ports = format!("  ip daddr {own} meta l4proto . th dport vmap @empty_ports4\n");
    if ipv6 {
        let [_, pods] = cluster_networks();
        let [_, nodes] = node_networks();
        let own = node_address_6(node);
        translate.push_str("  ip6 daddr . meta l4proto . th dport vmap @services6\n");
        let _ = write!(
            source,
            "  ct status dnat ip6 saddr . ip6 daddr @hairpin6 snat ip6 to {own}\n  \
             meta mark & 0x4000 == 0x4000 meta nfproto ipv6 snat ip6 to {own}\n  \
             ip6 saddr {pods} ip6 daddr != {{ {pods}, {nodes} }} snat ip6 to {own}\n"
        );
        let _ = write!(
            refuse,
            "  ip6 daddr . meta l4proto . th dport vmap @empty6\n  ip6 daddr {services_6} meta l4proto {{ tcp, udp, sctp }} reject\n"
        );
        let _ = writeln!(node_ports, "  ip6 daddr {own} meta l4proto . th dport vmap @node_ports6");
        let _ = writeln!(empty_ports, "  ip6 daddr {own} meta l4proto . th dport vmap @empty_ports6");
    }
    let mut out = String::new();
    for (chain, hook, kind, priority, rules) in [
        ("prerouting", "prerouting", "nat", "dstnat", format!("{translate}{node_ports}")),
        ("output", "output", "nat", "-100", format!("{translate}{node_ports}")),
        ("postrouting", "postrouting", "nat", "srcnat", source),
        ("refuse_forward", "forward", "filter", "filter", refuse.clone()),
        ("refuse_output", "output", "filter", "filter", refuse),
        ("refuse_input", "input", "filter", "filter", empty_ports),
    ] {
        let _ = writeln!(
            out,
            " chain {chain} {{\n  type {kind} hook {hook} priority {priority}; policy accept;\n{rules} }}"
        );
    }
    out
}

fn name(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Tcp => "tcp",
        Protocol::Udp => "udp",
        Protocol::Sctp => "sctp",
    }
}

fn with_port(address: IpAddr, port: u16) -> String {
    match address {
        IpAddr::V4(address) => format!("{address}:{port}"),
        IpAddr::V6(address) => format!("[{address}]:{port}"),
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
