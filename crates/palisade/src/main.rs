//! `palisade`: the one binary. Read top to bottom: parse, resolve, run, report.
#![forbid(unsafe_code)]

mod agent;
mod answer;
mod arguments;
mod check;
mod demo;
mod exit;
mod explain;
mod failure;
mod input;
mod inventory;
mod lab;
mod observe;
mod question;
mod report;
mod settings;
mod table;
mod terminal;

use std::process::ExitCode;

use clap::Parser;

use arguments::{Command, CommandLine};
use settings::Settings;

fn main() -> ExitCode {
    let command_line = CommandLine::parse();
    let settings = Settings::from_environment();
    let result = match &command_line.command {
        Command::Inventory(arguments) => inventory::run(arguments, &settings),
        Command::Check(arguments) => check::run(arguments, &settings),
        Command::Explain(arguments) => explain::run(arguments, &settings),
        Command::Lab(command) => lab::run(command, &settings),
        Command::Agent(command) => agent::run(command, &settings),
        Command::Observe(arguments) => observe::run(arguments, &settings),
        Command::Demo(arguments) => demo::run(arguments, &settings),
    };
    match result {
        Ok(status) => status.into(),
        Err(failure) => {
            eprint!("{failure}");
            failure.status().into()
        }
    }
}
