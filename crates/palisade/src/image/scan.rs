//! `palisade image scan`: what is known against the packages of an image.

pub mod base;
mod fail_rule;
mod findings;
mod json;
mod judge;
mod many;
mod novelty;
mod settled;
mod table;
mod vex;

use std::collections::BTreeSet;
use std::io::{self, Write as _};

use palisade_advisories::{Assessment, Gap, Vulnerability};
use palisade_feeds::store::Opened;
use palisade_image::base::Base;
use palisade_image::{Catalogue, Package};
use palisade_model::finding::Severity;
use palisade_report::{Format, Report};

use crate::arguments::image::{ScanArguments, ScanFormat};
use crate::exit::ExitStatus;
use crate::failure::Failure;
use crate::image::catalogue;
use crate::input;
use crate::settings::Settings;

pub use fail_rule::FailRule;
pub use judge::Judge;
use novelty::Novelty;
use settled::Settled;

/// All that is printed in one form or another.
pub struct Scan<'s> {
    catalogue: &'s Catalogue,
    /// None without a database.
    database: Option<&'s Opened>,
    assessment: Assessment,
    /// For each vulnerability, in their order.
    notes: Vec<Note>,
    /// Lines and statements that matched nothing, in words.
    unmatched: Vec<String>,
    /// What the image was made from, when it can be told.
    base: Option<Base>,
    now: palisade_model::Timestamp,
}

/// What else is known of a vulnerability.
#[derive(Debug, Clone, Default)]
pub struct Note {
    pub settled: Option<Settled>,
    /// Whether the baseline lacks it; none without a baseline.
    is_new: Option<bool>,
    novelty: Option<Novelty>,
    fails: bool,
}

impl Scan<'_> {
    pub fn package(&self, vulnerability: &Vulnerability) -> &Package {
        &self.catalogue.packages[vulnerability.package]
    }

    /// Whether the base brought the package; none when it cannot be told.
    pub fn is_in_base(&self, vulnerability: &Vulnerability) -> Option<bool> {
        let layers = self.base.as_ref()?.layers?;
        Some(self.package(vulnerability).layer.index < layers)
    }

    pub fn all(&self) -> impl Iterator<Item = (&Vulnerability, &Note)> {
        self.assessment.vulnerabilities.iter().zip(&self.notes)
    }

    /// Whether packages could not be judged for want of data.
    pub fn lacks_data(&self) -> bool {
        self.database.is_none() && palisade_image::sbom::listed(self.catalogue).next().is_some()
            || self.assessment.gaps.iter().any(|gap| matches!(gap, Gap::NoData { .. } | Gap::BrokenEntries { .. }))
    }
}

/// How bad it is; `Unknown` when nobody has rated it.
pub fn severity(vulnerability: &Vulnerability) -> Severity {
    vulnerability.rating.as_ref().map_or(Severity::Unknown, |rating| rating.severity)
}

/// Reads the image, or all that manifests run, judges it, and prints what was found.
///
/// # Errors
/// When the image, the database that was named, or a file that was named cannot be used.
pub fn run(arguments: &ScanArguments, settings: &Settings) -> Result<ExitStatus, Failure> {
    let judge = Judge::of_scan(arguments, settings)?;
    let Some(image) = &arguments.images.image else { return many::run(arguments, settings, &judge) };
    let catalogue = catalogue::read(image, &arguments.images.choice, settings, judge.functions())?;
    let scan = judge.scan(&catalogue);
    let mut output = io::BufWriter::new(io::stdout().lock());
    match arguments.output {
        ScanFormat::Table => write!(output, "{}", table::render(&scan))?,
        ScanFormat::Json => json::write(&scan, &mut output)?,
        ScanFormat::Sarif => report(&scan).write(Format::Sarif, &mut output)?,
        ScanFormat::Junit => report(&scan).write(Format::Junit, &mut output)?,
        ScanFormat::Markdown => report(&scan).write(Format::Markdown, &mut output)?,
        ScanFormat::CyclonedxVex => vex::write(&scan, &mut output)?,
    }
    output.flush()?;
    input::print_problems(&catalogue.problems);
    print_notes(&scan.unmatched, judge.opened.is_some())?;
    Ok(status(&scan))
}

/// What matched nothing, and what is missing to judge by, on standard error.
fn print_notes(unmatched: &[String], has_database: bool) -> io::Result<()> {
    let mut stderr = io::stderr().lock();
    for line in unmatched {
        writeln!(stderr, "{line}")?;
    }
    if !has_database {
        writeln!(stderr, "no database of advisories: nothing can be said against any package")?;
        writeln!(stderr, "\nhint: palisade advisories import FOLDER, with exports of OSV.dev in it")?;
    }
    Ok(())
}

fn report(scan: &Scan<'_>) -> Report {
    let found: Vec<_> = scan.all().map(|(it, note)| (findings::of(scan, it, note), note.fails)).collect();
    let failing: BTreeSet<_> = found.iter().filter(|(_, fails)| *fails).map(|(finding, _)| finding.clone()).collect();
    let mut all: Vec<_> = found.into_iter().map(|(finding, _)| finding).collect();
    all.extend(findings::of_gaps(scan));
    Report::new("palisade image scan", env!("CARGO_PKG_VERSION"), findings::rules(), all)
        .failing(failing)
        .with_problems(&scan.catalogue.problems)
}

fn status(scan: &Scan<'_>) -> ExitStatus {
    if scan.notes.iter().any(|note| note.fails) {
        return ExitStatus::Findings;
    }
    if scan.lacks_data() { ExitStatus::Undecided } else { catalogue::status(scan.catalogue) }
}
