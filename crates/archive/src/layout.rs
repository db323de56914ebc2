//! OCI layouts: which image of `index.json`.

use std::io::Read;

use palisade_image::LayerReader;

use crate::blobs::Blobs;
use crate::image::{ImageRead, LONGEST_DOCUMENT, ReadError, parse, read_manifest};
use crate::manifest::{Descriptor, Document};
use crate::open::Request;
use crate::shelf;

/// Reads the image of a layout that the request names.
pub fn read_layout(
    index: impl Read,
    blobs: &dyn Blobs,
    request: &Request<'_>,
    reader: &mut impl LayerReader,
) -> Result<ImageRead, ReadError> {
    let mut bytes = Vec::new();
    let place = |source| ReadError::Place { path: "index.json".into(), source };
    index.take(LONGEST_DOCUMENT).read_to_end(&mut bytes).map_err(place)?;
    let index: Document = parse("index", "index.json", &bytes)?;
    let manifests = index.manifests.unwrap_or_default();
    let chosen = choose(&manifests, request)?;
    let mut read = read_manifest(blobs, &chosen.digest, request.platform, reader)?;
    read.config.tags = names(chosen).map(str::to_owned).collect();
    Ok(read)
}

/// By tag or digest; else the only one there is, or the one for the platform.
fn choose<'a>(manifests: &'a [Descriptor], request: &Request<'_>) -> Result<&'a Descriptor, ReadError> {
    let named = |it: &&Descriptor| match request.name {
        Some(name) => it.digest == name || names(it).any(|its| its == name || its.ends_with(&format!(":{name}"))),
        None => true,
    };
    // What vouches for an image lies beside it, and is asked for by name alone.
    let is_asked = |it: &&Descriptor| request.name.is_some() || !shelf::is_attachment(it);
    let images: Vec<&Descriptor> = manifests.iter().filter(named).filter(is_asked).collect();
    match (&images[..], request.name) {
        ([only], _) => Ok(only),
        ([], Some(name)) => Err(ReadError::NoName { asked: name.to_owned(), present: present(manifests) }),
        ([], None) => Err(ReadError::NoImage("index.json".into())),
        // Several platforms may stand in the layout's own index; several names are several images.
        _ => {
            let all: Vec<Descriptor> = images.iter().map(|it| (*it).clone()).collect();
            let chosen = crate::image::choose(&all, request.platform)
                .map_err(|_| ReadError::Several(present(manifests)))?
                .digest
                .clone();
            images.into_iter().find(|it| it.digest == chosen).ok_or_else(|| ReadError::Several(present(manifests)))
        }
    }
}

pub(crate) fn names(descriptor: &Descriptor) -> impl Iterator<Item = &str> {
    ["org.opencontainers.image.ref.name", "io.containerd.image.name"]
        .into_iter()
        .filter_map(|key| descriptor.annotations.get(key))
        .map(String::as_str)
}

pub(crate) fn present(manifests: &[Descriptor]) -> String {
    let images = manifests.iter().filter(|it| !shelf::is_attachment(it));
    let names: Vec<&str> = images.map(|it| names(it).next().unwrap_or(&it.digest)).collect();
    names.join(", ")
}
