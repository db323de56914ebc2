//! What both envelopes say, before anything of it is believed.

use palisade_model::Timestamp;
use serde::Deserialize;

use crate::refusal::Refusal;

/// What the payload is called.
pub const PAYLOAD_TYPE: &str = "application/vnd.cncf.notary.payload.v1+json";

/// Names of headers.
pub const SIGNING_SCHEME: &str = "io.cncf.notary.signingScheme";
pub const SIGNING_TIME: &str = "io.cncf.notary.signingTime";
pub const AUTHENTIC_SIGNING_TIME: &str = "io.cncf.notary.authenticSigningTime";
pub const EXPIRY: &str = "io.cncf.notary.expiry";
pub const TIMESTAMP: &str = "io.cncf.notary.timestampSignature";
pub const PLUGIN: &str = "io.cncf.notary.verificationPlugin";

/// Most certificates of a chain.
pub const MOST_CERTIFICATES: usize = 10;

/// Most bytes of an envelope: ten certificates and a time stamp are far less, and what is read takes many times as much.
pub const LONGEST_ENVELOPE: usize = 1 << 20;

/// An envelope that could be read.
#[derive(Debug)]
pub struct Envelope {
    pub algorithm: Algorithm,
    pub scheme: Scheme,
    /// By the signer's own clock.
    pub signing_time: Option<Timestamp>,
    /// By the signing authority's clock, of which the scheme says that it can be believed.
    pub authentic_signing_time: Option<Timestamp>,
    pub expiry: Option<Timestamp>,
    pub payload: Vec<u8>,
    /// The bytes that the signature is over.
    pub signed: Vec<u8>,
    pub signature: Vec<u8>,
    /// DER, the signer's first.
    pub chain: Vec<Vec<u8>>,
    /// An RFC 3161 token over the signature.
    pub timestamp: Option<Vec<u8>>,
}

/// Whose clock and trust store count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// The signer has a key of its own.
    X509,
    /// A service signs in the name of others.
    SigningAuthority,
}

impl Scheme {
    pub fn parse(text: &str) -> Result<Self, Refusal> {
        match text {
            "notary.x509" => Ok(Self::X509),
            "notary.x509.signingAuthority" => Ok(Self::SigningAuthority),
            other => Err(Refusal::Unsupported(format!("a signing scheme `{other}`"))),
        }
    }
}

/// How the signature was made. Nothing else is allowed: no SHA-1, no PKCS #1 v1.5.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    Es256,
    Es384,
    Es512,
    Ps256,
    Ps384,
    Ps512,
}

/// The headers whose meaning is known: any other that is called critical makes the envelope unreadable.
const KNOWN_CRITICAL: &[&str] = &[SIGNING_SCHEME, SIGNING_TIME, AUTHENTIC_SIGNING_TIME, EXPIRY];

/// Whether the headers that are called critical are known, and those that must be are called so.
pub fn check_critical(critical: &[String], has: impl Fn(&str) -> bool, scheme: Scheme) -> Result<(), Refusal> {
    for name in critical {
        if !KNOWN_CRITICAL.contains(&name.as_str()) {
            return Err(Refusal::Unsupported(format!("an envelope that needs `{name}`")));
        }
        if !has(name) {
            return Err(Refusal::Malformed(format!("`{name}` is called critical, and is not there")));
        }
    }
    let mut needed = vec![SIGNING_SCHEME];
    needed.extend([EXPIRY].into_iter().filter(|name| has(name)));
    if scheme == Scheme::SigningAuthority {
        needed.push(AUTHENTIC_SIGNING_TIME);
    }
    match needed.into_iter().find(|name| !critical.iter().any(|it| it == name)) {
        Some(name) => Err(Refusal::Malformed(format!("`{name}` is not called critical"))),
        None => Ok(()),
    }
}

/// What was signed: the image, by descriptor.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Payload {
    pub target_artifact: Target,
}

/// The descriptor of the image.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Target {
    pub media_type: String,
    pub digest: String,
    pub size: u64,
    #[serde(default)]
    pub annotations: Option<std::collections::BTreeMap<String, String>>,
}
