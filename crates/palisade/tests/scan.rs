//! `palisade image scan`, as a reader sees it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use expect_test::{Expect, expect};
use palisade_feeds::zip::Writer;
use palisade_peers::python::Environment;
use palisade_peers::shared;
use serde_json::Value;

/// A small Alpine as a root folder, and exports that speak of it.
struct World(PathBuf);

const INSTALLED: &str = "P:libssl3\nV:3.0.8-r0\nA:x86_64\no:openssl\n\nP:musl\nV:1.2.3-r4\nA:x86_64\no:musl\n\n";

impl World {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("palisade-scan-{}-{name}", std::process::id()));
        let write = |path: &str, text: &str| {
            let path = folder.join(path);
            std::fs::create_dir_all(path.parent().expect("below the folder")).expect("a folder");
            std::fs::write(path, text).expect("written");
        };
        write("root/etc/os-release", "ID=alpine\nVERSION_ID=3.22.1\nPRETTY_NAME=\"Alpine Linux v3.22\"\n");
        write("root/lib/apk/db/installed", INSTALLED);
        let world = Self(folder);
        world.export(
            "exports",
            &[("ALPINE-CVE-1", "openssl", "3.0.9-r0", "CVE-1", "HIGH"), ("ALPINE-CVE-2", "musl", "", "CVE-2", "LOW")],
        );
        world
    }

    fn export(&self, folder: &str, advisories: &[(&str, &str, &str, &str, &str)]) {
        let mut writer = Writer::default();
        for (id, package, fixed, cve, severity) in advisories {
            let fixed = if fixed.is_empty() { String::new() } else { format!(r#",{{"fixed":"{fixed}"}}"#) };
            let record = format!(
                r#"{{"id":"{id}","upstream":["{cve}"],"published":"2026-10-01T00:00:00Z","modified":"2026-11-01T00:00:00Z",
                "database_specific":{{"severity":"{severity}"}},"affected":[{{"package":{{"ecosystem":"Alpine:v3.22","name":"{package}"}},
                "ranges":[{{"type":"ECOSYSTEM","events":[{{"introduced":"0"}}{fixed}]}}]}}]}}"#
            );
            writer.add(&format!("{id}.json"), record.as_bytes());
        }
        let folder = self.0.join(folder);
        std::fs::create_dir_all(&folder).expect("a folder");
        std::fs::write(folder.join("Alpine.zip"), writer.finish()).expect("written");
    }

    fn run(&self, arguments: &[&str]) -> (String, String, i32) {
        let output = Command::new(env!("CARGO_BIN_EXE_palisade"))
            .args(["image", "scan"])
            .args(arguments)
            .current_dir(&self.0)
            .env("PALISADE_ADVISORIES", self.0.join("store"))
            .env("XDG_CACHE_HOME", self.0.join("cache"))
            .stdin(Stdio::null())
            .output()
            .expect("the binary starts");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (text(&output.stdout), text(&output.stderr), output.status.code().unwrap_or(-1))
    }

    /// What is printed below the head, and the exit code when it is not 0.
    #[track_caller]
    fn session(&self, arguments: &[&str], expected: Expect) {
        let (stdout, stderr, code) = self.run(arguments);
        let body = stdout.split_once("\n\n").map_or(&*stdout, |(_, body)| body);
        let code = if code == 0 { String::new() } else { format!("[exit {code}]\n") };
        expected.assert_eq(&format!("{body}{stderr}{code}"));
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn findings_are_grouped_by_what_to_do() {
    let world = World::new("groups");
    world.session(
        &["root", "--advisories", "exports"],
        expect![[r#"
        An update of the package mends these (1)
        SEVERITY  ID     PACKAGE  VERSION   MENDED IN
        high      CVE-1  libssl3  3.0.8-r0  3.0.9-r0

        Nothing mends these yet (1)
        SEVERITY  ID     PACKAGE  VERSION   MENDED IN
        low       CVE-2  musl     1.2.3-r4

        2 findings, 2 of them fail; 2 packages judged
        [exit 1]
    "#]],
    );
    world.session(
        &["root", "--advisories", "exports", "--fail-on", "critical,kev"],
        expect![[r#"
        An update of the package mends these (1)
        SEVERITY  ID     PACKAGE  VERSION   MENDED IN
        high      CVE-1  libssl3  3.0.8-r0  3.0.9-r0

        Nothing mends these yet (1)
        SEVERITY  ID     PACKAGE  VERSION   MENDED IN
        low       CVE-2  musl     1.2.3-r4

        2 findings, 0 of them fail; 2 packages judged
    "#]],
    );
    world.session(
        &["root", "--advisories", "exports", "--fail-on", "low+fixable"],
        expect![[r#"
        An update of the package mends these (1)
        SEVERITY  ID     PACKAGE  VERSION   MENDED IN
        high      CVE-1  libssl3  3.0.8-r0  3.0.9-r0

        Nothing mends these yet (1)
        SEVERITY  ID     PACKAGE  VERSION   MENDED IN
        low       CVE-2  musl     1.2.3-r4

        2 findings, 1 of them fail; 2 packages judged
        [exit 1]
    "#]],
    );
    world.session(&["root", "--advisories", "exports", "--fail-on", "bad"], expect![[r#"
        error: invalid value 'bad' for '--fail-on <RULES>': unknown condition `bad`, expected critical, high, medium, low, any, kev, fixable, reachable or new, joined by `+`

        For more information, try '--help'.
        [exit 2]
    "#]]);
}

#[test]
fn without_a_database_the_scan_says_so_and_is_undecided() {
    let world = World::new("none");
    world.session(
        &["root"],
        expect![[r#"
        0 findings, 0 of them fail; 0 packages judged
        no database of advisories: nothing can be said against any package

        hint: palisade advisories import FOLDER, with exports of OSV.dev in it
        [exit 3]
    "#]],
    );
    world.session(
        &["root", "--advisories", "root"],
        expect![[r#"
        error: no export of advisories in `root`
        [exit 2]
    "#]],
    );
}

#[test]
fn what_was_decided_fails_nothing_and_what_matches_nothing_is_told() {
    let world = World::new("settled");
    let write = |name: &str, text: &str| std::fs::write(world.0.join(name), text).expect("written");
    write(
        "ignored.txt",
        "CVE-1 libssl3 2099-12-31 no TLS in here\nCVE-2 * 2020-01-01 was to be mended\nCVE-9 * 2099-12-31 never seen\nCVE-2\n",
    );
    write(
        "vex.json",
        r#"{"statements":[{"vulnerability":{"name":"CVE-2"},"products":[{"@id":"pkg:apk/alpine/musl"}],"status":"not_affected","justification":"inline_mitigations_already_exist"},
        {"vulnerability":{"name":"CVE-1"},"products":[{"@id":"sha256:00"}],"status":"not_affected"}]}"#,
    );
    world.session(
        &["root", "--advisories", "exports", "--ignore-file", "ignored.txt"],
        expect![[r#"
        Nothing mends these yet (1)
        SEVERITY  ID     PACKAGE  VERSION   MENDED IN
        low       CVE-2  musl     1.2.3-r4

        Settled by the ignore file or VEX (1)
        SEVERITY  ID     PACKAGE  VERSION   MENDED IN
        high      CVE-1  libssl3  3.0.8-r0  ignored.txt:1, until 2099-12-31

        2 findings, 1 of them fail; 2 packages judged
        ignored.txt:4: expected `ID PACKAGE DATE REASON`, with `*` for every package
        ignored.txt:2: `CVE-2` was ignored until 2020-01-01
        ignored.txt:3: `CVE-9` matches nothing that was found
        [exit 1]
    "#]],
    );
    world.session(
        &["root", "--advisories", "exports", "--ignore-file", "ignored.txt", "--vex", "vex.json"],
        expect![[r#"
            Settled by the ignore file or VEX (2)
            SEVERITY  ID     PACKAGE  VERSION   MENDED IN
            high      CVE-1  libssl3  3.0.8-r0  ignored.txt:1, until 2099-12-31
            low       CVE-2  musl     1.2.3-r4  vex.json: not_affected

            2 findings, 0 of them fail; 2 packages judged
            ignored.txt:4: expected `ID PACKAGE DATE REASON`, with `*` for every package
            ignored.txt:2: `CVE-2` was ignored until 2020-01-01
            ignored.txt:3: `CVE-9` matches nothing that was found
            vex.json: the statement on CVE-1 names neither this image nor a package in it
        "#]],
    );
}

#[test]
fn what_is_new_is_told_from_what_was_there() {
    let world = World::new("new");
    world.export("yesterday", &[("ALPINE-CVE-1", "openssl", "3.0.7-r0", "CVE-1", "HIGH")]);
    world.session(&["root", "--advisories", "exports", "--why-new", "yesterday"], expect![[r#"
        An update of the package mends these (1)
        SEVERITY  ID     PACKAGE  VERSION   MENDED IN
        high      CVE-1  libssl3  3.0.8-r0  3.0.9-r0  new: ALPINE-CVE-1 did not speak of this version, changed on 2026-11-01

        Nothing mends these yet (1)
        SEVERITY  ID     PACKAGE  VERSION   MENDED IN
        low       CVE-2  musl     1.2.3-r4    new: ALPINE-CVE-2 came in, published on 2026-10-01

        2 findings, 2 of them fail; 2 packages judged
        [exit 1]
    "#]]);
    let (before, _, _) = world.run(&["root", "--advisories", "exports", "-o", "json"]);
    std::fs::write(world.0.join("before.json"), before).expect("written");
    world.export(
        "exports",
        &[
            ("ALPINE-CVE-1", "openssl", "3.0.9-r0", "CVE-1", "HIGH"),
            ("ALPINE-CVE-3", "musl", "1.2.4-r0", "CVE-3", "LOW"),
        ],
    );
    let arguments = ["root", "--advisories", "exports", "--baseline", "before.json", "--fail-on", "new"];
    let (json, _, code) = world.run(&[&arguments[..], &["-o", "json"]].concat());
    let report: Value = serde_json::from_str(&json).expect("JSON");
    let fails: Vec<(&str, bool)> = report["findings"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|it| (it["id"].as_str().expect("a text"), it["fails"].as_bool().expect("a bool")))
        .collect();
    assert_eq!((fails, code), (vec![("ALPINE-CVE-1", false), ("ALPINE-CVE-3", true)], 1));
}

#[test]
fn every_form_is_written_and_carries_the_finding() {
    let world = World::new("forms");
    for form in ["table", "json", "sarif", "junit", "markdown", "cyclonedx-vex"] {
        let (stdout, stderr, code) = world.run(&["root", "--advisories", "exports", "-o", form]);
        assert_eq!(code, 1, "{form}: {stderr}");
        assert!(stdout.contains("CVE-1"), "{form}: {stdout}");
        assert_eq!(world.run(&["root", "--advisories", "exports", "-o", form]).0, stdout, "{form} is the same again");
    }
}

/// Whether CycloneDX's own library takes a document by the schema.
fn is_valid(python: &Path, document: &Path) -> Result<(), String> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../archive/tests/images/validate.py");
    let output = Command::new(python).arg(script).arg("cyclonedx").arg(document).output().expect("python was there");
    if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&output.stderr).into_owned()) }
}

#[test]
fn vex_is_valid_by_the_schema_says_what_was_decided_and_is_read_again() {
    let world = World::new("vex");
    world.export(
        "exports",
        &[
            ("ALPINE-CVE-1", "openssl", "3.0.9-r0", "CVE-1", "HIGH"),
            ("ALPINE-CVE-2", "musl", "", "CVE-2", "LOW"),
            ("ALPINE-CVE-3", "musl", "", "CVE-3", "MODERATE"),
            ("ALPINE-CVE-4", "musl", "1.2.4-r0", "CVE-4", ""),
        ],
    );
    std::fs::write(world.0.join("ignored.txt"), "CVE-1 libssl3 2099-12-31 no TLS in here\n").expect("written");
    let statements = r#"{"statements":[
        {"vulnerability":{"name":"CVE-2"},"products":[{"@id":"pkg:apk/alpine/musl"}],"status":"not_affected","impact_statement":"unused"},
        {"vulnerability":{"name":"CVE-3"},"products":[{"@id":"pkg:apk/alpine/musl"}],"status":"fixed"}]}"#;
    std::fs::write(world.0.join("makers.json"), statements).expect("written");
    let arguments = ["root", "--advisories", "exports", "-o", "cyclonedx-vex"];
    let (written, stderr, code) =
        world.run(&[&arguments[..], &["--ignore-file", "ignored.txt", "--vex", "makers.json"]].concat());
    assert_eq!(code, 1, "{stderr}");
    let document = world.0.join("own.json");
    std::fs::write(&document, &written).expect("written");
    let body: Value = serde_json::from_str(&written).expect("JSON");
    let states: BTreeSet<(&str, &str)> = body["vulnerabilities"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|it| (it["id"].as_str().expect("an id"), it["analysis"]["state"].as_str().expect("a state")))
        .collect();
    let expected = [
        // What somebody lives with is still there.
        ("ALPINE-CVE-1", "in_triage"),
        ("ALPINE-CVE-2", "not_affected"),
        ("ALPINE-CVE-3", "resolved"),
        ("ALPINE-CVE-4", "in_triage"),
    ];
    assert_eq!(states, expected.into());
    // Who is given the document settles what it settles, and no more.
    let (again, _, _) = world.run(&["root", "--advisories", "exports", "-o", "json", "--vex", "own.json"]);
    let report: Value = serde_json::from_str(&again).expect("JSON");
    let open: Vec<&str> = report["findings"]
        .as_array()
        .expect("a list")
        .iter()
        .filter(|it| it["suppressedBy"].is_null())
        .map(|it| it["id"].as_str().expect("an id"))
        .collect();
    assert_eq!(open, ["ALPINE-CVE-1", "ALPINE-CVE-4"]);

    let Some(environment) = Environment::get() else { return };
    let python = environment.program("python");
    assert_eq!(is_valid(&python, &document), Ok(()));
    std::fs::write(&document, written.replace("in_triage", "lived_with")).expect("written");
    assert!(is_valid(&python, &document).is_err(), "the validator can refuse");
    let Some(shared) = shared("") else { return };
    for image in ["alma92", "alpine311", "distroless"] {
        let (layout, advisories) = (shared.join("images").join(image), shared.join("advisories"));
        let (written, stderr, code) = world.run(&[
            &layout.to_string_lossy(),
            "--advisories",
            &advisories.to_string_lossy(),
            "-o",
            "cyclonedx-vex",
        ]);
        assert_eq!(code, 1, "{stderr}");
        std::fs::write(&document, written).expect("written");
        assert_eq!(is_valid(&python, &document), Ok(()), "{image}");
    }
}

/// The findings of a shared image, or `None` where they are not.
fn found_in(image: &str) -> Option<Vec<Value>> {
    let (layout, advisories) = (shared(&format!("images/{image}"))?, shared("advisories")?);
    let world = World::new(image);
    let (json, stderr, code) =
        world.run(&[&layout.to_string_lossy(), "--advisories", &advisories.to_string_lossy(), "-o", "json"]);
    assert_eq!(code, 1, "{stderr}");
    let report: Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(report["version"], 1);
    report["findings"].as_array().cloned()
}

#[test]
fn the_shared_images_have_their_findings_with_every_field() {
    for (image, findings, packages) in [("distroless", 80, 7), ("alpine311", 28, 10), ("alma92", 147, 18)] {
        let Some(found) = found_in(image) else { return };
        let named: BTreeSet<&str> = found.iter().filter_map(|it| it["package"].as_str()).collect();
        assert_eq!((found.len(), named.len()), (findings, packages), "{image}");
        for it in &found {
            for field in ["package", "version", "ecosystem", "purl", "id", "path", "layer", "severity"] {
                assert!(it[field].as_str().is_some_and(|text| !text.is_empty()), "{image}: {field} of {it}");
            }
            assert!(it["aliases"].is_array() && it["kev"].is_boolean(), "{it}");
            assert!(it["reachable"].is_boolean() || it["reachable"].is_null(), "{it}");
        }
    }
}

#[test]
fn a_stripped_go_program_has_findings_that_are_not_reachable() {
    let Some(found) = found_in("distroless") else { return };
    let count = |value: Value| found.iter().filter(|it| it["reachable"] == value).count();
    let (linked, absent) = (count(true.into()), count(false.into()));
    assert!(linked > 0 && absent > 0, "{linked} linked, {absent} not");
    let of = |id: &str| found.iter().find(|it| it["id"] == id).map(|it| it["reachable"].clone());
    // The program parses languages (`language.Parse`), and uses no TLS extension of x/crypto.
    assert_eq!(of("GO-2021-0113"), Some(true.into()));
}
