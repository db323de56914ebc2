//! FROM: who asks, told apart as far as policies do.

use std::net::IpAddr;

use palisade_model::access_policy::Entity;
use palisade_model::link::{End, OWN_NODE, PodEnd, Which};
use palisade_model::object::Name;
use palisade_policy::{Model, PodFacts};

use super::Sender;
use super::entity::{apiserver, gateways, nodes, too_wide, world};
use super::reference::{Reference, WantedKind};
use crate::failure::{Failure, Hint};

pub(super) fn senders(model: &Model, text: &str) -> Result<Vec<Sender>, Failure> {
    let plain = |ends: Vec<(String, End)>| {
        ends.into_iter()
            .map(|(asked, end)| Sender { full: asked.clone(), asked, pod: None, is_whole: true, end })
            .collect()
    };
    if let Ok(address) = text.parse::<IpAddr>() {
        return Ok(plain(vec![(text.to_owned(), End::Address(address))]));
    }
    if let Ok(entity) = text.parse::<Entity>() {
        return Ok(plain(match entity {
            Entity::World => world(model),
            Entity::Metadata => vec![(text.to_owned(), End::Address(IpAddr::from([169, 254, 169, 254])))],
            Entity::Nodes => nodes(model),
            Entity::Kubelet => vec![("kubelet".to_owned(), End::Node { name: OWN_NODE.into(), address: None })],
            Entity::Apiserver => apiserver(model),
            Entity::Gateway => gateways(model),
            Entity::Dns => return Err(Failure::new("`dns` is only asked: it can stand in TO alone")),
            Entity::Cluster => return Err(too_wide()),
        }));
    }
    let reference = Reference::parse(text)?;
    if reference.kind == WantedKind::Service {
        return Err(Failure::new("a Service only receives: it can stand in TO alone")
            .hint(Hint::Change("name the workload behind it".into())));
    }
    let pods = reference.pods(model);
    if pods.is_empty() {
        return Err(reference.nobody(model, text));
    }
    let (container, program) = reference.process(model, &pods, text)?;
    let base = format!("{}/{}", reference.namespace, reference.shown_name());
    let is_whole = container == Which::Unsaid && program == Which::Unsaid;
    let mut senders = Vec::new();
    for pod in &pods {
        for (container, program, detail) in processes(model, pod, &container, &program) {
            let end = End::Pod(PodEnd {
                namespace: pod.namespace.clone(),
                name: pod.name.clone(),
                container,
                program,
                address: None,
            });
            let full = format!("{base}{detail}");
            let pod = (*pod.name != *reference.name).then(|| format!("{}{detail}", pod.full_name()));
            senders.push(Sender { asked: text.to_owned(), full, pod, is_whole, end });
        }
    }
    Ok(senders)
}

/// The processes of a pod that policies tell apart, within what was asked for.
fn processes(model: &Model, pod: &PodFacts, container: &Which, program: &Which) -> Vec<(Which, Which, String)> {
    let containers: Vec<Name> = match container {
        Which::Named(name) => vec![name.clone()],
        Which::Other => return vec![(Which::Other, Which::Other, ":(other container)".to_owned())],
        Which::Unsaid => model.spec(pod).containers.iter().map(|container| container.name.clone()).collect(),
    };
    let mut processes = Vec::new();
    for container in containers {
        let programs: Vec<Which> = match program {
            Which::Named(path) => vec![Which::Named(path.clone())],
            Which::Other => vec![Which::Other],
            Which::Unsaid => {
                let named = model.named_programs(pod, &container).into_iter().map(Which::Named);
                named.chain([Which::Other]).collect()
            }
        };
        let alone = programs.len() == 1 && *program == Which::Unsaid;
        for program in programs {
            let detail = match &program {
                Which::Named(path) => format!(":{container}:{path}"),
                Which::Other if alone => format!(":{container}"),
                Which::Other | Which::Unsaid => format!(":{container}:(other program)"),
            };
            processes.push((Which::Named(container.clone()), program, detail));
        }
    }
    processes
}
