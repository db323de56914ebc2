//! `palisade image lint`: what an image has that it does not need or should not have.

use std::io;
use std::time::{Duration, Instant};

use palisade_image::lint::{Budget, LintReader, lint, rules};
use palisade_image::{Collector, Functions, Options};
use palisade_model::finding::{Finding, Rule};
use palisade_report::Report;

use crate::arguments::image::ImageLintArguments;
use crate::exit::ExitStatus;
use crate::failure::{Failure, Hint};
use crate::image::catalogue;
use crate::image::named::{Form, Named, parse};
use crate::rules as named;
use crate::settings::Settings;

/// Reports what is found.
///
/// # Errors
/// When there is no such image, or a rule is named that there is none of.
pub fn run(arguments: &ImageLintArguments, settings: &Settings) -> Result<ExitStatus, Failure> {
    let rules = rules();
    let mut output = io::stdout().lock();
    let Some(image) = arguments.image.as_deref().filter(|_| !arguments.list_rules) else {
        named::list(&rules, &mut output)?;
        return Ok(ExitStatus::Clean);
    };
    let asked = arguments.rules.iter().chain(&arguments.ignored);
    asked.into_iter().try_for_each(|name| named::known(name, &rules, "palisade image lint --list-rules"))?;
    refuse_bill(image)?;
    let (reader, read) = catalogue::read_layers(image, &arguments.choice, settings, |lock_files| {
        LintReader::new(Collector::new(Options { lock_files, functions: Functions::Skip }), budget(arguments))
    })?;
    let seen = reader.finish(read.config, read.problems);
    let wanted = |rule: &str| named::is_asked_for(&arguments.rules, &arguments.ignored, rule);
    let findings: Vec<Finding> = lint(&seen).into_iter().filter(|finding| wanted(&finding.rule)).collect();
    let rules: Vec<Rule> = rules.into_iter().filter(|rule| wanted(&rule.id)).collect();
    let report = Report::new("palisade image lint", env!("CARGO_PKG_VERSION"), rules, findings)
        .with_problems(&seen.catalogue.problems)
        .fail_on(arguments.fail_on);
    report.write(arguments.output.into(), &mut output)?;
    // What could not be read is told as a finding too, and is no finding of the image.
    Ok(match (report.is_incomplete(), report.fails()) {
        (true, _) => ExitStatus::Undecided,
        (false, true) => ExitStatus::Findings,
        (false, false) => ExitStatus::Clean,
    })
}

fn budget(arguments: &ImageLintArguments) -> Budget {
    let (begun, most) = (Instant::now(), Duration::from_secs(arguments.search_seconds));
    Budget {
        bytes: arguments.search_megabytes.saturating_mul(1_000_000),
        is_over: Box::new(move || begun.elapsed() >= most),
    }
}

/// A bill of materials has no files to look at.
fn refuse_bill(image: &str) -> Result<(), Failure> {
    let named = parse(image, &|path| path.exists()).map_err(Failure::new)?;
    if let Named::Path { path, form: Form::Any, .. } = named
        && catalogue::read_bill(&path)?.is_some()
    {
        let failure = Failure::new(format!("`{image}` is a bill of materials: there are no files in it to look at"));
        return Err(failure.hint(Hint::Change("give the image itself".into())));
    }
    Ok(())
}
