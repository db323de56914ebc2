//! Sigstore bundles, by `sigstore-verify`; a bundle that was signed with a key and stands in no log, by the key alone.

use palisade_model::Timestamp;
use palisade_model::image_policy::LogRule;
use sigstore_verify::bundle::Error as BundleError;
use sigstore_verify::crypto::SubjectAltName;
use sigstore_verify::trust_root::TrustedRoot;
use sigstore_verify::types::bundle::VerificationMaterialContent;
use sigstore_verify::types::{Bundle, SignatureContent};
use sigstore_verify::{
    CertificateError, Error, PublicKeyVerificationPolicy, TimestampError, VerificationPolicy, Verifier,
};

use crate::answer::Fact;
use crate::demand::Credential;
use crate::key::PublicKey;
use crate::pattern;
use crate::refusal::Refusal;
use crate::statement::Statement;
use crate::subject::Subject;

/// Who is trusted to vouch for logins, to keep logs and to tell the time: a `trusted_root.json`, prepared.
pub struct Root {
    verifier: Verifier,
}

impl std::fmt::Debug for Root {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Root")
    }
}

/// A file that should hold a root of trust and does not.
#[derive(Debug, thiserror::Error)]
#[error("no trusted root: {0}")]
pub struct BadRoot(String);

impl Root {
    /// Reads a `trusted_root.json`.
    ///
    /// # Errors
    /// When a key or certificate of it cannot be used: less trust than was meant is refused as well.
    pub fn from_json(text: &str) -> Result<Self, BadRoot> {
        let root = TrustedRoot::from_json(text).map_err(|error| BadRoot(error.to_string()))?;
        let verifier = Verifier::new(&root).map_err(|error| BadRoot(error.to_string()))?;
        Ok(Self { verifier })
    }
}

/// What a good signature or attestation is, and what that rests on.
#[derive(Debug)]
pub(crate) struct Passed {
    /// The statement, unless it is a plain signature.
    pub statement: Option<Statement>,
    pub subject: String,
    /// The fingerprint of the key, where it is the signer's for more than one signature.
    pub key: Option<String>,
    pub image: String,
    pub signed_at: Option<Timestamp>,
    pub checked: Vec<Fact>,
    pub not_checked: Vec<Fact>,
}

/// Reads a bundle.
pub(crate) fn parse(bytes: &[u8]) -> Result<Bundle, Refusal> {
    let text = std::str::from_utf8(bytes).map_err(|error| Refusal::Malformed(format!("bundle: {error}")))?;
    Bundle::from_json(text).map_err(|error| Refusal::Malformed(format!("bundle: {error}")))
}

/// Judges a bundle that lies beside the image.
pub(crate) fn check(bundle: &Bundle, credential: &Credential, image: &Subject) -> Result<Passed, Refusal> {
    let (statement, subject) = match &bundle.content {
        SignatureContent::DsseEnvelope(envelope) => {
            let statement = Statement::parse(&envelope.payload_type, envelope.payload.as_bytes())?;
            let subject = statement.subject_in(image)?;
            (Some(statement), subject)
        }
        // A plain signature over the bytes of the manifest: which of the two, the signature itself tells.
        SignatureContent::MessageSignature(signature) => {
            let claimed = signature.message_digest.as_ref().map(|it| format!("sha256:{}", it.digest.to_hex()));
            let subject = match claimed {
                Some(digest) => image.with_digest(&digest).ok_or(Refusal::OtherImage { claimed: vec![digest] })?,
                None => image,
            };
            (None, subject)
        }
        _ => return Err(Refusal::Unsupported("a bundle with neither a signature nor an envelope".into())),
    };
    let mut passed = check_over(bundle, credential, &subject.manifest)?;
    passed.statement = statement;
    passed.image.clone_from(&subject.digest);
    Ok(passed)
}

/// Judges a bundle over the bytes that it must be for.
///
/// # Errors
/// Why it does not hold for this signer.
pub fn verify(bundle: &[u8], credential: &Credential, artifact: &[u8]) -> Result<(), Refusal> {
    check_over(&parse(bundle)?, credential, artifact).map(|_| ())
}

pub(crate) fn check_over(bundle: &Bundle, credential: &Credential, artifact: &[u8]) -> Result<Passed, Refusal> {
    match credential {
        Credential::Key { key, root, log } => check_key(bundle, key, root.as_deref(), *log, artifact),
        Credential::Keyless { root, identity, issuer, log, certificate_log } => {
            let mut policy = VerificationPolicy::any_identity();
            if *log == LogRule::IfPresent && bundle.verification_material.tlog_entries.is_empty() {
                policy = policy.skip_tlog_unsafe();
            }
            if *certificate_log == LogRule::IfPresent {
                policy = policy.skip_sct();
            }
            check_keyless(bundle, root, identity, issuer, &policy, artifact)
        }
        Credential::Notary(_) => {
            Err(Refusal::OtherKind("is of Sigstore, and a certificate of the Notary Project is asked for"))
        }
    }
}

fn check_key(
    bundle: &Bundle,
    key: &PublicKey,
    root: Option<&Root>,
    log: LogRule,
    artifact: &[u8],
) -> Result<Passed, Refusal> {
    if !matches!(bundle.verification_material.content, VerificationMaterialContent::PublicKey(_)) {
        return Err(Refusal::OtherKind("carries a certificate, and a key is asked for"));
    }
    match &bundle.content {
        SignatureContent::DsseEnvelope(envelope) => key.verify(&envelope.pae(), envelope.signature.sig.as_bytes())?,
        SignatureContent::MessageSignature(signature) => key.verify(artifact, signature.signature.as_bytes())?,
        _ => return Err(Refusal::Unsupported("a bundle with neither a signature nor an envelope".into())),
    }
    let mut passed = Passed {
        statement: None,
        subject: format!("key {}", &key.fingerprint()[..16]),
        key: Some(key.fingerprint()),
        image: String::new(),
        signed_at: None,
        checked: vec![Fact::new("signature", "made with the key")],
        not_checked: Vec::new(),
    };
    let material = &bundle.verification_material;
    let is_logged = !material.tlog_entries.is_empty();
    let has_time = !material.timestamp_verification_data.rfc3161_timestamps.is_empty();
    match (root, log) {
        (None, LogRule::Required) => {
            return Err(Refusal::NoTrust("must stand in a transparency log, and no trusted root is given".into()));
        }
        (Some(_), LogRule::Required) if !is_logged => return Err(Refusal::Log("it stands in none".into())),
        (Some(root), _) if is_logged || has_time => {
            let mut policy = PublicKeyVerificationPolicy::new(key.der.clone());
            if !is_logged {
                policy = policy.skip_tlog_unsafe();
            }
            let result = root.verifier.verify(artifact, bundle, &policy).map_err(|error| refusal(&error))?;
            passed.signed_at = result.verified_timestamps().iter().min().copied();
        }
        (Some(_), _) | (None, LogRule::IfPresent) => {}
    }
    let judged = |is_there: bool| if root.is_some() && is_there { Some(()) } else { None };
    match judged(is_logged) {
        Some(()) => passed.checked.push(Fact::new("transparencyLog", "it stands in a trusted log")),
        None => passed.not_checked.push(Fact::new("transparencyLog", absent(is_logged, "it says it stands in none"))),
    }
    match passed.signed_at {
        Some(time) => passed.checked.push(Fact::new("time", format!("signed at {time}"))),
        None => passed
            .not_checked
            .push(Fact::new("time", absent(has_time || is_logged, "nothing tells when it was signed"))),
    }
    passed.not_checked.push(Fact::new("revocation", "a key has no list of revocations"));
    Ok(passed)
}

fn absent(is_there: bool, without: &str) -> String {
    if is_there { "no trusted root is given to judge it by".to_owned() } else { without.to_owned() }
}

fn check_keyless(
    bundle: &Bundle,
    root: &Root,
    identity: &str,
    issuer: &str,
    policy: &VerificationPolicy,
    artifact: &[u8],
) -> Result<Passed, Refusal> {
    if matches!(bundle.verification_material.content, VerificationMaterialContent::PublicKey(_)) {
        return Err(Refusal::OtherKind("was signed with a key, and a certificate is asked for"));
    }
    let result = root.verifier.verify(artifact, bundle, policy).map_err(|error| refusal(&error))?;
    // The library has been asked for no identity: both halves are compared here, and both must be there.
    let found = result.identity().map(SubjectAltName::as_str).unwrap_or_default();
    // A certificate without a subject is nobody's, also where everybody would be taken.
    if found.is_empty() || !pattern::matches(identity, found) {
        return Err(Refusal::Identity { found: found.to_owned(), wanted: identity.to_owned() });
    }
    let found_issuer = result.issuer().unwrap_or_default();
    if found_issuer.is_empty() || found_issuer != issuer {
        return Err(Refusal::Issuer { found: found_issuer.to_owned(), wanted: issuer.to_owned() });
    }
    if !result.certificate_verified() {
        return Err(Refusal::Chain("it was not checked".into()));
    }
    let signed_at = result.verified_timestamps().iter().min().copied();
    let mut checked = vec![
        Fact::new("signature", "made with the certificate's key"),
        Fact::new("identity", format!("{found}, vouched for by {found_issuer}")),
        Fact::new("certificate", "of a trusted authority, and valid when it was used"),
    ];
    let mut not_checked = Vec::new();
    let mut judged = |is_checked: bool, what, yes: &str, no: &str| match is_checked {
        true => checked.push(Fact::new(what, yes)),
        false => not_checked.push(Fact::new(what, no)),
    };
    judged(
        result.sct_verified(),
        "certificateLog",
        "the certificate stands in a trusted log",
        "the policy asks for none",
    );
    judged(result.tlog_verified(), "transparencyLog", "it stands in a trusted log", "it says it stands in none");
    if let Some(time) = signed_at {
        checked.push(Fact::new("time", format!("signed at {time}")));
    }
    not_checked.push(Fact::new("revocation", "certificates for minutes have no list of revocations"));
    let (subject, image) = (found.to_owned(), String::new());
    Ok(Passed { statement: None, subject, key: None, image, signed_at, checked, not_checked })
}

/// The library's errors in the words of ours.
pub(crate) fn refusal(error: &Error) -> Refusal {
    let text = error.to_string();
    match error {
        Error::SignatureInvalid(detail) => Refusal::Signature(detail.clone()),
        Error::ArtifactMismatch(detail) => Refusal::Signature(detail.clone()),
        Error::Certificate(CertificateError::Expired { time, not_after }) => Refusal::CertificateTime {
            name: "the signer's".into(),
            what: format!("held until {not_after}, and was used at {time}"),
        },
        Error::Certificate(CertificateError::NotYetValid { time, not_before }) => Refusal::CertificateTime {
            name: "the signer's".into(),
            what: format!("held from {not_before}, and was used at {time}"),
        },
        Error::Certificate(CertificateError::ChainInvalid(detail)) => match validity(detail) {
            Some(what) => Refusal::CertificateTime { name: "the signer's".into(), what },
            None => Refusal::Chain(detail.clone()),
        },
        Error::Certificate(_) | Error::TrustedCertificate(_) => Refusal::Chain(text),
        Error::TransparencyLog(_) => Refusal::Log(text),
        Error::Timestamp(TimestampError::NoVerifiedTimestamp(detail)) => Refusal::NoTimestamp(detail.clone()),
        Error::Timestamp(_) => Refusal::Timestamp(text),
        Error::Bundle(BundleError::MissingInclusionProof(_) | BundleError::MissingInclusionPromise(_)) => {
            Refusal::Log(text)
        }
        Error::Bundle(BundleError::MissingSigningTimeEvidence | BundleError::MissingTimestamp) => {
            Refusal::NoTimestamp("it carries neither an entry of a log nor a timestamp".into())
        }
        Error::UnsupportedBundle(detail) | Error::UnsupportedArtifact(detail) => Refusal::Unsupported(detail.clone()),
        Error::InvalidTrustRoot(_) | Error::TrustRoot(_) => Refusal::NoTrust(text),
        _ => Refusal::Malformed(text),
    }
}

/// The times in `CertExpired { time: UnixTime(1), not_after: UnixTime(2) }`, which is how the library's own library says
/// it.
fn validity(detail: &str) -> Option<String> {
    let behind = |key: &str| {
        let (_, rest) = detail.split_once(&format!("{key}: UnixTime("))?;
        Timestamp::from_second(rest.split(')').next()?.parse().ok()?).ok()
    };
    let used = behind("time")?;
    match (behind("not_after"), behind("not_before")) {
        (Some(until), _) => Some(format!("held until {until}, and was used at {used}")),
        (None, Some(from)) => Some(format!("held from {from}, and was used at {used}")),
        (None, None) => None,
    }
}
