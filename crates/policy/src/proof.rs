//! Whether two sets of policies decide alike: over everything in the inventory, and over pods that may come.
//!
//! Nothing here knows how one set was made from the other: both are judged by the engine.

mod newcomers;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use palisade_model::inventory::Inventory;
use palisade_model::link::End;
use palisade_model::port::PortSet;
use palisade_model::settings::Settings;
use palisade_model::tiered_policy::TieredTarget;
use palisade_model::{Selector, Timestamp};
use serde::Serialize;

use self::newcomers::Newcomers;
use crate::classes::prefixes;
use crate::compare::{self, Comparison, Somebody, Turned};
use crate::model::{AddressOwner, Model, PodFacts};
use crate::outside::is_group;

/// So many verdicts of each set are compared over the inventory, and as many over newcomers: some ten seconds.
const MOST_VERDICTS: usize = 1_000_000;
/// So many addresses outside stand for the blocks that policies name.
const MOST_ADDRESSES: usize = 128;
/// So many differences are kept.
const MOST_DIFFERENCES: usize = 1_000;

/// What was compared, and what was found to differ.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Proof {
    /// Pods of the inventory, templates included.
    pub pods: usize,
    /// Groups of them that no policy of either set tells apart; one of each was asked for all.
    pub classes: usize,
    /// Parties outside: addresses and nodes.
    pub outside: usize,
    /// All of these that policies tell apart; more than `outside` where they were cut.
    pub possible_outside: usize,
    /// Pods that may come, by their labels and those of their namespace.
    pub newcomers: usize,
    /// All of these that there are; more than `newcomers` where they were cut.
    pub possible_newcomers: u128,
    /// Links judged by both sets.
    pub judged: usize,
    /// Whether there was more to judge than the limit.
    pub is_cut: bool,
    /// Links of the inventory that differ: by one pod of each class.
    pub differences: Vec<Turned>,
    /// Links of newcomers that differ.
    pub newcomer_differences: Vec<Turned>,
}

impl Proof {
    /// Whether no difference was found.
    pub fn is_equal(&self) -> bool {
        self.differences.is_empty() && self.newcomer_differences.is_empty()
    }
}

/// Compares what `before` and `after`, which differ in policies alone, decide at `now`.
pub(crate) fn prove(before: &Inventory, after: &Inventory, settings: &Settings, now: Timestamp) -> Proof {
    let model = |inventory: &Inventory| Model::new(Arc::new(inventory.clone()), settings.clone()).value;
    let models = [model(before), model(after)];
    let mut proof = Proof::default();
    let classes = classes(&models);
    proof.pods = models[0].pods().iter().filter(|pod| is_asked(&models[0], pod)).count();
    proof.classes = classes.len();
    let pods: Vec<&PodFacts> = classes.iter().flat_map(|class| class.iter().take(2).copied()).collect();
    let (outside, possible) = outside(&models);
    proof.outside = outside.len();
    proof.possible_outside = possible;
    let differences = compare_all(&models, now, &pods, &[], &outside, &mut proof);
    proof.differences = differences;

    let newcomers = Newcomers::of([before, after]);
    proof.newcomers = newcomers.pods.len();
    proof.possible_newcomers = newcomers.possible;
    let with = [before, after].map(|inventory| model(&newcomers.join(inventory)));
    let find = |pod: &PodFacts| with[0].pod_named(&pod.namespace, &pod.name);
    let residents: Vec<&PodFacts> =
        classes.iter().filter_map(|class| class.first()).filter_map(|pod| find(pod)).collect();
    let come = newcomers.pods.iter().filter_map(|pod| with[0].pod_named(pod.meta.namespace(), pod.meta.name()));
    let come: Vec<&PodFacts> = come.collect();
    proof.newcomer_differences = compare_all(&with, now, &come, &residents, &outside, &mut proof);
    proof
}

/// Links among `pods`, and between them and `others` and those outside, either way.
fn compare_all(
    models: &[Model; 2],
    now: Timestamp,
    pods: &[&PodFacts],
    others: &[&PodFacts],
    outside: &[Somebody],
    proof: &mut Proof,
) -> Vec<Turned> {
    let [before, after] = models;
    let mut comparison = Comparison::new(before, after, now, MOST_VERDICTS);
    let senders = |pods: &[&PodFacts]| -> Vec<Somebody> {
        pods.iter().flat_map(|pod| compare::pod_senders([before, after], pod)).collect()
    };
    let receivers =
        |pods: &[&PodFacts]| -> Vec<Somebody> { pods.iter().map(|pod| compare::pod_receiver(pod)).collect() };
    let (own_senders, own_receivers) = (senders(pods), receivers(pods));
    let outside_and_others: Vec<Somebody> = receivers(others).into_iter().chain(outside.iter().cloned()).collect();
    let from_others: Vec<Somebody> = senders(others).into_iter().chain(outside.iter().cloned()).collect();
    let everybody: Vec<&Somebody> = own_senders.iter().chain(&from_others).collect();
    let of_own = own_receivers.iter().map(|to| (to, everybody.as_slice()));
    let own: Vec<&Somebody> = own_senders.iter().collect();
    let of_others = outside_and_others.iter().map(|to| (to, own.as_slice()));
    let mut found = BTreeSet::new();
    'all: for (to, senders) in of_own.chain(of_others) {
        let ranges = comparison.ranges(to, |_| PortSet::all());
        for from in senders.iter().filter(|from| !is_same_pod(&from.end, &to.end)) {
            let turned = comparison.turned(from, to, &ranges);
            proof.is_cut |= turned.is_none() || found.len() > MOST_DIFFERENCES;
            found.extend(turned.unwrap_or_default());
            if proof.is_cut {
                break 'all;
            }
        }
    }
    proof.judged += MOST_VERDICTS - comparison.left;
    found.into_iter().collect()
}

fn is_same_pod(from: &End, to: &End) -> bool {
    match (from, to) {
        (End::Pod(from), End::Pod(to)) => (&from.namespace, &from.name) == (&to.namespace, &to.name),
        (End::Pod(_) | End::Node { .. } | End::Address(_), _) => false,
    }
}

fn is_asked(model: &Model, pod: &PodFacts) -> bool {
    let is_named = model.pod_named(&pod.namespace, &pod.name).is_some_and(|named| named.index == pod.index);
    pod.decides() && !model.spec(pod).host_network && is_named
}

/// Pods that no policy of either model tells apart.
fn classes(models: &[Model; 2]) -> Vec<Vec<&PodFacts>> {
    let mentioned = Mentioned::of(models);
    let mut classes: BTreeMap<String, Vec<&PodFacts>> = BTreeMap::new();
    for pod in models[0].pods().iter().filter(|pod| is_asked(&models[0], pod)) {
        classes.entry(mentioned.key(&models[0], pod)).or_default().push(pod);
    }
    classes.into_values().collect()
}

/// What policies and Services ask of a pod.
struct Mentioned {
    labels: BTreeSet<String>,
    workloads: bool,
    accounts: bool,
    blocks: Vec<palisade_model::IpNet>,
}

impl Mentioned {
    fn of(models: &[Model; 2]) -> Self {
        let mut labels = BTreeSet::new();
        for model in models {
            for selector in pod_selectors(&model.inventory) {
                labels.extend(keys(selector));
            }
            let services = model.inventory.services.iter().filter_map(|service| service.selector.as_ref());
            labels.extend(services.flat_map(|selector| selector.0.keys()).map(|key| key.to_string()));
            labels.extend(model.settings.gateways.iter().flat_map(|(_, selector)| keys(selector)));
        }
        let peers = || models.iter().flat_map(|model| access_pods(&model.inventory));
        let blocks: BTreeSet<_> = models.iter().flat_map(prefixes::policy_blocks).collect();
        Self {
            labels,
            workloads: peers().any(|peer| peer.workload.is_some()),
            accounts: peers().any(|peer| peer.service_account.is_some()),
            blocks: blocks.into_iter().collect(),
        }
    }

    /// Equal for pods that are alike.
    fn key(&self, model: &Model, pod: &PodFacts) -> String {
        let labels = pod.labels.0.iter().filter(|(key, _)| self.labels.contains(&***key));
        let labels: Vec<String> = labels.map(|(key, value)| format!("{key}={value}")).collect();
        let workload = self.workloads.then_some(&pod.workload);
        let spec = model.spec(pod);
        let account = self.accounts.then(|| spec.service_account_name());
        let containers: Vec<_> = spec
            .containers
            .iter()
            .map(|one| (&one.name, one.role, &one.ports, &one.readiness, &one.liveness, &one.startup))
            .collect();
        let blocks = self.blocks.iter().map(|block| {
            let inside = |address: &IpAddr| block.contains(address);
            if pod.addresses.iter().any(inside) { '1' } else { '0' }
        });
        let blocks: String = blocks.collect();
        let families = (pod.addresses.iter().any(IpAddr::is_ipv4), pod.addresses.iter().any(IpAddr::is_ipv6));
        let services = model.services_before(pod);
        let is_apiserver = model.apiserver_endpoints.iter().any(|one| pod.addresses.contains(&one.address));
        let namespace = (&pod.namespace, pod.namespace_is_known);
        format!(
            "{namespace:?}{labels:?}{workload:?}{account:?}{containers:?}{blocks}{families:?}{services:?}{is_apiserver}{:?}",
            pod.node
        )
    }
}

fn keys(selector: &Selector) -> impl Iterator<Item = String> + '_ {
    let equal = selector.match_labels.0.keys().map(|key| key.to_string());
    equal.chain(selector.match_expressions.iter().map(|requirement| requirement.key.to_string()))
}

fn access_pods(inventory: &Inventory) -> impl Iterator<Item = &palisade_model::access_policy::PodPeer> {
    use palisade_model::access_policy::PeerTarget;
    let rules = inventory.access_policies.iter().flat_map(|policy| &policy.rules);
    rules.flat_map(|rule| rule.from.iter().chain(&rule.to)).filter_map(|peer| match &peer.target {
        PeerTarget::Pods(pods) => Some(pods),
        PeerTarget::Cidr { .. } | PeerTarget::Entity(_) | PeerTarget::Fqdn(_) => None,
    })
}

/// Every selector of pods in policies.
fn pod_selectors(inventory: &Inventory) -> Vec<&Selector> {
    use palisade_model::network_policy::NetworkPolicyTarget;
    let mut selectors: Vec<&Selector> = Vec::new();
    for policy in &inventory.network_policies {
        selectors.push(&policy.pod_selector);
        let rules = policy.ingress.iter().chain(&policy.egress).flatten();
        for peer in rules.flat_map(|rule| &rule.peers) {
            if let NetworkPolicyTarget::Pods { pod_selector: Some(selector), .. } = &peer.target {
                selectors.push(selector);
            }
        }
    }
    selectors.extend(inventory.perimeters.iter().map(|perimeter| &perimeter.selector));
    selectors.extend(access_pods(inventory).filter_map(|peer| peer.selector.as_ref()));
    for scope in tiered_scopes(inventory) {
        selectors.push(&scope.pod_selector);
    }
    selectors
}

fn tiered_scopes(inventory: &Inventory) -> impl Iterator<Item = &palisade_model::tiered_policy::PodScope> {
    inventory.tiered_policies.iter().flat_map(|policy| {
        let rules = policy.ingress.iter().chain(&policy.egress);
        let scopes = rules.flat_map(|rule| &rule.peers).filter_map(|peer| match &peer.target {
            TieredTarget::Pods(scope) => Some(scope),
            TieredTarget::Nodes(_)
            | TieredTarget::Networks(_)
            | TieredTarget::DomainNames(_)
            | TieredTarget::Unknown => None,
        });
        scopes.chain([&policy.subject])
    })
}

/// Every selector of namespaces in policies.
fn namespace_selectors(inventory: &Inventory) -> Vec<&Selector> {
    use palisade_model::network_policy::NetworkPolicyTarget;
    let mut selectors: Vec<&Selector> = Vec::new();
    let network = inventory.network_policies.iter();
    let rules = network.flat_map(|policy| policy.ingress.iter().chain(&policy.egress).flatten());
    for peer in rules.flat_map(|rule| &rule.peers) {
        if let NetworkPolicyTarget::Pods { namespace_selector: Some(selector), .. } = &peer.target {
            selectors.push(selector);
        }
    }
    selectors.extend(inventory.perimeters.iter().filter_map(|perimeter| perimeter.namespace_selector.as_ref()));
    selectors.extend(access_pods(inventory).filter_map(|peer| peer.namespace_selector.as_ref()));
    selectors.extend(tiered_scopes(inventory).map(|scope| &scope.namespace_selector));
    selectors
}

/// Addresses that no pod has, one for each block and prefix that is told apart, the own node and those that have a name; and
/// how many there would be without a limit.
fn outside(models: &[Model; 2]) -> (Vec<Somebody>, usize) {
    let blocks: BTreeSet<_> = models.iter().flat_map(prefixes::policy_blocks).collect();
    let addresses = prefixes::with_addresses(&models[0], blocks);
    let is_outside = |address: &IpAddr| match models[0].owner_of(*address) {
        None => !address.is_loopback() && !address.is_unspecified() && !is_group(*address),
        Some(AddressOwner::Pod(_) | AddressOwner::Node(_) | AddressOwner::Service(_)) => false,
    };
    let addresses: BTreeSet<IpAddr> = addresses.into_iter().map(|(_, address)| address).filter(is_outside).collect();
    let name = |address: &IpAddr| match models[0].world_address(address.is_ipv4()) == Some(*address) {
        true if address.is_ipv4() => "world".to_owned(),
        true => "world (IPv6)".to_owned(),
        false => address.to_string(),
    };
    let world = [true, false].into_iter().filter_map(|v4| models[0].world_address(v4));
    let nodes = &models[0].nodes;
    let cut = addresses.len().saturating_sub(MOST_ADDRESSES) + nodes.len().saturating_sub(MOST_ADDRESSES);
    let addresses: BTreeSet<IpAddr> = world.chain(addresses.into_iter().take(MOST_ADDRESSES)).collect();
    let mut outside: Vec<Somebody> = addresses
        .iter()
        .map(|address| Somebody { end: End::Address(*address), name: name(address), group: name(address) })
        .collect();
    outside.push(compare::own_node());
    let nodes = nodes.iter().take(MOST_ADDRESSES).map(|node| {
        let name = format!("node {}", node.name);
        Somebody { end: End::Node { name: node.name.clone(), address: None }, group: name.clone(), name }
    });
    outside.extend(nodes);
    let possible = outside.len() + cut;
    (outside, possible)
}
