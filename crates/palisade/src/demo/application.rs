//! The application that the demo runs: the user's files, or the example built into the program.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The example, as `examples/shop` has it.
const EXAMPLE: [(&str, &str); 2] = [
    ("app.yaml", include_str!("../../../../examples/shop/app.yaml")),
    ("policies.yaml", include_str!("../../../../examples/shop/policies.yaml")),
];

/// Where the example lies in the repository.
const IN_REPOSITORY: &str = "examples/shop";

/// Manifests to run, and whether they are the example.
pub struct Application {
    /// What `-f` gets.
    pub manifests: Vec<PathBuf>,
    /// Whether the intruder's steps fit it.
    pub is_example: bool,
    /// Made for the demo, and removed after it.
    scratch: Option<PathBuf>,
}

impl Application {
    /// The user's manifests; without any the example: as it lies in the repository that we stand in,
    /// so that places lead to files, else written to `scratch`.
    ///
    /// # Errors
    /// When the example cannot be written.
    pub fn choose(manifests: &[PathBuf], scratch: &Path) -> io::Result<Self> {
        if !manifests.is_empty() {
            return Ok(Self { manifests: manifests.to_vec(), is_example: false, scratch: None });
        }
        let in_repository = Path::new(IN_REPOSITORY);
        let unchanged = |(name, text): &(&str, &str)| {
            fs::read_to_string(in_repository.join(name)).is_ok_and(|on_disk| on_disk == *text)
        };
        if EXAMPLE.iter().all(unchanged) {
            return Ok(Self { manifests: vec![in_repository.to_owned()], is_example: true, scratch: None });
        }
        fs::create_dir_all(scratch)?;
        for (name, text) in EXAMPLE {
            fs::write(scratch.join(name), text)?;
        }
        Ok(Self { manifests: vec![scratch.to_owned()], is_example: true, scratch: Some(scratch.to_owned()) })
    }
}

impl Drop for Application {
    fn drop(&mut self) {
        if let Some(scratch) = &self.scratch {
            let _ = fs::remove_dir_all(scratch);
        }
    }
}
