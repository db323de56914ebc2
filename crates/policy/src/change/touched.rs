//! Which links a changed object can have a say about: a superset, found without judging.

use std::collections::BTreeSet;

use palisade_model::access_policy::{AccessPolicy, AccessRule, Peer, PeerTarget};
use palisade_model::network_policy::{NetworkPolicy, NetworkPolicyRule};
use palisade_model::port::{PortMatch, PortRange, PortRule, PortSet, Protocol};
use palisade_model::tiered_policy::{TieredPolicy, TieredPort, TieredRule};

use super::object::{Object, ObjectChange};
use crate::compare::{self, Somebody};
use crate::matching::{self, Match, RuleScope, Side};
use crate::model::{Model, PodFacts, PodIndex, perimeter_selects};
use crate::party::{Party, SenderProof, Situation, receiver};
use crate::tiers::scope_selects;

/// Somebody whose links a change may be about.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Who {
    Pod(PodIndex),
    World4,
    World6,
    OwnNode,
}

/// Who there is: looked up once for all changes of a link.
pub(super) struct Everybody<'m> {
    model: &'m Model,
    all: Vec<Who>,
    world: [Option<Somebody>; 2],
}

impl<'m> Everybody<'m> {
    pub(super) fn new(model: &'m Model) -> Self {
        let pods = model.pods().iter().filter(|pod| is_asked(model, pod)).map(|pod| Who::Pod(pod.index));
        let has_six = model.pods().iter().flat_map(|pod| &pod.addresses).any(std::net::IpAddr::is_ipv6);
        let all = pods.chain([Who::World4]).chain(has_six.then_some(Who::World6)).chain([Who::OwnNode]).collect();
        Self { model, all, world: [true, false].map(|v4| compare::world(model, v4)) }
    }

    pub(super) fn as_receiver(&self, who: Who) -> Option<Somebody> {
        match who {
            Who::Pod(index) => Some(compare::pod_receiver(self.model.pod(index))),
            Who::World4 => self.world[0].clone(),
            Who::World6 => self.world[1].clone(),
            Who::OwnNode => Some(compare::own_node()),
        }
    }

    fn party(&self, who: Who) -> Option<Party<'m>> {
        match who {
            Who::Pod(index) => Some(receiver(self.model.pod(index), None)),
            Who::World4 | Who::World6 | Who::OwnNode => self.model.party_of(&self.as_receiver(who)?.end).ok(),
        }
    }

    fn pods(&self, is: impl Fn(&PodFacts) -> bool) -> Vec<Who> {
        let is_one = |who: &&Who| match who {
            Who::Pod(index) => is(self.model.pod(*index)),
            Who::World4 | Who::World6 | Who::OwnNode => false,
        };
        self.all.iter().filter(is_one).copied().collect()
    }
}

/// Whether links of `pod` count: it has not ended, has a network of its own and is the one of its name.
fn is_asked(model: &Model, pod: &PodFacts) -> bool {
    // Of several of a name the last is meant; they stand beside each other.
    let next = model.pods().get(pod.index.0 as usize + 1);
    let is_last = next.is_none_or(|next| (&next.namespace, &next.name) != (&pod.namespace, &pod.name));
    pod.decides() && !model.spec(pod).host_network && is_last
}

/// Links from any of these to any of those, on some ports.
#[derive(Clone, Debug)]
pub(super) struct Touched {
    pub(super) from: Vec<Who>,
    pub(super) to: Vec<Who>,
    pub(super) ports: Ports,
}

/// Ports by what rules say of them; names count as every port.
#[derive(Clone, Debug)]
pub(super) enum Ports {
    All,
    Some([PortSet; 3]),
}

impl Ports {
    pub(super) fn of(&self, protocol: Protocol) -> PortSet {
        match self {
            Self::All => PortSet::all(),
            Self::Some(sets) => sets[protocol as usize].clone(),
        }
    }

    pub(super) fn is_all(&self) -> bool {
        matches!(self, Self::All)
    }

    fn of_rules<'r>(rules: impl Iterator<Item = &'r [PortRule]>) -> Self {
        let mut ranges: [Vec<PortRange>; 3] = Default::default();
        for ports in rules {
            if ports.is_empty() {
                return Self::All;
            }
            for port in ports {
                ranges[port.protocol as usize].push(match port.port {
                    PortMatch::Range(range) => range,
                    PortMatch::Any | PortMatch::Name(_) => PortRange::ALL,
                });
            }
        }
        Self::Some(ranges.map(PortSet::new))
    }
}

/// What `change` touches.
pub(super) fn touched(everybody: &Everybody<'_>, change: &ObjectChange) -> Vec<Touched> {
    match change.object() {
        Object::AccessPolicy(_) => of_access(everybody, [&change.before, &change.after].map(as_access)),
        Object::NetworkPolicy(_) => of_network(everybody, [&change.before, &change.after].map(as_network)),
        Object::TieredPolicy(_) => of_tiered(everybody, [&change.before, &change.after].map(as_tiered)),
        Object::Perimeter(perimeter) => {
            let pods = everybody.pods(|pod| !matches!(perimeter_selects(perimeter, pod), Match::No(_)));
            of_pods(everybody, pods)
        }
        Object::Namespace(namespace) => {
            of_pods(everybody, everybody.pods(|pod| pod.namespace == namespace.meta.reference.name))
        }
        Object::Pod(pod) => {
            let name = (pod.meta.namespace(), pod.meta.name());
            of_pods(everybody, everybody.pods(|facts| (&*facts.namespace, &*facts.name) == name))
        }
        Object::Workload(workload, _) => {
            let name = (workload.meta.namespace(), workload.kind, workload.meta.name());
            let is = |pod: &PodFacts| (&*pod.namespace, pod.workload.kind, &*pod.workload.name) == name;
            of_pods(everybody, everybody.pods(is))
        }
    }
}

fn as_access(object: &Option<Object>) -> Option<&AccessPolicy> {
    match object {
        Some(Object::AccessPolicy(policy)) => Some(policy),
        _ => None,
    }
}

fn as_network(object: &Option<Object>) -> Option<&NetworkPolicy> {
    match object {
        Some(Object::NetworkPolicy(policy)) => Some(policy),
        _ => None,
    }
}

fn as_tiered(object: &Option<Object>) -> Option<&TieredPolicy> {
    match object {
        Some(Object::TieredPolicy(policy)) => Some(policy),
        _ => None,
    }
}

/// Everything from and to `pods`.
fn of_pods(everybody: &Everybody<'_>, pods: Vec<Who>) -> Vec<Touched> {
    let everyone = everybody.all.clone();
    vec![
        Touched { from: pods.clone(), to: everyone.clone(), ports: Ports::All },
        Touched { from: everyone, to: pods, ports: Ports::All },
    ]
}

/// The elements of each list that the other one lacks.
fn differing<'a, T: PartialEq>(before: &'a [T], after: &'a [T]) -> Vec<&'a T> {
    let gone = before.iter().filter(|one| !after.contains(one));
    gone.chain(after.iter().filter(|one| !before.contains(one))).collect()
}

/// Of two lists of which one entry was changed in one of its two fields, only what the change is about: `peers` and `ports`
/// say and set them.
fn narrowed<T: Clone + PartialEq, P: PartialEq + Clone, Q: PartialEq + Clone>(
    changed: Vec<&T>,
    peers: impl Fn(&mut T) -> &mut Vec<P>,
    ports: impl Fn(&mut T) -> &mut Vec<Q>,
) -> Vec<T> {
    let [before, after] = changed[..] else { return changed.into_iter().cloned().collect() };
    let (mut before, mut after) = (before.clone(), after.clone());
    let same_ports = ports(&mut before) == ports(&mut after);
    let same_peers = peers(&mut before) == peers(&mut after);
    let mut rest = after.clone();
    match (same_ports, same_peers) {
        // An empty list means everybody, and every port.
        (true, false) if !peers(&mut before).is_empty() && !peers(&mut after).is_empty() => {
            let differing = differing(peers(&mut before), peers(&mut after)).into_iter().cloned().collect();
            *peers(&mut rest) = differing;
        }
        (false, true) if !ports(&mut before).is_empty() && !ports(&mut after).is_empty() => {
            let differing = differing(ports(&mut before), ports(&mut after)).into_iter().cloned().collect();
            *ports(&mut rest) = differing;
        }
        _ => return vec![before, after],
    }
    // Whatever else differs makes it another rule.
    *peers(&mut after) = peers(&mut before).clone();
    *ports(&mut after) = ports(&mut before).clone();
    if before == after { vec![rest] } else { changed.into_iter().cloned().collect() }
}

fn of_access(everybody: &Everybody<'_>, sides: [Option<&AccessPolicy>; 2]) -> Vec<Touched> {
    let rules = |policy: Option<&'_ AccessPolicy>| policy.map(|policy| policy.rules.clone()).unwrap_or_default();
    let [before, after] = sides.map(rules);
    let is_same_mode = matches!(sides, [Some(before), Some(after)] if before.mode == after.mode);
    let changed: Vec<AccessRule> = match is_same_mode {
        true => {
            let changed = narrowed(differing(&before, &after), |rule| &mut rule.from, |rule| &mut rule.ports);
            narrowed(changed.iter().collect(), |rule| &mut rule.to, |rule| &mut rule.ports)
        }
        false => before.into_iter().chain(after).collect(),
    };
    let Some(policy) = sides[1].or(sides[0]) else { return Vec::new() };
    let everyone = &everybody.all;
    let named = |rule: &AccessRule, peers: &[Peer], side| -> Vec<Who> {
        let means = |who: &&Who| peers.iter().any(|peer| access_means(everybody, policy, rule, peer, **who, side));
        everyone.iter().filter(means).copied().collect()
    };
    let touched = |rule: &AccessRule| {
        let is_of_service = |peer: &Peer| matches!(&peer.target, PeerTarget::Pods(pods) if pods.service.is_some());
        let ports = match rule.to.iter().any(is_of_service) {
            true => Ports::All,
            false => Ports::of_rules([rule.ports.as_slice()].into_iter()),
        };
        Touched { from: named(rule, &rule.from, Side::From), to: named(rule, &rule.to, Side::To), ports }
    };
    changed.iter().map(touched).collect()
}

/// Whether a peer means somebody on some port.
fn access_means(
    everybody: &Everybody<'_>,
    policy: &AccessPolicy,
    rule: &AccessRule,
    peer: &Peer,
    who: Who,
    side: Side,
) -> bool {
    let (model, Some(party)) = (everybody.model, everybody.party(who)) else { return false };
    match (&peer.target, &party) {
        (PeerTarget::Pods(fields), Party::Pod { pod, .. }) => {
            let namespace = policy.meta.reference.namespace.as_ref();
            let scope = RuleScope { namespace, action: rule.action, ports: &rule.ports };
            !matches!(matching::pod_fields(model, scope, fields, pod), Match::No(_))
        }
        (PeerTarget::Pods(_), Party::Node { .. } | Party::Address { .. }) | (PeerTarget::Fqdn(_), _) => false,
        (PeerTarget::Cidr { cidr, except }, _) => !matches!(matching::block(cidr, except, &party), Match::No(_)),
        (PeerTarget::Entity(entity), _) => matching::entity_could_be(model, *entity, &party, side),
    }
}

fn of_network(everybody: &Everybody<'_>, sides: [Option<&NetworkPolicy>; 2]) -> Vec<Touched> {
    let Some(policy) = sides[1].or(sides[0]) else { return Vec::new() };
    let selects = |pod: &PodFacts| {
        let own = policy.meta.namespace() == &*pod.namespace;
        own && sides.iter().flatten().any(|policy| policy.pod_selector.matches(&pod.labels))
    };
    let subjects = everybody.pods(selects);
    let everyone = &everybody.all;
    let is_same_subject = matches!(sides, [Some(before), Some(after)] if before.pod_selector == after.pod_selector);
    let mut found = Vec::new();
    for side in [Side::From, Side::To] {
        let [before, after] = sides.map(|policy| {
            policy.and_then(|policy| match side {
                Side::From => policy.ingress.as_deref(),
                Side::To => policy.egress.as_deref(),
            })
        });
        let (others, ports) = if is_same_subject && before.is_some() == after.is_some() {
            let changed = differing(before.unwrap_or_default(), after.unwrap_or_default());
            let changed = narrowed(changed, |rule| &mut rule.peers, |rule| &mut rule.ports);
            if changed.is_empty() {
                continue;
            }
            let means = |who: &&Who| {
                everybody.party(**who).is_some_and(|party| {
                    changed.iter().any(|rule| network_means(everybody.model, policy, rule, &party, side))
                })
            };
            let others = everyone.iter().filter(means).copied().collect();
            (others, Ports::of_rules(changed.iter().map(|rule| rule.ports.as_slice())))
        } else {
            (everyone.clone(), Ports::All)
        };
        found.push(match side {
            Side::From => Touched { from: others, to: subjects.clone(), ports },
            Side::To => Touched { from: subjects.clone(), to: others, ports },
        });
    }
    found
}

fn network_means(
    model: &Model,
    policy: &NetworkPolicy,
    rule: &NetworkPolicyRule,
    party: &Party<'_>,
    side: Side,
) -> bool {
    let situation = Situation::of_one(party.clone(), side, SenderProof::Process);
    rule.peers.is_empty()
        || rule.peers.iter().any(|peer| {
            let answer = matching::network_policy_peer(model, policy.meta.namespace(), peer, &situation, side);
            !matches!(answer, Match::No(_))
        })
}

fn of_tiered(everybody: &Everybody<'_>, sides: [Option<&TieredPolicy>; 2]) -> Vec<Touched> {
    let Some(policy) = sides[1].or(sides[0]) else { return Vec::new() };
    let subjects = everybody.pods(|pod| !matches!(scope_selects(&policy.subject, pod), Match::No(_)));
    let everyone = &everybody.all;
    let mut found = Vec::new();
    for side in [Side::From, Side::To] {
        let [before, after] = sides.map(|policy| {
            policy.map_or(&[][..], |policy| match side {
                Side::From => policy.ingress.as_slice(),
                Side::To => policy.egress.as_slice(),
            })
        });
        let changed = differing(before, after);
        if changed.is_empty() {
            continue;
        }
        let names = |party: &Party<'_>| {
            let mut peers = changed.iter().flat_map(|rule| &rule.peers);
            peers.any(|peer| !matches!(everybody.model.tier_peer(&peer.target, party), Match::No(_)))
        };
        let means = |who: &&Who| everybody.party(**who).is_some_and(|party| names(&party));
        let others: Vec<Who> = everyone.iter().filter(means).copied().collect();
        let ports = tier_ports(&changed);
        found.push(match side {
            Side::From => Touched { from: others, to: subjects.clone(), ports },
            Side::To => Touched { from: subjects.clone(), to: others, ports },
        });
    }
    found
}

fn tier_ports(rules: &[&TieredRule]) -> Ports {
    let mut ranges: [Vec<PortRange>; 3] = Default::default();
    for rule in rules {
        let Some(ports) = &rule.ports else { return Ports::All };
        for port in ports {
            match port {
                TieredPort::Numbers(protocol, range) => {
                    ranges[*protocol as usize].push(range.unwrap_or(PortRange::ALL));
                }
                TieredPort::Name(_) => return Ports::All,
            }
        }
    }
    Ports::Some(ranges.map(PortSet::new))
}

/// The pods among `touched`.
pub(super) fn pods_of(touched: &[Touched]) -> BTreeSet<PodIndex> {
    let all = touched.iter().flat_map(|one| one.from.iter().chain(&one.to));
    all.filter_map(|who| match who {
        Who::Pod(index) => Some(*index),
        Who::World4 | Who::World6 | Who::OwnNode => None,
    })
    .collect()
}
