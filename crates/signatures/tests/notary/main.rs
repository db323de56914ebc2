//! Signatures of the Notary Project, with certificates, lists and time stamps by openssl.

mod authority;
mod certificates;
mod timestamps;

use authority::Folder;
use palisade_model::Timestamp;
use palisade_signatures::demand::{Credential, Signer};
use palisade_signatures::notary::Trust;
use palisade_signatures::{Attached, Demand, Form, PrivateKey, Subject, judge, sign};

fn image() -> Subject {
    Subject {
        digest: format!("sha256:{}", "0".repeat(64)),
        media_type: "application/vnd.oci.image.manifest.v1+json".into(),
        manifest: b"{}".to_vec(),
        index: None,
    }
}

fn key(folder: &Folder, name: &str) -> PrivateKey {
    let pem = folder.read(&format!("{name}.key"));
    PrivateKey::from_pem(std::str::from_utf8(&pem).expect("PEM"), None).expect("a key")
}

/// An envelope around the image, by `release` of `root`.
fn signed(folder: &Folder, now: Timestamp) -> Vec<u8> {
    let chain = folder.certificates(&["release", "root"]);
    sign::notary(&image(), &[].into(), &chain, &key(folder, "release"), now, None).expect("it signs").bytes
}

/// The verdict, and why.
fn judged(envelope: &[u8], trust: Trust, at: Timestamp) -> String {
    let attached =
        Attached { digest: "sha256:1".into(), form: Form::NotaryJws, bytes: envelope.to_vec(), annotations: [].into() };
    let signers = vec![Signer { name: "release".into(), credential: Credential::Notary(trust) }];
    let answer = judge(&image(), &[attached], &Demand { signers, threshold: 1, attestations: Vec::new() }, at);
    let code = answer.attached[0].refused.first().map(|refused| refused.code).unwrap_or_default();
    format!("{:?} {code}", answer.verdict)
}
