//! The cases of sigstore-conformance: bundles that must hold, and bundles (`_fail`) that must not.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use palisade_model::image_policy::LogRule;
use palisade_signatures::demand::Credential;
use palisade_signatures::{PublicKey, Root, bundle};

const IDENTITY: &str = "https://github.com/sigstore-conformance/extremely-dangerous-public-oidc-beacon/.github/workflows/extremely-dangerous-oidc-beacon.yml@refs/heads/main";
const ISSUER: &str = "https://token.actions.githubusercontent.com";

/// As many as there are: one that goes missing is a test that says nothing.
const CASES: usize = 70;

#[test]
fn every_case_is_judged_as_it_must_be() {
    let shared = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/signatures");
    if !shared.exists() {
        assert!(std::env::var_os("CI").is_none(), "../shared/signatures is missing");
        return println!("SKIPPED: ../shared/signatures is not there");
    }
    let mut cases: Vec<PathBuf> = fs::read_dir(shared.join("conformance/bundle-verify"))
        .expect("the cases are there")
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.is_dir())
        .collect();
    cases.sort();
    let mut table = String::new();
    let mut wrong = Vec::new();
    for case in &cases {
        let name = case.file_name().expect("a name").to_string_lossy().into_owned();
        let outcome = judge(case, &shared);
        if outcome.is_ok() == name.ends_with("_fail") {
            wrong.push(name.clone());
        }
        let outcome = outcome.map_or_else(|why| why, |()| "holds".to_owned());
        writeln!(table, "{name}: {outcome}").expect("a string");
    }
    assert_eq!(cases.len(), CASES);
    assert!(wrong.is_empty(), "{wrong:#?}\n{table}");
    expect_test::expect_file!["conformance.txt"].assert_eq(&table);
}

fn judge(case: &Path, shared: &Path) -> Result<(), String> {
    let read = |name: &str| fs::read_to_string(case.join(name)).ok();
    let root = read("trusted_root.json").unwrap_or_else(|| {
        fs::read_to_string(shared.join("tuf-targets/trusted_root.json")).expect("the public root is there")
    });
    let root = Arc::new(Root::from_json(&root).map_err(|error| error.to_string())?);
    let credential = match read("key.pub") {
        Some(key) => Credential::Key {
            key: PublicKey::from_pem(&key).map_err(|error| error.to_string())?,
            root: Some(root),
            log: LogRule::Required,
        },
        None => Credential::Keyless {
            root,
            identity: read("identity").map_or_else(|| IDENTITY.to_owned(), |text| text.trim().to_owned()),
            issuer: read("issuer").map_or_else(|| ISSUER.to_owned(), |text| text.trim().to_owned()),
            log: LogRule::Required,
            certificate_log: LogRule::Required,
        },
    };
    let artifact = fs::read(case.join("artifact"))
        .or_else(|_| fs::read(shared.join("conformance/bundle-verify/a.txt")))
        .expect("what was signed is there");
    let bundle = fs::read(case.join("bundle.sigstore.json")).expect("the bundle is there");
    bundle::verify(&bundle, &credential, &artifact).map_err(|refusal| refusal.to_string())
}
