//! Images that notation signed: JWS and COSE, by two keys of one authority; one signature expired after a day.

use expect_test::expect;

use crate::session::{Folder, fixtures, session, verdict};

fn folder(name: &str) -> Option<Folder> {
    let shared = fixtures()?.join("notation");
    let folder = Folder::new(name);
    folder.copy(&shared.join("layout"), "layout");
    folder.copy(&shared.join("trustpolicy.json"), "trustpolicy.json");
    folder.copy(&shared.join("ca.crt"), "store/x509/ca/fixture/ca.crt");
    Some(folder)
}

const VERIFY: [&str; 6] = ["verify", "layout", "--notation-policy", "trustpolicy.json", "--trust-store", "store"];

#[test]
fn envelopes_of_both_forms_are_judged_and_an_expired_one_counts_for_nobody() {
    let Some(folder) = folder("notary") else { return };
    session(
        &folder,
        &VERIFY,
        expect![[r#"
        image   layout
        digest  sha256:273eef3706412bab78a4b97759aa53f924eafb608414734d5db4a3bfde0a4cc2

        VERIFIED      signed as it must be
        signed by     p (1 needed)

        sha256:2b1c92b17a1e  notary jws
          is          a signature
          by          p, C=ZZ, CN=signer-ec256, O=Fixture, ST=Test
          checked     signature: made with the certificate's key
                      certificate: of an authority of the trust store
                      certificate time: the certificates hold now
          not checked time: nothing proves when it was signed, though it says
                      2026-11-22T04:43:34Z
                      expiry: it does not say until when it holds
                      revocation: no list is given for `C=ZZ, CN=signer-ec256,
                      O=Fixture, ST=Test`, and it names none

        sha256:356ad4b0c048  notary cose
          is          a signature
          by          p, C=ZZ, CN=signer-rsa3072, O=Fixture, ST=Test
          checked     signature: made with the certificate's key
                      metadata: buildId=42
                      certificate: of an authority of the trust store
                      certificate time: the certificates hold now
          not checked time: nothing proves when it was signed, though it says
                      2026-11-22T04:43:34Z
                      expiry: it does not say until when it holds
                      revocation: no list is given for `C=ZZ, CN=signer-rsa3072,
                      O=Fixture, ST=Test`, and it names none

        sha256:641c90069d04  notary cose
          is          counts for nobody
          refused     for p: expired at 2026-11-23T04:43:35Z
    "#]],
    );
}

#[test]
fn a_subject_or_an_authority_that_is_not_trusted_does_not_count() {
    let Some(folder) = folder("untrusted") else { return };
    let policy = std::fs::read_to_string(folder.0.join("trustpolicy.json")).expect("a policy");
    let with = |from: &str, to: &str| {
        folder.write("other.json", policy.replace(from, to));
        let [verify, layout, option, _, store, path] = VERIFY;
        verdict(&folder, &[verify, layout, option, "other.json", store, path])
    };
    let mut text = with("CN=signer-", "CN=somebody-");
    let shared = fixtures().expect("it was there");
    folder.copy(&shared.join("tuf-targets/fulcio.crt.pem"), "store/x509/ca/stranger/fulcio.pem");
    text += &with("ca:fixture", "ca:stranger");
    folder.copy(&shared.join("notation/ca.crt"), "store/x509/signingAuthority/fixture/ca.crt");
    text += &with("ca:fixture", "signingAuthority:fixture");
    // The certificate of one signer in the place of the authority's is trust in that one.
    folder.copy(&shared.join("notation/rsa3072.crt"), "store/x509/ca/one/rsa3072.crt");
    text += &with("ca:fixture", "ca:one");
    expect![[r#"
        refused 1: not signed: none of 3 counts; the nearest was signed by `C=ZZ, CN=signer-ec256, O=Fixture, ST=Test`, and `C=ZZ, CN=somebody-ec256, O=Fixture, ST=Test` or `C=ZZ, CN=somebody-rsa3072, O=Fixture, ST=Test` is asked for
        refused 1: not signed: none of 3 counts; the nearest has a certificate of no trusted authority: `C=ZZ, CN=fixture-root, O=Fixture, ST=Test` is in no trust store
        refused 1: not signed: none of 3 counts; the nearest has a certificate of no trusted authority: `C=ZZ, CN=fixture-root, O=Fixture, ST=Test` is in no trust store
        verified 0: 
    "#]].assert_eq(&text);
}

#[test]
fn a_trust_policy_that_lets_anything_pass_or_is_misspelt_is_not_taken() {
    let Some(folder) = folder("policies") else { return };
    let policy = std::fs::read_to_string(folder.0.join("trustpolicy.json")).expect("a policy");
    let mut text = String::new();
    for (from, to) in [
        ("strict", "skip"),
        ("strict", "audit"),
        ("\"level\"", "\"levle\""),
        ("\"1.0\"", "\"2.0\""),
        ("ca:fixture", "ca:../fixture"),
        ("ca:fixture", "ca:missing"),
        ("x509.subject: C=ZZ, ST=Test, O=Fixture, CN=signer-ec256", "x509.subject: CN=signer-ec256"),
    ] {
        folder.write("other.json", policy.replace(from, to));
        let [verify, layout, option, _, store, path] = VERIFY;
        text += &crate::session::shown(&folder, &[verify, layout, option, "other.json", store, path]);
    }
    expect![[r#"
        error: cannot use `other.json`
          caused by: statement `p`: level `skip` lets anything pass: use `strict` or `permissive`
        exit code 2
        error: cannot use `other.json`
          caused by: statement `p`: level `audit` lets anything pass: use `strict` or `permissive`
        exit code 2
        error: cannot use `other.json`
          caused by: no trust policy: unknown field `levle`, expected one of `level`, `override`, `verifyTimestamp` at line 1 column 129
          caused by: unknown field `levle`, expected one of `level`, `override`, `verifyTimestamp` at line 1 column 129
        exit code 2
        error: cannot use `other.json`
          caused by: a trust policy of version `2.0`; `1.0` is read
        exit code 2
        error: cannot use `other.json`
          caused by: statement `p`: `ca:../fixture` is no trust store: ca:NAME, signingAuthority:NAME or tsa:NAME
        exit code 2
        error: cannot use `store/x509/ca/missing`
          caused by: No such file or directory (os error 2)
        exit code 2
        error: cannot use `other.json`
          caused by: statement `p`: `CN=signer-ec256` is no subject that can be trusted: `C` is missing; C, ST and O must be there
        exit code 2
    "#]].assert_eq(&text);
}
