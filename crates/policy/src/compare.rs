//! Two models of the same pods: the links that one allows and the other does not.

use std::collections::BTreeSet;

use palisade_model::Timestamp;
use palisade_model::inventory::Inventory;
use palisade_model::link::{End, Link, OWN_NODE, PodEnd, Which};
use palisade_model::port::{PortMatch, PortRange, PortRule, PortSet, Protocol};
use palisade_model::service::TargetPort;
use palisade_model::tiered_policy::TieredPort;
use palisade_model::verdict::Verdict;
use serde::Serialize;

use crate::model::{Model, PodFacts};
use crate::party::{Situation, Transport};

/// A link whose verdict is another one after a change.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
pub struct Turned {
    /// The sender, down to container and program where rules tell them apart.
    pub from: String,
    /// The receiver.
    pub to: String,
    /// The protocol.
    pub protocol: Protocol,
    /// The receiver's ports.
    #[serde(serialize_with = "as_text")]
    pub ports: PortSet,
    /// What it was.
    pub was: Word,
    /// What it is.
    pub is: Word,
    /// The ends as they can be asked about.
    #[serde(skip)]
    pub ends: (End, End),
    /// The sender's workload, or what it is instead: for showing alike links as one.
    #[serde(skip)]
    pub(crate) from_group: String,
    #[serde(skip)]
    pub(crate) to_group: String,
}

fn as_text<S: serde::Serializer>(ports: &PortSet, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(ports)
}

/// What an enforced verdict comes to.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum Word {
    Allowed,
    Denied,
    Undecided,
}

impl Word {
    /// For people.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Allowed => "allowed",
            Self::Denied => "denied",
            Self::Undecided => "undecided",
        }
    }
}

impl From<&Verdict> for Word {
    fn from(verdict: &Verdict) -> Self {
        match verdict {
            Verdict::Allow(_) => Self::Allowed,
            Verdict::Deny(_) => Self::Denied,
            Verdict::Undecided(_) => Self::Undecided,
        }
    }
}

/// A party of a comparison.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Somebody {
    pub(crate) end: End,
    /// For people.
    pub(crate) name: String,
    /// Of the workload.
    pub(crate) group: String,
}

/// The ports at which some rule's answer can change, by protocol.
#[derive(Clone, Debug, Default)]
pub(crate) struct Breakpoints([BTreeSet<u16>; 3]);

impl Breakpoints {
    /// Those that the policies and Services of `inventory` name by number.
    pub(crate) fn of(inventory: &Inventory) -> Self {
        let mut points = Self::default();
        let network = inventory.network_policies.iter();
        let network = network.flat_map(|policy| policy.ingress.iter().chain(&policy.egress).flatten());
        network.flat_map(|rule| &rule.ports).for_each(|rule| points.add_rule(rule));
        let access = inventory.access_policies.iter().flat_map(|policy| &policy.rules);
        access.flat_map(|rule| &rule.ports).for_each(|rule| points.add_rule(rule));
        let tiered = inventory.tiered_policies.iter().flat_map(|policy| policy.ingress.iter().chain(&policy.egress));
        for port in tiered.flat_map(|rule| rule.ports.iter().flatten()) {
            if let TieredPort::Numbers(protocol, Some(range)) = port {
                points.add(*protocol, *range);
            }
        }
        for port in inventory.services.iter().flat_map(|service| &service.ports) {
            if let TargetPort::Number(number) = port.target {
                points.add(port.protocol, PortRange::single(number));
            }
        }
        for port in inventory.endpoint_slices.iter().flat_map(|slice| &slice.ports) {
            if let Some(number) = port.port {
                points.add(port.protocol, PortRange::single(number));
            }
        }
        points
    }

    fn add_rule(&mut self, rule: &PortRule) {
        match &rule.port {
            PortMatch::Range(range) => self.add(rule.protocol, *range),
            PortMatch::Any | PortMatch::Name(_) => {}
        }
    }

    pub(crate) fn add(&mut self, protocol: Protocol, range: PortRange) {
        let points = &mut self.0[protocol as usize];
        points.insert(range.first());
        points.extend(range.last().checked_add(1));
    }

    /// Those of both.
    pub(crate) fn and(mut self, other: &Self) -> Self {
        for (own, others) in self.0.iter_mut().zip(&other.0) {
            own.extend(others);
        }
        self
    }

    /// Ranges of equal answers of a receiver with `own` ports, all together every port within `within`.
    fn ranges(&self, protocol: Protocol, own: &[PortRange], within: &PortSet) -> Vec<PortRange> {
        let mut points = self.0[protocol as usize].clone();
        for range in own.iter().chain(within.ranges()) {
            points.insert(range.first());
            points.extend(range.last().checked_add(1));
        }
        points.insert(0);
        let points: Vec<u16> = points.into_iter().collect();
        let ends = points.iter().skip(1).map(|next| next - 1).chain([u16::MAX]);
        let ranges = points.iter().zip(ends).map(|(first, last)| PortRange::new(*first, last));
        ranges
            .map(|range| range.expect("the points are sorted and different"))
            .filter(|range| within.contains(range.first()))
            .collect()
    }
}

/// Compares two models link by link, up to a number of verdicts.
pub(crate) struct Comparison<'m> {
    before: &'m Model,
    after: &'m Model,
    now: Timestamp,
    breakpoints: Breakpoints,
    /// How many links may still be judged.
    pub(crate) left: usize,
}

impl<'m> Comparison<'m> {
    pub(crate) fn new(before: &'m Model, after: &'m Model, now: Timestamp, most: usize) -> Self {
        let breakpoints = Breakpoints::of(&before.inventory).and(&Breakpoints::of(&after.inventory));
        Self { before, after, now, breakpoints, left: most }
    }

    /// Ranges of ports within `within` of which all ports of one get the same answer at `to`.
    pub(crate) fn ranges(&self, to: &Somebody, within: impl Fn(Protocol) -> PortSet) -> Vec<(Protocol, PortRange)> {
        let own = self.own_ports(&to.end);
        let of_protocol = |protocol| {
            let own: Vec<PortRange> = own.iter().filter(|(of, _)| *of == protocol).map(|(_, range)| *range).collect();
            self.breakpoints.ranges(protocol, &own, &within(protocol)).into_iter().map(move |range| (protocol, range))
        };
        Protocol::ALL.into_iter().flat_map(of_protocol).collect()
    }

    /// What turns of the links from `from` to `to` on `ranges` of ports; `None` once the number is used up.
    pub(crate) fn turned(
        &mut self,
        from: &Somebody,
        to: &Somebody,
        ranges: &[(Protocol, PortRange)],
    ) -> Option<Vec<Turned>> {
        let mut found: Vec<Turned> = Vec::new();
        let Some((protocol, range)) = ranges.first() else { return Some(found) };
        let link = Link { from: from.end.clone(), to: to.end.clone(), protocol: *protocol, port: range.first() };
        let situation = |model: &'m Model| model.situation(&link, self.now).ok();
        let (Some(before), Some(after)) = (situation(self.before), situation(self.after)) else { return Some(found) };
        let (mut before, mut after) = (before, after);
        for (protocol, range) in ranges {
            self.left = self.left.checked_sub(1)?;
            let transport = Transport::Port { protocol: *protocol, port: range.first() };
            let word = |model: &'m Model, situation: &mut Situation<'m>| {
                situation.transport = transport;
                Word::from(model.judge_situation(situation).enforced.link().1)
            };
            let (was, is) = (word(self.before, &mut before), word(self.after, &mut after));
            if was == is {
                continue;
            }
            match found.iter_mut().find(|one| one.protocol == *protocol && (one.was, one.is) == (was, is)) {
                Some(one) => one.ports = PortSet::new(one.ports.ranges().iter().copied().chain([*range])),
                None => found.push(Turned {
                    from: from.name.clone(),
                    to: to.name.clone(),
                    protocol: *protocol,
                    ports: PortSet::new([*range]),
                    was,
                    is,
                    ends: (from.end.clone(), to.end.clone()),
                    from_group: from.group.clone(),
                    to_group: to.group.clone(),
                }),
            }
        }
        Some(found)
    }

    /// The ports that mean something of their own at a pod: those that its containers declare or its probes ask.
    fn own_ports(&self, to: &End) -> Vec<(Protocol, PortRange)> {
        let End::Pod(pod) = to else { return Vec::new() };
        let Some(facts) = self.before.pod_named(&pod.namespace, &pod.name) else { return Vec::new() };
        let containers = &self.before.spec(facts).containers;
        let declared = containers.iter().flat_map(|container| &container.ports);
        let declared = declared.map(|port| (port.protocol, PortRange::single(port.number)));
        let probed = containers.iter().flat_map(|container| {
            container
                .probes()
                .filter_map(|probe| probe.tcp_port(container))
                .map(|port| (Protocol::Tcp, PortRange::single(port)))
        });
        declared.chain(probed).collect()
    }
}

/// `pod` as a receiver.
pub(crate) fn pod_receiver(pod: &PodFacts) -> Somebody {
    let end = PodEnd {
        namespace: pod.namespace.clone(),
        name: pod.name.clone(),
        container: Which::Unsaid,
        program: Which::Unsaid,
        address: None,
    };
    Somebody { end: End::Pod(end), name: pod.full_name(), group: group(pod) }
}

/// `pod` as senders: its processes as far as rules of one of the models tell them apart.
pub(crate) fn pod_senders(models: [&Model; 2], pod: &PodFacts) -> Vec<Somebody> {
    let whole = pod_receiver(pod);
    if !models.iter().any(|model| tells_processes_apart(model)) {
        return vec![whole];
    }
    let containers = models[0].spec(pod).containers.iter().map(|container| &container.name);
    let mut senders = Vec::new();
    for container in containers {
        let named = models.iter().filter_map(|model| Some((model, model.pod_named(&pod.namespace, &pod.name)?)));
        let programs: BTreeSet<_> = named.flat_map(|(model, pod)| model.named_programs(pod, container)).collect();
        let is_alone = programs.is_empty();
        for program in programs.into_iter().map(Which::Named).chain([Which::Other]) {
            let detail = match &program {
                Which::Named(path) => format!(":{container}:{path}"),
                Which::Other if is_alone => format!(":{container}"),
                Which::Other | Which::Unsaid => format!(":{container}:(other program)"),
            };
            let end = PodEnd {
                namespace: pod.namespace.clone(),
                name: pod.name.clone(),
                container: Which::Named(container.clone()),
                program,
                address: None,
            };
            senders.push(Somebody {
                end: End::Pod(end),
                name: format!("{}{detail}", whole.name),
                group: format!("{}{detail}", whole.group),
            });
        }
    }
    senders
}

/// The workload of `pod` by name.
pub(crate) fn group(pod: &PodFacts) -> String {
    format!("{}/{}", pod.namespace, pod.workload.name)
}

fn tells_processes_apart(model: &Model) -> bool {
    let rules = model.inventory.access_policies.iter().flat_map(|policy| &policy.rules);
    rules.flat_map(|rule| &rule.from).any(|peer| peer.names_container_or_program())
}

/// Somebody outside of whom no policy knows more.
pub(crate) fn world(model: &Model, v4: bool) -> Option<Somebody> {
    let address = model.world_address(v4)?;
    let name = if v4 { "world" } else { "world (IPv6)" };
    Some(Somebody { end: End::Address(address), name: name.to_owned(), group: name.to_owned() })
}

/// The other end's own node.
pub(crate) fn own_node() -> Somebody {
    let name = "the own node".to_owned();
    Somebody { end: End::Node { name: OWN_NODE.into(), address: None }, group: name.clone(), name }
}
