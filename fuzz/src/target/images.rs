//! Images: layers, documents, files that name packages, bills of materials.

use std::io::{self, Read};

use palisade_archive::digest::sha256;
use palisade_archive::{Blobs, read_manifest};
use palisade_image::lint::{Budget, LintReader, Seen, lint};
use palisade_image::sbom::{About, listed, read_bill, render_cyclonedx, render_spdx};
use palisade_image::{
    Catalogue, Collector, Entry, EntryKind, Functions, ImageConfig, Layer, LayerReader, LayerRef, LockFiles, Options,
    PackageUrl, Want,
};
use serde_json::json;

/// Blobs in memory; what is under a digest need not have it.
struct Memory(Vec<(String, Vec<u8>)>);

impl Blobs for Memory {
    fn manifest(&self, digest: &str) -> io::Result<Box<dyn Read + '_>> {
        let found = self.0.iter().find(|(its, _)| its == digest);
        found.map(|(_, bytes)| Box::new(&**bytes) as Box<dyn Read>).ok_or(io::ErrorKind::NotFound.into())
    }

    fn blob(&self, digest: &str, _size: u64) -> io::Result<Box<dyn Read + '_>> {
        self.manifest(digest)
    }
}

fn reader() -> LintReader {
    let options = Options { lock_files: LockFiles::Read, functions: Functions::Read };
    LintReader::new(Collector::new(options), Budget { bytes: u64::MAX, is_over: Box::new(|| false) })
}

const WRITTEN: &str = "a bill can be written";

/// What holds of every catalogue.
fn check(catalogue: &Catalogue) {
    for package in listed(catalogue) {
        assert!(PackageUrl::parse(&package.purl).is_some(), "no purl: {}", package.purl);
        assert!(package.path.starts_with('/'), "no path: {}", package.path);
    }
    let about = About { tool_version: "0".into(), timestamp: None };
    let bill = render_cyclonedx(catalogue, &about);
    read_bill(&serde_json::to_vec(&bill).expect(WRITTEN)).expect("what is written is read");
    read_bill(&serde_json::to_vec(&render_spdx(catalogue, &about)).expect(WRITTEN)).expect("what is written is read");
}

/// An image of one layer, and what is in it.
fn image(config: &[u8], layer: &[u8]) {
    let manifest =
        json!({"schemaVersion": 2, "config": {"digest": sha256(config)}, "layers": [{"digest": "sha256:1"}]});
    let manifest = manifest.to_string().into_bytes();
    let root = sha256(&manifest);
    let blobs = [(root.clone(), manifest), (sha256(config), config.to_vec()), ("sha256:1".into(), layer.to_vec())];
    let mut reader = reader();
    if let Ok(read) = read_manifest(&Memory(blobs.into()), &root, None, &mut reader) {
        let seen = reader.finish(read.config, read.problems);
        check(&seen.catalogue);
        lint(&seen);
    }
}

/// Bytes as a layer, plain or compressed.
pub(super) fn layers(bytes: &[u8]) {
    image(br#"{"os": "linux", "rootfs": {"diff_ids": ["sha256:2"]}}"#, bytes);
}

/// Bytes as index, manifest and config.
pub(super) fn documents(bytes: &[u8]) {
    let _ = read_manifest(&Memory(vec![(sha256(bytes), bytes.to_vec())]), &sha256(bytes), None, &mut reader());
    image(bytes, b"");
}

/// A file by the path in the first line, and what is in an image of it alone.
pub(super) fn packages(bytes: &[u8]) {
    let Some(seen) = one_file(bytes) else { return };
    check(&seen.catalogue);
    lint(&seen);
}

fn one_file(bytes: &[u8]) -> Option<Seen> {
    let line = bytes.iter().position(|byte| *byte == b'\n').unwrap_or(bytes.len());
    let path = String::from_utf8_lossy(&bytes[..line]).into_owned();
    let path = palisade_image::entry::clean_path(&path).filter(|path| !path.is_empty())?;
    let body = bytes.get(line + 1..).unwrap_or_default();
    let mut reader = reader();
    let reference = LayerRef { index: 0, diff_id: "sha256:2".into(), digest: "sha256:1".into() };
    let (media_type, created_by) = (String::new(), None);
    let (stored_bytes, entries, whiteouts) = (0, 0, 0);
    reader.begin_layer(&Layer { reference, media_type, stored_bytes, bytes: 0, entries, whiteouts, created_by });
    let entry = Entry { path: &path, kind: EntryKind::File, size: body.len() as u64, mode: 0o4777, user: 0, group: 0 };
    if reader.entry(&entry) == Want::Bytes && body.chunks(700).all(|piece| reader.bytes(piece) == Want::Bytes) {
        reader.end(true);
    }
    reader.end_layer(0, 0);
    Some(reader.finish(ImageConfig::default(), Vec::new()))
}

/// How many modules a file that is a Go program was built of, and how many functions are linked into it.
#[cfg(test)]
pub fn go_functions(bytes: &[u8]) -> Option<(usize, usize)> {
    let program = one_file(bytes)?.catalogue.packages.first()?.go.clone()?;
    match &program.functions {
        palisade_image::GoFunctions::Names(names) => Some((program.modules.len(), names.iter().count())),
        palisade_image::GoFunctions::NotRead | palisade_image::GoFunctions::Unreadable(_) => None,
    }
}

/// Bytes as a bill of materials: what is read is written and read again with the same packages.
pub(super) fn bills(bytes: &[u8]) {
    let Ok(catalogue) = read_bill(bytes) else { return };
    let about = About { tool_version: "0".into(), timestamp: None };
    let again = read_bill(&serde_json::to_vec(&render_cyclonedx(&catalogue, &about)).expect(WRITTEN))
        .expect("what is written is read");
    assert_eq!(listed(&again).count(), listed(&catalogue).count(), "packages were lost");
}
