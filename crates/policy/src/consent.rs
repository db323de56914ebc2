//! The objects that would open what is closed, ready to apply.
//!
//! A rule opens only ends of its own namespace: a link between two namespaces whose ends are both
//! closed needs one object in each. What is shown has been evaluated: with the objects added the
//! link is allowed.

use palisade_model::access_policy::{
    AccessPolicy, AccessRule, Action, Entity, Mode, Peer, PeerTarget, PodPeer, WorkloadRef,
};
use palisade_model::link::Link;
use palisade_model::object::{Kind, Meta, Name, ObjectRef};
use palisade_model::port::{PortMatch, PortRange, PortRule, Protocol};
use palisade_model::verdict::{Because, Direction, Judgement, Verdict};
use palisade_model::{IpNet, Labels, Place};
use serde::Serialize;

use crate::explain::render_party;
use crate::matching::{self, Side};
use crate::model::{Model, PodFacts};
use crate::party::{AddressKind, Party, Situation, Transport};
use crate::written;

/// Whom the proposed objects name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Grant {
    /// The sender's workload, whichever container and program it is.
    Workload,
    /// The sender's container and program.
    Process,
}

/// An object that would open an end.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Consent {
    /// The object.
    pub object: ObjectRef,
    /// The ends that it opens.
    pub opens: Vec<Direction>,
    /// It in YAML.
    pub yaml: String,
}

/// What would open the ends that are closed; empty when none is, or when a Deny or something
/// unknown stands in the way.
pub(crate) fn propose(
    model: &Model,
    situation: &Situation<'_>,
    link: &Link,
    judgement: &Judgement,
    grant: Grant,
) -> Vec<(AccessPolicy, Vec<Direction>)> {
    let ends = [(Direction::Egress, &judgement.enforced.egress), (Direction::Ingress, &judgement.enforced.ingress)];
    let closed: Vec<Direction> = ends
        .iter()
        .filter(|(_, verdict)| match verdict {
            Verdict::Deny(Because::Closed { .. }) => true,
            // What the baseline tier denies, an Allow opens: it is asked last.
            Verdict::Deny(Because::Rule { rule }) => model.is_of_baseline(rule),
            Verdict::Deny(_) | Verdict::Allow(_) | Verdict::Undecided(_) => false,
        })
        .map(|(direction, _)| *direction)
        .collect();
    let mut namespaces: Vec<(Name, Vec<Direction>)> = Vec::new();
    for direction in closed {
        let Some(pod) = crate::judge::deciding_pod(situation, direction) else { continue };
        match namespaces.iter_mut().find(|(namespace, _)| *namespace == pod.namespace) {
            Some((_, opens)) => opens.push(direction),
            None => namespaces.push((pod.namespace.clone(), vec![direction])),
        }
    }
    let proposed: Option<Vec<(AccessPolicy, Vec<Direction>)>> = namespaces
        .into_iter()
        .map(|(namespace, opens)| Some((proposal(model, situation, &namespace, grant, Action::Allow)?, opens)))
        .collect();
    let proposed = proposed.unwrap_or_default();
    let policies: Vec<AccessPolicy> = proposed.iter().map(|(policy, _)| policy.clone()).collect();
    if model.opens_with(situation, link, &policies) { proposed } else { Vec::new() }
}

impl Consent {
    pub(crate) fn new(policy: &AccessPolicy, opens: Vec<Direction>) -> Self {
        Self { object: policy.meta.reference.clone(), opens, yaml: written::access_policy(policy) }
    }
}

/// The object of `namespace` that would open its end, in YAML, not evaluated: for many links at once.
pub(crate) fn sketch(model: &Model, situation: &Situation<'_>, namespace: &Name, grant: Grant) -> Option<String> {
    proposal(model, situation, namespace, grant, Action::Allow).map(|policy| written::access_policy(&policy))
}

/// An AccessPolicy of `namespace` with one rule for just this link.
pub(crate) fn proposal(
    model: &Model,
    situation: &Situation<'_>,
    namespace: &Name,
    grant: Grant,
    action: Action,
) -> Option<AccessPolicy> {
    let place = Place::new("(proposed)", 0);
    let peer =
        |side| Some(Peer { place: place.clone(), target: target(model, situation, side, Some(namespace), grant)? });
    let (from, to) = (peer(Side::From)?, peer(Side::To)?);
    let object = ObjectRef {
        kind: Kind::AccessPolicy,
        namespace: Some(namespace.clone()),
        name: free_name(model, situation, namespace, action),
    };
    let ports = match situation.transport {
        Transport::Port { protocol, port } => {
            vec![PortRule { protocol, port: PortMatch::Range(PortRange::single(port)) }]
        }
        Transport::Portless | Transport::AnyPort(_) => Vec::new(),
    };
    let rule = AccessRule {
        place: place.clone(),
        name: None,
        action,
        from: vec![from],
        to: vec![to],
        ports,
        http: Vec::new(),
        expires: None,
        owner: None,
        reason: None,
    };
    Some(AccessPolicy { meta: new_meta(object, place), mode: Mode::Enforce, rules: vec![rule] })
}

/// The metadata of an object that is not there yet.
pub(crate) fn new_meta(reference: ObjectRef, place: Place) -> Meta {
    Meta { reference, place, labels: Labels::default(), annotations: Labels::default(), uid: None, owner: None }
}

/// A name that no AccessPolicy of the namespace has: applying the proposal replaces nothing. It has the
/// port, so that proposals for several ports do not replace each other either.
fn free_name(model: &Model, situation: &Situation<'_>, namespace: &Name, action: Action) -> Name {
    let port = match situation.transport {
        Transport::Port { protocol: Protocol::Tcp, port } => format!("-{port}"),
        Transport::Port { protocol, port } => format!("-{port}-{}", protocol.as_str().to_ascii_lowercase()),
        Transport::Portless | Transport::AnyPort(_) => String::new(),
    };
    let word = match action {
        Action::Allow => "to",
        Action::Deny => "not-to",
    };
    let wanted = format!("{}-{word}-{}{port}", short_name(situation, Side::From), short_name(situation, Side::To));
    let taken = |name: &str| {
        let mut policies = model.inventory.access_policies.iter();
        policies.any(|policy| policy.meta.reference.namespace.as_ref() == Some(namespace) && policy.meta.name() == name)
    };
    let mut names = std::iter::once(wanted.clone()).chain((2..).map(|number| format!("{wanted}-{number}")));
    names.find(|name| !taken(name)).map(Name::from).expect("the numbers do not end")
}

fn short_name(situation: &Situation<'_>, side: Side) -> String {
    match situation.party(side) {
        Party::Pod { pod, .. } => pod.workload.name.to_string(),
        Party::Node { .. } => "nodes".to_owned(),
        Party::Address { kind: AddressKind::Metadata, .. } => "metadata".to_owned(),
        Party::Address { .. } => "outside".to_owned(),
    }
}

/// The end at `side` as a peer of a policy of `namespace`; of a cluster-wide one without.
pub(crate) fn target(
    model: &Model,
    situation: &Situation<'_>,
    side: Side,
    namespace: Option<&Name>,
    grant: Grant,
) -> Option<PeerTarget> {
    if side == Side::To && matching::entity_is(model, Entity::Dns, situation, side) {
        return Some(PeerTarget::Entity(Entity::Dns));
    }
    match situation.party(side) {
        Party::Pod { pod, container, program, .. } => {
            let (container, program) = match grant {
                Grant::Workload => (None, None),
                Grant::Process => (container.name().cloned(), program.name().cloned()),
            };
            Some(PeerTarget::Pods(pod_peer(pod, container, program, namespace)))
        }
        Party::Node { .. } => Some(PeerTarget::Entity(Entity::Nodes)),
        // The address that stands for the whole outside in a question about `world`.
        Party::Address { address, kind: AddressKind::World }
            if model.world_address(address.is_ipv4()) == Some(*address) =>
        {
            Some(PeerTarget::Entity(Entity::World))
        }
        Party::Address { address, kind: AddressKind::World | AddressKind::LinkLocal } => {
            Some(PeerTarget::Cidr { cidr: IpNet::from(*address), except: Vec::new() })
        }
        Party::Address { kind: AddressKind::Metadata, .. } => Some(PeerTarget::Entity(Entity::Metadata)),
        Party::Address { kind: AddressKind::Service | AddressKind::Loopback, .. } => None,
    }
}

fn pod_peer(pod: &PodFacts, container: Option<Name>, program: Option<Name>, namespace: Option<&Name>) -> PodPeer {
    PodPeer {
        workload: Some(WorkloadRef { kind: None, name: pod.workload.name.clone() }),
        namespace: (Some(&pod.namespace) != namespace).then(|| pod.namespace.clone()),
        container,
        program,
        ..PodPeer::default()
    }
}

impl Model {
    /// Both ends of a link for people.
    ///
    /// # Errors
    /// When an end is not in the input.
    pub fn render_ends(
        &self,
        link: &Link,
        now: palisade_model::Timestamp,
    ) -> Result<(String, String), crate::UnknownEnd> {
        let situation = self.situation(link, now)?;
        Ok((render_party(&situation.from), render_party(&situation.to)))
    }
}
