//! Ports by a name that no receiver has.

use std::collections::BTreeSet;

use palisade_model::finding::{Finding, Rule, Severity};
use palisade_model::object::ObjectRef;
use palisade_model::port::{PortMatch, PortRule};
use palisade_model::{Name, Place};

use super::access;
use super::pod_set::PodSet;
use super::view::View;
use crate::model::Model;

pub(super) fn rule() -> Rule {
    Rule::new(
        "named-port-of-nobody",
        Severity::Medium,
        "a rule names a port that no receiving pod has",
        "The name of a port is looked up on the pod that is reached, name and protocol both. Where no container declares it, the rule \
         opens nothing there, and nothing says so. The name of a Service's port is another thing.\n\nName the port as the container \
         declares it, or by number.",
    )
}

pub(super) fn find(view: &View<'_>, rule: &Rule) -> Vec<Finding> {
    let mut findings = Vec::new();
    for network in &view.network {
        let of = |position| network.port_part(position);
        let receivers = || network.receivers(view);
        let told = (&network.policy.meta.reference, &network.rule.place);
        findings.extend(nobody(view.model, rule, &network.rule.ports, receivers, told, of));
    }
    for at in access::rules(view.model) {
        // The ports of a rule to a Service are the Service's.
        if at.rule.to.iter().any(access::names_service) {
            continue;
        }
        let of = |position| format!("{}.ports[{position}]", at.part());
        let pods = at.rule.to.iter().flat_map(|peer| access::pods(view.model, at.policy, peer));
        let receivers = || pods.map(|pod| pod.index).collect();
        let told = (&at.policy.meta.reference, &at.rule.place);
        findings.extend(nobody(view.model, rule, &at.rule.ports, receivers, told, of));
    }
    findings
}

fn nobody(
    model: &Model,
    rule: &Rule,
    ports: &[PortRule],
    receivers: impl FnOnce() -> PodSet,
    (object, place): (&ObjectRef, &Place),
    part: impl Fn(usize) -> String,
) -> Vec<Finding> {
    let names = ports.iter().enumerate().filter_map(|(position, port)| match &port.port {
        PortMatch::Name(name) => Some((position, port.protocol, name)),
        PortMatch::Any | PortMatch::Range(_) => None,
    });
    let mut names = names.peekable();
    if names.peek().is_none() {
        return Vec::new();
    }
    let receivers = receivers();
    // Peers that mean nobody are told as that; whoever means everyone names nobody to look at.
    let Some(first) = receivers.iter().next() else { return Vec::new() };
    let first = model.pod(first);
    names
        .filter(|(_, protocol, name)| {
            let mut specs = receivers.iter().map(|pod| model.spec(model.pod(pod)));
            !specs.any(|spec| spec.named_port(name, *protocol).next().is_some())
        })
        .map(|(position, protocol, name)| {
            let finding = rule
                .finding(format!("no pod that the rule opens declares a {protocol} port `{name}`"))
                .of(object)
                .part(part(position))
                .at(place)
                .reason(
                    "a port's name is looked up on the pod that is reached; where it is not, the rule opens nothing",
                )
                .related(&first.place, first.full_name());
            let declared = declared(model, &receivers);
            match declared.is_empty() {
                true => finding.fix("give the port its number, or the container's port this name"),
                false => finding.fix(format!("the pods declare {}: name one of these", declared.join(", "))),
            }
        })
        .collect()
}

/// The ports that the receivers declare, by name where they have one; a handful.
fn declared(model: &Model, receivers: &PodSet) -> Vec<String> {
    const SHOWN: usize = 6;
    let containers = receivers.iter().flat_map(|pod| &model.spec(model.pod(pod)).containers);
    let ports: BTreeSet<String> = containers
        .flat_map(|container| &container.ports)
        .map(|port| {
            let name: Option<&Name> = port.name.as_ref();
            name.map_or_else(|| port.number.to_string(), |name| format!("`{name}` ({}/{})", port.number, port.protocol))
        })
        .take(1_000)
        .collect();
    ports.into_iter().take(SHOWN).collect()
}
