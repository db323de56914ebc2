//! Problems that show only when objects are seen together.

mod shared_addresses;
mod tiers;

use palisade_model::access_policy::{AccessPolicy, Entity, Peer, PeerTarget, PodPeer};
use palisade_model::network_policy::NetworkPolicyTarget;
use palisade_model::object::{Meta, Name};
use palisade_model::{Labels, Place, Problem, Selector};

use crate::matching::{Match, NAMESPACE_NAME_LABEL, namespace_selector as namespace_selector_of};
use crate::model::{Model, PodFacts, perimeter_selects};

/// Everything found, in the order of the inventory.
pub(crate) fn find(model: &Model) -> Vec<Problem> {
    // Without any pod or workload in the input (policies alone), "matches nothing" says nothing.
    if model.pods().is_empty() {
        return one_sided(model).chain(not_yet(model)).collect();
    }
    let mut problems = network_policies(model);
    problems.extend(perimeters(model));
    problems.extend(model.inventory.access_policies.iter().flat_map(|policy| access_policy(model, policy)));
    problems.extend(tiers::find(model));
    problems.extend(one_sided(model));
    problems.extend(not_yet(model));
    problems.extend(shared_addresses::find(model));
    problems
}

/// Entities that stand for somebody on one side of a rule alone.
fn one_sided(model: &Model) -> impl Iterator<Item = Problem> {
    let rules = model.inventory.access_policies.iter().flat_map(|policy| {
        let peers = policy.rules.iter().flat_map(|rule| {
            let from = rule.from.iter().filter(|peer| peer.target == PeerTarget::Entity(Entity::Dns));
            let to = rule.to.iter().filter(|peer| peer.target == PeerTarget::Entity(Entity::Kubelet));
            from.chain(to)
        });
        peers.map(move |peer| (policy, peer))
    });
    rules.map(|(policy, peer)| {
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

fn network_policies(model: &Model) -> Vec<Problem> {
    let mut problems = Vec::new();
    for policy in &model.inventory.network_policies {
        let namespace = policy.meta.namespace();
        let with = |selector: &Selector| {
            let labels = &selector.match_labels;
            let mut candidates = model.pod_lookup.with_labels(namespace, labels).iter().map(|index| model.pod(*index));
            candidates.any(|pod| !model.spec(pod).host_network && selector.matches(&pod.labels))
        };
        let in_namespace = || -> Vec<&PodFacts> {
            let pods = model.pod_lookup.of_namespace(namespace).iter().map(|index| model.pod(*index));
            pods.filter(|pod| !model.spec(pod).host_network).collect()
        };
        if !with(&policy.pod_selector) {
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
            let in_one =
                |namespaces: &Selector, pod: &PodFacts| !matches!(namespace_selector_of(namespaces, pod), Match::No(_));
            let found = match namespace_selector {
                None => with(selector),
                Some(namespaces) => {
                    let mut candidates = in_namespaces(model, namespaces, selector);
                    candidates.any(|pod| in_one(namespaces, pod) && selector.matches(&pod.labels))
                }
            };
            // Nobody's manifests have the DNS pods, and nearly everybody's policies name them.
            let dns = &*model.settings.dns_service.0;
            let is_dns_elsewhere = namespace_selector.as_ref().is_some_and(|selector| {
                let is_named = selector.match_labels.value(NAMESPACE_NAME_LABEL) == Some(dns);
                is_named && model.pod_lookup.of_namespace(dns).is_empty()
            });
            if !found && !is_dns_elsewhere {
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
    }
    problems
}

/// The pods that are not on their node's network and that a peer in `namespaces` could mean.
fn in_namespaces<'m>(
    model: &'m Model,
    namespaces: &Selector,
    selector: &Selector,
) -> impl Iterator<Item = &'m PodFacts> {
    let found = match namespaces.match_labels.0.get(NAMESPACE_NAME_LABEL) {
        Some(namespace) => model.pod_lookup.with_labels(namespace, &selector.match_labels),
        None => model.pod_lookup.with_labels_anywhere(&selector.match_labels),
    };
    found.iter().map(|index| model.pod(*index)).filter(|pod| !model.spec(pod).host_network)
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

fn perimeters(model: &Model) -> Vec<Problem> {
    let mut problems = Vec::new();
    for perimeter in &model.inventory.perimeters {
        let meta = &perimeter.meta;
        let everywhere = || Box::new(model.pods().iter()) as Box<dyn Iterator<Item = &PodFacts>>;
        let candidates = meta.reference.namespace.as_ref().map_or_else(everywhere, |namespace| {
            let found = model.pod_lookup.with_labels(namespace, &perimeter.selector.match_labels);
            Box::new(found.iter().map(|index| model.pod(*index)))
        });
        let mut selected = candidates
            .filter(|pod| pod.decides() && !matches!(perimeter_selects(perimeter, pod), Match::No(_)))
            .peekable();
        if selected.peek().is_none() {
            let message = format!("subject `{}` matches no pod", perimeter.selector);
            problems
                .push(Problem::warning("selector-matches-nothing", message).at(&meta.place).of(meta.reference.clone()));
        }
        problems.extend(selected.filter(|pod| model.spec(pod).host_network).map(|pod| {
            let message = format!(
                "subject matches `{}`, which is on its node's network and so is its node for every policy: it stays open",
                pod.full_name()
            );
            Problem::warning("selects-host-network", message).at(&meta.place).of(meta.reference.clone())
        }));
    }
    problems
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
    Box::new(found.iter().map(|index| model.pod(*index)))
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
fn not_yet(model: &Model) -> Vec<Problem> {
    let rules =
        model.inventory.access_policies.iter().flat_map(|policy| policy.rules.iter().map(move |rule| (policy, rule)));
    rules
        .filter_map(|(policy, rule)| {
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
        .collect()
}
