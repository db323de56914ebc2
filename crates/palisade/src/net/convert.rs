//! `palisade net convert`: the older policies of administrators as newer ones.

use palisade_model::settings::Settings as ClusterSettings;
use palisade_policy::convert::{Converted, convert};

use super::comparison::{self, Written};
use crate::arguments::net::ConvertArguments;
use crate::exit::ExitStatus;
use crate::failure::{Failure, Hint};
use crate::input;
use crate::settings::{Settings, Source};

/// Prints the converted policies and what was compared.
///
/// # Errors
/// When there is no input, or nothing in it to convert.
pub fn run(arguments: &ConvertArguments, settings: &Settings) -> Result<ExitStatus, Failure> {
    let read = input::read(&Source::from(&arguments.manifests))?;
    let now = arguments.at.unwrap_or(settings.now);
    let Converted { converted, policies, yaml, losses, proof } =
        convert(&read.value, &ClusterSettings::of(&read.value).with_cni(&arguments.cni.profile), now);
    if converted == 0 {
        input::print_problems(&read.problems);
        return Err(Failure::new("there is no AdminNetworkPolicy or BaselineAdminNetworkPolicy to convert")
            .hint(Hint::Change("name the files that have them with -f".into())));
    }
    let what = format!("{converted} of the older version, written as {} ClusterNetworkPolicies", policies.len());
    let written = Written { what, yaml, remarks: Vec::new(), losses, proof };
    comparison::print(&written, arguments.output, &read.problems)
}
