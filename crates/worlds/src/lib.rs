//! Random small worlds as Kubernetes YAML text, and links to try in them: for tests alone.
//!
//! [`anything`] uses every corner of the semantics, for tests of engines against each other.
//! [`runnable`] keeps to what the lab can really run, for tests of the kernel against the engine.
//! [`coverage`] counts what decided, so that a test can fail when a corner is never met.
//!
//! Layer L1. Invariant: the same seed gives the same bytes, on every machine and with every compiler.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

pub mod anything;
pub mod choice;
mod corners;
pub mod coverage;
mod manifest;
mod policies;
mod random;
pub mod runnable;
mod scene;
mod text;

pub use anything::World;
pub use choice::{Candidate, choose};
pub use corners::Dialled;
pub use coverage::Coverage;
pub use random::Random;
pub use runnable::RunnableWorld;
