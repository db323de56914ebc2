//! Every image that manifests run: a report on each, and one on all.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::{self, Write as _};

use palisade_model::Problem;
use palisade_model::finding::{Rule, Severity};
use palisade_report::{Format, Report};
use serde::Serialize;

use super::{Judge, Scan, findings, json, print_notes, table};
use crate::arguments::image::{ScanArguments, ScanFormat};
use crate::exit::ExitStatus;
use crate::failure::{Failure, Hint};
use crate::image::fleet::{self, Fleet, FleetImage, Reading, Unavailable};
use crate::image::workloads::User;
use crate::report::write_json;
use crate::settings::Settings;
use crate::table::Table;

const UNAVAILABLE: &str = "image-unavailable";

/// The JSON form: what one image's has, for each.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Body<'s> {
    version: u32,
    command: &'static str,
    program: &'static str,
    images: Vec<Told<'s>>,
    unavailable: &'s [Unavailable],
    problems: &'s [Problem],
    totals: Totals,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Told<'s> {
    names: &'s BTreeSet<String>,
    run_by: &'s BTreeSet<User>,
    /// The Secrets of the manifests that it was pulled with.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pulled_with: &'s BTreeSet<String>,
    #[serde(flatten)]
    report: json::Body<'s>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Totals {
    images: usize,
    unavailable: usize,
    /// A finding that several images have counts in each.
    findings: usize,
    fail: usize,
    failing_images: usize,
}

/// Scans all that the manifests run.
pub fn run(arguments: &ScanArguments, settings: &Settings, judge: &Judge) -> Result<ExitStatus, Failure> {
    if arguments.output == ScanFormat::CyclonedxVex {
        return Err(Failure::new("`-o cyclonedx-vex` is about one image")
            .hint(Hint::Change("name the image instead of -f".into())));
    }
    let images = &arguments.images;
    let fleet = fleet::read(&images.manifests, &images.choice, settings, Reading::Whole(judge.functions()))?;
    let scans: Vec<(&FleetImage, Scan<'_>)> =
        fleet.images.iter().map(|image| (image, judge.scan(&image.catalogue))).collect();
    let mut output = io::BufWriter::new(io::stdout().lock());
    match arguments.output {
        ScanFormat::Table => write!(output, "{}", render(&fleet, &scans))?,
        ScanFormat::Json => write_json(&mut output, &body(&fleet, &scans))?,
        ScanFormat::Sarif => report(&fleet, &scans).write(Format::Sarif, &mut output)?,
        ScanFormat::Junit => report(&fleet, &scans).write(Format::Junit, &mut output)?,
        ScanFormat::Markdown => report(&fleet, &scans).write(Format::Markdown, &mut output)?,
        ScanFormat::CyclonedxVex => {}
    }
    output.flush()?;
    drop(output);
    fleet.print_troubles();
    print_notes(&unmatched_everywhere(&scans), judge.opened.is_some())?;
    let has_failed = scans.iter().any(|(_, scan)| scan.notes.iter().any(|note| note.fails));
    let lacks_data = scans.iter().any(|(_, scan)| scan.lacks_data());
    Ok(match fleet.status() {
        ExitStatus::Unusable => ExitStatus::Unusable,
        _ if has_failed => ExitStatus::Findings,
        ExitStatus::Clean if lacks_data => ExitStatus::Undecided,
        status => status,
    })
}

/// A statement on one image matches nothing in the others, which is as it should be.
fn unmatched_everywhere(scans: &[(&FleetImage, Scan<'_>)]) -> Vec<String> {
    let Some(((_, first), rest)) = scans.split_first() else { return Vec::new() };
    let everywhere = |line: &&String| rest.iter().all(|(_, scan)| scan.unmatched.contains(line));
    first.unmatched.iter().filter(everywhere).cloned().collect()
}

fn body<'s>(fleet: &'s Fleet, scans: &'s [(&'s FleetImage, Scan<'s>)]) -> Body<'s> {
    Body {
        version: json::VERSION,
        command: "palisade image scan",
        program: env!("CARGO_PKG_VERSION"),
        images: scans
            .iter()
            .map(|(image, scan)| Told {
                names: &image.names,
                run_by: &image.run_by,
                pulled_with: &image.pulled_with,
                report: json::body(scan),
            })
            .collect(),
        unavailable: &fleet.unavailable,
        problems: &fleet.problems,
        totals: totals(fleet, scans),
    }
}

fn totals(fleet: &Fleet, scans: &[(&FleetImage, Scan<'_>)]) -> Totals {
    let failing = |scan: &Scan<'_>| scan.notes.iter().filter(|note| note.fails).count();
    Totals {
        images: scans.len(),
        unavailable: fleet.unavailable.len(),
        findings: scans.iter().map(|(_, scan)| scan.notes.len()).sum(),
        fail: scans.iter().map(|(_, scan)| failing(scan)).sum(),
        failing_images: scans.iter().filter(|(_, scan)| failing(scan) > 0).count(),
    }
}

/// Each image's own report, and then all on one page.
fn render(fleet: &Fleet, scans: &[(&FleetImage, Scan<'_>)]) -> String {
    let mut text = String::new();
    for (image, scan) in scans {
        text.push_str(&table::render(scan));
        let _ = writeln!(text, "run by {}\n", fleet::told(&image.run_by));
    }
    let mut table = Table::new(&["IMAGE", "FINDINGS", "FAIL", "RUN BY"]);
    for (image, scan) in scans {
        let fails = scan.notes.iter().filter(|note| note.fails).count();
        let run_by = fleet::told(&image.run_by);
        for (number, name) in image.names.iter().enumerate() {
            match number {
                0 => table.row([name.clone(), scan.notes.len().to_string(), fails.to_string(), run_by.clone()]),
                _ => table.row([name.clone(), "the same".into()]),
            }
        }
    }
    for it in &fleet.unavailable {
        table.row([it.name.clone(), "not read".into(), String::new(), fleet::told(&it.run_by)]);
    }
    if !table.is_empty() {
        let _ = writeln!(text, "{table}");
    }
    let totals = totals(fleet, scans);
    let _ = write!(text, "{} images, {} of them fail", totals.images, totals.failing_images);
    if totals.unavailable > 0 {
        let _ = write!(text, "; {} could not be read", totals.unavailable);
    }
    text.push('\n');
    text
}

fn report(fleet: &Fleet, scans: &[(&FleetImage, Scan<'_>)]) -> Report {
    let (mut all, mut failing) = (Vec::new(), BTreeSet::new());
    for (_, scan) in scans {
        for (it, note) in scan.all() {
            let finding = findings::of(scan, it, note);
            if note.fails {
                failing.insert(finding.clone());
            }
            all.push(finding);
        }
        all.extend(findings::of_gaps(scan));
    }
    let rule = Rule::new(
        UNAVAILABLE,
        Severity::High,
        "an image that the manifests run could not be read",
        "Nothing is known of it. Name credentials for its registry, or mend its name.",
    );
    for it in &fleet.unavailable {
        let message = format!("`{}` could not be read: {}", it.name, it.why);
        let finding = rule.finding(message).of_image(it.name.as_str());
        all.push(match it.run_by.first() {
            Some(user) => finding.at(&user.place),
            None => finding,
        });
    }
    let mut rules = findings::rules();
    rules.push(rule);
    let mut problems = fleet.problems.clone();
    problems.extend(fleet.images.iter().flat_map(|image| image.catalogue.problems.clone()));
    Report::new("palisade image scan", env!("CARGO_PKG_VERSION"), rules, all).failing(failing).with_problems(&problems)
}
