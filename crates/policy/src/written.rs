//! Policies as manifests, ready to apply: what `explain`, `lower`, `convert` and `scenario` propose.
//!
//! Invariant: what is written reads back as what was written, places aside.

pub(crate) mod yaml;

use palisade_model::access_policy::{AccessPolicy, AccessRule, Mode, Peer, PeerTarget, PodPeer};
use palisade_model::network_policy::{NetworkPolicy, NetworkPolicyPeer, NetworkPolicyRule, NetworkPolicyTarget};
use palisade_model::perimeter::{Loopback, OnRefusal, Perimeter};
use palisade_model::port::{PortMatch, PortRange, PortRule, Protocol};
use palisade_model::selector::Operator;
use palisade_model::tiered_policy::{
    PodScope, Tier, TierAction, TieredPeer, TieredPolicy, TieredPort, TieredRule, TieredTarget,
};
use palisade_model::{IpNet, Kind, Labels, Meta, Selector};

use self::yaml::{Yaml, flow, list, map, number, text};

/// What `kubectl apply` writes for itself: the object as it was applied before.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// A NetworkPolicy as a manifest.
pub fn network_policy(policy: &NetworkPolicy) -> String {
    let listed = [("Ingress", policy.ingress.is_some()), ("Egress", policy.egress.is_some())];
    let types = listed.into_iter().filter(|(_, is_listed)| *is_listed).map(|(word, _)| text(word));
    let mut spec = map([("podSelector", selector(&policy.pod_selector)), ("policyTypes", list(types))]);
    for (name, peers, rules) in [("ingress", "from", &policy.ingress), ("egress", "to", &policy.egress)] {
        let rules = rules.iter().flatten().map(|rule| network_rule(rule, peers));
        let rules = list(rules).in_block();
        spec = spec.with_some(name, (!rules.is_empty()).then_some(rules));
    }
    object("networking.k8s.io/v1", &policy.meta, spec.in_block())
}

/// A policy of administrators as a manifest of its kind.
pub fn tiered_policy(policy: &TieredPolicy) -> String {
    let kind = policy.meta.reference.kind;
    let is_new = kind == Kind::ClusterNetworkPolicy;
    let tier = match policy.tier {
        Tier::Admin => "Admin",
        Tier::Baseline => "Baseline",
    };
    let mut spec = map([])
        .with_some("tier", is_new.then(|| text(tier)))
        .with_some("priority", (kind != Kind::BaselineAdminNetworkPolicy).then(|| number(policy.priority)))
        .with("subject", scope(&policy.subject));
    for (name, peers, rules) in [("ingress", "from", &policy.ingress), ("egress", "to", &policy.egress)] {
        let written = list(rules.iter().map(|rule| tiered_rule(rule, peers, is_new).in_block())).in_block();
        spec = spec.with_some(name, (!rules.is_empty()).then_some(written));
    }
    let version = if is_new { "policy.networking.k8s.io/v1alpha2" } else { "policy.networking.k8s.io/v1alpha1" };
    object(version, &policy.meta, spec.in_block())
}

/// An AccessPolicy or ClusterAccessPolicy as a manifest.
pub fn access_policy(policy: &AccessPolicy) -> String {
    let rules = list(policy.rules.iter().map(|rule| access_rule(rule).in_block())).in_block();
    let spec = map([]).with_some("mode", mode(policy.mode)).with("rules", rules);
    object("palisade.dev/v1alpha1", &policy.meta, spec.in_block())
}

/// A Perimeter or ClusterPerimeter as a manifest.
pub fn perimeter(perimeter: &Perimeter) -> String {
    let subject = map([])
        .with_some("namespaceSelector", perimeter.namespace_selector.as_ref().map(selector))
        .with("selector", selector(&perimeter.selector));
    let directions = [("Ingress", perimeter.ingress), ("Egress", perimeter.egress)];
    let closed = directions.into_iter().filter(|(_, is_closed)| *is_closed).map(|(word, _)| text(word));
    let except = list(perimeter.except.iter().map(|entity| text(entity.as_str())));
    let spec = map([])
        .with_some("mode", mode(perimeter.mode))
        .with("subject", subject)
        .with("directions", list(closed))
        .with_some("loopback", (perimeter.loopback == Loopback::Closed).then(|| text("Closed")))
        .with_some("except", (!except.is_empty()).then_some(except))
        .with_some("onRefusal", (perimeter.on_refusal == OnRefusal::Drop).then(|| text("Drop")));
    object("palisade.dev/v1alpha1", &perimeter.meta, spec.in_block())
}

fn object(version: &str, meta: &Meta, spec: Yaml) -> String {
    let annotations = Labels(meta.annotations.0.iter().filter(|(key, _)| &***key != LAST_APPLIED).map(owned).collect());
    let metadata = map([("name", text(meta.name()))])
        .with_some("namespace", meta.reference.namespace.as_deref().map(text))
        .with_some("labels", (!meta.labels.0.is_empty()).then(|| labels(&meta.labels)))
        .with_some("annotations", (!annotations.0.is_empty()).then(|| labels(&annotations)));
    map([("apiVersion", text(version)), ("kind", text(meta.reference.kind.as_str())), ("metadata", metadata)])
        .with("spec", spec)
        .in_block()
        .to_string()
}

fn owned<'a, K: Clone, V: Clone>((key, value): (&'a K, &'a V)) -> (K, V) {
    (key.clone(), value.clone())
}

fn mode(mode: Mode) -> Option<Yaml> {
    match mode {
        Mode::Enforce => None,
        Mode::Audit => Some(text("Audit")),
    }
}

// Parts, which are shown alone where one of them is to be changed.

/// A label selector.
pub(crate) fn selector(selector: &Selector) -> Yaml {
    let expressions = list(selector.match_expressions.iter().map(|requirement| {
        let operator = match requirement.operator {
            Operator::In => "In",
            Operator::NotIn => "NotIn",
            Operator::Exists => "Exists",
            Operator::DoesNotExist => "DoesNotExist",
        };
        let values = list(requirement.values.iter().map(|value| text(value)));
        map([("key", text(&requirement.key)), ("operator", text(operator))])
            .with_some("values", (!values.is_empty()).then_some(values))
    }));
    map([])
        .with_some("matchLabels", (!selector.match_labels.0.is_empty()).then(|| labels(&selector.match_labels)))
        .with_some("matchExpressions", (!expressions.is_empty()).then_some(expressions))
}

fn labels(labels: &Labels) -> Yaml {
    labels.0.iter().fold(map([]), |map, (key, value)| map.with(&yaml::quoted(key), text(value)))
}

/// A rule of a NetworkPolicy.
pub(crate) fn network_rule(rule: &NetworkPolicyRule, peers: &str) -> Yaml {
    if rule.peers.is_empty() && rule.ports.is_empty() {
        return map([]);
    }
    map([])
        .with_some(peers, (!rule.peers.is_empty()).then(|| list(rule.peers.iter().map(network_peer))))
        .with_some("ports", (!rule.ports.is_empty()).then(|| list(rule.ports.iter().map(port))))
        .in_block()
}

/// A peer of a NetworkPolicy.
pub(crate) fn network_peer(peer: &NetworkPolicyPeer) -> Yaml {
    match &peer.target {
        NetworkPolicyTarget::Pods { pod_selector, namespace_selector } => map([])
            .with_some("namespaceSelector", namespace_selector.as_ref().map(selector))
            .with_some("podSelector", pod_selector.as_ref().map(selector)),
        NetworkPolicyTarget::IpBlock { cidr, except } => map([("ipBlock", block(cidr, except))]),
    }
}

fn block(cidr: &IpNet, except: &[IpNet]) -> Yaml {
    let inner = list(except.iter().map(|one| text(&one.to_string())));
    map([("cidr", text(&cidr.to_string()))]).with_some("except", (!inner.is_empty()).then_some(inner))
}

/// An entry of `ports`.
pub(crate) fn port(rule: &PortRule) -> Yaml {
    let ports = match &rule.port {
        PortMatch::Any => map([]),
        PortMatch::Name(name) => map([("port", text(name))]),
        PortMatch::Range(range) => map([("port", number(range.first()))])
            .with_some("endPort", (range.first() != range.last()).then(|| number(range.last()))),
    };
    let is_said = rule.protocol != Protocol::Tcp || rule.port == PortMatch::Any;
    ports.with_some("protocol", is_said.then(|| text(rule.protocol.as_str())))
}

/// A rule of an AccessPolicy.
pub(crate) fn access_rule(rule: &AccessRule) -> Yaml {
    let peers = |peers: &[Peer]| list(peers.iter().map(access_peer));
    let http = list(rule.http.iter().map(|http| {
        let texts = |all: &[String]| list(all.iter().map(|one| text(one)));
        map([])
            .with_some("methods", (!http.methods.is_empty()).then(|| texts(&http.methods)))
            .with_some("paths", (!http.paths.is_empty()).then(|| texts(&http.paths)))
    }));
    map([])
        .with_some("name", rule.name.as_deref().map(text))
        .with("action", text(&format!("{:?}", rule.action)))
        .with("from", peers(&rule.from))
        .with("to", peers(&rule.to))
        .with_some("ports", (!rule.ports.is_empty()).then(|| list(rule.ports.iter().map(port))))
        .with_some("http", (!http.is_empty()).then_some(http))
        .with_some("expires", rule.expires.map(|expires| text(&expires.to_string())))
        .with_some("owner", rule.owner.as_deref().map(text))
        .with_some("reason", rule.reason.as_deref().map(text))
}

/// A peer of an AccessPolicy.
pub(crate) fn access_peer(peer: &Peer) -> Yaml {
    match &peer.target {
        PeerTarget::Pods(PodPeer {
            workload,
            selector: labels,
            namespace,
            namespace_selector,
            service_account,
            service,
            container,
            program,
        }) => map([])
            .with_some("workload", workload.as_ref().map(|workload| text(&workload.to_string())))
            .with_some("selector", labels.as_ref().map(selector))
            .with_some("namespace", namespace.as_deref().map(text))
            .with_some("namespaceSelector", namespace_selector.as_ref().map(selector))
            .with_some("serviceAccount", service_account.as_deref().map(text))
            .with_some("service", service.as_deref().map(text))
            .with_some("container", container.as_deref().map(text))
            .with_some("program", program.as_deref().map(text)),
        PeerTarget::Cidr { cidr, except } => block(cidr, except),
        PeerTarget::Entity(entity) => map([("entity", text(entity.as_str()))]),
        PeerTarget::Fqdn(name) => map([("fqdn", text(name))]),
    }
}

/// A rule of a policy of administrators.
pub(crate) fn tiered_rule(rule: &TieredRule, peers: &str, is_new: bool) -> Yaml {
    let action = match (rule.action, is_new) {
        (TierAction::Accept, false) => "Allow",
        (action, _) => action.as_str(),
    };
    let ports = rule.ports.as_ref().map(|ports| list(ports.iter().map(|port| tiered_port(port, is_new))));
    map([])
        .with_some("name", rule.name.as_deref().map(text))
        .with("action", text(action))
        .with(peers, list(rule.peers.iter().map(tiered_peer)))
        .with_some(if is_new { "protocols" } else { "ports" }, ports)
}

/// A peer of a policy of administrators. One of a newer API cannot be written, and is written as nobody.
pub(crate) fn tiered_peer(peer: &TieredPeer) -> Yaml {
    match &peer.target {
        TieredTarget::Pods(pods) => scope(pods),
        TieredTarget::Nodes(nodes) => map([("nodes", selector(nodes))]),
        TieredTarget::Networks(blocks) => {
            map([("networks", list(blocks.iter().map(|block| text(&block.to_string()))))])
        }
        TieredTarget::DomainNames(names) => map([("domainNames", list(names.iter().map(|name| text(name))))]),
        TieredTarget::Unknown => map([]),
    }
}

fn scope(scope: &PodScope) -> Yaml {
    if scope.pod_selector.is_empty() {
        return map([("namespaces", selector(&scope.namespace_selector))]);
    }
    let both =
        [("namespaceSelector", selector(&scope.namespace_selector)), ("podSelector", selector(&scope.pod_selector))];
    map([("pods", map(both))])
}

/// An entry of `protocols`, or of `ports` in the older version.
pub(crate) fn tiered_port(port: &TieredPort, is_new: bool) -> Yaml {
    let (protocol, range) = match port {
        TieredPort::Name(name) if is_new => return map([("destinationNamedPort", text(name))]),
        TieredPort::Name(name) => return map([("namedPort", text(name))]),
        // Both versions want numbers, and no port has the number 0.
        TieredPort::Numbers(protocol, range) => {
            let every = PortRange::new(1, u16::MAX).expect("1 comes before the last");
            (*protocol, range.unwrap_or(every))
        }
    };
    let ends = |range: PortRange| [("start", number(range.first().max(1))), ("end", number(range.last()))];
    let is_one = range.first() == range.last();
    if is_new {
        let of_protocol = match is_one {
            true => map([("number", number(range.first()))]),
            false => map([("range", map(ends(range)))]),
        };
        let key = protocol.as_str().to_ascii_lowercase();
        return map([]).with(&key, map([("destinationPort", of_protocol)]));
    }
    let protocol = map([("protocol", text(protocol.as_str()))]);
    if is_one {
        return map([("portNumber", protocol.with("port", number(range.first())))]);
    }
    let [start, end] = ends(range);
    map([("portRange", protocol.with(start.0, start.1).with(end.0, end.1))])
}

/// A part in one line.
pub(crate) fn in_line(part: &Yaml) -> String {
    flow(part)
}
