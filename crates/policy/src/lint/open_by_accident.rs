//! Policies that look as if they closed, and let everyone in.

use palisade_model::finding::{Finding, Rule, Severity};
use palisade_model::verdict::Direction;

use super::view::View;

/// What the name of a policy has in it that is meant to close.
const CLOSING: [&str; 6] = ["deny", "block", "isolat", "lockdown", "forbid", "reject"];

/// What says that somebody knows that it opens.
const OPENING: [&str; 5] = ["allow", "except", "permit", "but", "open"];

pub(super) fn rule() -> Rule {
    Rule::new(
        "denies-nothing",
        Severity::High,
        "a policy that is named as if it denied lets everyone in",
        "A rule without peers and ports (`- {}`, `- from: []`) lets everyone in, from outside too: an empty list of peers means all. \
         What closes is an empty list of rules.\n\nWrite `ingress: []` with `policyTypes: [Ingress]`.",
    )
}

pub(super) fn find(view: &View<'_>, rule: &Rule) -> Vec<Finding> {
    let open = view.network.iter().filter(|network| network.rule.peers.is_empty() && network.rule.ports.is_empty());
    open.filter(|network| looks_closed(network.policy.meta.name()))
        .map(|network| {
            let (list, peers) = match network.direction {
                Direction::Ingress => ("ingress", "in from everyone"),
                Direction::Egress => ("egress", "out to everyone"),
            };
            let types = match network.direction {
                Direction::Ingress => "Ingress",
                Direction::Egress => "Egress",
            };
            rule.finding(format!("is named as if it denied, and lets all pods that it selects {peers}"))
                .of(&network.policy.meta.reference)
                .part(network.part())
                .at(&network.rule.place)
                .reason("a rule without peers means everyone; what closes is a list without rules")
                .fix_with_yaml(
                    format!("leave the list of {list} rules empty"),
                    format!("policyTypes: [{types}]\n{list}: []\n"),
                )
        })
        .collect()
}

fn looks_closed(name: &str) -> bool {
    let has = |words: &[&str]| words.iter().any(|word| name.contains(word));
    has(&CLOSING) && !has(&OPENING)
}
