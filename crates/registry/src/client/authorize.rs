//! Logging in: names and passwords, and tokens.
//!
//! Source: distribution, "Token Authentication Specification" and "OAuth2 Token Authentication".

use base64::Engine as _;
use serde::Deserialize;

use super::{Access, Registry};
use crate::challenge::Challenge;
use crate::credentials::Credentials;
use crate::error::RegistryError;
use crate::hosts::{Endpoint, Transport};
use crate::http::{Method, Request, is_this_machine};

/// A token of a cloud has some kilobytes.
const LONGEST_ANSWER: u64 = 1 << 20;

#[derive(Deserialize)]
struct Answer {
    token: Option<String>,
    access_token: Option<String>,
}

impl Registry {
    /// The value of `Authorization` that answers a challenge; `None` when there is nothing to show.
    pub(super) fn authorize(
        &self,
        endpoint: &Endpoint,
        access: Access,
        challenge: &Challenge,
    ) -> Result<Option<String>, RegistryError> {
        let credentials = match &self.instead {
            Some((registry, credentials)) if registry == endpoint.repository.registry() => Some(credentials.clone()),
            Some(_) | None => self.credentials.of(&endpoint.repository)?,
        };
        match (challenge, credentials) {
            (_, Some(Credentials::Token(token))) => Ok(Some(format!("Bearer {token}"))),
            (Challenge::Basic, Some(Credentials::Password { user, password })) => Ok(Some(basic(&user, &password))),
            (Challenge::Basic, Some(Credentials::Identity(_)) | None) => Ok(None),
            (Challenge::Bearer { realm, service, scope }, credentials) => {
                let failed =
                    |why: String| RegistryError::Challenge { registry: endpoint.repository.registry().to_owned(), why };
                self.check_realm(endpoint, realm).map_err(failed)?;
                let own = format!("repository:{}:{}", endpoint.repository.path(), access.actions());
                let scope = scope.as_deref().unwrap_or(&own);
                let token = self.token(endpoint, realm, service.as_deref(), scope, credentials)?;
                Ok(Some(format!("Bearer {token}")))
            }
        }
    }

    /// Who gives tokens is shown the password: it is spoken to over TLS, or is as near as the registry itself.
    fn check_realm(&self, endpoint: &Endpoint, realm: &str) -> Result<(), String> {
        let Some((scheme, rest)) = realm.split_once("://") else {
            return Err(format!("its place for tokens, `{realm}`, is no URL"));
        };
        let authority = rest.split(['/', '?', '#']).next().unwrap_or("");
        let host = authority.rsplit_once(':').map_or(authority, |(host, _)| host).trim_matches(['[', ']']);
        let is_near = match endpoint.transport {
            Transport::Tls => false,
            Transport::Loopback => is_this_machine(host),
            Transport::Plain => authority == endpoint.authority || self.hosts.plain().contains(authority),
        };
        match scheme {
            "https" => Ok(()),
            "http" if is_near => Ok(()),
            _ => Err(format!("its place for tokens, `{scheme}://{authority}`, is not spoken to over TLS")),
        }
    }

    fn token(
        &self,
        endpoint: &Endpoint,
        realm: &str,
        service: Option<&str>,
        scope: &str,
        credentials: Option<Credentials>,
    ) -> Result<String, RegistryError> {
        let registry = endpoint.repository.registry();
        let fields: Vec<(&str, &str)> =
            service.map(|service| ("service", service)).into_iter().chain([("scope", scope)]).collect();
        let response = match &credentials {
            Some(Credentials::Identity(token)) => {
                let body = form(
                    &[
                        &fields[..],
                        &[("client_id", "palisade"), ("grant_type", "refresh_token"), ("refresh_token", token)],
                    ]
                    .concat(),
                );
                self.http.send(&Request {
                    method: Method::POST,
                    headers: vec![("content-type", "application/x-www-form-urlencoded".into())],
                    body: Some(body.as_bytes()),
                    ..Request::get(realm)
                })?
            }
            other => {
                let separator = if realm.contains('?') { '&' } else { '?' };
                let url = format!("{realm}{separator}{}", form(&fields));
                let authorization = match other {
                    Some(Credentials::Password { user, password }) => Some(basic(user, password)),
                    Some(Credentials::Identity(_) | Credentials::Token(_)) | None => None,
                };
                self.http.send(&Request { authorization, ..Request::get(&url) })?
            }
        };
        let what = format!("a token for {scope}");
        if response.status != 200 {
            return Err(super::refused(endpoint, &what, response));
        }
        let answer: Option<Answer> = serde_json::from_slice(&response.read_to_end(LONGEST_ANSWER)?).ok();
        let token = answer.and_then(|answer| answer.token.filter(|it| !it.is_empty()).or(answer.access_token));
        // It becomes a header.
        token.filter(|token| !token.is_empty() && token.bytes().all(|it| it.is_ascii_graphic())).ok_or_else(|| {
            let why = "there is none in it".to_owned();
            RegistryError::Answer { registry: registry.to_owned(), what, why }
        })
    }
}

fn basic(user: &str, password: &str) -> String {
    let encoded = base64::engine::general_purpose::STANDARD.encode(format!("{user}:{password}"));
    format!("Basic {encoded}")
}

/// Fields as in the query of a URL.
fn form(fields: &[(&str, &str)]) -> String {
    let pairs: Vec<String> = fields.iter().map(|(key, value)| format!("{key}={}", encoded(value))).collect();
    pairs.join("&")
}

/// Percent-encoded but for what RFC 3986 calls unreserved.
pub(super) fn encoded(text: &str) -> String {
    let is_plain = |it: u8| it.is_ascii_alphanumeric() || matches!(it, b'-' | b'.' | b'_' | b'~');
    text.bytes().fold(String::new(), |mut whole, byte| {
        match is_plain(byte) {
            true => whole.push(byte.into()),
            false => whole.push_str(&format!("%{byte:02X}")),
        }
        whole
    })
}
