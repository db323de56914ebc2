//! `MANIFEST.MF`.

use std::collections::BTreeMap;

/// The main section, with the names of the headers in lower case.
#[derive(Debug, Clone, Default)]
pub struct Manifest(BTreeMap<String, String>);

/// Headers that are read; bundles have long ones, but not many.
const MOST_HEADERS: usize = 500;

impl Manifest {
    /// Reads the lines up to the first empty one; a line that begins with a space continues the one before.
    pub fn parse(text: &str) -> Self {
        let mut headers: BTreeMap<String, String> = BTreeMap::new();
        let mut last: Option<String> = None;
        for line in text.lines().take_while(|line| !line.trim_end().is_empty()) {
            match (line.strip_prefix(' '), &last) {
                (Some(rest), Some(key)) => headers.entry(key.clone()).or_default().push_str(rest.trim_end()),
                (Some(_), None) => {}
                (None, _) => {
                    let Some((key, value)) = line.split_once(':') else { continue };
                    let key = key.trim().to_ascii_lowercase();
                    if headers.len() < MOST_HEADERS {
                        headers.insert(key.clone(), value.trim().to_owned());
                    }
                    last = Some(key);
                }
            }
        }
        Self(headers)
    }

    /// A header, when it says something.
    pub fn header(&self, name: &str) -> Option<&str> {
        let value = self.0.get(name)?.split(';').next().unwrap_or("").trim().trim_matches('"');
        (!value.is_empty() && !value.contains("${")).then_some(value)
    }

    /// The version of the archive.
    pub fn version(&self) -> Option<&str> {
        let headers = ["implementation-version", "bundle-version", "plugin-version", "specification-version"];
        let version = headers.iter().find_map(|name| self.header(name))?;
        // Some write the build behind it.
        let version = version.split_whitespace().next().unwrap_or(version);
        version.starts_with(|it: char| it.is_ascii_digit() || it == 'v').then_some(version)
    }

    /// What it is called, when that can be an artifact's id.
    pub fn artifact(&self) -> Option<&str> {
        let is_id = |it: &&str| it.chars().all(|it| it.is_ascii_alphanumeric() || "-_.".contains(it));
        let title = ["implementation-title", "short-name", "extension-name"].iter().find_map(|name| self.header(name));
        let bundle = self.header("bundle-symbolicname").and_then(|name| name.rsplit('.').next());
        // Some give the whole `group:artifact` or `group.artifact`.
        title.map(|title| title.rsplit([':', '#']).next().unwrap_or(title)).filter(is_id).or(bundle.filter(is_id))
    }

    /// What may be, or begin with, the group.
    pub fn groups(&self) -> impl Iterator<Item = &str> {
        ["implementation-vendor-id", "group-id", "bundle-symbolicname", "automatic-module-name", "implementation-title"]
            .into_iter()
            .filter_map(|name| self.header(name))
            .map(|value| value.split(':').next().unwrap_or(value))
            .filter(|value| {
                value.contains('.') && value.chars().all(|it| it.is_ascii_alphanumeric() || "-_.".contains(it))
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_joined_and_sections_end() {
        let text = "Manifest-Version: 1.0\r\nImplementation-Title: spring\r\n -beans\r\nBundle-SymbolicName: a.b.c;singleton:=true\r\n\r\nName: x\r\nImplementation-Version: 9\r\n";
        let manifest = Manifest::parse(text);
        assert_eq!((manifest.artifact(), manifest.version()), (Some("spring-beans"), None));
        assert_eq!(manifest.groups().collect::<Vec<_>>(), ["a.b.c"]);
    }
}
