//! Pods without a cluster: real processes in real namespaces and cgroups on one machine.
//!
//! [`up`] turns an inventory into a running lab, [`RunningLab`] talks with one that runs, [`down`]
//! ends it. `lab.json` ([`LabFile`]) and `cluster/` in its [`StateDir`] tell others what lives.
//!
//! - **Processes.** A *guard* waits for signals; its child, the *supervisor*, is the init of a pid
//!   namespace that holds every process of the lab. Whichever dies, the other ends and cleans up
//!   the rest; should both be killed at once, two empty folders stay, and the next `up` or `down`
//!   removes them. Invariant: namespaces and mounts have no names outside the lab's processes.
//! - **Networks.** A node is a network namespace, its uplink plugged into the world's bridge; a pod
//!   is one with a routed veth. Invariant: nothing touches the machine's own network.
//! - **Containers.** A shim ([`shim`]) makes the container around itself, is published, waits for
//!   the agent, and becomes the program: the manifest's own where the machine has it, else a
//!   [`stand_in`].
//! - **Cluster.** `publish` writes files, NAT rules and the DNS zone from one value, after every
//!   change; endpoints follow from what the prober found.
#![warn(missing_docs)]

mod address_plan;
mod builtin;
mod capabilities;
mod cgroup;
mod cluster;
mod cluster_files;
mod command;
mod control;
mod control_server;
pub mod dependency;
mod dns;
mod endpoints;
mod error;
mod exec;
mod expand;
mod guard_wait;
mod image;
mod images;
mod lab_file;
mod leftovers;
mod lock;
mod log_limit;
mod logs;
mod name;
mod nat;
mod netns;
mod network;
mod prober;
mod program_copy;
mod random;
mod runtime;
mod said;
mod setup;
mod shim;
mod shortcomings;
mod spawn;
pub mod stand_in;
mod supervisor;
mod up;
mod world;
mod yaml;
mod zone;

pub use control::{Added, ContainerStatus, JoinTarget, PodStatus, RestartWhat, RunningLab, ServiceStatus, Status};
pub use dns::dns;
pub use error::LabError;
pub use exec::Executable;
pub use lab_file::{LabContainer, LabFile, LabNode, read_lab_file};
pub use name::{BadLabName, LabName, STATE_ROOT, StateDir};
pub use shim::shim;
pub use up::{DEFAULT_RHYTHM, Settings, UpReport, down, up};
