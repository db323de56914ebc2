//! What could be changed to open a link or to close it: one object or one field each.

mod access;
mod closing;
mod network;
mod tiers;

use std::sync::Arc;

use palisade_model::access_policy::{Action, Entity};
use palisade_model::inventory::Inventory;
use palisade_model::link::Link;
use palisade_model::object::{Kind, Name, ObjectRef};
use palisade_model::pod::Pod;
use palisade_model::port::{PortMatch, PortRange, PortRule, Protocol};
use palisade_model::verdict::{Because, Direction, Verdict};
use palisade_model::workload::WorkloadKind;
use palisade_model::{IpNet, Labels, Place, Selector};

use super::object::{Object, ObjectChange};
use super::part::pod_object;
use super::{Edit, EditAction};
use crate::closing::Closing;
use crate::consent::{self, Grant};
use crate::judge::{Objects, deciding_pod};
use crate::matching::{self, NAMESPACE_NAME_LABEL, Side};
use crate::model::{Closer, Model, PodFacts};
use crate::party::{Party, Situation};
use crate::workloads::same_workload;
use crate::written;

pub(super) use self::closing::closing;

/// Of one end, so many of the policies that close it are looked at, and so many rules of each.
const MOST_POLICIES: usize = 4;
const MOST_RULES: usize = 12;

/// A change that may do.
#[derive(Clone, Debug)]
pub(super) struct Candidate {
    pub(super) changes: Vec<ObjectChange>,
    pub(super) edits: Vec<Edit>,
}

impl Candidate {
    fn one(change: ObjectChange, field: impl Into<String>, place: &Place, action: EditAction) -> Self {
        let object = change.object();
        let reference = object.meta().reference.clone();
        let edit = Edit { object: reference, place: Some(place.clone()), field: field.into(), action, note: None };
        Self { changes: vec![change], edits: vec![edit] }
    }

    fn note(mut self, note: impl Into<String>) -> Self {
        if let Some(edit) = self.edits.first_mut() {
            edit.note = Some(note.into());
        }
        self
    }

    /// Both, unless they are about one object: the second would undo the first.
    pub(super) fn and(&self, other: &Self) -> Option<Self> {
        let is_apart = self.edits.iter().all(|one| other.edits.iter().all(|another| one.object != another.object));
        is_apart.then(|| Self {
            changes: self.changes.iter().chain(&other.changes).cloned().collect(),
            edits: self.edits.iter().chain(&other.edits).cloned().collect(),
        })
    }
}

/// One end of a link that is to be opened or closed.
pub(super) struct Asked<'a, 'm> {
    pub(super) model: &'m Model,
    pub(super) situation: &'a Situation<'m>,
    pub(super) direction: Direction,
    /// The pod that decides.
    pub(super) pod: &'m PodFacts,
    pub(super) protocol: Protocol,
    pub(super) port: u16,
    pub(super) grant: Grant,
}

impl<'a, 'm> Asked<'a, 'm> {
    pub(super) fn new(
        model: &'m Model,
        situation: &'a Situation<'m>,
        direction: Direction,
        link: &Link,
        grant: Grant,
    ) -> Option<Self> {
        let pod = deciding_pod(situation, direction)?;
        Some(Self { model, situation, direction, pod, protocol: link.protocol, port: link.port, grant })
    }

    /// The side of the other end.
    fn other_side(&self) -> Side {
        match self.direction {
            Direction::Ingress => Side::From,
            Direction::Egress => Side::To,
        }
    }

    fn other(&self) -> &Party<'m> {
        self.situation.party(self.other_side())
    }

    /// `ingress` and `from`, or `egress` and `to`.
    fn lists(&self) -> (&'static str, &'static str) {
        match self.direction {
            Direction::Ingress => ("ingress", "from"),
            Direction::Egress => ("egress", "to"),
        }
    }

    fn port_rule(&self) -> PortRule {
        PortRule { protocol: self.protocol, port: PortMatch::Range(PortRange::single(self.port)) }
    }

    /// The policies that close it.
    fn closers(&self) -> Vec<Closer> {
        let closing = Closing::new(self.model, self.pod, self.situation, self.direction, Objects::Enforced);
        closing.all().take(MOST_POLICIES).collect()
    }
}

/// What could open an end that says `verdict`, likely slips of the pen first.
pub(super) fn opening(asked: &Asked<'_, '_>, verdict: &Verdict) -> Vec<Candidate> {
    match verdict {
        Verdict::Allow(_) | Verdict::Undecided(_) => Vec::new(),
        Verdict::Deny(Because::Rule { rule }) => match rule.object.kind {
            Kind::AccessPolicy | Kind::ClusterAccessPolicy => access::without_deny(asked, rule).into_iter().collect(),
            _ => tiers::against(asked, rule),
        },
        Verdict::Deny(_) => {
            let mut candidates = Vec::new();
            for closer in asked.closers() {
                match closer {
                    Closer::NetworkPolicy(position) => candidates.extend(network::opening(asked, position)),
                    Closer::Perimeter(position) => candidates.extend(excepting(asked, position)),
                }
            }
            candidates.extend(access::opening(asked));
            candidates.extend(by_new_object(asked, Action::Allow));
            candidates
        }
    }
}

/// An AccessPolicy of the end's namespace with a rule for this link alone.
fn by_new_object(asked: &Asked<'_, '_>, action: Action) -> Option<Candidate> {
    let policy = consent::proposal(asked.model, asked.situation, &asked.pod.namespace, asked.grant, action)?;
    let edit = Edit {
        object: policy.meta.reference.clone(),
        place: None,
        field: String::new(),
        action: EditAction::Create { yaml: written::access_policy(&policy) },
        note: None,
    };
    Some(Candidate { changes: vec![ObjectChange::added(Object::AccessPolicy(policy))], edits: vec![edit] })
}

/// A Perimeter that lets one more well-known party through.
fn excepting(asked: &Asked<'_, '_>, position: usize) -> Option<Candidate> {
    const WELL_KNOWN: [Entity; 4] = [Entity::Dns, Entity::Kubelet, Entity::Apiserver, Entity::Gateway];
    let perimeter = asked.model.perimeter(position);
    let is = |entity: &Entity| matching::entity_is(asked.model, *entity, asked.situation, asked.other_side());
    let entity = WELL_KNOWN.into_iter().find(is)?;
    let mut after = perimeter.clone();
    after.except.push(entity);
    let change = ObjectChange::new(Object::Perimeter(perimeter.clone()), Object::Perimeter(after));
    let action = EditAction::Add { value: entity.to_string() };
    Some(Candidate::one(change, "except", &perimeter.meta.place, action))
}

/// Ports of a rule that would mean the link's as well, as (the new list, which entry, what is done, why).
type PortFix = (Vec<PortRule>, Option<usize>, EditAction, Option<String>);

fn port_fixes(asked: &Asked<'_, '_>, ports: &[PortRule]) -> Vec<PortFix> {
    let mut fixes: Vec<PortFix> = Vec::new();
    let receiver = match &asked.situation.to {
        Party::Pod { pod, .. } => Some(*pod),
        Party::Node { .. } | Party::Address { .. } => None,
    };
    for (position, rule) in ports.iter().enumerate() {
        let (instead, note) = match &rule.port {
            PortMatch::Range(range) if rule.protocol == asked.protocol && range.first() == range.last() => {
                let service = receiver.and_then(|pod| service_port(asked, pod, range.first()));
                let Some(service) = service else { continue };
                let note = format!(
                    "{} is the port of Service {service}; policies see the port of the pod, {}",
                    range.first(),
                    asked.port
                );
                (asked.port_rule(), note)
            }
            PortMatch::Range(range) if rule.protocol != asked.protocol && range.contains(asked.port) => {
                let instead = PortRule { protocol: asked.protocol, port: rule.port.clone() };
                (instead, format!("the link is {}", asked.protocol))
            }
            PortMatch::Name(name) if rule.protocol == asked.protocol => {
                let Some(own) = receiver.and_then(|pod| name_of_port(asked, pod)) else { continue };
                let note = format!("{} declares no port `{name}` for {}", shown(receiver), asked.port);
                (PortRule { protocol: asked.protocol, port: PortMatch::Name(own) }, note)
            }
            PortMatch::Range(_) | PortMatch::Name(_) | PortMatch::Any => continue,
        };
        let action = EditAction::Replace {
            was: written::in_line(&written::port(rule)),
            becomes: written::in_line(&written::port(&instead)),
        };
        let mut after = ports.to_vec();
        after[position] = instead;
        fixes.push((after, Some(position), action, Some(note)));
    }
    let mut after = ports.to_vec();
    after.push(asked.port_rule());
    let value = written::in_line(&written::port(&asked.port_rule()));
    fixes.push((after, None, EditAction::Add { value }, None));
    fixes
}

fn shown(pod: Option<&PodFacts>) -> String {
    pod.map_or_else(String::new, PodFacts::full_name)
}

/// The Service before `pod` of which `dialled` is a port that leads to the link's.
fn service_port(asked: &Asked<'_, '_>, pod: &PodFacts, dialled: u16) -> Option<String> {
    let model = asked.model;
    let positions = model.services_before(pod);
    let mut services = positions.iter().map(|position| &model.inventory.services[*position]);
    let leads = services.find(|service| {
        let mut ports = service.ports.iter().filter(|port| port.port == dialled && port.protocol == asked.protocol);
        ports.any(|port| model.target_ports(service, port, pod).contains(&asked.port))
    });
    leads.map(|service| format!("{}/{}", service.meta.namespace(), service.meta.name()))
}

fn name_of_port(asked: &Asked<'_, '_>, pod: &PodFacts) -> Option<String> {
    let ports = asked.model.spec(pod).containers.iter().flat_map(|container| &container.ports);
    let mut own = ports.filter(|port| (port.protocol, port.number) == (asked.protocol, asked.port));
    own.find_map(|port| port.name.as_deref().map(str::to_owned))
}

/// The namespace of `pod` by the label that each has.
fn namespace_by_name(pod: &PodFacts) -> Selector {
    let labels = [(NAMESPACE_NAME_LABEL, &*pod.namespace)].into_iter().collect();
    Selector { match_labels: labels, ..Selector::default() }
}

/// Labels that mean the pods of the workload of `pod`, as its controller selects them.
pub(crate) fn labels_of(model: &Model, pod: &PodFacts) -> Selector {
    let of_workload = workload_object(&model.inventory, pod).map(|position| &model.inventory.workloads[position]);
    let selector = of_workload.and_then(|workload| workload.selector.clone());
    if let Some(selector) = selector.filter(|selector| !selector.is_empty() && selector.matches(&pod.labels)) {
        return selector;
    }
    Selector { match_labels: telling_labels(&pod.labels), ..Selector::default() }
}

/// The labels that say what a pod is, without those that say which revision or replica.
fn telling_labels(labels: &Labels) -> Labels {
    const NAMES: [&str; 5] = ["app.kubernetes.io/name", "app", "k8s-app", "name", "component"];
    const OF_REPLICAS: [&str; 8] = [
        "pod-template-hash",
        "controller-revision-hash",
        "statefulset.kubernetes.io/pod-name",
        "apps.kubernetes.io/pod-index",
        "batch.kubernetes.io/controller-uid",
        "batch.kubernetes.io/job-name",
        "controller-uid",
        "job-name",
    ];
    let name = NAMES.into_iter().find_map(|key| labels.0.get_key_value(key));
    if let Some((key, value)) = name {
        return Labels([(key.clone(), value.clone())].into());
    }
    let telling = labels.0.iter().filter(|(key, _)| !OF_REPLICAS.contains(&&***key));
    Labels(telling.map(|(key, value)| (key.clone(), value.clone())).collect())
}

/// The position of the object of the workload of `pod`.
fn workload_object(inventory: &Inventory, pod: &PodFacts) -> Option<usize> {
    let kind = match pod.workload.kind {
        WorkloadKind::Pod => return None,
        kind => kind.kind(),
    };
    let reference = ObjectRef { kind, namespace: Some(pod.namespace.clone()), name: pod.workload.name.clone() };
    inventory.workloads.binary_search_by(|candidate| candidate.meta.reference.cmp(&reference)).ok()
}

/// `pod`, and the others of its workload, with a label; `None` when only its controller could say it.
fn relabelled(asked: &Asked<'_, '_>, pod: &PodFacts, key: &Name, value: &Name) -> Option<Candidate> {
    let inventory = &asked.model.inventory;
    let with = |labels: &Labels| {
        let mut labels = labels.clone();
        labels.0.insert(key.clone(), value.clone());
        labels
    };
    let pod_with = |pod: &Pod| {
        let mut pod = pod.clone();
        pod.meta.labels = with(&pod.meta.labels);
        pod
    };
    let (change, field) = match workload_object(inventory, pod) {
        Some(position) => {
            let before = &*inventory.workloads[position];
            let mut after = before.clone();
            after.labels = with(&before.labels);
            let own = asked.model.pods().iter().filter(|other| same_workload(other, pod));
            let pods: Vec<&Pod> = own
                .filter_map(|other| pod_object(inventory, other))
                .map(|position| &*inventory.pods[position])
                .collect();
            let object = |workload, pods| Object::Workload(Box::new(workload), pods);
            let before = object(before.clone(), pods.iter().map(|pod| (*pod).clone()).collect());
            let field = match pod.workload.kind {
                WorkloadKind::CronJob => "spec.jobTemplate.spec.template.metadata.labels",
                _ => "spec.template.metadata.labels",
            };
            (ObjectChange::new(before, object(after, pods.into_iter().map(pod_with).collect())), field)
        }
        None if pod.workload.kind == WorkloadKind::Pod && pod.workload.name == pod.name => {
            let before = &*inventory.pods[pod_object(inventory, pod)?];
            let (before, after) = (before.clone(), pod_with(before));
            (ObjectChange::new(Object::Pod(Box::new(before)), Object::Pod(Box::new(after))), "metadata.labels")
        }
        None => return None,
    };
    let action = match change.object().labels().value(key) {
        Some(was) => EditAction::Replace { was: label(key, was), becomes: label(key, value) },
        None => EditAction::Add { value: label(key, value) },
    };
    let place = change.object().meta().place.clone();
    Some(Candidate::one(change, field, &place, action))
}

/// The namespace of `pod` with a label.
fn relabelled_namespace(asked: &Asked<'_, '_>, pod: &PodFacts, key: &Name, value: &Name) -> Option<Candidate> {
    if &**key == NAMESPACE_NAME_LABEL {
        return None;
    }
    let mut namespaces = asked.model.inventory.namespaces.iter().map(Arc::as_ref);
    let before = namespaces.find(|one| one.meta.reference.name == pod.namespace)?;
    let mut after = before.clone();
    after.meta.labels.0.insert(key.clone(), value.clone());
    let action = match before.meta.labels.value(key) {
        Some(was) => EditAction::Replace { was: label(key, was), becomes: label(key, value) },
        None => EditAction::Add { value: label(key, value) },
    };
    let change = ObjectChange::new(Object::Namespace(before.clone()), Object::Namespace(after));
    Some(Candidate::one(change, "metadata.labels", &before.meta.place, action))
}

fn label(key: &str, value: &str) -> String {
    format!("{}: {}", written::yaml::quoted(key), written::yaml::quoted(value))
}

/// The only label that `selector` asks for and `labels` lack, and its value.
fn only_missing(selector: &Selector, labels: &Labels) -> Option<(Name, Name)> {
    let mut missing = selector.match_labels.0.iter().filter(|(key, value)| labels.value(key) != Some(value));
    let (key, value) = missing.next()?;
    let others = missing.next().is_none() && selector.match_expressions.iter().all(|one| one.matches(labels));
    others.then(|| (key.clone(), value.clone()))
}

/// `selector` with one value as the pods have it, where that is a slip of the pen away.
fn corrected(selector: &Selector, labels: &Labels) -> Option<(Selector, String)> {
    let (key, value) = crate::findings::nearest_label(selector, std::iter::once(labels))?;
    let mut after = selector.clone();
    let note = format!("did you mean `{key}: {value}`?");
    after.match_labels.0.insert(key, value);
    Some((after, note))
}

/// An address of the other end as a block: the whole outside when `world` was asked about.
fn block_of(asked: &Asked<'_, '_>) -> Option<IpNet> {
    match asked.other() {
        Party::Pod { .. } => None,
        Party::Node { addresses, .. } => match addresses.as_slice() {
            [address] => Some(IpNet::from(*address)),
            _ => None,
        },
        Party::Address { address, .. } if asked.model.world_address(address.is_ipv4()) == Some(*address) => {
            let all = if address.is_ipv4() { "0.0.0.0/0" } else { "::/0" };
            Some(all.parse().expect("a constant"))
        }
        Party::Address { address, .. } => Some(IpNet::from(*address)),
    }
}
