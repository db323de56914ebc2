//! `palisade image inspect`: what an image is made of.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, Write as _};

use palisade_image::base::{self, Base};
use palisade_image::{Catalogue, Distribution, Functions, ImageConfig, Layer, Unidentified};
use palisade_model::Problem;
use serde::Serialize;

use crate::arguments::OutputFormat;
use crate::arguments::image::InspectArguments;
use crate::exit::ExitStatus;
use crate::failure::Failure;
use crate::image::catalogue;
use crate::input;
use crate::report;
use crate::settings::Settings;
use crate::table::Table;

/// The version of the JSON form; it rises when a field changes its meaning.
const VERSION: u32 = 1;

/// The JSON form.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Report<'a> {
    version: u32,
    config: &'a ImageConfig,
    distribution: &'a Distribution,
    layers: &'a [Layer],
    /// What it was made from, and by which buildpacks.
    base: Option<Base>,
    /// By ecosystem.
    packages: BTreeMap<String, usize>,
    /// In packages of the distribution.
    owned_packages: usize,
    unidentified: &'a [Unidentified],
    problems: &'a [Problem],
}

/// Prints layers, config, distribution, and how far the contents are known.
pub fn run(arguments: &InspectArguments, settings: &Settings) -> Result<ExitStatus, Failure> {
    let catalogue = catalogue::read(&arguments.image.image, &arguments.image.choice, settings, Functions::Skip)?;
    let mut output = io::BufWriter::new(io::stdout().lock());
    match arguments.output {
        OutputFormat::Text => write!(output, "{}", render(&catalogue))?,
        OutputFormat::Json => report::write_json(&mut output, &report(&catalogue))?,
    }
    output.flush()?;
    input::print_problems(&catalogue.problems);
    Ok(catalogue::status(&catalogue))
}

fn report(catalogue: &Catalogue) -> Report<'_> {
    Report {
        version: VERSION,
        config: &catalogue.config,
        distribution: &catalogue.distribution,
        layers: &catalogue.layers,
        base: base::of(catalogue, &[]),
        packages: counts(catalogue),
        owned_packages: catalogue.packages.iter().filter(|package| package.owned_by.is_some()).count(),
        unidentified: &catalogue.unidentified,
        problems: &catalogue.problems,
    }
}

fn counts(catalogue: &Catalogue) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for package in palisade_image::sbom::listed(catalogue) {
        *counts.entry(package.ecosystem.to_string()).or_default() += 1;
    }
    counts
}

/// Facts, a row each; then the layers; then what is not known.
fn render(catalogue: &Catalogue) -> String {
    let mut text = facts(catalogue).lines().skip(1).fold(String::new(), |text, line| text + line + "\n");
    let mut table = Table::new(&["LAYER", "SIZE", "FILES", "REMOVES", "STEP"]);
    for layer in &catalogue.layers {
        let step = layer.created_by.as_deref().unwrap_or("").replace(['\n', '\t'], " ");
        table.row([
            layer.reference.index.to_string(),
            size(layer.bytes),
            layer.entries.to_string(),
            layer.whiteouts.to_string(),
            shortened(&step, LONGEST_STEP),
        ]);
    }
    if !table.is_empty() {
        let _ = write!(text, "\n{table}");
    }
    text.push_str(&unidentified(catalogue));
    text
}

/// So that a line stays below 80 columns.
const LONGEST_STEP: usize = 48;

/// A row for each thing that the image says of itself.
fn facts(catalogue: &Catalogue) -> String {
    let config = &catalogue.config;
    let distribution = &catalogue.distribution;
    let name = distribution.name.clone().unwrap_or_else(|| distribution.release().to_string());
    let packages: Vec<String> = counts(catalogue).into_iter().map(|(kind, count)| format!("{count} {kind}")).collect();
    let command: Vec<&str> = config.entrypoint.iter().chain(&config.command).map(String::as_str).collect();
    let user = if config.user.is_empty() && !config.os.is_empty() { "root, as none is set" } else { &config.user };
    let architecture =
        if config.os.is_empty() { String::new() } else { format!("{}/{}", config.os, config.architecture) };
    let base = base::of(catalogue, &[]);
    let named = base.as_ref().and_then(|base| base.name.clone().or(base.digest.clone())).unwrap_or_default();
    let made = base.and_then(|base| base.buildpacks);
    let sbom_layer = made.as_ref().and_then(|made| made.sbom_layer).map(|layer| format!("layer {layer}"));
    let mut table = Table::new(&["", ""]);
    let rows = [
        ("image", config.name.clone()),
        ("digest", config.digest.clone()),
        ("index", config.index_digest.clone().unwrap_or_default()),
        ("created", config.created.clone().unwrap_or_default()),
        ("platform", architecture),
        ("base", named),
        ("buildpacks", made.map(|made| made.buildpacks.join(", ")).unwrap_or_default()),
        ("their SBOMs", sbom_layer.unwrap_or_default()),
        ("distribution", if distribution.id.is_empty() { "none".to_owned() } else { name }),
        ("user", user.to_owned()),
        ("runs", shortened(&command.join(" "), LONGEST_STEP)),
        ("packages", if packages.is_empty() { "none".to_owned() } else { packages.join(", ") }),
        ("not identified", format!("{} files", catalogue.unidentified.len())),
    ];
    for (key, value) in rows.into_iter().filter(|(_, value)| !value.is_empty()) {
        table.row([key.to_owned(), value]);
    }
    table.to_string()
}

/// Each file that looks like software and is not known.
fn unidentified(catalogue: &Catalogue) -> String {
    const SHOWN: usize = 20;
    let mut text = String::new();
    if catalogue.unidentified.is_empty() {
        return text;
    }
    let mut table = Table::new(&["NOT IDENTIFIED", "WHY"]);
    for it in catalogue.unidentified.iter().take(SHOWN) {
        let why = serde_json::to_value(it.why).ok().and_then(|why| why.as_str().map(str::to_owned));
        table.row([it.path.clone(), why.unwrap_or_default()]);
    }
    let _ = write!(text, "\n{table}");
    if catalogue.unidentified.len() > SHOWN {
        let _ = writeln!(text, "and {} more; `-o json` lists all", catalogue.unidentified.len() - SHOWN);
    }
    text
}

/// `3.9 MB`.
fn size(bytes: u64) -> String {
    const UNITS: &[(u64, &str)] = &[(1_000_000_000, "GB"), (1_000_000, "MB"), (1_000, "kB")];
    match UNITS.iter().find(|(unit, _)| bytes >= *unit) {
        Some((unit, name)) => format!("{:.1} {name}", bytes as f64 / *unit as f64),
        None => format!("{bytes} B"),
    }
}

fn shortened(text: &str, most: usize) -> String {
    match text.chars().count() > most {
        true => text.chars().take(most - 3).chain("...".chars()).collect(),
        false => text.to_owned(),
    }
}
