//! Pull secrets of Kubernetes: credentials that manifests bring along.
//!
//! Source: Kubernetes, `pkg/credentialprovider` (`keyring.go`, `config.go`): keys may have `*` in parts of the host, and a
//! path in front of the repository's; the longest is asked first.

use std::collections::BTreeMap;

use base64::Engine as _;

use super::{Config, Credentials, Entry, host};
use crate::reference::Repository;

/// Credentials of one Secret. Programs that a config names are not run: whoever writes a manifest would run them.
#[derive(Debug, Clone)]
pub struct PullCredentials(BTreeMap<String, Entry>);

impl PullCredentials {
    /// Reads a `config.json` of Docker. `None` for anything else; what is in it is in no message.
    pub fn parse_config(json: &[u8]) -> Option<Self> {
        serde_json::from_slice::<Config>(json).ok().map(|config| Self(config.auths))
    }

    /// Reads its older form, the entries alone.
    pub fn parse_entries(json: &[u8]) -> Option<Self> {
        serde_json::from_slice(json).ok().map(Self)
    }

    /// The bytes of a Secret's `data`. `None` when it is no base64.
    pub fn decode(data: &str) -> Option<Vec<u8>> {
        let data: String = data.split_ascii_whitespace().collect();
        base64::engine::general_purpose::STANDARD.decode(data).ok()
    }

    /// What the registry of a repository is to be shown.
    pub fn of(&self, repository: &Repository) -> Option<Credentials> {
        let whole = repository.to_string();
        let mut fitting: Vec<(String, &Entry)> =
            self.0.iter().map(|(key, entry)| (host(key), entry)).filter(|(place, _)| covers(place, &whole)).collect();
        fitting.sort_by_key(|(place, _)| std::cmp::Reverse(place.len()));
        fitting.into_iter().find_map(|(_, entry)| entry.credentials().flatten())
    }
}

/// Whether `*.example/team` is about `eu.example/team/web`.
fn covers(place: &str, repository: &str) -> bool {
    let (host, path) = place.split_once('/').unwrap_or((place, ""));
    let (asked, rest) = repository.split_once('/').unwrap_or((repository, ""));
    let port = |host: &str| host.rsplit_once(':').map(|(_, port)| port.to_owned());
    let parts = |host: &str| -> Vec<String> {
        let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
        name.split('.').map(str::to_owned).collect()
    };
    let (wanted, given) = (parts(host), parts(asked));
    port(host) == port(asked)
        && wanted.len() == given.len()
        && wanted.iter().zip(&given).all(|(pattern, part)| fits(pattern, part))
        && rest.strip_prefix(path).is_some_and(|rest| path.is_empty() || rest.is_empty() || rest.starts_with('/'))
}

/// One part of a host against a pattern, whose `*` stands for any letters of that part.
fn fits(pattern: &str, part: &str) -> bool {
    let mut pieces = pattern.split('*');
    let first = pieces.next().unwrap_or_default();
    let Some(mut rest) = part.strip_prefix(first) else { return false };
    let mut pieces = pieces.peekable();
    if pieces.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(piece) = pieces.next() {
        if pieces.peek().is_none() {
            return rest.ends_with(piece);
        }
        let Some(at) = rest.find(piece) else { return false };
        rest = &rest[at + piece.len()..];
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(config: &str, repository: (&str, &str)) -> Option<String> {
        let repository = Repository::new(repository.0, repository.1).expect("a repository");
        match PullCredentials::parse_config(config.as_bytes()).expect("a config").of(&repository)? {
            Credentials::Password { user, .. } => Some(user),
            Credentials::Identity(_) | Credentials::Token(_) => Some("token".into()),
        }
    }

    #[test]
    fn keys_are_matched_as_the_kubelet_matches_them() {
        let config = r#"{"credsStore": "evil", "credHelpers": {"helped.example": "evil"}, "auths": {
            "https://index.docker.io/v1/": {"username": "hub", "password": "p"},
            "*.example": {"username": "star", "password": "p"},
            "eu-*.kube.example:5000": {"username": "part", "password": "p"},
            "quay.io": {"username": "quay", "password": "p"},
            "quay.io/team": {"username": "team", "password": "p"},
            "broken.test": {"auth": "!"}, "empty.test": {}}}"#;
        for (repository, expected) in [
            (("docker.io", "library/alpine"), Some("hub")),
            (("eu.example", "a"), Some("star")),
            (("a.eu.example", "a"), None),
            (("eu.example:5000", "a"), None),
            (("eu-1.kube.example:5000", "a/b"), Some("part")),
            (("us-1.kube.example:5000", "a/b"), None),
            (("quay.io", "team/web"), Some("team")),
            (("quay.io", "teams/web"), Some("quay")),
            (("helped.example", "a"), Some("star")),
            (("broken.test", "a"), None),
            (("empty.test", "a"), None),
        ] {
            assert_eq!(user(config, repository).as_deref(), expected, "{repository:?}");
        }
        let old = PullCredentials::parse_entries(br#"{"quay.io": {"auth": "YTpi"}}"#).expect("entries");
        assert!(old.of(&Repository::new("quay.io", "a").expect("a repository")).is_some());
        assert!(PullCredentials::parse_config(b"{").is_none() && PullCredentials::parse_entries(b"[]").is_none());
    }
}
