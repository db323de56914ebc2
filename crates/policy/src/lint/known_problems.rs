//! Problems that loader and model find, as rules: how bad each is, and why.

use palisade_model::finding::{Finding, Rule, Severity};
use palisade_model::{Effect, Problem};

/// The rules for problems that change no answer, by their code.
pub(super) fn rules() -> Vec<Rule> {
    vec![
        Rule::new(
            "selector-matches-nothing",
            Severity::Medium,
            "a policy selects no pod",
            "The policy guards nobody. Most often a label is misspelt, or was renamed in the workload and not in the policy; the pods that \
             were meant are open.\n\nCorrect the selector. A policy for pods that come later is fine: suppress the finding there.",
        ),
        Rule::new(
            "peer-matches-nothing",
            Severity::Medium,
            "a peer means no pod",
            "The rule opens, or denies, nothing by this peer. Most often a label is misspelt or was renamed; who should get through is \
             refused.\n\nCorrect the peer, or remove it.",
        ),
        Rule::new(
            "peer-not-in-input",
            Severity::Info,
            "a peer means pods of namespaces that have none in the input",
            "No pod of the input lies in a namespace that the peer could mean, so whether anybody provides it cannot be told.\n\n\
             Give the other namespace's manifests too, to have the peer checked.",
        ),
        Rule::new(
            "missing-namespace",
            Severity::Low,
            "a policy lies in a namespace that has no object",
            "The input has other Namespace objects, but none of this name. Either the name is misspelt, and the policy guards nobody, or \
             the labels of the namespace are not known, and what a `namespaceSelector` asks of them is undecided.\n\n\
             Correct the name, or add the Namespace to the input.",
        ),
        Rule::new(
            "equal-priority",
            Severity::Medium,
            "two policies of a tier have one priority",
            "Which of the two is asked first is not defined by the API: another implementation, or the next version of this one, may \
             decide otherwise.\n\nGive each policy a priority of its own.",
        ),
        Rule::new(
            super::host_network::RULE,
            Severity::Medium,
            "a policy selects pods on their node's network",
            "A pod on its node's network is its node for every policy: no selector closes it, none lets it in.\n\nGuard the node itself, name \
             it as `entity: nodes`, or take `hostNetwork` away from the pod.",
        ),
        Rule::new(
            "not-judged-yet",
            Severity::Medium,
            "a rule whose means are not there yet",
            "The rule is read and checked, and grants nothing, until names or requests can be judged.\n\nUntil then name addresses or pods.",
        ),
        Rule::new(
            "empty-peer-list",
            Severity::High,
            "an empty list of peers or ports, which means all",
            "`from: []` reads like \"from nobody\" and means everyone, from outside too; `ports: []` means every port. What closes is an \
             empty list of rules: `ingress: []`.\n\nRemove the rule to close, or the empty list if all are meant.",
        ),
    ]
}

/// `problem` as a finding; one that can change answers is worse than its rule.
pub(super) fn finding(problem: &Problem, rules: &[Rule]) -> Finding {
    let mut finding = Finding::from(problem);
    if let Some(rule) = rules.iter().find(|rule| *rule.id == *problem.code) {
        if problem.effect == Effect::Harmless {
            finding.severity = rule.severity;
        }
        finding.reason = reason(problem.code).map(str::to_owned);
    }
    finding
}

/// Why it matters, in a line.
fn reason(code: &str) -> Option<&'static str> {
    match code {
        "selector-matches-nothing" => Some("the policy guards nobody, and who was meant is open"),
        "peer-matches-nothing" => Some("the rule opens, or denies, nothing by this peer"),
        "peer-not-in-input" => Some("whether anybody provides it cannot be told from this input"),
        "missing-namespace" => {
            Some("only the name label of such a namespace is known: what depends on others is undecided")
        }
        "equal-priority" => {
            Some("the API leaves open which is asked first: another implementation may decide otherwise")
        }
        super::host_network::RULE => {
            Some("a pod on its node's network is its node for every policy: no selector closes it, none lets it in")
        }
        "not-judged-yet" => Some("the means to judge it are not there yet"),
        "empty-peer-list" => Some("an empty list means all; what closes is an empty list of rules"),
        _ => None,
    }
}
