//! Why no answer came, in words.

use std::error::Error as _;
use std::io;

use super::pace::TooSlow;

/// Why a request failed. Queries of URLs are left out: they carry signatures that let others in.
#[derive(Debug, thiserror::Error)]
#[error("cannot fetch `{url}`")]
pub struct HttpError {
    /// Where.
    pub url: String,
    /// Why.
    #[source]
    pub trouble: Trouble,
}

impl HttpError {
    pub(super) fn new(url: &str, trouble: Trouble) -> Self {
        Self { url: url.split(['?', '#']).next().unwrap_or("").to_owned(), trouble }
    }
}

/// What went wrong.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    /// No URL, not of HTTP, or with a password in it.
    #[error("it is no URL of http or https without a password in it")]
    Url,
    /// A header that HTTP does not take.
    #[error("a header has characters that HTTP does not take")]
    Header,
    /// The name has no address.
    #[error("no address is known of the host")]
    NoAddress,
    /// Nobody listens there, or nobody can get there.
    #[error("no connection")]
    NoConnection(#[source] io::Error),
    /// Nothing came for so long.
    #[error("nothing came in time, while {0}")]
    Timeout(&'static str),
    /// Something came, and too little of it.
    #[error(transparent)]
    TooSlow(#[from] TooSlow),
    /// The other end speaks no TLS.
    #[error("the server does not speak TLS")]
    NotTls,
    /// Its certificate is not one that is trusted.
    #[error("the server's certificate is not trusted: {0}")]
    Certificate(rustls::Error),
    /// TLS failed otherwise.
    #[error("TLS failed: {0}")]
    Tls(String),
    /// The certificates to trust.
    #[error("cannot use the certificates of `{path}`: {why}")]
    Authorities {
        /// The file, or where the system has them.
        path: String,
        /// Why.
        why: String,
    },
    /// The proxy that the environment names.
    #[error("`{0}` is no proxy that is spoken with: `http://HOST:PORT` or `https://HOST:PORT`")]
    Proxy(String),
    /// It broke off.
    #[error("the connection broke off")]
    Broken(#[source] io::Error),
    /// No HTTP.
    #[error("the answer is not HTTP: {0}")]
    Protocol(String),
    /// Led on, and not said where to.
    #[error("it is led on, to no place that is a URL")]
    Redirect,
    /// Led on and on.
    #[error("it is led on more than {0} times")]
    Redirects(usize),
    /// From TLS to plain HTTP.
    #[error("it is led on from https to plain http at `{0}`")]
    Downgrade(String),
    /// Longer than is read.
    #[error("longer than {0} bytes")]
    TooLong(u64),
}

impl Trouble {
    /// Whether the same request may do better a moment later.
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Broken(_) => true,
            Self::NoConnection(error) => error.kind() != io::ErrorKind::ConnectionRefused,
            Self::Url
            | Self::Header
            | Self::NoAddress
            | Self::Timeout(_)
            | Self::TooSlow(_)
            | Self::NotTls
            | Self::Certificate(_)
            | Self::Tls(_)
            | Self::Authorities { .. }
            | Self::Proxy(_)
            | Self::Protocol(_)
            | Self::Redirect
            | Self::Redirects(_)
            | Self::Downgrade(_)
            | Self::TooLong(_) => false,
        }
    }

    pub(super) fn of_ureq(error: ureq::Error) -> Self {
        match error {
            ureq::Error::Io(error) => Self::of_io(error),
            ureq::Error::Timeout(timeout) => Self::Timeout(match timeout {
                ureq::Timeout::Resolve => "its address was looked up",
                ureq::Timeout::Connect => "it was connected to",
                ureq::Timeout::PerWrite | ureq::Timeout::SendRequest | ureq::Timeout::SendBody => {
                    "the request was sent"
                }
                _ => "its answer was waited for",
            }),
            ureq::Error::HostNotFound => Self::NoAddress,
            ureq::Error::ConnectionFailed => Self::NoConnection(io::Error::other("every address failed")),
            ureq::Error::Rustls(error) => Self::of_rustls(&error),
            ureq::Error::Tls(why) => Self::Tls(why.into()),
            ureq::Error::ConnectProxyFailed(why) => {
                Self::NoConnection(io::Error::other(format!("the proxy refuses: {why}")))
            }
            other => Self::Protocol(other.to_string()),
        }
    }

    /// The client wraps its own errors, and those of TLS, into those of IO.
    pub(crate) fn of_io(error: io::Error) -> Self {
        let inner = error.get_ref();
        if let Some(error) = inner.and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
            return Self::of_rustls(error);
        }
        if let Some(slow) = inner.and_then(|inner| inner.downcast_ref::<TooSlow>()) {
            return Self::TooSlow(*slow);
        }
        if inner.is_some_and(|inner| inner.is::<ureq::Error>()) {
            let inner = error.into_inner().and_then(|inner| inner.downcast::<ureq::Error>().ok());
            return inner.map_or_else(|| Self::Protocol("unknown".into()), |inner| Self::of_ureq(*inner));
        }
        // The standard library has no kind for it. Source: `library/std/src/sys/net/connection/socket/unix.rs`.
        if error.to_string().starts_with("failed to lookup address") {
            return Self::NoAddress;
        }
        match error.kind() {
            io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => Self::Timeout("its answer was waited for"),
            io::ErrorKind::ConnectionRefused
            | io::ErrorKind::HostUnreachable
            | io::ErrorKind::NetworkUnreachable
            | io::ErrorKind::NetworkDown
            | io::ErrorKind::AddrNotAvailable => Self::NoConnection(error),
            _ => Self::Broken(error),
        }
    }

    fn of_rustls(error: &rustls::Error) -> Self {
        match error {
            rustls::Error::InvalidMessage(_) => Self::NotTls,
            rustls::Error::InvalidCertificate(_) | rustls::Error::NoCertificatesPresented => {
                Self::Certificate(error.clone())
            }
            other => Self::Tls(other.to_string()),
        }
    }
}

/// An error and its causes on one line.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

impl HttpError {
    /// What happened and why, on one line.
    pub fn message(&self) -> String {
        match self.source() {
            Some(_) => chain(self),
            None => self.to_string(),
        }
    }
}
