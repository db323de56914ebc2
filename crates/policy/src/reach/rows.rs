//! What each end says of all others, as a default and where rules name somebody.

use palisade_model::verdict::Direction;

use super::answers::{Shape, ShapeId, shape_of};
use super::parties::Parties;
use crate::classes::end_decisions::EndDecisions;
use crate::classes::ends::{EndTableId, Ends, OwnAddress};
use crate::classes::interner::{Interner, position_u32};
use crate::classes::mentions::{AsksReceiver, Mention};
use crate::classes::sides::{Describer, FromId, FromSide, Sides, ToId, ToSide};
use crate::classes::standing::{DOES_NOT_DECIDE, PortsMeaning};
use crate::maps::HashMap;
use crate::rule_index::{RuleNumber, Scope};

/// What an end says of one other party, by carrier.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) struct EndId(u32);

/// What one end says of every other party.
#[derive(Debug)]
struct Row {
    /// By which of the other party's kinds.
    by: KindBy,
    /// By the other party's kind, when no rule names it.
    defaults: Vec<EndId>,
    /// Others in a row of which the end says something by a rule; sorted.
    runs: Vec<Run>,
}

/// Others from `first` up to `end`, not included.
#[derive(Clone, Copy, Debug)]
struct Run {
    first: u32,
    end: u32,
    says: EndId,
}

/// The rows of both directions, with ends that ask the same sharing theirs.
pub(super) struct Rows {
    egress: Side,
    ingress: Side,
    shapes_of_ends: Vec<ShapeId>,
    shapes: Option<Interner<Shape>>,
}

/// One direction.
struct Side {
    /// The row of each deciding party.
    of_party: Vec<u32>,
    rows: Vec<Row>,
    /// What the deciding end sees of each other party beside the rules that name it.
    kinds: [Kinds; 2],
}

/// What tells other parties apart where no rule does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum KindBy {
    Look,
    /// And what the receiver's ports mean: where a rule of the end asks that.
    LookAndPorts,
}

/// Other parties by kind.
struct Kinds {
    of_party: Vec<u32>,
    /// One of each.
    examples: Vec<u32>,
}

impl Kinds {
    fn new<T: Eq + std::hash::Hash + Clone>(facts: impl Iterator<Item = T>) -> Self {
        let mut kinds = Interner::default();
        let (mut of_party, mut examples) = (Vec::new(), Vec::new());
        for (party, facts) in (0..).zip(facts) {
            let kind = kinds.intern(facts);
            of_party.push(kind);
            if examples.len() < kinds.values.len() {
                examples.push(party);
            }
        }
        Self { of_party, examples }
    }
}

impl Side {
    fn kinds(&self, row: &Row) -> &[u32] {
        &self.kinds[row.by as usize].of_party
    }
}

/// All that a row depends on.
#[derive(PartialEq, Eq, Hash)]
struct RowKey {
    standing: u32,
    scope: Option<Scope>,
    access: Vec<Mention>,
    /// What the receiver's own ports mean, where it decides.
    ports: PortsMeaning,
}

impl Rows {
    pub(super) fn of(parties: &mut Parties<'_>) -> Self {
        let mut asker = Asker {
            describer: &parties.describer,
            sides: &parties.sides,
            ends: Ends::default(),
            decisions: EndDecisions::default(),
            tables: Interner::default(),
        };
        let egress = side(&mut asker, Direction::Egress);
        let ingress = side(&mut asker, Direction::Ingress);
        let mut shapes = Interner::default();
        let shapes_of_ends =
            asker.tables.values.iter().map(|tables| shape_of(&asker.ends, &asker.decisions, tables, &mut shapes));
        let shapes_of_ends = shapes_of_ends.collect();
        Self { egress, ingress, shapes_of_ends, shapes: Some(shapes) }
    }

    /// The distinct shapes of what ends say; once.
    pub(super) fn take_shapes(&mut self) -> Interner<Shape> {
        self.shapes.take().unwrap_or_default()
    }

    pub(super) fn shape(&self, end: EndId) -> ShapeId {
        self.shapes_of_ends[end.0 as usize]
    }

    /// What the end of `decider` says of `other`, both numbers of their sides.
    pub(super) fn at(&self, direction: Direction, decider: u32, other: u32) -> EndId {
        let side = match direction {
            Direction::Egress => &self.egress,
            Direction::Ingress => &self.ingress,
        };
        let row = &side.rows[side.of_party[decider as usize] as usize];
        let position = row.runs.partition_point(|run| run.end <= other);
        match row.runs.get(position) {
            Some(run) if run.first <= other => run.says,
            Some(_) | None => row.defaults[side.kinds(row)[other as usize] as usize],
        }
    }

    /// What each of `senders` says of every receiver, sender by sender.
    pub(super) fn fill_egress(&self, senders: &[u32], receivers: usize, out: &mut Vec<ShapeId>) {
        out.clear();
        out.resize(senders.len() * receivers, ShapeId::REFUSED);
        for (sender, out) in senders.iter().zip(out.chunks_mut(receivers.max(1))) {
            let row = &self.egress.rows[self.egress.of_party[*sender as usize] as usize];
            let defaults: Vec<ShapeId> = row.defaults.iter().map(|end| self.shape(*end)).collect();
            for (out, kind) in out.iter_mut().zip(self.egress.kinds(row)) {
                *out = defaults[*kind as usize];
            }
            for run in &row.runs {
                out[run.first as usize..run.end as usize].fill(self.shape(run.says));
            }
        }
    }

    /// What every receiver says of each of `senders` (sorted), sender by sender.
    pub(super) fn fill_ingress(&self, senders: &[u32], receivers: usize, out: &mut Vec<ShapeId>) {
        out.clear();
        out.resize(senders.len() * receivers, ShapeId::REFUSED);
        let Some(first) = senders.first() else { return };
        for receiver in 0..receivers {
            let row = &self.ingress.rows[self.ingress.of_party[receiver] as usize];
            let kinds = self.ingress.kinds(row);
            let mut runs = row.runs[row.runs.partition_point(|run| run.end <= *first)..].iter().peekable();
            for (position, sender) in senders.iter().enumerate() {
                while runs.peek().is_some_and(|run| run.end <= *sender) {
                    runs.next();
                }
                let says = match runs.peek() {
                    Some(run) if run.first <= *sender => run.says,
                    Some(_) | None => row.defaults[kinds[*sender as usize] as usize],
                };
                out[position * receivers + receiver] = self.shape(says);
            }
        }
    }
}

/// Asks ends, each question once.
struct Asker<'a, 'm> {
    describer: &'a Describer<'m>,
    sides: &'a Sides<'m>,
    ends: Ends,
    decisions: EndDecisions,
    tables: Interner<[EndTableId; 4]>,
}

impl<'a, 'm> Asker<'a, 'm> {
    fn pair(&self, direction: Direction, decider: u32, other: u32) -> (&'a FromSide<'m>, &'a ToSide<'m>) {
        let (from, to) = match direction {
            Direction::Egress => (decider, other),
            Direction::Ingress => (other, decider),
        };
        (self.sides.from(FromId(from)), self.sides.to(ToId(to)))
    }

    /// What the end of `decider` says of `other`.
    fn ask(&mut self, direction: Direction, decider: u32, other: u32) -> EndId {
        let pair = self.pair(direction, decider, other);
        let tables = self.ends.answer(self.describer, &mut self.decisions, direction, pair, OwnAddress::No);
        EndId(self.tables.intern(tables))
    }

    /// What it would say of `other` if no rule named it.
    fn ask_unnamed(&mut self, direction: Direction, decider: u32, other: u32) -> EndId {
        let pair = self.pair(direction, decider, other);
        let tables = self.ends.answer_unnamed(self.describer, &mut self.decisions, direction, pair);
        EndId(self.tables.intern(tables))
    }
}

/// Who is named by each rule, as the other end: its number and by which peers.
struct Named {
    access: Vec<Vec<(u32, u32)>>,
    network: Vec<Vec<(u32, u32)>>,
}

impl Named {
    fn new<'f>(access: usize, network: usize, others: impl Iterator<Item = (&'f [Mention], &'f [Mention])>) -> Self {
        let mut named = Self { access: vec![Vec::new(); access], network: vec![Vec::new(); network] };
        for (other, (access, network)) in (0..).zip(others) {
            for (lists, mentions) in [(&mut named.access, access), (&mut named.network, network)] {
                for mention in mentions {
                    lists[mention.rule as usize].push((other, mention.peers));
                }
            }
        }
        named
    }
}

fn side(asker: &mut Asker<'_, '_>, direction: Direction) -> Side {
    let sides = asker.sides;
    let model = asker.describer.model;
    let (access, network) = (model.rules.access.len(), model.rules.network(direction).rules.len());
    let (named, kinds) = match direction {
        Direction::Egress => {
            let facts = || sides.tos.iter().map(|to| &to.facts);
            let named = facts().map(|facts| (facts.access.as_slice(), facts.network.as_slice()));
            let kinds = [
                Kinds::new(facts().map(|facts| facts.look)),
                Kinds::new(facts().map(|facts| (facts.look, facts.ports))),
            ];
            (Named::new(access, network, named), kinds)
        }
        Direction::Ingress => {
            let facts = || sides.froms.iter().map(|from| &from.facts);
            let named = facts().map(|facts| (facts.access.as_slice(), facts.network.as_slice()));
            // Of a sender's ports nobody asks.
            let kinds = [(); 2].map(|()| Kinds::new(facts().map(|facts| facts.look)));
            (Named::new(access, network, named), kinds)
        }
    };
    let deciders: Vec<RowKey> = match direction {
        Direction::Egress => {
            let facts = sides.froms.iter().map(|from| &from.facts);
            let key = facts.map(|facts| RowKey {
                standing: facts.standing,
                scope: facts.scope,
                access: facts.access.clone(),
                ports: PortsMeaning::default(),
            });
            key.collect()
        }
        Direction::Ingress => {
            let facts = sides.tos.iter().map(|to| &to.facts);
            let key = facts.map(|facts| RowKey {
                standing: facts.standing,
                scope: facts.scope,
                access: facts.access.clone(),
                ports: facts.ports,
            });
            key.collect()
        }
    };
    let signatures = vec![0; kinds[0].of_party.len()];
    let mut writer = RowWriter { direction, named, kinds: &kinds, signatures };
    let mut numbers: HashMap<RowKey, u32> = HashMap::default();
    let mut rows = Vec::new();
    let mut of_party = Vec::with_capacity(deciders.len());
    for (decider, mut key) in (0..).zip(deciders) {
        if key.standing == DOES_NOT_DECIDE {
            key = RowKey { standing: DOES_NOT_DECIDE, scope: None, access: Vec::new(), ports: PortsMeaning::default() };
        }
        let number = match numbers.get(&key) {
            Some(number) => *number,
            None => {
                rows.push(writer.row(asker, decider, &key));
                numbers.insert(key, position_u32(rows.len() - 1));
                position_u32(rows.len() - 1)
            }
        };
        of_party.push(number);
    }
    Side { of_party, rows, kinds }
}

/// Writes the rows of one direction.
struct RowWriter<'a> {
    direction: Direction,
    named: Named,
    kinds: &'a [Kinds; 2],
    /// By which rules the row's end meets each other party; 0 = by none. All 0 between rows.
    signatures: Vec<u32>,
}

impl RowWriter<'_> {
    fn row(&mut self, asker: &mut Asker<'_, '_>, decider: u32, key: &RowKey) -> Row {
        let direction = self.direction;
        let by = self.kind_by(asker.describer, key);
        let kinds = &self.kinds[by as usize];
        let defaults: Vec<EndId> =
            kinds.examples.iter().map(|example| asker.ask_unnamed(direction, decider, *example)).collect();
        let touched = self.sign(asker.describer, key);
        // Who meets the end by the same rules, and is of the same kind, is asked about once.
        let mut known: HashMap<(u32, u32), EndId> = HashMap::default();
        let mut runs: Vec<Run> = Vec::new();
        for other in touched {
            let signature = std::mem::take(&mut self.signatures[other as usize]);
            let kind = kinds.of_party[other as usize];
            let says = *known.entry((signature, kind)).or_insert_with(|| asker.ask(direction, decider, other));
            if says == defaults[kind as usize] {
                continue;
            }
            match runs.last_mut() {
                Some(run) if run.end == other && run.says == says => run.end += 1,
                Some(_) | None => runs.push(Run { first: other, end: other + 1, says }),
            }
        }
        Row { by, defaults, runs }
    }

    /// Whether what the row's end says depends on the ports of the other one.
    fn kind_by(&self, describer: &Describer<'_>, key: &RowKey) -> KindBy {
        let Some(standing) = describer.standings.standing(key.standing) else { return KindBy::Look };
        let by_network = describer.network_asks_of(self.direction, standing.network_rules.iter().copied());
        let by_access = describer.access_asks_of(key.access.iter().map(|mention| mention.rule));
        if by_network.or(by_access).or(describer.tier_asks) == AsksReceiver::default() {
            KindBy::Look
        } else {
            KindBy::LookAndPorts
        }
    }

    /// Notes for each party by which of the row's rules it is named, and returns those that are, in order.
    fn sign(&mut self, describer: &Describer<'_>, key: &RowKey) -> Vec<u32> {
        let Some(standing) = describer.standings.standing(key.standing) else { return Vec::new() };
        let acting = key
            .access
            .iter()
            .map(|mention| mention.rule)
            .filter(|rule| key.scope.is_some_and(|scope| describer.model.rules.acts_on(*rule, scope)));
        let access = acting.map(|rule| &self.named.access[rule as usize]);
        let is_open = |rule: &RuleNumber| standing.open_network_rules.binary_search(rule).is_ok();
        let network = standing.network_rules.iter().filter(|rule| !is_open(rule));
        let network = network.map(|rule| &self.named.network[*rule as usize]);
        let mut next: HashMap<(u32, u32, u32), u32> = HashMap::default();
        let mut touched = Vec::new();
        for (rule, list) in (0..).zip(access.chain(network)) {
            let mut last = None;
            for (other, peers) in list {
                let signature = &mut self.signatures[*other as usize];
                if *signature == 0 {
                    touched.push(*other);
                }
                let step = (*signature, rule, *peers);
                *signature = match last {
                    Some((before, after)) if before == step => after,
                    Some(_) | None => {
                        let fresh = position_u32(next.len() + 1);
                        *next.entry(step).or_insert(fresh)
                    }
                };
                last = Some((step, *signature));
            }
        }
        touched.sort_unstable();
        touched
    }
}
