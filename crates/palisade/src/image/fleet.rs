//! Every image that manifests run, each read once, whatever it is called.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use palisade_image::{Catalogue, Functions};
use palisade_model::problem::Effect;
use palisade_model::{Inventory, Outcome, Problem};
use palisade_registry::{Reference, Registry};
use serde::Serialize;

use crate::arguments::image::ChoiceArguments;
use crate::exit::ExitStatus;
use crate::failure::{Failure, Hint};
use crate::image::catalogue;
use crate::image::pulls;
use crate::image::workloads::{self, User};
use crate::input;
use crate::progress::Progress;
use crate::settings::Settings;

/// All that could be read, and what could not.
pub struct Fleet {
    /// By digest.
    pub images: Vec<FleetImage>,
    /// By name.
    pub unavailable: Vec<Unavailable>,
    /// What is wrong with the manifests.
    pub problems: Vec<Problem>,
    /// Of the manifests alone.
    status: ExitStatus,
}

/// An image, and who runs it.
pub struct FleetImage {
    /// What is in it; its name is the first of `names`.
    pub catalogue: Catalogue,
    /// What the manifests call it.
    pub names: BTreeSet<String>,
    /// Who runs it.
    pub run_by: BTreeSet<User>,
    /// The Secrets of the manifests that it was pulled with: `shop/regcred`.
    pub pulled_with: BTreeSet<String>,
}

/// An image that could not be had.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Unavailable {
    /// What the manifests call it.
    pub name: String,
    /// Why not.
    pub why: String,
    /// Who runs it.
    pub run_by: BTreeSet<User>,
}

/// Kinds that make pods and are not read: what they run is not known here. Those that are read stand here for the groups
/// of others that have the same names, and `Service` for Knative's.
const MAKE_PODS: &[&str] = &[
    "CloneSet",
    "CronJob",
    "DaemonSet",
    "Deployment",
    "DeploymentConfig",
    "Job",
    "Pod",
    "PodTemplate",
    "ReplicaSet",
    "ReplicationController",
    "Revision",
    "Rollout",
    "Service",
    "StatefulSet",
];

/// How far images are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reading {
    /// All of them.
    Whole(Functions),
    /// What they say of themselves; no layer.
    Config,
}

/// Reads every image of the manifests.
///
/// # Errors
/// When there are no manifests, or registries cannot be asked at all.
pub fn read(
    manifests: &[PathBuf],
    choice: &ChoiceArguments,
    settings: &Settings,
    reading: Reading,
) -> Result<Fleet, Failure> {
    let (input, pulls) = pulls::read(manifests, &choice.registry, settings)?;
    some_object(&input)?;
    let mut by_digest: BTreeMap<String, FleetImage> = BTreeMap::new();
    let mut unavailable = Vec::new();
    let all = workloads::images(&input.value);
    let count = all.len();
    for (number, (name, run_by)) in all.into_iter().enumerate() {
        settings.progress.stage(&format!("image {} of {count}: {name}", number + 1));
        let pull = name.parse().map_err(Failure::new).and_then(|reference| {
            let pull = pulls.of(&reference, &run_by)?;
            Ok((reference, pull))
        });
        let (found, pull) = match pull {
            Ok((reference, pull)) => {
                let found =
                    read_one(pull.registry(), &reference, &name, choice, &settings.progress, reading, &by_digest);
                (found.map_err(|failure| pulls::told(failure.message(), &pull.not_with)), pull.with)
            }
            Err(failure) => (Err(failure.message()), None),
        };
        match found {
            Ok(Found::Known(digest)) => {
                let known = by_digest.get_mut(&digest).expect("it was found in there");
                known.names.insert(name);
                known.run_by.extend(run_by);
                known.pulled_with.extend(pull);
            }
            Ok(Found::New(catalogue)) => {
                let digest = catalogue.config.digest.clone();
                // An index and the image that was chosen from it are one image.
                let image = by_digest.entry(digest).or_insert_with(|| FleetImage {
                    catalogue: *catalogue,
                    names: BTreeSet::new(),
                    run_by: BTreeSet::new(),
                    pulled_with: BTreeSet::new(),
                });
                image.names.insert(name);
                image.run_by.extend(run_by);
                image.pulled_with.extend(pull);
            }
            Err(why) => unavailable.push(Unavailable { name, why, run_by }),
        }
    }
    settings.progress.clear();
    let mut images: Vec<FleetImage> = by_digest.into_values().collect();
    images.sort_by(|a, b| a.names.cmp(&b.names));
    Ok(Fleet { images, unavailable, status: status(&input), problems: problems(input) })
}

/// Manifests of nothing are no answer: whatever should have written them has failed, and that all images of none are good
/// would be a yes.
///
/// # Errors
/// When there is no object, and nothing that could have been one.
pub fn some_object(input: &Outcome<Inventory>) -> Result<(), Failure> {
    if !input.value.is_empty() || input.problems.iter().any(|problem| problem.effect != Effect::Harmless) {
        return Ok(());
    }
    Err(Failure::new("there is no object in the manifests, so no image was asked about")
        .hint(Hint::Change("look whether what writes them has failed: `set -o pipefail`".into())))
}

enum Found {
    Known(String),
    New(Box<Catalogue>),
}

fn read_one(
    registry: &Registry,
    reference: &Reference,
    name: &str,
    choice: &ChoiceArguments,
    progress: &Progress,
    reading: Reading,
    known: &BTreeMap<String, FleetImage>,
) -> Result<Found, Failure> {
    // Asked for by digest once known: the same bytes, wherever they lie.
    let resolved = registry.resolve(&reference.repository, reference.version()).map_err(Failure::new)?;
    let same = |image: &&FleetImage| {
        let config = &image.catalogue.config;
        config.digest == resolved.digest || config.index_digest.as_ref() == Some(&resolved.digest)
    };
    if let Some(image) = known.values().find(same) {
        return Ok(Found::Known(image.catalogue.config.digest.clone()));
    }
    let exact = reference.repository.at(&resolved.digest);
    let platform = choice.platform.as_ref();
    let mut catalogue = match reading {
        Reading::Whole(functions) => catalogue::read_remote(registry, &exact, platform, progress, functions)?,
        Reading::Config => catalogue::read_remote_config(registry, &exact, platform)?,
    };
    catalogue.config.name = name.to_owned();
    Ok(Found::New(Box::new(catalogue)))
}

fn status(input: &Outcome<Inventory>) -> ExitStatus {
    input::status(input)
}

/// The manifests' own, and what makes pods and is not read.
fn problems(input: Outcome<Inventory>) -> Vec<Problem> {
    let unread = unread(&input.value);
    input.problems.into_iter().chain(unread).collect()
}

/// What makes pods and is not read: nobody knows which images they are.
pub fn unread(inventory: &Inventory) -> Vec<Problem> {
    let makes_pods = inventory.other_kinds.iter().filter(|((_, kind), _)| MAKE_PODS.contains(&&**kind));
    makes_pods
        .map(|((version, kind), count)| {
            let message = format!("{count} objects of `{version} {kind}` are not read: what they run is not known");
            Problem::error("images-of-unknown-kind", message)
        })
        .collect()
}

impl Fleet {
    /// One image, which nobody is known to run.
    pub fn of_one(catalogue: Catalogue) -> Self {
        let names = [catalogue.config.name.clone()].into();
        let images = vec![FleetImage { catalogue, names, run_by: BTreeSet::new(), pulled_with: BTreeSet::new() }];
        Self { images, unavailable: Vec::new(), problems: Vec::new(), status: ExitStatus::Clean }
    }

    /// Unusable when nothing could be had at all, undecided when something is missing.
    pub fn status(&self) -> ExitStatus {
        let is_incomplete = self.problems.iter().any(|it| it.effect == Effect::MayChangeAnswers)
            || self.images.iter().any(|it| catalogue::status(&it.catalogue) != ExitStatus::Clean);
        match (self.images.is_empty(), self.unavailable.is_empty()) {
            _ if self.status == ExitStatus::Unusable => ExitStatus::Unusable,
            (true, false) => ExitStatus::Unusable,
            (_, false) => ExitStatus::Undecided,
            (_, true) if is_incomplete => ExitStatus::Undecided,
            (_, true) => self.status,
        }
    }

    /// Says what could not be had, on standard error.
    pub fn print_troubles(&self) {
        for it in &self.unavailable {
            eprintln!("not read: `{}`: {}", it.name, it.why);
            eprintln!("  run by {}", told(&it.run_by));
        }
        for image in &self.images {
            for secret in &image.pulled_with {
                let names: Vec<&str> = image.names.iter().map(String::as_str).collect();
                eprintln!("pulled with the Secret `{secret}` of the manifests: {}", names.join(", "));
            }
            input::print_problems(&image.catalogue.problems);
        }
        input::print_problems(&self.problems);
    }
}

/// `Deployment shop/web (nginx), Job shop/migrate (init setup)`, and how many more.
pub fn told(run_by: &BTreeSet<User>) -> String {
    const SHOWN: usize = 6;
    let names: Vec<String> =
        run_by.iter().take(SHOWN).map(|user| format!("{} ({})", user.workload, user.part)).collect();
    let more = run_by.len().saturating_sub(SHOWN);
    if more > 0 { format!("{} and {more} more", names.join(", ")) } else { names.join(", ") }
}
