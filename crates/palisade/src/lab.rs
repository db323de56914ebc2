//! `palisade lab`

use crate::arguments::lab::LabCommand;
use crate::exit::ExitStatus;
use crate::failure::Failure;
use crate::settings::Settings;

/// Runs one of the lab's commands.
pub fn run(_command: &LabCommand, _settings: &Settings) -> Result<ExitStatus, Failure> {
    Err(Failure::new("`palisade lab` is not there yet"))
}
