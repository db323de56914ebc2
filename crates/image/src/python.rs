//! Python: what an installer wrote beside a package.
//!
//! Source: "Core metadata specifications" and "Recording installed projects", packaging.python.org.

use crate::java::zip::Archive;

/// A package.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PythonPackage {
    /// `Name`, as written.
    pub name: String,
    /// `Version`.
    pub version: String,
    /// `License-Expression`, else `License` when it is a line, else those of the classifiers.
    pub licences: Vec<String>,
}

/// Whether the path is that of a package's metadata: `x-1.dist-info/METADATA`, `x-1.egg-info/PKG-INFO`,
/// `x-1.egg-info`, `x-1.egg/EGG-INFO/PKG-INFO`.
pub fn is_metadata(path: &str) -> bool {
    let mut parts = path.rsplit('/');
    let (name, folder) = (parts.next().unwrap_or(""), parts.next().unwrap_or(""));
    match name {
        "METADATA" => folder.ends_with(".dist-info"),
        "PKG-INFO" => folder.ends_with(".egg-info") || folder == "EGG-INFO",
        name => name.ends_with(".egg-info"),
    }
}

/// Whether the file is a package in one piece: an egg, which is imported as it is, or a wheel, as `ensurepip` brings them.
pub fn is_archive(name: &str) -> bool {
    name.ends_with(".egg") || name.ends_with(".whl")
}

/// Reads the metadata in an egg or a wheel. `None` when it is none.
pub fn read_archive(bytes: &[u8]) -> Option<PythonPackage> {
    const LONGEST_METADATA: usize = 4 << 20;
    let archive = Archive::open(bytes)?;
    let is_of_wheel = |name: &str| name.strip_suffix(".dist-info/METADATA").is_some_and(|it| !it.contains('/'));
    let mut members = archive.members();
    let found = members.find(|member| member.name == "EGG-INFO/PKG-INFO" || is_of_wheel(member.name))?;
    parse_metadata(&archive.text(&found, LONGEST_METADATA, &mut LONGEST_METADATA.clone())?)
}

/// Whether the path is that of the list of a package's files.
pub fn is_record(path: &str) -> bool {
    path.ends_with(".dist-info/RECORD") || path.ends_with(".egg-info/installed-files.txt")
}

/// Licences are sometimes whole texts; a longer line is none.
const LONGEST_LICENCE: usize = 200;

/// Reads the headers, up to the empty line before the description. `None` without a name or a version.
pub fn parse_metadata(text: &str) -> Option<PythonPackage> {
    let mut package = PythonPackage::default();
    let (mut expression, mut licence, mut classifiers) = (None, None, Vec::new());
    for line in text.lines().take_while(|line| !line.trim_end().is_empty()) {
        if line.starts_with([' ', '\t']) {
            continue;
        }
        let Some((key, value)) = line.split_once(':') else { continue };
        let value = value.trim();
        match key.to_ascii_lowercase().as_str() {
            "name" if package.name.is_empty() => value.clone_into(&mut package.name),
            "version" if package.version.is_empty() => value.clone_into(&mut package.version),
            "license-expression" => expression = Some(value),
            "license" if value.len() <= LONGEST_LICENCE => licence = Some(value),
            "classifier" => classifiers.extend(value.strip_prefix("License :: ")),
            _ => {}
        }
    }
    let classified = classifiers.iter().filter_map(|it| it.rsplit(" :: ").next()).filter(|it| *it != "OSI Approved");
    let said = expression.or(licence).filter(|said| !said.is_empty() && *said != "UNKNOWN");
    package.licences = match said {
        Some(said) => vec![said.to_owned()],
        None => classified.map(str::to_owned).collect(),
    };
    (!package.name.is_empty() && !package.version.is_empty()).then_some(package)
}

/// The name as the index compares it: lower case, `_` and `.` as `-`.
pub fn normalised_name(name: &str) -> String {
    let mut normal = String::with_capacity(name.len());
    for character in name.chars() {
        match character {
            '-' | '_' | '.' if normal.ends_with('-') => {}
            '-' | '_' | '.' => normal.push('-'),
            other => normal.extend(other.to_lowercase()),
        }
    }
    normal
}

/// The paths in a `RECORD`, relative to the folder that its own folder lies in: the programs and libraries among them.
pub fn programs_of_record(text: &str) -> impl Iterator<Item = &str> {
    text.lines()
        .map(|line| match line.strip_prefix('"') {
            Some(quoted) => quoted.split('"').next().unwrap_or(""),
            None => line.split(',').next().unwrap_or(""),
        })
        .filter(|path| {
            let name = path.rsplit('/').next().unwrap_or("");
            name.contains(".so") || !name.contains('.') || path.contains("/bin/")
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_end_where_the_description_begins() {
        let text = "Metadata-Version: 2.1\nName: PyYAML\nVersion: 6.0.1\nLicense: MIT\nClassifier: License :: OSI Approved :: MIT License\n\nName: other\n";
        let package = parse_metadata(text).expect("a package");
        assert_eq!((&*package.name, &*package.version), ("PyYAML", "6.0.1"));
        assert_eq!(package.licences, ["MIT"]);
        assert_eq!(parse_metadata("Name: x\n\nVersion: 1\n"), None);
    }

    #[test]
    fn paths_of_metadata() {
        assert!(is_metadata("usr/lib/python3/site-packages/a-1.dist-info/METADATA"));
        assert!(is_metadata("usr/lib/python3/dist-packages/a-1.egg-info"));
        assert!(is_metadata("x/a-1.egg/EGG-INFO/PKG-INFO"));
        assert!(!is_metadata("src/METADATA") && !is_metadata("src/PKG-INFO"));
    }

    #[test]
    fn what_is_no_archive_has_no_metadata() {
        assert!(is_archive("a-1-py3.9.egg") && is_archive("a-1-py3-none-any.whl") && !is_archive("a.zip"));
        for bytes in [&b""[..], b"PK\x05\x06", &[0; 64]] {
            assert_eq!(read_archive(bytes), None);
        }
    }

    #[test]
    fn names_are_compared_as_the_index_does() {
        assert_eq!(normalised_name("Zope.Interface__x"), "zope-interface-x");
    }
}
