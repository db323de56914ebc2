//! Layouts that a test writes: blobs, manifests, and `index.json`.

use std::fs;

use palisade_archive::digest::sha256;
use serde_json::{Value, json};

use crate::session::Folder;

pub const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub const INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// A layout in `folder/layout`.
pub struct Layout<'f> {
    folder: &'f Folder,
    entries: Vec<Value>,
}

impl<'f> Layout<'f> {
    pub fn new(folder: &'f Folder) -> Self {
        folder.write("layout/oci-layout", r#"{"imageLayoutVersion":"1.0.0"}"#);
        let layout = Self { folder, entries: Vec::new() };
        layout.save();
        layout
    }

    pub fn blob(&self, media_type: &str, bytes: impl AsRef<[u8]>) -> Value {
        let bytes = bytes.as_ref();
        let digest = sha256(bytes);
        self.folder.write(&format!("layout/blobs/sha256/{}", &digest[7..]), bytes);
        json!({"mediaType": media_type, "digest": digest, "size": bytes.len()})
    }

    /// Lists something, with a tag unless that is empty.
    pub fn entry(&mut self, mut descriptor: Value, tag: &str) -> String {
        if !tag.is_empty() {
            descriptor["annotations"] = json!({"org.opencontainers.image.ref.name": tag});
        }
        let digest = descriptor["digest"].as_str().expect("a digest").to_owned();
        self.entries.push(descriptor);
        self.save();
        digest
    }

    /// An image with a layer that says `text`.
    pub fn image(&self, text: &str) -> Value {
        let config = self.blob("application/vnd.oci.image.config.v1+json", r#"{"os":"linux","architecture":"amd64"}"#);
        let layer = self.blob("application/vnd.oci.image.layer.v1.tar", text);
        self.manifest(json!({"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": [layer]}))
    }

    pub fn manifest(&self, manifest: Value) -> Value {
        let media_type = manifest["mediaType"].as_str().expect("a media type").to_owned();
        self.blob(&media_type, serde_json::to_vec(&manifest).expect("JSON"))
    }

    /// Something that refers to the subject.
    pub fn referrer(&mut self, subject: &Value, media_type: &str, bytes: impl AsRef<[u8]>) {
        let config = self.blob("application/vnd.oci.empty.v1+json", "{}");
        let layer = self.blob(media_type, bytes);
        let manifest = self.manifest(json!({
            "schemaVersion": 2, "mediaType": MANIFEST, "artifactType": media_type,
            "config": config, "layers": [layer], "subject": subject,
        }));
        self.entry(manifest, "");
    }

    fn save(&self) {
        let index = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": self.entries});
        self.folder.write("layout/index.json", index.to_string());
    }
}

/// Changes the index of a layout that was copied.
pub fn edit(folder: &Folder, layout: &str, change: impl FnOnce(&mut Value)) {
    let path = folder.0.join(layout).join("index.json");
    let mut index = serde_json::from_slice(&fs::read(&path).expect("an index")).expect("JSON");
    change(&mut index);
    fs::write(path, index.to_string()).expect("written");
}
