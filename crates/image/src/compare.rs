//! What differs between two images: packages, config, layers. Values in, values out.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::catalogue::{Catalogue, ImageConfig, Layer};
use crate::sbom::listed;

/// A package that is not in both images in the same versions.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PackageChange {
    /// The package's URL without its version: `pkg:deb/debian/zlib1g`.
    pub purl: String,
    /// Its name.
    pub name: String,
    /// Its versions in the old image; none where it came in.
    pub old: BTreeSet<String>,
    /// Its versions in the new image; none where it went.
    pub new: BTreeSet<String>,
}

/// A part of the config that differs.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FieldChange {
    /// `user`, `environment PATH`, `label maintainer`.
    pub field: String,
    /// In the old image; none where it was not said.
    pub old: Option<String>,
    /// In the new one.
    pub new: Option<String>,
}

/// Layers that are not in both images.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LayerChanges {
    /// How many of the lowest layers both have.
    pub shared: usize,
    /// What the old image has above them.
    pub old: Vec<Layer>,
    /// What the new image has above them.
    pub new: Vec<Layer>,
}

/// The packages that came, went, or changed their version, by URL. That a file moved is no change.
pub fn packages(old: &Catalogue, new: &Catalogue) -> Vec<PackageChange> {
    let mut changes: BTreeMap<String, PackageChange> = BTreeMap::new();
    for (catalogue, is_new) in [(old, false), (new, true)] {
        for package in listed(catalogue) {
            let purl = without_version(&package.purl).to_owned();
            let change = changes.entry(purl.clone()).or_insert_with(|| PackageChange {
                purl,
                name: package.name.clone(),
                old: BTreeSet::new(),
                new: BTreeSet::new(),
            });
            if is_new { &mut change.new } else { &mut change.old }.insert(package.version.clone());
        }
    }
    changes.into_values().filter(|change| change.old != change.new).collect()
}

/// `pkg:npm/%40a/b@1.0?x=y` without what follows the name.
fn without_version(purl: &str) -> &str {
    let end = purl.find('?').unwrap_or(purl.len());
    let named = &purl[..end];
    named.rfind('@').map_or(named, |at| &named[..at])
}

/// What of the config differs, in the order of its parts.
pub fn config(old: &ImageConfig, new: &ImageConfig) -> Vec<FieldChange> {
    let mut changes = Vec::new();
    let mut compare = |field: String, old: Option<String>, new: Option<String>| {
        if old != new {
            changes.push(FieldChange { field, old, new });
        }
    };
    let said = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let words = |list: &[String]| (!list.is_empty()).then(|| serde_json::to_string(list).unwrap_or_default());
    compare("platform".into(), platform(old), platform(new));
    compare("user".into(), said(&old.user), said(&new.user));
    compare("entrypoint".into(), words(&old.entrypoint), words(&new.entrypoint));
    compare("command".into(), words(&old.command), words(&new.command));
    compare("working directory".into(), said(&old.working_directory), said(&new.working_directory));
    let environment = |config: &ImageConfig| -> BTreeMap<String, String> {
        let pairs = config.environment.iter().map(|it| it.split_once('=').unwrap_or((it, "")));
        pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    };
    for (kind, old, new) in
        [("environment", environment(old), environment(new)), ("label", old.labels.clone(), new.labels.clone())]
    {
        let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
        for name in names {
            compare(format!("{kind} {name}"), old.get(name).cloned(), new.get(name).cloned());
        }
    }
    changes
}

fn platform(config: &ImageConfig) -> Option<String> {
    let variant = config.variant.as_ref().map(|variant| format!("/{variant}")).unwrap_or_default();
    (!config.os.is_empty()).then(|| format!("{}/{}{variant}", config.os, config.architecture))
}

/// The layers above those that both have.
pub fn layers(old: &Catalogue, new: &Catalogue) -> LayerChanges {
    let is_same = |(old, new): &(&Layer, &Layer)| {
        !old.reference.diff_id.is_empty() && old.reference.diff_id == new.reference.diff_id
    };
    let shared = old.layers.iter().zip(&new.layers).take_while(is_same).count();
    LayerChanges { shared, old: old.layers[shared..].to_vec(), new: new.layers[shared..].to_vec() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_purl_without_its_version() {
        assert_eq!(without_version("pkg:npm/%40a/b@1.0"), "pkg:npm/%40a/b");
        assert_eq!(without_version("pkg:deb/debian/x@1:2?arch=amd64&distro=a@b"), "pkg:deb/debian/x");
        assert_eq!(without_version("pkg:golang/x"), "pkg:golang/x");
    }

    #[test]
    fn what_of_a_config_differs_is_told_by_its_part() {
        let old = ImageConfig {
            user: "65532".into(),
            environment: vec!["PATH=/bin".into(), "GONE=1".into()],
            entrypoint: vec!["/app".into()],
            ..ImageConfig::default()
        };
        let new = ImageConfig {
            user: String::new(),
            environment: vec!["PATH=/usr/bin".into()],
            entrypoint: vec!["/app".into()],
            labels: [("a".into(), "b".into())].into(),
            ..ImageConfig::default()
        };
        let told: Vec<String> =
            config(&old, &new).into_iter().map(|it| format!("{}: {:?} {:?}", it.field, it.old, it.new)).collect();
        assert_eq!(
            told,
            [
                "user: Some(\"65532\") None",
                "environment GONE: Some(\"1\") None",
                "environment PATH: Some(\"/bin\") Some(\"/usr/bin\")",
                "label a: None Some(\"b\")",
            ]
        );
        assert!(config(&old, &old).is_empty());
    }
}
