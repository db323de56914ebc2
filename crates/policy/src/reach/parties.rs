//! Who can send and who can be reached, with those made one that no rule tells apart.

use std::collections::BTreeSet;
use std::net::IpAddr;

use palisade_model::IpNet;
use palisade_model::Timestamp;
use palisade_model::link::Which;
use palisade_model::object::Name;
use palisade_model::verdict::Direction;

use crate::classes::mentions::{AsksReceiver, Mention};
use crate::classes::prefixes::{policy_blocks, with_addresses};
use crate::classes::sides::{Describer, FromId, RuleSet, Sides, ToId};
use crate::maps::HashMap;
use crate::model::{Model, PodFacts, PodIndex};
use crate::party::{AddressKind, Party, SenderProof, receiver};

/// Senders that get the same answers of every receiver.
#[derive(Clone, Debug)]
pub struct SenderClass {
    /// Who they are, in order.
    pub members: Vec<Member>,
    pub(super) four: FromId,
    pub(super) six: FromId,
    pub(super) families: (bool, bool),
    pub(super) only_pod: Option<PodIndex>,
    pub(super) is_outside: bool,
}

/// Receivers that give the same answers to every sender.
#[derive(Clone, Debug)]
pub struct ReceiverClass {
    /// Who they are, in order.
    pub members: Vec<Member>,
    pub(super) four: ToId,
    pub(super) six: ToId,
    pub(super) families: (bool, bool),
    pub(super) only_pod: Option<PodIndex>,
    pub(super) is_outside: bool,
}

/// One of a class.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Member {
    /// A pod, or a process of it; as a receiver always the pod.
    Pod(Process),
    /// Addresses that are no pod's, node's or Service's.
    Outside(Outside),
}

/// A pod's processes as far as rules tell them apart.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Process {
    /// The pod.
    pub pod: PodIndex,
    /// [`Which::Unsaid`]: all of its processes; [`Which::Other`]: containers that no rule names.
    pub container: Which,
    /// [`Which::Unsaid`]: all of the container's; [`Which::Other`]: programs that no rule names.
    pub program: Which,
}

/// Addresses of one block outside.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Outside {
    /// The block and what policies tell apart within it.
    pub block: Block,
    /// One of the addresses.
    pub address: IpAddr,
    /// What the addresses are: `world`, `metadata` or `link-local`.
    pub kind: &'static str,
}

/// A block of addresses without some smaller ones in it. Addresses of pods, nodes and Services are never meant.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Block {
    /// The block.
    pub cidr: IpNet,
    /// Blocks in it that are told apart from it.
    pub except: Vec<IpNet>,
}

/// All of them, and what their answers depend on.
pub(super) struct Parties<'m> {
    pub(super) describer: Describer<'m>,
    pub(super) sides: Sides<'m>,
    pub(super) senders: Vec<SenderClass>,
    pub(super) receivers: Vec<ReceiverClass>,
    /// Whether anybody has an address of IPv6, or a policy names one.
    pub(super) has_six: bool,
}

type Families = (bool, bool);

impl<'m> Parties<'m> {
    /// Everybody of `model`; whom only the rules of `beside` tell apart is told apart too.
    pub(super) fn gather(model: &'m Model, now: Timestamp, beside: Option<&Model>) -> Self {
        let models = || [Some(model), beside].into_iter().flatten();
        let blocks: Vec<IpNet> = models().flat_map(policy_blocks).collect();
        let addresses = models().flat_map(|model| model.pods()).flat_map(|pod| &pod.addresses);
        let has_six =
            addresses.copied().any(|address| address.is_ipv6()) || blocks.iter().any(|block| block.addr().is_ipv6());
        // No node is compiled for: nodes are not among the parties.
        let describer = Describer::new(model, &Name::from(""), now);
        let sides = Sides::default();
        let mut parties = Self { describer, sides, senders: Vec::new(), receivers: Vec::new(), has_six };
        let outside = outside(model, blocks, has_six);
        let pods: Vec<&'m PodFacts> =
            model.pods().iter().filter(|pod| pod.decides() && !model.spec(pod).host_network).collect();
        parties.add_senders(&pods, &outside, beside);
        parties.add_receivers(&pods, &outside);
        parties
    }

    fn add_senders(&mut self, pods: &[&'m PodFacts], outside: &[Outside], beside: Option<&Model>) {
        let model = self.describer.model;
        let all = RuleSet::all(model.rules.access.len());
        let ingress = RuleSet::all(model.rules.network(Direction::Ingress).rules.len());
        let mut classes: HashMap<(FromId, FromId, Families), usize> = HashMap::default();
        for pod in pods {
            let addresses = addresses(pod);
            // NetworkPolicies see pods, not processes.
            let network = addresses.iter().map(|address| {
                let party = Party::Pod { pod, container: Which::Other, program: Which::Other, address: *address };
                self.describer.network(&party, Direction::Ingress, &ingress)
            });
            let network: Vec<_> = network.collect();
            for process in processes(model, pod, beside) {
                let Process { container, program, .. } = &process;
                // What no rule names stands for the whole.
                let named = |which: &Which| if *which == Which::Unsaid { Which::Other } else { which.clone() };
                let mut side = |(address, network): (&Option<IpAddr>, &Vec<Mention>)| {
                    let (container, program) = (named(container), named(program));
                    let party = Party::Pod { pod, container, program, address: *address };
                    let facts = self.describer.from(&party, SenderProof::Process, &all, network.clone());
                    self.sides.add_from(party, SenderProof::Process, facts)
                };
                let sides: Vec<FromId> = addresses.iter().zip(&network).map(&mut side).collect();
                let (four, six) = (sides[0], sides[sides.len() - 1]);
                let families = families(pod);
                let class = *classes.entry((four, six, families)).or_insert_with(|| {
                    let only_pod = (!model.stands_for_several(pod)).then_some(pod.index);
                    let is_outside = false;
                    self.senders.push(SenderClass { members: vec![], four, six, families, only_pod, is_outside });
                    self.senders.len() - 1
                });
                let class = &mut self.senders[class];
                class.only_pod = class.only_pod.filter(|only| *only == pod.index);
                class.members.push(Member::Pod(process));
            }
        }
        for outside in outside {
            let party = address_party(outside);
            let network = self.describer.network(&party, Direction::Ingress, &ingress);
            let facts = self.describer.from(&party, SenderProof::Process, &all, network);
            let side = self.sides.add_from(party, SenderProof::Process, facts);
            let families = (outside.address.is_ipv4(), outside.address.is_ipv6());
            let class = *classes.entry((side, side, families)).or_insert_with(|| {
                let (four, six, only_pod, is_outside) = (side, side, None, true);
                self.senders.push(SenderClass { members: vec![], four, six, families, only_pod, is_outside });
                self.senders.len() - 1
            });
            self.senders[class].members.push(Member::Outside(outside.clone()));
        }
    }

    fn add_receivers(&mut self, pods: &[&'m PodFacts], outside: &[Outside]) {
        let model = self.describer.model;
        let all = RuleSet::all(model.rules.access.len());
        let egress = RuleSet::all(model.rules.network(Direction::Egress).rules.len());
        let least = self.open_asks();
        let mut classes: HashMap<(ToId, ToId, Families), usize> = HashMap::default();
        for pod in pods {
            let addresses = addresses(pod);
            let sides = addresses.iter().map(|address| {
                let party = receiver(pod, *address);
                let network = self.describer.network(&party, Direction::Egress, &egress);
                let facts = self.describer.to(&party, &all, network, least);
                self.sides.add_to(party, facts)
            });
            let sides: Vec<ToId> = sides.collect();
            let (four, six) = (sides[0], sides[sides.len() - 1]);
            let families = families(pod);
            let class = *classes.entry((four, six, families)).or_insert_with(|| {
                let only_pod = (!model.stands_for_several(pod)).then_some(pod.index);
                let is_outside = false;
                self.receivers.push(ReceiverClass { members: vec![], four, six, families, only_pod, is_outside });
                self.receivers.len() - 1
            });
            let class = &mut self.receivers[class];
            class.only_pod = class.only_pod.filter(|only| *only == pod.index);
            class.members.push(Member::Pod(Process::whole(pod.index)));
        }
        for outside in outside {
            let party = address_party(outside);
            let network = self.describer.network(&party, Direction::Egress, &egress);
            let facts = self.describer.to(&party, &all, network, least);
            let side = self.sides.add_to(party, facts);
            let families = (outside.address.is_ipv4(), outside.address.is_ipv6());
            let class = *classes.entry((side, side, families)).or_insert_with(|| {
                let (four, six, only_pod, is_outside) = (side, side, None, true);
                self.receivers.push(ReceiverClass { members: vec![], four, six, families, only_pod, is_outside });
                self.receivers.len() - 1
            });
            self.receivers[class].members.push(Member::Outside(outside.clone()));
        }
    }

    /// What the egress rules that name everyone ask of each receiver.
    fn open_asks(&self) -> AsksReceiver {
        let standings = &self.describer.standings;
        let rules = self.sides.froms.iter().filter_map(|from| standings.standing(from.facts.standing));
        let rules = rules.flat_map(|standing| standing.open_network_rules.iter().copied());
        self.describer.network_asks_of(Direction::Egress, rules)
    }
}

/// The addresses by which it is reached, that of IPv4 first: one of each family that it has.
fn addresses(pod: &PodFacts) -> Vec<Option<IpAddr>> {
    let of = |v4: bool| pod.addresses.iter().copied().find(|address| address.is_ipv4() == v4);
    let found: Vec<Option<IpAddr>> = [true, false].into_iter().map(of).filter(Option::is_some).collect();
    if found.is_empty() { vec![None] } else { found }
}

/// Over which families it is reached; what has no address yet counts as both.
fn families(pod: &PodFacts) -> Families {
    match pod.addresses.as_slice() {
        [] => (true, true),
        addresses => (addresses.iter().any(IpAddr::is_ipv4), addresses.iter().any(IpAddr::is_ipv6)),
    }
}

/// The processes of a pod that rules tell apart, those of `beside` too.
fn processes(model: &Model, pod: &PodFacts, beside: Option<&Model>) -> Vec<Process> {
    let index = pod.index;
    let like_it = beside.and_then(|model| model.pod_named(&pod.namespace, &pod.name).map(|pod| (model, pod)));
    let told = || [Some((model, pod)), like_it].into_iter().flatten();
    let named: BTreeSet<Name> = told().flat_map(|(model, pod)| model.named_containers(pod)).collect();
    let named_programs = |container: &Name| -> BTreeSet<Name> {
        told().flat_map(|(model, pod)| model.named_programs(pod, container)).collect()
    };
    let containers = model.spec(pod).containers.iter().map(|container| &container.name);
    let mut processes = Vec::new();
    let mut has_others = false;
    for container in containers {
        let programs = named_programs(container);
        if !named.contains(container) && programs.is_empty() {
            has_others = true;
            continue;
        }
        let container = Which::Named(container.clone());
        let others = if programs.is_empty() { Which::Unsaid } else { Which::Other };
        let programs = programs.into_iter().map(Which::Named).chain([others]);
        processes.extend(programs.map(|program| Process { pod: index, container: container.clone(), program }));
    }
    if processes.is_empty() {
        return vec![Process::whole(index)];
    }
    if has_others {
        processes.push(Process { pod: index, container: Which::Other, program: Which::Other });
    }
    processes
}

fn address_party<'m>(outside: &Outside) -> Party<'m> {
    Party::Address { address: outside.address, kind: AddressKind::of(outside.address) }
}

/// The addresses that are nobody's, cut where policies cut them.
fn outside(model: &Model, blocks: Vec<IpNet>, has_six: bool) -> Vec<Outside> {
    let prefixes = with_addresses(model, blocks);
    let mut found = Vec::new();
    for (position, (cidr, address)) in prefixes.iter().enumerate() {
        if model.owner_of(*address).is_some() || (address.is_ipv6() && !has_six) {
            continue;
        }
        let kind = match AddressKind::of(*address) {
            AddressKind::World => "world",
            AddressKind::Metadata => "metadata",
            AddressKind::LinkLocal => "link-local",
            AddressKind::Service | AddressKind::Loopback => continue,
        };
        let mut except: Vec<IpNet> = Vec::new();
        for (inner, inner_address) in prefixes[position + 1..].iter().take_while(|(inner, _)| cidr.contains(inner)) {
            let is_in_last = except.last().is_some_and(|last| last.contains(inner));
            if !is_in_last && model.owner_of(*inner_address).is_none() {
                except.push(*inner);
            }
        }
        found.push(Outside { block: Block { cidr: *cidr, except }, address: *address, kind });
    }
    found
}
