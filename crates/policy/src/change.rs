//! The smallest change that turns a verdict: one object or one field, applied to a model of what the link depends on and
//! judged again before it is shown, with every other link that it turns.

mod candidates;
mod object;
mod part;
mod touched;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use palisade_model::access_policy::AccessPolicy;
use palisade_model::inventory::Inventory;
use palisade_model::link::{End, Link, Which};
use palisade_model::object::ObjectRef;
use palisade_model::port::PortSet;
use palisade_model::verdict::{Direction, Judgement, Verdict};
use palisade_model::{Place, Timestamp};
use serde::Serialize;

pub(crate) use self::candidates::labels_of;
use self::candidates::{Asked, Candidate, closing, opening};
use self::object::{Object, ObjectChange, Undo};
use self::part::{Keep, Parts};
use self::touched::{Everybody, Touched, Who, pods_of, touched};
use crate::compare::{self, Comparison, Somebody, Turned, Word};
use crate::consent::Grant;
use crate::model::{Model, PodIndex};
use crate::party::{Party, Situation};
use crate::written;

/// So many candidates are judged for one link; the likely ones come first.
const MOST_CANDIDATES: usize = 48;
/// Of both ends, so many changes of the one are tried with so many of the other.
const MOST_OF_AN_END: usize = 4;
/// So many changes that do are kept, the others are left out.
const MOST_CHANGES: usize = 4;
/// What else a change turns is looked for among so many links: enough for a policy of a few dozen pods, and some
/// milliseconds.
const MOST_LINKS: usize = 1_200;
/// So many pods of a label that many have; the rest is said to be left out.
const MOST_PODS: usize = 250;

/// What would turn a link's verdict.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Changes {
    /// What the link would be: `None` when it is undecided, and facts are missing rather than rules.
    pub to: Option<Word>,
    /// The smallest first: by the number of edits, then by how many other links it turns.
    pub found: Vec<Change>,
    /// How many were applied and judged.
    pub tried: usize,
}

/// A change that was applied, and then the link's verdict was the other one.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Change {
    /// What to do, one entry an object.
    pub edits: Vec<Edit>,
    /// What else it opens.
    pub also_opens: Effects,
    /// What it closes, the link aside.
    pub also_closes: Effects,
    #[serde(skip)]
    objects: Vec<ObjectChange>,
}

impl Change {
    /// Does it to `inventory`, the one that was asked about.
    pub fn apply(&self, inventory: &mut Inventory) {
        self.objects.iter().for_each(|change| change.apply(inventory));
    }
}

/// One edit of one object.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Edit {
    /// The object.
    pub object: ObjectRef,
    /// Where it, or the rule, stands; none of a new object.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
    /// The field, below `spec` unless it says otherwise; empty for the whole object.
    pub field: String,
    /// What is done.
    pub action: EditAction,
    /// Why it is likely.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// What is done to a field.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
#[serde(rename_all = "camelCase", tag = "do")]
pub enum EditAction {
    /// An entry is added to the list.
    Add {
        /// The entry.
        value: String,
    },
    /// An entry is put before the one of that index.
    Insert {
        /// The entry.
        value: String,
    },
    /// The value is another one.
    Replace {
        /// As it is.
        was: String,
        /// As it would be.
        becomes: String,
    },
    /// The entry, or the object, is taken out.
    Remove {
        /// As it is.
        was: String,
    },
    /// The object is new.
    Create {
        /// It, ready to apply.
        yaml: String,
    },
}

/// Links that a change turns beside the one that was asked about, as which the same between replicas counts.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Effects {
    /// The links, those of one sender, receiver and protocol together.
    pub links: Vec<Turned>,
    /// Whether there may be more: so many links could be touched that not all were judged.
    pub is_cut: bool,
}

impl Effects {
    /// The links by workload, as one line each: senders, receiver, ports.
    pub fn by_workload(&self) -> Vec<String> {
        let mut groups: BTreeMap<(&str, &str, String), ()> = BTreeMap::new();
        for link in &self.links {
            groups.insert((&link.from_group, &link.to_group, shown_ports(link)), ());
        }
        let mut merged: BTreeMap<(&str, String), Vec<&str>> = BTreeMap::new();
        for (from, to, ports) in groups.into_keys() {
            merged.entry((to, ports)).or_default().push(from);
        }
        merged.into_iter().map(|((to, ports), from)| format!("{} -> {to} {ports}", from.join(", "))).collect()
    }
}

fn shown_ports(link: &Turned) -> String {
    let ports = match link.ports == PortSet::all() {
        true => "every port".to_owned(),
        false => link.ports.to_string(),
    };
    match link.protocol {
        palisade_model::Protocol::Tcp => ports,
        protocol => format!("{ports}/{protocol}"),
    }
}

impl Model {
    /// What would turn the verdict of `link`, given its `judgement`.
    pub(crate) fn changes(
        &self,
        situation: &Situation<'_>,
        link: &Link,
        judgement: &Judgement,
        grant: Grant,
        consents: &[AccessPolicy],
    ) -> Changes {
        let wanted = match judgement.enforced.link().1 {
            Verdict::Allow(_) => Word::Denied,
            Verdict::Deny(_) => Word::Allowed,
            Verdict::Undecided(_) => return Changes::default(),
        };
        let search = Search::new(self, situation, link);
        let mut candidates = search.candidates(judgement, wanted, grant);
        candidates.extend(consent_candidate(consents));
        let mut tried = 0;
        let mut doing: Vec<Candidate> = Vec::new();
        for candidate in candidates {
            if tried == MOST_CANDIDATES {
                break;
            }
            tried += 1;
            let is_known = doing.iter().any(|known| known.changes == candidate.changes);
            if !is_known && search.word_after(&candidate) == Some(wanted) {
                doing.push(candidate);
            }
        }
        doing.sort_by_key(|candidate| candidate.edits.len());
        doing.truncate(MOST_CHANGES);
        let mut found = search.with_effects(doing);
        found
            .sort_by_key(|change| (change.edits.len(), change.also_opens.links.len() + change.also_closes.links.len()));
        Changes { to: Some(wanted), found, tried }
    }
}

/// The consents of all namespaces as one change.
fn consent_candidate(consents: &[AccessPolicy]) -> Option<Candidate> {
    let edits = consents.iter().map(|policy| Edit {
        object: policy.meta.reference.clone(),
        place: None,
        field: String::new(),
        action: EditAction::Create { yaml: written::access_policy(policy) },
        note: None,
    });
    let changes = consents.iter().map(|policy| ObjectChange::added(Object::AccessPolicy(policy.clone())));
    (!consents.is_empty()).then(|| Candidate { changes: changes.collect(), edits: edits.collect() })
}

struct Search<'a, 'm> {
    model: &'m Model,
    situation: &'a Situation<'m>,
    link: &'a Link,
    now: Timestamp,
    parts: Parts<'m>,
    /// Models of what the link depends on, to try changes on: while labels stay, and when they change.
    trials: [RefCell<Option<Model>>; 2],
}

impl<'a, 'm> Search<'a, 'm> {
    fn new(model: &'m Model, situation: &'a Situation<'m>, link: &'a Link) -> Self {
        Self { model, situation, link, now: situation.now, parts: Parts::new(model), trials: Default::default() }
    }

    /// What may do, those that are one edit first.
    fn candidates(&self, judgement: &Judgement, wanted: Word, grant: Grant) -> Vec<Candidate> {
        let ends = [(Direction::Egress, &judgement.enforced.egress), (Direction::Ingress, &judgement.enforced.ingress)];
        let of_end = |direction, verdict: &Verdict| {
            let asked = Asked::new(self.model, self.situation, direction, self.link, grant)?;
            Some(match wanted {
                Word::Allowed => opening(&asked, verdict),
                Word::Denied | Word::Undecided => closing(&asked, verdict),
            })
        };
        let mut of_ends: Vec<Vec<Candidate>> = ends
            .into_iter()
            .filter(|(_, verdict)| wanted == Word::Denied || !verdict.is_allow())
            .map(|(direction, verdict)| of_end(direction, verdict).unwrap_or_default())
            .collect();
        let mut all: Vec<Candidate> = Vec::new();
        if let ([egress, ingress], Word::Allowed) = (&mut of_ends[..], wanted) {
            // A rule of an AccessPolicy may open both ends; others open their own alone.
            all.extend(egress.iter().filter(|one| ingress.iter().any(|other| other.changes == one.changes)).cloned());
            let opens = |direction| move |one: &Candidate| self.opens_end(one, direction);
            egress.retain(opens(Direction::Egress));
            ingress.retain(opens(Direction::Ingress));
            for one in egress.iter().take(MOST_OF_AN_END) {
                all.extend(ingress.iter().take(MOST_OF_AN_END).filter_map(|other| one.and(other)));
            }
            return all;
        }
        let longest = of_ends.iter().map(Vec::len).max().unwrap_or_default();
        for position in 0..longest {
            all.extend(of_ends.iter().filter_map(|candidates| candidates.get(position)).cloned());
        }
        all
    }

    fn opens_end(&self, candidate: &Candidate, direction: Direction) -> bool {
        self.judged_after(candidate).is_some_and(|judgement| match direction {
            Direction::Egress => judgement.enforced.egress.is_allow(),
            Direction::Ingress => judgement.enforced.ingress.is_allow(),
        })
    }

    fn word_after(&self, candidate: &Candidate) -> Option<Word> {
        let judgement = self.judged_after(candidate)?;
        Some(Word::from(judgement.enforced.link().1))
    }

    /// What is said of the link after the change.
    fn judged_after(&self, candidate: &Candidate) -> Option<Judgement> {
        let keep = keep(candidate);
        let mut trial = self.trials[keep as usize].borrow_mut();
        let trial = trial.get_or_insert_with(|| {
            let part = self.parts.of(&self.own_pods(), &self.addresses(), keep);
            Model::resolve(Arc::new(part), self.model.settings.clone())
        });
        candidate.on(trial, |trial| trial.judge(self.link, self.now).ok())
    }

    fn own_pods(&self) -> BTreeSet<PodIndex> {
        let pod = |party: &Party<'_>| match party {
            Party::Pod { pod, .. } => Some(pod.index),
            Party::Node { host_pod, .. } => host_pod.map(|pod| pod.index),
            Party::Address { .. } => None,
        };
        [&self.situation.from, &self.situation.to].into_iter().filter_map(pod).collect()
    }

    fn addresses(&self) -> Vec<IpAddr> {
        let address = |end: &End| match end {
            End::Address(address) => Some(*address),
            End::Pod(_) | End::Node { .. } => None,
        };
        [&self.link.from, &self.link.to].into_iter().filter_map(address).collect()
    }

    /// The candidates with all else that each turns.
    fn with_effects(&self, candidates: Vec<Candidate>) -> Vec<Change> {
        let everybody = Everybody::new(self.model);
        let mut touching: Vec<(Candidate, Vec<Touched>, bool)> = Vec::new();
        for candidate in candidates {
            let mut all: Vec<Touched> =
                candidate.changes.iter().flat_map(|change| touched(&everybody, change)).collect();
            let mut is_cut = false;
            for touched in &mut all {
                for who in [&mut touched.from, &mut touched.to] {
                    is_cut |= who.len() > MOST_PODS;
                    who.truncate(MOST_PODS);
                }
            }
            touching.push((candidate, all, is_cut));
        }
        let mut pods: BTreeSet<PodIndex> = touching.iter().flat_map(|(_, touched, _)| pods_of(touched)).collect();
        pods.extend(self.own_pods());
        let keep = touching.iter().map(|(candidate, ..)| keep(candidate)).max().unwrap_or(Keep::Naming);
        let part = self.parts.of(&pods, &self.addresses(), keep);
        let before = Model::resolve(Arc::new(part), self.model.settings.clone());
        let mut trial = before.clone();
        let effects = |(candidate, all, is_cut): (Candidate, Vec<Touched>, bool)| {
            let (turned, is_cut) =
                candidate.on(&mut trial, |after| self.turned(&everybody, &all, is_cut, [&before, after]));
            let turned = turned.into_iter().filter_map(|one| self.other_than_asked(one));
            let (opens, closes): (Vec<Turned>, Vec<Turned>) = turned.partition(|one| one.is == Word::Allowed);
            let closes = closes.into_iter().filter(|one| one.was == Word::Allowed).collect();
            Change {
                edits: candidate.edits,
                objects: candidate.changes,
                also_opens: Effects { links: opens, is_cut },
                also_closes: Effects { links: closes, is_cut },
            }
        };
        touching.into_iter().map(effects).collect()
    }

    /// Which of the links that a change touches say something else after it, and whether there may be more.
    fn turned(
        &self,
        everybody: &Everybody<'_>,
        all: &[Touched],
        is_cut: bool,
        [before, after]: [&Model; 2],
    ) -> (BTreeSet<Turned>, bool) {
        let mut comparison = Comparison::new(before, after, self.now, MOST_LINKS);
        let mut turned: BTreeSet<Turned> = BTreeSet::new();
        let mut done: BTreeSet<(Somebody, Somebody)> = BTreeSet::new();
        for touched in all {
            let senders: Vec<Somebody> =
                touched.from.iter().flat_map(|who| self.senders(everybody, *who, [before, after])).collect();
            for to in touched.to.iter().filter_map(|who| everybody.as_receiver(*who)) {
                let ranges = comparison.ranges(&to, |protocol| touched.ports.of(protocol));
                for from in &senders {
                    if !is_link(from, &to) || touched.ports.is_all() && !done.insert((from.clone(), to.clone())) {
                        continue;
                    }
                    let Some(found) = comparison.turned(from, &to, &ranges) else { return (turned, true) };
                    turned.extend(found);
                }
            }
        }
        (turned, is_cut)
    }

    fn senders(&self, everybody: &Everybody<'_>, who: Who, models: [&Model; 2]) -> Vec<Somebody> {
        match who {
            Who::Pod(index) => {
                let pod = self.model.pod(index);
                let known = models[0].pod_named(&pod.namespace, &pod.name);
                known.map(|pod| compare::pod_senders(models, pod)).unwrap_or_default()
            }
            Who::World4 | Who::World6 | Who::OwnNode => everybody.as_receiver(who).into_iter().collect(),
        }
    }

    /// The link that was asked about, and the same between replicas, is no other one.
    fn other_than_asked(&self, mut turned: Turned) -> Option<Turned> {
        let is_asked = |party: &Party<'_>, end: &End, group: &str| match (party, end) {
            (Party::Pod { pod, .. }, _) => {
                let own = compare::group(pod);
                group == own || group.starts_with(&format!("{own}:"))
            }
            (_, End::Address(address)) => {
                let world = self.model.world_address(address.is_ipv4());
                world == Some(*address) && group == if address.is_ipv4() { "world" } else { "world (IPv6)" }
            }
            (_, End::Node { .. } | End::Pod(_)) => group == compare::own_node().group,
        };
        let is_same = turned.protocol == self.link.protocol
            && is_asked(&self.situation.from, &self.link.from, &turned.from_group)
            && is_asked_process(&self.link.from, &turned.ends.0)
            && is_asked(&self.situation.to, &self.link.to, &turned.to_group);
        if is_same {
            turned.ports = turned.ports.without(self.link.port);
        }
        (!turned.ports.is_empty()).then_some(turned)
    }
}

/// Whether `turned` stands for the container and program that were asked about, or these for the pod as a whole.
fn is_asked_process(asked: &End, turned: &End) -> bool {
    match (asked, turned) {
        (End::Pod(asked), End::Pod(turned)) => {
            let is_whole = asked.container == Which::Unsaid || turned.container == Which::Unsaid;
            is_whole
                || asked.container == turned.container
                    && (asked.program == Which::Unsaid || asked.program == turned.program)
        }
        _ => true,
    }
}

/// Two ends that a link can be between: one of them decides, and they are two.
fn is_link(from: &Somebody, to: &Somebody) -> bool {
    match (&from.end, &to.end) {
        (End::Pod(from), End::Pod(to)) => (&from.namespace, &from.name) != (&to.namespace, &to.name),
        (End::Pod(_), _) | (_, End::Pod(_)) => true,
        _ => false,
    }
}

fn keep(candidate: &Candidate) -> Keep {
    let changes_labels = candidate.changes.iter().any(|change| match change.object() {
        Object::Namespace(_) | Object::Pod(_) | Object::Workload(..) => true,
        Object::AccessPolicy(_) | Object::NetworkPolicy(_) | Object::Perimeter(_) | Object::TieredPolicy(_) => false,
    });
    if changes_labels { Keep::Everything } else { Keep::Naming }
}

impl Candidate {
    /// Asks `model` with the change, and takes it back.
    fn on<A>(&self, model: &mut Model, ask: impl FnOnce(&Model) -> A) -> A {
        let mut undo = Undo::default();
        self.changes.iter().for_each(|change| change.apply_to(model, &mut undo));
        let answer = ask(model);
        undo.apply(model);
        answer
    }
}

impl Model {
    /// Whether the policies open `link`.
    pub(crate) fn opens_with(&self, situation: &Situation<'_>, link: &Link, policies: &[AccessPolicy]) -> bool {
        let search = Search::new(self, situation, link);
        let candidate = consent_candidate(policies);
        candidate.is_some_and(|candidate| search.word_after(&candidate) == Some(Word::Allowed))
    }
}

#[cfg(test)]
mod tests;
