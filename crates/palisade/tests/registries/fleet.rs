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

/// In base64, as `kubectl` writes the data of a Secret.
fn encoded(world: &World, text: &str) -> String {
    world.write("plain", text);
    let output = std::process::Command::new("base64").args(["-w", "0"]).arg(world.folder.join("plain")).output();
    String::from_utf8(output.expect("base64 starts").stdout).expect("it is text")
}

#[test]
fn what_manifests_run_is_pulled_with_the_secrets_that_they_name() {
    let Some(world) = World::start("distribution", &["tls", "basic"]) else { return };
    world.trust();
    let config = world.server.docker_config(r#"{"username": "me", "password": "secret"}"#);
    let layer = world.layer("web", &files(&debian("1:1.2.13")));
    world.push("web:v1", None, &layer);
    world.push("job:v1", None, &world.layer("job", &files(&debian("1:1.3.1"))));
    // From here on the user is nobody.
    std::fs::remove_dir_all(config).expect("it was written");
    let registry = &world.server.address;
    let wrong = format!(r#"{{"auths": {{"{registry}": {{"username": "me", "password": "guessed"}}}}}}"#);
    let right = format!(r#"{{"https://{registry}/v2/": {{"username": "me", "password": "secret"}}}}"#);
    let manifests = format!(
        r#"
apiVersion: v1
kind: Secret
metadata: {{name: old, namespace: shop}}
type: kubernetes.io/dockerconfigjson
stringData: {{.dockerconfigjson: '{wrong}'}}
---
apiVersion: v1
kind: Secret
metadata: {{name: regcred, namespace: shop}}
type: kubernetes.io/dockercfg
data:
  .dockercfg: {}
---
apiVersion: v1
kind: Secret
metadata: {{name: torn, namespace: shop}}
type: kubernetes.io/dockerconfigjson
data: {{.dockerconfigjson: c2VjcmV0}}
---
{{apiVersion: v1, kind: ServiceAccount, metadata: {{name: builder, namespace: shop}}, imagePullSecrets: [{{name: regcred}}]}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {{name: web, namespace: shop}}
spec:
  selector: {{matchLabels: {{app: web}}}}
  template:
    metadata: {{labels: {{app: web}}}}
    spec: {{imagePullSecrets: [{{name: old}}, {{name: torn}}, {{name: regcred}}], containers: [{{name: c, image: "{registry}/web:v1"}}]}}
---
apiVersion: v1
kind: Pod
metadata: {{name: job, namespace: shop}}
spec: {{serviceAccountName: builder, containers: [{{name: c, image: "{registry}/job:v1"}}]}}
---
apiVersion: v1
kind: Pod
metadata: {{name: bare, namespace: shop}}
spec: {{imagePullSecrets: [{{name: old}}, {{name: torn}}, {{name: gone}}], containers: [{{name: c, image: "{registry}/web:v2"}}]}}
"#,
        encoded(&world, &right)
    );
    world.write("secrets.yaml", &manifests);
    let printed = world.palisade(&["image", "sbom", "-f", "secrets.yaml", "-o", "json"]);
    let report: Value = serde_json::from_str(&printed.output).unwrap_or_else(|error| panic!("{error}: {printed:?}"));
    let pulled: Vec<(&Value, &Value)> = report["images"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|it| (&it["runBy"][0]["workload"], &it["pulledWith"][0]))
        .collect();
    let (job, web, secret) = ("Pod shop/job".into(), "Deployment shop/web".into(), "shop/regcred".into());
    assert_eq!(pulled, [(&job, &secret), (&web, &secret)], "{printed:?}");
    expect![[r#"
        not read: `REGISTRY/web:v2`: `REGISTRY` wants credentials for image `web:v2`: authentication required (UNAUTHORIZED); with the pull secret `shop/old`: `REGISTRY` wants credentials for image `web:v2`: authentication required (UNAUTHORIZED); its pull secret `shop/torn`, secrets.yaml:15, is no config of Docker; its pull secret `shop/gone` is not in the manifests
          run by Pod shop/bare (c)
        pulled with the Secret `shop/regcred` of the manifests: REGISTRY/job:v1
        pulled with the Secret `shop/regcred` of the manifests: REGISTRY/web:v1
    "#]]
    .assert_eq(&told(&world, &printed.errors));
    assert_eq!(printed.code, 3);
    // Through a pipe too, and for who asks whether they are signed: nobody has.
    let made = world.palisade_with(&["image", "key", "other"], &[("PALISADE_KEY_PASSWORD", "made-up")]);
    assert_eq!(made.code, 0, "{made:?}");
    let verified = world.palisade(&["image", "verify", "-f", "secrets.yaml", "--key", "other.pub"]);
    assert_eq!(verified.output.matches("pulled with the Secret `shop/regcred`").count(), 2, "{verified:?}");
    assert_eq!(verified.output.matches("REFUSED").count(), 2, "{verified:?}");
    for text in [&printed.output, &printed.errors, &verified.output, &verified.errors] {
        assert!(!text.contains("guessed") && !text.contains(&encoded(&world, "secret")[..6]), "{text}");
    }
}
