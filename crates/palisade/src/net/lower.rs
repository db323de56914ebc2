//! `palisade net lower`: AccessPolicies and Perimeters as policies that any network plugin knows.

use palisade_model::settings::Settings as ClusterSettings;
use palisade_policy::lower::{Lowered, Target, lower};

use super::comparison::{self, Written};
use crate::arguments::net::{LowerArguments, LowerTarget};
use crate::exit::ExitStatus;
use crate::failure::{Failure, Hint};
use crate::input;
use crate::settings::{Settings, Source};

/// Prints the lowered policies and what was compared.
///
/// # Errors
/// When there is no input, or nothing in it to lower.
pub fn run(arguments: &LowerArguments, settings: &Settings) -> Result<ExitStatus, Failure> {
    let read = input::read(&Source::from(&arguments.manifests))?;
    let now = arguments.at.unwrap_or(settings.now);
    let target = match arguments.to {
        LowerTarget::NetworkPolicy => Target::NetworkPolicy,
        LowerTarget::ClusterNetworkPolicy => Target::ClusterNetworkPolicy,
    };
    let Lowered { lowered, network, tiered, yaml, remarks, losses, proof } =
        lower(&read.value, &ClusterSettings::of(&read.value).with_cni(&arguments.cni.profile), now, target);
    if lowered == 0 {
        input::print_problems(&read.problems);
        return Err(Failure::new("there is no AccessPolicy or Perimeter to lower")
            .hint(Hint::Change("name the files that have them with -f".into())));
    }
    let what = format!(
        "{lowered} AccessPolicies and Perimeters, written as {} NetworkPolicies and {} ClusterNetworkPolicies",
        network.len(),
        tiered.len()
    );
    comparison::print(&Written { what, yaml, remarks, losses, proof }, arguments.output, &read.problems)
}
