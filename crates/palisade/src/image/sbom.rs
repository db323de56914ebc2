//! `palisade image sbom`: the packages of an image.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Write as _};

use palisade_image::sbom::{About, listed, render_cyclonedx, render_spdx};
use palisade_image::{Catalogue, Functions};
use palisade_model::{Problem, Timestamp};
use serde::Serialize;

use crate::arguments::image::{SbomArguments, SbomFormat};
use crate::exit::ExitStatus;
use crate::failure::{Failure, Hint};
use crate::image::catalogue;
use crate::image::fleet::{self, Fleet, FleetImage, Reading, Unavailable};
use crate::image::workloads::User;
use crate::input;
use crate::report;
use crate::settings::Settings;
use crate::table::Table;

/// The version of the JSON form; it rises when a field changes its meaning.
const VERSION: u32 = 1;

/// The JSON form.
#[derive(Serialize)]
struct Report<'a> {
    version: u32,
    image: &'a Catalogue,
}

/// Prints what is installed.
pub fn run(arguments: &SbomArguments, settings: &Settings) -> Result<ExitStatus, Failure> {
    let Some(image) = &arguments.images.image else { return run_many(arguments, settings) };
    let catalogue = catalogue::read(image, &arguments.images.choice, settings, Functions::Skip)?;
    let mut output = io::BufWriter::new(io::stdout().lock());
    write(&catalogue, arguments.output, settings, &mut output)?;
    output.flush()?;
    input::print_problems(&catalogue.problems);
    Ok(catalogue::status(&catalogue))
}

fn write(
    catalogue: &Catalogue,
    format: SbomFormat,
    settings: &Settings,
    output: &mut impl io::Write,
) -> io::Result<()> {
    let about = about(catalogue, settings);
    match format {
        SbomFormat::Table => write!(output, "{}", render(catalogue)),
        SbomFormat::Json => report::write_json(output, &Report { version: VERSION, image: catalogue }),
        SbomFormat::CyclonedxJson => report::write_json(output, &render_cyclonedx(catalogue, &about)),
        SbomFormat::SpdxJson => report::write_json(output, &render_spdx(catalogue, &about)),
    }
}

/// The JSON form of many.
#[derive(Serialize)]
struct ManyReport<'a> {
    version: u32,
    images: Vec<Told<'a>>,
    unavailable: &'a [Unavailable],
    problems: &'a [Problem],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Told<'a> {
    names: &'a BTreeSet<String>,
    run_by: &'a BTreeSet<User>,
    /// The Secrets of the manifests that it was pulled with.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pulled_with: &'a BTreeSet<String>,
    image: &'a Catalogue,
}

impl<'a> Told<'a> {
    fn of(image: &'a FleetImage) -> Self {
        Self { names: &image.names, run_by: &image.run_by, pulled_with: &image.pulled_with, image: &image.catalogue }
    }
}

/// Every image that manifests run.
fn run_many(arguments: &SbomArguments, settings: &Settings) -> Result<ExitStatus, Failure> {
    let ending = match (arguments.output, &arguments.into) {
        (SbomFormat::Table | SbomFormat::Json, _) => "json",
        (SbomFormat::CyclonedxJson, Some(_)) => "cdx.json",
        (SbomFormat::SpdxJson, Some(_)) => "spdx.json",
        (SbomFormat::CyclonedxJson | SbomFormat::SpdxJson, None) => {
            return Err(Failure::new("a bill of materials in this form is about one image")
                .hint(Hint::Change("name a folder for the bills with --into".into())));
        }
    };
    let images = &arguments.images;
    let fleet = fleet::read(&images.manifests, &images.choice, settings, Reading::Whole(Functions::Skip))?;
    let mut output = io::BufWriter::new(io::stdout().lock());
    if let Some(folder) = &arguments.into {
        for image in &fleet.images {
            let name = format!("{}.{ending}", image.catalogue.config.digest.replacen(':', "-", 1));
            let path = folder.join(name);
            let failed = |error| Failure::new(error).context(format!("cannot write `{}`", path.display()));
            fs::create_dir_all(folder).map_err(failed)?;
            let mut file = io::BufWriter::new(fs::File::create(&path).map_err(failed)?);
            let format = if arguments.output == SbomFormat::Table { SbomFormat::Json } else { arguments.output };
            write(&image.catalogue, format, settings, &mut file).and_then(|()| file.flush()).map_err(failed)?;
            let names: Vec<&str> = image.names.iter().map(String::as_str).collect();
            writeln!(output, "{}  {}", path.display(), names.join(", "))?;
        }
    } else if arguments.output == SbomFormat::Json {
        let images = fleet.images.iter().map(Told::of).collect();
        let (unavailable, problems) = (&fleet.unavailable[..], &fleet.problems[..]);
        report::write_json(&mut output, &ManyReport { version: VERSION, images, unavailable, problems })?;
    } else {
        write!(output, "{}", render_many(&fleet))?;
    }
    output.flush()?;
    drop(output);
    fleet.print_troubles();
    Ok(fleet.status())
}

/// Each image's packages, and then all images on one page.
fn render_many(fleet: &Fleet) -> String {
    let mut text = String::new();
    let mut table = Table::new(&["IMAGE", "PACKAGES", "RUN BY"]);
    for image in &fleet.images {
        let names: Vec<&str> = image.names.iter().map(String::as_str).collect();
        text.push_str(&format!(
            "{}\n{}\n{}\n",
            names.join(", "),
            image.catalogue.config.digest,
            render(&image.catalogue)
        ));
        let count = listed(&image.catalogue).count().to_string();
        table.row([names.join(", "), count, fleet::told(&image.run_by)]);
    }
    for it in &fleet.unavailable {
        table.row([it.name.clone(), "not read".into(), fleet::told(&it.run_by)]);
    }
    if table.is_empty() { "no image is run\n".to_owned() } else { text + &table.to_string() }
}

/// When the image was made; what the caller says about the time wins.
fn about(catalogue: &Catalogue, settings: &Settings) -> About {
    let made = catalogue.config.created.as_ref().and_then(|created| created.parse::<Timestamp>().ok());
    let timestamp = settings.source_date_epoch.or(made).map(|it| it.to_string());
    About { tool_version: env!("CARGO_PKG_VERSION").to_owned(), timestamp }
}

/// The packages for a person, then what is not known.
fn render(catalogue: &Catalogue) -> String {
    let mut table = Table::new(&["ECOSYSTEM", "PACKAGE", "VERSION", "LAYER", "PATH"]);
    for package in listed(catalogue) {
        let layer = package.layer.index.to_string();
        table.row([
            package.ecosystem.to_string(),
            package.name.clone(),
            package.version.clone(),
            layer,
            package.path.clone(),
        ]);
    }
    let owned = catalogue.packages.len() - listed(catalogue).count();
    let mut text = if table.is_empty() { String::new() } else { table.to_string() };
    if !text.is_empty() {
        text.push('\n');
    }
    text.push_str(&format!("{} packages", listed(catalogue).count()));
    if owned > 0 {
        text.push_str(&format!(", and {owned} in packages of the distribution"));
    }
    text.push('\n');
    if !catalogue.unidentified.is_empty() {
        text.push_str(&format!(
            "not identified: {} files; `palisade image inspect` lists them\n",
            catalogue.unidentified.len()
        ));
    }
    text
}
