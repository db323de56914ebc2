//! Archives of `docker save`, old and new.

use std::io::Read;

use palisade_image::LayerReader;
use serde::Deserialize;

use crate::blobs::ArchiveFiles;
use crate::digest;
use crate::image::{ImageRead, LONGEST_DOCUMENT, ReadError, layer, parse};
use crate::layer::read_layer;
use crate::manifest::StoredConfig;
use crate::open::Request;

/// An image of `manifest.json`.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Saved {
    config: String,
    #[serde(default)]
    repo_tags: Option<Vec<String>>,
    layers: Vec<String>,
}

/// Reads the image of an archive that the request names.
pub fn read_docker(
    files: &ArchiveFiles,
    request: &Request<'_>,
    reader: &mut impl LayerReader,
) -> Result<ImageRead, ReadError> {
    let images: Vec<Saved> = parse("manifest", "manifest.json", &whole(files, "manifest.json")?)?;
    let saved = choose(&images, request)?;
    let bytes = whole(files, &saved.config)?;
    let config_digest = digest::sha256(&bytes);
    let stored: StoredConfig = parse("config", &saved.config, &bytes)?;
    let mut problems = Vec::new();
    for (index, name) in saved.layers.iter().enumerate() {
        let layer = layer(index, &stored, "", "application/vnd.docker.image.rootfs.diff.tar");
        problems.extend(read_layer(&|| files.file(name), &layer, reader));
    }
    let mut config = stored.into_config();
    config.config_digest = config_digest;
    config.tags = saved.repo_tags.clone().unwrap_or_default();
    Ok(ImageRead { config, problems })
}

fn choose<'a>(images: &'a [Saved], request: &Request<'_>) -> Result<&'a Saved, ReadError> {
    let tags = |it: &Saved| it.repo_tags.clone().unwrap_or_default();
    let present = || {
        let names = images.iter().map(|it| tags(it).first().cloned().unwrap_or_else(|| it.config.clone()));
        names.collect::<Vec<_>>().join(", ")
    };
    match (request.name, images) {
        (None, [only]) => Ok(only),
        (None, _) => Err(ReadError::Several(present())),
        (Some(name), images) => images
            .iter()
            .find(|it| tags(it).iter().any(|tag| tag == name || tag.ends_with(&format!(":{name}"))))
            .ok_or_else(|| ReadError::NoName { asked: name.to_owned(), present: present() }),
    }
}

fn whole(files: &ArchiveFiles, name: &str) -> Result<Vec<u8>, ReadError> {
    let failed = |source| ReadError::Place { path: name.to_owned(), source };
    let mut bytes = Vec::new();
    files.file(name).map_err(failed)?.take(LONGEST_DOCUMENT).read_to_end(&mut bytes).map_err(failed)?;
    Ok(bytes)
}
