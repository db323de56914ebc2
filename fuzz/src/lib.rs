//! A small fuzzer for what Palisade reads, and its targets. For tests alone.
//!
//! Inputs are a corpus of good ones, changed by bytes, lines and words. A run of one seed is the same each time.
#![deny(unsafe_code)]
#![warn(missing_docs)]

pub mod corpus;
mod coverage;
pub mod limits;
mod mutation;
pub mod run;
pub mod target;
