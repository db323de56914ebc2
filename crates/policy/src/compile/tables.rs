//! Spans of ports of two ends joined to the kernel's port tables.

use super::decisions::Decisions;
use super::{Carrier, DecisionId, PortSpan, PortTableId};
use crate::classes::ends::{EndSpan, EndTableId, Ends};
use crate::classes::interner::Interner;
use crate::maps::HashMap;

/// The tables of one pair by carrier, in the order of [`Carrier::ALL`]; `None` where the receiver does not speak it.
pub(super) type ByCarrier = [Option<PortTableId>; Carrier::ALL.len()];

/// A distinct [`ByCarrier`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) struct CellsId(u32);

/// Numbers the port tables.
#[derive(Default)]
pub(super) struct PortTables {
    pub(super) tables: Interner<Vec<PortSpan>>,
    cells: Interner<ByCarrier>,
    of_links: HashMap<(EndTableId, EndTableId), PortTableId>,
    of_receivers: HashMap<EndTableId, PortTableId>,
}

impl PortTables {
    pub(super) fn cells(&mut self, cells: ByCarrier) -> CellsId {
        CellsId(self.cells.intern(cells))
    }

    pub(super) fn by_carrier(&self, id: CellsId) -> ByCarrier {
        *self.cells.value(id.0)
    }

    /// One decision for every port.
    pub(super) fn whole(&mut self, decision: DecisionId) -> PortTableId {
        PortTableId(self.tables.intern(vec![PortSpan { first: 0, last: u16::MAX, decision }]))
    }

    /// What both ends say.
    pub(super) fn of_link(
        &mut self,
        ends: &Ends,
        decisions: &mut Decisions<'_>,
        pair: (EndTableId, EndTableId),
    ) -> PortTableId {
        if let Some(id) = self.of_links.get(&pair) {
            return *id;
        }
        let (egress, ingress) = (ends.table(pair.0), ends.table(pair.1));
        let mut spans = Vec::new();
        let (mut of_sender, mut of_receiver) = (0, 0);
        let mut first = 0;
        loop {
            let decision = decisions.of_link((egress[of_sender].decision, ingress[of_receiver].decision));
            push(&mut spans, first, decision);
            let next = [egress.get(of_sender + 1), ingress.get(of_receiver + 1)];
            let Some(start) = next.into_iter().flatten().map(|span| span.first).min() else { break };
            let begins = |span: Option<&EndSpan>| usize::from(span.is_some_and(|span| span.first == start));
            (of_sender, of_receiver) = (of_sender + begins(next[0]), of_receiver + begins(next[1]));
            first = start;
        }
        let id = PortTableId(self.tables.intern(spans));
        self.of_links.insert(pair, id);
        id
    }

    /// What the receiver's end says.
    pub(super) fn of_receiver(&mut self, ends: &Ends, decisions: &mut Decisions<'_>, table: EndTableId) -> PortTableId {
        if let Some(id) = self.of_receivers.get(&table) {
            return *id;
        }
        let mut spans = Vec::new();
        for span in ends.table(table) {
            push(&mut spans, span.first, decisions.of_receiver(span.decision));
        }
        let id = PortTableId(self.tables.intern(spans));
        self.of_receivers.insert(table, id);
        id
    }
}

/// Adds what holds from `first` on.
fn push(spans: &mut Vec<PortSpan>, first: u16, decision: DecisionId) {
    match spans.last_mut() {
        Some(before) if before.decision == decision => {}
        Some(before) => {
            before.last = first - 1;
            spans.push(PortSpan { first, last: u16::MAX, decision });
        }
        None => spans.push(PortSpan { first, last: u16::MAX, decision }),
    }
}
