//! Worlds that the lab can really run, and connections to try in them over TCP and IPv4.
//!
//! The lab gives the addresses; so a [`Try`] names workloads, and [`Try::dial`] finds in the inventory
//! of the running lab what to dial and which links the engine is to be asked about.

mod dial;
mod running;
mod tries;

use std::net::{IpAddr, Ipv4Addr};

use palisade_model::access_policy::Entity;
use palisade_model::pod::Phase;
use palisade_model::port::Protocol;
use palisade_model::workload::WorkloadKind;

pub use dial::{Dial, Family, NodeTry, PodOf, Program, Sender, Target, Try};

use crate::manifest;
use crate::policies::{Counts, Generator, Taste, object};
use crate::random::Random;
use crate::scene::{
    Pairs, Scene, SceneContainer, SceneNamespace, ScenePod, ScenePort, SceneProbe, SceneService, SceneServicePort,
    SceneWorkload, random_labels,
};
use crate::text::{Yaml, list, map, text};

/// Where a world's outside server listens.
pub const OUTSIDE: (IpAddr, u16) = (IpAddr::V4(Ipv4Addr::new(203, 0, 113, 10)), 8080);

/// Where clouds serve instance metadata; in the lab nobody does.
pub const METADATA: IpAddr = IpAddr::V4(Ipv4Addr::new(169, 254, 169, 254));

/// Namespace and name of the cluster DNS Service.
const DNS: (&str, &str) = ("kube-system", "kube-dns");

/// The cluster's nodes, by name.
pub const NODES: [&str; 2] = ["node1", "node2"];

/// A world for the lab.
#[derive(Clone, Debug)]
pub struct RunnableWorld {
    /// What it was made from.
    pub seed: u64,
    /// The user's files: workloads, Services, policies.
    pub yaml: String,
    /// The same world as a lab would show it, with nodes, pods, slices and made-up addresses: for
    /// tests without one.
    pub as_if_running: String,
    /// Connections that can be tried: more than a test has time for, so it chooses with
    /// [`crate::choose`].
    pub tries: Vec<Try>,
    /// Connections from a process of a pod's own node to the pod.
    pub from_node: Vec<NodeTry>,
}

/// TCP ports of containers; a pod's containers share its network, so each is used once a pod.
const TCP_PORTS: &[(u16, Option<&str>)] =
    &[(8080, Some("http")), (8001, Some("grpc")), (8002, None), (9000, Some("metrics"))];

/// The world of a seed.
pub fn generate(seed: u64) -> RunnableWorld {
    let mut random = Random::new(seed ^ 0x1ab0_1ab0_1ab0_1ab0);
    let mut scene = Scene::default();
    namespaces(&mut random, &mut scene);
    workloads(&mut random, &mut scene);
    services(&mut random, &mut scene);

    let mut shared: Vec<Yaml> = scene.namespaces.iter().map(manifest::namespace).collect();
    if random.chance(80) {
        // The outside server stands in for the API server.
        let endpoints = [(vec![OUTSIDE.0.to_string()], true, None)];
        let ports = [ScenePort { name: Some("https".to_owned()), number: OUTSIDE.1, protocol: Protocol::Tcp }];
        let names = ("default", "kubernetes", "kubernetes");
        shared.push(manifest::endpoint_slice(names, "IPv4", &endpoints, &ports));
    }
    if random.chance(60) {
        shared.push(gateways(random.pick(&scene.workloads)));
    }
    let counts = Counts {
        network_policies: random.between(2, 4),
        perimeters: random.between(1, 2),
        cluster_perimeters: random.weighted(&[70, 30]),
        access_policies: random.between(3, 5),
        cluster_access_policies: random.weighted(&[40, 60]),
        cluster_network_policies: random.weighted(&[45, 35, 20]),
        admin_network_policies: random.weighted(&[60, 30, 10]),
        baseline_admin_network_policies: random.weighted(&[60, 40]),
    };
    shared.extend(Generator { random: &mut random, scene: &scene, taste: &taste() }.policies(&counts));
    // Rules of the baseline that pass on seldom meet one that they pass by.
    let mut apart = Random::new(seed ^ 0xba5e_11e5);
    if apart.chance(50) {
        shared.extend(Generator { random: &mut apart, scene: &scene, taste: &taste() }.passing_on("Baseline"));
    }
    let of_user = scene.workloads.iter().map(user_object);
    let of_user = of_user.chain(scene.services.iter().map(|service| manifest::service(service, false)));
    let of_user = of_user.chain([running::user_object_of_dns()]);
    let yaml = of_user.chain(shared.iter().cloned()).map(|document| document.document()).collect();
    let as_if_running = running::as_if_running(&scene).iter().chain(&shared).map(Yaml::document).collect();
    let tries = tries::tries(&mut random, &scene);
    let from_node = tries::node_tries(&mut random, &scene);
    RunnableWorld { seed, yaml, as_if_running, tries, from_node }
}

/// The workload's pods are the cluster's gateways.
fn gateways(workload: &SceneWorkload) -> Yaml {
    let labels = map([("name", text(workload.name.clone()))]);
    let gateway = map([("namespace", text(workload.namespace.clone())), ("selector", map([("matchLabels", labels)]))]);
    object("palisade.dev/v1alpha1", "ClusterSettings", None, "default")
        .with("spec", map([("gateways", list([gateway]))]))
}

fn taste() -> Taste {
    Taste {
        blocks: vec![
            ("0.0.0.0/0", &["10.244.0.0/16", "10.244.1.0/24", "203.0.113.0/24", "172.31.0.0/24"]),
            ("10.244.0.0/16", &["10.244.1.0/24", "10.244.2.0/24"]),
            ("10.244.1.0/24", &["10.244.1.0/30"]),
            ("10.244.2.0/24", &["10.244.2.4/30"]),
            ("203.0.113.0/24", &["203.0.113.128/25"]),
            ("172.31.0.0/24", &["172.31.0.11/32"]),
            ("::/0", &["fd00:10:244:1::/64", "fd00:172:31::/64"]),
            ("fd00:10:244::/48", &["fd00:10:244:1::/64", "fd00:10:244:2::/64"]),
        ],
        cidrs: vec![
            ("0.0.0.0/0", &["203.0.113.0/24", "10.0.0.0/8"]),
            ("0.0.0.0/0", &["172.16.0.0/12"]),
            ("203.0.113.0/24", &["203.0.113.128/25", "203.0.113.10/32"]),
            ("203.0.113.8/29", &["203.0.113.12/32"]),
            ("203.0.113.10/32", &[]),
            ("169.254.0.0/16", &["169.254.1.0/24"]),
        ],
        entities: vec![
            Entity::World,
            Entity::Cluster,
            Entity::Nodes,
            Entity::Apiserver,
            Entity::Dns,
            Entity::Dns,
            Entity::Kubelet,
            Entity::Gateway,
            Entity::Metadata,
        ],
        peers: [
            vec![Entity::World, Entity::Nodes, Entity::Kubelet, Entity::Kubelet, Entity::Gateway, Entity::Gateway],
            vec![
                Entity::World,
                Entity::World,
                Entity::Cluster,
                Entity::Nodes,
                Entity::Apiserver,
                Entity::Apiserver,
                Entity::Dns,
                Entity::Gateway,
                Entity::Metadata,
            ],
        ],
        party_peers: 30,
        expiries: ["2020-01-01T00:00:00Z", "2099-01-01T00:00:00Z"].map(str::to_owned).to_vec(),
        unsupported: true,
        receiver_program: 6,
        audit: 15,
        protocols: vec![Protocol::Tcp],
    }
}

fn namespaces(random: &mut Random, scene: &mut Scene) {
    for name in ["alpha", "beta"] {
        let team = *random.pick(&["red", "blue"]);
        let labels = if random.chance(75) { vec![("team".to_owned(), team.to_owned())] } else { Pairs::new() };
        scene.namespaces.push(SceneNamespace { name: name.to_owned(), labels, has_object: true });
    }
}

fn workloads(random: &mut Random, scene: &mut Scene) {
    let count = random.between(4, 5);
    for (index, name) in ["web", "api", "db", "cache", "edge"].into_iter().take(count).enumerate() {
        // Both namespaces have at least one workload.
        let namespace = if index < 2 { ["alpha", "beta"][index] } else { *random.pick(&["alpha", "beta"]) };
        let kind = *random.pick(&[WorkloadKind::Deployment, WorkloadKind::Deployment, WorkloadKind::Pod]);
        let mut labels = random_labels(random);
        labels.push(("name".to_owned(), name.to_owned()));
        scene.workloads.push(SceneWorkload {
            kind,
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            labels,
            service_account: random.chance(35).then(|| "robot".to_owned()),
            host_network: false,
            replicas: if kind == WorkloadKind::Pod { 1 } else { random.between(1, 2) },
            containers: containers(random),
            pods: Vec::new(),
        });
    }
    if random.chance(60) {
        scene.workloads.push(on_the_host(random));
    }
}

/// A pod on its node's network: never selectable, whatever its labels are.
fn on_the_host(random: &mut Random) -> SceneWorkload {
    let mut labels = random_labels(random);
    labels.push(("name".to_owned(), "host".to_owned()));
    let container = SceneContainer {
        name: "main".to_owned(),
        is_sidecar: false,
        ports: vec![ScenePort { name: Some("http".to_owned()), number: HOST_PORT, protocol: Protocol::Tcp }],
        programs: vec!["/app/serve".to_owned(), "/app/tool".to_owned()],
        probe: None,
    };
    SceneWorkload {
        kind: WorkloadKind::Pod,
        namespace: (*random.pick(&["alpha", "beta"])).to_owned(),
        name: "host".to_owned(),
        labels,
        service_account: None,
        host_network: true,
        replicas: 1,
        containers: vec![container],
        pods: Vec::new(),
    }
}

/// The port of the host-network pod: no other listens on a node.
const HOST_PORT: u16 = 7070;

fn containers(random: &mut Random) -> Vec<SceneContainer> {
    let mut free: Vec<_> = TCP_PORTS.to_vec();
    random.shuffle(&mut free);
    let count = random.between(1, 2);
    [("main", ["/app/serve", "/app/tool"]), ("side", ["/app/proxy", "/app/tool"])]
        .into_iter()
        .take(count)
        .map(|(name, programs)| {
            let wanted = random.between(1, 2);
            let mut ports: Vec<ScenePort> = free
                .drain(..wanted)
                .map(|(number, name)| ScenePort { name: name.map(str::to_owned), number, protocol: Protocol::Tcp })
                .collect();
            if name == "main" && random.chance(20) {
                ports.push(ScenePort { name: Some("dns".to_owned()), number: 5353, protocol: Protocol::Udp });
            }
            let programs = programs.map(str::to_owned).to_vec();
            // Of liveness: it tells the kubelet's port, and the pod is ready whatever it says.
            let probe = random.chance(80).then(|| SceneProbe::Liveness(ports[0].number));
            SceneContainer { name: name.to_owned(), is_sidecar: false, ports, programs, probe }
        })
        .collect()
}

fn services(random: &mut Random, scene: &mut Scene) {
    for index in 0..random.between(2, 3) {
        let behind: Vec<_> = scene.workloads.iter().filter(|workload| !workload.host_network).collect();
        let workload = (*random.pick(&behind)).clone();
        let selector = if random.chance(60) {
            vec![("name".to_owned(), workload.name.clone())]
        } else {
            workload.labels.iter().take(1).cloned().collect()
        };
        let declared: Vec<ScenePort> =
            workload.ports().into_iter().filter(|port| port.protocol == Protocol::Tcp).cloned().collect();
        let ports = declared
            .iter()
            .take(2)
            .enumerate()
            .map(|(index, port)| SceneServicePort {
                name: Some(["first", "second"][index].to_owned()),
                protocol: Protocol::Tcp,
                port: [80, 81][index],
                target: match &port.name {
                    Some(name) if random.chance(50) => Err(name.clone()),
                    _ => Ok(port.number),
                },
            })
            .collect();
        scene.services.push(SceneService {
            namespace: workload.namespace.clone(),
            name: format!("svc{index}"),
            selector,
            addresses: Vec::new(),
            ports,
        });
    }
}

fn annotations(workload: &SceneWorkload) -> Yaml {
    let entries = workload.containers.iter().flat_map(|container| {
        [
            (format!("lab.palisade.dev/program.{}", container.name), text(container.programs[0].clone())),
            (format!("lab.palisade.dev/extra-programs.{}", container.name), text(container.programs[1..].join(","))),
        ]
    });
    Yaml::Map(entries.collect())
}

fn user_object(workload: &SceneWorkload) -> Yaml {
    let annotations = annotations(workload);
    if workload.kind == WorkloadKind::Pod {
        let pod = ScenePod {
            name: workload.name.clone(),
            node: None,
            phase: Phase::Pending,
            addresses: Vec::new(),
            host_addresses: Vec::new(),
            labels: Pairs::new(),
        };
        return manifest::pod(workload, &pod, None, Some(annotations));
    }
    manifest::workload(workload, Some(annotations)).expect("no bare pod")
}
