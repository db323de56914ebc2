//! The semantics of policy a second time, by brute force: for tests alone.
//!
//! Written from the texts (the API references of NetworkPolicy and of ClusterNetworkPolicy, and Palisade's own semantics), apart from
//! the engine in `crates/policy`, so that one mistake has to be made twice to pass unseen. Nothing is
//! indexed or kept: every question walks over every object.
//!
//! Layer L1: pure functions over the types.
//!
//! Invariant: no code is shared with `crates/policy`.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod access;
mod cluster;
mod decide;
mod entity;
mod network;
mod party;
mod ports;
mod possible;
mod service;
mod tier;
mod truth;

use std::fmt;

use palisade_model::link::Link;
use palisade_model::verdict::{Decision, Direction, Judgement, Verdict};
use palisade_model::{Inventory, Timestamp, settings::Settings};

use crate::cluster::Cluster;
use crate::decide::{Objects, SenderDetail, Situation};
use crate::party::Party;

pub use crate::service::Backend;

/// An end of the link that is not in the inventory, in words.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UnknownEnd(pub String);

impl fmt::Display for UnknownEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "unknown end: {}", self.0)
    }
}

/// What both ends of `link` say, each for itself, over the enforced objects and over all.
///
/// # Errors
/// When an end names a pod or node that the inventory does not have.
pub fn judge(inventory: &Inventory, settings: &Settings, link: &Link, now: Timestamp) -> Result<Judgement, UnknownEnd> {
    let cluster = Cluster::new(inventory, settings);
    let (sender, receiver) = party::resolve(&cluster, link)?;
    let situation = |sender_detail| Situation {
        cluster: &cluster,
        sender: &sender,
        receiver: &receiver,
        protocol: link.protocol,
        port: link.port,
        now,
        sender_detail,
    };
    Ok(whole_link(&situation(SenderDetail::Known)))
}

/// What really happens to a link, given which nodes have a living agent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Judged {
    /// What the sender's node says of the whole link; `None` when it does not judge.
    pub sender: Option<Judgement>,
    /// What the receiver's node says of the ingress end; `None` when it does not judge.
    pub receiver: Option<IngressOnly>,
}

/// The receiver's node judges its own end alone.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct IngressOnly {
    /// Over the objects in Enforce.
    pub enforced: Verdict,
    /// Over all objects.
    pub would_be: Verdict,
}

impl Judged {
    /// Whether the link passes: nobody who judges it refuses it.
    pub fn passes(&self) -> bool {
        self.sender.as_ref().is_none_or(|judgement| judgement.enforced.is_allowed())
            && self.receiver.as_ref().is_none_or(|ingress| ingress.enforced.is_allow())
    }
}

/// What really happens to `link` when only the nodes in `settings.guarded` have an agent.
///
/// A guarded sender's node judges the whole link. A guarded receiver's node judges the ingress end
/// again; there a rule that names the sender's container or program matches the pod as a whole when
/// the sender's node is guarded (it has refused the others) and an Allow, and else nothing.
///
/// # Errors
/// When an end names a pod or node that the inventory does not have.
pub fn judge_at(inventory: &Inventory, settings: &Settings, link: &Link, now: Timestamp) -> Result<Judged, UnknownEnd> {
    let cluster = Cluster::new(inventory, settings);
    let (sender, receiver) = party::resolve(&cluster, link)?;
    let situation = |sender_detail| Situation {
        cluster: &cluster,
        sender: &sender,
        receiver: &receiver,
        protocol: link.protocol,
        port: link.port,
        now,
        sender_detail,
    };
    let is_guarded =
        |party: &Party<'_>| party.deciding_pod().is_some_and(|pod| settings.guarded.contains(pod.node.as_deref()));
    let detail = if is_guarded(&sender) { SenderDetail::WholePod } else { SenderDetail::Nothing };
    Ok(Judged {
        sender: is_guarded(&sender).then(|| whole_link(&situation(SenderDetail::Known))),
        receiver: is_guarded(&receiver).then(|| IngressOnly {
            enforced: decide::end(&situation(detail), Direction::Ingress, Objects::Enforced),
            would_be: decide::end(&situation(detail), Direction::Ingress, Objects::All),
        }),
    })
}

/// The pods behind `port` of the Service `namespace/name`, ready or not, and the port of each.
pub fn backends(inventory: &Inventory, settings: &Settings, service: (&str, &str), port: u16) -> Vec<Backend> {
    service::backends(&Cluster::new(inventory, settings), service, port)
}

fn whole_link(situation: &Situation<'_>) -> Judgement {
    let decision = |objects| Decision {
        egress: decide::end(situation, Direction::Egress, objects),
        ingress: decide::end(situation, Direction::Ingress, objects),
    };
    Judgement { enforced: decision(Objects::Enforced), would_be: decision(Objects::All) }
}
