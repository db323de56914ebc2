//! Who the user is to a registry: Docker's config file, and the programs that it names.
//!
//! Source: the docker CLI's reference, "Credential stores" and "Credential helpers"; `cli/config/configfile`. Podman's
//! `auth.json` has the same form, with keys that may name a part of a registry.

mod program;
mod pull_secret;

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use serde::Deserialize;

use crate::reference::{DOCKER_HUB, Repository};

pub use pull_secret::PullCredentials;

/// A config has some kilobytes.
const LONGEST_CONFIG: u64 = 4 << 20;

/// The key of Docker Hub in config files and for programs.
const DOCKER_HUB_KEY: &str = "https://index.docker.io/v1/";

/// What a registry is shown.
#[derive(Clone, PartialEq, Eq)]
pub enum Credentials {
    /// A name and its password.
    Password {
        /// The name.
        user: String,
        /// The password.
        password: String,
    },
    /// A token that others are had for.
    Identity(String),
    /// A token that is shown as it is.
    Token(String),
}

impl fmt::Debug for Credentials {
    /// Secrets are in no message.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Password { .. } => "Password",
            Self::Identity(_) => "Identity",
            Self::Token(_) => "Token",
        })
    }
}

/// Why credentials that are named cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum CredentialsError {
    /// The file is there and cannot be read.
    #[error("cannot read credentials of `{}`", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It is no config.
    #[error("`{}` is no config of Docker", path.display())]
    Json {
        /// Which.
        path: PathBuf,
        /// Why.
        source: serde_json::Error,
    },
    /// An entry that is none.
    #[error("`{}`: the entry `{key}` of `auths` is not `USER:PASSWORD` in base64", path.display())]
    Entry {
        /// Which file.
        path: PathBuf,
        /// The registry.
        key: String,
    },
    /// A program that is named gives none.
    #[error("`docker-credential-{name}` gives no credentials for `{registry}`: {why}")]
    Program {
        /// What stands in the config.
        name: String,
        /// What it was asked for.
        registry: String,
        /// Why.
        why: String,
    },
}

/// A config file as it is written.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Config {
    auths: BTreeMap<String, Entry>,
    creds_store: Option<String>,
    cred_helpers: BTreeMap<String, String>,
}

#[derive(Clone, Default, Deserialize)]
#[serde(default)]
struct Entry {
    auth: Option<String>,
    username: Option<String>,
    password: Option<String>,
    identitytoken: Option<String>,
    registrytoken: Option<String>,
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Entry")
    }
}

/// Where credentials are looked up. Nothing is read before a registry asks for them.
#[derive(Debug, Clone, Default)]
pub struct CredentialFiles {
    /// `config.json` of Docker, or files of its form: the first that names the registry wins.
    pub files: Vec<PathBuf>,
}

impl CredentialFiles {
    /// What the registry of a repository is to be shown; `None` for nothing.
    ///
    /// # Errors
    /// When a file is there and broken, or a program that it names fails: going on as nobody would hide that.
    pub fn of(&self, repository: &Repository) -> Result<Option<Credentials>, CredentialsError> {
        for path in &self.files {
            let Some(config) = read(path)? else { continue };
            if let Some(credentials) = config.of(repository, path)? {
                return Ok(Some(credentials));
            }
        }
        Ok(None)
    }
}

fn read(path: &Path) -> Result<Option<Config>, CredentialsError> {
    let failed = |source| CredentialsError::Read { path: path.to_owned(), source };
    let size = match std::fs::metadata(path) {
        Ok(found) => found.len(),
        Err(error) if matches!(error.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory) => {
            return Ok(None);
        }
        Err(error) => return Err(failed(error)),
    };
    if size > LONGEST_CONFIG {
        return Err(failed(std::io::Error::other(format!("longer than {LONGEST_CONFIG} bytes"))));
    }
    let bytes = std::fs::read(path).map_err(failed)?;
    let parsed = serde_json::from_slice(&bytes);
    parsed.map(Some).map_err(|source| CredentialsError::Json { path: path.to_owned(), source })
}

impl Config {
    fn of(&self, repository: &Repository, path: &Path) -> Result<Option<Credentials>, CredentialsError> {
        let registry = repository.registry();
        let asked = if registry == DOCKER_HUB { DOCKER_HUB_KEY } else { registry };
        let helper = self.cred_helpers.iter().find(|(key, _)| host(key) == registry).map(|(_, name)| name);
        for name in helper.into_iter().chain(&self.creds_store).filter(|name| !name.is_empty()) {
            let failed = |why| CredentialsError::Program { name: name.clone(), registry: registry.to_owned(), why };
            if let Some(credentials) = program::ask(name, asked).map_err(failed)? {
                return Ok(Some(credentials));
            }
        }
        // The longest key that the repository lies below: `quay.io/team` before `quay.io`.
        let whole = repository.to_string();
        let is_above = |key: &str| whole.strip_prefix(key).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        let fitting =
            self.auths.iter().map(|(key, entry)| (host(key), key, entry)).filter(|(place, ..)| is_above(place));
        let Some((_, key, entry)) = fitting.max_by_key(|(place, ..)| place.len()) else { return Ok(None) };
        entry.credentials().ok_or_else(|| CredentialsError::Entry { path: path.to_owned(), key: key.clone() })
    }
}

/// The registry, or part of one, that a key names: without scheme and version of the API.
fn host(key: &str) -> String {
    let place = key.trim_start_matches("https://").trim_start_matches("http://").trim_end_matches('/');
    let place = place.strip_suffix("/v1").or_else(|| place.strip_suffix("/v2")).unwrap_or(place);
    let (host, path) = place.split_once('/').map_or((place, None), |(host, path)| (host, Some(path)));
    let host = match host.to_ascii_lowercase() {
        hub if matches!(&*hub, "index.docker.io" | "registry-1.docker.io") => DOCKER_HUB.to_owned(),
        host => host,
    };
    path.map_or(host.clone(), |path| format!("{host}/{path}"))
}

impl Entry {
    /// Outer `None` when it cannot be read; the inner one when it is empty, as where a program keeps the secret.
    fn credentials(&self) -> Option<Option<Credentials>> {
        let given = |it: &Option<String>| it.clone().filter(|it| !it.is_empty());
        if let Some(token) = given(&self.registrytoken) {
            return Some(Some(Credentials::Token(token)));
        }
        if let Some(token) = given(&self.identitytoken) {
            return Some(Some(Credentials::Identity(token)));
        }
        if let Some(auth) = given(&self.auth) {
            let bytes = base64::engine::general_purpose::STANDARD.decode(auth.trim()).ok()?;
            let text = String::from_utf8(bytes).ok()?;
            let (user, password) = text.split_once(':')?;
            let password = password.trim_end_matches('\0').to_owned();
            return Some(Some(Credentials::Password { user: user.to_owned(), password }));
        }
        let named = given(&self.username).zip(given(&self.password));
        Some(named.map(|(user, password)| Credentials::Password { user, password }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(config: &str, repository: (&str, &str)) -> Result<Option<Credentials>, String> {
        let config: Config = serde_json::from_str(config).expect("a config");
        let repository = Repository::new(repository.0, repository.1).expect("a repository");
        config.of(&repository, Path::new("config.json")).map_err(|error| error.to_string())
    }

    fn password(user: &str, password: &str) -> Result<Option<Credentials>, String> {
        Ok(Some(Credentials::Password { user: user.into(), password: password.into() }))
    }

    #[test]
    fn each_form_of_an_entry_is_read() {
        let config = r#"{"auths": {
            "https://index.docker.io/v1/": {"auth": "YTpi"},
            "registry.example:5000": {"username": "c", "password": "d:e"},
            "https://other.example/v2/": {"auth": "Zjpn", "identitytoken": "t"},
            "token.example": {"registrytoken": "r"},
            "quay.io": {"auth": "aDpp"}, "quay.io/team": {"auth": "ajpr"},
            "empty.example": {}, "broken.example": {"auth": "!"}}, "HttpHeaders": {"X": "y"}}"#;
        assert_eq!(of(config, ("docker.io", "library/alpine")), password("a", "b"));
        assert_eq!(of(config, ("registry.example:5000", "x")), password("c", "d:e"));
        assert_eq!(of(config, ("registry.example", "x")), Ok(None));
        assert_eq!(of(config, ("other.example", "x")), Ok(Some(Credentials::Identity("t".into()))));
        assert_eq!(of(config, ("token.example", "x")), Ok(Some(Credentials::Token("r".into()))));
        assert_eq!(of(config, ("quay.io", "team/x")), password("j", "k"));
        assert_eq!(of(config, ("quay.io", "teams/x")), password("h", "i"));
        assert_eq!(of(config, ("empty.example", "x")), Ok(None));
        let broken = of(config, ("broken.example", "x")).expect_err("no base64");
        assert_eq!(broken, "`config.json`: the entry `broken.example` of `auths` is not `USER:PASSWORD` in base64");
    }

    #[test]
    fn no_secret_is_in_a_message() {
        let shown = format!("{:?}", Credentials::Password { user: "me".into(), password: "secret".into() });
        assert_eq!(shown, "Password");
    }
}
