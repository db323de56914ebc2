//! `palisade demo`

use crate::arguments::DemoArguments;
use crate::exit::ExitStatus;
use crate::failure::Failure;
use crate::settings::Settings;

/// Runs the demo.
pub fn run(_arguments: &DemoArguments, _settings: &Settings) -> Result<ExitStatus, Failure> {
    Err(Failure::new("`palisade demo` is not there yet"))
}
