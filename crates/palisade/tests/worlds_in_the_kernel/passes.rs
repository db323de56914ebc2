//! Where a tier's rules that pass a link on make a difference: verdicts do not name them.

use std::sync::Arc;

use palisade_model::link::Link;
use palisade_model::settings::Settings;
use palisade_model::tiered_policy::{Tier, TierAction};
use palisade_model::verdict::Decision;
use palisade_model::{Inventory, Timestamp};
use palisade_policy::Model;
use palisade_worlds::Coverage;

/// The objects with such rules and without them.
pub struct Passes {
    with: Model,
    /// For each tier that has such rules: without them.
    without: Vec<(Tier, Model)>,
}

impl Passes {
    pub fn of(inventory: &Inventory) -> Self {
        let model = |inventory: Inventory| {
            let settings = Settings::of(&inventory);
            Model::new(Arc::new(inventory), settings).value
        };
        let without = [Tier::Admin, Tier::Baseline].into_iter().filter_map(|tier| {
            let mut without = inventory.clone();
            for policy in without.tiered_policies.iter_mut().map(Arc::make_mut).filter(|policy| policy.tier == tier) {
                policy.ingress.retain(|rule| rule.action != TierAction::Pass);
                policy.egress.retain(|rule| rule.action != TierAction::Pass);
            }
            (without != *inventory).then(|| (tier, model(without)))
        });
        Self { without: without.collect(), with: model(inventory.clone()) }
    }

    /// Counts each tier whose rules turn the verdict of a link by passing it on.
    pub fn count(&self, link: &Link, now: Timestamp, coverage: &mut Coverage) {
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
