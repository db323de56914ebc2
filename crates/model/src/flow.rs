//! What happened: one record for every connection tried.

use std::net::{IpAddr, SocketAddr};

use serde::{Deserialize, Serialize};

use crate::Timestamp;
use crate::port::Protocol;

/// The version of the record's JSON form; it rises when a field changes its meaning.
pub const FLOW_VERSION: u32 = 1;

/// One connection tried, as one observing end saw it.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FlowRecord {
    /// [`FLOW_VERSION`].
    pub version: u32,
    /// When it was tried.
    pub time: Timestamp,
    /// Names the connection on this node; later records of it have the same id.
    pub id: u64,
    /// The node that observed.
    pub node: String,
    /// Which end observed.
    pub reporter: Reporter,
    /// Egress when the sender's node reports, else ingress.
    pub direction: FlowDirection,
    /// Who tried.
    pub from: FlowEnd,
    /// Whom.
    pub to: FlowEnd,
    /// The protocol.
    pub protocol: Protocol,
    /// The address and port as dialled, before any translation.
    pub dialled: Dialled,
    /// The enforced verdict.
    pub verdict: FlowVerdict,
    /// The verdict with the objects in Audit as if enforced.
    pub would_be: FlowVerdict,
    /// What became of it.
    pub outcome: FlowOutcome,
    /// The engine's revision that gave the verdicts.
    pub revision: u64,
    /// Earlier tries of the same process to the same place, with the same answer, that have no record of their own.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub repeats: u32,
    /// Which record of the flow this is; absent = the first.
    #[serde(default, skip_serializing_if = "FlowPhase::is_start")]
    pub phase: FlowPhase,
    /// What has passed so far, in records after the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traffic: Option<Traffic>,
    /// From a receiver: how well the sender is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub strength: Option<Strength>,
    /// Behind a Service: the backend's address and port.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backend: Option<SocketAddr>,
    /// Behind a Service: the backend as far as it is known; with only the workload when any of its pods may be meant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receiver: Option<FlowEnd>,
    /// The IP protocol, where `protocol` has no word for it: of an echo, or of a packet that was dropped for what it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub packet_protocol: Option<u8>,
}

/// Which record of a flow it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FlowPhase {
    /// It was tried.
    #[default]
    Start,
    /// It goes on: every 30 s.
    Update,
    /// It ended.
    End,
    /// A newer revision, or the end of a rule's time, gave another verdict.
    Changed,
}

impl FlowPhase {
    fn is_start(&self) -> bool {
        *self == Self::Start
    }
}

/// What has passed, seen from the sender of the first packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Traffic {
    /// Bytes from the sender, headers included.
    pub sent_bytes: u64,
    /// Packets from the sender.
    pub sent_packets: u64,
    /// Bytes to the sender.
    pub received_bytes: u64,
    /// Packets to the sender.
    pub received_packets: u64,
    /// Since the first packet.
    pub milliseconds: u64,
}

/// How well a receiver's node knows who sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Strength {
    /// By the source address alone.
    Address,
    /// By the source address, a pod's whose node has an agent that lives and has the same rules: that node has judged
    /// container and program.
    GuardedNode,
    /// A socket of the receiver's node.
    OwnNode,
    /// Container and program, by their own veth on this node.
    SameNode,
}

impl FlowRecord {
    /// Whether this is the sender's own record of its try: of each connection one, and the newest with its id holds.
    pub fn is_try(&self) -> bool {
        self.reporter == Reporter::Sender && self.phase == FlowPhase::Start
    }
}

fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// Which end observed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum Reporter {
    Sender,
    Receiver,
}

/// Seen from the reporter.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum FlowDirection {
    Ingress,
    Egress,
}

/// One end, as far as it is known; what is not known is absent, and `kind` says what it is.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct FlowEnd {
    /// `pod`, `service`, `node`, `world`, `metadata`, `link-local`, `own-address`, `unknown`.
    pub kind: String,
    /// The address, when one is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<IpAddr>,
    /// Namespace of the pod or Service.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// `Kind/name` of the workload.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workload: Option<String>,
    /// The pod, or the Service or node when `kind` says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The container.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub container: Option<String>,
    /// The program's path as started.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub program: Option<String>,
    /// Whether the program is one that a policy names, unchanged since the image.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub program_named: Option<bool>,
    /// Process id in the node's pid namespace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    /// User id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uid: Option<u32>,
    /// The node that the pod runs on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
}

/// The address and port as dialled.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Dialled {
    /// The address.
    pub address: IpAddr,
    /// The port.
    pub port: u16,
    /// `namespace/name` of the Service that has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
}

/// A verdict in a record: the word, the rule and the reason, readable without the policies.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FlowVerdict {
    /// `allowed` or `denied`.
    pub verdict: VerdictWord,
    /// A code: `rule`, `exception`, `own-node`, `closed`, `open`, `own-address`, `service-mixed`,
    /// `no-endpoints`, `no-service-port`, `undecided`, `unknown-pod`, `unknown-destination`, `host-network`.
    pub reason: String,
    /// The rule or policy that gave it, as [`crate::verdict::RuleRef`] displays it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// `file:line` of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
    /// The end that decided.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end: Option<FlowDirection>,
    /// Of an undecided one: the fact that is missing, with its place when it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missing: Option<String>,
}

/// The enforced word.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum VerdictWord {
    Allowed,
    Denied,
}

/// What became of a connection, policy aside.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FlowOutcome {
    /// The handshake ended well.
    Established,
    /// Policy refused it.
    Refused,
    /// The other side answered with a reset: nobody listens.
    NobodyListens,
    /// No answer.
    TimedOut,
    /// An ICMP error: host or network unreachable.
    Unreachable,
    /// It never left the host (no route, no local address).
    NeverSent,
    /// The Service has no endpoints.
    NoEndpoints,
    /// Sent without a connection (UDP): no outcome is known.
    Sent,
    /// No answer yet; another record with the same id follows.
    Pending,
    /// Ended by another error of the socket.
    Failed,
}
