//! What is in an image: its layers, its distribution, its packages, and the files that look like software and could
//! not be identified.
//!
//! Layer L1: pure. The adapter feeds the entries of each layer as they stream by; nothing here opens a file.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

pub mod catalogue;
pub mod elf;
pub mod go;
pub mod package;

pub use catalogue::{Catalogue, Distribution, ImageConfig, Layer, Unidentified};
pub use go::{GoBinary, GoFunctions, GoModule};
pub use package::{Ecosystem, Evidence, LayerRef, Package, Release, SourcePackage};
