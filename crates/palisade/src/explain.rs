//! `palisade explain`: why may FROM reach TO, or why not?

use crate::arguments::QuestionArguments;
use crate::exit::ExitStatus;
use crate::failure::Failure;
use crate::settings::Settings;

/// Prints the verdict and every policy that has a say.
pub fn run(_arguments: &QuestionArguments, _settings: &Settings) -> Result<ExitStatus, Failure> {
    Err(Failure::new("`palisade explain` is not there yet"))
}
