//! Problems that show only when objects are seen together, kept by the object that they are of.

mod shared_addresses;
mod tiers;
pub(crate) mod touched;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use palisade_model::access_policy::{AccessPolicy, Entity, Peer, PeerTarget, PodPeer};
use palisade_model::inventory::Inventory;
use palisade_model::network_policy::{NetworkPolicy, NetworkPolicyTarget};
use palisade_model::object::{Kind, Meta, Name, ObjectRef};
use palisade_model::perimeter::Perimeter;
use palisade_model::tiered_policy::TieredPolicy;
use palisade_model::{Labels, Place, Problem, Selector};

use crate::matching::{Match, NAMESPACE_NAME_LABEL, namespace_selector as namespace_selector_of};
use crate::model::{Model, PodFacts, perimeter_selects};
use touched::Touched;

/// What was found of each object that something was found of.
///
/// Each map is in the order of references, and so are the lists of an inventory; those of the tiers alone have another.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub(crate) struct Findings {
    network: ByObject,
    perimeters: ByObject,
    access: ByObject,
    tiers: ByObject,
    /// Of policies of a tier, by the second of two that have one priority.
    equal_priorities: ByObject,
    one_sided: ByObject,
    not_yet: ByObject,
    /// Whether it was silent when it was found; `None` when nothing was looked for.
    is_silent: Option<bool>,
}

type ByObject = BTreeMap<ObjectRef, Vec<Problem>>;

/// Without any pod or workload in the input (policies alone), "matches nothing" says nothing.
fn is_silent(model: &Model) -> bool {
    model.pods().is_empty()
}

impl Findings {
    /// All that there is to find.
    pub(crate) fn of(model: &Model) -> Self {
        let mut findings = Self { is_silent: Some(is_silent(model)), ..Self::default() };
        let inventory = &model.inventory;
        inventory.network_policies.iter().for_each(|policy| findings.of_network(model, policy));
        inventory.perimeters.iter().for_each(|perimeter| findings.of_perimeter(model, perimeter));
        inventory.access_policies.iter().for_each(|policy| findings.of_access(model, policy));
        inventory.tiered_policies.iter().for_each(|policy| findings.of_tiered(model, policy));
        findings.of_priorities(model);
        findings
    }

    /// In the order of the inventory.
    pub(crate) fn all(&self, model: &Model) -> Vec<Problem> {
        let tiers = model.inventory.tiered_policies.iter().map(|policy| &policy.meta.reference);
        let by_tier = |map: &'_ ByObject| {
            let own = tiers.clone().filter_map(|reference| map.get(reference));
            own.flatten().cloned().collect::<Vec<Problem>>()
        };
        let in_order = |map: &'_ ByObject| map.values().flatten().cloned().collect::<Vec<Problem>>();
        let parts = [
            in_order(&self.network),
            in_order(&self.perimeters),
            in_order(&self.access),
            by_tier(&self.tiers),
            by_tier(&self.equal_priorities),
            in_order(&self.one_sided),
            in_order(&self.not_yet),
            shared_addresses::find(model),
        ];
        parts.into_iter().flatten().collect()
    }

    fn of_network(&mut self, model: &Model, policy: &NetworkPolicy) {
        let found = if is_silent(model) { Vec::new() } else { network_policy(model, policy) };
        add(&mut self.network, &policy.meta, found);
    }

    fn of_perimeter(&mut self, model: &Model, perimeter: &Perimeter) {
        let found = if is_silent(model) { Vec::new() } else { self::perimeter(model, perimeter) };
        add(&mut self.perimeters, &perimeter.meta, found);
    }

    fn of_access(&mut self, model: &Model, policy: &AccessPolicy) {
        let found = if is_silent(model) { Vec::new() } else { access_policy(model, policy) };
        add(&mut self.access, &policy.meta, found);
        add(&mut self.one_sided, &policy.meta, one_sided(policy).collect());
        add(&mut self.not_yet, &policy.meta, not_yet(policy).collect());
    }

    fn of_tiered(&mut self, model: &Model, policy: &TieredPolicy) {
        let found = if is_silent(model) { Vec::new() } else { tiers::of_policy(model, policy) };
        add(&mut self.tiers, &policy.meta, found);
    }

    fn of_priorities(&mut self, model: &Model) {
        self.equal_priorities.clear();
        for (policy, problem) in tiers::equal_priorities(model) {
            add(&mut self.equal_priorities, &policy.meta, vec![problem]);
        }
    }

    /// Finds anew what `touched` says.
    pub(crate) fn refresh(&mut self, model: &Model, touched: &Touched) {
        let Some(was_silent) = self.is_silent else { return };
        if touched.everything || was_silent != is_silent(model) {
            *self = Self::of(model);
            return;
        }
        let again = self.with_findings().filter(|reference| touched.looks_at(model, reference)).cloned();
        let policies: BTreeSet<ObjectRef> = again.chain(touched.objects.iter().cloned()).collect();
        for reference in &policies {
            let Self { network, perimeters, access, tiers, one_sided, not_yet, is_silent: _, equal_priorities: _ } =
                self;
            for map in [network, perimeters, access, tiers, one_sided, not_yet] {
                map.remove(reference);
            }
            match policy_of(&model.inventory, reference) {
                Some(Policy::Network(policy)) => self.of_network(model, policy),
                Some(Policy::Perimeter(perimeter)) => self.of_perimeter(model, perimeter),
                Some(Policy::Access(policy)) => self.of_access(model, policy),
                Some(Policy::Tiered(policy)) => self.of_tiered(model, policy),
                None => {}
            }
        }
        self.of_priorities(model);
    }

    /// The policies of which something was found that depends on pods.
    fn with_findings(&self) -> impl Iterator<Item = &ObjectRef> {
        self.network.keys().chain(self.perimeters.keys()).chain(self.access.keys()).chain(self.tiers.keys())
    }
}

/// A policy of any list.
enum Policy<'i> {
    Network(&'i NetworkPolicy),
    Perimeter(&'i Perimeter),
    Access(&'i AccessPolicy),
    Tiered(&'i TieredPolicy),
}

fn policy_of<'i>(inventory: &'i Inventory, reference: &ObjectRef) -> Option<Policy<'i>> {
    fn find<'l, T>(list: &'l [Arc<T>], meta: fn(&T) -> &Meta, reference: &ObjectRef) -> Option<&'l T> {
        let found = list.binary_search_by(|policy| meta(policy).reference.cmp(reference));
        found.ok().map(|position| &*list[position])
    }
    match reference.kind {
        Kind::NetworkPolicy => find(&inventory.network_policies, |policy| &policy.meta, reference).map(Policy::Network),
        Kind::Perimeter | Kind::ClusterPerimeter => {
            find(&inventory.perimeters, |perimeter| &perimeter.meta, reference).map(Policy::Perimeter)
        }
        Kind::AccessPolicy | Kind::ClusterAccessPolicy => {
            find(&inventory.access_policies, |policy| &policy.meta, reference).map(Policy::Access)
        }
        // They stand in another order.
        _ => {
            let mut policies = inventory.tiered_policies.iter();
            policies.find(|policy| policy.meta.reference == *reference).map(|policy| Policy::Tiered(policy))
        }
    }
}

/// More than one object may have a reference.
fn add(map: &mut ByObject, meta: &Meta, found: Vec<Problem>) {
    if !found.is_empty() {
        map.entry(meta.reference.clone()).or_default().extend(found);
    }
}

/// Entities that stand for somebody on one side of a rule alone.
fn one_sided(policy: &AccessPolicy) -> impl Iterator<Item = Problem> {
    let peers = policy.rules.iter().flat_map(|rule| {
        let from = rule.from.iter().filter(|peer| peer.target == PeerTarget::Entity(Entity::Dns));
        let to = rule.to.iter().filter(|peer| peer.target == PeerTarget::Entity(Entity::Kubelet));
        from.chain(to)
    });
    peers.map(|peer| {
        let (message, hint) = match peer.target {
            PeerTarget::Entity(Entity::Dns) => (
                "`entity: dns` in `from` matches nobody: it is the cluster DNS as it is asked",
                "name the DNS server's workload and namespace",
            ),
            _ => (
                "`entity: kubelet` in `to` matches nobody: it is the kubelet as it probes",
                "use `entity: nodes` with the port",
            ),
        };
        Problem::warning("peer-matches-nothing", message).at(&peer.place).of(policy.meta.reference.clone()).hint(hint)
    })
}

/// Pods that policies can mean; those that have ended included, since the next of a job will be like them.
fn guarded_pods(model: &Model) -> impl Iterator<Item = &PodFacts> {
    model.pods().iter().filter(|pod| !model.spec(pod).host_network)
}

fn network_policy(model: &Model, policy: &NetworkPolicy) -> Vec<Problem> {
    let mut problems = Vec::new();
    let namespace = policy.meta.namespace();
    let in_namespace = || -> Vec<&PodFacts> {
        let pods = model.pod_lookup.of_namespace(namespace).iter().map(|index| model.pod(index));
        pods.filter(|pod| !pod.spec().host_network).collect()
    };
    if !is_met_in(model, namespace, &policy.pod_selector) {
        let message = format!("podSelector `{}` matches no pod of namespace `{namespace}`", policy.pod_selector);
        problems.push(selects_nothing(
            &policy.meta,
            &policy.meta.place,
            message,
            &policy.pod_selector,
            &in_namespace(),
        ));
    }
    let rules = policy.ingress.iter().chain(&policy.egress).flatten();
    for peer in rules.flat_map(|rule| &rule.peers) {
        let NetworkPolicyTarget::Pods { pod_selector, namespace_selector } = &peer.target else { continue };
        let everything = Selector::default();
        let selector = pod_selector.as_ref().unwrap_or(&everything);
        let found = match namespace_selector {
            None => is_met_in(model, namespace, selector),
            Some(namespaces) => is_met(model, namespaces, selector),
        };
        // Nobody's manifests have the DNS pods, and nearly everybody's policies name them.
        let dns = &*model.settings.dns_service.0;
        let is_dns_elsewhere = namespace_selector.as_ref().is_some_and(|selector| {
            let is_named = selector.match_labels.value(NAMESPACE_NAME_LABEL) == Some(dns);
            is_named && model.pod_lookup.of_namespace(dns).is_empty()
        });
        if !found && !is_dns_elsewhere {
            let in_one =
                |namespaces: &Selector, pod: &PodFacts| !matches!(namespace_selector_of(namespaces, pod), Match::No(_));
            let candidates = match namespace_selector {
                None => in_namespace(),
                Some(namespaces) => guarded_pods(model).filter(|pod| in_one(namespaces, pod)).collect(),
            };
            let message = match namespace_selector {
                None => format!("peer `{selector}` matches no pod of namespace `{namespace}`"),
                Some(namespaces) => format!("peer `{selector}` in namespaces `{namespaces}` matches no pod"),
            };
            problems.push(means_nobody(&policy.meta, &peer.place, message, selector, &candidates));
        }
    }
    problems
}

/// Whether a pod of `namespace` that is not on its node's network meets `selector`.
fn is_met_in(model: &Model, namespace: &str, selector: &Selector) -> bool {
    let mut candidates = model.pod_lookup.with_labels(namespace, &selector.match_labels).iter();
    candidates.any(|index| {
        let pod = model.pod(index);
        selector.matches(&pod.labels) && !pod.spec().host_network
    })
}

/// Whether such a pod of a namespace that meets `namespaces`, or may, meets `selector`.
fn is_met(model: &Model, namespaces: &Selector, selector: &Selector) -> bool {
    let is_one = |namespace: &Name| {
        let first = model.pod_lookup.of_namespace(namespace).iter().next();
        let meets = |index| !matches!(namespace_selector_of(namespaces, model.pod(index)), Match::No(_));
        first.is_some_and(meets) && is_met_in(model, namespace, selector)
    };
    if let Some(namespace) = namespaces.match_labels.0.get(NAMESPACE_NAME_LABEL) {
        return is_one(namespace);
    }
    match model.pod_lookup.namespaces_with(&selector.match_labels) {
        Some(namespaces) => namespaces.iter().any(is_one),
        None => model.pod_lookup.namespaces().any(is_one),
    }
}

fn selects_nothing(meta: &Meta, place: &Place, message: String, selector: &Selector, pods: &[&PodFacts]) -> Problem {
    let problem = Problem::warning("selector-matches-nothing", message).at(place).of(meta.reference.clone());
    match nearest(selector, pods.iter().map(|pod| &pod.labels)) {
        Some(hint) => problem.hint(hint),
        None => problem,
    }
}

/// A peer without a pod. Where no pod of the input lies in a namespace that it could mean, nothing can be said against it.
fn means_nobody(meta: &Meta, place: &Place, message: String, selector: &Selector, pods: &[&PodFacts]) -> Problem {
    let code = if pods.is_empty() { "peer-not-in-input" } else { "peer-matches-nothing" };
    Problem { code, ..selects_nothing(meta, place, message, selector, pods) }
}

/// A label of the pods that is a slip of the pen away from one that the selector asks for.
pub(crate) fn nearest<'l>(selector: &Selector, labels: impl Iterator<Item = &'l Labels> + Clone) -> Option<String> {
    nearest_label(selector, labels).map(|(key, value)| format!("did you mean `{key}: {value}`?"))
}

/// The same as key and value.
pub(crate) fn nearest_label<'l>(
    selector: &Selector,
    labels: impl Iterator<Item = &'l Labels> + Clone,
) -> Option<(Name, Name)> {
    /// Two letters added, dropped or changed: `cart` and `carts`, but not `web` and `db`.
    const SLIP: usize = 2;
    selector.match_labels.0.iter().find_map(|(key, value)| {
        let present: std::collections::BTreeSet<&str> = labels.clone().filter_map(|labels| labels.value(key)).collect();
        if present.contains(&**value) {
            return None;
        }
        present
            .into_iter()
            .map(|candidate| (distance(candidate, value), candidate))
            .filter(|(distance, _)| *distance <= SLIP && *distance < value.len().min(4))
            .min()
            .map(|(_, candidate)| (key.clone(), candidate.into()))
    })
}

/// The Levenshtein distance.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, to) in b.iter().enumerate() {
            let change = diagonal + usize::from(from != *to);
            diagonal = row[j + 1];
            row[j + 1] = change.min(row[j] + 1).min(row[j + 1] + 1);
        }
    }
    row[b.len()]
}

fn perimeter(model: &Model, perimeter: &Perimeter) -> Vec<Problem> {
    let meta = &perimeter.meta;
    let candidates = match &meta.reference.namespace {
        Some(namespace) => model.pod_lookup.with_labels(namespace, &perimeter.selector.match_labels),
        None => model.pod_lookup.everybody(),
    };
    let mut selected = candidates
        .iter()
        .map(|index| model.pod(index))
        .filter(|pod| pod.decides() && !matches!(perimeter_selects(perimeter, pod), Match::No(_)))
        .peekable();
    if selected.peek().is_none() {
        let message = format!("subject `{}` matches no pod", perimeter.selector);
        return vec![Problem::warning("selector-matches-nothing", message).at(&meta.place).of(meta.reference.clone())];
    }
    let on_hosts = selected.filter(|pod| pod.spec().host_network).map(|pod| {
        let message = format!(
            "subject matches `{}`, which is on its node's network and so is its node for every policy: it stays open",
            pod.full_name()
        );
        Problem::warning("selects-host-network", message).at(&meta.place).of(meta.reference.clone())
    });
    on_hosts.collect()
}

fn access_policy(model: &Model, policy: &AccessPolicy) -> Vec<Problem> {
    let mut problems = Vec::new();
    for peer in policy.rules.iter().flat_map(|rule| rule.from.iter().chain(&rule.to)) {
        // A job's pod that has ended was somebody, and the next one will be.
        let PeerTarget::Pods(fields) = &peer.target else { continue };
        let mut matched =
            candidates(model, policy, fields).filter(|pod| peer_selects(policy, peer, pod, model)).peekable();
        if matched.peek().is_none() {
            let message = format!("peer {} matches no pod", render_peer(peer));
            let own = policy.meta.reference.namespace.as_ref();
            let is_there = |name: &Name| !model.pod_lookup.of_namespace(name).is_empty();
            let code = match fields.namespace.as_ref().or(own.filter(|_| fields.namespace_selector.is_none())) {
                Some(namespace) if !is_there(namespace) => "peer-not-in-input",
                Some(_) | None => "peer-matches-nothing",
            };
            problems.push(Problem::warning(code, message).at(&peer.place).of(policy.meta.reference.clone()));
        }
        problems.extend(matched.filter(|pod| pod.decides() && model.spec(pod).host_network).map(|pod| {
            let message = format!(
                "peer {} matches `{}`, which is on its node's network: name it as `entity: nodes`",
                render_peer(peer),
                pod.full_name()
            );
            Problem::warning("selects-host-network", message).at(&peer.place).of(policy.meta.reference.clone())
        }));
    }
    problems
}

/// The pods that a peer could mean, in order.
pub(crate) fn candidates<'m>(
    model: &'m Model,
    policy: &AccessPolicy,
    fields: &PodPeer,
) -> Box<dyn Iterator<Item = &'m PodFacts> + 'm> {
    let own = policy.meta.reference.namespace.as_ref();
    let namespace = match (&fields.namespace, &fields.namespace_selector) {
        (Some(namespace), _) => Some(namespace),
        (None, None) => own,
        (None, Some(_)) => None,
    };
    let Some(namespace) = namespace else { return Box::new(model.pods().iter()) };
    let found = match (&fields.workload, &fields.selector) {
        (Some(workload), _) => model.pod_lookup.of_workload(namespace, &workload.name),
        (None, Some(selector)) => model.pod_lookup.with_labels(namespace, &selector.match_labels),
        (None, None) => model.pod_lookup.of_namespace(namespace),
    };
    Box::new(found.iter().map(|index| model.pod(index)))
}

/// Whether some pod is meant by a peer.
fn matches_any(model: &Model, policy: &AccessPolicy, peer: &Peer) -> bool {
    let PeerTarget::Pods(fields) = &peer.target else { return false };
    candidates(model, policy, fields).any(|pod| peer_selects(policy, peer, pod, model))
}

/// Whether the pod-level fields of a peer mean `pod`; container and program count when the pod
/// has such a container.
pub(crate) fn peer_selects(policy: &AccessPolicy, peer: &Peer, pod: &PodFacts, model: &Model) -> bool {
    let PeerTarget::Pods(fields) = &peer.target else { return false };
    let own = policy.meta.reference.namespace.as_ref();
    let namespace = match (&fields.namespace, &fields.namespace_selector) {
        (None, None) => own == Some(&pod.namespace),
        (name, selector) => {
            name.as_ref().is_none_or(|name| *name == pod.namespace)
                && selector
                    .as_ref()
                    .is_none_or(|selector| !matches!(namespace_selector_of(selector, pod), Match::No(_)))
        }
    };
    let spec = model.spec(pod);
    namespace
        && fields.workload.as_ref().is_none_or(|workload| {
            workload.name == pod.workload.name && workload.kind.is_none_or(|kind| kind == pod.workload.kind)
        })
        && fields.selector.as_ref().is_none_or(|selector| selector.matches(&pod.labels))
        && fields.service_account.as_ref().is_none_or(|account| **account == *spec.service_account_name())
        && fields.container.as_ref().is_none_or(|name| spec.containers.iter().any(|container| container.name == *name))
        && fields.service.as_ref().is_none_or(|name| {
            let namespace = fields.namespace.as_ref().or(own).unwrap_or(&pod.namespace);
            model.service_named(namespace, name).is_some_and(|service| model.is_behind(service, pod))
        })
}

/// A peer in one line, as a manifest writes it in flow style.
pub(crate) fn render_peer(peer: &Peer) -> String {
    let fields = match &peer.target {
        PeerTarget::Pods(pods) => {
            let text = |key: &str, value: &Option<_>| value.as_ref().map(|value| format!("{key}: {value}"));
            let selector = |key: &str, value: &Option<Selector>| value.as_ref().map(|value| format!("{key}: {value}"));
            [
                pods.workload.as_ref().map(|workload| format!("workload: {workload}")),
                selector("selector", &pods.selector),
                text("namespace", &pods.namespace),
                selector("namespaceSelector", &pods.namespace_selector),
                text("serviceAccount", &pods.service_account),
                text("service", &pods.service),
                text("container", &pods.container),
                text("program", &pods.program),
            ]
            .into_iter()
            .flatten()
            .collect::<Vec<_>>()
            .join(", ")
        }
        PeerTarget::Cidr { cidr, except } if except.is_empty() => format!("cidr: {cidr}"),
        PeerTarget::Cidr { cidr, except } => {
            let except: Vec<_> = except.iter().map(ToString::to_string).collect();
            format!("cidr: {cidr}, except: [{}]", except.join(", "))
        }
        PeerTarget::Entity(entity) => format!("entity: {entity}"),
        PeerTarget::Fqdn(name) => format!("fqdn: {name}"),
    };
    format!("{{{fields}}}")
}

/// Rules whose means are not there yet: they grant nothing, and nobody should wonder why.
fn not_yet(policy: &AccessPolicy) -> impl Iterator<Item = Problem> {
    policy.rules.iter().filter_map(|rule| {
        let fqdn = rule.to.iter().any(|peer| matches!(peer.target, PeerTarget::Fqdn(_)));
        let message = match (rule.http.is_empty(), fqdn, rule.action) {
            (true, false, _) => return None,
            (false, _, palisade_model::access_policy::Action::Deny) => {
                "`http` is not judged yet: this Deny refuses the whole link"
            }
            (false, _, palisade_model::access_policy::Action::Allow) => {
                "`http` is not judged yet: this Allow grants nothing"
            }
            (true, true, _) => "`fqdn` is not resolved yet: this peer grants nothing",
        };
        Some(Problem::warning("not-judged-yet", message).at(&rule.place).of(policy.meta.reference.clone()))
    })
}
