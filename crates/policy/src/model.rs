//! The model: an inventory with every name resolved, immutable.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use palisade_model::access_policy::{AccessPolicy, Mode};
use palisade_model::cni::CniProfile;
use palisade_model::inventory::{Inventory, Unreadable};
use palisade_model::network_policy::NetworkPolicy;
use palisade_model::object::{Name, ObjectRef};
use palisade_model::perimeter::Perimeter;
use palisade_model::pod::{Phase, PodSpec};
use palisade_model::service::Service;
use palisade_model::settings::Settings;
use palisade_model::tiered_policy::{Tier, TieredPolicy};
use palisade_model::verdict::{Direction, RuleList, RuleRef};
use palisade_model::workload::WorkloadKind;
use palisade_model::{Labels, Outcome, Place};
use serde::Serialize;

use crate::dial::{ApiserverEndpoint, Backend};
use crate::findings;
use crate::matching::{self, Match, WhyNot};
use crate::nodes::{self, NodeFacts};
use crate::pod_index::PodLookup;
use crate::rule_index::RuleIndex;
use crate::service_index::ServiceLookup;
use crate::tiers::{Selecting, selecting};
use crate::workloads::Owners;

/// A pod by its position in [`Model::pods`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
pub struct PodIndex(pub u32);

/// A workload of a namespace.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
pub struct WorkloadId {
    /// `Pod` when the pod has no controller.
    pub kind: WorkloadKind,
    /// Its name.
    pub name: Name,
}

impl std::fmt::Display for WorkloadId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.kind, self.name)
    }
}

/// Everything that policy can tell of one pod.
#[derive(Clone, Debug)]
pub struct PodFacts {
    /// Its position in [`Model::pods`].
    pub index: PodIndex,
    /// Its namespace.
    pub namespace: Name,
    /// Its name; a workload's name when it stands for one.
    pub name: Name,
    /// Its uid, when it was read from a cluster.
    pub uid: Option<Name>,
    /// Its labels.
    pub labels: Labels,
    /// The labels of its namespace.
    pub namespace_labels: Arc<Labels>,
    /// Whether the namespace has an object; without one only its name label is known.
    pub namespace_is_known: bool,
    /// The workload at the top of its chain of controllers.
    pub workload: WorkloadId,
    /// The addresses that are its own now; empty when it has none yet, none any more, or when it
    /// is on the host's network.
    pub addresses: Vec<IpAddr>,
    /// Its node, when known.
    pub node: Option<Name>,
    /// Its phase; a template's pod counts as Running.
    pub phase: Phase,
    /// Whether it stands for a workload without pods in the input.
    pub is_template: bool,
    /// The `Ready` condition, when the status says.
    pub ready: Option<bool>,
    /// Where it (or its workload) stands.
    pub place: Place,
    /// The containers' identifiers by name, when the status has them.
    pub container_ids: Vec<(Name, Name)>,
    source: Source,
    /// What closes it, per direction, in the order of [`RuleRef`].
    closers: [Vec<Closer>; 2],
    /// Perimeters that may close it: their namespaceSelector asks for labels that are not known.
    maybe_closers: [Vec<usize>; 2],
    /// The policies of the admin and of the baseline tier that select it, or may.
    tiers: [Vec<Selecting>; 2],
}

#[derive(Clone, Copy, Debug)]
enum Source {
    Pod(usize),
    Template(usize),
}

impl PodFacts {
    /// `namespace/name`.
    pub fn full_name(&self) -> String {
        format!("{}/{}", self.namespace, self.name)
    }

    /// Whether it decides for itself: it has, or will have, an address of its own.
    pub fn decides(&self) -> bool {
        !matches!(self.phase, Phase::Succeeded | Phase::Failed)
    }

    pub(crate) fn closers(&self, direction: Direction) -> &[Closer] {
        &self.closers[direction as usize]
    }

    pub(crate) fn tier(&self, tier: Tier) -> &[Selecting] {
        &self.tiers[tier as usize]
    }

    pub(crate) fn maybe_closers(&self, direction: Direction) -> &[usize] {
        &self.maybe_closers[direction as usize]
    }
}

/// A policy that closes a pod in a direction, by its position in the inventory.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Closer {
    NetworkPolicy(usize),
    Perimeter(usize),
}

/// Whose an address is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum AddressOwner {
    Pod(PodIndex),
    Node(usize),
    Service(usize),
}

/// An inventory with every name resolved. Immutable: a change makes a new one.
#[derive(Debug)]
pub struct Model {
    pub(crate) inventory: Arc<Inventory>,
    pub(crate) settings: Settings,
    pods: Vec<PodFacts>,
    pub(crate) nodes: Vec<NodeFacts>,
    pods_by_name: BTreeMap<(Name, Name), PodIndex>,
    addresses: BTreeMap<IpAddr, AddressOwner>,
    /// Positions of access policies by namespace; `None` for the cluster-wide ones.
    access_by_namespace: BTreeMap<Option<Name>, Vec<usize>>,
    pub(crate) rules: RuleIndex,
    pub(crate) pod_lookup: PodLookup,
    pub(crate) service_lookup: ServiceLookup,
    namespace_labels: BTreeMap<Name, Arc<Labels>>,
    pub(crate) dns_backends: Vec<Backend>,
    pub(crate) apiserver_endpoints: Vec<ApiserverEndpoint>,
    /// Whether any object is in Audit; without one the would-be verdict is the enforced one.
    pub(crate) has_audit: bool,
}

impl Model {
    /// Resolves `inventory`; the problems are those that show only when objects are seen together.
    pub fn new(inventory: Arc<Inventory>, settings: Settings) -> Outcome<Self> {
        let inventory = sorted(inventory);
        let namespace_labels = namespace_labels(&inventory);
        let mut pods = resolve_pods(&inventory, &namespace_labels);
        let pod_lookup = PodLookup::new(&pods);
        close(&inventory, &mut pods, &pod_lookup);
        for pod in pods.iter_mut().filter(|pod| !spec_of(&inventory, pod).host_network) {
            pod.tiers = [Tier::Admin, Tier::Baseline].map(|tier| selecting(&inventory.tiered_policies, pod, tier));
        }
        let pods_by_name = pods.iter().map(|pod| ((pod.namespace.clone(), pod.name.clone()), pod.index)).collect();
        let nodes = nodes::resolve(&inventory);
        let addresses = address_owners(&inventory, &pods, &nodes);
        let mut access_by_namespace: BTreeMap<Option<Name>, Vec<usize>> = BTreeMap::new();
        for (position, policy) in inventory.access_policies.iter().enumerate() {
            access_by_namespace.entry(policy.meta.reference.namespace.clone()).or_default().push(position);
        }
        let rules = RuleIndex::new(&inventory);
        let service_lookup = ServiceLookup::new(&inventory);
        let mut model = Self {
            inventory,
            settings,
            pods,
            nodes,
            pods_by_name,
            addresses,
            access_by_namespace,
            rules,
            pod_lookup,
            service_lookup,
            namespace_labels,
            dns_backends: Vec::new(),
            apiserver_endpoints: Vec::new(),
            has_audit: false,
        };
        model.has_audit = model.inventory.access_policies.iter().any(|policy| policy.mode == Mode::Audit)
            || model.inventory.perimeters.iter().any(|perimeter| perimeter.mode == Mode::Audit);
        model.dns_backends = model.find_dns_backends();
        model.apiserver_endpoints = model.find_apiserver_endpoints();
        let problems = findings::find(&model);
        Outcome::new(model, problems)
    }

    /// Every pod, templates' ones included, by namespace and name.
    pub fn pods(&self) -> &[PodFacts] {
        &self.pods
    }

    /// The pod at `index`.
    pub fn pod(&self, index: PodIndex) -> &PodFacts {
        &self.pods[index.0 as usize]
    }

    /// The pod `namespace/name`.
    pub fn pod_named(&self, namespace: &str, name: &str) -> Option<&PodFacts> {
        self.pods_by_name.get(&(Name::from(namespace), Name::from(name))).map(|index| self.pod(*index))
    }

    /// The node of the name, with or without an object.
    pub(crate) fn node_named(&self, name: &str) -> Option<&NodeFacts> {
        self.nodes.iter().find(|node| *node.name == *name)
    }

    /// What was read.
    pub fn inventory(&self) -> &Inventory {
        &self.inventory
    }

    /// The cluster's settings.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The same model beside another network plugin: only what is judged changes, nothing is resolved anew.
    #[must_use]
    pub fn with_cni(mut self, profile: &CniProfile) -> Self {
        self.settings = self.settings.with_cni(profile);
        self
    }

    /// The spec of `pod`, of its object or of its workload's template.
    pub fn spec(&self, pod: &PodFacts) -> &PodSpec {
        spec_of(&self.inventory, pod)
    }

    /// Whether the pod is a template that stands for several pods, which then reach each other.
    pub fn stands_for_several(&self, pod: &PodFacts) -> bool {
        match pod.source {
            Source::Pod(_) => false,
            Source::Template(position) => {
                let workload = &self.inventory.workloads[position];
                workload.replicas > 1 || workload.kind == WorkloadKind::DaemonSet
            }
        }
    }

    /// The labels of `namespace`: of its object, or just its name when it has none.
    pub fn namespace_labels(&self, namespace: &str) -> Arc<Labels> {
        match self.namespace_labels.get(namespace) {
            Some(labels) => labels.clone(),
            None => Arc::new(implied_labels(namespace)),
        }
    }

    pub(crate) fn owner_of(&self, address: IpAddr) -> Option<AddressOwner> {
        self.addresses.get(&address).copied()
    }

    /// The access policies that act on ends in `namespace`: its own, then the cluster-wide ones.
    pub(crate) fn access_policies_of(&self, namespace: &Name) -> impl Iterator<Item = &AccessPolicy> {
        [Some(namespace.clone()), None]
            .into_iter()
            .filter_map(|scope| self.access_by_namespace.get(&scope))
            .flatten()
            .map(|position| &self.inventory.access_policies[*position])
    }

    pub(crate) fn network_policy(&self, position: usize) -> &NetworkPolicy {
        &self.inventory.network_policies[position]
    }

    pub(crate) fn perimeter(&self, position: usize) -> &Perimeter {
        &self.inventory.perimeters[position]
    }

    /// Unreadable documents, in order.
    pub(crate) fn unreadable(&self) -> &[Unreadable] {
        &self.inventory.unreadable
    }

    pub(crate) fn service_named(&self, namespace: &str, name: &str) -> Option<&Service> {
        self.service_lookup.named(namespace, name).map(|position| &self.inventory.services[position])
    }

    /// The closing policy as a reference to the whole object.
    pub(crate) fn closer_ref(&self, closer: Closer, direction: Direction) -> RuleRef {
        match closer {
            Closer::NetworkPolicy(position) => {
                let list = match direction {
                    Direction::Ingress => RuleList::Ingress,
                    Direction::Egress => RuleList::Egress,
                };
                let meta = &self.network_policy(position).meta;
                whole_object(meta.reference.clone(), list, Mode::Enforce, meta.place.clone())
            }
            Closer::Perimeter(position) => {
                let perimeter = self.perimeter(position);
                let meta = &perimeter.meta;
                whole_object(meta.reference.clone(), RuleList::Rules, perimeter.mode, meta.place.clone())
            }
        }
    }

    pub(crate) fn closer_mode(&self, closer: Closer) -> Mode {
        match closer {
            Closer::NetworkPolicy(_) => Mode::Enforce,
            Closer::Perimeter(position) => self.perimeter(position).mode,
        }
    }
}

fn whole_object(object: ObjectRef, list: RuleList, mode: Mode, place: Place) -> RuleRef {
    RuleRef { object, rule: None, from_peer: None, to_peer: None, list, name: None, mode, place }
}

/// The order of decision takes the first by (kind, namespace, name): the lists have to be in it.
fn sorted(inventory: Arc<Inventory>) -> Arc<Inventory> {
    let mut inventory = inventory;
    let mutable = Arc::make_mut(&mut inventory);
    mutable.access_policies.sort_by(|a, b| a.meta.reference.cmp(&b.meta.reference));
    mutable.network_policies.sort_by(|a, b| a.meta.reference.cmp(&b.meta.reference));
    mutable.perimeters.sort_by(|a, b| a.meta.reference.cmp(&b.meta.reference));
    mutable.services.sort_by(|a, b| a.meta.reference.cmp(&b.meta.reference));
    mutable.endpoint_slices.sort_by(|a, b| a.meta.reference.cmp(&b.meta.reference));
    mutable.pods.sort_by(|a, b| a.meta.reference.cmp(&b.meta.reference));
    mutable.workloads.sort_by(|a, b| a.meta.reference.cmp(&b.meta.reference));
    mutable.nodes.sort_by(|a, b| a.meta.reference.cmp(&b.meta.reference));
    sorted_tiers(&mut mutable.tiered_policies);
    mutable.unreadable.sort();
    inventory
}

/// Sorts policies of administrators as they are asked. Equal priority is undefined in the API: by kind and name then.
pub(crate) fn sorted_tiers(policies: &mut [TieredPolicy]) {
    policies.sort_by(|a, b| (a.tier, a.priority, &a.meta.reference).cmp(&(b.tier, b.priority, &b.meta.reference)));
}

fn implied_labels(namespace: &str) -> Labels {
    [("kubernetes.io/metadata.name", namespace)].into_iter().collect()
}

fn namespace_labels(inventory: &Inventory) -> BTreeMap<Name, Arc<Labels>> {
    inventory
        .namespaces
        .iter()
        .map(|namespace| {
            let mut labels = namespace.meta.labels.clone();
            // The API server sets it on every namespace, whatever the manifest says.
            labels.0.insert("kubernetes.io/metadata.name".into(), namespace.meta.reference.name.clone());
            (namespace.meta.reference.name.clone(), Arc::new(labels))
        })
        .collect()
}

fn resolve_pods(inventory: &Inventory, namespaces: &BTreeMap<Name, Arc<Labels>>) -> Vec<PodFacts> {
    let owners = Owners::new(inventory);
    let labels_of = |namespace: &str| match namespaces.get(namespace) {
        Some(labels) => labels.clone(),
        None => Arc::new(implied_labels(namespace)),
    };
    let mut pods: Vec<PodFacts> = Vec::with_capacity(inventory.pods.len());
    for (position, pod) in inventory.pods.iter().enumerate() {
        pods.push(PodFacts {
            index: PodIndex(0),
            namespace: pod.meta.namespace().into(),
            name: pod.meta.reference.name.clone(),
            uid: pod.meta.uid.clone(),
            labels: pod.meta.labels.clone(),
            namespace_labels: labels_of(pod.meta.namespace()),
            namespace_is_known: namespaces.contains_key(pod.meta.namespace()),
            workload: owners.of_pod(pod),
            addresses: pod.own_addresses().iter().map(|address| address.to_canonical()).collect(),
            node: pod.node.clone(),
            phase: pod.phase,
            is_template: false,
            ready: pod.ready,
            place: pod.meta.place.clone(),
            container_ids: pod
                .container_statuses
                .iter()
                .filter_map(|status| status.id.clone().map(|id| (status.name.clone(), id)))
                .collect(),
            source: Source::Pod(position),
            closers: [Vec::new(), Vec::new()],
            maybe_closers: [Vec::new(), Vec::new()],
            tiers: [Vec::new(), Vec::new()],
        });
    }
    for (position, workload) in owners.without_pods(inventory) {
        pods.push(PodFacts {
            index: PodIndex(0),
            namespace: workload.meta.namespace().into(),
            name: workload.meta.reference.name.clone(),
            uid: None,
            labels: workload.labels.clone(),
            namespace_labels: labels_of(workload.meta.namespace()),
            namespace_is_known: namespaces.contains_key(workload.meta.namespace()),
            workload: WorkloadId { kind: workload.kind, name: workload.meta.reference.name.clone() },
            addresses: Vec::new(),
            node: None,
            phase: Phase::Running,
            is_template: true,
            ready: None,
            place: workload.meta.place.clone(),
            container_ids: Vec::new(),
            source: Source::Template(position),
            closers: [Vec::new(), Vec::new()],
            maybe_closers: [Vec::new(), Vec::new()],
            tiers: [Vec::new(), Vec::new()],
        });
    }
    pods.sort_by(|a, b| (&a.namespace, &a.name, a.is_template).cmp(&(&b.namespace, &b.name, b.is_template)));
    for (position, pod) in pods.iter_mut().enumerate() {
        pod.index = PodIndex(u32::try_from(position).expect("fewer than 4 billion pods fit in memory"));
    }
    pods
}

/// Notes for each pod the policies that close it, in the order of their references, and the Perimeters that close it
/// if its namespace has the labels that they ask for.
fn close(inventory: &Inventory, pods: &mut [PodFacts], lookup: &PodLookup) {
    let mut policies: Vec<(&ObjectRef, Closer)> = Vec::new();
    let network = inventory.network_policies.iter().enumerate();
    policies.extend(network.map(|(position, policy)| (&policy.meta.reference, Closer::NetworkPolicy(position))));
    let perimeters = inventory.perimeters.iter().enumerate();
    policies.extend(perimeters.map(|(position, perimeter)| (&perimeter.meta.reference, Closer::Perimeter(position))));
    policies.sort_by_key(|(reference, _)| *reference);
    let everybody: Vec<PodIndex> = pods.iter().map(|pod| pod.index).collect();
    for (_, closer) in policies {
        let candidates = match closer {
            Closer::NetworkPolicy(position) => {
                let policy = &inventory.network_policies[position];
                lookup.with_labels(policy.meta.namespace(), &policy.pod_selector.match_labels)
            }
            Closer::Perimeter(position) => {
                let perimeter = &inventory.perimeters[position];
                match &perimeter.meta.reference.namespace {
                    Some(namespace) => lookup.with_labels(namespace, &perimeter.selector.match_labels),
                    None => &everybody,
                }
            }
        };
        for index in candidates {
            let pod = &mut pods[index.0 as usize];
            if spec_of(inventory, pod).host_network {
                continue;
            }
            let (directions, selects) = match closer {
                Closer::NetworkPolicy(position) => {
                    let policy = &inventory.network_policies[position];
                    let own = policy.meta.namespace() == &*pod.namespace;
                    let selects = own && policy.pod_selector.matches(&pod.labels);
                    let directions = [policy.ingress.is_some(), policy.egress.is_some()];
                    (directions, Match::from_bool(selects, WhyNot::Labels))
                }
                Closer::Perimeter(position) => {
                    let perimeter = &inventory.perimeters[position];
                    ([perimeter.ingress, perimeter.egress], perimeter_selects(perimeter, pod))
                }
            };
            for direction in [Direction::Ingress, Direction::Egress] {
                if !directions[direction as usize] {
                    continue;
                }
                match (&selects, closer) {
                    (Match::Yes, closer) => pod.closers[direction as usize].push(closer),
                    (Match::Unknown(_), Closer::Perimeter(position)) => {
                        pod.maybe_closers[direction as usize].push(position);
                    }
                    (Match::Unknown(_), Closer::NetworkPolicy(_)) | (Match::No(_), _) => {}
                }
            }
        }
    }
}

fn spec_of<'i>(inventory: &'i Inventory, pod: &PodFacts) -> &'i PodSpec {
    match pod.source {
        Source::Pod(position) => &inventory.pods[position].spec,
        Source::Template(position) => &inventory.workloads[position].spec,
    }
}

/// Whether `perimeter` has `pod` (not on the host's network) as its subject.
pub(crate) fn perimeter_selects(perimeter: &Perimeter, pod: &PodFacts) -> Match {
    let namespace = match (&perimeter.meta.reference.namespace, &perimeter.namespace_selector) {
        (Some(namespace), _) => Match::from_bool(*namespace == pod.namespace, WhyNot::Namespace),
        (None, Some(selector)) => matching::namespace_selector(selector, pod),
        (None, None) => Match::No(WhyNot::NamespaceLabels),
    };
    namespace.and(|| Match::from_bool(perimeter.selector.matches(&pod.labels), WhyNot::Labels))
}

fn address_owners(inventory: &Inventory, pods: &[PodFacts], nodes: &[NodeFacts]) -> BTreeMap<IpAddr, AddressOwner> {
    let mut owners = BTreeMap::new();
    for (position, service) in inventory.services.iter().enumerate() {
        let addresses = service.cluster_ips.iter().chain(&service.external_ips).chain(&service.load_balancer_ips);
        owners.extend(addresses.map(|address| (address.to_canonical(), AddressOwner::Service(position))));
    }
    for pod in pods {
        owners.extend(pod.addresses.iter().map(|address| (*address, AddressOwner::Pod(pod.index))));
    }
    for (position, node) in nodes.iter().enumerate() {
        owners.extend(node.addresses.iter().map(|address| (*address, AddressOwner::Node(position))));
    }
    // An interface of the node may hold what is a Service's (kube-proxy's IPVS mode), or stand on each node.
    for (position, node) in nodes.iter().enumerate() {
        for address in &node.interface_addresses {
            owners.entry(*address).or_insert(AddressOwner::Node(position));
        }
    }
    owners
}
