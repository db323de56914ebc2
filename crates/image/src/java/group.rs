//! The group of an archive that does not say it: from its manifest, and from the packages of its classes.

use std::collections::BTreeMap;

use super::manifest::Manifest;
use super::zip::Archive;

/// Groups that an archive may be of, likeliest first.
///
/// A list written by hand of artifacts and their groups was rejected: it ages, and elsewhere it has named the wrong
/// ones. The classes lie in packages that begin with the group, nearly always.
pub fn candidates(archive: &Archive<'_>, manifest: &Manifest, artifact: &str) -> Vec<String> {
    let package = dominant_package(archive);
    let mut groups: Vec<String> = Vec::new();
    let mut add = |group: &str| {
        if !group.is_empty() && !groups.iter().any(|it| it == group) {
            groups.push(group.to_owned());
        }
    };
    manifest.header("implementation-vendor-id").filter(|id| id.contains('.')).into_iter().for_each(&mut add);
    // `org.apache.tomcat-annotations-api` is a bundle of `org.apache`, whatever its classes are of.
    let bundle = manifest.header("bundle-symbolicname").and_then(|name| name.strip_suffix(artifact));
    let bundle = bundle.map(|prefix| prefix.trim_end_matches(['.', '-'])).filter(|prefix| prefix.contains('.'));
    for group in bundle.into_iter().chain([likely_group(&package).as_str()]) {
        if HOUSES.contains(&group) {
            below(group, artifact).for_each(|group| add(&group));
        }
        add(group);
    }
    for name in std::iter::once(package.as_str()).chain(manifest.groups()) {
        prefixes(name).for_each(&mut add);
    }
    // `commons-io:commons-io`, `junit:junit`, `mysql:mysql-connector-java`.
    add(artifact);
    add(artifact.split('-').next().unwrap_or(artifact));
    groups
}

/// Houses with many groups: the group has a level more than the house.
const HOUSES: &[&str] = &["org.apache", "org.eclipse", "com.google", "com.sun", "com.oracle", "io.github", "org.jboss"];

/// `org.apache` and `tomcat-embed-core`: `org.apache.tomcat`, `org.apache.tomcat.embed`.
fn below(house: &str, artifact: &str) -> impl Iterator<Item = String> {
    let words: Vec<&str> = artifact.split('-').collect();
    let counts = 1..words.len().clamp(1, 3);
    counts.map(move |count| format!("{house}.{}", words[..count].join(".")))
}

/// `org.springframework.beans.factory` is likely of `org.springframework`; the big houses have a level more.
fn likely_group(package: &str) -> String {
    const HOUSES: &[&str] =
        &["org.apache", "org.eclipse", "com.google", "com.sun", "com.oracle", "io.github", "org.jboss"];
    let parts: Vec<&str> = package.split('.').collect();
    let two = parts[..parts.len().min(2)].join(".");
    let levels = if HOUSES.contains(&two.as_str()) { 3 } else { 2 };
    parts[..parts.len().min(levels)].join(".")
}

/// `a.b.c`, `a.b`.
fn prefixes(name: &str) -> impl Iterator<Item = &str> {
    let ends = name.match_indices('.').map(|(at, _)| at).chain([name.len()]);
    let ends: Vec<usize> = ends.collect();
    ends.into_iter().skip(1).rev().map(|end| &name[..end])
}

/// The package that all classes are of or below; where they are of several houses, that of most of them.
fn dominant_package(archive: &Archive<'_>) -> String {
    let mut packages: BTreeMap<String, usize> = BTreeMap::new();
    for member in archive.members() {
        if member.name.ends_with(".class")
            && !member.name.starts_with("META-INF/")
            && let Some((package, _)) = member.name.rsplit_once('/')
        {
            *packages.entry(package.replace('/', ".")).or_default() += 1;
        }
    }
    let mut houses: BTreeMap<String, usize> = BTreeMap::new();
    for (package, count) in &packages {
        let house: Vec<&str> = package.split('.').take(2).collect();
        *houses.entry(house.join(".")).or_default() += count;
    }
    let Some((house, _)) = houses.into_iter().max_by_key(|(house, count)| (*count, std::cmp::Reverse(house.clone())))
    else {
        return String::new();
    };
    let below = format!("{house}.");
    let mut inside = packages.keys().filter(|it| **it == house || it.starts_with(&below));
    let Some(first) = inside.next() else { return house };
    inside.fold(first.clone(), |common, package| {
        let same = common.split('.').zip(package.split('.')).take_while(|(a, b)| a == b);
        same.map(|(part, _)| part).collect::<Vec<_>>().join(".")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_the_beginning_of_a_package() {
        assert_eq!(likely_group("org.springframework.beans"), "org.springframework");
        assert_eq!(likely_group("org.apache.commons.lang3"), "org.apache.commons");
        assert_eq!(likely_group("junit"), "junit");
        let below: Vec<String> = below("org.apache", "tomcat-embed-core").collect();
        assert_eq!(below, ["org.apache.tomcat", "org.apache.tomcat.embed"]);
        assert_eq!(prefixes("a.b.c").collect::<Vec<_>>(), ["a.b.c", "a.b"]);
    }
}
