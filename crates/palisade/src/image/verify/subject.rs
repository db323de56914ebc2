//! Which manifest is asked about, and which index it belongs to.

use palisade_archive::{Descriptor, Platform, Shelf};
use palisade_signatures::Subject;
use serde::Deserialize;

use crate::arguments::signing::VerifyArguments;
use crate::failure::{Failure, Hint};
use crate::image::store;

/// Most bytes of a manifest.
const LONGEST_MANIFEST: u64 = 16 << 20;

/// What of an index matters here.
#[derive(Deserialize)]
struct Index {
    #[serde(default)]
    manifests: Vec<Descriptor>,
}

/// What is asked about, and why it can be refused before anybody's signature is judged.
pub struct Asked {
    pub subject: Subject,
    pub refusal: Option<String>,
}

/// Reads the manifest; with `--platform` that one of the index, with `--index` the index that it must belong to.
///
/// # Errors
/// When it is not there, or is not what its digest says.
pub fn read(shelf: &dyn Shelf, version: Option<&str>, arguments: &VerifyArguments) -> Result<Asked, Failure> {
    let named = subject(shelf, &shelf.resolve(version).map_err(store::failure)?)?;
    match (&arguments.platform, &arguments.index) {
        (Some(platform), _) => Ok(Asked { subject: child(shelf, named, platform)?, refusal: None }),
        (None, Some(name)) => {
            let index = subject(shelf, &shelf.resolve(Some(name)).map_err(store::failure)?)?;
            // A child that the index does not list is not the index's, whoever signed that.
            if !children(&index)?.iter().any(|child| child.digest == named.digest) {
                let refusal = format!("does not belong to the index {}, which does not list it", index.digest);
                return Ok(Asked { subject: named, refusal: Some(refusal) });
            }
            Ok(Asked { subject: Subject { index: Some(Box::new(index)), ..named }, refusal: None })
        }
        (None, None) => Ok(Asked { subject: named, refusal: None }),
    }
}

/// The manifest that is named, or the one of its index for a platform, without that index.
///
/// # Errors
/// As [`read`].
pub fn named(shelf: &dyn Shelf, version: Option<&str>, platform: Option<&Platform>) -> Result<Subject, Failure> {
    let named = subject(shelf, &shelf.resolve(version).map_err(store::failure)?)?;
    match platform {
        Some(platform) => Ok(Subject { index: None, ..child(shelf, named, platform)? }),
        None => Ok(named),
    }
}

fn subject(shelf: &dyn Shelf, descriptor: &Descriptor) -> Result<Subject, Failure> {
    let manifest = shelf.manifest(descriptor, LONGEST_MANIFEST).map_err(store::failure)?;
    let (digest, media_type) = (descriptor.digest.clone(), descriptor.media_type.clone());
    Ok(Subject { digest, media_type, manifest, index: None })
}

fn child(shelf: &dyn Shelf, index: Subject, platform: &Platform) -> Result<Subject, Failure> {
    let children = children(&index)?;
    let is_it = |it: &&Descriptor| it.platform.as_ref().is_some_and(|stored| platform.takes(stored));
    let child = children.iter().find(is_it).ok_or_else(|| {
        Failure::new(format!("the index {} has no image for {platform}", index.digest))
            .hint(Hint::Run("palisade image inspect IMAGE".into()))
    })?;
    Ok(Subject { index: Some(Box::new(index)), ..subject(shelf, child)? })
}

fn children(index: &Subject) -> Result<Vec<Descriptor>, Failure> {
    let parsed: Result<Index, _> = serde_json::from_slice(&index.manifest);
    match parsed {
        Ok(parsed) if !parsed.manifests.is_empty() => Ok(parsed.manifests),
        Ok(_) => Err(Failure::new(format!("{} is no index: it lists no images", index.digest))),
        Err(error) => Err(Failure::new(error).context(format!("{} is no index", index.digest))),
    }
}
