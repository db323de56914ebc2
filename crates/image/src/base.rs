//! Which image an image was made from: by buildpacks' metadata, by labels, or by its lowest layers.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::catalogue::{Catalogue, ImageConfig};

/// The image that an image was made from.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Base {
    /// How that is known.
    pub by: KnownBy,
    /// As who built the image called it: a reference, mostly with a tag.
    pub name: Option<String>,
    /// The digest that it had then.
    pub digest: Option<String>,
    /// How many of the lowest layers are its own; none when that cannot be told.
    pub layers: Option<u32>,
    /// What made the rest, for an image that buildpacks made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub buildpacks: Option<Buildpacks>,
}

/// How a base is known.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum KnownBy {
    /// `io.buildpacks.lifecycle.metadata`.
    Buildpacks,
    /// `org.opencontainers.image.base.name` or `.digest`, an annotation or a label.
    Label,
    /// Its layers are the lowest ones.
    Layers,
}

/// What buildpacks say of an image that they made.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Buildpacks {
    /// Each that took part, as `id@version`.
    pub buildpacks: Vec<String>,
    /// Other places that the run image is at.
    pub mirrors: Vec<String>,
    /// `io.buildpacks.stack.id`.
    pub stack: Option<String>,
    /// Whether the run image may be exchanged below the rest (`io.buildpacks.rebasable`; silence is yes).
    pub is_rebasable: bool,
    /// The layer that holds what the buildpacks say of what they put in: `/layers/sbom/launch`.
    pub sbom_layer: Option<u32>,
}

/// An image that others are made from.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct KnownBase {
    /// Its reference.
    pub name: String,
    /// The digest that it had.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// Its layers, the lowest first.
    pub diff_ids: Vec<String>,
}

/// Source: Cloud Native Buildpacks, platform specification: the label `io.buildpacks.lifecycle.metadata`. The name of the
/// run image lies at `runImage.image` since platform API 0.12, before that at `stack.runImage.image`.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Lifecycle {
    buildpacks: Vec<LifecycleBuildpack>,
    run_image: RunImage,
    stack: Option<Stack>,
    sbom: Option<Sha>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct LifecycleBuildpack {
    key: String,
    version: String,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct RunImage {
    top_layer: String,
    reference: String,
    image: String,
    mirrors: Option<Vec<String>>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Stack {
    run_image: RunImage,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Sha {
    sha: String,
}

/// The base of an image, by what it says of itself and by the bases that are known; `None` when nothing tells.
pub fn of(catalogue: &Catalogue, known: &[KnownBase]) -> Option<Base> {
    let config = &catalogue.config;
    if let Some(base) = of_buildpacks(catalogue) {
        return Some(base);
    }
    let by_layers = longest(catalogue, known);
    let said = |key: &str| config.annotations.get(key).or_else(|| config.labels.get(key)).filter(|it| !it.is_empty());
    let name = said("org.opencontainers.image.base.name").cloned();
    let digest = said("org.opencontainers.image.base.digest").cloned();
    match (name.is_some() || digest.is_some(), by_layers) {
        (false, None) => None,
        (false, Some(base)) => Some(Base {
            by: KnownBy::Layers,
            name: Some(base.name.clone()),
            digest: base.digest.clone(),
            layers: Some(base.diff_ids.len() as u32),
            buildpacks: None,
        }),
        // A label is what the builder says; layers are what is there. Two answers are no answer on the layers.
        (true, by_layers) => {
            let is_same = |it: &&KnownBase| name.as_ref() == Some(&it.name) || digest.is_some() && digest == it.digest;
            let layers = by_layers.filter(is_same).map(|it| it.diff_ids.len() as u32);
            Some(Base { by: KnownBy::Label, name, digest, layers, buildpacks: None })
        }
    }
}

/// The known base whose layers are the lowest ones; of several the one with the most.
fn longest<'k>(catalogue: &Catalogue, known: &'k [KnownBase]) -> Option<&'k KnownBase> {
    let is_below = |base: &&KnownBase| {
        !base.diff_ids.is_empty()
            && base.diff_ids.len() <= catalogue.layers.len()
            && base.diff_ids.iter().zip(&catalogue.layers).all(|(id, layer)| **id == *layer.reference.diff_id)
    };
    known.iter().filter(is_below).max_by_key(|base| base.diff_ids.len())
}

fn of_buildpacks(catalogue: &Catalogue) -> Option<Base> {
    let labels = &catalogue.config.labels;
    let said: Lifecycle = serde_json::from_str(labels.get("io.buildpacks.lifecycle.metadata")?).ok()?;
    let layer = |diff_id: &str| {
        let found = catalogue.layers.iter().find(|layer| !diff_id.is_empty() && *layer.reference.diff_id == *diff_id);
        found.map(|layer| layer.reference.index)
    };
    let stack = said.stack.unwrap_or_default().run_image;
    let image = [&said.run_image.image, &stack.image].into_iter().find(|it| !it.is_empty()).cloned();
    let reference = said.run_image.reference;
    let digest = reference.rsplit_once('@').map(|(_, digest)| digest.to_owned());
    Some(Base {
        by: KnownBy::Buildpacks,
        name: image.or_else(|| digest.as_ref().map(|_| reference.clone())),
        digest,
        layers: layer(&said.run_image.top_layer).map(|index| index + 1),
        buildpacks: Some(Buildpacks {
            buildpacks: said.buildpacks.iter().map(|it| format!("{}@{}", it.key, it.version)).collect(),
            mirrors: said.run_image.mirrors.or(stack.mirrors).unwrap_or_default(),
            stack: labels.get("io.buildpacks.stack.id").cloned(),
            is_rebasable: labels.get("io.buildpacks.rebasable").is_none_or(|it| it != "false"),
            sbom_layer: said.sbom.and_then(|it| layer(&it.sha)),
        }),
    })
}

/// Why a run image may not be put below an image; `None` when it may.
///
/// Source: Cloud Native Buildpacks, platform specification, "Rebaser": platform, distribution and, before platform API
/// 0.12, stack are the same.
pub fn why_not_rebased(image: &ImageConfig, run_image: &ImageConfig) -> Option<String> {
    let label = |labels: &BTreeMap<String, String>, key: &str| labels.get(key).cloned();
    let same = |what: &str, old: Option<String>, new: Option<String>| match (old, new) {
        (Some(old), Some(new)) if old != new => Some(format!("its {what} is `{new}` and not `{old}`")),
        _ => None,
    };
    let said = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    same("operating system", said(&image.os), said(&run_image.os))
        .or_else(|| same("architecture", said(&image.architecture), said(&run_image.architecture)))
        .or_else(|| same("variant", image.variant.clone(), run_image.variant.clone()))
        .or_else(|| {
            let keys =
                ["io.buildpacks.base.distro.name", "io.buildpacks.base.distro.version", "io.buildpacks.stack.id"];
            keys.into_iter().find_map(|key| same(key, label(&image.labels, key), label(&run_image.labels, key)))
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::{Distribution, Layer};
    use crate::package::LayerRef;

    fn image(diff_ids: &[&str], labels: &[(&str, &str)]) -> Catalogue {
        let layer = |(index, diff_id): (usize, &&str)| Layer {
            reference: LayerRef { index: index as u32, diff_id: (*diff_id).into(), digest: "".into() },
            media_type: String::new(),
            stored_bytes: 0,
            bytes: 0,
            entries: 0,
            whiteouts: 0,
            created_by: None,
        };
        let labels = labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        Catalogue {
            distribution: Distribution::default(),
            packages: Vec::new(),
            unidentified: Vec::new(),
            problems: Vec::new(),
            layers: diff_ids.iter().enumerate().map(layer).collect(),
            config: ImageConfig { labels, ..ImageConfig::default() },
        }
    }

    fn known(name: &str, diff_ids: &[&str]) -> KnownBase {
        let digest = Some(format!("sha256:{name}"));
        KnownBase { name: name.into(), digest, diff_ids: diff_ids.iter().map(|it| (*it).to_owned()).collect() }
    }

    #[test]
    fn buildpacks_say_their_run_image_and_who_took_part() {
        let metadata = r#"{"app": [{"sha": "d"}], "sbom": {"sha": "c"}, "buildpacks": [{"key": "example/go", "version":
            "1.2", "layers": {}}], "runImage": {"topLayer": "b", "reference": "run.example/run@sha256:1"},
            "stack": {"runImage": {"image": "run.example/run:jammy", "mirrors": ["other.example/run:jammy"]}}}"#;
        let labels = [("io.buildpacks.lifecycle.metadata", metadata), ("io.buildpacks.stack.id", "jammy")];
        let base = of(&image(&["a", "b", "c", "d"], &labels), &[]).expect("a base");
        assert_eq!(base.name.as_deref(), Some("run.example/run:jammy"));
        assert_eq!((base.digest.as_deref(), base.layers), (Some("sha256:1"), Some(2)));
        let made = base.buildpacks.expect("buildpacks");
        assert_eq!(
            (made.buildpacks, made.mirrors),
            (vec!["example/go@1.2".into()], vec!["other.example/run:jammy".into()])
        );
        assert_eq!((made.stack.as_deref(), made.is_rebasable, made.sbom_layer), (Some("jammy"), true, Some(2)));
        // Since platform API 0.12 the name stands elsewhere.
        let metadata =
            r#"{"runImage": {"topLayer": "a", "reference": "sha256:9", "image": "run:noble", "mirrors": []}}"#;
        let labels = [("io.buildpacks.lifecycle.metadata", metadata), ("io.buildpacks.rebasable", "false")];
        let base = of(&image(&["a", "b"], &labels), &[]).expect("a base");
        assert_eq!((base.name.as_deref(), base.layers), (Some("run:noble"), Some(1)));
        assert!(!base.buildpacks.expect("buildpacks").is_rebasable);
        assert!(of(&image(&["a"], &[("io.buildpacks.lifecycle.metadata", "{")]), &[]).is_none());
    }

    #[test]
    fn the_longest_of_the_known_bases_below_an_image_is_its_base() {
        let bases = [known("debian", &["a"]), known("python", &["a", "b"]), known("other", &["x"]), known("none", &[])];
        let base = of(&image(&["a", "b", "c"], &[]), &bases).expect("a base");
        assert_eq!((base.by, base.name.as_deref(), base.layers), (KnownBy::Layers, Some("python"), Some(2)));
        assert!(of(&image(&["y"], &[]), &bases).is_none());
        let label = [("org.opencontainers.image.base.name", "debian")];
        let base = of(&image(&["a", "c"], &label), &bases).expect("a base");
        assert_eq!((base.by, base.layers), (KnownBy::Label, Some(1)));
        // The label names another one than the layers are of.
        let base = of(&image(&["a", "b"], &label), &bases).expect("a base");
        assert_eq!((base.name.as_deref(), base.layers), (Some("debian"), None));
    }

    #[test]
    fn a_run_image_of_another_distribution_is_not_put_below() {
        let config = |version: &str| ImageConfig {
            os: "linux".into(),
            labels: [("io.buildpacks.base.distro.version".to_owned(), version.to_owned())].into(),
            ..ImageConfig::default()
        };
        assert_eq!(why_not_rebased(&config("22.04"), &config("22.04")), None);
        assert_eq!(why_not_rebased(&ImageConfig::default(), &config("22.04")), None);
        let why = why_not_rebased(&config("22.04"), &config("24.04")).expect("another one");
        assert_eq!(why, "its io.buildpacks.base.distro.version is `24.04` and not `22.04`");
    }
}
