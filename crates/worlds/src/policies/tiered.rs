//! ClusterNetworkPolicies, AdminNetworkPolicies and the BaselineAdminNetworkPolicy.

use palisade_model::port::Protocol;

use super::{Generator, Side, object};
use crate::scene::{NODE_LABELS, ScenePort, SceneWorkload};
use crate::text::{Yaml, labels, list, map, plain, text};

/// Few, so that they collide.
const PRIORITIES: &[u16] = &[0, 10, 10, 20, 1000];

/// How the three kinds write the same thing.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Dialect {
    /// v1alpha2.
    Cluster,
    /// v1alpha1.
    Admin,
    /// v1alpha1.
    Baseline,
}

impl Generator<'_> {
    pub(super) fn cluster_network_policy(&mut self, index: usize) -> Yaml {
        let tier = if self.random.chance(50) { "Admin" } else { "Baseline" };
        let spec = map([("tier", text(tier)), ("priority", plain(self.random.pick(PRIORITIES)))]);
        let spec = self.with_subject_and_rules(spec, Dialect::Cluster);
        object("policy.networking.k8s.io/v1alpha2", "ClusterNetworkPolicy", None, &format!("cnp{index}"))
            .with("spec", spec)
    }

    /// A tier's rule that passes on what one of the same tier refuses after it.
    pub(crate) fn passing_on(&mut self, tier: &str) -> [Yaml; 2] {
        let subject = self.workload(None);
        let policy = |name: &str, priority: u16, action: &str| {
            let everybody = map([("namespaces", map([]))]);
            let subject = map([(
                "pods",
                map([("namespaceSelector", map([])), ("podSelector", map([("matchLabels", labels(&subject.labels))]))]),
            )]);
            let rule = map([("action", text(action)), ("from", list([everybody]))]);
            let spec = map([("tier", text(tier)), ("priority", plain(priority))]);
            object("policy.networking.k8s.io/v1alpha2", "ClusterNetworkPolicy", None, name)
                .with("spec", spec.with("subject", subject).with("ingress", list([rule])))
        };
        [policy("passes-on", 5, "Pass"), policy("refuses", 500, "Deny")]
    }

    pub(super) fn admin_network_policy(&mut self, index: usize) -> Yaml {
        let spec = map([("priority", plain(self.random.pick(PRIORITIES)))]);
        let spec = self.with_subject_and_rules(spec, Dialect::Admin);
        object("policy.networking.k8s.io/v1alpha1", "AdminNetworkPolicy", None, &format!("anp{index}"))
            .with("spec", spec)
    }

    pub(super) fn baseline_admin_network_policy(&mut self) -> Yaml {
        let spec = self.with_subject_and_rules(map([]), Dialect::Baseline);
        object("policy.networking.k8s.io/v1alpha1", "BaselineAdminNetworkPolicy", None, "default").with("spec", spec)
    }

    fn with_subject_and_rules(&mut self, spec: Yaml, dialect: Dialect) -> Yaml {
        let subject = self.workload(None);
        let mut spec = spec.with("subject", self.pods(&subject));
        for (list_name, side) in [("ingress", Side::From), ("egress", Side::To)] {
            let count = self.random.weighted(&[20, 35, 30, 15]);
            if count > 0 || self.random.chance(30) {
                let rules: Vec<Yaml> = (0..count).map(|_| self.tiered_rule(side, &subject, dialect)).collect();
                spec = spec.with(list_name, list(rules));
            }
        }
        spec
    }

    /// `namespaces` or `pods`.
    fn pods(&mut self, workload: &SceneWorkload) -> Yaml {
        let namespaces = self.namespace_selector(&workload.namespace);
        if self.random.chance(40) {
            return map([("namespaces", namespaces)]);
        }
        let pods = map([("namespaceSelector", namespaces), ("podSelector", self.pod_selector(&workload.labels))]);
        map([("pods", pods)])
    }

    fn tiered_rule(&mut self, side: Side, subject: &SceneWorkload, dialect: Dialect) -> Yaml {
        let mut rule = map([]);
        if self.random.chance(40) {
            rule = rule.with("name", text(*self.random.pick(&["one", "to the rest"])));
        }
        let action = match (self.random.weighted(&[35, 35, 30]), dialect) {
            (0, Dialect::Cluster) => "Accept",
            (0, _) | (2, Dialect::Baseline) => "Allow",
            (1, _) => "Deny",
            _ => "Pass",
        };
        rule = rule.with("action", text(action));
        let other = self.workload(None);
        let mut has_names = true;
        let mut peers = Vec::new();
        for _ in 0..self.random.between(1, 2) {
            let other = if self.random.chance(70) { other.clone() } else { self.workload(None) };
            let (peer, is_pods) = match side {
                Side::From => (self.ingress_peer(&other), true),
                Side::To => self.egress_peer(&other, action, dialect),
            };
            has_names &= is_pods;
            peers.push(peer);
        }
        rule = rule.with(if side == Side::From { "from" } else { "to" }, list(peers));
        if self.random.chance(55) {
            let receiver = if side == Side::From { subject } else { &other };
            let declared: Vec<ScenePort> = receiver.ports().into_iter().cloned().collect();
            let count = self.random.between(1, 2);
            let ports: Vec<Yaml> = (0..count).map(|_| self.tiered_port(&declared, has_names, dialect)).collect();
            rule = rule.with(if dialect == Dialect::Cluster { "protocols" } else { "ports" }, list(ports));
        }
        rule
    }

    fn ingress_peer(&mut self, other: &SceneWorkload) -> Yaml {
        let is_unknown = self.taste.unsupported && self.random.chance(3);
        if is_unknown { map([("serviceAccounts", map([]))]) } else { self.pods(other) }
    }

    /// A peer, and whether it may stand beside ports by name.
    fn egress_peer(&mut self, other: &SceneWorkload, action: &str, dialect: Dialect) -> (Yaml, bool) {
        match self.random.weighted(&[46, 24, 23, 4, 3]) {
            1 => (map([("nodes", self.node_selector())]), false),
            2 => (map([("networks", self.networks(other))]), false),
            3 | 4 if !self.taste.unsupported => (self.pods(other), true),
            3 if action != "Deny" && action != "Pass" && dialect != Dialect::Baseline => {
                (map([("domainNames", list([text("*.example.com")]))]), false)
            }
            4 => (map([("services", map([]))]), true),
            _ => (self.pods(other), true),
        }
    }

    fn node_selector(&mut self) -> Yaml {
        let (key, values) = *self.random.pick(NODE_LABELS);
        match self.random.weighted(&[15, 50, 35]) {
            0 => map([]),
            1 => map([("matchLabels", map([(key, text(*self.random.pick(values)))]))]),
            _ => map([("matchExpressions", list([self.expression(key, values)]))]),
        }
    }

    fn networks(&mut self, other: &SceneWorkload) -> Yaml {
        let blocks: Vec<&str> = self.taste.blocks.iter().map(|(block, _)| *block).collect();
        let addresses: Vec<_> = other.pods.iter().flat_map(|pod| &pod.addresses).copied().collect();
        let mut chosen = vec![(*self.random.pick(&blocks)).to_owned()];
        if let Some(address) = self.random.maybe_pick(&addresses)
            && self.random.chance(40)
        {
            let length = if address.is_ipv4() { 32 } else { 128 };
            chosen = vec![format!("{address}/{length}")];
        }
        if self.random.chance(30) {
            let second = (*self.random.pick(&blocks)).to_owned();
            if !chosen.contains(&second) {
                chosen.push(second);
            }
        }
        list(chosen.into_iter().map(Yaml::Text))
    }

    fn tiered_port(&mut self, declared: &[ScenePort], has_names: bool, dialect: Dialect) -> Yaml {
        let everywhere = self.scene.ports();
        let known = self.random.maybe_pick(declared).or(everywhere.first()).cloned();
        let known = match known {
            Some(port) if self.random.chance(85) => port,
            _ => ScenePort {
                name: Some((*self.random.pick(&["http", "nope"])).to_owned()),
                number: *self.random.pick(&[80, 443, 8000, 8080, 9000]),
                protocol: *self.random.pick(&self.taste.protocols),
            },
        };
        match (self.random.weighted(&[38, 30, 32]), &known.name) {
            (0, Some(name)) if has_names => {
                let field = if dialect == Dialect::Cluster { "destinationNamedPort" } else { "namedPort" };
                map([(field, text(name.clone()))])
            }
            (1, _) => {
                let first = known.number - self.random.between(0, 3) as u16;
                let last = first + self.random.between(1, 4) as u16;
                let range = [("start", plain(first)), ("end", plain(last))];
                match dialect {
                    Dialect::Cluster => destination(known.protocol, map([("range", map(range))])),
                    Dialect::Admin | Dialect::Baseline => {
                        let range = self.with_protocol(map(range), known.protocol);
                        map([("portRange", range)])
                    }
                }
            }
            _ => match dialect {
                Dialect::Cluster => destination(known.protocol, map([("number", plain(known.number))])),
                Dialect::Admin | Dialect::Baseline => {
                    let number = self.with_protocol(map([("port", plain(known.number))]), known.protocol);
                    map([("portNumber", number)])
                }
            },
        }
    }

    /// TCP is said or left out.
    fn with_protocol(&mut self, port: Yaml, protocol: Protocol) -> Yaml {
        let is_silent = protocol == Protocol::Tcp && self.random.chance(50);
        port.with_some("protocol", (!is_silent).then(|| text(protocol.as_str())))
    }
}

/// `tcp: {destinationPort: ...}`.
fn destination(protocol: Protocol, port: Yaml) -> Yaml {
    let field = match protocol {
        Protocol::Tcp => "tcp",
        Protocol::Udp => "udp",
        Protocol::Sctp => "sctp",
    };
    map([(field, map([("destinationPort", port)]))])
}
