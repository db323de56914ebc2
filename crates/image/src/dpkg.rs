//! dpkg: `status`, `status.d` of images without a package manager, and the lists of files.
//!
//! Source: dpkg(1), deb-control(5), and the layout that distroless writes.

use crate::owned::OwnedFiles;

/// An installed package, as its paragraph says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DpkgPackage {
    /// `Package`.
    pub name: String,
    /// `Version`.
    pub version: String,
    /// `Architecture`.
    pub architecture: String,
    /// The name and version in `Source`, when they differ from the package's own.
    pub source: Option<(String, String)>,
}

/// Paragraphs of one file: a full Debian has some 60,000 packages to choose from.
const MOST_PACKAGES: usize = 200_000;

/// Reads the paragraphs of `status` whose files are installed.
///
/// A paragraph without `Status` is taken: that is how `status.d` writes them.
pub fn parse_status(text: &str) -> Vec<DpkgPackage> {
    let mut packages = Vec::new();
    let mut paragraph = Paragraph::default();
    for line in text.lines().chain([""]) {
        match line {
            line if line.trim().is_empty() => packages.extend(std::mem::take(&mut paragraph).package()),
            // A continued line: descriptions and lists of files, nothing that is asked for.
            line if line.starts_with([' ', '\t']) => {}
            line => paragraph.read(line),
        }
        if packages.len() >= MOST_PACKAGES {
            break;
        }
    }
    packages
}

#[derive(Default)]
struct Paragraph<'a> {
    name: &'a str,
    version: &'a str,
    architecture: &'a str,
    source: &'a str,
    status: Option<&'a str>,
}

impl<'a> Paragraph<'a> {
    fn read(&mut self, line: &'a str) {
        let Some((key, value)) = line.split_once(':') else { return };
        let value = value.trim();
        // Names of fields are not case-sensitive, and dpkg always writes them so.
        match key {
            "Package" => self.name = value,
            "Version" => self.version = value,
            "Architecture" => self.architecture = value,
            "Source" => self.source = value,
            "Status" => self.status = Some(value),
            _ => {}
        }
    }

    /// `None` for one that is removed, or whose configuration alone is left.
    fn package(self) -> Option<DpkgPackage> {
        let state = self.status.and_then(|status| status.split_whitespace().nth(2));
        let is_there = match (self.status, state) {
            (None, _) => true,
            // `half-installed`, `unpacked`, `half-configured`, `triggers-*`: its files are there.
            (Some(_), state) => !matches!(state, None | Some("not-installed" | "config-files")),
        };
        if self.name.is_empty() || self.version.is_empty() || !is_there {
            return None;
        }
        Some(DpkgPackage {
            name: self.name.to_owned(),
            version: self.version.to_owned(),
            architecture: self.architecture.to_owned(),
            source: source(self.source, self.version).filter(|source| *source != (self.name, self.version)).map(owned),
        })
    }
}

fn owned((name, version): (&str, &str)) -> (String, String) {
    (name.to_owned(), version.to_owned())
}

/// `glibc`, or `gcc-defaults (1.208)` when the version is another one.
fn source<'a>(value: &'a str, version: &'a str) -> Option<(&'a str, &'a str)> {
    let (name, rest) = value.split_once(' ').unwrap_or((value, ""));
    let own = rest.trim().strip_prefix('(').and_then(|rest| rest.strip_suffix(')')).map(str::trim);
    (!name.is_empty()).then_some((name, own.unwrap_or(version)))
}

/// The package whose files `info/NAME.list` or `NAME.md5sums` names: `libc6:amd64.list` is of `libc6`.
pub fn package_of_list(file_name: &str) -> Option<&str> {
    let stem = file_name.strip_suffix(".list").or_else(|| file_name.strip_suffix(".md5sums"))?;
    Some(stem.split(':').next().unwrap_or(stem))
}

/// Reads a list of files: a path a line, or `md5  path`.
pub fn parse_file_list(text: &str) -> OwnedFiles {
    let mut owned = OwnedFiles::default();
    for line in text.lines() {
        let path = match line.starts_with('/') {
            true => line,
            false => line.split_once("  ").map_or("", |(_, path)| path),
        };
        if !path.is_empty() && path != "/." {
            owned.push(path);
        }
    }
    owned
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn installed_packages_with_their_sources() {
        let text = "Package: libc6\nStatus: install ok installed\nArchitecture: amd64\nSource: glibc\nVersion: 2.36-9\n\
                    Description: x\n Version: 9\n\n\
                    Package: gone\nStatus: deinstall ok config-files\nVersion: 1\n\n\
                    Package: cpp\nStatus: install ok half-configured\nSource: gcc-defaults (1.203)\nVersion: 4:12.2.0-3\n\n\n\
                    Package: bash\nVersion: 5\nSource: bash (5)";
        let rows: Vec<String> = parse_status(text)
            .into_iter()
            .map(|it| format!("{} {} {} {:?}", it.name, it.version, it.architecture, it.source))
            .collect();
        assert_eq!(
            rows,
            [
                "libc6 2.36-9 amd64 Some((\"glibc\", \"2.36-9\"))",
                "cpp 4:12.2.0-3  Some((\"gcc-defaults\", \"1.203\"))",
                "bash 5  None",
            ]
        );
    }

    #[test]
    fn lists_of_files_name_their_package() {
        assert_eq!(package_of_list("libc6:amd64.list"), Some("libc6"));
        assert_eq!(package_of_list("libc6.md5sums"), Some("libc6"));
        assert_eq!(package_of_list("libc6.postinst"), None);
        let list = parse_file_list("/.\n/usr/bin/x\n");
        assert_eq!(list, parse_file_list("0123  usr/bin/x\n"));
    }
}
