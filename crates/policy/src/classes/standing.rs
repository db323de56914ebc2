//! What of a party an answer depends on, beside the rules that name it: as the end that decides, as the other
//! end, and as the owner of ports.

use palisade_model::access_policy::Entity;
use palisade_model::link::Which;
use palisade_model::object::Name;
use palisade_model::pod::ContainerRole;
use palisade_model::port::Protocol;
use palisade_model::tiered_policy::Tier;
use palisade_model::verdict::Direction;

use super::interner::Interner;
use super::mentions::AsksReceiver;
use crate::maps::HashMap;
use crate::matching::{self, Side};
use crate::model::{Closer, Model, PodFacts, PodIndex};
use crate::party::Party;
use crate::rule_index::RuleNumber;
use crate::tiers::{Selecting, TierPeer};

/// How a pod decides at its end, before any rule.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct Standing {
    /// Only pods of the compiled node meet nodes as the other end; their own is that one.
    local: bool,
    /// Whether a document that may be its policy cannot be read: towards others, towards itself.
    unreadable: [bool; 2],
    closers: Vec<Closer>,
    maybe_closers: Vec<usize>,
    /// The policies of the admin and of the baseline tier that select it, or may.
    pub(crate) tiers: [Vec<Selecting>; 2],
    /// The rules of the NetworkPolicies among the closers, in order.
    pub(crate) network_rules: Vec<RuleNumber>,
    /// Those that name everyone.
    pub(crate) open_network_rules: Vec<RuleNumber>,
}

/// What the deciding end can tell of the other one without its rules.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct Look {
    entities: Vec<Entity>,
    dns: Vec<(Protocol, u16)>,
    apiserver: Vec<(Protocol, Option<u16>)>,
    /// Which node it is, when it is one.
    pub(crate) node: Option<(Option<Name>, Option<PodIndex>)>,
    /// The tiers' peers that name it, or may.
    tier_peers: Vec<TierPeer>,
}

/// A container as ports see it: name, ports with names, probed ports, and whether its probes count.
type ContainerPorts = (Name, Vec<(Protocol, u16, Option<Name>)>, Vec<u16>, bool);

/// A Service that a pod is behind, and what its ports stand for there.
type ServicePorts = (usize, Vec<Vec<u16>>);

/// What a receiver's ports mean, as far as rules could ask.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub(crate) struct PortsMeaning {
    pub(crate) containers: Option<u32>,
    pub(crate) services: Option<u32>,
}

/// Numbers all of these.
pub(crate) struct Standings<'m> {
    model: &'m Model,
    node: Name,
    standings: Interner<Option<Standing>>,
    of_pods: HashMap<(Direction, PodIndex), u32>,
    looks: Interner<Look>,
    containers: Interner<Vec<ContainerPorts>>,
    services: Interner<Vec<ServicePorts>>,
}

/// The number of a party that does not decide.
pub(crate) const DOES_NOT_DECIDE: u32 = 0;

impl<'m> Standings<'m> {
    pub(crate) fn new(model: &'m Model, node: &Name) -> Self {
        let mut standings = Interner::default();
        let none = standings.intern(None);
        debug_assert_eq!(none, DOES_NOT_DECIDE);
        Self {
            model,
            node: node.clone(),
            standings,
            of_pods: HashMap::default(),
            looks: Interner::default(),
            containers: Interner::default(),
            services: Interner::default(),
        }
    }

    pub(crate) fn standing(&self, number: u32) -> Option<&Standing> {
        self.standings.value(number).as_ref()
    }

    pub(crate) fn look(&self, number: u32) -> &Look {
        self.looks.value(number)
    }

    /// How `party` decides at its end in `direction`.
    pub(crate) fn of(&mut self, party: &Party<'m>, direction: Direction) -> u32 {
        let Party::Pod { pod, .. } = party else { return DOES_NOT_DECIDE };
        if !pod.decides() {
            return DOES_NOT_DECIDE;
        }
        if let Some(number) = self.of_pods.get(&(direction, pod.index)) {
            return *number;
        }
        let number = self.standings.intern(Some(self.standing_of(pod, direction)));
        self.of_pods.insert((direction, pod.index), number);
        number
    }

    fn standing_of(&self, pod: &PodFacts, direction: Direction) -> Standing {
        let closers = pod.closers(direction).to_vec();
        let network = self.model.rules.network(direction);
        let policies = closers.iter().filter_map(|closer| match closer {
            Closer::NetworkPolicy(position) => Some(*position),
            Closer::Perimeter(_) => None,
        });
        let mut network_rules: Vec<RuleNumber> = policies.flat_map(|position| network.of_policy(position)).collect();
        network_rules.sort_unstable();
        let is_open = |number: &RuleNumber| {
            let (position, index) = network.rules.at(*number);
            self.model.network_policy_rules(position, direction)[index].peers.is_empty()
        };
        Standing {
            local: pod.node.as_ref() == Some(&self.node),
            unreadable: [false, true].map(|own| self.model.unreadable_for(pod, own).is_some()),
            open_network_rules: network_rules.iter().copied().filter(is_open).collect(),
            maybe_closers: pod.maybe_closers(direction).to_vec(),
            tiers: [Tier::Admin, Tier::Baseline].map(|tier| pod.tier(tier).to_vec()),
            closers,
            network_rules,
        }
    }

    /// What the other end can tell of `party` at `side`.
    pub(crate) fn look_of(&mut self, party: &Party<'m>, side: Side) -> u32 {
        let model = self.model;
        let mut entities = Entity::ALL.to_vec();
        entities.retain(|entity| matching::entity_could_be(model, *entity, party, side));
        let look = Look {
            dns: matching::dns_ports(model, party).collect(),
            apiserver: matching::apiserver_ports(model, party).collect(),
            node: match party {
                Party::Node { name, host_pod, .. } => Some((name.clone(), host_pod.map(|pod| pod.index))),
                Party::Pod { .. } | Party::Address { .. } => None,
            },
            tier_peers: model.tier_peers_naming(party, side),
            entities,
        };
        self.looks.intern(look)
    }

    /// What the receiver's ports mean, as far as `asks`.
    pub(crate) fn ports_of(&mut self, party: &Party<'m>, asks: AsksReceiver) -> PortsMeaning {
        let Party::Pod { pod, container, program, .. } = party else { return PortsMeaning::default() };
        debug_assert_eq!((container, program), (&Which::Unsaid, &Which::Unsaid));
        PortsMeaning {
            containers: asks.containers.then(|| self.containers.intern(container_ports(self.model, pod))),
            services: asks.services.then(|| self.services.intern(service_ports(self.model, pod))),
        }
    }
}

fn container_ports(model: &Model, pod: &PodFacts) -> Vec<ContainerPorts> {
    let containers = model.spec(pod).containers.iter().map(|container| {
        let ports = container.ports.iter().map(|port| (port.protocol, port.number, port.name.clone())).collect();
        let probes = container.probes().filter_map(|probe| probe.tcp_port(container)).collect();
        (container.name.clone(), ports, probes, container.role != ContainerRole::Ephemeral)
    });
    containers.collect()
}

fn service_ports(model: &Model, pod: &PodFacts) -> Vec<ServicePorts> {
    let services = model.services_before(pod).into_iter().map(|position| {
        let service = &model.inventory.services[position];
        (position, service.ports.iter().map(|port| model.target_ports(service, port, pod)).collect())
    });
    services.collect()
}
