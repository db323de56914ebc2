//! Answers of ends joined to the answers of links, over time, as the kernel reads them.

use palisade_model::Timestamp;
use palisade_model::settings::MixedServices;
use palisade_model::verdict::{Decision, Direction, Judgement, Missing, RuleRef, Verdict};

use super::{CompiledDecision, CompiledVerdict, DecisionId, Reason, ServiceVerdict, ServiceWord, reason};
use crate::classes::end_decisions::{EndDecision, EndDecisionId, EndDecisions, VerdictId};
use crate::classes::interner::Interner;
use crate::maps::HashMap;
use crate::model::Model;

/// The answers of the sender's end and of the receiver's.
pub(super) type LinkEnds = (EndDecisionId, EndDecisionId);

/// Numbers answers.
pub(super) struct Decisions<'m> {
    model: &'m Model,
    now: Timestamp,
    pub(super) ends: EndDecisions,
    links: HashMap<LinkEnds, DecisionId>,
    receivers: HashMap<EndDecisionId, DecisionId>,
    /// By what becomes of them when their answers differ.
    services: [HashMap<Vec<LinkEnds>, DecisionId>; 2],
    link_verdicts: HashMap<(VerdictId, VerdictId), CompiledVerdict>,
    pub(super) decisions: Interner<CompiledDecision>,
    pub(super) rules: Interner<RuleRef>,
    pub(super) missing: Interner<Missing>,
}

impl<'m> Decisions<'m> {
    pub(super) fn new(model: &'m Model, now: Timestamp) -> Self {
        Self {
            model,
            now,
            ends: EndDecisions::default(),
            links: HashMap::default(),
            receivers: HashMap::default(),
            services: [HashMap::default(), HashMap::default()],
            link_verdicts: HashMap::default(),
            decisions: Interner::default(),
            rules: Interner::default(),
            missing: Interner::default(),
        }
    }

    /// The answer of both ends.
    pub(super) fn of_link(&mut self, ends: LinkEnds) -> DecisionId {
        if let Some(id) = self.links.get(&ends) {
            return *id;
        }
        let id = self.over_time(&[ends.0, ends.1], |decisions, ends| {
            let [egress, ingress] = [ends[0], ends[1]].map(|id| decisions.ends.end(id).clone());
            let enforced = decisions.link_verdict(egress.enforced, ingress.enforced);
            (enforced, decisions.link_verdict(egress.would_be, ingress.would_be))
        });
        self.links.insert(ends, id);
        id
    }

    /// The answer of the receiver's end alone.
    pub(super) fn of_receiver(&mut self, ingress: EndDecisionId) -> DecisionId {
        if let Some(id) = self.receivers.get(&ingress) {
            return *id;
        }
        let id = self.over_time(&[ingress], |decisions, ends| {
            let EndDecision { enforced, would_be, .. } = decisions.ends.end(ends[0]).clone();
            let mut compiled = |id: VerdictId| {
                let verdict = decisions.ends.verdict(id).clone();
                decisions.compiled(&verdict, Direction::Ingress)
            };
            (compiled(enforced), compiled(would_be))
        });
        self.receivers.insert(ingress, id);
        id
    }

    /// The answer of a Service's port, by its backends' answers in order; `mixed` when they differ.
    pub(super) fn of_service(&mut self, mut backends: Vec<LinkEnds>, mixed: MixedServices) -> DecisionId {
        if backends.is_empty() {
            return self.fixed(Reason::NoEndpoints);
        }
        // What counts is the first answer, and whether all agree.
        let first = backends[0];
        backends[1..].sort_unstable_by_key(|(egress, ingress)| (egress.0, ingress.0));
        backends.dedup();
        let mut position = 0;
        backends.retain(|ends| {
            position += 1;
            position == 1 || *ends != first
        });
        if let Some(id) = self.services[mixed as usize].get(&backends) {
            return *id;
        }
        let ends: Vec<EndDecisionId> = backends.iter().flat_map(|(egress, ingress)| [*egress, *ingress]).collect();
        let id = self.over_time(&ends, |decisions, ends| decisions.service_verdicts(ends, mixed));
        self.services[mixed as usize].insert(backends, id);
        id
    }

    /// Refused for `reason`, whoever asks.
    pub(super) fn fixed(&mut self, reason: Reason) -> DecisionId {
        let verdict = fixed_verdict(reason);
        DecisionId(self.decisions.intern(CompiledDecision { enforced: verdict, would_be: verdict, expires: None }))
    }

    fn service_verdicts(&mut self, ends: &[EndDecisionId], mixed: MixedServices) -> (CompiledVerdict, CompiledVerdict) {
        let verdict = |id: VerdictId| self.ends.verdict(id).clone();
        let answers: Vec<Judgement> = ends
            .chunks_exact(2)
            .map(|ends| {
                let [egress, ingress] = [self.ends.end(ends[0]), self.ends.end(ends[1])];
                let decision = |of: fn(&EndDecision) -> VerdictId| Decision {
                    egress: verdict(of(egress)),
                    ingress: verdict(of(ingress)),
                };
                Judgement { enforced: decision(|end| end.enforced), would_be: decision(|end| end.would_be) }
            })
            .collect();
        let ServiceVerdict { enforced, would_be } = self.model.service_verdict(&answers);
        let mut compiled = |word, of: fn(&Judgement) -> &Decision| match word {
            ServiceWord::Mixed => match mixed {
                MixedServices::Refused => fixed_verdict(Reason::ServiceMixed),
                MixedServices::JudgedOnThePacket => {
                    CompiledVerdict { allowed: true, ..fixed_verdict(Reason::ServiceMixed) }
                }
            },
            ServiceWord::Allowed | ServiceWord::Denied | ServiceWord::NoEndpoints => {
                let (end, verdict) = of(&answers[0]).link();
                self.compiled(verdict, end)
            }
        };
        (compiled(enforced, |answer| &answer.enforced), compiled(would_be, |answer| &answer.would_be))
    }

    /// What `judge` says of the answers of `ends` now, chained to what it says when one of them changes.
    fn over_time(
        &mut self,
        ends: &[EndDecisionId],
        mut judge: impl FnMut(&mut Self, &[EndDecisionId]) -> (CompiledVerdict, CompiledVerdict),
    ) -> DecisionId {
        let mut moments = vec![(self.now, ends.to_vec())];
        while let Some((_, current)) = moments.last() {
            let Some(next) =
                current.iter().filter_map(|id| self.ends.end(*id).expires).map(|(instant, _)| instant).min()
            else {
                break;
            };
            let following = current.iter().map(|id| match self.ends.end(*id).expires {
                Some((instant, after)) if instant == next => after,
                Some(_) | None => *id,
            });
            let following = following.collect();
            moments.push((next, following));
        }
        let mut later: Option<(Timestamp, DecisionId)> = None;
        for (instant, ends) in moments.into_iter().rev() {
            let (enforced, would_be) = judge(self, &ends);
            let unchanged = later.filter(|(_, id)| {
                let next = self.decisions.value(id.0);
                (next.enforced, next.would_be) == (enforced, would_be)
            });
            let id = match unchanged {
                Some((_, id)) => id,
                None => DecisionId(self.decisions.intern(CompiledDecision { enforced, would_be, expires: later })),
            };
            later = Some((instant, id));
        }
        later.expect("now is one of the moments").1
    }

    fn link_verdict(&mut self, egress: VerdictId, ingress: VerdictId) -> CompiledVerdict {
        if let Some(verdict) = self.link_verdicts.get(&(egress, ingress)) {
            return *verdict;
        }
        let [of_sender, of_receiver] = [egress, ingress].map(|id| self.ends.verdict(id).clone());
        let decision = Decision { egress: of_sender, ingress: of_receiver };
        let (end, verdict) = decision.link();
        let verdict = self.compiled(verdict, end);
        self.link_verdicts.insert((egress, ingress), verdict);
        verdict
    }

    fn compiled(&mut self, verdict: &Verdict, end: Direction) -> CompiledVerdict {
        let (reason, missing) = match verdict {
            Verdict::Allow(because) | Verdict::Deny(because) => (reason(because), None),
            Verdict::Undecided(missing) => (Reason::Undecided, Some(self.missing.intern(missing.clone()))),
        };
        let rule = verdict.rule().map(|rule| self.rules.intern(rule.clone()));
        CompiledVerdict { allowed: verdict.is_allow(), reason, rule, missing, end }
    }
}

fn fixed_verdict(reason: Reason) -> CompiledVerdict {
    CompiledVerdict { allowed: false, reason, rule: None, missing: None, end: Direction::Egress }
}
