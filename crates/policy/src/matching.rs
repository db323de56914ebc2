//! Whether a peer names an end, and a rule a port. Three-valued: what is not known is said.

use std::net::{IpAddr, Ipv4Addr};

use palisade_model::access_policy::{Action, Entity, Peer, PeerTarget, PodPeer};
use palisade_model::link::Which;
use palisade_model::network_policy::{NetworkPolicyPeer, NetworkPolicyTarget};
use palisade_model::object::Name;
use palisade_model::pod::ContainerRole;
use palisade_model::port::{PortMatch, PortRule, Protocol};
use palisade_model::verdict::Missing;
use palisade_model::{IpNet, Selector, Timestamp};

use crate::dial::BackendEnd;
use crate::model::{Model, PodFacts};
use crate::party::{AddressKind, METADATA, Party, SenderProof, Situation, Transport};

/// Whether something matches.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Match {
    Yes,
    No(WhyNot),
    Unknown(Missing),
}

/// The first condition that failed; `explain` puts it into words.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum WhyNot {
    NotAPod,
    NoAddress,
    OwnNamespaceOnly,
    Namespace,
    NamespaceLabels,
    Labels,
    Workload,
    ServiceAccount,
    Container,
    Program,
    SenderUnproven,
    NotABackend,
    Family,
    Cidr,
    Except,
    CidrOfKnownAddress,
    IpBlockOfPod,
    IpBlockOfNode,
    Entity,
    FqdnNotYet,
    HttpNotYet,
    Expired,
    Protocol,
    Port,
    NamedPortOfOther,
    NamedPortMissing,
    ServicePort,
    NotInsidePod,
    NotANode,
    UnknownPeer,
}

impl Match {
    pub(crate) fn from_bool(matches: bool, why_not: WhyNot) -> Self {
        if matches { Self::Yes } else { Self::No(why_not) }
    }

    /// Both must hold: a No wins over what is not known.
    pub(crate) fn and(self, other: impl FnOnce() -> Self) -> Self {
        match self {
            Self::No(_) => self,
            Self::Yes => other(),
            Self::Unknown(_) => match other() {
                no @ Self::No(_) => no,
                Self::Yes | Self::Unknown(_) => self,
            },
        }
    }
}

/// On which side of the link a peer stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Side {
    From,
    To,
}

impl<'m> Situation<'m> {
    pub(crate) fn party(&self, side: Side) -> &Party<'m> {
        match side {
            Side::From => &self.from,
            Side::To => &self.to,
        }
    }

    /// `party` on some TCP port with an end about which nothing is asked: for what depends on one end alone.
    pub(crate) fn of_one(party: Party<'m>, side: Side, sender_proof: SenderProof) -> Self {
        let nobody = Party::Address { address: IpAddr::V4(Ipv4Addr::UNSPECIFIED), kind: AddressKind::Loopback };
        let (from, to) = match side {
            Side::From => (party, nobody),
            Side::To => (nobody, party),
        };
        let transport = Transport::AnyPort(Protocol::Tcp);
        Self { from, to, transport, now: Timestamp::UNIX_EPOCH, own_address: false, sender_proof }
    }
}

/// The context of an AccessPolicy's rule: whose namespace a bare peer means, and what it does.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RuleScope<'r> {
    /// `None` for a ClusterAccessPolicy.
    pub(crate) namespace: Option<&'r Name>,
    pub(crate) action: Action,
    pub(crate) ports: &'r [PortRule],
}

// NetworkPolicy

/// Whether a NetworkPolicy of `namespace` means the end at `side` by `peer`.
pub(crate) fn network_policy_peer(
    model: &Model,
    namespace: &str,
    peer: &NetworkPolicyPeer,
    situation: &Situation<'_>,
    side: Side,
) -> Match {
    match &peer.target {
        NetworkPolicyTarget::Pods { pod_selector, namespace_selector } => {
            let Party::Pod { pod, .. } = situation.party(side) else { return Match::No(WhyNot::NotAPod) };
            if !pod.decides() {
                return Match::No(WhyNot::NoAddress);
            }
            let in_namespace = match namespace_selector {
                None => Match::from_bool(&*pod.namespace == namespace, WhyNot::OwnNamespaceOnly),
                Some(selector) => self::namespace_selector(selector, pod),
            };
            in_namespace.and(|| match pod_selector {
                None => Match::Yes,
                Some(selector) => Match::from_bool(selector.matches(&pod.labels), WhyNot::Labels),
            })
        }
        NetworkPolicyTarget::IpBlock { cidr, except } => ip_block(model, cidr, except, situation.party(side)),
    }
}

fn ip_block(model: &Model, cidr: &IpNet, except: &[IpNet], party: &Party<'_>) -> Match {
    match party {
        Party::Pod { .. } if !model.settings.ip_block_matches_pods => Match::No(WhyNot::IpBlockOfPod),
        Party::Node { .. } if !model.settings.cni.ip_block_matches_nodes => Match::No(WhyNot::IpBlockOfNode),
        Party::Pod { .. } | Party::Node { .. } | Party::Address { .. } => block(cidr, except, party),
    }
}

/// Whether an address of the party, whoever's it is, lies in a block.
pub(crate) fn block(cidr: &IpNet, except: &[IpNet], party: &Party<'_>) -> Match {
    match party {
        Party::Pod { pod, .. } if !pod.decides() => Match::No(WhyNot::NoAddress),
        Party::Pod { address: Some(address), .. } => in_block(cidr, except, *address),
        Party::Pod { pod, address: None, .. } => in_block_unknown_address(cidr, except, || pod.full_name()),
        Party::Address { address, .. } => in_block(cidr, except, *address),
        Party::Node { name, addresses, host_pod } if addresses.is_empty() => {
            in_block_unknown_address(cidr, except, || match (host_pod, name) {
                (Some(pod), _) => pod.full_name(),
                (None, name) => format!("node {}", name.as_deref().unwrap_or("(not scheduled)")),
            })
        }
        Party::Node { addresses, .. } => {
            let mut answers = addresses.iter().map(|address| in_block(cidr, except, *address));
            let first = answers.next().expect("checked not empty above");
            answers.fold(first, |found, answer| if found == Match::Yes { found } else { answer })
        }
    }
}

fn in_block(cidr: &IpNet, except: &[IpNet], address: IpAddr) -> Match {
    if cidr.addr().is_ipv4() != address.is_ipv4() {
        return Match::No(WhyNot::Family);
    }
    if !cidr.contains(&address) {
        return Match::No(WhyNot::Cidr);
    }
    Match::from_bool(!except.iter().any(|except| except.contains(&address)), WhyNot::Except)
}

/// An address that will be an IPv4 one, as in every single-stack cluster, but is not known yet.
fn in_block_unknown_address(cidr: &IpNet, except: &[IpNet], pod: impl FnOnce() -> String) -> Match {
    if !cidr.addr().is_ipv4() {
        Match::No(WhyNot::Family)
    } else if cidr.prefix_len() == 0 && except.is_empty() {
        Match::Yes
    } else {
        Match::Unknown(Missing::PodAddress { pod: pod() })
    }
}

/// Whether the namespace of `pod` has the labels that `selector` asks for. Of a namespace without an
/// object only the name label is known.
pub(crate) fn namespace_selector(selector: &Selector, pod: &PodFacts) -> Match {
    let matches = if pod.namespace_is_known {
        Some(selector.matches(&pod.namespace_labels))
    } else {
        selector.matches_known(&pod.namespace_labels, &[NAMESPACE_NAME_LABEL])
    };
    match matches {
        Some(matches) => Match::from_bool(matches, WhyNot::NamespaceLabels),
        None => Match::Unknown(Missing::NamespaceLabels { namespace: pod.namespace.clone() }),
    }
}

/// The API server sets it on every namespace.
pub(crate) const NAMESPACE_NAME_LABEL: &str = "kubernetes.io/metadata.name";

/// Whether one of `ports` is the link's; an empty list means every port of every protocol.
pub(crate) fn ports(model: &Model, ports: &[PortRule], situation: &Situation<'_>) -> Match {
    if ports.is_empty() {
        return Match::Yes;
    }
    let mut why_not = WhyNot::Protocol;
    for rule in ports {
        match port(model, rule, situation) {
            Match::No(WhyNot::Protocol) => {}
            Match::No(why) => why_not = why,
            yes => return yes,
        }
    }
    Match::No(why_not)
}

fn port(model: &Model, rule: &PortRule, situation: &Situation<'_>) -> Match {
    if !situation.transport.is(rule.protocol, |_| true) {
        return Match::No(WhyNot::Protocol);
    }
    let is =
        |wanted: &dyn Fn(u16) -> bool| Match::from_bool(situation.transport.is(rule.protocol, wanted), WhyNot::Port);
    match &rule.port {
        PortMatch::Any => Match::Yes,
        PortMatch::Range(range) => is(&|port| range.contains(port)),
        // On an address peer a name matches nothing, which is no error.
        PortMatch::Name(name) => match &situation.to {
            Party::Pod { pod, .. } => {
                let numbers = || model.spec(pod).named_port(name, rule.protocol);
                if numbers().next().is_none() {
                    return Match::No(WhyNot::NamedPortMissing);
                }
                is(&|port| numbers().any(|number| number == port))
            }
            Party::Node { .. } | Party::Address { .. } => Match::No(WhyNot::NamedPortOfOther),
        },
    }
}

// AccessPolicy

/// Whether a rule of `scope` means the end at `side` by `peer`; for a receiver, with the rule's
/// ports, because a `service` peer changes what they mean.
pub(crate) fn access_peer(
    model: &Model,
    scope: RuleScope<'_>,
    peer: &Peer,
    situation: &Situation<'_>,
    side: Side,
) -> Match {
    let party = situation.party(side);
    match &peer.target {
        PeerTarget::Pods(pods) => pod_peer(model, scope, pods, situation, side),
        PeerTarget::Cidr { cidr, except } => match party {
            Party::Address { kind: AddressKind::Service | AddressKind::Loopback, .. }
            | Party::Pod { .. }
            | Party::Node { .. } => Match::No(WhyNot::CidrOfKnownAddress),
            Party::Address { address, .. } => in_block(cidr, except, *address),
        }
        .and(|| receiver_ports(model, scope, situation, side)),
        PeerTarget::Entity(entity) => Match::from_bool(entity_is(model, *entity, situation, side), WhyNot::Entity)
            .and(|| receiver_ports(model, scope, situation, side)),
        PeerTarget::Fqdn(_) => Match::No(WhyNot::FqdnNotYet),
    }
}

fn receiver_ports(model: &Model, scope: RuleScope<'_>, situation: &Situation<'_>, side: Side) -> Match {
    match side {
        Side::From => Match::Yes,
        Side::To => ports(model, scope.ports, situation),
    }
}

fn pod_peer(model: &Model, scope: RuleScope<'_>, peer: &PodPeer, situation: &Situation<'_>, side: Side) -> Match {
    let Party::Pod { pod, .. } = situation.party(side) else { return Match::No(WhyNot::NotAPod) };
    if !pod.decides() {
        return Match::No(WhyNot::NoAddress);
    }
    pod_fields(model, scope, peer, pod)
        .and(|| match (&peer.service, side) {
            (Some(service), _) => service_peer(model, scope, peer, service, pod, situation),
            (None, Side::To) => ports(model, scope.ports, situation),
            (None, Side::From) => Match::Yes,
        })
        .and(|| process_fields(model, scope, peer, situation, side))
}

/// Whether the fields of a pod peer that hold for all of a pod's processes mean `pod`.
pub(crate) fn pod_fields(model: &Model, scope: RuleScope<'_>, peer: &PodPeer, pod: &PodFacts) -> Match {
    let PodPeer {
        workload,
        selector,
        namespace,
        namespace_selector,
        service_account,
        service: _,
        container: _,
        program: _,
    } = peer;
    if namespace.is_none() && namespace_selector.is_none() && scope.namespace != Some(&pod.namespace) {
        return Match::No(WhyNot::OwnNamespaceOnly);
    }
    if namespace.as_ref().is_some_and(|namespace| *namespace != pod.namespace) {
        return Match::No(WhyNot::Namespace);
    }
    let in_namespaces =
        namespace_selector.as_ref().map_or(Match::Yes, |selector| self::namespace_selector(selector, pod));
    if let Match::No(why) = in_namespaces {
        return Match::No(why);
    }
    if let Some(workload) = workload {
        let kind_matches = workload.kind.is_none_or(|kind| kind == pod.workload.kind);
        if !kind_matches || workload.name != pod.workload.name {
            return Match::No(WhyNot::Workload);
        }
    }
    if selector.as_ref().is_some_and(|selector| !selector.matches(&pod.labels)) {
        return Match::No(WhyNot::Labels);
    }
    let account = || model.spec(pod).service_account_name();
    if service_account.as_ref().is_some_and(|name| **name != *account()) {
        return Match::No(WhyNot::ServiceAccount);
    }
    in_namespaces
}

/// The pod is behind the Service, on a port that the rule's ports (the Service's own) stand for.
fn service_peer(
    model: &Model,
    scope: RuleScope<'_>,
    peer: &PodPeer,
    service: &Name,
    pod: &PodFacts,
    situation: &Situation<'_>,
) -> Match {
    let namespace = peer.namespace.as_ref().or(scope.namespace).unwrap_or(&pod.namespace);
    let Some(service) = model.service_named(namespace, service) else { return Match::No(WhyNot::NotABackend) };
    if !model.is_behind(service, pod) {
        return Match::No(WhyNot::NotABackend);
    }
    let mut covered = service.ports.iter().filter(|port| {
        scope.ports.is_empty()
            || scope.ports.iter().any(|rule| {
                rule.protocol == port.protocol
                    && match &rule.port {
                        PortMatch::Any => true,
                        PortMatch::Range(range) => range.contains(port.port),
                        PortMatch::Name(name) => port.name.as_deref() == Some(name),
                    }
            })
    });
    let reached = covered.any(|port| {
        situation.transport.is(port.protocol, |reached| model.target_ports(service, port, pod).contains(&reached))
    });
    Match::from_bool(reached, WhyNot::ServicePort)
}

fn process_fields(model: &Model, scope: RuleScope<'_>, peer: &PodPeer, situation: &Situation<'_>, side: Side) -> Match {
    let Party::Pod { pod, container, program, .. } = situation.party(side) else { return Match::No(WhyNot::NotAPod) };
    if !peer.names_container_or_program() {
        return Match::Yes;
    }
    match (side, situation.sender_proof) {
        (Side::To, _) | (Side::From, SenderProof::Process) => {}
        // The sender's node has refused what an Allow does not name, and what a Deny names.
        (Side::From, SenderProof::JudgedPod) => {
            return Match::from_bool(scope.action == Action::Allow, WhyNot::SenderUnproven);
        }
        (Side::From, SenderProof::Address) => return Match::No(WhyNot::SenderUnproven),
    }
    let container_matches = match &peer.container {
        None => Match::Yes,
        Some(wanted) => match (container, side) {
            (Which::Named(container), _) => Match::from_bool(container == wanted, WhyNot::Container),
            (Which::Other, _) => Match::No(WhyNot::Container),
            (Which::Unsaid, Side::From) => Match::Unknown(Missing::Container { pod: pod.full_name() }),
            (Which::Unsaid, Side::To) => {
                Match::from_bool(owns_port(model, pod, wanted, situation.transport), WhyNot::Container)
            }
        },
    };
    container_matches.and(|| match (&peer.program, program) {
        (None, _) => Match::Yes,
        (Some(wanted), Which::Named(program)) => Match::from_bool(program == wanted, WhyNot::Program),
        (Some(_), Which::Other) => Match::No(WhyNot::Program),
        (Some(_), Which::Unsaid) => Match::Unknown(Missing::Program { pod: pod.full_name() }),
    })
}

/// Whether `container` owns the port: it is the first that declares it; a port that no container
/// declares belongs to the one that a rule names.
fn owns_port(model: &Model, pod: &PodFacts, container: &Name, transport: Transport) -> bool {
    let owner = match transport {
        Transport::Port { protocol, port } => model.port_owner(pod, protocol, port),
        Transport::Portless | Transport::AnyPort(_) => None,
    };
    match owner {
        Some(owner) => owner == container,
        None => model.spec(pod).containers.iter().any(|candidate| candidate.name == *container),
    }
}

impl Model {
    /// The container that declares the port: nobody else may listen on it.
    pub fn port_owner<'m>(&'m self, pod: &'m PodFacts, protocol: Protocol, port: u16) -> Option<&'m Name> {
        self.spec(pod)
            .containers
            .iter()
            .find(|container| {
                container.ports.iter().any(|declared| declared.protocol == protocol && declared.number == port)
            })
            .map(|container| &container.name)
    }
}

// Entities

/// Whether the end at `side` is `entity`.
pub(crate) fn entity_is(model: &Model, entity: Entity, situation: &Situation<'_>, side: Side) -> bool {
    let party = situation.party(side);
    match entity {
        Entity::World => matches!(party, Party::Address { kind: AddressKind::World, .. }),
        Entity::Cluster => match party {
            Party::Pod { pod, .. } => pod.decides(),
            Party::Node { .. } => true,
            Party::Address { .. } => false,
        },
        Entity::Nodes => matches!(party, Party::Node { .. }),
        Entity::Kubelet => side == Side::From && matches!(party, Party::Node { .. }) && is_probe(model, situation),
        Entity::Apiserver => apiserver_ports(model, party).any(|(protocol, port)| match side {
            Side::From => true,
            Side::To => situation.transport.is(protocol, |reached| port.is_none_or(|port| port == reached)),
        }),
        Entity::Dns => {
            side == Side::To
                && dns_ports(model, party)
                    .any(|(protocol, port)| situation.transport.is(protocol, |reached| reached == port))
        }
        Entity::Gateway => match party {
            Party::Pod { pod, .. } => {
                pod.decides()
                    && model
                        .settings
                        .gateways
                        .iter()
                        .any(|(namespace, selector)| *namespace == pod.namespace && selector.matches(&pod.labels))
            }
            Party::Node { .. } | Party::Address { .. } => false,
        },
        Entity::Metadata => addresses_of(party).iter().any(|address| METADATA.contains(address)),
    }
}

/// The ports on which `party` is the API server; `None` for all of a protocol.
pub(crate) fn apiserver_ports<'a>(
    model: &'a Model,
    party: &'a Party<'_>,
) -> impl Iterator<Item = (Protocol, Option<u16>)> + 'a {
    let endpoints = model.apiserver_endpoints.iter();
    endpoints
        .filter(|endpoint| addresses_of(party).contains(&endpoint.address))
        .map(|endpoint| (endpoint.protocol, endpoint.port))
}

/// The ports on which `party` is the cluster's DNS.
pub(crate) fn dns_ports<'a>(model: &'a Model, party: &'a Party<'_>) -> impl Iterator<Item = (Protocol, u16)> + 'a {
    let backends = model.dns_backends.iter().filter(move |backend| match (backend.end, party) {
        (BackendEnd::Pod(index), Party::Pod { pod, .. }) => pod.decides() && pod.index == index,
        (BackendEnd::Pod(index), Party::Node { host_pod: Some(pod), .. }) => pod.index == index,
        (BackendEnd::Pod(_), Party::Node { host_pod: None, .. } | Party::Address { .. }) => false,
        (BackendEnd::Address(address), _) => addresses_of(party).contains(&address),
    });
    backends.map(|backend| (backend.protocol, backend.port))
}

/// Whether `party` at `side` is `entity` on some port, whoever the other end is.
pub(crate) fn entity_could_be(model: &Model, entity: Entity, party: &Party<'_>, side: Side) -> bool {
    match (entity, side) {
        (Entity::Kubelet, Side::From) => matches!(party, Party::Node { .. }),
        (Entity::Kubelet, Side::To) | (Entity::Dns, Side::From) => false,
        (Entity::Dns, Side::To) => dns_ports(model, party).next().is_some(),
        (Entity::Apiserver, _) => apiserver_ports(model, party).next().is_some(),
        (Entity::World | Entity::Cluster | Entity::Nodes | Entity::Gateway | Entity::Metadata, _) => {
            // These look at the party alone.
            entity_is(model, entity, &Situation::of_one(party.clone(), side, SenderProof::Process), side)
        }
    }
}

fn addresses_of<'a>(party: &'a Party<'_>) -> &'a [IpAddr] {
    match party {
        Party::Pod { address: Some(address), .. } | Party::Address { address, .. } => std::slice::from_ref(address),
        Party::Pod { pod, address: None, .. } => &pod.addresses,
        Party::Node { addresses, .. } => addresses,
    }
}

fn is_probe(model: &Model, situation: &Situation<'_>) -> bool {
    let Party::Pod { pod, .. } = &situation.to else { return false };
    model.spec(pod).containers.iter().filter(|container| container.role != ContainerRole::Ephemeral).any(|container| {
        let mut ports = container.probes().filter_map(|probe| probe.tcp_port(container));
        ports.any(|probed| situation.transport.is(Protocol::Tcp, |port| port == probed))
    })
}
