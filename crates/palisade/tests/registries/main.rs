//! `palisade image` and `advisories update` against registries and servers that others wrote, on loopback.

mod bases;
mod diff;
mod fleet;
mod lifecycle;
mod pull;
mod update;
mod world;
