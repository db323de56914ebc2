//! The well-known parties.

use palisade_model::access_policy::Entity;
use palisade_model::port::Protocol;

use crate::cluster::KnownPod;
use crate::decide::Situation;
use crate::party::Party;
use crate::service;

/// Whether the sender is `entity`.
pub fn is_sender(entity: Entity, situation: &Situation<'_>) -> bool {
    match entity {
        Entity::Kubelet => {
            let from_node = matches!(situation.sender, Party::Node { .. });
            from_node && situation.protocol == Protocol::Tcp && is_probe_port(situation)
        }
        Entity::Apiserver => apiserver_slices(situation).any(|slice| {
            let addresses = situation.sender.addresses_towards(situation.cluster, situation.receiver);
            service::lists_address(slice, &addresses)
        }),
        // DNS is asked; it does not ask.
        Entity::Dns => false,
        Entity::World | Entity::Cluster | Entity::Nodes | Entity::Gateway | Entity::Metadata => {
            is_either(entity, situation.sender, situation)
        }
    }
}

/// Whether the receiver is `entity`, at the port of the link.
pub fn is_receiver(entity: Entity, situation: &Situation<'_>) -> bool {
    match entity {
        // The kubelet probes; nobody reaches a pod by it.
        Entity::Kubelet => false,
        Entity::Apiserver => apiserver_slices(situation).any(|slice| {
            let addresses = situation.receiver.addresses_towards(situation.cluster, situation.sender);
            service::lists_address(slice, &addresses) && service::has_port(slice, situation.protocol, situation.port)
        }),
        Entity::Dns => is_dns(situation),
        Entity::World | Entity::Cluster | Entity::Nodes | Entity::Gateway | Entity::Metadata => {
            is_either(entity, situation.receiver, situation)
        }
    }
}

/// The entities that do not depend on the direction.
fn is_either(entity: Entity, party: &Party<'_>, situation: &Situation<'_>) -> bool {
    match entity {
        Entity::World => matches!(party, Party::World(_)),
        Entity::Cluster => matches!(party, Party::Node { .. }) || party.deciding_pod().is_some(),
        Entity::Nodes => matches!(party, Party::Node { .. }),
        Entity::Gateway => party.deciding_pod().is_some_and(|pod| {
            let gateways = &situation.cluster.settings.gateways;
            gateways.iter().any(|(namespace, selector)| *namespace == pod.namespace && selector.matches(&pod.labels))
        }),
        Entity::Metadata => matches!(party, Party::Metadata(_)),
        Entity::Kubelet | Entity::Apiserver | Entity::Dns => false,
    }
}

fn is_probe_port(situation: &Situation<'_>) -> bool {
    situation.receiver.deciding_pod().is_some_and(|pod| {
        pod.spec
            .containers
            .iter()
            .any(|container| container.probes().any(|probe| probe.tcp_port(container) == Some(situation.port)))
    })
}

fn apiserver_slices<'a>(
    situation: &Situation<'a>,
) -> impl Iterator<Item = &'a palisade_model::service::EndpointSlice> + use<'a> {
    service::slices(situation.cluster, "default", "kubernetes").into_iter()
}

/// By the slices of the cluster DNS Service, or, when they list nobody, by its selector.
fn is_dns(situation: &Situation<'_>) -> bool {
    let (namespace, name) = &situation.cluster.settings.dns_service;
    let slices = service::slices(situation.cluster, namespace, name);
    if slices.iter().any(|slice| !slice.endpoints.is_empty()) {
        return slices.into_iter().any(|slice| {
            let listed = match situation.receiver {
                Party::Pod { pod, .. } if pod.has_own_address() => service::lists_pod(slice, pod),
                Party::Pod { .. } => false,
                other => {
                    let addresses = other.addresses_towards(situation.cluster, situation.sender);
                    service::lists_address(slice, &addresses)
                }
            };
            listed && service::has_port(slice, situation.protocol, situation.port)
        });
    }
    let Some(dns) = service::find(situation.cluster, namespace, name) else { return false };
    situation.cluster.pods.iter().any(|pod| {
        is_at(situation.receiver, pod)
            && service::sends_to(situation.cluster, dns, pod, &[], situation.protocol, situation.port)
    })
}

/// Whether who reaches this party reaches the pod: itself, or the node of a host-network pod.
fn is_at(party: &Party<'_>, pod: &KnownPod) -> bool {
    match party {
        Party::Pod { pod: reached, .. } => {
            reached.has_own_address() && (&reached.namespace, &reached.name) == (&pod.namespace, &pod.name)
        }
        Party::Node { name: Some(name), .. } => pod.spec.host_network && pod.node.as_ref() == Some(name),
        Party::Node { name: None, host_pod, .. } => *host_pod == Some(pod),
        Party::Service(_) | Party::Metadata(_) | Party::LinkLocal(_) | Party::Loopback(_) | Party::World(_) => false,
    }
}
