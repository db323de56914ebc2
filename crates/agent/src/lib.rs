//! The node's service: it finds pods and programs, brings the engine's answers into the kernel, and tells what happened.
//!
//! ```text
//! manifests, live pods ─> Model ─compile─> NodeRules ─┐
//! cgroups, program files ─────────────────────────────┴─> Tables ─install─> kernel
//! kernel ─events─> Flows ─> FlowRecord ─> History ─> agent.sock
//! ```
//!
//! One process, one thread: it sleeps until a file changes, a client asks, or the kernel has something to tell.
//! What it pinned judges on when it dies; [`unload`] takes that back.
#![warn(missing_docs)]

mod agent;
mod batch;
mod container_cgroup;
mod directory;
mod error;
mod flows;
mod guards;
mod history;
mod lab_state;
mod lease;
mod links;
mod listeners;
mod memory;
mod node;
mod node_addresses;
mod observed;
mod past;
mod program_paths;
mod server;
mod status;
mod tables;
mod veths;
mod view;
mod watch;

pub use agent::{Agent, Config, unload, unload_node};
pub use error::{Error, Result};
pub use status::{NodeStatus, Status};

/// What this kernel can do, and what follows from what it cannot.
pub use palisade_bpf::probe;
/// The size of a node's table of flows.
pub use palisade_bpf::{FLOWS, FLOWS_RANGE};
