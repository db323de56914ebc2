//! What was found, what of it was checked, and what was not.

use serde::Serialize;

/// Whether the image is vouched for as the demand wants it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Verdict {
    /// It is.
    Verified,
    /// It is not.
    Refused,
    /// Something is missing that the answer depends on; treat it as refused.
    Undecided,
}

/// The whole answer.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Answer {
    /// The sum.
    pub verdict: Verdict,
    /// One line each: why it is not verified; empty when it is.
    pub reasons: Vec<String>,
    /// Signatures that must be there.
    pub signatures: SignatureCount,
    /// For each statement that must be made.
    pub attestations: Vec<AttestationAnswer>,
    /// Everything that lies beside the image, in the order in which it was found.
    pub attached: Vec<AttachedAnswer>,
}

/// How many signers have signed.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SignatureCount {
    /// How many must have.
    pub required: usize,
    /// Who has, by name.
    pub signed_by: Vec<String>,
}

/// Whether a statement was made.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AttestationAnswer {
    /// What must be said.
    pub predicate_type: String,
    /// Who has said it, with content as it must be.
    pub signed_by: Vec<String>,
    /// Why those that were made do not count.
    pub refused: Vec<RefusedAnswer>,
}

/// One thing that lies beside the image.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AttachedAnswer {
    /// The digest of its bytes.
    pub digest: String,
    /// How it is written down.
    pub form: &'static str,
    /// What it is when a signer stands behind it; none when nobody does.
    pub claim: Option<Claim>,
    /// Those who stand behind it, and what that rests on.
    pub signers: Vec<Vouched>,
    /// Why others do not; only the nearest when nobody does.
    pub refused: Vec<RefusedAnswer>,
}

/// What somebody says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", tag = "kind")]
pub enum Claim {
    /// "This image is mine."
    Signature,
    /// Something else about it.
    Attestation {
        /// What.
        predicate_type: String,
    },
}

/// A signer who stands behind it.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Vouched {
    /// By the demand's name.
    pub signer: String,
    /// Who that is: a key's fingerprint, or the subject of a certificate.
    pub subject: String,
    /// The digest that it is for: the image's, or its index's.
    pub image: String,
    /// When it was signed, where that is proven.
    pub signed_at: Option<String>,
    /// What was checked.
    pub checked: Vec<Fact>,
    /// What was not, and why.
    pub not_checked: Vec<Fact>,
}

/// Something that was checked or was not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Fact {
    /// A stable name.
    pub what: &'static str,
    /// In words; what was seen, or why nothing was.
    pub detail: String,
}

impl Fact {
    /// A fact.
    pub(crate) fn new(what: &'static str, detail: impl Into<String>) -> Self {
        Self { what, detail: detail.into() }
    }
}

/// Why something does not count.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RefusedAnswer {
    /// The signer that it does not count for.
    pub signer: String,
    /// A stable name.
    pub code: &'static str,
    /// In words.
    pub reason: String,
}
