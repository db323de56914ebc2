//! Parties as senders and as receivers, numbered by what answers can depend on: what no rule tells apart is one.

use palisade_model::Timestamp;
use palisade_model::object::Name;
use palisade_model::verdict::Direction;

use super::interner::position_u32;
use super::mentions::{self, AsksReceiver, Mention, NamingPeers};
use super::standing::{PortsMeaning, Standings};
use crate::maps::HashMap;
use crate::matching::Side;
use crate::model::Model;
use crate::party::{Party, SenderProof};
use crate::rule_index::{RuleNumber, Scope};

/// The number of a [`FromSide`] of one half of the compilation.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct FromId(pub(crate) u32);

/// The number of a [`ToSide`] of one half of the compilation.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct ToId(pub(crate) u32);

/// A sender, standing for all that are like it.
pub(crate) struct FromSide<'m> {
    pub(crate) party: Party<'m>,
    pub(crate) proof: SenderProof,
    pub(crate) facts: FromFacts,
}

/// What answers to a sender depend on.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct FromFacts {
    /// As the end that decides egress.
    pub(crate) standing: u32,
    pub(crate) scope: Option<Scope>,
    /// As the other end of who decides ingress.
    pub(crate) look: u32,
    /// AccessPolicies' rules whose `from` names it.
    pub(crate) access: Vec<Mention>,
    /// NetworkPolicies' ingress rules that name it.
    pub(crate) network: Vec<Mention>,
}

/// A receiver, standing for all that are like it.
pub(crate) struct ToSide<'m> {
    pub(crate) party: Party<'m>,
    pub(crate) facts: ToFacts,
}

/// What answers to the senders of a receiver depend on.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct ToFacts {
    /// As the end that decides ingress.
    pub(crate) standing: u32,
    pub(crate) scope: Option<Scope>,
    /// As the other end of who decides egress.
    pub(crate) look: u32,
    /// AccessPolicies' rules whose `to` names it.
    pub(crate) access: Vec<Mention>,
    /// NetworkPolicies' egress rules that name it.
    pub(crate) network: Vec<Mention>,
    pub(crate) ports: PortsMeaning,
}

/// What all sides share.
pub(crate) struct Describer<'m> {
    pub(crate) model: &'m Model,
    pub(crate) now: Timestamp,
    pub(crate) standings: Standings<'m>,
    naming: NamingPeers,
    access_asks: Vec<AsksReceiver>,
    network_asks: [Vec<AsksReceiver>; 2],
    /// What the tiers' rules ask of a receiver beside their peers.
    pub(crate) tier_asks: AsksReceiver,
    /// What NetworkPolicies' ingress rules ask, by the number of the standing.
    ingress_asks: HashMap<u32, AsksReceiver>,
}

/// Rules by number.
pub(crate) struct RuleSet(Vec<bool>);

impl RuleSet {
    pub(crate) fn all(count: usize) -> Self {
        Self(vec![true; count])
    }

    pub(crate) fn none(count: usize) -> Self {
        Self(vec![false; count])
    }

    pub(crate) fn of(count: usize, rules: impl IntoIterator<Item = RuleNumber>) -> Self {
        let mut set = vec![false; count];
        rules.into_iter().for_each(|rule| set[rule as usize] = true);
        Self(set)
    }

    pub(crate) fn has(&self, rule: RuleNumber) -> bool {
        self.0[rule as usize]
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = RuleNumber> + '_ {
        (0..).zip(&self.0).filter(|(_, wanted)| **wanted).map(|(rule, _)| rule)
    }
}

impl<'m> Describer<'m> {
    pub(crate) fn new(model: &'m Model, node: &Name, now: Timestamp) -> Self {
        let access = (0..position_u32(model.rules.access.len())).map(|rule| model.access_rule(rule).2);
        let network_asks = [Direction::Ingress, Direction::Egress].map(|direction| {
            let rules = model.rules.network(direction).rules.iter();
            let rules = rules.map(|(position, index)| &model.network_policy_rules(position, direction)[index]);
            rules.map(|rule| mentions::network_asks(&rule.ports)).collect()
        });
        Self {
            model,
            now,
            standings: Standings::new(model, node),
            naming: NamingPeers::default(),
            access_asks: access.map(mentions::access_asks).collect(),
            network_asks,
            tier_asks: AsksReceiver { containers: model.tiers_name_ports(), services: false },
            ingress_asks: HashMap::default(),
        }
    }

    /// What answers to the sender depend on, by the rules of `wanted` and NetworkPolicies' ingress rules `network`
    /// that name it.
    pub(crate) fn from(
        &mut self,
        party: &Party<'m>,
        proof: SenderProof,
        wanted: &RuleSet,
        network: Vec<Mention>,
    ) -> FromFacts {
        let wanted = |rule| wanted.has(rule);
        FromFacts {
            standing: self.standings.of(party, Direction::Egress),
            scope: self.scope(party),
            look: self.standings.look_of(party, Side::From),
            access: mentions::of_access(self.model, party, Side::From, proof, self.now, wanted, &mut self.naming),
            network,
        }
    }

    /// NetworkPolicies' rules of `direction`, of those `wanted`, that name `party` as the other end.
    pub(crate) fn network(&mut self, party: &Party<'m>, direction: Direction, wanted: &RuleSet) -> Vec<Mention> {
        mentions::of_network(self.model, party, direction, |rule| wanted.has(rule), &mut self.naming)
    }

    /// What answers about the receiver depend on, by the rules of `wanted` and NetworkPolicies' egress rules
    /// `network` that name it; of what its ports mean `least` at least.
    pub(crate) fn to(
        &mut self,
        party: &Party<'m>,
        wanted: &RuleSet,
        network: Vec<Mention>,
        least: AsksReceiver,
    ) -> ToFacts {
        let proof = SenderProof::Process;
        let wanted = |rule| wanted.has(rule);
        let access = mentions::of_access(self.model, party, Side::To, proof, self.now, wanted, &mut self.naming);
        let standing = self.standings.of(party, Direction::Ingress);
        let by_access = self.access_asks_of(access.iter().map(|mention| mention.rule));
        let by_network = self.network_asks_of(Direction::Egress, network.iter().map(|mention| mention.rule));
        let asks = least.or(by_access).or(by_network).or(self.ingress_asks_of(standing)).or(self.tier_asks);
        ToFacts {
            standing,
            scope: self.scope(party),
            look: self.standings.look_of(party, Side::To),
            access,
            network,
            ports: self.standings.ports_of(party, asks),
        }
    }

    /// What AccessPolicies' rules ask of a receiver beside their peers.
    pub(crate) fn access_asks_of(&self, rules: impl Iterator<Item = RuleNumber>) -> AsksReceiver {
        rules.map(|rule| self.access_asks[rule as usize]).fold(AsksReceiver::default(), AsksReceiver::or)
    }

    /// What NetworkPolicies' rules of `direction` ask of a receiver beside their peers.
    pub(crate) fn network_asks_of(
        &self,
        direction: Direction,
        rules: impl Iterator<Item = RuleNumber>,
    ) -> AsksReceiver {
        let asks = &self.network_asks[direction as usize];
        rules.map(|rule| asks[rule as usize]).fold(AsksReceiver::default(), AsksReceiver::or)
    }

    fn ingress_asks_of(&mut self, standing: u32) -> AsksReceiver {
        if let Some(asks) = self.ingress_asks.get(&standing) {
            return *asks;
        }
        let rules = self.standings.standing(standing).map_or(&[] as &[_], |standing| &standing.network_rules);
        let asks = self.network_asks_of(Direction::Ingress, rules.iter().copied());
        self.ingress_asks.insert(standing, asks);
        asks
    }

    fn scope(&self, party: &Party<'m>) -> Option<Scope> {
        match party {
            Party::Pod { pod, .. } => Some(self.model.rules.scope(&pod.namespace)),
            Party::Node { .. } | Party::Address { .. } => None,
        }
    }
}

/// The sides of one half, numbered.
#[derive(Default)]
pub(crate) struct Sides<'m> {
    pub(crate) froms: Vec<FromSide<'m>>,
    pub(crate) tos: Vec<ToSide<'m>>,
    from_ids: HashMap<FromFacts, FromId>,
    to_ids: HashMap<ToFacts, ToId>,
}

impl<'m> Sides<'m> {
    pub(crate) fn add_from(&mut self, party: Party<'m>, proof: SenderProof, facts: FromFacts) -> FromId {
        let next = FromId(position_u32(self.froms.len()));
        let id = *self.from_ids.entry(facts.clone()).or_insert(next);
        if id == next {
            self.froms.push(FromSide { party, proof, facts });
        }
        id
    }

    pub(crate) fn add_to(&mut self, party: Party<'m>, facts: ToFacts) -> ToId {
        let next = ToId(position_u32(self.tos.len()));
        let id = *self.to_ids.entry(facts.clone()).or_insert(next);
        if id == next {
            self.tos.push(ToSide { party, facts });
        }
        id
    }

    pub(crate) fn from(&self, id: FromId) -> &FromSide<'m> {
        &self.froms[id.0 as usize]
    }

    pub(crate) fn to(&self, id: ToId) -> &ToSide<'m> {
        &self.tos[id.0 as usize]
    }
}
