//! ClusterNetworkPolicy v1alpha2 and v1beta1, AdminNetworkPolicy and BaselineAdminNetworkPolicy v1alpha1.
//!
//! Source: the types of sigs.k8s.io/network-policy-api and the validation in their CRDs: v0.3.0 for ClusterNetworkPolicy, v0.1.7
//! for the others, which v0.2.0 has taken away.

mod peer;
mod port;

use palisade_model::object::Name;
use palisade_model::tiered_policy::{PodScope, Tier, TierAction, TieredPolicy, TieredRule};
use palisade_model::{Kind, Meta};

use self::peer::{read_peer, read_pod_scope};
use self::port::{is_name, read_ports};
use crate::at::At;
use crate::report::{Report, WithHint};

/// Source: the CRDs' `maximum` of `priority`.
const LAST_PRIORITY: i64 = 1000;
/// Source: the CRDs' `maxLength` of a rule's `name`.
const LONGEST_RULE_NAME: usize = 100;

/// What tells the three kinds apart.
#[derive(Clone, Copy)]
struct Dialect {
    kind: Kind,
    accept: &'static str,
    /// Of rules, of peers of a rule and of its ports.
    most: usize,
    ports: &'static str,
    /// Whether the server refuses `10.1.2.3/8`.
    wants_masked: bool,
}

impl Dialect {
    fn of(kind: Kind, root: &At<'_, '_>) -> Self {
        match kind {
            Kind::ClusterNetworkPolicy => {
                // With v1alpha2 it depends on the release that is installed: v0.2.0 takes it.
                let wants_masked = root.text("apiVersion").is_some_and(|version| !version.ends_with("v1alpha2"));
                Self { kind, accept: "Accept", most: 25, ports: "protocols", wants_masked }
            }
            _ => Self { kind, accept: "Allow", most: 100, ports: "ports", wants_masked: false },
        }
    }

    fn is_baseline(self) -> bool {
        self.kind == Kind::BaselineAdminNetworkPolicy
    }
}

pub(super) fn decode(report: &mut Report, root: &At<'_, '_>, meta: Meta) -> Option<TieredPolicy> {
    let dialect = Dialect::of(meta.reference.kind, root);
    if dialect.is_baseline() && meta.name() != "default" {
        report
            .reject(
                root,
                "invalid-value",
                "a BaselineAdminNetworkPolicy is named `default`, and there is only that one",
            )
            .with_hint("write `metadata: {name: default}`");
    }
    let spec = required(report, root, "spec")?;
    let subject = required(report, &spec, "subject").and_then(|at| read_subject(report, &at, dialect));
    let tier = read_tier(report, &spec, dialect);
    let priority = if dialect.is_baseline() { Some(0) } else { read_priority(report, &spec) };
    let mut rules = |list: &'static str, peers: &'static str| {
        check_length(report, &spec, list, 0, dialect.most);
        spec.list(list, |at| read_rule(report, at, peers, dialect)).into_iter().flatten().collect()
    };
    let (ingress, egress) = (rules("ingress", "from"), rules("egress", "to"));
    Some(TieredPolicy { meta, tier: tier?, priority: priority?, subject: subject?, ingress, egress })
}

fn required<'q, 'd>(report: &mut Report, at: &'q At<'d, '_>, name: &'d str) -> Option<At<'d, 'q>> {
    let found = at.field(name);
    if found.is_none() {
        report.reject(at, "missing-field", &format!("`{name}` is missing"));
    }
    found
}

fn read_tier(report: &mut Report, spec: &At<'_, '_>, dialect: Dialect) -> Option<Tier> {
    match dialect.kind {
        Kind::ClusterNetworkPolicy => {}
        Kind::BaselineAdminNetworkPolicy => return Some(Tier::Baseline),
        _ => return Some(Tier::Admin),
    }
    let at = required(report, spec, "tier")?;
    match at.as_text().unwrap_or_default() {
        "Admin" => Some(Tier::Admin),
        "Baseline" => Some(Tier::Baseline),
        other => {
            report.reject(&at, "invalid-value", &format!("unknown tier `{other}`")).with_hint("use Admin or Baseline");
            None
        }
    }
}

fn read_priority(report: &mut Report, spec: &At<'_, '_>) -> Option<u16> {
    let at = required(report, spec, "priority")?;
    let number = at.as_integer()?;
    if !(0..=LAST_PRIORITY).contains(&number) {
        report
            .reject(&at, "invalid-value", &format!("priority {number} is out of range"))
            .with_hint(format!("use 0 to {LAST_PRIORITY}; the lowest is asked first"));
    }
    u16::try_from(number).ok()
}

/// `namespaces` or `pods`, exactly one.
fn read_subject(report: &mut Report, at: &At<'_, '_>, dialect: Dialect) -> Option<PodScope> {
    let scope = read_pod_scope(report, at, dialect);
    // The API server drops what it does not know, and then looks how many there are.
    let given = ["namespaces", "pods"].iter().filter(|name| at.field(name).is_some()).count();
    match (scope, given) {
        (Some(scope), 1) => Some(scope),
        // What is wrong inside of it was said.
        (None, 1) => None,
        (_, count) => {
            let message = match (count, at.fields().next()) {
                (0, None) => "names nobody",
                (0, Some(_)) => "has a field that this version does not know",
                _ => "has more than one field",
            };
            report.reject(at, "invalid-value", message).with_hint("use `namespaces` or `pods`, and only one of them");
            None
        }
    }
}

fn read_rule(report: &mut Report, at: &At<'_, '_>, peers: &'static str, dialect: Dialect) -> Option<TieredRule> {
    let name = at.text("name").filter(|name| !name.is_empty());
    if name.is_some_and(|name| name.chars().count() > LONGEST_RULE_NAME) {
        report.reject(at, "invalid-value", &format!("`name` is longer than {LONGEST_RULE_NAME} characters"));
    }
    let action = read_action(report, at, dialect);
    check_length(report, at, peers, 1, dialect.most);
    if at.field(peers).is_none() {
        report
            .reject(at, "missing-field", &format!("`{peers}` is missing"))
            .with_hint("name everyone by `- namespaces: {}`");
    }
    let targets: Vec<_> =
        at.list(peers, |peer| read_peer(report, peer, peers, action, dialect)).into_iter().flatten().collect();
    check_length(report, at, dialect.ports, 1, dialect.most);
    let ports = at.field(dialect.ports).map(|_| {
        at.list(dialect.ports, |port| read_ports(report, port, dialect)).into_iter().flatten().collect::<Vec<_>>()
    });
    // Source: the CRDs' x-kubernetes-validations of an egress rule.
    let nameless: &[&str] = match (peers, dialect.is_baseline()) {
        ("from", _) => &[],
        (_, true) => &["nodes", "networks"],
        (_, false) => &["nodes", "networks", "domainNames"],
    };
    let is_nameless =
        |peer: &At<'_, '_>| nameless.iter().any(|name| peer.value.field(name).is_some_and(|value| !value.is_null()));
    if at.list(peers, is_nameless).contains(&true) && ports.iter().flatten().any(is_name) {
        report
            .reject(at, "invalid-value", "a port by name may not stand beside networks, nodes or domainNames")
            .with_hint("only pods have ports with names: make it two rules");
    }
    Some(TieredRule {
        place: report.place(at.line()),
        name: name.map(Name::from),
        action: action?,
        peers: targets,
        ports,
    })
}

fn read_action(report: &mut Report, at: &At<'_, '_>, dialect: Dialect) -> Option<TierAction> {
    let action = required(report, at, "action")?;
    match action.as_text().unwrap_or_default() {
        text if text == dialect.accept => Some(TierAction::Accept),
        "Deny" => Some(TierAction::Deny),
        "Pass" if !dialect.is_baseline() => Some(TierAction::Pass),
        other => {
            let known = if dialect.is_baseline() { "Allow or Deny" } else { "Deny, Pass or " };
            let last = if dialect.is_baseline() { "" } else { dialect.accept };
            report
                .reject(&action, "invalid-value", &format!("unknown action `{other}`"))
                .with_hint(format!("use {known}{last}"));
            None
        }
    }
}

/// A list that is there has at least `least` and at most `most` entries.
fn check_length(report: &mut Report, parent: &At<'_, '_>, name: &'static str, least: usize, most: usize) {
    let Some(list) = parent.field(name) else { return };
    let count = list.elements().len();
    if count > most {
        report.reject(&list, "invalid-value", &format!("has {count} entries, more than {most}"));
    } else if count < least {
        report.reject(&list, "invalid-value", "is empty").with_hint("remove the line, or name somebody");
    }
}
