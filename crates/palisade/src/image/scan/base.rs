//! Which layers the base image brought: a newer base mends what is in them.

use palisade_image::Catalogue;
use serde_json::Value;

/// How many of the lowest layers are the base image's; none when the image does not tell.
///
/// Source: Cloud Native Buildpacks, platform specification: the label `io.buildpacks.lifecycle.metadata` names the top
/// layer of the run image.
pub fn layers(catalogue: &Catalogue) -> Option<u32> {
    let label = catalogue.config.labels.get("io.buildpacks.lifecycle.metadata")?;
    let metadata: Value = serde_json::from_str(label).ok()?;
    let top = metadata.get("runImage")?.get("topLayer")?.as_str()?;
    let layer = catalogue.layers.iter().find(|layer| &*layer.reference.diff_id == top)?;
    Some(layer.reference.index + 1)
}
