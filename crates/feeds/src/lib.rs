//! Exports of advisories: read, kept as one database, brought up to date.
//!
//! Layer L2: files and the network. What advisories mean is in `palisade-advisories`.

pub mod import;
pub mod mapped;
pub mod store;
pub mod update;
pub mod zip;

pub use import::{Imported, import};
pub use mapped::Mapped;
pub use store::Store;
