//! The same packages as syft's.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use palisade_peers::images::{APP, DEBIAN, LAYERS, PROGRAMS};
use palisade_peers::python::Environment;

use crate::images::{bill, packages, text};
use crate::reasons::{Difference, Reasons};

/// The purl's type, name and version.
type Key = (String, String, String);

#[test]
fn the_same_packages_are_named_as_by_syft_in_an_application_of_five_languages() {
    let Some(syft) = syft() else { return };
    let (Some(app), Some(layers)) = (APP.get(), LAYERS.get()) else { return };
    compare(&syft, &[("app", app), ("layers", layers)]);
}

#[test]
fn the_same_packages_are_named_as_by_syft_in_programs_that_say_what_they_were_built_of() {
    let Some(syft) = syft() else { return };
    let Some(programs) = PROGRAMS.get() else { return };
    compare(&syft, &[("programs", programs)]);
}

#[test]
fn the_same_packages_are_named_as_by_syft_in_a_whole_debian() {
    let Some(syft) = syft() else { return };
    let Some(debian) = DEBIAN.get() else { return };
    compare(&syft, &[("debian", debian)]);
}

/// The program. `None` (with a note) where it cannot be had.
pub fn syft() -> Option<PathBuf> {
    Some(Environment::get()?.program("syft"))
}

fn compare(syft: &Path, images: &[(&str, PathBuf)]) {
    let mut reasons = Reasons::of("packages syft");
    for (image, archive) in images {
        reasons.image(image);
        let listed = packages(archive);
        let bill = bill(&listed);
        let ours: BTreeSet<Key> =
            listed.iter().map(|it| key(text(&it["purl"]), text(&it["name"]), text(&it["version"]))).collect();
        let theirs = theirs(syft, archive);
        println!(
            "{image}: {} of ours, {} of theirs, {} of both",
            ours.len(),
            theirs.len(),
            ours.intersection(&theirs).count()
        );
        assert!(ours.intersection(&theirs).count() > 20, "{image}: next to nothing is named by both");
        let ids = &BTreeSet::new();
        let only = ours.difference(&theirs).map(|it| ("ours", it));
        for (who, (ecosystem, name, version)) in only.chain(theirs.difference(&ours).map(|it| ("theirs", it))) {
            reasons.explain(&Difference { who, image, ecosystem, name, version, ids }, &bill);
        }
    }
    reasons.finish();
}

/// Lists the packages of a saved image.
pub fn scan(syft: &Path, archive: &Path) -> Command {
    let mut command = Command::new(syft);
    command.args(["scan", "-q", "-o", "syft-json"]).arg(format!("docker-archive:{}", archive.display()));
    command.env("SYFT_CHECK_FOR_APP_UPDATE", "false");
    command
}

fn theirs(syft: &Path, archive: &Path) -> BTreeSet<Key> {
    let output = scan(syft, archive).output().expect("syft was installed");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).expect("a report");
    let artifacts = report["artifacts"].as_array().expect("packages").iter();
    artifacts.map(|it| key(text(&it["purl"]), text(&it["name"]), text(&it["version"]))).collect()
}

/// One form for what the two write differently: Python's names, Go's versions and `(devel)`, groups of Maven, some of
/// which both can only guess.
fn key(purl: &str, name: &str, version: &str) -> Key {
    let kind = purl.trim_start_matches("pkg:").split('/').next().unwrap_or_default();
    let name = match kind {
        "pypi" => name.to_lowercase().replace(['_', '.'], "-"),
        "maven" => name.rsplit(':').next().unwrap_or_default().to_owned(),
        _ => name.to_owned(),
    };
    let version = match kind {
        "golang" => version.trim_start_matches("go").trim_start_matches('v').trim_start_matches("(devel)"),
        // The epoch stands apart in one of them.
        "rpm" => version.rsplit(':').next().unwrap_or_default(),
        // The platform as well.
        _ => version,
    };
    (kind.to_owned(), name, version.to_owned())
}
