//! Words by protocol and port: what ends say, and what links come to.

use palisade_model::verdict::Word;
use serde::Serialize;

use crate::classes::Carrier;
use crate::classes::end_decisions::EndDecisions;
use crate::classes::ends::{EndTableId, Ends};
use crate::classes::interner::Interner;
use crate::maps::HashMap;

/// A distinct answer of a link.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
pub struct AnswerId(pub u32);

impl AnswerId {
    /// Refused by every protocol on every port, with the objects in Audit too.
    pub const REFUSED: Self = Self(0);
}

/// What policy says of a link, by protocol.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct PortAnswers {
    spans: [Vec<AnswerSpan>; Carrier::ALL.len()],
}

/// Ports of one protocol with the same answer.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct AnswerSpan {
    /// The first.
    pub first: u16,
    /// The last, included.
    pub last: u16,
    /// Over the objects in Enforce.
    pub enforced: Word,
    /// Over all objects.
    pub would_be: Word,
}

impl PortAnswers {
    /// The answers of `carrier`, covering every port in order; of ICMP one, of which the ports mean nothing.
    pub fn of(&self, carrier: Carrier) -> &[AnswerSpan] {
        &self.spans[carrier as usize]
    }

    /// The answer on `port`.
    pub fn at(&self, carrier: Carrier, port: u16) -> AnswerSpan {
        let spans = self.of(carrier);
        spans[spans.partition_point(|span| span.last < port)]
    }

    fn same(enforced: Word, would_be: Word) -> Self {
        let span = AnswerSpan { first: 0, last: u16::MAX, enforced, would_be };
        Self { spans: Carrier::ALL.map(|_| vec![span]) }
    }

    fn and(&self, other: &Self) -> Self {
        let mut spans: [Vec<AnswerSpan>; Carrier::ALL.len()] = Default::default();
        for (spans, (one, two)) in spans.iter_mut().zip(self.spans.iter().zip(&other.spans)) {
            let (mut one, mut two) = (one.iter().peekable(), two.iter().peekable());
            let mut first = 0;
            while let (Some(a), Some(b)) = (one.peek(), two.peek()) {
                let last = a.last.min(b.last);
                let enforced = a.enforced.of_link(b.enforced);
                push(spans, AnswerSpan { first, last, enforced, would_be: a.would_be.of_link(b.would_be) });
                let (a_ends, b_ends) = (a.last == last, b.last == last);
                one.next_if(|_| a_ends);
                two.next_if(|_| b_ends);
                let Some(next) = last.checked_add(1) else { break };
                first = next;
            }
        }
        Self { spans }
    }
}

fn push(spans: &mut Vec<AnswerSpan>, span: AnswerSpan) {
    match spans.last_mut() {
        Some(before) if (before.enforced, before.would_be) == (span.enforced, span.would_be) => before.last = span.last,
        Some(_) | None => spans.push(span),
    }
}

/// What an end says, without its reasons: the same form as what a link comes to.
pub(super) type Shape = PortAnswers;

/// A distinct shape.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) struct ShapeId(u32);

impl ShapeId {
    pub(super) const REFUSED: Self = Self(0);
    const ALLOWED: Self = Self(1);
}

/// The shape of what an end says.
pub(super) fn shape_of(
    ends: &Ends,
    decisions: &EndDecisions,
    tables: &[EndTableId; 4],
    shapes: &mut Interner<Shape>,
) -> ShapeId {
    if shapes.values.is_empty() {
        shapes.intern(PortAnswers::same(Word::Denied, Word::Denied));
        shapes.intern(PortAnswers::same(Word::Allowed, Word::Allowed));
    }
    let spans = tables.map(|table| {
        let table = ends.table(table);
        let mut spans = Vec::new();
        for (position, span) in table.iter().enumerate() {
            let last = table.get(position + 1).map_or(u16::MAX, |next| next.first - 1);
            let decision = decisions.end(span.decision);
            let word = |verdict| Word::from(decisions.verdict(verdict));
            let (enforced, would_be) = (word(decision.enforced), word(decision.would_be));
            push(&mut spans, AnswerSpan { first: span.first, last, enforced, would_be });
        }
        spans
    });
    ShapeId(shapes.intern(PortAnswers { spans }))
}

/// Answers of links, each pair of shapes once.
pub(super) struct Answers {
    shapes: Vec<Shape>,
    /// Of two shapes, the answer of the link.
    of_pairs: Pairs,
    answers: Interner<PortAnswers>,
    /// The answer of a link whose other end allows everything.
    of_shapes: Vec<AnswerId>,
}

/// Answers by pair of shapes.
enum Pairs {
    /// By `egress * shapes + ingress`; `UNKNOWN` until asked for.
    Dense(Vec<u32>),
    Sparse(HashMap<(ShapeId, ShapeId), AnswerId>),
}

const UNKNOWN: u32 = u32::MAX;

/// 64 MiB of pairs: beyond it few of them occur.
const MOST_DENSE: usize = 1 << 24;

impl Answers {
    pub(super) fn new(shapes: Interner<Shape>) -> Self {
        let shapes = shapes.values;
        let mut answers = Interner::default();
        answers.intern(PortAnswers::same(Word::Denied, Word::Denied));
        let of_shapes = shapes.iter().map(|shape| AnswerId(answers.intern(shape.clone()))).collect();
        let pairs = shapes.len() * shapes.len();
        let of_pairs =
            if pairs <= MOST_DENSE { Pairs::Dense(vec![UNKNOWN; pairs]) } else { Pairs::Sparse(HashMap::default()) };
        Self { shapes, of_pairs, answers, of_shapes }
    }

    pub(super) fn value(&self, id: AnswerId) -> &PortAnswers {
        self.answers.value(id.0)
    }

    /// What a link comes to by what its ends say.
    pub(super) fn of_link(&mut self, egress: ShapeId, ingress: ShapeId) -> AnswerId {
        match (egress, ingress) {
            (ShapeId::REFUSED, _) | (_, ShapeId::REFUSED) => return AnswerId::REFUSED,
            (ShapeId::ALLOWED, other) | (other, ShapeId::ALLOWED) => return self.of_shapes[other.0 as usize],
            _ => {}
        }
        let position = egress.0 as usize * self.shapes.len() + ingress.0 as usize;
        let known = match &self.of_pairs {
            Pairs::Dense(pairs) => Some(pairs[position]).filter(|known| *known != UNKNOWN).map(AnswerId),
            Pairs::Sparse(pairs) => pairs.get(&(egress, ingress)).copied(),
        };
        if let Some(id) = known {
            return id;
        }
        let answer = self.shapes[egress.0 as usize].and(&self.shapes[ingress.0 as usize]);
        let id = AnswerId(self.answers.intern(answer));
        match &mut self.of_pairs {
            Pairs::Dense(pairs) => pairs[position] = id.0,
            Pairs::Sparse(pairs) => {
                pairs.insert((egress, ingress), id);
            }
        }
        id
    }
}
