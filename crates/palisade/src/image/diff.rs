//! `palisade image diff`: what differs between two images.

mod text;

use std::collections::BTreeSet;
use std::io::{self, Write as _};

use palisade_advisories::Vulnerability;
use palisade_archive::files::{self, FileChange, MOST_FILES};
use palisade_image::compare::{self, FieldChange, LayerChanges, PackageChange};
use palisade_image::{Catalogue, Package};
use palisade_model::Problem;
use palisade_model::finding::Severity;
use palisade_model::problem::Effect;
use serde::Serialize;

use super::scan::{Judge, Scan, severity};
use crate::arguments::diff::DiffFormat;
use crate::arguments::image::DiffArguments;
use crate::exit::ExitStatus;
use crate::failure::Failure;
use crate::image::catalogue;
use crate::input;
use crate::report::write_json;
use crate::settings::Settings;

/// The version of the JSON form; it rises when a field changes its meaning.
const VERSION: u32 = 1;

/// Files that are listed in JSON; how many there are is said in any case.
const MOST_LISTED: usize = 20_000;

/// All that differs.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Difference {
    version: u32,
    command: &'static str,
    old: Side,
    new: Side,
    packages: Vec<PackageChange>,
    config: Vec<FieldChange>,
    layers: LayerChanges,
    /// Absent when one of the two is a bill of materials.
    #[serde(skip_serializing_if = "Option::is_none")]
    files: Option<Files>,
    /// Absent without a database.
    #[serde(skip_serializing_if = "Option::is_none")]
    findings: Option<Findings>,
    problems: Vec<Problem>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Side {
    name: String,
    digest: String,
    distribution: String,
    packages: usize,
    bytes: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Files {
    count: usize,
    changes: Vec<FileChange>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Findings {
    opened: Vec<Told>,
    closed: Vec<Told>,
    /// In both.
    stay: usize,
}

/// A finding of one of the two.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Told {
    id: String,
    aliases: Vec<String>,
    package: String,
    version: String,
    purl: String,
    severity: Severity,
    fixed_version: Option<String>,
    kev: bool,
    path: String,
    /// Whether a rule of `--fail-on` is about it.
    fails: bool,
}

/// Reads both and prints what differs.
///
/// # Errors
/// When one of them cannot be read at all, or what judges them cannot be used.
pub fn run(arguments: &DiffArguments, settings: &Settings) -> Result<ExitStatus, Failure> {
    let judge = Judge::new(&arguments.judge, settings)?;
    let read = |image: &str| {
        catalogue::read_with_files(image, &arguments.choice, settings, judge.functions())
            .map_err(|failure| failure.context(format!("cannot compare `{image}`")))
    };
    let (old, old_files) = read(&arguments.old)?;
    let (new, new_files) = read(&arguments.new)?;
    let is_cut = old_files.iter().chain(&new_files).any(files::FileList::is_cut);
    let files = old_files.zip(new_files).map(|(old, new)| {
        let mut changes = files::compare(old, new);
        let count = changes.len();
        changes.truncate(MOST_LISTED);
        Files { count, changes }
    });
    let findings = judge.opened.as_ref().map(|_| findings(&judge.scan(&old), &judge.scan(&new), arguments));
    let lacks_data = judge.opened.is_some() && judge.scan(&new).lacks_data();
    let mut problems: Vec<Problem> = old.problems.iter().chain(&new.problems).cloned().collect();
    if is_cut {
        let message = format!("an image has more than {MOST_FILES} files: not all of them are compared");
        problems.push(Problem::error("image-too-many-files", message));
    }
    let difference = Difference {
        version: VERSION,
        command: "palisade image diff",
        packages: compare::packages(&old, &new),
        config: compare::config(&old.config, &new.config),
        layers: compare::layers(&old, &new),
        old: Side::of(&old),
        new: Side::of(&new),
        files,
        findings,
        problems,
    };
    let mut output = io::BufWriter::new(io::stdout().lock());
    match arguments.output {
        DiffFormat::Text => write!(output, "{}", text::render(&difference))?,
        DiffFormat::Json => write_json(&mut output, &difference)?,
        DiffFormat::Markdown => write!(output, "{}", text::markdown(&difference))?,
    }
    output.flush()?;
    input::print_problems(&difference.problems);
    let fails = difference.findings.as_ref().is_some_and(|it| it.opened.iter().any(|told| told.fails));
    let is_incomplete = difference.problems.iter().any(|it| it.effect == Effect::MayChangeAnswers);
    // Who asks for failing findings has to be told that nothing was judged.
    let is_blind = judge.opened.is_none() && !arguments.judge.fail_on.is_empty();
    if is_blind {
        eprintln!("no database of advisories: no rule of --fail-on could be held against anything");
    }
    Ok(match (fails, is_incomplete || lacks_data || is_blind) {
        (true, _) => ExitStatus::Findings,
        (false, true) => ExitStatus::Undecided,
        (false, false) => ExitStatus::Clean,
    })
}

impl Side {
    fn of(catalogue: &Catalogue) -> Self {
        let distribution = &catalogue.distribution;
        Self {
            name: catalogue.config.name.clone(),
            digest: catalogue.config.digest.clone(),
            distribution: distribution.name.clone().unwrap_or_else(|| distribution.release().to_string()),
            packages: palisade_image::sbom::listed(catalogue).count(),
            bytes: catalogue.layers.iter().map(|layer| layer.bytes).sum(),
        }
    }
}

/// By package and any id of the matter; another version of the package with the same matter is the same finding.
fn findings(old: &Scan<'_>, new: &Scan<'_>, arguments: &DiffArguments) -> Findings {
    let keys = |scan: &Scan<'_>| -> BTreeSet<(String, String)> {
        let of = |it: &Vulnerability| {
            let name = scan.package(it).name.clone();
            it.ids().map(move |id| (name.clone(), id.to_owned())).collect::<Vec<_>>()
        };
        scan.all().filter(|(_, note)| note.settled.is_none()).flat_map(|(it, _)| of(it)).collect()
    };
    let (before, after) = (keys(old), keys(new));
    let only = |scan: &Scan<'_>, others: &BTreeSet<(String, String)>, opens: bool| -> Vec<Told> {
        let open = scan.all().filter(|(_, note)| note.settled.is_none());
        open.filter(|(it, _)| {
            let name = &scan.package(it).name;
            !it.ids().any(|id| others.contains(&(name.clone(), id.to_owned())))
        })
        .map(|(it, _)| {
            let fails = opens && arguments.judge.fail_on.iter().any(|rule| rule.holds(it, Some(true)));
            told(it, scan.package(it), fails)
        })
        .collect()
    };
    let opened = only(new, &before, true);
    let open = new.all().filter(|(_, note)| note.settled.is_none()).count();
    Findings { stay: open - opened.len(), closed: only(old, &after, false), opened }
}

fn told(it: &Vulnerability, package: &Package, fails: bool) -> Told {
    Told {
        id: it.id.clone(),
        aliases: it.aliases.clone(),
        package: package.name.clone(),
        version: package.version.clone(),
        purl: package.purl.clone(),
        severity: severity(it),
        fixed_version: it.fixed.clone(),
        kev: it.exploited.is_some(),
        path: package.path.clone(),
        fails,
    }
}
