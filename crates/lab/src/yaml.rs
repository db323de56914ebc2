//! JSON values as YAML documents that a person can read.

use std::fmt::Write;

use serde_json::Value;

/// Renders `values` as documents of one YAML stream.
pub(crate) fn render(values: &[Value]) -> String {
    let mut out = String::new();
    for value in values {
        out.push_str("---\n");
        block(value, 0, &mut out);
    }
    out
}

fn block(value: &Value, depth: usize, out: &mut String) {
    let indent = "  ".repeat(depth);
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            for (name, value) in fields {
                let _ = write!(out, "{indent}{}:", text(name));
                nested(value, depth, out);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for item in items {
                let _ = write!(out, "{indent}-");
                nested(item, depth, out);
            }
        }
        scalar => {
            let _ = writeln!(out, "{indent}{}", flow(scalar));
        }
    }
}

fn nested(value: &Value, depth: usize, out: &mut String) {
    let empty = match value {
        Value::Object(fields) => fields.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => true,
    };
    if empty {
        let _ = writeln!(out, " {}", flow(value));
    } else {
        out.push('\n');
        block(value, depth + 1, out);
    }
}

fn flow(value: &Value) -> String {
    match value {
        Value::String(string) => text(string),
        other => other.to_string(),
    }
}

/// Plain where no reader can take it for anything else, else quoted as JSON, which is YAML too.
fn text(string: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'/' | b'_');
    let starts_plain = string.bytes().next().is_some_and(|byte| byte.is_ascii_alphabetic());
    let word = ["true", "false", "yes", "no", "on", "off", "y", "n", "null"]
        .iter()
        .any(|word| string.eq_ignore_ascii_case(word));
    if starts_plain && !word && string.bytes().all(plain) { string.to_owned() } else { Value::from(string).to_string() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_could_be_taken_for_something_else_is_quoted() {
        let value = json!({"kind": "Pod", "labels": {}, "on": ["yes", "0777", "1.5", "a b", ""], "items": [{"port": 80, "x": null}]});
        assert_eq!(
            render(&[value]),
            "---\nitems:\n  -\n    port: 80\n    x: null\nkind: Pod\nlabels: {}\n\"on\":\n  - \"yes\"\n  - \"0777\"\n  - \"1.5\"\n  - \"a b\"\n  - \"\"\n"
        );
    }
}
