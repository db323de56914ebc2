//! `palisade image`: what is in an image.

mod beside;
mod catalogue;
mod diff;
mod fleet;
mod inspect;
mod named;
mod remote;
mod sbom;
pub mod scan;
mod store;
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
        ImageCommand::Diff(arguments) => diff::run(arguments, settings),
        ImageCommand::Inspect(arguments) => inspect::run(arguments, settings),
        ImageCommand::Verify(arguments) => verify::run(arguments, settings),
    }
}
