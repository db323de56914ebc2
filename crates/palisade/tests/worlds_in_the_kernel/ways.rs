//! One world, its tries made three ways.

use palisade_model::{Inventory, Timestamp};
use palisade_worlds::Coverage;
use palisade_worlds::runnable::{NODES, RunnableWorld, Target, Try};

use crate::lab::{Agent, Lab};
use crate::made::Made;
use crate::outcome::{Outcome, Way};
use crate::receiver::Arrivals;
use crate::stage::Stage;

/// Runs a world all three ways.
pub fn run(world: &RunnableWorld) -> Outcome {
    let mut outcome = Outcome::default();
    let lab = Lab::up(&format!("kernel-{}", world.seed), &world.yaml, 2);
    let agents = std::thread::scope(|scope| {
        let started = NODES.map(|node| scope.spawn(|| lab.agent_of(node)));
        started.map(|agent| agent.join().expect("it starts"))
    });
    for agent in &agents {
        agent.wait_until_guarded(&lab);
        agent.wait_for("both nodes guarded", |agent| unguarded(agent).is_empty());
    }
    let inventory = lab.inventory();
    let stage = Stage::new(world.seed, &lab, &inventory);
    stage.both(&world.tries, &agents, &mut outcome);
    for (agent, node) in agents.iter().zip(NODES) {
        stage.node_itself(&world.from_node, agent, node, &mut outcome);
    }

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
    let (mut outcome, inventory): (_, Inventory) = (Outcome::default(), lab.inventory());
    let stage = Stage::new(seed, lab, &inventory);
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

impl<'a> Stage<'a> {
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
            let of_node = done.iter().filter(|(_, group)| self.node_of(&group[0].0.dial) == Some(node));
            self.compare_senders(&model, agent, begun, of_node, outcome);
            let mut arrivals = Arrivals::default();
            // What the sender's node refuses does not come; of a Service whose backends differ any may.
            for (made, _) in done.values().flatten().filter(|(made, _)| made.may_arrive()) {
                self.await_at(&model, node, made, &mut arrivals);
            }
            self.compare_arrivals(agent, begun, &arrivals, outcome);
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
                let from = self.node_of(&dial);
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
        let of_node = done.iter().filter(|(_, group)| self.node_of(&group[0].0.dial) == Some(stays));
        self.compare_senders(&model, agent, begun, of_node, outcome);
        let mut arrivals = Arrivals::default();
        for (made, answer) in done.values().flatten() {
            if made.way == Way::ReceiverOnly {
                outcome.count(made.way, made.may_arrive());
                outcome.fails(&made.says(self.seed), self.compare_call(made, answer));
            }
            // Of several backends one may be here.
            if made.way == Way::ReceiverOnly || made.may_arrive() {
                self.await_at(&model, stays, made, &mut arrivals);
            }
        }
        self.compare_arrivals(agent, begun, &arrivals, outcome);
    }
}
