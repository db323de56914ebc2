//! Random policies over a scene, mostly about pods that it has.

mod tiered;

use palisade_model::access_policy::Entity;
use palisade_model::port::Protocol;

use crate::corners::WITHOUT_TYPES;
use crate::random::Random;
use crate::scene::{LABELS, Pairs, Scene, ScenePort, SceneService, SceneWorkload};
use crate::text::{Yaml, labels, list, map, plain, text};

/// What policies of a world may use.
pub struct Taste {
    /// Blocks and what may be taken from them, for `ipBlock`.
    pub blocks: Vec<(&'static str, &'static [&'static str])>,
    /// The same for `cidr`.
    pub cidrs: Vec<(&'static str, &'static [&'static str])>,
    /// Parties for exceptions; one that stands there twice is taken more often.
    pub entities: Vec<Entity>,
    /// Parties for peers: of `from`, and of `to`.
    pub peers: [Vec<Entity>; 2],
    /// How many of a hundred peers are parties.
    pub party_peers: usize,
    /// Instants for `expires`.
    pub expiries: Vec<String>,
    /// Whether rules may use what grants nothing yet (`http`, `fqdn`).
    pub unsupported: bool,
    /// How many of a hundred `to` peers name a program of the receiver.
    pub receiver_program: usize,
    /// How many of a hundred objects are in Audit.
    pub audit: usize,
    /// Protocols of ports that no pod declares.
    pub protocols: Vec<Protocol>,
}

/// How many policies of each kind.
pub struct Counts {
    pub network_policies: usize,
    pub perimeters: usize,
    pub cluster_perimeters: usize,
    pub access_policies: usize,
    pub cluster_access_policies: usize,
    pub cluster_network_policies: usize,
    pub admin_network_policies: usize,
    pub baseline_admin_network_policies: usize,
}

pub struct Generator<'a> {
    pub random: &'a mut Random,
    pub scene: &'a Scene,
    pub taste: &'a Taste,
}

impl Generator<'_> {
    pub fn policies(&mut self, counts: &Counts) -> Vec<Yaml> {
        let namespaces: Vec<String> = self.scene.workloads.iter().map(|workload| workload.namespace.clone()).collect();
        let mut documents = Vec::new();
        for index in 0..counts.network_policies {
            let namespace = self.random.pick(&namespaces).clone();
            documents.push(self.network_policy(&namespace, index));
        }
        for index in 0..counts.perimeters {
            let namespace = self.random.pick(&namespaces).clone();
            documents.push(self.perimeter(Some(&namespace), index));
        }
        for index in 0..counts.cluster_perimeters {
            documents.push(self.perimeter(None, index));
        }
        for index in 0..counts.access_policies {
            let namespace = self.random.pick(&namespaces).clone();
            documents.push(self.access_policy(Some(&namespace), index));
        }
        for index in 0..counts.cluster_access_policies {
            documents.push(self.access_policy(None, index));
        }
        for index in 0..counts.cluster_network_policies {
            documents.push(self.cluster_network_policy(index));
        }
        for index in 0..counts.admin_network_policies {
            documents.push(self.admin_network_policy(index));
        }
        for _ in 0..counts.baseline_admin_network_policies {
            documents.push(self.baseline_admin_network_policy());
        }
        documents
    }

    fn workload(&mut self, namespace: Option<&str>) -> SceneWorkload {
        if let Some(namespace) = namespace
            && self.random.chance(60)
            && let Some(workload) = self.random.maybe_pick(&self.scene.workloads_in(namespace))
        {
            return (*workload).clone();
        }
        self.random.pick(&self.scene.workloads).clone()
    }

    // Selectors.

    fn pod_selector(&mut self, pairs: &Pairs) -> Yaml {
        match self.random.weighted(&[20, 50, 30]) {
            0 => map([]),
            1 => self.match_labels(pairs),
            _ => {
                let (key, values) = *self.random.pick(LABELS);
                let expression = self.expression(key, values);
                let base = if self.random.chance(25) { self.match_labels(pairs) } else { map([]) };
                base.with("matchExpressions", list([expression]))
            }
        }
    }

    fn match_labels(&mut self, pairs: &Pairs) -> Yaml {
        let Some(pair) = self.random.maybe_pick(pairs).cloned() else { return map([]) };
        let chosen = if self.random.chance(20) { pairs.clone() } else { vec![pair] };
        map([("matchLabels", labels(&chosen))])
    }

    fn expression(&mut self, key: &str, values: &[&str]) -> Yaml {
        let operator = *self.random.pick(&["In", "NotIn", "Exists", "DoesNotExist"]);
        let expression = map([("key", text(key)), ("operator", text(operator))]);
        if operator == "Exists" || operator == "DoesNotExist" {
            return expression;
        }
        let mut chosen = vec![*self.random.pick(values)];
        if self.random.chance(40) {
            chosen.push(*self.random.pick(values));
        }
        expression.with("values", list(chosen.into_iter().map(text)))
    }

    fn namespace_selector(&mut self, namespace: &str) -> Yaml {
        let names = self.scene.namespace_names();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        match self.random.weighted(&[25, 35, 20, 20]) {
            0 => map([]),
            1 => map([("matchLabels", map([("kubernetes.io/metadata.name", text(namespace))]))]),
            2 => {
                let team = *self.random.pick(&["red", "blue"]);
                map([("matchLabels", map([("team", text(team))]))])
            }
            _ => {
                let (key, values): (&str, &[&str]) = if self.random.chance(50) {
                    ("team", &["red", "blue"])
                } else {
                    ("kubernetes.io/metadata.name", &names)
                };
                map([("matchExpressions", list([self.expression(key, values)]))])
            }
        }
    }

    // NetworkPolicy.

    fn network_policy(&mut self, namespace: &str, index: usize) -> Yaml {
        let subject = self.workload(Some(namespace));
        let pod_selector = self.pod_selector(&subject.labels);
        let types = self.random.weighted(&[30, 20, 20, 30]);
        let has_ingress = self.random.chance(if types == 2 { 20 } else { 80 });
        let has_egress = self.random.chance(if types == 1 { 20 } else { 70 });
        let mut spec = map([("podSelector", pod_selector)]);
        spec = spec.with_some(
            "policyTypes",
            match types {
                0 => None,
                1 => Some(list([text("Ingress")])),
                2 => Some(list([text("Egress")])),
                _ => Some(list([text("Ingress"), text("Egress")])),
            },
        );
        if has_ingress {
            let rules = self.network_rules(namespace, "from", &subject);
            spec = spec.with("ingress", rules);
        }
        if has_egress {
            let rules = self.network_rules(namespace, "to", &subject);
            spec = spec.with("egress", rules);
        }
        let name = format!("np{index}{}", if types == 0 { WITHOUT_TYPES } else { "" });
        object("networking.k8s.io/v1", "NetworkPolicy", Some(namespace), &name).with("spec", spec)
    }

    fn network_rules(&mut self, namespace: &str, field: &str, subject: &SceneWorkload) -> Yaml {
        let count = self.random.weighted(&[8, 50, 42]);
        let mut rules = Vec::new();
        for _ in 0..count {
            let other = self.workload(Some(namespace));
            let receiver = if field == "from" { subject.clone() } else { other.clone() };
            let mut rule = map([]);
            if self.random.chance(88) {
                let count = self.random.weighted(&[6, 60, 34]);
                let mut peers = Vec::new();
                for _ in 0..count {
                    let other = if self.random.chance(70) { other.clone() } else { self.workload(None) };
                    peers.push(self.network_peer(namespace, &other));
                }
                rule = rule.with(field, list(peers));
            }
            if self.random.chance(65) {
                let ports = self.ports(&receiver.ports().into_iter().cloned().collect::<Vec<_>>());
                rule = rule.with("ports", ports);
            }
            rules.push(rule);
        }
        list(rules)
    }

    fn network_peer(&mut self, namespace: &str, other: &SceneWorkload) -> Yaml {
        let other_namespace = other.namespace.clone();
        let kind = if other_namespace == namespace { [38, 14, 18, 30] } else { [10, 27, 33, 30] };
        match self.random.weighted(&kind) {
            0 => map([("podSelector", self.pod_selector(&other.labels))]),
            1 => map([("namespaceSelector", self.namespace_selector(&other_namespace))]),
            2 => map([
                ("namespaceSelector", self.namespace_selector(&other_namespace)),
                ("podSelector", self.pod_selector(&other.labels)),
            ]),
            _ => {
                let blocks = self.taste.blocks.clone();
                map([("ipBlock", self.block(&blocks))])
            }
        }
    }

    fn block(&mut self, blocks: &[(&'static str, &'static [&'static str])]) -> Yaml {
        let (cidr, excepts) = *self.random.pick(blocks);
        let block = map([("cidr", text(cidr))]);
        if excepts.is_empty() || self.random.chance(50) {
            return block;
        }
        let mut chosen = vec![*self.random.pick(excepts)];
        if self.random.chance(25) {
            chosen.push(*self.random.pick(excepts));
        }
        block.with("except", list(chosen.into_iter().map(text)))
    }

    // Ports.

    fn ports(&mut self, declared: &[ScenePort]) -> Yaml {
        let count = self.random.weighted(&[5, 65, 30]);
        let mut ports = Vec::new();
        for _ in 0..count {
            ports.push(self.port(declared));
        }
        list(ports)
    }

    fn port(&mut self, declared: &[ScenePort]) -> Yaml {
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
        let protocol = match known.protocol {
            Protocol::Tcp if self.random.chance(60) => None,
            protocol => Some(text(protocol.as_str())),
        };
        let entry = match self.random.weighted(&[12, 32, 28, 28]) {
            0 => map([]),
            1 => map([("port", plain(known.number))]),
            2 => match &known.name {
                Some(name) => map([("port", text(name.clone()))]),
                None => map([("port", plain(known.number))]),
            },
            _ => {
                let first = known.number - self.random.between(0, 3) as u16;
                let last = first + self.random.between(0, 4) as u16;
                map([("port", plain(first)), ("endPort", plain(last))])
            }
        };
        entry.with_some("protocol", protocol)
    }

    // Perimeter.

    fn perimeter(&mut self, namespace: Option<&str>, index: usize) -> Yaml {
        let workload = self.workload(namespace);
        let selector = if self.random.chance(45) { map([]) } else { self.pod_selector(&workload.labels) };
        let mut subject = map([("selector", selector)]);
        if namespace.is_none() {
            subject = subject.with("namespaceSelector", self.namespace_selector(&workload.namespace));
        }
        let mut spec = map([("subject", subject)]);
        if let Some(mode) = self.mode() {
            spec = spec.with("mode", mode);
        }
        let directions: Option<&[&str]> = match self.random.weighted(&[40, 25, 20, 15]) {
            0 => None,
            1 => Some(&["Ingress"]),
            2 => Some(&["Egress"]),
            _ => Some(&["Ingress", "Egress"]),
        };
        spec = spec.with_some("directions", directions.map(|directions| list(directions.iter().copied().map(text))));
        if self.random.chance(22) {
            spec = spec.with("loopback", text(*self.random.pick(&["Closed", "Closed", "Open"])));
        }
        if self.random.chance(65) {
            let mut shuffled = self.taste.entities.clone();
            self.random.shuffle(&mut shuffled);
            let mut entities = Vec::new();
            for entity in shuffled {
                if !entities.contains(&entity) {
                    entities.push(entity);
                }
            }
            entities.truncate(self.random.between(1, 3));
            spec = spec.with("except", list(entities.into_iter().map(|entity| text(entity.as_str()))));
        }
        if self.random.chance(15) {
            spec = spec.with("onRefusal", text(*self.random.pick(&["Reset", "Drop"])));
        }
        let kind = if namespace.is_some() { "Perimeter" } else { "ClusterPerimeter" };
        object("palisade.dev/v1alpha1", kind, namespace, &format!("perimeter{index}")).with("spec", spec)
    }

    fn mode(&mut self) -> Option<Yaml> {
        if self.random.chance(self.taste.audit) {
            Some(text("Audit"))
        } else {
            self.random.chance(30).then(|| text("Enforce"))
        }
    }

    // AccessPolicy.

    fn access_policy(&mut self, namespace: Option<&str>, index: usize) -> Yaml {
        let mut spec = map([]);
        if let Some(mode) = self.mode() {
            spec = spec.with("mode", mode);
        }
        let count = self.random.between(1, 3);
        let mut rules = Vec::new();
        for index in 0..count {
            rules.push(self.access_rule(namespace, index));
        }
        let kind = if namespace.is_some() { "AccessPolicy" } else { "ClusterAccessPolicy" };
        object("palisade.dev/v1alpha1", kind, namespace, &format!("access{index}"))
            .with("spec", spec.with("rules", list(rules)))
    }

    fn access_rule(&mut self, namespace: Option<&str>, index: usize) -> Yaml {
        let mut rule = map([]);
        if self.random.chance(50) {
            rule = rule.with("name", text(format!("rule{index}")));
        }
        let allows = self.random.chance(70);
        rule = rule.with("action", text(if allows { "Allow" } else { "Deny" }));
        let sender = self.workload(namespace);
        let receiver = self.workload(namespace);
        let mut from = Vec::new();
        for _ in 0..self.random.between(1, 2) {
            let sender = if self.random.chance(75) { sender.clone() } else { self.workload(namespace) };
            from.push(self.peer(namespace, Side::From, &sender));
        }
        let mut to = Vec::new();
        for _ in 0..self.random.between(1, 2) {
            let receiver = if self.random.chance(75) { receiver.clone() } else { self.workload(namespace) };
            to.push(self.peer(namespace, Side::To, &receiver));
        }
        if allows && self.taste.unsupported && self.random.chance(5) {
            to.push(map([("fqdn", text("*.example.com"))]));
        }
        let to_first = to[0].clone();
        rule = rule.with("from", list(from)).with("to", list(to));
        // Addresses and entities rarely have the port of a pod.
        let names_pods = matches!(&to_first, Yaml::Map(fields) if fields[0].0 != "cidr" && fields[0].0 != "entity");
        if self.random.chance(if names_pods { 60 } else { 20 }) {
            let ports = self.access_ports(&receiver);
            rule = rule.with("ports", ports);
        }
        if self.taste.unsupported && self.random.chance(5) {
            rule = rule.with("http", list([map([("methods", list([text("GET")]))])]));
        }
        if allows && self.random.chance(15) {
            let instant = self.random.pick(&self.taste.expiries).clone();
            rule = rule.with("expires", Yaml::Text(instant));
        }
        rule
    }

    fn access_ports(&mut self, receiver: &SceneWorkload) -> Yaml {
        let mut declared: Vec<ScenePort> = receiver.ports().into_iter().cloned().collect();
        for service in self.services_of(receiver) {
            declared.extend(service.ports.iter().map(|port| ScenePort {
                name: port.name.clone(),
                number: port.port,
                protocol: port.protocol,
            }));
        }
        self.ports(&declared)
    }

    fn services_of(&self, workload: &SceneWorkload) -> Vec<SceneService> {
        let selects = |service: &&SceneService| {
            service.namespace == workload.namespace
                && service.selector.iter().all(|pair| workload.labels.contains(pair))
        };
        self.scene.services.iter().filter(selects).cloned().collect()
    }

    fn peer(&mut self, namespace: Option<&str>, side: Side, workload: &SceneWorkload) -> Yaml {
        match self.random.weighted(&[86 - self.taste.party_peers, 14, self.taste.party_peers]) {
            0 => self.pod_peer(namespace, side, workload),
            1 => {
                let cidrs = self.taste.cidrs.clone();
                self.block(&cidrs)
            }
            _ => map([("entity", text(self.random.pick(&self.taste.peers[side as usize]).as_str()))]),
        }
    }

    fn pod_peer(&mut self, namespace: Option<&str>, side: Side, workload: &SceneWorkload) -> Yaml {
        let mut peer = map([]);
        let mut by_service = false;
        match self.random.weighted(&[34, 29, 9, 6, 22]) {
            0 => {
                let name = workload.name.clone();
                let reference = if self.random.chance(30) { format!("{}/{name}", workload.kind) } else { name };
                peer = peer.with("workload", text(reference));
            }
            1 => peer = peer.with("selector", self.pod_selector(&workload.labels)),
            2 => {
                let account = workload.service_account.clone().unwrap_or_else(|| "default".to_owned());
                peer = peer.with("serviceAccount", text(account));
            }
            3 => peer = peer.with("selector", map([])),
            _ => {
                let services = self.services_of(workload);
                match (side, self.random.maybe_pick(&services)) {
                    (Side::To, Some(service)) => {
                        peer = peer.with("service", text(service.name.clone()));
                        by_service = true;
                    }
                    _ => peer = peer.with("workload", text(workload.name.clone())),
                }
            }
        }
        let is_local = namespace == Some(&workload.namespace);
        if !is_local || self.random.chance(12) {
            let by_name = by_service && self.random.chance(70);
            peer = if by_name || self.random.chance(60) {
                peer.with("namespace", text(workload.namespace.clone()))
            } else {
                peer.with("namespaceSelector", self.namespace_selector(&workload.namespace))
            };
        }
        // `service` says by itself which port, and so which container.
        if by_service { peer } else { self.with_container_and_program(peer, side, workload) }
    }

    fn with_container_and_program(&mut self, mut peer: Yaml, side: Side, workload: &SceneWorkload) -> Yaml {
        let container = self.random.pick(&workload.containers).clone();
        let of_program = match side {
            Side::From => 25,
            Side::To => self.taste.receiver_program,
        };
        if self.random.chance(28) {
            let name = if self.random.chance(92) { container.name.clone() } else { "ghost".to_owned() };
            peer = peer.with("container", text(name));
        }
        if self.random.chance(of_program) {
            let program = self.random.pick(&container.programs).clone();
            peer = peer.with("program", text(program));
        }
        peer
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    From,
    To,
}

/// The head of an object.
pub fn object(version: &str, kind: &str, namespace: Option<&str>, name: &str) -> Yaml {
    let metadata = map([("name", text(name))]).with_some("namespace", namespace.map(text));
    map([("apiVersion", text(version)), ("kind", text(kind)), ("metadata", metadata)])
}
