//! What is asked of an image: a policy whose files are loaded.

use std::sync::Arc;

use palisade_model::image_policy::{Condition, LogRule};

use crate::bundle::Root;
use crate::key::PublicKey;
use crate::notary;

/// What must be true for an image to be vouched for.
#[derive(Debug, Clone)]
pub struct Demand {
    /// Who may vouch.
    pub signers: Vec<Signer>,
    /// How many of them must have signed.
    pub threshold: usize,
    /// What must be said as well.
    pub attestations: Vec<AttestationDemand>,
}

/// One who may vouch.
#[derive(Debug, Clone)]
pub struct Signer {
    /// For reports.
    pub name: String,
    /// How the signer is known.
    pub credential: Credential,
}

/// How a signer is known.
#[derive(Debug, Clone)]
pub enum Credential {
    /// By a key.
    Key {
        /// The public half.
        key: PublicKey,
        /// To judge logs and time stamps.
        root: Option<Arc<Root>>,
        /// Whether a log must have it.
        log: LogRule,
    },
    /// By a login.
    Keyless {
        /// Who is trusted to vouch for logins.
        root: Arc<Root>,
        /// A [pattern](crate::pattern) for the subject.
        identity: String,
        /// Who vouched for the login.
        issuer: String,
        /// Whether a log must have the signature.
        log: LogRule,
        /// Whether a log must have the certificate.
        certificate_log: LogRule,
    },
    /// By a certificate of the Notary Project's trust.
    Notary(notary::Trust),
}

/// A statement that must be made.
#[derive(Debug, Clone)]
pub struct AttestationDemand {
    /// What is said.
    pub predicate_type: String,
    /// Who must say it, by name; empty is any signer of the demand.
    pub signers: Vec<String>,
    /// What must hold of it.
    pub conditions: Vec<Condition>,
}
