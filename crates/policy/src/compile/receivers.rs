//! The node's pods as receivers, and their answers by the source address alone.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use palisade_model::IpNet;
use palisade_model::verdict::Direction;

use super::compiler::Compiler;
use super::destinations::is_four;
use super::matrix::{Column, Matrix};
use super::{Carrier, PortTableId, ReceiverCell, ReceiverId, SourceId};
use crate::classes::interner::Interner;
use crate::classes::mentions::AsksReceiver;
use crate::classes::prefixes::{access_blocks, network_blocks, with_addresses, without_repetitions};
use crate::classes::sides::{FromId, RuleSet, Sides, ToId};
use crate::maps::HashMap;
use crate::matching::Side;
use crate::model::{AddressOwner, PodFacts, PodIndex};
use crate::party::{AddressKind, Party, SenderProof, receiver};

/// The receivers' half.
pub(super) struct Receivers {
    /// Who sent, by the source address; longest prefix first wins.
    pub(super) sources: Vec<(IpNet, SourceId)>,
    /// The answers.
    pub(super) cells: Vec<(ReceiverCell, PortTableId)>,
    /// What each pod of the node is as a receiver.
    pub(super) of_pods: HashMap<PodIndex, ReceiverId>,
}

impl Receivers {
    pub(super) fn new<'m>(compiler: &mut Compiler<'m>, local: &[&'m PodFacts]) -> Self {
        let mut half = Half::new(compiler, local);
        let reserved = [
            (own_node(compiler, IpAddr::is_ipv4), SenderProof::Process),
            // No block that a policy names is as narrow as these: only "everyone" and "world" match.
            (stranger(IpAddr::V4(Ipv4Addr::UNSPECIFIED)), SenderProof::Address),
            (stranger(IpAddr::V6(Ipv6Addr::UNSPECIFIED)), SenderProof::Address),
            (own_node(compiler, IpAddr::is_ipv6), SenderProof::Process),
        ];
        let reserved = reserved.map(|(party, proof)| {
            let (from, v4) = half.source(compiler, party, proof);
            half.column(compiler, from, v4)
        });
        let mut matrix = Matrix::new(reserved.into());
        let sources = half.sources(compiler, &mut matrix);
        let (rows, distinct) = matrix.rows(&half.rows);
        let mut cells = Vec::new();
        for (receiver, row) in (0..).map(ReceiverId).zip(distinct) {
            for (source, of_pair) in (0..).map(SourceId).zip(row) {
                for (carrier, table) in Carrier::ALL.into_iter().zip(compiler.tables.by_carrier(of_pair)) {
                    cells.extend(table.map(|table| (ReceiverCell { receiver, source, carrier }, table)));
                }
            }
        }
        let of_pods = local.iter().map(|pod| pod.index).zip(rows.into_iter().map(ReceiverId)).collect();
        Self { sources, cells, of_pods }
    }
}

struct Half<'m> {
    sides: Sides<'m>,
    /// AccessPolicies' rules that act on one of the pods and name it as a receiver.
    access: RuleSet,
    /// NetworkPolicies' ingress rules that act on one of the pods.
    network: RuleSet,
    /// By the receiver's address of either family.
    groups: Interner<(ToId, ToId)>,
    /// The group of each pod.
    rows: Vec<u32>,
    columns: HashMap<(FromId, bool), Column>,
}

impl<'m> Half<'m> {
    fn new(compiler: &mut Compiler<'m>, local: &[&'m PodFacts]) -> Self {
        let model = compiler.model;
        let all = RuleSet::all(model.rules.access.len());
        let mut sides = Sides::default();
        let mut groups = Interner::default();
        let mut rows = Vec::with_capacity(local.len());
        for pod in local {
            let ids = [true, false].map(|v4| {
                let address = pod.addresses.iter().copied().find(|address| address.is_ipv4() == v4);
                let party = receiver(pod, address);
                let everything = AsksReceiver { containers: true, services: true };
                let mut facts = compiler.describer.to(&party, &all, Vec::new(), everything);
                let scope = facts.scope.expect("a pod has a namespace");
                facts.access.retain(|mention| model.rules.acts_on(mention.rule, scope));
                sides.add_to(party, facts)
            });
            rows.push(groups.intern((ids[0], ids[1])));
        }
        let named = sides.tos.iter().flat_map(|to| &to.facts.access).map(|mention| mention.rule);
        let access = RuleSet::of(model.rules.access.len(), named);
        let standings = &compiler.describer.standings;
        let closing = sides.tos.iter().filter_map(|to| standings.standing(to.facts.standing));
        let ingress = closing.flat_map(|standing| standing.network_rules.iter().copied());
        let network = RuleSet::of(model.rules.network(Direction::Ingress).rules.len(), ingress);
        Self { sides, access, network, groups, rows, columns: HashMap::default() }
    }

    /// The source addresses, told apart as far as receivers' answers differ.
    fn sources(&mut self, compiler: &mut Compiler<'m>, matrix: &mut Matrix) -> Vec<(IpNet, SourceId)> {
        let model = compiler.model;
        let blocks = access_blocks(model, &self.access, Side::From).into_iter();
        let blocks = blocks.chain(network_blocks(model, &self.network, Direction::Ingress));
        let mut sources = Vec::new();
        for (prefix, address) in with_addresses(model, blocks) {
            let (party, proof) = match model.owner_of(address) {
                Some(AddressOwner::Pod(index)) => {
                    let pod = model.pod(index);
                    (receiver(pod, Some(address)), proof_of_address(compiler, pod))
                }
                Some(AddressOwner::Node(_) | AddressOwner::Service(_)) => {
                    sources.push((prefix, stranger_of(address)));
                    continue;
                }
                None => match AddressKind::of(address) {
                    AddressKind::Loopback => {
                        sources.push((prefix, stranger_of(address)));
                        continue;
                    }
                    kind @ (AddressKind::World
                    | AddressKind::Service
                    | AddressKind::Metadata
                    | AddressKind::LinkLocal) => (Party::Address { address, kind }, SenderProof::Address),
                },
            };
            let (from, v4) = self.source(compiler, party, proof);
            let column = self.column(compiler, from, v4);
            sources.push((prefix, SourceId(matrix.add(column))));
        }
        without_repetitions(sources)
    }

    fn source(&mut self, compiler: &mut Compiler<'m>, party: Party<'m>, proof: SenderProof) -> (FromId, bool) {
        let network = compiler.describer.network(&party, Direction::Ingress, &self.network);
        let facts = compiler.describer.from(&party, proof, &self.access, network);
        let v4 = is_four(&party);
        (self.sides.add_from(party, proof, facts), v4)
    }

    fn column(&mut self, compiler: &mut Compiler<'m>, from: FromId, v4: bool) -> Column {
        let Self { sides, groups, columns, .. } = self;
        let column = columns.entry((from, v4)).or_insert_with(|| {
            let of_group = |(four, six): &(ToId, ToId)| {
                let to = if v4 { *four } else { *six };
                compiler.receiver_cells(sides, from, to)
            };
            Column { of_groups: groups.values.iter().map(of_group).collect(), exceptions: Vec::new() }
        });
        column.clone()
    }
}

fn own_node<'m>(compiler: &Compiler<'m>, family: fn(&IpAddr) -> bool) -> Party<'m> {
    let own = compiler.model.node_named(&compiler.node);
    let addresses = own.into_iter().flat_map(|node| node.addresses.iter().copied());
    let addresses = addresses.filter(family).collect();
    Party::Node { name: Some(compiler.node.clone()), addresses, host_pod: None }
}

/// What a pod's address proves. When another, guarded node runs it, that node has judged its
/// containers and programs; of a pod of this node only a proven process counts for more.
fn proof_of_address(compiler: &Compiler<'_>, pod: &PodFacts) -> SenderProof {
    let elsewhere = pod.node.as_ref() != Some(&compiler.node);
    let judged = elsewhere && compiler.model.settings.guarded.contains(pod.node.as_deref());
    if judged { SenderProof::JudgedPod } else { SenderProof::Address }
}

fn stranger<'m>(address: IpAddr) -> Party<'m> {
    Party::Address { address, kind: AddressKind::World }
}

fn stranger_of(address: IpAddr) -> SourceId {
    if address.is_ipv4() { SourceId::STRANGER_4 } else { SourceId::STRANGER_6 }
}
