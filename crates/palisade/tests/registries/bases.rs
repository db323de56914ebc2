//! What images were made from, and whether that is behind: images that crane appended, rebased and labelled.

use serde_json::{Value, json};

use crate::world::{Printed, World, debian, files};

/// The layers of an image as crane reads them.
fn diff_ids(world: &World, image: &str) -> Vec<String> {
    let config: Value = serde_json::from_str(&world.crane(&["config", &world.name(image)])).expect("a config");
    config["rootfs"]["diff_ids"].as_array().expect("a list").iter().map(|it| it.as_str().unwrap_or("").into()).collect()
}

/// Pushes a base of that version of Debian's package under `base:12`.
fn publish(world: &World, version: &str) -> String {
    let layer = world.layer(&format!("base-{}", version.replace(':', "-")), &files(&debian(version)));
    world.push("base:12", None, &layer)
}

fn app(world: &World) -> String {
    world.layer("app", &[("app/node_modules/ws/package.json", r#"{"name":"ws","version":"7.4.5"}"#)])
}

fn json_of(printed: &Printed) -> Value {
    serde_json::from_str(&printed.output).unwrap_or_else(|error| panic!("{error}: {printed:?}"))
}

/// A label as crane takes it: commas stay where there is but one `=`.
fn label(key: &str, value: &str) -> String {
    assert!(!value.contains('='));
    format!("{key}={value}")
}

/// State, what to do, and why of the only image.
fn told(report: &Value) -> (String, String, String) {
    let image = &report["images"][0];
    let text = |key: &str| image[key].as_str().unwrap_or("").to_owned();
    (text("state"), text("do"), text("why"))
}

#[test]
fn an_image_is_behind_when_its_base_has_other_layers_now() {
    let Some(world) = World::start("simple", &[]) else { return };
    let first = publish(&world, "1:1.2.13");
    world.push("app:v1", Some("base:12"), &app(&world));
    let base = world.name("base:12");
    // crane notes the base only where the base is in OCI's form; who builds says it with labels otherwise.
    let name = world.name("app:v1");
    let labels =
        [label("org.opencontainers.image.base.name", &base), label("org.opencontainers.image.base.digest", &first)];
    world.crane(&["mutate", "--label", &labels[0], "--label", &labels[1], "-t", &name, &name]);
    let bases = |arguments: &[&str]| world.palisade(&[&["image", "bases", "-o", "json"], arguments].concat());
    let printed = bases(&[&name]);
    assert_eq!(told(&json_of(&printed)).0, "current", "{printed:?}");
    assert_eq!(printed.code, 0);
    // The base is recorded as it is now, and found by its layers in an image that says nothing.
    let recorded = world.palisade(&["image", "bases", &base, "--record", "bases.json"]);
    assert_eq!(recorded.code, 0, "{recorded:?}");
    world.crane(&["append", "-f", &app(&world), "-b", &base, "-t", &world.name("silent:v1")]);
    let silent = world.name("silent:v1");
    let printed = bases(&[&silent]);
    assert_eq!((told(&json_of(&printed)).0.as_str(), printed.code), ("unknown", 3), "{printed:?}");
    let report = json_of(&bases(&[&silent, "--known-bases", "bases.json"]));
    assert_eq!((told(&report).0.as_str(), report["images"][0]["base"]["by"].as_str()), ("current", Some("layers")));
    let second = publish(&world, "1:1.3.1");
    for arguments in [&[name.as_str()][..], &[&silent, "--known-bases", "bases.json"]] {
        let printed = bases(arguments);
        let report = json_of(&printed);
        let (state, what, why) = told(&report);
        assert_eq!((state.as_str(), what.as_str(), printed.code), ("behind", "rebuild", 1), "{why}");
        assert_eq!(report["images"][0]["present"].as_str(), Some(second.as_str()));
    }
    // What crane puts on the new base is current again.
    let old = world.name(&format!("base@{first}"));
    world.crane(&["rebase", &name, "--old_base", &old, "--new_base", &base, "-t", &world.name("app:v2")]);
    assert_eq!(told(&json_of(&bases(&[&world.name("app:v2")]))).0, "current");
}

/// As the lifecycle labels an image that it made on a run image.
fn built(world: &World, image: &str, more: &[(&str, &str)]) -> String {
    world.push(image, Some("base:12"), &app(world));
    let layers = diff_ids(world, image);
    let metadata = json!({
        "app": [], "sbom": {"sha": layers[1]},
        "buildpacks": [{"key": "example/nodejs", "version": "1.2.3", "layers": {}}],
        "runImage": {"topLayer": layers[0], "reference": format!("{}@sha256:0", world.name("base")),
                     "image": world.name("base:12"), "mirrors": []},
    });
    let name = world.name(image);
    let mut arguments = vec!["mutate".to_owned(), "-t".into(), name.clone(), name.clone()];
    let metadata = metadata.to_string();
    for (key, value) in [("io.buildpacks.lifecycle.metadata", metadata.as_str())].iter().chain(more) {
        arguments.extend(["--label".to_owned(), label(key, value)]);
    }
    world.crane(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
    name
}

#[test]
fn a_rebase_is_enough_for_what_buildpacks_made_on_a_run_image_of_the_same_distribution() {
    let Some(world) = World::start("simple", &[]) else { return };
    publish(&world, "1:1.2.13");
    let distribution = ("io.buildpacks.base.distro.version", "12");
    let name = built(&world, "app:v1", &[distribution]);
    let fixed = built(&world, "fixed:v1", &[("io.buildpacks.rebasable", "false")]);
    let printed = world.palisade(&["image", "inspect", &name]);
    assert!(printed.output.contains("example/nodejs@1.2.3"), "{printed:?}");
    let sboms = printed.output.lines().find(|line| line.starts_with("their SBOMs")).unwrap_or("");
    assert!(sboms.ends_with("layer 1"), "{printed:?}");
    let bases = |arguments: &[&str]| world.palisade(&[&["image", "bases", "-o", "json"], arguments].concat());
    assert_eq!(told(&json_of(&bases(&[&name]))).0, "current");
    publish(&world, "1:1.3.1");
    let base = world.name("base:12");
    world.crane(&["mutate", "--label", &label(distribution.0, "12"), "-t", &base, &base]);
    let (state, what, _) = told(&json_of(&bases(&[&name])));
    assert_eq!((state.as_str(), what.as_str()), ("behind", "rebase"));
    let (_, what, why) = told(&json_of(&bases(&[&fixed])));
    assert_eq!((what.as_str(), why.as_str()), ("rebuild", "it says that it is not to be rebased"));
    // Findings in the run image go with a rebase, those of the rest do not.
    for (ecosystem, record) in [
        (
            "Debian",
            r#"{"id": "DEBIAN-CVE-1", "modified": "2026-08-21T00:00:00Z", "affected": [{"package": {"ecosystem":
            "Debian:12", "name": "zlib"}, "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"},
            {"fixed": "1:1.3.0"}]}]}]}"#,
        ),
        (
            "npm",
            r#"{"id": "GHSA-1", "modified": "2026-08-21T00:00:00Z", "affected": [{"package": {"ecosystem": "npm",
            "name": "ws"}, "ranges": [{"type": "SEMVER", "events": [{"introduced": "7.0.0"}, {"fixed": "7.4.6"}]}]}]}"#,
        ),
    ] {
        let mut writer = palisade_feeds::zip::Writer::default();
        writer.add("A-1.json", record.as_bytes());
        world.write("exports/README", "");
        std::fs::write(world.folder.join(format!("exports/{ecosystem}.zip")), writer.finish()).expect("written");
    }
    let report = json_of(&bases(&[&name, "--advisories", "exports"]));
    let (_, what, why) = told(&report);
    assert_eq!(what, "rebuild");
    assert!(why.contains("1 findings of its own can be mended"), "{why}");
    let split = &report["images"][0]["findings"];
    assert_eq!((&split["base"], &split["own"], &split["isKnown"]), (&json!(1), &json!(1), &json!(true)));
    let scan = world.palisade(&["image", "scan", &name, "--advisories", "exports"]);
    assert!(scan.output.contains("; 1 in the base, 1 of its own"), "{scan:?}");
    assert!(scan.output.contains("A newer base image mends these (1)"), "{scan:?}");
    // Another distribution's run image is not put below.
    world.crane(&["mutate", "--label", &label(distribution.0, "13"), "-t", &base, &base]);
    let (_, what, why) = told(&json_of(&bases(&[&name])));
    assert_eq!(what, "rebuild");
    assert!(why.contains("its io.buildpacks.base.distro.version is `13` and not `12`"), "{why}");
    // All that manifests run, with who runs it.
    let pod = |name: &str, image: &str| {
        format!(
            "apiVersion: v1\nkind: Pod\nmetadata: {{name: {name}}}\nspec: {{containers: [{{name: c, image: \"{image}\"}}]}}\n"
        )
    };
    world.write("pods.yaml", &[pod("a", &name), pod("b", &world.name("gone:v1"))].join("---\n"));
    let printed = world.palisade(&["image", "bases", "-f", "pods.yaml"]);
    assert_eq!(printed.code, 1, "{printed:?}");
    assert!(printed.output.contains("rebuild") && printed.output.contains("run by Pod default/a (c)"), "{printed:?}");
    assert!(printed.errors.contains("not read: "), "{printed:?}");
}
