//! From an index or manifest to layers: the platform is chosen, digests are checked, layers stream by.

use std::collections::BTreeMap;
use std::fmt;
use std::io::Read;
use std::str::FromStr;

use palisade_image::{ImageConfig, Layer, LayerReader, LayerRef};
use palisade_model::Problem;

use crate::blobs::Blobs;
use crate::digest;
use crate::layer::read_layer;
use crate::manifest::{Descriptor, Document, StoredConfig, StoredPlatform};

/// Which of the images of an index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Platform {
    /// `linux`.
    pub os: String,
    /// `amd64`.
    pub architecture: String,
    /// `v8`; any when it is not said.
    pub variant: Option<String>,
}

impl Platform {
    /// Linux on the architecture that this program was built for.
    pub fn here() -> Self {
        let architecture = match std::env::consts::ARCH {
            "x86_64" => "amd64",
            "aarch64" => "arm64",
            "x86" => "386",
            other => other,
        };
        Self { os: "linux".into(), architecture: architecture.into(), variant: None }
    }

    /// Whether an image for `stored` is one for this.
    pub fn takes(&self, stored: &StoredPlatform) -> bool {
        let variant = match (&self.variant, &stored.variant) {
            (None, _) => true,
            (Some(asked), stored) => stored.as_ref().is_none_or(|stored| stored == asked),
        };
        stored.os == self.os && stored.architecture == self.architecture && variant
    }
}

impl FromStr for Platform {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts: Vec<&str> = text.split('/').collect();
        let (os, architecture, variant) = match parts[..] {
            [os, architecture] => (os, architecture, None),
            [os, architecture, variant] => (os, architecture, Some(variant.to_owned())),
            _ => return Err(format!("`{text}` is no platform; write `linux/amd64` or `linux/arm64/v8`")),
        };
        Ok(Self { os: os.to_owned(), architecture: architecture.to_owned(), variant })
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.os, self.architecture)?;
        self.variant.iter().try_for_each(|variant| write!(f, "/{variant}"))
    }
}

/// Why an image cannot be read at all.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The place itself.
    #[error("cannot read `{path}`")]
    Place {
        /// Which one.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// Nothing that this reads.
    #[error("`{0}` is no image: no OCI layout, no archive of `docker save`, no folder")]
    NoImage(String),
    /// A blob that everything hangs on.
    #[error("cannot read {what} {digest}")]
    Blob {
        /// `index`, `manifest` or `config`.
        what: &'static str,
        /// Its digest.
        digest: String,
        /// Why.
        source: std::io::Error,
    },
    /// It is not what its digest says.
    #[error("{what} {digest} has the digest {found}")]
    Digest {
        /// `index`, `manifest` or `config`.
        what: &'static str,
        /// The digest that it should have.
        digest: String,
        /// The one that it has.
        found: String,
    },
    /// It is no JSON of its kind.
    #[error("{what} {digest} cannot be read")]
    Json {
        /// `index`, `manifest` or `config`.
        what: &'static str,
        /// Its digest.
        digest: String,
        /// Why.
        source: serde_json::Error,
    },
    /// Neither index nor image.
    #[error("{digest} is no image: {why}")]
    NotAnImage {
        /// Its digest.
        digest: String,
        /// What it is instead.
        why: String,
    },
    /// The index has none for the platform.
    #[error("no image for {asked}; there are: {present}")]
    NoPlatform {
        /// The platform that was asked for.
        asked: String,
        /// Those that there are.
        present: String,
    },
    /// Several, and nothing says which.
    #[error("several images, and nothing says which: {0}")]
    Several(String),
    /// No image of that name.
    #[error("no image `{asked}`; there are: {present}")]
    NoName {
        /// The name that was asked for.
        asked: String,
        /// Those that there are.
        present: String,
    },
}

/// An image whose layers have been read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageRead {
    /// What it says of itself.
    pub config: ImageConfig,
    /// What was wrong with its layers.
    pub problems: Vec<Problem>,
}

/// The longest index, manifest or config that is read: the config of an image of 127 layers has some 100 kB.
pub const LONGEST_DOCUMENT: u64 = 16 << 20;

/// Indexes in indexes are followed so far.
const DEEPEST_INDEX: usize = 4;

/// Layers of one image; overlay file systems take 127.
const MOST_LAYERS: usize = 1024;

/// Reads the image that an index or manifest of `blobs` is, or holds for `platform`.
///
/// # Errors
/// When it has no such image, or its manifest or config is not what its digest says.
pub fn read_manifest(
    blobs: &dyn Blobs,
    digest: &str,
    platform: Option<&Platform>,
    reader: &mut impl LayerReader,
) -> Result<ImageRead, ReadError> {
    let found = find(blobs, digest, platform)?;
    let mut read = read_image(blobs, &found.digest, &found.config, found.layers, reader)?;
    read.config.index_digest = found.index;
    read.config.annotations = found.annotations;
    Ok(read)
}

/// What such an image says of itself, and its layers, none of which is read.
///
/// # Errors
/// As with [`read_manifest`].
pub fn read_config(
    blobs: &dyn Blobs,
    digest: &str,
    platform: Option<&Platform>,
) -> Result<(ImageConfig, Vec<Layer>), ReadError> {
    let found = find(blobs, digest, platform)?;
    check_layers(&found.digest, &found.layers)?;
    let stored = read_stored_config(blobs, &found.config)?;
    let layers = found.layers.iter().enumerate();
    let layers = layers.map(|(index, it)| layer(index, &stored, &it.digest, &it.media_type)).collect();
    let mut config = stored.into_config();
    (config.digest, config.index_digest) = (found.digest, found.index);
    (config.config_digest, config.annotations) = (found.config.digest, found.annotations);
    Ok((config, layers))
}

/// The manifest of one image.
struct Found {
    digest: String,
    index: Option<String>,
    config: Descriptor,
    layers: Vec<Descriptor>,
    annotations: BTreeMap<String, String>,
}

fn find(blobs: &dyn Blobs, digest: &str, platform: Option<&Platform>) -> Result<Found, ReadError> {
    let mut index = None;
    let mut digest = digest.to_owned();
    for _ in 0..DEEPEST_INDEX {
        let document = parse("manifest", &digest, &read_document("manifest", &digest, blobs.manifest(&digest))?)?;
        match document {
            Document { manifests: Some(manifests), .. } => {
                let chosen = choose(&manifests, platform)?;
                index.get_or_insert_with(|| digest.clone());
                digest = chosen.digest.clone();
            }
            Document { config: Some(config), layers: Some(layers), annotations, .. } => {
                return Ok(Found { digest, index, config, layers, annotations });
            }
            Document { .. } => {
                return Err(ReadError::NotAnImage { digest, why: "it has neither manifests nor layers".into() });
            }
        }
    }
    Err(ReadError::NotAnImage { digest, why: format!("indexes lie in indexes, more than {DEEPEST_INDEX} deep") })
}

fn check_layers(digest: &str, layers: &[Descriptor]) -> Result<(), ReadError> {
    if layers.len() <= MOST_LAYERS {
        return Ok(());
    }
    let why = format!("it has {} layers; {MOST_LAYERS} are read", layers.len());
    Err(ReadError::NotAnImage { digest: digest.to_owned(), why })
}

fn read_stored_config(blobs: &dyn Blobs, config: &Descriptor) -> Result<StoredConfig, ReadError> {
    let opened = blobs.blob(&config.digest, config.size);
    parse("config", &config.digest, &read_document("config", &config.digest, opened)?)
}

/// The image for the platform; without one asked for, the only one or that for this machine.
pub fn choose<'a>(manifests: &'a [Descriptor], platform: Option<&Platform>) -> Result<&'a Descriptor, ReadError> {
    let images: Vec<&Descriptor> = manifests.iter().filter(|it| is_image(it)).collect();
    let here = Platform::here();
    let asked = match (platform, &images[..]) {
        (None, [only]) => return Ok(only),
        (platform, _) => platform.unwrap_or(&here),
    };
    let fits = |it: &&&Descriptor| it.platform.as_ref().is_some_and(|stored| asked.takes(stored));
    // Of several variants the plain one, or the first that the index has.
    images.iter().find(fits).copied().ok_or_else(|| {
        let present = images.iter().map(|it| it.platform.as_ref().map_or_else(|| it.digest.clone(), written));
        let mut present: Vec<String> = present.collect();
        present.dedup();
        ReadError::NoPlatform { asked: asked.to_string(), present: present.join(", ") }
    })
}

/// Whether it is an image and not an attestation, a signature or another artifact in the same index.
fn is_image(descriptor: &Descriptor) -> bool {
    let is_unknown = descriptor.platform.as_ref().is_some_and(|platform| platform.os == "unknown");
    !is_unknown
        && descriptor.artifact_type.is_none()
        && !descriptor.annotations.contains_key("vnd.docker.reference.type")
}

fn written(platform: &StoredPlatform) -> String {
    let variant = platform.variant.as_ref().map(|variant| format!("/{variant}")).unwrap_or_default();
    format!("{}/{}{variant}", platform.os, platform.architecture)
}

fn read_image(
    blobs: &dyn Blobs,
    digest: &str,
    config: &Descriptor,
    layers: Vec<Descriptor>,
    reader: &mut impl LayerReader,
) -> Result<ImageRead, ReadError> {
    check_layers(digest, &layers)?;
    let stored = read_stored_config(blobs, config)?;
    let mut problems = Vec::new();
    if stored.diff_ids().len() != layers.len() {
        let message = format!("{} layers, and diff ids of {}", layers.len(), stored.diff_ids().len());
        problems.push(Problem::error("image-diff-ids", message));
    }
    for (index, descriptor) in layers.iter().enumerate() {
        let layer = layer(index, &stored, &descriptor.digest, &descriptor.media_type);
        problems.extend(read_layer(&|| blobs.blob(&descriptor.digest, descriptor.size), &layer, reader));
    }
    let mut image = stored.into_config();
    image.digest = digest.to_owned();
    image.config_digest.clone_from(&config.digest);
    Ok(ImageRead { config: image, problems })
}

/// A layer before it was read.
pub fn layer(index: usize, config: &StoredConfig, digest: &str, media_type: &str) -> Layer {
    let diff_id = config.diff_ids().get(index).map_or("", String::as_str);
    Layer {
        reference: LayerRef { index: index as u32, diff_id: diff_id.into(), digest: digest.into() },
        media_type: media_type.to_owned(),
        stored_bytes: 0,
        bytes: 0,
        entries: 0,
        whiteouts: 0,
        created_by: config.created_by(index).map(str::to_owned),
    }
}

/// What was opened, whole, when it is what its digest says.
fn read_document(
    what: &'static str,
    digest: &str,
    opened: std::io::Result<Box<dyn Read + '_>>,
) -> Result<Vec<u8>, ReadError> {
    let failed = |source| ReadError::Blob { what, digest: digest.to_owned(), source };
    let mut bytes = Vec::new();
    opened.map_err(failed)?.take(LONGEST_DOCUMENT + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > LONGEST_DOCUMENT {
        return Err(failed(std::io::Error::other(format!("longer than {LONGEST_DOCUMENT} bytes"))));
    }
    match digest::sha256(&bytes) {
        found if found == digest => Ok(bytes),
        found => Err(ReadError::Digest { what, digest: digest.to_owned(), found }),
    }
}

/// A document from its JSON.
pub fn parse<T: serde::de::DeserializeOwned>(what: &'static str, digest: &str, bytes: &[u8]) -> Result<T, ReadError> {
    serde_json::from_slice(bytes).map_err(|source| ReadError::Json { what, digest: digest.to_owned(), source })
}
