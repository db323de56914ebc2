//! Against notation and openssl themselves: what they sign and revoke is judged here.

use expect_test::expect;
use serde_json::json;

use crate::authority::Authority;
use crate::layout::Layout;
use crate::session::{Folder, verdict};
use crate::tools::{Tools, tools};

/// Tells notation of a key.
pub fn configure(folder: &Folder, name: &str) {
    let path = |end: &str| folder.0.join(format!("{name}.{end}")).display().to_string();
    let keys = json!({"default": name, "keys": [{"name": name, "keyPath": path("key"), "certPath": path("pem")}]});
    folder.write("config/notation/signingkeys.json", keys.to_string());
}

fn notation_sign(tools: &Tools, folder: &Folder, digest: &str, more: &[&str]) {
    let reference = format!("layout@{digest}");
    tools.run("notation", folder, &[&["sign", "--oci-layout"][..], more, &[&reference]].concat());
}

/// A policy of notation for the authority, and its store.
pub fn trust(folder: &Folder, level: &str) {
    folder.copy(&folder.0.join("ca/ca.crt"), "config/notation/truststore/x509/ca/test/ca.crt");
    let policy = json!({"version": "1.0", "trustPolicies": [{
        "name": "test", "registryScopes": ["*"], "signatureVerification": {"level": level},
        "trustStores": ["ca:test"], "trustedIdentities": ["*"],
    }]});
    folder.write("config/notation/trustpolicy.json", policy.to_string());
}

pub const VERIFY: [&str; 6] = [
    "verify",
    "layout",
    "--notation-policy",
    "config/notation/trustpolicy.json",
    "--trust-store",
    "config/notation/truststore",
];

#[test]
fn a_revoked_signer_does_not_count_and_one_that_may_be_is_undecided() {
    let Some(tools) = tools() else { return };
    let folder = Folder::new("revoked");
    let authority = Authority::new(tools, &folder);
    authority.signer("release", "ec:P-256", "signer");
    trust(&folder, "strict");
    configure(&folder, "release");
    let mut layout = Layout::new(&folder);
    let digest = layout.entry(layout.image("an image"), "v1");
    notation_sign(tools, &folder, &digest, &[]);
    let verify = |more: &[&str]| verdict(&folder, &[&VERIFY[..], more].concat());
    let mut text = verify(&[]);
    authority.list("fresh.crl", "");
    text += &verify(&["--revocation-list", "fresh.crl"]);
    authority.list("stale.crl", "-crl_lastupdate 20260101000000Z -crl_nextupdate 20260201000000Z");
    text += &verify(&["--revocation-list", "stale.crl"]);
    trust(&folder, "permissive");
    text += &verify(&["--revocation-list", "stale.crl"]);
    authority.revoke("release");
    authority.list("revoked.crl", "");
    let revoked = verify(&["--revocation-list", "revoked.crl"]);
    let (reason, _) = revoked.split_once(", at ").expect("it says when");
    text += &format!("{reason}\n");
    // A list that somebody else signs says nothing.
    let stranger = Folder::new("stranger");
    let other = Authority::new(tools, &stranger);
    other.list("empty.crl", "");
    folder.copy(&stranger.0.join("empty.crl"), "foreign.crl");
    trust(&folder, "strict");
    text += &verify(&["--revocation-list", "foreign.crl"]);
    expect![[r#"
        undecided 3: not signed: what lies there has a certificate that may be revoked: `C=ZZ, CN=release, O=Palisade, ST=Test`, no list is given; it says that one is at http://crl.example/ca.crl
        verified 0: 
        undecided 3: not signed: what lies there has a certificate that may be revoked: `C=ZZ, CN=release, O=Palisade, ST=Test`, the list should have been renewed at 2026-02-01T00:00:00Z
        verified 0: 
        refused 1: not signed: what lies there has a revoked certificate: `C=ZZ, CN=release, O=Palisade, ST=Test`
        undecided 3: not signed: what lies there has a certificate that may be revoked: `C=ZZ, CN=release, O=Palisade, ST=Test`, its signature is not of `C=ZZ, CN=root, O=Palisade, ST=Test`
    "#]].assert_eq(&text);
}

#[test]
fn what_notation_signs_counts_in_both_forms_and_with_every_kind_of_key() {
    let Some(tools) = tools() else { return };
    let folder = Folder::new("kinds");
    let authority = Authority::new(tools, &folder);
    authority.list("ca.crl", "");
    trust(&folder, "strict");
    let mut text = String::new();
    for kind in ["ec:P-256", "ec:P-384", "ec:P-521", "rsa:2048", "rsa:3072", "rsa:4096"] {
        let name = kind.replace(':', "-");
        authority.signer(&name, kind, "signer");
        configure(&folder, &name);
        for form in ["jws", "cose"] {
            let mut layout = Layout::new(&folder);
            let digest = layout.entry(layout.image(&format!("{name} {form}")), "v1");
            notation_sign(tools, &folder, &digest, &["--signature-format", form]);
            text += &format!("{kind} {form} ");
            text += &verdict(&folder, &[&VERIFY[..], &["--revocation-list", "ca.crl"]].concat());
        }
    }
    expect![[r#"
        ec:P-256 jws verified 0: 
        ec:P-256 cose verified 0: 
        ec:P-384 jws verified 0: 
        ec:P-384 cose verified 0: 
        ec:P-521 jws verified 0: 
        ec:P-521 cose verified 0: 
        rsa:2048 jws verified 0: 
        rsa:2048 cose verified 0: 
        rsa:3072 jws verified 0: 
        rsa:3072 cose verified 0: 
        rsa:4096 jws verified 0: 
        rsa:4096 cose verified 0: 
    "#]]
    .assert_eq(&text);
}
