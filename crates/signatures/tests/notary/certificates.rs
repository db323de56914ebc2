//! What a certificate must be for, to vouch for an image.

use palisade_model::Timestamp;
use palisade_signatures::demand::{Credential, Signer};
use palisade_signatures::notary::{Subject, Trust};
use palisade_signatures::{Attached, Demand, Form, Verdict, judge, sign};
use serde_json::{Value, json};

use crate::authority::{Folder, folder};
use crate::{image, judged, key, signed};

/// One signature of `release`, with the certificates that lie beside it changed for others of the same key.
fn envelope(folder: &Folder, chain: &[&str], now: Timestamp) -> Vec<u8> {
    let mut envelope: Value = serde_json::from_slice(&signed(folder, now)).expect("JSON");
    let der = |name: &&str| {
        let pem = String::from_utf8(folder.read(&format!("{name}.crt"))).expect("PEM");
        pem.lines().filter(|line| !line.starts_with("-----")).collect::<String>()
    };
    envelope["header"]["x5c"] = json!(chain.iter().map(der).collect::<Vec<_>>());
    serde_json::to_vec(&envelope).expect("JSON")
}

fn verdict(folder: &Folder, chain: &[&str]) -> String {
    let now = Timestamp::now();
    let trust = Trust { authorities: folder.certificates(&["root"]), ..Trust::default() };
    judged(&envelope(folder, chain, now), trust, now)
}

#[test]
fn a_certificate_that_is_for_something_else_vouches_for_no_image() {
    let Some(folder) = folder("uses") else { return };
    for (uses, expected) in [
        ("signer", "Verified "),
        ("for_nothing_said", "Verified "),
        ("for_code_and_something", "Verified "),
        ("for_anything", "Refused untrusted-certificate"),
        ("for_code_and_anything", "Refused untrusted-certificate"),
        ("that_commits", "Verified "),
        ("that_encrypts", "Refused untrusted-certificate"),
        ("stamper", "Refused untrusted-certificate"),
    ] {
        folder.certificate_of("release", uses, "root", uses, 1);
        assert_eq!(verdict(&folder, &[uses, "root"]), expected, "{uses}");
    }
}

#[test]
fn an_authority_that_is_for_something_else_vouches_for_no_signer() {
    let Some(folder) = folder("authorities") else { return };
    for (authority, expected) in [
        ("authority", "Verified "),
        ("authority_of_code", "Verified "),
        ("authority_of_servers", "Refused untrusted-certificate"),
        ("authority_by_the_way", "Refused untrusted-certificate"),
    ] {
        folder.certificate(authority, "root", authority, 1);
        let signer = format!("of_{authority}");
        folder.certificate_of("release", &signer, authority, "signer", 1);
        assert_eq!(verdict(&folder, &[&signer, authority, "root"]), expected, "{authority}");
    }
}

#[test]
fn one_key_by_itself_and_in_certificates_of_two_names_is_one_signer() {
    let Some(folder) = folder("one-key") else { return };
    let now = Timestamp::now();
    folder.certificate_of("release", "other", "root", "signer", 1);
    folder.certificate("stranger", "root", "signer", 1);
    let release = key(&folder, "release");
    let attached = |form, bytes: Vec<u8>| Attached { digest: "sha256:1".into(), form, bytes, annotations: [].into() };
    let by_stranger = {
        let chain = folder.certificates(&["stranger", "root"]);
        sign::notary(&image(), &[].into(), &chain, &key(&folder, "stranger"), now, None).expect("it signs").bytes
    };
    let all = [
        attached(Form::Bundle, sign::bundle(&image(), &release).expect("it signs").bytes),
        attached(Form::NotaryJws, envelope(&folder, &["release", "root"], now)),
        attached(Form::NotaryJws, envelope(&folder, &["other", "root"], now)),
        attached(Form::NotaryJws, by_stranger),
    ];
    let notary = |name: &str| {
        let subjects = vec![Subject::parse(&format!("C=ZZ, ST=Test, O=Palisade, CN={name}")).expect("a name")];
        let trust = Trust { authorities: folder.certificates(&["root"]), subjects, ..Trust::default() };
        Signer { name: name.into(), credential: Credential::Notary(trust) }
    };
    let by_key = || {
        let key = release.public().clone();
        let credential = Credential::Key { key, root: None, log: Default::default() };
        Signer { name: "key".into(), credential }
    };
    let verdict = |signers: Vec<Signer>| {
        let demand = Demand { signers, threshold: 2, attestations: Vec::new() };
        judge(&image(), &all, &demand, now).verdict
    };
    assert_eq!(verdict(vec![by_key(), notary("release")]), Verdict::Refused);
    assert_eq!(verdict(vec![notary("release"), notary("other")]), Verdict::Refused);
    assert_eq!(verdict(vec![by_key(), notary("release"), notary("other")]), Verdict::Refused);
    assert_eq!(verdict(vec![by_key(), notary("stranger")]), Verdict::Verified);
    assert_eq!(verdict(vec![notary("other"), notary("stranger")]), Verdict::Verified);
}
