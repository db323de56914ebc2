//! The fields and types of the kinds that are read, and the check of an object against them.
//!
//! `schema/kubernetes.txt` is generated from `k8s.io/api` (see `peers/programs/schema`), so that a wrong type is found
//! wherever the API server would find it, also in fields that nothing here reads. One type a line:
//! `Type field:type ...`; `[]` marks a list, `{}` a mapping with free keys. `schema/palisade.txt` is ours, and has the
//! peers of v1alpha1 as its older releases (0.1.0 and 0.1.1) write them too.

pub(crate) mod did_you_mean;
pub(crate) mod structure;

use std::collections::HashMap;
use std::sync::LazyLock;

use crate::at::At;
use crate::report::{Report, WithHint};
use crate::time::parse_time;
use crate::yaml::Shape;
use did_you_mean::did_you_mean;

/// What happens to a field that the schema does not have.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum UnknownFields {
    /// Kubernetes' own kinds: the API server drops it and warns.
    Dropped,
    /// Palisade's kinds: a rule that we understand only in part must not be in force.
    Rejected,
}

/// Checks that every field of `object` is known and has its type; what is wrong goes to `report`.
pub(crate) fn check(report: &mut Report, object: &At<'_, '_>, type_name: &str, unknown: UnknownFields) {
    check_struct(report, object, type_name, unknown);
}

/// Whether the type has a field of that name.
pub(crate) fn has_field(type_name: &str, field: &str) -> bool {
    SCHEMA.get(type_name).is_some_and(|fields| fields.iter().any(|(name, _)| *name == field))
}

static SCHEMA: LazyLock<HashMap<&'static str, Vec<(&'static str, &'static str)>>> = LazyLock::new(|| {
    let lines = include_str!("schema/kubernetes.txt").lines().chain(include_str!("schema/palisade.txt").lines());
    lines
        .filter_map(|line| {
            let mut words = line.split(' ');
            let name = words.next()?;
            Some((name, words.filter_map(|word| word.split_once(':')).collect()))
        })
        .collect()
});

fn check_struct(report: &mut Report, at: &At<'_, '_>, type_name: &str, unknown: UnknownFields) {
    if !matches!(at.value.shape(), Shape::Mapping) {
        wrong_type(report, at, "mapping");
        return;
    }
    let Some(known) = SCHEMA.get(type_name) else { return };
    for (name, child) in at.fields() {
        match known.iter().find(|(known, _)| *known == name) {
            Some((_, type_name)) => check_value(report, &child, type_name, unknown_below(name, unknown)),
            None => unknown_field(report, at, name, &child, known, unknown),
        }
    }
}

/// Palisade's own spec is strict; `metadata` is Kubernetes' on every kind.
fn unknown_below(name: &str, unknown: UnknownFields) -> UnknownFields {
    if name == "metadata" { UnknownFields::Dropped } else { unknown }
}

fn check_value(report: &mut Report, at: &At<'_, '_>, type_name: &str, unknown: UnknownFields) {
    if at.value.is_null() {
        if unknown == UnknownFields::Rejected {
            report
                .reject(at, "empty-field", "is empty")
                .with_hint("give it a value (`{}` selects everything), or remove the line");
        }
        return;
    }
    if let Some(element) = type_name.strip_prefix("[]") {
        check_list(report, at, element, unknown);
        return;
    }
    if let Some(element) = type_name.strip_prefix("{}") {
        check_map(report, at, element, unknown);
        return;
    }
    match (type_name, at.value.shape()) {
        ("any", _) | ("string" | "int-or-string", Shape::Text(_)) | ("bool", Shape::Bool(_)) => {}
        ("time", Shape::Text(text)) => check_time(report, at, text),
        ("int32" | "int-or-string", _) => check_integer(report, at, type_name, i32::MIN.into(), i32::MAX.into()),
        ("int64", _) => check_integer(report, at, type_name, i64::MIN, i64::MAX),
        ("number", Shape::Int(_) | Shape::Uint(_) | Shape::Float(_)) => {}
        ("quantity", Shape::Int(_) | Shape::Uint(_) | Shape::Float(_)) => {}
        ("quantity", Shape::Text(text)) => check_quantity(report, at, text),
        ("string" | "time", _) => wrong_type(report, at, "string"),
        ("bool", _) => wrong_type(report, at, "boolean"),
        ("number" | "quantity", _) => wrong_type(report, at, "number"),
        (struct_name, _) => check_struct(report, at, struct_name, unknown),
    }
}

fn check_list(report: &mut Report, at: &At<'_, '_>, element: &str, unknown: UnknownFields) {
    if !matches!(at.value.shape(), Shape::Sequence) {
        wrong_type(report, at, "list");
        return;
    }
    for child in at.elements() {
        check_value(report, &child, element, unknown);
    }
}

fn check_map(report: &mut Report, at: &At<'_, '_>, element: &str, unknown: UnknownFields) {
    if !matches!(at.value.shape(), Shape::Mapping) {
        wrong_type(report, at, "mapping");
        return;
    }
    for (_, child) in at.fields() {
        check_value(report, &child, element, unknown);
    }
}

fn check_integer(report: &mut Report, at: &At<'_, '_>, type_name: &str, min: i64, max: i64) {
    let expected = if type_name == "int-or-string" { "integer or string" } else { "integer" };
    match at.as_integer() {
        Some(value) if (min..=max).contains(&value) => {}
        Some(value) => {
            report
                .reject(at, "wrong-type", &format!("{value} is out of range"))
                .with_hint(format!("use {min} to {max}"));
        }
        None => wrong_type(report, at, expected),
    }
}

/// Source: `metav1.Time.UnmarshalJSON`; only null is no time.
fn check_time(report: &mut Report, at: &At<'_, '_>, text: &str) {
    if parse_time(text).is_none() {
        report
            .reject(at, "wrong-type", &format!("`{}` is no RFC 3339 time", shorten(text)))
            .with_hint("write it as 2027-01-31T00:00:00Z, or remove the line");
    }
}

/// Source: `Quantity.UnmarshalJSON` and `parseQuantityString`: spaces around it are dropped, and the digits may be
/// missing (`Mi` is 0), but not all of it.
fn check_quantity(report: &mut Report, at: &At<'_, '_>, text: &str) {
    let text = text.trim();
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let end = unsigned.bytes().position(|byte| !(byte.is_ascii_digit() || byte == b'.')).unwrap_or(unsigned.len());
    let (number, suffix) = unsigned.split_at(end);
    let number_is_valid = !text.is_empty() && number.matches('.').count() <= 1;
    let exponent =
        suffix.strip_prefix(['e', 'E']).map(|exponent| exponent.strip_prefix(['+', '-']).unwrap_or(exponent));
    let suffix_is_valid = matches!(
        suffix,
        "" | "n" | "u" | "m" | "k" | "M" | "G" | "T" | "P" | "E" | "Ki" | "Mi" | "Gi" | "Ti" | "Pi" | "Ei"
    ) || exponent
        .is_some_and(|digits| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()));
    if !(number_is_valid && suffix_is_valid) {
        report
            .reject(at, "wrong-type", &format!("`{text}` is no quantity"))
            .with_hint("write it as in `500m`, `2` or `128Mi`");
    }
}

fn wrong_type(report: &mut Report, at: &At<'_, '_>, expected: &str) {
    let written = at.value.written();
    let (found, hint) = match at.value.shape() {
        Shape::Null => ("nothing".to_owned(), None),
        Shape::Bool(value) => {
            let hint = format!("`{written}` is read as the boolean {value}: put it in quotes");
            (format!("boolean `{written}`"), expected.contains("string").then_some(hint))
        }
        Shape::Float(_) if is_number(expected) => {
            (format!("number `{written}`"), Some("write a number without a fraction".to_owned()))
        }
        Shape::Int(_) | Shape::Uint(_) | Shape::Float(_) => {
            let hint = format!("put it in quotes: \"{written}\"");
            (format!("number `{written}`"), expected.contains("string").then_some(hint))
        }
        Shape::Text(text) if text.parse::<f64>().is_ok() => {
            (format!("string `{text}`"), is_number(expected).then(|| format!("write {text} without quotes")))
        }
        Shape::Text(text) => (format!("string `{}`", shorten(text)), None),
        Shape::Sequence => ("a list".to_owned(), (expected == "mapping").then(|| "remove the `-`".to_owned())),
        Shape::Mapping => {
            ("a mapping".to_owned(), (expected == "list").then(|| "start each entry with `-`".to_owned()))
        }
    };
    let problem = report.reject(at, "wrong-type", &format!("cannot use {found} as {expected}"));
    if let Some(hint) = hint {
        problem.with_hint(hint);
    }
}

fn is_number(expected: &str) -> bool {
    matches!(expected, "integer" | "number" | "integer or string")
}

fn unknown_field(
    report: &mut Report,
    at: &At<'_, '_>,
    name: &str,
    child: &At<'_, '_>,
    known: &[(&str, &str)],
    unknown: UnknownFields,
) {
    // Served by older API servers on kinds that have none today; nothing is lost.
    let is_root = at.to_string().is_empty();
    if is_root && name == "status" {
        return;
    }
    let problem = match unknown {
        UnknownFields::Dropped => {
            report.warn(child, "unknown-field", "unknown field: the API server drops it, `kubectl` refuses the object")
        }
        UnknownFields::Rejected => report.reject(child, "unknown-field", "unknown field"),
    };
    let candidates: Vec<&str> = known.iter().map(|(known, _)| *known).collect();
    match did_you_mean(name, &candidates) {
        Some(candidate) => problem.with_hint(format!("did you mean `{candidate}`?")),
        None if unknown == UnknownFields::Rejected => {
            problem.with_hint(format!("known here: {}", candidates.join(", ")))
        }
        None => {}
    }
}

fn shorten(text: &str) -> String {
    const SHOWN: usize = 40;
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_that_a_field_names_is_there() {
        for (owner, fields) in SCHEMA.iter() {
            for (field, type_name) in fields {
                let base = type_name.trim_start_matches("[]").trim_start_matches("{}");
                let is_scalar = matches!(
                    base,
                    "any" | "string" | "time" | "bool" | "int32" | "int64" | "number" | "quantity" | "int-or-string"
                );
                assert!(is_scalar || SCHEMA.contains_key(base), "{owner}.{field}: {type_name}");
            }
        }
    }
}
