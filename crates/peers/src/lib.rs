//! Programs of others, which tests hold ours against.
//!
//! They come from their registries at exact versions, and are built once on a machine: who asks first builds and the
//! others wait, in whatever process they are. What is built is kept in `palisade/peers` of the user's cache folder.
//! `cargo run -p palisade-peers` builds all of it ahead.
//!
//! In `programs` lies what is ours in Go, a module a folder: servers and libraries of others behind a small `main`.
//!
//! A test that cannot have what it asks for says SKIPPED and why; with CI=true it fails.

#![forbid(unsafe_code)]

pub mod go;
pub mod images;
pub mod programs;
pub mod python;
pub mod registry;
mod shared;
mod shelf;
mod unavailable;

pub use go::Program;
pub use shared::shared;
pub use unavailable::{Unavailable, is_ci, is_root_or_skip, or_skip};
