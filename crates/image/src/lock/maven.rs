//! `pom.xml`, as far as it goes alone: versions of parents and of boms are not in it.

use std::collections::BTreeMap;

use super::Locked;
use crate::package::Ecosystem;

/// Elements in elements, so deep and no deeper.
const DEEPEST: usize = 64;

/// The dependencies with a literal version, or a property of the same file.
pub fn parse(text: &str) -> Vec<Locked> {
    let mut found = Found::default();
    let mut path: Vec<&str> = Vec::new();
    let mut rest = text;
    while let Some(open) = rest.find('<') {
        let content = rest[..open].trim();
        rest = &rest[open..];
        if let Some(after) = rest.strip_prefix("<!--") {
            rest = after.split_once("-->").map_or("", |(_, after)| after);
            continue;
        }
        let Some((tag, after)) = rest[1..].split_once('>') else { break };
        rest = after;
        if let Some(name) = tag.strip_prefix('/') {
            found.close(&path, content);
            if path.last() == Some(&name.trim()) {
                path.pop();
            }
        } else if !tag.ends_with('/') && !tag.starts_with(['?', '!']) && path.len() < DEEPEST {
            path.push(tag.split_whitespace().next().unwrap_or(""));
        }
    }
    found.locked()
}

#[derive(Default)]
struct Found<'a> {
    properties: BTreeMap<&'a str, &'a str>,
    current: BTreeMap<&'a str, &'a str>,
    dependencies: Vec<BTreeMap<&'a str, &'a str>>,
}

impl<'a> Found<'a> {
    /// The element at `path` ends, and has `content`.
    fn close(&mut self, path: &[&'a str], content: &'a str) {
        match path {
            ["project", "properties", name] => drop(self.properties.insert(name, content)),
            ["project", "version"] => drop(self.properties.insert("project.version", content)),
            ["project", "groupId"] => drop(self.properties.insert("project.groupId", content)),
            [.., "dependencies", "dependency"] => self.dependencies.push(std::mem::take(&mut self.current)),
            [.., "dependencies", "dependency", field] => drop(self.current.insert(field, content)),
            _ => {}
        }
    }

    fn resolved(&self, value: &'a str) -> Option<&'a str> {
        match value.strip_prefix("${").and_then(|value| value.strip_suffix('}')) {
            Some(property) => self.properties.get(property).copied().filter(|value| !value.contains("${")),
            // A range is no version.
            None => Some(value).filter(|value| !value.contains("${") && !value.starts_with(['[', '('])),
        }
    }

    fn locked(&self) -> Vec<Locked> {
        let dependency = |fields: &BTreeMap<&'a str, &'a str>| {
            let field = |name| self.resolved(fields.get(name)?);
            let name = format!("{}:{}", field("groupId")?, field("artifactId")?);
            let is_development = fields.get("scope").is_some_and(|scope| *scope == "test");
            Some(Locked::new(Ecosystem::Maven, &name, field("version")?).for_development(is_development))
        };
        self.dependencies.iter().filter_map(dependency).collect()
    }
}
