//! Signatures of the Notary Project: an envelope (JWS or COSE) around the descriptor of the image, made with a
//! certificate.
//!
//! Source: `notaryproject/specifications`, "Signature Specification", "Signing and Verification Workflow" and "Trust Store
//! and Trust Policy" of version 1. Stricter than it in two things: a revoked certificate never counts, whenever it was
//! used, and what needs a plug-in is not judged.

mod certificate;
mod cose;
mod envelope;
mod jws;
mod name;
mod revocation;
mod timestamp;
pub mod trust_policy;
mod verify;

pub use certificate::{Certificates, NoCertificate};
pub use name::{NoName, Subject};
pub use revocation::{NoList, RevocationList};
pub(crate) use verify::check;

use palisade_model::image_policy::RevocationRule;

use crate::key::PublicKey;
use crate::refusal::Refusal;

/// Whom a signer's certificate may be from, and what must hold of it.
#[derive(Debug, Clone, Default)]
pub struct Trust {
    /// Certificates of authorities, for the scheme `notary.x509`.
    pub authorities: Certificates,
    /// The same for `notary.x509.signingAuthority`.
    pub signing_authorities: Certificates,
    /// Roots of time stamp authorities. Where there are any, a signature needs a time stamp.
    pub timestamp_authorities: Certificates,
    /// The subjects that are trusted; none is every one.
    pub subjects: Vec<Subject>,
    /// Lists of revoked certificates.
    pub revocation_lists: Vec<RevocationList>,
    /// What follows when no list says.
    pub revocation: RevocationRule,
    /// What an expired signature, or one whose certificate is no longer valid, is.
    pub staleness: Staleness,
}

/// What an expired signature is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Staleness {
    /// None.
    #[default]
    Refused,
    /// A signature that is told to be stale: notation's level `permissive`.
    Told,
}

/// Whether the certificates are a chain that a verifier would take, and the first one is of this key.
pub(crate) fn check_signer(certificates: &Certificates, key: &PublicKey) -> Result<(), Refusal> {
    let chain = certificates.iter().map(certificate::Parsed::new).collect::<Result<Vec<_>, _>>()?;
    certificate::check_chain(&chain)?;
    let is_of_key = chain.first().is_some_and(|signer| signer.public_key().as_deref() == Some(key.der.as_bytes()));
    if is_of_key { Ok(()) } else { Err(Refusal::Chain("the first one is of another key".into())) }
}
