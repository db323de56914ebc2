//! One load of everything: manifests, live objects, and the lab's containers.

use std::collections::BTreeSet;
use std::sync::Arc;

use palisade_manifests::Kept;
use palisade_model::settings::{Guarded, MixedServices, Settings};
use palisade_model::{Inventory, Problem};
use palisade_policy::Model;

use crate::agent::Config;
use crate::directory::Names;
use crate::error::Result;
use crate::guards::{Guards, Rules};
use crate::lab_state::LabState;
use crate::node_addresses;

/// What was read at one moment.
#[derive(Debug)]
pub(crate) struct View {
    pub(crate) lab: LabState,
    pub(crate) model: Model,
    pub(crate) names: Arc<Names>,
    /// What tells whether another node has these rules.
    pub(crate) rules: Rules,
    pub(crate) problems: Vec<Problem>,
}

impl View {
    /// Reads the state folder of a lab and the manifests that `config` or the lab names, as far as they are not kept. A node counts as
    /// guarded when its agent lives and has these rules; one of this agent, when it is not among those that fail.
    pub(crate) fn load(
        config: &Config,
        kept: &mut Kept,
        guards: &mut Guards,
        failing: &BTreeSet<String>,
    ) -> Result<Self> {
        let lab = LabState::read(&config.state)?;
        let loaded = palisade_manifests::load_lab_again(&config.state, &config.manifests, kept)?;
        let mut problems = loaded.problems;
        let mut inventory = loaded.value;
        problems.extend(add_interface_addresses(&mut inventory, &lab));
        let rules = Rules::of(&inventory.access_policies);
        guards.look(lab.nodes.iter().map(|node| node.name.as_str()), rules);
        let guarded = guards.guarded(failing).into_iter().map(|node| node.as_str().into()).collect();
        // Where the kernel does not show what was translated, a mixed Service can only be refused.
        let mixed_services = match palisade_bpf::probe::shows_translation() {
            true => MixedServices::JudgedOnThePacket,
            false => MixedServices::Refused,
        };
        let settings = Settings { guarded: Guarded::Only(guarded), mixed_services, ..Settings::of(&inventory) };
        let built = Model::new(Arc::new(inventory), settings);
        problems.extend(built.problems);
        let names = Arc::new(Names::new(&built.value));
        Ok(Self { lab, model: built.value, names, rules, problems })
    }

    /// Looks at the other agents' nodes; true when the rules have to be made anew because of them.
    pub(crate) fn look(&self, guards: &mut Guards) -> bool {
        guards.look(self.lab.nodes.iter().map(|node| node.name.as_str()), self.rules)
    }
}

/// Adds what only the nodes themselves know. A node that does not tell is known by its object alone, which is a problem:
/// a rule about `nodes` may miss it.
fn add_interface_addresses(inventory: &mut Inventory, lab: &LabState) -> Vec<Problem> {
    let mut problems = Vec::new();
    for place in &lab.nodes {
        let Some(node) = inventory.nodes.iter_mut().find(|node| node.meta.name() == place.name) else { continue };
        let node = Arc::make_mut(node);
        match node_addresses::of(&place.netns) {
            Ok(mut addresses) => {
                node.addresses.iter().for_each(|known| {
                    addresses.remove(known);
                });
                node.interface_addresses = addresses.into_iter().collect();
            }
            Err(error) => {
                let message = format!("its interfaces' addresses are not known, so `nodes` may miss some: {error}");
                problems.push(Problem::error("node-addresses", message).of(node.meta.reference.clone()));
            }
        }
    }
    problems
}
