//! Allows that a Deny takes back as a whole.

use palisade_model::access_policy::Action;
use palisade_model::finding::{Finding, Rule, Severity};

use super::access::{self, AccessRuleAt};
use super::contained_rule;
use super::containing::Containing;
use super::view::View;

pub(super) fn rule() -> Rule {
    Rule::new(
        "overridden-allow",
        Severity::Medium,
        "an Allow is covered by a Deny as a whole",
        "A Deny wins over every Allow, whatever their order. An Allow whose links a Deny covers, all of them, opens nothing.\n\n\
         Remove the Allow, or narrow the Deny.",
    )
}

pub(super) fn find(view: &View<'_>, rule: &Rule) -> Vec<Finding> {
    let (denies, allows): (Vec<AccessRuleAt<'_>>, Vec<_>) =
        access::rules(view.model).partition(|at| at.rule.action == Action::Deny);
    let index = Containing::new(&denies);
    let overridden =
        allows.iter().filter_map(|allow| Some((allow, contained_rule::overriding(view, allow, (&denies, &index))?)));
    overridden
        .map(|(allow, deny)| {
            let deny_text = format!("{} {}", deny.policy.meta.reference, deny.part());
            rule.finding(format!("this Allow opens nothing: {deny_text} denies all that it covers"))
                .of(&allow.policy.meta.reference)
                .part(allow.part())
                .at(&allow.rule.place)
                .reason("a Deny wins over every Allow, whatever their order")
                .fix("remove the Allow, or narrow the Deny")
                .related(&deny.rule.place, deny_text)
        })
        .collect()
}
