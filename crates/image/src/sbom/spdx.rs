//! SPDX 2.3 as JSON.

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::{About, Each, image_name, image_version, listed, uuid};
use crate::catalogue::Catalogue;
use crate::package::Package;

/// Nobody has looked, or nothing is said.
const UNKNOWN: &str = "NOASSERTION";

const OPERATING_SYSTEM: &str = "SPDXRef-OperatingSystem";

/// SPDX asks for a time; an image that has none was made at the beginning of it.
const NO_TIME: &str = "1970-01-01T00:00:00Z";

/// The bill of materials of an image. The same catalogue gives the same bytes.
pub fn render_spdx<'a>(catalogue: &'a Catalogue, about: &About) -> impl Serialize + use<'a> {
    const IMAGE: &str = "SPDXRef-Image";
    const DOCUMENT: &str = "SPDXRef-DOCUMENT";
    Bill {
        id: DOCUMENT,
        creation_info: json!({
            "created": seconds(about.timestamp.as_deref().unwrap_or(NO_TIME)),
            "creators": [format!("Tool: palisade-{}", about.tool_version)],
        }),
        data_license: "CC0-1.0",
        document_namespace: format!("https://spdx.org/spdxdocs/palisade-{}", uuid(catalogue)),
        name: image_name(catalogue),
        packages: Each(move || {
            let packages = listed(catalogue).enumerate().map(|(index, it)| package(it, &reference(index)));
            std::iter::once(subject(catalogue, IMAGE)).chain(operating_system(catalogue)).chain(packages)
        }),
        relationships: Each(move || {
            let system = operating_system(catalogue).map(|_| OPERATING_SYSTEM.to_owned());
            let contained = system.into_iter().chain((0..listed(catalogue).count()).map(reference));
            let contained = contained.map(|it| relationship(IMAGE, "CONTAINS", &it));
            std::iter::once(relationship(DOCUMENT, "DESCRIBES", IMAGE)).chain(contained)
        }),
        spdx_version: "SPDX-2.3",
    }
}

/// Its fields stand by their names, as those of the values do.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Bill<'a, P, R> {
    #[serde(rename = "SPDXID")]
    id: &'static str,
    creation_info: Value,
    data_license: &'static str,
    document_namespace: String,
    name: &'a str,
    packages: P,
    relationships: R,
    spdx_version: &'static str,
}

/// What the bill calls the listed package of that index.
fn reference(index: usize) -> String {
    format!("SPDXRef-Package-{}", index + 1)
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
    let system = bare(OPERATING_SYSTEM, &distribution.id, &distribution.version_id, "OPERATING-SYSTEM");
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
