//! Services as the API server would complete them: addresses and NodePorts.

use std::net::IpAddr;

use palisade_model::service::{Exposure, Service};
use palisade_model::{Inventory, Problem};

use super::{Runtime, locked};
use crate::address_plan::service_networks;
use crate::endpoints::is_dual_stack;
use crate::world;

impl Runtime {
    /// Takes over the Services and EndpointSlices of `inventory`, chosen addresses first.
    pub(super) fn take_services(&self, inventory: &Inventory) -> Vec<Problem> {
        let mut problems = Vec::new();
        let mut plan = locked(&self.plan);
        let mut services: Vec<Service> = inventory.services.iter().map(|service| Service::clone(service)).collect();
        for service in &mut services {
            let networks = service_networks();
            // An address of another cluster's range has no route here.
            service.cluster_ips.retain(|address| networks.iter().any(|net| net.contains(address)));
            service.cluster_ips.iter().for_each(|address| plan.reserve_service(*address));
            for port in &mut service.ports {
                port.node_port = port.node_port.filter(|port| plan.reserve_node_port(*port));
            }
        }
        let mut cluster = self.cluster();
        for mut service in services {
            let key = (service.meta.namespace().into(), service.meta.name().into());
            if let Some(living) = cluster.services.get(&key) {
                // Applied again: the address stays, as in a cluster.
                service.cluster_ips = living.cluster_ips.clone();
            }
            if needs_address(&service) && service.cluster_ips.is_empty() {
                match plan.take_service() {
                    Some(pair) => service.cluster_ips = families(pair, &service, self.network.ipv6),
                    None => problems.push(
                        Problem::warning("lab-no-service-address", "no address is left for this Service")
                            .of(service.meta.reference.clone())
                            .at(&service.meta.place),
                    ),
                }
            }
            if matches!(service.exposure, Exposure::NodePort | Exposure::LoadBalancer) {
                for port in &mut service.ports {
                    port.node_port = port.node_port.or_else(|| plan.take_node_port());
                }
            }
            cluster.services.insert(key, service);
        }
        cluster.world_names = world::names(&cluster);
        cluster
            .given_slices
            .extend(inventory.endpoint_slices.iter().filter(|slice| !is_made_by_a_controller(slice)).cloned());
        problems
    }
}

fn needs_address(service: &Service) -> bool {
    !service.headless && !matches!(service.exposure, Exposure::ExternalName(_))
}

fn families(pair: [IpAddr; 2], service: &Service, ipv6: bool) -> Vec<IpAddr> {
    pair[..if ipv6 && is_dual_stack(service) { 2 } else { 1 }].to_vec()
}

/// A dump of a cluster has slices of pods that do not run here.
fn is_made_by_a_controller(slice: &palisade_model::service::EndpointSlice) -> bool {
    slice.meta.labels.value("endpointslice.kubernetes.io/managed-by") == Some("endpointslice-controller.k8s.io")
}
