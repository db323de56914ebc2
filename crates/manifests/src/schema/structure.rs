//! The structural schemas of the Gateway API's custom resources, and the check of an object against them.
//!
//! `gateway.txt` is generated from the CRDs of sigs.k8s.io/gateway-api (see `peers/programs/schema/gateway`); its form is told
//! there. The API server checks custom resources by the same data.

use std::collections::{BTreeMap, HashSet};
use std::sync::LazyLock;

use regex_lite::Regex;

use super::{UnknownFields, unknown_field, wrong_type};
use crate::at::At;
use crate::report::{Report, WithHint};
use crate::yaml::Shape;

/// Checks `spec` of an object of the kind called `name`.
pub(crate) fn check(report: &mut Report, root: &At<'_, '_>, name: &str) {
    let Some(Node { fields, .. }) = SCHEMAS.kinds.get(name) else { return };
    for (field, node) in fields {
        match root.field(field) {
            Some(at) => check_value(report, &at, node),
            None if node.is_required => missing(report, root, field),
            None => {}
        }
    }
}

/// A type with its constraints.
#[derive(Default)]
struct Node {
    kind: &'static str,
    is_required: bool,
    limits: BTreeMap<&'static str, i64>,
    pattern: Option<usize>,
    choices: Vec<&'static str>,
    /// No element of the list may stand there twice.
    is_set: bool,
    /// Fields of the list's elements that tell them apart, each with its default.
    keys: Vec<(&'static str, Option<&'static str>)>,
    fields: BTreeMap<&'static str, Node>,
    /// Of a list.
    elements: Option<Box<Node>>,
    /// Of a mapping with free keys.
    values: Option<Box<Node>>,
}

struct Schemas {
    patterns: Vec<Regex>,
    kinds: BTreeMap<&'static str, Node>,
}

static SCHEMAS: LazyLock<Schemas> = LazyLock::new(|| {
    let mut schemas = Schemas { patterns: Vec::new(), kinds: BTreeMap::new() };
    let mut lines = include_str!("gateway.txt").lines().peekable();
    while let Some(line) = lines.next() {
        if let Some((_, pattern)) = line.strip_prefix("pattern ").and_then(|rest| rest.split_once(' ')) {
            schemas.patterns.push(Regex::new(pattern).expect("the CRDs hold patterns that the API server compiles"));
            continue;
        }
        let mut root = Node::default();
        read_below(&mut lines, 1, &mut root);
        schemas.kinds.insert(line, root);
    }
    schemas
});

/// Reads the lines that are indented by `level` into `parent`.
fn read_below(lines: &mut std::iter::Peekable<std::str::Lines<'static>>, level: usize, parent: &mut Node) {
    while let Some(line) = lines.next_if(|line| indentation(line) == level) {
        let mut words = line.trim_start().split(' ');
        let name = words.next().unwrap_or_default();
        let mut node = Node { kind: words.next().unwrap_or_default(), ..Node::default() };
        words.for_each(|word| node.constrain(word));
        read_below(lines, level + 1, &mut node);
        match name {
            "-" => parent.elements = Some(Box::new(node)),
            "*" => parent.values = Some(Box::new(node)),
            name => drop(parent.fields.insert(name, node)),
        }
    }
}

fn indentation(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

impl Node {
    fn constrain(&mut self, word: &'static str) {
        match word.split_once('=') {
            None if word == "required" => self.is_required = true,
            None => self.is_set = true,
            Some(("enum", choices)) => self.choices = choices.split('|').collect(),
            Some(("keys", keys)) => self.keys = keys.split('|').map(key_with_default).collect(),
            Some(("pattern", number)) => self.pattern = number.parse().ok(),
            Some((limit, number)) => drop(self.limits.insert(limit, number.parse().unwrap_or_default())),
        }
    }

    fn limit(&self, name: &str) -> Option<i64> {
        self.limits.get(name).copied()
    }
}

fn key_with_default(key: &'static str) -> (&'static str, Option<&'static str>) {
    key.split_once(':').map_or((key, None), |(key, default)| (key, Some(default)))
}

fn missing(report: &mut Report, at: &At<'_, '_>, field: &str) {
    report.reject(at, "missing-field", &format!("`{field}` is missing"));
}

fn check_value(report: &mut Report, at: &At<'_, '_>, node: &Node) {
    match (node.kind, at.value.shape()) {
        ("object", Shape::Mapping) => check_object(report, at, node),
        ("array", Shape::Sequence) => check_list(report, at, node),
        ("string", Shape::Text(text)) => check_text(report, at, node, text),
        ("boolean", Shape::Bool(_)) => {}
        ("integer", Shape::Int(_) | Shape::Uint(_) | Shape::Float(_)) => check_integer(report, at, node),
        ("object", _) => wrong_type(report, at, "mapping"),
        ("array", _) => wrong_type(report, at, "list"),
        (kind, _) => wrong_type(report, at, kind),
    }
}

fn check_object(report: &mut Report, at: &At<'_, '_>, node: &Node) {
    if let Some(values) = &node.values {
        let count = at.fields().count();
        if let Some(most) = node.limit("maxProperties").filter(|most| !within(count, None, Some(*most))) {
            report.reject(at, "invalid-value", &format!("has {count} entries, more than {most}"));
        }
        at.fields()
            .filter(|(_, child)| !child.value.is_null())
            .for_each(|(_, child)| check_value(report, &child, values));
        return;
    }
    for (name, child) in at.fields() {
        match node.fields.get(name) {
            Some(_) if child.value.is_null() => {}
            Some(node) => check_value(report, &child, node),
            None => {
                let known: Vec<(&str, &str)> = node.fields.iter().map(|(name, node)| (*name, node.kind)).collect();
                unknown_field(report, at, name, &child, &known, UnknownFields::Dropped);
            }
        }
    }
    for (name, _) in node.fields.iter().filter(|(_, node)| node.is_required) {
        if at.field(name).is_none() {
            missing(report, at, name);
        }
    }
}

fn check_list(report: &mut Report, at: &At<'_, '_>, node: &Node) {
    let count = at.elements().len();
    let (least, most) = (node.limit("minItems"), node.limit("maxItems"));
    if !within(count, least, None) {
        report.reject(at, "invalid-value", "is empty").with_hint("remove the line, or add an entry");
    }
    if let Some(most) = most.filter(|most| !within(count, None, Some(*most))) {
        report.reject(at, "invalid-value", &format!("has {count} entries, more than {most}"));
        return;
    }
    let Some(elements) = &node.elements else { return };
    let mut seen = HashSet::new();
    for child in at.elements() {
        check_value(report, &child, elements);
        let is_told_apart = node.is_set || !node.keys.is_empty();
        if is_told_apart && !seen.insert(identity(&child, &node.keys)) {
            report.reject(&child, "duplicate", "stands there twice");
        }
    }
}

/// What tells an element of a list from the others.
fn identity(at: &At<'_, '_>, keys: &[(&'static str, Option<&'static str>)]) -> Vec<String> {
    if keys.is_empty() {
        return vec![at.as_text().unwrap_or_default().to_owned()];
    }
    let of = |(key, default): &(&'static str, Option<&'static str>)| {
        let at = at.field(key);
        let text =
            at.as_ref().and_then(|at| at.as_text().map(str::to_owned).or_else(|| Some(at.as_integer()?.to_string())));
        text.unwrap_or_else(|| default.unwrap_or_default().to_owned())
    };
    keys.iter().map(of).collect()
}

fn check_text(report: &mut Report, at: &At<'_, '_>, node: &Node, text: &str) {
    let length = text.chars().count();
    let (least, most) = (node.limit("minLength"), node.limit("maxLength"));
    if !within(length, least, None) {
        report.reject(at, "invalid-value", "is empty");
        return;
    }
    if let Some(most) = most.filter(|most| !within(length, None, Some(*most))) {
        report.reject(at, "invalid-value", &format!("is longer than {most} characters"));
        return;
    }
    if !node.choices.is_empty() && !node.choices.contains(&text) {
        report
            .reject(at, "invalid-value", &format!("unknown value `{text}`"))
            .with_hint(format!("use {}", node.choices.join(", ")));
    }
    if let Some(pattern) = node.pattern.and_then(|number| SCHEMAS.patterns.get(number))
        && !pattern.is_match(text)
    {
        report.reject(at, "invalid-value", &format!("`{text}` does not match `{pattern}`"));
    }
}

fn check_integer(report: &mut Report, at: &At<'_, '_>, node: &Node) {
    let Some(number) = at.as_integer() else {
        wrong_type(report, at, "integer");
        return;
    };
    if !node.choices.is_empty() && !node.choices.contains(&number.to_string().as_str()) {
        report
            .reject(at, "invalid-value", &format!("unknown value {number}"))
            .with_hint(format!("use {}", node.choices.join(", ")));
    }
    let least = node.limit("minimum").unwrap_or(i64::MIN);
    let most = node.limit("maximum").unwrap_or(i64::MAX);
    if !(least..=most).contains(&number) {
        report.reject(at, "invalid-value", &format!("{number} does not lie between {least} and {most}"));
    }
}

fn within(count: usize, least: Option<i64>, most: Option<i64>) -> bool {
    let count = i64::try_from(count).unwrap_or(i64::MAX);
    least.is_none_or(|least| count >= least) && most.is_none_or(|most| count <= most)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_the_gateway_api_has_its_schema() {
        let kinds: Vec<&str> = SCHEMAS.kinds.keys().copied().collect();
        assert_eq!(
            kinds,
            [
                "GRPCRoute",
                "Gateway",
                "GatewayClass",
                "HTTPRoute",
                "ReferenceGrant",
                "TCPRoute",
                "TLSRoute",
                "UDPRoute",
                "v1alpha2.TLSRoute"
            ]
        );
        assert!(SCHEMAS.patterns.len() > 10);
        let port = &SCHEMAS.kinds["Gateway"].fields["spec"].fields["listeners"]
            .elements
            .as_ref()
            .expect("a list")
            .fields["port"];
        assert_eq!((port.kind, port.limit("minimum"), port.limit("maximum")), ("integer", Some(1), Some(65535)));
    }
}
