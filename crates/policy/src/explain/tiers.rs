//! Why a tier answers as it does, or hands the link on.

use palisade_model::Selector;
use palisade_model::tiered_policy::{PodScope, Tier, TieredTarget};
use palisade_model::verdict::Direction;

use super::{RuleAction, RuleExplanation, plain_reason, render_party, render_pods_mismatch, selector_hint};
use crate::matching::{Match, Side, WhyNot};
use crate::model::{Model, PodFacts};
use crate::party::{Party, Situation};
use crate::tiers::{Selecting, TierOutcome, rules_of, tier_ref};

impl Model {
    /// The rules of a tier up to the one that ends it: no other is asked.
    pub(super) fn explain_tier(
        &self,
        pod: &PodFacts,
        tier: Tier,
        situation: &Situation<'_>,
        direction: Direction,
    ) -> Vec<RuleExplanation> {
        let (side, list) = match direction {
            Direction::Ingress => (Side::From, "from"),
            Direction::Egress => (Side::To, "to"),
        };
        let mut explained = Vec::new();
        if situation.own_address {
            return explained;
        }
        for Selecting { position, missing } in pod.tier(tier) {
            let policy = &self.inventory.tiered_policies[*position];
            for (index, rule) in rules_of(policy, direction).iter().enumerate() {
                let (outcome, matches) = self.tier_rule(policy, index, rule, situation, direction);
                let selected = missing.clone().map_or(Match::Yes, Match::Unknown);
                let action = match outcome {
                    TierOutcome::Deny(_) => RuleAction::Deny,
                    TierOutcome::Accept(_) | TierOutcome::Next => rule.action.into(),
                };
                let mut reference = tier_ref(policy, index, rule, 0, direction);
                let (covers, why_not) = match selected.and(|| matches) {
                    Match::Yes => {
                        if let TierOutcome::Accept(rule) | TierOutcome::Deny(rule) = outcome {
                            reference = rule;
                        }
                        let (covers, why_not) = (Some(true), Vec::new());
                        explained.push(RuleExplanation {
                            rule: reference,
                            action,
                            covers,
                            why_not,
                            hint: None,
                            is_passed_over: false,
                        });
                        return explained;
                    }
                    Match::No(_) => (Some(false), Vec::new()),
                    Match::Unknown(missing) => (None, vec![missing.to_string()]),
                };
                let mut one =
                    RuleExplanation { rule: reference, action, covers, why_not, hint: None, is_passed_over: false };
                (one.rule.from_peer, one.rule.to_peer) = (None, None);
                let party = situation.party(side);
                let answers: Vec<Match> = rule.peers.iter().map(|peer| self.tier_peer(&peer.target, party)).collect();
                if answers.iter().all(|answer| matches!(answer, Match::No(_))) {
                    for (position, (peer, answer)) in rule.peers.iter().zip(answers).enumerate() {
                        let Match::No(why) = answer else { continue };
                        let text = render_tier_mismatch(why, &peer.target, party);
                        one.why_not.push(format!("{list}[{position}] {text}"));
                        if let TieredTarget::Pods(scope) = &peer.target {
                            one.hint = one.hint.or_else(|| selector_hint(Some(&scope.pod_selector), party, why));
                        }
                    }
                }
                if let Match::No(why) = self.tier_ports(rule.ports.as_deref(), situation) {
                    one.why_not.push(render_tier_ports(why, situation));
                }
                explained.push(one);
            }
        }
        explained
    }
}

fn render_tier_mismatch(why: WhyNot, target: &TieredTarget, party: &Party<'_>) -> String {
    let whom = render_party(party);
    match target {
        TieredTarget::Pods(PodScope { namespace_selector, pod_selector }) => {
            let pods = (*pod_selector != Selector::default()).then_some(pod_selector);
            render_pods_mismatch(why, pods, Some(namespace_selector), "", party)
        }
        TieredTarget::Nodes(selector) => format!("nodes `{selector}`: {}", plain_reason(why, &whom)),
        TieredTarget::Networks(blocks) => {
            let blocks: Vec<String> = blocks.iter().map(ToString::to_string).collect();
            format!("networks {}: {}", blocks.join(", "), plain_reason(why, &whom))
        }
        TieredTarget::DomainNames(names) => {
            format!("domainNames {}: not resolved yet, so they match nothing", names.join(", "))
        }
        TieredTarget::Unknown => plain_reason(why, &whom),
    }
}

fn render_tier_ports(why: WhyNot, situation: &Situation<'_>) -> String {
    let detail = match why {
        WhyNot::NamedPortMissing => ", and the receiver declares no port of that name",
        WhyNot::NamedPortOfOther => ", and only pods have ports with names",
        _ => "",
    };
    format!("its ports are not {}{detail}", situation.transport)
}
