//! Advisories: what is known to be wrong with which versions of which packages, and which packages it concerns.
//!
//! Layer L1: pure. Reading exports and the database's file is `palisade-feeds`.
#![forbid(unsafe_code)]

pub mod version;

pub use version::{UnreadableVersion, VersionOrder};
