//! Who asks about whom: the words of `check` and `explain`, resolved against the model.

use std::collections::BTreeSet;
use std::net::IpAddr;

use palisade_model::access_policy::Entity;
use palisade_model::link::{End, Link, OWN_NODE, PodEnd, Which};
use palisade_model::object::Name;
use palisade_model::service::{Service, ServicePort};
use palisade_model::verdict::Missing;
use palisade_model::workload::WorkloadKind;
use palisade_model::{Protocol, Timestamp};
use palisade_policy::dial::{Backend, BackendEnd, Dial};
use palisade_policy::{Model, PodFacts};

use crate::failure::{Failure, Hint};

/// Everything that a question comes down to.
pub struct Question {
    /// Who may ask, told apart as far as policies do.
    pub senders: Vec<Sender>,
    /// What is asked for.
    pub targets: Vec<Target>,
    /// The instant.
    pub now: Timestamp,
}

/// A sender and how to call it.
#[derive(Clone)]
pub struct Sender {
    /// As the user named it.
    pub asked: String,
    /// With the container and program that set it apart from the others of the same name.
    pub full: String,
    /// The same by the pod's own name, when the user named a workload.
    pub pod: Option<String>,
    /// Whether the user named the pod or workload as a whole.
    pub is_whole: bool,
    /// The end.
    pub end: End,
}

/// What is asked for: one port of one receiver, or of a Service.
pub struct Target {
    /// The receiver, for people.
    pub name: String,
    /// The protocol.
    pub protocol: Protocol,
    /// The port, as dialled.
    pub port: u16,
    /// The receivers: the backends when a Service is asked for.
    pub receivers: Receivers,
    /// The Service on whose way a node may translate the sender's address: it is reached by a node's
    /// address, an external one or a load balancer's.
    pub translating: Option<String>,
}

/// Who answers.
pub enum Receivers {
    /// One end.
    End(End),
    /// A Service's ready backends.
    Service(Vec<(String, End, u16)>),
    /// A Service whose backends are not in the input.
    Unknown(Missing),
}

impl Target {
    /// The links from `from` to this target's receivers, each with the receiver's name.
    pub fn links(&self, from: &Sender) -> Vec<(String, Link)> {
        let link = |to: &End, port| Link { from: from.end.clone(), to: to.clone(), protocol: self.protocol, port };
        match &self.receivers {
            Receivers::End(end) => vec![(self.name.clone(), link(end, self.port))],
            Receivers::Service(backends) => {
                backends.iter().map(|(name, end, port)| (name.clone(), link(end, *port))).collect()
            }
            Receivers::Unknown(_) => Vec::new(),
        }
    }
}

/// Resolves the words of a question.
///
/// # Errors
/// When an end or the port means nothing in the input.
pub fn resolve(model: &Model, from: &str, to: &str, port: Option<&str>, now: Timestamp) -> Result<Question, Failure> {
    let port = port.map(WantedPort::parse).transpose()?;
    let receiver = Receiver::parse(model, to)?;
    let targets = receiver.targets(model, to, port.as_ref())?;
    let senders = senders(model, from)?;
    if senders.is_empty() {
        return Err(Failure::new(format!("`{from}` stands for nobody here: it runs no pod")));
    }
    Ok(Question { senders, targets, now })
}

// Ports

/// `8080`, `http`, `53/udp`.
struct WantedPort {
    protocol: Option<Protocol>,
    port: NumberOrName,
    text: String,
}

enum NumberOrName {
    Number(u16),
    Name(String),
}

impl WantedPort {
    fn parse(text: &str) -> Result<Self, Failure> {
        let (port, protocol) = match text.split_once('/') {
            Some((port, protocol)) => (port, Some(protocol.parse::<Protocol>().map_err(Failure::new)?)),
            None => (text, None),
        };
        let port = match port.parse::<u32>() {
            Ok(number) => {
                NumberOrName::Number(u16::try_from(number).ok().filter(|port| *port != 0).ok_or_else(|| {
                    Failure::new(format!("port {number} is out of range"))
                        .hint(Hint::Change("ports are 1 to 65535".into()))
                })?)
            }
            Err(_) => NumberOrName::Name(port.to_owned()),
        };
        Ok(Self { protocol, port, text: text.to_owned() })
    }

    fn protocol_matches(&self, protocol: Protocol) -> bool {
        match self.protocol {
            Some(wanted) => wanted == protocol,
            None => matches!(self.port, NumberOrName::Name(_)) || protocol == Protocol::Tcp,
        }
    }
}

// Receivers

enum Receiver<'m> {
    Pods { name: String, pods: Vec<&'m PodFacts>, container: Which, program: Which },
    Service(&'m Service),
    Ends(Vec<(String, End)>),
    Dns,
}

impl<'m> Receiver<'m> {
    fn parse(model: &'m Model, text: &str) -> Result<Self, Failure> {
        if let Ok(address) = text.parse::<IpAddr>() {
            return Ok(Self::Ends(vec![(text.to_owned(), End::Address(address))]));
        }
        if let Ok(entity) = text.parse::<Entity>() {
            return Self::entity(model, entity);
        }
        let reference = Reference::parse(text)?;
        if let Some(service) = reference.service(model) {
            return Ok(Self::Service(service));
        }
        let pods = reference.pods(model);
        if pods.is_empty() {
            return match model.service(&reference.namespace, &reference.name) {
                Some(service) if reference.kind == WantedKind::Any => Ok(Self::Service(service)),
                _ => Err(reference.nobody(model, text)),
            };
        }
        let (container, program) = reference.process(model, &pods, text)?;
        Ok(Self::Pods { name: text.to_owned(), pods, container, program })
    }

    fn entity(model: &'m Model, entity: Entity) -> Result<Self, Failure> {
        let ends = match entity {
            Entity::World => world(model),
            Entity::Metadata => vec![("metadata".to_owned(), End::Address(IpAddr::from([169, 254, 169, 254])))],
            Entity::Nodes => nodes(model),
            Entity::Apiserver => apiserver(model),
            Entity::Gateway => gateways(model),
            Entity::Dns => return Ok(Self::Dns),
            Entity::Kubelet => return Err(Failure::new("`kubelet` only asks: it can stand in FROM alone")),
            Entity::Cluster => return Err(too_wide()),
        };
        if ends.is_empty() {
            return Err(Failure::new(format!("nobody in the input is `{entity}`")));
        }
        Ok(Self::Ends(ends))
    }

    fn targets(&self, model: &Model, asked: &str, port: Option<&WantedPort>) -> Result<Vec<Target>, Failure> {
        match self {
            Self::Service(service) => service_targets(model, service, port),
            Self::Dns => {
                let (namespace, name) = &model.settings().dns_service;
                match model.service(namespace, name) {
                    Some(service) => service_targets(model, service, port),
                    None => {
                        Err(Failure::new(format!("the cluster DNS Service `{namespace}/{name}` is not in the input")))
                    }
                }
            }
            Self::Ends(ends) => ends_targets(model, ends, port),
            Self::Pods { name, pods, container, program } => {
                let mut targets = Vec::new();
                for pod in pods {
                    let end = End::Pod(PodEnd {
                        namespace: pod.namespace.clone(),
                        name: pod.name.clone(),
                        container: container.clone(),
                        program: program.clone(),
                        address: None,
                    });
                    let shown = if pods.len() == 1 { name.clone() } else { pod.full_name() };
                    for (protocol, port) in pod_ports(model, pod, port)? {
                        targets.push(Target {
                            name: shown.clone(),
                            protocol,
                            port,
                            receivers: Receivers::End(end.clone()),
                            translating: None,
                        });
                    }
                }
                match targets.is_empty() {
                    false => Ok(targets),
                    true => {
                        Err(Failure::new(format!("`{asked}` declares no port"))
                            .hint(Hint::Change("name the PORT".into())))
                    }
                }
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
        Ok(backends) => Receivers::Service(backends.iter().map(|backend| backend_end(model, backend)).collect()),
        Err(missing) => Receivers::Unknown(missing),
    };
    Target { name, protocol: port.protocol, port: port.port, receivers, translating: None }
}

fn backend_end(model: &Model, backend: &Backend) -> (String, End, u16) {
    match backend.end {
        BackendEnd::Pod(index) => {
            let pod = model.pod(index);
            let end = PodEnd {
                namespace: pod.namespace.clone(),
                name: pod.name.clone(),
                container: Which::Unsaid,
                program: Which::Unsaid,
                address: backend.address,
            };
            (pod.full_name(), End::Pod(end), backend.port)
        }
        BackendEnd::Address(address) => (address.to_string(), End::Address(address), backend.port),
    }
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
                    Target { port: number, translating, ..service_target(model, service, port, shown) }
                }
                Dial::HostPort { backends } => {
                    let backends = backends.iter().map(|backend| backend_end(model, backend)).collect();
                    let name = format!("{name} (hostPort)");
                    Target { name, protocol, port: number, receivers: Receivers::Service(backends), translating: None }
                }
                Dial::NoSuchPort { service } => {
                    let service = format!("{}/{}", service.meta.namespace(), service.meta.name());
                    let receivers = Receivers::Service(Vec::new());
                    Target {
                        name: format!("{name} (Service {service})"),
                        protocol,
                        port: number,
                        receivers,
                        translating: None,
                    }
                }
                Dial::Direct => Target {
                    name: name.clone(),
                    protocol,
                    port: number,
                    receivers: Receivers::End(end.clone()),
                    translating: None,
                },
            },
            End::Pod(_) | End::Node { .. } => Target {
                name: name.clone(),
                protocol,
                port: number,
                receivers: Receivers::End(end.clone()),
                translating: None,
            },
        })
        .collect())
}

// Senders

fn senders(model: &Model, text: &str) -> Result<Vec<Sender>, Failure> {
    let plain = |ends: Vec<(String, End)>| {
        ends.into_iter()
            .map(|(asked, end)| Sender { full: asked.clone(), asked, pod: None, is_whole: true, end })
            .collect()
    };
    if let Ok(address) = text.parse::<IpAddr>() {
        return Ok(plain(vec![(text.to_owned(), End::Address(address))]));
    }
    if let Ok(entity) = text.parse::<Entity>() {
        return Ok(plain(match entity {
            Entity::World => world(model),
            Entity::Metadata => vec![(text.to_owned(), End::Address(IpAddr::from([169, 254, 169, 254])))],
            Entity::Nodes => nodes(model),
            Entity::Kubelet => vec![("kubelet".to_owned(), End::Node { name: OWN_NODE.into(), address: None })],
            Entity::Apiserver => apiserver(model),
            Entity::Gateway => gateways(model),
            Entity::Dns => return Err(Failure::new("`dns` is only asked: it can stand in TO alone")),
            Entity::Cluster => return Err(too_wide()),
        }));
    }
    let reference = Reference::parse(text)?;
    if reference.kind == WantedKind::Service {
        return Err(Failure::new("a Service only receives: it can stand in TO alone")
            .hint(Hint::Change("name the workload behind it".into())));
    }
    let pods = reference.pods(model);
    if pods.is_empty() {
        return Err(reference.nobody(model, text));
    }
    let (container, program) = reference.process(model, &pods, text)?;
    let base = format!("{}/{}", reference.namespace, reference.shown_name());
    let is_whole = container == Which::Unsaid && program == Which::Unsaid;
    let mut senders = Vec::new();
    for pod in &pods {
        for (container, program, detail) in processes(model, pod, &container, &program) {
            let end = End::Pod(PodEnd {
                namespace: pod.namespace.clone(),
                name: pod.name.clone(),
                container,
                program,
                address: None,
            });
            let full = format!("{base}{detail}");
            let pod = (*pod.name != *reference.name).then(|| format!("{}{detail}", pod.full_name()));
            senders.push(Sender { asked: text.to_owned(), full, pod, is_whole, end });
        }
    }
    Ok(senders)
}

/// The processes of a pod that policies tell apart, within what was asked for.
fn processes(model: &Model, pod: &PodFacts, container: &Which, program: &Which) -> Vec<(Which, Which, String)> {
    let containers: Vec<Name> = match container {
        Which::Named(name) => vec![name.clone()],
        Which::Other => return vec![(Which::Other, Which::Other, ":(other container)".to_owned())],
        Which::Unsaid => model.spec(pod).containers.iter().map(|container| container.name.clone()).collect(),
    };
    let mut processes = Vec::new();
    for container in containers {
        let programs: Vec<Which> = match program {
            Which::Named(path) => vec![Which::Named(path.clone())],
            Which::Other => vec![Which::Other],
            Which::Unsaid => {
                let named = model.named_programs(pod, &container).into_iter().map(Which::Named);
                named.chain([Which::Other]).collect()
            }
        };
        let alone = programs.len() == 1 && *program == Which::Unsaid;
        for program in programs {
            let detail = match &program {
                Which::Named(path) => format!(":{container}:{path}"),
                Which::Other if alone => format!(":{container}"),
                Which::Other | Which::Unsaid => format!(":{container}:(other program)"),
            };
            processes.push((Which::Named(container.clone()), program, detail));
        }
    }
    processes
}

fn world(model: &Model) -> Vec<(String, End)> {
    let address = model.world_address(true).unwrap_or(IpAddr::from([198, 51, 100, 1]));
    vec![("world".to_owned(), End::Address(address))]
}

fn nodes(model: &Model) -> Vec<(String, End)> {
    let nodes = &model.inventory().nodes;
    let named = nodes.iter().map(|node| {
        let name = node.meta.reference.name.clone();
        (format!("node {name}"), End::Node { name, address: None })
    });
    match nodes.is_empty() {
        true => vec![("nodes".to_owned(), End::Node { name: OWN_NODE.into(), address: None })],
        false => named.collect(),
    }
}

fn apiserver(model: &Model) -> Vec<(String, End)> {
    let slices = model.inventory().endpoint_slices.iter();
    let mut addresses: Vec<IpAddr> = slices
        .filter(|slice| slice.meta.namespace() == "default" && slice.service.as_deref() == Some("kubernetes"))
        .flat_map(|slice| slice.endpoints.iter().flat_map(|endpoint| endpoint.addresses.clone()))
        .collect();
    addresses.sort_unstable();
    addresses.dedup();
    addresses.into_iter().map(|address| (format!("apiserver {address}"), End::Address(address))).collect()
}

fn gateways(model: &Model) -> Vec<(String, End)> {
    let is_gateway = |pod: &&PodFacts| {
        let gateways = &model.settings().gateways;
        gateways.iter().any(|(namespace, selector)| *namespace == pod.namespace && selector.matches(&pod.labels))
    };
    let end = |pod: &PodFacts| {
        End::Pod(PodEnd {
            namespace: pod.namespace.clone(),
            name: pod.name.clone(),
            container: Which::Unsaid,
            program: Which::Unsaid,
            address: None,
        })
    };
    model.pods().iter().filter(is_gateway).map(|pod| (pod.full_name(), end(pod))).collect()
}

fn too_wide() -> Failure {
    Failure::new("`cluster` stands for every pod and node").hint(Hint::Change("name one of them".into()))
}

// References to objects

/// `NAMESPACE/[KIND/]NAME[:CONTAINER[:PROGRAM]]`
struct Reference {
    namespace: String,
    kind: WantedKind,
    name: String,
    container: Option<String>,
    program: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum WantedKind {
    Any,
    Workload(WorkloadKind),
    Service,
}

/// The namespace of a name without one, as kubectl's.
const DEFAULT_NAMESPACE: &str = "default";

impl Reference {
    fn parse(text: &str) -> Result<Self, Failure> {
        let mut parts = text.splitn(3, ':');
        let head = parts.next().unwrap_or_default();
        let (container, program) = (parts.next(), parts.next());
        let words: Vec<&str> = head.split('/').collect();
        let wrong = || {
            Failure::new(format!("`{text}` is no end of a link"))
                .hint(Hint::Change(
                    "write NAMESPACE/NAME[:CONTAINER[:PROGRAM]], NAMESPACE/KIND/NAME, an address or an entity".into(),
                ))
                .hint(Hint::Run("palisade check --help".into()))
        };
        if words.iter().any(|word| word.is_empty()) || container == Some("") || program == Some("") {
            return Err(wrong());
        }
        let (namespace, kind, name) = match words[..] {
            [name] => (DEFAULT_NAMESPACE, WantedKind::Any, name),
            [namespace, name] => (namespace, WantedKind::Any, name),
            [namespace, "svc" | "service" | "services", name] => (namespace, WantedKind::Service, name),
            [namespace, kind, name] => {
                (namespace, WantedKind::Workload(kind.parse::<WorkloadKind>().map_err(Failure::new)?), name)
            }
            _ => return Err(wrong()),
        };
        Ok(Self {
            namespace: namespace.to_owned(),
            kind,
            name: name.to_owned(),
            container: container.map(str::to_owned),
            program: program.map(str::to_owned),
        })
    }

    fn shown_name(&self) -> String {
        match self.kind {
            WantedKind::Any | WantedKind::Service => self.name.clone(),
            WantedKind::Workload(kind) => format!("{}/{}", kind.aliases()[0], self.name),
        }
    }

    fn service<'m>(&self, model: &'m Model) -> Option<&'m Service> {
        match self.kind {
            WantedKind::Service => model.service(&self.namespace, &self.name),
            WantedKind::Any | WantedKind::Workload(_) => None,
        }
    }

    /// The pods of the workload with the name, or else the pod with the name.
    fn pods<'m>(&self, model: &'m Model) -> Vec<&'m PodFacts> {
        let of_workload = |kind: Option<WorkloadKind>| {
            let matches = move |pod: &&PodFacts| {
                *pod.namespace == *self.namespace
                    && *pod.workload.name == *self.name
                    && kind.is_none_or(|kind| kind == pod.workload.kind)
            };
            model.pods().iter().filter(matches).collect::<Vec<_>>()
        };
        let by_name = || model.pod_named(&self.namespace, &self.name).into_iter().collect();
        match self.kind {
            WantedKind::Service => Vec::new(),
            WantedKind::Workload(WorkloadKind::Pod) => by_name(),
            WantedKind::Workload(kind) => of_workload(Some(kind)),
            WantedKind::Any => match of_workload(None) {
                pods if pods.is_empty() => by_name(),
                pods => pods,
            },
        }
    }

    fn process(&self, model: &Model, pods: &[&PodFacts], text: &str) -> Result<(Which, Which), Failure> {
        let program = match &self.program {
            None => Which::Unsaid,
            Some(path) if path.starts_with('/') => Which::Named(path.as_str().into()),
            Some(path) => {
                return Err(Failure::new(format!("program `{path}` of `{text}` is no absolute path"))
                    .hint(Hint::Change(format!("write it as in the image, such as `/usr/sbin/{path}`"))));
            }
        };
        let Some(container) = &self.container else { return Ok((Which::Unsaid, program)) };
        let known: BTreeSet<Name> =
            pods.iter().flat_map(|pod| &model.spec(pod).containers).map(|container| container.name.clone()).collect();
        if !known.contains(container.as_str()) {
            let names: Vec<&str> = known.iter().map(|name| &**name).collect();
            return Err(Failure::new(format!("`{}/{}` has no container `{container}`", self.namespace, self.name))
                .hint(Hint::Change(format!("its containers are {}", names.join(", ")))));
        }
        Ok((Which::Named(container.as_str().into()), program))
    }

    fn nobody(&self, model: &Model, text: &str) -> Failure {
        let in_namespace: Vec<&PodFacts> =
            model.pods().iter().filter(|pod| *pod.namespace == *self.namespace).collect();
        let failure = Failure::new(format!("`{text}` is not in the input"));
        if self.kind == WantedKind::Service {
            return failure.hint(Hint::Run("palisade inventory".into()));
        }
        if in_namespace.is_empty() {
            let elsewhere: Vec<String> = model
                .pods()
                .iter()
                .filter(|pod| *pod.workload.name == *self.name)
                .map(|pod| format!("{}/{}", pod.namespace, pod.workload.name))
                .collect();
            return match elsewhere.first() {
                Some(found) => failure.hint(Hint::Change(format!("did you mean `{found}`?"))),
                None => failure.hint(Hint::Change(format!("namespace `{}` runs nothing here", self.namespace))),
            };
        }
        let mut names: Vec<&str> = in_namespace.iter().map(|pod| &*pod.workload.name).collect();
        names.sort_unstable();
        names.dedup();
        /// As many as fit on a line or two.
        const SHOWN: usize = 12;
        let more = if names.len() > SHOWN { ", ..." } else { "" };
        names.truncate(SHOWN);
        failure.hint(Hint::Change(format!("namespace `{}` has {}{more}", self.namespace, names.join(", "))))
    }
}
