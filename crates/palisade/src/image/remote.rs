//! An image in a registry, as the reader of images wants it.

use std::io::{self, Read};

use crate::progress::Progress;
use palisade_archive::{Blobs, ImageRead, Platform, ReadError};
use palisade_image::{ImageConfig, Layer, LayerReader};
use palisade_registry::{Manifest, Reference, Registry, RegistryError, Repository, Version};

/// The blobs of a repository. Each is held against its digest and size as it comes.
struct RemoteBlobs<'r> {
    registry: &'r Registry,
    repository: &'r Repository,
    /// The one that the reference leads to; it is asked for once.
    root: &'r Manifest,
    progress: &'r Progress,
}

impl Blobs for RemoteBlobs<'_> {
    fn manifest(&self, digest: &str) -> io::Result<Box<dyn Read + '_>> {
        if digest == self.root.descriptor.digest {
            return Ok(Box::new(&self.root.bytes[..]));
        }
        let manifest = self.registry.manifest(self.repository, Version::Digest(digest)).map_err(io::Error::other)?;
        Ok(Box::new(io::Cursor::new(manifest.bytes)))
    }

    fn blob(&self, digest: &str, size: u64) -> io::Result<Box<dyn Read + '_>> {
        let blob = self.registry.blob(self.repository, digest, Some(size)).map_err(io::Error::other)?;
        let short: String = digest.trim_start_matches("sha256:").chars().take(12).collect();
        Ok(Box::new(self.progress.reading(&format!("blob {short}"), size, blob)))
    }
}

/// Why an image of a registry cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum RemoteError {
    /// It cannot be had.
    #[error("cannot pull `{reference}`")]
    Pull {
        /// Which.
        reference: String,
        /// Why.
        source: RegistryError,
    },
    /// It can, and is no image that can be read.
    #[error(transparent)]
    Read(#[from] ReadError),
}

/// Reads an image; its layers stream by the reader.
///
/// # Errors
/// When it cannot be had, or is not what its digests say.
pub fn read(
    registry: &Registry,
    reference: &Reference,
    platform: Option<&Platform>,
    progress: &Progress,
    reader: &mut impl LayerReader,
) -> Result<ImageRead, RemoteError> {
    let root = root(registry, reference)?;
    let blobs = RemoteBlobs { registry, repository: &reference.repository, root: &root, progress };
    Ok(palisade_archive::read_manifest(&blobs, &root.descriptor.digest, platform, reader)?)
}

/// What an image says of itself, and its layers, none of which is read.
///
/// # Errors
/// As with [`read`].
pub fn read_config(
    registry: &Registry,
    reference: &Reference,
    platform: Option<&Platform>,
) -> Result<(ImageConfig, Vec<Layer>), RemoteError> {
    let root = root(registry, reference)?;
    let progress = Progress::default();
    let blobs = RemoteBlobs { registry, repository: &reference.repository, root: &root, progress: &progress };
    Ok(palisade_archive::read_config(&blobs, &root.descriptor.digest, platform)?)
}

fn root(registry: &Registry, reference: &Reference) -> Result<Manifest, RemoteError> {
    let found = registry.manifest(&reference.repository, reference.version());
    found.map_err(|source| RemoteError::Pull { reference: reference.to_string(), source })
}
