//! FROM: who asks, told apart as far as policies do.

use std::net::IpAddr;

use palisade_model::access_policy::Entity;
use palisade_model::link::{End, OWN_NODE, PodEnd, Which};
use palisade_model::object::Name;
use palisade_model::service::Service;
use palisade_policy::dial::BackendEnd;
use palisade_policy::{Model, PodFacts};

use super::Sender;
use super::entity::{apiserver, dns, every_pod, gateways, metadata, nobody, nodes, world};
use super::reference::Reference;
use crate::failure::{Failure, Hint};

pub(super) fn senders(model: &Model, text: &str) -> Result<Vec<Sender>, Failure> {
    if let Ok(address) = text.parse::<IpAddr>() {
        return Ok(plain(vec![(text.to_owned(), End::Address(address))]));
    }
    if let Ok(entity) = text.parse::<Entity>() {
        return of_entity(model, entity, text);
    }
    let reference = Reference::parse(text)?;
    let pods = reference.pods(model, text)?;
    if let Some(service) = reference.service(model, &pods) {
        return behind(model, service, &reference, text);
    }
    if pods.is_empty() {
        return Err(reference.nobody(model, text));
    }
    let (container, program) = reference.process(model, &pods, text)?;
    let base = format!("{}/{}", reference.namespace, reference.shown_name());
    Ok(pods.iter().flat_map(|pod| of_pod(model, pod, &base, &container, &program, text)).collect())
}

fn plain(ends: Vec<(String, End)>) -> Vec<Sender> {
    let sender =
        |(asked, end): (String, End)| Sender { full: asked.clone(), asked, pod: None, is_whole: true, end, node: None };
    ends.into_iter().map(sender).collect()
}

fn of_entity(model: &Model, entity: Entity, text: &str) -> Result<Vec<Sender>, Failure> {
    let senders = match entity {
        Entity::World => plain(world(model)),
        Entity::Metadata => plain(metadata()),
        Entity::Nodes => plain(nodes(model)),
        Entity::Kubelet => plain(vec![("kubelet".to_owned(), End::Node { name: OWN_NODE.into(), address: None })]),
        Entity::Apiserver => plain(apiserver(model)),
        Entity::Gateway => of_pods(model, &gateways(model), text),
        Entity::Dns => of_service(model, dns(model)?, &Which::Unsaid, &Which::Unsaid, text),
        Entity::Cluster => {
            let mut senders = of_pods(model, &every_pod(model), text);
            senders.extend(nodes(model).into_iter().map(|(full, end)| Sender {
                asked: text.to_owned(),
                full,
                pod: None,
                is_whole: true,
                end,
                node: None,
            }));
            senders
        }
    };
    if senders.is_empty() { Err(nobody(entity)) } else { Ok(senders) }
}

/// Pods that something else than their workload's name stands for.
fn of_pods(model: &Model, pods: &[&PodFacts], asked: &str) -> Vec<Sender> {
    let senders = pods.iter().flat_map(|pod| {
        let base = format!("{}/{}", pod.namespace, pod.workload.name);
        of_pod(model, pod, &base, &Which::Unsaid, &Which::Unsaid, asked)
    });
    senders.collect()
}

/// A Service as a sender: whoever stands behind it.
fn behind(model: &Model, service: &Service, reference: &Reference, asked: &str) -> Result<Vec<Sender>, Failure> {
    let pods: Vec<&PodFacts> = model
        .behind(service)
        .into_iter()
        .filter_map(|end| match end {
            BackendEnd::Pod(index) => Some(model.pod(index)),
            BackendEnd::Address(_) => None,
        })
        .collect();
    let (container, program) = reference.process(model, &pods, asked)?;
    let senders = of_service(model, service, &container, &program, asked);
    match senders.is_empty() {
        false => Ok(senders),
        true => Err(Failure::new(format!("nobody stands behind Service `{asked}`"))
            .hint(Hint::Change("its selector matches no pod, and it has no EndpointSlices".into()))),
    }
}

fn of_service(model: &Model, service: &Service, container: &Which, program: &Which, asked: &str) -> Vec<Sender> {
    let senders = model.behind(service).into_iter().flat_map(|end| match end {
        BackendEnd::Pod(index) => {
            let pod = model.pod(index);
            let base = format!("{}/{}", pod.namespace, pod.workload.name);
            of_pod(model, pod, &base, container, program, asked)
        }
        BackendEnd::Address(address) => vec![Sender {
            asked: asked.to_owned(),
            full: address.to_string(),
            pod: None,
            is_whole: true,
            end: End::Address(address),
            node: None,
        }],
    });
    senders.collect()
}

/// The processes of `pod` as senders, each under `base` and what sets it apart.
fn of_pod(model: &Model, pod: &PodFacts, base: &str, container: &Which, program: &Which, asked: &str) -> Vec<Sender> {
    let is_whole = *container == Which::Unsaid && *program == Which::Unsaid;
    let is_named = *base == pod.full_name();
    processes(model, pod, container, program)
        .into_iter()
        .map(|(container, program, detail)| Sender {
            asked: asked.to_owned(),
            full: format!("{base}{detail}"),
            pod: (!is_named).then(|| format!("{}{detail}", pod.full_name())),
            is_whole,
            end: End::Pod(PodEnd {
                namespace: pod.namespace.clone(),
                name: pod.name.clone(),
                container,
                program,
                address: None,
            }),
            node: pod.node.clone(),
        })
        .collect()
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
