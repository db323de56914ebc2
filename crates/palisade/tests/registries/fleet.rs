//! Every image that manifests run is read once, and who runs it is told.

use expect_test::expect;
use serde_json::Value;

use crate::world::{World, debian, files};

/// Three images, one of them under two names and one that is not there, and a policy.
fn shop(world: &World) {
    for (image, version) in [("web:v1", "1:1.2.13"), ("job:v1", "1:1.3.1")] {
        let layer = world.layer(&image.replace(':', "-"), &files(&debian(version)));
        world.push(image, None, &layer);
    }
    world.crane(&["tag", &world.name("web:v1"), "stable"]);
    let manifests = r#"
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      initContainers:
      - {name: setup, image: "REGISTRY/web:stable"}
      containers:
      - {name: nginx, image: "REGISTRY/web:v1"}
      - {name: log, image: "REGISTRY/log:v1"}
---
apiVersion: batch/v1
kind: CronJob
metadata: {name: nightly, namespace: shop}
spec:
  schedule: "0 3 * * *"
  jobTemplate:
    spec:
      template:
        spec:
          restartPolicy: Never
          containers:
          - {name: job, image: "REGISTRY/job:v1"}
---
apiVersion: v1
kind: Pod
metadata: {name: debug, namespace: shop}
spec:
  containers:
  - {name: app, image: "REGISTRY/job:v1"}
  ephemeralContainers:
  - {name: shell, image: "REGISTRY/web:v1"}
  volumes:
  - {name: models, image: {reference: "REGISTRY/job:v1"}}
"#;
    world.write("shop.yaml", &manifests.replace("REGISTRY", &world.server.address));
}

/// With the registry's name and every digest left out.
fn told(world: &World, text: &str) -> String {
    let text = text.replace(&world.server.address, "REGISTRY");
    let mut parts = text.split("sha256:");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| text + "sha256:..." + part.trim_start_matches(|it: char| it.is_ascii_hexdigit()))
}

#[test]
fn bills_of_all_that_manifests_run_are_made_once_per_image() {
    let Some(world) = World::start("simple", &[]) else { return };
    shop(&world);
    let printed = world.palisade(&["image", "sbom", "-f", "shop.yaml"]);
    expect![[r#"
        REGISTRY/job:v1
        sha256:...
        ECOSYSTEM  PACKAGE  VERSION  LAYER  PATH
        debian 12  zlib1g   1:1.3.1  0      /var/lib/dpkg/status

        1 packages

        REGISTRY/web:stable, REGISTRY/web:v1
        sha256:...
        ECOSYSTEM  PACKAGE  VERSION   LAYER  PATH
        debian 12  zlib1g   1:1.2.13  0      /var/lib/dpkg/status

        1 packages

    "#]]
    .assert_eq(told(&world, &printed.output).split("IMAGE ").next().unwrap_or_default());
    let table: Vec<String> = printed
        .output
        .lines()
        .skip_while(|line| !line.starts_with("IMAGE "))
        .map(|line| told(&world, line).split_whitespace().collect::<Vec<_>>().join(" "))
        .collect();
    expect![[r#"
        IMAGE PACKAGES RUN BY
        REGISTRY/job:v1 1 CronJob shop/nightly (job), Pod shop/debug (app), Pod shop/debug (models)
        REGISTRY/web:stable, REGISTRY/web:v1 1 Deployment shop/web (nginx), Deployment shop/web (setup), Pod shop/debug (shell)
        REGISTRY/log:v1 not read Deployment shop/web (log)"#]]
    .assert_eq(&table.join("\n"));
    expect![[r#"
        not read: `REGISTRY/log:v1`: `REGISTRY` has no image `log:v1`: Unknown name (NAME_UNKNOWN)
          run by Deployment shop/web (log)
    "#]]
    .assert_eq(&told(&world, &printed.errors));
    assert_eq!(printed.code, 3);
    let printed = world.palisade(&["image", "sbom", "-f", "shop.yaml", "-o", "spdx-json", "--into", "bills"]);
    assert_eq!((printed.code, printed.output.lines().count()), (3, 2), "{printed:?}");
    for line in printed.output.lines() {
        let path = line.split("  ").next().expect("a path");
        let again = world.palisade(&["image", "sbom", path]);
        assert!(again.output.contains("zlib1g") && again.code == 0, "{again:?}");
    }
    for arguments in [&["sbom", "-f", "shop.yaml", "-o", "spdx-json"][..], &["sbom", "x", "-f", "shop.yaml"], &["sbom"]]
    {
        let printed = world.palisade(&[&["image"], arguments].concat());
        assert_eq!(printed.code, 2, "{printed:?}");
    }
}

#[test]
fn all_that_manifests_run_is_scanned_and_what_cannot_be_had_leaves_it_undecided() {
    let Some(world) = World::start("simple", &[]) else { return };
    shop(&world);
    let record = r#"{"id": "DEBIAN-CVE-2022-37434", "modified": "2026-08-21T00:00:00Z", "aliases": ["CVE-2022-37434"],
        "affected": [{"package": {"ecosystem": "Debian:12", "name": "zlib"}, "ranges": [{"type": "ECOSYSTEM",
        "events": [{"introduced": "0"}, {"fixed": "1:1.3.0"}]}]}]}"#;
    let mut writer = palisade_feeds::zip::Writer::default();
    writer.add("DEBIAN-CVE-2022-37434.json", record.as_bytes());
    world.write("exports/README", "");
    std::fs::write(world.folder.join("exports/Debian.zip"), writer.finish()).expect("written");
    let scan = |arguments: &[&str]| {
        let start = ["image", "scan", "-f", "shop.yaml", "--advisories", "exports"];
        world.palisade(&[&start, arguments].concat())
    };
    let printed = scan(&["-o", "json"]);
    assert_eq!(printed.code, 1, "{printed:?}");
    let report: Value = serde_json::from_str(&printed.output).expect("JSON");
    let images = report["images"].as_array().expect("images");
    let counts: Vec<usize> = images.iter().map(|it| it["findings"].as_array().map_or(0, Vec::len)).collect();
    assert_eq!(counts, [0, 1]);
    assert_eq!(images[1]["names"].as_array().map(Vec::len), Some(2));
    assert_eq!(images[1]["runBy"][0]["workload"], "Deployment shop/web");
    assert_eq!(images[1]["findings"][0]["package"], "zlib1g");
    assert_eq!(report["unavailable"][0]["name"], world.name("log:v1"));
    let totals = &report["totals"];
    assert_eq!((&totals["images"], &totals["fail"], &totals["unavailable"]), (&2.into(), &1.into(), &1.into()));
    // Nothing that fails, and not all could be seen.
    assert_eq!(scan(&["--fail-on", "kev"]).code, 3);
    let table = scan(&[]);
    assert!(table.output.contains("2 images, 1 of them fail; 1 could not be read"), "{table:?}");
    assert!(table.output.contains("run by Deployment shop/web (nginx)"), "{table:?}");
    for (format, part) in [("sarif", "image-unavailable"), ("junit", "CVE-2022-37434"), ("markdown", "CVE-2022-37434")]
    {
        let printed = scan(&["-o", format]);
        assert!(printed.output.contains(part) && printed.code == 1, "{format}: {printed:?}");
    }
    assert_eq!(scan(&["-o", "cyclonedx-vex"]).code, 2);
    // What an earlier report has is not new.
    world.write("earlier.json", &printed.output);
    assert_eq!(scan(&["--baseline", "earlier.json", "--fail-on", "new"]).code, 3);
    // Nothing at all could be had.
    let gone = std::fs::read_to_string(world.folder.join("shop.yaml")).expect("written").replace("v1", "v2");
    world.write(
        "shop.yaml",
        &gone.replace("stable", "v2").replace("batch/v2", "batch/v1").replace("apps/v2", "apps/v1"),
    );
    let printed = scan(&[]);
    assert_eq!(printed.code, 2, "{printed:?}");
}
