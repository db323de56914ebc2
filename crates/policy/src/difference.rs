//! What a change of manifests opens and closes, by workload and port, with the rule that makes the difference.

use std::collections::BTreeMap;

use palisade_model::IpNet;
use palisade_model::Timestamp;
use palisade_model::link::Which;
use palisade_model::object::Name;
use palisade_model::verdict::{Decision, Verdict, Word};

use crate::compile::Carrier;
use crate::map::{Family, Subject, Subjects};
use crate::maps::HashMap;
use crate::matching::Side;
use crate::model::{Model, WorkloadId};
use crate::reach::{AnswerId, Member, PairAnswer, Reach};

/// What is different between two inventories.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Difference {
    /// By sender, receiver and words, in order.
    pub changes: Vec<Change>,
    /// Everybody who sends in one of the two, in order.
    pub senders: Vec<Subject>,
    /// Workloads that are only in the new inventory: `namespace/name`. Their links open.
    pub added: Vec<String>,
    /// Those that are only in the old one. Their links close.
    pub removed: Vec<String>,
}

/// Links between two subjects of which something else is said than before.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Change {
    /// Who connects.
    pub from: Subject,
    /// Who is reached.
    pub to: Subject,
    /// What was said; `Denied` when an end was not there.
    pub before: Word,
    /// What is said now; `Denied` when an end is not there any more.
    pub after: Word,
    /// Over which family; `None`: all that both ends have.
    pub family: Option<Family>,
    /// The ports by protocol, `(first, last)` each; of ICMP the ports mean nothing.
    pub ports: PortsByCarrier,
    /// What the end says that decides it now, and what it said; `None` when an end is not there.
    pub because: [Option<Verdict>; 2],
}

impl Change {
    /// Whether something gets through now that did not.
    pub fn opens(&self) -> bool {
        self.after == Word::Allowed
    }

    /// Whether something is refused now that got through.
    pub fn closes(&self) -> bool {
        self.before == Word::Allowed && self.after == Word::Denied
    }
}

/// Spans of ports by protocol.
pub type PortsByCarrier = Vec<(Carrier, Vec<(u16, u16)>)>;

/// Which old and which new class, if it is there.
type Classes = (Option<usize>, Option<usize>);

/// Compares what policy says of every link of `old` and of `new` at `now`.
pub fn difference(old: &Model, new: &Model, now: Timestamp) -> Difference {
    let mut reaches = Both { old: old.reach_beside(now, Some(new)), new: new.reach_beside(now, Some(old)) };
    let senders = Groups::of(&reaches, Side::From);
    let receivers = Groups::of(&reaches, Side::To);
    let mut changes = Vec::new();
    for (from, from_classes) in senders.classes.iter().enumerate() {
        for (to, to_classes) in receivers.classes.iter().enumerate() {
            let Some(pairs) = reaches.pairs(*from_classes, *to_classes) else { continue };
            let found = reaches.compare(pairs, (*from_classes, *to_classes), now);
            for from in senders.subjects.of_class[from].iter().map(|at| senders.subjects.subject(*at)) {
                for to in receivers.subjects.of_class[to].iter().map(|at| receivers.subjects.subject(*at)) {
                    let named =
                        found.iter().map(|change| Change { from: from.clone(), to: to.clone(), ..change.clone() });
                    changes.extend(named.filter(|_| !is_one_pod(&reaches, from, to)));
                }
            }
        }
    }
    changes.sort();
    let (added, removed) = (only_in(new, old), only_in(old, new));
    let senders = senders.subjects.all.into_iter().map(|(subject, _)| subject).collect();
    Difference { changes, senders, added, removed }
}

/// Whether both are the one pod of a workload, which reaches its own address in any case.
fn is_one_pod(reaches: &Both<'_>, from: &Subject, to: &Subject) -> bool {
    let (Some(from), Some(to)) = (from.part(), to.part()) else { return false };
    let is_same = (&from.namespace, &from.workload, &from.pods) == (&to.namespace, &to.workload, &to.pods);
    let is_one = |model: &Model| model.runs_one_pod(&to.namespace, &to.workload).unwrap_or(true);
    is_same && is_one(reaches.old.model()) && is_one(reaches.new.model())
}

/// Workloads of `model` that `other` has not.
fn only_in(model: &Model, other: &Model) -> Vec<String> {
    let name = |namespace: &Name, workload: &Name| format!("{namespace}/{workload}");
    let of = |model: &Model| -> std::collections::BTreeSet<String> {
        model.pods().iter().map(|pod| name(&pod.namespace, &pod.workload.name)).collect()
    };
    of(model).difference(&of(other)).cloned().collect()
}

/// Every link of both.
struct Both<'m> {
    old: Reach<'m>,
    new: Reach<'m>,
}

impl Both<'_> {
    /// What is said of a pair of groups, before and after, when it is not the same.
    fn pairs(&mut self, from: Classes, to: Classes) -> Option<[Option<PairAnswer>; 2]> {
        let of = |reach: &mut Reach<'_>, from: Option<usize>, to: Option<usize>| {
            let pair = reach.pair(from?, to?)?;
            let is_refused = [pair.four, pair.six].into_iter().flatten().all(|answer| answer == AnswerId::REFUSED);
            (!is_refused).then_some(pair)
        };
        let (old, new) = (of(&mut self.old, from.0, to.0), of(&mut self.new, from.1, to.1));
        // Ids of the two have nothing to do with each other.
        match (old, new) {
            (Some(old), Some(new)) if self.is_same(old, new) => None,
            (None, None) => None,
            (old, new) => Some([old, new]),
        }
    }

    fn is_same(&self, old: PairAnswer, new: PairAnswer) -> bool {
        let same = |old: Option<AnswerId>, new: Option<AnswerId>| match (old, new) {
            (Some(old), Some(new)) => self.old.answer(old) == self.new.answer(new),
            (None, None) => true,
            (Some(_), None) | (None, Some(_)) => false,
        };
        same(old.four, new.four) && same(old.six, new.six)
    }

    /// The changes of a pair, with ends that stand for all.
    fn compare(&self, pairs: [Option<PairAnswer>; 2], classes: (Classes, Classes), now: Timestamp) -> Vec<Change> {
        let mut changes: BTreeMap<(Word, Word, Option<Family>), PortsByCarrier> = BTreeMap::new();
        let four = self.spans(pairs, |pair| pair.four);
        let six = self.spans(pairs, |pair| pair.six);
        let is_same = four == six || four.is_empty() && !self.has(pairs, |pair| pair.four);
        let is_same = is_same || six.is_empty() && !self.has(pairs, |pair| pair.six);
        let families = match is_same {
            true => vec![(None, if four.is_empty() { six } else { four })],
            false => vec![(Some(Family::IPv4), four), (Some(Family::IPv6), six)],
        };
        for (family, spans) in families {
            for ((before, after, carrier), ports) in spans {
                changes.entry((before, after, family)).or_default().push((carrier, ports));
            }
        }
        let nobody = Subject::Entity("world", Family::IPv4);
        let changes = changes.into_iter().map(|((before, after, family), ports)| {
            let because = self.because(pairs, classes, family, &ports, now);
            Change { from: nobody.clone(), to: nobody.clone(), before, after, family, ports, because }
        });
        changes.collect()
    }

    fn has(&self, pairs: [Option<PairAnswer>; 2], of: impl Fn(PairAnswer) -> Option<AnswerId>) -> bool {
        pairs.into_iter().flatten().any(|pair| of(pair).is_some())
    }

    /// The spans of ports with other words than before, by words and protocol.
    fn spans(
        &self,
        pairs: [Option<PairAnswer>; 2],
        of: impl Fn(PairAnswer) -> Option<AnswerId>,
    ) -> BTreeMap<(Word, Word, Carrier), Vec<(u16, u16)>> {
        let [old, new] = pairs.map(|pair| pair.and_then(&of));
        let (old, new) = (old.map(|id| self.old.answer(id)), new.map(|id| self.new.answer(id)));
        let mut found: BTreeMap<(Word, Word, Carrier), Vec<(u16, u16)>> = BTreeMap::new();
        for carrier in Carrier::ALL {
            let mut first = 0;
            loop {
                let word = |answer: Option<&crate::reach::PortAnswers>| match answer {
                    Some(answer) => {
                        let span = answer.at(carrier, first);
                        (span.enforced, span.last)
                    }
                    None => (Word::Denied, u16::MAX),
                };
                let ((before, one), (after, two)) = (word(old), word(new));
                let last = one.min(two);
                if before != after {
                    let spans = found.entry((before, after, carrier)).or_default();
                    match spans.last_mut() {
                        Some((_, end)) if end.checked_add(1) == Some(first) => *end = last,
                        Some(_) | None => spans.push((first, last)),
                    }
                }
                let Some(next) = last.checked_add(1) else { break };
                first = next;
            }
        }
        found
    }

    /// What decides the first of the ports now, and what did.
    fn because(
        &self,
        pairs: [Option<PairAnswer>; 2],
        (from, to): (Classes, Classes),
        family: Option<Family>,
        ports: &[(Carrier, Vec<(u16, u16)>)],
        now: Timestamp,
    ) -> [Option<Verdict>; 2] {
        let Some((protocol, port)) = ports.iter().find_map(|(carrier, spans)| {
            // An echo is answered as a port that no rule names is.
            let (first, _) = spans.first()?;
            Some((carrier.protocol()?, *first))
        }) else {
            return [None, None];
        };
        let is_four = match family {
            Some(family) => family == Family::IPv4,
            None => self.has(pairs, |pair| pair.four),
        };
        let decision = |reach: &Reach<'_>, from: Option<usize>, to: Option<usize>| {
            let link = reach.link(from?, to?, is_four, protocol, port)?;
            Some(reach.model().judge(&link, now).ok()?.enforced)
        };
        let (is, was) = (decision(&self.new, from.1, to.1), decision(&self.old, from.0, to.0));
        let is_there = from.1.is_some() && to.1.is_some();
        match (is, was) {
            (Some(is), Some(was)) => [Some(deciding(&is, &was)), Some(was.link().1.clone())],
            // Replicas of one pod that stands for them: a link from it to itself is another question.
            (None, _) if is_there => [None, None],
            (is, was) => [is, was].map(|decision| decision.map(|decision| decision.link().1.clone())),
        }
    }
}

/// The verdict that decides the link now; where both ends allow it, that of the end that did not.
fn deciding(is: &Decision, was: &Decision) -> Verdict {
    let opened = [(&is.egress, &was.egress), (&is.ingress, &was.ingress)];
    let opened = opened.into_iter().find(|(is, was)| is.is_allow() && !was.is_allow());
    match opened {
        Some((end, _)) if is.is_allowed() => end.clone(),
        Some(_) | None => is.link().1.clone(),
    }
}

/// Parties that are alike in both, and what to call them.
struct Groups {
    classes: Vec<Classes>,
    subjects: Subjects,
}

/// What a party is known by in both.
#[derive(PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Key {
    Pod(Name, WorkloadId, Name, Which, Which),
    Block(IpNet),
}

impl Groups {
    fn of(reaches: &Both<'_>, side: Side) -> Self {
        let classes_of = |reach: &Reach<'_>| -> Vec<Vec<Member>> {
            match side {
                Side::From => reach.senders().iter().map(|class| class.members.clone()).collect(),
                Side::To => reach.receivers().iter().map(|class| class.members.clone()).collect(),
            }
        };
        let (old, new) = (classes_of(&reaches.old), classes_of(&reaches.new));
        let mut old_classes: HashMap<Key, usize> = HashMap::default();
        for (class, members) in old.iter().enumerate() {
            old_classes.extend(members.iter().map(|member| (key(reaches.old.model(), member), class)));
        }
        let mut groups: BTreeMap<Classes, Vec<Member>> = BTreeMap::new();
        let mut is_in_new: std::collections::HashSet<Key> = std::collections::HashSet::default();
        for (class, members) in new.iter().enumerate() {
            for member in members {
                let key = key(reaches.new.model(), member);
                groups.entry((old_classes.get(&key).copied(), Some(class))).or_default().push(member.clone());
                is_in_new.insert(key);
            }
        }
        for (class, members) in old.iter().enumerate() {
            let gone = members.iter().filter(|member| !is_in_new.contains(&key(reaches.old.model(), member)));
            let gone: Vec<Member> = gone.cloned().collect();
            if !gone.is_empty() {
                groups.insert((Some(class), None), gone);
            }
        }
        let members = groups.iter().map(|(classes, members)| {
            let model = if classes.1.is_some() { reaches.new.model() } else { reaches.old.model() };
            (model, members.as_slice())
        });
        let subjects = Subjects::new(side, members);
        Self { classes: groups.into_keys().collect(), subjects }
    }
}

fn key(model: &Model, member: &Member) -> Key {
    match member {
        Member::Pod(process) => {
            let pod = model.pod(process.pod);
            let (container, program) = (process.container.clone(), process.program.clone());
            Key::Pod(pod.namespace.clone(), pod.workload.clone(), pod.name.clone(), container, program)
        }
        Member::Outside(outside) => Key::Block(outside.block.cidr),
    }
}
