//! A model brought to another inventory by what differs.
//!
//! Positions stay those of the lists in order: what stands behind an object that comes or goes moves by one. What else
//! depends on a changed object is found by the indexes, and made anew from the inventory.
//!
//! Invariant: afterwards the model equals [`Model::new`] of its inventory.

mod listed;
mod pods;
mod policies;
mod services;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use palisade_model::access_policy::AccessPolicy;
use palisade_model::gateway::{Gateway, GatewayClass, ReferenceGrant, Route};
use palisade_model::ingress::{Ingress, IngressClass};
use palisade_model::inventory::{Inventory, Namespace, Node, Object, ServiceAccount};
use palisade_model::network_policy::NetworkPolicy;
use palisade_model::object::{Kind, ObjectRef};
use palisade_model::perimeter::Perimeter;
use palisade_model::pod::Pod;
use palisade_model::service::{EndpointSlice, Service};
use palisade_model::settings::Settings;
use palisade_model::tiered_policy::TieredPolicy;
use palisade_model::workload::Workload;

use crate::findings::touched::Touched;
use crate::model::Model;
use listed::{Listed, Sides, match_object};

/// Of more changes than this all is made anew: each costs more than its part of the whole.
const MOST_CHANGES: usize = 64;

impl Model {
    /// Adds `object`, or puts it in the place of the one of its kind, namespace and name.
    pub fn put(&mut self, object: Object) {
        let before = self.object(&object.meta().reference);
        match_object!(object, |after| {
            let before = before.and_then(Listed::of_object);
            self.apply([before, Some(after)]);
        });
    }

    /// Removes the object; that it is not there is no error.
    pub fn remove(&mut self, reference: &ObjectRef) {
        if let Some(object) = self.object(reference) {
            match_object!(object, |before| self.apply([Some(before), None]));
        }
    }

    /// The object of the reference.
    pub fn object(&self, reference: &ObjectRef) -> Option<Object> {
        let inventory = &self.inventory;
        match reference.kind {
            Kind::Namespace => listed::find::<Namespace>(inventory, reference),
            Kind::Node => listed::find::<Node>(inventory, reference),
            Kind::ServiceAccount => listed::find::<ServiceAccount>(inventory, reference),
            Kind::CronJob
            | Kind::DaemonSet
            | Kind::Deployment
            | Kind::Job
            | Kind::ReplicaSet
            | Kind::ReplicationController
            | Kind::StatefulSet => listed::find::<Workload>(inventory, reference),
            Kind::Pod => listed::find::<Pod>(inventory, reference),
            Kind::Service => listed::find::<Service>(inventory, reference),
            Kind::EndpointSlice => listed::find::<EndpointSlice>(inventory, reference),
            Kind::Ingress => listed::find::<Ingress>(inventory, reference),
            Kind::IngressClass => listed::find::<IngressClass>(inventory, reference),
            Kind::Gateway => listed::find::<Gateway>(inventory, reference),
            Kind::GatewayClass => listed::find::<GatewayClass>(inventory, reference),
            Kind::GRPCRoute | Kind::HTTPRoute | Kind::TCPRoute | Kind::TLSRoute | Kind::UDPRoute => {
                listed::find::<Route>(inventory, reference)
            }
            Kind::ReferenceGrant => listed::find::<ReferenceGrant>(inventory, reference),
            Kind::NetworkPolicy => listed::find::<NetworkPolicy>(inventory, reference),
            Kind::AdminNetworkPolicy | Kind::BaselineAdminNetworkPolicy | Kind::ClusterNetworkPolicy => {
                listed::find::<TieredPolicy>(inventory, reference)
            }
            Kind::ClusterPerimeter | Kind::Perimeter => listed::find::<Perimeter>(inventory, reference),
            Kind::AccessPolicy | Kind::ClusterAccessPolicy => listed::find::<AccessPolicy>(inventory, reference),
            // They are told by the inventory and in no list of it.
            Kind::ClusterSettings => None,
        }
    }

    fn apply<T: Listed>(&mut self, sides: Sides<T>) {
        if self.has_twins {
            listed::replace(Arc::make_mut(&mut self.inventory), sides);
            *self = Self::new(self.inventory.clone(), self.settings.clone()).value;
            return;
        }
        let mut touched = Touched::default();
        self.follow(sides, &mut touched);
        self.finish(&touched);
    }

    /// Brings the model to `inventory` and `settings`. Of objects that both inventories share only the pointers are
    /// compared.
    pub fn update(&mut self, inventory: Arc<Inventory>, settings: Settings) {
        let is_other_dns = settings.dns_service != self.settings.dns_service;
        let steps = steps(&self.inventory, &inventory);
        if is_other_dns || self.has_twins || steps.len() > MOST_CHANGES {
            *self = Self::new(inventory, settings).value;
            return;
        }
        let mut touched = Touched::default();
        for step in steps {
            step(self, &mut touched);
        }
        if self.has_twins {
            *self = Self::new(inventory, settings).value;
            return;
        }
        let own = Arc::make_mut(&mut self.inventory);
        own.settings.clone_from(&inventory.settings);
        own.other_kinds.clone_from(&inventory.other_kinds);
        own.unreadable.clone_from(&inventory.unreadable);
        own.unreadable.sort();
        self.settings = settings;
        self.finish(&touched);
    }

    /// Puts an object in the place of another and brings all to it but the findings.
    fn follow<T: Listed>(&mut self, sides: Sides<T>, touched: &mut Touched) {
        match &sides {
            [Some(before), Some(after)] if before.order(after).is_ne() => {
                self.follow([Some(before.clone()), None], touched);
                self.follow([None, Some(after.clone())], touched);
            }
            [before, after] => {
                let (position, is_twin) = listed::replace(Arc::make_mut(&mut self.inventory), sides.clone());
                self.has_twins |= is_twin;
                T::follow(self, position, [before.as_ref(), after.as_ref()], touched);
            }
        }
    }

    fn finish(&mut self, touched: &Touched) {
        if touched.audit {
            self.find_audit();
        }
        self.find_well_known();
        let mut findings = std::mem::take(&mut self.findings);
        findings.refresh(self, touched);
        self.findings = findings;
    }
}

/// One change of an object.
type Step = Box<dyn FnOnce(&mut Model, &mut Touched)>;

/// What makes one inventory of the other: what is removed, then the rest.
fn steps(before: &Inventory, after: &Inventory) -> Vec<Step> {
    fn add<T: Listed + 'static>(steps: &mut [Vec<Step>; 2], before: &Inventory, after: &Inventory) {
        for sides in listed::differences::<T>(T::list(before), T::list(after)) {
            let is_removal = sides[1].is_none();
            steps[usize::from(!is_removal)].push(Box::new(move |model, touched| model.follow(sides, touched)));
        }
    }
    let mut steps = [Vec::new(), Vec::new()];
    add::<Namespace>(&mut steps, before, after);
    add::<Node>(&mut steps, before, after);
    add::<ServiceAccount>(&mut steps, before, after);
    add::<Workload>(&mut steps, before, after);
    add::<Pod>(&mut steps, before, after);
    add::<Service>(&mut steps, before, after);
    add::<EndpointSlice>(&mut steps, before, after);
    add::<Ingress>(&mut steps, before, after);
    add::<IngressClass>(&mut steps, before, after);
    add::<Gateway>(&mut steps, before, after);
    add::<GatewayClass>(&mut steps, before, after);
    add::<Route>(&mut steps, before, after);
    add::<ReferenceGrant>(&mut steps, before, after);
    add::<NetworkPolicy>(&mut steps, before, after);
    add::<TieredPolicy>(&mut steps, before, after);
    add::<Perimeter>(&mut steps, before, after);
    add::<AccessPolicy>(&mut steps, before, after);
    let [removals, others] = steps;
    removals.into_iter().chain(others).collect()
}
