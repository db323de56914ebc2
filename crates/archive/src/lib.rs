//! Images as files: OCI layouts, archives of `docker save`, root folders. Their layers stream by an
//! [`palisade_image::LayerReader`]; nothing is unpacked.
//!
//! Invariant: no input can exhaust memory. Each limit is a named constant, and meeting it is a problem.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

pub mod blobs;
pub mod digest;
mod docker;
pub mod files;
mod folder;
mod gzip;
mod image;
mod layer;
mod layout;
mod manifest;
mod open;
pub mod shelf;
mod tar;

pub use blobs::Blobs;
pub use image::{ImageRead, Platform, ReadError, read_config, read_manifest};
pub use manifest::Descriptor;
pub use open::{Place, Request, read};
pub use shelf::{Shelf, ShelfError};
