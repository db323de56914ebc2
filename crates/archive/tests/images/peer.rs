//! The packages of another reader of images, syft, on the same images: every difference has its reason here.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use palisade_peers::python::Environment;
use serde_json::Value;

use crate::layout::{layout_of, read};
use crate::shared::image;
use crate::tar_writer::{LongPath, Tar};

/// Who names a package that the other one does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Only {
    Ours,
    Theirs,
}

/// Why only one of the two names a package; `None` when there is no good reason.
fn excuse(only: Only, purl: &str) -> Option<&'static str> {
    match (only, purl) {
        (Only::Ours, "pkg:golang/example.test/vulnapp") | (Only::Theirs, "pkg:golang/example.test/vulnapp@(devel)") => {
            Some("`(devel)` is no version, and a purl without one says so")
        }
        (Only::Theirs, "pkg:pypi/packaged@1.0") => Some("the distribution's own package, which is told once"),
        (Only::Theirs, "pkg:npm/inner@0.0.1") => Some("a `package.json` inside of a package, which nobody installed"),
        _ => None,
    }
}

fn ours(path: &Path) -> BTreeSet<String> {
    let catalogue = read(path, None, None).expect("an image");
    palisade_image::sbom::listed(&catalogue).map(|it| it.purl.clone()).collect()
}

fn theirs(environment: &Environment, path: &Path) -> BTreeSet<String> {
    let mut command = Command::new(environment.program("syft"));
    command.args(["scan", "-o", "syft-json"]).arg(format!("oci-dir:{}", path.display()));
    let output = command.env("SYFT_CHECK_FOR_APP_UPDATE", "false").output().expect("syft was installed");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let report: Value = serde_json::from_slice(&output.stdout).expect("a report");
    let artifacts = report["artifacts"].as_array().expect("packages").iter();
    artifacts.filter_map(|it| it["purl"].as_str()).map(str::to_owned).collect()
}

fn compare(environment: &Environment, path: &Path, at_least: usize) {
    let (ours, theirs) = (ours(path), theirs(environment, path));
    let both = ours.intersection(&theirs).count();
    assert!(both >= at_least, "{}: {both} packages of both: {ours:#?} {theirs:#?}", path.display());
    let differences = ours.difference(&theirs).map(|it| (Only::Ours, it));
    let differences = differences.chain(theirs.difference(&ours).map(|it| (Only::Theirs, it)));
    let unexcused: Vec<_> = differences.filter(|(only, purl)| excuse(*only, purl).is_none()).collect();
    assert!(unexcused.is_empty(), "{}: {unexcused:#?}", path.display());
}

#[test]
fn another_reader_names_the_same_packages_in_the_small_images() {
    let Some(environment) = Environment::get() else { return };
    for (name, at_least) in [("alma92", 20), ("alpine311", 14), ("distroless", 12)] {
        if let Some(path) = image(name) {
            compare(&environment, &path, at_least);
        }
    }
}

/// The environment itself is full of real packages; beside them what the two readers see differently.
#[test]
fn another_reader_names_the_same_packages_in_an_image_of_real_ones() {
    let Some(environment) = Environment::get() else { return };
    let root = environment.folder();
    let mut tar = Tar::default()
        .file("etc/os-release", b"ID=debian\nVERSION_ID=\"12\"\n")
        .file("var/lib/dpkg/status", b"Package: python3-packaged\nStatus: install ok installed\nVersion: 1.0-1\nArchitecture: all\nMaintainer: x\n\n")
        .file("var/lib/dpkg/info/python3-packaged.list", b"/usr/lib/python3/dist-packages/packaged-1.0.dist-info/METADATA\n")
        .file("usr/lib/python3/dist-packages/packaged-1.0.dist-info/METADATA", b"Metadata-Version: 2.1\nName: packaged\nVersion: 1.0\n\n")
        .file("app/node_modules/outer/package.json", br#"{"name":"outer","version":"1.2.3"}"#)
        .file("app/node_modules/outer/test/package.json", br#"{"name":"inner","version":"0.0.1"}"#);
    for path in metadata_files(root) {
        let name = format!("opt/venv/{}", path.strip_prefix(root).expect("a file of it").display());
        tar = tar.long_path(&name, LongPath::Pax).file("x", &std::fs::read(&path).expect("a file of it"));
    }
    compare(&environment, &layout_of(&[tar.end()]).0, 20);
}

/// `METADATA` of every installed package.
fn metadata_files(root: &Path) -> Vec<std::path::PathBuf> {
    let (mut files, mut folders) = (Vec::new(), vec![root.join("lib")]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder of it").filter_map(Result::ok) {
            match entry.file_type().expect("an entry of it") {
                kind if kind.is_dir() => folders.push(entry.path()),
                kind if kind.is_file() && entry.file_name() == "METADATA" => files.push(entry.path()),
                _ => {}
            }
        }
    }
    files.sort();
    files
}
