//! Pods whose probes a Perimeter refuses.

use std::collections::BTreeMap;

use palisade_model::finding::{Finding, Rule, Severity};
use palisade_model::link::{End, Link, OWN_NODE, PodEnd, Which};
use palisade_model::pod::ContainerRole;
use palisade_model::verdict::{Because, Direction, Verdict};
use palisade_model::{Kind, ObjectRef, Protocol};

use super::view::View;
use crate::model::PodFacts;

pub(super) fn rule() -> Rule {
    Rule::new(
        "probes-forgotten",
        Severity::High,
        "a Perimeter refuses the kubelet's probes",
        "The kubelet asks a pod's probes over the network, from the pod's node. A NetworkPolicy lets the own node in by itself; a \
         Perimeter does not. Without `except: [kubelet]` the pods are never ready, or are restarted for ever.\n\n\
         Add `kubelet` to `except`.",
    )
}

pub(super) fn find(view: &View<'_>, rule: &Rule) -> Vec<Finding> {
    let mut refused: BTreeMap<ObjectRef, Vec<(&PodFacts, u16)>> = BTreeMap::new();
    for pod in view.model.pods().iter().filter(|pod| pod.decides() && !view.model.spec(pod).host_network) {
        if let Some((perimeter, port)) = refused_probe(view, pod) {
            refused.entry(perimeter).or_default().push((pod, port));
        }
    }
    let perimeters = view.model.inventory.perimeters.iter();
    perimeters
        .filter_map(|perimeter| {
            let pods = refused.get(&perimeter.meta.reference)?;
            let (first, port) = pods.first()?;
            let more = if pods.len() > 1 { format!(" and {} more", pods.len() - 1) } else { String::new() };
            let finding = rule
                .finding(format!("the probe of `{}` on port {port}{more} is refused", first.full_name()))
                .of(&perimeter.meta.reference)
                .at(&perimeter.meta.place)
                .reason("the kubelet asks from the pod's own node, which a Perimeter closes out like anybody else")
                .fix_with_yaml("add `kubelet` to `except`", "except: [kubelet]\n");
            Some(finding.related(&first.place, first.full_name()))
        })
        .collect()
}

/// The Perimeter that closes out a probe, and the port.
fn refused_probe(view: &View<'_>, pod: &PodFacts) -> Option<(ObjectRef, u16)> {
    if pod.closers(Direction::Ingress).is_empty() {
        return None;
    }
    let containers = view.model.spec(pod).containers.iter();
    let containers = containers.filter(|container| container.role != ContainerRole::Ephemeral);
    let mut ports = containers.flat_map(|container| container.probes().filter_map(|probe| probe.tcp_port(container)));
    ports.find_map(|port| {
        let to = PodEnd {
            namespace: pod.namespace.clone(),
            name: pod.name.clone(),
            container: Which::Unsaid,
            program: Which::Unsaid,
            address: None,
        };
        let from = End::Node { name: OWN_NODE.into(), address: None };
        let link = Link { from, to: End::Pod(to), protocol: Protocol::Tcp, port };
        let judgement = view.model.judge(&link, view.now).ok()?;
        let Verdict::Deny(Because::Closed { .. }) = judgement.enforced.ingress else { return None };
        let closers = pod
            .closers(Direction::Ingress)
            .iter()
            .filter(|closer| view.model.closer_mode(**closer) == palisade_model::access_policy::Mode::Enforce);
        let mut closers = closers.map(|closer| view.model.closer_ref(*closer, Direction::Ingress).object);
        closers
            .find(|object| matches!(object.kind, Kind::Perimeter | Kind::ClusterPerimeter))
            .map(|object| (object, port))
    })
}
