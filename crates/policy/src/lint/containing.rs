//! Which rules of AccessPolicies could contain another, found without asking each.
//!
//! Invariant: none that contains it is left out; whether one does is for [`access`](super::access) alone.

use palisade_model::IpNet;
use palisade_model::Selector;
use palisade_model::access_policy::{Peer, PeerTarget};
use palisade_model::object::Name;
use palisade_model::selector::Operator;

use super::access::AccessRuleAt;
use crate::maps::HashMap;

/// Rules by one thing that each of their receivers asks for, by their places in a list.
#[derive(Default)]
pub(super) struct Containing {
    by_workload: HashMap<Name, Vec<usize>>,
    by_label: HashMap<(Name, Name), Vec<usize>>,
    by_block: HashMap<IpNet, Vec<usize>>,
    others: Vec<usize>,
}

impl Containing {
    pub(super) fn new(rules: &[AccessRuleAt<'_>]) -> Self {
        let mut index = Self::default();
        for (place, at) in rules.iter().enumerate() {
            for peer in &at.rule.to {
                index.add(place, peer);
            }
        }
        index
    }

    fn add(&mut self, place: usize, peer: &Peer) {
        let list = match &peer.target {
            PeerTarget::Pods(fields) => match (&fields.workload, fields.selector.as_ref().and_then(first_label)) {
                (Some(workload), _) => self.by_workload.entry(workload.name.clone()).or_default(),
                (None, Some(label)) => self.by_label.entry(label).or_default(),
                (None, None) => &mut self.others,
            },
            PeerTarget::Cidr { cidr, .. } => self.by_block.entry(cidr.trunc()).or_default(),
            PeerTarget::Entity(_) => &mut self.others,
            // Names nobody yet.
            PeerTarget::Fqdn(_) => return,
        };
        // A rule's peers are added one after another.
        if list.last() != Some(&place) {
            list.push(place);
        }
    }

    /// The places of those that could contain `inner`, in order, each once.
    pub(super) fn candidates(&self, inner: &AccessRuleAt<'_>) -> Vec<usize> {
        // Each of its receivers has to be among the other's: the first will do to look for it.
        self.of(inner.rule.to.iter().take(1))
    }

    /// The places of those that could contain a part of `inner`, in order, each once.
    pub(super) fn candidates_of_each(&self, inner: &AccessRuleAt<'_>) -> Vec<usize> {
        self.of(inner.rule.to.iter())
    }

    fn of<'p>(&self, receivers: impl Iterator<Item = &'p Peer>) -> Vec<usize> {
        let mut found: Vec<usize> = Vec::new();
        receivers.for_each(|receiver| self.add_candidates(receiver, &mut found));
        found.sort_unstable();
        found.dedup();
        found
    }

    fn add_candidates(&self, receiver: &Peer, found: &mut Vec<usize>) {
        match &receiver.target {
            PeerTarget::Pods(fields) => {
                let workload = fields.workload.as_ref().and_then(|workload| self.by_workload.get(&workload.name));
                found.extend(workload.into_iter().flatten());
                for label in fields.selector.iter().flat_map(implied_labels) {
                    found.extend(self.by_label.get(&label).into_iter().flatten());
                }
                found.extend(&self.others);
            }
            PeerTarget::Cidr { cidr, .. } => {
                let wider = (0..=cidr.prefix_len()).filter_map(|length| IpNet::new(cidr.addr(), length).ok());
                found.extend(wider.filter_map(|block| self.by_block.get(&block.trunc())).flatten());
            }
            PeerTarget::Entity(_) => found.extend(&self.others),
            PeerTarget::Fqdn(_) => {}
        }
    }
}

fn first_label(selector: &Selector) -> Option<(Name, Name)> {
    selector.match_labels.0.iter().next().map(|(key, value)| (key.clone(), value.clone()))
}

/// The labels that everything that `selector` selects has.
fn implied_labels(selector: &Selector) -> impl Iterator<Item = (Name, Name)> {
    let equal = selector.match_labels.0.iter().map(|(key, value)| (key.clone(), value.clone()));
    // Of several sets of values for one key only the common one stays: each single value is tried.
    let sets = selector.match_expressions.iter().filter(|requirement| requirement.operator == Operator::In);
    let sets =
        sets.flat_map(|requirement| requirement.values.iter().map(|value| (requirement.key.clone(), value.clone())));
    equal.chain(sets)
}
