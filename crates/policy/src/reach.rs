//! Who can reach whom: every link between pods, and between pods and addresses outside, decided once for all that
//! no rule tells apart.
//!
//! A class of senders and a class of receivers have one answer per family: the words of the policies by protocol and
//! port. What one end says of all others is a [`row`](rows::Row): a default, and where rules name somebody.
//!
//! Invariant: an answer is what [`Model::judge`] says of each link of the pair; nothing here decides.
//!
//! Left out: a pod's own address; nodes, and the pods on their networks; pods that have ended; ends without a common
//! family of addresses.

mod answers;
mod parties;
mod rows;

use palisade_model::Timestamp;
use palisade_model::link::{End, Link, PodEnd, Which};
use palisade_model::port::Protocol;
use palisade_model::verdict::Direction;

pub use self::answers::{AnswerId, AnswerSpan, PortAnswers};
pub use self::parties::{Block, Member, Outside, Process, ReceiverClass, SenderClass};

use self::answers::Answers;
use self::parties::Parties;
use self::rows::Rows;
use crate::classes::sides::{FromId, ToId};
use crate::model::{Model, PodIndex};

/// Every link of a cluster at an instant.
pub struct Reach<'m> {
    model: &'m Model,
    parties: Parties<'m>,
    rows: Rows,
    answers: Answers,
}

/// What policy says of the links of a class of senders to a class of receivers.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct PairAnswer {
    /// Over IPv4: `None` when the ends have no addresses of it.
    pub four: Option<AnswerId>,
    /// Over IPv6.
    pub six: Option<AnswerId>,
}

/// Sender classes that are answered together, so that what the receivers say is written down for few at a time.
const BLOCK: usize = 64;

impl Model {
    /// Decides every link at `now`.
    pub fn reach(&self, now: Timestamp) -> Reach<'_> {
        self.reach_beside(now, None)
    }

    /// The same, with those told apart too that only the rules of `beside` tell apart: for a comparison with it.
    pub(crate) fn reach_beside(&self, now: Timestamp, beside: Option<&Self>) -> Reach<'_> {
        let mut parties = Parties::gather(self, now, beside);
        let mut rows = Rows::of(&mut parties);
        let answers = Answers::new(rows.take_shapes());
        Reach { model: self, parties, rows, answers }
    }
}

impl<'m> Reach<'m> {
    /// The model that answered.
    pub fn model(&self) -> &'m Model {
        self.model
    }

    /// Who can send, in the order of their first members: pods by namespace and name, then addresses outside.
    pub fn senders(&self) -> &[SenderClass] {
        &self.parties.senders
    }

    /// Who can be reached, in the same order.
    pub fn receivers(&self) -> &[ReceiverClass] {
        &self.parties.receivers
    }

    /// What an answer says.
    pub fn answer(&self, id: AnswerId) -> &PortAnswers {
        self.answers.value(id)
    }

    /// The answers of one pair of classes, by their positions; `None` when there is no link between them.
    pub fn pair(&mut self, from: usize, to: usize) -> Option<PairAnswer> {
        let families = self.families(from, to)?;
        let (sender, receiver) = (&self.parties.senders[from], &self.parties.receivers[to]);
        let (rows, answers) = (&self.rows, &mut self.answers);
        let mut over = |from: FromId, to: ToId| {
            let egress = rows.at(Direction::Egress, from.0, to.0);
            let ingress = rows.at(Direction::Ingress, to.0, from.0);
            answers.of_link(rows.shape(egress), rows.shape(ingress))
        };
        Some(PairAnswer {
            four: families.0.then(|| over(sender.four, receiver.four)),
            six: families.1.then(|| over(sender.six, receiver.six)),
        })
    }

    /// Tells each pair of classes between which there is a link that is not refused on every port, in order.
    pub fn for_each(&mut self, mut tell: impl FnMut(&Self, usize, usize, PairAnswer)) {
        let receivers = self.parties.sides.tos.len();
        let (mut egress, mut ingress) = (Vec::new(), Vec::new());
        for block in (0..self.parties.senders.len()).step_by(BLOCK) {
            let classes = block..self.parties.senders.len().min(block + BLOCK);
            let mut sides: Vec<u32> =
                self.parties.senders[classes.clone()].iter().flat_map(|class| [class.four.0, class.six.0]).collect();
            sides.sort_unstable();
            sides.dedup();
            self.rows.fill_egress(&sides, receivers, &mut egress);
            self.rows.fill_ingress(&sides, receivers, &mut ingress);
            for from in classes {
                let offset = |side: FromId| sides.binary_search(&side.0).expect("gathered above") * receivers;
                let sender = &self.parties.senders[from];
                let (four, six) = (offset(sender.four), offset(sender.six));
                for to in 0..self.parties.receivers.len() {
                    let Some(families) = self.families(from, to) else { continue };
                    let receiver = &self.parties.receivers[to];
                    let (to_four, to_six) = (receiver.four.0 as usize, receiver.six.0 as usize);
                    let over = |answers: &mut Answers, from: usize, to: usize| {
                        answers.of_link(egress[from + to], ingress[from + to])
                    };
                    let answers = &mut self.answers;
                    let pair = PairAnswer {
                        four: families.0.then(|| over(answers, four, to_four)),
                        six: families.1.then(|| over(answers, six, to_six)),
                    };
                    if pair.says_something() {
                        tell(self, from, to, pair);
                    }
                }
            }
        }
    }

    /// Over which families the classes have a link, IPv4 first; `None` when over none.
    fn families(&self, from: usize, to: usize) -> Option<(bool, bool)> {
        let (sender, receiver) = (&self.parties.senders[from], &self.parties.receivers[to]);
        let families = (
            sender.families.0 && receiver.families.0,
            sender.families.1 && receiver.families.1 && self.parties.has_six,
        );
        let is_itself = sender.only_pod.is_some() && sender.only_pod == receiver.only_pod;
        let is_outside = sender.is_outside && receiver.is_outside;
        (!is_itself && !is_outside && (families.0 || families.1)).then_some(families)
    }

    /// A link of the pair, over IPv4 or IPv6, for [`Model::judge`] and [`Model::explain`].
    pub fn link(&self, from: usize, to: usize, is_four: bool, protocol: Protocol, port: u16) -> Option<Link> {
        let (sender, receiver) = (&self.parties.senders[from], &self.parties.receivers[to]);
        let pairs = sender.members.iter().flat_map(|from| receiver.members.iter().map(move |to| (from, to)));
        let (from, to) = pairs.into_iter().find(|(from, to)| match (from.pod(), to.pod()) {
            (Some(from), Some(to)) => from != to,
            (None, None) => false,
            (Some(_), None) | (None, Some(_)) => true,
        })?;
        let from = match from {
            // What no rule tells apart is each of its containers.
            Member::Pod(Process { pod, container: Which::Unsaid, .. }) => {
                let containers = &self.model.spec(self.model.pod(*pod)).containers;
                let container = containers.first().map_or(Which::Other, |first| Which::Named(first.name.clone()));
                self.end(&Member::Pod(Process { pod: *pod, container, program: Which::Other }), is_four)
            }
            Member::Pod(_) | Member::Outside(_) => self.end(from, is_four),
        };
        let to = self.end(to, is_four);
        Some(Link { from, to, protocol, port })
    }

    fn end(&self, member: &Member, is_four: bool) -> End {
        match member {
            Member::Pod(Process { pod, container, program }) => {
                let facts = self.model.pod(*pod);
                End::Pod(PodEnd {
                    namespace: facts.namespace.clone(),
                    name: facts.name.clone(),
                    container: container.clone(),
                    program: program.clone(),
                    address: facts.addresses.iter().copied().find(|address| address.is_ipv4() == is_four),
                })
            }
            Member::Outside(outside) => End::Address(outside.address),
        }
    }
}

impl PairAnswer {
    fn says_something(self) -> bool {
        [self.four, self.six].into_iter().flatten().any(|answer| answer != AnswerId::REFUSED)
    }
}

impl Member {
    /// The pod, if it is one.
    pub fn pod(&self) -> Option<PodIndex> {
        match self {
            Self::Pod(process) => Some(process.pod),
            Self::Outside(_) => None,
        }
    }
}

impl Process {
    /// A pod as a whole.
    pub fn whole(pod: PodIndex) -> Self {
        Self { pod, container: Which::Unsaid, program: Which::Unsaid }
    }
}
