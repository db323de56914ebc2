//! Doors of Ingresses: a host and a path, each to a port of a Service.

use palisade_model::ingress::{BackendPort, Ingress, IngressBackend, PathMatching};
use palisade_model::object::Name;
use palisade_model::{Place, Problem};

use super::{Door, DoorKind, Doors, Opening, ServedBy, Source, Wanted, WantedPort, texts};
use crate::model::Model;

/// The ports that a controller listens on for an Ingress. Source: Ingress API, "exposes ports 80 and 443".
const HTTP: u16 = 80;
const HTTPS: u16 = 443;

pub(super) fn find(model: &Model, doors: &mut Doors) {
    for ingress in &model.inventory.ingresses {
        let served_by = model.serves_ingress(ingress);
        if served_by == ServedBy::Unknown {
            doors.notes.push(nobody_serves(ingress));
        }
        if let Some(backend) = &ingress.default_backend {
            let entry = Entry { ingress, host: None, matches: None, place: &ingress.meta.place };
            add(model, doors, &served_by, entry, backend);
        }
        for rule in &ingress.rules {
            for path in &rule.paths {
                let shown = match path.matching {
                    PathMatching::Exact => format!("= {}", path.path),
                    PathMatching::Prefix => format!("{}/*", path.path.trim_end_matches('/')),
                    PathMatching::ImplementationSpecific if path.path.is_empty() => "/*".to_owned(),
                    PathMatching::ImplementationSpecific => path.path.clone(),
                };
                let entry = Entry { ingress, host: rule.host.clone(), matches: Some(shown), place: &path.place };
                add(model, doors, &served_by, entry, &path.backend);
            }
        }
    }
}

/// A host and path of an Ingress.
struct Entry<'m> {
    ingress: &'m Ingress,
    host: Option<Name>,
    matches: Option<String>,
    place: &'m Place,
}

fn nobody_serves(ingress: &Ingress) -> Problem {
    let class = ingress.class.as_ref().map(|class| format!(" `{class}`")).unwrap_or_default();
    let message = format!("nothing in the input says which pods serve its class{class}");
    Problem::warning("door-without-controller", message)
        .at(&ingress.meta.place)
        .of(ingress.meta.reference.clone())
        .hint(
            "add the IngressClass and the controller's manifests, or name its pods in ClusterSettings, `spec.gateways`",
        )
}

fn add(model: &Model, doors: &mut Doors, served_by: &ServedBy, entry: Entry<'_>, backend: &IngressBackend) {
    let Entry { ingress, host, matches, place } = entry;
    let (name, port) = match backend {
        IngressBackend::Service { name, port: BackendPort::Number(number) } => (name, WantedPort::Number(*number)),
        IngressBackend::Service { name, port: BackendPort::Name(port) } => (name, WantedPort::Name(port)),
        IngressBackend::Resource { kind, name } => {
            let message = format!("the controller alone knows the {kind} `{name}` that requests go to");
            let note = Problem::warning("door-to-resource", message).at(place);
            doors.notes.push(note.of(ingress.meta.reference.clone()));
            return;
        }
    };
    let object = &ingress.meta.reference;
    let wanted = Wanted { namespace: ingress.meta.namespace(), name, port, object, place };
    let Some(behind) = model.behind_service(wanted, &mut doors.notes) else { return };
    let has_certificate = match &host {
        None => !ingress.tls_hosts.is_empty(),
        Some(host) => ingress.tls_hosts.contains(host),
    };
    let names = ingress.hostnames.iter().map(|name| name.to_string());
    let door = Door {
        kind: DoorKind::Ingress,
        object: object.clone(),
        gateway: None,
        place: place.clone(),
        addresses: texts(&ingress.addresses).into_iter().chain(names).collect(),
        hosts: host.into_iter().collect(),
        matches: matches.into_iter().collect(),
        protocol: behind.protocol,
        port: Some(if has_certificate { HTTPS } else { HTTP }),
        source_ranges: Vec::new(),
        internal_by: None,
        service: Some(behind.reference),
        source: Source::Kept,
    };
    doors.openings.push(Opening { door, served_by: Some(served_by.clone()), backends: behind.backends });
}
