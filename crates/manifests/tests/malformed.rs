//! Manifests as people break them: each file of `malformed/` with what is said of it, and what is in force all the same.

use std::fmt::Write as _;
use std::path::Path;

use expect_test::expect_file;
use palisade_manifests::load_text;
use palisade_model::Effect;

#[test]
fn broken_manifests_say_what_is_wrong_and_what_to_change() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/malformed");
    let mut files: Vec<_> = std::fs::read_dir(&folder)
        .expect("the folder is there")
        .map(|entry| entry.expect("it can be read").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "yaml"))
        .collect();
    files.sort();
    assert!(files.len() >= 20, "the corpus is there");
    for path in files {
        let name = path.file_name().and_then(|name| name.to_str()).expect("a name in UTF-8");
        let text = std::fs::read_to_string(&path).expect("the file can be read");
        expect_file![path.with_extension("txt")].assert_eq(&said(name, &text));
    }
}

fn said(name: &str, text: &str) -> String {
    let outcome = load_text(name, text);
    let mut out = String::new();
    for problem in &outcome.problems {
        let mark = if problem.effect == Effect::Harmless { "warning" } else { "problem" };
        let _ = writeln!(out, "{mark}[{}]: {problem}", problem.code);
        if let Some(hint) = &problem.hint {
            let _ = writeln!(out, "  hint: {hint}");
        }
    }
    let inventory = outcome.value;
    let policies = inventory.network_policies.iter().map(|policy| &policy.meta);
    let policies = policies.chain(inventory.access_policies.iter().map(|policy| &policy.meta));
    let policies = policies.chain(inventory.perimeters.iter().map(|policy| &policy.meta));
    let policies = policies.chain(inventory.tiered_policies.iter().map(|policy| &policy.meta));
    for meta in policies {
        let _ = writeln!(out, "in force: {}", meta.reference);
    }
    for unreadable in &inventory.unreadable {
        let kind = unreadable.kind.map_or("any kind", |kind| kind.as_str());
        let namespace = unreadable.namespace.as_deref().unwrap_or("any namespace");
        let _ = writeln!(out, "undecided by it: ends of {namespace}, as {kind} could select them");
    }
    out
}
