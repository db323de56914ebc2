//! Images that cosign signed with a key: its older form, and bundles under the fallback tag.

use expect_test::expect;

use crate::session::{Folder, fixtures, session, verdict};

fn folder(name: &str) -> Option<Folder> {
    let shared = fixtures()?;
    let folder = Folder::new(name);
    for it in ["alma92", "distroless", "alpine311", "cosign.pub", "other.pub"] {
        folder.copy(&shared.join("cosign").join(it), it);
    }
    Some(folder)
}

#[test]
fn a_signature_of_the_older_form_is_judged_and_what_was_not_checked_is_said() {
    let Some(folder) = folder("older") else { return };
    session(
        &folder,
        &["verify", "alma92", "--key", "cosign.pub"],
        expect![[r#"
        image   alma92
        digest  sha256:dc596b06768a135ba05e2c2513326535601e9dfbc37d115a0a65edaaa97c3da4

        VERIFIED      signed as it must be
        signed by     cosign.pub (1 needed)

        sha256:20deb4d1c82b  cosign signature
          is          a signature
          by          cosign.pub, key 499207074d1a9c02
          checked     signature: made with the key
          not checked transparency log: it says it stands in none
                      time: nothing tells when it was signed
                      revocation: a key has no list of revocations

        sha256:51cbb1907aee  cosign signature
          is          counts for nobody
          refused     for cosign.pub: does not hold: it is not of this key
    "#]],
    );
}

#[test]
fn bundles_and_attestations_of_both_forms_are_judged() {
    let Some(folder) = folder("bundles") else { return };
    let kinds = ["--attestation", "https://cyclonedx.org/bom", "--attestation", "https://slsa.dev/provenance/v1"];
    session(
        &folder,
        &[&["verify", "distroless", "--key", "cosign.pub"][..], &kinds].concat(),
        expect![[r#"
        image   distroless
        digest  sha256:b960764ef243282bf2f757f3db2f14a02360734a54acec24a2165015072d427a

        VERIFIED      everything that must be said of it is said
        attested      https://cyclonedx.org/bom by cosign.pub
        attested      https://slsa.dev/provenance/v1 by cosign.pub

        sha256:d49e1a868af0  sigstore bundle
          is          a signature
          by          cosign.pub, key 499207074d1a9c02
          checked     signature: made with the key
          not checked transparency log: it says it stands in none
                      time: nothing tells when it was signed
                      revocation: a key has no list of revocations

        sha256:6cf1c70a84c9  sigstore bundle
          is          an attestation, https://slsa.dev/provenance/v1
          by          cosign.pub, key 499207074d1a9c02
          checked     signature: made with the key
          not checked transparency log: it says it stands in none
                      time: nothing tells when it was signed
                      revocation: a key has no list of revocations

        sha256:30f406dc7086  cosign attestation
          is          an attestation, https://cyclonedx.org/bom
          by          cosign.pub, key 499207074d1a9c02
          checked     signature: made with the key
          not checked transparency log: it says it stands in none
                      time: nothing tells when it was signed
                      revocation: a key has no list of revocations
    "#]],
    );
}

#[test]
fn an_image_that_carries_only_an_attestation_is_not_signed() {
    let Some(folder) = folder("attested") else { return };
    session(
        &folder,
        &["verify", "alpine311", "--key", "cosign.pub"],
        expect![[r#"
        image   alpine311
        digest  sha256:ae0d636defd9df75eae52d56a80f8d1faf7d83e00869acb067b499903876d861

        REFUSED       not signed: 1 attestation, and an attestation is no signature
        signed by     nobody who is trusted (1 needed)

        sha256:78032178e3f6  sigstore bundle
          is          an attestation, https://cosign.sigstore.dev/attestation/vuln/v1
          by          cosign.pub, key 499207074d1a9c02
          checked     signature: made with the key
          not checked transparency log: it says it stands in none
                      time: nothing tells when it was signed
                      revocation: a key has no list of revocations
        exit code 1
    "#]],
    );
}

#[test]
fn another_key_counts_for_nothing() {
    let Some(folder) = folder("other") else { return };
    let lines = ["alma92", "distroless", "alpine311"]
        .map(|image| format!("{image} {}", verdict(&folder, &["verify", image, "--key", "other.pub"])));
    expect![[r#"
        alma92 verified 0: 
        distroless refused 1: not signed: none of 3 counts; the nearest does not hold: it is not of this key
        alpine311 refused 1: not signed: what lies there does not hold: it is not of this key
    "#]]
    .assert_eq(&lines.concat());
}

#[test]
fn without_anybody_to_trust_and_without_a_layout_nothing_is_judged() {
    let Some(folder) = folder("usage") else { return };
    session(
        &folder,
        &["verify", "alma92"],
        expect![[r#"
        error: nothing says whose signature the image needs

        hint: name a policy: --policy FILE
        hint: or a key: --key cosign.pub
        hint: or a login: --certificate-identity, --certificate-oidc-issuer and --trusted-root
        hint: or a trust policy of notation: --notation-policy and --trust-store
        exit code 2
    "#]],
    );
    session(
        &folder,
        &["verify", "alma92", "--key", "alma92/index.json"],
        expect![[r#"
        error: cannot use `alma92/index.json`
          caused by: no public key: Invalid encoding: failed to parse PEM: malformedframing
        exit code 2
    "#]],
    );
    session(
        &folder,
        &["verify", "alma92:v9", "--key", "cosign.pub"],
        expect![[r#"
        error: no image `v9`; there is v1

        hint: name one behind a colon: `PATH:TAG`, or `PATH@DIGEST`
        exit code 2
    "#]],
    );
    session(
        &folder,
        &["verify", "cosign.pub", "--key", "cosign.pub"],
        expect![[r#"
        error: `cosign.pub` is no image: no OCI layout, no archive of `docker save`, no folder
        exit code 2
    "#]],
    );
}
