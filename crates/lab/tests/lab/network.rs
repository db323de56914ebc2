//! Who reaches whom: pods, Services, names, the world, nodes.

use std::fs;
use std::os::unix::fs::MetadataExt;

use palisade_lab::stand_in::attempt::Try;

use crate::fixture::{Lab, wait_for};
use crate::shop::{NGINX, SHOP};

pub fn pods_reach_each_other_by_address_service_and_name() {
    let lab = Lab::up("reach", 2, SHOP);
    let orders = lab.pods("shop/orders");
    let nodes: Vec<_> = orders.iter().map(|pod| pod.node.as_str()).collect();
    assert!(nodes.contains(&"node1") && nodes.contains(&"node2"), "the two pods are spread: {nodes:?}");
    let who = |target: &str| lab.who_answers("shop/web", NGINX, target);
    for pod in &orders {
        for address in &pod.addresses {
            let target = std::net::SocketAddr::new(*address, 8080).to_string();
            assert_eq!(who(&target), Ok(format!("shop/{}/orders port 8080", pod.name)), "{target}");
        }
    }
    // A Service spreads its connections over all its pods, on both nodes, in both families.
    let service =
        lab.status().services.into_iter().find(|service| service.name == "orders").expect("the Service is there");
    assert_eq!(service.addresses.len(), 2);
    for target in service
        .addresses
        .iter()
        .map(|address| std::net::SocketAddr::new(*address, 80).to_string())
        .chain(["orders:80".into()])
    {
        let mut seen = std::collections::BTreeSet::new();
        wait_for("both pods answered", || {
            seen.insert(who(&target).expect("a Service answers"));
            seen.len() == 2
        });
    }
    for name in
        ["orders", "orders.shop", "orders.shop.svc", "orders.shop.svc.cluster.local", "orders.shop.svc.cluster.local."]
    {
        assert!(who(&format!("{name}:80")).is_ok(), "{name}");
    }
    for index in ["0", "1"] {
        let name = format!("db-{index}.db.data:5432");
        assert_eq!(who(&name), Ok(format!("data/db-{index}/postgres port 5432")));
    }
    let refused = 111;
    let tries = ["nobody:80", "orders:81", "nosuch:80"].map(Try::tcp);
    let answers = lab.tries("shop/web", NGINX, &tries);
    let errors: Vec<_> = answers.iter().map(|answer| (answer.ok, answer.errno)).collect();
    assert_eq!(errors, [(false, Some(refused)), (false, Some(refused)), (false, None)]);
    for unconnected in [false, true] {
        let ask = Try { udp: true, unconnected, ..Try::tcp("orders:53") };
        assert!(lab.tries("shop/web", NGINX, &[ask]).remove(0).ok, "UDP by Service, unconnected {unconnected}");
    }
    // A pod that reaches itself by its Service (hairpin).
    let own = format!("shop/{}", orders[0].name);
    let mut seen = std::collections::BTreeSet::new();
    wait_for("it reached itself", || {
        seen.insert(lab.who_answers(&own, "/app/orders", "orders:80").expect("a Service answers"));
        seen.contains(&format!("{own}/orders port 8080"))
    });
    let calls = || {
        fs::read_to_string(lab.name.state_dir().log_file("shop", &lab.pod("shop/web").name, "nginx"))
            .unwrap_or_default()
    };
    wait_for("the stand-in called its dependency", || calls().contains("call orders:80 ok"));
}

pub fn the_world_and_the_cluster_reach_each_other() {
    let lab = Lab::up("world", 2, SHOP);
    let who = |target: &str| lab.who_answers("shop/web", NGINX, target);
    wait_for("the outside serves", || who("203.0.113.20:443").is_ok());
    assert_eq!(who("203.0.113.20:443").as_deref(), Ok("world port 443"));
    assert_eq!(who("bank:443").as_deref(), Ok("world port 8443"), "a Service with an EndpointSlice of the outside");
    assert_eq!(who("pay:443").as_deref(), Ok("world port 443"), "an ExternalName");
    assert!(who("203.0.113.21:443").is_err(), "nobody else is served");
    let executable = std::env::current_exe().expect("a test has an executable").display().to_string();
    let from_world = |target: &str| lab.who_answers("world", &executable, target);
    for node in ["172.31.0.11", "172.31.0.12", "[fd00:172:31::12]"] {
        let answer = from_world(&format!("{node}:30080"));
        assert!(answer.as_ref().is_ok_and(|answer| answer.contains("/orders port 8080")), "{node}: {answer:?}");
    }
    let web = lab.pod("shop/web");
    let target = std::net::SocketAddr::new(web.addresses[0], 80).to_string();
    assert!(from_world(&target).is_ok(), "the pods' network is routed");
    assert!(lab.output("node:node2", &["ip", "-4", "-o", "addr"]).contains("172.31.0.12"));
}

pub fn a_host_network_pod_is_its_node() {
    let lab = Lab::up(
        "host",
        1,
        r#"
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: agent, namespace: t}
spec:
  selector: {matchLabels: {app: agent}}
  template:
    metadata: {labels: {app: agent}}
    spec: {hostNetwork: true, containers: [{name: c, image: agent, ports: [{containerPort: 9100}]}]}
---
apiVersion: v1
kind: Pod
metadata: {name: client, namespace: t}
spec: {containers: [{name: c, image: client, ports: [{containerPort: 80, hostPort: 8088}]}]}
"#,
    );
    let agent = lab.pod("t/agent");
    assert_eq!(agent.addresses[0].to_string(), "172.31.0.11");
    let answer = lab.who_answers("t/client", "/app/client", "172.31.0.11:9100");
    assert!(answer.is_ok_and(|answer| answer.starts_with("t/agent-")));
    let back = lab.who_answers("t/agent", "/app/agent", "127.0.0.1:9100");
    assert!(back.is_ok());
    let executable = std::env::current_exe().expect("a test has an executable").display().to_string();
    let by_host_port = lab.who_answers("world", &executable, "172.31.0.11:8088");
    assert_eq!(by_host_port.as_deref(), Ok("t/client/c port 80"));
    let pid = agent.containers[0].pid.expect("it lives");
    let own = fs::metadata(format!("/proc/{pid}/ns/net")).expect("it lives").ino();
    assert_eq!(own, fs::metadata(&lab.file().nodes[0].netns).expect("the node has a namespace").ino());
    assert_ne!(own, fs::metadata("/proc/self/ns/net").expect("so have we").ino());
}
