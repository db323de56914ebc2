//! Tries as they are made: who makes them, over what they are carried, and how long an answer is awaited.

use std::net::SocketAddr;

use palisade_lab::stand_in::attempt;
use palisade_model::Protocol;
use palisade_model::flow::FlowRecord;
use palisade_model::perimeter::OnRefusal;
use palisade_model::verdict::Judgement;
use palisade_worlds::runnable::{Dial, Family, METADATA, Program, Try};

use crate::outcome::Way;

/// Where a program is dropped into a running container.
pub const DROPPED: &str = "/tmp/dropped";
/// Nobody has to answer a datagram, and nothing here is far away.
const PATIENCE_MS: u64 = 40;
/// A SYN that nobody shall answer: long enough for one that somebody does.
const SILENCE_MS: u64 = 150;
/// A SYN that somebody shall answer, on a busy machine.
const ANSWER_MS: u64 = 10_000;

/// Who makes tries.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Process {
    /// `namespace/name`.
    pub pod: String,
    pub container: String,
    pub program: String,
}

impl Process {
    /// Who made the try that a record tells of.
    pub fn of(record: &FlowRecord) -> Option<Self> {
        let from = &record.from;
        Some(Self {
            pod: format!("{}/{}", from.namespace.as_deref()?, from.name.as_deref()?),
            container: from.container.clone()?,
            program: from.program.clone()?,
        })
    }
}

/// A try, what is dialled, and how.
pub struct Made<'a> {
    pub each: &'a Try,
    pub dial: Dial,
    pub is_unconnected: bool,
    pub way: Way,
    /// What the engine says of each link.
    pub answers: Vec<Judgement>,
    /// What the receiver's node shall let be seen when it refuses; nothing when it does not judge alone.
    pub refusal: Option<OnRefusal>,
}

impl Made<'_> {
    /// Whether the engine allows it; of a Service whose backends differ, at one of them.
    pub fn may_arrive(&self) -> bool {
        self.answers.iter().any(|answer| answer.enforced.is_allowed())
    }

    pub fn process(&self) -> Process {
        let program = match &self.each.from.program {
            Program::OfImage(path) => path.clone(),
            Program::Dropped => DROPPED.to_owned(),
        };
        let (namespace, name) = &self.dial.pod;
        Process { pod: format!("{namespace}/{name}"), container: self.each.from.container.clone(), program }
    }

    pub fn attempt(&self) -> attempt::Try {
        let target = SocketAddr::new(self.dial.address, self.dial.port);
        let is_refused = self.answers.iter().any(|answer| !answer.enforced.is_allowed());
        let is_silent = self.dial.address == METADATA || (self.refusal == Some(OnRefusal::Drop) && is_refused);
        match self.dial.protocol {
            Protocol::Udp => attempt::Try {
                udp: true,
                unconnected: self.is_unconnected,
                timeout_ms: PATIENCE_MS,
                ..attempt::Try::tcp(target.to_string())
            },
            Protocol::Tcp | Protocol::Sctp => connect(target, if is_silent { Awaits::Silence } else { Awaits::Answer }),
        }
    }

    pub fn says(&self, seed: u64) -> String {
        let Process { pod, container, program } = self.process();
        let Dial { address, protocol, port, .. } = &self.dial;
        format!(
            "seed {seed} {:?}: {pod}:{container}:{program} -> {:?} {address}:{port}/{protocol}",
            self.way, self.each.to
        )
    }
}

/// What should come back of a SYN.
#[derive(Clone, Copy)]
pub enum Awaits {
    Answer,
    Silence,
}

pub fn connect(to: SocketAddr, awaits: Awaits) -> attempt::Try {
    let timeout_ms = match awaits {
        Awaits::Answer => ANSWER_MS,
        Awaits::Silence => SILENCE_MS,
    };
    attempt::Try { timeout_ms, ..attempt::Try::tcp(to.to_string()) }
}

/// How a try is carried: beside TCP over IPv4, in turn.
const CARRIERS: [(Protocol, Family, bool); 6] = [
    (Protocol::Tcp, Family::V6, false),
    (Protocol::Udp, Family::V4, false),
    (Protocol::Udp, Family::V6, true),
    (Protocol::Tcp, Family::V6, false),
    (Protocol::Udp, Family::V4, true),
    (Protocol::Udp, Family::V6, false),
];

/// Protocol, family and whether a UDP socket stays unconnected, of the try with that number.
pub fn carriers(turn: usize) -> [(Protocol, Family, bool); 2] {
    [(Protocol::Tcp, Family::V4, false), CARRIERS[turn % CARRIERS.len()]]
}
