//! Links to ask about: between parties that the world has, and now and then one that it has not.

use std::net::IpAddr;

use palisade_model::link::{End, Link, PodEnd, Which};
use palisade_model::port::Protocol;

use super::{APISERVER_OUTSIDE, WORLD_ADDRESSES};
use crate::random::Random;
use crate::scene::{Scene, ScenePort, SceneProbe, SceneWorkload};

/// A link whose ends have an address family in common.
pub(super) fn possible_link(random: &mut Random, scene: &Scene) -> Link {
    loop {
        let link = link(random, scene);
        let (from, to) = (addresses(scene, &link.from), addresses(scene, &link.to));
        let have = |addresses: &[IpAddr], v4: bool| {
            addresses.is_empty() || addresses.iter().any(|address| address.is_ipv4() == v4)
        };
        let is_loopback = to.iter().any(|address| address.is_loopback() || address.is_unspecified());
        if is_loopback || [true, false].into_iter().any(|v4| have(&from, v4) && have(&to, v4)) {
            return link;
        }
    }
}

/// The addresses that an end may have; none when they are not known.
fn addresses(scene: &Scene, end: &End) -> Vec<IpAddr> {
    match end {
        End::Pod(PodEnd { address: Some(address), .. }) | End::Node { address: Some(address), .. } => vec![*address],
        End::Address(address) => vec![address.to_canonical()],
        End::Pod(PodEnd { namespace, name, .. }) => scene
            .workloads
            .iter()
            .filter(|workload| workload.namespace == **namespace)
            .flat_map(|workload| &workload.pods)
            .find(|pod| pod.name == **name)
            .map(|pod| pod.addresses.clone())
            .unwrap_or_default(),
        End::Node { name, .. } => {
            let node = scene.nodes.iter().find(|node| node.name == **name);
            node.map(|node| node.addresses.clone()).unwrap_or_default()
        }
    }
}

fn link(random: &mut Random, scene: &Scene) -> Link {
    let sender = random.pick(&scene.workloads).clone();
    let receiver = receiver(random, scene, &sender);
    if random.chance(20) {
        return to_or_from_entity(random, scene, &sender);
    }
    let from = match random.weighted(&[86, 6, 8]) {
        0 => sender_end(random, &sender),
        1 => node_end(random, scene).unwrap_or_else(|| sender_end(random, &sender)),
        _ => End::Address(random_address(random, scene, &sender)),
    };
    let to = match random.weighted(&[66, 10, 13, 11]) {
        0 => receiver_end(random, &receiver),
        1 => node_end(random, scene).unwrap_or_else(|| receiver_end(random, &receiver)),
        2 => End::Address(random_address(random, scene, &receiver)),
        _ => match receiver.pods.iter().flat_map(|pod| &pod.addresses).next() {
            Some(address) => End::Address(*address),
            None => End::Address(random_address(random, scene, &receiver)),
        },
    };
    let (protocol, port) = port(random, scene, &receiver);
    Link { from, to, protocol, port }
}

/// Mostly another workload than the sender's.
fn receiver(random: &mut Random, scene: &Scene, sender: &SceneWorkload) -> SceneWorkload {
    if random.chance(10) {
        return sender.clone();
    }
    let same = |other: &&SceneWorkload| (&other.namespace, &other.name) == (&sender.namespace, &sender.name);
    let others: Vec<_> = scene.workloads.iter().filter(|other| !same(other)).collect();
    (*random.pick(&others)).clone()
}

/// Links that only entities name.
fn to_or_from_entity(random: &mut Random, scene: &Scene, pod: &SceneWorkload) -> Link {
    let parse = |text: &str| End::Address(text.parse().expect("an address"));
    let apiserver = match scene.nodes.first() {
        Some(node) if random.chance(50) => End::Address(node.addresses[0]),
        _ => parse(APISERVER_OUTSIDE),
    };
    let dns = scene.workloads.iter().find(|workload| workload.name == "coredns").unwrap_or(pod).clone();
    let probe = pod.containers.iter().find_map(|container| match container.probe.as_ref()? {
        SceneProbe::TcpSocket(port) | SceneProbe::Grpc(port) | SceneProbe::Liveness(port) => Some(*port),
        SceneProbe::HttpNamed(name) => {
            container.ports.iter().find(|port| port.name.as_ref() == Some(name)).map(|port| port.number)
        }
    });
    let declared = pod.ports().first().map(|port| port.number).unwrap_or(8080);
    let (from, to, protocol, port) = match random.weighted(&[22, 18, 15, 12, 33]) {
        0 => (sender_end(random, pod), apiserver, Protocol::Tcp, *random.pick(&[6443, 6443, 443])),
        1 => (apiserver, receiver_end(random, pod), Protocol::Tcp, declared),
        2 => {
            let protocol = *random.pick(&[Protocol::Udp, Protocol::Tcp]);
            (sender_end(random, pod), receiver_end(random, &dns), protocol, 53)
        }
        3 => {
            let address = *random.pick(&["169.254.169.254", "fd00:ec2::254"]);
            (sender_end(random, pod), parse(address), Protocol::Tcp, 80)
        }
        _ => {
            let node = node_end(random, scene).unwrap_or_else(|| sender_end(random, pod));
            (node, receiver_end(random, pod), Protocol::Tcp, probe.unwrap_or(declared))
        }
    };
    Link { from, to, protocol, port }
}

fn sender_end(random: &mut Random, workload: &SceneWorkload) -> End {
    pod_end(random, workload, [66, 12, 22])
}

fn receiver_end(random: &mut Random, workload: &SceneWorkload) -> End {
    pod_end(random, workload, [20, 8, 72])
}

fn port(random: &mut Random, scene: &Scene, receiver: &SceneWorkload) -> (Protocol, u16) {
    let declared: Vec<ScenePort> = receiver.ports().into_iter().cloned().collect();
    let anywhere = scene.ports();
    match random.weighted(&[62, 15, 23]) {
        0 | 1 if !declared.is_empty() || !anywhere.is_empty() => {
            let known = if random.chance(80) && !declared.is_empty() { &declared } else { &anywhere };
            let port = random.pick(if known.is_empty() { &declared } else { known });
            (port.protocol, port.number)
        }
        _ => {
            let port = *random.pick(&[53, 79, 80, 443, 5000, 6443, 7777, 7999, 8000, 8003, 8079, 8081, 9003, 10250]);
            (if random.chance(75) { Protocol::Tcp } else { *random.pick(&Protocol::ALL) }, port)
        }
    }
}

fn pod_end(random: &mut Random, workload: &SceneWorkload, known: [usize; 3]) -> End {
    let names = workload.pod_names();
    let index = random.below(names.len());
    let own = workload.pods.get(index).map(|pod| pod.addresses.clone()).unwrap_or_default();
    let container = random.pick(&workload.containers).clone();
    let which = |random: &mut Random, name: &str| match random.weighted(&known) {
        0 => Which::Named(name.into()),
        1 => Which::Other,
        _ => Which::Unsaid,
    };
    End::Pod(PodEnd {
        namespace: workload.namespace.as_str().into(),
        name: names[index].as_str().into(),
        container: which(random, &container.name),
        program: {
            let program = random.pick(&container.programs).clone();
            which(random, &program)
        },
        address: if random.chance(25) { random.maybe_pick(&own).copied() } else { None },
    })
}

fn node_end(random: &mut Random, scene: &Scene) -> Option<End> {
    let node = random.maybe_pick(&scene.nodes)?.clone();
    let address = if random.chance(40) { Some(*random.pick(&node.addresses)) } else { None };
    Some(End::Node { name: node.name.as_str().into(), address })
}

fn random_address(random: &mut Random, scene: &Scene, near: &SceneWorkload) -> IpAddr {
    let parse = |text: &&str| text.parse().expect("an address");
    let nodes: Vec<IpAddr> = scene.nodes.iter().flat_map(|node| node.addresses.clone()).collect();
    let services: Vec<IpAddr> = scene.services.iter().flat_map(|service| service.addresses.clone()).collect();
    let pods: Vec<IpAddr> = near.pods.iter().flat_map(|pod| pod.addresses.clone()).collect();
    let outside = random.pick(WORLD_ADDRESSES);
    match random.weighted(&[40, 12, 10, 8, 8, 6, 10, 6]) {
        1 => random.maybe_pick(&nodes).copied().unwrap_or_else(|| parse(outside)),
        2 => random.maybe_pick(&services).copied().unwrap_or_else(|| parse(outside)),
        3 => random.maybe_pick(&pods).copied().unwrap_or_else(|| parse(outside)),
        4 => parse(random.pick(&["169.254.169.254", "fd00:ec2::254"])),
        5 => parse(random.pick(&["169.254.1.1", "fe80::1"])),
        6 => parse(random.pick(&["127.0.0.1", "::1", "0.0.0.0", "::", "127.9.9.9"])),
        7 => parse(random.pick(&["192.0.2.10", "::ffff:203.0.113.10"])),
        _ => parse(outside),
    }
}
