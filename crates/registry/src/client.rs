//! A client of registries.

mod authorize;
mod blob;
mod manifest;
mod push;
mod referrers;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde::Deserialize;

use crate::challenge;
use crate::credentials::{CredentialFiles, Credentials};
use crate::error::RegistryError;
use crate::hosts::{Endpoint, Hosts, Transport};
use crate::http::{Http, HttpOptions, Method, Proxies, Request, Response, Trouble};
use crate::reference::Repository;
use crate::retry::{self, Retries};

pub use blob::Blob;
pub use manifest::Manifest;
pub use push::Pushed;
pub use referrers::{FoundBy, Referrers};

/// What a client is made of.
#[derive(Debug, Clone, Default)]
pub struct RegistryOptions {
    /// Mirrors, certificates, and which registries speak no TLS.
    pub hosts: Hosts,
    /// Who the user is.
    pub credentials: CredentialFiles,
    /// What one registry is shown instead, by its name: nobody else is shown that.
    pub instead: Option<(String, Credentials)>,
    /// What stands between.
    pub proxies: Proxies,
    /// How often what may pass is tried.
    pub retries: Retries,
}

/// A client of any number of registries. Nothing happens before the first question.
#[derive(Debug)]
pub struct Registry {
    hosts: Hosts,
    credentials: CredentialFiles,
    instead: Option<(String, Credentials)>,
    retries: Retries,
    http: Http,
    /// What was shown last and taken, for each endpoint and kind of access.
    shown: Mutex<BTreeMap<(Endpoint, Access), String>>,
    /// This machine's servers, and whether they speak TLS.
    loopbacks: Mutex<BTreeMap<String, bool>>,
}

/// What is done to a repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Access {
    Pull,
    Push,
}

impl Access {
    fn actions(self) -> &'static str {
        match self {
            Self::Pull => "pull",
            Self::Push => "pull,push",
        }
    }
}

/// A question to one endpoint.
#[derive(Debug, Clone)]
struct Question<'a> {
    access: Access,
    method: Method,
    /// Below the repository, `manifests/latest`, or a whole URL that the registry gave.
    place: Place<'a>,
    headers: Vec<(&'static str, String)>,
    body: Option<&'a [u8]>,
}

#[derive(Debug, Clone, Copy)]
enum Place<'a> {
    Below(&'a str),
    Url(&'a str),
}

impl<'a> Question<'a> {
    fn get(place: &'a str) -> Self {
        Self { access: Access::Pull, method: Method::GET, place: Place::Below(place), headers: Vec::new(), body: None }
    }
}

/// An answer that says that something is wrong is read so far.
const LONGEST_COMPLAINT: u64 = 64 << 10;

impl Registry {
    /// A client that has asked nothing yet.
    pub fn new(options: RegistryOptions) -> Self {
        let defaults = HttpOptions::default();
        let http = Http::new(HttpOptions {
            proxies: options.proxies,
            patience: options.hosts.patience_seconds.map_or(defaults.patience, Duration::from_secs),
            authorities: options.hosts.authorities(),
            plain: options.hosts.plain(),
            ..defaults
        });
        Self {
            hosts: options.hosts,
            credentials: options.credentials,
            instead: options.instead,
            retries: options.retries,
            http,
            shown: Mutex::default(),
            loopbacks: Mutex::default(),
        }
    }

    /// Asks mirrors and then the registry itself, until one gives it.
    fn anywhere<T>(
        &self,
        repository: &Repository,
        ask: impl Fn(&Endpoint) -> Result<T, RegistryError>,
    ) -> Result<T, RegistryError> {
        let mut endpoints = self.hosts.endpoints(repository)?;
        let last = endpoints.pop().expect("the registry itself is the last of its endpoints");
        let mut before = Vec::new();
        for mirror in &endpoints {
            match ask(mirror) {
                Ok(given) => return Ok(given),
                Err(error) => before.push(error.message()),
            }
        }
        ask(&last).map_err(|error| match before.is_empty() {
            true => error,
            false => RegistryError::Mirrors { last: Box::new(error), before },
        })
    }

    /// Asks one endpoint, logs in where it wants that, and tries again what may pass.
    fn ask(&self, endpoint: &Endpoint, question: &Question<'_>) -> Result<Response, RegistryError> {
        let root = self.root(endpoint)?;
        let url = match question.place {
            Place::Below(place) => format!("{root}/v2/{}/{place}", endpoint.repository.path()),
            Place::Url(url) => {
                self.http.check_led(&root, url)?;
                url.to_owned()
            }
        };
        if !url.starts_with(&format!("{root}/")) {
            // Uploads may go elsewhere; credentials do not.
            return self.send(&url, question, None);
        }
        let key = (endpoint.clone(), question.access);
        let known = self.shown.lock().unwrap_or_else(PoisonError::into_inner).get(&key).cloned();
        let response = self.send(&url, question, known.clone())?;
        if response.status != 401 {
            return Ok(response);
        }
        let Some(challenge) = challenge::choose(response.headers("www-authenticate")) else { return Ok(response) };
        let authorization = match self.authorize(endpoint, question.access, &challenge)? {
            Some(authorization) if known.as_ref() != Some(&authorization) => authorization,
            // Nothing to show, or the same that was refused.
            _ => return Ok(response),
        };
        let response = self.send(&url, question, Some(authorization.clone()))?;
        if response.status != 401 {
            self.shown.lock().unwrap_or_else(PoisonError::into_inner).insert(key, authorization);
        }
        Ok(response)
    }

    fn send(
        &self,
        url: &str,
        question: &Question<'_>,
        authorization: Option<String>,
    ) -> Result<Response, RegistryError> {
        let request = Request {
            method: question.method.clone(),
            url,
            headers: question.headers.clone(),
            authorization,
            body: question.body,
        };
        Ok(self.http.send_patiently(&request, &self.retries)?)
    }

    /// `https://host`, or `http://host` where that is allowed.
    fn root(&self, endpoint: &Endpoint) -> Result<String, RegistryError> {
        let is_tls = match endpoint.transport {
            Transport::Tls => true,
            Transport::Plain => false,
            Transport::Loopback => self.loopback_speaks_tls(&endpoint.authority)?,
        };
        Ok(format!("{}://{}", if is_tls { "https" } else { "http" }, endpoint.authority))
    }

    /// A server of this machine is tried with TLS first. One whose certificate is not trusted is not asked without.
    fn loopback_speaks_tls(&self, authority: &str) -> Result<bool, RegistryError> {
        let mut known = self.loopbacks.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(speaks_tls) = known.get(authority) {
            return Ok(*speaks_tls);
        }
        let speaks_tls = match self.http.send(&Request::get(&format!("https://{authority}/v2/"))) {
            Ok(_) => true,
            Err(error) => match error.trouble {
                Trouble::NotTls | Trouble::Broken(_) => false,
                _ => return Err(error.into()),
            },
        };
        known.insert(authority.to_owned(), speaks_tls);
        Ok(speaks_tls)
    }
}

/// What is wrong with an answer that is not the one that was hoped for.
fn refused(endpoint: &Endpoint, what: &str, response: Response) -> RegistryError {
    let registry = endpoint.repository.registry().to_owned();
    let what = what.to_owned();
    let status = response.status;
    let wait = retry::told(response.header("retry-after")).map(|wait| wait.as_secs());
    let said = complaint(response);
    match status {
        401 => RegistryError::Unauthorized { registry, what, said },
        403 => RegistryError::Forbidden { registry, what, said },
        404 => RegistryError::NotFound { registry, what, said },
        429 => RegistryError::TooManyRequests { registry, wait, said },
        status => RegistryError::Status { registry, what, status, said },
    }
}

/// What a registry says is wrong, on one line; empty when it says nothing that is of its form.
///
/// Source: OCI distribution specification, "Error codes".
fn complaint(response: Response) -> String {
    const LONGEST: usize = 300;
    #[derive(Deserialize)]
    struct Complaints {
        errors: Vec<Complaint>,
    }
    #[derive(Deserialize)]
    struct Complaint {
        #[serde(default)]
        code: String,
        #[serde(default)]
        message: String,
    }
    let Ok(bytes) = response.read_to_end(LONGEST_COMPLAINT) else { return String::new() };
    let Ok(complaints) = serde_json::from_slice::<Complaints>(&bytes) else { return String::new() };
    let mut told = BTreeSet::new();
    let lines = complaints.errors.iter().map(|it| match it.message.is_empty() {
        true => it.code.clone(),
        false => format!("{} ({})", it.message, it.code),
    });
    let text: Vec<String> = lines.filter(|line| told.insert(line.clone())).collect();
    text.join(", ").chars().filter(|it| !it.is_control()).take(LONGEST).collect()
}
