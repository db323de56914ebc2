//! What must hold of the content of an attestation.

use palisade_model::image_policy::{Condition, Step, Test};
use serde_json::Value;

use crate::pattern;

/// The first condition that does not hold, in words.
///
/// A field that is missing holds no condition but "must not exist": content that is not as its reader thought is no
/// content that was checked.
pub(crate) fn broken(conditions: &[Condition], predicate: &Value) -> Option<String> {
    conditions.iter().find_map(|condition| {
        let why = holds(&condition.path, &condition.test, predicate).err()?;
        Some(format!("`{}` {why}", condition.field))
    })
}

fn holds(path: &[Step], test: &Test, value: &Value) -> Result<(), String> {
    let Some((step, rest)) = path.split_first() else { return judge(test, value) };
    let next = match step {
        Step::Each => {
            let Some(elements) = value.as_array() else { return missing(test) };
            return elements.iter().try_for_each(|element| holds(rest, test, element));
        }
        Step::Field(name) => value.get(name),
        Step::Index(index) => value.get(index),
    };
    match next {
        Some(next) => holds(rest, test, next),
        None => missing(test),
    }
}

fn missing(test: &Test) -> Result<(), String> {
    if *test == Test::Exists(false) { Ok(()) } else { Err("is not there".into()) }
}

fn judge(test: &Test, value: &Value) -> Result<(), String> {
    let shown = || shorten(&value.to_string());
    let is_good = match test {
        Test::Equals(wanted) => is_same(value, wanted),
        Test::NotEquals(unwanted) => !is_same(value, unwanted),
        Test::OneOf(wanted) => wanted.iter().any(|wanted| is_same(value, wanted)),
        Test::Matches(pattern) => value.as_str().is_some_and(|text| pattern::matches(pattern, text)),
        Test::AtMost(most) => value.as_f64().is_some_and(|number| number <= *most),
        Test::AtLeast(least) => value.as_f64().is_some_and(|number| number >= *least),
        Test::Exists(wanted) => *wanted,
    };
    match is_good {
        true => Ok(()),
        false => Err(format!("is {}, and must {}", shown(), wanted(test))),
    }
}

/// JSON has one kind of number: `7.0` is `7`.
fn is_same(value: &Value, other: &Value) -> bool {
    value == other || value.is_number() && other.is_number() && value.as_f64() == other.as_f64()
}

fn wanted(test: &Test) -> String {
    match test {
        Test::Equals(value) => format!("be {value}"),
        Test::NotEquals(value) => format!("not be {value}"),
        Test::OneOf(values) => {
            format!("be one of {}", values.iter().map(Value::to_string).collect::<Vec<_>>().join(", "))
        }
        Test::Matches(pattern) => format!("be like `{pattern}`"),
        Test::AtMost(most) => format!("be at most {most}"),
        Test::AtLeast(least) => format!("be at least {least}"),
        Test::Exists(true) => "be there".into(),
        Test::Exists(false) => "not be there".into(),
    }
}

fn shorten(text: &str) -> String {
    const SHOWN: usize = 60;
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use palisade_model::image_policy::parse_path;
    use serde_json::json;

    use super::*;

    #[test]
    fn each_test_can_hold_and_fail_and_what_is_missing_fails() {
        let predicate = json!({
            "scanner": {"uri": "pkg:github/acme/scan@1.2", "result": [{"severity": "LOW"}, {"severity": "HIGH"}]},
            "count": 3,
            "score": 7.0,
            "empty": [],
        });
        let why = |field: &str, test: Test| {
            let path = parse_path(field).expect("a way");
            broken(&[Condition { field: field.into(), path, test }], &predicate).unwrap_or_else(|| "holds".into())
        };
        expect_test::expect![[r#"
            holds
            `count` is 3, and must be 4
            holds
            `score` is 7.0, and must not be 7
            holds
            holds
            `count` is 3, and must be at most 2
            holds
            `count` is 3, and must be at least 4
            holds
            `scanner.uri` is "pkg:github/acme/scan@1.2", and must be like `pkg:github/*`
            `scanner.result[].severity` is "HIGH", and must not be "HIGH"
            holds
            `scanner.result[1].severity` is "HIGH", and must be one of "LOW", "MEDIUM"
            holds
            `nothing.at.all` is not there
            `nothing.at.all` is not there
            holds
            `count` is 3, and must not be there
            `count[]` is not there
            `scanner.uri` is "pkg:github/acme/scan@1.2", and must be at most 9
        "#]]
        .assert_eq(
            &[
                why("count", Test::Equals(json!(3))),
                why("count", Test::Equals(json!(4))),
                why("score", Test::Equals(json!(7))),
                why("score", Test::NotEquals(json!(7))),
                why("score", Test::OneOf(vec![json!(6), json!(7)])),
                why("count", Test::AtMost(3.0)),
                why("count", Test::AtMost(2.0)),
                why("count", Test::AtLeast(3.0)),
                why("count", Test::AtLeast(4.0)),
                why("scanner.uri", Test::Matches("pkg:github/acme/*".into())),
                why("scanner.uri", Test::Matches("pkg:github/*".into())),
                why("scanner.result[].severity", Test::NotEquals(json!("HIGH"))),
                why("scanner.result[].severity", Test::NotEquals(json!("CRITICAL"))),
                why("scanner.result[1].severity", Test::OneOf(vec![json!("LOW"), json!("MEDIUM")])),
                why("empty[].severity", Test::Equals(json!("LOW"))),
                why("nothing.at.all", Test::NotEquals(json!(1))),
                why("nothing.at.all", Test::Exists(true)),
                why("nothing.at.all", Test::Exists(false)),
                why("count", Test::Exists(false)),
                why("count[]", Test::Equals(json!(3))),
                why("scanner.uri", Test::AtMost(9.0)),
            ]
            .map(|line| line + "\n")
            .concat(),
        );
    }
}
