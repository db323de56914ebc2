//! Rules of AccessPolicies: does this one cover the link?

use palisade_model::access_policy::{AccessPolicy, AccessRule, Action, Peer, PeerTarget, PodPeer};
use palisade_model::link::Which;
use palisade_model::object::Name;
use palisade_model::verdict::Missing;

use crate::cluster::KnownPod;
use crate::decide::{SenderDetail, Situation};
use crate::party::Party;
use crate::truth::Truth;
use crate::{entity, network, party, ports, service};

/// Whether the rule covers the link, and the first pair of peers by which it does (or may).
pub fn covers(situation: &Situation<'_>, policy: &AccessPolicy, rule: &AccessRule) -> (Truth, (usize, usize)) {
    let mut answer = (Truth::No, (0, 0));
    if !is_in_force(situation, rule) {
        return answer;
    }
    let own_address = party::is_own_address(situation.sender, situation.receiver);
    for (from_index, from) in rule.from.iter().enumerate() {
        for (to_index, to) in rule.to.iter().enumerate() {
            // Inside a pod only that is judged which tells containers or programs apart.
            if own_address && !from.names_container_or_program() && !to.names_container_or_program() {
                continue;
            }
            let pair = (from_index, to_index);
            match is_from(situation, policy, rule, from).and(is_to(situation, policy, rule, to)) {
                Truth::Yes => return (Truth::Yes, pair),
                unknown @ Truth::Unknown(_) if answer.0.is_no() => answer = (unknown, pair),
                Truth::Unknown(_) | Truth::No => {}
            }
        }
    }
    answer
}

fn is_in_force(situation: &Situation<'_>, rule: &AccessRule) -> bool {
    match rule.action {
        // Conditions on requests cannot be checked yet: what needs them grants nothing.
        Action::Allow => rule.http.is_empty() && rule.expires.is_none_or(|expires| situation.now < expires),
        // And refuses the whole link rather than nothing of it.
        Action::Deny => true,
    }
}

fn is_from(situation: &Situation<'_>, policy: &AccessPolicy, rule: &AccessRule, peer: &Peer) -> Truth {
    match &peer.target {
        PeerTarget::Pods(fields) => match situation.sender {
            Party::Pod { pod, container, program, .. } if pod.has_own_address() => is_pod(
                situation, policy, fields, pod,
            )
            .and(fields.service.is_none().into())
            .and(sender_detail(situation, rule.action, fields, &pod.full_name(), (container, program))),
            _ => Truth::No,
        },
        PeerTarget::Cidr { cidr, except } => in_cidr(situation.sender, cidr, except).into(),
        PeerTarget::Entity(entity) => entity::is_sender(*entity, situation).into(),
        PeerTarget::Fqdn(_) => Truth::No,
    }
}

fn is_to(situation: &Situation<'_>, policy: &AccessPolicy, rule: &AccessRule, peer: &Peer) -> Truth {
    let by_ports = || ports::cover(&rule.ports, situation);
    match &peer.target {
        PeerTarget::Pods(fields) => match situation.receiver {
            Party::Pod { pod, container, program, .. } if pod.has_own_address() => {
                let port_matches = match &fields.service {
                    Some(service) => by_service(situation, policy, rule, fields, service, pod),
                    None => by_ports(),
                };
                is_pod(situation, policy, fields, pod)
                    .and(port_matches.into())
                    .and(receiver_container(situation, fields, pod, container).into())
                    .and(receiver_program(fields, &pod.full_name(), program))
            }
            _ => Truth::No,
        },
        PeerTarget::Cidr { cidr, except } => (by_ports() && in_cidr(situation.receiver, cidr, except)).into(),
        PeerTarget::Entity(entity) => (by_ports() && entity::is_receiver(*entity, situation)).into(),
        PeerTarget::Fqdn(_) => Truth::No,
    }
}

/// All of a peer but container, program and Service.
fn is_pod(situation: &Situation<'_>, policy: &AccessPolicy, fields: &PodPeer, pod: &KnownPod) -> Truth {
    let namespace_matches = match (&fields.namespace, &fields.namespace_selector) {
        (None, None) => (policy.meta.reference.namespace.as_ref() == Some(&pod.namespace)).into(),
        (name, selector) => Truth::from(name.as_ref().is_none_or(|name| *name == pod.namespace)).and(
            selector.as_ref().map_or(Truth::Yes, |selector| situation.cluster.namespace_is(&pod.namespace, selector)),
        ),
    };
    let workload_matches = fields
        .workload
        .as_ref()
        .is_none_or(|named| named.name == pod.workload.1 && named.kind.is_none_or(|kind| kind == pod.workload.0));
    let account_matches =
        fields.service_account.as_ref().is_none_or(|account| **account == *pod.spec.service_account_name());
    let labels_match = fields.selector.as_ref().is_none_or(|selector| selector.matches(&pod.labels));
    namespace_matches.and((workload_matches && account_matches && labels_match).into())
}

/// With `service` the ports are the Service's, and only they.
fn by_service(
    situation: &Situation<'_>,
    policy: &AccessPolicy,
    rule: &AccessRule,
    fields: &PodPeer,
    service: &Name,
    pod: &KnownPod,
) -> bool {
    let of_policy = policy.meta.reference.namespace.as_ref();
    // A cluster-wide policy names namespaces by selector: the Service of the pod's own.
    let namespace = fields.namespace.as_ref().or(of_policy).unwrap_or(&pod.namespace);
    service::find(situation.cluster, namespace, service).is_some_and(|service| {
        service::sends_to(situation.cluster, service, pod, &rule.ports, situation.protocol, situation.port)
    })
}

fn sender_detail(
    situation: &Situation<'_>,
    action: Action,
    fields: &PodPeer,
    pod: &str,
    (container, program): (&Which, &Which),
) -> Truth {
    if !fields.names_container_or_program() {
        return Truth::Yes;
    }
    match situation.sender_detail {
        SenderDetail::Known => compare(&fields.container, container, Missing::Container { pod: pod.to_owned() })
            .and(compare(&fields.program, program, Missing::Program { pod: pod.to_owned() })),
        SenderDetail::WholePod => (action == Action::Allow).into(),
        SenderDetail::Nothing => Truth::No,
    }
}

fn compare(named: &Option<Name>, actual: &Which, missing: Missing) -> Truth {
    match (named, actual) {
        (None, _) => Truth::Yes,
        (Some(named), Which::Named(actual)) => (named == actual).into(),
        (Some(_), Which::Other) => Truth::No,
        (Some(_), Which::Unsaid) => Truth::Unknown(missing),
    }
}

/// The container that owns the port: as said, else the first that declares it, else the one that
/// the rule itself makes the owner.
fn receiver_container(situation: &Situation<'_>, fields: &PodPeer, pod: &KnownPod, container: &Which) -> bool {
    let Some(named) = &fields.container else { return true };
    match container {
        Which::Named(actual) => named == actual,
        Which::Other => false,
        Which::Unsaid => {
            let owner = pod.spec.containers.iter().find(|container| {
                container.ports.iter().any(|port| port.number == situation.port && port.protocol == situation.protocol)
            });
            match owner {
                Some(owner) => owner.name == *named,
                None => pod.spec.containers.iter().any(|container| container.name == *named),
            }
        }
    }
}

fn receiver_program(fields: &PodPeer, pod: &str, program: &Which) -> Truth {
    compare(&fields.program, program, Missing::Program { pod: pod.to_owned() })
}

/// Never the addresses of known pods, nodes and Services.
fn in_cidr(party: &Party<'_>, cidr: &palisade_model::IpNet, except: &[palisade_model::IpNet]) -> bool {
    match party {
        Party::World(address) | Party::Metadata(address) | Party::LinkLocal(address) => {
            network::in_block(*address, cidr, except)
        }
        Party::Pod { .. } | Party::Node { .. } | Party::Service(_) | Party::Loopback(_) => false,
    }
}
