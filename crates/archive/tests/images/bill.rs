//! Bills of materials: valid by the validators of others, and the same bytes each time.

use std::path::Path;
use std::process::Command;

use palisade_image::Catalogue;
use palisade_image::sbom::{About, listed, read_bill, render_cyclonedx, render_spdx};
use palisade_peers::python::Environment;
use serde_json::Value;

use crate::layout::{Folder, layout_of, node, read, read_only};
use crate::shared::image;
use crate::tar_writer::Tar;
use crate::zip_writer::{Method, zip};

fn about() -> About {
    About { tool_version: "0.1.0".into(), timestamp: Some("2026-01-02T03:04:05.678Z".into()) }
}

/// What is awkward to write: licences that are no expressions, guessed names, unknown files, the same package twice.
fn awkward() -> Catalogue {
    let jar = zip(&[("a/b/C.class", b""), ("META-INF/MANIFEST.MF", b"Bundle-Version: 1.0\n")], Method::Deflated);
    let package = br#"{"name":"@s/x","version":"1.0.0","license":"SEE LICENSE IN \u0001 x"}"#;
    let layer = Tar::default()
        .file("etc/os-release", b"ID=rhel\nVERSION_ID=9.2\nCPE_NAME=\"cpe:/o:redhat:enterprise_linux:9::baseos\"\n")
        .file("app/c-1.0.jar", &jar)
        .file("app/none.jar", &zip(&[("a/B.class", b"")], Method::Stored))
        .file("a/node_modules/@s/x/package.json", package)
        .file("b/node_modules/@s/x/package.json", package)
        .file(&node("y", "0.0.1").0, &node("y", "0.0.1").1);
    read_only(&layout_of(&[layer.end()]))
}

fn cyclonedx(catalogue: &Catalogue, about: &About) -> Value {
    serde_json::to_value(render_cyclonedx(catalogue, about)).expect("it can be written")
}

fn spdx(catalogue: &Catalogue, about: &About) -> Value {
    serde_json::to_value(render_spdx(catalogue, about)).expect("it can be written")
}

fn validate(python: &Path, form: &str, bill: &Value) {
    let folder = Folder::new();
    let path = folder.0.join(if form == "spdx" { "bill.spdx.json" } else { "bill.json" });
    std::fs::write(&path, bill.to_string()).expect("a file of the test");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/images/validate.py");
    let output = Command::new(python).arg(script).arg(form).arg(&path).output().expect("python was there");
    assert!(output.status.success(), "{form}: {}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn bills_are_valid_by_the_validators_of_others() {
    let Some(environment) = Environment::get() else { return };
    let python = environment.program("python");
    let shared = ["alma92", "alpine311", "distroless"].into_iter().filter_map(image);
    let shared = shared.map(|path| read(&path, None, None).expect("an image"));
    for catalogue in std::iter::once(awkward()).chain(shared) {
        validate(&python, "cyclonedx", &cyclonedx(&catalogue, &about()));
        validate(&python, "spdx", &spdx(&catalogue, &about()));
        validate(&python, "spdx", &spdx(&catalogue, &About::default()));
    }
    // The validators can refuse.
    let mut broken = cyclonedx(&awkward(), &about());
    broken["bomFormat"] = Value::from("another");
    assert!(std::panic::catch_unwind(|| validate(&python, "cyclonedx", &broken)).is_err());
}

#[test]
fn the_same_image_gives_the_same_bytes() {
    let bill = || (cyclonedx(&awkward(), &about()), spdx(&awkward(), &about()));
    // Two folders with the same image: where it lies is only in its name.
    let mut texts = [bill(), bill()].map(|(a, b)| (a, b));
    for (cyclonedx, spdx) in &mut texts {
        cyclonedx["metadata"]["component"]["name"] = Value::from("image");
        spdx["name"] = Value::from("image");
        spdx["packages"][0]["name"] = Value::from("image");
    }
    assert_eq!(texts[0].0.to_string(), texts[1].0.to_string());
    assert_eq!(texts[0].1.to_string(), texts[1].1.to_string());
    let references =
        texts[0].0["components"].as_array().expect("components").iter().map(|it| it["bom-ref"].to_string());
    let references: Vec<String> = references.collect();
    let mut unique = references.clone();
    unique.sort();
    unique.dedup();
    assert_eq!(unique.len(), references.len(), "{references:?}");
}

#[test]
fn a_bill_that_is_read_again_has_the_same_packages() {
    let shared = ["alma92", "alpine311", "distroless"].into_iter().filter_map(image);
    let shared = shared.map(|path| read(&path, None, None).expect("an image"));
    for catalogue in std::iter::once(awkward()).chain(shared) {
        for bill in [cyclonedx(&catalogue, &about()), spdx(&catalogue, &about())] {
            let again = read_bill(bill.to_string().as_bytes()).expect("a bill");
            let row = |it: &palisade_image::Package| {
                format!("{} {} {} {} {:?} {}", it.ecosystem, it.name, it.version, it.purl, it.source, it.path)
            };
            let (mut expected, mut found): (Vec<_>, Vec<_>) =
                (listed(&catalogue).map(row).collect(), again.packages.iter().map(row).collect());
            expected.sort();
            found.sort();
            assert_eq!(found, expected);
            assert_eq!(again.distribution.release(), catalogue.distribution.release());
            assert_eq!(again.config.digest, catalogue.config.digest);
        }
    }
}
