//! What follows when Services and EndpointSlices change.

use std::sync::Arc;

use palisade_model::object::Name;
use palisade_model::service::{EndpointSlice, Service};

use super::pods::{inserted, removed};
use crate::address_index::{Claim, addresses_of};
use crate::findings::touched::Touched;
use crate::model::Model;

impl Model {
    pub(super) fn follow_service(&mut self, position: usize, sides: [Option<&Arc<Service>>; 2], touched: &mut Touched) {
        let [before, after] = sides;
        if let Some(before) = before {
            addresses_of(before).for_each(|address| self.addresses.remove(address, Claim::Service(position)));
        }
        if before.is_some() != after.is_some() {
            self.addresses.renumber(|claim| match claim {
                Claim::Service(other) if after.is_some() => Claim::Service(inserted(other, position)),
                Claim::Service(other) => Claim::Service(removed(other, position)),
                Claim::Interface(_) | Claim::Pod(_) | Claim::Node(_) => claim,
            });
        }
        if let Some(after) = after {
            addresses_of(after).for_each(|address| self.addresses.add(address, Claim::Service(position)));
        }
        let Some(service) = after.or(before) else { return };
        let namespace = namespace_of(&service.meta.reference.namespace);
        self.service_lookup.renew_services(&self.inventory, &namespace);
        touched.service(self, &namespace, &service.meta.reference.name);
    }

    pub(super) fn follow_slice(&mut self, _: usize, sides: [Option<&Arc<EndpointSlice>>; 2], touched: &mut Touched) {
        let mut slices = sides.into_iter().flatten();
        let Some(namespace) = slices.clone().next().map(|slice| namespace_of(&slice.meta.reference.namespace)) else {
            return;
        };
        self.service_lookup.renew_slices(&self.inventory, &namespace);
        for service in slices.by_ref().filter_map(|slice| slice.service.as_ref()) {
            touched.service(self, &namespace, service);
        }
    }
}

fn namespace_of(namespace: &Option<Name>) -> Name {
    namespace.clone().unwrap_or_else(|| "".into())
}
