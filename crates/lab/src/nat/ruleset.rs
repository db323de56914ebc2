//! The text of a node's rules.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::net::IpAddr;

use palisade_model::{IpNet, Protocol};

use super::Key;
use crate::address_plan::{cluster_networks, node_address, node_address_6, node_networks, service_networks};

/// On what came in by a NodePort or an external address, between translation and masquerading. Kube-proxy's own mark.
const MASQUERADE_MARK: u32 = 0x4000;

/// Names and addresses that differ between the two families.
struct Family {
    ipv6: bool,
    /// As nftables calls it.
    ip: &'static str,
    /// At the end of names of maps and sets.
    digit: char,
    pods: IpNet,
    nodes: IpNet,
    services: IpNet,
    /// The node's own address.
    own: IpAddr,
}

impl Family {
    fn of_node(node: u8, ipv6: bool) -> Vec<Self> {
        let ([pods, pods_6], [nodes, nodes_6], [services, services_6]) =
            (cluster_networks(), node_networks(), service_networks());
        let own = node_address(node).into();
        let mut families = vec![Self { ipv6: false, ip: "ip", digit: '4', pods, nodes, services, own }];
        if ipv6 {
            let own = node_address_6(node).into();
            let (pods, nodes, services) = (pods_6, nodes_6, services_6);
            families.push(Self { ipv6, ip: "ip6", digit: '6', pods, nodes, services, own });
        }
        families
    }
}

/// The table of node `node`, which replaces the one before in one transaction.
pub(super) fn render(frontends: &BTreeMap<Key, Vec<(IpAddr, u16)>>, node: u8, ipv6: bool) -> String {
    let families = Family::of_node(node, ipv6);
    let mut out =
        String::from("table inet palisade_lab {}\ndelete table inet palisade_lab\ntable inet palisade_lab {\n");
    for family in &families {
        out.push_str(&maps(frontends, family));
        out.push_str(&hairpin_set(frontends, family));
    }
    out.push_str(" chain refuse {\n  reject\n }\n");
    for (index, (key, backends)) in frontends.iter().enumerate().filter(|(_, (_, backends))| !backends.is_empty()) {
        out.push_str(&service_chain(index, key, backends));
    }
    out.push_str(&base_chains(&families));
    out.push_str("}\n");
    out
}

/// From what is dialled to the chain that translates it, or refuses when nothing stands behind it.
fn maps(frontends: &BTreeMap<Key, Vec<(IpAddr, u16)>>, family: &Family) -> String {
    let mut elements: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (index, (key, backends)) in frontends.iter().enumerate() {
        let (ipv6, entry, [full, empty]) = match key {
            Key::Address(address, protocol, port) | Key::External(address, protocol, port) => {
                (address.is_ipv6(), format!("{address} . {} . {port}", name(*protocol)), ["services", "empty"])
            }
            Key::NodePort(ipv6, protocol, port) | Key::HostPort(ipv6, protocol, port) => {
                (*ipv6, format!("{} . {port}", name(*protocol)), ["node_ports", "empty_ports"])
            }
        };
        if ipv6 != family.ipv6 {
            continue;
        }
        if backends.is_empty() {
            elements.entry(empty).or_default().push(format!("{entry} : goto refuse"));
        } else {
            elements.entry(full).or_default().push(format!("{entry} : goto svc{index}"));
        }
    }
    let address = if family.ipv6 { "ipv6_addr" } else { "ipv4_addr" };
    let full_key = format!("{address} . inet_proto . inet_service");
    let port_key = "inet_proto . inet_service".to_owned();
    let mut out = String::new();
    for (map, key) in
        [("services", &full_key), ("empty", &full_key), ("node_ports", &port_key), ("empty_ports", &port_key)]
    {
        let _ = writeln!(out, " map {map}{} {{\n  type {key} : verdict", family.digit);
        if let Some(elements) = elements.get(map) {
            let _ = writeln!(out, "  elements = {{ {} }}", elements.join(", "));
        }
        out.push_str(" }\n");
    }
    out
}

/// nftables compares no two fields of a packet: a pod that reaches itself is found in a set.
fn hairpin_set(frontends: &BTreeMap<Key, Vec<(IpAddr, u16)>>, family: &Family) -> String {
    let backends: BTreeSet<IpAddr> = frontends.values().flatten().map(|(address, _)| *address).collect();
    let pairs: Vec<_> = backends
        .iter()
        .filter(|address| address.is_ipv6() == family.ipv6)
        .map(|address| format!("{address} . {address}"))
        .collect();
    let elements = if pairs.is_empty() { String::new() } else { format!("  elements = {{ {} }}\n", pairs.join(", ")) };
    let kind = if family.ipv6 { "ipv6_addr" } else { "ipv4_addr" };
    format!(" set hairpin{} {{\n  type {kind} . {kind}\n{elements} }}\n", family.digit)
}

/// Each connection goes to a backend by chance.
fn service_chain(index: usize, key: &Key, backends: &[(IpAddr, u16)]) -> String {
    let (protocol, marked) = match key {
        Key::Address(_, protocol, _) | Key::HostPort(_, protocol, _) => (name(*protocol), false),
        Key::External(_, protocol, _) | Key::NodePort(_, protocol, _) => (name(*protocol), true),
    };
    let mut out = format!(" chain svc{index} {{\n");
    if marked {
        let _ = writeln!(out, "  meta mark set meta mark | {MASQUERADE_MARK:#x}");
    }
    let ip = if backends.iter().any(|(address, _)| address.is_ipv6()) { "ip6" } else { "ip" };
    let target = match backends {
        [(address, port)] => std::net::SocketAddr::new(*address, *port).to_string(),
        many => {
            let list = many.iter().enumerate().map(|(index, (address, port))| format!("{index} : {address} . {port}"));
            format!("numgen random mod {} map {{ {} }}", many.len(), list.collect::<Vec<_>>().join(", "))
        }
    };
    let _ = writeln!(out, "  meta l4proto {protocol} dnat {ip} to {target}\n }}");
    out
}

/// Where the kernel enters the table.
fn base_chains(families: &[Family]) -> String {
    let each = |rules: fn(&Family) -> String| families.iter().map(rules).collect::<String>();
    let translate = each(|Family { ip, digit, own, .. }| {
        format!(
            "  {ip} daddr . meta l4proto . th dport vmap @services{digit}\n  \
             {ip} daddr {own} meta l4proto . th dport vmap @node_ports{digit}\n"
        )
    });
    let masquerade = each(|Family { ipv6, ip, digit, pods, nodes, own, .. }| {
        let family = if *ipv6 { "ipv6" } else { "ipv4" };
        format!(
            "  ct status dnat {ip} saddr . {ip} daddr @hairpin{digit} snat {ip} to {own}\n  \
             meta mark & {MASQUERADE_MARK:#x} == {MASQUERADE_MARK:#x} meta nfproto {family} snat {ip} to {own}\n  \
             {ip} saddr {pods} {ip} daddr != {{ {pods}, {nodes} }} snat {ip} to {own}\n"
        )
    });
    let refuse = each(|Family { ip, digit, services, .. }| {
        format!(
            "  {ip} daddr . meta l4proto . th dport vmap @empty{digit}\n  \
             {ip} daddr {services} meta l4proto {{ tcp, udp, sctp }} reject\n"
        )
    });
    let refuse_ports = each(|Family { ip, digit, own, .. }| {
        format!("  {ip} daddr {own} meta l4proto . th dport vmap @empty_ports{digit}\n")
    });
    let mut out = String::new();
    for (chain, kind, hook, priority, rules) in [
        ("prerouting", "nat", "prerouting", "dstnat", &translate),
        ("output", "nat", "output", "-100", &translate),
        ("postrouting", "nat", "postrouting", "srcnat", &masquerade),
        ("refuse_forward", "filter", "forward", "filter", &refuse),
        ("refuse_output", "filter", "output", "filter", &refuse),
        ("refuse_input", "filter", "input", "filter", &refuse_ports),
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
