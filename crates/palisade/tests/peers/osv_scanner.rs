//! The same findings as osv-scanner's, from the same advisories.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use palisade_peers::images::{APP, DEBIAN, LAYERS, PROGRAMS};
use palisade_peers::programs::OSV_SCANNER;
use palisade_peers::shared;

use crate::images::{self, bill, folder, locked, palisade, saved, text};
use crate::reasons::{Bill, Difference, Reasons};

/// Ecosystem, name and version.
type Key = (String, String, String);

/// Each of a package, and the ids of each of its matters.
type Findings = BTreeMap<Key, BTreeSet<BTreeSet<String>>>;

#[test]
fn the_same_is_found_as_by_osv_scanner_in_the_small_images() {
    let Some(peer) = Peer::find() else { return };
    peer.compare(&["distroless", "alpine311", "alma92"].map(|name| (name, saved(&peer.shared, name))));
}

#[test]
fn the_same_is_found_as_by_osv_scanner_in_an_application_of_five_languages() {
    let Some(peer) = Peer::find() else { return };
    let (Some(app), Some(layers)) = (APP.get(), LAYERS.get()) else { return };
    peer.compare(&[("app", app), ("layers", layers)]);
}

#[test]
fn the_same_is_found_as_by_osv_scanner_in_programs_that_say_what_they_were_built_of() {
    let Some(peer) = Peer::find() else { return };
    let Some(programs) = PROGRAMS.get() else { return };
    peer.compare(&[("programs", programs.clone())]);
    // The table of an old Go cannot be read, so nothing in its program is called absent.
    let report = palisade(&["scan", "--advisories", &peer.shared.join("advisories").to_string_lossy()], &programs);
    let findings = report["findings"].as_array().expect("a list");
    let old: Vec<_> = findings.iter().filter(|it| it["path"] == "/usr/local/bin/esbuild").collect();
    assert!(old.len() > 100, "{} findings", old.len());
    assert!(old.iter().all(|it| it["reachable"].is_null() && it["fails"] == true));
    assert!(old.iter().any(|it| it["reach"] == "unreadable-table"));
}

#[test]
fn the_same_is_found_as_by_osv_scanner_in_a_whole_debian() {
    let Some(peer) = Peer::find() else { return };
    let Some(debian) = DEBIAN.get() else { return };
    peer.compare(&[("debian", debian)]);
}

/// The other scanner, with the same advisories.
pub struct Peer {
    program: PathBuf,
    database: PathBuf,
    pub shared: PathBuf,
}

impl Peer {
    /// `None` (with a note) where it cannot be had.
    pub fn find() -> Option<Self> {
        let (shared, program) = (shared("")?, OSV_SCANNER.get()?);
        let database = folder().join("database");
        locked("osv-scanner", || export(&shared.join("advisories"), &database.join("osv-scalibr")));
        Some(Self { program, database, shared })
    }

    fn compare(&self, images: &[(&str, PathBuf)]) {
        let mut reasons = Reasons::of("findings osv-scanner");
        for (image, archive) in images {
            reasons.image(image);
            let (ours, bill) = self.ours(archive);
            let theirs = self.theirs(archive);
            let both = count(&ours) - only(&ours, &theirs).len();
            println!("{image}: {} of ours, {} of theirs, {both} of both", count(&ours), count(&theirs));
            assert!(both > 20, "{image}: next to nothing is found by both");
            for (who, mine, others) in [("ours", &ours, &theirs), ("theirs", &theirs, &ours)] {
                for ((ecosystem, name, version), ids) in only(mine, others) {
                    reasons.explain(&Difference { who, image, ecosystem, name, version, ids }, &bill);
                }
            }
        }
        reasons.finish();
    }

    fn ours(&self, archive: &Path) -> (Findings, Bill) {
        let mut findings = Findings::new();
        let report = palisade(&["scan", "--advisories", &self.shared.join("advisories").to_string_lossy()], archive);
        for it in report["findings"].as_array().expect("a list") {
            let ecosystem = text(&it["ecosystem"]);
            // Debian's and Alpine's advisories speak of sources, and so does the peer.
            let by_source = ["Debian", "Alpine"].iter().any(|it| ecosystem.starts_with(it));
            let source = it["source"].as_str().filter(|_| by_source);
            let lists = it["aliases"].as_array().into_iter().chain(it["advisories"].as_array()).flatten();
            let ids = lists.chain([&it["id"]]).map(|id| text(id).to_owned()).collect();
            let key = key(ecosystem, source.unwrap_or(text(&it["package"])), text(&it["version"]));
            findings.entry(key).or_default().insert(ids);
        }
        (findings, bill(&images::packages(archive)))
    }

    /// Scans a saved image, and writes what it finds to `report`.
    pub fn scan(&self, archive: &Path, report: &Path) -> Command {
        let mut command = Command::new(&self.program);
        command.args(["scan", "image", "--offline", "--all-packages", "--all-vulns", "--format", "json"]);
        // Gems are read on request.
        command.args(["--experimental-plugins", "artifact", "--experimental-plugins", "ruby/gemspec"]);
        command.arg("--output-file").arg(report).arg("--archive").arg(archive);
        command.env("OSV_SCANNER_LOCAL_DB_CACHE_DIRECTORY", &self.database);
        command
    }

    fn theirs(&self, archive: &Path) -> Findings {
        let report = archive.with_extension("osv-scanner.json");
        let output = self.scan(archive, &report).output().expect("it runs");
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        let report: serde_json::Value = serde_json::from_slice(&fs::read(&report).unwrap_or_else(|_| panic!("{told}")))
            .unwrap_or_else(|error| panic!("{error}: {told}"));
        let mut findings = Findings::new();
        let results = report["results"].as_array().expect("a list").iter();
        for it in results.flat_map(|result| result["packages"].as_array().expect("a list")) {
            let package = &it["package"];
            let key = key(text(&package["ecosystem"]), text(&package["name"]), text(&package["version"]));
            for found in it["vulnerabilities"].as_array().into_iter().flatten() {
                let lists = [&found["aliases"], &found["upstream"]].map(|list| list.as_array());
                let lists = lists.into_iter().flatten().flatten();
                let ids = lists.chain([&found["id"]]).map(|id| text(id).to_owned()).collect();
                findings.entry(key.clone()).or_default().insert(ids);
            }
        }
        findings
    }
}

/// Exports where the peer looks for them.
fn export(from: &Path, to: &Path) -> bool {
    for entry in fs::read_dir(from).expect("the exports").flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let Some(name) = name.strip_suffix(".zip") else { continue };
        let folder = to.join(if name == "Rust" { "crates.io" } else { name });
        fs::create_dir_all(&folder).expect("the folder is the test's");
        fs::copy(entry.path(), folder.join("all.zip")).expect("an export");
    }
    true
}

/// One form for what the two write differently: releases, Python's names, the `v` of Go.
fn key(ecosystem: &str, name: &str, version: &str) -> Key {
    let ecosystem = ecosystem.split(':').next().unwrap_or_default();
    let name = if ecosystem == "PyPI" { name.to_lowercase().replace(['_', '.'], "-") } else { name.to_owned() };
    let version = if ecosystem == "Go" { version.trim_start_matches('v') } else { version };
    (ecosystem.to_owned(), name, version.to_owned())
}

fn count(findings: &Findings) -> usize {
    findings.values().map(BTreeSet::len).sum()
}

/// Those of `mine` that share no id with one of the same package of `others`.
fn only<'f>(mine: &'f Findings, others: &Findings) -> Vec<(&'f Key, &'f BTreeSet<String>)> {
    let has = |key: &Key, ids: &BTreeSet<String>| {
        others.get(key).is_some_and(|all| all.iter().any(|other| !other.is_disjoint(ids)))
    };
    let all = mine.iter().flat_map(|(key, all)| all.iter().map(move |ids| (key, ids)));
    all.filter(|(key, ids)| !has(key, ids)).collect()
}
