//! `palisade image sbom`: the packages of an image.

use std::io::{self, Write as _};

use palisade_image::sbom::{About, listed, render_cyclonedx, render_spdx};
use palisade_image::{Catalogue, Functions};
use palisade_model::Timestamp;
use serde::Serialize;

use crate::arguments::image::{SbomArguments, SbomFormat};
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
struct Report<'a> {
    version: u32,
    image: &'a Catalogue,
}

/// Prints what is installed.
pub fn run(arguments: &SbomArguments, settings: &Settings) -> Result<ExitStatus, Failure> {
    let catalogue = catalogue::read(&arguments.image, settings, Functions::Skip)?;
    let about = about(&catalogue, settings);
    let mut output = io::BufWriter::new(io::stdout().lock());
    match arguments.output {
        SbomFormat::Table => write!(output, "{}", render(&catalogue))?,
        SbomFormat::Json => report::write_json(&mut output, &Report { version: VERSION, image: &catalogue })?,
        SbomFormat::CyclonedxJson => report::write_json(&mut output, &render_cyclonedx(&catalogue, &about))?,
        SbomFormat::SpdxJson => report::write_json(&mut output, &render_spdx(&catalogue, &about))?,
    }
    output.flush()?;
    input::print_problems(&catalogue.problems);
    Ok(catalogue::status(&catalogue))
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
