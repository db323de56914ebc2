//! The vocabulary of Palisade: objects, labels, ports, links, verdicts, flows, problems and findings.
//!
//! Layer L0: values only. No IO, no clock, no environment, no global state.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

pub mod access_policy;
pub mod cni;
pub mod finding;
pub mod flow;
pub mod gateway;
pub mod image_policy;
pub mod ingress;
pub mod inventory;
pub mod labels;
pub mod link;
pub mod network_policy;
pub mod object;
pub mod perimeter;
pub mod place;
pub mod pod;
pub mod port;
pub mod problem;
pub mod selector;
pub mod service;
pub mod settings;
pub mod tiered_policy;
pub mod verdict;
pub mod workload;

pub use finding::{Finding, Severity};
pub use inventory::Inventory;
pub use ipnet::IpNet;
pub use jiff::Timestamp;
pub use labels::Labels;
pub use object::{Kind, Meta, Name, ObjectRef};
pub use place::Place;
pub use port::{PortRange, PortSet, Protocol};
pub use problem::{Effect, Outcome, Problem};
pub use selector::Selector;
