//! Signatures, and what they are judged by: nothing that was changed is ever verified.

use std::sync::LazyLock;

use palisade_model::image_policy::LogRule;
use palisade_signatures::demand::{Credential, Signer};
use palisade_signatures::notary::{Certificates, RevocationList, Subject as Name, Trust, trust_policy};
use palisade_signatures::private_key::KeyKind;
use palisade_signatures::{Attached, Demand, Form, PrivateKey, PublicKey, Root, Subject, Verdict, judge};

use super::now;

/// Signers of whose keys nobody has the private half: whatever holds is a forgery.
static DEMAND: LazyLock<Demand> = LazyLock::new(|| {
    let key = PrivateKey::generate(KeyKind::EcdsaP256).expect("random numbers").public().clone();
    let key = Credential::Key { key, root: None, log: LogRule::IfPresent };
    let signers = [("key", key), ("notary", Credential::Notary(Trust::default()))];
    let signers = signers.map(|(name, credential)| Signer { name: name.into(), credential });
    Demand { signers: signers.into(), threshold: 1, attestations: Vec::new() }
});

/// The image that the corpus' signatures are for.
fn image() -> Subject {
    let digest = "sha256:b960764ef243282bf2f757f3db2f14a02360734a54acec24a2165015072d427a".into();
    let media_type = "application/vnd.oci.image.manifest.v1+json".into();
    Subject { digest, media_type, manifest: vec![b' '; 345], index: None }
}

pub(super) fn run(bytes: &[u8]) {
    let forms = [Form::CosignSignature, Form::CosignAttestation, Form::Bundle, Form::NotaryJws, Form::NotaryCose];
    let signature = [("dev.cosignproject.cosign/signature".to_owned(), "MEUCIQ==".to_owned())];
    // As annotations too: cosign's older form keeps its proof there.
    let text = String::from_utf8_lossy(bytes).into_owned();
    let proofs = ["certificate", "chain", "bundle", "rfc3161timestamp"]
        .map(|name| (format!("dev.sigstore.cosign/{name}"), text.clone()));
    let attached: Vec<Attached> = forms
        .into_iter()
        .flat_map(|form| {
            let with = |annotations| Attached { digest: "sha256:1".into(), form, bytes: bytes.to_vec(), annotations };
            let all = signature.clone().into_iter().chain(proofs.clone()).collect();
            [with(signature.clone().into()), with(all)]
        })
        .collect();
    let answer = judge(&image(), &attached, &DEMAND, now());
    assert!(answer.verdict != Verdict::Verified, "a forgery: {answer:?}");
    assert!(!answer.reasons.is_empty() && answer.attached.len() == attached.len());
    serde_json::to_string(&answer).expect("an answer is JSON");
}

pub(super) fn trust(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let _ = trust_policy::parse(&text);
    let _ = Certificates::default().add(bytes);
    let _ = RevocationList::parse(bytes);
    let _ = PublicKey::from_pem(&text);
    let _ = PrivateKey::from_pem(&text, None);
    let _ = Root::from_json(&text);
    for line in text.lines() {
        let _ = Name::parse(line);
        let _ = palisade_model::image_policy::parse_path(line);
    }
    let read = palisade_manifests::load_image_policies_text("fuzz", bytes);
    assert!(read.problems.iter().all(|problem| problem.place.is_some()), "a problem has no place");
}
