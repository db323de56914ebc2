//! VEX: what the makers of an image say about its vulnerabilities. OpenVEX and CycloneDX.
//!
//! Source: OpenVEX specification 0.2.0; CycloneDX 1.6, `vulnerabilities[].analysis`.

use serde_json::Value;

use crate::assessment::Vulnerability;
use palisade_image::Package;

/// One thing that a document says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// Ids of the matter.
    pub ids: Vec<String>,
    /// What it speaks of; all of the image when there are none.
    pub products: Vec<Product>,
    /// What it says.
    pub status: Status,
    /// Why, in the words of the document.
    pub reason: Option<String>,
}

/// What a statement speaks of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Product {
    /// A purl, a digest, or the name of an image.
    pub id: String,
    /// What in it; all of it when there are none.
    pub parts: Vec<String>,
}

/// What a statement says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// It does not concern the product.
    NotAffected,
    /// It is mended.
    Fixed,
    /// It does.
    Affected,
    /// Nobody knows yet.
    UnderInvestigation,
}

impl Status {
    /// Whether the finding need not be told any more.
    pub fn settles(self) -> bool {
        match self {
            Self::NotAffected | Self::Fixed => true,
            Self::Affected | Self::UnderInvestigation => false,
        }
    }

    /// As OpenVEX writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotAffected => "not_affected",
            Self::Fixed => "fixed",
            Self::Affected => "affected",
            Self::UnderInvestigation => "under_investigation",
        }
    }
}

/// Why a document cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum UnreadableVex {
    /// It is no JSON.
    #[error("it is no JSON")]
    NotJson(#[source] serde_json::Error),
    /// It is neither of the two.
    #[error("it is neither OpenVEX nor CycloneDX")]
    Unknown,
}

/// Reads a document.
///
/// # Errors
/// When it is neither OpenVEX nor CycloneDX.
pub fn parse(json: &[u8]) -> Result<Vec<Statement>, UnreadableVex> {
    let document: Value = serde_json::from_slice(json).map_err(UnreadableVex::NotJson)?;
    if let Some(statements) = document.get("statements").and_then(Value::as_array) {
        return Ok(statements.iter().filter_map(openvex).collect());
    }
    if document.get("bomFormat").and_then(Value::as_str) == Some("CycloneDX") {
        let vulnerabilities = document.get("vulnerabilities").and_then(Value::as_array);
        return Ok(vulnerabilities.into_iter().flatten().filter_map(|it| cyclonedx(it, &document)).collect());
    }
    Err(UnreadableVex::Unknown)
}

fn text(value: &Value, key: &str) -> Option<String> {
    value.get(key).and_then(Value::as_str).map(str::to_owned)
}

fn list<'v>(value: &'v Value, key: &str) -> impl Iterator<Item = &'v Value> {
    value.get(key).and_then(Value::as_array).into_iter().flatten()
}

/// A text, or the `@id` or purl of an object.
fn name(value: &Value) -> Option<String> {
    let purl = value.get("identifiers").and_then(|it| text(it, "purl"));
    value.as_str().map(str::to_owned).or(purl).or_else(|| text(value, "@id"))
}

fn openvex(statement: &Value) -> Option<Statement> {
    let vulnerability = statement.get("vulnerability")?;
    let mut ids: Vec<String> =
        vulnerability.as_str().map(str::to_owned).or_else(|| text(vulnerability, "name")).into_iter().collect();
    ids.extend(list(vulnerability, "aliases").filter_map(name));
    let status = match statement.get("status")?.as_str()? {
        "not_affected" => Status::NotAffected,
        "fixed" => Status::Fixed,
        "affected" => Status::Affected,
        "under_investigation" => Status::UnderInvestigation,
        _ => return None,
    };
    let products = list(statement, "products").flat_map(|product| {
        let parts: Vec<String> = list(product, "subcomponents").filter_map(name).collect();
        let hash = product.get("hashes").and_then(|it| text(it, "sha-256")).map(|hash| format!("sha256:{hash}"));
        name(product).into_iter().chain(hash).map(move |id| Product { id, parts: parts.clone() }).collect::<Vec<_>>()
    });
    let reason = text(statement, "impact_statement").or_else(|| text(statement, "justification"));
    (!ids.is_empty()).then(|| Statement { ids, products: products.collect(), status, reason })
}

fn cyclonedx(vulnerability: &Value, document: &Value) -> Option<Statement> {
    let analysis = vulnerability.get("analysis")?;
    let status = match analysis.get("state")?.as_str()? {
        "not_affected" | "false_positive" => Status::NotAffected,
        "resolved" | "resolved_with_pedigree" => Status::Fixed,
        "exploitable" => Status::Affected,
        "in_triage" => Status::UnderInvestigation,
        _ => return None,
    };
    let mut ids: Vec<String> = text(vulnerability, "id").into_iter().collect();
    ids.extend(list(vulnerability, "references").filter_map(|reference| text(reference, "id")));
    let products = list(vulnerability, "affects").filter_map(|affected| {
        let reference = text(affected, "ref")?;
        // `urn:cdx:SERIAL/VERSION#REF` leads into another document; its last part is a purl by custom.
        let local =
            reference.rsplit_once('#').filter(|_| reference.starts_with("urn:cdx:")).map_or(&*reference, |(_, it)| it);
        let of_ref = |component: &&Value| text(component, "bom-ref").as_deref() == Some(local);
        let metadata = document.get("metadata").and_then(|it| it.get("component"));
        let component = list(document, "components").chain(metadata).find(of_ref);
        let id =
            component.and_then(|it| text(it, "purl").or_else(|| text(it, "name"))).unwrap_or_else(|| local.to_owned());
        Some(Product { id, parts: Vec::new() })
    });
    let reason = text(analysis, "detail").or_else(|| text(analysis, "justification"));
    (!ids.is_empty()).then(|| Statement { ids, products: products.collect(), status, reason })
}

/// By which names an image goes: its digests, and what the user calls it.
#[derive(Debug, Clone, Default)]
pub struct ImageNames {
    /// `sha256:...` of manifest, index and config.
    pub digests: Vec<String>,
    /// `registry/repository:tag`, as asked for and as the layout names it.
    pub names: Vec<String>,
}

impl Statement {
    /// Whether it speaks of this vulnerability of this package of this image.
    pub fn speaks_of(&self, vulnerability: &Vulnerability, package: &Package, image: &ImageNames) -> bool {
        vulnerability.ids().any(|id| self.ids.iter().any(|own| own == id)) && self.speaks_of_package(package, image)
    }

    /// Whether one of its products is this package, or holds it.
    pub fn speaks_of_package(&self, package: &Package, image: &ImageNames) -> bool {
        let is_package = |id: &str| is_same_package(id, &package.purl);
        let holds = |product: &Product| {
            let whole = product.parts.is_empty();
            is_package(&product.id)
                || image.is(&product.id) && (whole || product.parts.iter().any(|part| is_package(part)))
        };
        self.products.is_empty() || self.products.iter().any(holds)
    }
}

impl ImageNames {
    /// Whether `id` is this image: a digest, a name with or without its registry, or a purl of the type `oci`.
    pub fn is(&self, id: &str) -> bool {
        let digest_of = |text: &str| self.digests.iter().any(|digest| !digest.is_empty() && *digest == text);
        if let Some(purl) = id.strip_prefix("pkg:oci/").or_else(|| id.strip_prefix("pkg:docker/")) {
            let purl = purl.split('?').next().unwrap_or(purl);
            let plain = purl.replace("%3A", ":").replace("%3a", ":");
            let (name, version) = plain.split_once('@').unwrap_or((&plain, ""));
            return match version {
                "" => self.names.iter().any(|own| last(without_tag(own)) == last(name)),
                version => {
                    digest_of(version) || self.names.iter().any(|own| last(own) == format!("{}:{version}", last(name)))
                }
            };
        }
        let after_at = id.rsplit_once('@').map_or(id, |(_, digest)| digest);
        digest_of(after_at) || self.names.iter().any(|own| own == id || without_tag(own) == id)
    }
}

fn last(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or(name)
}

fn without_tag(name: &str) -> &str {
    match name.rsplit_once(':') {
        Some((rest, tag)) if !tag.contains('/') => rest,
        _ => name,
    }
}

/// Whether a statement's purl means a package: a part that the statement does not write fits anything.
fn is_same_package(stated: &str, package: &str) -> bool {
    let (Some(stated), Some(package)) = (Purl::parse(stated), Purl::parse(package)) else { return false };
    let qualifier = |key: &str| package.qualifiers.iter().find(|(own, _)| own == key).map(|(_, value)| value);
    stated.name == package.name
        && (stated.version.is_empty() || stated.version == package.version)
        && stated.qualifiers.iter().all(|(key, value)| qualifier(key).is_none_or(|own| own == value))
}

struct Purl {
    /// Type, namespace and name.
    name: String,
    version: String,
    qualifiers: Vec<(String, String)>,
}

impl Purl {
    fn parse(text: &str) -> Option<Self> {
        let rest = text.strip_prefix("pkg:")?;
        let rest = rest.split('#').next().unwrap_or(rest);
        let (rest, qualifiers) = rest.split_once('?').unwrap_or((rest, ""));
        // A scope is written as `%40scope`, so an `@` is the version's.
        let (name, version) = rest.rsplit_once('@').unwrap_or((rest, ""));
        let qualifiers = qualifiers.split('&').filter_map(|pair| pair.split_once('='));
        Some(Self {
            name: unescape(name.trim_start_matches('/')).to_lowercase(),
            version: unescape(version),
            qualifiers: qualifiers.map(|(key, value)| (key.to_lowercase(), unescape(value))).collect(),
        })
    }
}

fn unescape(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, behind)) = rest.split_first() {
        let code = || u8::from_str_radix(std::str::from_utf8(behind.get(..2)?).ok()?, 16).ok();
        match (*first == b'%').then(code).flatten() {
            Some(code) => {
                bytes.push(code);
                rest = &behind[2..];
            }
            None => {
                bytes.push(*first);
                rest = behind;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_purl_fits_with_and_without_version_and_qualifiers() {
        let package = "pkg:deb/debian/libssl3@3.0.9-1%2Bb1?arch=amd64&distro=debian-12";
        for stated in [
            "pkg:deb/debian/libssl3",
            "pkg:deb/debian/libssl3@3.0.9-1+b1",
            "pkg:deb/debian/libssl3@3.0.9-1%2bb1?arch=amd64",
            "pkg:deb/debian/libssl3?distro=debian-12&epoch=0",
        ] {
            assert!(is_same_package(stated, package), "{stated}");
        }
        for other in
            ["pkg:deb/debian/libssl3@3.0.9-2", "pkg:deb/ubuntu/libssl3", "pkg:deb/debian/libssl3?arch=arm64", "libssl3"]
        {
            assert!(!is_same_package(other, package), "{other}");
        }
        assert!(is_same_package("pkg:npm/%40babel/core", "pkg:npm/%40babel/core@7.0.0"));
    }

    #[test]
    fn an_image_goes_by_digest_name_and_purl() {
        let image =
            ImageNames { digests: vec!["sha256:aa".into()], names: vec!["registry.example/team/app:v1".into()] };
        for id in [
            "sha256:aa",
            "registry.example/team/app:v1",
            "registry.example/team/app",
            "registry.example/team/app@sha256:aa",
            "pkg:oci/app@sha256%3Aaa?repository_url=registry.example/team",
            "pkg:oci/app@v1",
            "pkg:oci/app",
        ] {
            assert!(image.is(id), "{id}");
        }
        for id in ["sha256:bb", "registry.example/team/app:v2", "pkg:oci/app@sha256:bb", "pkg:oci/other", ""] {
            assert!(!image.is(id), "{id}");
        }
    }

    #[test]
    fn both_forms_are_read() {
        let openvex = br#"{"@context":"https://openvex.dev/ns/v0.2.0","statements":[
            {"vulnerability":{"name":"CVE-1","aliases":["GHSA-1"]},"products":[{"@id":"pkg:oci/app","subcomponents":[{"@id":"pkg:npm/a"}]}],
             "status":"not_affected","justification":"vulnerable_code_not_present"},
            {"vulnerability":"CVE-2","products":["sha256:aa"],"status":"affected"},{"status":"fixed"}]}"#;
        let statements = parse(openvex).expect("OpenVEX");
        assert_eq!(statements.len(), 2);
        assert_eq!(statements[0].products, [Product { id: "pkg:oci/app".into(), parts: vec!["pkg:npm/a".into()] }]);
        assert_eq!((statements[0].status.settles(), statements[1].status.settles()), (true, false));
        let cyclonedx = br#"{"bomFormat":"CycloneDX","components":[{"bom-ref":"r1","purl":"pkg:npm/a@1"}],"vulnerabilities":[
            {"id":"CVE-1","analysis":{"state":"false_positive","detail":"no"},"affects":[{"ref":"r1"},{"ref":"urn:cdx:x/1#pkg:npm/b"}]}]}"#;
        let statements = parse(cyclonedx).expect("CycloneDX");
        let products: Vec<&str> = statements[0].products.iter().map(|product| &*product.id).collect();
        assert_eq!((products, statements[0].reason.as_deref()), (vec!["pkg:npm/a@1", "pkg:npm/b"], Some("no")));
        assert!(parse(b"{}").is_err() && parse(b"").is_err());
    }
}
