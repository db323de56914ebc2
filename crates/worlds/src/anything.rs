//! Worlds that use every corner of the semantics, whether or not a lab could run them.

mod links;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use palisade_model::access_policy::Entity;
use palisade_model::inventory::Unreadable;
use palisade_model::link::Link;
use palisade_model::object::Kind;
use palisade_model::pod::Phase;
use palisade_model::port::Protocol;
use palisade_model::settings::Settings;
use palisade_model::workload::WorkloadKind;
use palisade_model::{Labels, Place, Selector, Timestamp};

use crate::manifest;
use crate::policies::{Counts, Generator, Taste};
use crate::random::Random;
use crate::scene::{
    LABELS, NODE_LABELS, Pairs, Scene, SceneContainer, SceneNamespace, SceneNode, ScenePod, ScenePort, SceneProbe,
    SceneService, SceneServicePort, SceneWorkload, random_labels,
};
use crate::text::Yaml;

/// A world, and links to ask about.
#[derive(Clone, Debug)]
pub struct World {
    /// What it was made from.
    pub seed: u64,
    /// Kubernetes objects, a document each, in no order.
    pub yaml: String,
    /// What no manifest tells.
    pub settings: Settings,
    /// The instant to ask at; some rules expire just before, at and just after it.
    pub now: Timestamp,
    /// Documents that could not be read, to be put into the inventory: most worlds have none.
    pub unreadable: Vec<Unreadable>,
    /// Links between parties that the world has.
    pub links: Vec<Link>,
}

/// How many links a world has.
const LINKS: usize = 40;

/// Container ports to draw from: numbers, names, protocols.
const PORTS: &[(u16, Option<&str>, Protocol)] = &[
    (8080, Some("http"), Protocol::Tcp),
    (80, Some("http"), Protocol::Tcp),
    (8001, Some("grpc"), Protocol::Tcp),
    (8002, None, Protocol::Tcp),
    (9000, Some("metrics"), Protocol::Tcp),
    (53, Some("dns"), Protocol::Udp),
    (8080, Some("http"), Protocol::Udp),
    (5000, Some("sig"), Protocol::Sctp),
];

const WORLD_ADDRESSES: &[&str] =
    &["203.0.113.10", "203.0.113.130", "198.51.100.7", "8.8.8.8", "2001:db8:203::10", "2001:db8:999::1"];

const APISERVER_OUTSIDE: &str = "192.0.2.10";

/// The world of a seed.
pub fn generate(seed: u64) -> World {
    let mut random = Random::new(seed);
    let is_live = random.chance(75);
    let mut stage =
        Stage { random: &mut random, scene: Scene::default(), documents: Vec::new(), is_live, next_address: 1 };
    stage.namespaces();
    stage.nodes();
    stage.workloads();
    stage.services();
    stage.dns();
    stage.apiserver();
    let Stage { scene, mut documents, .. } = stage;

    let now: Timestamp = "2027-01-01T00:00:00Z".parse().expect("an instant");
    let taste = taste();
    let counts = Counts {
        network_policies: random.weighted(&[15, 25, 25, 20, 15]),
        perimeters: random.weighted(&[35, 40, 25]),
        cluster_perimeters: random.weighted(&[75, 20, 5]),
        access_policies: random.weighted(&[10, 20, 30, 25, 15]),
        cluster_access_policies: random.weighted(&[60, 30, 10]),
        cluster_network_policies: random.weighted(&[55, 20, 15, 10]),
        admin_network_policies: random.weighted(&[75, 15, 10]),
        baseline_admin_network_policies: random.weighted(&[80, 20]),
    };
    documents.extend(Generator { random: &mut random, scene: &scene, taste: &taste }.policies(&counts));
    random.shuffle(&mut documents);
    let yaml = documents.iter().map(Yaml::document).collect();

    let settings = settings(&mut random, &scene);
    let unreadable = unreadable(&mut random, &scene);
    let links = (0..LINKS).map(|_| links::possible_link(&mut random, &scene)).collect();
    World { seed, yaml, settings, now, unreadable, links }
}

fn taste() -> Taste {
    Taste {
        blocks: vec![
            ("0.0.0.0/0", &["10.244.0.0/16", "203.0.113.0/24", "172.31.0.0/24"]),
            ("10.244.0.0/16", &["10.244.1.0/24", "10.244.2.0/24", "10.244.1.1/32"]),
            ("10.244.1.7/24", &["10.244.1.0/30", "10.244.1.4/30"]),
            ("10.244.2.0/24", &["10.244.2.0/29"]),
            ("203.0.113.0/24", &["203.0.113.128/25", "203.0.113.10/32"]),
            ("172.31.0.0/24", &["172.31.0.11/32"]),
            ("10.96.0.0/16", &[]),
            ("169.254.169.254/32", &[]),
            ("::/0", &["fd00:10:244::/48", "2001:db8:203::/64"]),
            ("fd00:10:244::/48", &["fd00:10:244:1::/64"]),
            ("2001:db8::/32", &["2001:db8:203::/48"]),
        ],
        cidrs: vec![
            ("0.0.0.0/0", &["203.0.113.0/24", "10.0.0.0/8"]),
            ("203.0.113.0/24", &["203.0.113.128/25", "203.0.113.10/32"]),
            ("198.51.100.0/24", &[]),
            ("169.254.0.0/16", &["169.254.169.254/32"]),
            ("::/0", &["2001:db8:203::/48"]),
            ("2001:db8::/32", &["2001:db8:999::/48"]),
        ],
        // A kubelet reaches few ports.
        entities: [&Entity::ALL[..], &[Entity::Kubelet]].concat(),
        peers: [Entity::ALL, Entity::ALL].map(|all| [&all[..], &[Entity::Kubelet]].concat()),
        party_peers: 18,
        expiries: ["2020-01-01T00:00:00Z", "2027-01-01T00:00:00Z", "2027-01-01T00:00:01Z", "2099-01-01T00:00:00+02:00"]
            .map(str::to_owned)
            .to_vec(),
        unsupported: true,
        receiver_program: 8,
        audit: 15,
        protocols: Protocol::ALL.to_vec(),
    }
}

fn settings(random: &mut Random, scene: &Scene) -> Settings {
    let mut settings = Settings { ip_block_matches_pods: random.chance(80), ..Settings::default() };
    if random.chance(50) {
        let gateway = random.pick(&scene.workloads);
        let labels: Labels = gateway.labels.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        let selector = Selector { match_labels: labels, ..Selector::default() };
        settings.gateways.push((gateway.namespace.as_str().into(), selector));
    }
    if random.chance(15)
        && let Some(service) = random.maybe_pick(&scene.services)
    {
        settings.dns_service = (service.namespace.as_str().into(), service.name.as_str().into());
    }
    settings
}

fn unreadable(random: &mut Random, scene: &Scene) -> Vec<Unreadable> {
    let mut documents = Vec::new();
    while random.chance(2) {
        let kind = *random.pick(&[
            None,
            Some(Kind::NetworkPolicy),
            Some(Kind::Perimeter),
            Some(Kind::AccessPolicy),
            Some(Kind::ClusterPerimeter),
            Some(Kind::ClusterAccessPolicy),
            Some(Kind::ClusterNetworkPolicy),
            Some(Kind::AdminNetworkPolicy),
            Some(Kind::BaselineAdminNetworkPolicy),
        ]);
        let may_have_namespace = kind.is_some_and(Kind::is_namespaced) && random.chance(80);
        let namespace = random.pick(&scene.namespaces).name.as_str().into();
        documents.push(Unreadable {
            place: Place::new("broken.yaml", random.between(1, 9) as u32),
            kind,
            namespace: may_have_namespace.then_some(namespace),
            name: None,
        });
    }
    documents
}

/// The world in the making.
struct Stage<'a> {
    random: &'a mut Random,
    scene: Scene,
    documents: Vec<Yaml>,
    is_live: bool,
    next_address: u8,
}

impl Stage<'_> {
    fn namespaces(&mut self) {
        let count = self.random.between(2, 3);
        for name in ["alpha", "beta", "gamma"].into_iter().take(count) {
            let mut labels = Pairs::new();
            if self.random.chance(70) {
                labels.push(("team".to_owned(), (*self.random.pick(&["red", "blue"])).to_owned()));
            }
            if self.random.chance(30) {
                labels.push(("kubernetes.io/metadata.name".to_owned(), name.to_owned()));
            }
            let namespace = SceneNamespace { name: name.to_owned(), labels, has_object: self.random.chance(85) };
            if namespace.has_object {
                self.documents.push(manifest::namespace(&namespace));
            }
            self.scene.namespaces.push(namespace);
        }
    }

    fn nodes(&mut self) {
        if !self.is_live {
            return;
        }
        for index in 1..=2u8 {
            let mut addresses = vec![IpAddr::V4(Ipv4Addr::new(172, 31, 0, 10 + index))];
            if self.random.chance(70) {
                addresses.push(IpAddr::V6(Ipv6Addr::new(0xfd00, 0x172, 0x31, 0, 0, 0, 0, 0x10 + u16::from(index))));
            }
            let mut labels = Pairs::new();
            for (key, values) in NODE_LABELS {
                if self.random.chance(60) {
                    labels.push(((*key).to_owned(), (*self.random.pick(values)).to_owned()));
                }
            }
            let has_object = self.random.chance(80);
            let node = SceneNode { name: format!("node{index}"), labels, has_object, addresses };
            if node.has_object {
                self.documents.push(manifest::node(&node));
            }
            self.scene.nodes.push(node);
        }
    }

    fn workloads(&mut self) {
        let count = self.random.between(3, 6);
        for name in ["web", "api", "db", "cache", "batch", "edge"].into_iter().take(count) {
            let namespace = self.random.pick(&self.scene.namespaces).name.clone();
            let kind = *self.random.pick(&[
                WorkloadKind::Pod,
                WorkloadKind::Pod,
                WorkloadKind::Deployment,
                WorkloadKind::Deployment,
                WorkloadKind::Deployment,
                WorkloadKind::StatefulSet,
                WorkloadKind::DaemonSet,
                WorkloadKind::ReplicaSet,
                WorkloadKind::Job,
                WorkloadKind::CronJob,
            ]);
            // Its elder twin, now and then.
            let is_elder = kind == WorkloadKind::ReplicaSet && matches!(name, "web" | "db" | "batch");
            let kind = if is_elder { WorkloadKind::ReplicationController } else { kind };
            let host_network = self.random.chance(8);
            let mut containers = self.containers();
            if host_network {
                without_shared_ports(&mut containers);
            }
            let mut workload = SceneWorkload {
                kind,
                namespace,
                name: name.to_owned(),
                labels: some_labels(self.random),
                service_account: self.random.chance(40).then(|| (*self.random.pick(&["robot", "web"])).to_owned()),
                host_network,
                replicas: self.random.weighted(&[4, 60, 36]),
                containers,
                pods: Vec::new(),
            };
            self.objects_of(&mut workload);
            self.scene.workloads.push(workload);
        }
    }

    fn containers(&mut self) -> Vec<SceneContainer> {
        let count = self.random.between(1, 2);
        let mut containers = Vec::new();
        for (name, programs) in
            [("main", ["/app/serve", "/app/tool"]), ("side", ["/app/proxy", "/app/serve"])].into_iter().take(count)
        {
            let ports: Vec<ScenePort> = (0..self.random.weighted(&[10, 50, 40]))
                .map(|_| {
                    let (number, name, protocol) = *self.random.pick(PORTS);
                    let name = name.filter(|_| self.random.chance(85)).map(str::to_owned);
                    ScenePort { name, number, protocol }
                })
                .collect();
            let ports = unique(ports);
            let probe = if self.random.chance(45) { self.probe(&ports) } else { None };
            containers.push(SceneContainer {
                name: name.to_owned(),
                is_sidecar: name == "side" && self.random.chance(20),
                ports,
                programs: programs.map(str::to_owned).to_vec(),
                probe,
            });
        }
        containers
    }

    fn probe(&mut self, ports: &[ScenePort]) -> Option<SceneProbe> {
        let tcp: Vec<&ScenePort> = ports.iter().filter(|port| port.protocol == Protocol::Tcp).collect();
        let port = self.random.maybe_pick(&tcp)?;
        Some(match (self.random.below(4), &port.name) {
            (0, _) => SceneProbe::Grpc(port.number),
            (1, Some(name)) => SceneProbe::HttpNamed(name.clone()),
            (2, _) => SceneProbe::TcpSocket(7777),
            _ => SceneProbe::TcpSocket(port.number),
        })
    }

    fn objects_of(&mut self, workload: &mut SceneWorkload) {
        let has_pods = workload.kind == WorkloadKind::Pod || (self.is_live && self.random.chance(88));
        let count = match workload.kind {
            WorkloadKind::Pod => 1,
            _ if !has_pods => 0,
            _ => workload.replicas.max(1),
        };
        // Between the workload and its pods may stand a ReplicaSet or a Job, with or without object.
        let middle = match workload.kind {
            WorkloadKind::Deployment => Some(WorkloadKind::ReplicaSet),
            WorkloadKind::CronJob => Some(WorkloadKind::Job),
            _ => None,
        };
        // As the controllers name them; now and then a ReplicaSet or Job that is only called like one of theirs.
        let is_made = self.random.chance(80);
        let suffix = match middle {
            Some(WorkloadKind::Job) if is_made => "29384756",
            _ => "7c9f",
        };
        let template_hash = (middle == Some(WorkloadKind::ReplicaSet) && is_made).then_some(suffix);
        let middle_name = format!("{}-{suffix}", workload.name);
        let owner_name = if middle.is_some() { middle_name.clone() } else { workload.name.clone() };
        let owner_kind = middle.unwrap_or(workload.kind);
        for index in 0..count {
            let mut pod = self.pod(workload, index, &owner_name);
            pod.labels.extend(template_hash.map(|hash| ("pod-template-hash".to_owned(), hash.to_owned())));
            let owner = (workload.kind != WorkloadKind::Pod).then_some((owner_kind, owner_name.as_str()));
            self.documents.push(manifest::pod(workload, &pod, owner, None));
            workload.pods.push(pod);
        }
        if workload.kind != WorkloadKind::Pod && (count == 0 || self.random.chance(85)) {
            self.documents.extend(manifest::workload(workload, None));
        }
        if let Some(kind) = middle
            && self.random.chance(if count > 0 { 45 } else { 15 })
        {
            let middle = SceneWorkload { kind, name: middle_name, ..workload.clone() };
            let object = manifest::workload(&middle, None).expect("no bare pod");
            self.documents.push(with_owner(object, (workload.kind, &workload.name)));
        }
    }

    fn pod(&mut self, workload: &SceneWorkload, index: usize, owner: &str) -> ScenePod {
        let name = if workload.kind == WorkloadKind::Pod { workload.name.clone() } else { format!("{owner}-{index}") };
        if !self.is_live {
            return ScenePod {
                name,
                node: None,
                phase: Phase::Pending,
                addresses: Vec::new(),
                host_addresses: Vec::new(),
                labels: Pairs::new(),
            };
        }
        let phase = match self.random.weighted(&[82, 7, 4, 4, 3]) {
            0 => Phase::Running,
            1 => Phase::Pending,
            2 => Phase::Succeeded,
            3 => Phase::Failed,
            _ => Phase::Unknown,
        };
        let is_placed = phase != Phase::Pending || self.random.chance(40);
        let node = is_placed.then(|| self.random.pick(&self.scene.nodes).clone());
        let has_address = if phase == Phase::Pending { 15 } else { 96 };
        let addresses = match &node {
            Some(node) if self.random.chance(has_address) => self.pod_addresses(workload.host_network, node),
            _ => Vec::new(),
        };
        let labels =
            if self.random.chance(40) { vec![("pod-index".to_owned(), index.to_string())] } else { Pairs::new() };
        // A kubelet that runs a pod says `hostIPs`; what is written by hand mostly does not.
        let host_addresses = match &node {
            Some(node) if phase != Phase::Pending && self.random.chance(60) => node.addresses.clone(),
            _ => Vec::new(),
        };
        ScenePod { name, node: node.map(|node| node.name), phase, addresses, host_addresses, labels }
    }

    fn pod_addresses(&mut self, host_network: bool, node: &SceneNode) -> Vec<IpAddr> {
        if host_network {
            return node.addresses.clone();
        }
        let number = self.next_address;
        self.next_address += 1;
        let subnet = if node.name == "node1" { 1 } else { 2 };
        let v4 = IpAddr::V4(Ipv4Addr::new(10, 244, subnet, number));
        let v6 = IpAddr::V6(Ipv6Addr::new(0xfd00, 0x10, 0x244, u16::from(subnet), 0, 0, 0, u16::from(number)));
        match self.random.weighted(&[50, 38, 12]) {
            0 => vec![v4],
            1 => vec![v4, v6],
            _ => vec![v6],
        }
    }

    fn services(&mut self) {
        for index in 0..self.random.weighted(&[10, 30, 40, 20]) {
            let workload = self.random.pick(&self.scene.workloads).clone();
            let by_hand = self.is_live && self.random.chance(18);
            let mut selector = workload.labels.clone();
            if !selector.is_empty() && self.random.chance(60) {
                selector.truncate(1);
            }
            if by_hand {
                selector.clear();
            }
            let ports = self.service_ports(&workload);
            let service = SceneService {
                namespace: workload.namespace.clone(),
                name: format!("svc{index}"),
                selector,
                addresses: vec![
                    IpAddr::V4(Ipv4Addr::new(10, 96, 0, 100 + index as u8)),
                    IpAddr::V6(Ipv6Addr::new(0xfd00, 0x10, 0x96, 0, 0, 0, 0, 0x100 + index as u16)),
                ],
                ports,
            };
            let is_headless = self.random.chance(10);
            self.documents.push(manifest::service(&service, is_headless));
            if by_hand {
                self.slice_by_hand(&service, &workload);
            }
            self.scene.services.push(SceneService {
                addresses: if is_headless { Vec::new() } else { service.addresses.clone() },
                ..service
            });
        }
    }

    fn service_ports(&mut self, workload: &SceneWorkload) -> Vec<SceneServicePort> {
        let declared: Vec<ScenePort> = workload.ports().into_iter().cloned().collect();
        let count = self.random.between(1, 2);
        (0..count)
            .map(|index| {
                let target = self.random.maybe_pick(&declared).cloned();
                let target = target.unwrap_or(ScenePort { name: None, number: 8080, protocol: Protocol::Tcp });
                SceneServicePort {
                    name: (count > 1 || self.random.chance(50)).then(|| ["http", "grpc"][index].to_owned()),
                    protocol: target.protocol,
                    port: [80, 8001][index],
                    target: match target.name {
                        Some(name) if self.random.chance(50) => Err(name),
                        _ => Ok(target.number),
                    },
                }
            })
            .collect()
    }

    /// Endpoints that somebody wrote: of the workload's pods and of one more, whatever its namespace.
    fn slice_by_hand(&mut self, service: &SceneService, workload: &SceneWorkload) {
        let mut endpoints = Vec::new();
        let is_alive = |pod: &&ScenePod| !matches!(pod.phase, Phase::Succeeded | Phase::Failed);
        for pod in workload.pods.iter().filter(is_alive) {
            if let Some(address) = pod.addresses.iter().find(|address| address.is_ipv4()) {
                let target = self.random.chance(60).then(|| pod.name.clone());
                endpoints.push((vec![address.to_string()], self.random.chance(80), target));
            }
        }
        let other = self.random.pick(&self.scene.workloads).clone();
        let mut addresses = other.pods.iter().filter(is_alive).flat_map(|pod| &pod.addresses);
        if let Some(address) = addresses.find(|address| address.is_ipv4()) {
            endpoints.push((vec![address.to_string()], true, None));
        }
        let ports: Vec<ScenePort> = service
            .ports
            .iter()
            .map(|port| ScenePort {
                name: port.name.clone(),
                number: port.target.clone().unwrap_or(8080),
                protocol: port.protocol,
            })
            .collect();
        let names = (service.namespace.as_str(), format!("{}-hand", service.name));
        self.documents.push(manifest::endpoint_slice((names.0, &names.1, &service.name), "IPv4", &endpoints, &ports));
    }

    fn dns(&mut self) {
        if !self.random.chance(65) {
            return;
        }
        let labels = vec![("k8s-app".to_owned(), "kube-dns".to_owned())];
        let port = |number, name: &str, protocol| ScenePort { name: Some(name.to_owned()), number, protocol };
        let ports = vec![port(53, "dns", Protocol::Udp), port(53, "dns-tcp", Protocol::Tcp)];
        let mut workload = SceneWorkload {
            kind: WorkloadKind::Deployment,
            namespace: "kube-system".to_owned(),
            name: "coredns".to_owned(),
            labels: labels.clone(),
            service_account: None,
            host_network: false,
            replicas: 1,
            containers: vec![SceneContainer {
                name: "coredns".to_owned(),
                is_sidecar: false,
                ports: ports.clone(),
                programs: vec!["/coredns".to_owned()],
                probe: None,
            }],
            pods: Vec::new(),
        };
        self.objects_of(&mut workload);
        let service = SceneService {
            namespace: "kube-system".to_owned(),
            name: "kube-dns".to_owned(),
            selector: labels,
            addresses: vec![IpAddr::V4(Ipv4Addr::new(10, 96, 0, 10))],
            ports: ports
                .iter()
                .map(|port| SceneServicePort {
                    name: port.name.clone(),
                    protocol: port.protocol,
                    port: 53,
                    target: Ok(53),
                })
                .collect(),
        };
        self.documents.push(manifest::service(&service, false));
        let endpoints: Vec<_> = workload
            .pods
            .iter()
            .filter(|pod| !pod.addresses.is_empty() && pod.addresses[0].is_ipv4())
            .filter(|pod| !matches!(pod.phase, Phase::Succeeded | Phase::Failed))
            .map(|pod| (vec![pod.addresses[0].to_string()], true, Some(pod.name.clone())))
            .collect();
        if !endpoints.is_empty() && self.random.chance(60) {
            let names = ("kube-system", "kube-dns-1", "kube-dns");
            self.documents.push(manifest::endpoint_slice(names, "IPv4", &endpoints, &ports));
        }
        self.scene.workloads.push(workload);
        self.scene.services.push(service);
    }

    fn apiserver(&mut self) {
        if !self.random.chance(60) {
            return;
        }
        let on_node =
            self.scene.nodes.first().filter(|_| self.random.chance(50)).map(|node| node.addresses[0].to_string());
        let endpoints = [(vec![on_node.unwrap_or_else(|| APISERVER_OUTSIDE.to_owned())], true, None)];
        let ports = [ScenePort { name: Some("https".to_owned()), number: 6443, protocol: Protocol::Tcp }];
        let names = ("default", "kubernetes", "kubernetes");
        self.documents.push(manifest::endpoint_slice(names, "IPv4", &endpoints, &ports));
    }
}

/// A port of the node can be one container's alone: the API server refuses such a pod.
fn without_shared_ports(containers: &mut [SceneContainer]) {
    let mut taken = Vec::new();
    for container in containers {
        container.ports.retain(|port| {
            let is_free = !taken.contains(&(port.number, port.protocol));
            taken.push((port.number, port.protocol));
            is_free
        });
    }
}

fn with_owner(object: Yaml, owner: (WorkloadKind, &str)) -> Yaml {
    let Yaml::Map(mut fields) = object else { return object };
    for (key, value) in &mut fields {
        if key == "metadata" {
            let metadata = std::mem::replace(value, Yaml::List(Vec::new()));
            *value = metadata.with("ownerReferences", Yaml::List(vec![manifest::owner_reference(owner)]));
        }
    }
    Yaml::Map(fields)
}

/// Labels of which a controller's selector can be made: never none.
fn some_labels(random: &mut Random) -> Pairs {
    let labels = random_labels(random);
    if labels.is_empty() { vec![(LABELS[0].0.to_owned(), LABELS[0].1[0].to_owned())] } else { labels }
}

/// One container declares a port once, and a name once.
fn unique(ports: Vec<ScenePort>) -> Vec<ScenePort> {
    let mut kept: Vec<ScenePort> = Vec::new();
    for port in ports {
        let same_number = |other: &ScenePort| (other.number, other.protocol) == (port.number, port.protocol);
        let same_name = |other: &ScenePort| port.name.is_some() && other.name == port.name;
        if !kept.iter().any(|other| same_number(other) || same_name(other)) {
            kept.push(port);
        }
    }
    kept
}
