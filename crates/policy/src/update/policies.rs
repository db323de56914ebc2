//! What follows when policies change.

use std::sync::Arc;

use palisade_model::access_policy::AccessPolicy;
use palisade_model::network_policy::NetworkPolicy;
use palisade_model::perimeter::Perimeter;
use palisade_model::tiered_policy::TieredPolicy;

use super::pods::{inserted, removed};
use crate::findings::touched::Touched;
use crate::model::{Closer, Model, PodIndex};

impl Model {
    pub(super) fn follow_network_policy(
        &mut self,
        position: usize,
        sides: [Option<&Arc<NetworkPolicy>>; 2],
        touched: &mut Touched,
    ) {
        let [before, after] = sides.map(|side| side.map(Arc::as_ref));
        let closes = |policy: &NetworkPolicy| (policy.ingress.is_some(), policy.egress.is_some());
        let is_same = |before: &NetworkPolicy, after: &NetworkPolicy| {
            before.pod_selector == after.pod_selector && closes(before) == closes(after)
        };
        if !before.zip(after).is_some_and(|(before, after)| is_same(before, after)) {
            let candidates = |policy: &NetworkPolicy| {
                self.pod_lookup.with_labels(policy.meta.namespace(), &policy.pod_selector.match_labels).iter().collect()
            };
            let candidates = [before, after].map(|policy| policy.map(candidates).unwrap_or_default());
            self.replace_closer(Closer::NetworkPolicy(position), candidates, [before.is_some(), after.is_some()]);
        }
        self.rules.replace_network(position, [before, after]);
        touched.objects.extend(after.or(before).map(|policy| policy.meta.reference.clone()));
    }

    pub(super) fn follow_perimeter(
        &mut self,
        position: usize,
        sides: [Option<&Arc<Perimeter>>; 2],
        touched: &mut Touched,
    ) {
        let candidates = |perimeter: &Arc<Perimeter>| match &perimeter.meta.reference.namespace {
            Some(namespace) => {
                self.pod_lookup.with_labels(namespace, &perimeter.selector.match_labels).iter().collect()
            }
            None => self.pod_lookup.everybody().iter().collect(),
        };
        let candidates = sides.map(|perimeter| perimeter.map(candidates).unwrap_or_default());
        self.replace_closer(Closer::Perimeter(position), candidates, sides.map(|side| side.is_some()));
        let [before, after] = sides;
        touched.objects.extend(after.or(before).map(|perimeter| perimeter.meta.reference.clone()));
        touched.audit = true;
    }

    /// Takes a closer from the pods that it could close before, and notes it with those that it could close after.
    fn replace_closer(&mut self, closer: Closer, candidates: [Vec<PodIndex>; 2], [was, is]: [bool; 2]) {
        let [before, after] = candidates;
        for index in before {
            self.pods[index.at_usize()].open(closer);
        }
        if was != is {
            let renumber = |other: &mut Closer| match (other, closer) {
                (Closer::NetworkPolicy(other), Closer::NetworkPolicy(position))
                | (Closer::Perimeter(other), Closer::Perimeter(position)) => {
                    *other = if is { inserted(*other, position) } else { removed(*other, position) };
                }
                (Closer::NetworkPolicy(_), Closer::Perimeter(_)) | (Closer::Perimeter(_), Closer::NetworkPolicy(_)) => {
                }
            };
            self.pods.iter_mut().for_each(|pod| pod.renumber_closers(renumber));
        }
        for index in after {
            self.pods[index.at_usize()].close(&self.inventory, closer);
        }
    }

    pub(super) fn follow_tiered_policy(
        &mut self,
        _: usize,
        sides: [Option<&Arc<TieredPolicy>>; 2],
        touched: &mut Touched,
    ) {
        for pod in &mut self.pods {
            pod.select_by_tiers(&self.inventory.tiered_policies);
        }
        touched.objects.extend(sides.into_iter().flatten().map(|policy| policy.meta.reference.clone()));
    }

    pub(super) fn follow_access_policy(
        &mut self,
        position: usize,
        sides: [Option<&Arc<AccessPolicy>>; 2],
        touched: &mut Touched,
    ) {
        let [before, after] = sides.map(|side| side.map(Arc::as_ref));
        self.rules.replace_access(position, [before, after]);
        touched.objects.extend(after.or(before).map(|policy| policy.meta.reference.clone()));
        touched.audit = true;
    }
}
