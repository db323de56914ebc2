//! Manifests and indexes: fetched, held against their digests, told apart.

use serde::Deserialize;

use super::{Question, Registry, refused};
use crate::descriptor::{Descriptor, media_type};
use crate::digest::{is_sha256, sha256};
use crate::error::RegistryError;
use crate::hosts::Endpoint;
use crate::http::{Method, Response};
use crate::reference::{Repository, Version};

/// The longest manifest that is read. Source: OCI distribution specification, "Pushing Manifests": registries need not
/// take longer ones.
pub const LONGEST_MANIFEST: u64 = 4 << 20;

/// A manifest or index, as its bytes are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// Its media type, digest and size.
    pub descriptor: Descriptor,
    /// All of it.
    pub bytes: Vec<u8>,
}

impl Manifest {
    /// Whether it lists manifests.
    pub fn is_index(&self) -> bool {
        matches!(&*self.descriptor.media_type, media_type::OCI_INDEX | media_type::DOCKER_LIST)
    }
}

impl Registry {
    /// The manifest or index that a tag points to or a digest names.
    ///
    /// # Errors
    /// When there is none ([`RegistryError::is_not_found`]), when it cannot be had, and when it is not what its digest says
    /// or nothing that is read.
    pub fn manifest(&self, repository: &Repository, version: Version<'_>) -> Result<Manifest, RegistryError> {
        check(repository, version)?;
        self.anywhere(repository, |endpoint| self.manifest_at(endpoint, version))
    }

    /// The digest that a tag points to now, as the registry says; of a digest, whether it is there.
    ///
    /// # Errors
    /// As with [`Registry::manifest`].
    pub fn resolve(&self, repository: &Repository, version: Version<'_>) -> Result<Descriptor, RegistryError> {
        check(repository, version)?;
        self.anywhere(repository, |endpoint| {
            let place = format!("manifests/{}", version.as_str());
            let response = self.ask(endpoint, &Question { method: Method::HEAD, ..asking(&place) })?;
            let said = said_digest(&response).filter(|said| match version {
                Version::Digest(digest) => said == digest,
                Version::Tag(_) => true,
            });
            let size = response.header("content-length").and_then(|size| size.parse().ok());
            match (response.status, said, size) {
                (200, Some(digest), Some(size)) => {
                    Ok(Descriptor { media_type: content_type(&response), digest, size, ..Descriptor::default() })
                }
                // Some give no digest to a question without a body, and no reason for an error to it.
                _ => self.manifest_at(endpoint, version).map(|manifest| manifest.descriptor),
            }
        })
    }

    pub(super) fn manifest_at(&self, endpoint: &Endpoint, version: Version<'_>) -> Result<Manifest, RegistryError> {
        let place = format!("manifests/{}", version.as_str());
        let what = told(endpoint, version);
        let registry = endpoint.repository.registry().to_owned();
        let response = self.ask(endpoint, &asking(&place))?;
        if response.status != 200 {
            return Err(refused(endpoint, &what, response));
        }
        let said = said_digest(&response);
        let media_type = content_type(&response);
        let bytes = response.read_to_end(LONGEST_MANIFEST)?;
        let found = sha256(&bytes);
        let wanted = match version {
            Version::Digest(digest) => Some(digest.to_owned()),
            Version::Tag(_) => said,
        };
        if let Some(digest) = wanted.filter(|digest| *digest != found) {
            return Err(RegistryError::Digest { registry, what: "manifest", digest, found });
        }
        let media_type = kind(&bytes, &media_type).map_err(|wrong| match wrong {
            Wrong::SchemaOne => RegistryError::SchemaOne { registry: registry.clone(), what: what.clone() },
            Wrong::MediaType(media_type) => {
                RegistryError::MediaType { registry: registry.clone(), what: what.clone(), media_type }
            }
            Wrong::Document(why) => RegistryError::Answer { registry: registry.clone(), what: what.clone(), why },
        })?;
        Ok(Manifest { descriptor: Descriptor::of(&media_type, &bytes), bytes })
    }
}

/// What an index calls a digest may be a way to somewhere else.
fn check(repository: &Repository, version: Version<'_>) -> Result<(), RegistryError> {
    match version {
        Version::Digest(digest) if !is_sha256(digest) => Err(no_digest(repository.registry(), "a manifest", digest)),
        Version::Digest(_) | Version::Tag(_) => Ok(()),
    }
}

/// A digest that cannot be asked for; it comes from a document that nobody vouches for.
pub(super) fn no_digest(registry: &str, what: &str, digest: &str) -> RegistryError {
    const SHOWN: usize = 100;
    let shown: String = digest.escape_debug().take(SHOWN).collect();
    let (registry, what) = (registry.to_owned(), what.to_owned());
    RegistryError::Answer { registry, what, why: format!("`{shown}` is no sha256 digest") }
}

fn asking(place: &str) -> Question<'_> {
    Question { headers: vec![("accept", media_type::MANIFESTS.join(", "))], ..Question::get(place) }
}

/// `manifest of a/b:tag`.
fn told(endpoint: &Endpoint, version: Version<'_>) -> String {
    match version {
        Version::Tag(tag) => format!("image `{}:{tag}`", endpoint.repository.path()),
        Version::Digest(digest) => format!("image `{}@{digest}`", endpoint.repository.path()),
    }
}

fn said_digest(response: &Response) -> Option<String> {
    response.header("docker-content-digest").filter(|digest| is_sha256(digest)).map(str::to_owned)
}

fn content_type(response: &Response) -> String {
    let whole = response.header("content-type").unwrap_or("");
    whole.split(';').next().unwrap_or("").trim().to_ascii_lowercase()
}

/// What is wrong with a document.
enum Wrong {
    SchemaOne,
    MediaType(String),
    Document(String),
}

/// The media type of a document. What it says of itself counts before what it is called: only that is part of its digest.
fn kind(bytes: &[u8], called: &str) -> Result<String, Wrong> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Head {
        schema_version: Option<u32>,
        media_type: Option<String>,
        manifests: Option<serde::de::IgnoredAny>,
        layers: Option<serde::de::IgnoredAny>,
        config: Option<serde::de::IgnoredAny>,
    }
    let schema_one = called.starts_with("application/vnd.docker.distribution.manifest.v1+");
    let head: Head = match serde_json::from_slice(bytes) {
        Ok(head) => head,
        Err(_) if schema_one => return Err(Wrong::SchemaOne),
        Err(error) => return Err(Wrong::Document(format!("it is no JSON of a manifest: {error}"))),
    };
    if schema_one || head.schema_version == Some(1) {
        return Err(Wrong::SchemaOne);
    }
    let is_index = head.manifests.is_some();
    let is_image = head.layers.is_some() || head.config.is_some();
    // Two readers would see two images. Source: CVE-2021-41190.
    if is_index && is_image {
        return Err(Wrong::Document("it is both an index and a manifest".into()));
    }
    let said = head.media_type.filter(|it| !it.is_empty()).unwrap_or_else(|| called.to_owned());
    match &*said {
        media_type::OCI_INDEX | media_type::DOCKER_LIST if is_index => Ok(said),
        media_type::OCI_MANIFEST | media_type::DOCKER_MANIFEST if is_image => Ok(said),
        media_type::OCI_INDEX | media_type::DOCKER_LIST | media_type::OCI_MANIFEST | media_type::DOCKER_MANIFEST => {
            Err(Wrong::Document(format!("it calls itself `{said}` and has nothing of one")))
        }
        // Static servers call everything JSON.
        "application/json" | "application/octet-stream" | "text/plain" | "" if is_index => {
            Ok(media_type::OCI_INDEX.into())
        }
        "application/json" | "application/octet-stream" | "text/plain" | "" if is_image => {
            Ok(media_type::OCI_MANIFEST.into())
        }
        _ => Err(Wrong::MediaType(said.chars().filter(|it| !it.is_control()).take(100).collect())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(document: &str, called: &str) -> String {
        match kind(document.as_bytes(), called) {
            Ok(media_type) => media_type,
            Err(Wrong::SchemaOne) => "schema 1".into(),
            Err(Wrong::MediaType(media_type)) => format!("unknown {media_type}"),
            Err(Wrong::Document(why)) => why,
        }
    }

    #[test]
    fn a_document_is_what_it_says_of_itself() {
        let image = r#"{"schemaVersion": 2, "config": {}, "layers": []}"#;
        let index = format!(r#"{{"schemaVersion": 2, "mediaType": "{}", "manifests": []}}"#, media_type::OCI_INDEX);
        assert_eq!(shown(image, media_type::DOCKER_MANIFEST), media_type::DOCKER_MANIFEST);
        assert_eq!(shown(image, "application/json"), media_type::OCI_MANIFEST);
        assert_eq!(shown(&index, media_type::OCI_MANIFEST), media_type::OCI_INDEX);
        assert_eq!(shown(r#"{"schemaVersion": 1, "fsLayers": []}"#, ""), "schema 1");
        assert_eq!(shown("signed", "application/vnd.docker.distribution.manifest.v1+prettyjws"), "schema 1");
        assert_eq!(shown(r#"{"config": {}, "manifests": []}"#, ""), "it is both an index and a manifest");
        assert_eq!(shown(image, "application/vnd.example"), "unknown application/vnd.example");
        assert!(shown(image, media_type::OCI_INDEX).contains("has nothing of one"));
        assert!(shown("<html>", "text/html").starts_with("it is no JSON"));
    }
}
