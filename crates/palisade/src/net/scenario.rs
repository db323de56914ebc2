//! `palisade net scenario`: policies for what is hard to get right, and what becomes of it.

use std::fmt::Write as _;
use std::io::{self, Write as _};

use palisade_model::settings::Settings as ClusterSettings;
use palisade_model::{Effect, Name, Problem};
use palisade_policy::map::Subject;
use palisade_policy::scenario::{self, Scenario, Written};
use serde::Serialize;

use super::diff;
use crate::arguments::net::WrittenFormat;
use crate::arguments::scenario::{ScenarioArguments, ScenarioCommand};
use crate::exit::ExitStatus;
use crate::failure::{Failure, Hint};
use crate::settings::{Settings, Source};
use crate::terminal::Colour;
use crate::{input, report};

/// The version of the JSON form; it rises when a field changes its meaning.
const VERSION: u32 = 1;

/// So many open links are shown; JSON has them all.
const SHOWN: usize = 20;

/// The JSON form.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Report<'a> {
    version: u32,
    holds: bool,
    yaml: &'a str,
    still_open: Vec<[String; 2]>,
    not_open: &'a [String],
    remarks: &'a [String],
    difference: diff::Report<'a>,
}

/// Prints the policies, and whether the scenario holds with them.
///
/// # Errors
/// When there is no input, or who is named is not in it.
pub fn run(command: &ScenarioCommand, settings: &Settings) -> Result<ExitStatus, Failure> {
    let (scenario, arguments) = scenario_of(command)?;
    let read = input::read(&Source::from(&arguments.manifests))?;
    let now = arguments.at.unwrap_or(settings.now);
    let written = scenario::write(
        &read.value,
        &ClusterSettings::of(&read.value).with_cni(&arguments.cni.profile),
        now,
        &scenario,
    );
    let written = written.map_err(Failure::new).inspect_err(|_| {
        // What could not be read may be just what the scenario names.
        input::print_problems(&read.problems);
    })?;
    let mut output = io::stdout().lock();
    match arguments.output {
        WrittenFormat::Yaml => {
            write!(output, "{}", written.yaml)?;
            output.flush()?;
            eprint!("{}", told(&written, Colour::Off));
            input::print_problems(&read.problems);
        }
        WrittenFormat::Text => {
            write!(output, "{}", told(&written, settings.colour))?;
            input::print_problems(&read.problems);
        }
        WrittenFormat::Json => {
            let body = Report {
                version: VERSION,
                holds: holds(&written),
                yaml: &written.yaml,
                still_open: written.still_open.iter().map(|(from, to)| [from, to].map(Subject::to_string)).collect(),
                not_open: &written.not_open,
                remarks: &written.remarks,
                difference: diff::Report::new(&written.difference, now, &read.problems),
            };
            report::write_json(&mut output, &body)?;
        }
    }
    Ok(status(&written, &read.problems))
}

fn scenario_of(command: &ScenarioCommand) -> Result<(Scenario, &ScenarioArguments), Failure> {
    Ok(match command {
        ScenarioCommand::Dependency(arguments) => {
            let namespace = arguments.scenario.namespace.as_str().into();
            let dependency = workload(&arguments.dependency)?;
            (Scenario::OnlyDependency { namespace, dependency }, &arguments.scenario)
        }
        ScenarioCommand::Gateway(arguments) => {
            let namespace = arguments.scenario.namespace.as_str().into();
            let gateway = workload(&arguments.gateway)?;
            (Scenario::OnlyGateway { namespace, gateway }, &arguments.scenario)
        }
        ScenarioCommand::Dns(arguments) => {
            let namespace = arguments.scenario.namespace.as_str().into();
            (Scenario::OnlyDns { namespace }, &arguments.scenario)
        }
    })
}

fn workload(text: &str) -> Result<(Name, Name), Failure> {
    match text.split_once('/') {
        Some((namespace, name)) if !namespace.is_empty() && !name.is_empty() && !name.contains('/') => {
            Ok((namespace.into(), name.into()))
        }
        Some(_) | None => Err(Failure::new(format!("`{text}` is no workload"))
            .hint(Hint::Change("write NAMESPACE/NAME, as in data/db".into()))),
    }
}

fn holds(written: &Written) -> bool {
    written.still_open.is_empty() && written.not_open.is_empty()
}

fn status(written: &Written, problems: &[Problem]) -> ExitStatus {
    let is_doubtful = problems.iter().any(|problem| problem.effect == Effect::MayChangeAnswers);
    match (is_doubtful, holds(written)) {
        (true, _) => ExitStatus::Undecided,
        (false, false) => ExitStatus::Findings,
        (false, true) => ExitStatus::Clean,
    }
}

fn told(written: &Written, colour: Colour) -> String {
    let mut text = String::new();
    for remark in &written.remarks {
        let _ = writeln!(text, "note: {remark}");
    }
    text.push_str(&diff::text(&written.difference, colour));
    text.push('\n');
    for (from, to) in written.still_open.iter().take(SHOWN) {
        let _ = writeln!(text, "still open: {from} -> {to}");
    }
    if written.still_open.len() > SHOWN {
        let _ = writeln!(text, "still open: {} more", written.still_open.len() - SHOWN);
    }
    for missing in &written.not_open {
        let _ = writeln!(text, "not open: {missing}");
    }
    let verdict = match holds(written) {
        true => "the scenario holds, with every other policy in force",
        false => "the scenario does not hold: `palisade explain` says by which policies",
    };
    let _ = writeln!(text, "{verdict}");
    text
}
