//! Bills of materials that were read instead of an image: CycloneDX and SPDX as JSON, of this program and of others.

use std::collections::BTreeMap;
use std::sync::Arc;

use palisade_model::Problem;
use serde_json::Value;

use crate::catalogue::{Catalogue, Distribution, ImageConfig};
use crate::package::{Ecosystem, Evidence, LayerRef, Package, Release, SourcePackage};
use crate::purl::PackageUrl;
use crate::rpm;

/// Why a bill cannot be read at all.
#[derive(Debug, thiserror::Error)]
pub enum BillError {
    /// No JSON.
    #[error("not JSON")]
    Json(#[from] serde_json::Error),
    /// JSON of another kind.
    #[error("neither CycloneDX nor SPDX 2")]
    Unknown,
}

/// Components in components, so deep and no deeper.
const DEEPEST: usize = 32;

/// Packages of one bill; the largest have some 50,000.
const MOST_PACKAGES: usize = 1_000_000;

/// Reads a bill. Components without a purl that can be read are counted in a problem: nothing is known of them.
///
/// # Errors
/// When it is none.
pub fn read_bill(bytes: &[u8]) -> Result<Catalogue, BillError> {
    let bill: Value = serde_json::from_slice(bytes)?;
    let mut found = Found::default();
    if bill.get("bomFormat").and_then(Value::as_str) == Some("CycloneDX") {
        found.components(bill.get("components"), 0);
        found.cyclonedx_subject(bill.pointer("/metadata/component"));
        let created = bill.pointer("/metadata/timestamp").and_then(Value::as_str);
        found.config.created = created.map(str::to_owned);
    } else if text(&bill, "spdxVersion").starts_with("SPDX-2") {
        text(&bill, "name").clone_into(&mut found.config.name);
        items(bill.get("packages")).for_each(|package| found.spdx(package));
    } else {
        return Err(BillError::Unknown);
    }
    Ok(found.catalogue())
}

/// What was found so far.
#[derive(Default)]
struct Found {
    packages: Vec<Package>,
    distribution: Distribution,
    config: ImageConfig,
    unnamed: usize,
}

fn items(value: Option<&Value>) -> impl Iterator<Item = &Value> {
    value.and_then(Value::as_array).into_iter().flatten()
}

fn text<'v>(value: &'v Value, key: &str) -> &'v str {
    value.get(key).and_then(Value::as_str).unwrap_or("")
}

impl Found {
    fn components(&mut self, components: Option<&Value>, depth: usize) {
        for component in items(components).filter(|_| depth < DEEPEST) {
            match text(component, "type") {
                "operating-system" => self.system(text(component, "name"), text(component, "version")),
                "file" => {}
                _ => self.component(component),
            }
            self.components(component.get("components"), depth + 1);
        }
    }

    fn system(&mut self, id: &str, version: &str) {
        self.distribution.id = id.to_ascii_lowercase().into();
        self.distribution.version_id = version.into();
    }

    /// The image that the bill is of.
    fn cyclonedx_subject(&mut self, subject: Option<&Value>) {
        let Some(subject) = subject else { return };
        text(subject, "name").clone_into(&mut self.config.name);
        if text(subject, "version").starts_with("sha256:") {
            text(subject, "version").clone_into(&mut self.config.digest);
        }
    }

    fn component(&mut self, component: &Value) {
        let properties: BTreeMap<&str, &str> =
            items(component.get("properties")).map(|it| (text(it, "name"), text(it, "value"))).collect();
        let property = |name: &str| properties.get(name).copied().unwrap_or("");
        let Some(mut package) = self.package(text(component, "purl"), text(component, "version")) else { return };
        respell(&mut package, text(component, "name"));
        let occurrence = items(component.pointer("/evidence/occurrences")).map(|it| text(it, "location")).next();
        let path =
            [occurrence.unwrap_or(""), property("syft:location:0:path"), property("aquasecurity:trivy:FilePath")];
        package.path = path.into_iter().find(|path| !path.is_empty()).unwrap_or("").to_owned();
        package.layer = LayerRef {
            index: property("palisade:layer:index").parse().unwrap_or(0),
            diff_id: first(&[property("palisade:layer:diffId"), property("syft:location:0:layerID")]).into(),
            digest: property("palisade:layer:digest").into(),
        };
        if !property("palisade:source:name").is_empty() {
            let (name, version) = (property("palisade:source:name"), property("palisade:source:version"));
            package.source = Some(SourcePackage { name: name.to_owned(), version: version.to_owned() });
        }
        package.development = text(component, "scope") == "excluded";
        package.possible_names = items(component.get("properties"))
            .filter(|it| text(it, "name") == "palisade:possibleName")
            .map(|it| text(it, "value").to_owned())
            .collect();
        package.licences = items(component.get("licenses")).filter_map(licence).collect();
        self.packages.push(package);
    }

    fn spdx(&mut self, stored: &Value) {
        let purpose = text(stored, "primaryPackagePurpose");
        if purpose == "OPERATING-SYSTEM" {
            return self.system(text(stored, "name"), text(stored, "versionInfo"));
        }
        let purl = items(stored.get("externalRefs")).find(|it| text(it, "referenceType") == "purl");
        let locator = purl.map_or("", |it| text(it, "referenceLocator"));
        if locator.is_empty() && (purpose == "CONTAINER" || text(stored, "versionInfo").starts_with("sha256:")) {
            return text(stored, "versionInfo").clone_into(&mut self.config.digest);
        }
        let Some(mut package) = self.package(locator, text(stored, "versionInfo")) else { return };
        respell(&mut package, text(stored, "name"));
        let info = text(stored, "sourceInfo");
        let path = info.strip_prefix("found in ").and_then(|rest| rest.split(", layer ").next());
        package.path = path.unwrap_or(info).to_owned();
        let declared = text(stored, "licenseDeclared");
        package.licences = Some(declared)
            .filter(|it| !matches!(*it, "" | "NOASSERTION" | "NONE"))
            .map(str::to_owned)
            .into_iter()
            .collect();
        self.packages.push(package);
    }

    /// `None`, and counted, when nothing says which package it is.
    fn package(&mut self, purl: &str, version: &str) -> Option<Package> {
        let parsed = PackageUrl::parse(purl);
        let named = parsed.as_ref().and_then(|purl| Some((ecosystem(purl)?, purl)));
        let Some((ecosystem, url)) = named.filter(|_| self.packages.len() < MOST_PACKAGES) else {
            self.unnamed += 1;
            return None;
        };
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

fn licence(choice: &Value) -> Option<String> {
    let licence = choice.get("license");
    let said = ["id", "name"].iter().find_map(|key| licence?.get(*key)?.as_str());
    said.or_else(|| choice.get("expression")?.as_str()).map(str::to_owned)
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
    fn what_is_no_bill_is_refused() {
        for text in ["", "[]", "{}", "{\"spdxVersion\":\"SPDX-3.0\"}"] {
            assert!(read_bill(text.as_bytes()).is_err(), "{text}");
        }
    }
}
