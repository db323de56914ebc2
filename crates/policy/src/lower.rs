//! AccessPolicies and Perimeters as NetworkPolicies, or as those and ClusterNetworkPolicies.
//!
//! What closes becomes a NetworkPolicy without rules, since no other kind closes a pod to the outside. What opens becomes
//! rules of NetworkPolicies for just the pods that are closed (a NetworkPolicy closes what it selects), or Accepts of
//! the admin tier. What denies becomes Denies of the admin tier, before the Accepts.

mod parties;
mod tiers;

use std::collections::BTreeSet;
use std::sync::Arc;

use palisade_model::access_policy::{AccessPolicy, AccessRule, Action, Mode, Peer, PeerTarget};
use palisade_model::inventory::Inventory;
use palisade_model::network_policy::{NetworkPolicy, NetworkPolicyPeer, NetworkPolicyRule, NetworkPolicyTarget};
use palisade_model::object::{Kind, Name, ObjectRef};
use palisade_model::perimeter::{Loopback, Perimeter};
use palisade_model::port::PortRule;
use palisade_model::settings::Settings;
use palisade_model::tiered_policy::TieredPolicy;
use palisade_model::verdict::Direction;
use palisade_model::{Place, Selector, Timestamp};
use serde::Serialize;

use crate::consent::new_meta;
use crate::loss::{Leaves, Loss};
use crate::model::Model;
use crate::proof::{self, Proof};
use crate::written;

/// What is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Target {
    /// NetworkPolicies alone.
    NetworkPolicy,
    /// ClusterNetworkPolicies for what opens and denies, NetworkPolicies for what closes.
    ClusterNetworkPolicy,
}

/// The lowered policies, and how they compare.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Lowered {
    /// NetworkPolicies.
    #[serde(skip)]
    pub network: Vec<NetworkPolicy>,
    /// ClusterNetworkPolicies.
    #[serde(skip)]
    pub tiered: Vec<TieredPolicy>,
    /// They as manifests, a document each.
    pub yaml: String,
    /// How many AccessPolicies and Perimeters there were.
    pub lowered: usize,
    /// What was left out because it decides nothing now.
    pub remarks: Vec<String>,
    /// What could not be said.
    pub losses: Vec<Loss>,
    /// What was compared.
    pub proof: Proof,
}

/// Lowers the AccessPolicies and Perimeters of `inventory`, and compares what both decide at `now`.
pub fn lower(inventory: &Inventory, settings: &Settings, now: Timestamp, target: Target) -> Lowered {
    let model = Model::new(Arc::new(inventory.clone()), settings.clone()).value;
    let mut lowering = Lowering::new(&model, now, target);
    for perimeter in &model.inventory.perimeters {
        lowering.perimeter(perimeter);
    }
    for policy in &model.inventory.access_policies {
        lowering.access_policy(policy);
    }
    let Lowering { mut network, mut tiers, mut losses, remarks, .. } = lowering;
    merge(&mut network);
    let tiered = tiers.policies(&model);
    losses.extend(tiers.losses);
    losses.sort();
    losses.dedup();
    let mut after = inventory.clone();
    after.access_policies.clear();
    after.perimeters.clear();
    after.network_policies.extend(network.iter().cloned().map(Arc::new));
    after.tiered_policies.extend(tiered.iter().cloned().map(Arc::new));
    let documents = network.iter().map(written::network_policy).chain(tiered.iter().map(written::tiered_policy));
    Lowered {
        yaml: documents.collect::<Vec<_>>().join("---\n"),
        lowered: inventory.access_policies.len() + inventory.perimeters.len(),
        remarks,
        losses,
        proof: proof::prove(inventory, &after, settings, now),
        network,
        tiered,
    }
}

struct Lowering<'m> {
    model: &'m Model,
    now: Timestamp,
    target: Target,
    network: Vec<NetworkPolicy>,
    tiers: tiers::Tiers,
    losses: Vec<Loss>,
    remarks: Vec<String>,
    /// What closes pods of a namespace in a direction: Perimeters, and NetworkPolicies that are there.
    closers: Vec<(Name, Direction, Selector)>,
}

/// A rule, or a policy as a whole, for what is said of it.
#[derive(Clone)]
struct Said<'p> {
    object: &'p ObjectRef,
    rule: String,
    place: &'p Place,
}

/// Some of the other end of a link, and the ports.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Others {
    peers: Vec<NetworkPolicyTarget>,
    ports: Vec<PortRule>,
}

impl<'m> Lowering<'m> {
    fn new(model: &'m Model, now: Timestamp, target: Target) -> Self {
        let mut closers = Vec::new();
        for policy in &model.inventory.network_policies {
            let namespace: Name = policy.meta.namespace().into();
            for (direction, rules) in [(Direction::Ingress, &policy.ingress), (Direction::Egress, &policy.egress)] {
                if rules.is_some() {
                    closers.push((namespace.clone(), direction, policy.pod_selector.clone()));
                }
            }
        }
        let tiers = tiers::Tiers::default();
        Self { model, now, target, network: Vec::new(), tiers, losses: Vec::new(), remarks: Vec::new(), closers }
    }

    fn lose(&mut self, said: &Said<'_>, leaves: Leaves, what: impl Into<String>) {
        self.losses.push(Loss {
            object: said.object.clone(),
            rule: said.rule.clone(),
            place: said.place.clone(),
            what: what.into(),
            leaves,
        });
    }

    /// Every namespace that has an object or pods.
    fn namespaces(&self) -> BTreeSet<Name> {
        let objects = self.model.inventory.namespaces.iter().map(|namespace| namespace.meta.reference.name.clone());
        objects.chain(self.model.pods().iter().map(|pod| pod.namespace.clone())).collect()
    }

    fn perimeter(&mut self, perimeter: &Perimeter) {
        let reference = &perimeter.meta.reference;
        if perimeter.mode == Mode::Audit {
            self.remarks.push(format!("{reference} is in Audit and closes nothing: left out"));
            return;
        }
        let said = Said { object: reference, rule: String::new(), place: &perimeter.meta.place };
        let namespaces: Vec<Name> = match (&reference.namespace, &perimeter.namespace_selector) {
            (Some(namespace), _) => vec![namespace.clone()],
            (None, selector) => {
                self.lose(
                    &said,
                    Leaves::AlikeForNow,
                    "a NetworkPolicy is of one namespace: those that come later stay open",
                );
                let selects = |name: &Name| {
                    selector.as_ref().is_some_and(|selector| selector.matches(&self.model.namespace_labels(name)))
                };
                self.namespaces().into_iter().filter(|name| selects(name)).collect()
            }
        };
        self.lose(&said, Leaves::MoreOpen, "a NetworkPolicy always lets the pod's own node in, and the pod out to it");
        if perimeter.loopback == Loopback::Closed {
            self.lose(&said, Leaves::MoreOpen, "`loopback: Closed`: no NetworkPolicy judges inside a pod");
        }
        let [mut ingress, mut egress] = [Vec::new(), Vec::new()];
        for entity in &perimeter.except {
            for (direction, rules) in [(Direction::Ingress, &mut ingress), (Direction::Egress, &mut egress)] {
                let others = self.entity(&said, *entity, direction, &[]);
                rules.extend(others.into_iter().map(|others| network_rule(others, &perimeter.meta.place)));
            }
        }
        for namespace in namespaces {
            for (direction, closes) in [(Direction::Ingress, perimeter.ingress), (Direction::Egress, perimeter.egress)]
            {
                if closes {
                    self.closers.push((namespace.clone(), direction, perimeter.selector.clone()));
                }
            }
            let policy = NetworkPolicy {
                meta: new_meta(self.reference(&namespace, perimeter.meta.name()), perimeter.meta.place.clone()),
                pod_selector: perimeter.selector.clone(),
                ingress: perimeter.ingress.then(|| ingress.clone()),
                egress: perimeter.egress.then(|| egress.clone()),
            };
            self.network.push(policy);
        }
    }

    /// A reference to a NetworkPolicy that is not there yet.
    fn reference(&self, namespace: &Name, name: &str) -> ObjectRef {
        let is_taken = |wanted: &str| {
            let policies = self.model.inventory.network_policies.iter().map(Arc::as_ref).chain(&self.network);
            policies.into_iter().any(|one| one.meta.namespace() == &**namespace && one.meta.name() == wanted)
        };
        let mut names = std::iter::once(name.to_owned()).chain((2..).map(|number| format!("{name}-{number}")));
        let free = names.find(|name| !is_taken(name)).expect("the numbers do not end");
        ObjectRef { kind: Kind::NetworkPolicy, namespace: Some(namespace.clone()), name: free.into() }
    }

    fn access_policy(&mut self, policy: &AccessPolicy) {
        if policy.mode == Mode::Audit {
            self.remarks.push(format!("{} is in Audit and changes no verdict: left out", policy.meta.reference));
            return;
        }
        for (index, rule) in policy.rules.iter().enumerate() {
            let said = Said { object: &policy.meta.reference, rule: format!("rules[{index}]"), place: &rule.place };
            self.rule(&said, policy, index, rule);
        }
    }

    fn rule(&mut self, said: &Said<'_>, policy: &AccessPolicy, index: usize, rule: &AccessRule) {
        match (rule.action, self.target) {
            (Action::Deny, Target::NetworkPolicy) => {
                self.lose(said, Leaves::MoreOpen, "a NetworkPolicy cannot deny what another one opens: left out");
                return;
            }
            (Action::Deny, Target::ClusterNetworkPolicy) | (Action::Allow, _) => {}
        }
        if rule.action == Action::Allow {
            if !rule.http.is_empty() || rule.expires.is_some_and(|expires| self.now >= expires) {
                self.remarks.push(format!("{} {} grants nothing now: left out", said.object, said.rule));
                return;
            }
            if let Some(expires) = rule.expires {
                let what = format!("it ends at {expires}, and what is written does not");
                self.lose(said, Leaves::MoreOpen, what);
            }
        }
        let name = rule.name.as_deref().map_or_else(|| format!("{}-{index}", policy.meta.name()), str::to_owned);
        let name = name.to_ascii_lowercase().replace(|letter: char| !letter.is_ascii_alphanumeric(), "-");
        for direction in [Direction::Ingress, Direction::Egress] {
            let (own, other) = match direction {
                Direction::Ingress => (&rule.to, &rule.from),
                Direction::Egress => (&rule.from, &rule.to),
            };
            let subjects: Vec<(Name, Selector, Option<Vec<PortRule>>)> =
                own.iter().flat_map(|peer| self.subjects(said, policy, rule, peer)).collect();
            if subjects.is_empty() {
                continue;
            }
            let others: Vec<Others> =
                other.iter().flat_map(|peer| self.others(said, policy, rule, peer, direction)).collect();
            for (namespace, selector, ports) in subjects {
                // With `service` the receiver's ports are other ones than the rule's.
                let mut others = others.clone();
                if let (Some(ports), Direction::Ingress) = (ports, direction) {
                    others.iter_mut().for_each(|one| one.ports.clone_from(&ports));
                }
                self.write(said, rule.action, (&name, direction), &namespace, &selector, others);
            }
        }
    }

    /// Writes that `others` may, or may not, be linked with the pods of `namespace` that `selector` selects.
    fn write(
        &mut self,
        said: &Said<'_>,
        action: Action,
        (name, direction): (&str, Direction),
        namespace: &Name,
        selector: &Selector,
        mut others: Vec<Others>,
    ) {
        if self.target == Target::ClusterNetworkPolicy {
            let rest = self.tiers.add(action, (name, direction), namespace, selector, others, said.place);
            if action == Action::Deny {
                for _ in &rest {
                    let what =
                        "a ClusterNetworkPolicy cannot deny what comes from an address, nor a block with `except`";
                    self.lose(said, Leaves::MoreOpen, what);
                }
                return;
            }
            others = rest;
        }
        if others.is_empty() {
            return;
        }
        let mut closed: Vec<Selector> = Vec::new();
        for (_, _, closer) in self.closers.iter().filter(|(of, way, _)| of == namespace && *way == direction) {
            if let Some(both) = conjunction(closer, selector)
                && !closed.contains(&both)
            {
                closed.push(both);
            }
        }
        // All of them at once, where one closer closes them all.
        if closed.contains(selector) {
            closed = vec![selector.clone()];
        }
        let way = match direction {
            Direction::Ingress => "in",
            Direction::Egress => "out",
        };
        let rules: Vec<NetworkPolicyRule> = others.into_iter().map(|one| network_rule(one, said.place)).collect();
        for selector in closed {
            let policy = NetworkPolicy {
                meta: new_meta(self.reference(namespace, &format!("{name}-{way}")), said.place.clone()),
                pod_selector: selector,
                ingress: (direction == Direction::Ingress).then(|| rules.clone()),
                egress: (direction == Direction::Egress).then(|| rules.clone()),
            };
            self.network.push(policy);
        }
    }
}

fn network_rule(others: Others, place: &Place) -> NetworkPolicyRule {
    let peers = others.peers.into_iter().map(|target| NetworkPolicyPeer { place: place.clone(), target });
    NetworkPolicyRule { place: place.clone(), peers: peers.collect(), ports: others.ports }
}

/// The pods that both select; `None` when one label would have to have two values.
fn conjunction(one: &Selector, other: &Selector) -> Option<Selector> {
    let mut both = one.clone();
    for (key, value) in &other.match_labels.0 {
        if both.match_labels.0.insert(key.clone(), value.clone()).is_some_and(|before| before != *value) {
            return None;
        }
    }
    for requirement in &other.match_expressions {
        if !both.match_expressions.contains(requirement) {
            both.match_expressions.push(requirement.clone());
        }
    }
    Some(both)
}

/// Rules of policies that select the same pods in the same directions become one policy's.
fn merge(policies: &mut Vec<NetworkPolicy>) {
    let mut merged: Vec<NetworkPolicy> = Vec::new();
    for policy in policies.drain(..) {
        let same = |one: &&mut NetworkPolicy| {
            one.meta.reference.namespace == policy.meta.reference.namespace
                && one.pod_selector == policy.pod_selector
                && one.ingress.is_some() == policy.ingress.is_some()
                && one.egress.is_some() == policy.egress.is_some()
        };
        let Some(one) = merged.iter_mut().find(same) else {
            merged.push(policy);
            continue;
        };
        for (into, from) in [(&mut one.ingress, policy.ingress), (&mut one.egress, policy.egress)] {
            let Some(into) = into else { continue };
            for rule in from.into_iter().flatten() {
                let is_there = into.iter().any(|known| known.ports == rule.ports && targets(known) == targets(&rule));
                if !is_there {
                    into.push(rule);
                }
            }
        }
    }
    *policies = merged;
}

fn targets(rule: &NetworkPolicyRule) -> Vec<&NetworkPolicyTarget> {
    rule.peers.iter().map(|peer| &peer.target).collect()
}

/// The peers of a rule whose target is pods.
fn pods_of(peer: &Peer) -> Option<&palisade_model::access_policy::PodPeer> {
    match &peer.target {
        PeerTarget::Pods(pods) => Some(pods),
        PeerTarget::Cidr { .. } | PeerTarget::Entity(_) | PeerTarget::Fqdn(_) => None,
    }
}
