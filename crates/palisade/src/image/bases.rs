//! `palisade image bases`: what images were made from, whether that is behind, and what to do.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{self, Write as _};
use std::path::Path;

use palisade_archive::Platform;
use palisade_image::base::{self, Base, KnownBase};
use palisade_image::{Catalogue, Functions, ImageConfig, Layer};
use palisade_model::Problem;
use palisade_registry::{Reference, Registry};
use serde::Serialize;

use super::scan::Judge;
use super::scan::base::{KnownBases, read as read_known};
use crate::arguments::OutputFormat;
use crate::arguments::image::BasesArguments;
use crate::exit::ExitStatus;
use crate::failure::{Failure, Hint};
use crate::image::fleet::{self, Fleet, FleetImage, Reading, Unavailable};
use crate::image::named::{self, Named};
use crate::image::workloads::User;
use crate::image::{catalogue, remote};
use crate::registry;
use crate::report::write_json;
use crate::settings::Settings;
use crate::table::Table;

/// The version of the JSON form; it rises when a field changes its meaning.
const VERSION: u32 = 1;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Body<'b> {
    version: u32,
    command: &'static str,
    images: Vec<Told<'b>>,
    unavailable: &'b [Unavailable],
    problems: &'b [Problem],
}

/// An image and its base.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Told<'b> {
    names: &'b BTreeSet<String>,
    digest: &'b str,
    run_by: &'b BTreeSet<User>,
    base: Option<Base>,
    state: State,
    /// The digest that the base's name leads to now.
    present: Option<String>,
    #[serde(rename = "do")]
    what_to_do: WhatToDo,
    why: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    findings: Option<Split>,
}

/// Whether the base is behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum State {
    Current,
    Behind,
    Unknown,
}

/// What to do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum WhatToDo {
    Nothing,
    Rebase,
    Rebuild,
    Unknown,
}

impl WhatToDo {
    fn as_str(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Rebase => "rebase",
            Self::Rebuild => "rebuild",
            Self::Unknown => "cannot say",
        }
    }
}

/// Open findings by who brought the package.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "camelCase")]
struct Split {
    base: usize,
    base_fixable: usize,
    own: usize,
    own_fixable: usize,
    /// Whether the base's layers are known; all findings count as the image's own otherwise.
    is_known: bool,
}

/// Reads the images and asks for their bases.
///
/// # Errors
/// When there is no input, or what is named cannot be used.
pub fn run(arguments: &BasesArguments, settings: &Settings) -> Result<ExitStatus, Failure> {
    if let (Some(path), Some(image)) = (&arguments.record, &arguments.images.image) {
        return record(path, image, arguments, settings);
    }
    let wants_findings = arguments.findings || arguments.judge.advisories.is_some();
    let judge = if wants_findings { Some(Judge::new(&arguments.judge, settings)?) } else { None };
    if judge.as_ref().is_some_and(|judge| judge.opened.is_none()) {
        return Err(Failure::new("no database of advisories: findings cannot be split")
            .hint(Hint::Run("palisade advisories import FOLDER".into())));
    }
    let known = arguments.judge.known_bases.as_deref().map(read_known).transpose()?.unwrap_or_default().bases;
    let choice = &arguments.images.choice;
    let reading = judge.as_ref().map_or(Reading::Config, |judge| Reading::Whole(judge.functions()));
    let fleet = match &arguments.images.image {
        Some(image) => Fleet::of_one(read_one(image, arguments, settings, reading)?),
        None => fleet::read(&arguments.images.manifests, choice, settings, reading)?,
    };
    let registry = registry::client(&choice.registry, settings)?;
    let mut bases = Bases { registry: &registry, present: BTreeMap::new() };
    let told: Vec<Told<'_>> = fleet
        .images
        .iter()
        .map(|image| bases.judge(image, base::of(&image.catalogue, &known), judge.as_ref()))
        .collect();
    let mut output = io::BufWriter::new(io::stdout().lock());
    let states: Vec<State> = told.iter().map(|it| it.state).collect();
    match arguments.output {
        OutputFormat::Text => write!(output, "{}", render(&told, &fleet))?,
        OutputFormat::Json => {
            let (unavailable, problems) = (&fleet.unavailable[..], &fleet.problems[..]);
            let command = "palisade image bases";
            write_json(&mut output, &Body { version: VERSION, command, images: told, unavailable, problems })?;
        }
    }
    output.flush()?;
    drop(output);
    fleet.print_troubles();
    Ok(match fleet.status() {
        ExitStatus::Unusable => ExitStatus::Unusable,
        _ if states.contains(&State::Behind) => ExitStatus::Findings,
        ExitStatus::Clean if states.contains(&State::Unknown) => ExitStatus::Undecided,
        status => status,
    })
}

/// The image, and no more of it than is needed.
fn read_one(
    image: &str,
    arguments: &BasesArguments,
    settings: &Settings,
    reading: Reading,
) -> Result<Catalogue, Failure> {
    let choice = &arguments.images.choice;
    let named = named::parse(image, &|path| path.exists()).map_err(Failure::new)?;
    if let (Reading::Config, Named::Registry { reference, .. }) = (reading, &named) {
        let registry = registry::client(&choice.registry, settings)?;
        let mut catalogue = catalogue::read_remote_config(&registry, reference, choice.platform.as_ref())?;
        image.clone_into(&mut catalogue.config.name);
        return Ok(catalogue);
    }
    let functions = match reading {
        Reading::Whole(functions) => functions,
        Reading::Config => Functions::Skip,
    };
    catalogue::read(image, choice, settings, functions)
}

/// Adds an image to a file of known bases.
fn record(path: &Path, image: &str, arguments: &BasesArguments, settings: &Settings) -> Result<ExitStatus, Failure> {
    let mut known = if path.exists() { read_known(path)? } else { KnownBases::default() };
    let catalogue = read_one(image, arguments, settings, Reading::Config)?;
    let diff_ids: Vec<String> = catalogue.layers.iter().map(|it| it.reference.diff_id.to_string()).collect();
    if diff_ids.is_empty() || diff_ids.iter().any(String::is_empty) {
        return Err(Failure::new(format!("`{image}` does not say which layers it has")));
    }
    let digest = catalogue.config.index_digest.clone().unwrap_or_else(|| catalogue.config.digest.clone());
    let name = image.strip_prefix("registry:").or_else(|| image.strip_prefix("docker://")).unwrap_or(image).to_owned();
    let added = KnownBase { name, digest: Some(digest), diff_ids };
    if !known.bases.contains(&added) {
        known.bases.push(added);
    }
    let failed = |error: io::Error| Failure::new(error).context(format!("cannot write `{}`", path.display()));
    // Whole or not at all.
    let beside = path.with_extension("new");
    let mut text = Vec::new();
    write_json(&mut text, &known).map_err(failed)?;
    fs::write(&beside, text).and_then(|()| fs::rename(&beside, path)).map_err(failed)?;
    writeln!(io::stdout(), "{} bases in `{}`", known.bases.len(), path.display())?;
    Ok(ExitStatus::Clean)
}

/// What a base is made of now.
type Present = (ImageConfig, Vec<Layer>);

/// What bases are now, each asked for once.
struct Bases<'r> {
    registry: &'r Registry,
    present: BTreeMap<(String, String), Result<Present, String>>,
}

impl Bases<'_> {
    fn judge<'b>(&mut self, image: &'b FleetImage, base: Option<Base>, judge: Option<&Judge>) -> Told<'b> {
        let catalogue = &image.catalogue;
        let findings = judge.map(|judge| split(&judge.scan(catalogue)));
        let mut told = Told {
            names: &image.names,
            digest: &catalogue.config.digest,
            run_by: &image.run_by,
            base: None,
            state: State::Unknown,
            present: None,
            what_to_do: WhatToDo::Unknown,
            why: String::new(),
            findings,
        };
        let own_fixable = findings.map_or(0, |split| if split.is_known { split.own_fixable } else { 0 });
        match base.as_ref().map(|base| self.now(catalogue, base)) {
            None => told.why = "nothing says what it was made from".into(),
            Some(Err(why)) => told.why = why,
            Some(Ok((config, layers))) => {
                let digest = config.index_digest.as_ref().unwrap_or(&config.digest);
                told.present = Some(digest.clone());
                (told.state, told.what_to_do, told.why) = decide(catalogue, base.as_ref(), config, layers, own_fixable);
            }
        }
        told.base = base;
        told
    }

    /// What the base's name leads to, for the platform of the image.
    fn now(&mut self, catalogue: &Catalogue, base: &Base) -> Result<&Present, String> {
        let Some(name) = &base.name else { return Err("nothing says the name of its base".into()) };
        let config = &catalogue.config;
        let platform = (!config.os.is_empty()).then(|| Platform {
            os: config.os.clone(),
            architecture: config.architecture.clone(),
            variant: config.variant.clone(),
        });
        let key = (name.clone(), platform.as_ref().map(ToString::to_string).unwrap_or_default());
        let registry = self.registry;
        let found = self.present.entry(key).or_insert_with(|| {
            let mirrors = base.buildpacks.as_ref().map_or(&[][..], |made| &made.mirrors);
            let mut why = String::new();
            for name in [name].into_iter().chain(mirrors) {
                match ask(registry, name, platform.as_ref()) {
                    Ok(found) => return Ok(found),
                    Err(error) if why.is_empty() => why = error,
                    Err(_) => {}
                }
            }
            Err(why)
        });
        found.as_ref().map_err(Clone::clone)
    }
}

fn ask(registry: &Registry, name: &str, platform: Option<&Platform>) -> Result<Present, String> {
    let reference: Reference = name.parse().map_err(|error| format!("its base `{name}`: {error}"))?;
    // A name with a digest says for ever what it said.
    let reference = match reference.tag {
        Some(_) => Reference { digest: None, ..reference },
        None => return Err(format!("its base `{name}` is named by digest alone: nothing can be newer")),
    };
    remote::read_config(registry, &reference, platform).map_err(|error| Failure::new(error).message())
}

fn decide(
    catalogue: &Catalogue,
    base: Option<&Base>,
    now: &ImageConfig,
    layers: &[Layer],
    own_fixable: usize,
) -> (State, WhatToDo, String) {
    let mine = catalogue.layers.iter().map(|it| &it.reference.diff_id);
    let is_below = layers.len() <= catalogue.layers.len()
        && layers.iter().map(|it| &it.reference.diff_id).eq(mine.take(layers.len()));
    if is_below && !layers.is_empty() {
        return match own_fixable {
            0 => (State::Current, WhatToDo::Nothing, "its base is the present one".into()),
            count => {
                let why = format!("its base is the present one; {count} findings of its own can be mended");
                (State::Current, WhatToDo::Rebuild, why)
            }
        };
    }
    let Some(made) = base.and_then(|base| base.buildpacks.as_ref()) else {
        return (State::Behind, WhatToDo::Rebuild, "its base has other layers now".into());
    };
    let why = if !made.is_rebasable {
        Some("it says that it is not to be rebased".to_owned())
    } else {
        base::why_not_rebased(&catalogue.config, now).map(|why| format!("the run image is another one: {why}"))
    };
    match (why, own_fixable) {
        (Some(why), _) => (State::Behind, WhatToDo::Rebuild, why),
        (None, 0) => (State::Behind, WhatToDo::Rebase, "its run image has other layers now".into()),
        (None, count) => {
            let why = format!("its run image has other layers now, and {count} findings of its own can be mended");
            (State::Behind, WhatToDo::Rebuild, why)
        }
    }
}

/// Open findings that may be in the program, by who brought them.
fn split(scan: &super::scan::Scan<'_>) -> Split {
    let mut split = Split { base: 0, base_fixable: 0, own: 0, own_fixable: 0, is_known: false };
    for (it, note) in scan.all() {
        let in_base = scan.is_in_base(it);
        split.is_known |= in_base.is_some();
        if note.settled.is_some() || !it.is_reachable() {
            continue;
        }
        let (count, fixable) = match in_base {
            Some(true) => (&mut split.base, &mut split.base_fixable),
            Some(false) | None => (&mut split.own, &mut split.own_fixable),
        };
        *count += 1;
        *fixable += usize::from(it.fixed.is_some());
    }
    split
}

fn render(told: &[Told<'_>], fleet: &Fleet) -> String {
    let has_findings = told.iter().any(|it| it.findings.is_some());
    let mut head = vec!["IMAGE", "BASE", "DO", "WHY"];
    if has_findings {
        head.insert(2, "BASE/OWN");
    }
    let mut table = Table::new(&head);
    for it in told {
        let base = it.base.as_ref().and_then(|base| base.name.as_deref().or(base.digest.as_deref())).unwrap_or("");
        let names: Vec<&str> = it.names.iter().map(String::as_str).collect();
        let mut row = vec![names.join(", "), base.to_owned(), it.what_to_do.as_str().to_owned(), it.why.clone()];
        if has_findings {
            let cell = it.findings.map_or_else(String::new, |split| match split.is_known {
                true => format!("{}/{}", split.base, split.own),
                false => format!("{} in all", split.own),
            });
            row.insert(2, cell);
        }
        table.row(row);
    }
    for it in &fleet.unavailable {
        table.row([it.name.clone(), String::new(), "not read".into()]);
    }
    let mut text = if table.is_empty() { "no image is run\n".to_owned() } else { table.to_string() };
    for it in told.iter().filter(|it| !it.run_by.is_empty() && it.what_to_do != WhatToDo::Nothing) {
        text.push_str(&format!("\n{}: run by {}", it.names.first().map_or("", String::as_str), fleet::told(it.run_by)));
    }
    for made in told.iter().filter_map(|it| Some((it, it.base.as_ref()?.buildpacks.as_ref()?))) {
        let (it, made) = made;
        text.push_str(&format!(
            "\n{}: made by {}",
            it.names.first().map_or("", String::as_str),
            made.buildpacks.join(", ")
        ));
    }
    if !text.ends_with('\n') {
        text.push('\n');
    }
    text
}
