//! Every way in from outside, and what guards it.
//!
//! A way is a door, and one port of one workload behind it. Each step on it is judged by the engine: from outside to a
//! pod, or from outside to the pod that serves an Ingress or Gateway, and from there to the backend.

mod newcomer;
mod step;

use std::collections::BTreeMap;
use std::net::IpAddr;

use palisade_model::link::{End, PodEnd, Which};
use palisade_model::object::Name;
use palisade_model::port::Protocol;
use palisade_model::verdict::{Missing, Verdict};
use palisade_model::{IpNet, Problem, Timestamp};
use serde::Serialize;

use crate::dial::{Backend, BackendEnd};
use crate::doors::{Door, DoorKind, Opening, PodNetwork, ServedBy};
use crate::model::{Model, PodIndex, WorkloadId};
use crate::outside::Region;

pub use newcomer::{Neighbour, Newcomer, PortAnswer};
use step::Outsiders;
pub use step::Step;

/// Who comes from outside.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outside {
    /// Anybody; addresses are told apart as far as policies do.
    Anybody,
    /// This address.
    Address(IpAddr),
}

/// How open a way is, the most open first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Openness {
    /// It passes, and neither a policy nor a load balancer has a say.
    Unguarded,
    /// It passes as a policy says, or those alone pass that a load balancer lets in.
    Guarded,
    /// A fact is missing.
    Undecided,
    /// A policy refuses it.
    Closed,
}

/// What has a say on a way.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
#[serde(rename_all = "camelCase", tag = "kind")]
pub enum Guard {
    /// A rule, or a policy as a whole.
    #[serde(rename_all = "camelCase")]
    Policy {
        /// It, for people.
        rule: String,
        /// Where it stands.
        place: palisade_model::Place,
    },
    /// `loadBalancerSourceRanges`.
    #[serde(rename_all = "camelCase")]
    SourceRanges {
        /// Who passes.
        ranges: Vec<IpNet>,
    },
    /// The load balancer is in the provider's own network.
    #[serde(rename_all = "camelCase")]
    InternalLoadBalancer {
        /// What asks for that.
        annotation: Name,
    },
}

/// A door, and one port of one workload behind it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Way {
    /// How open it is.
    pub openness: Openness,
    /// The door.
    pub door: Door,
    /// Who serves the door, when that is another pod than the one behind it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub served_by: Option<ServedBy>,
    /// The port that is reached, on the pod.
    pub port: u16,
    /// Its protocol.
    pub protocol: Protocol,
    /// How many pods of the workload it is so for, and how many there are.
    pub pods: [usize; 2],
    /// The links on the way.
    pub steps: Vec<Step>,
    /// What has a say.
    pub guards: Vec<Guard>,
    /// What is not known, when that leaves it open.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub missing: Option<Missing>,
}

/// Everything of a workload that the outside can try.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Exposed {
    /// The most open of its ways.
    pub openness: Openness,
    /// Its namespace; empty for an address that is no pod's.
    pub namespace: Name,
    /// `Kind/name`, or the address.
    pub workload: String,
    /// Its ways, the most open first.
    pub ways: Vec<Way>,
}

/// What of a cluster the outside can try.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Exposure {
    /// The workloads, the most open first.
    pub workloads: Vec<Exposed>,
    /// Doors, or parts of them, that lead nowhere; and what was left out.
    pub notes: Vec<Problem>,
}

/// Who is behind a door.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Owner {
    Workload(Name, WorkloadId),
    Address(IpAddr),
}

impl Model {
    /// Every way in for `outside`.
    pub fn exposure(&self, outside: Outside, network: PodNetwork, now: Timestamp) -> Exposure {
        let doors = self.doors(network);
        let notes = doors.notes;
        let ranges = doors.openings.iter().flat_map(|opening| opening.door.source_ranges.iter().copied());
        let world = self.regions(ranges);
        let nodes = self.translated_sources();
        let translated = match nodes.is_empty() {
            // No node is known: its address may lie anywhere.
            true => world.clone(),
            false => nodes.into_iter().map(|address| Region { block: None, address }).collect(),
        };
        let regions = match outside {
            Outside::Anybody => world,
            Outside::Address(address) => vec![Region { block: None, address: address.to_canonical() }],
        };
        let outsiders = Outsiders { regions, translated, now };
        // Straight ways first: what serves an Ingress is reached by one of them.
        let (served, straight): (Vec<_>, Vec<_>) =
            doors.openings.iter().partition(|opening| opening.served_by.is_some());
        let mut ways: BTreeMap<Owner, Vec<Way>> = BTreeMap::new();
        for opening in straight {
            self.add_ways(&mut ways, opening, |backend| {
                self.step_from_outside(&outsiders, &opening.door, backend).into_iter().collect()
            });
        }
        let entrances = ways.clone();
        for opening in served {
            self.add_ways(&mut ways, opening, |backend| self.steps_through(&outsiders, &entrances, opening, backend));
        }
        let mut workloads: Vec<Exposed> = ways.into_iter().map(|(owner, ways)| exposed(owner, ways)).collect();
        workloads.sort_by(|a, b| (a.openness, &a.namespace, &a.workload).cmp(&(b.openness, &b.namespace, &b.workload)));
        Exposure { workloads, notes }
    }

    /// Adds the ways by one door: pods of one workload for which the same holds make one. Without a step there is none.
    fn add_ways(&self, ways: &mut BTreeMap<Owner, Vec<Way>>, opening: &Opening, steps: impl Fn(&Backend) -> Vec<Step>) {
        let Ok(backends) = &opening.backends else { return };
        let mut groups: Vec<(Owner, Way)> = Vec::new();
        let mut seen = std::collections::BTreeSet::new();
        for backend in backends {
            // A pod of two families is one.
            if !seen.insert((backend.end, backend.port, backend.protocol)) {
                continue;
            }
            let steps = steps(backend);
            if steps.is_empty() {
                continue;
            }
            let (owner, total) = self.owner_behind(backend);
            let way = way(opening, backend, steps, total);
            match groups.iter_mut().find(|(known, group)| *known == owner && is_alike(group, &way)) {
                Some((_, group)) => group.pods[0] += 1,
                None => groups.push((owner, way)),
            }
        }
        for (owner, way) in groups {
            ways.entry(owner).or_default().push(way);
        }
    }

    fn owner_behind(&self, backend: &Backend) -> (Owner, usize) {
        match backend.end {
            BackendEnd::Pod(index) => {
                let pod = self.pod(index);
                let of_it = |other: &&crate::PodFacts| {
                    other.namespace == pod.namespace && other.workload == pod.workload && other.decides()
                };
                let total = self.pods().iter().filter(of_it).count();
                (Owner::Workload(pod.namespace.clone(), pod.workload.clone()), total)
            }
            BackendEnd::Address(address) => (Owner::Address(address), 1),
        }
    }

    /// From outside to whoever serves the door, and from there to the backend.
    fn steps_through(
        &self,
        outsiders: &Outsiders,
        entrances: &BTreeMap<Owner, Vec<Way>>,
        opening: &Opening,
        backend: &Backend,
    ) -> Vec<Step> {
        match opening.served_by.as_ref() {
            Some(ServedBy::Pods { pods, .. }) => {
                let best = pods.iter().map(|index| {
                    let to_it = self.step_to_server(entrances, *index);
                    let from_it = self.step_from_pod(*index, backend, outsiders.now);
                    vec![to_it, from_it]
                });
                // The most open of several that serve it.
                best.min_by_key(|steps| openness(steps, &[])).unwrap_or_default()
            }
            Some(ServedBy::Provider { .. }) => {
                self.step_from_provider(outsiders, &opening.door, backend).into_iter().collect()
            }
            Some(ServedBy::Unknown) | None => {
                let missing = Missing::Controller { door: opening.door.object.to_string() };
                vec![Step::unknown("who serves it", self.backend_name(backend), backend, missing)]
            }
        }
    }

    /// How the outside reaches a pod that serves a door: by the most open of its own ways.
    fn step_to_server(&self, entrances: &BTreeMap<Owner, Vec<Way>>, index: PodIndex) -> Step {
        let pod = self.pod(index);
        let owner = Owner::Workload(pod.namespace.clone(), pod.workload.clone());
        let ways = entrances.get(&owner).into_iter().flatten();
        match ways.min_by_key(|way| way.openness).and_then(|way| way.steps.first()) {
            Some(step) => step.clone(),
            // Its own Service may be in another file: that it is reached is what it is there for.
            None => Step::assumed(pod.full_name()),
        }
    }

    fn backend_name(&self, backend: &Backend) -> String {
        match backend.end {
            BackendEnd::Pod(index) => self.pod(index).full_name(),
            BackendEnd::Address(address) => address.to_string(),
        }
    }

    fn backend_end(&self, backend: &Backend) -> End {
        match backend.end {
            BackendEnd::Address(address) => End::Address(address),
            BackendEnd::Pod(index) => {
                let pod = self.pod(index);
                End::Pod(PodEnd {
                    namespace: pod.namespace.clone(),
                    name: pod.name.clone(),
                    container: Which::Unsaid,
                    program: Which::Unsaid,
                    address: None,
                })
            }
        }
    }
}

fn way(opening: &Opening, backend: &Backend, steps: Vec<Step>, total: usize) -> Way {
    let door = opening.door.clone();
    let mut guards: Vec<Guard> = steps.iter().flat_map(Step::guards).collect();
    if !door.source_ranges.is_empty() {
        guards.push(Guard::SourceRanges { ranges: door.source_ranges.clone() });
    }
    if let Some(annotation) = &door.internal_by {
        guards.push(Guard::InternalLoadBalancer { annotation: annotation.clone() });
    }
    guards.sort();
    guards.dedup();
    let missing = steps.iter().find_map(|step| match &step.verdict {
        Verdict::Undecided(missing) => Some(missing.clone()),
        Verdict::Allow(_) | Verdict::Deny(_) => None,
    });
    Way {
        openness: openness(&steps, &guards),
        door,
        served_by: opening.served_by.clone(),
        port: backend.port,
        protocol: backend.protocol,
        pods: [1, total],
        steps,
        guards,
        missing,
    }
}

/// Whether the same holds for another pod of the workload.
fn is_alike(group: &Way, way: &Way) -> bool {
    let essence = |way: &Way| {
        let verdicts: Vec<Verdict> = way.steps.iter().map(|step| step.verdict.clone()).collect();
        (way.port, way.protocol, way.openness, verdicts, way.guards.clone())
    };
    essence(group) == essence(way)
}

/// A refused step closes the way, one that is not known leaves it open.
fn openness(steps: &[Step], guards: &[Guard]) -> Openness {
    if steps.iter().any(|step| matches!(step.verdict, Verdict::Deny(_))) {
        Openness::Closed
    } else if steps.iter().any(|step| matches!(step.verdict, Verdict::Undecided(_))) {
        Openness::Undecided
    } else if guards.is_empty() && steps.iter().all(|step| step.guards().is_empty()) {
        Openness::Unguarded
    } else {
        Openness::Guarded
    }
}

fn exposed(owner: Owner, mut ways: Vec<Way>) -> Exposed {
    ways.sort_by(|a, b| {
        let order = |way: &Way| (way.openness, way.door.kind, way.door.object.clone(), way.door.port, way.port);
        order(a).cmp(&order(b))
    });
    let openness = ways.first().map_or(Openness::Closed, |way| way.openness);
    let (namespace, workload) = match owner {
        Owner::Workload(namespace, id) => (namespace, id.to_string()),
        Owner::Address(address) => ("".into(), address.to_string()),
    };
    Exposed { openness, namespace, workload, ways }
}

impl Door {
    /// Whether policy has no say at it: the pod is its node.
    pub fn is_beyond_policy(&self) -> bool {
        self.kind == DoorKind::HostNetwork
    }
}
