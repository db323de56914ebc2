//! Ports of Services in the place of the pods'.

use std::collections::BTreeSet;

use palisade_model::finding::{Finding, Rule, Severity};
use palisade_model::object::ObjectRef;
use palisade_model::port::{PortMatch, PortRule};
use palisade_model::{Place, Protocol};

use super::pod_set::PodSet;
use super::view::View;
use super::{access, access::AccessRuleAt};
use crate::model::{Model, PodFacts};

pub(super) fn rule() -> Rule {
    Rule::new(
        "service-port-as-pod-port",
        Severity::High,
        "a rule opens the port of a Service, on which no pod listens",
        "A policy judges what reaches the pod, and a Service's address and port were translated by then. A rule that opens port 80 \
         because the Service has port 80 opens nothing when the pods listen on 8080.\n\nName the pods' port, by number or by name, or \
         in an AccessPolicy name the `service` as the peer: then the ports are the Service's.",
    )
}

pub(super) fn find(view: &View<'_>, rule: &Rule) -> Vec<Finding> {
    let mut findings = Vec::new();
    for network in &view.network {
        let receivers = network.receivers(view);
        for (position, port) in network.rule.ports.iter().enumerate() {
            let Some(mistake) = mistake(view, port, &network.rule.ports, &receivers) else { continue };
            let place = &network.rule.place;
            findings.push(mistake.tell(rule, &network.policy.meta.reference, network.port_part(position), place));
        }
    }
    for at in access::rules(view.model) {
        let receivers = receivers(view, &at);
        for (position, port) in at.rule.ports.iter().enumerate() {
            let Some(mistake) = mistake(view, port, &at.rule.ports, &receivers) else { continue };
            let part = format!("{}.ports[{position}]", at.part());
            findings.push(mistake.tell(rule, &at.policy.meta.reference, part, &at.rule.place));
        }
    }
    findings
}

/// The pods that the peers in `to` mean, but for those behind a `service`, whose ports are meant to be the Service's.
fn receivers(view: &View<'_>, at: &AccessRuleAt<'_>) -> PodSet {
    let peers = at.rule.to.iter().filter(|peer| !access::names_service(peer));
    peers.flat_map(|peer| access::pods(view.model, at.policy, peer)).map(|pod| pod.index).collect()
}

struct Mistake {
    protocol: Protocol,
    port: u16,
    service: ObjectRef,
    service_place: Place,
    targets: BTreeSet<u16>,
    /// The rule opens the right port too.
    is_harmless: bool,
}

impl Mistake {
    fn tell(&self, rule: &Rule, object: &ObjectRef, part: String, place: &Place) -> Finding {
        let Self { protocol, port, service, .. } = self;
        let targets: Vec<String> = self.targets.iter().map(ToString::to_string).collect();
        let targets = targets.join(", ");
        let name = &service.name;
        let mut finding = rule
            .finding(format!("no pod listens on {protocol} {port}: that is the port of Service `{name}`, whose pods listen on {targets}"))
            .of(object)
            .part(part)
            .at(place)
            .reason("a policy judges what reaches the pod, after the Service's address and port were translated")
            .related(&self.service_place, format!("{service} sends {port} to {targets}"));
        if self.is_harmless {
            finding.severity = Severity::Low;
            return finding.fix(format!("remove {port}: the rule opens {targets} already"));
        }
        let entries = self.targets.iter().map(|target| match protocol {
            Protocol::Tcp => format!("- port: {target}\n"),
            Protocol::Udp | Protocol::Sctp => format!("- {{port: {target}, protocol: {protocol}}}\n"),
        });
        finding.fix_with_yaml(format!("open {targets} instead of {port}"), entries.collect::<String>())
    }
}

/// The port is none that a receiver declares, is probed on, or gets from a Service, but one that a Service in front of
/// them translates.
fn mistake(view: &View<'_>, port: &PortRule, all: &[PortRule], receivers: &PodSet) -> Option<Mistake> {
    let model = view.model;
    let PortMatch::Range(range) = &port.port else { return None };
    let number = range.first();
    if number != range.last() {
        return None;
    }
    let mut found: Option<Mistake> = None;
    for index in receivers.iter() {
        let pod = model.pod(index);
        if listens(model, pod, port.protocol, number) {
            return None;
        }
        for position in &view.services[index.0 as usize] {
            let service = &model.inventory.services[*position];
            let translated = service.ports.iter().filter(|candidate| candidate.protocol == port.protocol);
            for candidate in translated {
                let targets = model.target_ports(service, candidate, pod);
                if targets.contains(&number) {
                    return None;
                }
                if candidate.port == number && !targets.is_empty() {
                    let mistake = found.get_or_insert_with(|| Mistake {
                        protocol: port.protocol,
                        port: number,
                        service: service.meta.reference.clone(),
                        service_place: service.meta.place.clone(),
                        targets: BTreeSet::new(),
                        is_harmless: false,
                    });
                    mistake.targets.extend(targets);
                }
            }
        }
    }
    let mut mistake = found?;
    mistake.is_harmless = mistake.targets.iter().all(|target| {
        all.iter().any(|other| match &other.port {
            PortMatch::Any => other.protocol == port.protocol,
            PortMatch::Range(range) => other.protocol == port.protocol && range.contains(*target),
            PortMatch::Name(name) => receivers.iter().any(|index| {
                let mut numbers = model.spec(model.pod(index)).named_port(name, port.protocol);
                other.protocol == port.protocol && numbers.any(|number| number == *target)
            }),
        })
    });
    Some(mistake)
}

fn listens(model: &Model, pod: &PodFacts, protocol: Protocol, port: u16) -> bool {
    let is_declared = model.port_owner(pod, protocol, port).is_some();
    let is_probed = || {
        let mut containers = model.spec(pod).containers.iter();
        protocol == Protocol::Tcp
            && containers.any(|container| container.probes().any(|probe| probe.tcp_port(container) == Some(port)))
    };
    is_declared || is_probed()
}
