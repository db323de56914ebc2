//! From an envelope to what it rests on.

use std::collections::BTreeMap;

use palisade_model::Timestamp;
use sigstore_verify::crypto::sha256;

use super::certificate::{Parsed, check_chain, check_envelope};
use super::envelope::{Envelope, LONGEST_ENVELOPE, Payload, Scheme};
use super::name::Subject as Name;
use super::timestamp::Stamp;
use super::{Staleness, Trust, cose, jws, revocation, timestamp};
use crate::answer::Fact;
use crate::attached::{Attached, Form};
use crate::bundle::Passed;
use crate::refusal::Refusal;
use crate::subject::Subject;

/// Judges an envelope that lies beside the image.
pub(crate) fn check(attached: &Attached, trust: &Trust, image: &Subject, now: Timestamp) -> Result<Passed, Refusal> {
    let is_too_long = attached.bytes.len() > LONGEST_ENVELOPE;
    let envelope = match attached.form {
        Form::NotaryJws | Form::NotaryCose if is_too_long => {
            return Err(Refusal::Unsupported(format!("an envelope of more than {LONGEST_ENVELOPE} bytes")));
        }
        Form::NotaryJws => jws::parse(&attached.bytes)?,
        Form::NotaryCose => cose::parse(&attached.bytes)?,
        Form::Bundle | Form::CosignSignature | Form::CosignAttestation => {
            return Err(Refusal::OtherKind("is of Sigstore, and a certificate of the Notary Project is asked for"));
        }
    };
    let chain: Vec<Parsed> = envelope.chain.iter().map(|der| Parsed::new(der)).collect::<Result<_, _>>()?;
    let Some(signer) = chain.first() else { return Err(Refusal::Malformed("no certificate".into())) };
    check_envelope(signer, envelope.algorithm, &envelope.signed, &envelope.signature)?;
    let (subject, metadata) = target(&envelope, image)?;
    let mut passed = Passed {
        statement: None,
        subject: signer.name(),
        key: signer.public_key().map(|key| sha256(&key).to_hex()),
        image: subject.digest.clone(),
        signed_at: None,
        checked: vec![Fact::new("signature", "made with the certificate's key")],
        not_checked: Vec::new(),
    };
    if !metadata.is_empty() {
        let metadata: Vec<String> = metadata.iter().map(|(key, value)| format!("{key}={value}")).collect();
        passed.checked.push(Fact::new("metadata", metadata.join(", ")));
    }
    check_chain(&chain)?;
    check_store(&envelope, &chain, trust)?;
    check_name(signer, trust)?;
    passed.checked.push(Fact::new("certificate", "of an authority of the trust store"));
    let stale = |passed: &mut Passed, refusal: Refusal, what| match trust.staleness {
        Staleness::Refused => Err(refusal),
        Staleness::Told => {
            passed.not_checked.push(Fact::new(what, format!("the policy lets it pass that it {refusal}")));
            Ok(())
        }
    };
    let mut stamped_by = Vec::new();
    match check_time(&envelope, &chain, trust, now) {
        Ok(Proof::At(Stamp { time, chain })) => {
            stamped_by = chain;
            passed.signed_at = Some(time);
            passed.checked.push(Fact::new("time", format!("signed at {time}, when the certificates held")));
        }
        Ok(Proof::Now) => {
            passed.checked.push(Fact::new("certificateTime", "the certificates hold now"));
            passed.not_checked.push(Fact::new("time", untimed(&envelope)));
        }
        Err(refusal) => stale(&mut passed, refusal, "time")?,
    }
    match envelope.expiry {
        Some(expiry) if expiry <= now => stale(&mut passed, Refusal::Expired(expiry), "expiry")?,
        Some(expiry) => passed.checked.push(Fact::new("expiry", format!("it holds until {expiry}"))),
        None => passed.not_checked.push(Fact::new("expiry", "it does not say until when it holds")),
    }
    for chain in [&chain, &stamped_by] {
        for (is_checked, fact) in revocation::check(chain, &trust.revocation_lists, trust.revocation, now)? {
            if is_checked { passed.checked.push(fact) } else { passed.not_checked.push(fact) }
        }
    }
    Ok(passed)
}

/// What the signer says of the image beside its digest.
type Metadata = BTreeMap<String, String>;

fn target<'s>(envelope: &Envelope, image: &'s Subject) -> Result<(&'s Subject, Metadata), Refusal> {
    let payload: Payload = serde_json::from_slice(&envelope.payload)
        .map_err(|error| Refusal::Malformed(format!("payload of the signature: {error}")))?;
    let target = payload.target_artifact;
    let claimed = target.digest.clone();
    let subject = image.with_digest(&claimed).ok_or(Refusal::OtherImage { claimed: vec![claimed] })?;
    if target.size != subject.manifest.len() as u64 {
        let claimed = format!("{} of {} bytes", target.digest, target.size);
        return Err(Refusal::OtherImage { claimed: vec![claimed] });
    }
    if target.media_type != subject.media_type && !subject.media_type.is_empty() {
        let claimed = format!("{} as `{}`", target.digest, target.media_type);
        return Err(Refusal::OtherImage { claimed: vec![claimed] });
    }
    Ok((subject, target.annotations.unwrap_or_default()))
}

/// One certificate of the chain must be in the store that the scheme names.
fn check_store(envelope: &Envelope, chain: &[Parsed], trust: &Trust) -> Result<(), Refusal> {
    let store = match envelope.scheme {
        Scheme::X509 => &trust.authorities,
        Scheme::SigningAuthority => &trust.signing_authorities,
    };
    if chain.iter().any(|certificate| store.has(&certificate.der)) {
        return Ok(());
    }
    let root = chain.last().map(Parsed::name).unwrap_or_default();
    Err(Refusal::Chain(format!("`{root}` is in no trust store")))
}

fn check_name(signer: &Parsed, trust: &Trust) -> Result<(), Refusal> {
    let name = Name::of(&signer.certificate.tbs_certificate.subject);
    if trust.subjects.is_empty() || trust.subjects.iter().any(|wanted| wanted.is_in(&name)) {
        return Ok(());
    }
    let wanted: Vec<String> = trust.subjects.iter().map(Name::to_string).collect();
    Err(Refusal::Identity { found: name.to_string(), wanted: wanted.join("` or `") })
}

/// What is known of the time of signing.
enum Proof {
    /// Somebody who is trusted says it.
    At(Stamp),
    /// Nothing; the certificates hold now, so it does not matter.
    Now,
}

/// So many seconds the clock of an authority may be ahead of the one here.
const MOST_SKEW: i64 = 60;

fn check_time(envelope: &Envelope, chain: &[Parsed], trust: &Trust, now: Timestamp) -> Result<Proof, Refusal> {
    let proven = match envelope.scheme {
        // Nobody stamps it: the authority says it in what it signs.
        Scheme::SigningAuthority => Some(Stamp {
            time: envelope
                .authentic_signing_time
                .ok_or_else(|| Refusal::NoTimestamp("the signing authority does not say it".into()))?,
            chain: Vec::new(),
        }),
        Scheme::X509 if trust.timestamp_authorities.is_empty() => None,
        Scheme::X509 => match &envelope.timestamp {
            Some(token) => Some(timestamp::check(token, &envelope.signature, &trust.timestamp_authorities)?),
            None => return Err(Refusal::NoTimestamp("it carries no timestamp, and one is asked for".into())),
        },
    };
    let time = proven.as_ref().map(|stamp| stamp.time);
    if let Some(time) = time.filter(|time| time.as_second() - now.as_second() > MOST_SKEW) {
        return Err(Refusal::Timestamp(format!("it is of the future: {time}")));
    }
    let at = time.unwrap_or(now);
    if let Some(invalid) = chain.iter().find(|certificate| !certificate.is_valid_at(at)) {
        let (from, until) = (invalid.not_before(), invalid.not_after());
        let what = match time {
            Some(time) => format!("holds from {from} to {until}, and was used at {time}"),
            None => format!("holds from {from} to {until}, and no timestamp proves that it was used then"),
        };
        return Err(Refusal::CertificateTime { name: format!("`{}`", invalid.name()), what });
    }
    Ok(proven.map_or(Proof::Now, Proof::At))
}

fn untimed(envelope: &Envelope) -> String {
    let claimed = envelope.signing_time.map_or_else(String::new, |time| format!(", though it says {time}"));
    match envelope.timestamp {
        Some(_) => format!("it carries a timestamp, and no time stamp authority is trusted{claimed}"),
        None => format!("nothing proves when it was signed{claimed}"),
    }
}
