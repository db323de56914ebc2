//! Filters that name nobody: a slip of the pen would wait for ever.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use palisade_model::settings::Settings as ClusterSettings;
use palisade_policy::{Model, PodFacts};

use crate::arguments::{ObserveArguments, ObserveFilters};
use crate::failure::{Failure, listed};
use crate::input;
use crate::settings::Source;

/// A value of a filter that nobody in the manifests has.
#[derive(Debug, PartialEq, Eq)]
pub struct Stranger {
    filter: &'static str,
    value: String,
    known: BTreeSet<String>,
}

impl fmt::Display for Stranger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { filter, value, known } = self;
        write!(f, "warning: no {filter} `{value}` in the manifests: nothing of it can come")?;
        match known.is_empty() {
            true => Ok(()),
            false => write!(f, "\n  hint: there are {}", listed(known.iter().map(String::as_str))),
        }
    }
}

/// The filters of `arguments` that name nobody, when there are manifests to compare with.
///
/// # Errors
/// When manifests are given and cannot be read.
pub fn strangers(arguments: &ObserveArguments) -> Result<Vec<Stranger>, Failure> {
    let filters = &arguments.filters;
    if filters.namespace.is_empty() && filters.pod.is_empty() && filters.workload.is_empty() {
        return Ok(Vec::new());
    }
    let source = Source::from(&arguments.manifests);
    let input = match (input::read(&source), &source) {
        (Ok(input), _) => input,
        (Err(failure), Source::Paths(_)) => return Err(failure),
        // An agent may be watched by its socket alone.
        (Err(_), Source::Lab(_)) => return Ok(Vec::new()),
    };
    let settings = ClusterSettings::of(&input.value);
    Ok(find(filters, &Model::new(Arc::new(input.value), settings).value))
}

fn find(filters: &ObserveFilters, model: &Model) -> Vec<Stranger> {
    let of_pods = |name: fn(&PodFacts) -> Vec<String>| model.pods().iter().flat_map(name).collect::<BTreeSet<_>>();
    let mut namespaces = of_pods(|pod| vec![pod.namespace.to_string()]);
    namespaces.extend(model.inventory().namespaces.iter().map(|namespace| namespace.meta.name().to_owned()));
    let pods = of_pods(|pod| vec![pod.name.to_string(), pod.full_name()]);
    let workloads = of_pods(|pod| vec![pod.workload.name.to_string(), pod.workload.to_string().to_lowercase()]);
    let names = |known: &BTreeSet<String>| known.iter().filter(|name| !name.contains('/')).cloned().collect();
    let missing = |filter, values: &[String], known: &BTreeSet<String>| {
        let is_missing = |value: &&String| !known.contains(*value) && !known.contains(&value.to_lowercase());
        let strangers = values.iter().filter(is_missing);
        strangers.map(|value| Stranger { filter, value: value.clone(), known: names(known) }).collect::<Vec<_>>()
    };
    let mut strangers = missing("namespace", &filters.namespace, &namespaces);
    // A workload without pods in the input says nothing of what its pods will be called.
    if !model.pods().iter().any(|pod| pod.is_template) {
        strangers.extend(missing("pod", &filters.pod, &pods));
    }
    strangers.extend(missing("workload", &filters.workload, &workloads));
    strangers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_that_names_nobody_is_told_with_who_is_there() {
        let shop = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/shop");
        let input = palisade_manifests::load(&[shop.into()], std::io::empty()).expect("the example");
        let model = Model::new(Arc::new(input.value), ClusterSettings::default()).value;
        let filters = |namespace: &str, pod: &str, workload: &str| ObserveFilters {
            namespace: vec![namespace.into()],
            pod: vec![pod.into()],
            workload: vec![workload.into()],
            ..ObserveFilters::default()
        };
        assert_eq!(find(&filters("shop", "shop/web", "Deployment/web"), &model), []);
        let found = find(&filters("shops", "shop/wbe", "wbe"), &model);
        let said: Vec<String> = found.iter().map(ToString::to_string).collect();
        assert_eq!(
            said,
            [
                "warning: no namespace `shops` in the manifests: nothing of it can come\n  hint: there are data, edge, shop",
                "warning: no workload `wbe` in the manifests: nothing of it can come\n  hint: there are cache, catalogue, db, gateway, logs, orders, payments, search, stock-report, web",
            ]
        );
    }
}
