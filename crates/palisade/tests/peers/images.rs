//! The images that are compared, and what our program says of them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::reasons::Bill;

/// Where saved images and databases are kept from one run to the next.
pub fn folder() -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("peers");
    fs::create_dir_all(&folder).expect("the folder is the test's");
    folder
}

/// A layout as an archive of `docker save`, which is what peers read.
pub fn saved(shared: &Path, name: &str) -> PathBuf {
    let layout = shared.join("images").join(name);
    let blobs = layout.join("blobs/sha256");
    let read = |path: PathBuf| -> Value {
        serde_json::from_slice(&fs::read(&path).expect("a blob of the layout")).expect("JSON")
    };
    let hex = |digest: &Value| text(&digest["digest"]).trim_start_matches("sha256:").to_owned();
    let mut manifest = read(layout.join("index.json"));
    while manifest["layers"].is_null() {
        manifest = read(blobs.join(hex(&manifest["manifests"][0])));
    }
    let layers: Vec<String> = manifest["layers"].as_array().expect("layers").iter().map(hex).collect();
    let config = hex(&manifest["config"]);
    let archive = folder().join(format!("{name}.tar"));
    let pack = || {
        let own = folder().join(format!("{name}.saved"));
        fs::create_dir_all(&own).expect("the folder is the test's");
        let saved = json!([{"Config": config, "RepoTags": [format!("{name}:1")], "Layers": layers}]);
        fs::write(own.join("manifest.json"), saved.to_string()).expect("the folder is the test's");
        let mut tar = Command::new("tar");
        tar.arg("-cf").arg(&archive).arg("-C").arg(&own).arg("manifest.json").arg("-C").arg(&blobs);
        tar.arg(&config).args(&layers).status().is_ok_and(|it| it.success())
    };
    assert!(locked(name, || archive.exists() || pack()), "tar cannot pack {name}");
    archive
}

/// One at a time, of all tests that share what is made.
pub fn locked(name: &str, make: impl FnOnce() -> bool) -> bool {
    let lock = fs::File::create(folder().join(format!("{name}.lock"))).expect("the folder is the test's");
    lock.lock().expect("a lock of this machine");
    make()
}

/// What our program says of an image.
pub fn palisade(arguments: &[&str], archive: &Path) -> Value {
    let mut command = Command::new(env!("CARGO_BIN_EXE_palisade"));
    command.arg("image").args(arguments).arg(archive).args(["-o", "json"]);
    let output = command.env("XDG_CACHE_HOME", folder()).output().expect("the binary starts");
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!told.contains("problem"), "{told}");
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {told}"))
}

/// Every package of `image sbom`, also those that belong to one of the distribution.
pub fn packages(archive: &Path) -> Vec<Value> {
    palisade(&["sbom"], archive)["image"]["packages"].as_array().expect("a list").clone()
}

/// The same by name and version.
pub fn bill(packages: &[Value]) -> Bill {
    let entry = |it: &Value| {
        let name = format!("{} {}", text(&it["name"]).to_lowercase(), text(&it["version"]));
        (name, it["ownedBy"].is_string())
    };
    packages.iter().map(entry).collect::<BTreeMap<_, _>>()
}

pub fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
