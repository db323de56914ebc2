//! Advisories: what is known to be wrong with which versions of which packages, and which packages it concerns.
//!
//! Layer L1: pure. Reading exports and the database's file is `palisade-feeds`.
#![forbid(unsafe_code)]

pub mod advisory;
pub mod assessment;
pub mod database;
pub mod distribution;
mod encoding;
pub mod ignores;
pub mod osv;
pub mod range;
pub mod rating;
pub mod symbols;
pub mod version;
pub mod vex;

pub use advisory::{Advisory, Affected};
pub use assessment::{Assessment, Gap, Vulnerability, assess};
pub use database::{Builder, Database};
pub use rating::Rating;
pub use version::{UnreadableVersion, VersionOrder};
