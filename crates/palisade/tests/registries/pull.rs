//! An image of a registry is read as the same image in a folder is.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use expect_test::expect;
use palisade_peers::shared;

use crate::world::{World, debian, files};

#[test]
fn an_image_of_a_registry_is_what_it_is_in_a_layout() {
    let Some(world) = World::start("simple", &[]) else { return };
    let layer = world.layer("debian", &files(&debian("1:1.2.13")));
    let digest = world.push("team/app:v1", None, &layer);
    // crane reads it as well: what it writes as a layout has the same packages.
    world.crane(&["pull", "--format=oci", &world.name("team/app:v1"), "layout"]);
    let name = world.name("team/app:v1");
    let printed = world.palisade(&["image", "sbom", &name]);
    expect![[r#"
        ECOSYSTEM  PACKAGE  VERSION   LAYER  PATH
        debian 12  zlib1g   1:1.2.13  0      /var/lib/dpkg/status

        1 packages
    "#]]
    .assert_eq(&printed.output);
    assert_eq!((printed.errors.as_str(), printed.code), ("", 0));
    // What it is called is another thing than what it is.
    let bill = |image: &str| {
        let text = world.palisade(&["image", "sbom", image, "-o", "json"]).output.replace(image, "IMAGE");
        let mut bill: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        bill["image"]["config"]["tags"].take();
        bill
    };
    let by_digest = world.name(&format!("team/app@{digest}"));
    assert_eq!(bill(&name), bill("layout"));
    assert_eq!(bill(&name), bill(&by_digest));
    assert_eq!(bill(&name)["image"]["config"]["digest"], digest.as_str());
}

#[test]
fn an_image_that_cannot_be_had_says_why() {
    let Some(world) = World::start("simple", &[]) else { return };
    let printed = world.palisade(&["image", "sbom", &world.name("none:v1")]);
    let told = printed.errors.replace(&world.server.address, "REGISTRY");
    expect![[r#"
        error: cannot pull `REGISTRY/none:v1`
          caused by: `REGISTRY` has no image `none:v1`: Unknown name (NAME_UNKNOWN)
    "#]]
    .assert_eq(&told);
    assert_eq!((printed.output.as_str(), printed.code), ("", 2));
    // Nobody listens there, and the name says nothing of a registry.
    world.write(
        "config/palisade/registries.json",
        r#"{"registries": {"docker.io": {"mirrors": ["127.0.0.1:1"]}}, "patienceSeconds": 5}"#,
    );
    let printed = world.palisade(&["image", "sbom", "nothing-of-this-name"]);
    assert_eq!(printed.code, 2);
    assert!(printed.errors.contains("`https://127.0.0.1:1/v2/`: no connection: Connection refused"), "{printed:?}");
    let hint = "no file or folder is called `nothing-of-this-name`, so it was taken for \
                `docker.io/library/nothing-of-this-name:latest`";
    assert!(printed.errors.contains(hint), "{printed:?}");
    for (arguments, why) in [
        (&["image", "sbom", "No Image"][..], "is no file or folder, and no image of a registry"),
        (&["image", "sbom", "x", "--insecure-registry", "http://y"], "cannot use `--insecure-registry http://y`"),
        (&["image", "sbom", "x", "--registries", "none.json"], "cannot use the config of registries `none.json`"),
        (&["image", "sbom", "oci:none"], "cannot read `none`"),
    ] {
        let printed = world.palisade(arguments);
        assert!(printed.errors.contains(why) && printed.code == 2, "{arguments:?}: {printed:?}");
    }
}

#[test]
fn the_platform_is_chosen_from_an_index() {
    let Some(world) = World::start("distribution", &[]) else { return };
    for (tag, version, platform) in [("amd", "1:1.2.13", "linux/amd64"), ("arm", "1:1.2.14", "linux/arm64/v8")] {
        let layer = world.layer(tag, &files(&debian(version)));
        world.push(&format!("app:{tag}"), None, &layer);
        world.crane(&[
            "mutate",
            "--set-platform",
            platform,
            "-t",
            &world.name(&format!("app:{tag}")),
            &world.name(&format!("app:{tag}")),
        ]);
    }
    let (amd, arm) = (world.name("app:amd"), world.name("app:arm"));
    let index = world.name("app:all");
    world.crane(&["index", "append", "-m", &amd, "-m", &arm, "-t", &index]);
    for (platform, version) in [("linux/amd64", "1:1.2.13"), ("linux/arm64", "1:1.2.14")] {
        let printed = world.palisade(&["image", "sbom", &index, "--platform", platform]);
        assert!(printed.output.contains(version), "{platform}: {printed:?}");
    }
    let printed = world.palisade(&["image", "sbom", &index, "--platform", "linux/s390x"]);
    assert_eq!(printed.code, 2);
    assert!(printed.errors.contains("no image for linux/s390x; there are: linux/amd64, linux/arm64/v8"), "{printed:?}");
}

#[test]
fn a_registry_with_certificates_of_its_own_and_tokens_takes_credentials_of_docker_and_of_programs() {
    let Some(world) = World::start("distribution", &["tls", "token"]) else { return };
    world.server.docker_config(r#"{"auth": "bWU6c2VjcmV0"}"#);
    let layer = world.layer("debian", &files(&debian("1:1.2.13")));
    world.push("team/app:v1", None, &layer);
    let name = world.name("team/app:v1");
    let printed = world.palisade(&["image", "sbom", &name]);
    assert!(printed.errors.contains("the server's certificate is not trusted"), "{printed:?}");
    assert!(printed.errors.contains("hint: name the registry's authority in the config of registries"), "{printed:?}");
    assert_eq!(printed.code, 2);
    world.trust();
    let printed = world.palisade(&["image", "sbom", &name]);
    assert!(printed.output.contains("1:1.2.13") && printed.code == 0, "{printed:?}");
    // Nobody is let in, and the answer says so.
    world.server.docker_config("{}");
    let printed = world.palisade(&["image", "sbom", &name]);
    assert!(printed.errors.contains("wants credentials for image `team/app:v1`"), "{printed:?}");
    assert!(printed.errors.contains(&format!("hint: docker login {}", world.server.address)), "{printed:?}");
    // A program keeps the password.
    let config = format!(r#"{{"credHelpers": {{"{}": "of-the-test"}}}}"#, world.server.address);
    fs::write(world.server.folder.join("docker/config.json"), config).expect("written");
    let programs = world.folder.join("programs");
    world.write(
        "programs/docker-credential-of-the-test",
        "#!/bin/sh\nread server\n[ \"$1\" = get ] || exit 1\n\
         echo \"{\\\"ServerURL\\\": \\\"$server\\\", \\\"Username\\\": \\\"me\\\", \\\"Secret\\\": \\\"secret\\\"}\"\n",
    );
    let program = programs.join("docker-credential-of-the-test");
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("a program");
    let printed = world.palisade(&["image", "sbom", &name]);
    assert!(printed.errors.contains("`docker-credential-of-the-test` gives no credentials"), "{printed:?}");
    assert_eq!(printed.code, 2);
    let path = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap_or_default());
    let printed = world.palisade_with(&["image", "sbom", &name], &[("PATH", &path)]);
    assert!(printed.output.contains("1:1.2.13") && printed.code == 0, "{printed:?}");
}

#[test]
fn a_mirror_gives_what_its_registry_has() {
    let Some(world) = World::start("simple", &[]) else { return };
    let layer = world.layer("debian", &files(&debian("1:1.2.13")));
    world.push("hub/library/debian:12", None, &layer);
    let text = format!(r#"{{"registries": {{"docker.io": {{"mirrors": ["{}/hub"]}}}}}}"#, world.server.address);
    world.write("config/palisade/registries.json", &text);
    let printed = world.palisade(&["image", "sbom", "debian:12"]);
    assert!(printed.output.contains("1:1.2.13") && printed.code == 0, "{printed:?}");
}

#[test]
fn shared_images_are_the_same_from_a_registry() {
    let Some(world) = World::start("distribution", &[]) else { return };
    for image in ["alma92", "alpine311", "distroless"] {
        let Some(path) = shared(&format!("images/{image}")) else { return };
        let path = path.display().to_string();
        world.crane(&["push", &path, &world.name(&format!("{image}:latest"))]);
        let bill = |image: &str| {
            let text = world.palisade(&["image", "sbom", image, "-o", "json"]).output;
            let bill: serde_json::Value = serde_json::from_str(&text).expect("JSON");
            (bill["image"]["packages"].to_string(), bill["image"]["layers"].to_string())
        };
        let (remote, local) = (bill(&world.name(&format!("{image}:latest"))), bill(&path));
        assert!(remote == local && remote.0.contains("purl"), "{image} is another one in the registry");
    }
}
