//! Pushing: blobs, manifests, and lists of what refers to a manifest.
//!
//! Source: OCI distribution specification, "Push".

use serde::Deserialize;

use super::authorize::encoded;
use super::{Access, Place, Question, Registry, refused};
use crate::descriptor::{Descriptor, Index, media_type};
use crate::digest::sha256;
use crate::error::RegistryError;
use crate::hosts::Endpoint;
use crate::http::{Method, resolve};
use crate::reference::{Repository, Version};

use super::referrers::fallback_tag;

/// Whoever else writes the same list at the same time may undo it: so often it is written again.
const MOST_TRIES: usize = 3;

/// A manifest that was pushed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pushed {
    /// It.
    pub descriptor: Descriptor,
    /// Whether it refers to another manifest and the registry does not keep lists of that, so that the list under the
    /// fallback tag was written.
    pub wrote_fallback_tag: bool,
}

impl Registry {
    /// Pushes a blob that the repository lacks.
    ///
    /// # Errors
    /// When it is not taken.
    pub fn push_blob(
        &self,
        repository: &Repository,
        media_type: &str,
        bytes: &[u8],
    ) -> Result<Descriptor, RegistryError> {
        let endpoint = self.hosts.origin(repository);
        let descriptor = Descriptor::of(media_type, bytes);
        let what = format!("blob {}", descriptor.digest);
        let push = |method, place, body| Question {
            access: Access::Push,
            method,
            place,
            headers: vec![("content-type", "application/octet-stream".into())],
            body,
        };
        let place = format!("blobs/{}", descriptor.digest);
        let there = Question { headers: Vec::new(), ..push(Method::HEAD, Place::Below(&place), None) };
        if self.ask(&endpoint, &there)?.status == 200 {
            return Ok(descriptor);
        }
        let begin = self.ask(&endpoint, &push(Method::POST, Place::Below("blobs/uploads/"), Some(&[])))?;
        if begin.status != 202 {
            return Err(refused(&endpoint, &what, begin));
        }
        let base = begin.url.parse().ok();
        let location = base.zip(begin.header("location")).and_then(|(base, location)| resolve(&base, location));
        let Some(location) = location else {
            let registry = repository.registry().to_owned();
            let why = "it does not say where to send the blob".into();
            return Err(RegistryError::Answer { registry, what: "an upload".into(), why });
        };
        let separator = if location.contains('?') { '&' } else { '?' };
        let url = format!("{location}{separator}digest={}", encoded(&descriptor.digest));
        let end = self.ask(&endpoint, &push(Method::PUT, Place::Url(&url), Some(bytes)))?;
        if end.status != 201 {
            return Err(refused(&endpoint, &what, end));
        }
        Ok(descriptor)
    }

    /// Pushes a manifest or index, by tag or by its own digest. What it names must be there already.
    ///
    /// One that refers to another (`subject`) is put on the list under the fallback tag where the registry keeps none.
    ///
    /// # Errors
    /// When it is not taken.
    pub fn push_manifest(
        &self,
        repository: &Repository,
        tag: Option<&str>,
        media_type: &str,
        bytes: &[u8],
    ) -> Result<Pushed, RegistryError> {
        let endpoint = self.hosts.origin(repository);
        let mut descriptor = Descriptor::of(media_type, bytes);
        let version = tag.map_or(Version::Digest(&descriptor.digest), Version::Tag);
        let taken_subject = self.put_manifest(&endpoint, version, media_type, bytes)?;
        let head: Head = serde_json::from_slice(bytes).unwrap_or_default();
        let Some(subject) = head.subject else { return Ok(Pushed { descriptor, wrote_fallback_tag: false }) };
        if taken_subject.as_ref() == Some(&subject.digest) {
            return Ok(Pushed { descriptor, wrote_fallback_tag: false });
        }
        // Source: OCI distribution specification, "Pushing Manifests with Subject".
        let of_config = head.config.map(|config| config.media_type);
        descriptor.artifact_type = head.artifact_type.or(of_config).filter(|it| !it.is_empty());
        descriptor.annotations = head.annotations.unwrap_or_default();
        self.put_on_list(&endpoint, &subject.digest, &descriptor)?;
        Ok(Pushed { descriptor, wrote_fallback_tag: true })
    }

    /// The subject that the registry says it has noted.
    fn put_manifest(
        &self,
        endpoint: &Endpoint,
        version: Version<'_>,
        media_type: &str,
        bytes: &[u8],
    ) -> Result<Option<String>, RegistryError> {
        let place = format!("manifests/{}", version.as_str());
        let response = self.ask(
            endpoint,
            &Question {
                access: Access::Push,
                method: Method::PUT,
                place: Place::Below(&place),
                headers: vec![("content-type", media_type.to_owned())],
                body: Some(bytes),
            },
        )?;
        if response.status != 201 {
            let what = format!("image `{}` to be pushed as `{}`", endpoint.repository.path(), version.as_str());
            return Err(refused(endpoint, &what, response));
        }
        let digest = sha256(bytes);
        match response.header("docker-content-digest") {
            Some(said) if said.starts_with("sha256:") && said != digest => Err(RegistryError::Digest {
                registry: endpoint.repository.registry().to_owned(),
                what: "manifest",
                digest,
                found: said.to_owned(),
            }),
            _ => Ok(response.header("oci-subject").map(str::to_owned)),
        }
    }

    /// The list is read, added to, written and looked at again: registries have no way to change it in one step.
    fn put_on_list(&self, endpoint: &Endpoint, subject: &str, added: &Descriptor) -> Result<(), RegistryError> {
        let tag = fallback_tag(subject);
        for _ in 0..MOST_TRIES {
            let mut listed = self.referrers_by_tag(endpoint, subject)?.manifests;
            listed.retain(|it| it.digest != added.digest);
            listed.push(added.clone());
            let bytes = serde_json::to_vec(&Index::of(listed)).expect("an index has only text and numbers");
            self.put_manifest(endpoint, Version::Tag(&tag), media_type::OCI_INDEX, &bytes)?;
            let now = self.referrers_by_tag(endpoint, subject)?.manifests;
            if now.iter().any(|it| it.digest == added.digest) {
                return Ok(());
            }
        }
        Err(RegistryError::Answer {
            registry: endpoint.repository.registry().to_owned(),
            what: format!("a list under the tag `{tag}`"),
            why: "others write it all the time".into(),
        })
    }
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Head {
    subject: Option<Descriptor>,
    config: Option<Descriptor>,
    artifact_type: Option<String>,
    annotations: Option<std::collections::BTreeMap<String, String>>,
}
