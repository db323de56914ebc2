//! Fills fresh inner maps and makes them the live ones in one step.

use std::collections::HashMap;
use std::net::IpAddr;
use std::os::fd::{AsFd, AsRawFd};

use libbpf_rs::{MapCore, MapFlags, MapHandle, MapType};

use crate::clock;
use crate::error::{Error, Result};
use crate::layout::constants::{
    CONTAINER_HOST_NETWORK, CONTAINER_NO_VETH, CONTAINER_POD, LINK_ETHERNET, LINK_OF_NODE, STATE_LEARNING, STATE_MIXED,
    STATE_RECEIVERS, STATE_RECORD_UNKNOWN, STATE_REVISION_SHIFT, STATE_SLOT, VERDICT_ALLOW, VERDICT_DENY, VETH_RESET,
};
use crate::layout::{
    CellKey, CellValue, ContainerValue, DecisionValue, DestinationKey, DestinationValue, FrontendKey, ListenerKey,
    ListenerValue, Plain, PortSpan, ProgramKey, ProgramValue, ReceiverCellKey, SourceValue, VethValue,
};
use crate::tables::{ContainerKind, Network, PacketHook, Refusal, Tables, UnknownPods, Verdict};

/// The outer maps, in the order in which [`rows`] builds their contents.
pub(crate) const TABLES: [&str; 11] = [
    "containers",
    "programs",
    "frontends",
    "destinations",
    "cells",
    "spans",
    "decisions",
    "listeners",
    "veths",
    "sources",
    "receiver_cells",
];

/// Entries of one table; a bound on what a broken input can make the kernel hold (16 bytes each: 64 MiB).
const ENTRIES_MAX: usize = 1 << 22;

/// Stack of a thread that does one system call.
const UPDATE_STACK: usize = 64 * 1024;

/// Rows of one table as the kernel wants them: keys and values, each back to back.
struct Rows {
    kind: MapType,
    flags: u32,
    key_size: usize,
    value_size: usize,
    keys: Vec<u8>,
    values: Vec<u8>,
    count: usize,
}

impl Rows {
    fn new<K, V>(kind: MapType, flags: u32) -> Self {
        let (key_size, value_size) = (size_of::<K>(), size_of::<V>());
        Self { kind, flags, key_size, value_size, keys: Vec::new(), values: Vec::new(), count: 0 }
    }

    fn hash<K, V>() -> Self {
        Self::new::<K, V>(MapType::Hash, libbpf_sys::BPF_F_NO_PREALLOC)
    }

    fn array<V>() -> Self {
        Self::new::<u32, V>(MapType::Array, libbpf_sys::BPF_F_INNER_MAP)
    }

    fn push(&mut self, key: &[u8], value: &[u8]) {
        debug_assert_eq!((key.len(), value.len()), (self.key_size, self.value_size));
        self.keys.extend_from_slice(key);
        self.values.extend_from_slice(value);
        self.count += 1;
    }

    fn into_map(self, name: &str) -> Result<MapHandle> {
        let options = libbpf_sys::bpf_map_create_opts {
            sz: size_of::<libbpf_sys::bpf_map_create_opts>() as libbpf_sys::size_t,
            map_flags: self.flags,
            ..Default::default()
        };
        let entries = u32::try_from(self.count.max(1)).expect("bounded by ENTRIES_MAX");
        let map =
            MapHandle::create(self.kind, Some(name), self.key_size as u32, self.value_size as u32, entries, &options)
                .map_err(|error| Error::kernel("create the table", name, error))?;
        if self.count > 0 {
            map.update_batch(&self.keys, &self.values, self.count as u32, MapFlags::ANY, MapFlags::ANY)
                .map_err(|error| Error::kernel("fill the table", name, error))?;
        }
        Ok(map)
    }
}

/// Writes `tables` into the idle slot of `outer` (ordered as [`TABLES`]) and switches `state` to it.
///
/// The outer maps are updated from one thread each: the kernel waits for a grace period after each such update, which is
/// also what keeps a program that still runs on the idle slot's old maps from meeting the new ones; the waits overlap.
///
/// With `learning`, another generation's programs still judge packets (see [`end_learning`]).
pub(crate) fn install(outer: &[MapHandle], state: &MapHandle, tables: &Tables, learning: bool) -> Result<()> {
    let live = read_state(state)?;
    let live_revision = live >> STATE_REVISION_SHIFT;
    if tables.revision <= live_revision {
        return Err(Error::OldRevision { revision: tables.revision, live: live_revision });
    }
    let slot = (live & u64::from(STATE_SLOT)) ^ u64::from(STATE_SLOT);
    let inner = build(tables)?;
    let key = (slot as u32).to_ne_bytes();
    let results: Vec<libbpf_rs::Result<()>> = std::thread::scope(|scope| {
        let update = |outer: &MapHandle, inner: &MapHandle| {
            outer.update(&key, &inner.as_fd().as_raw_fd().to_ne_bytes(), MapFlags::ANY)
        };
        let start = |(outer, inner)| {
            let builder = std::thread::Builder::new().stack_size(UPDATE_STACK);
            (outer, inner, builder.spawn_scoped(scope, move || update(outer, inner)))
        };
        let workers: Vec<_> = outer.iter().zip(&inner).map(start).collect();
        workers
            .into_iter()
            .map(|(outer, inner, worker)| match worker {
                Ok(worker) => worker.join().expect("an update does not panic"),
                // No thread to be had: one after the other is slower, not wrong.
                Err(_) => update(outer, inner),
            })
            .collect()
    });
    for (name, result) in TABLES.iter().zip(results) {
        result.map_err(|error| Error::kernel("put in place the table", *name, error))?;
    }
    let record = match tables.unknown_pods {
        UnknownPods::Refuse => 0,
        UnknownPods::Record => u64::from(STATE_RECORD_UNKNOWN),
    };
    let receivers = if tables.receiver_cells.is_empty() { 0 } else { u64::from(STATE_RECEIVERS) };
    let mixed = if tables.decisions.iter().any(|decision| decision.mixed) { u64::from(STATE_MIXED) } else { 0 };
    let learning = if learning { u64::from(STATE_LEARNING) } else { 0 };
    write_state(state, (tables.revision << STATE_REVISION_SHIFT) | learning | mixed | receivers | record | slot)
}

/// From now on the programs drop what they do not let through.
pub(crate) fn end_learning(state: &MapHandle) -> Result<()> {
    write_state(state, read_state(state)? & !u64::from(STATE_LEARNING))
}

fn write_state(state: &MapHandle, word: u64) -> Result<()> {
    state
        .update(&0u32.to_ne_bytes(), &word.to_ne_bytes(), MapFlags::ANY)
        .map_err(|error| Error::kernel("switch", "state", error))
}

/// The word that names the live slot and revision; 0 before the first revision.
pub(crate) fn read_state(state: &MapHandle) -> Result<u64> {
    let value = state
        .lookup(&0u32.to_ne_bytes(), MapFlags::ANY)
        .map_err(|error| Error::kernel("read", "state", error))?
        .unwrap_or_default();
    Ok(value.as_slice().try_into().map_or(0, u64::from_ne_bytes))
}

fn build(tables: &Tables) -> Result<Vec<MapHandle>> {
    let rows = rows(tables)?;
    TABLES
        .iter()
        .zip(rows)
        .map(|(name, rows)| {
            if rows.count > ENTRIES_MAX {
                return Err(refuse(
                    tables,
                    format!("table `{name}` has {} entries, at most {ENTRIES_MAX}", rows.count),
                ));
            }
            rows.into_map(name)
        })
        .collect()
}

fn rows(tables: &Tables) -> Result<[Rows; 11]> {
    let (cells, receiver_cells, spans) = cells_and_spans(tables)?;
    Ok([
        containers(tables),
        programs(tables),
        frontends(tables),
        destinations(tables)?,
        cells,
        spans,
        decisions(tables)?,
        listeners(tables),
        veths(tables),
        sources(tables)?,
        receiver_cells,
    ])
}

fn containers(tables: &Tables) -> Rows {
    let mut rows = Rows::hash::<u64, ContainerValue>();
    for container in &tables.containers {
        let mut flags = 0;
        if container.host_network {
            flags |= CONTAINER_HOST_NETWORK;
        }
        if container.kind == ContainerKind::Pod {
            flags |= CONTAINER_POD;
        }
        if container.packets == PacketHook::Nowhere {
            flags |= CONTAINER_NO_VETH;
        }
        let value = ContainerValue { subject: container.subject, class: container.class, flags, unused: 0 };
        rows.push(&container.cgroup.to_ne_bytes(), value.bytes());
    }
    rows
}

fn programs(tables: &Tables) -> Rows {
    let mut rows = Rows::hash::<ProgramKey, ProgramValue>();
    for program in &tables.programs {
        let key = ProgramKey { container: program.container, file: program.file.into() };
        rows.push(key.bytes(), ProgramValue { class: program.class }.bytes());
    }
    rows
}

/// Services' addresses, and beside them the addresses that are a destination alone: no Service is at port 0.
fn frontends(tables: &Tables) -> Rows {
    let mut rows = Rows::hash::<FrontendKey, DestinationValue>();
    for frontend in &tables.frontends {
        let key = FrontendKey {
            address: address_bytes(frontend.address),
            port: frontend.port,
            protocol: frontend.protocol,
            unused: 0,
        };
        rows.push(key.bytes(), DestinationValue { destination: frontend.destination, own_subject: 0 }.bytes());
    }
    for alone in tables.destinations.iter().filter(|network| is_alone(network)) {
        let key = FrontendKey { address: address_bytes(alone.address), port: 0, protocol: 0, unused: 0 };
        rows.push(key.bytes(), destination(alone).bytes());
    }
    rows
}

fn destinations(tables: &Tables) -> Result<Rows> {
    let mut rows = Rows::new::<DestinationKey, DestinationValue>(MapType::LpmTrie, libbpf_sys::BPF_F_NO_PREALLOC);
    for network in tables.destinations.iter().filter(|network| !is_alone(network)) {
        let key = network_key(tables, network.address, network.prefix)?;
        rows.push(key.bytes(), destination(network).bytes());
    }
    Ok(rows)
}

fn destination(network: &Network) -> DestinationValue {
    let own_subject = network.own_subject.map_or(0, |subject| subject + 1);
    DestinationValue { destination: network.destination, own_subject }
}

/// Whether it is one address.
fn is_alone(network: &Network) -> bool {
    network.prefix == if network.address.is_ipv4() { 32 } else { 128 }
}

fn network_key(tables: &Tables, address: IpAddr, prefix: u8) -> Result<DestinationKey> {
    let (most, offset) = match address {
        IpAddr::V4(_) => (32, 96),
        IpAddr::V6(_) => (128, 0),
    };
    if prefix > most {
        return Err(refuse(tables, format!("`{address}/{prefix}` is no network")));
    }
    Ok(DestinationKey { prefix_length: u32::from(prefix) + offset, address: address_bytes(address) })
}

fn sources(tables: &Tables) -> Result<Rows> {
    let mut rows = Rows::new::<DestinationKey, SourceValue>(MapType::LpmTrie, libbpf_sys::BPF_F_NO_PREALLOC);
    for source in &tables.sources {
        let key = network_key(tables, source.address, source.prefix)?;
        rows.push(key.bytes(), SourceValue { source: source.source }.bytes());
    }
    Ok(rows)
}

fn veths(tables: &Tables) -> Rows {
    let mut rows = Rows::hash::<u32, VethValue>();
    for veth in &tables.veths {
        let value = VethValue {
            cgroup: veth.cgroup,
            subject: veth.subject,
            receiver: veth.receiver,
            flags: match veth.refusal {
                Refusal::Reset => VETH_RESET,
                Refusal::Drop => 0,
            },
            hardware: veth.hardware,
            unused: [0; 2],
            namespace: veth.namespace.unwrap_or(-1),
            four: veth.four.map_or([0; 16], |four| address_bytes(four.into())),
            six: veth.six.map_or([0; 16], |six| six.octets()),
        };
        rows.push(&veth.interface.to_ne_bytes(), value.bytes());
    }
    for link in &tables.links {
        let value = VethValue {
            cgroup: 0,
            subject: 0,
            receiver: 0,
            flags: LINK_OF_NODE | if link.ethernet { LINK_ETHERNET } else { 0 },
            hardware: [0; 6],
            unused: [0; 2],
            namespace: -1,
            four: [0; 16],
            six: [0; 16],
        };
        rows.push(&link.interface.to_ne_bytes(), value.bytes());
    }
    rows
}

fn cells_and_spans(tables: &Tables) -> Result<(Rows, Rows, Rows)> {
    let mut spans = Rows::array::<PortSpan>();
    let mut places: Vec<CellValue> = Vec::with_capacity(tables.port_tables.len());
    for table in &tables.port_tables {
        places.push(CellValue { first: spans.count as u32, count: table.len() as u32 });
        if table.windows(2).any(|pair| pair[0].last >= pair[1].first) || table.iter().any(|span| span.first > span.last)
        {
            return Err(refuse(tables, "a port table is not sorted".to_string()));
        }
        for span in table {
            if span.decision as usize >= tables.decisions.len() {
                return Err(refuse(tables, format!("there is no decision {}", span.decision)));
            }
            let value = PortSpan { first: span.first, last: span.last, decision: span.decision };
            let index = spans.count as u32;
            spans.push(&index.to_ne_bytes(), value.bytes());
        }
    }
    let place = |table: u32| {
        let place = places.get(table as usize);
        place.ok_or_else(|| refuse(tables, format!("there is no port table {table}")))
    };
    let mut cells = Rows::hash::<CellKey, CellValue>();
    for cell in &tables.cells {
        let place = place(cell.port_table)?;
        let key = CellKey { class: cell.class, destination: cell.destination, protocol: cell.protocol.into() };
        cells.push(key.bytes(), place.bytes());
    }
    let mut receiver_cells = Rows::hash::<ReceiverCellKey, CellValue>();
    for cell in &tables.receiver_cells {
        let place = place(cell.port_table)?;
        let key = ReceiverCellKey { receiver: cell.receiver, source: cell.source, protocol: cell.protocol.into() };
        receiver_cells.push(key.bytes(), place.bytes());
    }
    Ok((cells, receiver_cells, spans))
}

fn decisions(tables: &Tables) -> Result<Rows> {
    let ahead = clock::tai_ahead_of_wall_clock();
    let mut rows = Rows::array::<DecisionValue>();
    for (index, decision) in tables.decisions.iter().enumerate() {
        let (expires, next) = match decision.expires {
            Some((_, next)) if next as usize >= tables.decisions.len() => {
                return Err(refuse(tables, format!("there is no decision {next}")));
            }
            // 0 means never to the kernel; an instant before 1970 is long gone.
            Some((instant, next)) => (instant.saturating_add_signed(ahead).max(1), next),
            None => (0, 0),
        };
        let value = DecisionValue {
            expires,
            next,
            enforced: verdict_byte(decision.enforced),
            would: verdict_byte(decision.would),
            mixed: u8::from(decision.mixed),
            unused: 0,
        };
        rows.push(&(index as u32).to_ne_bytes(), value.bytes());
    }
    Ok(rows)
}

fn listeners(tables: &Tables) -> Rows {
    let mut rows = Rows::hash::<ListenerKey, ListenerValue>();
    let mut seen: HashMap<(u32, u16, u8), u64> = HashMap::new();
    for listener in &tables.listeners {
        // Declared twice in a pod: whoever stands first owns it, as the order of a pod's containers is fixed.
        if seen.insert((listener.subject, listener.port, listener.protocol), listener.container).is_some() {
            continue;
        }
        let key =
            ListenerKey { subject: listener.subject, port: listener.port, protocol: listener.protocol, unused: 0 };
        rows.push(key.bytes(), ListenerValue { container: listener.container }.bytes());
    }
    rows
}

fn verdict_byte(verdict: Verdict) -> u8 {
    match verdict {
        Verdict::Allow => VERDICT_ALLOW as u8,
        Verdict::Deny => VERDICT_DENY as u8,
    }
}

/// 16 bytes in network order; IPv4 as `::ffff:a.b.c.d`.
pub(crate) fn address_bytes(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(four) => four.to_ipv6_mapped().octets(),
        IpAddr::V6(six) => six.octets(),
    }
}

fn refuse(tables: &Tables, why: String) -> Error {
    Error::Tables { revision: tables.revision, why }
}
