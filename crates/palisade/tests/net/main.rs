//! `palisade net` as a reader sees it.

mod diff;
mod map;
mod scenario;
mod session;
