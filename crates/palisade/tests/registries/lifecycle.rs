//! An image that the lifecycle of Cloud Native Buildpacks itself made, and put on a newer run image.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::PathBuf;
use std::process::Command;

use palisade_peers::programs::{LAUNCHER, LIFECYCLE};
use palisade_peers::python::Environment;
use serde_json::Value;

use crate::world::{Printed, World, debian, files};

/// Says that it takes part, and puts in a layer and the three bills of it that lie beside it.
const BUILDPACK: &[(&str, &str)] = &[
    (
        "buildpack.toml",
        r#"api = "0.10"
[buildpack]
id = "example/shop"
version = "1.0.0"
sbom-formats = ["application/vnd.cyclonedx+json", "application/spdx+json", "application/vnd.syft+json"]
[[targets]]
os = "linux"
"#,
    ),
    ("bin/detect", "#!/bin/sh\nexit 0\n"),
    (
        "bin/build",
        r#"#!/bin/sh
set -eu
mkdir -p "$CNB_LAYERS_DIR/deps/node_modules/ws"
printf '[types]\nlaunch = true\n' > "$CNB_LAYERS_DIR/deps.toml"
printf '{"name":"ws","version":"7.4.5"}' > "$CNB_LAYERS_DIR/deps/node_modules/ws/package.json"
cp "$CNB_BUILDPACK_DIR"/bills/* "$CNB_LAYERS_DIR/"
"#,
    ),
];

/// A platform: what it calls the lifecycle with.
struct Platform<'w> {
    world: &'w World,
    lifecycle: PathBuf,
    launcher: PathBuf,
}

impl Platform<'_> {
    /// Publishes the run image with that version of Debian's package.
    fn publish_run_image(&self, version: &str) {
        let name = self.world.name("run:12");
        let layer = self.world.layer(&format!("run-{}", version.replace(':', "-")), &files(&debian(version)));
        self.world.push("run:12", None, &layer);
        let labels = ["io.buildpacks.base.distro.name=debian", "io.buildpacks.base.distro.version=12"];
        let flags = ["--set-platform", "linux/amd64", "--label", labels[0], "--label", labels[1]];
        self.world.crane(&[&["mutate", "-t", &name], &flags[..], &[&name]].concat());
    }

    fn run(&self, phase: &str, arguments: &[&str]) {
        // Its phases are names of the one program. It gives up root's rights for those of a user that owns the folders.
        let program = self.world.folder.join(phase);
        fs::copy(&self.lifecycle, &program).expect("a file of the test");
        let own = fs::metadata(&self.world.folder).expect("the test's folder");
        let id = |id: u32| if id == 0 { "1000".to_owned() } else { id.to_string() };
        let output = Command::new(program)
            .args(["-uid", &id(own.uid()), "-gid", &id(own.gid())])
            .args(arguments)
            .env_clear()
            .envs([("CNB_PLATFORM_API", "0.14"), ("CNB_REGISTRY_AUTH", "{}"), ("PATH", "/usr/bin:/bin")])
            .current_dir(&self.world.folder)
            .output()
            .expect("it starts");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        assert!(output.status.success(), "{phase}: {}{}", text(&output.stdout), text(&output.stderr));
    }

    /// Makes the image of the application.
    fn create(&self, image: &str) {
        let world = self.world;
        let run = world.name("run:12");
        for (file, text) in BUILDPACK {
            let path = format!("buildpacks/example_shop/1.0.0/{file}");
            world.write(&path, text);
            fs::set_permissions(world.folder.join(path), fs::Permissions::from_mode(0o755)).expect("permissions");
        }
        world.write("order.toml", "[[order]]\n[[order.group]]\nid = \"example/shop\"\nversion = \"1.0.0\"\n");
        world.write("run.toml", &format!("[[images]]\nimage = \"{run}\"\n"));
        world.write("app/main.js", "console.log('shop')\n");
        world.write("platform/README", "");
        world.write("launcher-sbom/README", "");
        let layers = world.folder.join("layers");
        fs::create_dir_all(&layers).expect("a folder of the test");
        // That user reads nothing of the home folder.
        let launcher = world.folder.join("launcher");
        fs::copy(&self.launcher, &launcher).expect("a file of the test");
        let (layers, launcher) = (layers.to_string_lossy(), launcher.to_string_lossy());
        self.run(
            "creator",
            &[
                &["-app", "app", "-buildpacks", "buildpacks", "-order", "order.toml", "-platform", "platform"][..],
                &["-layers", &layers, "-launcher", &launcher, "-launcher-sbom", "launcher-sbom", "-skip-restore"],
                &["-run", "run.toml", "-run-image", &run, &world.name(image)][..],
            ]
            .concat(),
        );
    }
}

/// The bills that syft writes of a folder of Node, in its three forms.
fn bills_of_syft(world: &World) -> Option<()> {
    let syft = Environment::get()?.program("syft");
    let lock = r#"{"name":"shop","version":"1.0.0","lockfileVersion":3,"packages":{
        "":{"name":"shop","version":"1.0.0"},
        "node_modules/ws":{"version":"7.4.5"},
        "node_modules/lodash":{"version":"4.17.20"}}}"#;
    world.write("built/package-lock.json", lock);
    world.write("built/deps/pip.dist-info/METADATA", "Name: Py_YAML\nVersion: 6.0\n");
    let bills = world.folder.join("buildpacks/example_shop/1.0.0/bills");
    fs::create_dir_all(&bills).expect("a folder of the test");
    let mut command = Command::new(syft);
    command.arg("scan").arg(format!("dir:{}", world.folder.join("built").display())).arg("-q");
    for (form, end) in [("cyclonedx-json", "cdx"), ("spdx-json", "spdx"), ("syft-json", "syft")] {
        command.args(["-o", &format!("{form}={}", bills.join(format!("deps.sbom.{end}.json")).display())]);
    }
    let output = command.env("SYFT_CHECK_FOR_APP_UPDATE", "false").output().expect("syft starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(())
}

fn json_of(printed: &Printed) -> Value {
    serde_json::from_str(&printed.output).unwrap_or_else(|error| panic!("{error}: {printed:?}"))
}

#[test]
fn what_the_lifecycle_made_is_recognized_its_bills_are_read_and_a_rebase_by_it_is_enough() {
    let (Some(lifecycle), Some(launcher)) = (LIFECYCLE.get(), LAUNCHER.get()) else { return };
    let Some(world) = World::start("simple", &[]) else { return };
    let Some(()) = bills_of_syft(&world) else { return };
    let platform = Platform { world: &world, lifecycle, launcher };
    platform.publish_run_image("1:1.2.13");
    platform.create("shop:1");
    let name = world.name("shop:1");

    let printed = world.palisade(&["image", "inspect", &name]);
    assert!(printed.output.contains("example/shop@1.0.0"), "{printed:?}");
    let sboms = printed.output.lines().find(|line| line.starts_with("their SBOMs")).unwrap_or("");
    assert!(sboms.ends_with("layer 2"), "{printed:?}");

    // What the bills alone tell is told once, by the bill; what lies in the image is told by its file; the run image's
    // package is of its database.
    let printed = world.palisade(&["image", "sbom", &name, "-o", "json"]);
    let report = json_of(&printed);
    let packages = report["image"]["packages"].as_array().expect("a list").iter();
    let row = |it: &Value| {
        let text = |key: &str| it[key].as_str().unwrap_or("").to_owned();
        let path = text("path").rsplit("/layers/").next().unwrap_or_default().to_owned();
        format!("{} {} {} {} {path}", text("ecosystem"), text("name"), text("version"), text("evidence"))
    };
    let rows: Vec<String> = packages.filter(|it| it["ecosystem"] != "Go").map(row).collect();
    assert_eq!(
        rows,
        [
            "debian 12 zlib1g 1:1.2.13 package-database /var/lib/dpkg/status",
            "PyPI py-yaml 6.0 sbom sbom/launch/example_shop/deps/sbom.cdx.json",
            "npm lodash 4.17.20 sbom sbom/launch/example_shop/deps/sbom.cdx.json",
            "npm shop 1.0.0 sbom sbom/launch/example_shop/deps/sbom.cdx.json",
            "npm ws 7.4.5 installed-metadata example_shop/deps/node_modules/ws/package.json",
        ]
    );
    assert_eq!((printed.code, &*printed.errors), (0, ""));

    let bases = || world.palisade(&["image", "bases", "-o", "json", &name]);
    let told = |printed: &Printed| {
        let image = &json_of(printed)["images"][0];
        format!("{} {}", image["state"].as_str().unwrap_or(""), image["do"].as_str().unwrap_or("-"))
    };
    assert_eq!(told(&bases()), "current nothing", "{:?}", bases());
    platform.publish_run_image("1:1.3.1");
    let printed = bases();
    assert_eq!((told(&printed).as_str(), printed.code), ("behind rebase", 1), "{printed:?}");
    // The lifecycle does it, and then nothing is left to do.
    platform.run("rebaser", &["-report", "layers/rebased.toml", "-run-image", &world.name("run:12"), &name]);
    assert_eq!(told(&bases()), "current nothing", "{:?}", bases());
    let printed = world.palisade(&["image", "sbom", &name]);
    assert!(printed.output.contains("1:1.3.1") && printed.output.contains("lodash"), "{printed:?}");
}
