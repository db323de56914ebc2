//! What must not count, each with its own message.

use std::fs;

use expect_test::expect;
use serde_json::json;

use crate::layout::{INDEX, Layout, edit};
use crate::session::{Folder, fixtures, shown, verdict};
use crate::signing::key;

const BUNDLE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";
const IDENTITY: &str = "https://github.com/sigstore-conformance/extremely-dangerous-public-oidc-beacon/.github/workflows/extremely-dangerous-oidc-beacon.yml@refs/heads/main";
const ISSUER: &str = "https://token.actions.githubusercontent.com";

/// A layout whose image has the digest that the published bundles are for, with one of them beside it.
fn published(name: &str, case: &str) -> Option<Folder> {
    let shared = fixtures()?;
    let cases = shared.join("conformance/bundle-verify");
    let folder = Folder::new(name);
    let root = cases.join(case).join("trusted_root.json");
    let root = if root.exists() { root } else { shared.join("tuf-targets/trusted_root.json") };
    folder.copy(&root, "trusted_root.json");
    let mut layout = Layout::new(&folder);
    let signed = fs::read(cases.join(case).join("artifact")).or_else(|_| fs::read(cases.join("a.txt")));
    let image = layout.blob(crate::layout::MANIFEST, signed.expect("what was signed"));
    layout.entry(image.clone(), "v1");
    layout.referrer(&image, BUNDLE, fs::read(cases.join(case).join("bundle.sigstore.json")).expect("a bundle"));
    Some(folder)
}

fn keyless(folder: &Folder, identity: &str, issuer: &str) -> String {
    let root = ["--trusted-root", "trusted_root.json"];
    let login = ["--certificate-identity", identity, "--certificate-oidc-issuer", issuer];
    verdict(folder, &[&["verify", "layout"][..], &root, &login].concat())
}

#[test]
fn a_login_is_an_identity_and_an_issuer_and_both_must_be_as_asked() {
    let mut text = String::new();
    for case in ["happy-path-v0.3", "rekor2-happy-path"] {
        let Some(folder) = published("login", case) else { return };
        for (identity, issuer) in [
            (IDENTITY, ISSUER),
            ("https://github.com/sigstore-conformance/*/.github/workflows/*@refs/heads/main", ISSUER),
            ("https://github.com/sigstore-conformance/*", ISSUER),
            ("me@example.com", ISSUER),
            (IDENTITY, "https://accounts.example.com"),
            ("**", "https://token.actions"),
        ] {
            text.push_str(&keyless(&folder, identity, issuer));
        }
    }
    expect![[r#"
        verified 0: 
        verified 0: 
        refused 1: not signed: what lies there was signed by `https://github.com/sigstore-conformance/extremely-dangerous-public-oidc-beacon/.github/workflows/extremely-dangerous-oidc-beacon.yml@refs/heads/main`, and `https://github.com/sigstore-conformance/*` is asked for
        refused 1: not signed: what lies there was signed by `https://github.com/sigstore-conformance/extremely-dangerous-public-oidc-beacon/.github/workflows/extremely-dangerous-oidc-beacon.yml@refs/heads/main`, and `me@example.com` is asked for
        refused 1: not signed: what lies there has a signer that `https://token.actions.githubusercontent.com` vouched for, and `https://accounts.example.com` is asked for
        refused 1: not signed: what lies there has a signer that `https://token.actions.githubusercontent.com` vouched for, and `https://token.actions` is asked for
        verified 0: 
        verified 0: 
        refused 1: not signed: what lies there was signed by `https://github.com/sigstore-conformance/extremely-dangerous-public-oidc-beacon/.github/workflows/extremely-dangerous-oidc-beacon.yml@refs/heads/main`, and `https://github.com/sigstore-conformance/*` is asked for
        refused 1: not signed: what lies there was signed by `https://github.com/sigstore-conformance/extremely-dangerous-public-oidc-beacon/.github/workflows/extremely-dangerous-oidc-beacon.yml@refs/heads/main`, and `me@example.com` is asked for
        refused 1: not signed: what lies there has a signer that `https://token.actions.githubusercontent.com` vouched for, and `https://accounts.example.com` is asked for
        refused 1: not signed: what lies there has a signer that `https://token.actions.githubusercontent.com` vouched for, and `https://token.actions` is asked for
    "#]].assert_eq(&text);
}

#[test]
fn a_stripped_timestamp_and_a_stripped_log_are_missed() {
    for (case, expected) in [
        (
            "rekor2-no-timestamp_fail",
            expect![[r#"
            refused 1: not signed: what lies there has no proof of when it was signed: V2 bundle requires RFC3161 timestamp but none could be verified. V2 tlog entries have no integrated time by design. Ensure TSA certificates are present in the trusted root.
        "#]],
        ),
        (
            "rekor2-no-inclusion-proof_fail",
            expect![[r#"
            refused 1: not signed: what lies there is not vouched for by a transparency log: Bundle error: application/vnd.dev.sigstore.bundle.v0.3+json bundle must have an inclusion proof
        "#]],
        ),
        (
            "rekor2-timestamp-payload-mismatch_fail",
            expect![[r#"
            refused 1: not signed: what lies there has a timestamp that does not hold: invalid RFC 3161 timestamp: TSA timestamp verification failed: Timestamp message hash mismatch: expected 0a4976ff286d81ce460bf3b64a3e573e4f1ed7675384504dc0f54bfc21416420, got afefa772b9aeffcef9921d8cb716e6625dcbe58e50adaa5d5adc88370fca410b
        "#]],
        ),
        (
            "intoto-tsa-timestamp-outside-cert-validity_fail",
            expect![[r#"
            refused 1: not signed: what lies there has a certificate that did not hold: the signer's held until 2023-02-01T00:10:00Z, and was used at 2023-02-02T00:00:00Z
        "#]],
        ),
    ] {
        let Some(folder) = published("stripped", case) else { return };
        expected.assert_eq(&keyless(&folder, IDENTITY, ISSUER));
    }
}

#[test]
fn a_signature_for_another_digest_is_for_another_image() {
    let Some(shared) = fixtures() else { return };
    let folder = Folder::new("digest");
    folder.copy(&shared.join("cosign/alma92"), "alma92");
    folder.copy(&shared.join("cosign/distroless"), "distroless");
    folder.copy(&shared.join("cosign/cosign.pub"), "cosign.pub");
    // Somebody moves the signature of one image to the tag of another.
    let mut layout = Layout::new(&folder);
    let image = layout.image("another image");
    let digest = layout.entry(image, "v1");
    let tag = digest.replace(':', "-");
    folder.copy(&folder.0.join("alma92/blobs"), "layout/blobs");
    folder.copy(&folder.0.join("distroless/blobs"), "layout/blobs");
    let moved = |digest: &str, tag: String, media_type: &str| {
        json!({"mediaType": media_type, "digest": digest, "size": 0,
               "annotations": {"org.opencontainers.image.ref.name": tag}})
    };
    let older = "sha256:c76b31f966869734b7a117194c2caf8c08fac64a99685245cabf573e9f439f40";
    let bundles = "sha256:6b728d271770cb62e75875b5a40f4f1324b8f9c1899e8170742e7418147f3cde";
    edit(&folder, "layout", |index| {
        let entries = index["manifests"].as_array_mut().expect("a list");
        entries.push(moved(older, format!("{tag}.sig"), crate::layout::MANIFEST));
    });
    let verify = ["verify", "layout", "--key", "cosign.pub"];
    expect![[r#"
        refused 1: not signed: none of 2 counts; the nearest is for another image: sha256:dc596b06768a135ba05e2c2513326535601e9dfbc37d115a0a65edaaa97c3da4
    "#]].assert_eq(&verdict(&folder, &verify));
    edit(&folder, "layout", |index| {
        let entries = index["manifests"].as_array_mut().expect("a list");
        entries.pop();
        entries.push(moved(bundles, tag.clone(), INDEX));
    });
    expect![[r#"
        refused 1: not signed: none of 2 counts; the nearest is for another image: sha256:b960764ef243282bf2f757f3db2f14a02360734a54acec24a2165015072d427a
    "#]].assert_eq(&verdict(&folder, &verify));
}

#[test]
fn a_signature_that_cannot_be_read_is_no_reason_to_say_that_there_is_none() {
    let Some(shared) = fixtures() else { return };
    let folder = Folder::new("unreadable");
    folder.copy(&shared.join("cosign/alma92"), "alma92");
    folder.copy(&shared.join("cosign/cosign.pub"), "cosign.pub");
    let payload = "alma92/blobs/sha256/20deb4d1c82b54ec50cb0f03a7d5e283e7fdf47d5ce4b9c9af0998e5a5447548";
    let verify = ["verify", "alma92", "--key", "cosign.pub"];
    fs::remove_file(folder.0.join(payload)).expect("removed");
    expect![[r#"
        undecided 3: not signed: what lies there does not hold: it is not of this key
        problem: cosign signature: cannot read sha256:20deb4d1c82b54ec50cb0f03a7d5e283e7fdf47d5ce4b9c9af0998e5a5447548: No such file or directory (os error 2)
    "#]].assert_eq(&verdict(&folder, &verify));
    folder.write(payload, "something else");
    expect![[r#"
        undecided 3: not signed: what lies there does not hold: it is not of this key
        problem: cosign signature: sha256:20deb4d1c82b54ec50cb0f03a7d5e283e7fdf47d5ce4b9c9af0998e5a5447548 has the digest sha256:f41f3fa625ff120ddca7ef456bf66371ecea23c129f4e4c32367101edb516cf8
    "#]].assert_eq(&verdict(&folder, &verify));
}

#[test]
fn what_a_stranger_says_begins_no_line_of_the_answer() {
    let folder = Folder::new("stranger");
    key(&folder, &[]);
    let mut layout = Layout::new(&folder);
    let image = layout.image("an image");
    layout.entry(image.clone(), "v1");
    let claimed = "sha256:1\n\u{1b}[2K\u{1b}[1AVERIFIED      signed as it must be".to_owned() + &"x".repeat(1 << 20);
    let payload = json!({"critical": {
        "identity": {"docker-reference": ""}, "image": {"docker-manifest-digest": claimed},
        "type": "cosign container image signature",
    }});
    layout.referrer(&image, "application/vnd.dev.cosign.simplesigning.v1+json", payload.to_string());
    let shown = shown(&folder, &["verify", "layout:v1", "--key", "release.pub"]);
    assert!(shown.lines().all(|line| !line.starts_with("VERIFIED")), "{shown}");
    assert!(!shown.contains('\u{1b}') && shown.contains(r"sha256:1\n\u{1b}[2K"), "{shown}");
    assert!(shown.ends_with("exit code 1\n") && shown.len() < 4_000, "{shown}");
}
