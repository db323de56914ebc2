//! The programs of others that sign and verify: cosign, notation, go-tuf, and openssl for certificates.
//!
//! They are built once, at the versions below, and kept under `target/`.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use crate::session::Folder;

/// What `go install` takes as it is.
const COSIGN: &str = "github.com/sigstore/cosign/v3/cmd/cosign@v3.1.3";

/// The version is in `peers/programs/notation/go.mod`: the module is deprecated, and `go install` wants a list of its versions.
const NOTATION: &str = "github.com/notaryproject/notation/cmd/notation";

/// Where the programs are.
pub struct Tools(PathBuf);

/// Builds them; none where there is no Go or no openssl, which the test says.
pub fn tools() -> Option<&'static Tools> {
    static TOOLS: OnceLock<Option<Tools>> = OnceLock::new();
    TOOLS.get_or_init(build).as_ref()
}

fn build() -> Option<Tools> {
    for needed in ["go", "openssl"] {
        if Command::new(needed).arg("version").stdout(Stdio::null()).status().is_err() {
            assert!(std::env::var_os("CI").is_none(), "there is no {needed}");
            println!("SKIPPED: there is no {needed} on this machine");
            return None;
        }
    }
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("signers");
    std::fs::create_dir_all(&target).expect("a folder");
    let programs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../peers/programs");
    let sources = programs.join("notation");
    let [notation, tuf] = ["notation", "tuf"].map(|name| target.join(name).display().to_string());
    for (program, folder, arguments) in [
        ("cosign", &target, vec!["install", COSIGN]),
        ("notation", &sources, vec!["build", "-o", &notation, NOTATION]),
        ("tuf", &programs.join("tuf"), vec!["build", "-o", &tuf, "."]),
    ] {
        if target.join(program).exists() {
            continue;
        }
        let output = Command::new("go")
            .args(arguments)
            .current_dir(folder)
            .envs([("CGO_ENABLED", "0"), ("GOFLAGS", "-buildvcs=false")])
            .env("GOBIN", &target)
            .output()
            .expect("go runs");
        assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
    }
    Some(Tools(target))
}

impl Tools {
    /// One of them, in a folder that is also its home.
    pub fn command(&self, program: &str, folder: &Folder) -> Command {
        let mut command = match program {
            "openssl" => Command::new("openssl"),
            program => Command::new(self.0.join(program)),
        };
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
