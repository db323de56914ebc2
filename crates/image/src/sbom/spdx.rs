//! SPDX 2.3 as JSON.

use serde_json::{Map, Value, json};

use super::{About, image_name, image_version, listed, uuid};
use crate::catalogue::Catalogue;
use crate::package::Package;

/// Nobody has looked, or nothing is said.
const UNKNOWN: &str = "NOASSERTION";

/// SPDX asks for a time; an image that has none was made at the beginning of it.
const NO_TIME: &str = "1970-01-01T00:00:00Z";

/// The bill of materials of an image. The same catalogue gives the same bytes.
pub fn render_spdx(catalogue: &Catalogue, about: &About) -> Value {
    const IMAGE: &str = "SPDXRef-Image";
    const DOCUMENT: &str = "SPDXRef-DOCUMENT";
    let mut packages = vec![subject(catalogue, IMAGE)];
    let mut relationships = vec![relationship(DOCUMENT, "DESCRIBES", IMAGE)];
    packages.extend(operating_system(catalogue));
    packages.extend(
        listed(catalogue).enumerate().map(|(index, it)| package(it, &format!("SPDXRef-Package-{}", index + 1))),
    );
    for package in packages.iter().skip(1) {
        relationships.push(relationship(IMAGE, "CONTAINS", package["SPDXID"].as_str().unwrap_or(IMAGE)));
    }
    json!({
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": DOCUMENT,
        "name": image_name(catalogue),
        "documentNamespace": format!("https://spdx.org/spdxdocs/palisade-{}", uuid(catalogue)),
        "creationInfo": {
            "created": seconds(about.timestamp.as_deref().unwrap_or(NO_TIME)),
            "creators": [format!("Tool: palisade-{}", about.tool_version)],
        },
        "packages": packages,
        "relationships": relationships,
    })
}

/// SPDX takes whole seconds alone.
fn seconds(time: &str) -> String {
    match time.split_once('.') {
        Some((whole, _)) => format!("{whole}Z"),
        None => time.to_owned(),
    }
}

fn relationship(from: &str, kind: &str, to: &str) -> Value {
    json!({"spdxElementId": from, "relationshipType": kind, "relatedSpdxElement": to})
}

/// What every package says.
fn bare(reference: &str, name: &str, version: &str, purpose: &str) -> Map<String, Value> {
    let mut package = Map::new();
    package.insert("SPDXID".into(), json!(reference));
    package.insert("name".into(), json!(name));
    if !version.is_empty() {
        package.insert("versionInfo".into(), json!(version));
    }
    package.insert("downloadLocation".into(), json!(UNKNOWN));
    package.insert("filesAnalyzed".into(), json!(false));
    package.insert("licenseConcluded".into(), json!(UNKNOWN));
    package.insert("licenseDeclared".into(), json!(UNKNOWN));
    package.insert("copyrightText".into(), json!(UNKNOWN));
    package.insert("primaryPackagePurpose".into(), json!(purpose));
    package
}

fn subject(catalogue: &Catalogue, reference: &str) -> Value {
    let version = image_version(catalogue);
    let purpose = if version.is_some() { "CONTAINER" } else { "APPLICATION" };
    let mut image = bare(reference, image_name(catalogue), version.unwrap_or(""), purpose);
    if !catalogue.unidentified.is_empty() {
        let paths: Vec<&str> = catalogue.unidentified.iter().map(|it| it.path.as_str()).collect();
        image.insert("comment".into(), json!(format!("not identified: {}", paths.join(", "))));
    }
    Value::Object(image)
}

fn operating_system(catalogue: &Catalogue) -> Option<Value> {
    let distribution = &catalogue.distribution;
    let system = bare("SPDXRef-OperatingSystem", &distribution.id, &distribution.version_id, "OPERATING-SYSTEM");
    (!distribution.id.is_empty()).then_some(Value::Object(system))
}

fn package(package: &Package, reference: &str) -> Value {
    let mut it = bare(reference, &package.name, &package.version, "LIBRARY");
    let reference = json!({
        "referenceCategory": "PACKAGE-MANAGER",
        "referenceType": "purl",
        "referenceLocator": package.purl,
    });
    it.insert("externalRefs".into(), json!([reference]));
    let layer = match package.layer.diff_id.is_empty() {
        true => String::new(),
        false => format!(", layer {} {}", package.layer.index, package.layer.diff_id),
    };
    it.insert("sourceInfo".into(), json!(format!("found in {}{layer}", package.path)));
    // What packages write is often no SPDX expression, and the field takes nothing else.
    if !package.licences.is_empty() {
        it.insert("licenseComments".into(), json!(format!("declared: {}", package.licences.join("; "))));
    }
    Value::Object(it)
}
