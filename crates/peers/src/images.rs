//! Images that are made from the package registries, for scanners to be held against each other on.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::go;
use crate::shelf::{Inputs, Shelf};
use crate::unavailable::{Unavailable, or_skip};

/// An application of five languages.
pub const APP: Image = Image("app");

/// Programs that say what they were built of: of Rust, of a Go of old and of one of today.
pub const PROGRAMS: Image = Image("programs");

/// Two layers, of which the upper one removes, hides and replaces what is below.
pub const LAYERS: Image = Image("layers");

/// A whole Debian.
pub const DEBIAN: Image = Image("debian");

pub const ALL: &[Image] = &[APP, PROGRAMS, LAYERS, DEBIAN];

/// An image that `build-image` makes.
#[derive(Debug, Clone, Copy)]
pub struct Image(pub &'static str);

impl Image {
    /// Its archive, as `docker save` writes one. `None`, and SKIPPED is printed, where it cannot be had.
    ///
    /// # Panics
    /// With CI=true instead of skipping.
    #[track_caller]
    pub fn get(self) -> Option<PathBuf> {
        or_skip(self.build())
    }

    /// Makes it, if nobody did before.
    ///
    /// # Errors
    /// What the package managers say, or which of them is missing.
    pub fn build(self) -> Result<PathBuf, Unavailable> {
        let what = format!("image-{}", self.0);
        let unavailable = |why: String| {
            let hint = Some("it takes pip, npm, apt-get, mvn, go, cargo, mmdebstrap as root, and their registries");
            Unavailable { what: what.clone(), why, hint }
        };
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("build-image");
        let text = std::fs::read_to_string(&script).map_err(|error| unavailable(error.to_string()))?;
        let sources = go::module("linked");
        let inputs = Inputs::default().text(&text).folder(&sources).map_err(|error| unavailable(error.to_string()))?;
        let folder = Shelf::of_the_user().keep(&what, inputs, |to| {
            let mut make = Command::new(&script);
            let made = make.arg(self.0).arg(to).arg(&sources).stdin(Stdio::null()).output();
            match made {
                Ok(output) if output.status.success() => Ok(()),
                Ok(output) => Err(unavailable(String::from_utf8_lossy(&output.stderr).into_owned())),
                Err(error) => Err(unavailable(error.to_string())),
            }
        })?;
        Ok(folder.join(format!("{}.tar", self.0)))
    }
}
