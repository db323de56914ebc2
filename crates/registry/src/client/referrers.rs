//! What refers to a manifest: signatures, attestations, bills of materials.
//!
//! Source: OCI distribution specification, "Listing Referrers" and "Referrers Tag Schema".

use super::{Place, Question, Registry, refused};
use crate::descriptor::{Descriptor, Index, media_type};
use crate::digest::is_sha256;
use crate::error::RegistryError;
use crate::hosts::Endpoint;
use crate::reference::{Repository, Version};

/// Pages of a list; the registries at hand give everything on one.
const MOST_PAGES: usize = 100;

/// Entries of a list: an image is signed some hundreds of times at most.
const MOST_REFERRERS: usize = 10_000;

/// What refers to a manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Referrers {
    /// Each of them. Their annotations and types are what the list says: nobody vouches for it, and lists under the
    /// fallback tag have been wrong about types. Who wants one kind fetches the manifests and looks.
    pub manifests: Vec<Descriptor>,
    /// Who keeps the list.
    pub found_by: FoundBy,
    /// Whether there are more than are read.
    pub is_cut: bool,
}

/// Who keeps the list of what refers to a manifest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FoundBy {
    /// The registry.
    Api,
    /// Whoever pushes, under the tag `sha256-...`.
    Tag,
    /// Nobody: the registry keeps none, and there is no such tag.
    Nothing,
}

/// The tag under which lists are kept where the registry keeps none.
pub fn fallback_tag(digest: &str) -> String {
    digest.replacen(':', "-", 1)
}

impl Registry {
    /// What refers to the manifest of that digest. An empty list is an answer.
    ///
    /// # Errors
    /// When the list cannot be had: "none" would then be a guess.
    pub fn referrers(&self, repository: &Repository, digest: &str) -> Result<Referrers, RegistryError> {
        self.anywhere(repository, |endpoint| match self.referrers_by_api(endpoint, digest)? {
            Some(referrers) => Ok(referrers),
            None => self.referrers_by_tag(endpoint, digest),
        })
    }

    /// `None` when the registry keeps no such list.
    pub(super) fn referrers_by_api(
        &self,
        endpoint: &Endpoint,
        digest: &str,
    ) -> Result<Option<Referrers>, RegistryError> {
        let first = format!("referrers/{digest}");
        let what = format!("list of what refers to {digest}");
        let mut referrers = Referrers { manifests: Vec::new(), found_by: FoundBy::Api, is_cut: false };
        let mut next: Option<String> = None;
        for page in 0..MOST_PAGES {
            let place = next.as_deref().map_or(Place::Below(&first), Place::Url);
            let headers = vec![("accept", media_type::OCI_INDEX.into())];
            let response = self.ask(endpoint, &Question { place, headers, ..Question::get("") })?;
            let is_index = response.header("content-type").is_some_and(|it| {
                it.split(';').next().unwrap_or("").trim().eq_ignore_ascii_case(media_type::OCI_INDEX)
            });
            match response.status {
                200 if is_index => {}
                // It does not know the question, or answers every question with a page of its own.
                200 | 400 | 404 | 405 | 501 if page == 0 => return Ok(None),
                _ => return Err(refused(endpoint, &what, response)),
            }
            let link = response.header("link").and_then(next_page).map(str::to_owned);
            let url = response.url.clone();
            let bytes = response.read_to_end(super::manifest::LONGEST_MANIFEST)?;
            let is_full = take(&mut referrers, endpoint, &what, &bytes)?;
            let Some(link) = link else { return Ok(Some(referrers)) };
            if is_full {
                break;
            }
            let base = url.parse().ok();
            next = base.and_then(|base| crate::http::resolve(&base, &link));
        }
        referrers.is_cut = true;
        Ok(Some(referrers))
    }

    pub(super) fn referrers_by_tag(&self, endpoint: &Endpoint, digest: &str) -> Result<Referrers, RegistryError> {
        let tag = fallback_tag(digest);
        let mut referrers = Referrers { manifests: Vec::new(), found_by: FoundBy::Tag, is_cut: false };
        match self.manifest_at(endpoint, Version::Tag(&tag)) {
            Ok(manifest) if manifest.is_index() => {
                let what = format!("list of what refers to {digest}");
                take(&mut referrers, endpoint, &what, &manifest.bytes)?;
                Ok(referrers)
            }
            // Something else of that name is no list.
            Ok(_) => Ok(Referrers { found_by: FoundBy::Nothing, ..referrers }),
            Err(error) if error.is_not_found() => Ok(Referrers { found_by: FoundBy::Nothing, ..referrers }),
            Err(error) => Err(error),
        }
    }
}

/// Takes in a list; true when there is room for no more.
fn take(referrers: &mut Referrers, endpoint: &Endpoint, what: &str, bytes: &[u8]) -> Result<bool, RegistryError> {
    let index: Index = serde_json::from_slice(bytes).map_err(|error| RegistryError::Answer {
        registry: endpoint.repository.registry().to_owned(),
        what: what.to_owned(),
        why: format!("it is no index: {error}"),
    })?;
    for descriptor in index.manifests.into_iter().filter(|it| is_sha256(&it.digest)) {
        if referrers.manifests.len() == MOST_REFERRERS {
            referrers.is_cut = true;
            return Ok(true);
        }
        referrers.manifests.push(descriptor);
    }
    Ok(false)
}

/// The target of a `Link` header with `rel="next"`. Source: RFC 8288.
fn next_page(header: &str) -> Option<&str> {
    let (target, parameters) = header.trim().strip_prefix('<')?.split_once('>')?;
    parameters.replace([' ', '"'], "").to_ascii_lowercase().contains("rel=next").then_some(target)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_next_page_is_told_by_a_link() {
        assert_eq!(next_page(r#"</v2/a/referrers/x?n=2>; rel="next""#), Some("/v2/a/referrers/x?n=2"));
        assert_eq!(next_page("<x>; rel=prev"), None);
        assert_eq!(next_page("x; rel=next"), None);
    }
}
