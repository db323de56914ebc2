//! Each rule of lint: a world in which it speaks, and one beside it in which it is silent. And what a rule calls without
//! effect can be removed.

mod access;
mod network;
mod removal;
mod tiers;

#[path = "../small_world/world.rs"]
#[allow(dead_code, reason = "shared with the other tests, which use the rest")]
mod world;

use std::fmt::Write as _;
use std::sync::Arc;

use expect_test::Expect;
use palisade_model::finding::Finding;
use palisade_model::settings::Settings;
use palisade_model::{Inventory, Timestamp};
use palisade_policy::{Model, lint};

/// Lints the world and compares the findings, one a line: severity, rule, part, message.
fn check(world: &str, expected: Expect) {
    let mut text = String::new();
    for finding in findings(world) {
        let part = finding.part.as_deref().map(|part| format!("{part}: ")).unwrap_or_default();
        let object = finding.subject.as_ref().map(ToString::to_string).unwrap_or_default();
        let _ = writeln!(text, "{} {}: {object}: {part}{}", finding.severity, finding.rule, finding.message);
    }
    expected.assert_eq(&text);
}

/// The findings of a world, each of them with reason, fix and place.
fn findings(world: &str) -> Vec<Finding> {
    let mut yaml = String::new();
    for line in world.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (word, rest) = line.split_once(' ').expect("each line is a word and its rest");
        let _ = writeln!(yaml, "---\n{}", world::document(word, rest));
    }
    let loaded = palisade_manifests::load_text("world", &yaml);
    let findings = lint(loaded.value, loaded.problems, now());
    let rules = lint::rules();
    for finding in &findings {
        assert!(finding.place.is_some(), "{finding:?} has no place");
        let is_known = rules.iter().any(|rule| rule.id == finding.rule);
        assert!(!is_known || finding.reason.is_some(), "{finding:?} has no reason");
        assert!(!finding.message.ends_with('.') && !finding.message.contains('\n'), "{finding:?}");
    }
    findings
}

fn lint(inventory: Inventory, mut problems: Vec<palisade_model::Problem>, now: Timestamp) -> Vec<Finding> {
    let settings = Settings::of(&inventory);
    let model = Model::new(Arc::new(inventory), settings);
    problems.extend(model.problems);
    let mut findings = lint::lint(&model.value, &problems, now);
    findings.sort_by_key(|finding| (finding.rule.clone(), finding.subject.clone(), finding.part.clone()));
    findings
}

fn now() -> Timestamp {
    "2026-01-01T00:00:00Z".parse().expect("a constant")
}

#[test]
fn every_rule_has_an_id_a_title_and_help() {
    let rules = lint::rules();
    assert!(rules.windows(2).all(|pair| pair[0].id < pair[1].id), "sorted, each once");
    for rule in rules {
        assert!(rule.id.chars().all(|letter| letter.is_ascii_lowercase() || letter == '-'), "{}", rule.id);
        assert!(!rule.title.is_empty() && !rule.title.ends_with('.'), "{}", rule.id);
        assert!(rule.help.contains("\n\n"), "{}: why, and what to do", rule.id);
    }
}

#[test]
fn an_annotation_suppresses_the_rules_that_it_names() {
    let world = r#"
        pod shop/web app=web
        raw {apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: later, namespace: shop, annotations: {palisade.dev/lint-ignore: "every-port; selector-matches-nothing: comes next week"}}, spec: {podSelector: {matchLabels: {app: next}}}}
        raw {apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: other, namespace: shop, annotations: {palisade.dev/lint-ignore: "every-port: no"}}, spec: {podSelector: {matchLabels: {app: other}}}}
    "#;
    let findings = findings(world);
    let [later, other] = findings.as_slice() else { panic!("{findings:?}") };
    let suppression = later.suppression.as_ref().expect("the annotation names it");
    assert_eq!(suppression.reason.as_deref(), Some("comes next week"));
    assert_eq!(suppression.by, "annotation palisade.dev/lint-ignore");
    assert!(other.is_open(), "the annotation names another rule");
}

#[test]
fn without_pods_nothing_is_said_of_what_policies_mean() {
    check("netpol shop/p {podSelector: {matchLabels: {app: web}}}", expect_test::expect![""]);
}
