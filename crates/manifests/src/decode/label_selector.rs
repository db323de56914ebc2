//! `metav1.LabelSelector`.

use palisade_model::Selector;
use palisade_model::selector::{Operator, Requirement};

use super::metadata::read_checked_labels;
use crate::at::At;
use crate::names;
use crate::report::{Checked, Report, WithHint};

/// The selector under `name` of `parent`; `None` when it is missing, which differs from empty.
pub(super) fn read_selector(report: &mut Report, parent: &At<'_, '_>, name: &'static str) -> Option<Selector> {
    read(report, parent, name, Checked::ByTheServer)
}

/// The same of a custom resource.
pub(super) fn read_custom_selector(report: &mut Report, parent: &At<'_, '_>, name: &'static str) -> Option<Selector> {
    read(report, parent, name, Checked::ByNobody)
}

fn read(report: &mut Report, parent: &At<'_, '_>, name: &'static str, checked: Checked) -> Option<Selector> {
    let at = parent.field(name)?;
    let match_labels = read_checked_labels(report, &at, "matchLabels", names::check_value, checked);
    let match_expressions =
        at.list("matchExpressions", |entry| read_requirement(report, entry, checked)).into_iter().flatten().collect();
    Some(Selector { match_labels, match_expressions })
}

fn read_requirement(report: &mut Report, at: &At<'_, '_>, checked: Checked) -> Option<Requirement> {
    let key = at.text("key").unwrap_or_default();
    if let Err(why) = names::check_key(key) {
        report.fault(checked, at, "invalid-value", &format!("key `{key}` {why}"));
    }
    let Some(operator) = read_operator(at.text("operator").unwrap_or_default()) else {
        let written = at.text("operator").unwrap_or_default();
        report
            .fault(checked, at, "invalid-value", &format!("unknown operator `{written}`"))
            .with_hint("use In, NotIn, Exists or DoesNotExist");
        return None;
    };
    // Null is empty text to the built-in kinds; of a custom resource the server refuses it.
    let values = at.list("values", |value| {
        if checked == Checked::ByNobody && value.value.is_null() {
            report.reject(value, "wrong-type", "expected a string, found nothing");
        }
        value.as_text().unwrap_or_default().to_owned()
    });
    match operator {
        Operator::In | Operator::NotIn if values.is_empty() => {
            report
                .fault(checked, at, "missing-field", "In and NotIn need `values`")
                .with_hint("add `values: [...]`, or use Exists or DoesNotExist");
        }
        Operator::Exists | Operator::DoesNotExist if !values.is_empty() => {
            report
                .fault(checked, at, "invalid-value", "Exists and DoesNotExist take no `values`")
                .with_hint("remove `values`, or use In or NotIn");
        }
        Operator::In | Operator::NotIn | Operator::Exists | Operator::DoesNotExist => {}
    }
    for value in &values {
        if let Err(why) = names::check_value(value) {
            report.fault(checked, at, "invalid-value", &format!("value `{value}` {why}"));
        }
    }
    Some(Requirement { key: key.into(), operator, values: values.iter().map(|value| value.as_str().into()).collect() })
}

fn read_operator(text: &str) -> Option<Operator> {
    Some(match text {
        "In" => Operator::In,
        "NotIn" => Operator::NotIn,
        "Exists" => Operator::Exists,
        "DoesNotExist" => Operator::DoesNotExist,
        _ => return None,
    })
}
