//! The three that are hard to get right with NetworkPolicies, written for the manifests at hand: a namespace talks only to
//! its dependency, outside reaches only the gateway, no egress but DNS.
//!
//! The policies name pods by their workloads' own selectors and ports by what the pods declare. Whether they do what they
//! are for is asked of the engine afterwards, with every other policy in force.

use std::collections::BTreeSet;
use std::sync::Arc;

use palisade_model::inventory::Inventory;
use palisade_model::network_policy::{NetworkPolicy, NetworkPolicyPeer, NetworkPolicyRule, NetworkPolicyTarget};
use palisade_model::object::{Name, ObjectRef};
use palisade_model::port::{PortMatch, PortRange, PortRule, Protocol};
use palisade_model::settings::Settings;
use palisade_model::verdict::Word;
use palisade_model::{Kind, Labels, Place, Selector, Timestamp};

use crate::compile::Carrier;
use crate::consent::new_meta;
use crate::dial::BackendEnd;
use crate::difference::{self, Difference};
use crate::map::Subject;
use crate::matching::NAMESPACE_NAME_LABEL;
use crate::model::{Model, PodFacts};
use crate::written;

/// What is wanted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Scenario {
    /// The namespace talks to its own pods, to DNS and to this workload; only the namespace reaches either.
    OnlyDependency {
        /// The namespace.
        namespace: Name,
        /// Namespace and name of the workload that it needs.
        dependency: (Name, Name),
    },
    /// From outside of the cluster only this workload is reached, and only it and the namespace reach the namespace.
    OnlyGateway {
        /// The namespace.
        namespace: Name,
        /// Namespace and name of the gateway's workload.
        gateway: (Name, Name),
    },
    /// The namespace's pods connect to nothing but the cluster's DNS.
    OnlyDns {
        /// The namespace.
        namespace: Name,
    },
}

/// Policies for a scenario, and what becomes of it.
#[derive(Clone, Debug)]
pub struct Written {
    /// The policies.
    pub policies: Vec<NetworkPolicy>,
    /// The same as manifests.
    pub yaml: String,
    /// What the policies open and close.
    pub difference: Difference,
    /// Links that the scenario forbids and that stay open, with the ports: by other policies.
    pub still_open: Vec<(Subject, Subject)>,
    /// Links that the scenario needs and that are not open, in words.
    pub not_open: Vec<String>,
    /// Worth knowing, and no failure.
    pub remarks: Vec<String>,
}

/// Why a scenario cannot be written.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum ScenarioError {
    #[error("namespace `{0}` has no pods")]
    NoPods(Name),
    #[error("there is no workload `{0}/{1}`")]
    NoWorkload(Name, Name),
    #[error("`{0}/{1}` has no labels, so no NetworkPolicy can name it")]
    NoLabels(Name, Name),
}

/// Writes the policies of `scenario` for what is in `inventory`, and asks the engine what they do.
///
/// # Errors
/// When who is named is not in the input, or cannot be named by a policy.
pub fn write(
    inventory: &Inventory,
    settings: &Settings,
    now: Timestamp,
    scenario: &Scenario,
) -> Result<Written, ScenarioError> {
    let old = Model::new(Arc::new(inventory.clone()), settings.clone()).value;
    let mut writer = Writer { model: &old, policies: Vec::new(), remarks: Vec::new() };
    writer.write(scenario)?;
    let Writer { policies, remarks, .. } = writer;
    let mut after = inventory.clone();
    let written: BTreeSet<ObjectRef> = policies.iter().map(|policy| policy.meta.reference.clone()).collect();
    after.network_policies.retain(|policy| !written.contains(&policy.meta.reference));
    after.network_policies.extend(policies.iter().cloned().map(Arc::new));
    let new = Model::new(Arc::new(after), settings.clone()).value;
    let yaml: Vec<String> = policies.iter().map(written::network_policy).collect();
    let (still_open, not_open) = verify(&new, scenario, now);
    let difference = difference::difference(&old, &new, now);
    Ok(Written { policies, yaml: yaml.join("---\n"), difference, still_open, not_open, remarks })
}

struct Writer<'m> {
    model: &'m Model,
    policies: Vec<NetworkPolicy>,
    remarks: Vec<String>,
}

impl Writer<'_> {
    fn write(&mut self, scenario: &Scenario) -> Result<(), ScenarioError> {
        match scenario {
            Scenario::OnlyDependency { namespace, dependency } => {
                self.has_pods(namespace)?;
                let (selector, ports) = self.workload(dependency)?;
                let from = pods(Selector::default(), Some(namespace));
                let to = rule(vec![pods(selector.clone(), Some(&dependency.0))], ports.clone());
                let inside = rule(vec![pods(Selector::default(), None)], vec![]);
                let dns = self.dns();
                self.add(
                    namespace,
                    "only-dependency",
                    Selector::default(),
                    Some(vec![inside.clone()]),
                    Some(vec![inside, to, dns]),
                );
                let name = format!("only-{namespace}");
                self.add(&dependency.0, &name, selector, Some(vec![rule(vec![from], ports)]), None);
            }
            Scenario::OnlyGateway { namespace, gateway } => {
                self.has_pods(namespace)?;
                let (selector, ports) = self.workload(gateway)?;
                let mut peers = vec![pods(Selector::default(), None)];
                if gateway.0 != *namespace {
                    peers.push(pods(selector.clone(), Some(&gateway.0)));
                }
                self.add(namespace, "only-gateway", Selector::default(), Some(vec![rule(peers, vec![])]), None);
                self.add(&gateway.0, "open-gateway", selector, Some(vec![rule(vec![], ports)]), None);
            }
            Scenario::OnlyDns { namespace } => {
                self.has_pods(namespace)?;
                let dns = self.dns();
                self.add(namespace, "only-dns", Selector::default(), None, Some(vec![dns]));
            }
        }
        Ok(())
    }

    fn add(
        &mut self,
        namespace: &Name,
        name: &str,
        pod_selector: Selector,
        ingress: Option<Vec<NetworkPolicyRule>>,
        egress: Option<Vec<NetworkPolicyRule>>,
    ) {
        let reference = ObjectRef { kind: Kind::NetworkPolicy, namespace: Some(namespace.clone()), name: name.into() };
        let is_there = self.model.inventory.network_policies.iter().any(|policy| policy.meta.reference == reference);
        if is_there {
            self.remarks.push(format!("{reference} is there already, and is replaced"));
        }
        let meta = new_meta(reference, place());
        self.policies.push(NetworkPolicy { meta, pod_selector, ingress, egress });
    }

    fn has_pods(&self, namespace: &Name) -> Result<(), ScenarioError> {
        match self.model.pod_lookup.of_namespace(namespace).is_empty() {
            true => Err(ScenarioError::NoPods(namespace.clone())),
            false => Ok(()),
        }
    }

    /// How to name the workload's pods, and which ports they declare.
    fn workload(&mut self, (namespace, name): &(Name, Name)) -> Result<(Selector, Vec<PortRule>), ScenarioError> {
        let model = self.model;
        let pods = model.pod_lookup.of_workload(namespace, name).iter().map(|index| model.pod(index));
        let pod = pods.into_iter().next().ok_or_else(|| ScenarioError::NoWorkload(namespace.clone(), name.clone()))?;
        let workloads = model.inventory.workloads.iter();
        let mut own = workloads.filter(|workload| {
            workload.meta.namespace() == &**namespace
                && workload.kind == pod.workload.kind
                && workload.meta.reference.name == *name
        });
        let selector = own.next().and_then(|workload| workload.selector.clone());
        let selector = selector.filter(|selector| *selector != Selector::default());
        let selector =
            selector.unwrap_or_else(|| Selector { match_labels: lasting(&pod.labels), ..Default::default() });
        if selector == Selector::default() {
            return Err(ScenarioError::NoLabels(namespace.clone(), name.clone()));
        }
        let ports = declared(model, pod);
        if ports.is_empty() {
            self.remarks.push(format!("`{namespace}/{name}` declares no port: every one is opened"));
        }
        Ok((selector, ports))
    }

    /// The rule that opens the cluster's DNS: the pods behind its Service, or else those that carry its usual label.
    fn dns(&mut self) -> NetworkPolicyRule {
        let (namespace, name) = &self.model.settings.dns_service;
        let service = self.model.service_named(namespace, name);
        let labels = service.and_then(|service| service.selector.clone()).filter(|labels| !labels.0.is_empty());
        let backends = self.model.dns_backends.iter();
        let mut ports: BTreeSet<(Protocol, u16)> = backends.map(|backend| (backend.protocol, backend.port)).collect();
        if labels.is_none() || ports.is_empty() {
            self.remarks.push(format!(
                "Service `{namespace}/{name}` or its pods are not in the input: the DNS is taken to be pods with \
                 `{DNS_LABEL}: {DNS_VALUE}` of that namespace, on port 53"
            ));
            ports.extend([(Protocol::Udp, 53), (Protocol::Tcp, 53)]);
        }
        let match_labels = labels.unwrap_or_else(|| [(DNS_LABEL, DNS_VALUE)].into_iter().collect());
        let ports = ports.into_iter().map(|(protocol, port)| number(protocol, port)).collect();
        rule(vec![pods(Selector { match_labels, ..Default::default() }, Some(namespace))], ports)
    }
}

/// The label of the cluster DNS's pods, CoreDNS as well as kube-dns.
///
/// Source: `cluster/addons/dns` of Kubernetes; kubeadm and managed clusters keep it.
const DNS_LABEL: &str = "k8s-app";
const DNS_VALUE: &str = "kube-dns";

/// Labels that other pods of the workload have too.
fn lasting(labels: &Labels) -> Labels {
    const OF_ONE_REVISION: [&str; 4] =
        ["pod-template-hash", "controller-revision-hash", "statefulset.kubernetes.io/pod-name", "controller-uid"];
    let lasting = labels.0.iter().filter(|(key, _)| !OF_ONE_REVISION.contains(&&***key));
    Labels(lasting.map(|(key, value)| (key.clone(), value.clone())).collect())
}

fn declared(model: &Model, pod: &PodFacts) -> Vec<PortRule> {
    let ports = model.spec(pod).containers.iter().flat_map(|container| &container.ports);
    let ports: BTreeSet<(Protocol, u16)> = ports.map(|port| (port.protocol, port.number)).collect();
    ports.into_iter().map(|(protocol, port)| number(protocol, port)).collect()
}

fn number(protocol: Protocol, port: u16) -> PortRule {
    let range = PortRange::new(port, port).expect("a port is a range of one");
    PortRule { protocol, port: PortMatch::Range(range) }
}

fn rule(peers: Vec<NetworkPolicyPeer>, ports: Vec<PortRule>) -> NetworkPolicyRule {
    NetworkPolicyRule { place: place(), peers, ports }
}

/// Pods of a namespace; `None`: of the policy's own.
fn pods(selector: Selector, namespace: Option<&Name>) -> NetworkPolicyPeer {
    let by_name = |name: &Name| Selector {
        match_labels: [(NAMESPACE_NAME_LABEL, name.clone())].into_iter().collect(),
        ..Default::default()
    };
    let target = NetworkPolicyTarget::Pods { pod_selector: Some(selector), namespace_selector: namespace.map(by_name) };
    NetworkPolicyPeer { place: place(), target }
}

fn place() -> Place {
    Place::new("proposed", 0)
}

/// What the scenario forbids and is open, and what it needs and is not.
fn verify(model: &Model, scenario: &Scenario, now: Timestamp) -> (Vec<(Subject, Subject)>, Vec<String>) {
    let mut reach = model.reach(now);
    let (senders, receivers) = (reach.sending_subjects(), reach.receiving_subjects());
    let mut still_open = BTreeSet::new();
    let mut open = BTreeSet::new();
    reach.for_each(|reach, from, to, pair| {
        let is_open = [pair.four, pair.six].into_iter().flatten().any(|id| {
            let answer = reach.answer(id);
            Carrier::ALL.iter().any(|carrier| answer.of(*carrier).iter().any(|span| span.enforced == Word::Allowed))
        });
        if !is_open {
            return;
        }
        for from in senders.of_class[from].iter().map(|at| senders.subject(*at)) {
            for to in receivers.of_class[to].iter().map(|at| receivers.subject(*at)) {
                if forbids(model, scenario, from, to) {
                    still_open.insert((from.clone(), to.clone()));
                } else {
                    open.insert((from.clone(), to.clone()));
                }
            }
        }
    });
    let not_open = missing(scenario, !model.dns_backends.is_empty(), &open);
    (still_open.into_iter().collect(), not_open)
}

fn is_workload(subject: &Subject, (namespace, name): &(Name, Name)) -> bool {
    subject.part().is_some_and(|part| part.namespace == *namespace && part.workload.name == *name)
}

fn is_in(subject: &Subject, namespace: &Name) -> bool {
    subject.namespace() == Some(namespace)
}

/// Whether the link must not be.
fn forbids(model: &Model, scenario: &Scenario, from: &Subject, to: &Subject) -> bool {
    match scenario {
        Scenario::OnlyDependency { namespace, dependency } => {
            let of_namespace = is_in(from, namespace);
            let to_others = of_namespace && !is_in(to, namespace) && !is_workload(to, dependency) && !is_dns(model, to);
            let from_others = !of_namespace && (is_in(to, namespace) || is_workload(to, dependency));
            to_others || from_others && !is_workload(from, dependency)
        }
        Scenario::OnlyGateway { namespace, gateway } => {
            is_in(to, namespace) && !is_workload(to, gateway) && !is_in(from, namespace) && !is_workload(from, gateway)
        }
        Scenario::OnlyDns { namespace } => is_in(from, namespace) && !is_dns(model, to),
    }
}

fn is_dns(model: &Model, subject: &Subject) -> bool {
    let Some(part) = subject.part() else { return false };
    model.dns_backends.iter().any(|backend| match backend.end {
        BackendEnd::Pod(index) => {
            let pod = model.pod(index);
            (&pod.namespace, &pod.workload) == (&part.namespace, &part.workload)
        }
        BackendEnd::Address(_) => false,
    })
}

/// What the scenario is for and is not open, in words.
fn missing(scenario: &Scenario, has_dns: bool, open: &BTreeSet<(Subject, Subject)>) -> Vec<String> {
    let is_open = |is: &dyn Fn(&Subject, &Subject) -> bool| open.iter().any(|(from, to)| is(from, to));
    let mut missing = Vec::new();
    match scenario {
        Scenario::OnlyDependency { namespace, dependency } => {
            if !is_open(&|from, to| is_in(from, namespace) && is_workload(to, dependency)) {
                missing.push(format!("nobody of `{namespace}` reaches `{}/{}`", dependency.0, dependency.1));
            }
        }
        Scenario::OnlyGateway { gateway, .. } => {
            if !is_open(&|from, to| from.part().is_none() && is_workload(to, gateway)) {
                missing.push(format!("nobody outside reaches `{}/{}`", gateway.0, gateway.1));
            }
        }
        Scenario::OnlyDns { namespace } => {
            if has_dns && !is_open(&|from, _| is_in(from, namespace)) {
                missing.push(format!("nobody of `{namespace}` reaches the DNS"));
            }
        }
    }
    missing
}
