//! Denies that never decide.

use std::collections::BTreeSet;

use palisade_model::access_policy::{Action, Mode};
use palisade_model::finding::{Finding, Rule, Severity};
use palisade_model::link::Link;
use palisade_model::port::{PortMatch, PortRange};
use palisade_model::tiered_policy::TieredPort;
use palisade_model::verdict::{Decision, RuleRef, Verdict};
use palisade_model::{Kind, Protocol};

use super::access::{self, AccessRuleAt};
use super::links::{self, EndAt};
use super::view::View;
use crate::model::PodFacts;

/// So many links are asked about before a Deny is left alone. One that fires mostly does so at the first.
const MOST_LINKS: usize = 4_000;

pub(super) fn rule() -> Rule {
    Rule::new(
        "idle-deny",
        Severity::Medium,
        "a Deny never decides",
        "For every pair of pods that the Deny means, and every port at which an answer could change, the admin tier decides before any Deny \
         is asked. Found by asking about each of these links, so it holds for the pods of this input.\n\n\
         Remove it; what an administrator accepts, no namespace can deny.",
    )
}

pub(super) fn find(view: &View<'_>, rule: &Rule) -> Vec<Finding> {
    // Where nothing is asked before a Deny, it decides whatever it covers.
    if view.model.inventory.tiered_policies.is_empty() {
        return Vec::new();
    }
    let boundaries = boundaries(view);
    let denies = access::rules(view.model).filter(|at| at.rule.action == Action::Deny);
    denies.filter_map(|at| idle(view, rule, &at, &boundaries)).collect()
}

/// Every port at which a rule that is asked before a Deny begins or ends.
fn boundaries(view: &View<'_>) -> BTreeSet<u16> {
    let inventory = &view.model.inventory;
    let tiers = inventory.tiered_policies.iter().flat_map(|policy| policy.ingress.iter().chain(&policy.egress));
    let ranges = tiers.flat_map(|rule| rule.ports.iter().flatten()).filter_map(|port| match port {
        TieredPort::Numbers(_, range) => *range,
        TieredPort::Name(_) => None,
    });
    let ends = |range: PortRange| {
        [range.first(), range.last(), range.first().saturating_sub(1), range.last().saturating_add(1)]
    };
    ranges.flat_map(ends).collect()
}

fn idle(view: &View<'_>, rule: &Rule, at: &AccessRuleAt<'_>, boundaries: &BTreeSet<u16>) -> Option<Finding> {
    let (from, to) = (links::ends(view, at, &at.rule.from)?, links::ends(view, at, &at.rule.to)?);
    let mut asked = 0;
    let mut instead: Option<RuleRef> = None;
    for to in &to {
        let ports = ports(view, at, to, boundaries);
        for from in &from {
            for (protocol, port) in &ports {
                asked += 1;
                if asked > MOST_LINKS {
                    return None;
                }
                let link = Link { from: from.end.clone(), to: to.end.clone(), protocol: *protocol, port: *port };
                let judgement = view.model.judge(&link, view.now).ok()?;
                let decision = match at.policy.mode {
                    Mode::Enforce => &judgement.enforced,
                    Mode::Audit => &judgement.would_be,
                };
                instead = instead.or(before(decision)?);
            }
        }
    }
    // A peer that means nobody is told as that; a Deny of a pod to itself alone has nobody before it.
    let instead = instead?;
    let finding = rule
        .finding(format!("this Deny never decides: {} comes first for every link that it means here", instead))
        .of(&at.policy.meta.reference)
        .part(at.part())
        .at(&at.rule.place)
        .reason("the admin tier is asked before any Deny of a namespace")
        .fix("remove it, or have the administrators' rule changed");
    Some(finding.related(&instead.place, instead.to_string()))
}

/// Who decides an end before any Deny is asked; `None` when nobody does, or that is not known.
fn before(decision: &Decision) -> Option<Option<RuleRef>> {
    let mut another = None;
    for verdict in [&decision.egress, &decision.ingress] {
        if let Verdict::Undecided(_) = verdict {
            return None;
        }
        let Some(rule) = verdict.rule() else { continue };
        match rule.object.kind {
            Kind::AdminNetworkPolicy | Kind::ClusterNetworkPolicy => another = another.or(Some(rule.clone())),
            // Also an earlier Deny: the one that is contained in the other is told of.
            Kind::AccessPolicy | Kind::ClusterAccessPolicy => return None,
            _ => {}
        }
    }
    Some(another)
}

/// The ports of the rule at which the answer could change: those of `boundaries` within, its own ends, and what the
/// receiver declares, since a name stands for those.
fn ports(view: &View<'_>, at: &AccessRuleAt<'_>, to: &EndAt<'_>, boundaries: &BTreeSet<u16>) -> Vec<(Protocol, u16)> {
    let declared = |pod: &PodFacts| -> Vec<(Protocol, u16)> {
        let containers = view.model.spec(pod).containers.iter().flat_map(|container| &container.ports);
        containers.map(|port| (port.protocol, port.number)).collect()
    };
    let declared = to.pod.map(declared).unwrap_or_default();
    let within = |protocol: Protocol, range: PortRange| {
        let inside = boundaries.iter().copied().filter(move |port| range.contains(*port));
        let ends = [range.first(), range.last()].into_iter();
        let own =
            declared.iter().filter(move |(own, port)| *own == protocol && range.contains(*port)).map(|(_, port)| *port);
        inside.chain(ends).chain(own).map(move |port| (protocol, port)).collect::<Vec<_>>()
    };
    let mut ports: BTreeSet<(Protocol, u16)> = BTreeSet::new();
    if at.rule.ports.is_empty() || at.rule.to.iter().any(access::names_service) {
        ports.extend(Protocol::ALL.into_iter().flat_map(|protocol| within(protocol, PortRange::ALL)));
    }
    for port in &at.rule.ports {
        match &port.port {
            PortMatch::Any => ports.extend(within(port.protocol, PortRange::ALL)),
            PortMatch::Range(range) => ports.extend(within(port.protocol, *range)),
            PortMatch::Name(name) => {
                let numbers = to.pod.into_iter().flat_map(|pod| view.model.spec(pod).named_port(name, port.protocol));
                ports.extend(numbers.map(|number| (port.protocol, number)));
            }
        }
    }
    ports.into_iter().collect()
}
