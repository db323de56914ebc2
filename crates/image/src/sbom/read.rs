//! Bills of materials that were read instead of an image, or that buildpacks put into one: CycloneDX and SPDX as JSON, of
//! this program and of others, and syft's own form.

use std::sync::Arc;

use palisade_model::Problem;
use serde::de::DeserializeSeed as _;

use super::parse::{Artifact, Component, Distro, Document, LicenceChoice, SpdxPackage, Takes, Text, Top};
use crate::catalogue::{Catalogue, Distribution, ImageConfig};
use crate::package::{Ecosystem, Evidence, LayerRef, Package, Release, SourcePackage};
use crate::purl::PackageUrl;
use crate::rpm;

/// Why a bill cannot be read at all.
#[derive(Debug, thiserror::Error)]
pub enum BillError {
    /// No JSON, or not of the shape that one of the forms has.
    #[error("not JSON of a bill of materials")]
    Json(#[from] serde_json::Error),
    /// JSON of another kind.
    #[error("neither CycloneDX, SPDX 2 nor syft's JSON")]
    Unknown,
}

/// Packages of one bill; the largest have some 50,000.
const MOST_PACKAGES: usize = 1_000_000;

/// Reads a bill. Components without a purl that can be read are counted in a problem: nothing is known of them.
///
/// # Errors
/// When it is none.
pub fn read_bill(bytes: &[u8]) -> Result<Catalogue, BillError> {
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    // Which form it is may stand behind all that is in it.
    let mut forms = Forms::default();
    let top = Document(&mut forms).deserialize(&mut deserializer)?;
    deserializer.end()?;
    let mut found = if top.bom_format == "CycloneDX" {
        forms.cyclonedx
    } else if top.spdx_version.starts_with("SPDX-2") {
        forms.spdx
    } else if top.schema.url.0.contains("syft") {
        forms.syft
    } else {
        return Err(BillError::Unknown);
    };
    found.of_top(top);
    Ok(found.catalogue())
}

/// What was found so far, by the forms that it may be of.
#[derive(Default)]
struct Forms {
    cyclonedx: Found,
    spdx: Found,
    syft: Found,
}

impl Takes for Forms {
    fn component(&mut self, component: Component) {
        match &*component.kind {
            "operating-system" => self.cyclonedx.system(&component.name, &component.version),
            "file" => {}
            _ => self.cyclonedx.component(&component),
        }
    }

    fn spdx(&mut self, package: SpdxPackage) {
        self.spdx.spdx(&package);
    }

    fn artifact(&mut self, artifact: Artifact) {
        self.syft.artifact(&artifact);
    }
}

/// What was found so far.
#[derive(Default)]
struct Found {
    packages: Vec<Package>,
    distribution: Distribution,
    config: ImageConfig,
    unnamed: usize,
    /// Packages past the most that are taken.
    cut: usize,
}

impl Found {
    /// What stands at the top: what the bill is of.
    fn of_top(&mut self, top: Top) {
        let Distro { id: Text(id), version: Text(version) } = &top.distribution;
        if !id.is_empty() {
            self.system(id, version);
        }
        let subject = top.metadata.component.unwrap_or_default();
        let names = [top.name, subject.name.0, top.source.name.0];
        self.config.name = names.into_iter().find(|name| !name.is_empty()).unwrap_or_default();
        if let Some(digest) = [subject.version.0, top.source.version.0].into_iter().find(|it| it.starts_with("sha256:"))
        {
            self.config.digest = digest;
        }
        self.config.created = Some(top.metadata.timestamp.0).filter(|it| !it.is_empty());
    }

    fn system(&mut self, id: &str, version: &str) {
        self.distribution.id = id.to_ascii_lowercase().into();
        self.distribution.version_id = version.into();
    }

    fn component(&mut self, component: &Component) {
        let properties = &component.properties.0;
        let property = |name: &str| {
            let found = properties.iter().rfind(|it| it.name.0 == name);
            found.map_or("", |it| &*it.value.0)
        };
        let Some(mut package) = self.package(&component.purl, &component.version) else { return };
        respell(&mut package, &component.name);
        let occurrence = component.evidence.occurrences.0.first().map_or("", |it| &*it.location.0);
        let path = [occurrence, property("syft:location:0:path"), property("aquasecurity:trivy:FilePath")];
        first(&path).clone_into(&mut package.path);
        package.layer = LayerRef {
            index: property("palisade:layer:index").parse().unwrap_or(0),
            diff_id: first(&[property("palisade:layer:diffId"), property("syft:location:0:layerID")]).into(),
            digest: property("palisade:layer:digest").into(),
        };
        if !property("palisade:source:name").is_empty() {
            let (name, version) = (property("palisade:source:name"), property("palisade:source:version"));
            package.source = Some(SourcePackage { name: name.to_owned(), version: version.to_owned() });
        }
        package.development = component.scope == "excluded";
        package.possible_names =
            properties.iter().filter(|it| it.name.0 == "palisade:possibleName").map(|it| it.value.0.clone()).collect();
        package.licences = component.licences.0.iter().filter_map(licence).collect();
        self.packages.push(package);
    }

    fn spdx(&mut self, stored: &SpdxPackage) {
        let (purpose, version) = (&*stored.primary_package_purpose.0, &*stored.version_info.0);
        if purpose == "OPERATING-SYSTEM" {
            return self.system(&stored.name.0, version);
        }
        let purl = stored.external_refs.0.iter().find(|it| it.reference_type.0 == "purl");
        let locator = purl.map_or("", |it| &*it.reference_locator.0);
        if locator.is_empty() && (purpose == "CONTAINER" || version.starts_with("sha256:")) {
            return version.clone_into(&mut self.config.digest);
        }
        // The folder that a bill is of.
        if locator.is_empty() && purpose == "FILE" {
            return;
        }
        let Some(mut package) = self.package(locator, version) else { return };
        respell(&mut package, &stored.name.0);
        let info = &*stored.source_info.0;
        let path = info.strip_prefix("found in ").and_then(|rest| rest.split(", layer ").next());
        package.path = path.unwrap_or(info).to_owned();
        let declared = Some(&stored.license_declared.0).filter(|it| !matches!(&***it, "" | "NOASSERTION" | "NONE"));
        package.licences = declared.cloned().into_iter().collect();
        self.packages.push(package);
    }

    fn artifact(&mut self, stored: &Artifact) {
        let Some(mut package) = self.package(&stored.purl.0, &stored.version.0) else { return };
        respell(&mut package, &stored.name.0);
        if let Some(location) = stored.locations.0.first() {
            package.path.clone_from(&location.path.0);
            package.layer.diff_id = location.layer.0.as_str().into();
        }
        self.packages.push(package);
    }

    /// `None`, and counted, when nothing says which package it is.
    fn package(&mut self, purl: &str, version: &str) -> Option<Package> {
        let parsed = PackageUrl::parse(purl);
        let named = parsed.as_ref().and_then(|purl| Some((ecosystem(purl)?, purl)));
        let Some((ecosystem, url)) = named else {
            self.unnamed += 1;
            return None;
        };
        if self.packages.len() >= MOST_PACKAGES {
            self.cut += 1;
            return None;
        }
        if let Some(release) = ecosystem.release()
            && self.distribution.id.is_empty()
        {
            self.distribution.id = release.id.clone();
            self.distribution.version_id = release.version_id.clone();
        }
        let version = version_of(&ecosystem, url, version);
        Some(Package {
            name: name(&ecosystem, url),
            source: url.qualifier("upstream").and_then(|upstream| source(&ecosystem, upstream, &version)),
            version,
            architecture: url.qualifier("arch").or_else(|| url.qualifier("platform")).map(str::to_owned),
            purl: url.to_string(),
            ecosystem,
            possible_names: Vec::new(),
            path: String::new(),
            layer: LayerRef { index: 0, diff_id: "".into(), digest: "".into() },
            evidence: Evidence::Sbom,
            owned_by: None,
            licences: Vec::new(),
            go: None,
            development: false,
        })
    }

    fn catalogue(mut self) -> Catalogue {
        let mut problems = Vec::new();
        if self.unnamed > 0 {
            let message = format!("{} components have no package URL that can be read", self.unnamed);
            problems.push(Problem::warning("image-component-without-purl", message));
        }
        if self.cut > 0 {
            let message = format!("more than {MOST_PACKAGES} packages: {} are left out", self.cut);
            problems.push(Problem::error("image-too-many-packages", message));
        }
        // A bill may name the distribution only once, and not in each purl.
        for package in &mut self.packages {
            if let Ecosystem::Dpkg(release) | Ecosystem::Apk(release) | Ecosystem::Rpm(release) = &mut package.ecosystem
                && release.version_id.is_empty()
                && (release.id == self.distribution.id || release.id.is_empty())
            {
                *release = self.distribution.release();
            }
        }
        self.packages.sort_by(|a, b| {
            (&a.ecosystem, &a.name, &a.version, &a.path).cmp(&(&b.ecosystem, &b.name, &b.version, &b.path))
        });
        self.packages.dedup();
        Catalogue {
            distribution: self.distribution,
            packages: self.packages,
            unidentified: Vec::new(),
            problems,
            layers: Vec::new(),
            config: self.config,
        }
    }
}

/// The name as it is written: some purls are in lower case alone.
fn respell(package: &mut Package, written: &str) {
    if package.name.eq_ignore_ascii_case(written) {
        written.clone_into(&mut package.name);
    }
}

fn first<'t>(texts: &[&'t str]) -> &'t str {
    texts.iter().copied().find(|text| !text.is_empty()).unwrap_or("")
}

fn licence(choice: &LicenceChoice) -> Option<String> {
    let named = choice.license.as_ref().map_or(["", ""], |it| [&it.id.0, &it.name.0]);
    let said = first(&[named[0], named[1], &choice.expression.0]);
    (!said.is_empty()).then(|| said.to_owned())
}

fn ecosystem(purl: &PackageUrl) -> Option<Ecosystem> {
    Some(match purl.kind.as_str() {
        "deb" => Ecosystem::Dpkg(release(purl)),
        "apk" => Ecosystem::Apk(release(purl)),
        "rpm" => Ecosystem::Rpm(release(purl)),
        "pypi" => Ecosystem::PyPi,
        "npm" => Ecosystem::Npm,
        "gem" => Ecosystem::RubyGems,
        "golang" => Ecosystem::Go,
        "cargo" => Ecosystem::CratesIo,
        "maven" => Ecosystem::Maven,
        _ => return None,
    })
}

/// `distro=debian-12`; some write the number alone, or a code name.
fn release(purl: &PackageUrl) -> Release {
    let namespace = purl.namespace.as_deref().unwrap_or("");
    let id = if namespace == "redhat" { "rhel" } else { namespace };
    let distribution = purl.qualifier("distro").unwrap_or("");
    let (id, version): (&str, &str) = match distribution.rsplit_once('-') {
        Some((id, version)) if version.starts_with(|it: char| it.is_ascii_digit()) => (id, version),
        _ if distribution.starts_with(|it: char| it.is_ascii_digit()) => (id, distribution),
        _ => (id, ""),
    };
    Release { id: Arc::from(id), version_id: Arc::from(version) }
}

fn name(ecosystem: &Ecosystem, purl: &PackageUrl) -> String {
    let joined = |mark: char| match &purl.namespace {
        Some(namespace) => format!("{namespace}{mark}{}", purl.name),
        None => purl.name.clone(),
    };
    match ecosystem {
        Ecosystem::Npm | Ecosystem::Go => joined('/'),
        Ecosystem::Maven => joined(':'),
        Ecosystem::Dpkg(_)
        | Ecosystem::Apk(_)
        | Ecosystem::Rpm(_)
        | Ecosystem::PyPi
        | Ecosystem::RubyGems
        | Ecosystem::CratesIo => purl.name.clone(),
    }
}

/// The purl's version, with rpm's epoch before it; what the bill says beside it where the purl says none.
fn version_of(ecosystem: &Ecosystem, purl: &PackageUrl, said: &str) -> String {
    let version = purl.version.as_deref().unwrap_or(said);
    match (ecosystem, purl.qualifier("epoch")) {
        (Ecosystem::Rpm(_), Some(epoch)) if epoch != "0" && !version.contains(':') => format!("{epoch}:{version}"),
        _ if purl.name == "stdlib" => version.trim_start_matches("go").to_owned(),
        _ => version.to_owned(),
    }
}

/// `glibc`, `gcc-12@12.2.0-14`, `bash-5.1.8-6.el9.src.rpm`.
fn source(ecosystem: &Ecosystem, upstream: &str, version: &str) -> Option<SourcePackage> {
    let (name, version) = match ecosystem {
        Ecosystem::Rpm(_) => rpm::parse_source(upstream)?,
        _ => upstream.split_once('@').unwrap_or((upstream, version)),
    };
    Some(SourcePackage { name: name.to_owned(), version: version.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bills_of_others_are_read() {
        let bill = r#"{"bomFormat":"CycloneDX","metadata":{"component":{"name":"x","version":"sha256:ab"}},"components":[
            {"type":"operating-system","name":"debian","version":"12"},
            {"type":"library","name":"libc6","version":"2.36-9","purl":"pkg:deb/debian/libc6@2.36-9?arch=amd64&upstream=glibc"},
            {"type":"library","name":"openssl","purl":"pkg:rpm/redhat/openssl@3.0.1-41.el9?epoch=1&distro=rhel-9.2&upstream=openssl-3.0.1-41.el9.src.rpm"},
            {"type":"application","name":"app","components":[{"type":"library","name":"a","purl":"pkg:npm/%40s/a@1.0.0",
             "licenses":[{"license":{"id":"MIT"}}],"properties":[{"name":"syft:location:0:path","value":"/a/package.json"}]}]}]}"#;
        let catalogue = read_bill(bill.as_bytes()).expect("a bill");
        let row = |it: &Package| {
            format!("{} | {} {} | {:?}", it.ecosystem, it.name, it.version, it.source.as_ref().map(|it| &it.name))
        };
        let rows: Vec<String> = catalogue.packages.iter().map(row).collect();
        assert_eq!(
            rows,
            [
                "debian 12 | libc6 2.36-9 | Some(\"glibc\")",
                "rhel 9.2 | openssl 1:3.0.1-41.el9 | Some(\"openssl\")",
                "npm | @s/a 1.0.0 | None"
            ]
        );
        assert_eq!((&*catalogue.packages[2].path, &*catalogue.config.digest), ("/a/package.json", "sha256:ab"));
        assert_eq!(catalogue.problems[0].message, "1 components have no package URL that can be read");
    }

    #[test]
    fn syfts_own_form_is_read() {
        let bill = r#"{"artifacts":[
            {"id":"1","name":"zlib1g","version":"1:1.2.13","type":"deb","locations":[{"path":"/var/lib/dpkg/status","layerID":"sha256:1"}],
             "licenses":[{"value":"Zlib"}],"purl":"pkg:deb/debian/zlib1g@1%3A1.2.13?arch=amd64&upstream=zlib"},
            {"name":"node","version":"20","type":"binary","purl":""},
            {"name":"ws","version":"7.4.5","locations":null,"purl":"pkg:npm/ws@7.4.5","metadata":{"authors":[1,2]}}],
            "distro":{"id":"debian","versionID":"12","idLike":["x"]},"source":{"name":"shop","version":"sha256:ab","metadata":{}},
            "schema":{"version":"16","url":"https://raw.githubusercontent.com/anchore/syft/main/schema/json/schema-16.json"}}"#;
        let catalogue = read_bill(bill.as_bytes()).expect("a bill");
        let row = |it: &Package| format!("{} | {} {} | {}", it.ecosystem, it.name, it.version, it.path);
        let rows: Vec<String> = catalogue.packages.iter().map(row).collect();
        assert_eq!(rows, ["debian 12 | zlib1g 1:1.2.13 | /var/lib/dpkg/status", "npm | ws 7.4.5 | "]);
        assert_eq!((&*catalogue.config.name, &*catalogue.config.digest), ("shop", "sha256:ab"));
        assert_eq!(catalogue.problems.len(), 1);
    }

    #[test]
    fn what_is_said_twice_or_in_another_shape_loses_nothing_else() {
        let bill = r#"{"components":[{"name":"a","purl":"pkg:npm/a@1","version":1,"properties":null}],"specVersion":[{}],
            "components":[{"name":"b","purl":"pkg:npm/b@1","licenses":null,"evidence":null}],"metadata":null,
            "packages":[{"name":"c"}],"bomFormat":"CycloneDX"}"#;
        let catalogue = read_bill(bill.as_bytes()).expect("a bill");
        let names: Vec<&str> = catalogue.packages.iter().map(|it| &*it.name).collect();
        assert_eq!((names, catalogue.problems.len()), (vec!["a", "b"], 0));
    }

    #[test]
    fn what_is_no_bill_is_refused() {
        let deep = format!(r#"{{"bomFormat":"CycloneDX","components":{}"#, "[{\"components\":".repeat(10_000));
        for text in [
            "",
            "[]",
            "{}",
            "{\"spdxVersion\":\"SPDX-3.0\"}",
            r#"{"bomFormat":"CycloneDX"} x"#,
            r#"{"components":1}"#,
            &deep,
        ] {
            assert!(read_bill(text.as_bytes()).is_err(), "{text:.40}");
        }
    }
}
