//! AccessPolicy and ClusterAccessPolicy. A rule that is understood only in part is never in force.

mod peer;

use std::collections::BTreeMap;

use palisade_model::access_policy::{AccessPolicy, AccessRule, Action, HttpMatch};
use palisade_model::{Meta, Name, Timestamp};

use super::perimeter::read_mode;
use super::port::read_port_rule;
use crate::at::At;
use crate::report::{Report, WithHint};
use crate::time::parse_time;
use peer::{Side, read_peer};

pub(super) fn decode(report: &mut Report, root: &At<'_, '_>, meta: Meta) -> Option<AccessPolicy> {
    let Some(spec) = root.field("spec") else {
        report.reject(root, "missing-field", "`spec` is missing");
        return None;
    };
    let mode = read_mode(report, &spec);
    match spec.field("rules") {
        None => {
            report
                .reject(&spec, "missing-field", "`rules` is missing")
                .with_hint("add `rules:` with at least one rule");
        }
        Some(rules) if rules.elements().len() == 0 => {
            report
                .warn(&rules, "no-effect", "has no rule, so the policy does nothing")
                .with_hint("add a rule, or remove the policy");
        }
        Some(_) => {}
    }
    let rules = spec.list("rules", |rule| read_rule(report, rule, &meta)).into_iter().flatten().collect::<Vec<_>>();
    check_rule_names(report, &spec);
    Some(AccessPolicy { meta, mode, rules })
}

fn check_rule_names(report: &mut Report, spec: &At<'_, '_>) {
    let Some(rules) = spec.field("rules") else { return };
    let mut seen = BTreeMap::new();
    for rule in rules.elements() {
        let Some(name) = rule.non_empty("name") else { continue };
        if let Some(first) = seen.insert(name, rule.line()) {
            report
                .reject(&rule, "duplicate", &format!("two rules have the name `{name}`, the other on line {first}"))
                .with_hint("rename one: records name the rule that decided");
        }
    }
}

fn read_rule(report: &mut Report, at: &At<'_, '_>, meta: &Meta) -> Option<AccessRule> {
    let action = read_action(report, at)?;
    let from = read_peers(report, at, Side::From, action, meta);
    let to = read_peers(report, at, Side::To, action, meta);
    Some(AccessRule {
        place: report.place(at.line()),
        name: at.non_empty("name").map(Name::from),
        action,
        from,
        to,
        ports: at.list("ports", |port| read_port_rule(report, port)).into_iter().flatten().collect(),
        http: at.list("http", |http| read_http(report, http)),
        expires: read_expires(report, at, action),
        owner: at.text("owner").map(str::to_owned),
        reason: at.text("reason").map(str::to_owned),
    })
}

fn read_action(report: &mut Report, rule: &At<'_, '_>) -> Option<Action> {
    let Some(at) = rule.field("action") else {
        report.reject(rule, "missing-field", "`action` is missing").with_hint("add `action: Allow` or `action: Deny`");
        return None;
    };
    match at.as_text()? {
        "Allow" => Some(Action::Allow),
        "Deny" => Some(Action::Deny),
        other => {
            report.reject(&at, "invalid-value", &format!("unknown action `{other}`")).with_hint("use Allow or Deny");
            None
        }
    }
}

fn read_peers(
    report: &mut Report,
    rule: &At<'_, '_>,
    side: Side,
    action: Action,
    meta: &Meta,
) -> Vec<palisade_model::access_policy::Peer> {
    let name = side.field();
    if rule.field(name).is_none_or(|list| list.elements().len() == 0) {
        report.reject(rule, "missing-field", &format!("`{name}` is missing or empty")).with_hint(format!(
            "say who: `{name}: [{{selector: {{}}}}]` is every pod of the namespace, `{{entity: world}}` the outside"
        ));
        return Vec::new();
    }
    rule.list(name, |peer| read_peer(report, peer, side, action, meta)).into_iter().flatten().collect()
}

fn read_http(report: &mut Report, at: &At<'_, '_>) -> HttpMatch {
    let methods = at.list("methods", |method| {
        let text = method.as_text().unwrap_or_default();
        if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'-') {
            report
                .reject(method, "invalid-value", &format!("`{text}` is no HTTP method"))
                .with_hint("write it in capitals, as in GET");
        }
        text.to_owned()
    });
    let paths = at.list("paths", |path| {
        let text = path.as_text().unwrap_or_default();
        if !text.starts_with('/') {
            report.reject(path, "invalid-value", &format!("path `{text}` does not start with `/`"));
        }
        text.to_owned()
    });
    HttpMatch { methods, paths }
}

fn read_expires(report: &mut Report, rule: &At<'_, '_>, action: Action) -> Option<Timestamp> {
    let at = rule.field("expires")?;
    let text = at.as_text()?;
    if action == Action::Deny {
        report
            .reject(&at, "invalid-value", "a Deny does not expire: nothing opens because time passes")
            .with_hint("remove `expires`, and the rule when it is no longer needed");
        return None;
    }
    let timestamp = parse_time(text);
    if timestamp.is_none() {
        report
            .reject(&at, "invalid-value", &format!("`{text}` is no RFC 3339 time"))
            .with_hint("write it as 2027-01-31T00:00:00Z");
    }
    timestamp
}
