//! npm, Yarn and pnpm.

use serde_json::{Map, Value};

use super::Locked;
use crate::package::Ecosystem;

/// Dependencies of dependencies in the first form are nested; nobody nests them deeper.
const DEEPEST: usize = 64;

/// Both forms: a map of paths since npm 7, nested dependencies before.
pub fn parse_package_lock(text: &str) -> Result<Vec<Locked>, String> {
    let lock: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let mut locked = Vec::new();
    match lock.get("packages").and_then(Value::as_object) {
        Some(packages) => locked.extend(packages.iter().filter_map(|(path, fields)| of_path(path, fields))),
        None => nested(lock.get("dependencies").and_then(Value::as_object), 0, &mut locked),
    }
    Ok(locked)
}

/// `node_modules/a/node_modules/@s/b`. What lies elsewhere is of the workspace, what is a link points there.
fn of_path(path: &str, fields: &Value) -> Option<Locked> {
    let (_, name) = path.rsplit_once("node_modules/")?;
    let name = fields.get("name").and_then(Value::as_str).unwrap_or(name);
    package(name, fields)
}

fn nested(dependencies: Option<&Map<String, Value>>, depth: usize, locked: &mut Vec<Locked>) {
    for (name, fields) in dependencies.into_iter().flatten().filter(|_| depth < DEEPEST) {
        locked.extend(package(name, fields));
        nested(fields.get("dependencies").and_then(Value::as_object), depth + 1, locked);
    }
}

/// `None` for a version that is the address of a repository.
fn package(name: &str, fields: &Value) -> Option<Locked> {
    let version = fields.get("version")?.as_str()?;
    let is_development = fields.get("dev").and_then(Value::as_bool).unwrap_or(false);
    let is_version = version.starts_with(|it: char| it.is_ascii_digit());
    is_version.then(|| Locked::new(Ecosystem::Npm, name, version).for_development(is_development))
}

/// Blocks: the patterns that a package answers to, and below them its version.
pub fn parse_yarn(text: &str) -> Vec<Locked> {
    let mut locked = Vec::new();
    let mut name = None;
    for line in text.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#')) {
        if !line.starts_with(' ') {
            name = name_of_pattern(line.trim_end_matches(':'));
            continue;
        }
        let Some((key, value)) = line.trim().split_once([' ', ':']) else { continue };
        let is_field = line.starts_with("  ") && !line.starts_with("   ");
        if is_field && key == "version" {
            let version = value.trim().trim_matches('"');
            locked.extend(name.take().map(|name| Locked::new(Ecosystem::Npm, name, version)));
        }
    }
    locked
}

/// `"@babel/core@^7.0.0", ...` or `"a@npm:^1, a@npm:^1.1"`. `None` for what lies in the workspace.
fn name_of_pattern(line: &str) -> Option<&str> {
    let first = line.trim_matches('"').split(',').next()?.trim().trim_matches('"');
    let at = first.get(1..)?.find('@')? + 1;
    let (name, range) = (&first[..at], &first[at + 1..]);
    let is_local = ["workspace:", "link:", "file:", "portal:"].iter().any(|it| range.starts_with(it));
    if is_local {
        return None;
    }
    // An alias: `x@npm:real@^1`.
    let real = range.strip_prefix("npm:").and_then(|range| Some((range, range.get(1..)?.find('@')? + 1)));
    Some(real.map_or(name, |(range, at)| &range[..at]))
}

/// The keys of `packages`, two blanks deep: `/a/1.0.0`, `/a@1.0.0(peer@2)`, `a@1.0.0`.
pub fn parse_pnpm(text: &str) -> Vec<Locked> {
    let mut locked: Vec<Locked> = Vec::new();
    let mut is_inside = false;
    let mut is_of_package = false;
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        if !line.starts_with(' ') {
            is_inside = line.trim_end() == "packages:";
        } else if is_inside && line.starts_with("  ") && !line.starts_with("   ") {
            let key = line.trim().trim_end_matches("{}").trim_end().trim_end_matches(':').trim_matches(['\'', '"']);
            let package = key_of_pnpm(key).map(|(name, version)| Locked::new(Ecosystem::Npm, name, version));
            is_of_package = package.is_some();
            locked.extend(package);
        } else if is_inside
            && is_of_package
            && line.trim() == "dev: true"
            && let Some(last) = locked.last_mut()
        {
            last.development = true;
        }
    }
    locked
}

fn key_of_pnpm(key: &str) -> Option<(&str, &str)> {
    let key = key.trim_start_matches('/').split('(').next()?;
    let at = key.get(1..)?.rfind('@').map(|at| at + 1).or_else(|| key.rfind('/'))?;
    let version = key[at + 1..].split('_').next()?;
    version.starts_with(|it: char| it.is_ascii_digit()).then_some((&key[..at], version))
}
