//! `metadata`.

use palisade_model::object::Owner;
use palisade_model::{Kind, Labels, Meta, Name, ObjectRef};

use crate::at::At;
use crate::names;
use crate::report::{Checked, Report, WithHint};
use crate::yaml::Shape;

/// kubectl's default for an object without a namespace.
const DEFAULT_NAMESPACE: &str = "default";

/// Most bytes of all annotations of an object. Source: `TotalAnnotationSizeLimitB`.
const MAX_ANNOTATION_BYTES: usize = 256 << 10;

/// The metadata of `root`; names the object in `report`, backwards to the problem `since`.
pub(super) fn read_meta(report: &mut Report, root: &At<'_, '_>, kind: Kind, since: usize) -> Option<Meta> {
    let metadata = root.field("metadata");
    let name = metadata
        .as_ref()
        .and_then(|metadata| metadata.non_empty("name").or_else(|| metadata.non_empty("generateName")));
    let Some(name) = name else {
        report
            .reject(root, "missing-field", &format!("{kind} without `metadata.name`"))
            .with_hint("add `metadata: {name: ...}`");
        return None;
    };
    let metadata = metadata.expect("the name came from it");
    let namespace =
        kind.is_namespaced().then(|| Name::from(metadata.non_empty("namespace").unwrap_or(DEFAULT_NAMESPACE)));
    report.name(ObjectRef { kind, namespace: namespace.clone(), name: name.into() }, since);
    check_names(report, &metadata, kind);
    let labels = read_labels(report, &metadata, "labels", names::check_value);
    let annotations = read_labels(report, &metadata, "annotations", |_| Ok(()));
    Some(Meta {
        reference: ObjectRef { kind, namespace, name: name.into() },
        place: report.place(root.line()),
        labels: if kind == Kind::Namespace { with_own_name(labels, name) } else { labels },
        annotations,
        uid: metadata.non_empty("uid").map(Name::from),
        owner: read_owner(&metadata),
    })
}

/// Whether the API server makes the name, from `generateName`.
pub(super) fn has_generated_name(root: &At<'_, '_>) -> bool {
    root.field("metadata").is_none_or(|metadata| metadata.non_empty("name").is_none())
}

/// The pairs under `name` of `parent`, keys and values checked.
pub(super) fn read_labels(
    report: &mut Report,
    parent: &At<'_, '_>,
    name: &'static str,
    check_value: fn(&str) -> Result<(), &'static str>,
) -> Labels {
    read_checked_labels(report, parent, name, check_value, Checked::ByTheServer)
}

/// The same, and who checks them.
pub(super) fn read_checked_labels(
    report: &mut Report,
    parent: &At<'_, '_>,
    name: &'static str,
    check_value: fn(&str) -> Result<(), &'static str>,
    checked_by: Checked,
) -> Labels {
    let Some(labels) = parent.field(name) else { return Labels::default() };
    let mut pairs = Vec::new();
    for (key, value) in labels.fields() {
        // Of a custom resource the server drops it.
        if checked_by == Checked::ByNobody && value.value.is_null() {
            continue;
        }
        // The API server lower-cases annotation keys before it checks them.
        let checked = if name == "annotations" { names::check_key(&key.to_lowercase()) } else { names::check_key(key) };
        if let Err(why) = checked {
            report.fault(checked_by, &value, "invalid-value", &format!("the key {why}"));
        }
        let text = match value.value.shape() {
            Shape::Text(text) => text,
            // Null becomes empty text in Go; other types are reported by the schema.
            _ => "",
        };
        if let Err(why) = check_value(text) {
            report.fault(checked_by, &value, "invalid-value", &format!("`{text}` {why}"));
        }
        pairs.push((key, text));
    }
    let size: usize = pairs.iter().map(|(key, value)| key.len() + value.len()).sum();
    if name == "annotations" && size > MAX_ANNOTATION_BYTES {
        report.reject(&labels, "invalid-value", &format!("are longer than {MAX_ANNOTATION_BYTES} bytes together"));
    }
    pairs.into_iter().collect()
}

fn check_names(report: &mut Report, metadata: &At<'_, '_>, kind: Kind) {
    let check = match kind {
        Kind::Namespace => names::check_label,
        Kind::Service => names::check_service_name,
        _ => names::check_subdomain,
    };
    let given = metadata.field("name").filter(|name| name.as_text() != Some(""));
    if let Some(name) = &given
        && let Some(text) = name.as_text()
        && let Err(why) = check(text)
    {
        report.reject(name, "invalid-value", &format!("`{text}` {why}"));
    }
    if let Some(start) = metadata.field("generateName").filter(|_| given.is_none())
        && let Some(text) = start.as_text()
        && let Err(why) = check(text.strip_suffix('-').filter(|text| !text.is_empty()).unwrap_or(text))
    {
        report.reject(&start, "invalid-value", &format!("`{text}` {why}"));
    }
    let Some(namespace) = metadata.field("namespace") else { return };
    let Some(text) = namespace.as_text().filter(|text| !text.is_empty()) else { return };
    if !kind.is_namespaced() {
        report
            .warn(&namespace, "unknown-field", &format!("a {kind} lies in no namespace, ignored"))
            .with_hint("remove the line");
    } else if let Err(why) = names::check_label(text) {
        report.reject(&namespace, "invalid-value", &format!("`{text}` {why}"));
    }
}

/// `kubernetes.io/metadata.name` is always on a namespace, also when the YAML lacks it.
fn with_own_name(mut labels: Labels, name: &str) -> Labels {
    labels.0.insert("kubernetes.io/metadata.name".into(), name.into());
    labels
}

fn read_owner(metadata: &At<'_, '_>) -> Option<Owner> {
    let references = metadata.field("ownerReferences")?;
    references
        .elements()
        .find(|owner| owner.boolean("controller") == Some(true))
        .and_then(|owner| Some(Owner { kind: owner.text("kind")?.into(), name: owner.text("name")?.into() }))
}
