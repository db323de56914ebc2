//! What a process of a pod's own node sends to the pod.

use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

use palisade_lab::stand_in::attempt;
use palisade_model::flow::{FlowRecord, Strength};
use palisade_model::link::{End, Link};
use palisade_model::verdict::{Direction, Judgement, Verdict};
use palisade_model::{Protocol, Timestamp};
use palisade_worlds::Dialled;
use palisade_worlds::runnable::{NODES, NodeTry};

use crate::lab::Agent;
use crate::made::{Awaits, connect};
use crate::outcome::{Outcome, Way};
use crate::receiver::{LOOK_AGAIN, RECORDS_WITHIN, is_arrival};
use crate::sender::{ExpectedVerdict, because, compare_verdict};
use crate::stage::Stage;

/// A connection from the node to one of its pods, and what the engine says of it.
struct ToPod {
    to: SocketAddr,
    answer: Judgement,
    listens: bool,
}

impl ToPod {
    fn is_allowed(&self) -> bool {
        self.answer.enforced.ingress.is_allow()
    }

    fn is_told_by(&self, record: &FlowRecord) -> bool {
        let dialled = SocketAddr::new(record.dialled.address, record.dialled.port);
        record.from.kind == "node" && dialled == self.to
    }

    /// What the record says otherwise.
    fn compare(&self, record: &FlowRecord, node: &str) -> Vec<String> {
        let mut wrong = Vec::new();
        let expected =
            |verdict: &Verdict| ExpectedVerdict { allowed: verdict.is_allow(), because: vec![because(verdict)] };
        let Judgement { enforced, would_be, .. } = &self.answer;
        compare_verdict("verdict", &expected(&enforced.ingress), &record.verdict, &mut wrong);
        compare_verdict("would-be verdict", &expected(&would_be.ingress), &record.would_be, &mut wrong);
        let from = (record.from.name.as_deref(), record.strength);
        if from != (Some(node), Some(Strength::OwnNode)) {
            wrong.push(format!("from {from:?}"));
        }
        wrong
    }
}

impl Stage<'_> {
    /// Makes the tries to the pods of one node.
    pub fn node_itself(&self, tries: &[NodeTry], agent: &Agent, node: &str, outcome: &mut Outcome) {
        let tries = self.judge_from_node(tries, node, outcome);
        let attempts: Vec<attempt::Try> = tries
            .iter()
            .map(|each| connect(each.to, if each.is_allowed() { Awaits::Answer } else { Awaits::Silence }))
            .collect();
        let begun = Timestamp::now();
        let said = self.lab.try_all_on(node, &attempts);
        let (waiting, mut records) = (Instant::now(), arrivals(agent, begun));
        let are_told =
            |records: &[FlowRecord]| tries.iter().all(|each| records.iter().any(|record| each.is_told_by(record)));
        while !are_told(&records) && waiting.elapsed() < RECORDS_WITHIN {
            std::thread::sleep(LOOK_AGAIN);
            records = arrivals(agent, begun);
        }
        for (each, said) in tries.iter().zip(said) {
            let who = format!("seed {}: {node} -> {}", self.seed, each.to);
            if said.ok != (each.is_allowed() && each.listens) {
                outcome.fails(&who, [format!("the call said {said:?}, allowed: {}", each.is_allowed())]);
            }
            match records.iter().find(|record| each.is_told_by(record)) {
                Some(record) => {
                    outcome.received += 1;
                    outcome.fails(&who, each.compare(record, node));
                }
                None => outcome.fails(&who, [format!("no record (the call said {said:?})")]),
            }
        }
    }

    fn judge_from_node(&self, tries: &[NodeTry], node: &str, outcome: &mut Outcome) -> Vec<ToPod> {
        let model = self.model(&NODES);
        let mut judged = Vec::new();
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
            let ingress = (Direction::Ingress, &answer.enforced.ingress);
            self.count(&link, Dialled::Directly, ingress, outcome.covers(Way::Both));
            outcome.count(Way::Both, ingress.1.is_allow());
            let mut ports = pod.spec.containers.iter().flat_map(|container| &container.ports);
            let listens = ports.any(|port| (port.number, port.protocol) == (each.port, Protocol::Tcp));
            judged.push(ToPod { to: SocketAddr::new(address, each.port), answer, listens });
        }
        judged
    }
}

fn arrivals(agent: &Agent, begun: Timestamp) -> Vec<FlowRecord> {
    agent.told().all(|record| is_arrival(record, begun))
}
