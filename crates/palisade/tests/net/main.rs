//! `palisade net` as a reader sees it.

mod applications;
mod conformance;
mod diff;
mod exposure;
mod lint;
mod map;
mod rewriting;
mod scenario;
mod session;
