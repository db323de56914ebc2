//! What is odd about the policies of administrators.

use palisade_model::Problem;
use palisade_model::tiered_policy::{PodScope, Tier, TieredPolicy, TieredTarget};

use super::{guarded_pods, is_met, means_nobody, selects_nothing};
use crate::matching::{Match, namespace_selector};
use crate::model::{Model, PodFacts};
use crate::tiers::scope_selects;

pub(super) fn of_policy(model: &Model, policy: &TieredPolicy) -> Vec<Problem> {
    let mut problems = matches_nothing(model, policy);
    problems.extend(without_means(policy));
    problems
}

fn matches_nothing(model: &Model, policy: &TieredPolicy) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut check = |scope: &PodScope, place, word: &str| {
        if is_met(model, &scope.namespace_selector, &scope.pod_selector) {
            return;
        }
        let message =
            format!("{word} `{}` in namespaces `{}` matches no pod", scope.pod_selector, scope.namespace_selector);
        let in_namespaces =
            |pod: &&PodFacts| !matches!(namespace_selector(&scope.namespace_selector, pod), Match::No(_));
        let pods: Vec<&PodFacts> = guarded_pods(model).filter(in_namespaces).collect();
        problems.push(match word {
            "peer" => means_nobody(&policy.meta, place, message, &scope.pod_selector, &pods),
            _ => selects_nothing(&policy.meta, place, message, &scope.pod_selector, &pods),
        });
    };
    check(&policy.subject, &policy.meta.place, "subject");
    for peer in policy.ingress.iter().chain(&policy.egress).flat_map(|rule| &rule.peers) {
        if let TieredTarget::Pods(scope) = &peer.target {
            check(scope, &peer.place, "peer");
        }
    }
    problems
}

fn without_means(policy: &TieredPolicy) -> impl Iterator<Item = Problem> {
    let peers = policy.egress.iter().flat_map(|rule| &rule.peers);
    peers.filter(|peer| matches!(peer.target, TieredTarget::DomainNames(_))).map(|peer| {
        Problem::warning("not-judged-yet", "`domainNames` are not resolved yet: this peer matches nothing")
            .at(&peer.place)
            .of(policy.meta.reference.clone())
    })
}

/// The API leaves open which of two policies is asked first. Told of the second, where both select one pod.
pub(super) fn equal_priorities(model: &Model) -> Vec<(&TieredPolicy, Problem)> {
    let mut problems = Vec::new();
    let policies = &model.inventory.tiered_policies;
    for (first, second) in policies.iter().zip(policies.iter().skip(1)) {
        let is_equal = (first.tier, first.priority) == (second.tier, second.priority);
        let both = |pod: &&PodFacts| {
            [first, second].iter().all(|policy| !matches!(scope_selects(&policy.subject, pod), Match::No(_)))
        };
        if let (true, Some(pod)) = (is_equal, guarded_pods(model).find(both)) {
            let tier = match first.tier {
                Tier::Admin => "admin",
                Tier::Baseline => "baseline",
            };
            let message = format!(
                "has priority {} of the {tier} tier as {} has, and both select `{}`: which is asked first is not defined, here by kind and name",
                second.priority,
                first.meta.reference,
                pod.full_name()
            );
            let problem = Problem::warning("equal-priority", message)
                .at(&second.meta.place)
                .of(second.meta.reference.clone())
                .hint("give each policy a priority of its own");
            problems.push((&**second, problem));
        }
    }
    problems
}
