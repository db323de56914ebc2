//! A lab with its world: whom the engine is asked about, and who makes the tries.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use palisade_lab::stand_in::attempt;
use palisade_model::link::{End, Link};
use palisade_model::pod::Pod;
use palisade_model::settings::{Guarded, Settings};
use palisade_model::verdict::{Decision, Direction, Judgement, Verdict};
use palisade_model::{Inventory, Meta, Timestamp};
use palisade_policy::Model;
use palisade_worlds::runnable::{Dial, Try};
use palisade_worlds::{Coverage, Dialled};

use crate::lab::{Caller, Lab};
use crate::made::{DROPPED, Made, Process, carriers};
use crate::passes::Passes;

/// Tries by who made them, each with what the call said.
pub type Done<'a> = BTreeMap<Process, Vec<(Made<'a>, attempt::Answer)>>;

/// A lab with its world.
pub struct Stage<'a> {
    pub seed: u64,
    pub lab: &'a Lab,
    pub inventory: &'a Inventory,
    pub now: Timestamp,
    passes: Passes,
    /// Each goes on until the world ends.
    callers: RefCell<BTreeMap<Process, Caller>>,
}

impl<'a> Stage<'a> {
    pub fn new(seed: u64, lab: &'a Lab, inventory: &'a Inventory) -> Self {
        let (passes, callers) = (Passes::of(inventory), RefCell::default());
        Self { seed, lab, inventory, now: Timestamp::now(), passes, callers }
    }

    /// The engine, when those nodes are guarded.
    pub fn model(&self, guarded: &[&str]) -> Model {
        let guarded = Guarded::Only(guarded.iter().map(|node| (*node).into()).collect());
        Model::new(Arc::new(self.inventory.clone()), Settings { guarded, ..Settings::of(self.inventory) }).value
    }

    /// What is dialled for a try, and whether by a socket that stays unconnected.
    pub fn dials(&self, each: &'a Try, turn: usize) -> impl Iterator<Item = (Dial, bool)> {
        carriers(turn).into_iter().filter_map(move |(protocol, family, is_unconnected)| {
            Some((each.dial_over(self.inventory, protocol, family)?, is_unconnected))
        })
    }

    /// The pod of that full name.
    pub fn pod(&self, name: &str) -> &'a Pod {
        self.inventory.pods.iter().find(|pod| full_name(&pod.meta) == name).expect("it is in the lab")
    }

    /// The node of who dials.
    pub fn node_of(&self, dial: &Dial) -> Option<&'a str> {
        let (namespace, name) = &dial.pod;
        self.pod(&format!("{namespace}/{name}")).node.as_deref()
    }

    /// The pod that a link ends at, and its node.
    pub fn receiver(&self, link: &Link) -> Option<(String, &'a str)> {
        let End::Address(address) = &link.to else { return None };
        let pod = self.inventory.pods.iter().find(|pod| pod.own_addresses().contains(address))?;
        Some((full_name(&pod.meta), pod.node.as_deref()?))
    }

    /// The whole link, as the sender's node judges it.
    pub fn judge(&self, model: &Model, dial: &Dial, coverage: &mut Coverage) -> Vec<Judgement> {
        let judge = |link: &Link| {
            let answer = model.judge(link, self.now).expect("the ends are in the lab");
            let Decision { egress, ingress } = &answer.enforced;
            self.passes.count(link, self.now, coverage);
            for end in [(Direction::Egress, egress), (Direction::Ingress, ingress)] {
                self.count(link, dialled(dial, link), end, coverage);
            }
            answer
        };
        dial.links.iter().map(judge).collect()
    }

    /// The ingress end, as the receiver's node judges it when the sender's does not.
    pub fn judge_arrival(&self, model: &Model, dial: &Dial, coverage: &mut Coverage) -> Judgement {
        let link = &dial.links[0];
        let enforcement = model.enforcement(link, self.now).expect("the ends are in the lab");
        assert!(enforcement.sender.is_none(), "the sender's node is not guarded");
        let answer = enforcement.receiver.expect("the receiver's node is guarded");
        self.count(link, dialled(dial, link), (Direction::Ingress, &answer.enforced.ingress), coverage);
        answer
    }

    /// Counts what decided one end.
    pub fn count(&self, link: &Link, dialled: Dialled, end: (Direction, &Verdict), coverage: &mut Coverage) {
        coverage.count_end(self.inventory, link, end.1);
        coverage.count_corners(self.inventory, link, dialled, end);
    }

    /// Makes the tries, process by process.
    pub fn make(&self, made: Vec<Made<'a>>) -> Done<'a> {
        let mut groups: BTreeMap<Process, Vec<Made<'_>>> = BTreeMap::new();
        for one in made {
            groups.entry(one.process()).or_default().push(one);
        }
        let mut callers = self.callers.borrow_mut();
        let make = |(process, group): (Process, Vec<Made<'a>>)| {
            let caller = callers.entry(process.clone()).or_insert_with(|| self.caller(&process));
            let attempts: Vec<attempt::Try> = group.iter().map(Made::attempt).collect();
            let answers = caller.attempts(&attempts);
            (process, group.into_iter().zip(answers).collect())
        };
        groups.into_iter().map(make).collect()
    }

    fn caller(&self, Process { pod, container, program }: &Process) -> Caller {
        if program == DROPPED {
            self.lab.drop_program(pod, container, DROPPED);
        }
        Caller::start(self.lab, pod, container, program)
    }
}

/// `namespace/name`.
pub fn full_name(meta: &Meta) -> String {
    format!("{}/{}", meta.namespace(), meta.name())
}

fn dialled(dial: &Dial, link: &Link) -> Dialled {
    if link.to == End::Address(dial.address) { Dialled::Directly } else { Dialled::ByService }
}
