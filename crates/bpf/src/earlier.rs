//! Connections that are older than the programs: who holds them, and what they are of, so that each is judged like one that
//! the programs saw begin.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs::File;
use std::io::{self, Read};
use std::net::{IpAddr, Ipv4Addr};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use libbpf_rs::{MapCore, MapFlags};

use crate::clock;
use crate::error::{Error, Result};
use crate::guard::open_map;
use crate::layout::constants::{FLOW_IN, FLOW_OUT, STRENGTH_SAME_NODE, VERDICT_ALLOW};
use crate::layout::{AnswerKey, EarlierSocket, FlowKey, FlowValue, ListeningKey, Plain};
use crate::pins::Generation;
use crate::veth;

/// The program that goes through what processes hold; attached nowhere.
pub(crate) const PROGRAM: &str = "earlier_sockets";

/// The program that judges connections inside pods that no packet passes on; attached nowhere.
pub(crate) const IDLE_INSIDE: &str = "idle_inside";

/// Bytes that are taken of it: some 700,000 sockets.
const BYTES_MAX: u64 = 64 << 20;

const TCP: u8 = 6;
const UDP: u8 = 17;

/// Has the kernel note who holds each connected socket of the pods, and notes what each is of as a flow that is to be judged,
/// where none is known. `interfaces` are the pods' veths by container. Returns how many connections there are.
pub(crate) fn note(generation: &Generation, interfaces: &HashMap<u64, u32>) -> Result<usize> {
    let sockets = look(generation)?;
    let flows = open_map(generation, "flows")?;
    let answers = open_map(generation, "answers")?;
    let now = clock::since_boot();
    let connections = Connections::new(&sockets);
    for socket in connections.unique.values() {
        let Some((key, value)) = connections.flow(socket, interfaces, now) else { continue };
        // One that is known is known better.
        let _ = flows.update(key.bytes(), value.bytes(), MapFlags::NO_EXIST);
    }
    // Who asked before is answered after: datagrams that came in, by the sockets that may answer them.
    let mut servers: HashMap<(u32, u16), Vec<u64>> = HashMap::new();
    for socket in sockets.iter().filter(|socket| socket.protocol == UDP && socket.remote_port == 0) {
        if let Some(interface) = interfaces.get(&socket.container) {
            servers.entry((*interface, socket.local_port)).or_default().push(socket.socket);
        }
    }
    for key in flows.keys().take(if servers.is_empty() { 0 } else { usize::MAX }) {
        let Some(key) = FlowKey::read(&key).filter(|key| key.protocol == UDP) else { continue };
        let Ok(Some(value)) = flows.lookup(key.bytes(), MapFlags::ANY) else { continue };
        let Some(flow) = FlowValue::read(&value).filter(|flow| u32::from(flow.origin) == FLOW_IN) else { continue };
        for socket in servers.get(&(flow.interface, key.pod_port)).into_iter().flatten() {
            let asked = AnswerKey { socket: *socket, address: key.remote, port: key.remote_port, unused: [0; 6] };
            let _ = answers.update(asked.bytes(), &flow.last.to_ne_bytes(), MapFlags::NO_EXIST);
        }
    }
    Ok(connections.unique.len())
}

/// Has the kernel note who listens, then who has connected; every socket that did carries a record after it.
fn look(generation: &Generation) -> Result<Vec<EarlierSocket>> {
    let listening = open_map(generation, "listening")?;
    let clear = || {
        for key in listening.keys().collect::<Vec<_>>() {
            let _ = listening.delete(&key);
        }
    };
    // An agent may have died here.
    clear();
    read(generation)?;
    let all = ListeningKey { network: 0, port: 0, unused: 0 };
    listening
        .update(all.bytes(), &1u64.to_ne_bytes(), MapFlags::ANY)
        .map_err(|error| Error::kernel("write to", "listening", error))?;
    let sockets = read(generation);
    clear();
    sockets
}

/// Judges connections inside pods again, those too that no packet passes on; what comes of it are events.
pub(crate) fn judge_idle(generation: &Generation) -> Result<()> {
    run(generation, IDLE_INSIDE).map(|_| ())
}

fn read(generation: &Generation) -> Result<Vec<EarlierSocket>> {
    let bytes = run(generation, PROGRAM)?;
    Ok(bytes.chunks_exact(size_of::<EarlierSocket>()).filter_map(EarlierSocket::read).collect())
}

/// Runs a program over the files of all processes once; what it writes.
fn run(generation: &Generation, name: &'static str) -> Result<Vec<u8>> {
    let program = veth::open_program(generation, name)?;
    let failed = |error| Error::path("run the program", name, error);
    // SAFETY: the descriptor is open; no options are passed.
    let link = owned(unsafe {
        libbpf_sys::bpf_link_create(program.as_raw_fd(), 0, libbpf_sys::BPF_TRACE_ITER, std::ptr::null())
    })
    .map_err(failed)?;
    // SAFETY: the descriptor is open.
    let each = owned(unsafe { libbpf_sys::bpf_iter_create(link.as_raw_fd()) }).map_err(failed)?;
    let mut bytes = Vec::new();
    File::from(each).take(BYTES_MAX).read_to_end(&mut bytes).map_err(failed)?;
    Ok(bytes)
}

fn owned(descriptor: i32) -> io::Result<OwnedFd> {
    if descriptor < 0 {
        return Err(io::Error::from_raw_os_error(-descriptor));
    }
    // SAFETY: the kernel has just given it to us.
    Ok(unsafe { OwnedFd::from_raw_fd(descriptor) })
}

/// A connected socket's network, protocol, local and remote end.
type Name = (u64, u8, [u8; 16], u16, [u8; 16], u16);

/// What was found, put together.
struct Connections {
    /// Each once, however many hold it.
    unique: BTreeMap<Name, EarlierSocket>,
    /// Ports of TCP on which somebody listens: what is connected there was accepted.
    listening: HashSet<(u64, u16)>,
    /// By local end: who connected.
    senders: HashMap<(u8, [u8; 16], u16), Vec<Name>>,
}

impl Connections {
    fn new(sockets: &[EarlierSocket]) -> Self {
        let waits = |socket: &&EarlierSocket| socket.protocol == TCP && socket.remote_port == 0;
        let listening = sockets.iter().filter(waits).map(|socket| (socket.network, socket.local_port)).collect();
        let mut unique: BTreeMap<Name, EarlierSocket> = BTreeMap::new();
        for socket in sockets.iter().filter(|socket| socket.remote_port != 0) {
            let known = unique.entry(name(socket)).or_insert(*socket);
            // Later ones know of all holders before them.
            (known.container, known.program) = (socket.container, socket.program);
        }
        let mut found = Self { unique, listening, senders: HashMap::new() };
        let mut senders: HashMap<_, Vec<Name>> = HashMap::new();
        for (name, socket) in found.unique.iter().filter(|(_, socket)| !found.was_accepted(socket)) {
            senders.entry((socket.protocol, socket.local, socket.local_port)).or_default().push(*name);
        }
        found.senders = senders;
        found
    }

    fn was_accepted(&self, socket: &EarlierSocket) -> bool {
        socket.protocol == TCP && self.listening.contains(&(socket.network, socket.local_port))
    }

    /// Who connected to an accepted socket, when that is one of this node: the only one that has the remote end as its own, or
    /// the one that dialled just this address.
    fn sender_of(&self, accepted: &EarlierSocket) -> Option<&EarlierSocket> {
        let names = self.senders.get(&(accepted.protocol, accepted.remote, accepted.remote_port))?;
        let exact = |name: &&Name| (name.4, name.5) == (accepted.local, accepted.local_port);
        let name = match names.as_slice() {
            [only] => only,
            several => several.iter().find(exact)?,
        };
        self.unique.get(name)
    }

    /// The flow that its pod's veth would know of it, yet to be judged. `None` for what stays inside a pod, and for one that
    /// came in from elsewhere: that is judged by address like any other.
    fn flow(&self, socket: &EarlierSocket, interfaces: &HashMap<u64, u32>, now: u64) -> Option<(FlowKey, FlowValue)> {
        let interface = *interfaces.get(&socket.container)?;
        if socket.local == socket.remote || is_loopback(socket.remote) {
            return None;
        }
        let key = FlowKey {
            pod: socket.local,
            remote: socket.remote,
            pod_port: socket.local_port,
            remote_port: socket.remote_port,
            protocol: socket.protocol,
            unused: [0; 3],
        };
        let mut flow = FlowValue {
            // Judged under no revision, with this verdict until then, so that another one is told.
            state: 0,
            enforced: VERDICT_ALLOW as u8,
            would: VERDICT_ALLOW as u8,
            first: now,
            last: now,
            told: 0,
            expires: 0,
            // It is established: both sides have sent.
            packets_out: 1,
            bytes_out: 0,
            packets_in: 1,
            bytes_in: 0,
            container: socket.container,
            socket: 0,
            attempt: 0,
            program: socket.program,
            decision: 0,
            interface,
            peer: [0; 16],
            dialled: [0; 16],
            peer_port: 0,
            dialled_port: 0,
            origin: FLOW_OUT as u8,
            cause: 0,
            closing: 0,
            strength: 0,
            hardware: [0; 6],
        };
        if self.was_accepted(socket) {
            let sender = self.sender_of(socket)?;
            flow.origin = FLOW_IN as u8;
            flow.strength = STRENGTH_SAME_NODE as u8;
            (flow.container, flow.program) = (sender.container, sender.program);
            (flow.peer, flow.peer_port) = (sender.local, sender.local_port);
            (flow.dialled, flow.dialled_port) = (sender.remote, sender.remote_port);
        }
        Some((key, flow))
    }
}

fn name(socket: &EarlierSocket) -> Name {
    (socket.network, socket.protocol, socket.local, socket.local_port, socket.remote, socket.remote_port)
}

fn is_loopback(address: [u8; 16]) -> bool {
    match crate::event::address(address) {
        IpAddr::V4(four) => four.is_loopback() || four == Ipv4Addr::UNSPECIFIED,
        IpAddr::V6(six) => six.is_loopback() || six.is_unspecified(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::ProgramFile;

    const CLIENT: u64 = 7;
    const SERVER: u64 = 8;

    fn socket(container: u64, local: (u8, u16), remote: (u8, u16)) -> EarlierSocket {
        let address = |last: u8| crate::install::address_bytes(Ipv4Addr::new(10, 0, 0, last).into());
        EarlierSocket {
            socket: 1,
            container,
            program: ProgramFile { inode: container, size: 0, ctime_seconds: 0, ctime_nanoseconds: 0, device: 0 },
            local: address(local.0),
            remote: address(remote.0),
            local_port: local.1,
            remote_port: remote.1,
            protocol: TCP,
            unused: [0; 3],
            network: container,
        }
    }

    fn origins(sockets: &[EarlierSocket]) -> Vec<(u64, u8, u64)> {
        let interfaces = HashMap::from([(CLIENT, 70), (SERVER, 80)]);
        let connections = Connections::new(sockets);
        let flows = connections.unique.values().filter_map(|socket| connections.flow(socket, &interfaces, 9));
        flows.map(|(_, flow)| (flow.interface.into(), flow.origin, flow.container)).collect()
    }

    #[test]
    fn a_connection_is_of_who_connected_also_behind_a_service_and_where_it_was_accepted() {
        let listens = socket(SERVER, (2, 80), (0, 0));
        // Dialled by the address of a Service, 10.0.0.100.
        let pair = [socket(CLIENT, (1, 4000), (100, 443)), socket(SERVER, (2, 80), (1, 4000))];
        let out = (70, FLOW_OUT as u8, CLIENT);
        assert_eq!(origins(&[&pair[..], &[listens]].concat()), [out, (80, FLOW_IN as u8, CLIENT)]);
        // From elsewhere: by its address, when its packet comes.
        assert_eq!(origins(&[pair[1], listens]), []);
        // Nobody listens there: the server connected.
        assert_eq!(origins(&[pair[1]]), [(80, FLOW_OUT as u8, SERVER)]);
    }

    #[test]
    fn what_several_programs_hold_is_of_no_named_one() {
        let first = socket(CLIENT, (1, 4000), (2, 80));
        let mut second = first;
        second.program.inode = 0;
        let connections = Connections::new(&[first, second]);
        assert_eq!(connections.unique.len(), 1);
        assert!(connections.unique.values().all(|socket| socket.program.inode == 0));
    }
}
