//! Pods whose address is also another's.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use palisade_model::{Kind, ObjectRef, Problem};

use crate::model::Model;

/// One problem for each pod and each such address: who sends from it, or is reached by it, cannot be told, and would be
/// judged by the rules of one of them.
pub(super) fn find(model: &Model) -> Vec<Problem> {
    let owners = owners(model);
    let mut problems = Vec::new();
    for pod in model.pods().iter().filter(|pod| !pod.is_template) {
        let own = ObjectRef { kind: Kind::Pod, namespace: Some(pod.namespace.clone()), name: pod.name.clone() };
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

fn owners(model: &Model) -> BTreeMap<IpAddr, BTreeSet<ObjectRef>> {
    let mut owners: BTreeMap<IpAddr, BTreeSet<ObjectRef>> = BTreeMap::new();
    let mut add = |address: IpAddr, owner: &ObjectRef| {
        owners.entry(address.to_canonical()).or_default().insert(owner.clone());
    };
    let inventory = &model.inventory;
    for pod in &inventory.pods {
        pod.own_addresses().iter().for_each(|address| add(*address, &pod.meta.reference));
    }
    for node in &inventory.nodes {
        node.addresses.iter().for_each(|address| add(*address, &node.meta.reference));
    }
    for service in &inventory.services {
        let addresses = service.cluster_ips.iter().chain(&service.external_ips).chain(&service.load_balancer_ips);
        addresses.for_each(|address| add(*address, &service.meta.reference));
    }
    owners
}
