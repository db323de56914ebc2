//! Node: `package.json` of installed packages, and of the application itself.

use serde::Deserialize;
use serde_json::Value;

/// A package.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NodePackage {
    /// `name`, with its scope.
    pub name: String,
    /// `version`.
    pub version: String,
    /// `license`, in its older forms as well.
    pub licences: Vec<String>,
}

/// Whether the file can be a package's own: directly below `node_modules` or a scope of it, or outside of any.
///
/// Below a package's own folders lie others, of its tests and of its builds, that nobody installed.
pub fn is_package(path: &str) -> bool {
    let Some(folder) = path.strip_suffix("/package.json") else { return path == "package.json" };
    let Some((_, inside)) = folder.rsplit_once("node_modules/") else { return true };
    match inside.split_once('/') {
        None => !inside.is_empty(),
        Some((scope, name)) => scope.starts_with('@') && !name.contains('/'),
    }
}

#[derive(Deserialize)]
struct Manifest {
    name: Option<Value>,
    version: Option<Value>,
    license: Option<Value>,
    licenses: Option<Value>,
}

/// `None` when it is no JSON object with a name and a version.
pub fn parse_package(bytes: &[u8]) -> Option<NodePackage> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let manifest: Manifest = serde_json::from_slice(bytes).ok()?;
    let text = |value: Option<Value>| value.and_then(|it| it.as_str().map(|it| it.trim().to_owned()));
    let licences = manifest.license.iter().chain(&manifest.licenses).flat_map(licences).collect();
    let (name, version) = (text(manifest.name)?, text(manifest.version)?);
    let version = version.trim_start_matches(['v', '=']).to_owned();
    (!name.is_empty() && !version.is_empty()).then_some(NodePackage { name, version, licences })
}

/// `"MIT"`, `{"type": "MIT"}`, or a list of either.
fn licences(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) => vec![text.clone()],
        Value::Object(fields) => fields.get("type").and_then(Value::as_str).map(str::to_owned).into_iter().collect(),
        Value::Array(values) => values.iter().filter(|value| !value.is_array()).flat_map(licences).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn installed_packages_and_the_application_but_not_what_lies_inside_of_a_package() {
        for yes in ["app/package.json", "a/node_modules/x/package.json", "a/node_modules/@s/x/package.json"] {
            assert!(is_package(yes), "{yes}");
        }
        for no in ["a/node_modules/x/dist/package.json", "a/node_modules/@s/x/y/package.json", "a/x.package.json"] {
            assert!(!is_package(no), "{no}");
        }
        assert!(is_package("a/node_modules/x/node_modules/y/package.json"));
    }

    #[test]
    fn licences_in_each_of_their_forms() {
        let package = |licence: &str| {
            let text = format!("{{\"name\":\"x\",\"version\":\"1.0.0\",{licence}}}");
            parse_package(text.as_bytes()).expect("a package").licences
        };
        assert_eq!(package(r#""license":"MIT""#), ["MIT"]);
        assert_eq!(package(r#""license":{"type":"MIT"}"#), ["MIT"]);
        assert_eq!(package(r#""licenses":[{"type":"A"},"B"]"#), ["A", "B"]);
        assert_eq!(parse_package(b"{\"name\":\"x\"}"), None);
        assert_eq!(parse_package(b"[]"), None);
    }
}
