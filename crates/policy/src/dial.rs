//! Services: what stands behind an address that is dialled.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use palisade_model::Labels;
use palisade_model::object::Name;
use palisade_model::port::Protocol;
use palisade_model::service::{Endpoint, EndpointSlice, Exposure, InternalTraffic, Service, ServicePort, TargetPort};
use palisade_model::settings::MixedServices;
use palisade_model::verdict::Missing;
use serde::Serialize;

use crate::model::{AddressOwner, Model, PodFacts, PodIndex};

/// Who answers behind a Service.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum BackendEnd {
    /// A pod of the input.
    Pod(PodIndex),
    /// An address that is no pod's.
    Address(IpAddr),
}

/// One ready endpoint of a Service's port.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
pub struct Backend {
    /// Who answers.
    pub end: BackendEnd,
    /// Its address, unless the pod has none yet.
    pub address: Option<IpAddr>,
    /// The protocol.
    pub protocol: Protocol,
    /// The port that is reached.
    pub port: u16,
}

/// Which endpoints count.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Readiness {
    /// Those that traffic goes to.
    Ready,
    /// All of them: what a party is does not depend on its health.
    Any,
}

/// What is dialled.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Dial<'m> {
    /// The address is an end of its own.
    Direct,
    /// A Service's port.
    Service {
        /// The Service.
        service: &'m Service,
        /// Its port.
        port: &'m ServicePort,
    },
    /// A port of a node that is a pod's `hostPort`.
    HostPort {
        /// The pods behind it; more than one when several claim it.
        backends: Vec<Backend>,
    },
    /// An address that only Services have, without that port.
    NoSuchPort {
        /// The Service.
        service: &'m Service,
    },
}

/// An endpoint of `default/kubernetes`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct ApiserverEndpoint {
    pub(crate) address: IpAddr,
    pub(crate) protocol: Protocol,
    /// `None`: all ports.
    pub(crate) port: Option<u16>,
}

impl Model {
    /// What stands behind `address` for someone inside the cluster.
    pub fn dial(&self, address: IpAddr, protocol: Protocol, port: u16) -> Dial<'_> {
        let address = address.to_canonical();
        match self.owner_of(address) {
            Some(AddressOwner::Service(position)) => {
                let service = &self.inventory.services[position];
                match service.ports.iter().find(|candidate| candidate.protocol == protocol && candidate.port == port) {
                    Some(port) => Dial::Service { service, port },
                    None => Dial::NoSuchPort { service },
                }
            }
            Some(AddressOwner::Node(_)) => self
                .node_ports()
                .find(|(_, candidate)| candidate.protocol == protocol && candidate.node_port == Some(port))
                .map(|(service, port)| Dial::Service { service, port })
                .or_else(|| {
                    let mut host_ports = self.host_ports().into_iter();
                    host_ports
                        .find(|(candidate, dialled, _)| (*candidate, *dialled) == (address, (protocol, port)))
                        .map(|(_, _, backends)| Dial::HostPort { backends })
                })
                .unwrap_or(Dial::Direct),
            Some(AddressOwner::Pod(_)) | None => Dial::Direct,
        }
    }

    /// What becomes of a Service whose backends get different answers, when a pod of `node` dials it at `dialled` (`None`:
    /// at an address of its own). The sender's node has to see which one a connection reaches: it does not when another
    /// node translates.
    pub fn mixed_service(&self, node: Option<&str>, dialled: Option<IpAddr>) -> MixedServices {
        match dialled.and_then(|address| self.owner_of(address.to_canonical())) {
            Some(AddressOwner::Node(at)) if Some(&*self.nodes[at].name) != node => MixedServices::Refused,
            Some(AddressOwner::Node(_) | AddressOwner::Pod(_) | AddressOwner::Service(_)) | None => {
                self.settings.mixed_services
            }
        }
    }

    /// The nodes' ports that are pods' `hostPort`s: address, protocol and port, and who is behind.
    pub(crate) fn host_ports(&self) -> Vec<(IpAddr, (Protocol, u16), Vec<Backend>)> {
        let mut ports: BTreeMap<(IpAddr, (Protocol, u16)), Vec<Backend>> = BTreeMap::new();
        for pod in self.pods().iter().filter(|pod| pod.decides() && !self.spec(pod).host_network) {
            let containers = self.spec(pod).containers.iter().flat_map(|container| &container.ports);
            for (port, host_port) in containers.filter_map(|port| Some((port, port.host_port?))) {
                for address in self.node_addresses(pod.node.as_deref()) {
                    let own = pod.addresses.iter().copied().find(|own| own.is_ipv4() == address.is_ipv4());
                    ports.entry((address, (port.protocol, host_port))).or_default().push(Backend {
                        end: BackendEnd::Pod(pod.index),
                        address: own,
                        protocol: port.protocol,
                        port: port.number,
                    });
                }
            }
        }
        ports.into_iter().map(|((address, dialled), backends)| (address, dialled, backends)).collect()
    }

    /// Every Service port that is also a port of each node.
    pub fn node_ports(&self) -> impl Iterator<Item = (&Service, &ServicePort)> {
        let services = self.inventory.services.iter().map(Arc::as_ref);
        services
            .filter(|service| self.is_node_port(service))
            .flat_map(|service| service.ports.iter().map(move |port| (service, port)))
            .filter(|(_, port)| port.node_port.is_some())
    }

    /// Whether the Service's ports are also ports of each node.
    pub(crate) fn is_node_port(&self, service: &Service) -> bool {
        match service.exposure {
            Exposure::NodePort | Exposure::LoadBalancer => true,
            Exposure::ClusterIp | Exposure::ExternalName(_) => false,
        }
    }

    /// The Service `namespace/name`.
    pub fn service(&self, namespace: &str, name: &str) -> Option<&Service> {
        self.service_named(namespace, name)
    }

    /// The ready endpoints of a Service's port, of the family `v4` when given, in a defined order.
    ///
    /// # Errors
    /// When they cannot be known: the Service has neither a selector nor EndpointSlices.
    pub fn backends(&self, service: &Service, port: &ServicePort, v4: Option<bool>) -> Result<Vec<Backend>, Missing> {
        let mut backends = self.endpoints(service, port, Readiness::Ready)?;
        backends.retain(|backend| v4.is_none_or(|v4| backend.address.is_none_or(|address| address.is_ipv4() == v4)));
        Ok(backends)
    }

    /// Whether traffic from inside the cluster to `dialled` (`None`: to the Service by its name) stays on its node.
    pub fn stays_on_node(&self, service: &Service, dialled: Option<IpAddr>) -> bool {
        // What is dialled at any other address is as from outside, and goes to all of them.
        let is_own = dialled.is_none_or(|address| service.cluster_ips.contains(&address.to_canonical()));
        service.internal_traffic == InternalTraffic::Local && is_own
    }

    /// The node that a backend is on; `None`: it is not known, or on none of the cluster's.
    pub fn node_of(&self, backend: &Backend) -> Option<&Name> {
        match backend.end {
            BackendEnd::Pod(index) => self.pod(index).node.as_ref(),
            BackendEnd::Address(address) => match self.owner_of(address)? {
                AddressOwner::Node(position) => Some(&self.nodes[position].name),
                AddressOwner::Pod(_) | AddressOwner::Service(_) => None,
            },
        }
    }

    fn endpoints(&self, service: &Service, port: &ServicePort, readiness: Readiness) -> Result<Vec<Backend>, Missing> {
        let slices: Vec<_> = self.slices_of(service).collect();
        let mut endpoints: Vec<Backend> = if !slices.is_empty() {
            slices.into_iter().flat_map(|slice| self.slice_endpoints(slice, port, readiness)).collect()
        } else if service.selector.as_ref().is_some_and(|selector| !selector.0.is_empty()) {
            self.selected_endpoints(service, port, readiness)
        } else {
            return Err(Missing::Endpoints {
                service: format!("{}/{}", service.meta.namespace(), service.meta.name()),
            });
        };
        endpoints.sort_unstable();
        endpoints.dedup();
        Ok(endpoints)
    }

    fn slices_of<'m>(&'m self, service: &'m Service) -> impl Iterator<Item = &'m EndpointSlice> {
        let positions = self.service_lookup.slices(service.meta.namespace(), service.meta.name());
        positions.map(|position| &*self.inventory.endpoint_slices[position])
    }

    fn slice_endpoints<'m>(
        &'m self,
        slice: &'m EndpointSlice,
        port: &'m ServicePort,
        readiness: Readiness,
    ) -> impl Iterator<Item = Backend> + 'm {
        let ports = slice
            .ports
            .iter()
            .filter(|candidate| candidate.protocol == port.protocol && candidate.name == port.name)
            .filter_map(|candidate| candidate.port);
        ports.flat_map(move |number| {
            let wanted = move |endpoint: &&Endpoint| endpoint.ready || readiness == Readiness::Any;
            slice.endpoints.iter().filter(wanted).flat_map(move |endpoint| {
                endpoint.addresses.iter().map(move |address| {
                    let address = address.to_canonical();
                    let end = match self.owner_of(address) {
                        Some(AddressOwner::Pod(index)) => BackendEnd::Pod(index),
                        Some(AddressOwner::Node(_) | AddressOwner::Service(_)) | None => BackendEnd::Address(address),
                    };
                    Backend { end, address: Some(address), protocol: port.protocol, port: number }
                })
            })
        })
    }

    fn selected_endpoints(&self, service: &Service, port: &ServicePort, readiness: Readiness) -> Vec<Backend> {
        let none = Labels::default();
        let selector = service.selector.as_ref().unwrap_or(&none);
        self.pod_lookup
            .with_labels(service.meta.namespace(), selector)
            .iter()
            .map(|index| self.pod(index))
            .filter(|pod| pod.decides() && selects(service, pod))
            .filter(|pod| readiness == Readiness::Any || service.publish_not_ready || pod.ready != Some(false))
            .flat_map(|pod| {
                let spec = self.spec(pod);
                let addresses: Vec<Option<IpAddr>> = if spec.host_network && pod.node.is_some() {
                    self.node_addresses(pod.node.as_deref()).map(Some).collect()
                } else if pod.addresses.is_empty() {
                    vec![None]
                } else {
                    pod.addresses.iter().copied().map(Some).collect()
                };
                let ports = self.target_ports(service, port, pod);
                addresses.into_iter().flat_map(move |address| {
                    let end = match address {
                        Some(address) if spec.host_network => BackendEnd::Address(address),
                        Some(_) | None => BackendEnd::Pod(pod.index),
                    };
                    ports.clone().into_iter().map(move |number| Backend {
                        end,
                        address,
                        protocol: port.protocol,
                        port: number,
                    })
                })
            })
            .collect()
    }

    fn node_addresses<'m>(&'m self, node: Option<&'m str>) -> impl Iterator<Item = IpAddr> + 'm {
        node.and_then(|name| self.node_named(name)).into_iter().flat_map(|node| node.addresses.iter().copied())
    }

    /// The numbers that a Service's port stands for on `pod`: one, or none when it has no port of
    /// the name; with slices made by hand perhaps several.
    pub(crate) fn target_ports(&self, service: &Service, port: &ServicePort, pod: &PodFacts) -> Vec<u16> {
        let by_slice: Vec<u16> = match &service.selector {
            Some(selector) if !selector.0.is_empty() => Vec::new(),
            Some(_) | None => self
                .slices_of(service)
                .filter(|slice| slice_has(slice, pod))
                .flat_map(|slice| &slice.ports)
                .filter(|candidate| candidate.protocol == port.protocol && candidate.name == port.name)
                .filter_map(|candidate| candidate.port)
                .collect(),
        };
        if !by_slice.is_empty() {
            return by_slice;
        }
        match &port.target {
            TargetPort::Number(number) => vec![*number],
            TargetPort::Name(name) => self.spec(pod).target_port(name, port.protocol).into_iter().collect(),
        }
    }

    /// Who stands behind `service`, ready or not: its pods, then the addresses of its EndpointSlices that
    /// are no pod's, each once and in a defined order.
    pub fn behind(&self, service: &Service) -> Vec<BackendEnd> {
        let pods = self.pods().iter().filter(|pod| pod.decides() && self.is_behind(service, pod));
        let mut ends: Vec<BackendEnd> = pods.map(|pod| BackendEnd::Pod(pod.index)).collect();
        let endpoints = self.slices_of(service).flat_map(|slice| &slice.endpoints);
        ends.extend(endpoints.flat_map(|endpoint| &endpoint.addresses).map(|address| {
            let address = address.to_canonical();
            match self.owner_of(address) {
                Some(AddressOwner::Pod(index)) => BackendEnd::Pod(index),
                Some(AddressOwner::Node(_) | AddressOwner::Service(_)) | None => BackendEnd::Address(address),
            }
        }));
        ends.sort_unstable();
        ends.dedup();
        ends
    }

    /// Whether `pod` stands behind `service`, ready or not.
    pub(crate) fn is_behind(&self, service: &Service, pod: &PodFacts) -> bool {
        match &service.selector {
            Some(selector) if !selector.0.is_empty() => selects(service, pod),
            Some(_) | None => self.slices_of(service).any(|slice| slice_has(slice, pod)),
        }
    }

    /// Positions of the Services that `pod` stands behind, ready or not, in order.
    pub(crate) fn services_before(&self, pod: &PodFacts) -> Vec<usize> {
        let mut positions = self.service_lookup.perhaps_before(pod);
        positions.retain(|position| self.is_behind(&self.inventory.services[*position], pod));
        positions
    }

    pub(crate) fn find_apiserver_endpoints(&self) -> Vec<ApiserverEndpoint> {
        let slices = self
            .inventory
            .endpoint_slices
            .iter()
            .filter(|slice| slice.meta.namespace() == "default" && slice.service.as_deref() == Some("kubernetes"));
        slices
            .flat_map(|slice| {
                let addresses = slice.endpoints.iter().flat_map(|endpoint| &endpoint.addresses);
                addresses.flat_map(|address| {
                    slice.ports.iter().map(|port| ApiserverEndpoint {
                        address: address.to_canonical(),
                        protocol: port.protocol,
                        port: port.port,
                    })
                })
            })
            .collect()
    }

    /// The endpoints of the cluster DNS Service.
    pub(crate) fn find_dns_backends(&self) -> Vec<Backend> {
        let (namespace, name) = &self.settings.dns_service;
        self.service_named(namespace, name)
            .into_iter()
            .flat_map(|service| service.ports.iter().map(move |port| (service, port)))
            .flat_map(|(service, port)| self.endpoints(service, port, Readiness::Any).unwrap_or_default())
            .collect()
    }
}

fn selects(service: &Service, pod: &PodFacts) -> bool {
    let none = Labels::default();
    let selector = service.selector.as_ref().unwrap_or(&none);
    !selector.0.is_empty() && service.meta.namespace() == &*pod.namespace && selector.is_subset_of(&pod.labels)
}

fn slice_has(slice: &EndpointSlice, pod: &PodFacts) -> bool {
    slice.meta.namespace() == &*pod.namespace
        && slice.endpoints.iter().any(|endpoint| {
            endpoint.pod.as_ref() == Some(&pod.name)
                || endpoint.addresses.iter().any(|address| pod.addresses.contains(&address.to_canonical()))
        })
}
