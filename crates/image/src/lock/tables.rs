//! Lists of `[[package]]` in TOML: Cargo, Poetry, uv, PDM. Each writes a field a line, so no more of TOML is read.

use super::Locked;
use crate::package::Ecosystem;

/// The `name` and `version` of each table.
pub fn parse(text: &str, ecosystem: &Ecosystem) -> Vec<Locked> {
    let mut locked = Vec::new();
    let mut current: Option<Locked> = None;
    let mut is_inside = false;
    for line in text.lines() {
        let line = line.trim_end();
        if line.starts_with('[') {
            is_inside = line == "[[package]]";
            if is_inside {
                locked.extend(current.replace(Locked::new(ecosystem.clone(), "", "")));
            }
            continue;
        }
        let (Some(package), Some((key, value))) = (&mut current, line.split_once(" = ")) else { continue };
        let text = value.strip_prefix('"').and_then(|value| value.strip_suffix('"'));
        match (is_inside, key, text) {
            (true, "name", Some(name)) => name.clone_into(&mut package.name),
            (true, "version", Some(version)) => version.clone_into(&mut package.version),
            (true, "category", Some(category)) => package.development = category == "dev",
            _ => {}
        }
    }
    locked.extend(current);
    locked
}
