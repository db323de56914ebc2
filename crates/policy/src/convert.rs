//! AdminNetworkPolicy and BaselineAdminNetworkPolicy v1alpha1 as ClusterNetworkPolicy v1alpha2.

use std::collections::BTreeSet;
use std::sync::Arc;

use palisade_model::inventory::Inventory;
use palisade_model::object::Name;
use palisade_model::settings::Settings;
use palisade_model::tiered_policy::{
    PodScope, Tier, TierAction, TieredPeer, TieredPolicy, TieredPort, TieredRule, TieredTarget,
};
use palisade_model::{Kind, Selector, Timestamp};
use serde::Serialize;

use crate::loss::{Leaves, Loss};
use crate::model::sorted_tiers;
use crate::proof::{self, Proof};
use crate::written;

/// Source: the CRD's `maxItems` of `ingress`, `egress`, `from`, `to` and `protocols`.
const MOST: usize = 25;
/// Source: the CRD's `maximum` of `priority`.
const LAST_PRIORITY: u16 = 1000;

/// The policies of the newer version, and how they compare.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Converted {
    /// The policies.
    #[serde(skip)]
    pub policies: Vec<TieredPolicy>,
    /// They as manifests, a document each.
    pub yaml: String,
    /// How many policies of the older version there were.
    pub converted: usize,
    /// What could not be said.
    pub losses: Vec<Loss>,
    /// What was compared.
    pub proof: Proof,
}

/// Converts the policies of the older version in `inventory`, and compares what both decide.
pub fn convert(inventory: &Inventory, settings: &Settings, now: Timestamp) -> Converted {
    let (policies, losses) = policies(inventory);
    let is_old = |policy: &Arc<TieredPolicy>| policy.meta.reference.kind != Kind::ClusterNetworkPolicy;
    let mut after = inventory.clone();
    after.tiered_policies.retain(|policy| !is_old(policy));
    after.tiered_policies.extend(policies.iter().cloned().map(Arc::new));
    let documents: Vec<String> = policies.iter().map(written::tiered_policy).collect();
    Converted {
        converted: inventory.tiered_policies.iter().filter(|policy| is_old(policy)).count(),
        yaml: documents.join("---\n"),
        losses,
        proof: proof::prove(inventory, &after, settings, now),
        policies,
    }
}

/// The policies of the older version as newer ones, and what those cannot say.
pub fn policies(inventory: &Inventory) -> (Vec<TieredPolicy>, Vec<Loss>) {
    let mut before = inventory.tiered_policies.clone();
    sorted_tiers(&mut before);
    let mut losses = Vec::new();
    let is_old = |policy: &&Arc<TieredPolicy>| policy.meta.reference.kind != Kind::ClusterNetworkPolicy;
    let mut taken: BTreeSet<Name> =
        before.iter().filter(|policy| !is_old(policy)).map(|policy| policy.meta.reference.name.clone()).collect();
    let mut policies: Vec<TieredPolicy> = Vec::new();
    for tier in [Tier::Admin, Tier::Baseline] {
        // What is asked before the next one of the tier, newer ones that stay included.
        let mut next: u16 = 0;
        for policy in before.iter().filter(|policy| policy.tier == tier) {
            if !is_old(&policy) {
                if policy.priority < next {
                    losses.push(out_of_order(policy));
                }
                next = next.max(policy.priority);
                continue;
            }
            for mut part in parts(policy, &mut losses) {
                let priority = part.priority.max(next);
                if priority > LAST_PRIORITY {
                    losses.push(loss(policy, "", format!(
                        "no priority is left behind {LAST_PRIORITY}: the part `{}` shares it, and which is asked first is not defined",
                        part.meta.name()
                    ), Leaves::AlikeForNow));
                }
                part.priority = priority.min(LAST_PRIORITY);
                next = priority.saturating_add(1);
                part.meta.reference.name = free_name(&mut taken, part.meta.name(), tier);
                policies.push(part);
            }
        }
    }
    (policies, losses)
}

fn loss(policy: &TieredPolicy, rule: impl Into<String>, what: impl Into<String>, leaves: Leaves) -> Loss {
    let place = policy.meta.place.clone();
    Loss { object: policy.meta.reference.clone(), rule: rule.into(), place, what: what.into(), leaves }
}

fn out_of_order(policy: &TieredPolicy) -> Loss {
    let what = format!(
        "its priority {} comes before parts of policies that were asked before it: give it a higher one",
        policy.priority
    );
    loss(policy, "", what, Leaves::AlikeForNow)
}

/// A name that no ClusterNetworkPolicy has.
fn free_name(taken: &mut BTreeSet<Name>, name: &str, tier: Tier) -> Name {
    let tier = match tier {
        Tier::Admin => "admin",
        Tier::Baseline => "baseline",
    };
    let others = (2..).map(|number| format!("{name}-{tier}-{number}"));
    let mut names = [name.to_owned(), format!("{name}-{tier}")].into_iter().chain(others);
    let free: Name = names.find(|name| !taken.contains(&**name)).expect("the numbers do not end").into();
    taken.insert(free.clone());
    free
}

/// The policy in as many as its rules need, in order.
fn parts(policy: &TieredPolicy, losses: &mut Vec<Loss>) -> Vec<TieredPolicy> {
    let mut rules = |list: &str, peers: &str, rules: &[TieredRule]| -> Vec<TieredRule> {
        let rules = rules.iter().enumerate();
        rules.flat_map(|(index, rule)| converted(policy, (list, peers, index), rule, losses)).collect()
    };
    let (ingress, egress) = (rules("ingress", "from", &policy.ingress), rules("egress", "to", &policy.egress));
    let count = ingress.len().max(egress.len()).div_ceil(MOST).max(1);
    let chunk = |rules: &[TieredRule], part: usize| {
        rules.iter().skip(part * MOST).take(MOST).cloned().collect::<Vec<TieredRule>>()
    };
    let part = |number: usize| {
        let mut meta = policy.meta.clone();
        meta.reference.kind = Kind::ClusterNetworkPolicy;
        if number > 0 {
            meta.reference.name = format!("{}-{}", meta.reference.name, number + 1).into();
        }
        TieredPolicy {
            meta,
            tier: policy.tier,
            priority: policy.priority,
            subject: policy.subject.clone(),
            ingress: chunk(&ingress, number),
            egress: chunk(&egress, number),
        }
    };
    (0..count).map(part).collect()
}

/// A rule in as many as its peers and ports need: one after the other they match what it matches.
fn converted(
    policy: &TieredPolicy,
    (list, peers, index): (&str, &str, usize),
    rule: &TieredRule,
    losses: &mut Vec<Loss>,
) -> Vec<TieredRule> {
    let name = format!("{list}[{index}]");
    let mut said = |what: String, leaves| {
        losses.push(Loss { place: rule.place.clone(), ..loss(policy, name.clone(), what, leaves) });
    };
    let mut rule = rule.clone();
    if let Some(at) = rule.peers.iter().position(|peer| peer.target == TieredTarget::Unknown) {
        match rule.action {
            TierAction::Accept => {
                said(
                    format!("{peers}[{at}] is of another version of the API, so the rule matches nothing: left out"),
                    Leaves::AlikeForNow,
                );
                return Vec::new();
            }
            TierAction::Deny | TierAction::Pass => {
                rule = everything(list, &rule);
                let leaves = if list == "ingress" { Leaves::MoreOpen } else { Leaves::AlikeForNow };
                said(
                    format!(
                        "{peers}[{at}] is of another version of the API, so the rule denies everything: written as a Deny of all that can be named"
                    ),
                    leaves,
                );
            }
        }
    }
    match &rule.ports {
        Some(ports) if ports.is_empty() => {
            said(
                "its range of ports has no port in it, so it matches nothing: left out".to_owned(),
                Leaves::AlikeForNow,
            );
            return Vec::new();
        }
        Some(_) | None => {}
    }
    let port_parts: Vec<Option<Vec<TieredPort>>> = match &rule.ports {
        None => vec![None],
        Some(ports) => ports.chunks(MOST).map(|chunk| Some(chunk.to_vec())).collect(),
    };
    let peer_parts: Vec<Vec<TieredPeer>> = rule.peers.chunks(MOST).map(<[TieredPeer]>::to_vec).collect();
    let parts = peer_parts.iter().flat_map(|peers| port_parts.iter().map(move |ports| (peers.clone(), ports.clone())));
    parts.map(|(peers, ports)| TieredRule { peers, ports, ..rule.clone() }).collect()
}

/// A Deny of everything that a rule of the list can name.
fn everything(list: &str, rule: &TieredRule) -> TieredRule {
    let every = Selector::default;
    let pods = TieredTarget::Pods(PodScope { namespace_selector: every(), pod_selector: every() });
    let blocks = ["0.0.0.0/0", "::/0"].map(|block| block.parse().expect("the constants are blocks"));
    let targets = match list {
        "ingress" => vec![pods],
        _ => vec![pods, TieredTarget::Nodes(every()), TieredTarget::Networks(blocks.to_vec())],
    };
    let peers = targets.into_iter().map(|target| TieredPeer { place: rule.place.clone(), target });
    TieredRule { action: TierAction::Deny, peers: peers.collect(), ports: None, ..rule.clone() }
}
