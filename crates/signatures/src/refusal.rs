//! Why a signature or an attestation does not count.

use palisade_model::Timestamp;

/// Each in words that fit behind a name: "sha256:1234: is for another image".
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It says another digest than the image's.
    #[error("is for another image: {}", claimed.join(", "))]
    OtherImage {
        /// What it is for.
        claimed: Vec<String>,
    },
    /// It is not what it should be: the bytes, or the key.
    #[error("does not hold: {0}")]
    Signature(String),
    /// Somebody else has signed.
    #[error("was signed by `{found}`, and `{wanted}` is asked for")]
    Identity {
        /// In the certificate.
        found: String,
        /// In the policy.
        wanted: String,
    },
    /// Somebody else says who has signed.
    #[error("has a signer that `{found}` vouched for, and `{wanted}` is asked for")]
    Issuer {
        /// In the certificate.
        found: String,
        /// In the policy.
        wanted: String,
    },
    /// The signer has said until when it holds.
    #[error("expired at {0}")]
    Expired(Timestamp),
    /// The certificate did not hold when it was used, or nothing proves that it was used while it held.
    #[error("has a certificate that did not hold: {name} {what}")]
    CertificateTime {
        /// The certificate's subject.
        name: String,
        /// When it was to hold, and what is known of the time of signing.
        what: String,
    },
    /// A list of revoked certificates has it.
    #[error("has a revoked certificate: `{name}`, at {at}")]
    Revoked {
        /// The certificate's subject.
        name: String,
        /// When.
        at: Timestamp,
    },
    /// Whether it is revoked must be known, and no list says.
    #[error("has a certificate that may be revoked: `{name}`, {why}")]
    RevocationUnknown {
        /// The certificate's subject.
        name: String,
        /// Which list is missing or stale.
        why: String,
    },
    /// There must be a proof of when it was signed.
    #[error("has no proof of when it was signed: {0}")]
    NoTimestamp(String),
    /// A proof of when it was signed does not hold.
    #[error("has a timestamp that does not hold: {0}")]
    Timestamp(String),
    /// What says that it stands in a public log is missing or does not hold.
    #[error("is not vouched for by a transparency log: {0}")]
    Log(String),
    /// The certificate does not lead to anybody who is trusted.
    #[error("has a certificate of no trusted authority: {0}")]
    Chain(String),
    /// The bytes are not what they say they are.
    #[error("cannot be read: {0}")]
    Malformed(String),
    /// Something that this program does not judge.
    #[error("is not understood: {0}")]
    Unsupported(String),
    /// A key signer was asked about a certificate, and so on.
    #[error("{0}")]
    OtherKind(&'static str),
    /// The signer's own trust is not complete enough to judge.
    #[error("{0}")]
    NoTrust(String),
    /// The signature is good, and the content is not as the policy wants it.
    #[error("{0}")]
    Content(String),
}

impl Refusal {
    /// A stable name for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::OtherImage { .. } => "other-image",
            Self::Signature(_) => "bad-signature",
            Self::Identity { .. } => "other-identity",
            Self::Issuer { .. } => "other-issuer",
            Self::Expired(_) => "expired",
            Self::CertificateTime { .. } => "certificate-time",
            Self::Revoked { .. } => "revoked",
            Self::RevocationUnknown { .. } => "revocation-unknown",
            Self::NoTimestamp(_) => "no-timestamp",
            Self::Timestamp(_) => "bad-timestamp",
            Self::Log(_) => "transparency-log",
            Self::Chain(_) => "untrusted-certificate",
            Self::Malformed(_) => "malformed",
            Self::Unsupported(_) => "unsupported",
            Self::OtherKind(_) => "other-kind",
            Self::NoTrust(_) => "no-trust",
            Self::Content(_) => "content",
        }
    }

    /// Whether more knowledge could make it good: the answer is then "cannot say", not "no".
    pub fn is_undecided(&self) -> bool {
        matches!(self, Self::RevocationUnknown { .. } | Self::NoTrust(_) | Self::Unsupported(_))
    }

    /// How near it came to being good: of several refusals, a reader needs the nearest.
    pub(crate) fn nearness(&self) -> u8 {
        match self {
            Self::OtherKind(_) => 0,
            Self::Malformed(_) | Self::Unsupported(_) => 1,
            Self::Signature(_) => 2,
            Self::OtherImage { .. } => 3,
            Self::Chain(_) | Self::NoTrust(_) => 4,
            Self::Identity { .. } | Self::Issuer { .. } => 5,
            Self::CertificateTime { .. } | Self::NoTimestamp(_) | Self::Timestamp(_) | Self::Log(_) => 6,
            Self::RevocationUnknown { .. } | Self::Expired(_) => 7,
            Self::Revoked { .. } => 8,
            Self::Content(_) => 9,
        }
    }
}
