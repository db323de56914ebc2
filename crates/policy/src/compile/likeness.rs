//! Which pods are alike: no policy can tell them apart, as senders or as receivers.
//!
//! Replicas of a workload are; so each question is asked once for all of them.

use std::collections::BTreeMap;
use std::net::IpAddr;

use palisade_model::object::Name;
use palisade_model::port::Protocol;
use palisade_model::{IpNet, Labels};

use crate::compile::prefixes::policy_blocks;
use crate::dial::BackendEnd;
use crate::model::{Model, PodFacts, PodIndex, WorkloadId};

/// Everything that a policy can ask of a pod and of an address of it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Features<'m> {
    namespace: &'m Name,
    workload: &'m WorkloadId,
    labels: &'m Labels,
    service_account: &'m str,
    node: Option<&'m Name>,
    containers: Vec<ContainerFeatures<'m>>,
    /// Positions of the Services that it is behind.
    services: Vec<usize>,
    dns_ports: Vec<(Protocol, u16)>,
    apiserver_ports: Vec<(Protocol, Option<u16>)>,
}

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct ContainerFeatures<'m> {
    name: &'m Name,
    ports: Vec<(Protocol, u16, Option<&'m Name>)>,
    probes: Vec<u16>,
}

/// Numbers kinds of pods and kinds of addresses.
pub(crate) struct Likeness {
    blocks: Vec<IpNet>,
    kinds: Vec<u32>,
    services: Vec<Vec<usize>>,
}

impl Likeness {
    pub(crate) fn new(model: &Model) -> Self {
        let mut blocks = policy_blocks(model);
        blocks.sort_unstable();
        blocks.dedup();
        let mut numbers: BTreeMap<Features<'_>, u32> = BTreeMap::new();
        let mut services = Vec::with_capacity(model.pods().len());
        let mut kinds = Vec::with_capacity(model.pods().len());
        for pod in model.pods() {
            let behind = model.services_before(pod);
            let next = u32::try_from(numbers.len()).expect("fewer kinds than pods");
            kinds.push(*numbers.entry(features(model, pod, behind.clone())).or_insert(next));
            services.push(behind);
        }
        Self { blocks, kinds, services }
    }

    /// The pod's kind; pods of one kind with addresses in the same blocks are alike.
    pub(crate) fn kind(&self, pod: PodIndex) -> u32 {
        self.kinds[pod.0 as usize]
    }

    /// Positions of the Services that the pod is behind.
    pub(crate) fn services(&self, pod: PodIndex) -> &[usize] {
        &self.services[pod.0 as usize]
    }

    /// The policies' blocks that `address` lies in.
    pub(crate) fn blocks_of(&self, address: IpAddr) -> Vec<u32> {
        (0..).zip(&self.blocks).filter(|(_, block)| block.contains(&address)).map(|(position, _)| position).collect()
    }
}

fn features<'m>(model: &'m Model, pod: &'m PodFacts, services: Vec<usize>) -> Features<'m> {
    let spec = model.spec(pod);
    let containers = spec.containers.iter().map(|container| ContainerFeatures {
        name: &container.name,
        ports: container.ports.iter().map(|port| (port.protocol, port.number, port.name.as_ref())).collect(),
        probes: container.probes().filter_map(|probe| probe.tcp_port(container)).collect(),
    });
    let dns_ports = model.dns_backends.iter().filter(|backend| match backend.end {
        BackendEnd::Pod(index) => index == pod.index,
        BackendEnd::Address(address) => pod.addresses.contains(&address),
    });
    let apiserver_ports = model.apiserver_endpoints.iter().filter(|endpoint| pod.addresses.contains(&endpoint.address));
    Features {
        namespace: &pod.namespace,
        workload: &pod.workload,
        labels: &pod.labels,
        service_account: spec.service_account_name(),
        node: pod.node.as_ref(),
        containers: containers.collect(),
        services,
        dns_ports: dns_ports.map(|backend| (backend.protocol, backend.port)).collect(),
        apiserver_ports: apiserver_ports.map(|endpoint| (endpoint.protocol, endpoint.port)).collect(),
    }
}
