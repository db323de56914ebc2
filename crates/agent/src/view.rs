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

/// What a load reads, before it is resolved.
struct Reading {
    lab: LabState,
    inventory: Arc<Inventory>,
    settings: Settings,
    rules: Rules,
    problems: Vec<Problem>,
}

impl Reading {
    /// Reads the state folder of a lab and the manifests that `config` or the lab names, as far as they are not kept. A node counts as
    /// guarded when its agent lives and has these rules; one of this agent, when it is not among those that fail.
    fn read(config: &Config, kept: &mut Kept, guards: &mut Guards, failing: &BTreeSet<String>) -> Result<Self> {
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
        Ok(Self { lab, inventory: Arc::new(inventory), settings, rules, problems })
    }

    fn view(self, model: Model) -> View {
        let problems = self.problems.into_iter().chain(model.problems()).collect();
        let names = Arc::new(Names::new(&model));
        View { lab: self.lab, model, names, rules: self.rules, problems }
    }
}

impl View {
    /// Reads and resolves everything.
    pub(crate) fn load(
        config: &Config,
        kept: &mut Kept,
        guards: &mut Guards,
        failing: &BTreeSet<String>,
    ) -> Result<Self> {
        let reading = Reading::read(config, kept, guards, failing)?;
        let model = Model::new(reading.inventory.clone(), reading.settings.clone()).value;
        Ok(reading.view(model))
    }

    /// Brings the view to what there is now. When that cannot be read, it stays what it was.
    pub(crate) fn reload(
        &mut self,
        config: &Config,
        kept: &mut Kept,
        guards: &mut Guards,
        failing: &BTreeSet<String>,
    ) -> Result<()> {
        let reading = Reading::read(config, kept, guards, failing)?;
        let mut model = std::mem::take(&mut self.model);
        model.update(reading.inventory.clone(), reading.settings.clone());
        *self = reading.view(model);
        Ok(())
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
