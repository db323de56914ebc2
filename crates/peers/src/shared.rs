//! Samples that lie beside the project.

use std::path::{Path, PathBuf};

use crate::unavailable::{Unavailable, or_skip};

/// `../shared/NAME`. `None`, and SKIPPED is printed, where it is not there.
///
/// # Panics
/// With CI=true instead of skipping.
#[track_caller]
pub fn shared(name: &str) -> Option<PathBuf> {
    or_skip(find(name))
}

/// The same, and it is for the caller to say what follows.
pub(crate) fn find(name: &str) -> Result<PathBuf, Unavailable> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared");
    match beside.join(name).canonicalize() {
        Ok(path) => Ok(path),
        Err(error) => Err(Unavailable { what: format!("../shared/{name}"), why: error.to_string(), hint: None }),
    }
}
