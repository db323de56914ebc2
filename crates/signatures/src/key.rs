//! Public keys that a user trusts.

use sigstore_verify::crypto::{KeyAlgorithm, SigningScheme, VerificationKey, sha256};
use sigstore_verify::types::{DerPublicKey, HashAlgorithm, SignatureBytes};

use crate::refusal::Refusal;

/// A key in the form of `cosign.pub`: PEM with a SubjectPublicKeyInfo.
#[derive(Debug, Clone)]
pub struct PublicKey {
    pub(crate) der: DerPublicKey,
    algorithm: KeyAlgorithm,
}

/// What is wrong with a file that should hold a key.
#[derive(Debug, thiserror::Error)]
#[error("no public key: {0}")]
pub struct NoKey(String);

impl PublicKey {
    /// Reads `BEGIN PUBLIC KEY`.
    ///
    /// # Errors
    /// When there is none, or it is of a kind that nobody signs images with.
    pub fn from_pem(text: &str) -> Result<Self, NoKey> {
        Self::from_der(DerPublicKey::from_pem(text.trim()).map_err(|error| NoKey(error.to_string()))?)
    }

    /// Reads a SubjectPublicKeyInfo.
    ///
    /// # Errors
    /// As [`Self::from_pem`].
    pub fn from_der(der: DerPublicKey) -> Result<Self, NoKey> {
        let algorithm = KeyAlgorithm::from_spki(&der).map_err(|error| NoKey(error.to_string()))?;
        Ok(Self { der, algorithm })
    }

    /// `BEGIN PUBLIC KEY`.
    pub fn to_pem(&self) -> String {
        der::pem::encode_string("PUBLIC KEY", der::pem::LineEnding::LF, self.der.as_bytes())
            .expect("the label is one, and the bytes are no more than a key's")
    }

    /// SHA-256 over its DER form, in hexadecimal digits.
    pub fn fingerprint(&self) -> String {
        sha256(self.der.as_bytes()).to_hex()
    }

    /// Whether `signature` over `data` was made with it.
    ///
    /// cosign's older form signs with SHA-256 whatever the curve, the bundle with the hash of the curve's size: both are
    /// the key's own signature.
    ///
    /// # Errors
    /// When it was not.
    pub fn verify(&self, data: &[u8], signature: &[u8]) -> Result<(), Refusal> {
        let signature = SignatureBytes::from_bytes(signature);
        let holds = self.schemes().into_iter().any(|scheme| {
            VerificationKey::from_spki_with_scheme(&self.der, scheme)
                .and_then(|key| key.verify(data, &signature))
                .is_ok()
        });
        if holds { Ok(()) } else { Err(Refusal::Signature("it is not of this key".into())) }
    }

    fn schemes(&self) -> Vec<SigningScheme> {
        let default = self.algorithm.default_signing_scheme();
        match self.algorithm.resolve_signing_scheme(HashAlgorithm::Sha2256) {
            Ok(older) if older != default => vec![default, older],
            Ok(_) | Err(_) => vec![default],
        }
    }
}
