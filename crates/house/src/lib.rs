//! The house's own rules, as tests: which crate may use which ([`layers`]), how source files
//! are named and guarded ([`sources`]), what may come in from outside ([`dependencies`]), and whether the tests that
//! the specification names are there ([`specification`]).
//!
//! Each checker is a pure function from what it read to a list of findings in words, so that
//! its own tests can hand it a made-up workspace and see it fail.
#![forbid(unsafe_code)]

pub mod dependencies;
pub mod layers;
pub mod metadata;
pub mod sources;
pub mod spdx;
pub mod specification;
