//! The model: an inventory with every name resolved.
//!
//! [`Model::new`] resolves all; [`Model::update`](crate::Model::update) and its like bring a model to another inventory by
//! what differs. Invariant: whichever way it came about, the model of an inventory is the same.

mod closers;
mod pods;

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::ops::Range;
use std::sync::Arc;

use palisade_model::access_policy::{AccessPolicy, Mode};
use palisade_model::cni::CniProfile;
use palisade_model::inventory::{Inventory, Unreadable};
use palisade_model::network_policy::NetworkPolicy;
use palisade_model::object::{Kind, Meta, Name, ObjectRef};
use palisade_model::perimeter::Perimeter;
use palisade_model::pod::{Phase, Pod, PodSpec};
use palisade_model::service::Service;
use palisade_model::settings::Settings;
use palisade_model::tiered_policy::{Tier, TieredPolicy};
use palisade_model::verdict::{Direction, RuleList, RuleRef};
use palisade_model::workload::{Workload, WorkloadKind};
use palisade_model::{Labels, Outcome, Place, Problem};
use serde::Serialize;

use crate::address_index::AddressIndex;
use crate::dial::{ApiserverEndpoint, Backend};
use crate::findings::Findings;
use crate::matching::{self, Match, WhyNot};
use crate::nodes::{self, NodeFacts};
use crate::pod_index::PodLookup;
use crate::rule_index::RuleIndex;
use crate::service_index::ServiceLookup;
use crate::tiers::Selecting;
use crate::workloads::PodsOfWorkloads;

pub(crate) use closers::Closer;
pub(crate) use pods::{facts_of_pod, facts_of_template, in_namespace};

/// A pod by its position in [`Model::pods`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
pub struct PodIndex(pub u32);

impl PodIndex {
    pub(crate) fn at(position: usize) -> Self {
        Self(u32::try_from(position).expect("fewer than 4 billion pods fit in memory"))
    }

    pub(crate) fn at_usize(self) -> usize {
        self.0 as usize
    }
}

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
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PodFacts {
    /// Its position in [`Model::pods`].
    pub index: PodIndex,
    /// Its namespace.
    pub namespace: Name,
    /// Its name; a workload's name when it stands for one and has no number.
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

/// What a pod's facts are from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Source {
    Pod(Arc<Pod>),
    Template(Arc<Workload>),
}

impl PodFacts {
    /// `namespace/name`.
    pub fn full_name(&self) -> String {
        format!("{}/{}", self.namespace, self.name)
    }

    /// What it runs: of its object or of its workload's template.
    pub fn spec(&self) -> &PodSpec {
        match &self.source {
            Source::Pod(pod) => &pod.spec,
            Source::Template(workload) => &workload.spec,
        }
    }

    /// Its object, when it does not stand for a workload.
    pub(crate) fn object(&self) -> Option<&Arc<Pod>> {
        match &self.source {
            Source::Pod(pod) => Some(pod),
            Source::Template(_) => None,
        }
    }

    /// The workload that it stands for, when it stands for one.
    pub(crate) fn template(&self) -> Option<&Arc<Workload>> {
        match &self.source {
            Source::Pod(_) => None,
            Source::Template(workload) => Some(workload),
        }
    }

    /// Pods stand in this order.
    pub(crate) fn order(&self) -> impl Ord + '_ {
        (&*self.namespace, &*self.name, self.template().map(|workload| workload.kind))
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

/// Whose an address is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum AddressOwner {
    Pod(PodIndex),
    Node(usize),
    Service(usize),
}

/// An inventory with every name resolved.
#[derive(Clone, PartialEq, Debug)]
pub struct Model {
    pub(crate) inventory: Arc<Inventory>,
    pub(crate) settings: Settings,
    pub(crate) pods: Vec<PodFacts>,
    pub(crate) nodes: Vec<NodeFacts>,
    pub(crate) addresses: AddressIndex,
    pub(crate) rules: RuleIndex,
    pub(crate) pod_lookup: PodLookup,
    pub(crate) service_lookup: ServiceLookup,
    pub(crate) pods_of_workloads: PodsOfWorkloads,
    pub(crate) namespace_labels: BTreeMap<Name, Arc<Labels>>,
    pub(crate) dns_backends: Vec<Backend>,
    pub(crate) apiserver_endpoints: Vec<ApiserverEndpoint>,
    /// Whether any object is in Audit; without one the would-be verdict is the enforced one.
    pub(crate) has_audit: bool,
    /// Whether two objects of one list have one reference.
    pub(crate) has_twins: bool,
    pub(crate) findings: Findings,
}

impl Default for Model {
    /// The model of an inventory that is empty.
    fn default() -> Self {
        Self::new(Arc::default(), Settings::default()).value
    }
}

impl Model {
    /// Resolves `inventory`; the problems are those that show only when objects are seen together.
    pub fn new(inventory: Arc<Inventory>, settings: Settings) -> Outcome<Self> {
        let mut model = Self::resolve(inventory, settings);
        model.findings = Findings::of(&model);
        let problems = model.problems();
        Outcome::new(model, problems)
    }

    /// Resolves `inventory` for who asks about links alone: nothing is found of objects.
    pub(crate) fn resolve(inventory: Arc<Inventory>, settings: Settings) -> Self {
        let (inventory, has_twins) = sorted(inventory);
        let namespace_labels: BTreeMap<Name, Arc<Labels>> = inventory
            .namespaces
            .iter()
            .map(|namespace| (namespace.meta.reference.name.clone(), labels_of(&namespace.meta)))
            .collect();
        let pods_of_workloads = PodsOfWorkloads::new(&inventory);
        let mut pods = pods::resolve(&inventory, &namespace_labels, &pods_of_workloads);
        let pod_lookup = PodLookup::new(&pods);
        closers::close_all(&inventory, &mut pods, &pod_lookup);
        let nodes = nodes::resolve(&inventory);
        let addresses = AddressIndex::new(&inventory, &pods, &nodes);
        let rules = RuleIndex::new(&inventory);
        let service_lookup = ServiceLookup::new(&inventory);
        let mut model = Self {
            inventory,
            settings,
            pods,
            nodes,
            addresses,
            rules,
            pod_lookup,
            service_lookup,
            pods_of_workloads,
            namespace_labels,
            dns_backends: Vec::new(),
            apiserver_endpoints: Vec::new(),
            has_audit: false,
            has_twins,
            findings: Findings::default(),
        };
        model.find_audit();
        model.find_well_known();
        model
    }

    pub(crate) fn find_audit(&mut self) {
        self.has_audit = self.inventory.access_policies.iter().any(|policy| policy.mode == Mode::Audit)
            || self.inventory.perimeters.iter().any(|perimeter| perimeter.mode == Mode::Audit);
    }

    /// Finds who is the DNS and the API server.
    pub(crate) fn find_well_known(&mut self) {
        self.dns_backends = self.find_dns_backends();
        self.apiserver_endpoints = self.find_apiserver_endpoints();
    }

    /// The problems that show only when objects are seen together, in the order of the inventory.
    pub fn problems(&self) -> Vec<Problem> {
        self.findings.all(self)
    }

    /// Every pod, templates' ones included, by namespace and name.
    pub fn pods(&self) -> &[PodFacts] {
        &self.pods
    }

    /// The pod at `index`.
    pub fn pod(&self, index: PodIndex) -> &PodFacts {
        &self.pods[index.0 as usize]
    }

    /// The pod `namespace/name`; of a pod and a workload's template of one name the pod, which is there.
    pub fn pod_named(&self, namespace: &str, name: &str) -> Option<&PodFacts> {
        let pods = &self.pods[self.pod_lookup.range_of(namespace)];
        let first = pods.partition_point(|pod| *pod.name < *name);
        pods.get(first).filter(|pod| *pod.name == *name)
    }

    /// The node of the name, with or without an object.
    pub(crate) fn node_named(&self, name: &str) -> Option<&NodeFacts> {
        let found = self.nodes.binary_search_by(|node| (*node.name).cmp(name));
        found.ok().map(|position| &self.nodes[position])
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
    pub fn spec<'p>(&self, pod: &'p PodFacts) -> &'p PodSpec {
        pod.spec()
    }

    /// Whether the pod is a template that stands for several pods, which then reach each other.
    pub fn stands_for_several(&self, pod: &PodFacts) -> bool {
        match &pod.source {
            Source::Pod(_) => false,
            Source::Template(workload) => {
                let are_many = workload.replicas > 1 || workload.kind == WorkloadKind::DaemonSet;
                are_many && !workload.has_ordinals()
            }
        }
    }

    /// Whether the workload runs one pod and no more; `None` when it is not there.
    pub fn runs_one_pod(&self, namespace: &Name, workload: &WorkloadId) -> Option<bool> {
        let pods = &self.pods[self.pod_lookup.range_of(namespace)];
        let mut pods = pods.iter().filter(|pod| pod.workload == *workload);
        let first = pods.next()?;
        Some(!self.stands_for_several(first) && pods.next().is_none())
    }

    /// The labels of `namespace`: of its object, or just its name when it has none.
    pub fn namespace_labels(&self, namespace: &str) -> Arc<Labels> {
        match self.namespace_labels.get(namespace) {
            Some(labels) => labels.clone(),
            None => Arc::new(implied_labels(namespace)),
        }
    }

    pub(crate) fn owner_of(&self, address: IpAddr) -> Option<AddressOwner> {
        self.addresses.owner_of(address)
    }

    /// The access policies that act on ends in `namespace`: its own, then the cluster-wide ones.
    pub(crate) fn access_policies_of(&self, namespace: &Name) -> impl Iterator<Item = &AccessPolicy> {
        let policies = &self.inventory.access_policies;
        let scopes = [(Kind::AccessPolicy, Some(&**namespace)), (Kind::ClusterAccessPolicy, None)];
        let of_scopes = scopes.map(|scope| &policies[in_scope(policies, scope, |policy| &policy.meta)]);
        of_scopes.into_iter().flatten().map(Arc::as_ref)
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
        self.service_lookup.named(namespace, name).map(|position| &*self.inventory.services[position])
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

/// The order of decision takes the first by (kind, namespace, name): the lists have to be in it. Also whether two objects
/// of one list have one reference.
fn sorted(mut inventory: Arc<Inventory>) -> (Arc<Inventory>, bool) {
    let mut has_twins = false;
    let own = Arc::make_mut(&mut inventory);
    has_twins |= sort(&mut own.namespaces, |object| &object.meta);
    has_twins |= sort(&mut own.nodes, |object| &object.meta);
    has_twins |= sort(&mut own.service_accounts, |object| &object.meta);
    has_twins |= sort(&mut own.workloads, |object| &object.meta);
    has_twins |= sort(&mut own.pods, |object| &object.meta);
    has_twins |= sort(&mut own.services, |object| &object.meta);
    has_twins |= sort(&mut own.endpoint_slices, |object| &object.meta);
    has_twins |= sort(&mut own.ingresses, |object| &object.meta);
    has_twins |= sort(&mut own.ingress_classes, |object| &object.meta);
    has_twins |= sort(&mut own.gateways, |object| &object.meta);
    has_twins |= sort(&mut own.gateway_classes, |object| &object.meta);
    has_twins |= sort(&mut own.routes, |object| &object.meta);
    has_twins |= sort(&mut own.reference_grants, |object| &object.meta);
    has_twins |= sort(&mut own.network_policies, |object| &object.meta);
    has_twins |= sort(&mut own.tiered_policies, |object| &object.meta);
    has_twins |= sort(&mut own.perimeters, |object| &object.meta);
    has_twins |= sort(&mut own.access_policies, |object| &object.meta);
    sorted_tiers(&mut own.tiered_policies);
    own.unreadable.sort();
    (inventory, has_twins)
}

fn sort<T>(list: &mut [Arc<T>], meta: fn(&T) -> &Meta) -> bool {
    list.sort_by(|a, b| meta(a).reference.cmp(&meta(b).reference));
    list.windows(2).any(|pair| meta(&pair[0]).reference == meta(&pair[1]).reference)
}

/// Sorts policies of administrators as they are asked. Equal priority is undefined in the API: by kind and name then.
pub(crate) fn sorted_tiers(policies: &mut [Arc<TieredPolicy>]) {
    policies.sort_by(|a, b| tier_order(a, b));
}

pub(crate) fn tier_order(a: &TieredPolicy, b: &TieredPolicy) -> Ordering {
    (a.tier, a.priority, &a.meta.reference).cmp(&(b.tier, b.priority, &b.meta.reference))
}

/// Where in a list in order the objects of `kind` and `namespace` stand.
pub(crate) fn in_scope<T>(
    list: &[Arc<T>],
    (kind, namespace): (Kind, Option<&str>),
    meta: impl Fn(&T) -> &Meta,
) -> Range<usize> {
    let place = |object: &Arc<T>| {
        let reference = &meta(object).reference;
        (reference.kind, reference.namespace.as_deref()).cmp(&(kind, namespace))
    };
    list.partition_point(|object| place(object).is_lt())..list.partition_point(|object| place(object).is_le())
}

/// The labels of a namespace with an object.
pub(crate) fn labels_of(namespace: &Meta) -> Arc<Labels> {
    let mut labels = namespace.labels.clone();
    // The API server sets it on every namespace, whatever the manifest says.
    labels.0.insert("kubernetes.io/metadata.name".into(), namespace.reference.name.clone());
    Arc::new(labels)
}

fn implied_labels(namespace: &str) -> Labels {
    [("kubernetes.io/metadata.name", namespace)].into_iter().collect()
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
