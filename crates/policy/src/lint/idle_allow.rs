//! Allows for pods that nothing closes.

use palisade_model::access_policy::{Action, Entity, Peer, PeerTarget};
use palisade_model::finding::{Finding, Rule, Severity};
use palisade_model::tiered_policy::Tier;
use palisade_model::verdict::Direction;

use super::access::{self, AccessRuleAt};
use super::view::View;
use crate::model::PodFacts;

pub(super) fn rule() -> Rule {
    Rule::new(
        "idle-allow",
        Severity::Low,
        "an Allow opens what nothing closes",
        "A pod is open until a Perimeter or a NetworkPolicy closes it; an Allow never closes anything. Nothing closes the pods of this \
         rule in its direction, so it changes nothing, and the pods are as open to everyone else.\n\nAdd a Perimeter if only this link \
         is meant to be open.",
    )
}

pub(super) fn find(view: &View<'_>, rule: &Rule) -> Vec<Finding> {
    let allows = access::rules(view.model).filter(|at| at.rule.action == Action::Allow && at.grants(view.now));
    allows
        .filter_map(|at| {
            let open = open_end(view, &at)?;
            let finding = rule
                .finding(format!("nothing closes `{}`: this Allow changes nothing", open.full_name()))
                .of(&at.policy.meta.reference)
                .part(at.part())
                .at(&at.rule.place)
                .reason("an Allow opens what a Perimeter or a NetworkPolicy closes, and never closes anything itself")
                .related(&open.place, open.full_name());
            Some(match at.namespace() {
                Some(namespace) => finding.fix_with_yaml(
                    "close the pods, if only what is allowed is meant to be open",
                    format!(
                        "apiVersion: palisade.dev/v1alpha1\nkind: Perimeter\nmetadata: {{name: default, namespace: {namespace}}}\nspec:\n  \
                         subject: {{selector: {{}}}}\n  except: [dns, kubelet]\n"
                    ),
                ),
                None => finding.fix("close the pods with a ClusterPerimeter, if only what is allowed is meant to be open"),
            })
        })
        .collect()
}

/// One of the ends that the rule acts on, when all of them are open.
fn open_end<'m>(view: &View<'m>, at: &AccessRuleAt<'m>) -> Option<&'m PodFacts> {
    // Whoever else is a pod by these words is not looked for.
    if at.rule.from.iter().chain(&at.rule.to).any(|peer| may_be_any_pod(&peer.target)) {
        return None;
    }
    let mut found = None;
    for (peers, direction) in [(&at.rule.from, Direction::Egress), (&at.rule.to, Direction::Ingress)] {
        for pod in ends(view, at, peers) {
            if !is_open(view, pod, direction) {
                return None;
            }
            found = found.or(Some(pod));
        }
    }
    found
}

fn may_be_any_pod(target: &PeerTarget) -> bool {
    match target {
        PeerTarget::Entity(entity) => match entity {
            Entity::Cluster | Entity::Gateway | Entity::Dns | Entity::Apiserver => true,
            Entity::World | Entity::Nodes | Entity::Kubelet | Entity::Metadata => false,
        },
        PeerTarget::Pods(_) | PeerTarget::Cidr { .. } | PeerTarget::Fqdn(_) => false,
    }
}

fn ends<'m>(view: &View<'m>, at: &AccessRuleAt<'m>, peers: &'m [Peer]) -> impl Iterator<Item = &'m PodFacts> + use<'m> {
    let (model, at, own) = (view.model, *at, at.namespace());
    let pods = peers.iter().flat_map(move |peer| access::pods_by_fields(model, at, peer));
    pods.filter(move |pod| pod.decides() && own.is_none_or(|own| *own == pod.namespace))
}

/// Nothing closes it, nothing may, and no baseline denies: in Audit neither.
fn is_open(view: &View<'_>, pod: &PodFacts, direction: Direction) -> bool {
    pod.closers(direction).is_empty()
        && pod.maybe_closers(direction).is_empty()
        && pod.tier(Tier::Baseline).is_empty()
        && view.model.unreadable_for(pod, false).is_none()
}
