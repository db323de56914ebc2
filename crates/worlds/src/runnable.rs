//! Worlds that the lab can really run, and connections to try in them over TCP and IPv4.
//!
//! The lab gives the addresses; so a [`Try`] names workloads, and [`Try::dial`] finds in the inventory
//! of the running lab what to dial and which links the engine is to be asked about.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use palisade_model::Inventory;
use palisade_model::access_policy::Entity;
use palisade_model::link::{End, Link, PodEnd, Which};
use palisade_model::object::Name;
use palisade_model::pod::{Phase, Pod};
use palisade_model::port::Protocol;
use palisade_model::workload::WorkloadKind;

use crate::manifest;
use crate::policies::{Counts, Generator, Taste, object};
use crate::random::Random;
use crate::scene::{
    Pairs, Scene, SceneContainer, SceneNamespace, SceneNode, ScenePod, ScenePort, SceneProbe, SceneService,
    SceneServicePort, SceneWorkload, random_labels,
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

/// One connection to try from the pod's own node.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NodeTry {
    /// The pod.
    pub to: PodOf,
    /// Its port.
    pub port: u16,
}

/// One connection to try, over TCP and IPv4.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Try {
    /// Who connects.
    pub from: Sender,
    /// Whom.
    pub to: Target,
    /// The port to dial: the pod's, or with a Service the Service's.
    pub port: u16,
}

/// Who connects.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Sender {
    /// The pod.
    pub pod: PodOf,
    /// Its container.
    pub container: String,
    /// The program in the container.
    pub program: Program,
}

/// A pod of a workload.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PodOf {
    /// The workload's namespace.
    pub namespace: String,
    /// The workload's name; a bare Pod's own.
    pub workload: String,
    /// Which of its pods, in the order of their names; counted round.
    pub replica: usize,
}

/// The program that connects.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Program {
    /// One of the image, by path (annotations `lab.palisade.dev/program.*` and `extra-programs.*`).
    OfImage(String),
    /// One dropped into the running container: no policy can name it.
    Dropped,
}

/// Whom to connect to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Target {
    /// A pod's address.
    Pod(PodOf),
    /// The sender's own pod, by its address.
    OwnPod,
    /// 127.0.0.1.
    Loopback,
    /// A Service's cluster address.
    Service {
        /// The Service's namespace.
        namespace: String,
        /// The Service's name.
        name: String,
    },
    /// A node's address, by the node's name.
    Node(String),
    /// An address outside.
    Outside(IpAddr),
}

/// What to dial, and what to ask.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Dial {
    /// The sender's pod: namespace and name.
    pub pod: (Name, Name),
    /// The address to dial.
    pub address: IpAddr,
    /// Over what.
    pub protocol: Protocol,
    /// The port to dial.
    pub port: u16,
    /// The one link; to a Service one a ready backend: where they differ, that of the one that is reached holds,
    /// none at all as `no-endpoints` or `no-service-port`.
    pub links: Vec<Link>,
}

impl PodOf {
    /// The pod in the inventory of a running lab.
    pub fn find<'a>(&self, inventory: &'a Inventory) -> Option<&'a Pod> {
        let prefix = format!("{}-", self.workload);
        let mut pods: Vec<&Pod> = inventory
            .pods
            .iter()
            .map(Arc::as_ref)
            .filter(|pod| {
                let by_owner = |name: &str| name == self.workload || name.starts_with(&prefix);
                pod.meta.namespace() == self.namespace
                    && match &pod.meta.owner {
                        Some(owner) => by_owner(&owner.name),
                        None => pod.meta.name() == self.workload,
                    }
            })
            .collect();
        pods.sort_by_key(|pod| pod.meta.name());
        if pods.is_empty() { None } else { Some(pods[self.replica % pods.len()]) }
    }
}

impl Try {
    /// What to dial over TCP and IPv4 in the running lab that `inventory` was read from; `None` when it
    /// lacks an end or such an address of it.
    pub fn dial(&self, inventory: &Inventory) -> Option<Dial> {
        self.dial_over(inventory, Protocol::Tcp, Family::V4)
    }

    /// The same over another protocol or family.
    pub fn dial_over(&self, inventory: &Inventory, protocol: Protocol, family: Family) -> Option<Dial> {
        let sender = self.from.pod.find(inventory)?;
        let from = End::Pod(PodEnd {
            namespace: sender.meta.namespace().into(),
            name: sender.meta.name().into(),
            container: Which::Named(self.from.container.as_str().into()),
            program: match &self.from.program {
                Program::OfImage(path) => Which::Named(path.as_str().into()),
                Program::Dropped => Which::Other,
            },
            address: None,
        });
        let address = self.address(inventory, sender, family)?;
        let link = |to, port| Link { from: from.clone(), to, protocol, port };
        let links = match &self.to {
            Target::Service { namespace, name } => {
                let backends = backends(inventory, (namespace, name), (protocol, self.port), family);
                backends.into_iter().map(|(address, port)| link(End::Address(address), port)).collect()
            }
            Target::Pod(_) | Target::OwnPod | Target::Loopback | Target::Node(_) | Target::Outside(_) => {
                vec![link(End::Address(address), self.port)]
            }
        };
        let pod = (sender.meta.namespace().into(), sender.meta.reference.name.clone());
        Some(Dial { pod, address, protocol, port: self.port, links })
    }

    fn address(&self, inventory: &Inventory, sender: &Pod, family: Family) -> Option<IpAddr> {
        let first = |addresses: &[IpAddr]| addresses.iter().copied().find(|address| family.has(*address));
        match &self.to {
            // A host-network pod has those of its node.
            Target::Pod(pod) => first(&pod.find(inventory)?.addresses),
            Target::OwnPod => first(sender.own_addresses()),
            Target::Loopback => first(&[Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()]),
            Target::Service { namespace, name } => {
                let is_it = |meta: &palisade_model::Meta| meta.namespace() == namespace && meta.name() == name;
                first(&inventory.services.iter().find(|service| is_it(&service.meta))?.cluster_ips)
            }
            Target::Node(name) => first(&inventory.nodes.iter().find(|node| node.meta.name() == name)?.addresses),
            Target::Outside(address) => first(&[*address]),
        }
    }
}

/// The address family of a try.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs)]
pub enum Family {
    V4,
    V6,
}

impl Family {
    fn has(self, address: IpAddr) -> bool {
        address.is_ipv4() == (self == Self::V4)
    }
}

/// Address and port of each ready endpoint behind one port of a Service, from its slices.
fn backends(
    inventory: &Inventory,
    (namespace, name): (&str, &str),
    (protocol, port): (Protocol, u16),
    family: Family,
) -> Vec<(IpAddr, u16)> {
    let mut backends = Vec::new();
    let services = inventory.services.iter();
    for service in services.filter(|service| service.meta.namespace() == namespace && service.meta.name() == name) {
        for own in service.ports.iter().filter(|own| own.port == port && own.protocol == protocol) {
            let slices = inventory.endpoint_slices.iter();
            for slice in
                slices.filter(|slice| slice.meta.namespace() == namespace && slice.service.as_deref() == Some(name))
            {
                let same_port = |listed: &&palisade_model::service::EndpointPort| {
                    listed.name.as_deref().unwrap_or_default() == own.name.as_deref().unwrap_or_default()
                        && listed.protocol == own.protocol
                };
                let Some(number) = slice.ports.iter().find(same_port).and_then(|listed| listed.port) else { continue };
                let ready = slice.endpoints.iter().filter(|endpoint| endpoint.ready);
                let addresses = ready.flat_map(|endpoint| &endpoint.addresses).filter(|address| family.has(**address));
                backends.extend(addresses.map(|address| (*address, number)));
            }
        }
    }
    backends.sort_unstable();
    backends.dedup();
    backends
}

// Making one.

/// How many connections a world offers: far more than a test tries, see [`crate::choose`].
const TRIES: usize = 240;

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
    let of_user = of_user.chain([user_object_of_dns()]);
    let yaml = of_user.chain(shared.iter().cloned()).map(|document| document.document()).collect();
    let as_if_running = as_if_running(&scene).iter().chain(&shared).map(Yaml::document).collect();
    let tries = tries(&mut random, &scene);
    let from_node = node_tries(&mut random, &scene);
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

/// Nodes, pods with addresses, and slices, as a lab would publish them.
fn as_if_running(scene: &Scene) -> Vec<Yaml> {
    let mut documents = Vec::new();
    for (index, name) in NODES.iter().enumerate() {
        let address = IpAddr::V4(Ipv4Addr::new(172, 31, 0, 11 + index as u8));
        documents.push(manifest::node(&SceneNode {
            name: (*name).to_owned(),
            labels: Pairs::new(),
            has_object: true,
            addresses: vec![address],
        }));
    }
    let mut number = 1;
    let mut running = Vec::new();
    for workload in &scene.workloads {
        documents.extend(manifest::workload(workload, Some(annotations(workload))));
        for replica in 0..workload.replicas {
            let (name, owner) = match workload.kind {
                WorkloadKind::Pod => (workload.name.clone(), None),
                _ => (format!("{}-{replica}", workload.name), Some((workload.kind, workload.name.as_str()))),
            };
            let node = (usize::from(number) + replica) % 2;
            let pod = ScenePod {
                name,
                node: Some(NODES[node].to_owned()),
                phase: Phase::Running,
                addresses: vec![match workload.host_network {
                    true => IpAddr::V4(Ipv4Addr::new(172, 31, 0, 11 + node as u8)),
                    false => IpAddr::V4(Ipv4Addr::new(10, 244, 1 + node as u8, 1 + number)),
                }],
                host_addresses: Vec::new(),
                labels: Pairs::new(),
            };
            number += 1;
            documents.push(manifest::pod(workload, &pod, owner, Some(annotations(workload))));
            running.push((workload, pod));
        }
    }
    documents.extend(cluster_dns());
    for (index, service) in scene.services.iter().enumerate() {
        let address = IpAddr::V4(Ipv4Addr::new(10, 96, 0, 100 + index as u8));
        documents.push(manifest::service(&SceneService { addresses: vec![address], ..service.clone() }, false));
        documents.extend(slices(service, &running));
    }
    documents
}

fn dns_workload(kind: WorkloadKind) -> SceneWorkload {
    let port = |name: &str, protocol| ScenePort { name: Some(name.to_owned()), number: 53, protocol };
    let container = SceneContainer {
        name: "coredns".to_owned(),
        is_sidecar: false,
        ports: vec![port("dns", Protocol::Udp), port("dns-tcp", Protocol::Tcp)],
        programs: Vec::new(),
        probe: None,
    };
    SceneWorkload {
        kind,
        namespace: DNS.0.to_owned(),
        name: "coredns".to_owned(),
        labels: vec![("k8s-app".to_owned(), "kube-dns".to_owned())],
        service_account: None,
        host_network: false,
        replicas: 1,
        containers: vec![container],
        pods: Vec::new(),
    }
}

/// In place of the lab's own: without a readiness probe, which a ClusterPerimeter may refuse, so that the Service would
/// lose its endpoint after a while.
fn user_object_of_dns() -> Yaml {
    let runs = map([("lab.palisade.dev/runs.coredns", text("dns"))]);
    manifest::workload(&dns_workload(WorkloadKind::Deployment), Some(runs)).expect("no bare pod")
}

/// What every lab has beside the user's objects.
fn cluster_dns() -> [Yaml; 3] {
    let workload = dns_workload(WorkloadKind::Pod);
    let ports: Vec<ScenePort> = workload.ports().into_iter().cloned().collect();
    let labels = workload.labels.clone();
    let address = IpAddr::V4(Ipv4Addr::new(10, 244, 1, 200));
    let pod = ScenePod {
        name: "coredns".to_owned(),
        node: Some(NODES[0].to_owned()),
        phase: Phase::Running,
        addresses: vec![address],
        host_addresses: Vec::new(),
        labels: Pairs::new(),
    };
    let of_service = |port: &ScenePort| SceneServicePort {
        name: port.name.clone(),
        protocol: port.protocol,
        port: 53,
        target: Ok(53),
    };
    let service = SceneService {
        namespace: DNS.0.to_owned(),
        name: DNS.1.to_owned(),
        selector: labels,
        addresses: vec![IpAddr::V4(Ipv4Addr::new(10, 96, 0, 10))],
        ports: ports.iter().map(of_service).collect(),
    };
    let endpoint = (vec![address.to_string()], true, Some(pod.name.clone()));
    [
        manifest::pod(&workload, &pod, None, None),
        manifest::service(&service, false),
        manifest::endpoint_slice((DNS.0, "kube-dns-1", DNS.1), "IPv4", &[endpoint], &ports),
    ]
}

/// One slice a pod, so that each may resolve a port's name to another number.
fn slices(service: &SceneService, running: &[(&SceneWorkload, ScenePod)]) -> Vec<Yaml> {
    let selected = running.iter().filter(|(workload, _)| {
        workload.namespace == service.namespace && service.selector.iter().all(|pair| workload.labels.contains(pair))
    });
    let mut documents = Vec::new();
    for (workload, pod) in selected {
        let ports: Vec<ScenePort> = service
            .ports
            .iter()
            .filter_map(|port| {
                let by_name = |name: &String| {
                    workload.ports().into_iter().find(|own| own.name.as_ref() == Some(name)).map(|own| own.number)
                };
                let number = match &port.target {
                    Ok(number) => Some(*number),
                    Err(name) => by_name(name),
                };
                number.map(|number| ScenePort { name: port.name.clone(), number, protocol: Protocol::Tcp })
            })
            .collect();
        let endpoint = (vec![pod.addresses[0].to_string()], true, Some(pod.name.clone()));
        let name = format!("{}-{}", service.name, pod.name);
        let names = (service.namespace.as_str(), name.as_str(), service.name.as_str());
        documents.push(manifest::endpoint_slice(names, "IPv4", &[endpoint], &ports));
    }
    documents
}

fn tries(random: &mut Random, scene: &Scene) -> Vec<Try> {
    let mut tries: Vec<Try> = Vec::new();
    for _ in 0..TRIES {
        let attempt = random_try(random, scene);
        if !tries.contains(&attempt) {
            tries.push(attempt);
        }
    }
    tries
}

/// As many as there are ports, and one on which nobody listens.
fn node_tries(random: &mut Random, scene: &Scene) -> Vec<NodeTry> {
    let workloads = scene.workloads.iter().filter(|workload| !workload.host_network);
    let mut tries = Vec::new();
    for workload in workloads {
        let to = pod_of(random, workload);
        let ports = workload.ports().into_iter().filter(|port| port.protocol == Protocol::Tcp);
        tries.extend(ports.map(|port| NodeTry { to: to.clone(), port: port.number }));
        tries.push(NodeTry { to, port: 9001 });
    }
    tries
}

fn random_try(random: &mut Random, scene: &Scene) -> Try {
    // What a host-network pod sends is not judged.
    let senders: Vec<_> = scene.workloads.iter().filter(|workload| !workload.host_network).collect();
    let sender = (*random.pick(&senders)).clone();
    let container = random.pick(&sender.containers).clone();
    let program = match random.weighted(&[50, 25, 25]) {
        0 => Program::OfImage(container.programs[0].clone()),
        1 => Program::OfImage(container.programs[1].clone()),
        _ => Program::Dropped,
    };
    let from = Sender { pod: pod_of(random, &sender), container: container.name.clone(), program };
    let receiver = receiver(random, scene, &sender, from.pod.replica);
    let service = random.pick(&scene.services).clone();
    let outside_port = |random: &mut Random| if random.chance(80) { OUTSIDE.1 } else { 8081 };
    let (to, port) = match random.weighted(&[34, 14, 18, 8, 7, 3, 6, 10]) {
        0 => (Target::Pod(receiver.1), pod_port(random, &receiver.0)),
        1 => {
            let port = if random.chance(94) { random.pick(&service.ports).port } else { 82 };
            (Target::Service { namespace: service.namespace, name: service.name }, port)
        }
        2 => (Target::Outside(OUTSIDE.0), outside_port(random)),
        3 => (Target::Node((*random.pick(&NODES)).to_owned()), *random.pick(&[8080, 9000, 10250, HOST_PORT])),
        4 => (Target::OwnPod, pod_port(random, &sender)),
        5 => (Target::Loopback, pod_port(random, &sender)),
        // Every lab has it.
        6 => (Target::Service { namespace: DNS.0.to_owned(), name: DNS.1.to_owned() }, 53),
        _ => (Target::Outside(METADATA), 80),
    };
    Try { from, to, port }
}

/// Mostly a pod of another workload, now and then the sender's sibling, never the sender.
fn receiver(random: &mut Random, scene: &Scene, sender: &SceneWorkload, replica: usize) -> (SceneWorkload, PodOf) {
    if sender.replicas > 1 && random.chance(12) {
        let sibling = PodOf { replica: (replica + 1) % sender.replicas, ..pod_of(random, sender) };
        return (sender.clone(), sibling);
    }
    let others: Vec<_> = scene.workloads.iter().filter(|other| other.name != sender.name).collect();
    let other = (*random.pick(&others)).clone();
    let pod = pod_of(random, &other);
    (other, pod)
}

fn pod_of(random: &mut Random, workload: &SceneWorkload) -> PodOf {
    PodOf {
        namespace: workload.namespace.clone(),
        workload: workload.name.clone(),
        replica: random.below(workload.replicas),
    }
}

/// A port that the pod declares, or now and then one on which nobody listens.
fn pod_port(random: &mut Random, workload: &SceneWorkload) -> u16 {
    let declared: Vec<u16> =
        workload.ports().into_iter().filter(|port| port.protocol == Protocol::Tcp).map(|port| port.number).collect();
    if random.chance(88) { *random.pick(&declared) } else { *random.pick(&[8000, 8003, 8081, 9001]) }
}
