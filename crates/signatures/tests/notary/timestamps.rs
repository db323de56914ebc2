//! Time stamps over signatures: a certificate that held when it was used is good for ever, and without the proof of that
//! it is not.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use palisade_model::Timestamp;
use palisade_model::image_policy::RevocationRule;
use palisade_signatures::notary::{RevocationList, Trust};
use serde_json::Value;

use crate::authority::folder;
use crate::{judged, signed};

/// The envelope with a token beside its signature.
fn stamped(envelope: &Value, token: &[u8]) -> Vec<u8> {
    let mut envelope = envelope.clone();
    envelope["header"]["io.cncf.notary.timestampSignature"] = STANDARD.encode(token).into();
    serde_json::to_vec(&envelope).expect("JSON")
}

fn parts(envelope: &[u8]) -> (Value, Vec<u8>) {
    let envelope: Value = serde_json::from_slice(envelope).expect("JSON");
    let signature = URL_SAFE_NO_PAD.decode(envelope["signature"].as_str().expect("text")).expect("base64");
    (envelope, signature)
}

#[test]
fn a_certificate_that_is_no_longer_valid_counts_with_a_timestamp_alone() {
    let Some(folder) = folder("timestamps") else { return };
    let now = Timestamp::now();
    let later = Timestamp::from_second(now.as_second() + 30 * 86_400).expect("a time");
    let plain = signed(&folder, now);
    let (envelope, signature) = parts(&plain);
    let good = stamped(&envelope, &folder.stamp(&signature, "stamper", "stamps"));
    let of_another = stamped(&envelope, &folder.stamp(b"another signature", "stamper", "stamps"));
    let verdict = |bytes: &[u8], trusts_stamps: bool, at: Timestamp| {
        let stamps: &[&str] = if trusts_stamps { &["stamps"] } else { &[] };
        let trust = Trust {
            authorities: folder.certificates(&["root"]),
            timestamp_authorities: folder.certificates(stamps),
            ..Trust::default()
        };
        judged(bytes, trust, at)
    };
    // With nobody to tell the time, the certificate must be valid now.
    assert_eq!(verdict(&plain, false, now), "Verified ");
    assert_eq!(verdict(&plain, false, later), "Refused certificate-time");
    assert_eq!(verdict(&good, false, later), "Refused certificate-time", "nobody trusts whoever stamped it");
    // With somebody, a stamp must be there, and it decides.
    assert_eq!(verdict(&good, true, now), "Verified ");
    assert_eq!(verdict(&good, true, later), "Verified ");
    assert_eq!(verdict(&plain, true, now), "Refused no-timestamp", "it was stripped");
    assert_eq!(verdict(&plain, true, later), "Refused no-timestamp", "it was stripped");
    assert_eq!(verdict(&of_another, true, later), "Refused bad-timestamp");
    let foreign = stamped(&envelope, &folder.stamp(&signature, "stamper", "stamps"));
    let damaged: Vec<u8> = foreign.iter().map(|byte| if *byte == b'Q' { b'R' } else { *byte }).collect();
    assert!(verdict(&damaged, true, later).starts_with("Refused"));
    // A stamp of the future is none.
    let before = Timestamp::from_second(now.as_second() - 3_600).expect("a time");
    assert_eq!(verdict(&good, true, before), "Refused bad-timestamp");
}

#[test]
fn a_stamp_of_a_revoked_authority_proves_nothing_and_one_that_may_be_is_undecided() {
    let Some(folder) = folder("revoked") else { return };
    let now = Timestamp::now();
    let later = Timestamp::from_second(now.as_second() + 5 * 86_400).expect("a time");
    folder.certificate("listed", "stamps", "listed_stamper", 3650);
    let (envelope, signature) = parts(&signed(&folder, now));
    let good = stamped(&envelope, &folder.stamp(&signature, "stamper", "stamps"));
    let listed = stamped(&envelope, &folder.stamp(&signature, "listed", "stamps"));
    let verdict = |bytes: &[u8], list: Option<&RevocationList>, revocation: RevocationRule| {
        let trust = Trust {
            authorities: folder.certificates(&["root"]),
            timestamp_authorities: folder.certificates(&["stamps"]),
            revocation_lists: list.into_iter().cloned().collect(),
            revocation,
            ..Trust::default()
        };
        judged(bytes, trust, later)
    };
    let (required, known) = (RevocationRule::Required, RevocationRule::IfKnown);
    // One that names no list has nothing to be asked; one that does is asked as a signer is.
    assert_eq!(verdict(&good, None, required), "Verified ");
    assert_eq!(verdict(&listed, None, required), "Undecided revocation-unknown");
    assert_eq!(verdict(&listed, None, known), "Verified ");
    let nobody = folder.list("stamps", &[]);
    assert_eq!(verdict(&listed, Some(&nobody), required), "Verified ");
    let both = folder.list("stamps", &["listed", "stamper"]);
    // Of two lists in one file, the second would be passed over.
    let one = folder.read("stamps.crl");
    assert!(RevocationList::parse(&[&one[..], &one].concat()).is_err());
    assert_eq!(verdict(&listed, Some(&both), required), "Refused revoked");
    assert_eq!(verdict(&good, Some(&both), known), "Refused revoked");
}
