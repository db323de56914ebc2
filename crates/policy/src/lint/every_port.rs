//! Ranges that are every port.

use palisade_model::finding::{Finding, Rule, Severity};
use palisade_model::object::ObjectRef;
use palisade_model::port::{PortMatch, PortRule};
use palisade_model::{Place, Protocol};

use super::access;
use super::view::View;

pub(super) fn rule() -> Rule {
    Rule::new(
        "every-port",
        Severity::Low,
        "a range of ports is every port",
        "`port: 1` with `endPort: 65535` reads like a limit and is none: it is every port of the protocol.\n\nName the ports that are \
         needed. If every one is meant, leave `port` out, so that a reader sees it.",
    )
}

pub(super) fn find(view: &View<'_>, rule: &Rule) -> Vec<Finding> {
    let mut findings = Vec::new();
    for network in &view.network {
        let ports = network.rule.ports.iter().enumerate();
        let told = |(position, port)| {
            tell(rule, port, &network.policy.meta.reference, network.port_part(position), &network.rule.place)
        };
        findings.extend(ports.filter_map(told));
    }
    for at in access::rules(view.model) {
        let ports = at.rule.ports.iter().enumerate();
        let told = |(position, port)| {
            let part = format!("{}.ports[{position}]", at.part());
            tell(rule, port, &at.policy.meta.reference, part, &at.rule.place)
        };
        findings.extend(ports.filter_map(told));
    }
    findings
}

fn tell(rule: &Rule, port: &PortRule, object: &ObjectRef, part: String, place: &Place) -> Option<Finding> {
    let PortMatch::Range(range) = &port.port else { return None };
    // Nobody listens on port 0.
    if range.first() > 1 || range.last() < u16::MAX {
        return None;
    }
    let all = match port.protocol {
        Protocol::Tcp => "- protocol: TCP\n",
        Protocol::Udp => "- protocol: UDP\n",
        Protocol::Sctp => "- protocol: SCTP\n",
    };
    Some(
        rule.finding(format!("{range} is every {} port", port.protocol))
            .of(object)
            .part(part)
            .at(place)
            .reason("it reads like a limit and is none")
            .fix_with_yaml("name the ports that are needed, or say that all are meant", all),
    )
}
