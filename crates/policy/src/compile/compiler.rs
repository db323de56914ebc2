//! Asks the engine every question that the pods of a node can ask, each once.

use palisade_model::Timestamp;
use palisade_model::object::Name;
use palisade_model::verdict::Direction;

use super::decisions::Decisions;
use super::destinations;
use super::receivers::Receivers;
use super::senders::Senders;
use super::tables::{CellsId, PortTables};
use super::{Carrier, NodeRules, Reason};
use crate::classes::ends::{EndTableId, Ends, OwnAddress};
use crate::classes::interner::Interner;
use crate::classes::sides::{Describer, FromId, Sides, ToId};
use crate::maps::HashMap;
use crate::model::{Model, PodFacts};

/// What both halves, senders and receivers, share.
pub(super) struct Compiler<'m> {
    pub(super) model: &'m Model,
    pub(super) node: Name,
    pub(super) describer: Describer<'m>,
    pub(super) ends: Ends,
    pub(super) decisions: Decisions<'m>,
    pub(super) tables: PortTables,
    links: Interner<Link>,
    cells_of_links: HashMap<LinkId, CellsId>,
}

/// The tables of both ends by carrier.
pub(super) type Link = ([EndTableId; Carrier::ALL.len()], [EndTableId; Carrier::ALL.len()]);

/// A distinct [`Link`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(super) struct LinkId(u32);

impl<'m> Compiler<'m> {
    pub(super) fn new(model: &'m Model, node: &str, now: Timestamp) -> Self {
        let node: Name = node.into();
        Self {
            describer: Describer::new(model, &node, now),
            model,
            node,
            ends: Ends::default(),
            decisions: Decisions::new(model, now),
            tables: PortTables::default(),
            links: Interner::default(),
            cells_of_links: HashMap::default(),
        }
    }

    pub(super) fn run(mut self, revision: u64) -> NodeRules {
        let model = self.model;
        let local: Vec<&PodFacts> =
            model.pods().iter().filter(|pod| pod.node.as_ref() == Some(&self.node) && pod.decides()).collect();
        let mut senders = Senders::new(&mut self, &local);
        let destinations = destinations::by_address(&mut self, &mut senders, &local);
        let frontends = destinations::frontends(&mut self, &mut senders);
        let (cells, classes) = senders.rows(&self);
        let receivers = Receivers::new(&mut self, &local);
        let subjects =
            (1..).zip(&local).map(|(identity, pod)| senders.subject(&self, pod, identity, &classes, &receivers));
        NodeRules {
            subjects: subjects.collect(),
            revision,
            destinations,
            frontends,
            cells,
            sources: receivers.sources,
            receiver_cells: receivers.cells,
            node: self.node,
            port_tables: self.tables.tables.values,
            decisions: self.decisions.decisions.values,
            rules: self.decisions.rules.values,
            missing: self.decisions.missing.values,
        }
    }

    /// What both ends say of a link.
    pub(super) fn link(&mut self, sides: &Sides<'m>, from: FromId, to: ToId, own: OwnAddress) -> LinkId {
        let pair = (sides.from(from), sides.to(to));
        let mut end = |direction| self.ends.answer(&self.describer, &mut self.decisions.ends, direction, pair, own);
        let link = (end(Direction::Egress), end(Direction::Ingress));
        LinkId(self.links.intern(link))
    }

    /// The tables of both ends for `carrier`.
    pub(super) fn ends_of(&self, link: LinkId, carrier: Carrier) -> (EndTableId, EndTableId) {
        let (egress, ingress) = self.links.value(link.0);
        (egress[carrier as usize], ingress[carrier as usize])
    }

    /// The kernel's tables of a link.
    pub(super) fn cells_of_link(&mut self, link: LinkId) -> CellsId {
        if let Some(cells) = self.cells_of_links.get(&link) {
            return *cells;
        }
        let by_carrier = Carrier::ALL.map(|carrier| {
            let ends = self.ends_of(link, carrier);
            Some(self.tables.of_link(&self.ends, &mut self.decisions, ends))
        });
        let cells = self.tables.cells(by_carrier);
        self.cells_of_links.insert(link, cells);
        cells
    }

    /// What the receiver's end says.
    pub(super) fn receiver_cells(&mut self, sides: &Sides<'m>, from: FromId, to: ToId) -> CellsId {
        let pair = (sides.from(from), sides.to(to));
        let ends =
            self.ends.answer(&self.describer, &mut self.decisions.ends, Direction::Ingress, pair, OwnAddress::No);
        let by_carrier = ends.map(|end| Some(self.tables.of_receiver(&self.ends, &mut self.decisions, end)));
        self.tables.cells(by_carrier)
    }

    /// Refused for `reason` by every carrier.
    pub(super) fn refused(&mut self, reason: Reason) -> CellsId {
        let table = self.tables.whole(self.decisions.fixed(reason));
        self.tables.cells([Some(table); Carrier::ALL.len()])
    }
}
