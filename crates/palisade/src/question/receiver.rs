//! TO: whom a question asks for, and on which ports.

use std::net::IpAddr;

use palisade_model::Protocol;
use palisade_model::access_policy::Entity;
use palisade_model::link::{End, PodEnd, Which};
use palisade_model::service::{Service, ServicePort};
use palisade_policy::dial::{Backend, BackendEnd, Dial};
use palisade_policy::{Model, PodFacts};

use super::entity::{apiserver, dns, every_pod, gateways, metadata, nobody, nodes, world};
use super::port::{NumberOrName, WantedPort};
use super::reference::Reference;
use super::{Receivers, Served, Target};
use crate::failure::{Failure, Hint};

/// The port of the kubelet's API, for a question that names none.
///
/// Source: KubeletConfiguration (kubelet.config.k8s.io/v1beta1), `port`.
const KUBELET_PORT: u16 = 10250;

pub(super) enum Receiver<'m> {
    /// Pods that the user named, or that an entity stands for.
    Pods(Pods<'m>),
    Service(&'m Service),
    Ends(Vec<(String, End)>),
    /// Every pod, and every node where a port is asked for.
    Cluster(Pods<'m>, Vec<(String, End)>),
    Kubelet(Vec<(String, End)>),
}

/// Pods as receivers.
pub(super) struct Pods<'m> {
    pods: Vec<&'m PodFacts>,
    container: Which,
    program: Which,
}

impl<'m> Receiver<'m> {
    pub(super) fn parse(model: &'m Model, text: &str) -> Result<Self, Failure> {
        if let Ok(address) = text.parse::<IpAddr>() {
            return Ok(Self::Ends(vec![(text.to_owned(), End::Address(address))]));
        }
        if let Ok(entity) = text.parse::<Entity>() {
            return Self::entity(model, entity);
        }
        let reference = Reference::parse(text)?;
        let pods = reference.pods(model, text)?;
        if let Some(service) = reference.service(model, &pods) {
            if reference.names_a_process() {
                return Err(Failure::new(format!(
                    "`{text}` names a process behind a Service: which one is reached follows from its port"
                ))
                .hint(Hint::Change("name the Service alone, or the workload behind it".into())));
            }
            return Ok(Self::Service(service));
        }
        if pods.is_empty() {
            return Err(reference.nobody(model, text));
        }
        let (container, program) = reference.process(model, &pods, text)?;
        Ok(Self::Pods(Pods { pods, container, program }))
    }

    fn entity(model: &'m Model, entity: Entity) -> Result<Self, Failure> {
        let whole = |pods| Pods { pods, container: Which::Unsaid, program: Which::Unsaid };
        let ends = match entity {
            Entity::World => world(model),
            Entity::Metadata => metadata(),
            Entity::Nodes => nodes(model),
            Entity::Kubelet => return Ok(Self::Kubelet(nodes(model))),
            Entity::Apiserver => apiserver(model),
            Entity::Cluster => return Ok(Self::Cluster(whole(every_pod(model)), nodes(model))),
            Entity::Dns => return Ok(Self::Service(dns(model)?)),
            Entity::Gateway => {
                let pods = gateways(model);
                return if pods.is_empty() { Err(nobody(entity)) } else { Ok(Self::Pods(whole(pods))) };
            }
        };
        if ends.is_empty() { Err(nobody(entity)) } else { Ok(Self::Ends(ends)) }
    }

    pub(super) fn targets(
        &self,
        model: &Model,
        asked: &str,
        port: Option<&WantedPort>,
    ) -> Result<Vec<Target>, Failure> {
        match self {
            Self::Service(service) => service_targets(model, service, port),
            Self::Ends(ends) => ends_targets(model, ends, port),
            Self::Kubelet(nodes) => ends_targets(model, nodes, Some(port.unwrap_or(&WantedPort::tcp(KUBELET_PORT)))),
            Self::Pods(pods) => pods.targets(model, asked, port),
            Self::Cluster(pods, nodes) => {
                let mut targets = pods.targets(model, asked, port)?;
                if let Some(wanted @ WantedPort { port: NumberOrName::Number(_), .. }) = port {
                    targets.extend(ends_targets(model, nodes, Some(wanted))?);
                }
                Ok(targets)
            }
        }
    }
}

impl Pods<'_> {
    fn targets(&self, model: &Model, asked: &str, port: Option<&WantedPort>) -> Result<Vec<Target>, Failure> {
        let mut targets = Vec::new();
        let mut without = None;
        for pod in &self.pods {
            let end = End::Pod(PodEnd {
                namespace: pod.namespace.clone(),
                name: pod.name.clone(),
                container: self.container.clone(),
                program: self.program.clone(),
                address: None,
            });
            let shown = if self.pods.len() == 1 { asked.to_owned() } else { pod.full_name() };
            let ports = match pod_ports(model, pod, port) {
                Ok(ports) => ports,
                // One of several may lack a name that the others have: it is no receiver then.
                Err(failure) => {
                    without.get_or_insert(failure);
                    continue;
                }
            };
            let target = |(protocol, port)| Target::new(shown.clone(), protocol, port, Receivers::End(end.clone()));
            targets.extend(ports.into_iter().map(target));
        }
        match (targets.is_empty(), without) {
            (false, _) => Ok(targets),
            (true, Some(failure)) => Err(failure),
            (true, None) => {
                Err(Failure::new(format!("`{asked}` declares no port")).hint(Hint::Change("name the PORT".into())))
            }
        }
    }
}

fn pod_ports(model: &Model, pod: &PodFacts, wanted: Option<&WantedPort>) -> Result<Vec<(Protocol, u16)>, Failure> {
    let spec = model.spec(pod);
    let declared = spec.containers.iter().flat_map(|container| &container.ports);
    let mut ports: Vec<(Protocol, u16)> = match wanted {
        Some(WantedPort { protocol, port: NumberOrName::Number(number), .. }) => {
            vec![(protocol.unwrap_or(Protocol::Tcp), *number)]
        }
        Some(wanted @ WantedPort { port: NumberOrName::Name(name), .. }) => {
            let ports: Vec<_> = declared
                .clone()
                .filter(|port| port.name.as_deref() == Some(name) && wanted.protocol_matches(port.protocol))
                .map(|port| (port.protocol, port.number))
                .collect();
            if ports.is_empty() {
                let names: Vec<&str> = declared.filter_map(|port| port.name.as_deref()).collect();
                let failure = Failure::new(format!("`{}` declares no port `{}`", pod.full_name(), wanted.text));
                return Err(match names.is_empty() {
                    true => failure.hint(Hint::Change("it names no ports: give the number".into())),
                    false => failure.hint(Hint::Change(format!("its ports are {}", names.join(", ")))),
                });
            }
            ports
        }
        None => declared.map(|port| (port.protocol, port.number)).collect(),
    };
    ports.sort_unstable();
    ports.dedup();
    Ok(ports)
}

fn service_targets(model: &Model, service: &Service, wanted: Option<&WantedPort>) -> Result<Vec<Target>, Failure> {
    let full = format!("{}/svc/{}", service.meta.namespace(), service.meta.name());
    let ports: Vec<&ServicePort> = service
        .ports
        .iter()
        .filter(|port| match wanted {
            None => true,
            Some(wanted) => {
                wanted.protocol_matches(port.protocol)
                    && match &wanted.port {
                        NumberOrName::Number(number) => *number == port.port,
                        NumberOrName::Name(name) => port.name.as_deref() == Some(name),
                    }
            }
        })
        .collect();
    if ports.is_empty() {
        let shown: Vec<String> = service.ports.iter().map(|port| format!("{}/{}", port.port, port.protocol)).collect();
        let asked = wanted.map_or("any", |wanted| &wanted.text);
        return Err(Failure::new(format!("Service `{full}` has no port `{asked}`"))
            .hint(Hint::Change(format!("its ports are {}", shown.join(", ")))));
    }
    Ok(ports.into_iter().map(|port| service_target(model, service, port, full.clone())).collect())
}

fn service_target(model: &Model, service: &Service, port: &ServicePort, name: String) -> Target {
    let v4 = service.cluster_ips.first().map(IpAddr::is_ipv4);
    let receivers = match model.backends(service, port, v4) {
        Ok(backends) => Receivers::Service(backends.iter().map(|backend| served(model, backend)).collect()),
        Err(missing) => Receivers::Unknown(missing),
    };
    let stays_on_node = model.stays_on_node(service, None);
    Target { stays_on_node, ..Target::new(name, port.protocol, port.port, receivers) }
}

pub(super) fn served(model: &Model, backend: &Backend) -> Served {
    let (name, end) = match backend.end {
        BackendEnd::Pod(index) => {
            let pod = model.pod(index);
            let end = PodEnd {
                namespace: pod.namespace.clone(),
                name: pod.name.clone(),
                container: Which::Unsaid,
                program: Which::Unsaid,
                address: backend.address,
            };
            (pod.full_name(), End::Pod(end))
        }
        BackendEnd::Address(address) => (address.to_string(), End::Address(address)),
    };
    Served { name, end, port: backend.port, node: model.node_of(backend).cloned() }
}

fn ends_targets(model: &Model, ends: &[(String, End)], wanted: Option<&WantedPort>) -> Result<Vec<Target>, Failure> {
    let Some(wanted) = wanted else {
        return Err(Failure::new("which PORT?")
            .hint(Hint::Change("an address declares none: give it as the third word".into())));
    };
    let NumberOrName::Number(number) = wanted.port else {
        return Err(Failure::new(format!("port `{}` has a name, and only pods and Services name ports", wanted.text))
            .hint(Hint::Change("give the number".into())));
    };
    let protocol = wanted.protocol.unwrap_or(Protocol::Tcp);
    Ok(ends
        .iter()
        .map(|(name, end)| match end {
            End::Address(address) => match model.dial(*address, protocol, number) {
                Dial::Service { service, port } => {
                    let shown = format!("{name} (Service {}/{})", service.meta.namespace(), service.meta.name());
                    let name = format!("{}/{}", service.meta.namespace(), service.meta.name());
                    let translating = (!service.cluster_ips.contains(address)).then_some(name);
                    Target {
                        port: number,
                        translating,
                        dialled: Some(*address),
                        stays_on_node: model.stays_on_node(service, Some(*address)),
                        ..service_target(model, service, port, shown)
                    }
                }
                Dial::HostPort { backends } => {
                    let backends = backends.iter().map(|backend| served(model, backend)).collect();
                    let name = format!("{name} (hostPort)");
                    let target = Target::new(name, protocol, number, Receivers::Service(backends));
                    Target { dialled: Some(*address), ..target }
                }
                Dial::NoSuchPort { service } => {
                    let service = format!("{}/{}", service.meta.namespace(), service.meta.name());
                    let name = format!("{name} (Service {service})");
                    Target::new(name, protocol, number, Receivers::Service(Vec::new()))
                }
                Dial::Direct => Target::new(name.clone(), protocol, number, Receivers::End(end.clone())),
            },
            End::Pod(_) | End::Node { .. } => Target::new(name.clone(), protocol, number, Receivers::End(end.clone())),
        })
        .collect())
}
