//! Connections that a world offers.

use palisade_model::port::Protocol;

use super::dial::{NodeTry, PodOf, Program, Sender, Target, Try};
use super::{DNS, HOST_PORT, METADATA, NODES, OUTSIDE};
use crate::random::Random;
use crate::scene::{Scene, SceneWorkload};

/// How many connections a world offers: far more than a test tries, see [`crate::choose`].
const TRIES: usize = 240;

pub(super) fn tries(random: &mut Random, scene: &Scene) -> Vec<Try> {
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
pub(super) fn node_tries(random: &mut Random, scene: &Scene) -> Vec<NodeTry> {
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
