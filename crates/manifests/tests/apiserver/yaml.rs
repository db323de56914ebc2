//! A tree as YAML, one entry a line, strings in quotes.

use std::fmt::Write;

use serde_json::Value as Json;

/// The document of `object`.
pub fn document(object: &Json) -> String {
    let mut out = String::new();
    write_value(&mut out, object, 0);
    out.push('\n');
    out
}

fn write_value(out: &mut String, value: &Json, indent: usize) {
    match value {
        Json::Object(fields) if !fields.is_empty() => {
            for (index, (key, value)) in fields.iter().enumerate() {
                start_line(out, indent, index);
                let _ = write!(out, "{}:", Json::from(key.as_str()));
                write_below(out, value, indent + 1);
            }
        }
        Json::Array(items) if !items.is_empty() => {
            for (index, item) in items.iter().enumerate() {
                start_line(out, indent, index);
                out.push('-');
                write_below(out, item, indent + 1);
            }
        }
        scalar_or_empty => {
            let _ = write!(out, "{scalar_or_empty}");
        }
    }
}

fn start_line(out: &mut String, indent: usize, index: usize) {
    if index > 0 {
        out.push('\n');
    }
    out.extend(std::iter::repeat_n("  ", indent));
}

fn write_below(out: &mut String, value: &Json, indent: usize) {
    let is_block = match value {
        Json::Object(fields) => !fields.is_empty(),
        Json::Array(items) => !items.is_empty(),
        _ => false,
    };
    out.push(if is_block { '\n' } else { ' ' });
    write_value(out, value, indent);
}
