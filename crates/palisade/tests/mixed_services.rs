//! A Service whose backends get different verdicts, on the sender's node and on another one: what the kernel does with
//! each connection is the engine's answer for the backend that it reached.

#[path = "lab/lab.rs"]
#[allow(dead_code, reason = "shared with other tests, which use the rest")]
mod lab;

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use palisade_lab::stand_in::attempt::Try;
use palisade_model::flow::{FlowOutcome, VerdictWord};
use palisade_model::link::{End, Link, PodEnd, Which};
use palisade_model::settings::{MixedServices, Settings};
use palisade_model::{Protocol, Timestamp};
use palisade_policy::Model;
use palisade_policy::dial::Dial;

use lab::Lab;

/// Tries to each Service by each protocol and family: that all of them go to one backend happens once in 2^15.
const TRIES: usize = 16;

fn pod(name: &str, app: &str, track: &str, node: &str) -> String {
    format!(
        "---\napiVersion: v1\nkind: Pod\nmetadata: {{name: {name}, namespace: shop, labels: {{app: {app}, track: {track}}}, annotations: {{lab.palisade.dev/program.main: /app/main}}}}\nspec: {{nodeSelector: {{kubernetes.io/hostname: {node}}}, containers: [{{name: main, image: x, ports: [{{containerPort: 8080}}, {{containerPort: 5353, protocol: UDP}}]}}]}}\n"
    )
}

fn service(app: &str) -> String {
    format!(
        "---\napiVersion: v1\nkind: Service\nmetadata: {{name: {app}, namespace: shop, annotations: {{lab.palisade.dev/dual-stack: 'true'}}}}\nspec: {{selector: {{app: {app}}}, ports: [{{name: tcp, port: 80, targetPort: 8080}}, {{name: udp, protocol: UDP, port: 53, targetPort: 5353}}]}}\n"
    )
}

const POLICIES: &str = "---
apiVersion: palisade.dev/v1alpha1
kind: Perimeter
metadata: {name: default, namespace: shop}
spec: {subject: {selector: {}}, except: [dns, kubelet]}
---
apiVersion: palisade.dev/v1alpha1
kind: AccessPolicy
metadata: {name: stable, namespace: shop}
spec:
  rules:
  - name: calls
    action: Allow
    from: [{selector: {matchLabels: {app: web}}, program: /app/main}]
    to: [{selector: {matchLabels: {track: stable}}}]
    ports: [{port: 8080}, {port: 5353, protocol: UDP}]
";

fn yaml() -> String {
    [
        "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n".to_owned(),
        pod("web", "web", "none", "node1"),
        pod("near-stable", "orders", "stable", "node1"),
        pod("far-canary", "orders", "canary", "node2"),
        pod("near-canary", "payments", "canary", "node1"),
        pod("far-stable", "payments", "stable", "node2"),
        pod("far-pod", "hosts", "stable", "node2"),
        HOSTS.to_owned(),
        service("orders"),
        service("payments"),
        service("hosts"),
        POLICIES.to_owned(),
    ]
    .concat()
}

/// A pod with node1's own network, which no rule opens, and another one beside it.
const HOSTS: &str = "---
apiVersion: v1
kind: Pod
metadata: {name: near-host, namespace: shop, labels: {app: hosts, track: none}, annotations: {lab.palisade.dev/program.main: /app/main}}
spec: {hostNetwork: true, nodeSelector: {kubernetes.io/hostname: node1}, containers: [{name: main, image: x, ports: [{containerPort: 8080}, {containerPort: 5353, protocol: UDP}]}]}
";

const NODE_PORT: &str = "---
apiVersion: v1
kind: Service
metadata: {name: at-nodes, namespace: shop}
spec: {type: NodePort, selector: {app: orders}, ports: [{name: tcp, port: 80, targetPort: 8080, nodePort: 30080}]}
";

/// What no program of the sender's node sees translated is refused at connect, and the engine that `check` asks says so.
#[test]
fn the_kernel_refuses_a_mixed_service_as_service_mixed_where_the_engine_says_so() {
    if !lab::can_run() {
        return;
    }
    let lab = Lab::up("unseen", &(yaml() + NODE_PORT), 2);
    let agent = lab.agent();
    agent.wait_until_guarded(&lab);
    let inventory = lab.inventory();
    let model = Model::new(std::sync::Arc::new(inventory.clone()), Settings::default()).value;
    let node = |name: &str| {
        let node = inventory.nodes.iter().find(|node| node.meta.name() == name).expect("it is there");
        *node.addresses.iter().find(|address| address.is_ipv4()).expect("it has one")
    };
    let service = |name: &str| {
        let service = inventory.services.iter().find(|service| service.meta.name() == name).expect("it is there");
        *service.cluster_ips.iter().find(|address| address.is_ipv4()).expect("it has one")
    };
    let dialled = [
        (node("node1"), 30080, MixedServices::JudgedOnThePacket),
        (node("node2"), 30080, MixedServices::Refused),
        (service("at-nodes"), 80, MixedServices::JudgedOnThePacket),
        (service("hosts"), 80, MixedServices::JudgedOnThePacket),
    ];
    let attempts: Vec<Try> =
        dialled.iter().map(|(address, port, _)| Try::tcp(SocketAddr::new(*address, *port).to_string())).collect();
    let answers = lab.try_all("shop/web", "main", "/app/main", &attempts);
    let records = agent.records(dialled.len(), |record| record.from.name.as_deref() == Some("web"));
    for (((address, port, wanted), answer), record) in dialled.iter().zip(&answers).zip(&records) {
        let who = format!("{address}:{port}: {answer:?} {record:?}");
        assert_eq!((record.dialled.address, record.dialled.port), (*address, *port), "{who}");
        assert!(matches!(model.dial(*address, Protocol::Tcp, *port), Dial::Service { .. }), "{who}");
        assert_eq!(model.mixed_service(Some("node1"), Some(*address)), *wanted, "{who}");
        let refused = (record.verdict.reason.as_str(), answer.errno) == ("service-mixed", Some(13));
        assert_eq!(refused, *wanted == MixedServices::Refused, "{who}");
    }
}

/// With `internalTrafficPolicy: Local` a Service is the backends on the sender's own node: here there is one, and no mix.
#[test]
fn a_service_for_its_own_node_is_judged_by_the_backends_there() {
    if !lab::can_run() {
        return;
    }
    // More of one process to one place within a second would be told together.
    const FEW: usize = 8;
    let yaml = yaml().replace("spec: {selector: {app:", "spec: {internalTrafficPolicy: Local, selector: {app:");
    let lab = Lab::up("near", &yaml, 2);
    let agent = lab.agent();
    agent.wait_until_guarded(&lab);
    let inventory = lab.inventory();
    let service =
        |name: &str| inventory.services.iter().find(|service| service.meta.name() == name).expect("it is there");
    for (name, allowed) in [("orders", true), ("payments", false)] {
        for address in &service(name).cluster_ips {
            let attempt = Try::tcp(SocketAddr::new(*address, 80).to_string());
            let answers = lab.try_all("shop/web", "main", "/app/main", &vec![attempt; FEW]);
            let records = agent.records(FEW, |record| record.dialled.address == *address);
            assert_eq!(records.len(), FEW, "each has its record");
            for (answer, record) in answers.iter().zip(&records) {
                let who = format!("{address}: {answer:?} {record:?}");
                assert_eq!((answer.ok, answer.errno), (allowed, (!allowed).then_some(13)), "{who}");
                assert_eq!(record.verdict.verdict == VerdictWord::Allowed, allowed, "{who}");
                assert_eq!(record.verdict.reason, if allowed { "rule" } else { "closed" }, "{who}");
                let near = |backend: SocketAddr| {
                    inventory
                        .pods
                        .iter()
                        .any(|pod| pod.meta.name() == "near-stable" && pod.own_addresses().contains(&backend.ip()))
                };
                assert_eq!(record.backend.is_some_and(near), allowed, "{who}");
            }
        }
    }
}

#[test]
fn each_connection_to_a_mixed_service_gets_the_engines_answer_for_the_backend_that_it_reached() {
    if !lab::can_run() {
        return;
    }
    let lab = Lab::up("mixed", &yaml(), 2);
    let agent = lab.agent();
    agent.wait_until_guarded(&lab);
    let inventory = lab.inventory();
    let model = Model::new(std::sync::Arc::new(inventory.clone()), Settings::default()).value;
    let mut dialled = Vec::new();
    for name in ["orders", "payments", "hosts"] {
        let service = inventory.services.iter().find(|service| service.meta.name() == name).expect("it is there");
        assert_eq!(service.cluster_ips.len(), 2, "both families: {:?}", service.cluster_ips);
        for address in &service.cluster_ips {
            dialled.extend([(*address, Protocol::Tcp), (*address, Protocol::Udp)]);
        }
    }
    let tries: Vec<_> = std::iter::repeat_n(dialled, TRIES).flatten().collect();
    let port_of = |protocol| if protocol == Protocol::Udp { 53 } else { 80 };
    let attempts: Vec<Try> = tries
        .iter()
        .map(|(address, protocol)| {
            let udp = *protocol == Protocol::Udp;
            let timeout_ms = if udp { 150 } else { 1000 };
            Try { udp, timeout_ms, ..Try::tcp(SocketAddr::new(*address, port_of(*protocol)).to_string()) }
        })
        .collect();
    // Many datagrams of one process to one place within a second are told together.
    let few = attempts.chunks(attempts.len() / 4);
    let answers: Vec<_> = few.flat_map(|few| lab.try_all("shop/web", "main", "/app/main", few)).collect();
    let records = agent.records(tries.len(), |record| record.from.name.as_deref() == Some("web"));
    assert_eq!(records.len(), tries.len(), "each try has its record");
    let mut seen: BTreeMap<(IpAddr, Protocol), (usize, usize)> = BTreeMap::new();
    for (((address, protocol), answer), record) in tries.iter().zip(&answers).zip(&records) {
        let who = format!("{address} over {protocol:?}: {answer:?} {record:?}");
        assert_eq!((record.dialled.address, record.protocol), (*address, *protocol), "{who}");
        let backend = record.backend.unwrap_or_else(|| panic!("no backend: {who}"));
        let from = PodEnd {
            namespace: "shop".into(),
            name: "web".into(),
            container: Which::Named("main".into()),
            program: Which::Named("/app/main".into()),
            address: None,
        };
        let link =
            Link { from: End::Pod(from), to: End::Address(backend.ip()), protocol: *protocol, port: backend.port() };
        let judged = model.judge(&link, Timestamp::now()).expect("the ends are in the lab").enforced;
        let allowed = judged.is_allowed();
        assert_eq!(record.verdict.verdict == VerdictWord::Allowed, allowed, "{who}");
        assert_eq!(record.verdict.rule, judged.link().1.rule().map(ToString::to_string), "{who}");
        assert_eq!(answer.ok, allowed, "{who}");
        if !allowed {
            assert_eq!(record.outcome, FlowOutcome::Refused, "{who}");
            let of_node = inventory.nodes.iter().any(|node| node.addresses.contains(&backend.ip()));
            let errno = match (of_node, protocol) {
                // A reset, made of the SYN; "port unreachable", made of the datagram.
                (false, _) => Some(111),
                // On the node's own way in a packet can only be dropped: the agent ends the socket, a datagram gets no answer.
                (true, Protocol::Tcp) => Some(103),
                (true, _) => Some(11),
            };
            assert_eq!(answer.errno, errno, "{who}");
        }
        let counts = seen.entry((*address, *protocol)).or_default();
        *(if allowed { &mut counts.0 } else { &mut counts.1 }) += 1;
    }
    assert_eq!(seen.len(), 12);
    assert!(seen.values().all(|(allowed, refused)| *allowed > 0 && *refused > 0), "{seen:?}");
}
