//! `palisade net lint`: what is wrong with policies that can be read.

use std::io;
use std::sync::Arc;

use palisade_model::finding::{Details, Finding};
use palisade_model::settings::Settings as ClusterSettings;
use palisade_policy::{Model, lint};
use palisade_report::Report;

use crate::arguments::lint::LintArguments;
use crate::exit::ExitStatus;
use crate::failure::Failure;
use crate::input;
use crate::rules;
use crate::settings::{Settings, Source};

/// Reports what is found.
///
/// # Errors
/// When there is no input, or a rule is named that there is none of.
pub fn run(arguments: &LintArguments, settings: &Settings) -> Result<ExitStatus, Failure> {
    let known = lint::rules();
    let mut output = io::stdout().lock();
    if arguments.list_rules {
        rules::list(&known, &mut output)?;
        return Ok(ExitStatus::Clean);
    }
    let named = arguments.rules.iter().chain(&arguments.ignored);
    named.into_iter().try_for_each(|name| rules::known(name, &known, "palisade net lint --list-rules"))?;
    let read = input::read(&Source::from(&arguments.manifests))?;
    let unusable = input::status(&read) == ExitStatus::Unusable;
    let cluster = ClusterSettings::of(&read.value).with_cni(&arguments.cni.profile);
    let model = Model::new(Arc::new(read.value), cluster);
    let mut problems = read.problems;
    problems.extend(model.problems);
    let mut findings = lint::lint(&model.value, &problems, arguments.at.unwrap_or(settings.now));
    findings.retain(|finding| is_wanted(arguments, finding));
    let rules = known.into_iter().filter(|rule| is_asked_for(arguments, &rule.id)).collect();
    let report =
        Report::new("palisade net lint", env!("CARGO_PKG_VERSION"), rules, findings).fail_on(arguments.fail_on);
    report.write(arguments.output.into(), &mut output)?;
    Ok(match (unusable, report.is_incomplete(), report.fails()) {
        (true, ..) => ExitStatus::Unusable,
        (false, true, _) => ExitStatus::Undecided,
        (false, false, true) => ExitStatus::Findings,
        (false, false, false) => ExitStatus::Clean,
    })
}

fn is_asked_for(arguments: &LintArguments, rule: &str) -> bool {
    rules::is_asked_for(&arguments.rules, &arguments.ignored, rule)
}

/// A problem that can change what is found is told whatever was asked for: nobody else tells it.
fn is_wanted(arguments: &LintArguments, finding: &Finding) -> bool {
    let is_serious = match &finding.details {
        Some(Details::Problem(problem)) => problem.effect == palisade_model::Effect::MayChangeAnswers,
        Some(Details::Package(_) | Details::File(_) | Details::Score(_)) | None => false,
    };
    is_serious || is_asked_for(arguments, &finding.rule)
}
