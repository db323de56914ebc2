//! YAML (and JSON, its subset) as a tree in which every node knows its line.
//!
//! The reading is that of `sigs.k8s.io/yaml`, which `kubectl` uses: YAML 1.1 booleans, octal `0777`,
//! merge keys that override what stands above them, keys of any scalar type turned into text.
//! A stream is cut at its document markers first, so that one broken document does not lose the others.

mod build;
mod cursor;
mod documents;
mod json;
mod limit;
mod parse;
mod parser;
mod scalar;
mod scanner;
mod token;
mod tree;

#[cfg(test)]
mod goyaml;

pub(crate) use build::SyntaxError;
pub(crate) use documents::{Chunk, chunks};
pub(crate) use limit::MAX_FILE_BYTES;
pub(crate) use parse::parse;
pub(crate) use tree::{Document, Shape, Value};
