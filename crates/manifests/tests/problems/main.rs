//! What is wrong with a manifest is said with its place, what follows and what to change.

mod documents;
mod doors;
mod network_policies;
mod objects;
mod own_kinds;
mod tiers;

use std::fmt::Write;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use expect_test::Expect;
use palisade_manifests::load_text;
use palisade_model::Effect;

/// Loads `text` as `a.yaml` and compares its problems, one a line with the hint below, and the objects in force.
fn check(text: &str, expected: Expect) {
    tell_case(text);
    let outcome = load_text("a.yaml", text);
    let mut out = String::new();
    for problem in &outcome.problems {
        let mark = if problem.effect == Effect::Harmless { "warning" } else { "error" };
        let _ = writeln!(out, "{mark}[{}] {problem}", problem.code);
        if let Some(hint) = &problem.hint {
            let _ = writeln!(out, "  hint: {hint}");
        }
    }
    let inventory = outcome.value;
    let metas = (inventory.access_policies.iter().map(|object| &object.meta))
        .chain(inventory.endpoint_slices.iter().map(|object| &object.meta))
        .chain(inventory.gateway_classes.iter().map(|object| &object.meta))
        .chain(inventory.gateways.iter().map(|object| &object.meta))
        .chain(inventory.ingress_classes.iter().map(|object| &object.meta))
        .chain(inventory.ingresses.iter().map(|object| &object.meta))
        .chain(inventory.reference_grants.iter().map(|object| &object.meta))
        .chain(inventory.routes.iter().map(|object| &object.meta))
        .chain(inventory.namespaces.iter().map(|object| &object.meta))
        .chain(inventory.network_policies.iter().map(|object| &object.meta))
        .chain(inventory.nodes.iter().map(|object| &object.meta))
        .chain(inventory.perimeters.iter().map(|object| &object.meta))
        .chain(inventory.pods.iter().map(|object| &object.meta))
        .chain(inventory.service_accounts.iter().map(|object| &object.meta))
        .chain(inventory.services.iter().map(|object| &object.meta))
        .chain(inventory.workloads.iter().map(|object| &object.meta))
        .chain(inventory.settings.iter().map(|object| &object.meta))
        .chain(inventory.tiered_policies.iter().map(|object| &object.meta));
    for meta in metas {
        let _ = writeln!(out, "in force: {} at {}", meta.reference, meta.place);
    }
    for unreadable in &inventory.unreadable {
        let kind = unreadable.kind.map_or("any kind", |kind| kind.as_str());
        let namespace = unreadable.namespace.as_deref().unwrap_or("any namespace");
        let _ = writeln!(out, "unreadable: {kind} in {namespace} at {}", unreadable.place);
    }
    for ((version, kind), count) in &inventory.other_kinds {
        let _ = writeln!(out, "counted: {count} {kind} of {version}");
    }
    expected.assert_eq(&out);
}

/// Writes `text` to the folder that `tests/apiserver` gives, which asks a real API server about it.
fn tell_case(text: &str) {
    static TOLD: AtomicUsize = AtomicUsize::new(0);
    let Some(folder) = std::env::var_os("PALISADE_TELL_CASES") else { return };
    let name = format!("{:03}.yaml", TOLD.fetch_add(1, Ordering::Relaxed));
    std::fs::write(Path::new(&folder).join(name), text).expect("the folder is there");
}

/// A NetworkPolicy `shop/p` whose spec is `spec`, in flow style; the spec stands on line 4.
fn check_policy(spec: &str, expected: Expect) {
    check(
        &format!(
            "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {{name: p, namespace: shop}}\nspec: {spec}\n"
        ),
        expected,
    );
}

/// An AccessPolicy `shop/p` with the one rule `rule`, in flow style; the rule stands on line 5.
fn check_rule(rule: &str, expected: Expect) {
    check(
        &format!(
            "apiVersion: palisade.dev/v1alpha1\nkind: AccessPolicy\nmetadata: {{name: p, namespace: shop}}\nspec:\n  rules: [{rule}]\n"
        ),
        expected,
    );
}
