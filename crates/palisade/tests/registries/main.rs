//! `palisade image` and `advisories update` against registries and servers that others wrote, on loopback.

#[path = "../../../registry/tests/registries/server.rs"]
mod server;

mod bases;
mod diff;
mod fleet;
mod pull;
mod update;
mod world;
