//! The processes of the node's pods as senders, and their answers by destination.

use std::collections::BTreeMap;
use std::net::IpAddr;

use palisade_model::access_policy::Mode;
use palisade_model::link::Which;
use palisade_model::object::Name;
use palisade_model::perimeter::OnRefusal;
use palisade_model::port::Protocol;
use palisade_model::settings::MixedServices;
use palisade_model::verdict::Direction;

use super::compiler::{Compiler, LinkId};
use super::matrix::{Column, Matrix};
use super::receivers::Receivers;
use super::tables::CellsId;
use super::{Carrier, Cell, ClassId, DestinationId, PortTableId, Reason, Subject, SubjectContainer};
use crate::classes::ends::OwnAddress;
use crate::classes::interner::{Interner, position_u32};
use crate::classes::mentions::{AsksReceiver, Mention};
use crate::classes::sides::{FromId, RuleSet, Sides, ToId};
use crate::maps::{HashMap, HashSet};
use crate::model::{Closer, Model, PodFacts, PodIndex};
use crate::party::{Party, SenderProof, receiver};

/// A process of a pod of the node, as far as rules tell it apart.
struct Process<'m> {
    pod: &'m PodFacts,
    group: u32,
}

/// A pod's processes by their position.
struct Processes {
    /// A container that is not known, or that no rule names.
    other: u32,
    containers: Vec<ContainerProcesses>,
}

struct ContainerProcesses {
    /// A program that no rule names.
    other: u32,
    programs: Vec<(Name, u32)>,
}

/// The senders' half.
pub(super) struct Senders<'m> {
    pub(super) sides: Sides<'m>,
    /// AccessPolicies' rules that name one of the processes as a sender.
    pub(super) access: RuleSet,
    /// NetworkPolicies' egress rules that act on one of the pods and name some parties.
    pub(super) network: RuleSet,
    /// What those of them ask that name everyone.
    open_asks: AsksReceiver,
    processes: Vec<Process<'m>>,
    of_pods: HashMap<PodIndex, Processes>,
    /// By the sender's address of either family.
    groups: Interner<(FromId, FromId)>,
    matrix: Matrix,
    /// Pods as receivers, by their address.
    pods: HashMap<(PodIndex, Option<IpAddr>), ToId>,
    /// What every group's link to a receiver is, by the family.
    links: HashMap<(ToId, bool), Vec<LinkId>>,
}

/// A backend of a Service.
pub(super) struct ServiceBackend {
    pub(super) to: ToId,
    pub(super) v4: bool,
    pub(super) pod: Option<PodIndex>,
    pub(super) port: u16,
}

impl<'m> Senders<'m> {
    pub(super) fn new(compiler: &mut Compiler<'m>, local: &[&'m PodFacts]) -> Self {
        let mut collector = Collector {
            sides: Sides::default(),
            processes: Vec::new(),
            groups: Interner::default(),
            all: RuleSet::all(compiler.model.rules.access.len()),
            ingress: ingress_rules_of_families(compiler.model),
        };
        let of_pods: HashMap<PodIndex, Processes> =
            local.iter().map(|pod| (pod.index, collector.pod(compiler, pod))).collect();
        let Collector { sides, processes, groups, .. } = collector;
        let rules = &compiler.model.rules;
        let named = sides.froms.iter().flat_map(|from| &from.facts.access).map(|mention| mention.rule);
        let access = RuleSet::of(rules.access.len(), named);
        let standings: HashSet<u32> = sides.froms.iter().map(|from| from.facts.standing).collect();
        let describer = &compiler.describer;
        let closing = || standings.iter().filter_map(|standing| describer.standings.standing(*standing));
        let egress = closing().flat_map(|standing| standing.network_rules.iter().copied());
        let open = closing().flat_map(|standing| standing.open_network_rules.iter().copied());
        let open_asks = describer.network_asks_of(Direction::Egress, open);
        let network = RuleSet::of(rules.network(Direction::Egress).rules.len(), egress);
        let mut senders = Self {
            sides,
            access,
            network,
            open_asks,
            processes,
            of_pods,
            groups,
            matrix: Matrix::new(Vec::new()),
            pods: HashMap::default(),
            links: HashMap::default(),
        };
        let reserved = vec![senders.of_no_service_port(compiler), senders.of_own_address(compiler)];
        senders.matrix = Matrix::new(reserved);
        senders
    }

    /// Position 0 of the destinations: a Service's address without that port.
    pub(super) const NO_SERVICE_PORT: DestinationId = DestinationId(0);

    fn of_no_service_port(&self, compiler: &mut Compiler<'m>) -> Column {
        self.same(compiler.refused(Reason::NoServicePort))
    }

    /// Each sender about itself, [`DestinationId::SELF`].
    fn of_own_address(&mut self, compiler: &mut Compiler<'m>) -> Column {
        let mut known: HashMap<(PodIndex, u32), CellsId> = HashMap::default();
        let mut answers = Vec::with_capacity(self.processes.len());
        for position in 0..self.processes.len() {
            let Process { pod, group } = self.processes[position];
            let cells = match known.get(&(pod.index, group)) {
                Some(cells) => *cells,
                None => {
                    let address = pod.addresses.first().copied();
                    let to = self.receiver(compiler, receiver(pod, address));
                    let from = self.from(group, address.is_none_or(|address| address.is_ipv4()));
                    let link = compiler.link(&self.sides, from, to, OwnAddress::Yes);
                    compiler.cells_of_link(link)
                }
            };
            known.insert((pod.index, group), cells);
            answers.push((position_u32(position), cells));
        }
        // Rows without an exception do not occur: what stands for the groups is never read.
        let of_groups = answers.first().map_or_else(Vec::new, |(_, cells)| vec![*cells; self.groups.values.len()]);
        Column { of_groups, exceptions: answers }
    }

    /// The number of a receiver.
    pub(super) fn receiver(&mut self, compiler: &mut Compiler<'m>, party: Party<'m>) -> ToId {
        let key = match &party {
            Party::Pod { pod, address, .. } => Some((pod.index, *address)),
            Party::Node { .. } | Party::Address { .. } => None,
        };
        if let Some(id) = key.and_then(|key| self.pods.get(&key)) {
            return *id;
        }
        let network = compiler.describer.network(&party, Direction::Egress, &self.network);
        let facts = compiler.describer.to(&party, &self.access, network, self.open_asks);
        let id = self.sides.add_to(party, facts);
        self.pods.extend(key.map(|key| (key, id)));
        id
    }

    /// The destination that stands for a receiver.
    pub(super) fn destination(&mut self, compiler: &mut Compiler<'m>, to: ToId, v4: bool) -> DestinationId {
        let links = self.links_to(compiler, to, v4).to_vec();
        let of_groups = links.into_iter().map(|link| compiler.cells_of_link(link)).collect();
        DestinationId(self.matrix.add(Column { of_groups, exceptions: Vec::new() }))
    }

    fn links_to(&mut self, compiler: &mut Compiler<'m>, to: ToId, v4: bool) -> &[LinkId] {
        let Self { sides, groups, links, .. } = self;
        links.entry((to, v4)).or_insert_with(|| {
            let mut known: HashMap<FromId, LinkId> = HashMap::default();
            let of_group = |(four, six): &(FromId, FromId)| {
                let from = if v4 { *four } else { *six };
                *known.entry(from).or_insert_with(|| compiler.link(sides, from, to, OwnAddress::No))
            };
            groups.values.iter().map(of_group).collect()
        })
    }

    /// The destination of a Service's port; `None`: its backends cannot be known. `mixed` when their answers differ.
    pub(super) fn service(
        &mut self,
        compiler: &mut Compiler<'m>,
        protocol: Protocol,
        backends: Option<&[ServiceBackend]>,
        mixed: MixedServices,
    ) -> DestinationId {
        let carrier = Carrier::from(protocol);
        let mut only = |compiler: &mut Compiler<'m>, decision| {
            let mut by_carrier = [None; Carrier::ALL.len()];
            by_carrier[carrier as usize] = Some(compiler.tables.whole(decision));
            compiler.tables.cells(by_carrier)
        };
        let Some(backends) = backends else {
            let decision = compiler.decisions.fixed(Reason::Undecided);
            let cells = only(compiler, decision);
            let column = self.same(cells);
            return DestinationId(self.matrix.add(column));
        };
        // Replicas that no rule tells apart answer once.
        let mut distinct: Vec<(ToId, bool, u16)> = Vec::new();
        let mut seen = HashSet::default();
        distinct.extend(
            backends
                .iter()
                .map(|backend| (backend.to, backend.v4, backend.port))
                .filter(|backend| seen.insert(*backend)),
        );
        let mut links: Vec<Vec<LinkId>> = Vec::with_capacity(distinct.len());
        for (to, v4, _) in &distinct {
            links.push(self.links_to(compiler, *to, *v4).to_vec());
        }
        let mut known: HashMap<Vec<LinkId>, CellsId> = HashMap::default();
        let mut of_groups = Vec::with_capacity(self.groups.values.len());
        for group in 0..self.groups.values.len() {
            let of_group: Vec<LinkId> = links.iter().map(|links| links[group]).collect();
            let cells = match known.get(&of_group) {
                Some(cells) => *cells,
                None => {
                    let ports = distinct.iter().map(|(_, _, port)| *port);
                    let decision = service_decision(compiler, carrier, mixed, of_group.iter().copied().zip(ports));
                    let cells = only(compiler, decision);
                    known.insert(of_group, cells);
                    cells
                }
            };
            of_groups.push(cells);
        }
        let exceptions = self.behind_itself(compiler, (carrier, mixed), backends, &of_groups, &mut only);
        DestinationId(self.matrix.add(Column { of_groups, exceptions }))
    }

    /// The answers of the processes whose own pod is behind the Service, where they differ from their group's.
    fn behind_itself(
        &mut self,
        compiler: &mut Compiler<'m>,
        (carrier, mixed): (Carrier, MixedServices),
        backends: &[ServiceBackend],
        of_groups: &[CellsId],
        only: &mut impl FnMut(&mut Compiler<'m>, super::DecisionId) -> CellsId,
    ) -> Vec<(u32, CellsId)> {
        let pods: BTreeMap<PodIndex, ()> = backends.iter().filter_map(|backend| Some((backend.pod?, ()))).collect();
        let mut exceptions = Vec::new();
        for pod in pods.into_keys() {
            let Some(processes) = self.of_pods.get(&pod) else { continue };
            let mut known: HashMap<u32, CellsId> = HashMap::default();
            for position in processes.all() {
                let group = self.processes[position as usize].group;
                let cells = match known.get(&group) {
                    Some(cells) => *cells,
                    None => {
                        let mut links = Vec::with_capacity(backends.len());
                        for backend in backends {
                            let own = if backend.pod == Some(pod) { OwnAddress::Yes } else { OwnAddress::No };
                            let from = self.from(group, backend.v4);
                            links.push((compiler.link(&self.sides, from, backend.to, own), backend.port));
                        }
                        let decision = service_decision(compiler, carrier, mixed, links.into_iter());
                        only(compiler, decision)
                    }
                };
                known.insert(group, cells);
                if cells != of_groups[group as usize] {
                    exceptions.push((position, cells));
                }
            }
        }
        exceptions.sort_unstable_by_key(|(position, _)| *position);
        exceptions
    }

    fn same(&self, cells: CellsId) -> Column {
        Column { of_groups: vec![cells; self.groups.values.len()], exceptions: Vec::new() }
    }

    fn from(&self, group: u32, v4: bool) -> FromId {
        let (four, six) = self.groups.value(group);
        if v4 { *four } else { *six }
    }

    /// The kernel's cells, and the class of each process.
    pub(super) fn rows(&mut self, compiler: &Compiler<'m>) -> (Vec<(Cell, PortTableId)>, Vec<ClassId>) {
        let groups: Vec<u32> = self.processes.iter().map(|process| process.group).collect();
        let matrix = std::mem::replace(&mut self.matrix, Matrix::new(Vec::new()));
        let (classes, rows) = matrix.rows(&groups);
        let mut cells = Vec::new();
        for (class, row) in (0..).map(ClassId).zip(rows) {
            for (destination, of_pair) in (0..).map(DestinationId).zip(row) {
                for (carrier, table) in Carrier::ALL.into_iter().zip(compiler.tables.by_carrier(of_pair)) {
                    cells.extend(table.map(|table| (Cell { class, destination, carrier }, table)));
                }
            }
        }
        (cells, classes.into_iter().map(ClassId).collect())
    }

    /// The pod with the classes of its processes.
    pub(super) fn subject(
        &self,
        compiler: &Compiler<'m>,
        pod: &'m PodFacts,
        identity: u32,
        classes: &[ClassId],
        receivers: &Receivers,
    ) -> Subject {
        let spec = compiler.model.spec(pod);
        let processes = &self.of_pods[&pod.index];
        let class = |position: u32| classes[position as usize];
        let containers = spec.containers.iter().zip(&processes.containers).map(|(container, processes)| {
            let is_it = |(name, _): &&(Name, Name)| *name == container.name;
            SubjectContainer {
                name: container.name.clone(),
                id: pod.container_ids.iter().find(is_it).map(|(_, id)| id.clone()),
                class: class(processes.other),
                programs: processes.programs.iter().map(|(path, position)| (path.clone(), class(*position))).collect(),
                ports: container.ports.iter().map(|port| (port.protocol, port.number)).collect(),
            }
        });
        Subject {
            identity,
            uid: pod.uid.as_deref().unwrap_or_default().to_owned(),
            namespace: pod.namespace.clone(),
            name: pod.name.clone(),
            host_network: spec.host_network,
            class: class(processes.other),
            receiver: receivers.of_pods[&pod.index],
            on_refusal: on_refusal(compiler.model, pod),
            containers: containers.collect(),
        }
    }
}

impl Processes {
    fn all(&self) -> impl Iterator<Item = u32> + '_ {
        let of_container = |container: &'_ ContainerProcesses| {
            container.programs.iter().map(|(_, position)| *position).collect::<Vec<_>>()
        };
        let containers = self.containers.iter();
        let containers =
            containers.flat_map(move |container| std::iter::once(container.other).chain(of_container(container)));
        let all: std::collections::BTreeSet<u32> = std::iter::once(self.other).chain(containers).collect();
        all.into_iter()
    }
}

/// Gathers the processes of pods.
struct Collector<'m> {
    sides: Sides<'m>,
    processes: Vec<Process<'m>>,
    groups: Interner<(FromId, FromId)>,
    all: RuleSet,
    /// NetworkPolicies' ingress rules that a sender of IPv4 and of IPv6 could meet.
    ingress: [RuleSet; 2],
}

impl<'m> Collector<'m> {
    fn pod(&mut self, compiler: &mut Compiler<'m>, pod: &'m PodFacts) -> Processes {
        let model = compiler.model;
        let named = model.named_containers(pod);
        let addresses = [true, false].map(|v4| pod.addresses.iter().copied().find(|address| address.is_ipv4() == v4));
        let party = |which: (Which, Which), address| Party::Pod { pod, container: which.0, program: which.1, address };
        // NetworkPolicies see pods, not processes.
        let network = [0, 1].map(|family| {
            let party = party((Which::Other, Which::Other), addresses[family]);
            compiler.describer.network(&party, Direction::Ingress, &self.ingress[family])
        });
        let mut process = |container: &Which, program: &Which| {
            let ids = [0, 1].map(|family| {
                let party = party((container.clone(), program.clone()), addresses[family]);
                self.add(compiler, party, network[family].clone())
            });
            let group = self.groups.intern((ids[0], ids[1]));
            self.processes.push(Process { pod, group });
            position_u32(self.processes.len() - 1)
        };
        let other = process(&Which::Other, &Which::Other);
        let containers = model.spec(pod).containers.iter().map(|container| {
            // A container that no rule names gets what an unknown one gets.
            let is_named = named.contains(&container.name);
            let which = if is_named { Which::Named(container.name.clone()) } else { Which::Other };
            let programs = model.named_programs(pod, &container.name).into_iter();
            ContainerProcesses {
                other: if is_named { process(&which, &Which::Other) } else { other },
                programs: programs
                    .map(|program| {
                        let position = process(&which, &Which::Named(program.clone()));
                        (program, position)
                    })
                    .collect(),
            }
        });
        let containers = containers.collect();
        Processes { other, containers }
    }

    fn add(&mut self, compiler: &mut Compiler<'m>, party: Party<'m>, network: Vec<Mention>) -> FromId {
        let facts = compiler.describer.from(&party, SenderProof::Process, &self.all, network);
        self.sides.add_from(party, SenderProof::Process, facts)
    }
}

/// All of them for IPv4, by which pods without an address are reached; for IPv6 none when no pod has an address of it.
fn ingress_rules_of_families(model: &Model) -> [RuleSet; 2] {
    let count = model.rules.network(Direction::Ingress).rules.len();
    let has_six = model.pods().iter().flat_map(|pod| &pod.addresses).any(IpAddr::is_ipv6);
    [RuleSet::all(count), if has_six { RuleSet::all(count) } else { RuleSet::none(count) }]
}

fn service_decision(
    compiler: &mut Compiler<'_>,
    carrier: Carrier,
    mixed: MixedServices,
    links: impl Iterator<Item = (LinkId, u16)>,
) -> super::DecisionId {
    let ends = links.map(|(link, port)| {
        let (egress, ingress) = compiler.ends_of(link, carrier);
        (compiler.ends.at(egress, port), compiler.ends.at(ingress, port))
    });
    let ends = ends.collect();
    compiler.decisions.of_service(ends, mixed)
}

fn on_refusal(model: &Model, pod: &PodFacts) -> OnRefusal {
    let closers = pod.closers(Direction::Ingress).iter();
    let perimeters = closers.filter_map(|closer| match closer {
        Closer::Perimeter(position) => Some(model.perimeter(*position)),
        Closer::NetworkPolicy(_) => None,
    });
    let mut enforced = perimeters.filter(|perimeter| perimeter.mode == Mode::Enforce);
    enforced.next().map_or_else(OnRefusal::default, |perimeter| perimeter.on_refusal)
}
