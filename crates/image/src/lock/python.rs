//! Pipenv and pip.

use serde_json::Value;

use super::Locked;
use crate::package::Ecosystem;

/// `default` and `develop`, each name with its exact version.
pub fn parse_pipfile(text: &str) -> Result<Vec<Locked>, String> {
    let lock: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let mut locked = Vec::new();
    for (section, is_development) in [("default", false), ("develop", true)] {
        for (name, fields) in lock.get(section).and_then(Value::as_object).into_iter().flatten() {
            let version = fields.get("version").and_then(Value::as_str).and_then(|it| it.strip_prefix("=="));
            let package = version.map(|version| Locked::new(Ecosystem::PyPi, name, version));
            locked.extend(package.map(|it| it.for_development(is_development)));
        }
    }
    Ok(locked)
}

/// Lines of `name[extras]==version ; marker # comment`. A range says nothing of what is installed.
pub fn parse_requirements(text: &str) -> Vec<Locked> {
    let requirement = |line: &str| {
        let line = line.split(" #").next()?.split(';').next()?.trim();
        let line = line.split([' ', '\t']).filter(|word| !word.starts_with("--") && *word != "\\").collect::<String>();
        let (name, version) = line.split_once("==")?;
        let name = name.split('[').next()?;
        let is_name = !name.is_empty() && name.chars().all(|it| it.is_ascii_alphanumeric() || "-_.".contains(it));
        let version = version.trim_start_matches('=');
        let is_exact = version.starts_with(|it: char| it.is_ascii_digit()) && !version.contains(['*', ',']);
        (is_name && is_exact && !name.starts_with('-')).then(|| Locked::new(Ecosystem::PyPi, name, version))
    };
    text.lines().filter_map(requirement).collect()
}
