//! `palisade image verify` and `palisade image sign`, as a reader sees them: on signatures that cosign and notation made,
//! on published bundles, and against those programs themselves.

mod authority;
mod cosign;
mod layout;
mod notary;
mod peers;
mod policy;
mod refused;
mod session;
mod signing;
mod tools;
mod trust;
mod workloads;
