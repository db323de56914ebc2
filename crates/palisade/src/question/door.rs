//! TO a door: an Ingress, a Gateway, a route, or a host. Each leg on the way is a question of its own: to whoever serves
//! the door, and from there to the Service behind it.

use std::net::IpAddr;

use palisade_model::Timestamp;
use palisade_model::verdict::Missing;
use palisade_policy::doors::{Door, DoorKind, Opening, PodNetwork, ServedBy, Source, for_request};
use palisade_policy::{Model, PodIndex};

use super::receiver::served;
use super::{Question, Receivers, Sender, Target};
use crate::answer::Answer;
use crate::failure::{Failure, Hint, listed};

/// A door as the user names it.
enum Wanted {
    /// The kind in lower case, and `namespace/name`.
    Object {
        kind: &'static str,
        name: String,
    },
    Host {
        host: String,
        path: Option<String>,
    },
}

/// What users call the kinds; the first is the kind's own name in lower case.
const KINDS: [&[&str]; 7] = [
    &["ingress", "ingresses", "ing"],
    &["gateway", "gateways", "gtw"],
    &["httproute", "httproutes"],
    &["grpcroute", "grpcroutes"],
    &["tlsroute", "tlsroutes"],
    &["tcproute", "tcproutes"],
    &["udproute", "udproutes"],
];

impl Wanted {
    fn parse(model: &Model, text: &str) -> Option<Self> {
        if let [namespace, kind, name] = text.split('/').collect::<Vec<_>>()[..]
            && let Some(kind) = KINDS.iter().find(|aliases| aliases.contains(&kind))
        {
            return Some(Self::Object { kind: kind[0], name: format!("{namespace}/{name}") });
        }
        // No namespace has a dot, and a pod of the namespace `default` comes first.
        let (host, path) = text.split_once('/').map_or((text, None), |(host, path)| (host, Some(format!("/{path}"))));
        let is_host = host.contains('.') && !text.contains(':') && text.parse::<IpAddr>().is_err();
        let is_pod = model.pod_named("default", text).is_some();
        (is_host && !is_pod).then(|| Self::Host { host: host.to_owned(), path })
    }

    fn openings<'o>(&self, openings: &'o [Opening]) -> Vec<&'o Opening> {
        let is_named = |door: &Door, kind: &str, name: &str| {
            let object = format!("{}/{}", door.object.namespace.as_deref().unwrap_or_default(), door.object.name);
            let gateway = door.gateway.as_deref().and_then(|gateway| gateway.split(' ').next());
            match kind {
                "gateway" => gateway == Some(name),
                kind => door.object.kind.as_str().to_lowercase() == kind && object == name,
            }
        };
        match self {
            Self::Object { kind, name } => {
                openings.iter().filter(|opening| is_named(&opening.door, kind, name)).collect()
            }
            Self::Host { host, path } => for_request(openings, host, path.as_deref()),
        }
    }
}

/// The questions on the way from `from` through the door `to`; `None` when `to` is no door.
///
/// # Errors
/// When no such door is in the input, or `from` means nothing in it.
pub(super) fn legs(model: &Model, from: &str, to: &str, now: Timestamp) -> Result<Option<Vec<Question>>, Failure> {
    let Some(wanted) = Wanted::parse(model, to) else { return Ok(None) };
    let doors = model.doors(PodNetwork::Private);
    let openings = wanted.openings(&doors.openings);
    if openings.is_empty() {
        let notes = doors
            .notes
            .iter()
            .map(ToString::to_string)
            .filter(|note| note.contains(to.rsplit('/').next().unwrap_or(to)));
        let failure = Failure::new(format!("no door `{to}` that leads anywhere is in the input"));
        let known: Vec<String> = known(&doors.openings);
        let failure = notes.fold(failure, |failure, note| failure.hint(Hint::Change(note)));
        return Err(match known.is_empty() {
            true => failure,
            false => failure.hint(Hint::Change(format!("there are {}", listed(known.iter().map(String::as_str))))),
        });
    }
    let senders = super::senders(model, from)?;
    let mut legs = Legs { model, senders, questions: Vec::new(), now, entered: Vec::new() };
    for opening in openings {
        legs.add(opening, &doors.openings)?;
    }
    Ok(Some(legs.questions))
}

/// The doors that can be asked for by name.
fn known(openings: &[Opening]) -> Vec<String> {
    let served = openings.iter().filter(|opening| opening.served_by.is_some());
    let mut names: Vec<String> = served
        .map(|opening| {
            let object = &opening.door.object;
            let kind = object.kind.as_str().to_lowercase();
            format!("{}/{kind}/{}", object.namespace.as_deref().unwrap_or_default(), object.name)
        })
        .collect();
    names.dedup();
    names
}

/// Of a leg from a gateway the answers that count: the door works when one of its processes gets through.
pub(super) fn best(answers: Vec<Answer>) -> Vec<Answer> {
    const ORDER: [&str; 3] = ["allowed", "undecided", "denied"];
    let rank = |answer: &Answer| ORDER.iter().position(|word| *word == answer.verdict);
    let best = answers.iter().map(rank).min();
    answers.into_iter().filter(|answer| Some(rank(answer)) == best).collect()
}

struct Legs<'m> {
    model: &'m Model,
    senders: Vec<Sender>,
    questions: Vec<Question>,
    now: Timestamp,
    /// The ways to who serves a door that were asked about.
    entered: Vec<String>,
}

impl Legs<'_> {
    fn add(&mut self, opening: &Opening, all: &[Opening]) -> Result<(), Failure> {
        let target = self.behind(opening);
        match opening.served_by.as_ref() {
            Some(ServedBy::Pods { pods, .. }) => {
                pods.iter().for_each(|pod| self.enter(*pod, all));
                let senders = self.gateways(pods)?;
                self.push(senders, target);
            }
            Some(ServedBy::Provider { .. }) => {
                let translating = opening.door.service.as_ref().map(|service| service.name.clone());
                self.push(self.senders.clone(), Target { translating, ..target });
            }
            Some(ServedBy::Unknown) | None => {
                let missing = Missing::Controller { door: opening.door.object.to_string() };
                self.push(self.senders.clone(), Target { receivers: Receivers::Unknown(missing), ..target });
            }
        }
        Ok(())
    }

    fn push(&mut self, senders: Vec<Sender>, target: Target) {
        self.questions.push(Question { senders, targets: vec![target], now: self.now });
    }

    /// From outside to a pod that serves a door, by each door of its own.
    fn enter(&mut self, pod: PodIndex, all: &[Opening]) {
        for opening in all.iter().filter(|opening| opening.served_by.is_none()) {
            let Ok(backends) = &opening.backends else { continue };
            let is_behind = backends.iter().any(|backend| backend.end == palisade_policy::dial::BackendEnd::Pod(pod));
            let target = self.behind(opening);
            let key = format!("{} {}", target.name, target.port);
            if is_behind && !self.entered.contains(&key) {
                self.entered.push(key);
                let translating = match opening.door.source {
                    Source::Kept => None,
                    Source::Perhaps => opening.door.service.as_ref().map(|service| service.name.clone()),
                };
                self.push(self.senders.clone(), Target { translating, ..target });
            }
        }
    }

    fn gateways(&self, pods: &[PodIndex]) -> Result<Vec<Sender>, Failure> {
        let mut names: Vec<String> = pods
            .iter()
            .map(|index| {
                let pod = self.model.pod(*index);
                let kind = pod.workload.kind.aliases()[0];
                format!("{}/{kind}/{}", pod.namespace, pod.workload.name)
            })
            .collect();
        names.sort();
        names.dedup();
        let mut senders = Vec::new();
        for name in names {
            senders.extend(super::senders(self.model, &name)?);
        }
        Ok(senders)
    }

    /// What is behind a door, dialled by its own port.
    fn behind(&self, opening: &Opening) -> Target {
        let door = &opening.door;
        let receivers = match &opening.backends {
            Ok(backends) => Receivers::Service(backends.iter().map(|backend| served(self.model, backend)).collect()),
            Err(missing) => Receivers::Unknown(missing.clone()),
        };
        let port = match (&opening.served_by, &door.service) {
            (Some(_), Some(service)) => service.port,
            _ => door.port.unwrap_or_default(),
        };
        Target::new(name(door), door.protocol, port, receivers)
    }
}

/// The Service behind a door, and the door.
fn name(door: &Door) -> String {
    let service =
        door.service.as_ref().map_or_else(|| door.object.to_string(), |service| service.name.replacen('/', "/svc/", 1));
    let by = match door.kind {
        DoorKind::LoadBalancer => "its load balancer".to_owned(),
        DoorKind::NodePort => "every node".to_owned(),
        DoorKind::ExternalIp => door.addresses.join(", "),
        DoorKind::HostPort => "hostPort".to_owned(),
        DoorKind::HostNetwork => "host network".to_owned(),
        DoorKind::PodAddress => "its own address".to_owned(),
        DoorKind::Ingress | DoorKind::Gateway => {
            let hosts: Vec<&str> = door.hosts.iter().map(|host| &**host).collect();
            let hosts = if hosts.is_empty() { "any host".to_owned() } else { hosts.join(", ") };
            format!("{}, {hosts} {}", door.object, door.matches.join(" or ")).trim_end().to_owned()
        }
    };
    format!("{service} (by {by})")
}
