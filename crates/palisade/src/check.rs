//! `palisade check`: may FROM reach TO?

use crate::arguments::QuestionArguments;
use crate::exit::ExitStatus;
use crate::failure::Failure;
use crate::settings::Settings;

/// Prints the verdict.
pub fn run(_arguments: &QuestionArguments, _settings: &Settings) -> Result<ExitStatus, Failure> {
    Err(Failure::new("`palisade check` is not there yet"))
}
