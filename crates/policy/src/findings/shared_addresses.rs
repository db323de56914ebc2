//! Pods whose address is also another's.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use palisade_model::{Kind, ObjectRef, Problem};

use crate::address_index::Claim;
use crate::model::{Model, PodFacts};
use crate::nodes::node_object;

/// One problem for each pod and each such address: who sends from it, or is reached by it, cannot be told, and would be
/// judged by the rules of one of them.
pub(super) fn find(model: &Model) -> Vec<Problem> {
    let mut pods = BTreeSet::new();
    let mut owners: BTreeMap<IpAddr, BTreeSet<ObjectRef>> = BTreeMap::new();
    for (address, claims) in model.addresses.contested() {
        owners.insert(address, claims.iter().filter_map(|claim| owner(model, address, *claim)).collect());
        pods.extend(claims.iter().filter_map(|claim| match claim {
            Claim::Pod(index) => Some(*index),
            Claim::Interface(_) | Claim::Service(_) | Claim::Node(_) => None,
        }));
    }
    let mut problems = Vec::new();
    for pod in pods.into_iter().map(|index| model.pod(index)) {
        let own = pod_object(pod);
        for address in &pod.addresses {
            let Some(other) = owners.get(address).into_iter().flatten().find(|other| **other != own) else { continue };
            let problem = Problem::error("shared-address", format!("its address {address} is also that of {other}"));
            problems.push(problem.at(&pod.place).of(own.clone()).hint(
                "one of the two is gone, or its status is of another moment: take all objects from the cluster at once",
            ));
        }
    }
    problems
}

/// The object that says so of itself.
fn owner(model: &Model, address: IpAddr, claim: Claim) -> Option<ObjectRef> {
    match claim {
        Claim::Pod(index) => Some(pod_object(model.pod(index))),
        Claim::Service(position) => Some(model.inventory.services[position].meta.reference.clone()),
        Claim::Node(position) => {
            let node = node_object(&model.inventory, &model.nodes[position].name)?;
            let is_own = node.addresses.iter().any(|own| own.to_canonical() == address);
            is_own.then(|| node.meta.reference.clone())
        }
        Claim::Interface(_) => None,
    }
}

fn pod_object(pod: &PodFacts) -> ObjectRef {
    ObjectRef { kind: Kind::Pod, namespace: Some(pod.namespace.clone()), name: pod.name.clone() }
}
