//! OCI layouts: which image of `index.json`.

use std::io::Read;

use palisade_image::LayerReader;

use crate::blobs::Blobs;
use crate::image::{ImageRead, LONGEST_DOCUMENT, ReadError, parse, read_manifest};
use crate::manifest::{Descriptor, Document};
use crate::open::Request;

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
    read_manifest(blobs, &chosen.digest, request.platform, reader)
}

/// By tag or digest; else the only one there is, or the one for the platform.
fn choose<'a>(manifests: &'a [Descriptor], request: &Request<'_>) -> Result<&'a Descriptor, ReadError> {
    let named = |it: &&Descriptor| match request.name {
        Some(name) => it.digest == name || names(it).any(|its| its == name || its.ends_with(&format!(":{name}"))),
        None => true,
    };
    let images: Vec<&Descriptor> = manifests.iter().filter(named).collect();
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

fn names(descriptor: &Descriptor) -> impl Iterator<Item = &str> {
    ["org.opencontainers.image.ref.name", "io.containerd.image.name"]
        .into_iter()
        .filter_map(|key| descriptor.annotations.get(key))
        .map(String::as_str)
}

fn present(manifests: &[Descriptor]) -> String {
    let names: Vec<&str> = manifests.iter().map(|it| names(it).next().unwrap_or(&it.digest)).collect();
    names.join(", ")
}
