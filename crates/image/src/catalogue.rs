//! All that is known of an image once its layers have streamed by.

use std::sync::Arc;

use palisade_model::Problem;
use serde::Serialize;

use crate::package::{LayerRef, Package, Release};

/// What is in an image.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Catalogue {
    /// Whose userland it is.
    pub distribution: Distribution,
    /// Every package of the final file system, by ecosystem, name, version and path. One that belongs to a package of
    /// the distribution is here as well, and says so in [`Package::owned_by`].
    pub packages: Vec<Package>,
    /// Files that look like software and could not be identified, by path.
    pub unidentified: Vec<Unidentified>,
    /// What could not be read, in the order of the layers.
    pub problems: Vec<Problem>,
    /// The layers, the lowest first.
    pub layers: Vec<Layer>,
    /// What the image says of itself.
    pub config: ImageConfig,
}

/// Whose userland it is, from `os-release`.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Distribution {
    /// `ID`; empty when there is no `os-release` (an image from scratch).
    pub id: Arc<str>,
    /// `VERSION_ID`.
    pub version_id: Arc<str>,
    /// `ID_LIKE`, split.
    pub like: Vec<String>,
    /// `VERSION_CODENAME`.
    pub codename: Option<String>,
    /// `PRETTY_NAME`, or `NAME`.
    pub name: Option<String>,
    /// `CPE_NAME`.
    pub cpe: Option<String>,
    /// `SUPPORT_END` (Fedora and others), a date. No other end of life is in an image.
    pub support_end: Option<String>,
    /// `VARIANT_ID`.
    pub variant: Option<String>,
}

impl Distribution {
    /// What the ecosystem of its packages carries.
    pub fn release(&self) -> Release {
        Release { id: self.id.clone(), version_id: self.version_id.clone() }
    }
}

/// A file that looks like software, and that no package answers for.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Unidentified {
    /// Where it lies.
    pub path: String,
    /// Its layer.
    pub layer: LayerRef,
    /// Why it could not be identified.
    pub why: Unknown,
}

/// Why a file could not be identified.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unknown {
    /// A program or library without build information that no package owns.
    ProgramWithoutBuildInfo,
    /// A Rust program without `.dep-v0`.
    RustWithoutDependencies,
    /// A Go program without build information.
    GoWithoutBuildInfo,
    /// An archive that says neither group nor artifact nor version.
    ArchiveWithoutCoordinates,
    /// It cannot be read: broken, encrypted, or past a limit.
    Unreadable,
    /// A database of packages in a format that is not read (Berkeley DB, ndb).
    UnknownDatabase,
}

/// One layer.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Layer {
    /// Which one.
    #[serde(flatten)]
    pub reference: LayerRef,
    /// Its media type.
    pub media_type: String,
    /// Bytes as stored.
    pub stored_bytes: u64,
    /// Bytes of its archive once it is uncompressed.
    pub bytes: u64,
    /// Entries in it.
    pub entries: u64,
    /// Whiteouts in it: what it removes of the layers below.
    pub whiteouts: u64,
    /// The step that made it, when the history tells.
    pub created_by: Option<String>,
}

/// What the image says of itself.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ImageConfig {
    /// The reference that was asked for.
    pub name: String,
    /// The tags that it has where it was found.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// The digest of the manifest of this platform; empty when there is none (a root folder, an old archive).
    pub digest: String,
    /// The digest of the index that the manifest was chosen from.
    pub index_digest: Option<String>,
    /// The digest of the config.
    pub config_digest: String,
    /// RFC 3339, as it is written.
    pub created: Option<String>,
    /// `linux`.
    pub os: String,
    /// `amd64`.
    pub architecture: String,
    /// `v8`.
    pub variant: Option<String>,
    /// `User`, as it is written.
    pub user: String,
    /// `Entrypoint`.
    pub entrypoint: Vec<String>,
    /// `Cmd`.
    pub command: Vec<String>,
    /// `Env`, each as `NAME=value`.
    pub environment: Vec<String>,
    /// `WorkingDir`.
    pub working_directory: String,
    /// `Labels`, sorted.
    pub labels: std::collections::BTreeMap<String, String>,
    /// Annotations of the manifest, sorted.
    pub annotations: std::collections::BTreeMap<String, String>,
    /// Each step, the oldest first.
    pub history: Vec<Step>,
}

/// A step of the history.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Step {
    /// RFC 3339, as it is written.
    pub created: Option<String>,
    /// The command.
    pub created_by: Option<String>,
    /// Whether it made no layer.
    pub empty_layer: bool,
}
