//! The only user of libbpf: loads the guard of one node, pins it, fills its tables and reads its events.
//!
//! [`Guard::load`] takes over what an earlier agent pinned or loads anew; [`Guard::install`] brings a revision of the
//! rules into the kernel in one step; [`Guard::events`] tells what was judged and what became of it.

pub mod cgroup;
pub mod clock;
mod counters;
mod earlier;
mod error;
mod event;
mod guard;
mod hand_over;
mod install;
pub mod layout;
mod memory;
pub mod network;
pub mod node_links;
pub mod pins;
pub mod probe;
pub mod program_file;
mod ring;
mod shape;
pub mod tables;
mod veth;

pub use counters::Counters;
pub use error::{Error, Result};
pub use event::{Event, Exec, address};
pub use guard::{FLOWS, FLOWS_RANGE, Guard, Options, Origin, RING_BYTES};
pub use hand_over::HandOver;
pub use memory::Memory;
pub use ring::Waiting;
pub use tables::Tables;

#[allow(clippy::all, clippy::pedantic, dead_code, unused_imports, missing_docs)]
mod skeleton {
    include!(concat!(env!("OUT_DIR"), "/guard.skel.rs"));
}
