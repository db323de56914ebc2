//! One world, its tries made three ways.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use palisade_lab::stand_in::attempt;
use palisade_model::flow::{FlowRecord, Strength};
use palisade_model::link::{End, Link};
use palisade_model::perimeter::OnRefusal;
use palisade_model::settings::{Guarded, Settings};
use palisade_model::tiered_policy::{Tier, TierAction};
use palisade_model::verdict::{Decision, Direction, Judgement, Verdict};
use palisade_model::{Inventory, Protocol, Timestamp};
use palisade_policy::Model;
use palisade_worlds::runnable::{Dial, Family, METADATA, NODES, NodeTry, Program, RunnableWorld, Target, Try};
use palisade_worlds::{Coverage, Dialled};

use crate::lab::{Agent, Lab};
use crate::receiver::{Arrival, Arrivals, Awaited, of_receivers};
use crate::sender::{EACCES, ECONNREFUSED, Expected, ExpectedVerdict, because, compare_verdict};

/// Where a program is dropped into a running container.
const DROPPED: &str = "/tmp/dropped";
/// Nobody has to answer a datagram, and nothing here is far away.
const PATIENCE_MS: u64 = 40;
/// A SYN that nobody answers: long enough for one that somebody does.
const SILENCE_MS: u64 = 150;
/// How long the records of arrivals may take.
const RECORDS_WITHIN: Duration = Duration::from_secs(15);

/// Which nodes judge.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Way {
    /// Both nodes are guarded.
    Both,
    /// Only the sender's.
    SenderOnly,
    /// Only the receiver's.
    ReceiverOnly,
}

impl Way {
    pub const ALL: [Self; 3] = [Self::Both, Self::SenderOnly, Self::ReceiverOnly];
}

/// What came of a world, or of all.
#[derive(Default)]
pub struct Outcome {
    /// Tries, and how many of them the engine allows.
    tries: BTreeMap<Way, (usize, usize)>,
    /// Receivers' records that were held against the engine.
    received: usize,
    coverage: BTreeMap<Way, Coverage>,
    pub failures: String,
}

impl Outcome {
    pub fn of(&self, way: Way) -> (usize, usize) {
        self.tries.get(&way).copied().unwrap_or_default()
    }

    pub fn counts(&self) -> String {
        let of = |way: &Way| format!("{way:?} {} of {} tries allowed", self.of(*way).1, self.of(*way).0);
        let ways: Vec<String> = Way::ALL.iter().map(of).collect();
        format!("{}, {} records of receivers", ways.join(", "), self.received)
    }

    pub fn add(&mut self, other: Self) {
        for (way, (tried, allowed)) in other.tries {
            let sum = self.tries.entry(way).or_default();
            *sum = (sum.0 + tried, sum.1 + allowed);
        }
        self.received += other.received;
        for (way, coverage) in &other.coverage {
            self.coverage.entry(*way).or_default().merge(coverage);
        }
        self.failures.push_str(&other.failures);
    }

    /// What decided, all ways together.
    pub fn coverage(&self) -> Coverage {
        let mut whole = Coverage::default();
        self.coverage.values().for_each(|coverage| whole.merge(coverage));
        whole
    }

    /// What decided, by way.
    pub fn coverages(&self) -> String {
        self.coverage.iter().map(|(way, coverage)| format!("{way:?}\n{coverage}")).collect()
    }

    fn covers(&mut self, way: Way) -> &mut Coverage {
        self.coverage.entry(way).or_default()
    }

    fn count(&mut self, way: Way, allowed: bool) {
        let sum = self.tries.entry(way).or_default();
        *sum = (sum.0 + 1, sum.1 + usize::from(allowed));
    }
}

/// Runs a world all three ways.
pub fn run(world: &RunnableWorld) -> Outcome {
    let mut outcome = Outcome::default();
    let lab = Lab::up(&format!("kernel-{}", world.seed), &world.yaml, 2);
    let agents = NODES.map(|node| lab.agent_of(node));
    for agent in &agents {
        agent.wait_until_guarded(&lab);
        agent.wait_for("both nodes guarded", |agent| unguarded(agent).is_empty());
    }
    let inventory = lab.inventory();
    let passes = Passes::of(&inventory);
    let stage = Stage { seed: world.seed, lab: &lab, inventory: &inventory, passes, now: Timestamp::now() };
    stage.both(&world.tries, &agents, &mut outcome);
    stage.nodes_themselves(&world.from_node, &agents, &mut outcome);

    // Which node stays guarded alternates.
    let [first, second] = agents;
    let (stays, (goes, gone)) = match world.seed % 2 {
        0 => (first, (second, NODES[1])),
        _ => (second, (first, NODES[0])),
    };
    lab.palisade(&["agent", "unload", "--node", gone]);
    drop(goes);
    stays.wait_for("the unloaded node noticed", |agent| unguarded(agent) == [gone]);
    stage.one(&world.tries, &stays, gone, &mut outcome);
    outcome
}

/// Makes tries with every node guarded by one agent; what is not as the engine says.
pub fn all_guarded(lab: &Lab, agent: &Agent, seed: u64, tries: &[Try]) -> String {
    let (mut outcome, inventory) = (Outcome::default(), lab.inventory());
    let passes = Passes::of(&inventory);
    let stage = Stage { seed, lab, inventory: &inventory, passes, now: Timestamp::now() };
    let model = stage.model(&NODES);
    let mut made = Vec::new();
    for each in tries {
        let Some(dial) = each.dial(&inventory) else { continue };
        let answers = stage.judge(&model, &dial, &mut Coverage::default());
        made.push(Made { each, dial, is_unconnected: false, way: Way::Both, answers, refusal: None });
    }
    let begun = Timestamp::now();
    let done = stage.make(made);
    stage.compare_senders(&model, agent, begun, done.iter(), &mut outcome);
    outcome.failures
}

fn unguarded(agent: &Agent) -> Vec<String> {
    let status = agent.ask(r#"{"status":{}}"#).expect("the agent answers");
    serde_json::from_value(status["unguarded"].clone()).expect("names")
}

/// A lab with its world.
struct Stage<'a> {
    seed: u64,
    lab: &'a Lab,
    inventory: &'a Inventory,
    passes: Passes,
    now: Timestamp,
}

/// Tells where a tier's rules that pass a link on make a difference: verdicts do not name them.
struct Passes {
    with: Model,
    /// For each tier that has such rules: without them.
    without: Vec<(Tier, Model)>,
}

impl Passes {
    fn of(inventory: &Inventory) -> Self {
        let model = |inventory: Inventory| {
            let settings = Settings::of(&inventory);
            Model::new(Arc::new(inventory), settings).value
        };
        let without = [Tier::Admin, Tier::Baseline].into_iter().filter_map(|tier| {
            let mut without = inventory.clone();
            for policy in
                without.tiered_policies.iter_mut().map(std::sync::Arc::make_mut).filter(|policy| policy.tier == tier)
            {
                policy.ingress.retain(|rule| rule.action != TierAction::Pass);
                policy.egress.retain(|rule| rule.action != TierAction::Pass);
            }
            (without != *inventory).then(|| (tier, model(without)))
        });
        Self { without: without.collect(), with: model(inventory.clone()) }
    }

    fn count(&self, link: &Link, now: Timestamp, coverage: &mut Coverage) {
        let words = |model: &Model| {
            let Decision { egress, ingress } = model.judge(link, now).expect("the ends are in the lab").enforced;
            [egress.word(), ingress.word()]
        };
        for (tier, without) in &self.without {
            if words(without) != words(&self.with) {
                coverage.count_pass(*tier);
            }
        }
    }
}

/// Pod, container and program.
type Process = (String, String, String);

/// A try, what is dialled, and how.
struct Made<'a> {
    each: &'a Try,
    dial: Dial,
    is_unconnected: bool,
    way: Way,
    /// What the engine says of each link.
    answers: Vec<Judgement>,
    /// What the receiver's node shall let be seen when it refuses; nothing when it does not judge alone.
    refusal: Option<OnRefusal>,
}

impl Made<'_> {
    fn process(&self) -> Process {
        let program = match &self.each.from.program {
            Program::OfImage(path) => path.clone(),
            Program::Dropped => DROPPED.to_owned(),
        };
        (format!("{}/{}", self.dial.pod.0, self.dial.pod.1), self.each.from.container.clone(), program)
    }

    fn attempt(&self) -> attempt::Try {
        let target = SocketAddr::new(self.dial.address, self.dial.port).to_string();
        let mut attempt = attempt::Try::tcp(target);
        if self.dial.protocol == Protocol::Udp {
            attempt.udp = true;
            attempt.unconnected = self.is_unconnected;
            attempt.timeout_ms = PATIENCE_MS;
        }
        let is_silent =
            self.refusal == Some(OnRefusal::Drop) && self.answers.iter().any(|answer| !answer.enforced.is_allowed());
        if self.dial.address == METADATA {
            attempt.timeout_ms = SILENCE_MS;
        }
        if is_silent && self.dial.protocol == Protocol::Tcp {
            attempt.timeout_ms = SILENCE_MS;
        }
        attempt
    }

    fn says(&self, seed: u64) -> String {
        let (pod, container, program) = self.process();
        let Dial { address, protocol, port, .. } = &self.dial;
        format!(
            "seed {seed} {:?}: {pod}:{container}:{program} -> {:?} {address}:{port}/{protocol}",
            self.way, self.each.to
        )
    }
}

/// How a try is carried: beside TCP over IPv4, in turn.
const CARRIERS: [(Protocol, Family, bool); 6] = [
    (Protocol::Tcp, Family::V6, false),
    (Protocol::Udp, Family::V4, false),
    (Protocol::Udp, Family::V6, true),
    (Protocol::Tcp, Family::V6, false),
    (Protocol::Udp, Family::V4, true),
    (Protocol::Udp, Family::V6, false),
];

impl<'a> Stage<'a> {
    fn model(&self, guarded: &[&str]) -> Model {
        let guarded = Guarded::Only(guarded.iter().map(|node| (*node).into()).collect());
        Model::new(Arc::new(self.inventory.clone()), Settings { guarded, ..Settings::of(self.inventory) }).value
    }

    fn dials(&self, each: &'a Try, turn: usize) -> impl Iterator<Item = (Dial, bool)> {
        let first = (Protocol::Tcp, Family::V4, false);
        let carriers = [first, CARRIERS[turn % CARRIERS.len()]];
        carriers.into_iter().filter_map(move |(protocol, family, is_unconnected)| {
            Some((each.dial_over(self.inventory, protocol, family)?, is_unconnected))
        })
    }

    fn node_of(&self, namespace: &str, name: &str) -> Option<&'a str> {
        let is_it = |meta: &palisade_model::Meta| meta.namespace() == namespace && meta.name() == name;
        self.inventory.pods.iter().find(|pod| is_it(&pod.meta))?.node.as_deref()
    }

    /// The pod that a link ends at, and its node.
    fn receiver(&self, link: &Link) -> Option<(String, &'a str)> {
        let End::Address(address) = &link.to else { return None };
        let pod = self.inventory.pods.iter().find(|pod| pod.own_addresses().contains(address))?;
        Some((format!("{}/{}", pod.meta.namespace(), pod.meta.name()), pod.node.as_deref()?))
    }

    /// Every node guarded.
    fn both(&self, tries: &'a [Try], agents: &[Agent; 2], outcome: &mut Outcome) {
        let model = self.model(&NODES);
        let mut made = Vec::new();
        for (turn, each) in tries.iter().enumerate() {
            for (dial, is_unconnected) in self.dials(each, turn) {
                let answers = self.judge(&model, &dial, outcome.covers(Way::Both));
                made.push(Made { each, dial, is_unconnected, way: Way::Both, answers, refusal: None });
            }
        }
        let begun = Timestamp::now();
        let done = self.make(made);
        for (agent, node) in agents.iter().zip(NODES) {
            let of_node = done.iter().filter(|(_, group)| self.is_from(&group[0].0, node));
            self.compare_senders(&model, agent, begun, of_node, outcome);
            let mut arrivals = Arrivals::default();
            for (made, _) in done.values().flatten() {
                // What the sender's node refuses does not come; of a Service whose backends differ any may.
                if made.answers.iter().any(|answer| answer.enforced.is_allowed()) {
                    self.await_at(&model, node, made, &mut arrivals);
                }
            }
            self.compare_arrivals(agent, begun, &arrivals, outcome);
        }
    }

    /// What a process of a pod's own node sends to the pod.
    fn nodes_themselves(&self, tries: &[NodeTry], agents: &[Agent; 2], outcome: &mut Outcome) {
        let model = self.model(&NODES);
        for (agent, node) in agents.iter().zip(NODES) {
            let mut made = Vec::new();
            for (turn, each) in tries.iter().enumerate() {
                let Some(pod) = each.to.find(self.inventory).filter(|pod| pod.node.as_deref() == Some(node)) else {
                    continue;
                };
                let is_wanted = |address: &&IpAddr| address.is_ipv4() == (turn % 2 == 0);
                let address = *pod.own_addresses().iter().find(is_wanted).expect("it has one of each family");
                let link = Link {
                    from: End::Node { name: node.into(), address: None },
                    to: End::Address(address),
                    protocol: Protocol::Tcp,
                    port: each.port,
                };
                let enforcement = model.enforcement(&link, self.now).expect("the ends are in the lab");
                let answer = enforcement.receiver.expect("the receiver's node is guarded");
                let ingress = &answer.enforced.ingress;
                outcome.covers(Way::Both).count_end(self.inventory, &link, ingress);
                let end = (Direction::Ingress, ingress);
                outcome.covers(Way::Both).count_corners(self.inventory, &link, Dialled::Directly, end);
                outcome.count(Way::Both, ingress.is_allow());
                made.push((link, answer, pod));
            }
            let begun = Timestamp::now();
            let attempts = made.iter().map(|(link, ..)| attempt::Try {
                timeout_ms: SILENCE_MS,
                ..attempt::Try::tcp(SocketAddr::new(address_of(&link.to), link.port).to_string())
            });
            let said = self.lab.try_all_on(node, &attempts.collect::<Vec<_>>());
            for ((link, answer, pod), said) in made.iter().zip(said) {
                let who = format!("seed {}: {node} -> {link:?}", self.seed);
                let mut ports = pod.spec.containers.iter().flat_map(|container| &container.ports);
                let listens = ports.any(|port| (port.number, port.protocol) == (link.port, link.protocol));
                let allowed = answer.enforced.ingress.is_allow();
                if said.ok != (allowed && listens) {
                    let _ = writeln!(outcome.failures, "{who}: the call said {said:?}, allowed: {allowed}");
                }
                let is_it = |record: &&FlowRecord| {
                    record.from.kind == "node"
                        && record.dialled.address == address_of(&link.to)
                        && record.dialled.port == link.port
                };
                let waiting = Instant::now();
                let mut records = of_receivers(agent.history(), begun);
                while records.iter().find(is_it).is_none() && waiting.elapsed() < RECORDS_WITHIN {
                    std::thread::sleep(Duration::from_millis(50));
                    records = of_receivers(agent.history(), begun);
                }
                let Some(record) = records.iter().find(is_it) else {
                    let _ = writeln!(outcome.failures, "{who}: no record (the call said {said:?})");
                    continue;
                };
                outcome.received += 1;
                let mut wrong = Vec::new();
                let expected = |verdict: &Verdict| ExpectedVerdict {
                    allowed: verdict.is_allow(),
                    because: vec![because(verdict)],
                };
                compare_verdict("verdict", &expected(&answer.enforced.ingress), &record.verdict, &mut wrong);
                compare_verdict("would-be verdict", &expected(&answer.would_be.ingress), &record.would_be, &mut wrong);
                let from = (record.from.name.as_deref(), record.strength);
                if from != (Some(node), Some(Strength::OwnNode)) {
                    wrong.push(format!("from {from:?}"));
                }
                for wrong in wrong {
                    let _ = writeln!(outcome.failures, "{who}: {wrong}");
                }
            }
        }
    }

    /// One node guarded: tries from it to the other, and from the other to it.
    fn one(&self, tries: &'a [Try], agent: &Agent, gone: &str, outcome: &mut Outcome) {
        let stays = NODES.into_iter().find(|node| *node != gone).expect("there are two");
        let model = self.model(&[stays]);
        let rules = model.compile(stays, 1, self.now);
        let mut made = Vec::new();
        for (turn, each) in tries.iter().enumerate() {
            for (dial, is_unconnected) in self.dials(each, turn) {
                let receivers: Vec<_> = dial.links.iter().filter_map(|link| self.receiver(link)).collect();
                let from = self.node_of(&dial.pod.0, &dial.pod.1);
                let is_at = |node: &str| receivers.iter().any(|(_, of)| *of == node);
                let is_own = matches!(each.to, Target::OwnPod | Target::Loopback);
                let (way, refusal) = match from {
                    _ if is_own => continue,
                    Some(from) if from == stays && is_at(gone) => (Way::SenderOnly, None),
                    // Which of several backends the other node chooses, nobody here can tell.
                    Some(from) if from == gone && is_at(stays) && dial.links.len() == 1 => {
                        let is_it = |subject: &&palisade_policy::compile::Subject| {
                            receivers[0].0 == format!("{}/{}", subject.namespace, subject.name)
                        };
                        let subject = rules.subjects.iter().find(is_it).expect("it is on the node");
                        (Way::ReceiverOnly, Some(subject.on_refusal))
                    }
                    _ => continue,
                };
                let answers = match way {
                    Way::Both | Way::SenderOnly => self.judge(&model, &dial, outcome.covers(way)),
                    Way::ReceiverOnly => vec![self.judge_arrival(&model, &dial, outcome.covers(way))],
                };
                made.push(Made { each, dial, is_unconnected, way, answers, refusal });
            }
        }
        let begun = Timestamp::now();
        let done = self.make(made);
        let of_node = done.iter().filter(|(_, group)| self.is_from(&group[0].0, stays));
        self.compare_senders(&model, agent, begun, of_node, outcome);
        let mut arrivals = Arrivals::default();
        for (made, answer) in done.values().flatten() {
            if made.way == Way::ReceiverOnly {
                self.await_at(&model, stays, made, &mut arrivals);
                outcome.count(made.way, made.answers[0].enforced.is_allowed());
                if let Some(wrong) = self.compare_call(made, answer) {
                    let _ = writeln!(outcome.failures, "{}: {wrong}", made.says(self.seed));
                }
            } else if made.answers.iter().any(|answer| answer.enforced.is_allowed()) {
                // Of several backends one may be here.
                self.await_at(&model, stays, made, &mut arrivals);
            }
        }
        self.compare_arrivals(agent, begun, &arrivals, outcome);
    }

    fn is_from(&self, made: &Made<'_>, node: &str) -> bool {
        self.node_of(&made.dial.pod.0, &made.dial.pod.1) == Some(node)
    }

    /// The whole link, as the sender's node judges it.
    fn judge(&self, model: &Model, dial: &Dial, coverage: &mut Coverage) -> Vec<Judgement> {
        let judge = |link: &Link| {
            let answer = model.judge(link, self.now).expect("the ends are in the lab");
            let Decision { egress, ingress } = &answer.enforced;
            coverage.count(self.inventory, link, &answer.enforced);
            self.passes.count(link, self.now, coverage);
            for end in [(Direction::Egress, egress), (Direction::Ingress, ingress)] {
                coverage.count_corners(self.inventory, link, dialled(dial, link), end);
            }
            answer
        };
        dial.links.iter().map(judge).collect()
    }

    /// The ingress end, as the receiver's node judges it when the sender's does not.
    fn judge_arrival(&self, model: &Model, dial: &Dial, coverage: &mut Coverage) -> Judgement {
        let link = &dial.links[0];
        let enforcement = model.enforcement(link, self.now).expect("the ends are in the lab");
        assert!(enforcement.sender.is_none(), "the sender's node is not guarded");
        let answer = enforcement.receiver.expect("the receiver's node is guarded");
        let ingress = &answer.enforced.ingress;
        coverage.count_end(self.inventory, link, ingress);
        let end = (Direction::Ingress, ingress);
        coverage.count_corners(self.inventory, link, dialled(dial, link), end);
        answer
    }

    /// Makes the tries, process by process, and gives each with what the call said.
    fn make(&self, made: Vec<Made<'a>>) -> BTreeMap<Process, Vec<(Made<'a>, attempt::Answer)>> {
        let mut groups: BTreeMap<Process, Vec<Made<'_>>> = BTreeMap::new();
        for one in made {
            groups.entry(one.process()).or_default().push(one);
        }
        let make = |(process, group): (Process, Vec<Made<'a>>)| {
            let (pod, container, program) = &process;
            if program == DROPPED {
                self.lab.drop_program(pod, container, DROPPED);
            }
            let attempts: Vec<attempt::Try> = group.iter().map(Made::attempt).collect();
            let answers = self.lab.try_all(pod, container, program, &attempts);
            assert_eq!(answers.len(), group.len(), "each try has its answer");
            (process, group.into_iter().zip(answers).collect())
        };
        groups.into_iter().map(make).collect()
    }

    /// Holds the records of the agent of the senders' node, and what the calls said, against the engine.
    fn compare_senders<'g>(
        &self,
        model: &Model,
        agent: &Agent,
        begun: Timestamp,
        groups: impl Iterator<Item = (&'g Process, &'g Vec<(Made<'a>, attempt::Answer)>)>,
        outcome: &mut Outcome,
    ) where
        'a: 'g,
    {
        let groups: Vec<_> = groups.collect();
        let wanted = groups.iter().map(|(_, group)| group.len()).sum();
        let is_ours =
            |record: &FlowRecord| record.time >= begun && groups.iter().any(|(process, _)| is_of(record, process));
        let records = agent.records(wanted, is_ours);
        for (process, group) in groups {
            let mut own = records.iter().filter(|record| is_of(record, process));
            for (made, answer) in group {
                let record = own.next();
                let backend = record.and_then(|record| record.backend);
                let expected = Expected::of(model, self.inventory, (made.each, &made.dial), &made.answers, backend);
                outcome.count(made.way, expected.enforced.allowed);
                let wrong = match record {
                    Some(record) => expected.compare(record, answer, made.each, &made.dial),
                    None => vec![format!("no record (the call said {answer:?})")],
                };
                for wrong in wrong {
                    let _ = writeln!(outcome.failures, "{}: {wrong}", made.says(self.seed));
                }
            }
        }
    }

    /// What the node of the receivers shall record of a try that reaches it.
    fn await_at(&self, model: &Model, node: &str, made: &Made<'_>, arrivals: &mut Arrivals) {
        let (pod, container, program) = made.process();
        for link in &made.dial.links {
            let (Some((receiver, at)), End::Address(to)) = (self.receiver(link), &link.to) else { continue };
            // What a pod sends to itself does not pass its veth, unless a Service brings it back.
            if at != node || (receiver == pod && !matches!(made.each.to, Target::Service { .. })) {
                continue;
            }
            let of = |pod: &&std::sync::Arc<palisade_model::pod::Pod>| {
                format!("{}/{}", pod.meta.namespace(), pod.meta.name())
            };
            let sender = self.inventory.pods.iter().find(|known| of(known) == pod).expect("it is in the lab");
            let same_family = |address: &&std::net::IpAddr| address.is_ipv4() == to.is_ipv4();
            let from = *sender.own_addresses().iter().find(same_family).expect("it has one of each family");
            let is_near = sender.node.as_deref() == Some(node);
            let enforcement = model.enforcement(link, self.now).expect("the ends are in the lab");
            let judgement = match is_near {
                // Where the sender's own flow is at hand, the whole link is judged again.
                true => enforcement.sender.expect("the sender's node is guarded"),
                false => enforcement.receiver.expect("the receiver's node is guarded"),
            };
            let verdict = |decision: &Decision| {
                let verdict: &Verdict = if is_near { decision.link().1 } else { &decision.ingress };
                ExpectedVerdict { allowed: verdict.is_allow(), because: vec![because(verdict)] }
            };
            let strength = match made.way {
                _ if is_near => Strength::SameNode,
                Way::Both => Strength::GuardedNode,
                Way::SenderOnly | Way::ReceiverOnly => Strength::Address,
            };
            let arrival = Arrival {
                from,
                process: is_near.then(|| (container.clone(), (program != DROPPED).then(|| program.clone()))),
                to: SocketAddr::new(*to, link.port),
                protocol: link.protocol,
            };
            let awaited = Awaited {
                enforced: verdict(&judgement.enforced),
                would_be: verdict(&judgement.would_be),
                strength,
                pods: [pod.clone(), receiver],
                must_come: made.dial.links.len() == 1,
            };
            arrivals.expect(arrival, awaited);
        }
    }

    fn compare_arrivals(&self, agent: &Agent, begun: Timestamp, arrivals: &Arrivals, outcome: &mut Outcome) {
        let waiting = Instant::now();
        let mut records = of_receivers(agent.history(), begun);
        while !arrivals.have_come(&records) && waiting.elapsed() < RECORDS_WITHIN {
            std::thread::sleep(Duration::from_millis(50));
            records = of_receivers(agent.history(), begun);
        }
        let (compared, wrong) = arrivals.compare(&records);
        outcome.received += compared;
        for wrong in wrong {
            let _ = writeln!(outcome.failures, "seed {}: {wrong}", self.seed);
        }
    }

    /// What a program sees that the receiver's node judges alone.
    fn compare_call(&self, made: &Made<'_>, answer: &attempt::Answer) -> Option<String> {
        let allowed = made.answers[0].enforced.is_allowed();
        let wrong = || Some(format!("the call said {answer:?}, and the engine allowed: {allowed}, {:?}", made.refusal));
        if answer.errno == Some(EACCES) {
            return wrong();
        }
        if made.dial.protocol == Protocol::Udp {
            return if answer.ok && !allowed { wrong() } else { None };
        }
        let fits = match (allowed, made.refusal) {
            (true, _) => answer.ok == self.listens(&made.dial),
            (false, Some(OnRefusal::Drop)) => !answer.ok && answer.errno != Some(ECONNREFUSED),
            (false, Some(OnRefusal::Reset) | None) => answer.errno == Some(ECONNREFUSED),
        };
        if fits { None } else { wrong() }
    }

    /// Whether the pod behind the only link listens on its port: stand-ins do on each that they declare.
    fn listens(&self, dial: &Dial) -> bool {
        let link = &dial.links[0];
        let Some((receiver, _)) = self.receiver(link) else { return false };
        let of = |pod: &&std::sync::Arc<palisade_model::pod::Pod>| {
            format!("{}/{}", pod.meta.namespace(), pod.meta.name()) == receiver
        };
        let pod = self.inventory.pods.iter().find(of).expect("it is in the lab");
        let mut ports = pod.spec.containers.iter().flat_map(|container| &container.ports);
        ports.any(|port| port.number == link.port && port.protocol == link.protocol)
    }
}

fn address_of(end: &End) -> IpAddr {
    match end {
        End::Address(address) => *address,
        End::Pod(_) | End::Node { .. } => panic!("{end:?} is dialled by its address"),
    }
}

fn dialled(dial: &Dial, link: &Link) -> Dialled {
    if link.to == End::Address(dial.address) { Dialled::Directly } else { Dialled::ByService }
}

fn is_of(record: &FlowRecord, (pod, container, program): &Process) -> bool {
    let from = &record.from;
    let full =
        format!("{}/{}", from.namespace.as_deref().unwrap_or_default(), from.name.as_deref().unwrap_or_default());
    full == *pod && from.container.as_ref() == Some(container) && from.program.as_ref() == Some(program)
}
