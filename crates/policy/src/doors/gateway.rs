//! Doors of Gateways: a listener, a rule of a route that attaches to it, and each of its backends.

use std::sync::Arc;

use palisade_model::gateway::{Gateway, Listener, Route, RouteBackend, RouteRule};
use palisade_model::object::Name;
use palisade_model::{Place, Problem};

use super::attach::{NotAttached, attach, may_refer};
use super::{Door, DoorKind, Doors, Opening, ServedBy, Source, Wanted, WantedPort, texts};
use crate::model::Model;

pub(super) fn find(model: &Model, doors: &mut Doors) {
    let inventory = &model.inventory;
    for route in &inventory.routes {
        for parent in &route.parents {
            let is_parent = |gateway: &&Arc<Gateway>| {
                gateway.meta.namespace() == &*parent.namespace && gateway.meta.name() == &*parent.name
            };
            let Some(gateway) = inventory.gateways.iter().find(is_parent) else {
                let message = format!("there is no Gateway `{}/{}` in the input", parent.namespace, parent.name);
                doors.notes.push(note(route, &parent.place, message).hint("correct the name, or add the Gateway"));
                continue;
            };
            let mut refused = None;
            let mut is_attached = false;
            for listener in &gateway.listeners {
                match attach(model, gateway, listener, route, parent) {
                    Ok(hosts) => {
                        is_attached = true;
                        add(model, doors, gateway, listener, route, &hosts);
                    }
                    Err(why) => refused = refused.max(Some(why)),
                }
            }
            if !is_attached {
                let why = refused.unwrap_or(NotAttached::OtherListener).words();
                let message = format!("does not attach to Gateway `{}/{}`: {why}", parent.namespace, parent.name);
                doors.notes.push(note(route, &parent.place, message));
            }
        }
    }
    for gateway in &inventory.gateways {
        if serves(model, gateway) == ServedBy::Unknown {
            let message = format!("nothing in the input says which pods serve its class `{}`", gateway.class);
            doors.notes.push(
                Problem::warning("door-without-controller", message)
                    .at(&gateway.meta.place)
                    .of(gateway.meta.reference.clone())
                    .hint("add the manifests of its pods, or name them in ClusterSettings, `spec.gateways`"),
            );
        }
    }
}

fn serves(model: &Model, gateway: &Gateway) -> ServedBy {
    model.serves_gateway(gateway.meta.namespace(), gateway.meta.name(), &gateway.class)
}

fn note(route: &Route, place: &Place, message: String) -> Problem {
    Problem::warning("door-leads-nowhere", message).at(place).of(route.meta.reference.clone())
}

fn add(model: &Model, doors: &mut Doors, gateway: &Gateway, listener: &Listener, route: &Route, hosts: &[Name]) {
    for rule in &route.rules {
        for backend in rule.backends.iter().chain(&rule.mirrors) {
            let Some(opening) = opening(model, doors, (gateway, listener, route, rule), hosts, backend) else {
                continue;
            };
            doors.openings.push(opening);
        }
    }
}

fn opening(
    model: &Model,
    doors: &mut Doors,
    (gateway, listener, route, rule): (&Gateway, &Listener, &Route, &RouteRule),
    hosts: &[Name],
    backend: &RouteBackend,
) -> Option<Opening> {
    let RouteBackend { namespace, name, kind, .. } = backend;
    if !backend.is_service() {
        let message = format!("the controller alone knows the {kind} `{name}` that requests go to");
        doors
            .notes
            .push(Problem::warning("door-to-resource", message).at(&backend.place).of(route.meta.reference.clone()));
        return None;
    }
    if !may_refer(model, route, backend) {
        let message = format!("no ReferenceGrant of namespace `{namespace}` lets it name Service `{namespace}/{name}`");
        doors.notes.push(note(route, &backend.place, message).hint("add one there, or move the Service"));
        return None;
    }
    if backend.weight == 0 {
        let message = format!("Service `{namespace}/{name}` has the weight 0 and gets nothing");
        doors.notes.push(note(route, &backend.place, message));
        return None;
    }
    let port = WantedPort::Number(backend.port?);
    let object = &route.meta.reference;
    let wanted = Wanted { namespace, name, port, object, place: &backend.place };
    let behind = model.behind_service(wanted, &mut doors.notes)?;
    let door = Door {
        kind: DoorKind::Gateway,
        object: object.clone(),
        gateway: Some(format!("{}/{} {}", gateway.meta.namespace(), gateway.meta.name(), listener.name)),
        place: rule.place.clone(),
        addresses: texts(&gateway.addresses),
        hosts: hosts.to_vec(),
        matches: rule.matches.clone(),
        protocol: behind.protocol,
        port: Some(listener.port),
        source_ranges: Vec::new(),
        internal_by: None,
        service: Some(behind.reference),
        source: Source::Kept,
    };
    Some(Opening { door, served_by: Some(serves(model, gateway)), backends: behind.backends })
}
