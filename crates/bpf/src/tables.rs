//! What the kernel needs to judge on one node, as plain values: one revision of the rules.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

pub use palisade_model::settings::UnknownPods;

/// All tables of one revision. [`crate::Guard::install`] makes them the live ones at once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tables {
    /// Grows with every change; named by every event.
    pub revision: u64,
    /// What becomes of a cgroup below the pods' root that no entry knows.
    pub unknown_pods: UnknownPods,
    /// Containers and pods by cgroup.
    pub containers: Vec<Container>,
    /// Programs that rules name, by container and file.
    pub programs: Vec<Program>,
    /// Addresses and ports of Services.
    pub frontends: Vec<Frontend>,
    /// Networks, the longest prefix wins; both families need a prefix of length 0.
    pub destinations: Vec<Network>,
    /// For a class of callers and a destination: which of `port_tables` holds.
    pub cells: Vec<Cell>,
    /// Spans of ports, sorted, without gaps.
    pub port_tables: Vec<Vec<Span>>,
    /// What a span leads to.
    pub decisions: Vec<Decision>,
    /// Ports that belong to the container that declares them.
    pub listeners: Vec<Listener>,
    /// The pods' veths; what passes one that is not here is dropped.
    pub veths: Vec<Veth>,
    /// The node's other interfaces; what is forwarded from one that is neither here nor a pod's does not leave the node.
    pub links: Vec<OtherLink>,
    /// Who is behind a source address, the longest prefix wins.
    pub sources: Vec<Source>,
    /// For a receiver and who sends: which of `port_tables` holds. With none at all, receivers judge nothing.
    pub receiver_cells: Vec<ReceiverCell>,
}

/// The host side of a pod's veth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Veth {
    /// Its interface index on the node.
    pub interface: u32,
    /// Cgroup of the pod.
    pub cgroup: u64,
    /// Index of the pod within this revision.
    pub subject: u32,
    /// What the pod is as a receiver.
    pub receiver: u32,
    /// What a refused sender sees.
    pub refusal: Refusal,
    /// Address of the pod's own side.
    pub hardware: [u8; 6],
    /// The pod's addresses; of each family one at most.
    pub four: Option<Ipv4Addr>,
    /// The same.
    pub six: Option<Ipv6Addr>,
    /// The pod's network namespace, as the node numbers it.
    pub namespace: Option<i32>,
}

/// An interface of the node that is no pod's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OtherLink {
    /// Its index.
    pub interface: u32,
    /// Whether its packets begin with an Ethernet header.
    pub ethernet: bool,
}

/// What a refused sender sees.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Refusal {
    /// Its connect fails at once.
    #[default]
    Reset,
    /// Nothing.
    Drop,
}

/// A network of source addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Source {
    /// Its address.
    pub address: IpAddr,
    /// Length of the prefix in its own family.
    pub prefix: u8,
    /// Who is behind it.
    pub source: u32,
}

/// One receiver, one source, one protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReceiverCell {
    /// The receiver.
    pub receiver: u32,
    /// Who sends.
    pub source: u32,
    /// IP protocol number; 0 = what has no ports.
    pub protocol: u8,
    /// Index into [`Tables::port_tables`].
    pub port_table: u32,
}

/// An entry for a cgroup.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Container {
    /// Id of the cgroup.
    pub cgroup: u64,
    /// Index of the pod within this revision.
    pub subject: u32,
    /// Class of a program without a name of its own.
    pub class: u32,
    /// What the cgroup is.
    pub kind: ContainerKind,
    /// True when the pod uses its node's network: it passes and is recorded.
    pub host_network: bool,
    /// Where its packets can be judged.
    pub packets: PacketHook,
}

/// Where a pod's packets can be judged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PacketHook {
    /// At the host side of its veth.
    #[default]
    Veth,
    /// Nowhere: what only a packet could decide is refused when it connects.
    Nowhere,
}

/// What a cgroup stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContainerKind {
    /// One container.
    Known,
    /// The pod: found for containers in it that no entry knows.
    Pod,
}

/// The file of a program, as the kernel sees it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FileKey {
    /// Device in the kernel's own count (`major << 20 | minor`).
    pub device: u32,
    /// Inode number as the kernel holds it (`ino` in fdinfo; not always `st_ino`).
    pub inode: u64,
    /// Size in bytes.
    pub size: u64,
    /// Change time, seconds.
    pub ctime_seconds: i64,
    /// Change time, nanoseconds.
    pub ctime_nanoseconds: u32,
}

/// A program that a rule names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Program {
    /// Id of the container's cgroup.
    pub container: u64,
    /// The file.
    pub file: FileKey,
    /// Its class.
    pub class: u32,
}

/// An address and port of a Service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frontend {
    /// The Service's address.
    pub address: IpAddr,
    /// IP protocol number.
    pub protocol: u8,
    /// The Service's port.
    pub port: u16,
    /// What it stands for.
    pub destination: u32,
}

/// A network and the destination that its addresses belong to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    /// Its address.
    pub address: IpAddr,
    /// Length of the prefix in its own family.
    pub prefix: u8,
    /// What it stands for.
    pub destination: u32,
    /// The subject whose own address this is: for that one it is itself.
    pub own_subject: Option<u32>,
}

/// One class of callers, one destination, one protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cell {
    /// The class of callers.
    pub class: u32,
    /// The destination.
    pub destination: u32,
    /// IP protocol number.
    pub protocol: u8,
    /// Index into [`Tables::port_tables`].
    pub port_table: u32,
}

/// A span of ports, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// First port.
    pub first: u16,
    /// Last port.
    pub last: u16,
    /// Index into [`Tables::decisions`].
    pub decision: u32,
}

/// Allowed or denied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It passes.
    Allow,
    /// It is refused.
    Deny,
}

/// The verdict that a table leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision {
    /// What is done.
    pub enforced: Verdict,
    /// What would be done if objects in audit were enforced.
    pub would: Verdict,
    /// A Service's backends differ: passes at connect, and each backend's own decision holds once a packet shows it.
    pub mixed: bool,
    /// The wall-clock instant, in nanoseconds since 1970, from which another decision holds, and its index.
    pub expires: Option<(u64, u32)>,
}

/// A port that a container's spec declares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listener {
    /// The pod.
    pub subject: u32,
    /// The port.
    pub port: u16,
    /// IP protocol number.
    pub protocol: u8,
    /// Cgroup of the container that may bind it.
    pub container: u64,
}

impl From<FileKey> for crate::layout::ProgramFile {
    fn from(file: FileKey) -> Self {
        Self {
            inode: file.inode,
            size: file.size,
            ctime_seconds: file.ctime_seconds,
            ctime_nanoseconds: file.ctime_nanoseconds,
            device: file.device,
        }
    }
}

impl From<crate::layout::ProgramFile> for FileKey {
    fn from(file: crate::layout::ProgramFile) -> Self {
        Self {
            device: file.device,
            inode: file.inode,
            size: file.size,
            ctime_seconds: file.ctime_seconds,
            ctime_nanoseconds: file.ctime_nanoseconds,
        }
    }
}
