//! The mirror of `bpf/layout.h`. The source is the C header: the build reads sizes and offsets from the compiled object
//! and `layout_asserts.rs` compares them with these structs, so that a difference does not compile.

use std::mem::offset_of;

/// The numbers that `bpf/layout.h` gives names to, as the build reads them from there.
pub mod constants {
    include!(concat!(env!("OUT_DIR"), "/constants.rs"));
}

/// Bytes that an exec event has room for: a path, and one more name so that the kernel's bound is simple.
pub const PATH_ROOM: usize = (constants::PATH_BYTES + constants::PATH_COMPONENT_BYTES) as usize;

/// A struct that is copied to and from the kernel byte by byte.
///
/// # Safety
///
/// Implemented only by `repr(C)` structs without implicit padding, for which every bit pattern is valid.
pub(crate) unsafe trait Plain: Copy {
    /// The bytes as the kernel sees them.
    fn bytes(&self) -> &[u8] {
        // SAFETY: by the trait's contract there is no uninitialised padding.
        unsafe { std::slice::from_raw_parts(std::ptr::from_ref(self).cast::<u8>(), size_of::<Self>()) }
    }

    /// Reads a value from the start of `bytes`; `None` when they are too few.
    fn read(bytes: &[u8]) -> Option<Self> {
        if bytes.len() < size_of::<Self>() {
            return None;
        }
        // SAFETY: long enough, any bit pattern is valid, and the read does not need alignment.
        Some(unsafe { std::ptr::read_unaligned(bytes.as_ptr().cast::<Self>()) })
    }
}

/// What is known of a container, or of a pod for containers that are not known.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct ContainerValue {
    /// Index of the pod, stable within a revision.
    pub subject: u32,
    /// Class of a program without a name of its own.
    pub class: u32,
    pub flags: u32,
    pub unused: u32,
}

/// The file that a process was started from, as the kernel holds it.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct ProgramFile {
    pub inode: u64,
    pub size: u64,
    pub ctime_seconds: i64,
    pub ctime_nanoseconds: u32,
    /// Major << 20 | minor, as the kernel counts.
    pub device: u32,
}

/// A program of one container.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct ProgramKey {
    pub container: u64,
    pub file: ProgramFile,
}

/// The class of a named program.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct ProgramValue {
    pub class: u32,
}

/// An address, protocol and port that is a Service's.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct FrontendKey {
    pub address: [u8; 16],
    pub port: u16,
    pub protocol: u8,
    pub unused: u8,
}

/// A network, as the longest-prefix table keys it.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct DestinationKey {
    /// Of the 128 bits.
    pub prefix_length: u32,
    pub address: [u8; 16],
}

/// What an address is.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct DestinationValue {
    pub destination: u32,
    /// The pod whose own address this is, plus one; 0 = nobody's.
    pub own_subject: u32,
}

/// A class of callers, a destination and a protocol.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct CellKey {
    pub class: u32,
    pub destination: u32,
    pub protocol: u32,
}

/// The spans of a cell: a piece of the table of spans.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct CellValue {
    /// Index of the first span.
    pub first: u32,
    pub count: u32,
}

/// The decision for a span of ports.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct PortSpan {
    pub first: u16,
    pub last: u16,
    pub decision: u32,
}

/// A decision, and what follows it when it expires.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct DecisionValue {
    /// Nanoseconds of CLOCK_TAI; 0 = never.
    pub expires: u64,
    /// The decision from then on.
    pub next: u32,
    pub enforced: u8,
    pub would: u8,
    /// A Service's backends differ: passes, until the packet shows which one it goes to.
    pub mixed: u8,
    pub unused: u8,
}

/// The container whose spec declares a port of its pod.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct ListenerKey {
    pub subject: u32,
    pub port: u16,
    pub protocol: u8,
    pub unused: u8,
}

/// The container that owns a port.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct ListenerValue {
    pub container: u64,
}

/// What every event starts with.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct EventHeader {
    /// Nanoseconds since boot, CLOCK_BOOTTIME.
    pub time: u64,
    pub kind: u32,
    pub unused: u32,
}

/// A process: its pid is reused, the rest is not.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Process {
    /// Nanoseconds since boot.
    pub start: u64,
    pub exec_id: u64,
    /// Of the process, in the first pid namespace.
    pub pid: u32,
    pub thread: u32,
    pub user: u32,
    pub unused: u32,
}

/// A verdict on a connect, a send without connection, or a bind.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct JudgedEvent {
    pub header: EventHeader,
    pub state: u64,
    /// Cgroup that the caller was known by; 0 = unknown.
    pub container: u64,
    /// The caller's own cgroup.
    pub cgroup: u64,
    /// 0 = could not be read.
    pub socket_cgroup: u64,
    /// Cookie.
    pub socket: u64,
    /// Cookie of the network namespace.
    pub network: u64,
    /// With `socket`: this attempt.
    pub attempt: u64,
    pub process: Process,
    pub program: ProgramFile,
    pub program_flags: u32,
    pub subject: u32,
    pub class: u32,
    pub destination: u32,
    pub decision: u32,
    /// Earlier tries like it that had no event of their own.
    pub repeats: u32,
    pub address: [u8; 16],
    pub port: u16,
    pub protocol: u8,
    pub hook: u8,
    pub enforced: u8,
    pub would: u8,
    pub cause: u8,
    pub unused: u8,
    pub command: [u8; 16],
}

/// A TCP socket that had been judged at connect changed its state.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct SocketEvent {
    pub header: EventHeader,
    pub socket: u64,
    pub attempt: u64,
    pub source: [u8; 16],
    pub address: [u8; 16],
    pub source_port: u16,
    pub port: u16,
    pub old_state: u8,
    pub new_state: u8,
    pub error: u16,
}

/// A TCP socket listens.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct ListenEvent {
    pub header: EventHeader,
    pub container: u64,
    pub cgroup: u64,
    pub network: u64,
    pub process: Process,
    pub program: ProgramFile,
    pub address: [u8; 16],
    pub program_flags: u32,
    pub port: u16,
    pub protocol: u8,
    pub unused: u8,
}

/// A program was started.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct ExecEvent {
    pub header: EventHeader,
    pub container: u64,
    pub cgroup: u64,
    pub process: Process,
    pub program: ProgramFile,
    pub program_flags: u32,
    pub parent: u32,
    /// Bytes used of `path`.
    pub path_length: u32,
    /// 1 = the walk reached the root of the process.
    pub path_whole: u32,
    pub path: [u8; PATH_ROOM],
}

/// A process ended.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct ExitEvent {
    pub header: EventHeader,
    pub container: u64,
    pub process: Process,
    pub code: u32,
    pub unused: u32,
}

/// The host side of a pod's veth.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct VethValue {
    /// Cgroup of the pod.
    pub cgroup: u64,
    pub subject: u32,
    pub receiver: u32,
    pub flags: u32,
    /// Address of the pod's own side.
    pub hardware: [u8; 6],
    pub unused: [u8; 2],
    /// The pod's, as the node numbers it; negative = not known.
    pub namespace: i32,
    /// All zero = none of that family.
    pub four: [u8; 16],
    pub six: [u8; 16],
}

/// Who is behind a source address.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct SourceValue {
    pub source: u32,
}

/// A receiver, who sends, and a protocol.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct ReceiverCellKey {
    pub receiver: u32,
    pub source: u32,
    pub protocol: u32,
}

/// One flow, as a pod's veth sees it.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FlowKey {
    pub pod: [u8; 16],
    pub remote: [u8; 16],
    pub pod_port: u16,
    /// Of an echo: its id.
    pub remote_port: u16,
    pub protocol: u8,
    pub unused: [u8; 3],
}

/// What is kept of a flow.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct FlowValue {
    /// That it was last judged under.
    pub state: u64,
    /// Of the decision, CLOCK_TAI; 0 = never.
    pub expires: u64,
    /// Nanoseconds since boot, to a millisecond.
    pub last: u64,
    pub interface: u32,
    pub origin: u8,
    pub enforced: u8,
    pub would: u8,
    pub cause: u8,
    pub closing: u8,
    pub strength: u8,
    /// The pod's own, once a packet of it showed that its addresses are the pod's, under `state`.
    pub hardware: [u8; 6],
    /// Nanoseconds since boot.
    pub first: u64,
    pub told: u64,
    /// Of the sender; 0 = not known.
    pub container: u64,
    /// With `attempt`: the sender's try that this flow came of.
    pub socket: u64,
    pub attempt: u64,
    pub decision: u32,
    pub peer_port: u16,
    pub dialled_port: u16,
    pub packets_out: u64,
    pub bytes_out: u64,
    /// Of the sender; inode 0 = none that rules may name.
    pub program: ProgramFile,
    /// In: the sender before translation. Out: the backend that it was translated to, once known.
    pub peer: [u8; 16],
    /// In: what it dialled.
    pub dialled: [u8; 16],
    pub packets_in: u64,
    pub bytes_in: u64,
}

/// A flow began, goes on, ended, or got another verdict.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct FlowEvent {
    pub header: EventHeader,
    /// Cgroup of the pod whose veth saw it.
    pub pod: u64,
    pub phase: u32,
    /// Refusals like it that had no event of their own.
    pub repeats: u32,
    pub key: FlowKey,
    pub flow: FlowValue,
}

/// A packet was dropped at a pod's veth.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct DropEvent {
    pub header: EventHeader,
    pub state: u64,
    /// Cgroup of the pod.
    pub pod: u64,
    /// Cgroup of the packet's socket; 0 = none.
    pub sender: u64,
    pub interface: u32,
    /// Drops like it that had no event of their own.
    pub repeats: u32,
    pub source: [u8; 16],
    pub destination: [u8; 16],
    pub source_port: u16,
    pub destination_port: u16,
    pub protocol: u8,
    pub reason: u8,
    /// `FLOW_OUT` = it came from the pod.
    pub origin: u8,
    pub unused: u8,
}

/// A socket that a datagram came to, and where from: what goes back there is an answer.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct AnswerKey {
    /// Its cookie.
    pub socket: u64,
    pub address: [u8; 16],
    pub port: u16,
    pub unused: [u8; 6],
}

/// A port of TCP on which somebody listens; all zero = every one has been noted.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct ListeningKey {
    /// Cookie of the network namespace.
    pub network: u64,
    pub port: u32,
    pub unused: u32,
}

/// A socket that is older than the programs, as a process holds it.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct EarlierSocket {
    /// Its cookie.
    pub socket: u64,
    /// Of all who hold it; 0 = of none alone.
    pub container: u64,
    /// Inode 0 = none that rules may name, or not all holders run the same.
    pub program: ProgramFile,
    pub local: [u8; 16],
    pub remote: [u8; 16],
    pub local_port: u16,
    /// 0 = it waits for others.
    pub remote_port: u16,
    pub protocol: u8,
    pub unused: [u8; 3],
    /// Cookie of the network namespace.
    pub network: u64,
}

macro_rules! plain {
    ($($name:ident),* $(,)?) => {
        $(
            // SAFETY: repr(C), integers only; `layout_asserts.rs` holds every offset, so that no padding is implicit.
            unsafe impl Plain for $name {}
        )*
    };
}

plain!(
    ContainerValue,
    ProgramFile,
    ProgramKey,
    ProgramValue,
    FrontendKey,
    DestinationKey,
    DestinationValue,
    CellKey,
    CellValue,
    PortSpan,
    DecisionValue,
    ListenerKey,
    ListenerValue,
    EventHeader,
    Process,
    JudgedEvent,
    SocketEvent,
    ListenEvent,
    ExecEvent,
    ExitEvent,
    VethValue,
    SourceValue,
    ReceiverCellKey,
    FlowKey,
    FlowValue,
    FlowEvent,
    DropEvent,
    EarlierSocket,
    AnswerKey,
    ListeningKey,
);

include!(concat!(env!("OUT_DIR"), "/layout_asserts.rs"));
