//! Pods that are not there yet: every combination of the labels that a selector asks for, absent, or something else.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use palisade_model::inventory::{Inventory, Namespace};
use palisade_model::object::{Kind, Meta, Name, ObjectRef};
use palisade_model::pod::{Container, ContainerPort, ContainerRole, Phase, Pod, PodSpec, SecurityContext};
use palisade_model::port::{PortMatch, PortRule, Protocol};
use palisade_model::tiered_policy::TieredPort;
use palisade_model::{Labels, Place, Selector};

use super::{namespace_selectors, pod_selectors};
use crate::matching::NAMESPACE_NAME_LABEL;

/// So many newcomers are made; of more combinations every so many-th.
const MOST_NEWCOMERS: usize = 64;
/// A value that no selector asks for.
const FRESH: &str = "something-else";

/// Pods and their namespaces, to be joined to an inventory.
pub(super) struct Newcomers {
    pub(super) pods: Vec<Pod>,
    namespaces: Vec<Namespace>,
    /// How many combinations there are.
    pub(super) possible: u128,
}

impl Newcomers {
    /// By what the policies of both inventories ask for.
    pub(super) fn of(inventories: [&Inventory; 2]) -> Self {
        let of_pods = Choices::of(inventories.into_iter().flat_map(pod_selectors));
        let of_namespaces = Choices::of(inventories.into_iter().flat_map(namespace_selectors));
        let known = known_namespaces(inventories);
        let places = known.len() as u128 + of_namespaces.count();
        let possible = places.saturating_mul(of_pods.count());
        let containers = containers(inventories);
        let mut newcomers = Self { pods: Vec::new(), namespaces: Vec::new(), possible };
        // Without a common divisor, so that each place is met.
        let mut step = possible.div_ceil(MOST_NEWCOMERS as u128).max(1);
        while greatest_common_divisor(step, places) > 1 {
            step += 1;
        }
        let mut number = 0;
        while number < possible && newcomers.pods.len() < MOST_NEWCOMERS {
            let (place, labels) = (number % places, number / places);
            let namespace = match usize::try_from(place).ok().and_then(|place| known.get(place)) {
                Some(name) => name.clone(),
                None => newcomers.namespace(place - known.len() as u128, &of_namespaces),
            };
            let name: Name = format!("newcomer-{}", newcomers.pods.len() + 1).into();
            let meta = meta(Kind::Pod, Some(namespace), name, of_pods.labels(labels));
            newcomers.pods.push(pod(meta, &containers));
            number += step;
        }
        newcomers
    }

    /// A namespace that is not there yet, by the number of its labels' combination.
    fn namespace(&mut self, number: u128, choices: &Choices) -> Name {
        let name: Name = format!("newcomers-{number}").into();
        if !self.namespaces.iter().any(|one| one.meta.reference.name == name) {
            let meta = meta(Kind::Namespace, None, name.clone(), choices.labels(number));
            self.namespaces.push(Namespace { meta });
        }
        name
    }

    /// The inventory with them.
    pub(super) fn join(&self, inventory: &Inventory) -> Inventory {
        let mut joined = inventory.clone();
        joined.pods.extend(self.pods.iter().cloned().map(Arc::new));
        joined.namespaces.extend(self.namespaces.iter().cloned().map(Arc::new));
        joined
    }
}

fn greatest_common_divisor(a: u128, b: u128) -> u128 {
    if b == 0 { a } else { greatest_common_divisor(b, a % b) }
}

/// The namespaces of policies and pods, in which newcomers may come.
fn known_namespaces(inventories: [&Inventory; 2]) -> Vec<Name> {
    let of = |inventory: &Inventory| {
        let network = inventory.network_policies.iter().map(|policy| &policy.meta);
        let access = inventory.access_policies.iter().map(|policy| &policy.meta);
        let perimeters = inventory.perimeters.iter().map(|perimeter| &perimeter.meta);
        let policies = network.chain(access).chain(perimeters).filter_map(|meta| meta.reference.namespace.clone());
        let namespaces = inventory.namespaces.iter().map(|namespace| namespace.meta.reference.name.clone());
        policies.chain(namespaces).collect::<BTreeSet<Name>>()
    };
    inventories.into_iter().flat_map(of).collect::<BTreeSet<Name>>().into_iter().collect()
}

fn meta(kind: Kind, namespace: Option<Name>, name: Name, labels: Labels) -> Meta {
    Meta {
        reference: ObjectRef { kind, namespace, name },
        place: Place::new("(newcomer)", 0),
        labels,
        annotations: Labels::default(),
        uid: None,
        owner: None,
    }
}

fn pod(meta: Meta, containers: &[Container]) -> Pod {
    Pod {
        meta,
        spec: PodSpec { containers: containers.to_vec(), ..PodSpec::default() },
        node: None,
        phase: Phase::Running,
        addresses: Vec::new(),
        host_addresses: Vec::new(),
        container_statuses: Vec::new(),
        ready: None,
    }
}

/// One container, with each port that a rule names.
fn containers(inventories: [&Inventory; 2]) -> Vec<Container> {
    let mut names: BTreeSet<(String, Protocol)> = BTreeSet::new();
    for inventory in inventories {
        let network = inventory.network_policies.iter();
        let network = network.flat_map(|policy| policy.ingress.iter().chain(&policy.egress).flatten());
        let access = inventory.access_policies.iter().flat_map(|policy| &policy.rules);
        let ports = network.flat_map(|rule| &rule.ports).chain(access.flat_map(|rule| &rule.ports));
        names.extend(ports.filter_map(|rule: &PortRule| match &rule.port {
            PortMatch::Name(name) => Some((name.clone(), rule.protocol)),
            PortMatch::Any | PortMatch::Range(_) => None,
        }));
        let tiered = inventory.tiered_policies.iter().flat_map(|policy| policy.ingress.iter().chain(&policy.egress));
        for port in tiered.flat_map(|rule| rule.ports.iter().flatten()) {
            if let TieredPort::Name(name) = port {
                names.extend(Protocol::ALL.map(|protocol| (name.to_string(), protocol)));
            }
        }
    }
    /// Where nobody else's ports are.
    const FIRST_PORT: u16 = 28_000;
    let ports = names.into_iter().zip(FIRST_PORT..).map(|((name, protocol), number)| ContainerPort {
        name: Some(name.into()),
        number,
        protocol,
        host_port: None,
        host_address: None,
    });
    let container = Container {
        place: Place::new("(newcomer)", 0),
        name: "main".into(),
        role: ContainerRole::App,
        image: None,
        command: Vec::new(),
        args: Vec::new(),
        env: Vec::new(),
        ports: ports.collect(),
        readiness: None,
        liveness: None,
        startup: None,
        security: SecurityContext::default(),
        mounts: Vec::new(),
    };
    vec![container]
}

/// For each key the values that selectors ask for.
struct Choices(Vec<(Name, Vec<Name>)>);

impl Choices {
    fn of<'s>(selectors: impl Iterator<Item = &'s Selector>) -> Self {
        let mut values: BTreeMap<Name, BTreeSet<Name>> = BTreeMap::new();
        for selector in selectors {
            for (key, value) in &selector.match_labels.0 {
                values.entry(key.clone()).or_default().insert(value.clone());
            }
            for requirement in &selector.match_expressions {
                values.entry(requirement.key.clone()).or_default().extend(requirement.values.iter().cloned());
            }
        }
        // Each namespace has its own value of it.
        values.remove(NAMESPACE_NAME_LABEL);
        let with_fresh = |values: BTreeSet<Name>| values.into_iter().chain([FRESH.into()]).collect();
        Self(values.into_iter().map(|(key, values)| (key, with_fresh(values))).collect())
    }

    /// How many combinations there are; a key may be absent.
    fn count(&self) -> u128 {
        self.0.iter().fold(1, |count: u128, (_, values)| count.saturating_mul(values.len() as u128 + 1))
    }

    fn labels(&self, mut number: u128) -> Labels {
        let mut labels = Labels::default();
        for (key, values) in &self.0 {
            let choices = values.len() as u128 + 1;
            let choice = usize::try_from(number % choices).expect("fewer than the values of a key");
            number /= choices;
            if let Some(value) = values.get(choice) {
                labels.0.insert(key.clone(), value.clone());
            }
        }
        labels
    }
}
