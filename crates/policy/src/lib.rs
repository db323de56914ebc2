//! The policy engine: one semantics for `check`, `explain` and what the kernel enforces.
//!
//! Layer L1: pure. Values in, values out; the caller brings `now`.
//!
//! ```text
//! Inventory --Model::new--> Model --judge--> Judgement      (one link)
//!                             |-----reach---> Reach          (all links, by class)
//!                             |-----difference-> Difference (of two: what opens and closes)
//!                             |-----explain-> Explanation    (why, and the smallest change that would turn it)
//!                             |-----dial----> Dial           (a Service: per backend)
//!                             '-----compile-> NodeRules      (what one node's kernel needs)
//! ```
#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod address_index;
pub mod change;
mod classes;
mod closing;
pub mod compare;
pub mod compile;
mod consent;
pub mod convert;
pub mod dial;
pub mod difference;
pub mod doors;
mod doubt;
pub mod explain;
pub mod exposure;
mod findings;
mod judge;
pub mod lint;
pub mod loss;
pub mod lower;
pub mod map;
mod maps;
mod matching;
mod model;
mod nodes;
mod outside;
mod party;
mod pod_index;
pub mod proof;
pub mod reach;
mod rule_index;
pub mod scenario;
mod service_index;
mod tiers;
mod update;
mod workloads;
pub mod written;

pub use consent::{Consent, Grant};
pub use judge::{Enforcement, WhereJudged};
pub use model::{Model, PodFacts, PodIndex, WorkloadId};
pub use party::UnknownEnd;
