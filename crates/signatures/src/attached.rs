//! What lies beside an image and may vouch for it.

use std::collections::BTreeMap;

/// Most signatures and attestations of one image that are looked at; registries hold as many as anybody pushes.
pub const MOST_ATTACHED: usize = 200;

/// Most bytes of one of them. An attestation may carry a whole bill of materials.
pub const MOST_BYTES: u64 = 32 << 20;

/// One signature or attestation, not yet believed.
#[derive(Debug, Clone)]
pub struct Attached {
    /// The digest of its bytes, for reports.
    pub digest: String,
    /// How the bytes are to be read.
    pub form: Form,
    /// What was fetched.
    pub bytes: Vec<u8>,
    /// Of the layer that holds the bytes: cosign's older form keeps its signature here.
    pub annotations: BTreeMap<String, String>,
}

/// How signatures and attestations are written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// A payload in cosign's older form; the signature is an annotation.
    CosignSignature,
    /// A DSSE envelope in cosign's older form.
    CosignAttestation,
    /// A Sigstore bundle: a signature, or a DSSE envelope with either.
    Bundle,
    /// Notary Project, as a JSON web signature.
    NotaryJws,
    /// Notary Project, as COSE_Sign1.
    NotaryCose,
}

impl Form {
    /// By the media type of the layer that holds it.
    ///
    /// The artifact type of a referrer says nothing that can be trusted: some registries replace it.
    pub fn of(media_type: &str) -> Option<Self> {
        match media_type {
            "application/vnd.dev.cosign.simplesigning.v1+json" => Some(Self::CosignSignature),
            "application/vnd.dsse.envelope.v1+json" => Some(Self::CosignAttestation),
            "application/jose+json" => Some(Self::NotaryJws),
            "application/cose" => Some(Self::NotaryCose),
            _ if media_type.starts_with("application/vnd.dev.sigstore.bundle") => Some(Self::Bundle),
            _ => None,
        }
    }

    /// For reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::CosignSignature => "cosign signature",
            Self::CosignAttestation => "cosign attestation",
            Self::Bundle => "sigstore bundle",
            Self::NotaryJws => "notary jws",
            Self::NotaryCose => "notary cose",
        }
    }
}
