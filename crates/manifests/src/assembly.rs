//! Puts the objects of all files together: duplicates, the overlay of live objects, and what only shows when
//! everything is known.

mod rule_reach;

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use palisade_model::inventory::Unreadable;
use palisade_model::{Inventory, Kind, ObjectRef, Outcome, Place, Problem};

use crate::decode::Object;
use crate::report::Report;
use crate::yaml::{Shape, Value};

/// Most problems that are kept, far more than a person reads; how many more there were is the last one.
const MAX_PROBLEMS: usize = 10_000;

/// Whether an object was given by the user or shows the state of a running lab.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Layer {
    Given,
    Live,
}

/// Objects on their way to an inventory.
#[derive(Debug, Default)]
pub(crate) struct Assembly {
    objects: BTreeMap<ObjectRef, Entry>,
    pub(crate) unreadable: Vec<Unreadable>,
    other_kinds: BTreeMap<(String, String), u32>,
    /// The policies of other engines among them, each kind with its first place.
    foreign: BTreeMap<(String, String), Place>,
    problems: Vec<Problem>,
    dropped_problems: usize,
}

#[derive(Debug)]
struct Entry {
    object: Object,
    fingerprint: u64,
}

impl Assembly {
    /// How many objects there are.
    pub(crate) fn len(&self) -> usize {
        self.objects.len()
    }

    /// Adds problems, up to the limit.
    pub(crate) fn add_problems(&mut self, problems: Vec<Problem>) {
        let room = MAX_PROBLEMS.saturating_sub(self.problems.len());
        self.dropped_problems += problems.len().saturating_sub(room);
        self.problems.extend(problems.into_iter().take(room));
    }

    /// Counts an object of a kind that is not read.
    pub(crate) fn count_other(&mut self, api_version: &str, kind: &str) {
        *self.other_kinds.entry((api_version.to_owned(), kind.to_owned())).or_default() += 1;
    }

    /// Counts a policy of another engine.
    pub(crate) fn count_foreign(&mut self, api_version: &str, kind: &str, place: Place) {
        self.count_other(api_version, kind);
        self.foreign.entry((api_version.to_owned(), kind.to_owned())).or_insert(place);
    }

    /// Adds an object that was decoded from `value`.
    pub(crate) fn add(&mut self, report: &mut Report, mut object: Object, value: Value<'_>, layer: Layer) {
        let entry = |object| Entry { object, fingerprint: fingerprint(value) };
        let reference = object.meta().reference.clone();
        let Some(known) = self.objects.get_mut(&reference) else {
            self.objects.insert(reference, entry(object));
            return;
        };
        let first = known.object.meta().place.clone();
        if layer == Layer::Live {
            object.meta_mut().place = first;
            *known = entry(object);
            return;
        }
        let new = entry(object);
        let line = new.object.meta().place.line;
        if is_namespace_again(&known.object, &new.object) {
            return;
        }
        if new.fingerprint == known.fingerprint {
            let problem =
                Problem::warning("duplicate-object", format!("given twice with the same content, first at {first}"));
            report.add(line, problem.hint("remove one of the two"));
            return;
        }
        let problem = Problem::error(
            "duplicate-object",
            format!(
                "given twice with different content, first at {first}; the last one counts, as with `kubectl apply`"
            ),
        );
        report.add(line, problem.hint("remove or rename one of the two"));
        *known = new;
    }

    /// The inventory, and every problem.
    pub(crate) fn finish(mut self) -> Outcome<Inventory> {
        let mut inventory = Inventory {
            unreadable: std::mem::take(&mut self.unreadable),
            other_kinds: std::mem::take(&mut self.other_kinds),
            ..Inventory::default()
        };
        for entry in std::mem::take(&mut self.objects).into_values() {
            match entry.object {
                Object::AccessPolicy(object) => inventory.access_policies.push(Arc::new(object)),
                Object::ClusterSettings(object) => inventory.settings = Some(object),
                Object::EndpointSlice(object) => inventory.endpoint_slices.push(Arc::new(object)),
                Object::Gateway(object) => inventory.gateways.push(Arc::new(object)),
                Object::GatewayClass(object) => inventory.gateway_classes.push(Arc::new(object)),
                Object::Ingress(object) => inventory.ingresses.push(Arc::new(object)),
                Object::IngressClass(object) => inventory.ingress_classes.push(Arc::new(object)),
                Object::Namespace(object) => inventory.namespaces.push(Arc::new(object)),
                Object::NetworkPolicy(object) => inventory.network_policies.push(Arc::new(object)),
                Object::Node(object) => inventory.nodes.push(Arc::new(object)),
                Object::Perimeter(object) => inventory.perimeters.push(Arc::new(object)),
                Object::Pod(object) => inventory.pods.push(Arc::new(object)),
                Object::ReferenceGrant(object) => inventory.reference_grants.push(Arc::new(object)),
                Object::Route(object) => inventory.routes.push(Arc::new(object)),
                Object::Service(object) => inventory.services.push(Arc::new(object)),
                Object::ServiceAccount(object) => inventory.service_accounts.push(Arc::new(object)),
                Object::TieredPolicy(object) => inventory.tiered_policies.push(Arc::new(object)),
                Object::Workload(object) => inventory.workloads.push(Arc::new(object)),
            }
        }
        inventory.unreadable.sort();
        let mut late = foreign_policies(&self.foreign, &inventory.other_kinds);
        warn_of_missing_namespaces(&inventory, &mut late);
        rule_reach::report(&inventory, &mut late);
        self.add_problems(late);
        let mut problems = self.problems;
        if self.dropped_problems > 0 {
            let message = format!("{} more problems are not shown", self.dropped_problems);
            problems.push(Problem::error("too-many-problems", message).hint("correct the first ones, then look again"));
        }
        Outcome::new(inventory, problems)
    }
}

/// Says once for each kind that another engine's policies are left out.
fn foreign_policies(
    first_places: &BTreeMap<(String, String), Place>,
    counts: &BTreeMap<(String, String), u32>,
) -> Vec<Problem> {
    let one = |(kind, place): (&(String, String), &Place)| {
        let (version, name) = kind;
        let message = match counts.get(kind).copied().unwrap_or_default() {
            1 => format!("the {name} of `{version}` is not read: Palisade's answers leave it out"),
            count => format!("{count} {name} of `{version}` are not read: Palisade's answers leave them out"),
        };
        Problem::warning("policy-not-read", message)
            .at(place)
            .hint("another engine enforces it, and may refuse or open what is answered here")
    };
    first_places.iter().map(one).collect()
}

/// Every chart of an application tends to carry its Namespace; only labels take part in decisions.
fn is_namespace_again(known: &Object, new: &Object) -> bool {
    match (known, new) {
        (Object::Namespace(known), Object::Namespace(new)) => known.meta.labels == new.meta.labels,
        _ => false,
    }
}

/// A policy in a namespace that nobody declares is often one in the wrong namespace. Without any Namespace object
/// the manifests just do not carry them.
fn warn_of_missing_namespaces(inventory: &Inventory, problems: &mut Vec<Problem>) {
    const ALWAYS_THERE: [&str; 4] = ["default", "kube-node-lease", "kube-public", "kube-system"];
    if inventory.namespaces.is_empty() {
        return;
    }
    let known: BTreeSet<&str> =
        inventory.namespaces.iter().map(|namespace| namespace.meta.name()).chain(ALWAYS_THERE).collect();
    let policies = (inventory.network_policies.iter().map(|policy| &policy.meta))
        .chain(inventory.perimeters.iter().map(|perimeter| &perimeter.meta))
        .chain(inventory.access_policies.iter().map(|policy| &policy.meta));
    for meta in policies {
        let is_elsewhere = matches!(meta.reference.kind, Kind::ClusterPerimeter | Kind::ClusterAccessPolicy);
        if is_elsewhere || known.contains(meta.namespace()) {
            continue;
        }
        let namespace = meta.namespace();
        let problem = Problem::warning("missing-namespace", format!("there is no Namespace `{namespace}`"))
            .at(&meta.place)
            .of(meta.reference.clone())
            .hint(format!("correct `metadata.namespace`, or add the Namespace `{namespace}`"));
        problems.push(problem);
    }
}

/// Equal for equal data, whatever the order of keys and the way of writing.
fn fingerprint(value: Value<'_>) -> u64 {
    let mut hasher = DefaultHasher::new();
    match value.shape() {
        Shape::Null => 0u8.hash(&mut hasher),
        Shape::Bool(value) => (1u8, value).hash(&mut hasher),
        Shape::Int(value) => (2u8, value).hash(&mut hasher),
        Shape::Uint(value) => (3u8, value).hash(&mut hasher),
        Shape::Float(value) => (4u8, value.to_bits()).hash(&mut hasher),
        Shape::Text(text) => (5u8, text).hash(&mut hasher),
        Shape::Sequence => {
            6u8.hash(&mut hasher);
            for element in value.elements() {
                fingerprint(element).hash(&mut hasher);
            }
        }
        Shape::Mapping => {
            let sum = value.fields().map(|(key, _, value)| pair_fingerprint(key, value)).fold(0u64, u64::wrapping_add);
            (7u8, sum).hash(&mut hasher);
        }
    }
    hasher.finish()
}

fn pair_fingerprint(key: &str, value: Value<'_>) -> u64 {
    let mut hasher = DefaultHasher::new();
    (key, fingerprint(value)).hash(&mut hasher);
    hasher.finish()
}
