//! Allows that have ended, or end soon.

use palisade_model::Timestamp;
use palisade_model::access_policy::Action;
use palisade_model::finding::{Finding, Rule, Severity};

use super::access;
use super::view::View;

/// An Allow that ends within this is told of: two weeks leave time for whoever owns it to be asked.
const SOON_SECONDS: i64 = 14 * 24 * 60 * 60;

pub(super) fn rule() -> Rule {
    Rule::new(
        "allow-expires",
        Severity::Medium,
        "an Allow has ended, or ends within two weeks",
        "An Allow with `expires` opens nothing from that instant on, in the kernel too, whether or not anybody is there to see it. One \
         that has ended only looks as if it opened something; one that ends soon cuts connections then (rated `info`).\n\n\
         Remove what has ended. Renew what is needed, by whoever owns it.",
    )
}

pub(super) fn find(view: &View<'_>, rule: &Rule) -> Vec<Finding> {
    let soon = Timestamp::from_second(view.now.as_second().saturating_add(SOON_SECONDS)).unwrap_or(Timestamp::MAX);
    access::rules(view.model)
        .filter(|at| at.rule.action == Action::Allow)
        .filter_map(|at| {
            let expires = at.rule.expires.filter(|expires| *expires <= soon)?;
            let owner = at.rule.owner.as_deref().map(|owner| format!(" (owner: {owner})")).unwrap_or_default();
            let told = |message: String| {
                rule.finding(message).of(&at.policy.meta.reference).part(at.part()).at(&at.rule.place)
            };
            Some(if expires <= view.now {
                told(format!("this Allow ended at {expires}{owner} and opens nothing"))
                    .reason("nothing opens after `expires`, and what it had opened is cut")
                    .fix("remove the rule, or renew `expires`")
            } else {
                let mut finding = told(format!("this Allow ends at {expires}{owner}"))
                    .reason("connections that it allows are cut at that instant")
                    .fix("have `expires` renewed while the link is needed, or remove the rule");
                finding.severity = Severity::Info;
                finding
            })
        })
        .collect()
}
