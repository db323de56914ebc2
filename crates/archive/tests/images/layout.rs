//! Writes images into a folder of their own, which goes with the value.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use flate2::Compression;
use flate2::write::GzEncoder;
use palisade_archive::digest::sha256;
use palisade_archive::{Place, Platform, ReadError, Request};
use palisade_image::{Catalogue, Collector, Options};
use serde_json::{Value, json};

/// A folder that is removed with it.
pub struct Folder(pub PathBuf);

impl Folder {
    pub fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("palisade-images-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path).expect("a folder of the test");
        Self(path)
    }

    pub fn write(&self, name: &str, bytes: &[u8]) {
        let path = self.0.join(name);
        fs::create_dir_all(path.parent().expect("a file lies in a folder")).expect("a folder of the test");
        fs::write(path, bytes).expect("a file of the test");
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).expect("memory can be written");
    encoder.finish().expect("memory can be written")
}

/// An OCI layout of layers: each as it is stored, and uncompressed.
pub fn layout(layers: &[(Vec<u8>, Vec<u8>)]) -> Folder {
    let folder = Folder::new();
    let manifest = image(&folder, "amd64", layers);
    index(&folder, &[manifest]);
    folder
}

/// The same, of layers that are stored with gzip.
pub fn layout_of(tars: &[Vec<u8>]) -> Folder {
    layout(&tars.iter().map(|tar| (gzip(tar), tar.clone())).collect::<Vec<_>>())
}

pub fn blob(folder: &Folder, bytes: &[u8]) -> String {
    let digest = sha256(bytes);
    folder.write(&format!("blobs/sha256/{}", &digest["sha256:".len()..]), bytes);
    digest
}

/// Writes an image and gives the descriptor of its manifest.
pub fn image(folder: &Folder, architecture: &str, layers: &[(Vec<u8>, Vec<u8>)]) -> Value {
    let diff_ids: Vec<String> = layers.iter().map(|(_, tar)| sha256(tar)).collect();
    let config = json!({"os": "linux", "architecture": architecture, "created": "2026-01-02T03:04:05Z",
                        "config": {"User": "1000", "Labels": null}, "rootfs": {"type": "layers", "diff_ids": diff_ids}});
    let config = descriptor(folder, "application/vnd.oci.image.config.v1+json", config.to_string().as_bytes());
    let layers: Vec<Value> = layers
        .iter()
        .map(|(stored, _)| descriptor(folder, "application/vnd.oci.image.layer.v1.tar+gzip", stored))
        .collect();
    const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
    let manifest = json!({"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": layers});
    let mut manifest = descriptor(folder, MANIFEST, manifest.to_string().as_bytes());
    manifest["platform"] = json!({"os": "linux", "architecture": architecture});
    manifest
}

fn descriptor(folder: &Folder, media_type: &str, bytes: &[u8]) -> Value {
    json!({"mediaType": media_type, "digest": blob(folder, bytes), "size": bytes.len()})
}

pub fn index(folder: &Folder, manifests: &[Value]) {
    folder.write("oci-layout", b"{\"imageLayoutVersion\":\"1.0.0\"}");
    folder.write("index.json", json!({"schemaVersion": 2, "manifests": manifests}).to_string().as_bytes());
}

/// Reads what lies at a path, as the program does.
pub fn read(path: &Path, name: Option<&str>, platform: Option<&Platform>) -> Result<Catalogue, ReadError> {
    let mut collector = Collector::new(Options::default());
    let place = Place::at(path)?;
    let read = palisade_archive::read(&place, path, &Request { name, platform }, &mut collector)?;
    Ok(collector.finish(read.config, read.problems))
}

pub fn read_only(folder: &Folder) -> Catalogue {
    read(&folder.0, None, None).expect("an image")
}

/// `name version@layer` of each package, and the code of each problem.
pub fn summary(catalogue: &Catalogue) -> String {
    let packages = catalogue.packages.iter().map(|it| format!("{} {}@{}", it.name, it.version, it.layer.index));
    let problems = catalogue.problems.iter().map(|problem| format!("! {}", problem.code));
    packages.chain(problems).collect::<Vec<_>>().join(", ")
}

/// A package of Node as a layer holds it.
pub fn node(name: &str, version: &str) -> (String, Vec<u8>) {
    let path = format!("app/node_modules/{name}/package.json");
    (path, json!({"name": name, "version": version}).to_string().into_bytes())
}
