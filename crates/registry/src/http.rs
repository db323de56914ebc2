//! The one HTTP client of the program: HTTP/1.1, plain or over TLS, with redirects and patience of its own.
//!
//! Nothing happens before the first request: no certificate is read, no connection made.

mod failure;
mod pace;
mod proxy;
mod trust;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use ureq::Agent;
use ureq::http::{self, HeaderMap, Uri};

pub use ureq::http::Method;

use crate::retry::{self, Retries};

use pace::Paced;

pub use failure::{HttpError, Trouble, chain};
pub use pace::TooSlow;
pub use proxy::{Proxies, is_this_machine};

/// A request is led on to other places so often; container registries need one.
const MOST_REDIRECTS: usize = 5;

/// The head of an answer is no longer.
const LONGEST_HEAD: usize = 64 << 10;

/// What holds for every request.
#[derive(Debug, Clone)]
pub struct HttpOptions {
    /// What the client calls itself.
    pub program: String,
    /// What stands between.
    pub proxies: Proxies,
    /// Nobody is waited for longer: to be connected to, to answer, to send the next bytes.
    pub patience: Duration,
    /// The authorities, as `host:port`, whose certificates are checked against a file of their own and no other.
    pub authorities: BTreeMap<String, PathBuf>,
    /// The authorities that may be asked in plain HTTP when another place leads there.
    pub plain: BTreeSet<String>,
}

impl Default for HttpOptions {
    fn default() -> Self {
        Self {
            program: concat!("palisade/", env!("CARGO_PKG_VERSION")).into(),
            proxies: Proxies::default(),
            patience: Duration::from_secs(30),
            authorities: BTreeMap::new(),
            plain: BTreeSet::new(),
        }
    }
}

/// What is asked.
#[derive(Debug, Clone)]
pub struct Request<'a> {
    /// `GET`, and what else registries take.
    pub method: Method,
    /// Absolute, of `http` or `https`.
    pub url: &'a str,
    /// Names and values.
    pub headers: Vec<(&'static str, String)>,
    /// The value of `Authorization`: it goes to the place of the URL and to no other.
    pub authorization: Option<String>,
    /// What is sent along.
    pub body: Option<&'a [u8]>,
}

impl<'a> Request<'a> {
    /// Asks for what is there.
    pub fn get(url: &'a str) -> Self {
        Self { method: Method::GET, url, headers: Vec::new(), authorization: None, body: None }
    }
}

/// What was answered; the body is still to be read.
#[derive(Debug)]
pub struct Response {
    /// The status.
    pub status: u16,
    /// Where it came from in the end.
    pub url: String,
    headers: HeaderMap,
    body: ureq::Body,
    patience: Duration,
}

impl Response {
    /// A header, when it is there and is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// All headers of that name.
    pub fn headers(&self, name: &str) -> impl Iterator<Item = &str> {
        self.headers.get_all(name).iter().filter_map(|value| value.to_str().ok())
    }

    /// The body as it comes; it ends with an error when it comes too slowly.
    pub fn into_reader(self) -> impl Read + Send + 'static {
        Paced::new(self.body.into_reader(), self.patience)
    }

    /// The whole body.
    ///
    /// # Errors
    /// When it is longer than `limit`, or breaks off.
    pub fn read_to_end(self, limit: u64) -> Result<Vec<u8>, HttpError> {
        let url = self.url.clone();
        let failed = |trouble| HttpError::new(&url, trouble);
        let mut bytes = Vec::new();
        let read = self.into_reader().take(limit.saturating_add(1)).read_to_end(&mut bytes);
        read.map_err(|error| failed(Trouble::of_io(error)))?;
        match bytes.len() as u64 > limit {
            true => Err(failed(Trouble::TooLong(limit))),
            false => Ok(bytes),
        }
    }
}

/// A client.
#[derive(Debug)]
pub struct Http {
    options: HttpOptions,
    /// Connections are kept in each.
    agents: Mutex<BTreeMap<Route, Agent>>,
}

/// What an agent differs by.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Route {
    is_tls: bool,
    /// The file of certificates in the place of the system's.
    authorities: Option<PathBuf>,
    proxy: Option<String>,
}

impl Http {
    /// A client that has done nothing yet.
    pub fn new(options: HttpOptions) -> Self {
        Self { options, agents: Mutex::default() }
    }

    /// Asks, and follows where a `GET` or `HEAD` is led to. Whatever status comes in the end is an answer.
    ///
    /// # Errors
    /// When no answer comes, or it leads in a circle, or from TLS to plain HTTP.
    pub fn send(&self, request: &Request<'_>) -> Result<Response, HttpError> {
        let mut url = request.url.to_owned();
        let mut authorization = request.authorization.as_deref();
        for _ in 0..=MOST_REDIRECTS {
            let failed = |trouble| HttpError::new(&url, trouble);
            let (uri, response) = self.send_once(request, &url, authorization).map_err(failed)?;
            let is_followed = matches!(request.method, Method::GET | Method::HEAD);
            if !matches!(response.status, 301 | 302 | 303 | 307 | 308) || !is_followed {
                return Ok(response);
            }
            let next = response.header("location").and_then(|to| resolve(&uri, to));
            let next = next.ok_or_else(|| failed(Trouble::Redirect))?;
            let target = parse(&next).map_err(failed)?;
            self.check_step(&uri, &target).map_err(failed)?;
            if origin(&target) != origin(&uri) {
                // Once gone it does not come back, though the chain may.
                authorization = None;
            }
            url = next;
        }
        Err(HttpError::new(request.url, Trouble::Redirects(MOST_REDIRECTS)))
    }

    /// Whether an answer of `from` may lead to `to`, which is no redirect but stands in a header: the next page of a list,
    /// the place of an upload.
    ///
    /// # Errors
    /// When it leads from TLS to plain HTTP, or is no URL.
    pub(crate) fn check_led(&self, from: &str, to: &str) -> Result<(), HttpError> {
        let step = parse(from).and_then(|from| self.check_step(&from, &parse(to)?));
        step.map_err(|trouble| HttpError::new(to, trouble))
    }

    fn check_step(&self, from: &Uri, to: &Uri) -> Result<(), Trouble> {
        let is_downgrade = from.scheme_str() == Some("https") && to.scheme_str() == Some("http");
        match is_downgrade && !self.options.plain.contains(&authority(to)) {
            true => Err(Trouble::Downgrade(authority(to))),
            false => Ok(()),
        }
    }

    /// Asks once more, a moment later, where that may do better: `GET` and `HEAD` alone, since who sends something twice
    /// may have it taken twice.
    ///
    /// # Errors
    /// As with [`Http::send`], after the last try.
    pub fn send_patiently(&self, request: &Request<'_>, retries: &Retries) -> Result<Response, HttpError> {
        let may_repeat = matches!(request.method, Method::GET | Method::HEAD);
        let mut tried = 1;
        loop {
            let answer = self.send(request);
            let told = match &answer {
                Ok(response) if retry::is_passing(response.status) => retry::told(response.header("retry-after")),
                Err(error) if error.trouble.is_passing() => None,
                Ok(_) | Err(_) => return answer,
            };
            match retries.wait(tried, told).filter(|_| may_repeat) {
                Some(wait) => std::thread::sleep(wait),
                None => return answer,
            }
            tried += 1;
        }
    }

    fn send_once(
        &self,
        request: &Request<'_>,
        url: &str,
        authorization: Option<&str>,
    ) -> Result<(Uri, Response), Trouble> {
        let uri = parse(url)?;
        let agent = self.agent(&uri)?;
        let mut builder = http::Request::builder().method(request.method.clone()).uri(uri.clone());
        for (name, value) in &request.headers {
            builder = builder.header(*name, value);
        }
        if let Some(authorization) = authorization {
            builder = builder.header("authorization", authorization);
        }
        let answer = match request.body {
            Some(body) => agent.run(builder.body(body).map_err(|_| Trouble::Header)?),
            None => agent.run(builder.body(()).map_err(|_| Trouble::Header)?),
        };
        let (head, body) = answer.map_err(Trouble::of_ureq)?.into_parts();
        let (status, headers) = (head.status.as_u16(), head.headers);
        Ok((uri, Response { status, url: url.to_owned(), headers, body, patience: self.options.patience }))
    }

    fn agent(&self, uri: &Uri) -> Result<Agent, Trouble> {
        let is_tls = uri.scheme_str() == Some("https");
        let proxy = self.options.proxies.of(is_tls, uri.host().unwrap_or(""), port(uri)).map(str::to_owned);
        let authorities = self.options.authorities.get(&authority(uri)).filter(|_| is_tls).cloned();
        let route = Route { is_tls, authorities, proxy };
        let mut agents = self.agents.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(agent) = agents.get(&route) {
            return Ok(agent.clone());
        }
        let agent = self.build(&route)?;
        agents.insert(route, agent.clone());
        Ok(agent)
    }

    fn build(&self, route: &Route) -> Result<Agent, Trouble> {
        let patience = Some(self.options.patience);
        let mut config = Agent::config_builder()
            .user_agent(&*self.options.program)
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .max_response_header_size(LONGEST_HEAD)
            .timeout_resolve(patience)
            .timeout_connect(patience)
            .timeout_recv_response(patience)
            .timeout_per_read(patience)
            .timeout_per_write(patience)
            .proxy(route.proxy.as_deref().map(proxy::parse).transpose()?);
        let speaks_tls = route.is_tls || route.proxy.as_ref().is_some_and(|proxy| proxy.starts_with("https:"));
        if speaks_tls {
            config = config.tls_config(trust::tls(route.authorities.as_deref())?);
        }
        Ok(config.build().new_agent())
    }
}

fn parse(url: &str) -> Result<Uri, Trouble> {
    let uri: Uri = url.parse().map_err(|_| Trouble::Url)?;
    let is_spoken = matches!(uri.scheme_str(), Some("http" | "https"));
    // A name and password in a URL would end up in messages.
    let is_plain = uri.authority().is_some_and(|it| !it.as_str().contains('@') && !it.host().is_empty());
    if is_spoken && is_plain { Ok(uri) } else { Err(Trouble::Url) }
}

fn port(uri: &Uri) -> u16 {
    uri.port_u16().unwrap_or(if uri.scheme_str() == Some("https") { 443 } else { 80 })
}

/// `host:port`, the port always said.
fn authority(uri: &Uri) -> String {
    format!("{}:{}", uri.host().unwrap_or("").to_ascii_lowercase(), port(uri))
}

fn origin(uri: &Uri) -> (Option<&str>, String) {
    (uri.scheme_str(), authority(uri))
}

/// Where a `Location` leads from `base`: whole, without a scheme, or a path.
///
/// Source: RFC 3986, section 5.2, as far as servers of blobs use it.
pub(crate) fn resolve(base: &Uri, location: &str) -> Option<String> {
    let location = location.split('#').next().unwrap_or("").trim();
    let (scheme, place) = (base.scheme_str()?, base.authority()?);
    if location.contains("://") && location.find("://") < location.find(['/', '?']) {
        return Some(location.to_owned());
    }
    if let Some(rest) = location.strip_prefix("//") {
        return Some(format!("{scheme}://{rest}"));
    }
    if location.starts_with('/') {
        return Some(format!("{scheme}://{place}{location}"));
    }
    if location.is_empty() {
        return None;
    }
    let path = base.path();
    let folder = &path[..=path.rfind('/')?];
    match location.strip_prefix('?') {
        Some(query) => Some(format!("{scheme}://{place}{path}?{query}")),
        None => Some(format!("{scheme}://{place}{folder}{location}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_location_is_whole_or_a_path() {
        let base: Uri = "https://a.example:8443/v2/x/blobs/y?z".parse().expect("a URL");
        for (location, to) in [
            ("http://b/c", "http://b/c"),
            ("//b/c", "https://b/c"),
            ("/c?d=e://f", "https://a.example:8443/c?d=e://f"),
            ("c", "https://a.example:8443/v2/x/blobs/c"),
            ("?q", "https://a.example:8443/v2/x/blobs/y?q"),
            ("/c#d", "https://a.example:8443/c"),
        ] {
            assert_eq!(resolve(&base, location).as_deref(), Some(to), "{location}");
        }
        assert_eq!(resolve(&base, ""), None);
    }

    #[test]
    fn a_page_or_an_upload_leads_from_tls_to_plain_http_as_little_as_a_redirect() {
        let http = Http::new(HttpOptions { plain: ["given.example:80".to_owned()].into(), ..HttpOptions::default() });
        let led = |from: &str, to: &str| http.check_led(from, to).map_err(|error| error.message());
        assert_eq!(led("https://a.example", "https://b.example/c"), Ok(()));
        assert_eq!(led("http://a.example", "http://b.example/c"), Ok(()));
        assert_eq!(led("https://a.example", "http://Given.Example/c"), Ok(()));
        let told = led("https://a.example", "http://b.example/c?d").expect_err("it is plain");
        assert_eq!(told, "cannot fetch `http://b.example/c`: it is led on from https to plain http at `b.example:80`");
        assert!(led("https://a.example", "ftp://b.example/c").is_err());
    }

    #[test]
    fn what_is_no_url_of_http_is_refused() {
        for url in ["", "ftp://a/b", "/a", "http://", "http://user:word@a/b", "file:///etc/passwd", "http:///a"] {
            assert!(parse(url).is_err(), "{url}");
        }
    }
}
