//! The programs of others that sign and verify: cosign, notation, go-tuf, and openssl for certificates.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use palisade_peers::programs::{COSIGN, NOTATION, TUF};
use palisade_peers::{Unavailable, or_skip};

use crate::session::Folder;

/// The programs, by name.
pub struct Tools(Vec<(&'static str, PathBuf)>);

/// None where there is no Go or no openssl, which the test says.
pub fn tools() -> Option<&'static Tools> {
    static TOOLS: OnceLock<Option<Tools>> = OnceLock::new();
    TOOLS.get_or_init(|| or_skip(find())).as_ref()
}

fn find() -> Result<Tools, Unavailable> {
    Command::new("openssl").arg("version").stdout(Stdio::null()).status().map_err(|error| Unavailable {
        what: "openssl".to_owned(),
        why: error.to_string(),
        hint: Some("apt-get install openssl"),
    })?;
    let mut programs = vec![("openssl", PathBuf::from("openssl"))];
    for program in [COSIGN, NOTATION, TUF] {
        programs.push((program.name, program.find()?));
    }
    Ok(Tools(programs))
}

impl Tools {
    /// One of them, in a folder that is also its home.
    pub fn command(&self, program: &str, folder: &Folder) -> Command {
        let (_, path) = self.0.iter().find(|(name, _)| *name == program).expect("one of them");
        let mut command = Command::new(path);
        command
            .current_dir(&folder.0)
            .env("HOME", &folder.0)
            .env("XDG_CONFIG_HOME", folder.0.join("config"))
            .env("NOTATION_EXPERIMENTAL", "1")
            .env("COSIGN_PASSWORD", "secret")
            .env("COSIGN_YES", "true");
        command
    }

    /// Runs it, and expects it to succeed.
    #[track_caller]
    pub fn run(&self, program: &str, folder: &Folder, arguments: &[&str]) -> String {
        let (text, is_good) = self.try_run(program, folder, arguments);
        assert!(is_good, "{program} {arguments:?}: {text}");
        text
    }

    /// What it writes, and whether it succeeds.
    pub fn try_run(&self, program: &str, folder: &Folder, arguments: &[&str]) -> (String, bool) {
        let output = self.command(program, folder).args(arguments).output().expect("the program starts");
        let text = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
        (text, output.status.success())
    }
}
