//! Who asks about whom: the words of `check` and `explain`, resolved against the model.

mod door;
mod entity;
mod port;
mod receiver;
mod reference;
mod sender;

use std::net::IpAddr;

use palisade_model::link::{End, Link};
use palisade_model::object::Name;
use palisade_model::verdict::Missing;
use palisade_model::{Protocol, Timestamp};
use palisade_policy::Model;

use self::port::WantedPort;
use self::receiver::Receiver;
use crate::answer::Answer;
use crate::failure::{Failure, Hint};

/// As many pairs of a sender and a target as one question may come down to: some seconds, and a screen
/// that nobody reads to its end.
const MAX_LINKS: usize = 200_000;

/// Everything that a question comes down to.
pub struct Question {
    /// Who may ask, told apart as far as policies do.
    pub senders: Vec<Sender>,
    /// What is asked for.
    pub targets: Vec<Target>,
    /// The instant.
    pub now: Timestamp,
}

/// A sender and how to call it.
#[derive(Clone)]
pub struct Sender {
    /// As the user named it.
    pub asked: String,
    /// With the container and program that set it apart from the others of the same name.
    pub full: String,
    /// The same by the pod's own name, when the user named a workload.
    pub pod: Option<String>,
    /// Whether the user named the pod or workload as a whole.
    pub is_whole: bool,
    /// The end.
    pub end: End,
    /// The node that it is on, if that is known.
    pub node: Option<Name>,
}

/// What is asked for: one port of one receiver, or of a Service.
pub struct Target {
    /// The receiver, for people.
    pub name: String,
    /// The protocol.
    pub protocol: Protocol,
    /// The port, as dialled.
    pub port: u16,
    /// The receivers: the backends when a Service is asked for.
    pub receivers: Receivers,
    /// The Service on whose way a node may translate the sender's address: it is reached by a node's
    /// address, an external one or a load balancer's.
    pub translating: Option<String>,
    /// A Service or `hostPort` that is asked for by an address: that one.
    pub dialled: Option<IpAddr>,
    /// A Service that sends each to the backends on its own node alone (`internalTrafficPolicy: Local`).
    pub stays_on_node: bool,
}

/// Who answers.
pub enum Receivers {
    /// One end.
    End(End),
    /// A Service's ready backends.
    Service(Vec<Served>),
    /// A Service whose backends are not in the input.
    Unknown(Missing),
}

/// A backend of a Service.
pub struct Served {
    /// For people.
    pub name: String,
    /// Who answers.
    pub end: End,
    /// The port that is reached.
    pub port: u16,
    /// Where it is, if that is known.
    pub node: Option<Name>,
}

impl Target {
    /// A target that is dialled as it is named, and not translated.
    fn new(name: String, protocol: Protocol, port: u16, receivers: Receivers) -> Self {
        Self { name, protocol, port, receivers, translating: None, dialled: None, stays_on_node: false }
    }

    /// The links from `from` to this target's receivers, each with the receiver's name.
    pub fn links(&self, from: &Sender) -> Vec<(String, Link)> {
        let link = |to: &End, port| Link { from: from.end.clone(), to: to.clone(), protocol: self.protocol, port };
        match &self.receivers {
            Receivers::End(end) => vec![(self.name.clone(), link(end, self.port))],
            Receivers::Service(backends) => {
                // Of a sender that is on no node yet it may be any of them.
                let is_near = |to: &&Served| !self.stays_on_node || from.node.is_none() || to.node == from.node;
                backends.iter().filter(is_near).map(|to| (to.name.clone(), link(&to.end, to.port))).collect()
            }
            Receivers::Unknown(_) => Vec::new(),
        }
    }
}

/// Who asks.
///
/// # Errors
/// When the words mean nothing in the input.
pub fn senders(model: &Model, from: &str) -> Result<Vec<Sender>, Failure> {
    sender::senders(model, from)
}

/// What is asked for.
///
/// # Errors
/// When the words mean nothing in the input.
pub fn targets(model: &Model, to: &str, port: Option<&str>) -> Result<Vec<Target>, Failure> {
    let port = port.map(WantedPort::parse).transpose()?;
    Receiver::parse(model, to)?.targets(model, to, port.as_ref())
}

/// The questions on the way through a door, when `to` is one: an Ingress, a Gateway, a route or a host.
///
/// # Errors
/// When no such door is in the input, or `from` means nothing in it.
pub fn through_door(model: &Model, from: &str, to: &str, now: Timestamp) -> Result<Option<Vec<Question>>, Failure> {
    door::legs(model, from, to, now)
}

/// Of the answers to a question on the way through a door those that count: one process that gets through is enough.
pub fn of_door(answers: Vec<Answer>) -> Vec<Answer> {
    door::best(answers)
}

/// Resolves the words of a question.
///
/// # Errors
/// When an end or the port means nothing in the input.
pub fn resolve(model: &Model, from: &str, to: &str, port: Option<&str>, now: Timestamp) -> Result<Question, Failure> {
    let targets = targets(model, to, port)?;
    let senders = senders(model, from)?;
    let links = senders.len().saturating_mul(targets.len());
    if links > MAX_LINKS {
        return Err(Failure::new(format!("`{from}` to `{to}` are {links} links, more than {MAX_LINKS}"))
            .hint(Hint::Change("name a workload at one end, or the PORT".into())));
    }
    Ok(Question { senders, targets, now })
}
