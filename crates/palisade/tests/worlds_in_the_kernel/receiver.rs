//! Tries as the receiver's node judges them: what the engine says of the ingress end, held against the records.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use palisade_model::Protocol;
use palisade_model::flow::{FlowRecord, Reporter, Strength};

use crate::sender::{ExpectedVerdict, compare_verdict};

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

/// A receiver's records of new flows and of refusals among `history`, since `begun`.
pub fn of_receivers(history: Vec<FlowRecord>, begun: palisade_model::Timestamp) -> Vec<FlowRecord> {
    let is_new = |record: &FlowRecord| {
        record.reporter == Reporter::Receiver
            && record.phase == palisade_model::flow::FlowPhase::Start
            && record.time >= begun
    };
    history.into_iter().filter(is_new).collect()
}

/// As whom it can be awaited: with its process, and by its address alone.
fn forms(record: &FlowRecord) -> impl Iterator<Item = Arrival> + use<> {
    let to = record.backend.unwrap_or(SocketAddr::new(record.dialled.address, record.dialled.port));
    let process = record.from.container.clone().map(|container| (container, record.from.program.clone()));
    let (from, protocol) = (record.from.address, record.protocol);
    let processes = process.map(Some).into_iter().chain([None]);
    processes.filter_map(move |process| Some(Arrival { from: from?, process, to, protocol }))
}

fn full_name(end: &palisade_model::flow::FlowEnd) -> String {
    format!("{}/{}", end.namespace.as_deref().unwrap_or_default(), end.name.as_deref().unwrap_or_default())
}
