//! What differs between two images, wherever they lie.

use std::collections::BTreeSet;

use expect_test::expect;
use serde_json::Value;

use crate::world::{World, debian, files};

#[test]
fn packages_files_layers_config_and_findings_that_differ_are_told() {
    let Some(world) = World::start("simple", &[]) else { return };
    let base = world.layer("base", &files(&debian("1:1.2.13")));
    world.push("app:base", None, &base);
    let own = world.layer(
        "own",
        &[
            ("app/node_modules/ws/package.json", r#"{"name":"ws","version":"7.4.5"}"#),
            ("app/config", "a"),
            ("app/old", "x"),
        ],
    );
    world.push("app:v1", Some("app:base"), &own);
    let next = world.layer(
        "next",
        &[
            ("app/node_modules/ws/package.json", r#"{"name":"ws","version":"7.4.6"}"#),
            ("app/node_modules/left-pad/package.json", r#"{"name":"left-pad","version":"1.3.0"}"#),
            ("app/config", "b"),
        ],
    );
    world.push("app:v2", Some("app:base"), &next);
    let v2 = world.name("app:v2");
    world.crane(&["mutate", "--user", "65532", "--label", "team=pay", "-t", &v2, &v2]);
    // The new one as a layout: both kinds are compared.
    world.crane(&["pull", "--format=oci", &v2, "layout"]);
    let mut writer = palisade_feeds::zip::Writer::default();
    for (id, name, introduced, fixed) in [("GHSA-1", "ws", "7.0.0", "7.4.6"), ("GHSA-2", "left-pad", "1.0.0", "2.0.0")]
    {
        let record = format!(
            r#"{{"id": "{id}", "modified": "2026-08-21T00:00:00Z", "severity": [{{"type": "CVSS_V3",
            "score": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:H"}}], "affected": [{{"package": {{"ecosystem": "npm",
            "name": "{name}"}}, "ranges": [{{"type": "SEMVER",
            "events": [{{"introduced": "{introduced}"}}, {{"fixed": "{fixed}"}}]}}]}}]}}"#
        );
        writer.add(&format!("{id}.json"), record.as_bytes());
    }
    world.write("exports/README", "");
    std::fs::write(world.folder.join("exports/npm.zip"), writer.finish()).expect("written");
    let v1 = world.name("app:v1");
    let diff = |arguments: &[&str]| {
        let start = ["image", "diff", &v1, "layout", "--advisories", "exports"];
        world.palisade(&[&start, arguments].concat())
    };
    let printed = diff(&[]);
    let told = printed.output.lines().filter(|line| !line.starts_with("- 127") && !line.starts_with("+ layout"));
    expect![[r#"

        Findings that open (1)
        SEVERITY  ID      PACKAGE   VERSION  MENDED IN
        high      GHSA-2  left-pad  1.3.0    2.0.0

        Findings that close (1)
        SEVERITY  ID      PACKAGE  VERSION  MENDED IN
        high      GHSA-1  ws       7.4.5    7.4.6

        Packages (2)
        PACKAGE           OLD    NEW
        pkg:npm/left-pad         1.3.0
        pkg:npm/ws        7.4.5  7.4.6

        Config (2)
        FIELD       OLD  NEW
        user             65532
        label team       pay

        Layers (2)
           LAYER  BYTES  STEP
        -  1      10240
        +  1      10240

        Files (5)
           PATH                                     BYTES
        ~  /app/config                              1 to 1
        +  /app/node_modules/left-pad
        +  /app/node_modules/left-pad/package.json  37
        ~  /app/node_modules/ws/package.json        31 to 31
        -  /app/old                                 1

        packages: 1 added, 0 removed, 1 changed; files: 5 differ; layers: 1 shared, 1 gone, 1 new; findings: 1 open, 1 close, 0 stay"#]]
    .assert_eq(&told.collect::<Vec<_>>().join("\n"));
    // Debian has no data in these exports.
    assert_eq!((printed.errors.as_str(), printed.code), ("", 3));
    assert_eq!(diff(&["--fail-on", "high+fixable"]).code, 1);
    assert_eq!(diff(&["--fail-on", "critical"]).code, 3);
    let report: Value = serde_json::from_str(&diff(&["-o", "json"]).output).expect("JSON");
    assert_eq!(report["findings"]["opened"][0]["id"], "GHSA-2");
    assert_eq!(report["layers"]["shared"], 1);
    assert_eq!(report["files"]["count"], 5);
    let markdown = diff(&["-o", "markdown"]).output;
    assert!(markdown.contains("<details><summary>Findings that open (1)</summary>"), "{markdown}");
    assert!(markdown.contains("| `pkg:npm/ws` | `7.4.5` | `7.4.6` |"), "{markdown}");
    let same = world.palisade(&["image", "diff", "layout", "layout"]);
    assert!(same.output.contains("packages: 0 added, 0 removed, 0 changed; files: 0 differ"), "{same:?}");
    assert_eq!(same.code, 0);
    // A bill has no files, and its packages are compared.
    let bill = world.palisade(&["image", "sbom", &v1, "-o", "cyclonedx-json"]).output;
    world.write("v1.json", &bill);
    let printed = world.palisade(&["image", "diff", "v1.json", "layout"]);
    assert!(printed.output.contains("files: not compared, a bill of materials has none"), "{printed:?}");
    assert!(printed.output.contains("packages: 1 added, 0 removed, 1 changed"), "{printed:?}");
    let printed = world.palisade(&["image", "diff", "v1.json", "./none"]);
    assert!(printed.errors.starts_with("error: cannot compare `./none`") && printed.code == 2, "{printed:?}");
}

#[test]
fn the_files_of_an_image_are_those_that_crane_exports() {
    let Some(world) = World::start("simple", &[]) else { return };
    let empty = world.layer("empty", &[("only", "x")]);
    world.push("empty:v1", None, &empty);
    let base = world.layer("lower", &[("a/x", "1"), ("a/y", "2"), ("b/z", "3"), ("c", "4")]);
    world.push("layers:v1", None, &base);
    let upper = world.layer("upper", &[("a/.wh.x", ""), ("b/.wh..wh..opq", ""), ("b/new", "5"), (".wh.c", "")]);
    world.push("layers:v2", Some("layers:v1"), &upper);
    let mut images = vec!["layers:v1".to_owned(), "layers:v2".to_owned()];
    for image in ["alma92", "alpine311", "distroless"] {
        if let Some(path) = palisade_peers::shared(&format!("images/{image}")) {
            world.crane(&["push", &path.display().to_string(), &world.name(&format!("{image}:v1"))]);
            images.push(format!("{image}:v1"));
        }
    }
    for image in images {
        world.crane(&["export", &world.name(&image), "all.tar"]);
        let theirs: BTreeSet<String> = world
            .tar_names("all.tar")
            .lines()
            .map(|path| format!("/{}", path.trim_start_matches("./").trim_end_matches('/')))
            .filter(|path| path != "/" && path != "/.")
            .collect();
        let (old, new) = (world.name("empty:v1"), world.name(&image));
        let printed = world.palisade(&["image", "diff", &old, &new, "-o", "json"]);
        let report: Value = serde_json::from_str(&printed.output).expect("JSON");
        let changes = report["files"]["changes"].as_array().expect("a list").iter();
        let added = changes.filter(|it| it["change"] == "added").filter_map(|it| it["path"].as_str());
        let ours: BTreeSet<String> = added.map(str::to_owned).collect();
        let only = |a: &BTreeSet<String>, b: &BTreeSet<String>| a.difference(b).cloned().collect::<Vec<_>>();
        // crane 0.20.6 takes no notice of opaque whiteouts; the specification, and every runtime, hides what is below.
        let known = if image == "layers:v2" { vec!["/b/z".to_owned()] } else { vec![] };
        assert_eq!((only(&ours, &theirs), only(&theirs, &ours)), (vec![], known), "{image}");
        assert!(!ours.is_empty(), "{image}");
    }
}
