//! What the bills of buildpacks add to what the files prove.

use std::collections::HashSet;

use super::{Context, File, Files};
use crate::collector::Fact;
use crate::package::{Ecosystem, Evidence, Package};
use crate::purl::PackageUrl;

/// What makes two packages the same one, whoever tells of them.
type Key = (String, Option<String>, String, String);

impl Context<'_> {
    /// Adds what bills alone tell. A package that a file proves is told by the file, in whatever version it has in there: a
    /// buildpack often writes one bill in three forms, and names what lies in the image as well.
    pub fn bills(&self, files: &Files, packages: &mut Vec<Package>) {
        let mut known: HashSet<Key> = packages.iter().map(key).collect();
        let has_database = packages.iter().any(|it| it.ecosystem.release().is_some());
        for (path, held) in files {
            let Fact::Bill(told) = &held.fact else { continue };
            let file = File { path: format!("/{path}"), layer: self.layer(held.layer) };
            for it in told {
                // Of the distribution's packages its own database is the list.
                let is_told = it.ecosystem.release().is_some() && has_database;
                if !is_told && known.insert(key(it)) {
                    packages.push(self.told(&file, it));
                }
            }
        }
    }

    /// As it is told, proven by the bill.
    fn told(&self, file: &File, it: &Package) -> Package {
        let mut package =
            Package { path: file.path.clone(), layer: file.layer.clone(), evidence: Evidence::Sbom, ..it.clone() };
        if let Ecosystem::Dpkg(release) | Ecosystem::Apk(release) | Ecosystem::Rpm(release) = &mut package.ecosystem
            && release.version_id.is_empty()
        {
            *release = self.release.clone();
        }
        package
    }
}

/// An archive of Java that does not say its group has a guessed one: those are told apart by artifact and version.
fn key(package: &Package) -> Key {
    let url = PackageUrl::parse(&package.purl).unwrap_or_default();
    let namespace = url.namespace.filter(|_| package.ecosystem != Ecosystem::Maven);
    (url.kind, namespace, url.name, package.version.clone())
}
