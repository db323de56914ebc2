//! A try as the sender's node judges it: what the engine says of the whole link, held against the record and the call.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;

use palisade_lab::stand_in::attempt;
use palisade_model::flow::{FlowOutcome, FlowRecord, FlowVerdict, VerdictWord};
use palisade_model::link::{End, Link, Which};
use palisade_model::perimeter::OnRefusal;
use palisade_model::pod::Container;
use palisade_model::settings::MixedServices;
use palisade_model::verdict::{Decision, Judgement, Verdict};
use palisade_model::{Inventory, Protocol, Timestamp};
use palisade_policy::compile::{Reason, ServiceWord, reason};
use palisade_policy::{Model, PodFacts};
use palisade_worlds::runnable::{self, Dial, Program, Target, Try};

use crate::lab::Agent;
use crate::made::{Made, Process};
use crate::outcome::Outcome;
use crate::stage::Stage;

/// "Permission denied": what a refused connect returns.
pub const EACCES: i32 = 13;
/// "Software caused connection abort": ended by its own node's agent.
const ECONNABORTED: i32 = 103;
/// "Connection refused": a reset.
pub const ECONNREFUSED: i32 = 111;

/// What the engine says of one try.
pub struct Expected {
    pub enforced: ExpectedVerdict,
    pub would_be: ExpectedVerdict,
    program_is_named: bool,
    to: (&'static str, Option<String>),
    listener: Option<Listener>,
    /// Of a Service whose backends differ: the packet was judged, so a refusal is a reset or silence.
    on_the_packet: bool,
    /// The same, by a receiver of the sender's own node that may refuse with silence, or on the node's own way in: then the
    /// agent ends the connect.
    may_be_ended: bool,
}

/// Who listens on a pod's port.
#[derive(Debug)]
struct Listener {
    container: String,
    program: String,
    /// On the sender's node. Of another the agent may know the container alone.
    is_near: bool,
}

#[derive(Debug)]
pub struct ExpectedVerdict {
    pub allowed: bool,
    /// Reason and rule; to a Service, of any of its backends.
    pub because: Vec<(String, Option<String>)>,
}

impl Expected {
    /// `answers`: the engine's, by the links of `dial`; `backend`: the one that the record names.
    pub fn of(
        model: &Model,
        inventory: &Inventory,
        (each, dial): (&Try, &Dial),
        answers: &[Judgement],
        backend: Option<SocketAddr>,
    ) -> Self {
        let is_service = matches!(each.to, Target::Service { .. });
        let word = model.service_verdict(answers);
        // Which backend a connection goes to is chance; what it gets there is not.
        let differ = [word.enforced, word.would_be].contains(&ServiceWord::Mixed) && backend.is_some();
        let on_the_packet = word.enforced == ServiceWord::Mixed && differ;
        let node_of = |pod: Option<&PodFacts>| pod.and_then(|pod| pod.node.clone());
        let sender = node_of(model.pod_named(&dial.pod.0, &dial.pod.1));
        let reached_pod = backend.and_then(|at| model.pods().iter().find(|pod| pod.addresses.contains(&at.ip())));
        let drops = inventory.perimeters.iter().any(|perimeter| perimeter.on_refusal == OnRefusal::Drop);
        let of_own_node = inventory.nodes.iter().any(|node| {
            sender.as_deref() == Some(node.meta.name()) && backend.is_some_and(|at| node.addresses.contains(&at.ip()))
        });
        let of_own_pod = drops && sender.is_some() && node_of(reached_pod) == sender;
        let may_be_ended = on_the_packet && (of_own_node || of_own_pod);
        let reached: Vec<Judgement> = dial
            .links
            .iter()
            .zip(answers)
            .filter(|(link, _)| !differ || backend.is_some_and(|backend| leads_to(link, backend)))
            .map(|(_, answer)| answer.clone())
            .collect();
        let answers = &reached;
        let word = if differ { model.service_verdict(answers) } else { word };
        // Refused at connect by what is enforced: of the rest it is known alone that a packet would be judged.
        let would_pass = word.enforced == ServiceWord::Denied && judged_on_the_packet(model, dial);
        let no_such_port = is_service && !service_has_port(inventory, each, dial.protocol);
        let verdict = |word: ServiceWord, of: fn(&Judgement) -> &Decision| {
            let fixed =
                |reason: Reason| ExpectedVerdict { allowed: false, because: vec![(reason.as_str().to_owned(), None)] };
            match word {
                ServiceWord::NoEndpoints if no_such_port => fixed(Reason::NoServicePort),
                ServiceWord::NoEndpoints => fixed(Reason::NoEndpoints),
                ServiceWord::Mixed => ExpectedVerdict { allowed: would_pass, ..fixed(Reason::ServiceMixed) },
                ServiceWord::Allowed | ServiceWord::Denied => ExpectedVerdict {
                    allowed: word == ServiceWord::Allowed,
                    because: answers.iter().map(|answer| because(of(answer).link().1)).collect(),
                },
            }
        };
        let named = match (&dial.links.first().map(|link| &link.from), &each.from.program) {
            (Some(End::Pod(pod)), Program::OfImage(path)) => {
                let facts = model.pod_named(&pod.namespace, &pod.name).expect("it is in the lab");
                let Which::Named(container) = &pod.container else { panic!("tries name their container") };
                model.named_programs(facts, container).contains(path.as_str())
            }
            _ => false,
        };
        Self {
            enforced: verdict(word.enforced, |answer| &answer.enforced),
            would_be: verdict(word.would_be, |answer| &answer.would_be),
            program_is_named: named,
            to: receiver(inventory, each),
            listener: listener(inventory, each, dial),
            on_the_packet,
            may_be_ended,
        }
    }

    /// What of the record and of the call is not as it says.
    pub fn compare(&self, record: &FlowRecord, answer: &attempt::Answer, each: &Try, dial: &Dial) -> Vec<String> {
        let mut wrong = Vec::new();
        compare_verdict("verdict", &self.enforced, &record.verdict, &mut wrong);
        compare_verdict("would-be verdict", &self.would_be, &record.would_be, &mut wrong);
        if (record.dialled.address, record.dialled.port) != (dial.address, dial.port) {
            wrong.push(format!("dialled {:?}", record.dialled));
        }
        if !dial.links.is_empty() && record.from.program_named != Some(self.program_is_named) {
            wrong.push(format!("program named: {:?}, not {}", record.from.program_named, self.program_is_named));
        }
        let to = (record.to.kind.as_str(), record.to.name.clone());
        if to.0 != self.to.0 || (self.to.1.is_some() && to.1 != self.to.1) {
            wrong.push(format!("receiver {to:?}, not {:?}", self.to));
        }
        if let Some(listener) = &self.listener {
            let (container, program) = (record.to.container.as_ref(), record.to.program.as_ref());
            let may_be_unknown = !listener.is_near && program.is_none();
            if container != Some(&listener.container) || !(may_be_unknown || program == Some(&listener.program)) {
                wrong.push(format!("{container:?}:{program:?} listens, not {listener:?}"));
            }
        }
        if record.backend.is_some_and(|backend| !dial.links.iter().any(|link| leads_to(link, backend))) {
            wrong.push(format!("backend {:?} of {:?}", record.backend, dial.links));
        }
        let is_service = matches!(each.to, Target::Service { .. });
        let has_left = matches!(record.outcome, FlowOutcome::Established | FlowOutcome::Sent);
        if is_service && has_left && record.backend.is_none() {
            wrong.push("no backend".to_owned());
        }
        let refused = match self.on_the_packet && dial.protocol == Protocol::Udp {
            false if self.may_be_ended => [Some(ECONNREFUSED), Some(ECONNABORTED)].contains(&answer.errno),
            false => answer.errno == Some(if self.on_the_packet { ECONNREFUSED } else { EACCES }),
            // Nobody says so.
            true => !answer.ok && !self.enforced.allowed,
        };
        if refused == self.enforced.allowed {
            wrong.push(format!("the call said {answer:?}, and the engine allowed: {}", self.enforced.allowed));
        }
        let to_metadata = each.to == Target::Outside(runnable::METADATA);
        let outcome_fits = match record.outcome {
            FlowOutcome::Refused | FlowOutcome::NoEndpoints => refused,
            FlowOutcome::Established => answer.ok,
            FlowOutcome::NobodyListens => !answer.ok && !refused,
            // Nobody is there.
            FlowOutcome::TimedOut | FlowOutcome::Unreachable | FlowOutcome::NeverSent if to_metadata => {
                !answer.ok && !refused
            }
            FlowOutcome::TimedOut
            | FlowOutcome::Unreachable
            | FlowOutcome::NeverSent
            | FlowOutcome::Pending
            | FlowOutcome::Failed => false,
            FlowOutcome::Sent => dial.protocol == Protocol::Udp && !refused,
        };
        if !outcome_fits {
            wrong.push(format!("outcome {:?} but the call said {answer:?} ({:?})", record.outcome, each.to));
        }
        wrong
    }
}

impl<'a> Stage<'a> {
    /// Holds the records of the agent of the senders' node, and what the calls said, against the engine.
    pub fn compare_senders<'g>(
        &self,
        model: &Model,
        agent: &Agent,
        begun: Timestamp,
        groups: impl Iterator<Item = (&'g Process, &'g Vec<(Made<'a>, attempt::Answer)>)>,
        outcome: &mut Outcome,
    ) where
        'a: 'g,
    {
        let groups: BTreeMap<_, _> = groups.collect();
        let wanted = groups.values().map(|group| group.len()).sum();
        let is_ours = |record: &FlowRecord| {
            record.time >= begun && Process::of(record).is_some_and(|process| groups.contains_key(&process))
        };
        let mut records: BTreeMap<_, VecDeque<FlowRecord>> = BTreeMap::new();
        for record in agent.records(wanted, is_ours) {
            records.entry(Process::of(&record)).or_default().push_back(record);
        }
        for (process, group) in groups {
            let mut own = records.remove(&Some(process.clone())).unwrap_or_default();
            for (made, answer) in group {
                let record = own.pop_front();
                let backend = record.as_ref().and_then(|record| record.backend);
                let expected = Expected::of(model, self.inventory, (made.each, &made.dial), &made.answers, backend);
                outcome.count(made.way, expected.enforced.allowed);
                let wrong = match record {
                    Some(record) => expected.compare(&record, answer, made.each, &made.dial),
                    None => vec![format!("no record (the call said {answer:?})")],
                };
                outcome.fails(&made.says(self.seed), wrong);
            }
            let who = format!("seed {}: {process:?}", self.seed);
            outcome.fails(&who, own.into_iter().map(|record| format!("nobody made this try: {record:?}")));
        }
    }
}

fn judged_on_the_packet(model: &Model, dial: &Dial) -> bool {
    let node = model.pod_named(&dial.pod.0, &dial.pod.1).and_then(|pod| pod.node.as_deref());
    model.mixed_service(node, Some(dial.address)) == MixedServices::JudgedOnThePacket
}

fn leads_to(link: &Link, backend: SocketAddr) -> bool {
    link.to == End::Address(backend.ip()) && link.port == backend.port()
}

/// Reason and rule, as records write them.
pub fn because(verdict: &Verdict) -> (String, Option<String>) {
    let reason = match verdict {
        Verdict::Allow(because) | Verdict::Deny(because) => reason(because),
        Verdict::Undecided(_) => Reason::Undecided,
    };
    (reason.as_str().to_owned(), verdict.rule().map(ToString::to_string))
}

pub fn compare_verdict(which: &str, expected: &ExpectedVerdict, actual: &FlowVerdict, wrong: &mut Vec<String>) {
    let allowed = actual.verdict == VerdictWord::Allowed;
    let because = (actual.reason.clone(), actual.rule.clone());
    if allowed != expected.allowed || !expected.because.contains(&because) {
        let wanted = if expected.allowed { "allowed" } else { "denied" };
        wrong.push(format!("{which} {actual:?}, not {wanted} by one of {:?}", expected.because));
    }
}

fn service_has_port(inventory: &Inventory, each: &Try, protocol: Protocol) -> bool {
    let Target::Service { namespace, name } = &each.to else { return false };
    let is_it = |meta: &palisade_model::Meta| meta.namespace() == namespace && meta.name() == name;
    let service = inventory.services.iter().find(|service| is_it(&service.meta));
    service.is_some_and(|service| service.ports.iter().any(|port| port.port == each.port && port.protocol == protocol))
}

/// The kind of the receiver and its name, as a record shows them.
fn receiver(inventory: &Inventory, each: &Try) -> (&'static str, Option<String>) {
    match &each.to {
        Target::Pod(pod) if *pod == each.from.pod => ("own-address", None),
        Target::Pod(pod) => {
            let of = |pod: &runnable::PodOf| pod.find(inventory).map(|pod| pod.meta.reference.clone());
            match of(pod) == of(&each.from.pod) {
                true => ("own-address", None),
                false => match pod.find(inventory).filter(|pod| pod.spec.host_network) {
                    Some(host) => ("node", host.node.as_ref().map(ToString::to_string)),
                    None => ("pod", of(pod).map(|reference| reference.name.to_string())),
                },
            }
        }
        Target::OwnPod | Target::Loopback => ("own-address", None),
        Target::Service { name, .. } => ("service", Some(name.clone())),
        Target::Node(name) => ("node", Some(name.clone())),
        Target::Outside(runnable::METADATA) => ("metadata", None),
        Target::Outside(_) => ("world", None),
    }
}

/// Who listens on a pod's port, by what the pod declares: the stand-in of each container listens on its ports.
fn listener(inventory: &Inventory, each: &Try, dial: &Dial) -> Option<Listener> {
    let sender = each.from.pod.find(inventory)?;
    let pod = match &each.to {
        Target::Pod(pod) => pod.find(inventory)?,
        Target::OwnPod | Target::Loopback => sender,
        Target::Service { .. } | Target::Node(_) | Target::Outside(_) => return None,
    };
    if pod.spec.host_network || dial.protocol != Protocol::Tcp {
        return None;
    }
    let declares = |container: &&Container| {
        container.ports.iter().any(|port| (port.number, port.protocol) == (dial.port, dial.protocol))
    };
    let container = pod.spec.containers.iter().find(declares)?;
    let program = pod.meta.annotations.value(&format!("lab.palisade.dev/program.{}", container.name));
    let program = program.expect("each container says what it runs").to_owned();
    Some(Listener { container: container.name.to_string(), program, is_near: pod.node == sender.node })
}
