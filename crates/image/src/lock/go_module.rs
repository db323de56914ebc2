//! `go.mod`: since Go 1.17 it names every module that is built.

use std::collections::BTreeMap;

use super::Locked;
use crate::package::Ecosystem;

/// The required modules with their replacements, and the standard library of the toolchain.
pub fn parse(text: &str) -> Vec<Locked> {
    let mut required: BTreeMap<&str, &str> = BTreeMap::new();
    let mut replaced: Vec<(&str, Option<&str>, &[&str])> = Vec::new();
    let (mut language, mut toolchain) = (None, None);
    let lines: Vec<Vec<&str>> = directives(text);
    for words in &lines {
        match words.as_slice() {
            ["go", version] => language = Some(*version),
            ["toolchain", version] => toolchain = version.strip_prefix("go"),
            ["require", path, version] => drop(required.insert(path, version)),
            ["replace", path, "=>", by @ ..] => replaced.push((path, None, by)),
            ["replace", path, version, "=>", by @ ..] => replaced.push((path, Some(version), by)),
            _ => {}
        }
    }
    let mut locked = Vec::new();
    for (path, version) in required {
        let by = replaced.iter().find(|(it, of, _)| *it == path && of.is_none_or(|of| of == version));
        match by.map(|(_, _, by)| *by) {
            None => locked.push(Locked::new(Ecosystem::Go, path, version)),
            Some([path, version]) => locked.push(Locked::new(Ecosystem::Go, path, version)),
            // By a folder: its version is nobody's.
            Some(_) => {}
        }
    }
    // A language version without a patch does not say which standard library.
    let standard = toolchain.or(language.filter(|version| version.matches('.').count() == 2));
    locked.extend(standard.map(|version| Locked::new(Ecosystem::Go, "stdlib", version)));
    locked
}

/// The words of each directive, those in blocks with the block's word before them.
fn directives(text: &str) -> Vec<Vec<&str>> {
    let mut directives = Vec::new();
    let mut block = None;
    for line in text.lines() {
        let words: Vec<&str> =
            line.split("//").next().unwrap_or("").split_whitespace().map(|it| it.trim_matches('"')).collect();
        match (words.as_slice(), block) {
            ([], _) => {}
            ([")"], _) => block = None,
            ([word, "("], _) => block = Some(*word),
            (_, Some(word)) => directives.push(std::iter::once(word).chain(words.iter().copied()).collect()),
            (_, None) => directives.push(words),
        }
    }
    directives
}
