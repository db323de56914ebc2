//! Java: archives, the archives inside of them, and what was shaded into them.

mod group;
mod manifest;
pub mod zip;

use crate::package::Evidence;
use manifest::Manifest;
use zip::{Archive, Member};

/// Something that lies in an archive, or the archive itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Artifact {
    /// The way to it inside of the outermost archive: empty, or `!/WEB-INF/lib/x.jar`.
    pub inside: String,
    /// `groupId`; the likeliest one when the archive does not say it.
    pub group: String,
    /// `artifactId`.
    pub artifact: String,
    /// Its version.
    pub version: String,
    /// Other groups that it may be of, likeliest first, when it does not say.
    pub other_groups: Vec<String>,
    /// How that is known.
    pub evidence: Evidence,
}

/// What was found in an archive.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Artifacts {
    /// What could be named.
    pub named: Vec<Artifact>,
    /// The ways to archives that could not be named.
    pub unnamed: Vec<String>,
    /// The ways to archives that could not be read.
    pub unreadable: Vec<String>,
}

/// Whether the name is that of an archive of Java.
pub fn is_archive(path: &str) -> bool {
    let extension = path.rsplit_once('.').map_or("", |(_, extension)| extension);
    matches!(
        extension.to_ascii_lowercase().as_str(),
        "jar" | "war" | "ear" | "hpi" | "jpi" | "par" | "sar" | "nar" | "kar" | "lpkg" | "jmod"
    ) && !path.ends_with(".jmod")
}

/// Archives in archives: an enterprise archive holds web archives, which hold libraries, some with libraries in them.
const DEEPEST: usize = 5;

/// Bytes that are inflated for one outermost archive: a fat one holds some hundred megabytes of libraries.
const MOST_INFLATED: usize = 1 << 30;

/// The longest manifest or list of properties that is read.
const LONGEST_TEXT: usize = 1 << 20;

/// Names what is in an archive; `path` is where it lies.
pub fn read_archive(bytes: &[u8], path: &str) -> Artifacts {
    let mut artifacts = Artifacts::default();
    let mut budget = MOST_INFLATED;
    let file_name = path.rsplit('/').next().unwrap_or(path);
    read(bytes, file_name, "", 0, &mut budget, &mut artifacts);
    artifacts
}

fn read(bytes: &[u8], file_name: &str, inside: &str, depth: usize, budget: &mut usize, artifacts: &mut Artifacts) {
    let Some(archive) = Archive::open(bytes) else {
        artifacts.unreadable.push(inside.to_owned());
        return;
    };
    let mut nested = Vec::new();
    let mut poms = Vec::new();
    let mut manifest = Manifest::default();
    let mut has_code = false;
    for member in archive.members() {
        if member.name == "META-INF/MANIFEST.MF" {
            manifest = archive.text(&member, LONGEST_TEXT, budget).map(|it| Manifest::parse(&it)).unwrap_or_default();
        } else if member.name.starts_with("META-INF/maven/") && member.name.ends_with("/pom.properties") {
            poms.extend(archive.text(&member, LONGEST_TEXT, budget).and_then(|text| parse_properties(&text)));
        } else if is_archive(member.name) {
            nested.push(member);
        }
        has_code |= member.name.ends_with(".class");
    }
    let found = identify(&archive, file_name, inside, poms, &manifest);
    if found.is_empty() && has_code {
        artifacts.unnamed.push(inside.to_owned());
    }
    artifacts.named.extend(found);
    for member in nested {
        read_nested(&archive, &member, inside, depth, budget, artifacts);
    }
}

fn read_nested(
    archive: &Archive<'_>,
    member: &Member<'_>,
    inside: &str,
    depth: usize,
    budget: &mut usize,
    artifacts: &mut Artifacts,
) {
    let inside = format!("{inside}!/{}", member.name);
    let bytes = (depth < DEEPEST).then(|| archive.bytes(member, usize::MAX, budget)).flatten();
    let Some(bytes) = bytes else {
        artifacts.unreadable.push(inside);
        return;
    };
    let file_name = member.name.rsplit('/').next().unwrap_or(member.name);
    read(&bytes, file_name, &inside, depth + 1, budget, artifacts);
}

/// (groupId, artifactId, version)
type Coordinates = (String, String, String);

fn parse_properties(text: &str) -> Option<Coordinates> {
    let value = |key: &str| {
        let lines = text.lines().filter_map(|line| line.split_once('='));
        let value = lines.into_iter().find(|(it, _)| it.trim() == key).map(|(_, value)| value.trim())?;
        // A placeholder that no build has filled in.
        (!value.is_empty() && !value.contains("${")).then(|| value.to_owned())
    };
    Some((value("groupId")?, value("artifactId")?, value("version")?))
}

/// The archive itself first, then what was shaded into it.
fn identify(
    archive: &Archive<'_>,
    file_name: &str,
    inside: &str,
    mut poms: Vec<Coordinates>,
    manifest: &Manifest,
) -> Vec<Artifact> {
    poms.sort();
    poms.dedup();
    let stem = file_name.rsplit_once('.').map_or(file_name, |(stem, _)| stem);
    let (name, version) = split_version(stem);
    let is_own = |(_, artifact, its): &Coordinates| {
        artifact == name
            || (stem.strip_prefix(artifact.as_str()).is_some_and(|rest| rest.is_empty() || rest.contains(its)))
    };
    let mut artifacts = Vec::new();
    // Some name the jar after its group as well: one set of coordinates is then enough.
    let is_named = poms.iter().any(is_own) || (poms.len() == 1 && version.is_none());
    if !is_named {
        artifacts.extend(unsaid(archive, inside, stem, name, version, manifest));
    }
    artifacts.extend(poms.into_iter().map(|(group, artifact, version)| Artifact {
        inside: inside.to_owned(),
        group,
        artifact,
        version,
        other_groups: Vec::new(),
        evidence: Evidence::InstalledMetadata,
    }));
    artifacts
}

/// An archive without coordinates: by its manifest and its name. `None` when either part is missing.
fn unsaid(
    archive: &Archive<'_>,
    inside: &str,
    stem: &str,
    name: &str,
    version: Option<&str>,
    manifest: &Manifest,
) -> Option<Artifact> {
    let said = manifest.version();
    let artifact = match (version, manifest.artifact()) {
        (Some(_), _) | (None, None) => name,
        (None, Some(title)) => title,
    };
    let artifact = if artifact.is_empty() { stem } else { artifact };
    let mut groups = group::candidates(archive, manifest, artifact).into_iter();
    Some(Artifact {
        inside: inside.to_owned(),
        group: groups.next().unwrap_or_default(),
        artifact: artifact.to_owned(),
        version: version.or(said)?.to_owned(),
        other_groups: groups.collect(),
        evidence: if said.is_some() { Evidence::ArchiveManifest } else { Evidence::FileName },
    })
}

/// `spring-beans-5.3.17` is `spring-beans` at `5.3.17`, `log4j-1.2-api-2.17.1` is `log4j-1.2-api` at `2.17.1`.
fn split_version(stem: &str) -> (&str, Option<&str>) {
    let dashes: Vec<usize> = stem.match_indices('-').map(|(at, _)| at).collect();
    let begins_with_digit = |at: &&usize| stem[**at + 1..].starts_with(|it: char| it.is_ascii_digit());
    let whole = dashes.iter().filter(begins_with_digit).find(|at| stem[**at + 1..].split('-').all(is_of_version));
    match whole.or_else(|| dashes.iter().find(begins_with_digit)) {
        Some(at) => (&stem[..*at], Some(&stem[at + 1..])),
        None => (stem, None),
    }
}

/// Whether a part between dashes belongs to a version: a number, or a word that versions end with.
fn is_of_version(part: &str) -> bool {
    const WORDS: &[&str] = &[
        "alpha",
        "android",
        "atlassian",
        "b",
        "beta",
        "final",
        "ga",
        "incubating",
        "jre",
        "m",
        "milestone",
        "pre",
        "rc",
        "redhat",
        "release",
        "snapshot",
        "sp",
        "v",
    ];
    let word = part.trim_end_matches(|it: char| it.is_ascii_digit() || it == '.').to_ascii_lowercase();
    part.starts_with(|it: char| it.is_ascii_digit()) || WORDS.contains(&word.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_end_where_the_version_begins() {
        for (stem, name, version) in [
            ("spring-beans-5.3.17", "spring-beans", Some("5.3.17")),
            ("log4j-1.2-api-2.17.1", "log4j-1.2-api", Some("2.17.1")),
            ("guava-31.1-jre", "guava", Some("31.1-jre")),
            ("netty-epoll-4.1.94.Final-linux-x86_64", "netty-epoll", Some("4.1.94.Final-linux-x86_64")),
            ("jackson-core-2.10.0.pr1", "jackson-core", Some("2.10.0.pr1")),
            ("commons-io", "commons-io", None),
            ("app-1.0-SNAPSHOT", "app", Some("1.0-SNAPSHOT")),
        ] {
            assert_eq!(split_version(stem), (name, version), "{stem}");
        }
    }

    #[test]
    fn properties_need_all_three_and_no_placeholder() {
        let text = "#x\r\ngroupId=a.b\r\nartifactId = c\r\nversion=1.0\r\n";
        assert_eq!(parse_properties(text), Some(("a.b".into(), "c".into(), "1.0".into())));
        assert_eq!(parse_properties("groupId=a\nartifactId=b\nversion=${v}\n"), None);
    }
}
