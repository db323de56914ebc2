//! Pods without a cluster: real processes in real namespaces and cgroups on one machine.
#![warn(missing_docs)]

mod address_plan;
mod capabilities;
mod cgroup;
mod cluster;
mod cluster_files;
mod command;
mod control;
mod control_server;
pub mod dependency;
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
mod logs;
mod name;
mod nat;
mod netns;
mod network;
mod program_copy;
mod random;
mod runtime;
mod setup;
mod shim;
mod spawn;
pub mod stand_in;
mod supervisor;
mod up;
mod yaml;

pub use control::{ContainerStatus, JoinTarget, PodStatus, RunningLab, ServiceStatus, Status};
pub use error::LabError;
pub use exec::Executable;
pub use lab_file::{LabContainer, LabFile, LabNode, read_lab_file};
pub use name::{BadLabName, LabName, STATE_ROOT, StateDir};
pub use shim::shim;
pub use up::{DEFAULT_RHYTHM, Settings, UpReport, down, up};

/// The `dns` command.
pub fn dns() -> std::process::ExitCode {
    std::process::ExitCode::FAILURE
}
