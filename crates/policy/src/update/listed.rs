//! The lists of an inventory, each in its order, and what a model does when an object of one changes.

use std::cmp::Ordering;
use std::sync::Arc;

use palisade_model::access_policy::AccessPolicy;
use palisade_model::gateway::{Gateway, GatewayClass, ReferenceGrant, Route};
use palisade_model::ingress::{Ingress, IngressClass};
use palisade_model::inventory::{Inventory, Namespace, Node, Object, ServiceAccount};
use palisade_model::network_policy::NetworkPolicy;
use palisade_model::object::{Meta, ObjectRef};
use palisade_model::perimeter::Perimeter;
use palisade_model::pod::Pod;
use palisade_model::service::{EndpointSlice, Service};
use palisade_model::tiered_policy::TieredPolicy;
use palisade_model::workload::Workload;

use crate::findings::touched::Touched;
use crate::model::{Model, tier_order};

/// An object before and after a change; `None` where it is not there.
pub(super) type Sides<T> = [Option<Arc<T>>; 2];

/// What stands in one of the inventory's lists.
pub(super) trait Listed: PartialEq + Sized {
    fn list(inventory: &Inventory) -> &Vec<Arc<Self>>;
    fn list_mut(inventory: &mut Inventory) -> &mut Vec<Arc<Self>>;
    fn meta(&self) -> &Meta;
    fn to_object(self: Arc<Self>) -> Object;
    fn of_object(object: Object) -> Option<Arc<Self>>;

    /// The order of the list.
    fn order(&self, other: &Self) -> Ordering {
        self.meta().reference.cmp(&other.meta().reference)
    }

    /// Brings to the change all of the model that depends on such objects. The inventory has changed already, at
    /// `position`: one object is in the place of another, or was inserted, or was removed.
    fn follow(model: &mut Model, position: usize, sides: [Option<&Arc<Self>>; 2], touched: &mut Touched);
}

macro_rules! listed {
    ($kind:ident, $list:ident, $follow:path $(, $order:path)?) => {
        impl Listed for $kind {
            fn list(inventory: &Inventory) -> &Vec<Arc<Self>> {
                &inventory.$list
            }
            fn list_mut(inventory: &mut Inventory) -> &mut Vec<Arc<Self>> {
                &mut inventory.$list
            }
            fn meta(&self) -> &Meta {
                &self.meta
            }
            fn to_object(self: Arc<Self>) -> Object {
                Object::$kind(self)
            }
            fn of_object(object: Object) -> Option<Arc<Self>> {
                if let Object::$kind(object) = object { Some(object) } else { None }
            }
            $(fn order(&self, other: &Self) -> Ordering {
                $order(self, other)
            })?
            fn follow(model: &mut Model, position: usize, sides: [Option<&Arc<Self>>; 2], touched: &mut Touched) {
                $follow(model, position, sides, touched);
            }
        }
    };
}

/// Does the same with an object of whatever kind.
macro_rules! match_object {
    ($object:expr, |$one:ident| $body:expr) => {
        match $object {
            Object::Namespace($one) => $body,
            Object::Node($one) => $body,
            Object::ServiceAccount($one) => $body,
            Object::Workload($one) => $body,
            Object::Pod($one) => $body,
            Object::Service($one) => $body,
            Object::EndpointSlice($one) => $body,
            Object::Ingress($one) => $body,
            Object::IngressClass($one) => $body,
            Object::Gateway($one) => $body,
            Object::GatewayClass($one) => $body,
            Object::Route($one) => $body,
            Object::ReferenceGrant($one) => $body,
            Object::NetworkPolicy($one) => $body,
            Object::TieredPolicy($one) => $body,
            Object::Perimeter($one) => $body,
            Object::AccessPolicy($one) => $body,
        }
    };
}
pub(super) use match_object;

listed!(Namespace, namespaces, Model::follow_namespace);
listed!(Node, nodes, Model::follow_node);
listed!(Workload, workloads, Model::follow_workload);
listed!(Pod, pods, Model::follow_pod);
listed!(Service, services, Model::follow_service);
listed!(EndpointSlice, endpoint_slices, Model::follow_slice);
listed!(NetworkPolicy, network_policies, Model::follow_network_policy);
listed!(TieredPolicy, tiered_policies, Model::follow_tiered_policy, tier_order);
listed!(Perimeter, perimeters, Model::follow_perimeter);
listed!(AccessPolicy, access_policies, Model::follow_access_policy);
// Asked where they are.
listed!(ServiceAccount, service_accounts, nothing_follows);
listed!(Ingress, ingresses, nothing_follows);
listed!(IngressClass, ingress_classes, nothing_follows);
listed!(Gateway, gateways, nothing_follows);
listed!(GatewayClass, gateway_classes, nothing_follows);
listed!(Route, routes, nothing_follows);
listed!(ReferenceGrant, reference_grants, nothing_follows);

fn nothing_follows<T>(_: &mut Model, _: usize, _: [Option<&Arc<T>>; 2], _: &mut Touched) {}

/// The object of the reference.
pub(super) fn find<T: Listed>(inventory: &Inventory, reference: &ObjectRef) -> Option<Object> {
    let list = T::list(inventory);
    // Policies of the tiers stand in another order; there are few.
    let found = match list.binary_search_by(|object| object.meta().reference.cmp(reference)) {
        Ok(position) => Some(&list[position]),
        Err(_) => list.iter().find(|object| object.meta().reference == *reference),
    };
    found.cloned().map(T::to_object)
}

/// Puts an object in the place of another, as which it stands in the order; also where, and whether another one of its
/// reference stands there.
pub(super) fn replace<T: Listed>(inventory: &mut Inventory, sides: Sides<T>) -> (usize, bool) {
    let list = T::list_mut(inventory);
    let place = |list: &[Arc<T>], object: &T| list.partition_point(|other| other.order(object).is_lt());
    match sides {
        [Some(before), Some(after)] => {
            let position = place(list, &before);
            list[position] = after;
            (position, false)
        }
        [Some(before), None] => {
            let position = place(list, &before);
            list.remove(position);
            (position, false)
        }
        [None, Some(after)] => {
            let position = place(list, &after);
            let is_twin = list.get(position).is_some_and(|other| other.order(&after).is_eq());
            list.insert(position, after);
            (position, is_twin)
        }
        [None, None] => (0, false),
    }
}

/// What makes one list of the other, both in order. What both share is passed over without a look into it.
pub(super) fn differences<T: Listed>(before: &[Arc<T>], after: &[Arc<T>]) -> Vec<Sides<T>> {
    let mut found = Vec::new();
    let (mut old, mut new) = (before.iter().peekable(), after.iter().peekable());
    loop {
        match (old.peek(), new.peek()) {
            (None, None) => return found,
            (Some(one), Some(other)) if Arc::ptr_eq(one, other) => {
                old.next();
                new.next();
            }
            (Some(one), other) => {
                let order = other.map_or(Ordering::Less, |other| one.order(other));
                let before = if order.is_le() { old.next() } else { None };
                let after = if order.is_ge() { new.next() } else { None };
                if before != after {
                    found.push([before.cloned(), after.cloned()]);
                }
            }
            (None, Some(_)) => found.push([None, new.next().cloned()]),
        }
    }
}
