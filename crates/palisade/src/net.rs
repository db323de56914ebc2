//! `palisade net`: questions about all of a cluster's links.

use crate::arguments::net::NetCommand;
use crate::exit::ExitStatus;
use crate::failure::Failure;
use crate::settings::Settings;

mod comparison;
mod convert;
mod diff;
mod exposure;
mod lint;
mod lower;
mod map;
mod matrix;
mod names;
mod scenario;

/// Runs one of them.
///
/// # Errors
/// When there is no input, or the question cannot be read.
pub fn run(command: &NetCommand, settings: &Settings) -> Result<ExitStatus, Failure> {
    match command {
        NetCommand::Lint(arguments) => lint::run(arguments, settings),
        NetCommand::Diff(arguments) => diff::run(arguments, settings),
        NetCommand::Map(arguments) => map::run(arguments, settings),
        NetCommand::Lower(arguments) => lower::run(arguments, settings),
        NetCommand::Convert(arguments) => convert::run(arguments, settings),
        NetCommand::Exposure(arguments) => exposure::run(arguments, settings),
        NetCommand::Scenario(command) => scenario::run(command, settings),
        NetCommand::Matrix(arguments) => matrix::run(arguments, settings),
    }
}
