//! Tries as the receiver's node judges them: what the engine says of the ingress end, held against the records.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use std::time::{Duration, Instant};

use palisade_lab::stand_in::attempt;
use palisade_model::flow::{FlowEnd, FlowPhase, FlowRecord, Reporter, Strength};
use palisade_model::link::End;
use palisade_model::perimeter::OnRefusal;
use palisade_model::verdict::{Decision, Verdict};
use palisade_model::{Protocol, Timestamp};
use palisade_policy::Model;
use palisade_worlds::runnable::{Dial, Target};

use crate::lab::Agent;
use crate::made::{DROPPED, Made};
use crate::outcome::{Outcome, Way};
use crate::sender::{EACCES, ECONNREFUSED, ExpectedVerdict, because, compare_verdict};
use crate::stage::Stage;

/// How long the records of arrivals may take.
pub const RECORDS_WITHIN: Duration = Duration::from_secs(15);
pub const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// What a receiver's node can tell apart of those who come to it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Arrival {
    pub from: IpAddr,
    /// Container, known on the same node, and its program, when that is one that rules could name.
    pub process: Option<(String, Option<String>)>,
    /// The pod's address and port, after translation.
    pub to: SocketAddr,
    pub protocol: Protocol,
}

/// What the record of an arrival must say.
#[derive(Debug)]
pub struct Awaited {
    pub enforced: ExpectedVerdict,
    pub would_be: ExpectedVerdict,
    pub strength: Strength,
    /// `namespace/name` of both pods.
    pub pods: [String; 2],
    /// Whether it must have come; a Service chooses among its backends.
    pub must_come: bool,
}

/// Who is awaited at the pods of one node.
#[derive(Debug, Default)]
pub struct Arrivals(BTreeMap<Arrival, Awaited>);

impl Arrivals {
    /// One more; of alike ones the verdicts are alike.
    pub fn expect(&mut self, arrival: Arrival, awaited: Awaited) {
        let known = self.0.entry(arrival).or_insert(Awaited { must_come: false, ..awaited });
        known.must_come |= awaited.must_come;
    }

    /// Whether each that must come is among `records`.
    pub fn have_come(&self, records: &[FlowRecord]) -> bool {
        self.missing(records).next().is_none()
    }

    fn missing(&self, records: &[FlowRecord]) -> impl Iterator<Item = &Arrival> {
        let come: std::collections::BTreeSet<Arrival> = records.iter().flat_map(forms).collect();
        self.0.iter().filter(move |(arrival, awaited)| awaited.must_come && !come.contains(arrival)).map(|(it, _)| it)
    }

    /// What of the records is not as it should be, and how many were held against the engine.
    pub fn compare(&self, records: &[FlowRecord]) -> (usize, Vec<String>) {
        let mut wrong: Vec<String> =
            self.missing(records).map(|arrival| format!("no record of the receiver: {arrival:?}")).collect();
        let mut compared = 0;
        for record in records.iter().filter(|record| record.from.kind == "pod") {
            let Some((arrival, awaited)) = forms(record).find_map(|form| self.0.get_key_value(&form)) else {
                wrong.push(format!("nobody should have come: {record:?}"));
                continue;
            };
            compared += 1;
            let mut differs = Vec::new();
            compare_verdict("verdict", &awaited.enforced, &record.verdict, &mut differs);
            compare_verdict("would-be verdict", &awaited.would_be, &record.would_be, &mut differs);
            if record.strength != Some(awaited.strength) {
                differs.push(format!("strength {:?}, not {:?}", record.strength, awaited.strength));
            }
            let pods = [&record.from, &record.to].map(full_name);
            if pods != awaited.pods {
                differs.push(format!("{pods:?}, not {:?}", awaited.pods));
            }
            wrong.extend(differs.into_iter().map(|differs| format!("at the receiver: {arrival:?}: {differs}")));
        }
        (compared, wrong)
    }
}

impl Stage<'_> {
    /// What the node of the receivers shall record of a try that reaches it.
    pub fn await_at(&self, model: &Model, node: &str, made: &Made<'_>, arrivals: &mut Arrivals) {
        let sender = made.process();
        for link in &made.dial.links {
            let (Some((receiver, at)), End::Address(to)) = (self.receiver(link), &link.to) else { continue };
            // What a pod sends to itself does not pass its veth, unless a Service brings it back.
            if at != node || (receiver == sender.pod && !matches!(made.each.to, Target::Service { .. })) {
                continue;
            }
            let pod = self.pod(&sender.pod);
            let same_family = |address: &&IpAddr| address.is_ipv4() == to.is_ipv4();
            let from = *pod.own_addresses().iter().find(same_family).expect("it has one of each family");
            let is_near = pod.node.as_deref() == Some(node);
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
            let named = (sender.program != DROPPED).then(|| sender.program.clone());
            let arrival = Arrival {
                from,
                process: is_near.then(|| (sender.container.clone(), named)),
                to: SocketAddr::new(*to, link.port),
                protocol: link.protocol,
            };
            let awaited = Awaited {
                enforced: verdict(&judgement.enforced),
                would_be: verdict(&judgement.would_be),
                strength,
                pods: [sender.pod.clone(), receiver],
                must_come: made.dial.links.len() == 1,
            };
            arrivals.expect(arrival, awaited);
        }
    }

    /// Holds the records of the agent of the receivers' node against what is awaited.
    pub fn compare_arrivals(&self, agent: &Agent, begun: Timestamp, arrivals: &Arrivals, outcome: &mut Outcome) {
        let waiting = Instant::now();
        let told = || agent.told().all(|record| is_arrival(record, begun));
        let mut records = told();
        while !arrivals.have_come(&records) && waiting.elapsed() < RECORDS_WITHIN {
            std::thread::sleep(LOOK_AGAIN);
            records = told();
        }
        let (compared, wrong) = arrivals.compare(&records);
        outcome.received += compared;
        outcome.fails(&format!("seed {}", self.seed), wrong);
    }

    /// What a program sees otherwise that the receiver's node judges alone.
    pub fn compare_call(&self, made: &Made<'_>, answer: &attempt::Answer) -> Option<String> {
        let allowed = made.answers[0].enforced.is_allowed();
        let fits = match (made.dial.protocol, allowed, made.refusal) {
            _ if answer.errno == Some(EACCES) => false,
            // Nobody has to answer.
            (Protocol::Udp, ..) => allowed || !answer.ok,
            (_, true, _) => answer.ok == self.listens(&made.dial),
            (_, false, Some(OnRefusal::Drop)) => !answer.ok && answer.errno != Some(ECONNREFUSED),
            (_, false, Some(OnRefusal::Reset) | None) => answer.errno == Some(ECONNREFUSED),
        };
        (!fits).then(|| format!("the call said {answer:?}, and the engine allowed: {allowed}, {:?}", made.refusal))
    }

    /// Whether the pod behind the only link listens on its port: stand-ins do on each that they declare.
    fn listens(&self, dial: &Dial) -> bool {
        let link = &dial.links[0];
        let Some((receiver, _)) = self.receiver(link) else { return false };
        let mut ports = self.pod(&receiver).spec.containers.iter().flat_map(|container| &container.ports);
        ports.any(|port| port.number == link.port && port.protocol == link.protocol)
    }
}

/// Whether a receiver tells, since `begun`, of a new flow or of a refusal.
pub fn is_arrival(record: &FlowRecord, begun: Timestamp) -> bool {
    record.reporter == Reporter::Receiver && record.phase == FlowPhase::Start && record.time >= begun
}

/// As whom it can be awaited: with its process, and by its address alone.
fn forms(record: &FlowRecord) -> impl Iterator<Item = Arrival> + use<> {
    let to = record.backend.unwrap_or(SocketAddr::new(record.dialled.address, record.dialled.port));
    let process = record.from.container.clone().map(|container| (container, record.from.program.clone()));
    let (from, protocol) = (record.from.address, record.protocol);
    let processes = process.map(Some).into_iter().chain([None]);
    processes.filter_map(move |process| Some(Arrival { from: from?, process, to, protocol }))
}

fn full_name(end: &FlowEnd) -> String {
    format!("{}/{}", end.namespace.as_deref().unwrap_or_default(), end.name.as_deref().unwrap_or_default())
}
