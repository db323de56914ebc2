//! Why a registry's answer cannot be used.

use crate::credentials::CredentialsError;
use crate::http::HttpError;
use crate::reference::NoReference;

/// What went wrong between here and a registry.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// It wants to know who asks, and what it was shown is not enough.
    #[error("`{registry}` wants credentials for {what}{}", told(.said))]
    Unauthorized {
        /// Which one.
        registry: String,
        /// What was asked for.
        what: String,
        /// What it says.
        said: String,
    },
    /// It knows who asks, and refuses.
    #[error("`{registry}` does not allow {what}{}", told(.said))]
    Forbidden {
        /// Which one.
        registry: String,
        /// What was asked for.
        what: String,
        /// What it says.
        said: String,
    },
    /// There is none.
    #[error("`{registry}` has no {what}{}", told(.said))]
    NotFound {
        /// Which one.
        registry: String,
        /// What was asked for.
        what: String,
        /// What it says.
        said: String,
    },
    /// It was asked too often.
    #[error("`{registry}` was asked too often{}{}", told_wait(.wait), told(.said))]
    TooManyRequests {
        /// Which one.
        registry: String,
        /// After how many seconds it wants to be asked again.
        wait: Option<u64>,
        /// What it says.
        said: String,
    },
    /// Another status.
    #[error("`{registry}` answers {status} to {what}{}", told(.said))]
    Status {
        /// Which one.
        registry: String,
        /// What was asked for.
        what: String,
        /// The status of HTTP.
        status: u16,
        /// What it says.
        said: String,
    },
    /// No answer came.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// The credentials that are named cannot be had.
    #[error(transparent)]
    Credentials(#[from] CredentialsError),
    /// A mirror that is none.
    #[error("a mirror in the config of registries")]
    Mirror(#[from] NoReference),
    /// It wants to be shown credentials in a way that is not spoken, or at a place that is not trusted.
    #[error("`{registry}` cannot be logged in to: {why}")]
    Challenge {
        /// Which one.
        registry: String,
        /// Why not.
        why: String,
    },
    /// It is not what its digest says.
    #[error("{what} {digest} of `{registry}` has the digest {found}")]
    Digest {
        /// Which one.
        registry: String,
        /// `manifest` or `blob`.
        what: &'static str,
        /// The digest that it should have.
        digest: String,
        /// The one that it has.
        found: String,
    },
    /// It has more or fewer bytes than the manifest says.
    #[error("blob {digest} of `{registry}` should have {size} bytes and has {}{found}", if *.found > *.size { "more: at least " } else { "" })]
    Size {
        /// Which one.
        registry: String,
        /// Of what.
        digest: String,
        /// As its manifest says.
        size: u64,
        /// As it came.
        found: u64,
    },
    /// A manifest of a kind that is not read.
    #[error("{what} of `{registry}` is of the media type `{media_type}`, which is not read")]
    MediaType {
        /// Which one.
        registry: String,
        /// Which manifest.
        what: String,
        /// Its type.
        media_type: String,
    },
    /// Docker's old manifests: their digests do not hold their layers.
    #[error("{what} of `{registry}` is a manifest of Docker's schema 1, which is not read: push the image again")]
    SchemaOne {
        /// Which one.
        registry: String,
        /// Which manifest.
        what: String,
    },
    /// Something that is no answer of a registry.
    #[error("`{registry}` gives {what} that cannot be used: {why}")]
    Answer {
        /// Which one.
        registry: String,
        /// What was asked for.
        what: String,
        /// What is wrong with it.
        why: String,
    },
    /// Neither the mirrors nor the registry had it.
    #[error("{last}; before that, {}", .before.join("; "))]
    Mirrors {
        /// What the registry itself answered.
        last: Box<RegistryError>,
        /// What each mirror answered.
        before: Vec<String>,
    },
}

impl RegistryError {
    /// Whether it is not there, as opposed to not to be had.
    pub fn is_not_found(&self) -> bool {
        match self {
            Self::NotFound { .. } => true,
            Self::Mirrors { last, .. } => last.is_not_found(),
            _ => false,
        }
    }

    /// What happened and why, on one line.
    pub fn message(&self) -> String {
        crate::http::chain(self)
    }
}

fn told(text: &str) -> String {
    if text.is_empty() { String::new() } else { format!(": {text}") }
}

fn told_wait(seconds: &Option<u64>) -> String {
    seconds.map_or_else(String::new, |seconds| format!(", and wants to be left alone for {seconds} s"))
}
