//! Private keys: read from the forms that people keep them in, and used.
//!
//! At rest a key is encrypted, in cosign's form or as PKCS #8; one that is not is read, and the caller is told.

mod cosign;
mod pkcs8;

use aws_lc_rs::encoding::{AsDer as _, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{self, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RsaKeyPair};
use sigstore_verify::types::DerPublicKey;
use zeroize::Zeroizing;

use crate::key::PublicKey;

/// Why a key cannot be used. It never says anything of the key itself.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// No key at all.
    #[error("no private key: {0}")]
    NoKey(String),
    /// It is encrypted, and nothing to open it was given.
    #[error("the private key is encrypted, and no password is given")]
    NoPassword,
    /// The password is another one, or the file is damaged.
    #[error("the password does not open the private key")]
    WrongPassword,
    /// A kind that does not sign here.
    #[error("a private key of this kind does not sign here: {0}")]
    Kind(String),
    /// The random numbers of the machine, or the library, gave out.
    #[error("the key could not be used")]
    Failed,
}

/// How a private key is written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyForm {
    /// `ENCRYPTED SIGSTORE PRIVATE KEY`, as cosign does it: scrypt and NaCl's secretbox.
    Cosign,
    /// `ENCRYPTED PRIVATE KEY`: PKCS #8 with PBKDF2 and AES-256-CBC, as openssl does it.
    Pkcs8,
}

/// What a new key is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyKind {
    /// ECDSA over P-256 with SHA-256.
    EcdsaP256,
    /// Ed25519.
    Ed25519,
}

/// A key that signs.
pub struct PrivateKey {
    pair: Pair,
    public: PublicKey,
    /// Whether anybody who has the file has the key.
    pub is_plain: bool,
    /// Overwritten when it is no longer needed.
    pkcs8: Zeroizing<Vec<u8>>,
}

impl std::fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PrivateKey({})", self.public.fingerprint())
    }
}

enum Pair {
    P256,
    P384,
    Ed25519(Ed25519KeyPair),
    Rsa(RsaKeyPair),
}

impl PrivateKey {
    /// Makes a key.
    ///
    /// # Errors
    /// When the machine has no random numbers.
    pub fn generate(kind: KeyKind) -> Result<Self, KeyError> {
        let random = SystemRandom::new();
        let pkcs8 = match kind {
            KeyKind::EcdsaP256 => {
                EcdsaKeyPair::generate(&signature::ECDSA_P256_SHA256_ASN1_SIGNING).and_then(|pair| pair.to_pkcs8v1())
            }
            // The older form: Go reads no other.
            KeyKind::Ed25519 => Ed25519KeyPair::generate_pkcs8v1(&random),
        };
        Self::from_pkcs8(pkcs8.map_err(|_| KeyError::Failed)?.as_ref(), false)
    }

    /// Reads a key: cosign's form, or PKCS #8, encrypted or not.
    ///
    /// # Errors
    /// When it is none of them, or the password does not open it.
    pub fn from_pem(text: &str, password: Option<&[u8]>) -> Result<Self, KeyError> {
        let (label, der) =
            der::pem::decode_vec(text.trim().as_bytes()).map_err(|error| KeyError::NoKey(error.to_string()))?;
        let der = Zeroizing::new(der);
        let password = || password.ok_or(KeyError::NoPassword);
        match label {
            "PRIVATE KEY" => Self::from_pkcs8(&der, true),
            "ENCRYPTED PRIVATE KEY" => Self::from_pkcs8(&pkcs8::open(&der, password()?)?, false),
            "ENCRYPTED SIGSTORE PRIVATE KEY" | "ENCRYPTED COSIGN PRIVATE KEY" => {
                Self::from_pkcs8(&cosign::open(&der, password()?)?, false)
            }
            other => Err(KeyError::NoKey(format!("it is called `{other}`; PKCS #8 and cosign's form are read"))),
        }
    }

    fn from_pkcs8(pkcs8: &[u8], is_plain: bool) -> Result<Self, KeyError> {
        let (pair, public) = Self::parse(pkcs8).ok_or_else(|| {
            KeyError::Kind("ECDSA over P-256 and P-384, Ed25519 and RSA of 2048, 3072 and 4096 bits do".into())
        })?;
        let public = PublicKey::from_der(DerPublicKey::from_bytes(public.as_ref()))
            .map_err(|error| KeyError::Kind(error.to_string()))?;
        Ok(Self { pair, public, is_plain, pkcs8: Zeroizing::new(pkcs8.to_vec()) })
    }

    fn parse(pkcs8: &[u8]) -> Option<(Pair, PublicKeyX509Der<'static>)> {
        if let Ok(pair) = EcdsaKeyPair::from_pkcs8(&signature::ECDSA_P256_SHA256_ASN1_SIGNING, pkcs8) {
            return Some((Pair::P256, pair.public_key().as_der().ok()?));
        }
        if let Ok(pair) = EcdsaKeyPair::from_pkcs8(&signature::ECDSA_P384_SHA384_ASN1_SIGNING, pkcs8) {
            return Some((Pair::P384, pair.public_key().as_der().ok()?));
        }
        if let Ok(pair) = Ed25519KeyPair::from_pkcs8_maybe_unchecked(pkcs8) {
            let public = pair.public_key().as_der().ok()?;
            return Some((Pair::Ed25519(pair), public));
        }
        let pair = RsaKeyPair::from_pkcs8(pkcs8).ok()?;
        let public = pair.public_key().as_der().ok()?;
        matches!(pair.public_modulus_len(), 256 | 384 | 512).then_some((Pair::Rsa(pair), public))
    }

    /// The half that others may have.
    pub fn public(&self) -> &PublicKey {
        &self.public
    }

    /// The key in a form for a file that only its owner reads, closed by a password.
    ///
    /// # Errors
    /// When the machine has no random numbers.
    pub fn seal(&self, form: KeyForm, password: &[u8]) -> Result<String, KeyError> {
        let (label, bytes) = match form {
            KeyForm::Cosign => ("ENCRYPTED SIGSTORE PRIVATE KEY", cosign::seal(&self.pkcs8, password)?),
            KeyForm::Pkcs8 => ("ENCRYPTED PRIVATE KEY", pkcs8::seal(&self.pkcs8, password)?),
        };
        der::pem::encode_string(label, der::pem::LineEnding::LF, &bytes).map_err(|_| KeyError::Failed)
    }

    /// A signature as Sigstore has it: ECDSA in ASN.1 over SHA-256, Ed25519, RSA by PKCS #1.
    ///
    /// cosign takes SHA-256 for every curve where it is told nothing else.
    ///
    /// # Errors
    /// When the library gives out.
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>, KeyError> {
        match &self.pair {
            Pair::P256 => self.ecdsa(&signature::ECDSA_P256_SHA256_ASN1_SIGNING, message),
            Pair::P384 => self.ecdsa(&signature::ECDSA_P384_SHA384_ASN1_SIGNING, message),
            Pair::Ed25519(pair) => Ok(pair.try_sign(message).map_err(|_| KeyError::Failed)?.as_ref().to_vec()),
            Pair::Rsa(pair) => rsa(pair, &signature::RSA_PKCS1_SHA256, message),
        }
    }

    /// A signature as JWS has it, with the name of its algorithm.
    ///
    /// # Errors
    /// When the Notary Project does not allow a key of this kind.
    pub(crate) fn sign_jws(&self, message: &[u8]) -> Result<Vec<u8>, KeyError> {
        match &self.pair {
            Pair::P256 => self.ecdsa(&signature::ECDSA_P256_SHA256_FIXED_SIGNING, message),
            Pair::P384 => self.ecdsa(&signature::ECDSA_P384_SHA384_FIXED_SIGNING, message),
            Pair::Rsa(pair) => match pair.public_modulus_len() {
                256 => rsa(pair, &signature::RSA_PSS_SHA256, message),
                384 => rsa(pair, &signature::RSA_PSS_SHA384, message),
                _ => rsa(pair, &signature::RSA_PSS_SHA512, message),
            },
            Pair::Ed25519(_) => Err(KeyError::Kind("the Notary Project has no Ed25519".into())),
        }
    }

    /// The name of the algorithm of [`Self::sign_jws`].
    pub(crate) fn jws_algorithm(&self) -> Result<&'static str, KeyError> {
        match &self.pair {
            Pair::P256 => Ok("ES256"),
            Pair::P384 => Ok("ES384"),
            Pair::Rsa(pair) => Ok(match pair.public_modulus_len() {
                256 => "PS256",
                384 => "PS384",
                _ => "PS512",
            }),
            Pair::Ed25519(_) => Err(KeyError::Kind("the Notary Project has no Ed25519".into())),
        }
    }

    fn ecdsa(&self, algorithm: &'static signature::EcdsaSigningAlgorithm, message: &[u8]) -> Result<Vec<u8>, KeyError> {
        let pair = EcdsaKeyPair::from_pkcs8(algorithm, &self.pkcs8).map_err(|_| KeyError::Failed)?;
        let signature = pair.sign(&SystemRandom::new(), message).map_err(|_| KeyError::Failed)?;
        Ok(signature.as_ref().to_vec())
    }
}

fn rsa(pair: &RsaKeyPair, padding: &'static dyn signature::RsaEncoding, message: &[u8]) -> Result<Vec<u8>, KeyError> {
    let mut signature = vec![0; pair.public_modulus_len()];
    pair.sign(padding, &SystemRandom::new(), message, &mut signature).map_err(|_| KeyError::Failed)?;
    Ok(signature)
}

/// Fresh random bytes.
fn random<const N: usize>() -> Result<[u8; N], KeyError> {
    let mut bytes = [0; N];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| KeyError::Failed)?;
    Ok(bytes)
}

/// The most that scrypt may cost: 512 MiB, as no file may take the machine.
const MOST_SCRYPT_BYTES: u64 = 512 << 20;

/// A key from a password, where the parameters are ones that a key's owner would choose.
fn scrypt(password: &[u8], salt: &[u8], n: u64, r: u32, p: u32) -> Result<[u8; 32], KeyError> {
    let bad = || KeyError::NoKey("the parameters of scrypt are not ones that are taken".into());
    // N blocks for the table, and P more for what is mixed.
    let blocks = n.checked_add(u64::from(p)).and_then(|it| it.checked_mul(u64::from(r)));
    let bytes = blocks.and_then(|it| it.checked_mul(128)).ok_or_else(bad)?;
    if !n.is_power_of_two() || n < 2 || bytes > MOST_SCRYPT_BYTES || p > 4 {
        return Err(bad());
    }
    let log_n = u8::try_from(n.trailing_zeros()).map_err(|_| bad())?;
    let parameters = scrypt::Params::new(log_n, r, p, 32).map_err(|_| bad())?;
    let mut key = [0; 32];
    scrypt::scrypt(password, salt, &parameters, &mut key).map_err(|_| KeyError::Failed)?;
    Ok(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sealed_key_opens_with_its_password_and_with_no_other() {
        for kind in [KeyKind::EcdsaP256, KeyKind::Ed25519] {
            let key = PrivateKey::generate(kind).expect("random numbers");
            for form in [KeyForm::Cosign, KeyForm::Pkcs8] {
                let sealed = key.seal(form, b"secret").expect("random numbers");
                let opened = PrivateKey::from_pem(&sealed, Some(b"secret")).expect("it opens");
                let signature = opened.sign(b"message").expect("it signs");
                assert!(!opened.is_plain);
                key.public().verify(b"message", &signature).expect("it is the same key");
                assert!(key.public().verify(b"another", &signature).is_err());
                let wrong = PrivateKey::from_pem(&sealed, Some(b"Secret"));
                assert!(matches!(wrong, Err(KeyError::WrongPassword)), "{kind:?} {form:?} {wrong:?}");
                assert!(matches!(PrivateKey::from_pem(&sealed, None), Err(KeyError::NoPassword)));
            }
        }
    }

    #[test]
    fn parameters_that_would_take_the_machine_are_refused() {
        assert!(scrypt(b"x", b"salt", 1 << 10, 8, 1).is_ok());
        for (n, r, p) in
            [(1 << 40, 8, 1), (2, 1 << 21, 4), (1 << 16, 1 << 20, 1), (1 << 16, 8, 1 << 20), (3, 8, 1), (0, 8, 1)]
        {
            assert!(scrypt(b"x", b"salt", n, r, p).is_err(), "{n} {r} {p}");
        }
    }
}
