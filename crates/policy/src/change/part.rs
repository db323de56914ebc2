//! The part of an inventory on which the links between some pods depend: small enough to be judged again and again.
//!
//! Invariant: a model of the part judges the links between its pods, nodes and addresses outside as the whole does.

use std::collections::BTreeSet;
use std::net::IpAddr;

use palisade_model::inventory::Inventory;
use palisade_model::object::{Kind, Name, ObjectRef};
use palisade_model::pod::Pod;
use palisade_model::workload::WorkloadKind;

use crate::maps::HashSet;
use crate::matching::Side;
use crate::model::{AddressOwner, Closer, Model, PodFacts, PodIndex};
use crate::party::receiver;

/// Which policies and Services are kept.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Keep {
    /// Those that select or name one of the pods as it is.
    Naming,
    /// All that could once labels change.
    Everything,
}

/// Makes parts of a model's inventory.
pub(super) struct Parts<'m> {
    model: &'m Model,
    /// Positions of the pods by which the DNS and the nodes are known.
    always: Vec<usize>,
}

impl<'m> Parts<'m> {
    pub(super) fn new(model: &'m Model) -> Self {
        Self { model, always: telling_pods(model) }
    }

    /// The part about `pods`; `addresses` keep their owners.
    pub(super) fn of(&self, pods: &BTreeSet<PodIndex>, addresses: &[IpAddr], keep: Keep) -> Inventory {
        let model = self.model;
        let whole = &*model.inventory;
        let mut part = Inventory {
            namespaces: whole.namespaces.clone(),
            nodes: whole.nodes.clone(),
            unreadable: whole.unreadable.clone(),
            settings: whole.settings.clone(),
            ..Inventory::default()
        };
        policies(model, pods, keep, &mut part);
        let mut services: BTreeSet<usize> = BTreeSet::new();
        match keep {
            Keep::Naming => services.extend(pods.iter().flat_map(|pod| model.services_before(model.pod(*pod)))),
            Keep::Everything => services.extend(0..whole.services.len()),
        }
        let (namespace, name) = &model.settings.dns_service;
        services.extend(model.service_lookup.named(namespace, name));
        for address in addresses {
            if let Some(AddressOwner::Service(position)) = model.owner_of(*address) {
                services.insert(position);
            }
        }
        part.services = services.iter().map(|position| whole.services[*position].clone()).collect();
        let kept = part.services.iter().map(|service| (service.meta.namespace(), service.meta.name()));
        let mut slices: BTreeSet<usize> = BTreeSet::new();
        for (namespace, name) in kept.chain([("default", "kubernetes")]) {
            slices.extend(model.service_lookup.slices(namespace, name));
        }
        part.endpoint_slices = slices.iter().map(|position| whole.endpoint_slices[*position].clone()).collect();
        pods_and_workloads(model, pods, &self.always, &mut part);
        part
    }
}

fn policies(model: &Model, pods: &BTreeSet<PodIndex>, keep: Keep, part: &mut Inventory) {
    let whole = &*model.inventory;
    if keep == Keep::Everything {
        part.network_policies.clone_from(&whole.network_policies);
        part.perimeters.clone_from(&whole.perimeters);
        part.access_policies.clone_from(&whole.access_policies);
        part.tiered_policies.clone_from(&whole.tiered_policies);
        return;
    }
    use palisade_model::tiered_policy::Tier;
    use palisade_model::verdict::Direction;
    let (mut network, mut perimeters) = (BTreeSet::new(), BTreeSet::new());
    let (mut access, mut tiered) = (BTreeSet::new(), BTreeSet::new());
    for pod in pods.iter().map(|index| model.pod(*index)) {
        for direction in [Direction::Ingress, Direction::Egress] {
            for closer in pod.closers(direction) {
                match closer {
                    Closer::NetworkPolicy(position) => network.insert(*position),
                    Closer::Perimeter(position) => perimeters.insert(*position),
                };
            }
            perimeters.extend(pod.maybe_closers(direction));
        }
        for tier in [Tier::Admin, Tier::Baseline] {
            tiered.extend(pod.tier(tier).iter().map(|selecting| selecting.position));
        }
        let party = receiver(pod, None);
        for (peers, side) in [(&model.rules.from, Side::From), (&model.rules.to, Side::To)] {
            let named = peers.naming(model, &party, side).into_iter().flatten();
            access.extend(named.map(|at| model.rules.access.at(at.rule).0));
        }
    }
    part.network_policies = network.iter().map(|position| whole.network_policies[*position].clone()).collect();
    part.perimeters = perimeters.iter().map(|position| whole.perimeters[*position].clone()).collect();
    part.access_policies = access.iter().map(|position| whole.access_policies[*position].clone()).collect();
    part.tiered_policies = tiered.iter().map(|position| whole.tiered_policies[*position].clone()).collect();
}

fn pods_and_workloads(model: &Model, wanted: &BTreeSet<PodIndex>, always: &[usize], part: &mut Inventory) {
    let whole = &*model.inventory;
    let mut owners: BTreeSet<(Name, WorkloadKind, Name)> = BTreeSet::new();
    let mut pods: BTreeSet<usize> = BTreeSet::new();
    for index in wanted {
        let pod = model.pod(*index);
        owners.insert((pod.namespace.clone(), pod.workload.kind, pod.workload.name.clone()));
        let Some(position) = pod_object(whole, pod) else { continue };
        pods.insert(position);
        if let Some(owner) = &whole.pods[position].meta.owner
            && let Ok(kind) = owner.kind.parse::<WorkloadKind>()
        {
            owners.insert((pod.namespace.clone(), kind, owner.name.clone()));
        }
    }
    for position in always {
        let pod = &whole.pods[*position];
        if pods.insert(*position)
            && let Some(facts) = model.pod_named(pod.meta.namespace(), pod.meta.name())
        {
            owners.insert((facts.namespace.clone(), facts.workload.kind, facts.workload.name.clone()));
        }
    }
    part.pods = pods.iter().map(|position| whole.pods[*position].clone()).collect();
    let found = owners.into_iter().filter_map(|(namespace, kind, name)| {
        let reference = ObjectRef { kind: kind.kind(), namespace: Some(namespace), name };
        whole.workloads.binary_search_by(|candidate| candidate.meta.reference.cmp(&reference)).ok()
    });
    let found: BTreeSet<usize> = found.collect();
    part.workloads = found.iter().map(|position| whole.workloads[*position].clone()).collect();
}

/// The DNS is known by its pods, and nodes by theirs: the first that tells a name or an address is enough.
fn telling_pods(model: &Model) -> Vec<usize> {
    let whole = &*model.inventory;
    let (namespace, name) = &model.settings.dns_service;
    let dns = model.service_named(namespace, name).and_then(|service| service.selector.as_ref());
    let is_dns = |pod: &Pod| {
        pod.meta.namespace() == &**namespace && dns.is_some_and(|labels| labels.is_subset_of(&pod.meta.labels))
    };
    let mut told: HashSet<(&Name, Option<IpAddr>)> = HashSet::default();
    let mut tells_node = |pod: &'_ Pod, node| {
        let own = if pod.spec.host_network { pod.addresses.as_slice() } else { &[] };
        let addresses = pod.host_addresses.iter().chain(own).copied().map(Some);
        // Each of them is to be noted, also after the first that is new.
        addresses.chain([None]).filter(|address| told.insert((node, *address))).count() > 0
    };
    let pods = whole.pods.iter().enumerate();
    pods.filter(|(_, pod)| pod.node.as_ref().is_some_and(|node| tells_node(pod, node)) || is_dns(pod))
        .map(|(position, _)| position)
        .collect()
}

/// The position of the object of `pod`; none of one that stands for a workload.
pub(super) fn pod_object(inventory: &Inventory, pod: &PodFacts) -> Option<usize> {
    if pod.is_template {
        return None;
    }
    let reference = ObjectRef { kind: Kind::Pod, namespace: Some(pod.namespace.clone()), name: pod.name.clone() };
    inventory.pods.binary_search_by(|candidate| candidate.meta.reference.cmp(&reference)).ok()
}
