//! Rules as ClusterNetworkPolicies of the admin tier: every Deny before every Accept.

use std::collections::BTreeSet;

use palisade_model::access_policy::Action;
use palisade_model::network_policy::NetworkPolicyTarget;
use palisade_model::object::{Kind, Name, ObjectRef};
use palisade_model::port::{PortMatch, PortRule};
use palisade_model::tiered_policy::{
    PodScope, Tier, TierAction, TieredPeer, TieredPolicy, TieredPort, TieredRule, TieredTarget,
};
use palisade_model::verdict::Direction;
use palisade_model::{Place, Selector};

use super::Others;
use crate::consent::new_meta;
use crate::loss::{Leaves, Loss};
use crate::matching::NAMESPACE_NAME_LABEL;
use crate::model::Model;

/// Source: the CRD's `maxItems` of `ingress` and `egress`.
const MOST_RULES: usize = 25;
/// Source: the CRD's `maximum` of `priority`.
const LAST_PRIORITY: u16 = 1000;

/// What was added so far.
#[derive(Default)]
pub(super) struct Tiers {
    denies: Vec<Part>,
    accepts: Vec<Part>,
    pub(super) losses: Vec<Loss>,
}

/// Rules about some pods.
struct Part {
    name: String,
    subject: PodScope,
    direction: Direction,
    rules: Vec<TieredRule>,
    place: Place,
}

impl Tiers {
    /// Adds what it can say, and gives back the rest.
    pub(super) fn add(
        &mut self,
        action: Action,
        (name, direction): (&str, Direction),
        namespace: &Name,
        selector: &Selector,
        others: Vec<Others>,
        place: &Place,
    ) -> Vec<Others> {
        let label = [(NAMESPACE_NAME_LABEL, &**namespace)].into_iter().collect();
        let namespaces = Selector { match_labels: label, ..Selector::default() };
        let subject = PodScope { namespace_selector: namespaces, pod_selector: selector.clone() };
        let (tier_action, parts) = match action {
            Action::Allow => (TierAction::Accept, &mut self.accepts),
            Action::Deny => (TierAction::Deny, &mut self.denies),
        };
        let (mut rules, mut rest) = (Vec::new(), Vec::new());
        for one in others {
            let mut left = Others { peers: Vec::new(), ports: one.ports.clone() };
            for target in one.peers {
                let Some(said) = tiered(&target, direction, &one.ports) else {
                    left.peers.push(target);
                    continue;
                };
                rules.push(TieredRule {
                    place: place.clone(),
                    name: None,
                    action: tier_action,
                    peers: vec![TieredPeer { place: place.clone(), target: said }],
                    ports: ports(&one.ports),
                });
            }
            if !left.peers.is_empty() {
                rest.push(left);
            }
        }
        for rules in rules.chunks(MOST_RULES) {
            let way = match direction {
                Direction::Ingress => "in",
                Direction::Egress => "out",
            };
            let name = format!("{namespace}-{name}-{way}");
            let (subject, rules, place) = (subject.clone(), rules.to_vec(), place.clone());
            parts.push(Part { name, subject, direction, rules, place });
        }
        rest
    }

    /// The policies, behind those of the admin tier that are there.
    pub(super) fn policies(&mut self, model: &Model) -> Vec<TieredPolicy> {
        let admin = model.inventory.tiered_policies.iter().filter(|policy| policy.tier == Tier::Admin);
        let first = admin.map(|policy| policy.priority + 1).max().unwrap_or(0);
        let mut taken: BTreeSet<Name> =
            model.inventory.tiered_policies.iter().map(|policy| policy.meta.reference.name.clone()).collect();
        let (denies, accepts) = (std::mem::take(&mut self.denies), std::mem::take(&mut self.accepts));
        // Those with one action may share a priority: whichever is asked first, the answer is the same.
        let room = usize::from(LAST_PRIORITY.saturating_sub(first));
        let is_shared = denies.len() + accepts.len() > room;
        let (mut next, mut policies) = (first, Vec::new());
        for parts in [denies, accepts] {
            let is_empty = parts.is_empty();
            for part in parts {
                if next > LAST_PRIORITY {
                    self.losses.push(no_room(&part));
                    next = LAST_PRIORITY;
                }
                policies.push(policy(part, next, &mut taken));
                next += u16::from(!is_shared);
            }
            next += u16::from(is_shared && !is_empty);
        }
        policies
    }
}

fn no_room(part: &Part) -> Loss {
    Loss {
        object: ObjectRef { kind: Kind::ClusterNetworkPolicy, namespace: None, name: part.name.as_str().into() },
        rule: String::new(),
        place: part.place.clone(),
        what: format!("no priority is left behind {LAST_PRIORITY} for what has to be asked after the others"),
        leaves: Leaves::MoreClosed,
    }
}

fn policy(part: Part, priority: u16, taken: &mut BTreeSet<Name>) -> TieredPolicy {
    let mut names = std::iter::once(part.name.clone()).chain((2..).map(|number| format!("{}-{number}", part.name)));
    let name: Name = names.find(|name| !taken.contains(&**name)).expect("the numbers do not end").into();
    taken.insert(name.clone());
    let reference = ObjectRef { kind: Kind::ClusterNetworkPolicy, namespace: None, name };
    let (ingress, egress) = match part.direction {
        Direction::Ingress => (part.rules, Vec::new()),
        Direction::Egress => (Vec::new(), part.rules),
    };
    let meta = new_meta(reference, part.place);
    TieredPolicy { meta, tier: Tier::Admin, priority, subject: part.subject, ingress, egress }
}

/// A peer in the words of the admin tier; `None` when it has none for it.
fn tiered(target: &NetworkPolicyTarget, direction: Direction, ports: &[PortRule]) -> Option<TieredTarget> {
    let is_named = ports.iter().any(|rule| matches!(rule.port, PortMatch::Name(_)));
    match target {
        NetworkPolicyTarget::Pods { pod_selector, namespace_selector: Some(namespaces) } => {
            Some(TieredTarget::Pods(PodScope {
                namespace_selector: namespaces.clone(),
                pod_selector: pod_selector.clone().unwrap_or_default(),
            }))
        }
        NetworkPolicyTarget::Pods { namespace_selector: None, .. } => None,
        NetworkPolicyTarget::IpBlock { cidr, except } => {
            let can = direction == Direction::Egress && except.is_empty() && !is_named;
            can.then(|| TieredTarget::Networks(vec![*cidr]))
        }
    }
}

fn ports(rules: &[PortRule]) -> Option<Vec<TieredPort>> {
    let port = |rule: &PortRule| match &rule.port {
        PortMatch::Any => TieredPort::Numbers(rule.protocol, None),
        PortMatch::Range(range) => TieredPort::Numbers(rule.protocol, Some(*range)),
        PortMatch::Name(name) => TieredPort::Name(name.as_str().into()),
    };
    (!rules.is_empty()).then(|| rules.iter().map(port).collect())
}
