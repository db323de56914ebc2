//! What was signed, put beside its image.

use std::collections::BTreeMap;

use palisade_archive::shelf::{Entry, MANIFEST};
use palisade_archive::{Descriptor, Shelf};
use palisade_model::Timestamp;
use palisade_signatures::Subject;
use palisade_signatures::sign::{self, Made};
use serde_json::{Value, json};

use crate::failure::Failure;
use crate::image::store;

/// Most bytes of the manifest of older signatures.
const LONGEST_MANIFEST: u64 = 4 << 20;

/// The config of what has none.
const EMPTY: &str = "application/vnd.oci.empty.v1+json";

/// Under one of cosign's older tags, behind what is there already. Gives the digest of the manifest.
///
/// # Errors
/// When it cannot be stored, or what is there cannot be read: it is not written over.
pub fn under_tag(shelf: &dyn Shelf, image: &Subject, end: &str, made: &Made) -> Result<String, Failure> {
    let tag = format!("{}.{end}", image.digest.replace(':', "-"));
    let mut layers: Vec<Value> = Vec::new();
    if let Some(there) = shelf.tagged(&tag).map_err(store::failure)? {
        let bytes = shelf.manifest(&there, LONGEST_MANIFEST).map_err(store::failure)?;
        let manifest: Value = serde_json::from_slice(&bytes).map_err(Failure::new)?;
        let listed = manifest["layers"].as_array().cloned();
        layers = listed.ok_or_else(|| Failure::new(format!("what the tag `{tag}` leads to is no manifest")))?;
    }
    let mut layer = shelf.store_blob(made.media_type, &made.bytes).map_err(store::failure)?;
    layer.annotations.clone_from(&made.annotations);
    layers.push(json!(layer));
    let digests: Vec<&Value> = layers.iter().map(|layer| &layer["digest"]).collect();
    let beginning = "0001-01-01T00:00:00Z";
    let config = json!({
        "architecture": "", "os": "", "config": {}, "created": beginning,
        "history": digests.iter().map(|_| json!({"created": beginning})).collect::<Vec<_>>(),
        "rootfs": {"type": "layers", "diff_ids": digests},
    });
    let config = shelf
        .store_blob("application/vnd.oci.image.config.v1+json", config.to_string().as_bytes())
        .map_err(store::failure)?;
    let manifest = json!({"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": layers});
    let stored = shelf.store_manifest(manifest.to_string().as_bytes(), &Entry::Tag(&tag)).map_err(store::failure)?;
    Ok(stored.digest)
}

/// As something that refers to the image. Gives the digest of the manifest.
///
/// # Errors
/// When it cannot be stored.
pub fn as_referrer(shelf: &dyn Shelf, image: &Subject, made: &Made, now: Timestamp) -> Result<String, Failure> {
    let (artifact_type, config_type) = match made.media_type {
        // notation finds its signatures by the type of the config.
        sign::JWS => (None, sign::NOTARY),
        bundle => (Some(bundle), EMPTY),
    };
    let config = shelf.store_blob(config_type, b"{}").map_err(store::failure)?;
    let layer = shelf.store_blob(made.media_type, &made.bytes).map_err(store::failure)?;
    let created = Timestamp::from_second(now.as_second()).unwrap_or(now).to_string();
    let mut annotations: BTreeMap<&str, &str> =
        made.annotations.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    annotations.insert("org.opencontainers.image.created", &created);
    let subject = Descriptor {
        media_type: image.media_type.clone(),
        digest: image.digest.clone(),
        size: image.manifest.len() as u64,
        ..Descriptor::default()
    };
    let mut manifest = json!({
        "schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": [layer], "subject": subject,
        "annotations": annotations,
    });
    if let Some(artifact_type) = artifact_type {
        manifest["artifactType"] = artifact_type.into();
    }
    let entry = Entry::Referrer(artifact_type.unwrap_or(config_type));
    let stored = shelf.store_manifest(manifest.to_string().as_bytes(), &entry).map_err(store::failure)?;
    Ok(stored.digest)
}
