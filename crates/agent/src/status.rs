//! What the agent tells of itself.

use std::collections::BTreeMap;

use serde::Serialize;

/// The answer to `{"status":{}}`.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    /// The form of this answer; rises when a field changes its meaning.
    pub version: u32,
    /// The agent's process id.
    pub pid: u32,
    /// The lab's name.
    pub lab: String,
    /// Whether every node of the lab is guarded now, by this agent or another.
    pub guarded: bool,
    /// The nodes of the lab that are not.
    pub unguarded: Vec<String>,
    /// The nodes that it guards.
    pub nodes: Vec<NodeStatus>,
    /// Bytes of memory that the agent holds.
    pub resident_bytes: u64,
    /// Records that are kept for `observe --since start`.
    pub records: usize,
    /// How often manifests and pods were read.
    pub loads: u64,
    /// How long the newest change took from being seen to being in the kernel, in microseconds.
    pub last_change_microseconds: u64,
    /// Problems of the manifests, and what keeps the newest change from the kernel.
    pub problems: Vec<String>,
}

/// A guarded node.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NodeStatus {
    /// Its name.
    pub name: String,
    /// The revision in the kernel.
    pub revision: u64,
    /// Whether programs and maps of an earlier agent were taken over.
    pub taken_over: bool,
    /// Flows that an earlier build's programs knew and this agent's took over.
    pub flows_taken_over: usize,
    /// Connections that were older than the programs and whose holders were looked up.
    pub earlier_connections: usize,
    /// Pods in the kernel.
    pub pods: usize,
    /// Running pods whose packets pass no program, because they have no veth: their connects alone are judged.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub pods_without_packet_hook: Vec<String>,
    /// Containers in the kernel.
    pub containers: usize,
    /// Program files in the kernel.
    pub programs: usize,
    /// Kernel memory of maps and programs, in bytes.
    pub kernel_bytes: u64,
    /// The same by map.
    pub kernel_bytes_by_map: BTreeMap<String, u64>,
    /// The same by program.
    pub kernel_bytes_by_program: BTreeMap<String, u64>,
    /// Events of the kernel that this agent read.
    pub events: u64,
    /// What the programs counted; `events-lost` is what did not fit into the ring.
    pub counters: BTreeMap<String, u64>,
    /// Connects without an outcome yet.
    pub waiting: usize,
    /// Paths of programs that are known.
    pub paths: usize,
}

/// The version of [`Status`].
pub(crate) const STATUS_VERSION: u32 = 1;
