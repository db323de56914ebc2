//! Perimeter and ClusterPerimeter.

use palisade_model::access_policy::{Entity, Mode};
use palisade_model::perimeter::{Loopback, OnRefusal, Perimeter};
use palisade_model::{Kind, Meta};

use super::label_selector::read_selector;
use crate::at::At;
use crate::report::{Report, WithHint};

pub(super) fn decode(report: &mut Report, root: &At<'_, '_>, meta: Meta) -> Option<Perimeter> {
    let spec = root.field("spec");
    let Some(spec) = spec else {
        report.reject(root, "missing-field", "`spec` is missing").with_hint("add `spec: {subject: {selector: {}}}`");
        return None;
    };
    let Some(subject) = spec.field("subject") else {
        report
            .reject(&spec, "missing-field", "`subject` is missing")
            .with_hint("say whom it closes: `subject: {selector: {}}` is every pod");
        return None;
    };
    let selector = read_selector(report, &subject, "selector");
    let namespace_selector = read_selector(report, &subject, "namespaceSelector");
    let is_cluster_wide = meta.reference.kind == Kind::ClusterPerimeter;
    if is_cluster_wide && namespace_selector.is_none() {
        report
            .reject(&subject, "missing-field", "`namespaceSelector` is missing")
            .with_hint("a ClusterPerimeter says which namespaces it closes: `namespaceSelector: {}` is all");
    } else if !is_cluster_wide && namespace_selector.is_some() {
        report
            .reject(&subject, "invalid-value", "a Perimeter closes pods of its own namespace alone")
            .with_hint("remove `namespaceSelector`, or make it a ClusterPerimeter");
    }
    if selector.is_none() && !is_cluster_wide {
        report
            .reject(&subject, "missing-field", "`selector` is missing")
            .with_hint("`selector: {}` is every pod of the namespace");
    }
    let (ingress, egress) = read_directions(report, &spec);
    Some(Perimeter {
        meta,
        mode: read_mode(report, &spec),
        selector: selector.unwrap_or_default(),
        namespace_selector,
        ingress,
        egress,
        loopback: read_word(report, &spec, "loopback", &[("Open", Loopback::Open), ("Closed", Loopback::Closed)]),
        except: spec.list("except", |at| read_entity(report, at)).into_iter().flatten().collect(),
        on_refusal: read_word(report, &spec, "onRefusal", &[("Reset", OnRefusal::Reset), ("Drop", OnRefusal::Drop)]),
    })
}

/// `mode` of `spec`, Enforce when missing.
pub(super) fn read_mode(report: &mut Report, spec: &At<'_, '_>) -> Mode {
    read_word(report, spec, "mode", &[("Enforce", Mode::Enforce), ("Audit", Mode::Audit)])
}

/// The entity at `at`.
pub(super) fn read_entity(report: &mut Report, at: &At<'_, '_>) -> Option<Entity> {
    let text = at.as_text()?;
    match text.parse() {
        Ok(entity) => Some(entity),
        Err(_) => {
            let known: Vec<&str> = Entity::ALL.into_iter().map(Entity::as_str).collect();
            report
                .reject(at, "invalid-value", &format!("unknown entity `{text}`"))
                .with_hint(format!("use one of {}", known.join(", ")));
            None
        }
    }
}

/// The word under `name`, the type's default when it is missing.
pub(super) fn read_word<T: Copy + Default>(
    report: &mut Report,
    parent: &At<'_, '_>,
    name: &'static str,
    words: &[(&str, T)],
) -> T {
    let Some(at) = parent.field(name) else { return T::default() };
    let text = at.as_text().unwrap_or_default();
    match words.iter().find(|(word, _)| *word == text) {
        Some((_, value)) => *value,
        None => {
            let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
            report
                .reject(&at, "invalid-value", &format!("unknown {name} `{text}`"))
                .with_hint(format!("use {}", known.join(" or ")));
            T::default()
        }
    }
}

fn read_directions(report: &mut Report, spec: &At<'_, '_>) -> (bool, bool) {
    let Some(list) = spec.field("directions") else { return (true, true) };
    let (mut ingress, mut egress) = (false, false);
    for at in list.elements() {
        match at.as_text() {
            Some("Ingress") => ingress = true,
            Some("Egress") => egress = true,
            other => {
                let other = other.unwrap_or_default();
                report
                    .reject(&at, "invalid-value", &format!("unknown direction `{other}`"))
                    .with_hint("use Ingress or Egress");
            }
        }
    }
    if list.elements().len() == 0 {
        report
            .reject(&list, "invalid-value", "is empty, so nothing is closed")
            .with_hint("use [Ingress], [Egress] or both, or remove the line for both");
    }
    (ingress, egress)
}
