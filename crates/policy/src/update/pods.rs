//! What follows when pods change, and what they are known by: their workloads, namespaces and nodes.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use palisade_model::inventory::{Namespace, Node};
use palisade_model::object::Name;
use palisade_model::pod::Pod;
use palisade_model::workload::{Workload, WorkloadKind};

use crate::address_index::Claim;
use crate::findings::touched::Touched;
use crate::model::{Model, PodFacts, PodIndex, facts_of_pod, facts_of_template, in_namespace, labels_of};
use crate::nodes::{self, told_by};
use crate::workloads::{WorkloadKey, key_of, may_own, needs_template, of_pod, workload_object, workloads_of};

/// Where something stands after another was put at `position`.
pub(super) fn inserted(other: usize, position: usize) -> usize {
    other + usize::from(other >= position)
}

/// Where something else stands after what was at `position` was removed.
pub(super) fn removed(other: usize, position: usize) -> usize {
    other - usize::from(other > position)
}

impl Model {
    pub(super) fn follow_pod(&mut self, _: usize, sides: [Option<&Arc<Pod>>; 2], touched: &mut Touched) {
        let [before, after] = sides;
        let index = before.and_then(|pod| self.index_of(pod.meta.namespace(), pod.meta.name(), None));
        let facts = after.map(|pod| facts_of_pod(&self.inventory, &self.namespace_labels, pod));
        let keys_before = before.zip(index).map(|(pod, index)| workloads_of(pod, &self.pod(index).workload));
        let keys_after = after.zip(facts.as_ref()).map(|(pod, facts)| workloads_of(pod, &facts.workload));
        self.replace_pod(index, facts, touched);
        self.count_pods(keys_before.unwrap_or_default(), keys_after.unwrap_or_default(), touched);
        let told = |pod: &Arc<Pod>| (pod.node.clone(), told_by(pod).collect::<Vec<_>>());
        let [before, after] = sides.map(|pod| pod.map(told));
        if before != after {
            let names: BTreeSet<Name> = [before, after].into_iter().flatten().filter_map(|(node, _)| node).collect();
            names.iter().for_each(|name| self.renew_node(name));
        }
    }

    /// Follows a pod that is no longer one of some workloads and now is one of others.
    fn count_pods(&mut self, before: BTreeSet<WorkloadKey>, after: BTreeSet<WorkloadKey>, touched: &mut Touched) {
        if before == after {
            return;
        }
        let changed: Vec<WorkloadKey> = before.symmetric_difference(&after).cloned().collect();
        self.pods_of_workloads.remove(&before);
        self.pods_of_workloads.add(after);
        changed.iter().for_each(|key| self.renew_template(key, touched));
    }

    pub(super) fn follow_workload(&mut self, _: usize, sides: [Option<&Arc<Workload>>; 2], touched: &mut Touched) {
        let Some(workload) = sides.into_iter().flatten().next().cloned() else { return };
        let namespace = workload.meta.namespace();
        let may_change = |pod: &PodFacts| pod.object().is_some_and(|pod| may_own(&workload, pod));
        let pods = &self.pods[self.pod_lookup.range_of(namespace)];
        let pods: Vec<Arc<Pod>> =
            pods.iter().filter(|pod| may_change(pod)).filter_map(PodFacts::object).cloned().collect();
        for pod in pods {
            // Templates come and go meanwhile.
            let Some(index) = self.index_of(namespace, pod.meta.name(), None) else { continue };
            let top = of_pod(&self.inventory, &pod);
            if self.pod(index).workload != top {
                let keys = [&self.pod(index).workload, &top].map(|top| workloads_of(&pod, top));
                let facts = facts_of_pod(&self.inventory, &self.namespace_labels, &pod);
                self.replace_pod(Some(index), Some(facts), touched);
                let [before, after] = keys;
                self.count_pods(before, after, touched);
            }
        }
        self.renew_template(&key_of(&workload), touched);
        let is_owned = |other: &&Arc<Workload>| {
            let is_own = |owner: &palisade_model::object::Owner| {
                owner.name == workload.meta.reference.name && owner.kind.parse() == Ok(workload.kind)
            };
            other.meta.namespace() == namespace && other.meta.owner.as_ref().is_some_and(is_own)
        };
        let owned: Vec<WorkloadKey> =
            self.inventory.workloads.iter().filter(is_owned).map(|workload| key_of(workload)).collect();
        owned.iter().for_each(|key| self.renew_template(key, touched));
    }

    /// Sees whether pods have to stand for the workload, and which.
    fn renew_template(&mut self, (namespace, kind, name): &WorkloadKey, touched: &mut Touched) {
        let workload = workload_object(&self.inventory, namespace, (*kind, name));
        let needed = workload.filter(|one| needs_template(&self.inventory, &self.pods_of_workloads, one));
        let needed = needed
            .map(|workload| facts_of_template(&self.inventory, &self.namespace_labels, workload))
            .unwrap_or_default();
        let needed: BTreeMap<Name, PodFacts> = needed.into_iter().map(|facts| (facts.name.clone(), facts)).collect();
        let is_own = |pod: &&PodFacts| {
            pod.template().is_some_and(|workload| workload.kind == *kind && workload.meta.reference.name == *name)
        };
        let range = self.pod_lookup.range_of(namespace);
        let there = self.pods[range].iter().filter(is_own).map(|pod| pod.name.clone());
        let names: BTreeSet<Name> = there.chain(needed.keys().cloned()).collect();
        for name in names {
            let index = self.index_of(namespace, &name, Some(*kind));
            self.replace_pod(index, needed.get(&name).cloned(), touched);
        }
    }

    /// Where a pod stands; a template by its kind.
    fn index_of(&self, namespace: &str, name: &str, template: Option<WorkloadKind>) -> Option<PodIndex> {
        let range = self.pod_lookup.range_of(namespace);
        let wanted = (name, template);
        let order = |pod: &PodFacts| (&*pod.name, pod.template().map(|workload| workload.kind)).cmp(&wanted);
        let found = self.pods[range.clone()].binary_search_by(order);
        found.ok().map(|distance| PodIndex::at(range.start + distance))
    }

    /// Puts a pod in the place of another, both of one name; `None` where there is none before or after.
    fn replace_pod(&mut self, before: Option<PodIndex>, after: Option<PodFacts>, touched: &mut Touched) {
        match (before, after) {
            (None, None) => {}
            (Some(index), Some(mut after)) => {
                let before = &self.pods[index.at_usize()];
                after.index = index;
                let is_listed_the_same =
                    (&before.labels, &before.workload.name) == (&after.labels, &after.workload.name);
                match before.is_selected_as(&after) {
                    true => after.take_closers(before),
                    false => after.close_by_all(&self.inventory),
                }
                let before = std::mem::replace(&mut self.pods[index.at_usize()], after);
                let after = &self.pods[index.at_usize()];
                if !is_listed_the_same {
                    self.pod_lookup.unlist(&before);
                    self.pod_lookup.list(after);
                }
                if before.addresses != after.addresses {
                    before.addresses.iter().for_each(|address| self.addresses.remove(*address, Claim::Pod(index)));
                    after.addresses.iter().for_each(|address| self.addresses.add(*address, Claim::Pod(index)));
                }
                touched.pod(self, [Some(&before), Some(after)]);
            }
            (Some(index), None) => {
                let before = self.pods.remove(index.at_usize());
                self.pod_lookup.unlist(&before);
                self.pod_lookup.close_gap(&before);
                before.addresses.iter().for_each(|address| self.addresses.remove(*address, Claim::Pod(index)));
                self.move_pods(index, |other| removed(other, index.at_usize()));
                touched.pod(self, [Some(&before), None]);
            }
            (None, Some(mut after)) => {
                let position = self.pods.partition_point(|pod| pod.order() < after.order());
                let index = PodIndex::at(position);
                after.index = index;
                after.close_by_all(&self.inventory);
                self.move_pods(index, |other| inserted(other, position));
                after.addresses.iter().for_each(|address| self.addresses.add(*address, Claim::Pod(index)));
                self.pod_lookup.make_room(&after);
                self.pod_lookup.list(&after);
                self.pods.insert(position, after);
                touched.pod(self, [None, Some(&self.pods[position])]);
            }
        }
    }

    /// Follows the pods at and behind `first` to where they stand now.
    fn move_pods(&mut self, first: PodIndex, moved: impl Fn(usize) -> usize) {
        let moved = |index: PodIndex| PodIndex::at(moved(index.at_usize()));
        for pod in self.pods.iter_mut().rev().take_while(|pod| pod.index >= first) {
            pod.index = moved(pod.index);
        }
        self.addresses.renumber(|claim| match claim {
            Claim::Pod(index) => Claim::Pod(moved(index)),
            Claim::Interface(_) | Claim::Service(_) | Claim::Node(_) => claim,
        });
    }

    pub(super) fn follow_namespace(&mut self, _: usize, sides: [Option<&Arc<Namespace>>; 2], touched: &mut Touched) {
        let [before, after] = sides;
        let Some(name) = after.or(before).map(|namespace| namespace.meta.reference.name.clone()) else { return };
        match after {
            Some(after) => drop(self.namespace_labels.insert(name.clone(), labels_of(&after.meta))),
            None => drop(self.namespace_labels.remove(&name)),
        }
        let range = self.pod_lookup.range_of(&name);
        let Some(example) = self.pods.get(range.start).filter(|_| !range.is_empty()).cloned() else { return };
        for pod in &mut self.pods[range.clone()] {
            in_namespace(&self.namespace_labels, pod);
            pod.close_by_namespace(&self.inventory);
        }
        touched.namespace(self, [&example, &self.pods[range.start]]);
    }

    pub(super) fn follow_node(&mut self, _: usize, sides: [Option<&Arc<Node>>; 2], _: &mut Touched) {
        let [before, after] = sides;
        if let Some(node) = after.or(before) {
            self.renew_node(&node.meta.reference.name.clone());
        }
    }

    fn renew_node(&mut self, name: &Name) {
        let found = self.nodes.binary_search_by(|node| node.name.cmp(name));
        let after = nodes::resolve_one(&self.inventory, name);
        let position = found.unwrap_or_else(|place| place);
        if found.is_ok() {
            let before = &self.nodes[position];
            if after.as_ref() == Some(before) {
                return;
            }
            self.addresses.remove_node(position, before);
        }
        match (found, after) {
            (Ok(_), Some(after)) => self.nodes[position] = after,
            (Ok(_), None) => {
                self.nodes.remove(position);
                self.move_nodes(|other| removed(other, position));
                return;
            }
            (Err(_), Some(after)) => {
                self.move_nodes(|other| inserted(other, position));
                self.nodes.insert(position, after);
            }
            (Err(_), None) => return,
        }
        self.addresses.add_node(position, &self.nodes[position]);
    }

    fn move_nodes(&mut self, moved: impl Fn(usize) -> usize) {
        self.addresses.renumber(|claim| match claim {
            Claim::Node(position) => Claim::Node(moved(position)),
            Claim::Interface(Reverse(position)) => Claim::Interface(Reverse(moved(position))),
            Claim::Service(_) | Claim::Pod(_) => claim,
        });
    }
}
