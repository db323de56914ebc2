//! From what is known of files to packages: whose they are, and what nobody answers for.

mod bills;
mod owners;
mod packages;

use std::collections::BTreeMap;

use palisade_model::Problem;

use crate::catalogue::{Catalogue, Distribution, ImageConfig, Layer, Unidentified, Unknown};
use crate::collector::Fact;
use crate::file_set::{FileSet, Held};
use crate::package::{LayerRef, Package, Release};
use crate::program::Program;
use owners::Owners;

type Files = BTreeMap<Box<str>, Held<Fact>>;

/// Makes the catalogue of an image whose layers have all been read.
pub(crate) fn catalogue(
    files: FileSet<Fact>,
    layers: Vec<Layer>,
    problems: Vec<Problem>,
    config: ImageConfig,
) -> Catalogue {
    let files = files.into_files();
    let distribution = distribution(&files);
    let owners = Owners::of(&files);
    let context = Context { release: distribution.release(), layers: &layers, owners: &owners };
    let mut packages = Vec::new();
    let mut unidentified = Vec::new();
    for (path, held) in &files {
        let file = File { path: format!("/{path}"), layer: context.layer(held.layer) };
        context.packages(&file, &held.fact, &mut packages);
        context.unidentified(path, &file, &held.fact, &mut unidentified);
    }
    context.bills(&files, &mut packages);
    packages.sort_by(|a, b| order(a).cmp(&order(b)));
    packages.dedup();
    unidentified.sort();
    Catalogue { distribution, packages, unidentified, problems, layers, config }
}

fn order(package: &Package) -> (&crate::Ecosystem, &str, &str, &str, Option<&str>) {
    (&package.ecosystem, &package.name, &package.version, &package.path, package.architecture.as_deref())
}

/// The first file that names one.
fn distribution(files: &Files) -> Distribution {
    let found = crate::distribution::FILES.iter().filter_map(|path| match files.get(*path) {
        Some(Held { fact: Fact::Distribution(distribution), .. }) => Some(distribution.clone()),
        Some(_) | None => None,
    });
    let mut found: Vec<Distribution> = found.collect();
    let named = found.iter().position(|it| !it.id.is_empty()).unwrap_or(0);
    if found.is_empty() { Distribution::default() } else { found.swap_remove(named) }
}

/// What packages are made with.
struct Context<'a> {
    release: Release,
    layers: &'a [Layer],
    owners: &'a Owners,
}

/// The file that a package is known by.
struct File {
    /// Absolute.
    path: String,
    layer: LayerRef,
}

impl Context<'_> {
    fn layer(&self, index: u32) -> LayerRef {
        let layer = self.layers.iter().find(|layer| layer.reference.index == index);
        layer.map_or(LayerRef { index, diff_id: "".into(), digest: "".into() }, |layer| layer.reference.clone())
    }

    /// What of the file looks like software and is not known.
    fn unidentified(&self, path: &str, file: &File, fact: &Fact, unidentified: &mut Vec<Unidentified>) {
        let mut add = |path: String, why| unidentified.push(Unidentified { path, layer: file.layer.clone(), why });
        let why = match fact {
            Fact::Archive(artifacts) => {
                if self.owners.package(path).is_some() {
                    return;
                }
                for inside in &artifacts.unnamed {
                    add(format!("{}{inside}", file.path), Unknown::ArchiveWithoutCoordinates);
                }
                for inside in &artifacts.unreadable {
                    add(format!("{}{inside}", file.path), Unknown::Unreadable);
                }
                return;
            }
            Fact::UnknownDatabase => Unknown::UnknownDatabase,
            Fact::Unreadable => Unknown::Unreadable,
            Fact::Program(program) => match program {
                Program::Go(_) | Program::Rust(_) => return,
                Program::BareGo => Unknown::GoWithoutBuildInfo,
                Program::BareRust => Unknown::RustWithoutDependencies,
                Program::Plain => Unknown::ProgramWithoutBuildInfo,
                Program::Unreadable => Unknown::Unreadable,
            },
            Fact::Distribution(_)
            | Fact::Dpkg(_)
            | Fact::DpkgFiles(..)
            | Fact::Apk(_)
            | Fact::Rpm(_)
            | Fact::Python(_)
            | Fact::PythonFiles(_)
            | Fact::Node(_)
            | Fact::Gem(_)
            | Fact::Bill(_)
            | Fact::Lock(_) => return,
        };
        if self.owners.package(path).is_none() && !self.owners.is_of_a_language(path) {
            add(file.path.clone(), why);
        }
    }
}
