//! apk: the database of installed packages.
//!
//! Source: the Alpine wiki's "Apk spec", fields of `lib/apk/db/installed`.

use crate::owned::OwnedFiles;

/// An installed package.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ApkPackage {
    /// `P:`.
    pub name: String,
    /// `V:`.
    pub version: String,
    /// `A:`.
    pub architecture: String,
    /// `o:`, the package that its recipe is named after.
    pub origin: String,
    /// `L:`.
    pub licence: String,
    /// `F:` and `R:`.
    pub files: OwnedFiles,
}

/// Packages of one database: Alpine has some 30,000 to choose from.
const MOST_PACKAGES: usize = 100_000;

/// Reads the database.
pub fn parse_installed(text: &str) -> Vec<ApkPackage> {
    let mut packages = Vec::new();
    let mut package = ApkPackage::default();
    let mut folder = "";
    for line in text.lines().chain([""]) {
        let (key, value) = line.split_at_checked(2).unwrap_or((line, ""));
        match key {
            "" => {
                let package = std::mem::take(&mut package);
                folder = "";
                if !package.name.is_empty() && !package.version.is_empty() && packages.len() < MOST_PACKAGES {
                    packages.push(package);
                }
            }
            "P:" => package.name = value.trim().to_owned(),
            "V:" => package.version = value.trim().to_owned(),
            "A:" => package.architecture = value.trim().to_owned(),
            "o:" => package.origin = value.trim().to_owned(),
            "L:" => package.licence = value.trim().to_owned(),
            "F:" => folder = value,
            "R:" if folder.is_empty() => package.files.push(value),
            "R:" => package.files.push(&format!("{folder}/{value}")),
            _ => {}
        }
    }
    packages
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::owned::path_hash;

    #[test]
    fn packages_origins_and_files() {
        let text = "C:Q1x=\nP:ssl_client\nV:1.31.1-r9\nA:x86_64\no:busybox\nL:GPL-2.0-only\nF:usr\nF:usr/bin\nR:ssl_client\n\n\
                    P:no-version\n\nP:last\nV:1\nR:top";
        let packages = parse_installed(text);
        assert_eq!(packages.len(), 2);
        assert_eq!(
            (&*packages[0].name, &*packages[0].version, &*packages[0].origin),
            ("ssl_client", "1.31.1-r9", "busybox")
        );
        assert_eq!(packages[0].files.hashes(), [path_hash("/usr/bin/ssl_client")]);
        assert_eq!(packages[1].files.hashes(), [path_hash("/top")]);
    }
}
