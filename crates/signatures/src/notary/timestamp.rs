//! RFC 3161 time stamps over a signature: the signer's clock can be set to any time, an authority's cannot.
//!
//! The token is judged by `sigstore-tsa`. What it wants is a whole authority, from the one who signs tokens to its root;
//! here the certificates between come with the token, and the root is of the trust store.

use cms::cert::CertificateChoices;
use cms::content_info::ContentInfo;
use cms::signed_data::{SignedData, SignerIdentifier};
use der::{Decode as _, Encode as _};
use palisade_model::Timestamp;
use sigstore_verify::tsa::verify_timestamp_for_authority;
use sigstore_verify::types::{DerCertificate, SignatureBytes, TimestampToken, TsaAuthority};

use super::certificate::{Certificates, Parsed};
use super::envelope::MOST_CERTIFICATES;
use crate::refusal::Refusal;

/// What a token proves.
pub struct Stamp {
    /// When the signature was there.
    pub time: Timestamp,
    /// Who says so: the one who signed the token, to the root that is trusted.
    pub chain: Vec<Parsed>,
}

/// When the signature was there, by an authority whose root is trusted. Whether one of its certificates is revoked is
/// still to be asked.
///
/// # Errors
/// When the token is not over this signature, or by nobody who is trusted.
pub fn check(token: &[u8], signature: &[u8], roots: &Certificates) -> Result<Stamp, Refusal> {
    let bad = |error: der::Error| Refusal::Timestamp(format!("it cannot be read: {error}"));
    let content = ContentInfo::from_der(token).map_err(bad)?;
    let signed: SignedData = content.content.decode_as().map_err(bad)?;
    let mut certificates = Vec::new();
    for choice in signed.certificates.iter().flat_map(|set| set.0.iter()).take(MOST_CERTIFICATES) {
        if let CertificateChoices::Certificate(certificate) = choice {
            certificates.push(Parsed::new(&certificate.to_der().map_err(bad)?)?);
        }
    }
    let signer = signed.signer_infos.0.iter().next().and_then(|info| match &info.sid {
        SignerIdentifier::IssuerAndSerialNumber(id) => certificates.iter().position(|it| {
            let certificate = &it.certificate.tbs_certificate;
            certificate.issuer == id.issuer && certificate.serial_number == id.serial_number
        }),
        SignerIdentifier::SubjectKeyIdentifier(_) => None,
    });
    let Some(signer) = signer else { return Err(Refusal::Timestamp("its signer's certificate is not in it".into())) };
    let signer = certificates.swap_remove(signer);
    let intermediates: Vec<DerCertificate> =
        certificates.iter().map(|it| DerCertificate::from_bytes(&it.der)).collect();
    let mut why = "no time stamp authority is trusted".to_owned();
    for root in roots.iter() {
        let authority = TsaAuthority::new(
            DerCertificate::from_bytes(&signer.der),
            intermediates.clone(),
            DerCertificate::from_bytes(root),
            None,
        );
        let token = TimestampToken::from_bytes(token);
        match verify_timestamp_for_authority(&token, &SignatureBytes::from_bytes(signature), &authority) {
            Ok(time) => return Ok(Stamp { time, chain: chain(signer, certificates, Parsed::new(root)?)? }),
            Err(error) => why = error.to_string(),
        }
    }
    Err(Refusal::Timestamp(why))
}

/// From the signer of the token to the root. The library has found such a way, and does not tell which.
fn chain(signer: Parsed, mut others: Vec<Parsed>, root: Parsed) -> Result<Vec<Parsed>, Refusal> {
    let mut chain = vec![signer];
    while let Some(last) = chain.last().filter(|last| last.check_signed_by(&root).is_err()) {
        let Some(above) = others.iter().position(|it| last.check_signed_by(it).is_ok()) else {
            let what = format!("a timestamp of `{}`, of which it cannot be told who is above it", last.name());
            return Err(Refusal::Unsupported(what));
        };
        chain.push(others.swap_remove(above));
    }
    chain.push(root);
    Ok(chain)
}
