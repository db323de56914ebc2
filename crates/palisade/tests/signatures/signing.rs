//! What is signed here counts for cosign and notation, and what they sign counts here; keys as both keep them.

use expect_test::expect;
use palisade_registry::{Reference, Registry, RegistryOptions};
use serde_json::json;

use crate::authority::Authority;
use crate::layout::{INDEX, Layout, MANIFEST};
use crate::peers::{VERIFY, configure, trust};
use crate::session::{Folder, run, session, shown, verdict};
use crate::tools::tools;
use palisade_peers::registry::Server;

/// Pushes an image with a text of its own.
pub fn push(server: &Server, name: &str, text: &str) -> String {
    let reference: Reference = format!("{}/{name}", server.address).parse().expect("a name");
    let registry = Registry::new(RegistryOptions::default());
    let blob = |media_type: &str, bytes: &[u8]| {
        registry.push_blob(&reference.repository, media_type, bytes).expect("it takes a blob")
    };
    let config = blob("application/vnd.oci.image.config.v1+json", br#"{"os":"linux","architecture":"amd64"}"#);
    let layer = blob("application/vnd.oci.image.layer.v1.tar", text.as_bytes());
    let manifest = json!({"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": [layer]});
    let bytes = manifest.to_string();
    let pushed = registry.push_manifest(&reference.repository, Some("v1"), MANIFEST, bytes.as_bytes());
    format!("{}/{name}@{}", server.address, pushed.expect("it takes a manifest").descriptor.digest)
}

/// Registries that keep lists of what refers to an image, and that do not.
const REGISTRIES: [&str; 3] = ["referrers", "simple", "distribution"];

/// A key of the test, by this program.
pub fn key(folder: &Folder, more: &[&str]) {
    folder.write("password.txt", "secret\n");
    let (_, errors, code) = run(folder, &[&["key", "release", "--password-file", "password.txt"][..], more].concat());
    assert_eq!((errors.as_str(), code), ("", 0));
}

pub const KEY: [&str; 4] = ["--key", "release.key", "--password-file", "password.txt"];

#[track_caller]
pub fn palisade(folder: &Folder, arguments: &[&str]) {
    let (output, errors, code) = run(folder, arguments);
    assert_eq!((errors.as_str(), code), ("", 0), "{arguments:?}: {output}");
}

const OFFLINE: [&str; 2] = ["--use-signing-config=false", "--tlog-upload=false"];

#[test]
fn what_is_signed_here_counts_for_cosign() {
    let Some(tools) = tools() else { return };
    for (kind, registry) in ["ecdsa-p256", "ed25519", "ecdsa-p256"].into_iter().zip(REGISTRIES) {
        let folder = Folder::new(&format!("for-cosign-{registry}"));
        let Some(server) = Server::start(registry, &[]) else { return };
        key(&folder, &["--kind", kind]);
        folder.write("bom.json", r#"{"bomFormat":"CycloneDX","specVersion":"1.6"}"#);
        for format in ["bundle", "legacy"] {
            let image = push(&server, &format!("test/{format}"), format);
            let is_new = format!("--new-bundle-format={}", format == "bundle");
            let verify = |what: &[&str]| {
                let trust = ["--key", "release.pub", "--insecure-ignore-tlog=true", &is_new, &image];
                tools.try_run("cosign", &folder, &[what, &trust].concat())
            };
            let (text, is_good) = verify(&["verify"]);
            assert!(!is_good, "nobody has signed yet: {text}");
            palisade(&folder, &[&["sign", &image, "--format", format][..], &KEY].concat());
            let (text, is_good) = verify(&["verify"]);
            assert!(is_good && text.contains(&image[image.len() - 64..]), "{kind} {format}: {text}");
            let attest = ["attest", &image, "--format", format, "--predicate", "bom.json"];
            palisade(&folder, &[&attest[..], &KEY].concat());
            let (text, is_good) = verify(&["verify-attestation", "--type", "cyclonedx"]);
            assert!(is_good, "{kind} {format}: {text}");
            // And its own judge thinks the same.
            let own = ["verify", &image, "--key", "release.pub"];
            assert_eq!(verdict(&folder, &own), "verified 0: \n");
            let attested = [&own[..], &["--attestation", "https://cyclonedx.org/bom"]].concat();
            assert_eq!(verdict(&folder, &attested), "verified 0: \n");
        }
    }
}

#[test]
fn what_cosign_signs_counts_here_with_keys_of_either() {
    let Some(tools) = tools() else { return };
    let folder = Folder::new("by-cosign");
    let Some(server) = Server::start("referrers", &[]) else { return };
    key(&folder, &[]);
    tools.run("cosign", &folder, &["generate-key-pair"]);
    folder.write("bom.json", r#"{"bomFormat":"CycloneDX","specVersion":"1.6"}"#);
    for (name, format) in [("release", "true"), ("release", "false"), ("cosign", "true"), ("cosign", "false")] {
        let image = push(&server, &format!("test/{name}-{format}"), name);
        let (private, public) = (format!("{name}.key"), format!("{name}.pub"));
        let form = format!("--new-bundle-format={format}");
        let verify = ["verify", &image, "--key", &public];
        assert!(verdict(&folder, &verify).starts_with("refused 1"), "nobody has signed yet");
        tools.run("cosign", &folder, &[&["sign", "--key", &private, &form, &image][..], &OFFLINE].concat());
        assert_eq!(verdict(&folder, &verify), "verified 0: \n", "{name} {format}");
        let attest = ["attest", "--key", &private, &form, "--type", "cyclonedx", "--predicate", "bom.json", &image];
        tools.run("cosign", &folder, &[&attest[..], &OFFLINE].concat());
        let attested = [&verify[..], &["--attestation", "https://cyclonedx.org/bom"]].concat();
        assert_eq!(verdict(&folder, &attested), "verified 0: \n", "{name} {format}");
        // cosign's key signs here as well.
        let more = push(&server, &format!("test/more-{name}-{format}"), "more");
        let sign = ["sign", &more, "--key", &private, "--password-file", "password.txt"];
        palisade(&folder, &sign);
        assert_eq!(verdict(&folder, &["verify", &more, "--key", &public]), "verified 0: \n");
    }
}

#[test]
fn what_is_signed_here_counts_for_notation() {
    let Some(tools) = tools() else { return };
    let folder = Folder::new("for-notation");
    let authority = Authority::new(tools, &folder);
    for kind in ["ec:P-256", "ec:P-384", "rsa:2048", "rsa:3072", "rsa:4096"] {
        let name = kind.replace(':', "-");
        authority.signer(&name, kind, "plain");
        // The key at rest, as openssl encrypts it.
        tools.run(
            "openssl",
            &folder,
            &["pkcs8", "-topk8", "-in", &format!("{name}.key"), "-out", "sealed.key", "-passout", "pass:secret"],
        );
        folder.write("password.txt", "secret\n");
        let mut layout = Layout::new(&folder);
        let digest = layout.entry(layout.image(kind), "v1");
        trust(&folder, "strict");
        let chain = format!("{name}.pem");
        let sign = ["sign", "layout", "--format", "notary", "--key", "sealed.key", "--password-file", "password.txt"];
        let more = ["--certificates", &chain, "--expires-in", "30", "--annotation", "build=42"];
        palisade(&folder, &[&sign[..], &more].concat());
        let reference = format!("layout@{digest}");
        let notation = ["verify", "--oci-layout", "--scope", "test/app", &reference];
        let (text, is_good) = tools.try_run("notation", &folder, &notation);
        assert!(is_good, "{kind}: {text}");
        assert_eq!(verdict(&folder, &VERIFY), "verified 0: \n", "{kind}");
    }
}

#[test]
fn notation_and_this_program_sign_for_each_other_in_registries() {
    let Some(tools) = tools() else { return };
    let folder = Folder::new("notation-registry");
    let authority = Authority::new(tools, &folder);
    authority.signer("release", "ec:P-256", "plain");
    trust(&folder, "strict");
    configure(&folder, "release");
    for registry in REGISTRIES {
        let Some(server) = Server::start(registry, &[]) else { return };
        let (here, there) = (push(&server, "test/here", "signed here"), push(&server, "test/there", "signed there"));
        let key = ["--key", "release.key", "--certificates", "release.pem"];
        let (_, errors, code) = run(&folder, &[&["sign", &here, "--format", "notary"][..], &key].concat());
        assert_eq!(code, 0, "{errors}");
        tools.run("notation", &folder, &["verify", "--insecure-registry", &here]);
        let (text, is_good) = tools.try_run("notation", &folder, &["verify", "--insecure-registry", &there]);
        assert!(!is_good, "nobody has signed yet: {text}");
        tools.run("notation", &folder, &["sign", "--insecure-registry", &there]);
        let [verify, _, policy @ ..] = VERIFY;
        for image in [&here, &there] {
            assert_eq!(verdict(&folder, &[&[verify, image][..], &policy].concat()), "verified 0: \n", "{registry}");
        }
    }
}

#[test]
fn a_signer_is_refused_whose_certificates_no_verifier_would_take() {
    let Some(tools) = tools() else { return };
    let folder = Folder::new("certificates");
    let authority = Authority::new(tools, &folder);
    authority.signer("release", "ec:P-256", "signer");
    authority.signer("other", "ec:P-256", "signer");
    authority.signer("stamper", "ec:P-256", "stamper");
    let mut layout = Layout::new(&folder);
    layout.entry(layout.image("an image"), "v1");
    let mut text = String::new();
    for (key, chain) in [("release", "other.pem"), ("release", "release.crt"), ("stamper", "stamper.pem")] {
        let key = format!("{key}.key");
        let sign = ["sign", "layout", "--format", "notary", "--key", &key, "--certificates", chain];
        text += &shown(&folder, &sign);
    }
    expect![[r#"
        warning: `release.key` is not encrypted: whoever has the file has the key
        error: no verifier would take a signature with these certificates: it has a certificate of no trusted authority: the first one is of another key
        exit code 2
        warning: `release.key` is not encrypted: whoever has the file has the key
        error: no verifier would take a signature with these certificates: it has a certificate of no trusted authority: the chain ends with `C=ZZ, CN=release, O=Palisade, ST=Test`
        exit code 2
        warning: `stamper.key` is not encrypted: whoever has the file has the key
        error: no verifier would take a signature with these certificates: it has a certificate of no trusted authority: `C=ZZ, CN=stamper, O=Palisade, ST=Test` is for something else than signing code
        exit code 2
    "#]].assert_eq(&text);
}

#[test]
fn keys_are_closed_by_their_password_and_not_written_over() {
    let folder = Folder::new("keys");
    let mut layout = Layout::new(&folder);
    layout.entry(layout.image("an image"), "v1");
    session(
        &folder,
        &["key", "release"],
        expect![[r#"
        error: the key needs a password

        hint: put it in the environment: PALISADE_KEY_PASSWORD
        hint: or in a file: --password-file FILE
        exit code 2
    "#]],
    );
    key(&folder, &["--form", "pkcs8"]);
    let mode = std::os::unix::fs::PermissionsExt::mode(
        &std::fs::metadata(folder.0.join("release.key")).expect("a key").permissions(),
    );
    assert_eq!(mode & 0o777, 0o600);
    session(
        &folder,
        &["key", "release", "--password-file", "password.txt"],
        expect![[r#"
        error: `release.key` is there already, and a key is not written over
        exit code 2
    "#]],
    );
    folder.write("wrong.txt", "Secret");
    let sign = ["sign", "layout", "--key", "release.key", "--password-file"];
    session(
        &folder,
        &[&sign[..], &["wrong.txt"]].concat(),
        expect![[r#"
        error: cannot use `release.key`
          caused by: the password does not open the private key
        exit code 2
    "#]],
    );
    folder.write("empty.txt", "\n");
    session(
        &folder,
        &["key", "other", "--password-file", "empty.txt"],
        expect![[r#"
        error: the password is empty: whoever has the file would have the key
        exit code 2
    "#]],
    );
    session(
        &folder,
        &["sign", "layout", "--key", "release.pub"],
        expect![[r#"
        error: cannot use `release.pub`
          caused by: no private key: it is called `PUBLIC KEY`; PKCS #8 and cosign's form are read
        exit code 2
    "#]],
    );
    // openssl reads what is kept as it keeps keys.
    if let Some(tools) = tools() {
        let read = ["pkey", "-in", "release.key", "-passin", "pass:secret", "-pubout"];
        assert_eq!(
            tools.run("openssl", &folder, &read),
            std::fs::read_to_string(folder.0.join("release.pub")).expect("a key")
        );
    }
}

#[test]
fn an_index_vouches_for_its_own_images_alone() {
    let folder = Folder::new("index");
    key(&folder, &[]);
    let mut layout = Layout::new(&folder);
    let mine = layout.image("mine");
    let stranger = layout.image("a stranger's");
    let index = layout.manifest(json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": [
        {"mediaType": mine["mediaType"], "digest": mine["digest"], "size": mine["size"],
         "platform": {"os": "linux", "architecture": "amd64"}},
    ]}));
    layout.entry(index, "both");
    let mine = layout.entry(mine, "mine");
    let stranger = layout.entry(stranger, "stranger");
    palisade(&folder, &[&["sign", "layout:both"][..], &KEY].concat());
    let verify = |more: &[&str]| verdict(&folder, &[&["verify"][..], more, &["--key", "release.pub"]].concat());
    let text = [
        verify(&["layout:both"]),
        verify(&["layout:both", "--platform", "linux/amd64"]),
        verify(&[&format!("layout@{mine}"), "--index", "both"]),
        verify(&[&format!("layout@{mine}")]),
        verify(&[&format!("layout@{stranger}"), "--index", "both"]),
        verify(&[&format!("layout@{stranger}")]),
    ];
    // The digests are those of the images above.
    expect![[r#"
        verified 0: 
        verified 0: 
        verified 0: 
        refused 1: not signed: nothing lies beside the image
        refused 1: does not belong to the index sha256:7914e335df54a0973d692cd22008c2043090f3d3e12c76f7ffa97905489de5a5, which does not list it; not signed: nothing lies beside the image
        refused 1: not signed: nothing lies beside the image
    "#]].assert_eq(&text.concat());
}

#[test]
fn what_is_said_of_an_image_is_recognized_and_a_scan_becomes_a_scanners_result() {
    let folder = Folder::new("said");
    key(&folder, &[]);
    let mut layout = Layout::new(&folder);
    layout.entry(layout.image("an image"), "v1");
    folder.write("odd.json", r#"{"reviewed": true, "by": ["ann", "bob"]}"#);
    let attest = |more: &[&str]| shown(&folder, &[&["attest", "layout"][..], &KEY, more].concat());
    let mut text = attest(&["--predicate", "odd.json"]);
    text += &attest(&["--predicate", "odd.json", "--type", "review"]);
    text += &attest(&["--predicate", "password.txt"]);
    expect![[r#"
        error: what is said is of no kind that is recognized

        hint: name it: --type URI, or one of cyclonedx, spdx, vuln, slsaprovenance1, openvex
        exit code 2
        error: `review` is no type of a statement

        hint: name a URI, or one of cyclonedx, spdx, vuln, slsaprovenance1, openvex
        exit code 2
        error: cannot use `password.txt`
          caused by: expected value at line 1 column 1
        exit code 2
    "#]]
    .assert_eq(&text);
    let review = ["--predicate", "odd.json", "--type", "https://acme.example/review/v1"];
    palisade(&folder, &[&["attest", "layout"][..], &KEY, &review].concat());
    let (scan, _, _) = run(&folder, &["scan", "layout", "-o", "json"]);
    folder.write("scan.json", scan);
    palisade(&folder, &[&["attest", "layout", "--predicate", "scan.json"][..], &KEY].concat());
    folder.write(
        "policy.yaml",
        "apiVersion: palisade.dev/v1alpha1\n\
         kind: ImagePolicy\n\
         metadata: {name: reviewed}\n\
         spec:\n\
         \x20 images: ['**']\n\
         \x20 signers: [{name: release, key: {file: release.pub}}]\n\
         \x20 threshold: 0\n\
         \x20 attestations:\n\
         \x20 - {predicateType: https://acme.example/review/v1, where: [{field: reviewed, equals: true}]}\n\
         \x20 - predicateType: https://cosign.sigstore.dev/attestation/vuln/v1\n\
         \x20   where: [{field: 'scanner.result.findings[].severity', notEquals: critical}]\n",
    );
    assert_eq!(verdict(&folder, &["verify", "layout", "--policy", "policy.yaml"]), "verified 0: \n");
}
