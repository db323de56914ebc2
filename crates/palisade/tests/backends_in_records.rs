//! The sender's record of a try to a Service names the backend that it went to: on this node, on another one, on this
//! node's own network, and where nobody answers.

#[path = "lab/lab.rs"]
#[allow(dead_code, reason = "shared with other tests, which use the rest")]
mod lab;

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};

use palisade_lab::stand_in::attempt::Try;
use palisade_model::flow::FlowRecord;

use lab::Lab;

/// Tries of each kind: that both of two backends are not seen happens once in 2^11.
const TRIES: usize = 12;

fn pod(name: &str, node: &str, more: &str) -> String {
    let app = name.split('-').next().unwrap_or(name);
    format!(
        "---\napiVersion: v1\nkind: Pod\nmetadata: {{name: {name}, namespace: shop, labels: {{app: {app}}}, annotations: {{lab.palisade.dev/program.main: /app/main}}}}\nspec: {{{more}nodeSelector: {{kubernetes.io/hostname: {node}}}, containers: [{{name: main, image: x, ports: [{{containerPort: 8080}}, {{containerPort: 5353, protocol: UDP}}]}}]}}\n"
    )
}

/// Port 54 is one at which no backend listens.
fn service(app: &str) -> String {
    format!(
        "---\napiVersion: v1\nkind: Service\nmetadata: {{name: {app}, namespace: shop, annotations: {{lab.palisade.dev/dual-stack: 'true'}}}}\nspec: {{selector: {{app: {app}}}, ports: [{{name: tcp, port: 80, targetPort: 8080}}, {{name: udp, protocol: UDP, port: 53, targetPort: 5353}}, {{name: silent, protocol: UDP, port: 54, targetPort: 5454}}]}}\n"
    )
}

fn yaml() -> String {
    [
        "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n".to_owned(),
        pod("web", "node1", ""),
        pod("near-1", "node1", ""),
        pod("near-2", "node1", ""),
        pod("far-1", "node2", ""),
        pod("far-2", "node2", ""),
        pod("host-1", "node1", "hostNetwork: true, "),
        service("near"),
        service("far"),
        service("host"),
    ]
    .concat()
}

#[test]
fn a_record_of_a_try_to_a_service_names_the_backend_that_it_went_to() {
    if !lab::can_run() {
        return;
    }
    let lab = Lab::up("backends", &yaml(), 2);
    let agent = lab.agent();
    agent.wait_until_guarded(&lab);
    let inventory = lab.inventory();
    let node = inventory.nodes.iter().find(|node| node.meta.name() == "node1").expect("it is there");
    let pods_of = |app: &str| -> BTreeSet<IpAddr> {
        let pods = inventory.pods.iter().filter(|pod| pod.meta.name().starts_with(app));
        pods.flat_map(|pod| pod.own_addresses().iter().copied()).collect()
    };
    for (app, addresses) in
        [("near", pods_of("near-")), ("far", pods_of("far-")), ("host", node.addresses.iter().copied().collect())]
    {
        let service = inventory.services.iter().find(|service| service.meta.name() == app).expect("it is there");
        for address in &service.cluster_ips {
            let at = |port| SocketAddr::new(*address, port).to_string();
            let datagram = |port| Try { udp: true, timeout_ms: 50, ..Try::tcp(at(port)) };
            let unconnected = |port| Try { unconnected: true, ..datagram(port) };
            let kinds = [(Try::tcp(at(80)), 8080), (datagram(53), 5353), (unconnected(53), 5353), (datagram(54), 5454)];
            for (each, port) in kinds {
                let since = palisade_model::Timestamp::now();
                let is_of_it = |record: &FlowRecord| {
                    record.time >= since
                        && record.dialled.address == *address
                        && record.from.name.as_deref() == Some("web")
                };
                // Many of one process to one place within a second are told together.
                let answers: Vec<_> = (0..TRIES)
                    .flat_map(|_| lab.try_all("shop/web", "main", "/app/main", std::slice::from_ref(&each)))
                    .collect();
                let records = agent.records(TRIES, is_of_it);
                assert_eq!(records.len(), TRIES, "each has its record: {each:?} {answers:?}");
                let named: BTreeSet<SocketAddr> = records
                    .iter()
                    .map(|record| {
                        record.backend.unwrap_or_else(|| panic!("no backend: {each:?} {record:?} {answers:?}"))
                    })
                    .collect();
                let wanted = addresses.iter().filter(|of| of.is_ipv4() == address.is_ipv4());
                assert_eq!(named, wanted.map(|of| SocketAddr::new(*of, port)).collect(), "{each:?}");
            }
        }
    }
}
