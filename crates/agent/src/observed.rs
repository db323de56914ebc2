//! Records of what the pods' veths saw: flows with their traffic, receivers' verdicts, dropped packets.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;

use palisade_bpf::layout::constants as c;
use palisade_bpf::layout::{DropEvent, FlowEvent, FlowKey, FlowValue};
use palisade_bpf::{address, clock};
use palisade_model::Timestamp;
use palisade_model::flow::{
    Dialled, FLOW_VERSION, FlowDirection, FlowEnd, FlowOutcome, FlowPhase, FlowRecord, FlowVerdict, Reporter, Strength,
    Traffic, VerdictWord,
};
use palisade_model::port::Protocol;

use crate::directory::{Answer, Directory, Verdicts, verdicts_by};
use crate::flows::id_of;
use crate::past::Past;
use crate::program_paths::ProgramPaths;

/// What the numbers of events mean: the newest revisions, and one of an earlier agent.
#[derive(Clone, Copy)]
pub(crate) struct Meaning<'a> {
    pub(crate) directories: &'a VecDeque<(u64, Arc<Directory>)>,
    pub(crate) past: &'a Past,
}

impl<'a> Meaning<'a> {
    /// The names at that revision, or the newest.
    pub(crate) fn directory(&self, revision: u64) -> Option<&'a Directory> {
        let exact = self.directories.iter().rev().find(|(known, _)| *known == revision);
        exact.or(self.directories.back()).map(|(_, directory)| &**directory)
    }

    /// What an answer of that revision means.
    pub(crate) fn verdicts(&self, revision: u64, answer: Answer) -> Verdicts {
        match self.directories.iter().rev().find(|(known, _)| *known == revision) {
            Some((_, directory)) => directory.verdicts(answer),
            None if revision == self.past.revision => verdicts_by(&self.past.verdicts, answer),
            None => verdicts_by(&[], answer),
        }
    }
}

/// A flow as its pod's veth saw it.
pub(crate) fn of_flow(event: &FlowEvent, node: &str, meaning: Meaning<'_>, paths: &ProgramPaths) -> FlowRecord {
    let (key, flow) = (&event.key, &event.flow);
    let revision = flow.state >> c::STATE_REVISION_SHIFT;
    let out = u32::from(flow.origin) == c::FLOW_OUT;
    let (verdict, would_be) = meaning.verdicts(revision, Answer::from(flow));
    let protocol = Protocol::from_number(key.protocol).unwrap_or_default();
    let directory = meaning.directory(revision);
    let packet_protocol = other_protocol(key.protocol);
    // An echo has an id and whose it is in their place.
    let port = |port: u16| if packet_protocol.is_some() { 0 } else { port };
    let pod = SocketAddr::new(address(key.pod), port(key.pod_port));
    let remote = SocketAddr::new(address(key.remote), port(key.remote_port));
    let (peer, dialled) = match out {
        true => (pod, remote),
        false => (
            SocketAddr::new(address(flow.peer), port(flow.peer_port)),
            SocketAddr::new(address(flow.dialled), port(flow.dialled_port)),
        ),
    };
    let mut from = sender(directory, flow.container, peer, protocol);
    if flow.container == 0 && u32::from(flow.strength) == c::STRENGTH_OWN_NODE {
        from.kind = "node".to_string();
        from.name = Some(node.to_string());
    }
    if flow.container == 0 && out {
        from = directory.and_then(|directory| directory.end_of_cgroup(event.pod)).unwrap_or(from);
    }
    from.address = Some(peer.ip());
    if flow.program.inode != 0 {
        from.program = paths.known(flow.container, flow.program).map(|path| path.to_string());
    }
    let to = directory.map(|directory| {
        directory.end_of_address(
            if out { remote.ip() } else { pod.ip() },
            protocol,
            if out { remote.port() } else { pod.port() },
        )
    });
    let allowed = verdict.verdict == VerdictWord::Allowed;
    let judged_elsewhere = directory.is_some_and(|directory| directory.is_judged_elsewhere(peer.ip(), node));
    FlowRecord {
        version: FLOW_VERSION,
        time: time_of(event.header.time),
        id: if flow.attempt != 0 {
            id_of(flow.socket, flow.attempt)
        } else {
            id_of(u64::from(flow.interface), flow.first)
        },
        node: node.to_string(),
        reporter: if out { Reporter::Sender } else { Reporter::Receiver },
        direction: if out { FlowDirection::Egress } else { FlowDirection::Ingress },
        from,
        to: to.unwrap_or_default(),
        protocol,
        dialled: Dialled {
            address: dialled.ip(),
            port: dialled.port(),
            service: directory.and_then(|directory| directory.service(dialled.ip(), protocol, dialled.port())),
        },
        verdict,
        would_be,
        outcome: outcome(event, allowed),
        revision,
        repeats: event.repeats,
        phase: phase(event.phase),
        traffic: (event.phase != c::PHASE_START).then(|| traffic(event, out)),
        strength: (!out).then(|| strength(flow.strength)).flatten().map(|strength| match strength {
            Strength::Address if judged_elsewhere => Strength::GuardedNode,
            Strength::Address | Strength::GuardedNode | Strength::OwnNode | Strength::SameNode => strength,
        }),
        backend: if out { backend(flow) } else { (dialled != pod).then_some(pod) },
        receiver: None,
        packet_protocol,
    }
}

/// The Service's backend that a flow from a pod goes to, once the packet has shown it.
pub(crate) fn backend(flow: &FlowValue) -> Option<SocketAddr> {
    (flow.peer_port != 0).then(|| SocketAddr::new(address(flow.peer), flow.peer_port))
}

/// A packet that was dropped for what it is.
pub(crate) fn of_drop(event: &DropEvent, node: &str, meaning: Meaning<'_>) -> FlowRecord {
    let revision = event.state >> c::STATE_REVISION_SHIFT;
    let directory = meaning.directory(revision);
    let out = u32::from(event.origin) == c::FLOW_OUT;
    let protocol = Protocol::from_number(event.protocol).unwrap_or_default();
    let source = SocketAddr::new(address(event.source), event.source_port);
    let destination = SocketAddr::new(address(event.destination), event.destination_port);
    let end = |cgroup| directory.and_then(|directory| directory.end_of_cgroup(cgroup));
    let of_address = |at: SocketAddr| {
        directory.map(|directory| directory.end_of_address(at.ip(), protocol, at.port())).unwrap_or_default()
    };
    let from = match out {
        // Whoever it says it is: it came from this pod.
        true => end(event.sender).or_else(|| end(event.pod)).unwrap_or_default(),
        false => of_address(source),
    };
    let verdict = FlowVerdict {
        verdict: VerdictWord::Denied,
        reason: reason(event.reason).to_string(),
        rule: None,
        place: None,
        end: None,
        missing: None,
    };
    FlowRecord {
        version: FLOW_VERSION,
        time: time_of(event.header.time),
        id: id_of(u64::from(event.interface) << 8 | u64::from(event.reason), event.header.time),
        node: node.to_string(),
        reporter: if out { Reporter::Sender } else { Reporter::Receiver },
        direction: if out { FlowDirection::Egress } else { FlowDirection::Ingress },
        from: FlowEnd { address: Some(source.ip()), ..from },
        to: if out { of_address(destination) } else { end(event.pod).unwrap_or_default() },
        protocol,
        dialled: Dialled { address: destination.ip(), port: destination.port(), service: None },
        verdict: verdict.clone(),
        would_be: verdict,
        outcome: FlowOutcome::Refused,
        revision,
        repeats: event.repeats,
        phase: FlowPhase::Start,
        traffic: None,
        strength: None,
        backend: None,
        receiver: None,
        packet_protocol: other_protocol(event.protocol),
    }
}

/// The pod and remote ends of a flow's TCP socket in the pod.
pub(crate) fn socket_ends(key: &FlowKey) -> (SocketAddr, SocketAddr) {
    (SocketAddr::new(address(key.pod), key.pod_port), SocketAddr::new(address(key.remote), key.remote_port))
}

fn sender(directory: Option<&Directory>, container: u64, peer: SocketAddr, protocol: Protocol) -> FlowEnd {
    let Some(directory) = directory else { return FlowEnd::default() };
    // Its own port says nothing of who it is.
    directory.end_of_cgroup(container).unwrap_or_else(|| directory.end_of_address(peer.ip(), protocol, 0))
}

fn time_of(since_boot: u64) -> Timestamp {
    Timestamp::try_from(clock::wall_clock(since_boot)).unwrap_or(Timestamp::UNIX_EPOCH)
}

fn outcome(event: &FlowEvent, allowed: bool) -> FlowOutcome {
    match () {
        () if !allowed => FlowOutcome::Refused,
        () if event.key.protocol != 6 => FlowOutcome::Sent,
        () if event.flow.packets_in > 0 && event.flow.packets_out > 0 => {
            match event.flow.packets_in.min(event.flow.packets_out) {
                // The one answer was a reset.
                1 if u32::from(event.flow.closing) & c::CLOSING_RESET != 0 => FlowOutcome::NobodyListens,
                _ => FlowOutcome::Established,
            }
        }
        () if event.phase == c::PHASE_END => FlowOutcome::TimedOut,
        () => FlowOutcome::Pending,
    }
}

fn phase(number: u32) -> FlowPhase {
    match number {
        c::PHASE_UPDATE => FlowPhase::Update,
        c::PHASE_END => FlowPhase::End,
        c::PHASE_CHANGED | c::PHASE_REACHED => FlowPhase::Changed,
        _ => FlowPhase::Start,
    }
}

fn traffic(event: &FlowEvent, out: bool) -> Traffic {
    let flow = &event.flow;
    let from_pod = (flow.bytes_out, flow.packets_out);
    let to_pod = (flow.bytes_in, flow.packets_in);
    let ((sent_bytes, sent_packets), (received_bytes, received_packets)) =
        if out { (from_pod, to_pod) } else { (to_pod, from_pod) };
    let milliseconds = flow.last.saturating_sub(flow.first) / 1_000_000;
    Traffic { sent_bytes, sent_packets, received_bytes, received_packets, milliseconds }
}

fn strength(number: u8) -> Option<Strength> {
    match u32::from(number) {
        c::STRENGTH_ADDRESS => Some(Strength::Address),
        c::STRENGTH_OWN_NODE => Some(Strength::OwnNode),
        c::STRENGTH_SAME_NODE => Some(Strength::SameNode),
        _ => None,
    }
}

/// What [`Protocol`] has no word for.
pub(crate) fn other_protocol(number: u8) -> Option<u8> {
    Protocol::from_number(number).is_none().then_some(number)
}

fn reason(number: u8) -> &'static str {
    match u32::from(number) {
        c::DROP_UNKNOWN_POD => "unknown-pod",
        c::DROP_UNREADABLE => "unreadable-packet",
        c::DROP_SOURCE_HARDWARE => "spoofed-hardware-address",
        c::DROP_SOURCE_ADDRESS => "spoofed-address",
        c::DROP_ARP => "spoofed-arp",
        c::DROP_NEIGHBOUR => "spoofed-neighbour",
        c::DROP_ROUTER => "router-advertisement",
        c::DROP_VLAN => "vlan",
        c::DROP_ETHERTYPE => "ethertype",
        c::DROP_HEADER => "hidden-header",
        c::DROP_PROTOCOL => "ip-protocol",
        c::DROP_FRAGMENT => "fragment",
        c::DROP_RAW_SOCKET => "raw-socket",
        c::DROP_NO_SOCKET => "no-socket",
        c::DROP_UNRELATED => "unrelated-icmp",
        c::DROP_DESTINATION => "loopback-destination",
        c::DROP_FLOW_LIMIT => "flow-limit",
        c::DROP_NO_CONNECTION => "no-connection",
        c::DROP_PORT_OWNER => "port-owner",
        c::DROP_BACKEND => "backend-not-known",
        _ => "dropped",
    }
}
