//! Packages of each kind, with their purls.

use std::sync::Arc;

use super::{Context, File};
use crate::apk::ApkPackage;
use crate::collector::Fact;
use crate::dpkg::DpkgPackage;
use crate::go::{GoBinary, GoModule};
use crate::java::Artifact;
use crate::lock::Locked;
use crate::package::{Ecosystem, Evidence, Package, SourcePackage};
use crate::program::Program;
use crate::purl::PackageUrl;
use crate::python;
use crate::rpm::{self, RpmPackage};
use crate::rust::Crate;

impl Context<'_> {
    /// The packages that a file proves.
    pub fn packages(&self, file: &File, fact: &Fact, packages: &mut Vec<Package>) {
        match fact {
            Fact::Dpkg(found) => packages.extend(found.iter().map(|it| self.dpkg(file, it))),
            Fact::Apk(found) => packages.extend(found.iter().map(|it| self.apk(file, it))),
            Fact::Rpm(database) => packages.extend(database.packages.iter().map(|it| self.rpm(file, it))),
            Fact::Python(it) => {
                let mut package =
                    self.package(file, Ecosystem::PyPi, &it.name, &it.version, Evidence::InstalledMetadata);
                package.licences.clone_from(&it.licences);
                packages.push(package);
            }
            Fact::Node(it) => {
                let mut package =
                    self.package(file, Ecosystem::Npm, &it.name, &it.version, Evidence::InstalledMetadata);
                package.licences.clone_from(&it.licences);
                packages.push(package);
            }
            Fact::Gem(it) => {
                let mut package =
                    self.package(file, Ecosystem::RubyGems, &it.name, &it.version, Evidence::InstalledMetadata);
                package.licences.clone_from(&it.licences);
                package.purl =
                    purl(&package.ecosystem, &it.name, &it.version).with("platform", &it.platform).to_string();
                package.architecture = Some(it.platform.clone()).filter(|platform| !platform.is_empty());
                packages.push(package);
            }
            Fact::Archive(artifacts) => packages.extend(artifacts.named.iter().map(|it| self.artifact(file, it))),
            Fact::Program(Program::Go(binary)) => self.go(file, binary, packages),
            Fact::Program(Program::Rust(crates)) => packages.extend(crates.iter().map(|it| self.rust(file, it))),
            Fact::Lock(locked) => packages.extend(locked.iter().map(|it| self.locked(file, it))),
            Fact::Program(Program::BareGo | Program::BareRust | Program::Plain | Program::Unreadable)
            | Fact::Distribution(_)
            | Fact::DpkgFiles(..)
            | Fact::UnknownDatabase
            | Fact::PythonFiles(_)
            // What the files themselves prove comes first: see `bills`.
            | Fact::Bill(_)
            | Fact::Unreadable => {}
        }
    }

    fn package(&self, file: &File, ecosystem: Ecosystem, name: &str, version: &str, evidence: Evidence) -> Package {
        Package {
            name: name.to_owned(),
            version: version.to_owned(),
            purl: purl(&ecosystem, name, version).to_string(),
            owned_by: match ecosystem.release() {
                Some(_) => None,
                None => self.owners.package(file.path.trim_start_matches('/')).map(str::to_owned),
            },
            ecosystem,
            possible_names: Vec::new(),
            source: None,
            architecture: None,
            path: file.path.clone(),
            layer: file.layer.clone(),
            evidence,
            licences: Vec::new(),
            go: None,
            development: false,
        }
    }

    fn dpkg(&self, file: &File, it: &DpkgPackage) -> Package {
        let ecosystem = Ecosystem::Dpkg(self.release.clone());
        let mut package = self.package(file, ecosystem, &it.name, &it.version, Evidence::PackageDatabase);
        package.source = it.source.clone().map(|(name, version)| SourcePackage { name, version });
        package.architecture = Some(it.architecture.clone()).filter(|it| !it.is_empty());
        let upstream = package.source.as_ref().map(|source| match source.version == it.version {
            true => source.name.clone(),
            false => format!("{}@{}", source.name, source.version),
        });
        package.purl = self.distribution_purl(&package, &it.version, &upstream.unwrap_or_default()).to_string();
        package
    }

    fn apk(&self, file: &File, it: &ApkPackage) -> Package {
        let ecosystem = Ecosystem::Apk(self.release.clone());
        let mut package = self.package(file, ecosystem, &it.name, &it.version, Evidence::PackageDatabase);
        let origin = Some(&it.origin).filter(|origin| !origin.is_empty() && **origin != it.name);
        package.source = origin.map(|origin| SourcePackage { name: origin.clone(), version: it.version.clone() });
        package.architecture = Some(it.architecture.clone()).filter(|it| !it.is_empty());
        package.licences = Some(it.licence.clone()).filter(|it| !it.is_empty()).into_iter().collect();
        let upstream = origin.cloned().unwrap_or_default();
        package.purl = self.distribution_purl(&package, &it.version, &upstream).to_string();
        package
    }

    fn rpm(&self, file: &File, it: &RpmPackage) -> Package {
        let ecosystem = Ecosystem::Rpm(self.release.clone());
        let mut package = self.package(file, ecosystem, &it.name, &it.version, Evidence::PackageDatabase);
        let source = rpm::parse_source(&it.source);
        package.source =
            source.map(|(name, version)| SourcePackage { name: name.to_owned(), version: version.to_owned() });
        package.architecture = Some(it.architecture.clone()).filter(|it| !it.is_empty());
        package.licences = Some(it.licence.clone()).filter(|it| !it.is_empty()).into_iter().collect();
        // A purl of rpm has the epoch beside the version.
        let bare = it.version.split_once(':').map_or(&*it.version, |(_, version)| version);
        let epoch = it.epoch.map(|epoch| epoch.to_string()).unwrap_or_default();
        package.purl = self
            .distribution_purl(&package, bare, if source.is_some() { &it.source } else { "" })
            .with("epoch", &epoch)
            .with("rpmmod", &it.module)
            .to_string();
        package
    }

    /// `pkg:deb/debian/libc6@2.36-9?arch=amd64&distro=debian-12&upstream=glibc`.
    fn distribution_purl(&self, package: &Package, version: &str, upstream: &str) -> PackageUrl {
        let (id, version_id) = (&*self.release.id, &*self.release.version_id);
        let namespace = if id == "rhel" { "redhat" } else { id };
        let distribution = if version_id.is_empty() { id.to_owned() } else { format!("{id}-{version_id}") };
        PackageUrl::new(package.ecosystem.purl_type(), &package.name, version)
            .within(namespace)
            .with("arch", package.architecture.as_deref().unwrap_or(""))
            .with("distro", &distribution)
            .with("upstream", upstream)
    }

    fn artifact(&self, file: &File, it: &Artifact) -> Package {
        let name =
            |group: &str| if group.is_empty() { it.artifact.clone() } else { format!("{group}:{}", it.artifact) };
        let mut package = self.package(file, Ecosystem::Maven, &name(&it.group), &it.version, it.evidence);
        package.path.push_str(&it.inside);
        package.possible_names = it.other_groups.iter().map(|group| name(group)).collect();
        package
    }

    fn rust(&self, file: &File, it: &Crate) -> Package {
        self.package(file, Ecosystem::CratesIo, &it.name, &it.version, Evidence::BuildInfo)
    }

    fn locked(&self, file: &File, it: &Locked) -> Package {
        let mut package = self.package(file, it.ecosystem.clone(), &it.name, &it.version, Evidence::LockFile);
        package.development = it.development;
        package
    }

    /// The standard library, the program itself, and its modules.
    fn go(&self, file: &File, binary: &Arc<GoBinary>, packages: &mut Vec<Package>) {
        let mut add = |name: &str, version: &str| {
            let mut package = self.package(file, Ecosystem::Go, name, version, Evidence::BuildInfo);
            package.go = Some(binary.clone());
            packages.push(package);
        };
        add("stdlib", &binary.standard_library_version());
        if let Some(main) = &binary.main {
            add(&main.path, &binary.main_version().unwrap_or_else(|| main.version.clone()));
        }
        for module in &binary.modules {
            match &module.replaces {
                // Replaced by a folder: the code may be anything, and its name is still the module's.
                Some(replaced) if is_folder(module) => add(replaced, "(devel)"),
                Some(_) | None => add(&module.path, &module.version),
            }
        }
    }
}

fn is_folder(module: &GoModule) -> bool {
    module.path.starts_with(['.', '/'])
}

/// The purl of a package of a language.
pub fn purl(ecosystem: &Ecosystem, name: &str, version: &str) -> PackageUrl {
    let kind = ecosystem.purl_type();
    let spaced = |mark| name.rsplit_once(mark).unwrap_or(("", name));
    match ecosystem {
        Ecosystem::PyPi => PackageUrl::new(kind, &python::normalised_name(name), version),
        Ecosystem::Npm => {
            let (scope, name) = spaced('/');
            PackageUrl::new(kind, name, version).within(scope)
        }
        Ecosystem::Go => {
            let name = name.to_ascii_lowercase();
            let (space, name) = name.rsplit_once('/').unwrap_or(("", &name));
            PackageUrl::new(kind, name, if version == "(devel)" { "" } else { version }).within(space)
        }
        Ecosystem::Maven => {
            let (group, artifact) = spaced(':');
            PackageUrl::new(kind, artifact, version).within(group)
        }
        Ecosystem::RubyGems | Ecosystem::CratesIo | Ecosystem::Dpkg(_) | Ecosystem::Apk(_) | Ecosystem::Rpm(_) => {
            PackageUrl::new(kind, name, version)
        }
    }
}
