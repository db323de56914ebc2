//! Where a thing was written.

use std::fmt;
use std::sync::Arc;

use serde::{Serialize, Serializer};

/// A line of an input file; displayed as `file:line`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Place {
    /// The path as the user gave it, or `<stdin>`.
    pub file: Arc<str>,
    /// One-based line; 0 when only the file is known.
    pub line: u32,
}

impl Place {
    /// A place at `line` (one-based) of `file`.
    pub fn new(file: impl Into<Arc<str>>, line: u32) -> Self {
        Self { file: file.into(), line }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}", self.file),
            line => write!(f, "{}:{line}", self.file),
        }
    }
}

impl Serialize for Place {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
