//! Lists of revoked certificates (CRL), RFC 5280 section 5. They are files: nothing is asked over a network, and OCSP is
//! not spoken.

use const_oid::ObjectIdentifier;
use const_oid::db::rfc5280;
use der::{Decode as _, Encode as _};
use palisade_model::Timestamp;
use palisade_model::image_policy::RevocationRule;
use x509_cert::crl::CertificateList;
use x509_cert::ext::pkix::{KeyUsage, name::GeneralName};

use super::certificate::{Parsed, check_signature};
use crate::answer::Fact;
use crate::refusal::Refusal;

/// A list, not yet believed.
#[derive(Debug, Clone)]
pub struct RevocationList(CertificateList);

/// A file that should hold a list.
#[derive(Debug, thiserror::Error)]
#[error("no revocation list: {0}")]
pub struct NoList(String);

/// In an entry of a delta list: no longer revoked.
const REMOVED: u8 = 8;

impl RevocationList {
    /// Reads one, PEM or DER.
    ///
    /// # Errors
    /// When it is none.
    pub fn parse(bytes: &[u8]) -> Result<Self, NoList> {
        let bad = |error: String| NoList(error);
        let der = match bytes.starts_with(b"-----BEGIN ") {
            true => der::pem::decode_vec(bytes).map_err(|error| bad(error.to_string()))?.1,
            false => bytes.to_vec(),
        };
        CertificateList::from_der(&der).map(Self).map_err(|error| bad(error.to_string()))
    }

    fn is_of(&self, certificate: &Parsed) -> bool {
        self.0.tbs_cert_list.issuer == certificate.certificate.tbs_certificate.issuer
    }

    /// Why the list says nothing, if so.
    fn check(&self, issuer: &Parsed, now: Timestamp) -> Result<(), String> {
        let list = &self.0.tbs_cert_list;
        let signed = list.to_der().map_err(|error| error.to_string())?;
        let signature = self.0.signature.as_bytes().unwrap_or_default();
        check_signature(issuer, &self.0.signature_algorithm, &signed, signature)?;
        let may_sign = issuer
            .extension::<KeyUsage>(rfc5280::ID_CE_KEY_USAGE)
            .map_err(|refusal| refusal.to_string())?
            .is_none_or(|(usage, _)| usage.crl_sign());
        if !may_sign {
            return Err(format!("`{}` may not sign lists", issuer.name()));
        }
        // A part of a list, a change of one, or another one's list: what it leaves out says nothing.
        let extensions = list.crl_extensions.iter().flatten();
        if let Some(unknown) = extensions.filter(|it| it.critical).map(|it| it.extn_id).next() {
            return Err(format!("the list has the critical extension {unknown}, which is not understood"));
        }
        if at(&list.this_update) > now {
            return Err(format!("the list is of the future: {}", at(&list.this_update)));
        }
        match &list.next_update {
            Some(next) if at(next) < now => Err(format!("the list should have been renewed at {}", at(next))),
            Some(_) => Ok(()),
            None => Err("the list does not say until when it holds".into()),
        }
    }

    /// When the certificate was revoked, if it was.
    fn revoked_at(&self, certificate: &Parsed) -> Option<Timestamp> {
        let entries = self.0.tbs_cert_list.revoked_certificates.iter().flatten();
        let serial = &certificate.certificate.tbs_certificate.serial_number;
        let is_removed = |entry: &x509_cert::crl::RevokedCert| {
            let extensions = entry.crl_entry_extensions.iter().flatten();
            let reason = extensions.filter(|it| it.extn_id == rfc5280::ID_CE_CRL_REASONS);
            reason.map(|it| it.extn_value.as_bytes()).any(|value| value.last() == Some(&REMOVED))
        };
        let entry = entries.filter(|entry| entry.serial_number == *serial).find(|entry| !is_removed(entry))?;
        Some(at(&entry.revocation_date))
    }
}

fn at(time: &x509_cert::time::Time) -> Timestamp {
    let seconds = i64::try_from(time.to_unix_duration().as_secs()).unwrap_or(i64::MAX);
    Timestamp::from_second(seconds).unwrap_or(Timestamp::MAX)
}

/// Whether one of the chain is revoked; what is known of the others.
///
/// # Errors
/// When one is, or when that must be known and is not.
pub(super) fn check(
    chain: &[Parsed],
    lists: &[RevocationList],
    rule: RevocationRule,
    now: Timestamp,
) -> Result<Vec<(bool, Fact)>, Refusal> {
    let mut facts = Vec::new();
    // A root is trusted because its bytes are; it has no list.
    for pair in chain.windows(2) {
        let [certificate, issuer] = pair else { continue };
        let name = certificate.name();
        let mut why = None;
        let mut is_listed = false;
        for list in lists.iter().filter(|list| list.is_of(certificate)) {
            match list.check(issuer, now) {
                Ok(()) => is_listed = true,
                Err(what) => why = Some(what),
            }
            // Also a stale list is right in what it says was revoked, when it is the issuer's own.
            let is_own = list.check(issuer, at(&list.0.tbs_cert_list.this_update)).is_ok();
            if let Some(at) = list.revoked_at(certificate).filter(|_| is_own) {
                return Err(Refusal::Revoked { name, at });
            }
        }
        if is_listed {
            facts.push((true, Fact::new("revocation", format!("`{name}` is on no list of `{}`", issuer.name()))));
            continue;
        }
        let why = match (why, says_where(certificate)) {
            (Some(why), _) => why,
            (None, Some(place)) => format!("no list is given; it says that one is at {place}"),
            (None, None) => {
                let detail = format!("no list is given for `{name}`, and it names none");
                facts.push((false, Fact::new("revocation", detail)));
                continue;
            }
        };
        if rule == RevocationRule::Required {
            return Err(Refusal::RevocationUnknown { name, why });
        }
        facts.push((false, Fact::new("revocation", format!("`{name}`: {why}"))));
    }
    Ok(facts)
}

/// Where the certificate says that its revocation would be told.
fn says_where(certificate: &Parsed) -> Option<String> {
    use x509_cert::ext::pkix::name::DistributionPointName;
    use x509_cert::ext::pkix::{AuthorityInfoAccessSyntax, CrlDistributionPoints};
    /// `id-ad-ocsp`. Source: RFC 5280, section 4.2.2.1.
    const OCSP: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.48.1");
    let places: Option<(CrlDistributionPoints, bool)> =
        certificate.extension(rfc5280::ID_CE_CRL_DISTRIBUTION_POINTS).ok().flatten();
    let names = places.iter().flat_map(|(points, _)| &points.0).filter_map(|point| match &point.distribution_point {
        Some(DistributionPointName::FullName(names)) => names.first(),
        _ => None,
    });
    let uri = |name: &GeneralName| match name {
        GeneralName::UniformResourceIdentifier(uri) => Some(uri.to_string()),
        _ => None,
    };
    if let Some(place) = names.filter_map(uri).next() {
        return Some(place);
    }
    let access: Option<(AuthorityInfoAccessSyntax, bool)> =
        certificate.extension(rfc5280::ID_PE_AUTHORITY_INFO_ACCESS).ok().flatten();
    let responder = access.iter().flat_map(|(access, _)| &access.0).find(|it| it.access_method == OCSP);
    if let Some(responder) = responder {
        return Some(uri(&responder.access_location).unwrap_or_else(|| "a responder".into()));
    }
    // It says where, in a way that cannot be read: that is no "names none".
    certificate.has_extension(rfc5280::ID_CE_CRL_DISTRIBUTION_POINTS).then(|| "a place that cannot be read".into())
}
