//! What is known of registries beforehand: mirrors, certificates, and which speak no TLS.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::http::is_this_machine;
use crate::reference::{DOCKER_HUB, NoReference, Repository};

/// Registries, by the name that references have.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Hosts {
    /// What differs from what a registry is otherwise taken for.
    pub registries: BTreeMap<String, Host>,
    /// Nobody is waited for longer without a byte; 30 s when none is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub patience_seconds: Option<u64>,
}

/// A registry, or a mirror.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Host {
    /// Asked before it, in this order: `host`, or `host/path` where repositories lie below a path. Nothing is pushed there.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub mirrors: Vec<String>,
    /// It is spoken to in plain HTTP: whoever is between can read credentials and change tags.
    pub insecure: bool,
    /// A file of certificates (PEM), in the place of the system's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca: Option<PathBuf>,
}

/// Where a repository is asked for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Endpoint {
    /// The repository there: a mirror may have it below a path. Credentials are looked up for it.
    pub repository: Repository,
    /// `host` or `host:port`, as it stands in URLs.
    pub authority: String,
    /// How it is spoken to.
    pub transport: Transport,
}

/// How a registry is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Transport {
    /// TLS, with a certificate that is trusted.
    Tls,
    /// Plain HTTP, because its name was given as insecure.
    Plain,
    /// This machine: TLS, or plain HTTP when it speaks no TLS. What goes there does not leave the machine.
    Loopback,
}

impl Hosts {
    /// Where a repository is read from: mirrors, then the registry itself.
    ///
    /// # Errors
    /// When a mirror is not spelled as one.
    pub fn endpoints(&self, repository: &Repository) -> Result<Vec<Endpoint>, NoReference> {
        let mirrors = self.registries.get(repository.registry()).map_or(&[][..], |host| &host.mirrors);
        let mut endpoints = Vec::new();
        for mirror in mirrors {
            let mirror = mirror.trim_end_matches('/');
            let there = match mirror.split_once('/') {
                Some((host, below)) => Repository::new(host, &format!("{below}/{}", repository.path()))?,
                None => Repository::new(mirror, repository.path())?,
            };
            endpoints.push(self.origin(&there));
        }
        endpoints.push(self.origin(repository));
        Ok(endpoints)
    }

    /// The registry of a repository, without its mirrors.
    pub fn origin(&self, repository: &Repository) -> Endpoint {
        let registry = repository.registry();
        let transport = match self.registries.get(registry) {
            Some(host) if host.insecure => Transport::Plain,
            _ if is_this_machine(without_port(registry)) => Transport::Loopback,
            _ => Transport::Tls,
        };
        // Where Docker Hub's API is. Source: distribution, "Docker Registry HTTP API".
        let authority = if registry == DOCKER_HUB { "registry-1.docker.io" } else { registry };
        Endpoint { repository: repository.clone(), authority: authority.to_owned(), transport }
    }

    /// For the HTTP client: the files of certificates by `host:port`.
    pub fn authorities(&self) -> BTreeMap<String, PathBuf> {
        let named = self.registries.iter().filter_map(|(name, host)| Some((with_port(name, 443), host.ca.clone()?)));
        named.collect()
    }

    /// For the HTTP client: what may be asked in plain HTTP.
    pub fn plain(&self) -> BTreeSet<String> {
        let insecure = self.registries.iter().filter(|(_, host)| host.insecure);
        insecure.map(|(name, _)| with_port(name, 80)).collect()
    }
}

fn without_port(registry: &str) -> &str {
    let host =
        registry.rsplit_once(':').filter(|(_, port)| port.parse::<u16>().is_ok()).map_or(registry, |(host, _)| host);
    host.trim_matches(['[', ']'])
}

fn with_port(name: &str, port: u16) -> String {
    let name = if name == DOCKER_HUB { "registry-1.docker.io" } else { name };
    match name.rsplit_once(':') {
        Some((_, port)) if port.parse::<u16>().is_ok() => name.to_ascii_lowercase(),
        _ => format!("{}:{port}", name.to_ascii_lowercase()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mirrors_come_first_and_only_names_make_insecure() {
        let hosts: Hosts = serde_json::from_str(
            r#"{"registries": {
                "docker.io": {"mirrors": ["mirror.example/hub", "127.0.0.1:5000"]},
                "mirror.example": {"ca": "/ca.pem"},
                "plain.example:5000": {"insecure": true}}}"#,
        )
        .expect("a config");
        let shown = |registry: &str| {
            let repository = Repository::new(registry, "a/b").expect("a repository");
            let endpoints = hosts.endpoints(&repository).expect("mirrors").into_iter();
            endpoints
                .map(|it| format!("{}/{} {:?}", it.authority, it.repository.path(), it.transport))
                .collect::<Vec<_>>()
        };
        assert_eq!(
            shown("docker.io"),
            ["mirror.example/hub/a/b Tls", "127.0.0.1:5000/a/b Loopback", "registry-1.docker.io/a/b Tls"]
        );
        assert_eq!(shown("plain.example:5000"), ["plain.example:5000/a/b Plain"]);
        assert_eq!(shown("plain.example"), ["plain.example/a/b Tls"]);
        assert_eq!(shown("[::1]:5000"), ["[::1]:5000/a/b Loopback"]);
        assert_eq!(shown("localhost"), ["localhost/a/b Loopback"]);
        assert_eq!(shown("localhost.example"), ["localhost.example/a/b Tls"]);
        assert_eq!(hosts.authorities().keys().collect::<Vec<_>>(), ["mirror.example:443"]);
        assert_eq!(hosts.plain().iter().collect::<Vec<_>>(), ["plain.example:5000"]);
        assert!(serde_json::from_str::<Hosts>(r#"{"registries": {"a": {"insecur": true}}}"#).is_err());
    }
}
