//! `palisade image`: what is in an image.

mod bases;
mod beside;
mod catalogue;
mod diff;
mod fleet;
mod inspect;
mod key;
mod lint;
mod named;
mod pulls;
mod put;
mod remote;
mod sbom;
pub mod scan;
mod sign;
mod store;
mod trust;
mod verify;
mod workloads;

use crate::arguments::image::ImageCommand;
use crate::exit::ExitStatus;
use crate::failure::Failure;
use crate::settings::Settings;

/// Runs one of them.
///
/// # Errors
/// When there is no such image, or it cannot be read at all.
pub fn run(command: &ImageCommand, settings: &Settings) -> Result<ExitStatus, Failure> {
    match command {
        ImageCommand::Scan(arguments) => scan::run(arguments, settings),
        ImageCommand::Sbom(arguments) => sbom::run(arguments, settings),
        ImageCommand::Bases(arguments) => bases::run(arguments, settings),
        ImageCommand::Diff(arguments) => diff::run(arguments, settings),
        ImageCommand::Lint(arguments) => lint::run(arguments, settings),
        ImageCommand::Inspect(arguments) => inspect::run(arguments, settings),
        ImageCommand::Verify(arguments) => verify::run(arguments, settings),
        ImageCommand::Sign(arguments) => sign::run(arguments, settings),
        ImageCommand::Attest(arguments) => sign::attest(arguments, settings),
        ImageCommand::Key(arguments) => key::run(arguments, settings),
        ImageCommand::Trust(arguments) => trust::run(arguments, settings),
    }
}
