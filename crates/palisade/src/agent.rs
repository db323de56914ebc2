//! `palisade agent`

use crate::arguments::agent::AgentCommand;
use crate::exit::ExitStatus;
use crate::failure::Failure;
use crate::settings::Settings;

/// Runs one of the agent's commands.
pub fn run(_command: &AgentCommand, _settings: &Settings) -> Result<ExitStatus, Failure> {
    Err(Failure::new("`palisade agent` is not there yet"))
}
