//! Images that others are made from: a newer one mends what is in its layers.

use std::fs;
use std::path::Path;

use palisade_image::base::KnownBase;
use serde::{Deserialize, Serialize};

use crate::failure::Failure;

/// A file of known bases. Some thousands of bases are some MB.
const LONGEST_FILE: u64 = 64 << 20;

/// What `palisade image bases --record` writes.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KnownBases {
    /// Each as it was when it was recorded: one name may be there several times.
    pub bases: Vec<KnownBase>,
}

/// Reads a file of known bases.
///
/// # Errors
/// When it cannot be read, or is none.
pub fn read(path: &Path) -> Result<KnownBases, Failure> {
    let context = || format!("cannot use the known bases `{}`", path.display());
    let failed = |error: std::io::Error| Failure::new(error).context(context());
    if fs::metadata(path).map_err(failed)?.len() > LONGEST_FILE {
        return Err(Failure::new(format!("longer than {LONGEST_FILE} bytes")).context(context()));
    }
    let text = fs::read(path).map_err(failed)?;
    serde_json::from_slice(&text).map_err(|error| Failure::new(error).context(context()))
}
