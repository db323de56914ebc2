//! ImagePolicies: who must have signed, how many, and what must be attested with which content.

use expect_test::expect;

use crate::session::{Folder, fixtures, session, shown, verdict};

fn folder(name: &str) -> Option<Folder> {
    let shared = fixtures()?;
    let folder = Folder::new(name);
    for it in ["alma92", "distroless", "alpine311", "cosign.pub", "other.pub"] {
        folder.copy(&shared.join("cosign").join(it), it);
    }
    folder.copy(&shared.join("notation/layout"), "notary");
    folder.copy(&shared.join("notation/ca.crt"), "ca.crt");
    folder.copy(&shared.join("tuf-targets/trusted_root.json"), "trusted_root.json");
    Some(folder)
}

/// A policy with this `spec`.
fn policy(folder: &Folder, spec: &str) {
    let indented: String = spec.lines().map(|line| format!("  {line}\n")).collect();
    folder.write(
        "policy.yaml",
        format!("apiVersion: palisade.dev/v1alpha1\nkind: ImagePolicy\nmetadata: {{name: shop}}\nspec:\n{indented}"),
    );
}

#[test]
fn a_threshold_counts_signers_and_one_policy_holds_for_every_format() {
    let Some(folder) = folder("threshold") else { return };
    let signers = "images: ['**']\n\
                   signers:\n\
                   - {name: release, key: {file: cosign.pub}}\n\
                   - {name: quality, key: {file: other.pub}}\n\
                   - {name: vendor, notary: {authorities: [ca.crt], subjects: ['C=ZZ, ST=Test, O=Fixture']}}\n";
    let mut text = String::new();
    for threshold in 1..=3 {
        policy(&folder, &format!("{signers}threshold: {threshold}\n"));
        for image in ["alma92", "distroless", "alpine311", "notary"] {
            text += &format!("{threshold} {image} ");
            text += &verdict(&folder, &["verify", image, "--policy", "policy.yaml"]);
        }
    }
    expect![[r#"
        1 alma92 verified 0: 
        1 distroless verified 0: 
        1 alpine311 refused 1: not signed: 1 attestation, and an attestation is no signature
        1 notary verified 0: 
        2 alma92 verified 0: 
        2 distroless refused 1: not signed: signed by release alone, and 2 must have signed
        2 alpine311 refused 1: not signed: 1 attestation, and an attestation is no signature
        2 notary refused 1: not signed: signed by vendor alone, and 2 must have signed
        3 alma92 refused 1: not signed: signed by release, quality alone, and 3 must have signed
        3 distroless refused 1: not signed: signed by release alone, and 3 must have signed
        3 alpine311 refused 1: not signed: 1 attestation, and an attestation is no signature
        3 notary refused 1: not signed: signed by vendor alone, and 3 must have signed
    "#]]
    .assert_eq(&text);
}

#[test]
fn who_is_known_by_two_names_counts_once() {
    let Some(folder) = folder("names") else { return };
    let mut text = String::new();
    for signers in [
        "{name: a, key: {file: cosign.pub}}, {name: b, key: {file: cosign.pub}}",
        "{name: a, key: {file: cosign.pub}}, {name: b, key: {file: other.pub}}, {name: c, key: {file: cosign.pub}}",
    ] {
        policy(&folder, &format!("images: ['**']\nsigners: [{signers}]\nthreshold: 2"));
        text += &verdict(&folder, &["verify", "alma92", "--policy", "policy.yaml"]);
    }
    // Two authorities' names for the same two people: either may be either.
    policy(
        &folder,
        "images: ['**']\nsigners:\n\
         - {name: any, notary: {authorities: [ca.crt]}}\n\
         - {name: one, notary: {authorities: [ca.crt], subjects: ['C=ZZ, ST=Test, O=Fixture, CN=signer-ec256']}}\n\
         threshold: 2",
    );
    text += &verdict(&folder, &["verify", "notary", "--policy", "policy.yaml"]);
    expect![[r#"
        refused 1: not signed: signed by a, b, who are not 2 different ones
        verified 0: 
        verified 0: 
    "#]]
    .assert_eq(&text);
}

#[test]
fn an_attestation_needs_its_signer_and_its_content() {
    let Some(folder) = folder("content") else { return };
    let mut text = String::new();
    for attestation in [
        "{predicateType: https://cyclonedx.org/bom}",
        "{predicateType: https://cyclonedx.org/bom, where: [{field: bomFormat, equals: CycloneDX}, {field: 'components[].name', exists: true}]}",
        "{predicateType: https://cyclonedx.org/bom, where: [{field: 'components[].type', oneOf: [library, operating-system]}]}",
        "{predicateType: https://cyclonedx.org/bom, where: [{field: specVersion, equals: '1.5'}]}",
        "{predicateType: https://cyclonedx.org/bom, signers: [quality]}",
        "{predicateType: https://slsa.dev/provenance/v1, where: [{field: builder.id, matches: 'https://github.com/**'}]}",
        "{predicateType: https://in-toto.io/attestation/vulns}",
    ] {
        policy(
            &folder,
            &format!(
                "images: ['**']\nsigners: [{{name: release, key: {{file: cosign.pub}}}}, {{name: quality, key: {{file: other.pub}}}}]\nattestations: [{attestation}]"
            ),
        );
        text += &verdict(&folder, &["verify", "distroless", "--policy", "policy.yaml"]);
    }
    expect![[r#"
        verified 0: 
        verified 0: 
        verified 0: 
        refused 1: no good attestation `https://cyclonedx.org/bom`: release: `specVersion` is "1.6", and must be "1.5"
        refused 1: no good attestation `https://cyclonedx.org/bom`: release: its word does not count for `https://cyclonedx.org/bom`
        refused 1: no good attestation `https://slsa.dev/provenance/v1`: release: `builder.id` is not there
        refused 1: no attestation `https://in-toto.io/attestation/vulns` of a trusted signer
    "#]].assert_eq(&text);
}

#[test]
fn a_policy_is_about_the_images_that_it_names() {
    let Some(folder) = folder("about") else { return };
    policy(&folder, "images: [registry.example/shop/*]\nsigners: [{name: release, key: {file: cosign.pub}}]");
    let mut text = String::new();
    for name in [
        "registry.example/shop/web",
        "registry.example/shop/web:1.2",
        "registry.example/shop/web@sha256:0000000000000000000000000000000000000000000000000000000000000000",
        "registry.example/shop/web/base:1",
        "registry.example.evil.test/shop/web:1",
    ] {
        let shown = shown(&folder, &["verify", "alma92", "--policy", "policy.yaml", "--name", name]);
        let line = shown.lines().find(|line| line.contains("VERIFIED") || line.contains("UNDECIDED"));
        text += &format!("{name}: {}\n", line.unwrap_or(&shown));
    }
    expect![[r#"
        registry.example/shop/web: VERIFIED      signed as it must be
        registry.example/shop/web:1.2: VERIFIED      signed as it must be
        registry.example/shop/web@sha256:0000000000000000000000000000000000000000000000000000000000000000: VERIFIED      signed as it must be
        registry.example/shop/web/base:1: UNDECIDED     no policy is about this image
        registry.example.evil.test/shop/web:1: UNDECIDED     no policy is about this image
    "#]].assert_eq(&text);
}

#[test]
fn a_policy_with_a_mistake_is_told_by_line_and_nothing_is_verified_with_it() {
    let Some(folder) = folder("mistakes") else { return };
    let cases = [
        "images: ['**']\nsigners: [{name: release, keys: {file: cosign.pub}}]",
        "images: ['**']\nsigners:\n- name: release\n  key: {file: cosign.pub}\n- name: release\n  key: {file: other.pub}",
        "images: ['**']\nsigners: [{name: ci, certificate: {identity: '**', trustedRoot: trusted_root.json}}]",
        "images: ['**']\nsigners: [{name: a, key: {file: cosign.pub}}]\nthreshold: 2",
        "images: ['**']\nsigners: [{name: a, key: {file: cosign.pub}}]\nthreshold: 0",
        "images: ['**']\nsigners: [{name: a, key: {file: cosign.pub, transparencyLog: Required}}]",
        "images: ['**']\nsigners: [{name: release, key: {file: cosign.pub}}]\nattestations:\n- predicateType: x\n  signers: [relase]\n  where:\n  - {field: a..b, equals: 1}\n  - {field: a, equals: 1, atMost: 2}\n  - {field: a, equals: {b: 1}}",
        "signers: []",
        "images: ['**']\nsigners: [{name: a, key: {file: missing.pub}}]",
        "images: ['**']\nsigners: [{name: v, notary: {authorities: [ca.crt], subjects: [CN=x]}}]",
    ];
    let mut text = String::new();
    for case in cases {
        policy(&folder, case);
        text += &shown(&folder, &["verify", "alma92", "--policy", "policy.yaml"]);
        text += "\n";
    }
    folder.write("policy.yaml", "apiVersion: v1\nkind: Pod\nmetadata: {name: x}\n");
    text += &shown(&folder, &["verify", "alma92", "--policy", "policy.yaml"]);
    expect![[r#"
        problem: policy.yaml:6: `spec.signers[0].keys`: unknown field
          hint: did you mean `key`?
        problem: policy.yaml:6: `spec.signers[0]`: a signer is known by one of `key`, `certificate` and `notary`
          hint: two ways are two signers
        error: `policy.yaml` cannot be used as it is
        exit code 2

        problem: policy.yaml:5: `spec`: two signers are called `release`
          hint: give each a name of its own: a threshold counts signers
        error: `policy.yaml` cannot be used as it is
        exit code 2

        problem: policy.yaml:6: `spec.signers[0].certificate`: `issuer` is missing
          hint: add `issuer: ...`
        error: `policy.yaml` cannot be used as it is
        exit code 2

        problem: policy.yaml:7: `spec.threshold`: is 2, and there are 1 signers
          hint: it counts signers, not signatures
        error: `policy.yaml` cannot be used as it is
        exit code 2

        problem: policy.yaml:7: `spec.threshold`: is 0, and no attestation is asked for: every image would be good
          hint: use 1 or more, or add `attestations`
        error: `policy.yaml` cannot be used as it is
        exit code 2

        problem: policy.yaml:6: `spec.signers[0]`: `trustedRoot` is missing: without it no transparency log is trusted
          hint: add `trustedRoot: trusted_root.json`
        error: `policy.yaml` cannot be used as it is
        exit code 2

        problem: policy.yaml:8: `spec.attestations[0]`: no signer is called `relase`
          hint: did you mean `release`?
        problem: policy.yaml:11: `spec.attestations[0].where[0]`: `a..b` is no way to a field: write names and dots, `[]` for each element, `["a.b"]` for a name with dots
        problem: policy.yaml:12: `spec.attestations[0].where[1]`: a condition has one test
          hint: use one of equals, notEquals, oneOf, matches, atMost, atLeast, exists; two conditions may name the same field
        problem: policy.yaml:13: `spec.attestations[0].where[2].equals`: is no text, number or boolean
          hint: go further down by `field`: `a.b`, `list[].name`
        error: `policy.yaml` cannot be used as it is
        exit code 2

        problem: policy.yaml:5: `spec`: `images` is missing
          hint: say which images it is about: `images: [registry.example/shop/**]`; `**` is every one
        problem: policy.yaml:5: `spec`: `signers` is missing, so nobody can vouch for an image
          hint: add `signers: [{name: release, key: {file: cosign.pub}}]`
        error: `policy.yaml` cannot be used as it is
        exit code 2

        error: policy.yaml:6: signer `a`
          caused by: cannot use `missing.pub`
          caused by: No such file or directory (os error 2)
        exit code 2

        error: policy.yaml:6: signer `v`
          caused by: `CN=x` is no subject that can be trusted: `C` is missing; C, ST and O must be there
        exit code 2

        problem: policy.yaml:1: the document is no ImagePolicy
          hint: write `apiVersion: palisade.dev/v1alpha1` and `kind: ImagePolicy`
        error: `policy.yaml` cannot be used as it is
        exit code 2
    "#]].assert_eq(&text);
}

#[test]
fn the_answer_for_programs_has_everything_in_it() {
    let Some(folder) = folder("json") else { return };
    policy(&folder, "images: ['**']\nsigners: [{name: release, key: {file: cosign.pub}}]");
    session(
        &folder,
        &["verify", "alma92", "--policy", "policy.yaml", "-o", "json"],
        expect![[r#"
        {
          "version": 1,
          "image": "alma92",
          "digest": "sha256:dc596b06768a135ba05e2c2513326535601e9dfbc37d115a0a65edaaa97c3da4",
          "index": null,
          "answers": [
            {
              "policy": "shop",
              "verdict": "verified",
              "reasons": [],
              "signatures": {
                "required": 1,
                "signedBy": [
                  "release"
                ]
              },
              "attestations": [],
              "attached": [
                {
                  "digest": "sha256:20deb4d1c82b54ec50cb0f03a7d5e283e7fdf47d5ce4b9c9af0998e5a5447548",
                  "form": "cosign signature",
                  "claim": {
                    "kind": "signature"
                  },
                  "signers": [
                    {
                      "signer": "release",
                      "subject": "key 499207074d1a9c02",
                      "image": "sha256:dc596b06768a135ba05e2c2513326535601e9dfbc37d115a0a65edaaa97c3da4",
                      "signedAt": null,
                      "checked": [
                        {
                          "what": "signature",
                          "detail": "made with the key"
                        }
                      ],
                      "notChecked": [
                        {
                          "what": "transparencyLog",
                          "detail": "it says it stands in none"
                        },
                        {
                          "what": "time",
                          "detail": "nothing tells when it was signed"
                        },
                        {
                          "what": "revocation",
                          "detail": "a key has no list of revocations"
                        }
                      ]
                    }
                  ],
                  "refused": []
                },
                {
                  "digest": "sha256:51cbb1907aee31ca610cc897f2bd4178044947a5f0dcf4f753e9ab1961e2de3f",
                  "form": "cosign signature",
                  "claim": null,
                  "signers": [],
                  "refused": [
                    {
                      "signer": "release",
                      "code": "bad-signature",
                      "reason": "does not hold: it is not of this key"
                    }
                  ]
                }
              ]
            }
          ],
          "problems": []
        }
    "#]],
    );
}
