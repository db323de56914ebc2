//! `palisade image scan`: what is known against the packages of an image.

mod base;
mod fail_rule;
mod findings;
mod json;
mod novelty;
mod settled;
mod table;
mod vex;

use std::collections::BTreeSet;
use std::io::{self, Write as _};

use palisade_advisories::{Assessment, Gap, Vulnerability, assess};
use palisade_feeds::store::{self, OpenError, Opened};
use palisade_image::{Catalogue, Functions, Package};
use palisade_model::finding::Severity;
use palisade_report::{Format, Report};

use crate::advisories;
use crate::arguments::image::{ScanArguments, ScanFormat};
use crate::exit::ExitStatus;
use crate::failure::{Failure, Hint};
use crate::image::catalogue;
use crate::input;
use crate::settings::Settings;

pub use fail_rule::FailRule;
use novelty::Novelty;
use settled::Settled;

/// All that is printed in one form or another.
struct Scan<'s> {
    catalogue: &'s Catalogue,
    /// None without a database.
    database: Option<&'s Opened>,
    assessment: Assessment,
    /// For each vulnerability, in their order.
    notes: Vec<Note>,
    /// Lines and statements that matched nothing, in words.
    unmatched: Vec<String>,
    /// Layers that the base image brought, when it can be told.
    base_layers: Option<u32>,
    now: palisade_model::Timestamp,
}

/// What else is known of a vulnerability.
#[derive(Debug, Clone, Default)]
struct Note {
    settled: Option<Settled>,
    /// Whether the baseline lacks it; none without a baseline.
    is_new: Option<bool>,
    novelty: Option<Novelty>,
    fails: bool,
}

impl Scan<'_> {
    fn package(&self, vulnerability: &Vulnerability) -> &Package {
        &self.catalogue.packages[vulnerability.package]
    }

    fn all(&self) -> impl Iterator<Item = (&Vulnerability, &Note)> {
        self.assessment.vulnerabilities.iter().zip(&self.notes)
    }

    /// Whether packages could not be judged for want of data.
    fn lacks_data(&self) -> bool {
        self.database.is_none() && palisade_image::sbom::listed(self.catalogue).next().is_some()
            || self.assessment.gaps.iter().any(|gap| matches!(gap, Gap::NoData { .. } | Gap::BrokenEntries { .. }))
    }
}

/// How bad it is; `Unknown` when nobody has rated it.
fn severity(vulnerability: &Vulnerability) -> Severity {
    vulnerability.rating.as_ref().map_or(Severity::Unknown, |rating| rating.severity)
}

/// Reads the image, judges it, and prints what was found.
///
/// # Errors
/// When the image, the database that was named, or a file that was named cannot be used.
pub fn run(arguments: &ScanArguments, settings: &Settings) -> Result<ExitStatus, Failure> {
    let opened = open(arguments, settings)?;
    let rules = settled::Decisions::read(arguments)?;
    let baseline = arguments.baseline.as_deref().map(novelty::read_baseline).transpose()?;
    let earlier = open_earlier(arguments, settings)?;
    let functions = if opened.is_some() { Functions::Read } else { Functions::Skip };
    let catalogue = catalogue::read(&arguments.image, settings, functions)?;
    let today = settings.now.to_string().chars().take(10).collect::<String>();
    let judge = |opened: &Opened| assess(&catalogue.packages, &opened.database(), &today);
    let assessment = opened.as_ref().map(judge).unwrap_or_default();
    let (decided, unmatched) = rules.apply(&assessment, &catalogue, &today);
    let novelties = earlier.as_ref().map(|earlier| novelty::explain(&assessment, &catalogue, earlier, &today));
    let mut scan = Scan {
        base_layers: base::layers(&catalogue),
        catalogue: &catalogue,
        database: opened.as_ref(),
        notes: decided.into_iter().map(|settled| Note { settled, ..Note::default() }).collect(),
        assessment,
        unmatched,
        now: settings.now,
    };
    for index in 0..scan.notes.len() {
        let vulnerability = &scan.assessment.vulnerabilities[index];
        let is_new = baseline.as_ref().map(|known| novelty::is_new(known, vulnerability, scan.package(vulnerability)));
        let rules: &[FailRule] = if arguments.fail_on.is_empty() { &[FailRule::ANY] } else { &arguments.fail_on };
        let fails = scan.notes[index].settled.is_none() && rules.iter().any(|rule| rule.holds(vulnerability, is_new));
        let novelty = novelties.as_ref().map(|novelties| novelties[index].clone());
        let note = &mut scan.notes[index];
        (note.is_new, note.fails, note.novelty) = (is_new, fails, novelty);
    }
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
    let mut stderr = io::stderr().lock();
    for line in &scan.unmatched {
        writeln!(stderr, "{line}")?;
    }
    if opened.is_none() {
        writeln!(stderr, "no database of advisories: nothing can be said against any package")?;
        writeln!(stderr, "\nhint: palisade advisories import FOLDER, with exports of OSV.dev in it")?;
    }
    Ok(status(&scan))
}

/// The database to judge by; none when none was named and none is kept.
fn open(arguments: &ScanArguments, settings: &Settings) -> Result<Option<Opened>, Failure> {
    if let Some(path) = &arguments.advisories {
        let cache = settings.cache_folder.as_ref().map(|folder| folder.join("advisories"));
        return store::open(path, cache.as_deref()).map(Some).map_err(Failure::new);
    }
    let Ok(kept) = advisories::store(&arguments.store, settings) else { return Ok(None) };
    match kept.current() {
        Ok(opened) => Ok(Some(opened)),
        Err(OpenError::None(_)) => Ok(None),
        Err(error) => Err(Failure::new(error).hint(Hint::Run("palisade advisories import FOLDER".into()))),
    }
}

/// The database to hold the present one against.
fn open_earlier(arguments: &ScanArguments, settings: &Settings) -> Result<Option<Opened>, Failure> {
    let cache = settings.cache_folder.as_ref().map(|folder| folder.join("advisories"));
    match &arguments.why_new {
        None => Ok(None),
        Some(Some(path)) => store::open(path, cache.as_deref()).map(Some).map_err(Failure::new),
        Some(None) => advisories::store(&arguments.store, settings)?.previous().map(Some).map_err(|error| {
            Failure::new(error).hint(Hint::Change("name the earlier database: --why-new FILE".into()))
        }),
    }
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
