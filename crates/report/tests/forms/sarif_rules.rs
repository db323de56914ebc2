//! The parts of SARIF's schema that a log of ours can break: what must be there, of which type, and with which words.
//!
//! Source: the JSON schema of SARIF 2.1.0 (sarif-schema-2.1.0.json), by hand, so that no validator has to be installed.

use serde_json::Value;

/// Panics where `text` is no valid log.
pub fn check(text: &str) {
    let log: Value = serde_json::from_str(text).expect("SARIF is JSON");
    assert_eq!(keys(&log), ["$schema", "runs", "version"]);
    assert_eq!(log["version"], "2.1.0");
    for run in list(&log["runs"]) {
        let driver = &run["tool"]["driver"];
        let rules = list(&driver["rules"]);
        text_of(&driver["name"]);
        assert!(["utf16CodeUnits", "unicodeCodePoints"].contains(&text_of(&run["columnKind"])));
        for invocation in list(&run["invocations"]) {
            assert!(invocation["executionSuccessful"].is_boolean());
        }
        rules.iter().for_each(check_rule);
        for result in list(&run["results"]) {
            check_result(result, rules);
        }
    }
}

fn check_rule(rule: &Value) {
    only(rule, &["id", "shortDescription", "help", "defaultConfiguration", "properties"]);
    text_of(&rule["id"]);
    text_of(&rule["shortDescription"]["text"]);
    level(&rule["defaultConfiguration"]["level"]);
    if let Some(help) = rule.get("help") {
        text_of(&help["text"]);
    }
    if let Some(number) = rule["properties"].get("security-severity") {
        let number: f64 = text_of(number).parse().expect("a number in a text");
        assert!((0.0..=10.0).contains(&number));
    }
}

fn check_result(result: &Value, rules: &[Value]) {
    only(
        result,
        &[
            "ruleId",
            "ruleIndex",
            "level",
            "message",
            "locations",
            "relatedLocations",
            "partialFingerprints",
            "suppressions",
            "properties",
        ],
    );
    let index = result["ruleIndex"].as_u64().expect("a number") as usize;
    assert_eq!(rules[index]["id"], result["ruleId"]);
    level(&result["level"]);
    text_of(&result["message"]["text"]);
    let related = result.get("relatedLocations").map(list).unwrap_or_default();
    for location in list(&result["locations"]).iter().chain(related) {
        only(location, &["id", "physicalLocation", "logicalLocations", "message"]);
        if let Some(physical) = location.get("physicalLocation") {
            let uri = text_of(&physical["artifactLocation"]["uri"]);
            let allowed = |letter: char| letter.is_ascii_alphanumeric() || "-._~/%:".contains(letter);
            assert!(uri.chars().all(allowed), "{uri}");
            assert!(physical["region"]["startLine"].as_u64().expect("a number") >= 1);
        }
        for logical in location.get("logicalLocations").map(list).unwrap_or_default() {
            text_of(&logical["fullyQualifiedName"]);
        }
    }
    let fingerprints = result["partialFingerprints"].as_object().expect("an object");
    assert!(!fingerprints.is_empty() && fingerprints.values().all(Value::is_string));
    for suppression in result.get("suppressions").map(list).unwrap_or_default() {
        assert!(["inSource", "external"].contains(&text_of(&suppression["kind"])));
    }
}

fn level(value: &Value) {
    assert!(["none", "note", "warning", "error"].contains(&text_of(value)));
}

fn list(value: &Value) -> &[Value] {
    value.as_array().expect("a list")
}

fn text_of(value: &Value) -> &str {
    let text = value.as_str().expect("a text");
    assert!(!text.is_empty());
    text
}

fn keys(value: &Value) -> Vec<&str> {
    value.as_object().expect("an object").keys().map(String::as_str).collect()
}

fn only(value: &Value, allowed: &[&str]) {
    let unknown: Vec<&str> = keys(value).into_iter().filter(|key| !allowed.contains(key)).collect();
    assert_eq!(unknown, Vec::<&str>::new());
}
