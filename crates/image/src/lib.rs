//! What is in an image: its layers, its distribution, its packages, and the files that look like software and could
//! not be identified.
//!
//! Layer L1: pure. The adapter feeds the entries of each layer as they stream by; nothing here opens a file.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod apk;
pub mod base;
pub mod catalogue;
mod collector;
pub mod compare;
mod distribution;
mod dpkg;
pub mod elf;
pub mod entry;
mod file_set;
pub mod go;
mod java;
mod join;
pub mod lint;
mod lock;
mod node;
mod owned;
pub mod package;
mod program;
pub mod purl;
mod python;
mod rpm;
mod ruby;
mod rust;
pub mod sbom;
pub mod secret;

pub use catalogue::{Catalogue, Distribution, ImageConfig, Layer, Unidentified, Unknown};
pub use collector::{Collector, LockFiles, Options};
pub use entry::{Entry, EntryKind, LayerReader, Want};
pub use file_set::{FileSet, Held};
pub use go::{GoBinary, GoFunctions, GoModule};
pub use package::{Ecosystem, Evidence, LayerRef, Package, Release, SourcePackage};
pub use program::Functions;
pub use purl::PackageUrl;
