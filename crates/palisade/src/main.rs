//! `palisade`: the one binary. Read top to bottom: parse, resolve, run, report.
#![forbid(unsafe_code)]

mod advisories;
mod agent;
mod answer;
mod arguments;
mod check;
mod demo;
mod exit;
mod explain;
mod failure;
mod image;
mod input;
mod inventory;
mod lab;
mod net;
mod observe;
mod progress;
mod question;
mod records;
mod registry;
mod report;
mod rules;
mod settings;
mod table;
mod terminal;
mod wrapped;

use std::process::ExitCode;

use clap::Parser;

use arguments::{Command, CommandLine};
use settings::Settings;

fn main() -> ExitCode {
    // In the lab, this executable stands in for other programs, under their names and with their arguments.
    if let Some(code) = palisade_lab::stand_in::stand_in() {
        return code;
    }
    let command_line = CommandLine::parse();
    let settings = Settings::from_environment();
    let result = match &command_line.command {
        Command::Inventory(arguments) => inventory::run(arguments, &settings).map(ExitCode::from),
        Command::Check(arguments) => check::run(arguments, &settings).map(ExitCode::from),
        Command::Explain(arguments) => explain::run(arguments, &settings).map(ExitCode::from),
        Command::Net(command) => net::run(command, &settings).map(ExitCode::from),
        Command::Advisories(command) => advisories::run(command, &settings).map(ExitCode::from),
        Command::Image(command) => image::run(command, &settings).map(ExitCode::from),
        Command::Lab(command) => lab::run(command),
        Command::Agent(command) => agent::run(command),
        Command::Observe(arguments) => observe::run(arguments, &settings).map(ExitCode::from),
        Command::Demo(arguments) => demo::run(arguments, &settings).map(ExitCode::from),
    };
    match result {
        Ok(code) => code,
        Err(failure) => {
            eprint!("{failure}");
            failure.status().into()
        }
    }
}
