//! The quality-of-service class that a pod's resources give. Source: `ComputePodQOS` of Kubernetes.

use palisade_model::pod::QosClass;

use crate::at::At;
use crate::yaml::Shape;

/// The class of the pod spec at `spec`; ephemeral containers do not count.
pub(super) fn qos_class(spec: &At<'_, '_>) -> QosClass {
    let (mut any_set, mut all_guaranteed) = (false, true);
    for list in ["initContainers", "containers"] {
        let Some(list) = spec.field(list) else { continue };
        for container in list.elements() {
            for resource in ["cpu", "memory"] {
                let limit = read_quantity(&container, "limits", resource);
                // A missing request is defaulted to the limit.
                let request = read_quantity(&container, "requests", resource).or(limit);
                any_set |= is_positive(limit) || is_positive(request);
                all_guaranteed &= is_positive(limit) && request == limit;
            }
        }
    }
    match (any_set, all_guaranteed) {
        (false, _) => QosClass::BestEffort,
        (true, true) => QosClass::Guaranteed,
        (true, false) => QosClass::Burstable,
    }
}

fn is_positive(quantity: Option<f64>) -> bool {
    quantity.is_some_and(|quantity| quantity > 0.0)
}

/// The quantity that a container states for a resource in `limits` or `requests`.
pub(super) fn read_quantity(container: &At<'_, '_>, which: &'static str, resource: &'static str) -> Option<f64> {
    let resources = container.field("resources")?;
    let list = resources.field(which)?;
    match list.value.field(resource)?.shape() {
        // Nothing is no missing quantity here, but 0.
        Shape::Null => Some(0.0),
        Shape::Int(value) => Some(value as f64),
        Shape::Uint(value) => Some(value as f64),
        Shape::Float(value) => Some(value),
        Shape::Text(text) => parse_quantity(text),
        Shape::Bool(_) | Shape::Sequence | Shape::Mapping => None,
    }
}

fn parse_quantity(text: &str) -> Option<f64> {
    const SUFFIXES: [(&str, f64); 15] = [
        ("Ki", 1024.0),
        ("Mi", 1_048_576.0),
        ("Gi", 1_073_741_824.0),
        ("Ti", 1_099_511_627_776.0),
        ("Pi", 1_125_899_906_842_624.0),
        ("Ei", 1_152_921_504_606_846_976.0),
        ("n", 1e-9),
        ("u", 1e-6),
        ("m", 1e-3),
        ("k", 1e3),
        ("M", 1e6),
        ("G", 1e9),
        ("T", 1e12),
        ("P", 1e15),
        ("E", 1e18),
    ];
    let text = text.trim();
    let (number, factor) =
        SUFFIXES.iter().find_map(|(suffix, factor)| Some((text.strip_suffix(suffix)?, *factor))).unwrap_or((text, 1.0));
    // `Mi` and `e3` are 0: the digits may be missing.
    let mantissa = number.split(['e', 'E']).next().unwrap_or(number);
    if !text.is_empty() && !mantissa.bytes().any(|byte| byte.is_ascii_digit()) {
        return Some(0.0);
    }
    Some(number.parse::<f64>().ok()? * factor)
}
