//! From what the user calls an image to the store that it lies in: a layout, or a repository of a registry.

use palisade_archive::shelf::{Entry, LayoutShelf, MANIFEST};
use palisade_archive::{Descriptor, Place, Shelf, ShelfError};
use palisade_registry::{Reference, Registry, RegistryError, Version};

use crate::arguments::registry::RegistryArguments;
use crate::failure::{Failure, Hint};
use crate::image::named::{self, Named};
use crate::registry;
use crate::settings::Settings;

/// A store, and which image of it.
pub struct Opened {
    pub shelf: Box<dyn Shelf>,
    /// A tag or digest; none where there is but one image.
    pub version: Option<String>,
    /// What the image is called where it is used; a layout does not say it.
    pub name: Option<String>,
}

/// Opens the store of an image.
///
/// # Errors
/// When there is none, or it is one that keeps no signatures.
pub fn open(image: &str, registries: &RegistryArguments, settings: &Settings) -> Result<Opened, Failure> {
    match named::parse(image, &|path| path.exists()).map_err(Failure::new)? {
        Named::Path { path, name, .. } => {
            match Place::at(&path).map_err(Failure::new)? {
                Place::Layout(_) => {}
                Place::LayoutArchive(_) | Place::DockerArchive(_) | Place::Root | Place::Sources => {
                    let what = format!("`{}` is no OCI layout in a folder: it keeps no signatures", path.display());
                    return Err(Failure::new(what).hint(Hint::Change(
                        "name the layout or the registry that the image was pushed from, or copied to".into(),
                    )));
                }
            }
            let shelf = LayoutShelf::open(&path).map_err(failure)?;
            Ok(Opened { shelf: Box::new(shelf), version: name, name: None })
        }
        Named::Registry { reference, .. } => Ok(of_registry(registry::client(registries, settings)?, reference)),
    }
}

/// An image of a registry.
pub fn of_registry(registry: Registry, reference: Reference) -> Opened {
    let name = Some(reference.to_string());
    Opened { shelf: Box::new(RegistryShelf { registry, reference }), version: None, name }
}

/// What an image of that name is called in full: `nginx` is `docker.io/library/nginx`.
pub fn full_name(name: &str) -> String {
    name.parse::<Reference>().map_or_else(|_| name.to_owned(), |reference| reference.to_string())
}

/// With what to do about it.
pub fn failure(error: ShelfError) -> Failure {
    let hint = match &error {
        ShelfError::NoName { .. } | ShelfError::Several(_) => {
            Some(Hint::Change("name one behind a colon: `PATH:TAG`, or `PATH@DIGEST`".into()))
        }
        ShelfError::Place(..)
        | ShelfError::Write(..)
        | ShelfError::Json(..)
        | ShelfError::Digest { .. }
        | ShelfError::Blob(..)
        | ShelfError::Limit(_)
        | ShelfError::Other(_) => None,
    };
    let failure = Failure::new(error);
    match hint {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}

/// A repository of a registry.
struct RegistryShelf {
    registry: Registry,
    /// The image that was named, when nothing else is.
    reference: Reference,
}

fn other(error: RegistryError) -> ShelfError {
    ShelfError::Other(Box::new(error))
}

impl RegistryShelf {
    fn find(&self, version: Version<'_>) -> Result<Descriptor, RegistryError> {
        self.registry.resolve(&self.reference.repository, version).map(of_archive)
    }
}

impl Shelf for RegistryShelf {
    fn resolve(&self, name: Option<&str>) -> Result<Descriptor, ShelfError> {
        let version = match name {
            None => self.reference.version(),
            Some(digest) if digest.starts_with("sha256:") => Version::Digest(digest),
            Some(tag) => Version::Tag(tag),
        };
        self.find(version).map_err(other)
    }

    fn tagged(&self, tag: &str) -> Result<Option<Descriptor>, ShelfError> {
        match self.find(Version::Tag(tag)) {
            Ok(found) => Ok(Some(found)),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(other(error)),
        }
    }

    fn referrers(&self, digest: &str) -> Result<Vec<Descriptor>, ShelfError> {
        let found = self.registry.referrers(&self.reference.repository, digest).map_err(other)?;
        if found.is_cut {
            return Err(ShelfError::Limit(format!("the registry lists more than is read of what refers to {digest}")));
        }
        Ok(found.manifests.into_iter().map(of_archive).collect())
    }

    fn manifest(&self, descriptor: &Descriptor, most: u64) -> Result<Vec<u8>, ShelfError> {
        let version = Version::Digest(&descriptor.digest);
        let manifest = self.registry.manifest(&self.reference.repository, version).map_err(other)?;
        match manifest.bytes.len() as u64 > most {
            true => Err(ShelfError::Limit(format!("{} has more than {most} bytes", descriptor.digest))),
            false => Ok(manifest.bytes),
        }
    }

    fn blob(&self, descriptor: &Descriptor, most: u64) -> Result<Vec<u8>, ShelfError> {
        self.registry.read_blob(&self.reference.repository, &as_registry(descriptor), most).map_err(other)
    }

    fn store_blob(&self, media_type: &str, bytes: &[u8]) -> Result<Descriptor, ShelfError> {
        self.registry.push_blob(&self.reference.repository, media_type, bytes).map(of_archive).map_err(other)
    }

    fn store_manifest(&self, bytes: &[u8], entry: &Entry<'_>) -> Result<Descriptor, ShelfError> {
        let tag = match entry {
            Entry::Tag(tag) => Some(*tag),
            // Its subject and its artifact type stand in the manifest.
            Entry::Referrer(_) => None,
        };
        let pushed = self.registry.push_manifest(&self.reference.repository, tag, MANIFEST, bytes).map_err(other)?;
        Ok(of_archive(pushed.descriptor))
    }
}

/// What a layout and a registry call the same thing.
fn of_archive(it: palisade_registry::Descriptor) -> Descriptor {
    let (media_type, digest, size) = (it.media_type, it.digest, it.size);
    Descriptor {
        media_type,
        digest,
        size,
        annotations: it.annotations,
        artifact_type: it.artifact_type,
        platform: None,
    }
}

fn as_registry(it: &Descriptor) -> palisade_registry::Descriptor {
    let (media_type, digest, size) = (it.media_type.clone(), it.digest.clone(), it.size);
    palisade_registry::Descriptor { media_type, digest, size, ..palisade_registry::Descriptor::default() }
}
