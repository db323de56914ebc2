//! Bundler.

use super::Locked;
use crate::package::Ecosystem;

/// The lines below `specs:` that are four blanks deep: `name (version-platform)`.
pub fn parse(text: &str) -> Vec<Locked> {
    let mut locked = Vec::new();
    let mut is_inside = false;
    for line in text.lines() {
        match line.len() - line.trim_start().len() {
            0 => is_inside = false,
            2 => is_inside = line.trim() == "specs:",
            4 if is_inside => locked.extend(gem(line.trim())),
            _ => {}
        }
    }
    locked
}

fn gem(line: &str) -> Option<Locked> {
    let (name, version) = line.split_once(" (")?;
    let version = version.strip_suffix(')')?.split('-').next()?;
    Some(Locked::new(Ecosystem::RubyGems, name, version))
}
