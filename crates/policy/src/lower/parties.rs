//! Whom a peer of an AccessPolicy means, in the words of a NetworkPolicy.

use std::collections::BTreeSet;
use std::net::IpAddr;

use palisade_model::access_policy::{AccessPolicy, AccessRule, Action, Entity, Peer, PeerTarget, PodPeer};
use palisade_model::network_policy::NetworkPolicyTarget;
use palisade_model::object::Name;
use palisade_model::port::{PortMatch, PortRange, PortRule};
use palisade_model::service::TargetPort;
use palisade_model::verdict::Direction;
use palisade_model::{IpNet, Selector};

use super::{Lowering, Others, Said, conjunction, pods_of};
use crate::change::labels_of;
use crate::loss::Leaves;
use crate::matching::NAMESPACE_NAME_LABEL;
use crate::model::PodFacts;
use crate::party::METADATA;

/// Pods of a namespace by their labels, with the ports that a Service gives them.
type Subject = (Name, Selector, Option<Vec<PortRule>>);

impl Lowering<'_> {
    /// The pods that a rule of `policy` decides about by `peer`: of its own namespace, or of each that it names.
    pub(super) fn subjects(
        &mut self,
        said: &Said<'_>,
        policy: &AccessPolicy,
        rule: &AccessRule,
        peer: &Peer,
    ) -> Vec<Subject> {
        let Some(pods) = pods_of(peer) else { return Vec::new() };
        let own = policy.meta.reference.namespace.as_ref();
        let namespaces: Vec<Name> = match own {
            Some(own) => self.meant(pods, Some(own)).into_iter().filter(|name| name == own).collect(),
            None => {
                if pods.namespace.is_none() {
                    let what = "it is written for the namespaces that are there: those that come later lack it";
                    self.lose(said, Leaves::AlikeForNow, what);
                }
                self.meant(pods, None)
            }
        };
        namespaces
            .into_iter()
            .flat_map(|namespace| {
                let found = self.pods(said, rule, pods, &namespace, own);
                found.into_iter().map(move |(selector, ports)| (namespace.clone(), selector, ports))
            })
            .collect()
    }

    /// The namespaces that a peer of a policy of `own` means, of those that are there.
    fn meant(&self, pods: &PodPeer, own: Option<&Name>) -> Vec<Name> {
        match (&pods.namespace, &pods.namespace_selector) {
            (None, None) => own.cloned().into_iter().collect(),
            (name, selector) => {
                let mut all = self.namespaces();
                all.extend(name.iter().cloned());
                let is = |candidate: &Name| {
                    name.as_ref().is_none_or(|name| name == candidate)
                        && selector
                            .as_ref()
                            .is_none_or(|selector| selector.matches(&self.model.namespace_labels(candidate)))
                };
                all.into_iter().filter(is).collect()
            }
        }
    }

    /// The pods of `namespace` that `pods` means, by their labels.
    fn pods(
        &mut self,
        said: &Said<'_>,
        rule: &AccessRule,
        pods: &PodPeer,
        namespace: &Name,
        own: Option<&Name>,
    ) -> Vec<(Selector, Option<Vec<PortRule>>)> {
        let (without, instead) = match rule.action {
            Action::Allow => (Leaves::MoreClosed, Leaves::MoreOpen),
            Action::Deny => (Leaves::MoreOpen, Leaves::MoreClosed),
        };
        for (field, value) in [("container", &pods.container), ("program", &pods.program)] {
            if let Some(value) = value {
                let what = format!("`{field}: {value}`: only pods as a whole can be named, so all of the pod is");
                self.lose(said, instead, what);
            }
        }
        if let Some(account) = &pods.service_account {
            let what = format!("`serviceAccount: {account}`: pods can be named by labels alone: the peer is left out");
            self.lose(said, without, what);
            return Vec::new();
        }
        let mut selectors = vec![pods.selector.clone().unwrap_or_default()];
        if let Some(workload) = &pods.workload {
            let is = |pod: &&PodFacts| {
                pod.namespace == *namespace
                    && pod.workload.name == workload.name
                    && workload.kind.is_none_or(|kind| kind == pod.workload.kind)
            };
            let labels: BTreeSet<Selector> =
                self.model.pods().iter().filter(is).map(|pod| labels_of(self.model, pod)).collect();
            if labels.is_empty() {
                let what = format!(
                    "workload `{workload}` of namespace `{namespace}` is not in the input, and so its labels are not known: the peer is left out"
                );
                self.lose(said, without, what);
                return Vec::new();
            }
            let others = |pod: &&PodFacts| {
                pod.namespace == *namespace && !is(pod) && labels.iter().any(|labels| labels.matches(&pod.labels))
            };
            match self.model.pods().iter().find(others) {
                Some(other) => {
                    let what =
                        format!("workload `{workload}` is named by labels that `{}` has as well", other.full_name());
                    self.lose(said, instead, what);
                }
                None => {
                    let what = format!(
                        "workload `{workload}` is named by its labels: a pod that comes with them counts as it"
                    );
                    self.lose(said, Leaves::AlikeForNow, what);
                }
            }
            selectors = labels.iter().flat_map(|labels| conjunction(&selectors[0], labels)).collect();
        }
        let Some(service) = &pods.service else { return selectors.into_iter().map(|one| (one, None)).collect() };
        let of = pods.namespace.as_ref().or(own).unwrap_or(namespace);
        let found = self.model.service_named(of, service);
        let Some((service, labels)) = found.and_then(|one| Some((one, one.selector.clone()?))) else {
            let what =
                format!("Service `{of}/{service}` is not in the input, or has no selector: the peer is left out");
            self.lose(said, without, what);
            return Vec::new();
        };
        let covered = service.ports.iter().filter(|port| {
            rule.ports.is_empty()
                || rule.ports.iter().any(|rule| {
                    rule.protocol == port.protocol
                        && match &rule.port {
                            PortMatch::Any => true,
                            PortMatch::Range(range) => range.contains(port.port),
                            PortMatch::Name(name) => port.name.as_deref() == Some(name),
                        }
                })
        });
        let ports: Vec<PortRule> = covered
            .map(|port| PortRule {
                protocol: port.protocol,
                port: match &port.target {
                    TargetPort::Number(number) => PortMatch::Range(PortRange::single(*number)),
                    TargetPort::Name(name) => PortMatch::Name(name.to_string()),
                },
            })
            .collect();
        if ports.is_empty() {
            return Vec::new();
        }
        let labels = Selector { match_labels: labels, ..Selector::default() };
        let selectors = selectors.iter().filter_map(|one| conjunction(one, &labels));
        selectors.map(|one| (one, Some(ports.clone()))).collect()
    }

    /// A peer as the other end of a rule in `direction`.
    pub(super) fn others(
        &mut self,
        said: &Said<'_>,
        policy: &AccessPolicy,
        rule: &AccessRule,
        peer: &Peer,
        direction: Direction,
    ) -> Vec<Others> {
        let own = policy.meta.reference.namespace.as_ref();
        match &peer.target {
            PeerTarget::Pods(pods) => self.other_pods(said, rule, pods, own),
            PeerTarget::Cidr { cidr, except } => {
                let inside =
                    |address: &IpAddr| cidr.contains(address) && !except.iter().any(|block| block.contains(address));
                let nodes = self.model.nodes.iter().flat_map(|node| &node.addresses);
                if self.model.pods().iter().flat_map(|pod| &pod.addresses).chain(nodes).any(inside) {
                    let leaves = if rule.action == Action::Allow { Leaves::MoreOpen } else { Leaves::MoreClosed };
                    let what =
                        format!("`cidr: {cidr}` never means pods and nodes, and a block of what is written does");
                    self.lose(said, leaves, what);
                }
                let peers = vec![NetworkPolicyTarget::IpBlock { cidr: *cidr, except: except.clone() }];
                vec![Others { peers, ports: rule.ports.clone() }]
            }
            PeerTarget::Entity(entity) => self.entity(said, *entity, direction, &rule.ports),
            PeerTarget::Fqdn(name) => {
                self.remarks
                    .push(format!("{} {}: `fqdn: {name}` grants nothing now: left out", said.object, said.rule));
                Vec::new()
            }
        }
    }

    fn other_pods(&mut self, said: &Said<'_>, rule: &AccessRule, pods: &PodPeer, own: Option<&Name>) -> Vec<Others> {
        let is_by_name = pods.workload.is_some() || pods.service.is_some();
        let namespace_selector = match (&pods.namespace, &pods.namespace_selector) {
            (Some(_), _) | (None, None) => None,
            (None, Some(selector)) => Some(selector.clone()),
        };
        // By labels alone no namespace has to be looked up.
        if let (false, Some(namespaces)) = (is_by_name, namespace_selector) {
            let nowhere: Name = "".into();
            let found = self.pods(said, rule, pods, &nowhere, own);
            return found
                .into_iter()
                .map(|(selector, _)| Others {
                    peers: vec![NetworkPolicyTarget::Pods {
                        pod_selector: Some(selector),
                        namespace_selector: Some(namespaces.clone()),
                    }],
                    ports: rule.ports.clone(),
                })
                .collect();
        }
        let mut others = Vec::new();
        for namespace in self.meant(pods, own) {
            for (selector, ports) in self.pods(said, rule, pods, &namespace, own) {
                let name = [(NAMESPACE_NAME_LABEL, &*namespace)].into_iter().collect();
                let namespaces = Selector { match_labels: name, ..Selector::default() };
                let target =
                    NetworkPolicyTarget::Pods { pod_selector: Some(selector), namespace_selector: Some(namespaces) };
                others.push(Others { peers: vec![target], ports: ports.unwrap_or_else(|| rule.ports.clone()) });
            }
        }
        others
    }

    /// An entity as the other end; nobody where a NetworkPolicy lets it through anyway.
    pub(super) fn entity(
        &mut self,
        said: &Said<'_>,
        entity: Entity,
        direction: Direction,
        ports: &[PortRule],
    ) -> Vec<Others> {
        let host = |address: &IpAddr| NetworkPolicyTarget::IpBlock { cidr: IpNet::from(*address), except: Vec::new() };
        let on = |peers: Vec<NetworkPolicyTarget>| match peers.is_empty() {
            true => Vec::new(),
            false => vec![Others { peers, ports: ports.to_vec() }],
        };
        let nodes = || -> Vec<NetworkPolicyTarget> {
            self.model.nodes.iter().flat_map(|node| &node.addresses).map(host).collect()
        };
        match (entity, direction) {
            (Entity::World, _) => {
                let what = "`entity: world` is written as every address: pods and nodes are among them";
                self.lose(said, Leaves::MoreOpen, what);
                let block = |text: &str, except: &str| NetworkPolicyTarget::IpBlock {
                    cidr: text.parse().expect("a constant"),
                    except: vec![except.parse().expect("a constant")],
                };
                let has_six = self.model.pods().iter().flat_map(|pod| &pod.addresses).any(IpAddr::is_ipv6);
                let six = has_six.then(|| block("::/0", "fe80::/10"));
                on([block("0.0.0.0/0", "169.254.0.0/16")].into_iter().chain(six).collect())
            }
            (Entity::Cluster, _) => {
                self.lose(said, Leaves::AlikeForNow, "nodes are written by the addresses that they have now");
                let pods =
                    NetworkPolicyTarget::Pods { pod_selector: None, namespace_selector: Some(Selector::default()) };
                on([pods].into_iter().chain(nodes()).collect())
            }
            (Entity::Nodes, _) => {
                self.lose(said, Leaves::AlikeForNow, "nodes are written by the addresses that they have now");
                on(nodes())
            }
            // The own node comes in always, and nobody else is the kubelet.
            (Entity::Kubelet, _) | (Entity::Dns, Direction::Ingress) => Vec::new(),
            (Entity::Apiserver, _) => {
                self.lose(said, Leaves::AlikeForNow, "the API server is written by the addresses that it has now");
                let endpoints = self.model.apiserver_endpoints.iter().map(|endpoint| {
                    let own = endpoint.port.map_or(PortMatch::Any, |port| PortMatch::Range(PortRange::single(port)));
                    let ports = match direction {
                        Direction::Egress if ports.is_empty() => {
                            vec![PortRule { protocol: endpoint.protocol, port: own }]
                        }
                        Direction::Egress | Direction::Ingress => ports.to_vec(),
                    };
                    Others { peers: vec![host(&endpoint.address)], ports }
                });
                endpoints.collect()
            }
            (Entity::Dns, Direction::Egress) => self.dns(said, ports),
            (Entity::Gateway, _) => {
                let gateways = self.model.settings.gateways.iter();
                on(gateways.map(|(namespace, selector)| pods_in(namespace, selector.clone())).collect())
            }
            (Entity::Metadata, _) => on(METADATA.iter().map(host).collect()),
        }
    }

    fn dns(&mut self, said: &Said<'_>, ports: &[PortRule]) -> Vec<Others> {
        let (namespace, name) = &self.model.settings.dns_service;
        let service = self.model.service_named(namespace, name);
        let Some((service, labels)) = service.and_then(|one| Some((one, one.selector.clone()?))) else {
            let what = format!("the DNS Service `{namespace}/{name}` is not in the input: `entity: dns` is left out");
            self.lose(said, Leaves::MoreClosed, what);
            return Vec::new();
        };
        let own = service.ports.iter().map(|port| PortRule {
            protocol: port.protocol,
            port: match &port.target {
                TargetPort::Number(number) => PortMatch::Range(PortRange::single(*number)),
                TargetPort::Name(name) => PortMatch::Name(name.to_string()),
            },
        });
        let selector = Selector { match_labels: labels, ..Selector::default() };
        let ports = if ports.is_empty() { own.collect() } else { ports.to_vec() };
        vec![Others { peers: vec![pods_in(namespace, selector)], ports }]
    }
}

fn pods_in(namespace: &Name, selector: Selector) -> NetworkPolicyTarget {
    let name = [(NAMESPACE_NAME_LABEL, &**namespace)].into_iter().collect();
    NetworkPolicyTarget::Pods {
        pod_selector: Some(selector),
        namespace_selector: Some(Selector { match_labels: name, ..Selector::default() }),
    }
}
