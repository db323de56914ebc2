//! ClusterSettings.

use palisade_model::object::Name;
use palisade_model::settings::{ClusterSettings, UnknownPods};
use palisade_model::{Meta, Selector};

use super::label_selector::read_selector;
use super::perimeter::read_word;
use crate::at::At;
use crate::report::{Report, WithHint};

/// The name of the one object that counts.
const NAME: &str = "default";

pub(super) fn decode(report: &mut Report, root: &At<'_, '_>, meta: Meta) -> ClusterSettings {
    if meta.name() != NAME {
        report
            .reject(root, "invalid-value", &format!("ClusterSettings is named `{NAME}`, and there is only that one"))
            .with_hint(format!("write `metadata: {{name: {NAME}}}`"));
    }
    let mut settings =
        ClusterSettings { meta, gateways: Vec::new(), dns_service: None, unknown_pods: UnknownPods::default() };
    let Some(spec) = root.field("spec") else {
        report.reject(root, "missing-field", "`spec` is missing").with_hint("add `spec: {gateways: [...]}`");
        return settings;
    };
    settings.gateways = spec.list("gateways", |at| read_gateway(report, at)).into_iter().flatten().collect();
    settings.dns_service = spec.field("dnsService").and_then(|at| {
        let name = required(report, &at, "name")?;
        Some((required(report, &at, "namespace")?, name))
    });
    let words = [("Refuse", UnknownPods::Refuse), ("Record", UnknownPods::Record)];
    settings.unknown_pods = read_word(report, &spec, "unknownPods", &words);
    settings
}

fn read_gateway(report: &mut Report, at: &At<'_, '_>) -> Option<(Name, Selector)> {
    let namespace = required(report, at, "namespace")?;
    match read_selector(report, at, "selector") {
        Some(selector) => Some((namespace, selector)),
        None => {
            report
                .reject(at, "missing-field", "`selector` is missing")
                .with_hint("`selector: {}` is every pod of the namespace");
            None
        }
    }
}

fn required(report: &mut Report, at: &At<'_, '_>, field: &'static str) -> Option<Name> {
    let text = at.non_empty(field);
    if text.is_none() {
        report.reject(at, "missing-field", &format!("`{field}` is missing")).with_hint(format!("add `{field}: ...`"));
    }
    text.map(Name::from)
}
