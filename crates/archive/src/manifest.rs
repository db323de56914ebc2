//! Indexes, manifests and configs, as they are stored.

use std::collections::BTreeMap;

use palisade_image::ImageConfig;
use palisade_image::catalogue::Step;
use serde::{Deserialize, Serialize};

/// Points to a blob.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Descriptor {
    /// What kind of content it is.
    pub media_type: String,
    /// `sha256:` and 64 digits, once somebody has looked.
    pub digest: String,
    /// In bytes.
    pub size: u64,
    /// What it runs on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub platform: Option<StoredPlatform>,
    /// What else is said of it; nobody vouches for it.
    #[serde(deserialize_with = "null_is_empty", skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
    /// What an artifact is for; nobody vouches for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
}

/// What a manifest is for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct StoredPlatform {
    /// `linux`.
    pub os: String,
    /// `amd64`.
    pub architecture: String,
    /// `v8`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
}

/// An index or a manifest: which one it is, its fields tell.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Document {
    pub media_type: Option<String>,
    pub manifests: Option<Vec<Descriptor>>,
    pub config: Option<Descriptor>,
    pub layers: Option<Vec<Descriptor>>,
    pub subject: Option<Descriptor>,
    #[serde(deserialize_with = "null_is_empty")]
    pub annotations: BTreeMap<String, String>,
}

/// The config of an image; Docker's is the same.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct StoredConfig {
    created: Option<String>,
    os: String,
    architecture: String,
    variant: Option<String>,
    config: Option<StoredRun>,
    rootfs: Option<RootFs>,
    #[serde(deserialize_with = "null_is_empty")]
    history: Vec<StoredStep>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct StoredRun {
    #[serde(deserialize_with = "null_is_empty")]
    user: String,
    #[serde(deserialize_with = "null_is_empty")]
    entrypoint: Vec<String>,
    #[serde(deserialize_with = "null_is_empty")]
    cmd: Vec<String>,
    #[serde(deserialize_with = "null_is_empty")]
    env: Vec<String>,
    #[serde(deserialize_with = "null_is_empty")]
    working_dir: String,
    #[serde(deserialize_with = "null_is_empty")]
    labels: BTreeMap<String, String>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct RootFs {
    #[serde(deserialize_with = "null_is_empty")]
    diff_ids: Vec<String>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct StoredStep {
    created: Option<String>,
    created_by: Option<String>,
    empty_layer: bool,
}

/// Docker's archives write `null` for what is empty.
fn null_is_empty<'de, D: serde::Deserializer<'de>, T: Default + Deserialize<'de>>(from: D) -> Result<T, D::Error> {
    Ok(Option::deserialize(from)?.unwrap_or_default())
}

impl StoredConfig {
    /// The digests of the uncompressed layers, the lowest first.
    pub fn diff_ids(&self) -> &[String] {
        self.rootfs.as_ref().map_or(&[], |root| &root.diff_ids)
    }

    /// The command that made the layer of that index.
    pub fn created_by(&self, layer: usize) -> Option<&str> {
        self.history.iter().filter(|step| !step.empty_layer).nth(layer)?.created_by.as_deref()
    }

    /// As the catalogue has it, without names and digests.
    pub fn into_config(self) -> ImageConfig {
        let run = self.config.unwrap_or_default();
        let step =
            |it: StoredStep| Step { created: it.created, created_by: it.created_by, empty_layer: it.empty_layer };
        ImageConfig {
            created: self.created,
            os: self.os,
            architecture: self.architecture,
            variant: self.variant,
            user: run.user,
            entrypoint: run.entrypoint,
            command: run.cmd,
            environment: run.env,
            working_directory: run.working_dir,
            labels: run.labels,
            history: self.history.into_iter().map(step).collect(),
            ..ImageConfig::default()
        }
    }
}
