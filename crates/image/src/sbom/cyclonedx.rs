//! CycloneDX 1.6 as JSON.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::{About, Each, image_name, image_version, listed, uuid};
use crate::catalogue::Catalogue;
use crate::package::{Ecosystem, Evidence, Package};

/// The bill of materials of an image. The same catalogue gives the same bytes.
pub fn render_cyclonedx<'a>(catalogue: &'a Catalogue, about: &About) -> impl Serialize + use<'a> {
    let image = "image";
    let mut metadata = Map::new();
    if let Some(timestamp) = &about.timestamp {
        metadata.insert("timestamp".into(), json!(timestamp));
    }
    let tool = json!({"type": "application", "name": "palisade", "version": about.tool_version});
    metadata.insert("tools".into(), json!({"components": [tool]}));
    metadata.insert("component".into(), subject(catalogue, image));
    // What could not be identified is missing here, and the bill says so.
    let aggregate = if catalogue.unidentified.is_empty() { "unknown" } else { "incomplete" };
    Bill {
        schema: "http://cyclonedx.org/schema/bom-1.6.schema.json",
        bom_format: "CycloneDX",
        components: Each(move || {
            let packages = listed(catalogue)
                .scan(References::default(), |references, package| Some(component(package, &references.of(package))));
            operating_system(catalogue).into_iter().chain(packages)
        }),
        compositions: json!([{"aggregate": aggregate, "assemblies": [image]}]),
        metadata,
        serial_number: format!("urn:uuid:{}", uuid(catalogue)),
        spec_version: "1.6",
        version: 1,
    }
}

/// Its fields stand by their names, as those of the values do.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Bill<C> {
    #[serde(rename = "$schema")]
    schema: &'static str,
    bom_format: &'static str,
    components: C,
    compositions: Value,
    metadata: Map<String, Value>,
    serial_number: String,
    spec_version: &'static str,
    version: u32,
}

/// The image itself.
fn subject(catalogue: &Catalogue, reference: &str) -> Value {
    let mut subject = Map::new();
    let is_image = image_version(catalogue).is_some();
    subject.insert("bom-ref".into(), json!(reference));
    subject.insert("type".into(), json!(if is_image { "container" } else { "application" }));
    subject.insert("name".into(), json!(image_name(catalogue)));
    if let Some(version) = image_version(catalogue) {
        subject.insert("version".into(), json!(version));
    }
    let mut properties = Properties::default();
    let config = &catalogue.config;
    properties.add("image:configDigest", &config.config_digest);
    properties.add("image:indexDigest", config.index_digest.as_deref().unwrap_or(""));
    properties.add("image:os", &config.os);
    properties.add("image:architecture", &config.architecture);
    for layer in &catalogue.layers {
        properties.add("image:layer", &layer.reference.diff_id);
    }
    for it in &catalogue.unidentified {
        let why = serde_json::to_value(it.why).ok().and_then(|why| why.as_str().map(str::to_owned)).unwrap_or_default();
        properties.add("unidentified", &format!("{}: {why}", it.path));
    }
    properties.put_into(&mut subject);
    Value::Object(subject)
}

fn operating_system(catalogue: &Catalogue) -> Option<Value> {
    let distribution = &catalogue.distribution;
    if distribution.id.is_empty() {
        return None;
    }
    let mut component = Map::new();
    component.insert("bom-ref".into(), json!(format!("os:{}@{}", distribution.id, distribution.version_id)));
    component.insert("type".into(), json!("operating-system"));
    component.insert("name".into(), json!(&*distribution.id));
    if !distribution.version_id.is_empty() {
        component.insert("version".into(), json!(&*distribution.version_id));
    }
    if let Some(name) = &distribution.name {
        component.insert("description".into(), json!(name));
    }
    if let Some(cpe) = distribution.cpe.as_ref().filter(|cpe| is_cpe(cpe)) {
        component.insert("cpe".into(), json!(cpe));
    }
    Some(Value::Object(component))
}

/// The schema takes two forms, and no other text.
fn is_cpe(text: &str) -> bool {
    text.strip_prefix("cpe:/").is_some_and(|rest| {
        rest.starts_with(['a', 'h', 'o']) && rest.chars().all(|it| it.is_ascii_alphanumeric() || ":._-~%".contains(it))
    })
}

/// What the bill calls a package: its purl, numbered where a package lies at several paths.
#[derive(Default)]
struct References<'a>(BTreeMap<&'a str, usize>);

impl<'a> References<'a> {
    fn of(&mut self, package: &'a Package) -> String {
        let count = self.0.entry(&package.purl).or_default();
        *count += 1;
        if *count == 1 { package.purl.clone() } else { format!("{}#{count}", package.purl) }
    }
}

fn component(package: &Package, reference: &str) -> Value {
    let mut component = Map::new();
    component.insert("bom-ref".into(), json!(reference));
    component.insert("type".into(), json!("library"));
    match (&package.ecosystem, package.name.split_once(':')) {
        (Ecosystem::Maven, Some((group, artifact))) => {
            component.insert("group".into(), json!(group));
            component.insert("name".into(), json!(artifact));
        }
        _ => drop(component.insert("name".into(), json!(package.name))),
    }
    component.insert("version".into(), json!(package.version));
    component.insert("purl".into(), json!(package.purl));
    if package.development {
        component.insert("scope".into(), json!("excluded"));
    }
    let licences = package.licences.iter().map(|name| json!({"license": {"name": name}}));
    let licences: Vec<Value> = licences.collect();
    if !licences.is_empty() {
        component.insert("licenses".into(), json!(licences));
    }
    let (technique, confidence) = technique(package.evidence);
    component.insert(
        "evidence".into(),
        json!({
            "identity": [{
                "field": "purl",
                "confidence": confidence,
                "methods": [{"technique": technique, "confidence": confidence, "value": package.path}],
            }],
            "occurrences": [{"location": package.path}],
        }),
    );
    let mut properties = Properties::default();
    let evidence = serde_json::to_value(package.evidence).ok();
    properties.add("evidence", evidence.as_ref().and_then(Value::as_str).unwrap_or(""));
    properties.add("layer:diffId", &package.layer.diff_id);
    properties.add("layer:digest", &package.layer.digest);
    properties.add("layer:index", &package.layer.index.to_string());
    properties.add("architecture", package.architecture.as_deref().unwrap_or(""));
    if let Some(source) = &package.source {
        properties.add("source:name", &source.name);
        properties.add("source:version", &source.version);
    }
    for name in &package.possible_names {
        properties.add("possibleName", name);
    }
    properties.put_into(&mut component);
    Value::Object(component)
}

/// How it was found, in the words of CycloneDX, and how far that can be trusted.
fn technique(evidence: Evidence) -> (&'static str, f64) {
    match evidence {
        Evidence::PackageDatabase | Evidence::InstalledMetadata | Evidence::LockFile => ("manifest-analysis", 1.0),
        Evidence::BuildInfo => ("binary-analysis", 1.0),
        Evidence::ArchiveManifest => ("manifest-analysis", 0.7),
        Evidence::FileName => ("filename", 0.5),
        Evidence::Sbom => ("attestation", 0.8),
    }
}

#[derive(Default)]
struct Properties(Vec<Value>);

impl Properties {
    /// An empty value says nothing.
    fn add(&mut self, name: &str, value: &str) {
        if !value.is_empty() {
            self.0.push(json!({"name": format!("palisade:{name}"), "value": value}));
        }
    }

    fn put_into(self, component: &mut Map<String, Value>) {
        if !self.0.is_empty() {
            component.insert("properties".into(), Value::Array(self.0));
        }
    }
}
