//! What names an image in a registry: `registry/repository:tag@digest`.
//!
//! Source: the grammar of `github.com/distribution/reference`, with Docker's short forms.

use std::fmt;
use std::str::FromStr;

use crate::digest::is_sha256;

/// The registry that a name without one means.
pub const DOCKER_HUB: &str = "docker.io";

/// The longest `registry/repository`. Source: `github.com/distribution/reference`, `RepositoryNameTotalLengthMax`.
const LONGEST_NAME: usize = 255;

/// A repository of a registry.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Repository {
    registry: String,
    path: String,
}

/// An image of a repository: by tag, by digest, or both, where the digest decides.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reference {
    /// Where it lies.
    pub repository: Repository,
    /// `latest` where neither tag nor digest is said.
    pub tag: Option<String>,
    /// `sha256:` and 64 digits.
    pub digest: Option<String>,
}

/// Which manifest of a repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version<'a> {
    /// Whatever the tag points to now.
    Tag(&'a str),
    /// These bytes and no others.
    Digest(&'a str),
}

impl Version<'_> {
    /// As it stands in a URL.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Tag(text) | Self::Digest(text) => text,
        }
    }
}

/// Why a text is no reference.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoReference {
    /// A registry that is no host with an optional port.
    #[error("`{0}` is no registry: a host name, and a port where it needs one")]
    Registry(String),
    /// A path that the specification does not allow.
    #[error("`{0}` is no repository: lower-case letters, digits, and `.`, `_`, `-`, `/` between them")]
    Repository(String),
    /// A tag that the specification does not allow.
    #[error("`{0}` is no tag: at most 128 letters, digits, `_`, `.` and `-`, and the first is a letter, digit or `_`")]
    Tag(String),
    /// A digest of another algorithm, or none.
    #[error("`{0}` is no digest that is checked here: `sha256:` and 64 lower-case hexadecimal digits")]
    Digest(String),
    /// More than registries take.
    #[error("the name is longer than {LONGEST_NAME} characters")]
    Long,
}

impl Repository {
    /// The repository `path` of `registry`.
    ///
    /// # Errors
    /// When one of the two is not spelled as the specification has it.
    pub fn new(registry: &str, path: &str) -> Result<Self, NoReference> {
        if !is_registry(registry) {
            return Err(NoReference::Registry(registry.to_owned()));
        }
        if !path.split('/').all(is_component) {
            return Err(NoReference::Repository(path.to_owned()));
        }
        if registry.len() + 1 + path.len() > LONGEST_NAME {
            return Err(NoReference::Long);
        }
        let lower = registry.to_ascii_lowercase();
        // Capitals alone may tell a registry from a part of a path: without them it would be Docker Hub's.
        let registry = if looks_like_registry(&lower) { lower } else { registry.to_owned() };
        Ok(Self { registry, path: path.to_owned() })
    }

    /// The host, with its port where one is said; `docker.io` for Docker Hub.
    pub fn registry(&self) -> &str {
        &self.registry
    }

    /// `library/debian`.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The image of this repository with that digest.
    pub fn at(&self, digest: &str) -> Reference {
        Reference { repository: self.clone(), tag: None, digest: Some(digest.to_owned()) }
    }
}

impl fmt::Display for Repository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.registry, self.path)
    }
}

impl Reference {
    /// What is asked for: the digest where there is one.
    pub fn version(&self) -> Version<'_> {
        match (&self.digest, &self.tag) {
            (Some(digest), _) => Version::Digest(digest),
            (None, Some(tag)) => Version::Tag(tag),
            (None, None) => Version::Tag("latest"),
        }
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.repository)?;
        self.tag.iter().try_for_each(|tag| write!(f, ":{tag}"))?;
        self.digest.iter().try_for_each(|digest| write!(f, "@{digest}"))
    }
}

impl FromStr for Reference {
    type Err = NoReference;

    fn from_str(text: &str) -> Result<Self, NoReference> {
        let (rest, digest) = match text.split_once('@') {
            Some((rest, digest)) if is_sha256(digest) => (rest, Some(digest.to_owned())),
            Some((_, digest)) => return Err(NoReference::Digest(digest.to_owned())),
            None => (text, None),
        };
        // A colon before the last slash is that of a port.
        let (name, tag) = match rest.rsplit_once(':') {
            Some((name, tag)) if !tag.contains('/') => (name, Some(tag)),
            _ => (rest, None),
        };
        if let Some(tag) = tag.filter(|tag| !is_tag(tag)) {
            return Err(NoReference::Tag(tag.to_owned()));
        }
        let (registry, path) = match name.split_once('/') {
            Some((first, path)) if looks_like_registry(first) => (first, path.to_owned()),
            Some(_) => (DOCKER_HUB, name.to_owned()),
            None => (DOCKER_HUB, format!("library/{name}")),
        };
        // A host is the same in capitals.
        let (registry, path) = match (&*registry.to_ascii_lowercase(), path.contains('/')) {
            ("docker.io" | "index.docker.io" | "registry-1.docker.io", true) => (DOCKER_HUB, path),
            ("docker.io" | "index.docker.io" | "registry-1.docker.io", false) => {
                (DOCKER_HUB, format!("library/{path}"))
            }
            _ => (registry, path),
        };
        let tag = match (tag, &digest) {
            (None, None) => Some("latest".to_owned()),
            (tag, _) => tag.map(str::to_owned),
        };
        Ok(Self { repository: Repository::new(registry, &path)?, tag, digest })
    }
}

/// Docker's rule: a first part that can be no part of a repository's path is a registry.
fn looks_like_registry(first: &str) -> bool {
    first.contains(['.', ':']) || first == "localhost" || first.bytes().any(|it| it.is_ascii_uppercase())
}

/// A host name or address, and a port.
fn is_registry(text: &str) -> bool {
    let (host, port) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, rest)) if address.parse::<std::net::Ipv6Addr>().is_ok() => (None, rest.strip_prefix(':')),
        Some(_) => return false,
        None => match text.split_once(':') {
            Some((host, port)) => (Some(host), Some(port)),
            None => (Some(text), None),
        },
    };
    let is_label = |label: &str| {
        let is_inner = |it: u8| it.is_ascii_alphanumeric() || it == b'-';
        !label.is_empty() && label.bytes().all(is_inner) && !label.starts_with('-') && !label.ends_with('-')
    };
    // What follows the bracket of an address is nothing, or a colon and a port.
    let is_closed = host.is_some() || port.is_some() || text.ends_with(']');
    is_closed
        && host.is_none_or(|host| host.split('.').all(is_label))
        && port.is_none_or(|port| port.parse::<u16>().is_ok())
}

fn is_component(text: &str) -> bool {
    let is_word = |it: u8| it.is_ascii_lowercase() || it.is_ascii_digit();
    let separators =
        |text: &str| matches!(text, "." | "_" | "__") || (!text.is_empty() && text.bytes().all(|it| it == b'-'));
    let bytes = text.as_bytes();
    if !bytes.first().is_some_and(|it| is_word(*it)) || !bytes.last().is_some_and(|it| is_word(*it)) {
        return false;
    }
    text.split(|it: char| it.is_ascii() && is_word(it as u8)).all(|between| between.is_empty() || separators(between))
}

/// Whether registries take it as a tag.
pub fn is_tag(text: &str) -> bool {
    let is_word = |it: u8| it.is_ascii_alphanumeric() || it == b'_';
    text.len() <= 128
        && text.bytes().next().is_some_and(is_word)
        && text.bytes().all(|it| is_word(it) || matches!(it, b'.' | b'-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    fn read(text: &str) -> String {
        match text.parse::<Reference>() {
            Ok(reference) => reference.to_string(),
            Err(error) => format!("error: {error}"),
        }
    }

    #[test]
    fn short_names_are_docker_hubs_and_whole_ones_name_their_registry() {
        for (text, whole) in [
            ("alpine", "docker.io/library/alpine:latest"),
            ("alpine:3.20", "docker.io/library/alpine:3.20"),
            ("bitnami/redis", "docker.io/bitnami/redis:latest"),
            ("docker.io/alpine", "docker.io/library/alpine:latest"),
            ("index.docker.io/a/b:c", "docker.io/a/b:c"),
            ("Index.Docker.IO/a/b:c", "docker.io/a/b:c"),
            ("Docker.io/alpine", "docker.io/library/alpine:latest"),
            ("ghcr.io/a/b/c:v1.0", "ghcr.io/a/b/c:v1.0"),
            ("localhost/a", "localhost/a:latest"),
            ("localhost:5000/a", "localhost:5000/a:latest"),
            ("127.0.0.1:5000/a/b:c", "127.0.0.1:5000/a/b:c"),
            ("[::1]:5000/a", "[::1]:5000/a:latest"),
            ("Registry.Example/a", "registry.example/a:latest"),
            ("Intern/a", "Intern/a:latest"),
            ("a__b/c-d/e.f--g", "docker.io/a__b/c-d/e.f--g:latest"),
        ] {
            assert_eq!(read(text), whole, "{text}");
        }
        assert_eq!(read(&format!("ghcr.io/a@{DIGEST}")), format!("ghcr.io/a@{DIGEST}"));
        assert_eq!(read(&format!("ghcr.io/a:v1@{DIGEST}")), format!("ghcr.io/a:v1@{DIGEST}"));
        let both: Reference = format!("ghcr.io/a:v1@{DIGEST}").parse().expect("a reference");
        assert_eq!(both.version(), Version::Digest(DIGEST));
    }

    #[test]
    fn what_is_no_reference_says_which_part() {
        for (text, part) in [
            ("", "repository"),
            ("ghcr.io/", "repository"),
            ("ghcr.io/A", "repository"),
            ("ghcr.io/a//b", "repository"),
            ("ghcr.io/../b", "repository"),
            ("ghcr.io/a?x=y", "repository"),
            ("ghcr.io/a___b", "repository"),
            ("a b", "repository"),
            ("ghcr.io/a:-b", "tag"),
            ("ghcr.io/a:", "tag"),
            ("ghcr.io/a@sha256:12", "digest"),
            ("ghcr.io/a@sha512:12", "digest"),
            ("-x.io/a", "registry"),
            ("x.io:99999/a", "registry"),
            ("user@x.io/a", "digest"),
            ("[::1/a", "registry"),
            ("[::1]x/a:b", "registry"),
        ] {
            let told = read(text);
            assert!(told.starts_with("error: ") && told.contains(&format!(" no {part}")), "{text}: {told}");
        }
        assert!(read(&format!("x.io/{}", "a".repeat(255))).contains("longer"));
    }
}
