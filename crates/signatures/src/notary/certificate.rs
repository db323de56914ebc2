//! Certificates: a chain from the signer to a self-signed root, and the stores that such a root must be in.
//!
//! Source: Notary Project's signature specification, "Certificate Requirements"; RFC 5280. SHA-1 does not count.

use aws_lc_rs::signature::{self, UnparsedPublicKey, VerificationAlgorithm};
use const_oid::ObjectIdentifier;
use const_oid::db::{rfc5280, rfc5912};
use der::{Decode as _, Encode as _};
use palisade_model::Timestamp;
use x509_cert::Certificate;
use x509_cert::ext::pkix::{BasicConstraints, ExtendedKeyUsage, KeyUsage, KeyUsages};
use x509_cert::spki::{AlgorithmIdentifierOwned, SubjectPublicKeyInfoOwned};

use super::envelope::Algorithm;
use super::name::Subject;
use crate::refusal::Refusal;

/// Certificates that are trusted, by their bytes.
#[derive(Debug, Clone, Default)]
pub struct Certificates(Vec<Vec<u8>>);

/// A file that should hold certificates.
#[derive(Debug, thiserror::Error)]
#[error("no certificate: {0}")]
pub struct NoCertificate(String);

impl Certificates {
    /// Adds the certificates of a file, PEM or DER.
    ///
    /// # Errors
    /// When there is none, or one cannot be read.
    pub fn add(&mut self, bytes: &[u8]) -> Result<(), NoCertificate> {
        let bad = |error: der::Error| NoCertificate(error.to_string());
        let is_pem = bytes.windows(11).any(|window| window == b"-----BEGIN ");
        let certificates = match is_pem {
            true => Certificate::load_pem_chain(bytes).map_err(bad)?,
            false => vec![Certificate::from_der(bytes).map_err(bad)?],
        };
        if certificates.is_empty() {
            return Err(NoCertificate("the file has none".into()));
        }
        for certificate in certificates {
            self.0.push(certificate.to_der().map_err(bad)?);
        }
        Ok(())
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn has(&self, der: &[u8]) -> bool {
        self.0.iter().any(|it| it == der)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &[u8]> {
        self.0.iter().map(Vec::as_slice)
    }
}

/// A certificate with its bytes.
pub(super) struct Parsed {
    pub der: Vec<u8>,
    pub certificate: Certificate,
}

impl Parsed {
    pub fn new(der: &[u8]) -> Result<Self, Refusal> {
        let certificate = Certificate::from_der(der)
            .map_err(|error| Refusal::Malformed(format!("certificate of the signature: {error}")))?;
        Ok(Self { der: der.to_vec(), certificate })
    }

    /// For messages.
    pub fn name(&self) -> String {
        Subject::of(&self.certificate.tbs_certificate.subject).to_string()
    }

    pub fn not_before(&self) -> Timestamp {
        time(&self.certificate.tbs_certificate.validity.not_before)
    }

    pub fn not_after(&self) -> Timestamp {
        time(&self.certificate.tbs_certificate.validity.not_after)
    }

    pub fn is_valid_at(&self, time: Timestamp) -> bool {
        (self.not_before()..=self.not_after()).contains(&time)
    }

    /// The value of an extension, and whether it is critical.
    pub fn extension<'a, T: der::Decode<'a>>(&'a self, id: ObjectIdentifier) -> Result<Option<(T, bool)>, Refusal> {
        let mut found =
            self.certificate.tbs_certificate.extensions.iter().flatten().filter(|extension| extension.extn_id == id);
        let Some(extension) = found.next() else { return Ok(None) };
        if found.next().is_some() {
            return Err(Refusal::Chain(format!("`{}` has an extension twice", self.name())));
        }
        let value = T::from_der(extension.extn_value.as_bytes())
            .map_err(|error| Refusal::Chain(format!("`{}` has an extension that is none: {error}", self.name())))?;
        Ok(Some((value, extension.critical)))
    }

    pub fn has_extension(&self, id: ObjectIdentifier) -> bool {
        self.certificate.tbs_certificate.extensions.iter().flatten().any(|extension| extension.extn_id == id)
    }

    /// SubjectPublicKeyInfo.
    pub fn public_key(&self) -> Option<Vec<u8>> {
        self.certificate.tbs_certificate.subject_public_key_info.to_der().ok()
    }

    fn is_self_issued(&self) -> bool {
        self.certificate.tbs_certificate.issuer == self.certificate.tbs_certificate.subject
    }

    /// Whether the key of `issuer` has signed this one.
    pub fn check_signed_by(&self, issuer: &Self) -> Result<(), Refusal> {
        if self.certificate.tbs_certificate.issuer != issuer.certificate.tbs_certificate.subject {
            return Err(Refusal::Chain(format!("`{}` is not of `{}`, which follows it", self.name(), issuer.name())));
        }
        let signed =
            self.certificate.tbs_certificate.to_der().map_err(|error| Refusal::Malformed(error.to_string()))?;
        check_signature(
            issuer,
            &self.certificate.signature_algorithm,
            &signed,
            self.certificate.signature.as_bytes().unwrap_or_default(),
        )
        .map_err(|why| Refusal::Chain(format!("`{}`: {why}", self.name())))
    }
}

fn time(time: &x509_cert::time::Time) -> Timestamp {
    let seconds = i64::try_from(time.to_unix_duration().as_secs()).unwrap_or(i64::MAX);
    Timestamp::from_second(seconds).unwrap_or(Timestamp::MAX)
}

/// Whether the key of a certificate has signed something that a certificate's key signs: a certificate or a list.
pub(super) fn check_signature(
    issuer: &Parsed,
    algorithm: &AlgorithmIdentifierOwned,
    signed: &[u8],
    signature: &[u8],
) -> Result<(), String> {
    let key = &issuer.certificate.tbs_certificate.subject_public_key_info;
    let verification = certificate_algorithm(key, algorithm.oid)
        .ok_or_else(|| format!("a signature by {} is not understood", algorithm.oid))?;
    UnparsedPublicKey::new(verification, key.subject_public_key.raw_bytes())
        .verify(signed, signature)
        .map_err(|_| format!("its signature is not of `{}`", issuer.name()))
}

/// What a key is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum KeyKind {
    P256,
    P384,
    P521,
    Rsa,
}

fn key_kind(key: &SubjectPublicKeyInfoOwned) -> Option<KeyKind> {
    if key.algorithm.oid == rfc5912::RSA_ENCRYPTION {
        return Some(KeyKind::Rsa);
    }
    if key.algorithm.oid != rfc5912::ID_EC_PUBLIC_KEY {
        return None;
    }
    let curve: ObjectIdentifier = key.algorithm.parameters.as_ref()?.decode_as().ok()?;
    [
        (rfc5912::SECP_256_R_1, KeyKind::P256),
        (rfc5912::SECP_384_R_1, KeyKind::P384),
        (rfc5912::SECP_521_R_1, KeyKind::P521),
    ]
    .into_iter()
    .find_map(|(oid, kind)| (oid == curve).then_some(kind))
}

fn certificate_algorithm(
    key: &SubjectPublicKeyInfoOwned,
    algorithm: ObjectIdentifier,
) -> Option<&'static dyn VerificationAlgorithm> {
    Some(match (key_kind(key)?, algorithm) {
        (KeyKind::P256, rfc5912::ECDSA_WITH_SHA_256) => &signature::ECDSA_P256_SHA256_ASN1,
        (KeyKind::P256, rfc5912::ECDSA_WITH_SHA_384) => &signature::ECDSA_P256_SHA384_ASN1,
        (KeyKind::P256, rfc5912::ECDSA_WITH_SHA_512) => &signature::ECDSA_P256_SHA512_ASN1,
        (KeyKind::P384, rfc5912::ECDSA_WITH_SHA_256) => &signature::ECDSA_P384_SHA256_ASN1,
        (KeyKind::P384, rfc5912::ECDSA_WITH_SHA_384) => &signature::ECDSA_P384_SHA384_ASN1,
        (KeyKind::P384, rfc5912::ECDSA_WITH_SHA_512) => &signature::ECDSA_P384_SHA512_ASN1,
        (KeyKind::P521, rfc5912::ECDSA_WITH_SHA_256) => &signature::ECDSA_P521_SHA256_ASN1,
        (KeyKind::P521, rfc5912::ECDSA_WITH_SHA_384) => &signature::ECDSA_P521_SHA384_ASN1,
        (KeyKind::P521, rfc5912::ECDSA_WITH_SHA_512) => &signature::ECDSA_P521_SHA512_ASN1,
        (KeyKind::Rsa, rfc5912::SHA_256_WITH_RSA_ENCRYPTION) => &signature::RSA_PKCS1_2048_8192_SHA256,
        (KeyKind::Rsa, rfc5912::SHA_384_WITH_RSA_ENCRYPTION) => &signature::RSA_PKCS1_2048_8192_SHA384,
        (KeyKind::Rsa, rfc5912::SHA_512_WITH_RSA_ENCRYPTION) => &signature::RSA_PKCS1_2048_8192_SHA512,
        _ => return None,
    })
}

/// Whether the signer's key has made the envelope's signature, by the one algorithm that its kind and size allow.
pub(super) fn check_envelope(
    signer: &Parsed,
    algorithm: Algorithm,
    signed: &[u8],
    signature: &[u8],
) -> Result<(), Refusal> {
    let key = &signer.certificate.tbs_certificate.subject_public_key_info;
    let bytes = key.subject_public_key.raw_bytes();
    let verification: &'static dyn VerificationAlgorithm = match (key_kind(key), algorithm) {
        (Some(KeyKind::P256), Algorithm::Es256) => &signature::ECDSA_P256_SHA256_FIXED,
        (Some(KeyKind::P384), Algorithm::Es384) => &signature::ECDSA_P384_SHA384_FIXED,
        (Some(KeyKind::P521), Algorithm::Es512) => &signature::ECDSA_P521_SHA512_FIXED,
        (Some(KeyKind::Rsa), Algorithm::Ps256) if rsa_bits(bytes) == Some(2048) => &signature::RSA_PSS_2048_8192_SHA256,
        (Some(KeyKind::Rsa), Algorithm::Ps384) if rsa_bits(bytes) == Some(3072) => &signature::RSA_PSS_2048_8192_SHA384,
        (Some(KeyKind::Rsa), Algorithm::Ps512) if rsa_bits(bytes) == Some(4096) => &signature::RSA_PSS_2048_8192_SHA512,
        (_, other) => {
            return Err(Refusal::Unsupported(format!("{other:?} with the key of `{}`", signer.name())));
        }
    };
    UnparsedPublicKey::new(verification, bytes)
        .verify(signed, signature)
        .map_err(|_| Refusal::Signature(format!("it is not of the key of `{}`", signer.name())))
}

#[derive(der::Sequence)]
struct RsaPublicKey<'a> {
    modulus: der::asn1::UintRef<'a>,
    #[allow(dead_code, reason = "the exponent is part of the form")]
    exponent: der::asn1::UintRef<'a>,
}

fn rsa_bits(key: &[u8]) -> Option<usize> {
    let modulus = RsaPublicKey::from_der(key).ok()?.modulus;
    let bytes = modulus.as_bytes();
    Some(bytes.len() * 8 - bytes.first()?.leading_zeros() as usize)
}

/// Whether each certificate is of the next one, the last one is a root, and each may do what it does here.
pub(super) fn check_chain(chain: &[Parsed]) -> Result<(), Refusal> {
    let Some((signer, authorities)) = chain.split_first() else {
        return Err(Refusal::Malformed("no certificate".into()));
    };
    check_signer(signer)?;
    for (at, certificate) in chain.iter().enumerate() {
        let is_last = at + 1 == chain.len();
        if certificate.is_self_issued() != is_last {
            let what = if is_last { "ends with" } else { "goes on behind" };
            return Err(Refusal::Chain(format!("the chain {what} `{}`", certificate.name())));
        }
        certificate.check_signed_by(chain.get(at + 1).unwrap_or(certificate))?;
        check_known(certificate)?;
    }
    for (below, authority) in authorities.iter().enumerate() {
        check_authority(authority, below)?;
    }
    Ok(())
}

/// Extensions whose meaning is known; a critical one that is not makes the certificate unusable.
fn check_known(certificate: &Parsed) -> Result<(), Refusal> {
    const KNOWN: &[ObjectIdentifier] =
        &[rfc5280::ID_CE_BASIC_CONSTRAINTS, rfc5280::ID_CE_KEY_USAGE, rfc5280::ID_CE_EXT_KEY_USAGE];
    let extensions = certificate.certificate.tbs_certificate.extensions.iter().flatten();
    match extensions.filter(|it| it.critical).find(|it| !KNOWN.contains(&it.extn_id)) {
        Some(unknown) => {
            Err(Refusal::Unsupported(format!("the critical extension {} of `{}`", unknown.extn_id, certificate.name())))
        }
        None => Ok(()),
    }
}

fn key_usage(certificate: &Parsed) -> Result<KeyUsage, Refusal> {
    match certificate.extension::<KeyUsage>(rfc5280::ID_CE_KEY_USAGE)? {
        Some((usage, true)) => Ok(usage),
        Some((_, false)) | None => Err(Refusal::Chain(format!("`{}` has no critical key usage", certificate.name()))),
    }
}

fn check_signer(signer: &Parsed) -> Result<(), Refusal> {
    let name = signer.name();
    if signer.extension::<BasicConstraints>(rfc5280::ID_CE_BASIC_CONSTRAINTS)?.is_some_and(|(it, _)| it.ca) {
        return Err(Refusal::Chain(format!("`{name}` is an authority, and signs none but certificates")));
    }
    let KeyUsage(uses) = key_usage(signer)?;
    let signs = KeyUsages::DigitalSignature | KeyUsages::NonRepudiation;
    if !uses.contains(KeyUsages::DigitalSignature) || !signs.contains(uses) {
        return Err(Refusal::Chain(format!("`{name}` is not for digital signatures alone")));
    }
    const OTHER_USES: &[ObjectIdentifier] = &[
        rfc5280::ANY_EXTENDED_KEY_USAGE,
        rfc5280::ID_KP_SERVER_AUTH,
        rfc5280::ID_KP_CLIENT_AUTH,
        rfc5280::ID_KP_EMAIL_PROTECTION,
        rfc5280::ID_KP_TIME_STAMPING,
        rfc5280::ID_KP_OCSP_SIGNING,
    ];
    let extended = signer.extension::<ExtendedKeyUsage>(rfc5280::ID_CE_EXT_KEY_USAGE)?;
    if extended.is_some_and(|(usage, _)| usage.0.iter().any(|it| OTHER_USES.contains(it))) {
        return Err(Refusal::Chain(format!("`{name}` is for something else than signing code")));
    }
    Ok(())
}

fn check_authority(authority: &Parsed, below: usize) -> Result<(), Refusal> {
    let name = authority.name();
    let constraints = authority.extension::<BasicConstraints>(rfc5280::ID_CE_BASIC_CONSTRAINTS)?;
    match constraints {
        Some((BasicConstraints { ca: true, path_len_constraint }, true)) => {
            if path_len_constraint.is_some_and(|most| usize::from(most) < below) {
                return Err(Refusal::Chain(format!("`{name}` allows no chain of that length")));
            }
        }
        Some(_) | None => return Err(Refusal::Chain(format!("`{name}` is no authority"))),
    }
    if !key_usage(authority)?.key_cert_sign() {
        return Err(Refusal::Chain(format!("`{name}` may not sign certificates")));
    }
    // Its own uses are the most that those below it may have: an authority for servers makes no signer.
    const CODE: &[ObjectIdentifier] = &[rfc5280::ID_KP_CODE_SIGNING, rfc5280::ANY_EXTENDED_KEY_USAGE];
    let extended = authority.extension::<ExtendedKeyUsage>(rfc5280::ID_CE_EXT_KEY_USAGE)?;
    match extended.is_none_or(|(usage, _)| usage.0.iter().any(|it| CODE.contains(it))) {
        true => Ok(()),
        false => Err(Refusal::Chain(format!("`{name}` is an authority for something else than signing code"))),
    }
}
